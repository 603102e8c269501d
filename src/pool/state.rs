//! Where a worker is in its life. Each state holds exactly what is true in it.

use super::news::{Instant, Pid};

/// Where the worker of a slot is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no worker, and none is wanted.
    Empty,
    /// There is no worker yet.
    Due {
        /// When it may be spawned.
        at: Instant,
    },
    /// [`Action::Spawn`](super::Action::Spawn) was handed out; the answer is pending.
    Starting,
    /// The worker is alive, and nobody asked it to end.
    Running {
        /// Its process.
        pid: Pid,
        /// When it was spawned.
        since: Instant,
        /// What it was last told about pauses.
        told: Told,
        /// Whether its exec is known to have failed; it ends by itself.
        exec_failed: bool,
    },
    /// The worker was asked to end.
    Stopping {
        /// Its process.
        pid: Pid,
        /// When it was spawned.
        since: Instant,
        /// When it is killed; `None`: not before the pool says so.
        kill_at: Option<Instant>,
    },
    /// The worker was killed; it only needs to be reaped.
    Killed {
        /// Its process.
        pid: Pid,
        /// When it was spawned.
        since: Instant,
    },
    /// The worker ended by itself and gets no successor.
    Ended,
}

/// What a running worker was last told about pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// To work; every worker starts so.
    Work,
    /// To pause.
    Pause,
    /// Nothing: it does not catch the pause signal.
    Deaf {
        /// Whether it was too young to tell, and is looked at once more when it reaches `min_uptime`.
        again: bool,
    },
}

impl State {
    /// Gives the process of a live worker, one that was spawned and not yet reaped, and the time of its birth.
    pub(super) const fn live(&self) -> Option<(Pid, Instant)> {
        match *self {
            Self::Running { pid, since, .. } | Self::Stopping { pid, since, .. } | Self::Killed { pid, since } => {
                Some((pid, since))
            }
            Self::Empty | Self::Due { .. } | Self::Starting | Self::Ended => None,
        }
    }

    /// Gives the time before which no worker is spawned; `None` where none is to be spawned.
    pub(super) const fn due(&self) -> Option<Instant> {
        match *self {
            Self::Due { at } => Some(at),
            Self::Empty
            | Self::Starting
            | Self::Running { .. }
            | Self::Stopping { .. }
            | Self::Killed { .. }
            | Self::Ended => None,
        }
    }

    /// Tells how little is lost where no worker is wanted any more: least where the oldest runs, more where one is
    /// not born yet or about to go, nothing where none is or none is missed.
    pub(super) const fn dispensable(&self) -> (u8, Instant) {
        match *self {
            Self::Running { since, .. } => (0, since),
            Self::Starting => (1, Instant::ZERO),
            Self::Stopping { .. } | Self::Killed { .. } => (2, Instant::ZERO),
            Self::Due { .. } => (3, Instant::ZERO),
            Self::Ended | Self::Empty => (4, Instant::ZERO),
        }
    }
}
