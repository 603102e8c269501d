//! What a manager is told before it starts: the policy of its pool and the set-up of its workers. Data only.

use core::ffi::CStr;
use core::time::Duration;

use crate::observe::Level;
use crate::pool::{Policy, Signal};
use crate::signals::SignalSet;

/// Whom the stop signal and SIGKILL reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillMode {
    /// Both the worker alone; what it leaves behind is left alone too.
    Worker,
    /// The stop signal the worker, SIGKILL its process group.
    Mixed,
    /// Both the process group.
    Group,
}

/// What a worker reads on its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Nothing: /dev/null.
    Null,
    /// What the manager reads.
    Inherit,
    /// A pipe whose write end only the manager holds: end-of-file there means the manager is gone.
    Lifeline,
}

/// Where a worker's standard output and error go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Through the manager, as whole lines, to its observer.
    Relay,
    /// To the manager's own, untouched.
    Inherit,
}

/// A resource that can be limited.
///
/// # References
/// getrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Open descriptors.
    Nofile,
    /// Processes of the user.
    Nproc,
    /// Bytes of a core dump.
    Core,
    /// Bytes of address space.
    As,
    /// Seconds of CPU time.
    Cpu,
    /// Bytes of a file written.
    Fsize,
    /// Bytes locked into memory.
    Memlock,
    /// Bytes of the stack.
    Stack,
    /// Bytes of the data segment.
    Data,
}

impl Resource {
    /// How many there are.
    pub const COUNT: usize = 9;
}

/// A resource limit; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub resource: Resource,
    /// What the kernel enforces.
    pub soft: Option<u64>,
    /// How far an unprivileged worker may raise it.
    pub hard: Option<u64>,
}

/// The most supplementary groups a worker can be given.
pub const MAX_GROUPS: usize = 64;

/// The credentials a worker is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// User id: real, effective and saved.
    pub uid: u32,
    /// Group id: real, effective and saved.
    pub gid: u32,
    /// Supplementary groups; the first `group_count` count.
    pub groups: [u32; MAX_GROUPS],
    /// How many of `groups` count.
    pub group_count: usize,
}

/// What is done in a fresh child before the worker runs.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the contract")]
pub struct Setup<'a> {
    /// setsid(2): a session of its own, without a terminal. Under an [`Init`] that session takes over the terminal which
    /// is standard input, if the manager has it.
    pub detach: bool,
    /// setpgid(2), where not detached: a process group of its own.
    pub process_group: bool,
    /// Niceness relative to the manager's, clamped by the kernel.
    pub priority: i32,
    /// Resource limits; one row a resource at most.
    pub limits: [Option<Limit>; Resource::COUNT],
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Working directory.
    pub directory: Option<&'a CStr>,
    /// Credentials.
    pub user: Option<User>,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// `/proc/self/oom_score_adj`, -1000 to 1000.
    pub oom_score_adj: Option<i16>,
    /// What the kernel sends when the manager dies; `None`: nothing.
    pub death_signal: Option<Signal>,
    /// Close every descriptor from 3 up that is not handed over on purpose.
    pub close_fds: bool,
    /// How many descriptors from 3 up were handed over on purpose (`LISTEN_FDS`), and are handed on.
    pub listen_fds: u16,
    /// Standard input.
    pub stdin: Stdin,
    /// Standard output and error.
    pub output: Output,
}

impl Setup<'_> {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        detach: true,
        process_group: true,
        priority: 0,
        limits: [None; Resource::COUNT],
        umask: None,
        directory: None,
        user: None,
        no_new_privs: false,
        oom_score_adj: None,
        death_signal: Some(Signal::TERM),
        close_fds: true,
        listen_fds: 0,
        stdin: Stdin::Null,
        output: Output::Relay,
    };
}

/// What becomes of one signal that an init is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// It is passed on as it is.
    Same,
    /// It is passed on as another.
    As(Signal),
    /// It is dropped.
    Drop,
}

/// What a manager does as a container's init (SPEC §7), beyond supervising one worker.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub struct Init {
    /// Forward signals to the child's process group instead of the child alone.
    pub forward_to_group: bool,
    /// What becomes of each signal; row n - 1 is signal n.
    pub map: [Forward; 64],
    /// What becomes of each exit code; row n is code n.
    pub map_exit: [u8; 256],
    /// How long the rest of the container may take after the child's end; `None`: as long as it likes. Zero: the manager
    /// leaves at once.
    pub drain: Option<Duration>,
    /// TERM for what is left of the child's group before the manager leaves at once.
    pub farewell: bool,
    /// The manager stops itself whenever it is sent TSTP, TTIN or TTOU, whatever becomes of them.
    pub suspend: bool,
    /// The manager leaves its directory for `/` once the child is there.
    pub leave_directory: bool,
    /// Orphans that are reaped are told of as warnings.
    pub warn_on_reap: bool,
}

impl Init {
    /// Forwards everything as it is, to the child alone, and drains within the stop timeout of an init.
    #[expect(clippy::new_without_default, reason = "a default would be no const")]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            forward_to_group: false,
            map: [Forward::Same; 64],
            map_exit: identity(),
            drain: Some(Duration::from_secs(8)),
            farewell: false,
            suspend: false,
            leave_directory: false,
            warn_on_reap: false,
        }
    }

    /// Gives the row of a signal in the map.
    pub fn row(&mut self, signal: Signal) -> Option<&mut Forward> {
        self.map.get_mut(usize::from(signal.get().saturating_sub(1)))
    }
}

/// The exit map that maps nothing.
const fn identity() -> [u8; 256] {
    let mut map = [0; 256];
    let mut rest: &mut [u8] = &mut map;
    let mut code: u8 = 0;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = code;
        code = code.wrapping_add(1);
        rest = others;
    }
    map
}

/// All that a manager is told before it starts.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Numbers and times of the pool.
    pub policy: Policy,
    /// The pool's name in logs; 1 to 32 of `A-Z a-z 0-9 . _ -`.
    pub pool: &'a str,
    /// Program name: the manager becomes `NAME-pm`, its workers `NAME`. `None`: nothing is renamed.
    pub name: Option<&'a str>,
    /// What a worker is asked to end with.
    pub stop_signal: Signal,
    /// Whom stop signal and SIGKILL reach.
    pub kill_mode: KillMode,
    /// Passed on at a pause; `None`: nothing is.
    pub pause_signal: Option<Signal>,
    /// Passed on at the end of a pause; `None`: nothing is.
    pub resume_signal: Option<Signal>,
    /// Level of what workers write to standard output.
    pub stdout_level: Level,
    /// Level of what workers write to standard error.
    pub stderr_level: Level,
    /// What is done in a fresh child.
    pub setup: Setup<'a>,
    /// `PR_SET_CHILD_SUBREAPER`: orphans of the workers are reaped here, even where the manager is not PID 1.
    pub subreaper: bool,
    /// The signals that the manager answers, or at least survives, as soon as it is made; the others do what they did
    /// before. CHLD is always among them, and [`Manager::run`](crate::manager::Manager::run) adds [`ANSWERED`](Self::ANSWERED).
    pub handled: SignalSet,
    /// Reap every child of this process, not only workers: for a manager that is the init of its container, or a subreaper.
    /// A manager whose workers are other programs always does.
    pub reap_all: bool,
    /// Act as a container's init.
    pub init: Option<Init>,
}

impl Options<'_> {
    /// The signals by which a manager is paused, resumed, stopped, and told to reopen its log.
    pub const ANSWERED: SignalSet = SignalSet::EMPTY
        .with(Signal::HUP)
        .with(Signal::INT)
        .with(Signal::QUIT)
        .with(Signal::USR1)
        .with(Signal::USR2)
        .with(Signal::TERM);

    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        policy: Policy::DEFAULT,
        pool: "workers",
        name: None,
        stop_signal: Signal::TERM,
        kill_mode: KillMode::Mixed,
        pause_signal: Some(Signal::USR1),
        resume_signal: Some(Signal::USR2),
        stdout_level: Level::Info,
        stderr_level: Level::Info,
        setup: Setup::DEFAULT,
        subreaper: false,
        handled: SignalSet::EMPTY.with(Signal::USR1).with(Signal::USR2),
        reap_all: false,
        init: None,
    };
}
