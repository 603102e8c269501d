//! What the users of a pool may expect of it now: a second, simpler account of its requests.

use cantella::pool::{Instant, Policy, Request};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Run,
    Pause { until: Option<Instant> },
    Stop { kill_at: Option<Instant>, asked: bool, gave_up: bool },
}

impl Wish {
    pub(super) const fn is_stop(self) -> bool {
        matches!(self, Self::Stop { .. })
    }

    /// When everybody is killed that is left.
    pub(super) const fn kill_at(self) -> Option<Instant> {
        match self {
            Self::Run | Self::Pause { .. } => None,
            Self::Stop { kill_at, .. } => kill_at,
        }
    }

    /// Lets time pass.
    pub(super) fn at(self, now: Instant) -> Self {
        match self {
            Self::Pause { until: Some(until) } if until <= now => Self::Run,
            Self::Run | Self::Pause { .. } | Self::Stop { .. } => self,
        }
    }

    pub(super) fn asked(self, request: Request, policy: &Policy, now: Instant) -> Self {
        let graceful = policy.stop_timeout.map(|timeout| now.after(timeout));
        match (request, self) {
            (Request::Pause { until }, Self::Run | Self::Pause { .. }) => Self::Pause { until },
            (Request::Resume { at }, Self::Pause { .. }) => Self::Pause { until: Some(at.unwrap_or(now)) },
            (Request::Stop, Self::Run | Self::Pause { .. }) => {
                Self::Stop { kill_at: graceful, asked: true, gave_up: false }
            }
            (Request::Stop, Self::Stop { kill_at, asked: false, gave_up }) => {
                Self::Stop { kill_at, asked: true, gave_up }
            }
            (Request::Stop | Request::Kill, Self::Stop { asked, gave_up, .. }) => {
                Self::Stop { kill_at: Some(now), asked, gave_up }
            }
            (Request::Kill, Self::Run | Self::Pause { .. }) => {
                Self::Stop { kill_at: Some(now), asked: true, gave_up: false }
            }
            (Request::Pause { .. } | Request::Resume { .. }, Self::Stop { .. })
            | (Request::Resume { .. }, Self::Run)
            | (Request::Resize { .. } | Request::MaxAge { .. }, _) => self,
        }
    }
}
