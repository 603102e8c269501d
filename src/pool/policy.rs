//! The knobs of a pool and the check that a set of them makes sense.

use core::time::Duration;

use super::backoff::Backoff;
use super::news::{Exit, Instant};

/// When a worker that ended by itself gets a successor. One that was retired always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// However it ended.
    Always,
    /// When it ended by a signal or with a code other than 0.
    OnFailure,
    /// Not at all.
    Never,
}

impl Restart {
    /// Tells whether a worker that ended so by itself gets a successor.
    #[must_use]
    pub const fn follows(self, exit: Exit) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => !exit.is_success(),
            Self::Never => false,
        }
    }
}

/// How many failed starts are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// More than this many, 0 to [`GiveUp::MAX`] ...
    pub failures: u16,
    /// ... within this time, counted over the whole pool.
    pub within: Duration,
}

impl GiveUp {
    /// The largest count that the pool remembers.
    pub const MAX: u16 = 1024;
}

/// What a pool is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Wanted workers, 1 to the table's size.
    pub workers: u16,
    /// Age at which a worker retires; `None`: never.
    pub max_age: Option<Duration>,
    /// Each worker's own limit is drawn from [age·(1 - jitter/100), age]; 0 to 100.
    pub max_age_jitter: u8,
    /// Who gets a successor.
    pub restart: Restart,
    /// A worker that ends earlier counts as a failed start.
    pub min_uptime: Duration,
    /// Delay after the first failed start in a row; doubled with each further one ...
    pub backoff_min: Duration,
    /// ... up to this.
    pub backoff_max: Duration,
    /// When to give up; `None`: never. A start that is not tried again is none that failed.
    pub give_up: Option<GiveUp>,
    /// How long a worker that was asked to end may take; `None`: for ever. Zero: at a stop nobody is asked.
    pub stop_timeout: Option<Duration>,
}

impl Policy {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        workers: 5,
        max_age: None,
        max_age_jitter: 10,
        restart: Restart::Always,
        min_uptime: Duration::from_secs(1),
        backoff_min: Duration::from_millis(100),
        backoff_max: Duration::from_secs(30),
        give_up: None,
        stop_timeout: Some(Duration::from_secs(10)),
    };

    /// Checks that every number is in its range and that they fit each other, for a table of `slots` rows.
    ///
    /// # Errors
    /// The first field that is wrong, in the order of [`PolicyError`].
    pub fn check(&self, slots: usize) -> Result<(), PolicyError> {
        if self.workers == 0 || usize::from(self.workers) > slots {
            Err(PolicyError::Workers)
        } else if self.max_age.is_some_and(|age| age.is_zero()) {
            Err(PolicyError::MaxAge)
        } else if self.max_age_jitter > 100 {
            Err(PolicyError::MaxAgeJitter)
        } else if self.backoff_min > self.backoff_max {
            Err(PolicyError::Backoff)
        } else if self.give_up.is_some_and(|limit| limit.failures > GiveUp::MAX) {
            Err(PolicyError::GiveUp)
        } else {
            Ok(())
        }
    }

    /// Gives the delays between failed starts.
    pub(super) const fn backoff(&self) -> Backoff {
        Backoff { min: self.backoff_min, max: self.backoff_max }
    }

    /// Gives the time at which a worker is killed that is asked to end now.
    pub(super) fn kill_at(&self, now: Instant) -> Option<Instant> {
        self.stop_timeout.map(|timeout| now.after(timeout))
    }
}

/// Which part of a [`Policy`] no pool can be held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// `workers` is 0 or more than the table has rows.
    Workers,
    /// `max_age` is zero: no worker could live.
    MaxAge,
    /// `max_age_jitter` is more than 100 percent.
    MaxAgeJitter,
    /// `backoff_min` is more than `backoff_max`.
    Backoff,
    /// `give_up` allows more failed starts than can be remembered.
    GiveUp,
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_policy_is_refused_by_the_name_of_its_field() {
        let policy = Policy::DEFAULT;
        let limit = |failures| Some(GiveUp { failures, within: Duration::ZERO });
        for (policy, expected) in [
            (policy, Ok(())),
            (Policy { workers: 8, max_age_jitter: 100, give_up: limit(GiveUp::MAX), ..policy }, Ok(())),
            (Policy { backoff_min: policy.backoff_max, ..policy }, Ok(())),
            (Policy { workers: 0, ..policy }, Err(PolicyError::Workers)),
            (Policy { workers: 9, ..policy }, Err(PolicyError::Workers)),
            (Policy { max_age: Some(Duration::ZERO), ..policy }, Err(PolicyError::MaxAge)),
            (Policy { max_age_jitter: 101, ..policy }, Err(PolicyError::MaxAgeJitter)),
            (Policy { backoff_max: Duration::ZERO, ..policy }, Err(PolicyError::Backoff)),
            (Policy { give_up: limit(GiveUp::MAX + 1), ..policy }, Err(PolicyError::GiveUp)),
        ] {
            assert_eq!(policy.check(8), expected, "{policy:?}");
        }
    }
}
