//! What an init costs, beside tini, dumb-init, catatonit and a bare C program in the same run: `cargo bench --bench init`.
//!
//! The program is the one that `CANTELLA_BIN` names, else the static one, which is built first.
#![expect(
    clippy::expect_used,
    clippy::std_instead_of_core,
    unreachable_pub,
    reason = "a bench fails loudly, runs on a full std, and has no public face"
)]

mod common;

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{binary, compile, compile_file, median};

/// Starts of each program.
const STARTS: usize = 1000;
/// Orphans in a round, and rounds.
const ORPHANS: u32 = 5000;
const ROUNDS: usize = 5;
/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(30);

fn main() {
    let tools = Tools { moment: compile("moment"), worker: compile_file("tests/promises/worker.c") };
    let mut inits = vec![Init { name: "bare", words: vec![compile("bare").display().to_string()] }];
    inits.push(Init { name: "cantella", words: vec![binary().display().to_string(), "--init".to_owned()] });
    for name in ["tini", "tini-static", "dumb-init", "catatonit"] {
        let subreaper = name.starts_with("tini").then(|| "-s".to_owned());
        inits.push(Init { name, words: std::iter::once(format!("/usr/bin/{name}")).chain(subreaper).collect() });
    }
    starts(&inits, &tools);
    let inits: Vec<Init> = inits.into_iter().skip(1).collect();
    orphans(&inits, &tools);
    rest(&inits);
}

/// The programs that the inits run.
struct Tools {
    moment: PathBuf,
    worker: PathBuf,
}

/// An init and how it is called.
struct Init {
    name: &'static str,
    words: Vec<String>,
}

impl Init {
    /// A call of it, behind `prefix`. What cargo sets would slow the dynamic loaders down.
    fn behind(&self, prefix: &[&str]) -> Command {
        let mut words = prefix.iter().copied().chain(self.words.iter().map(String::as_str));
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).stdin(Stdio::null()).env_clear().env("PATH", "/usr/bin:/bin");
        command
    }
}

/// From just before the init is executed to the child's first instruction; all by turns, so that whatever else the
/// machine does meets all of them.
fn starts(inits: &[Init], tools: &Tools) {
    let mut times = vec![Vec::new(); inits.len()];
    for _ in 0..STARTS {
        for (init, times) in inits.iter().zip(&mut times) {
            times.push(start(init, tools));
        }
    }
    let times: Vec<Duration> = times.into_iter().map(median).collect();
    let of = |name: &str| {
        inits.iter().zip(&times).find(|(init, _)| init.name == name).map_or(Duration::ZERO, |(_, time)| *time)
    };
    let (bare, tini) = (of("bare"), of("tini"));
    println!("from the exec of the init to the child's first instruction, median of {STARTS}");
    println!("{:>12} {:>12} {:>10} {:>10}", "", "", "of tini's", "of bare's");
    for (init, time) in inits.iter().zip(&times) {
        let [tinis, bares] = [tini, bare].map(|other| time.as_secs_f64() / other.as_secs_f64());
        println!("{:>12} {time:>12.1?} {tinis:>10.2} {bares:>10.2}", init.name);
    }
}

fn start(init: &Init, tools: &Tools) -> Duration {
    let moment = tools.moment.to_str().expect("a plain path");
    let output = init.behind(&[moment]).arg(moment).output().expect("the init runs");
    let mut stamps =
        output.stdout.chunks_exact(8).map(|bytes| i64::from_ne_bytes(bytes.try_into().unwrap_or_default()));
    let mut stamp = || stamps.next().expect("a moment at each end");
    let from = stamp();
    Duration::from_nanos(u64::try_from(stamp().saturating_sub(from)).expect("time goes on"))
}

/// What reaping costs a PID 1.
fn orphans(inits: &[Init], tools: &Tools) {
    let mut times = vec![Vec::new(); inits.len()];
    for _ in 0..ROUNDS {
        for (init, times) in inits.iter().zip(&mut times) {
            times.push(reaping(init, tools));
        }
    }
    println!("\nprocessor time of PID 1 for each of {ORPHANS} orphans, median of {ROUNDS}");
    for (init, times) in inits.iter().zip(times) {
        println!("{:>12} {:>12.2?}", init.name, median(times).checked_div(ORPHANS).unwrap_or_default());
    }
}

fn reaping(init: &Init, tools: &Tools) -> Duration {
    let apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let mut command = init.behind(&apart);
    command.arg("--").arg(&tools.worker).arg("orphans").arg(ORPHANS.to_string());
    let mut apart = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("unshare runs");
    let mut said = [0; 5];
    apart.stdout.as_mut().expect("a pipe").read_exact(&mut said).expect("the orphans are made");
    let pid = children(apart.id()).into_iter().next().expect("an init");
    while children(pid).len() > 1 {
        sleep(Duration::from_millis(1));
    }
    let time = field(&format!("/proc/{pid}/schedstat"), "", 0);
    end(apart);
    Duration::from_nanos(time)
}

/// What an init does before it is safe, while nothing happens, and how large it is.
fn rest(inits: &[Init]) {
    let running: Vec<Child> =
        inits.iter().map(|init| init.behind(&[]).args(["--", "sleep", "1000"]).spawn().expect("it runs")).collect();
    sleep(Duration::from_secs(1));
    let switches = |child: &Child| {
        let status = format!("/proc/{}/status", child.id());
        let counts = ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"].map(|line| field(&status, line, 1));
        counts.iter().sum::<u64>()
    };
    let before: Vec<u64> = running.iter().map(switches).collect();
    sleep(IDLE);
    println!("\n{:>12} {:>14} {:>14} {:>14} {:>14}", "", "calls before", "wake-ups in", "private", "file");
    println!("{:>12} {:>14} {:>14} {:>14} {:>14}", "", "all is blocked", "30 idle s", "dirty KiB", "bytes");
    for ((init, child), before) in inits.iter().zip(running).zip(before) {
        let woken = switches(&child).saturating_sub(before);
        let memory = field(&format!("/proc/{}/smaps_rollup", child.id()), "Private_Dirty:", 1);
        let size = init.words.first().and_then(|path| fs::metadata(path).ok()).map_or(0, |file| file.len());
        println!("{:>12} {:>14} {woken:>14} {memory:>14} {size:>14}", init.name, calls_before_the_block(init));
        end(child);
    }
}

/// How many system calls an init makes before the one that blocks all signals.
fn calls_before_the_block(init: &Init) -> usize {
    let trace = init.behind(&["strace", "-qq", "-e", "signal=none"]).arg("true").output().expect("strace runs");
    let calls = String::from_utf8_lossy(&trace.stderr).into_owned();
    // The first line is the exec of the init.
    let blocks =
        |call: &str| call.starts_with("rt_sigprocmask(SIG_") && !call.contains("UNBLOCK") && call.contains(", ~[");
    calls.lines().skip(1).position(blocks).expect("an init that blocks signals")
}

fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The number in a file of /proc: the word at this place of the line that begins so.
fn field(path: &str, line: &str, place: usize) -> u64 {
    let text = fs::read_to_string(path).expect("a running process");
    let line = text.lines().find(|found| found.starts_with(line)).expect("the line");
    line.split_whitespace().nth(place).and_then(|word| word.parse().ok()).expect("a number")
}

fn end(mut child: Child) {
    // The child of the init goes with it, or is sleep(1), which ends.
    for child in children(child.id()) {
        let _ = Command::new("kill").arg("-KILL").arg(child.to_string()).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}
