//! The terminal's foreground: who has it, and whom it is given to.
//!
//! # References
//! tcsetpgrp(3), credentials(7), and the chapter on job control of POSIX.

use rustix::fs::FileType;
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::fd::{self, BorrowedFd};
use super::signal;
use crate::pool::{Pid, Signal};
use crate::signals::SignalSet;

/// The controlling terminal, as far as it is one of the standard descriptors.
#[must_use]
pub fn controlling() -> Option<BorrowedFd<'static>> {
    (0..=2).map(fd::standard).find(|fd| tcgetpgrp(fd).is_ok())
}

/// Gives the terminal whose foreground belongs to this process and to nobody else.
///
/// A process in the background has none to give. One that does not lead its group runs in a script, and one that writes
/// to a pipe runs in a pipeline; the terminal is then also another's.
#[must_use]
pub fn own() -> Option<BorrowedFd<'static>> {
    let group = rustix::process::getpgrp();
    let leads = group == rustix::process::getpid();
    let terminal = controlling().filter(|terminal| leads && tcgetpgrp(terminal) == Ok(group))?;
    let in_pipeline = [1, 2].map(fd::standard).into_iter().any(is_pipe);
    (!in_pipeline).then_some(terminal)
}

fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Takes the foreground back from the group that `leader` leads, if that group has it.
pub fn take_back(terminal: BorrowedFd<'_>, leader: Pid) {
    if tcgetpgrp(terminal).is_ok_and(|group| group.as_raw_pid() == leader.get()) {
        set_foreground(terminal, rustix::process::getpgrp());
    }
}

/// Gives the foreground to the group that `leader` leads.
pub fn give(terminal: BorrowedFd<'_>, leader: Pid) {
    if let Some(group) = rustix::process::Pid::from_raw(leader.get()) {
        set_foreground(terminal, group);
    }
}

/// A process in the background that does this is sent SIGTTOU, unless it blocks it.
fn set_foreground(terminal: BorrowedFd<'_>, group: rustix::process::Pid) {
    let mask = signal::set_mask(SignalSet::ALL);
    // It fails where the terminal was hung up or the group is gone; then there is nothing to hand over.
    let _ = tcsetpgrp(terminal, group);
    signal::set_mask(mask);
}

/// Stops this process as ^Z does, and returns when it is continued; at once where it cannot be stopped: as PID 1, or in a
/// group that no shell watches.
pub fn suspend() {
    if signal::set_ignored(Signal::TSTP, false).is_ok() {
        signal::raise(Signal::TSTP);
        // It was installed before, so it can be installed again.
        let _ = signal::install(Signal::TSTP);
    }
}
