//! What a manager tells the program around it: typed events, and the trait that receives them.

use core::time::Duration;

use crate::pool::{Exit, Instant, Pid, Request, Signal, SlotId};

/// How much a record matters, from least to most.
///
/// # References
/// syslog(3), without its `LOG_` prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// Usual, of little weight.
    Info,
    /// Usual, but worth a line.
    Notice,
    /// Something went wrong that the manager deals with.
    Warning,
    /// Something went wrong that it could not mend.
    Error,
    /// A part does not work.
    Critical,
    /// Somebody must act at once.
    Alert,
    /// Nothing works.
    Emergency,
}

impl Level {
    /// Gives the lower-case name, as options and log lines write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

/// One live (or just reaped) worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its slot and generation.
    pub slot: SlotId,
    /// Its process.
    pub pid: Pid,
}

/// Which of a worker's two outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// Gives the name that log lines use: `out` or `err`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }
}

/// A system call that failed: what was tried and what the kernel said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was tried, as a verb phrase: `change directory`.
    pub step: &'static str,
    /// The kernel's error number, as errno(3) lists them.
    pub errno: i32,
}

/// What the manager did or saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A worker was forked.
    Started {
        /// The worker.
        worker: Worker,
    },
    /// A worker was reaped.
    Exited {
        /// The worker.
        worker: Worker,
        /// How it ended.
        exit: Exit,
        /// Whether the manager had asked for it.
        asked: bool,
    },
    /// A process that was nobody's worker was reaped here.
    Orphan {
        /// The process.
        pid: Pid,
        /// How it ended.
        exit: Exit,
    },
    /// A worker reached its age limit and was asked to end.
    Retiring {
        /// The worker.
        worker: Worker,
        /// How long it lived.
        age: Duration,
    },
    /// A worker that would not end in time was killed.
    Killed {
        /// The worker.
        worker: Worker,
    },
    /// A start failed; the slot waits before the next one.
    Backoff {
        /// The slot, and the worker that failed.
        slot: SlotId,
        /// Failed starts of this slot in a row.
        failures: u32,
        /// How long it waits.
        delay: Duration,
    },
    /// fork(2) refuses; the manager keeps trying. Told once, until it works again.
    ForkFailed {
        /// The kernel's word.
        failure: Failure,
    },
    /// fork(2) works again.
    ForkWorks,
    /// A worker's set-up or exec failed in the child.
    ExecFailed {
        /// The worker.
        worker: Worker,
        /// The step and the kernel's word.
        failure: Failure,
    },
    /// The pool paused.
    Paused,
    /// The pause signal was not passed on: the worker does not catch it.
    Deaf {
        /// The worker.
        worker: Worker,
        /// The pause or resume signal.
        signal: Signal,
    },
    /// The pool resumed.
    Resumed,
    /// The pool stops; no worker is started from here on.
    Draining {
        /// Why.
        cause: Cause,
    },
    /// A signal came that means nothing to the manager. Told once per signal.
    Ignored {
        /// The signal.
        signal: Signal,
    },
    /// Log records were lost while the log target was stuck.
    Dropped {
        /// How many.
        records: u64,
    },
    /// The log target, or something else the manager needs, failed; it goes on.
    Trouble {
        /// The step and the kernel's word.
        failure: Failure,
    },
    /// A worker wrote a line, or a part of one.
    Line {
        /// The slot and generation that the bytes belong to, and its process.
        worker: Worker,
        /// Where it wrote.
        stream: Stream,
        /// The bytes, without the newline; at most [`PART`](crate::relay::PART).
        bytes: &'a [u8],
        /// Whether more of the same line follows in a later event.
        partial: bool,
        /// Whether the bytes were seen to be printable ASCII without a backslash. Others may be that too.
        clean: bool,
    },
}

/// Why a pool drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it, by a signal or a call.
    Request,
    /// Too many starts failed.
    GaveUp,
}

/// What an observer waits for before it can take lines again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// For nothing.
    Nothing,
    /// For this descriptor to become writable.
    Writable(i32),
    /// For this time.
    Time(Instant),
}

/// Receives the manager's events.
///
/// The manager calls it from its loop: what blocks here blocks supervision.
pub trait Observer {
    /// Takes one event, and how much it matters.
    fn event(&mut self, level: Level, event: &Event<'_>);

    /// Tells whether a line may come; while not, the workers' pipes are left unread and nothing is lost.
    fn ready(&mut self) -> bool {
        true
    }

    /// Ends a turn of the loop: what was gathered is to be passed on now.
    fn flush(&mut self, _now: Instant) {}

    /// Hears that the descriptor it waits for has become writable.
    fn writable(&mut self) {}

    /// Tells what the observer waits for.
    fn want(&self) -> Want {
        Want::Nothing
    }

    /// Asks something of the pool: at the end of each turn, and again at once until it asks nothing.
    ///
    /// This is how an observer acts on what it hears, while the manager that tells it is busy telling.
    fn wish(&mut self, _now: Instant) -> Option<Request> {
        None
    }

    /// Hears that no event will follow.
    fn close(&mut self) {}

    /// Opens its target anew, as a log does that was rotated away.
    fn reopen(&mut self) {}
}

/// Listens to nothing.
impl Observer for () {
    fn event(&mut self, _level: Level, _event: &Event<'_>) {}
}

impl<F: FnMut(Level, &Event<'_>)> Observer for F {
    fn event(&mut self, level: Level, event: &Event<'_>) {
        self(level, event);
    }
}
