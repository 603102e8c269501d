//! How fast a worker is replaced and how fast many start, beside a bare C loop in the same run: `cargo bench --bench spawn`.
#![expect(
    clippy::expect_used,
    clippy::std_instead_of_core,
    unreachable_pub,
    reason = "a bench fails loudly, runs on a full std, and has no public face"
)]

mod common;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{binary, compile, median};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use rustix::time::{ClockId, clock_gettime};

/// Kills of each program at each number of workers.
const KILLS: usize = 400;
/// Starts of each program with a thousand workers.
const STARTS: usize = 7;

/// From one victim to the next; a prime, so that all have their turn.
const STRIDE: usize = 379;

fn main() {
    let bench = Bench::new();
    println!("from SIGKILL of a worker to its successor's first instruction, median of {KILLS}");
    println!("{:>8} {:>12} {:>12} {:>8}", "workers", "bare loop", "cantella", "ratio");
    for workers in [1, 100, 1000] {
        let [floor, ours] = bench.kills(workers);
        row(workers, floor, ours);
    }
    println!("\nfrom the program's start to the last worker's first instruction, median of {STARTS}");
    println!("{:>8} {:>12} {:>12} {:>8}", "workers", "bare loop", "cantella", "ratio");
    let [floor, ours] = bench.starts(1000);
    row(1000, floor, ours);
}

fn row(workers: usize, floor: Duration, ours: Duration) {
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    println!("{workers:>8} {floor:>12.1?} {ours:>12.1?} {ratio:>8.2}");
}

/// The programs that take part.
struct Bench {
    floor: PathBuf,
    stamp: PathBuf,
}

impl Bench {
    fn new() -> Self {
        Self { floor: compile("floor"), stamp: compile("stamp") }
    }

    /// Kills workers of both programs by turns, so that whatever else the machine does meets both.
    fn kills(&self, workers: usize) -> [Duration; 2] {
        let mut pools = [self.bare(workers), self.ours(workers)];
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..KILLS {
            for (pool, times) in pools.iter_mut().zip(&mut times) {
                times.push(pool.replace_one());
            }
        }
        times.map(median)
    }

    fn starts(&self, workers: usize) -> [Duration; 2] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..STARTS {
            for (start, times) in [Self::bare, Self::ours].iter().zip(&mut times) {
                times.push(start(self, workers).started);
            }
        }
        times.map(median)
    }

    fn bare(&self, workers: usize) -> Pool {
        Pool::start(Command::new(&self.floor).arg(workers.to_string()), &self.stamp, workers)
    }

    fn ours(&self, workers: usize) -> Pool {
        let options = ["--workers", &workers.to_string(), "--min-uptime", "0", "--"];
        Pool::start(Command::new(binary()).args(options), &self.stamp, workers)
    }
}

/// A running program with its workers, and the FIFO they tell their start through.
struct Pool {
    manager: Child,
    stamps: File,
    fifo: PathBuf,
    workers: Vec<i64>,
    /// Where the last victim stood, counted on and on.
    turn: usize,
    /// From the program's start to its last worker's first instruction.
    started: Duration,
}

impl Pool {
    fn start(command: &mut Command, stamp: &Path, workers: usize) -> Self {
        let fifo = stamp.with_extension(format!("fifo.{}", now().as_nanos()));
        let made = Command::new("mkfifo").arg(&fifo).status();
        assert!(made.is_ok_and(|status| status.success()), "no FIFO at {}", fifo.display());
        let stamps = File::options().read(true).write(true).open(&fifo).expect("an open FIFO");
        let begun = now();
        let manager = command.arg(stamp).arg(&fifo).stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        let manager = manager.expect("the program starts");
        let mut pool = Self { manager, stamps, fifo, workers: Vec::new(), turn: 0, started: Duration::ZERO };
        for _ in 0..workers {
            let (pid, at) = pool.next();
            pool.workers.push(pid);
            pool.started = pool.started.max(at.saturating_sub(begun));
        }
        pool
    }

    /// Kills a worker, old and young ones by turns, and waits for the next one to start.
    fn replace_one(&mut self) -> Duration {
        self.turn = self.turn.wrapping_add(STRIDE);
        let victim = self.workers.swap_remove(self.turn.checked_rem(self.workers.len()).expect("workers"));
        let pid = i32::try_from(victim).ok().and_then(Pid::from_raw).expect("a pid");
        let begun = now();
        kill_process(pid, Signal::KILL).expect("a live worker");
        let (pid, at) = self.next();
        self.workers.push(pid);
        at.saturating_sub(begun)
    }

    /// Waits for a worker to start: its pid, and when its first instruction was.
    fn next(&mut self) -> (i64, Duration) {
        let mut stamp = [[0; 8]; 2];
        self.stamps.read_exact(stamp.as_flattened_mut()).expect("a stamp");
        let [pid, nanos] = stamp.map(i64::from_ne_bytes);
        (pid, Duration::from_nanos(nanos.unsigned_abs()))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Its workers are told by the kernel.
        let _ = self.manager.kill();
        let _ = self.manager.wait();
        // Their ends would be in the way of whoever starts next.
        for pid in self.workers.iter().filter_map(|pid| i32::try_from(*pid).ok().and_then(Pid::from_raw)) {
            while test_kill_process(pid).is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let _ = std::fs::remove_file(&self.fifo);
    }
}

/// The clock that workers stamp with.
fn now() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().expect("a time after the start of the machine")
}
