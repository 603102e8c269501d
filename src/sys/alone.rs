//! The proof that fork(2) copies all there is of this process: one thread, and one manager.
//!
//! # References
//! unshare(2) on `CLONE_THREAD`, fork(2), `proc_pid_stat(5)`.

use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, Ordering};

use super::{Errno, checked, procfs};

/// Whether there is an [`Alone`].
static CLAIMED: AtomicBool = AtomicBool::new(false);

/// Whether the program has said that it makes no thread.
static VOUCHED: AtomicBool = AtomicBool::new(false);

/// Says for a program that it makes no thread, so that nobody looks for any: those of an emulator would be found.
pub fn vouch() {
    VOUCHED.store(true, Ordering::Relaxed);
}

/// Held by the one manager of a process that had one thread when it was made.
///
/// A child has only the thread that forked; locks that others held stay locked in it for ever. So there must be no
/// others. It stays with its thread, because the kernel reports the death of that thread as the death of the parent.
#[derive(Debug)]
pub struct Alone {
    thread: PhantomData<*const ()>,
}

/// Who else is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// Other threads.
    Threads,
    /// Another manager.
    Manager,
}

impl Alone {
    /// Claims this process.
    ///
    /// # Errors
    /// Who else is here.
    pub fn claim() -> Result<Self, Crowd> {
        if has_threads() {
            return Err(Crowd::Threads);
        }
        if CLAIMED.swap(true, Ordering::AcqRel) {
            return Err(Crowd::Manager);
        }
        Ok(Self { thread: PhantomData })
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        CLAIMED.store(false, Ordering::Release);
    }
}

/// Tells whether this process has more than one thread.
fn has_threads() -> bool {
    if VOUCHED.load(Ordering::Relaxed) {
        return false;
    }
    // To a process of one thread this does nothing, to any other it is refused.
    // SAFETY: unshare takes no pointer.
    match checked(unsafe { libc::unshare(libc::CLONE_THREAD) }) {
        Ok(_) => false,
        Err(Errno::INVAL) => true,
        // A filter of system calls stands before it, as in many containers. Without /proc nobody can tell any more, and the
        // caller's word is taken.
        Err(_) => procfs::threads().is_ok_and(|count| count > 1),
    }
}
