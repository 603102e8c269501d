//! RUN: workers that are Rust values, from the moment their process is set up to its end.
//!
//! A [`Spawn`] runs a closure in the forked child; a [`Role`] makes a [`Worker`] there and lets it work one job after the
//! other. Both are given a [`Context`], which tells them what their manager wants.
//!
//! The child has a copy of everything the manager's process had, and none of its duties: its signals are its own, every
//! descriptor is closed but standard input, output and error and those that are handed over, and nothing that the
//! manager's process would do on its way out is done. In particular, what a buffer of the host's held at the fork is not
//! written, and what the worker itself buffers it must flush itself.

#[cfg(feature = "beanstalk")]
pub mod beanstalk;
mod context;
mod role;

pub use context::Context;
pub use role::{Role, Worker};

use crate::program::{Birth, Program};
use crate::report::Failed;
use crate::sys::process;

/// The exit code of a worker that panicked, as Rust programs have it.
const PANICKED: u8 = 101;

/// Workers that run a closure; what it returns is the exit code.
///
/// The closure runs in the child, on a copy of what it has captured. It is to look at [`Context::stopping`] now and then:
/// a worker that does not end when it is told to is killed after the stop timeout.
///
/// ```
/// use cantella::worker::{Context, Spawn};
///
/// let program = Spawn::new(|context: &mut Context| {
///     while !context.stopping() {
///         context.sleep(core::time::Duration::from_secs(60));
///     }
///     0
/// });
/// # let _ = program;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Spawn<'a, F> {
    work: F,
    handed: &'a [i32],
}

impl<'a, F: FnMut(&mut Context) -> u8> Spawn<'a, F> {
    /// Takes the closure.
    pub const fn new(work: F) -> Self {
        Self { work, handed: &[] }
    }

    /// Hands descriptors over to the workers, a listening socket for instance. All others from 3 up are closed there, so
    /// that a file or a socket that the closure has captured is of no use to it unless it is handed over.
    #[must_use]
    pub fn handing_over(self, descriptors: &'a [i32]) -> Self {
        Self { handed: descriptors, ..self }
    }
}

impl<F: FnMut(&mut Context) -> u8> Program for Spawn<'_, F> {
    const LISTENS: bool = true;

    fn run(&mut self, birth: &Birth<'_>) -> Result<u8, Failed> {
        let mut context = Context::enter(birth, self.handed)?;
        Ok(contain(|| (self.work)(&mut context)))
    }
}

/// Runs a worker's code so that a panic ends the process: below on this stack lies the manager, which is not the worker's
/// to unwind.
fn contain(work: impl FnOnce() -> u8) -> u8 {
    let wall = Wall;
    let code = work();
    core::mem::forget(wall);
    code
}

/// Ends the process when it is dropped.
struct Wall;

impl Drop for Wall {
    fn drop(&mut self) {
        process::exit(PANICKED);
    }
}
