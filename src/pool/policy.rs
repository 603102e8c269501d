//! The knobs of a pool and the check that a set of them makes sense.

use core::time::Duration;

/// When a worker that ended by itself gets a successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// However it ended.
    Always,
    /// When it ended by a signal or with a code other than 0.
    OnFailure,
    /// Not at all.
    Never,
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
    /// When to give up; `None`: never.
    pub give_up: Option<GiveUp>,
    /// How long a worker that was asked to end may take; `None`: for ever.
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
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}
