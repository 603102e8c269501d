//! An init without a child: it reaps whatever comes to it, and waits to be told to end.

use crate::pool::Signal;
use crate::signals::SignalSet;
use crate::sys::fd::{self, AsFd, AsRawFd};
use crate::sys::process::{self, Seen};
use crate::sys::signal;

/// Reaps orphans until TERM or INT comes; gives the exit code.
#[must_use]
pub fn idle() -> u8 {
    let Ok(wake) = fd::pipe_to_read() else { return 1 };
    signal::wake_through(wake.write.as_raw_fd(), process::own_pid());
    let handled = SignalSet::EMPTY.with(Signal::TERM).with(Signal::INT).with(Signal::CHLD);
    if handled.iter().any(|signal| signal::handle(signal).is_err()) {
        return 1;
    }
    signal::set_mask(SignalSet::ALL.without(handled));
    loop {
        // The first time for whoever ended before the handler stood.
        while let Ok(Some(Seen::Ended(pid, _))) = process::look(false) {
            process::reap(pid);
        }
        if [Signal::TERM, Signal::INT].into_iter().any(|signal| signal::take(signal, u32::MAX).is_some()) {
            return 0;
        }
        let mut rows = [fd::readable(wake.read.as_raw_fd())];
        // One row of ours: it fails only for a signal, which is what it waits for.
        let _ = fd::poll(&mut rows, None);
        let _ = fd::read(wake.read.as_fd(), &mut [0; 16]);
        signal::rearm();
    }
}
