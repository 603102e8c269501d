//! What a worker knows of itself and of its manager's wishes.

use core::time::Duration;

use crate::pool::{Pid, Signal, SlotId};
use crate::program::Birth;
use crate::report::{Failed, Step};
use crate::signals::SignalSet;
use crate::sys::fd::{self, AsFd, AsRawFd, IDLE_ROW, Pipe, PollRow};
use crate::sys::{Errno, process, signal, title};

/// Standard input, which is the lifeline.
const LIFELINE: i32 = 0;

/// A worker's view of its place: who it is, and what its manager wants of it.
///
/// Stopping and pausing are levels, not events: they are told for as long as they hold, and a stop holds for good. The
/// stop signal (and TERM and INT), the pause and the resume signal are heard by the context alone; a thread that the
/// worker starts must not look for them.
#[derive(Debug)]
pub struct Context {
    slot: SlotId,
    manager: Pid,
    wake: Pipe,
    orders: Orders,
    stopping: bool,
    paused: bool,
    orphaned: bool,
}

/// The signals that mean something to a worker.
#[derive(Clone, Copy, Debug)]
struct Orders {
    stop: [Signal; 3],
    pause: Option<Signal>,
    resume: Option<Signal>,
}

impl Context {
    /// Makes the set-up child a worker: closes what is not its own, installs its handlers, lets signals in.
    pub(super) fn enter(birth: &Birth<'_>, handed: &[i32]) -> Result<Self, Failed> {
        let failed = |errno: Errno| Failed { step: Step::Handlers, errno: errno.raw_os_error() };
        let options = birth.options;
        let orders = Orders {
            stop: [options.stop_signal, Signal::TERM, Signal::INT],
            pause: options.pause_signal.and_then(catchable),
            resume: options.resume_signal.and_then(catchable),
        };
        let wake = fd::pipe_to_read().map_err(failed)?;
        signal::begin_anew();
        signal::wake_through(wake.write.as_raw_fd(), process::own_pid());
        let ignored = birth.ignored.without(SignalSet::EMPTY.with(Signal::CHLD)).with(Signal::PIPE);
        for signal in ignored.iter() {
            signal::set_ignored(signal, true).map_err(failed)?;
        }
        for signal in orders.all() {
            signal::handle(signal).map_err(failed)?;
        }
        // From here on nothing can be reported any more: the pipe for it is closed as well.
        if options.setup.close_fds {
            fd::close_all_but(3, [&[wake.read.as_raw_fd(), wake.write.as_raw_fd()], handed]);
        }
        if let Some(name) = options.name {
            title::rename_found(name, "");
        }
        signal::set_mask(SignalSet::EMPTY);
        let (slot, manager) = (birth.slot, birth.manager);
        Ok(Self { slot, manager, wake, orders, stopping: false, paused: false, orphaned: false })
    }

    /// Gives the index of this worker's slot, from 0; the successor has the same.
    #[must_use]
    pub const fn slot(&self) -> u16 {
        self.slot.index
    }

    /// Gives this worker's number among those of its slot, from 1.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.slot.generation
    }

    /// Gives the manager's process.
    #[must_use]
    pub const fn manager(&self) -> Pid {
        self.manager
    }

    /// Tells whether this worker is to end: it was told to, it asked for it itself, or its manager is gone.
    ///
    /// Once true it stays so. What is in hand may be finished, as long as it takes less than the stop timeout.
    pub fn stopping(&mut self) -> bool {
        self.wait(IDLE_ROW, Some(Duration::ZERO));
        self.stopping
    }

    /// Tells whether this worker is to begin nothing new for now.
    pub fn paused(&mut self) -> bool {
        self.wait(IDLE_ROW, Some(Duration::ZERO));
        self.paused
    }

    /// Tells whether the manager is gone. A worker in that place is stopping, too.
    pub fn orphaned(&mut self) -> bool {
        self.wait(IDLE_ROW, Some(Duration::ZERO));
        self.orphaned
    }

    /// Sleeps for `time`, and tells whether all of it passed: a stop, a pause, its end, or the manager's end cuts it short.
    ///
    /// While this worker is stopping it does not sleep at all.
    pub fn sleep(&mut self, time: Duration) -> bool {
        !self.stopping() && !self.wait(IDLE_ROW, Some(time)).heard
    }

    /// Waits until a signal says something new, or the manager is gone. While this worker is stopping it does not wait.
    pub fn wait_for_orders(&mut self) {
        if !self.stopping() {
            self.wait(IDLE_ROW, None);
        }
    }

    /// Waits until there is something to read from the descriptor `source` (or its end), and tells whether there is; orders and the end
    /// of `time` (`None`: without end) cut it short. While this worker is stopping it only looks.
    pub fn wait_readable(&mut self, source: i32, time: Option<Duration>) -> bool {
        self.wait_for(fd::readable(source), time)
    }

    /// Waits until the descriptor `target` has room to write, as [`wait_readable`](Self::wait_readable) does for reading.
    pub fn wait_writable(&mut self, target: i32, time: Option<Duration>) -> bool {
        self.wait_for(fd::writable(target), time)
    }

    /// Ends this worker as if it had been told to: [`stopping`](Self::stopping) is true from now on.
    pub const fn stop(&mut self) {
        self.stopping = true;
    }

    /// Pauses this worker as if it had been told to, until it resumes or is told to.
    pub const fn pause(&mut self) {
        self.paused = true;
    }

    /// Ends a pause of this worker.
    pub const fn resume(&mut self) {
        self.paused = false;
    }

    /// Waits for `row`, and for `time` at most, whatever is ordered; tells whether the row is ready. Orders are taken in, and
    /// end the wait.
    #[cfg(feature = "beanstalk")]
    pub(super) fn wait_row(&mut self, row: PollRow, time: Duration) -> bool {
        self.wait(row, Some(time)).ready
    }

    fn wait_for(&mut self, row: PollRow, time: Option<Duration>) -> bool {
        let time = if self.stopping() { Some(Duration::ZERO) } else { time };
        self.wait(row, time).ready
    }

    /// Waits for `row`, for orders and for the end of the manager, and takes in what there is.
    fn wait(&mut self, row: PollRow, time: Option<Duration>) -> Heard {
        let lifeline = if self.orphaned { -1 } else { LIFELINE };
        // Its end comes unasked; bytes in it mean something else, see `take_orders`.
        let mut rows = [fd::readable(self.wake.read.as_raw_fd()), PollRow { fd: lifeline, ..IDLE_ROW }, row];
        if fd::poll(&mut rows, time).is_err() {
            return Heard { heard: false, ready: false };
        }
        let [wake, lifeline, row] = rows;
        if wake.revents != 0 {
            // One byte at most is there: the next is written only after `rearm`.
            let _ = fd::read(self.wake.read.as_fd(), &mut [0; 16]);
        }
        if lifeline.revents != 0 {
            self.orphaned = true;
            self.stopping = true;
        }
        let ordered = self.take_orders();
        Heard { heard: ordered || lifeline.revents != 0, ready: row.revents != 0 }
    }

    /// Takes in what signals said since the last time; tells whether they said anything.
    fn take_orders(&mut self) -> bool {
        signal::rearm();
        let came = |signal| signal::take(signal, u32::MAX).is_some();
        // Each is taken, whichever came first.
        let stop = self.orders.stop.map(came).contains(&true);
        let (pause, resume) = (self.orders.pause.is_some_and(came), self.orders.resume.is_some_and(came));
        let last = |signal: Option<Signal>| signal.map_or(0, signal::last);
        let pause_is_last = last(self.orders.pause) > last(self.orders.resume);
        self.stopping |= stop;
        self.paused = match (pause, resume) {
            (false, false) => self.paused,
            (true, false) if pause_is_last => true,
            (false, true) if !pause_is_last => false,
            // Both came, or one of them again meanwhile. The kernel delivers by number what waits at the same time; the manager
            // leaves a byte in the lifeline for as long as the pool is paused.
            _ => fd::waiting(fd::standard(LIFELINE)) > 0,
        };
        stop || pause || resume
    }
}

/// What came of a wait.
struct Heard {
    /// There is news for the worker.
    heard: bool,
    /// The row that was waited for is ready.
    ready: bool,
}

impl Orders {
    fn all(self) -> impl Iterator<Item = Signal> {
        self.stop.into_iter().filter_map(catchable).chain(self.pause).chain(self.resume)
    }
}

/// Gives a signal that can be caught.
const fn catchable(signal: Signal) -> Option<Signal> {
    match signal {
        Signal::KILL | Signal::STOP => None,
        signal => Some(signal),
    }
}
