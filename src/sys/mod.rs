//! TOUCH: the door to the kernel, one system-call family a file. Every `unsafe` block of the crate is behind it.
//!
//! What may be in here: system calls, memory the kernel or libc hands over, and the types that make both safe to use.
//! What may not: policy, formats, and anything that could be tested without a kernel.
#![expect(unsafe_code, reason = "the kernel and libc are reached from this module alone")]

pub mod alone;
pub mod child;
pub mod clock;
pub mod exec;
pub mod fd;
pub mod limit;
#[cfg(feature = "beanstalk")]
pub mod net;
pub mod process;
pub mod procfs;
pub mod signal;
pub mod start;
pub mod storage;
pub mod terminal;
pub mod title;
pub mod watch;

/// The kernel's word for a failed call, as errno(3) lists it.
pub use rustix::io::Errno;

/// The result of a system call.
pub type Result<T> = core::result::Result<T, Errno>;

/// Turns libc's -1 into the error it stands for.
fn checked(answer: libc::c_int) -> Result<libc::c_int> {
    if answer == -1 { Err(last_errno()) } else { Ok(answer) }
}

/// Turns the -1 of libc's `syscall` into the error it stands for.
fn answered(answer: libc::c_long) -> Result<libc::c_long> {
    if answer == -1 { Err(last_errno()) } else { Ok(answer) }
}

/// Reads what the last failed libc call left in errno.
fn last_errno() -> Errno {
    // SAFETY: the place is valid as long as this thread runs.
    let number = unsafe { *errno_place() };
    // There are no others, and rustix would make sure of it with a panic.
    Errno::from_raw_os_error(number.clamp(1, 4095))
}

/// Where libc keeps this thread's errno.
fn errno_place() -> *mut libc::c_int {
    // SAFETY: the call only computes an address.
    unsafe { libc::__errno_location() }
}
