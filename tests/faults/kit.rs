//! What all faults are measured with: worlds to repeat them in, figures to hold them to, and a look at the whole herd.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::common::signals::try_send;
use crate::common::worker::compile;
use crate::common::{Ended, Launch, Manager, Pid, binary, eventually, proc};

/// By how much a shared machine may exceed a figure of time that a quiet one holds.
pub const NOISE: u32 = 10;

/// Whether the long form was asked for, by `CANTELLA_TEST_FULL=1`.
pub fn is_full() -> bool {
    std::env::var_os("CANTELLA_TEST_FULL").is_some()
}

/// One of two figures: of the form that is run each time, and of the one that is run on demand.
pub fn form<T>(short: T, full: T) -> T {
    if is_full() { full } else { short }
}

/// Prints a figure for the record, where somebody looks at it (`--nocapture`).
pub fn figure(row: &str, what: &str, value: impl core::fmt::Display) {
    println!("figure: {row}: {what}: {value}");
}

static MACHINE: RwLock<()> = RwLock::new(());

/// Has the machine to itself, as far as this program goes: for who measures time.
pub fn quiet() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Shares the machine with others, but not with who measures time: for who loads it.
pub fn busy() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A situation in which each fault is tried.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub workers: usize,
    pub is_pid_1: bool,
}

/// One worker and many, as an ordinary process and as PID 1.
pub const WORLDS: [World; 4] = [
    World { workers: 1, is_pid_1: false },
    World { workers: 20, is_pid_1: false },
    World { workers: 1, is_pid_1: true },
    World { workers: 20, is_pid_1: true },
];

impl World {
    /// A start with these options and COMMAND, and as many workers as this world has.
    pub fn launch(self, options: &[&str]) -> Launch {
        let launch = Launch::new(&[&["-w", &self.workers.to_string()], options].concat());
        if self.is_pid_1 { launch.within_pid_namespace() } else { launch }
    }

    pub fn start(self, options: &[&str]) -> Manager {
        self.launch(options).start()
    }

    /// The most memory of its own that a manager may have while every worker has an unfinished line, in KiB.
    pub fn most_memory(self) -> u64 {
        256 + 16 * u64::try_from(self.workers).unwrap()
    }
}

/// The program that [`SLEEPERS`] run.
pub const SLEEP: &str = "/usr/bin/sleep";

/// A pool of `sleep`, which any signal ends that is not caught.
pub const SLEEPERS: [&str; 9] = ["--min-uptime", "0", "--backoff", "0..0", "--rlimit", "core=0", "--", "sleep", "1000"];

/// The workers of a manager as seen from outside, each told from a later one with the same pid.
#[derive(Debug)]
pub struct Herd {
    manager: Pid,
    hit: HashSet<Name>,
}

/// A pid and the time of the start: the name of one process for ever.
type Name = (Pid, u64);

impl Herd {
    pub fn of(manager: &Manager) -> Self {
        Self { manager: manager.pid, hit: HashSet::new() }
    }

    /// Sends a deadly signal to a worker, once in its life; tells whether it was sent now.
    pub fn hit(&mut self, pid: Pid, signal: i32) -> bool {
        self.name(pid).is_some_and(|name| self.hit.insert(name)) && try_send(pid, signal)
    }

    /// How many workers were hit.
    pub fn hits(&self) -> usize {
        self.hit.len()
    }

    /// The workers that were not hit yet.
    pub fn whole(&self) -> Vec<Pid> {
        let mut found = proc::live_children(self.manager);
        found.retain(|&pid| self.name(pid).is_some_and(|name| !self.hit.contains(&name)));
        found
    }

    /// Waits until so many workers run that were not hit, nothing else, and no zombie is left; tells how long that took.
    #[track_caller]
    pub fn settle(&self, workers: usize) -> Duration {
        let begun = Instant::now();
        eventually("all workers back and no zombie", || {
            let children = proc::children(self.manager);
            (children.len() == workers && self.whole().len() == workers).then_some(())
        });
        begun.elapsed()
    }

    /// The name of a child that runs.
    fn name(&self, pid: Pid) -> Option<Name> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let is_running = fields[0] != "Z" && fields[1] == self.manager.to_string();
        is_running.then_some((pid, fields[19].parse().ok()?))
    }
}

/// What a manager must not gather: open descriptors, mappings and memory of its own.
#[derive(Debug)]
pub struct Belongings {
    descriptors: Vec<i32>,
    mappings: Vec<String>,
    private_dirty: u64,
}

impl Belongings {
    /// Looks while no fresh child shares the manager's memory with it.
    pub fn of(manager: &Manager, workers: usize, program: &Path) -> Self {
        manager.workers_running(workers, program);
        Self::now(manager)
    }

    pub fn now(manager: &Manager) -> Self {
        // Pages of a program that was just built count as its own until they are on the disk.
        File::open(binary()).and_then(|program| program.sync_all()).expect("the program under test");
        Self {
            descriptors: proc::descriptors(manager.pid).iter().map(|(number, _)| *number).collect(),
            mappings: proc::mappings(manager.pid),
            private_dirty: proc::private_dirty(manager.pid),
        }
    }

    /// Demands that nothing was added by `later`, but the first use of up to `buffers` KiB that were there from the start.
    #[track_caller]
    pub fn assert_kept_by(&self, later: &Self, buffers: u64) {
        /// What the kernel may count differently of pages that a child shared for a while, in KiB.
        const BLUR: u64 = 8;
        assert_eq!(self.descriptors, later.descriptors);
        assert_eq!(self.mappings, later.mappings);
        let (before, after) = (self.private_dirty, later.private_dirty);
        assert!(after <= before + BLUR + buffers, "memory of its own grew from {before} to {after} KiB");
    }
}

impl core::fmt::Display for Belongings {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} KiB of its own, {} descriptors", self.private_dirty, self.descriptors.len())
    }
}

/// The generation that the log told of last; 0 before the first.
///
/// It looks at the end of the log alone, which may be long.
pub fn last_generation(manager: &Manager) -> i64 {
    let mut log = File::open(manager.log_file()).expect("a log");
    let length = log.metadata().expect("its length").len();
    let mut tail = Vec::new();
    log.seek(SeekFrom::Start(length.saturating_sub(4096))).and_then(|_| log.read_to_end(&mut tail)).expect("its end");
    let text = String::from_utf8_lossy(&tail);
    let number = |rest: &str| rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok();
    text.rsplit_once(" generation=").and_then(|(_, rest)| number(rest)).unwrap_or(0)
}

/// The processor time that a process takes while something is done, as a share of the time that takes.
pub fn processor_share(pid: Pid, doing: impl FnOnce()) -> f64 {
    /// Clock ticks a second in /proc, on every architecture that has this program.
    const TICKS: f64 = 100.0;
    let (begun, before) = (Instant::now(), proc::processor_ticks(pid));
    doing();
    let ticks = u32::try_from(proc::processor_ticks(pid) - before).expect("few ticks");
    f64::from(ticks) / TICKS / begun.elapsed().as_secs_f64()
}

/// The value below which `percent` of a hundred lie.
pub fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

/// Ends it by TERM and checks what holds after every fault: it ends well, every start has its end, nothing is left.
#[track_caller]
pub fn end_well(manager: Manager) -> Ended {
    let ended = manager.end_by(crate::common::signals::TERM);
    assert_eq!(ended.code(), 0, "{}", ended.err());
    assert_eq!(ended.events("started").len(), ended.events("exited").len(), "{}", ended.err());
    assert!(ended.left.is_empty(), "left: {:?}", ended.left);
    ended
}

/// Whether the program under test needs a loader and libraries, which the static one does not.
pub fn is_dynamic() -> bool {
    let program = std::fs::read(binary()).expect("the program under test");
    program.windows(7).any(|window| window == b"/ld-lin")
}

/// The monotonic clock in nanoseconds, as `imp clock` tells it.
pub fn monotonic_nanos() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Where the compiled `imp.c` stands.
pub fn imp() -> &'static str {
    static BUILT: LazyLock<String> = LazyLock::new(|| compile("imp", "tests/faults/imp.c"));
    &BUILT
}

/// Runs `imp` to its end and gives what it said.
#[track_caller]
pub fn run_imp(arguments: &[&str]) -> String {
    let done = Command::new(imp()).args(arguments).output().expect("imp runs");
    assert!(done.status.success(), "imp {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}
