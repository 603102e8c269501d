//! The vocabulary of the decision core: what it is told, what it answers, and the few words both use.

use core::num::NonZeroI32;
use core::time::Duration;

/// A process id that names exactly one process.
///
/// kill(2) reads zero and negative ids as groups or as everybody; this type holds neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Pid(NonZeroI32);

impl Pid {
    /// The first process of a system or a container.
    pub const INIT: Self = match NonZeroI32::new(1) {
        Some(one) => Self(one),
        None => Self(NonZeroI32::MAX),
    };

    /// Takes a raw id, unless it is zero or negative.
    #[must_use]
    pub const fn new(raw: i32) -> Option<Self> {
        match NonZeroI32::new(raw) {
            Some(id) if id.is_positive() => Some(Self(id)),
            Some(_) | None => None,
        }
    }

    /// Gives the id as the kernel writes it; always above zero.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0.get()
    }
}

/// A signal number, 1 to 64.
///
/// # References
/// signal(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

impl Signal {
    /// Hangup: reopen the log.
    pub const HUP: Self = Self(1);
    /// Interrupt from the keyboard.
    pub const INT: Self = Self(2);
    /// Quit from the keyboard.
    pub const QUIT: Self = Self(3);
    /// Kill; cannot be caught.
    pub const KILL: Self = Self(9);
    /// What abort(3) raises.
    pub const ABRT: Self = Self(6);
    /// First signal left to the user: pause.
    pub const USR1: Self = Self(10);
    /// Second signal left to the user: resume.
    pub const USR2: Self = Self(12);
    /// Write on a pipe without reader.
    pub const PIPE: Self = Self(13);
    /// Termination.
    pub const TERM: Self = Self(15);
    /// A child changed its state.
    pub const CHLD: Self = Self(17);
    /// Continue after a stop.
    pub const CONT: Self = Self(18);
    /// Stop; cannot be caught.
    pub const STOP: Self = Self(19);
    /// Stop typed at the terminal.
    pub const TSTP: Self = Self(20);
    /// Terminal input in the background.
    pub const TTIN: Self = Self(21);
    /// Terminal output in the background.
    pub const TTOU: Self = Self(22);
    /// The terminal's size changed.
    pub const WINCH: Self = Self(28);
    /// The largest number the kernel knows.
    pub const MAX: u8 = 64;

    /// Takes a raw number, unless the kernel has no such signal.
    #[must_use]
    pub const fn new(raw: u8) -> Option<Self> {
        match raw {
            1..=Self::MAX => Some(Self(raw)),
            _ => None,
        }
    }

    /// Gives the number, 1 to 64.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// How a process ended.
///
/// # References
/// waitpid(2): WIFEXITED, WIFSIGNALED, WCOREDUMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It called exit with this code.
    Code(u8),
    /// A signal ended it.
    Signal {
        /// The signal.
        signal: Signal,
        /// Whether the kernel wrote a core dump.
        core: bool,
    },
}

impl Exit {
    /// Tells whether the process exited with code 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// Gives the code a shell would report: the exit code, or 128 + n for signal n.
    #[must_use]
    pub const fn shell_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal { signal, .. } => signal.get().saturating_add(128),
        }
    }
}

/// A point on the manager's monotonic clock, in nanoseconds since an origin of no meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// Takes nanoseconds since the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Gives nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Gives the instant `delay` later; the end of time where that lies beyond it.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(nanos(delay)))
    }

    /// Gives the time that passed since `earlier`; zero if that lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Gives the earlier of two deadlines, or the shorter of two times; `None` is none.
#[must_use]
pub fn sooner<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (deadline, None) | (None, deadline) => deadline,
    }
}

/// Gives a duration in nanoseconds; as many as fit, where more do not.
pub(super) fn nanos(duration: Duration) -> u64 {
    let rest = u64::from(duration.subsec_nanos());
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(rest)
}

/// The name of one worker: a slot and which of the slot's workers.
///
/// News of a dead worker never reaches its successor, because their generations differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId {
    /// Row of the table, from 0.
    pub index: u16,
    /// 1 for the first worker of the slot, one more for each successor.
    pub generation: u32,
}

/// What happened outside, told to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// [`Action::Spawn`] was carried out.
    Spawned {
        /// The worker.
        slot: SlotId,
        /// Its process.
        pid: Pid,
    },
    /// fork(2) refused; the pool tries again later.
    SpawnFailed {
        /// The worker that was not born.
        slot: SlotId,
    },
    /// The child reported that its set-up or its exec failed; its exit follows.
    ExecFailed {
        /// The worker.
        slot: SlotId,
    },
    /// The worker does not catch the pause (or resume) signal, so it was not sent.
    Deaf {
        /// The worker.
        slot: SlotId,
    },
    /// The worker was reaped.
    Exited {
        /// The worker.
        slot: SlotId,
        /// How it ended.
        exit: Exit,
    },
    /// Somebody asks for something.
    Request(Request),
}

/// What a user may ask of a running pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Spawn and retire nothing; tell the workers to pause. With `until`, resume by itself then.
    Pause {
        /// When to resume; `None`: when asked.
        until: Option<Instant>,
    },
    /// End the pause, now or at a time.
    Resume {
        /// When; `None`: now.
        at: Option<Instant>,
    },
    /// Stop all workers and end. A second one kills what is still there.
    Stop,
    /// Kill all workers at once and end.
    Kill,
    /// Have this many workers from now on; at least one, at most as many as the table has rows.
    Resize {
        /// The wished number.
        workers: u16,
    },
    /// Retire workers at this age from now on, those alive included; `None`: never.
    MaxAge {
        /// The age; zero is refused.
        age: Option<Duration>,
    },
}

/// What the pool wants done. Each is handed out once; the doer answers with [`News`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Fork a worker; answer [`News::Spawned`] or [`News::SpawnFailed`].
    Spawn {
        /// The worker to be.
        slot: SlotId,
    },
    /// Ask the worker to end: the stop signal, then CONT.
    Stop {
        /// The worker.
        slot: SlotId,
        /// Its process.
        pid: Pid,
        /// Why.
        why: Why,
    },
    /// The worker did not end in time, or must not be waited for: SIGKILL.
    Kill {
        /// The worker.
        slot: SlotId,
        /// Its process.
        pid: Pid,
    },
    /// Pass the pause signal on, if the worker catches it; else answer [`News::Deaf`].
    Pause {
        /// The worker.
        slot: SlotId,
        /// Its process.
        pid: Pid,
    },
    /// Pass the resume signal on, if the worker catches it.
    Resume {
        /// The worker.
        slot: SlotId,
        /// Its process.
        pid: Pid,
    },
    /// Nothing is owed before `until` (`None`: before the next news).
    Wait {
        /// The next deadline.
        until: Option<Instant>,
    },
    /// All is over.
    Finish {
        /// How.
        outcome: Outcome,
    },
}

/// Why a worker is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It reached its age limit; a successor follows.
    Retire,
    /// The pool got smaller.
    Shrink,
    /// The whole pool stops.
    Drain,
}

/// How a pool ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All workers ended by themselves and none was owed a successor: the first exit that was no success, else code 0.
    Completed {
        /// That exit.
        exit: Exit,
    },
    /// A stop was asked for and every worker went in time.
    Drained,
    /// A stop was asked for and a worker had to be killed.
    Forced,
    /// Too many failed starts.
    GaveUp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_the_code_that_a_shell_reports() {
        let by = |signal| Exit::Signal { signal, core: false };
        let last = Signal::new(Signal::MAX).unwrap();
        for (exit, code) in [(Exit::Code(0), 0), (Exit::Code(255), 255), (by(Signal::KILL), 137), (by(last), 192)] {
            assert_eq!(exit.shell_code(), code, "{exit:?}");
        }
    }
}
