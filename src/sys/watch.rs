//! Many descriptors watched as one, so that a wake-up costs what is ready and not what is there.
//!
//! The calls are raw: libc's wait is larger than all of this, because threads may be cancelled in it.
//!
//! # References
//! epoll(7).

use core::ffi::c_int;

use super::fd::{AsRawFd, BorrowedFd, OwnedFd, number_of};
use super::{Result, answered};

/// Descriptors that poll(2) sees as one: readable while any of them is.
#[derive(Debug)]
pub struct Watch(OwnedFd);

/// How many descriptors one look names; those left over are named by the next.
pub const LOOK: usize = 64;

impl Watch {
    /// Watches nothing yet. The descriptor is close-on-exec.
    ///
    /// # Errors
    /// `MFILE` and `NFILE` when descriptors have run out, `NOMEM`.
    pub fn new() -> Result<Self> {
        // SAFETY: epoll_create1 takes no pointer.
        let answer = unsafe { libc::syscall(libc::SYS_epoll_create1, libc::EPOLL_CLOEXEC) };
        OwnedFd::new(number_of(answer)).map(Self)
    }

    /// Watches `fd` for bytes to read, under a number; until it is closed.
    ///
    /// # Errors
    /// `NOMEM`, `NOSPC` at the kernel's limit of watched descriptors, `PERM` for what is always readable.
    pub fn add(&self, fd: BorrowedFd<'_>, number: u32) -> Result<()> {
        let event = libc::epoll_event { events: libc::EPOLLIN.unsigned_abs(), u64: u64::from(number) };
        let (watch, fd) = (self.0.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: `event` is an epoll_event of ours; the call keeps no pointer.
        answered(unsafe { libc::syscall(libc::SYS_epoll_ctl, watch, libc::EPOLL_CTL_ADD, fd, &raw const event) })
            .map(|_| ())
    }

    /// Gives the numbers of descriptors that have bytes to read, without waiting for any.
    pub fn ready(&self) -> impl Iterator<Item = u32> + use<> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; LOOK];
        let (watch, start, no_mask) = (self.0.as_raw_fd(), events.as_mut_ptr(), core::ptr::null::<u64>());
        // SAFETY: the pointer and the count are those of one array of ours; there is no mask.
        let answer =
            answered(unsafe { libc::syscall(libc::SYS_epoll_pwait, watch, start, LOOK, 0, no_mask, size_of::<u64>()) });
        // An error means that nothing is known to be ready now; the next turn asks again.
        let count = answer.ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        events.into_iter().take(count).map(|event| u32::try_from(event.u64).unwrap_or(u32::MAX))
    }
}

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> c_int {
        self.0.as_raw_fd()
    }
}
