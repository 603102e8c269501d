//! How much the built program relays, beside cat(1) through the same pipes in the same run: `cargo bench --bench pipes`.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::std_instead_of_core,
    unreachable_pub,
    reason = "a bench fails loudly, runs on a full std, and has no public face"
)]

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{binary, compile, median};

/// Lines of 100 bytes that the workers write together.
const LINES: usize = 2_000_000;
/// Runs of each row.
const RUNS: usize = 5;

fn main() {
    let bench = Bench { writer: compile("writer"), log: Path::new(env!("CARGO_TARGET_TMPDIR")).join("pipes.log") };
    println!("{LINES} lines of 100 bytes, written 64 KiB at a time; MB/s, median of {RUNS}");
    println!("{:>8} {:>10} {:>8} {:>9} {:>8}", "workers", "to", "cat", "cantella", "ratio");
    for workers in [1, 8] {
        for target in [Path::new("/dev/null"), &bench.log] {
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..RUNS {
                times[0].push(bench.cat(workers, target));
                times[1].push(bench.relay(workers, target));
            }
            let [cat, relay] = times.map(|times| LINES as f64 / 1e4 / median(times).as_secs_f64());
            let name = if target == bench.log { "a file" } else { "/dev/null" };
            println!("{workers:>8} {name:>10} {cat:>8.0} {relay:>9.0} {:>8.2}", relay / cat);
        }
    }
    let _ = std::fs::remove_file(&bench.log);
}

struct Bench {
    writer: PathBuf,
    log: PathBuf,
}

impl Bench {
    /// As many writers into one pipe as there are workers, and one cat behind it.
    fn cat(&self, workers: usize, target: &Path) -> Duration {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let begun = Instant::now();
        let file = File::create(target).expect("a target");
        let cat = Command::new("cat").stdin(reader).stdout(file).spawn().expect("cat is installed");
        let start = || {
            Command::new(&self.writer)
                .arg((LINES / workers).to_string())
                .stdout(writer.try_clone().expect("a pipe"))
                .spawn()
        };
        let writers: Vec<_> = (0..workers).map(|_| start().expect("a writer")).collect();
        drop(writer);
        for mut child in writers.into_iter().chain([cat]) {
            assert!(child.wait().expect("our own child").success());
        }
        begun.elapsed()
    }

    /// The same writers as workers, each with a pipe of its own.
    fn relay(&self, workers: usize, target: &Path) -> Duration {
        let _ = std::fs::remove_file(&self.log);
        let begun = Instant::now();
        let status = Command::new(binary())
            .args(["--workers", &workers.to_string(), "--restart", "never"])
            .arg(format!("--log=file:{}", target.display()))
            .arg("--")
            .arg(&self.writer)
            .arg((LINES / workers).to_string())
            .stdin(Stdio::null())
            .status();
        let took = begun.elapsed();
        assert!(status.expect("the program starts").success());
        if target == self.log {
            self.check(workers);
        }
        took
    }

    /// Not one line is lost or torn: each has the length of its head and 99 bytes.
    fn check(&self, workers: usize) {
        let log = std::fs::read_to_string(&self.log).expect("a log");
        let lines = log.lines().filter_map(|line| line.split_once(" out: "));
        assert_eq!(lines.filter(|(_, text)| text.len() == 99).count(), LINES / workers * workers);
    }
}
