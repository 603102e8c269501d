//! What scenarios and their tests share: pools that are quick, events as lines, and programs that are watched.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use cantella::log::{Log, Logger};
use cantella::observe::Level;
use cantella::options::{Options, Setup};
use cantella::pool::{Policy, Signal};
use cantella::signals;

/// A promise: its name, the scenario that runs in a process of its own, and the test of what comes of that.
pub(crate) type Promise = (&'static str, fn(), fn(&str));

/// The argument that makes this program run a scenario.
pub(crate) const SCENARIO: &str = "--scenario";

/// Options that wait for nothing and know no chance.
pub(crate) const QUICK: Options<'static> = Options {
    policy: Policy {
        workers: 1,
        max_age_jitter: 0,
        min_uptime: Duration::ZERO,
        stop_timeout: Some(Duration::from_secs(5)),
        ..Policy::DEFAULT
    },
    ..Options::DEFAULT
};

/// As [`QUICK`], with so many workers.
pub(crate) const fn quick(workers: u16) -> Options<'static> {
    Options { policy: Policy { workers, ..QUICK.policy }, ..QUICK }
}

/// As [`quick`], with workers that only the lifeline can tell of their manager's end.
pub(crate) const fn without_death_signal(workers: u16) -> Options<'static> {
    Options { setup: Setup { death_signal: None, ..Setup::DEFAULT }, ..quick(workers) }
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An observer that prints each event as one line, with the milliseconds since it was made.
pub(crate) fn printer() -> Log<impl Logger> {
    let start = Instant::now();
    Log::new(move |level: Level, text: &str| say(&format!("{} {} {text}", start.elapsed().as_millis(), level.name())))
}

/// Prints a line at once, in one piece.
pub(crate) fn say(text: &str) {
    let mut line = String::new();
    writeln!(line, "{text}").unwrap();
    // Nobody may be left to read it.
    let _ = std::io::stdout().write_all(line.as_bytes());
    let _ = std::io::stdout().flush();
}

/// Gives an argument of this scenario.
#[cfg(feature = "beanstalk")]
pub(crate) fn argument(index: usize) -> String {
    std::env::args().nth(3 + index).expect("an argument")
}

/// A scenario that is running.
pub(crate) struct Program {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Program {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// Starts a scenario that takes arguments.
    pub(crate) fn start_with(name: &str, arguments: &[&str]) -> Self {
        let own = std::env::current_exe().unwrap();
        let mut command = Command::new(own);
        command.args([SCENARIO, name]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("this test runs");
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Sends a signal to the scenario's own process.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// Reads until a line that contains `text`, and gives it. What the scenario prints is printed here too.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the program ended before it said {text:?}");
            print!("    {line}");
            if line.contains(text) {
                return line.trim_end().to_owned();
            }
        }
    }

    /// Reads to the end, and gives all lines and how the program ended.
    pub(crate) fn finish(mut self) -> (Vec<String>, ExitStatus) {
        let lines: Vec<String> = self.lines.by_ref().lines().map(|line| line.unwrap()).collect();
        for line in &lines {
            println!("    {line}");
        }
        (lines, self.child.wait().unwrap())
    }
}

/// A test that failed leaves no program behind.
impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a scenario from start to end, which must be a good one, and gives its lines.
#[track_caller]
pub(crate) fn lines_of(name: &str) -> Vec<String> {
    let (lines, status) = Program::start(name).finish();
    assert!(status.success(), "{name}: {status}");
    lines
}

/// For scenarios that check everything by themselves.
pub(crate) fn ends_well(name: &str) {
    lines_of(name);
}

/// Counts the lines that contain `text`.
pub(crate) fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

/// Sends a signal by kill(1), for this crate has no way of its own.
pub(crate) fn kill(pid: i32, signal: Signal) {
    let pid = cantella::pool::Pid::new(pid).expect("a process");
    cantella::sys::signal::send(pid, signal).unwrap_or_else(|_| panic!("{:?} cannot be sent", signals::name(signal)));
}

/// Waits until `what` is true, for five seconds at most.
#[track_caller]
pub(crate) fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(5), "in vain: {what}");
        std::thread::sleep(millis(5));
    }
}

/// Tells whether a process is there, and not only as a zombie.
pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// The milliseconds at the front of a line that [`printer`] wrote.
pub(crate) fn stamp(line: &str) -> i32 {
    line.split(' ').next().and_then(|stamp| stamp.parse().ok()).unwrap_or_else(|| panic!("no time in {line:?}"))
}

/// Reads the number behind `key` in a line.
pub(crate) fn number_after(line: &str, key: &str) -> i32 {
    let rest = line.split(key).nth(1).unwrap_or_else(|| panic!("no {key:?} in {line:?}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no number after {key:?} in {line:?}"))
}
