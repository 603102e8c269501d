//! Why a manager could not start.

use crate::observe::Failure;
use crate::pool::PolicyError;
use crate::report::Failed;

/// Why a manager could not start. Nothing is left running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
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
