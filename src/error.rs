//! Why a manager could not start.

use core::fmt::{self, Display, Formatter};

use crate::errno;
use crate::observe::Failure;
use crate::pool::PolicyError;
use crate::report::Failed;

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

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads => f.write_str("this process has more than one thread, of which fork(2) would keep only one"),
            Self::Occupied => f.write_str("this process has a manager already"),
            Self::Policy(policy) => policy.fmt(f),
            Self::Descriptors { needed, allowed } => {
                write!(f, "{needed} open files are needed, and {allowed} are allowed")
            }
            Self::Setup(Failed { step, errno }) => cannot(f, step.name(), *errno),
            Self::System(Failure { step, errno }) => cannot(f, step, *errno),
        }
    }
}

impl core::error::Error for Error {}

/// `cannot make the self-pipe: Too many open files (errno 24)`
fn cannot(f: &mut Formatter<'_>, step: &str, errno: i32) -> fmt::Result {
    let text = errno::text(errno).unwrap_or("unknown error");
    write!(f, "cannot {step}: {text} (errno {errno})")
}

impl Display for PolicyError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workers => "there must be at least one worker, and a slot for each",
            Self::MaxAge => "at an age limit of zero no worker can live",
            Self::MaxAgeJitter => "the jitter of the age limit is more than 100 percent",
            Self::Backoff => "the shortest back-off is longer than the longest",
            Self::GiveUp => "more failed starts are allowed than can be remembered",
        })
    }
}

impl core::error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Step;

    #[test]
    fn errors_say_what_was_tried_and_what_the_kernel_said() {
        let setup = Error::Setup(Failed { step: Step::Directory, errno: 2 });
        assert_eq!(setup.to_string(), "cannot change the directory: No such file or directory (errno 2)");
        let descriptors = Error::Descriptors { needed: 20, allowed: 8 };
        assert_eq!(descriptors.to_string(), "20 open files are needed, and 8 are allowed");
        assert!(Error::Threads.to_string().contains("thread"));
    }
}
