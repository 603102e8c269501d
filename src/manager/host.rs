//! What the program around a manager may ask of it between two turns, and what it gets back in the end.

use core::time::Duration;

use super::Manager;
use crate::observe::{Event, Failure, Observer, Worker};
use crate::options::KillMode;
use crate::pool::{Exit, Instant, Phase, PolicyError, Request, Signal, Slot, State};
use crate::program::Program;
use crate::sys::process::{self, Seen};
use crate::sys::{clock, signal};

/// One live worker, as [`Manager::workers`] shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its slot, generation and process.
    pub worker: Worker,
    /// Where it is in its life.
    pub state: State,
    /// How long it has lived.
    pub age: Duration,
}

impl<P: Program, O: Observer> Manager<'_, P, O> {
    /// Has this many workers from the next turn on, 1 to the number of slots. The youngest stop first.
    ///
    /// # Errors
    /// [`PolicyError::Workers`] for a number out of that range.
    pub fn set_workers(&mut self, workers: u16) -> Result<(), PolicyError> {
        if workers == 0 || usize::from(workers) > self.pool.slots().len() {
            return Err(PolicyError::Workers);
        }
        self.request(|_| Request::Resize { workers });
        Ok(())
    }

    /// Retires workers at this age from the next turn on, those alive included; `None`: never.
    ///
    /// # Errors
    /// [`PolicyError::MaxAge`] for an age of zero.
    pub fn set_max_worker_age(&mut self, age: Option<Duration>) -> Result<(), PolicyError> {
        if age == Some(Duration::ZERO) {
            return Err(PolicyError::MaxAge);
        }
        self.request(|_| Request::MaxAge { age });
        Ok(())
    }

    /// Spawns and retires nobody from now on, and tells the workers to pause; for a time, or until it is resumed.
    ///
    /// In a pause this sets its time anew; it does not undo a shutdown.
    pub fn pause(&mut self, time: Option<Duration>) {
        self.request(|now| Request::Pause { until: time.map(|time| now.after(time)) });
    }

    /// Ends a pause, now or after a delay. Without a pause it does nothing.
    pub fn resume(&mut self, delay: Option<Duration>) {
        self.request(|now| Request::Resume { at: delay.map(|delay| now.after(delay)) });
    }

    /// Spawns nobody any more and asks the workers to end. The pool is over when the last one is gone; those that are left
    /// after the stop timeout are killed.
    pub fn shutdown(&mut self) {
        // Asked twice, the pool would take it for impatience; this is what `kill` is for.
        if !matches!(self.pool.phase(), Phase::Stopping { asked: true, .. } | Phase::Finished { .. }) {
            self.request(|_| Request::Stop);
        }
    }

    /// Spawns nobody any more and kills the workers.
    pub fn kill_workers(&mut self) {
        self.request(|_| Request::Kill);
    }

    /// Sends `signal` to every live worker and gives their number.
    pub fn signal_workers(&mut self, signal: Signal) -> usize {
        // None of them was reaped, so that each pid is still its worker's. A worker can always be signalled by its manager,
        // unless it changed its user for good.
        let pids = self.pool.slots().iter().filter_map(Slot::pid);
        pids.filter(|pid| signal::send(*pid, signal).is_ok()).count()
    }

    /// Counts the live workers: those that were forked and not yet reaped.
    #[must_use]
    pub fn current_worker_count(&self) -> usize {
        self.pool.live()
    }

    /// Gives the live workers, in the order of their slots.
    pub fn workers(&self) -> impl Iterator<Item = Live> {
        let now = self.pool_time();
        self.pool.slots().iter().filter_map(move |slot| {
            let worker = Worker { slot: slot.id(), pid: slot.pid()? };
            Some(Live { worker, state: slot.state(), age: now.since(slot.started()?) })
        })
    }

    /// Tells what the pool as a whole is doing.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.pool.phase()
    }

    /// Gives the observer back, to be looked at between turns.
    pub const fn observer(&mut self) -> &mut O {
        &mut self.observer
    }

    /// Does what the observer asks for, and has another turn at once for it to ask for more.
    pub(super) fn grant_wish(&mut self) {
        if let Some(request) = self.observer.wish(self.now) {
            self.ask(request);
            self.due = Some(self.now);
        }
    }

    fn request(&mut self, make: impl FnOnce(Instant) -> Request) {
        self.now = self.pool_time();
        self.ask(make(self.now));
        self.due = Some(self.now);
    }

    fn pool_time(&self) -> Instant {
        self.clock.pool_time(clock::monotonic())
    }

    /// Gives up, in a fresh child that keeps its descriptors, those that only the manager is to hold.
    pub(super) fn leave(&mut self) {
        if !self.options.setup.close_fds {
            self.relay.close();
            self.gear.lifeline = None;
        }
    }

    /// Reaps the workers that have ended, each by its name: the other children of this process are their host's to reap.
    pub(super) fn reap_own(&mut self) {
        for index in 0..=u16::MAX {
            let Some(row) = self.pool.slot(index) else { return };
            let (Some(pid), slot) = (row.pid(), row.id()) else { continue };
            match process::look_at(pid) {
                Ok(Some(Seen::Ended(pid, exit))) => self.bury(pid, exit),
                Ok(Some(Seen::Stopped(..)) | None) => {}
                Err(errno) => {
                    // The host has reaped it, and how it ended is lost with it.
                    let failure = Failure { step: "wait for a worker", errno: errno.raw_os_error() };
                    self.tell(&Event::Trouble { failure });
                    self.part(Worker { slot, pid }, Exit::Code(u8::MAX));
                }
            }
        }
    }
}

/// Kills the workers that are still there, reaps them, and gives the host its handlers back.
impl<P, O> Drop for Manager<'_, P, O> {
    fn drop(&mut self) {
        let leads_group = self.options.setup.detach || self.options.setup.process_group;
        let group = leads_group && self.options.kill_mode != KillMode::Worker;
        for pid in self.pool.slots().iter().filter_map(Slot::pid) {
            // Where it is not permitted, the end of the lifeline has to do.
            if signal::destroy(pid, group).is_ok() {
                process::wait_for(pid);
            }
        }
        self.relay.close();
    }
}
