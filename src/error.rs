//! Why a manager could not start.

use crate::observe::Failure;
use crate::pool::PolicyError;
use crate::report::Failed;
use crate::sys::alone::Crowd;

/// Why a manager could not start. Nothing is left running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// This process has more than one thread. A child would have only one of them, and would wait for ever for what the
    /// others have locked.
    Threads,
    /// This process has a manager already; signals and dead children are there for one only.
    Occupied,
    /// The policy fits no pool.
    Policy(PolicyError),
    /// The limit of open files is too low.
    Descriptors {
        /// How many are needed.
        needed: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// A worker's set-up is not permitted, or not possible.
    Setup(Failed),
    /// A system call failed.
    System(Failure),
}

impl From<Crowd> for Error {
    fn from(crowd: Crowd) -> Self {
        match crowd {
            Crowd::Threads => Self::Threads,
            Crowd::Manager => Self::Occupied,
        }
    }
}
