//! The terminal's foreground: who has it, and whom it is given to.
//!
//! # References
//! tcsetpgrp(3), `ioctl_tty(2)`, credentials(7), and the chapter on job control of POSIX.

use core::ffi::c_int;

use rustix::fs::FileType;

use super::fd::{self, AsFd, BorrowedFd};
use super::{Errno, Result, process, signal};
use crate::pool::{Pid, Signal};
use crate::signals::SignalSet;

/// The controlling terminal, as far as it is one of the standard descriptors.
#[must_use]
pub fn controlling() -> Option<BorrowedFd<'static>> {
    (0..=2).map(fd::standard).find(|fd| foreground_group(*fd).is_some())
}

/// Gives the terminal whose foreground belongs to the group of this process.
#[must_use]
pub fn foreground() -> Option<BorrowedFd<'static>> {
    let (terminal, own) = (controlling()?, own_group());
    let here = foreground_group(terminal) == Some(own) && (own != 0 || may_read());
    here.then_some(terminal)
}

/// Tells whether this process may read from its terminal, as only a group that has its foreground may.
///
/// In a PID namespace this group and the one in the foreground can both be outside, and then both numbers are 0. The
/// kernel is asked by a read of nothing, which it refuses in the background to a process that blocks SIGTTIN. Through a
/// descriptor that blocks it would wait for whoever else reads there.
fn may_read() -> bool {
    let mask = signal::set_mask(SignalSet::ALL);
    let read = fd::open_nonblocking(c"/dev/tty").and_then(|terminal| fd::read(terminal.as_fd(), &mut []));
    signal::set_mask(mask);
    matches!(read, Ok(_) | Err(Errno::AGAIN))
}

/// Gives the terminal whose foreground belongs to this process and to nobody else.
///
/// A process in the background has none to give. One that does not lead its group runs in a script, and one that writes
/// to a pipe runs in a pipeline; the terminal is then also another's.
#[must_use]
pub fn own() -> Option<BorrowedFd<'static>> {
    let leads = own_group() == process::own_pid().get();
    let in_pipeline = [1, 2].map(fd::standard).into_iter().any(is_pipe);
    foreground().filter(|_| leads && !in_pipeline)
}

fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Parts from the terminal of the session that this process leads, so that another session can take it over.
///
/// The kernel tells the foreground of it by HUP and CONT, in this process's name.
#[must_use]
pub fn leave() -> Option<BorrowedFd<'static>> {
    // SAFETY: getsid takes no pointer.
    let session = unsafe { libc::getsid(0) };
    let terminal = controlling().filter(|_| session == process::own_pid().get())?;
    fd::ask_device(terminal, libc::TIOCNOTTY, 0).ok().map(|_| terminal)
}

/// Makes a terminal that nobody controls any more the controlling one of the session that this process leads.
///
/// # Errors
/// `PERM` for a terminal of another session, or without a session of its own.
pub fn adopt(terminal: BorrowedFd<'_>) -> Result<()> {
    fd::ask_device(terminal, libc::TIOCSCTTY, 0).map(|_| ())
}

/// Gives the foreground to the group of this process, which blocks SIGTTOU.
///
/// # Errors
/// `NOTTY` for a terminal of another session, `IO` for one that was hung up.
pub fn take(terminal: BorrowedFd<'_>) -> Result<()> {
    fd::ask_device(terminal, libc::TIOCSPGRP, own_group()).map(|_| ())
}

/// Takes the foreground back from the group that `leader` leads, if that group has it.
pub fn take_back(terminal: BorrowedFd<'_>, leader: Pid) {
    if foreground_group(terminal) == Some(leader.get()) {
        set_foreground(terminal, own_group());
    }
}

/// The group that has the foreground of the controlling terminal; 0 where it is outside this PID namespace.
fn foreground_group(terminal: BorrowedFd<'_>) -> Option<c_int> {
    fd::ask_device(terminal, libc::TIOCGPGRP, 0).ok()
}

/// The group of this process; 0 where it is outside this PID namespace, which rustix's own call cannot tell.
fn own_group() -> c_int {
    // SAFETY: getpgrp takes no pointer.
    unsafe { libc::getpgrp() }
}

/// Gives the foreground to the group that `leader` leads.
pub fn give(terminal: BorrowedFd<'_>, leader: Pid) {
    set_foreground(terminal, leader.get());
}

/// A process in the background that does this is sent SIGTTOU, unless it blocks it.
fn set_foreground(terminal: BorrowedFd<'_>, group: c_int) {
    let mask = signal::set_mask(SignalSet::ALL);
    // It fails where the terminal was hung up or the group is gone or outside; then there is nothing to hand over.
    let _ = fd::ask_device(terminal, libc::TIOCSPGRP, group);
    signal::set_mask(mask);
}

/// Stops this process as ^Z does, and returns when it is continued; at once where it cannot be stopped: as PID 1, or in a
/// group that no shell watches.
pub fn suspend() {
    if signal::set_ignored(Signal::TSTP, false).is_ok() {
        signal::raise(Signal::TSTP);
        // It was installed before, so it can be installed again.
        let _ = signal::handle(Signal::TSTP);
    }
}
