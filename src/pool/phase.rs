//! What the whole pool is doing, and how requests change it.

use super::news::{Instant, Outcome};

/// What the whole pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It keeps its workers at the wanted number.
    Running,
    /// It spawns and retires nobody.
    Paused {
        /// When it goes on by itself; `None`: when asked.
        until: Option<Instant>,
    },
    /// It lets every worker end. Nothing leads back from here.
    Stopping {
        /// When those that are left are killed; `None`: never.
        kill_at: Option<Instant>,
        /// Whether somebody asked for it; a pool also stops by itself when it gives up.
        asked: bool,
        /// How it will have ended, as far as can be told by now.
        outcome: Outcome,
    },
    /// It is over.
    Finished {
        /// How.
        outcome: Outcome,
    },
}

impl Phase {
    /// Pauses, until a time or until asked.
    pub(super) fn pause(&mut self, until: Option<Instant>, now: Instant) {
        match self {
            Self::Running | Self::Paused { .. } => *self = Self::Paused { until },
            Self::Stopping { .. } | Self::Finished { .. } => {}
        }
        self.advance(now);
    }

    /// Ends a pause, now or at a time.
    pub(super) fn resume(&mut self, at: Option<Instant>, now: Instant) {
        match self {
            Self::Paused { until } => *until = Some(at.unwrap_or(now)),
            Self::Running | Self::Stopping { .. } | Self::Finished { .. } => {}
        }
        self.advance(now);
    }

    /// Ends a pause whose time is over.
    pub(super) fn advance(&mut self, now: Instant) {
        match self {
            Self::Paused { until: Some(until) } if *until <= now => *self = Self::Running,
            Self::Running | Self::Paused { .. } | Self::Stopping { .. } | Self::Finished { .. } => {}
        }
    }

    /// Stops because somebody asked: those left at `kill_at` are killed, or at once (`now`) when this is asked again.
    pub(super) const fn stop(&mut self, kill_at: Option<Instant>, now: Instant) {
        match self {
            Self::Running | Self::Paused { .. } => {
                *self = Self::Stopping { kill_at, asked: true, outcome: Outcome::Drained };
            }
            Self::Stopping { kill_at, asked: true, .. } => *kill_at = Some(now),
            // Whoever asks for the first time asks for a graceful end, and the pool that gave up is on its way there.
            Self::Stopping { asked, .. } => *asked = true,
            Self::Finished { .. } => {}
        }
    }

    /// Stops without waiting for anybody.
    pub(super) const fn kill(&mut self, now: Instant) {
        match self {
            Self::Running | Self::Paused { .. } => {
                *self = Self::Stopping { kill_at: Some(now), asked: true, outcome: Outcome::Drained };
            }
            Self::Stopping { kill_at, .. } => *kill_at = Some(now),
            Self::Finished { .. } => {}
        }
    }

    /// Stops because too many starts failed.
    pub(super) const fn give_up(&mut self, kill_at: Option<Instant>) {
        match self {
            Self::Running | Self::Paused { .. } => {
                *self = Self::Stopping { kill_at, asked: false, outcome: Outcome::GaveUp };
            }
            Self::Stopping { .. } | Self::Finished { .. } => {}
        }
    }

    /// Notes that a worker had to be killed; this taints a stop that was asked for, and nothing else.
    pub(super) const fn force(&mut self) {
        match self {
            Self::Stopping { outcome: outcome @ Outcome::Drained, .. } => *outcome = Outcome::Forced,
            Self::Running | Self::Paused { .. } | Self::Stopping { .. } | Self::Finished { .. } => {}
        }
    }

    /// Tells whether the pool is over or about to be.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::Stopping { .. } | Self::Finished { .. })
    }

    /// Gives the time at which the phase changes by itself.
    pub(super) const fn until(&self) -> Option<Instant> {
        match self {
            Self::Paused { until } => *until,
            Self::Running | Self::Stopping { .. } | Self::Finished { .. } => None,
        }
    }

    /// Gives the time at which every worker is killed that is still there.
    pub(super) const fn kill_at(&self) -> Option<Instant> {
        match self {
            Self::Stopping { kill_at, .. } => *kill_at,
            Self::Running | Self::Paused { .. } | Self::Finished { .. } => None,
        }
    }
}
