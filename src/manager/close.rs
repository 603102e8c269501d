//! The end: strays are drained, and what was written last is passed on.

use core::time::Duration;

use super::{Manager, WRITABLE};
use crate::observe::{Observer, Want};
use crate::pool::{Pid, Signal};
use crate::program::Program;
use crate::sys::{clock, signal};

impl<P: Program, O: Observer> Manager<'_, P, O> {
    /// Ends what the workers left behind, and passes on what they wrote.
    pub(super) fn wind_up(&mut self) {
        let init = self.options.init.as_ref();
        let allowed = init.map_or(self.options.policy.stop_timeout, |init| init.drain);
        let own_end = allowed.map(|allowed| self.now.after(allowed));
        let until = [self.stop_by, own_end].into_iter().flatten().min();
        let adopts = self.gear.pid == Pid::INIT || self.options.subreaper;
        if adopts && self.options.reap_all && allowed != Some(Duration::ZERO) {
            self.drain_strays(until);
        }
        self.close();
    }

    /// Passes on what the last workers left, for the stop timeout at most.
    fn close(&mut self) {
        let until = self.options.policy.stop_timeout.map(|timeout| self.now.after(timeout));
        loop {
            let stuck = !self.observer.ready() || self.observer.want() != Want::Nothing;
            self.due = until;
            self.sleep(if stuck { None } else { Some(Duration::ZERO) });
            self.now = self.clock.pool_time(clock::monotonic());
            if self.has_news(WRITABLE) {
                self.observer.writable();
            }
            self.speak();
            let empty = !self.relay.is_owing() && self.observer.want() == Want::Nothing;
            if empty || self.is_hurried() || until.is_some_and(|until| until <= self.now) {
                break;
            }
        }
        self.relay.end_all(&mut self.observer);
        self.observer.flush(self.now);
        self.observer.close();
    }

    /// Tells whether waiting is over: a full disk had its last try, or somebody asks again.
    fn is_hurried(&self) -> bool {
        let asked_again = [Signal::TERM, Signal::INT, Signal::QUIT].map(|signal| signal::take(signal, u32::MAX));
        matches!(self.observer.want(), Want::Time(_)) || asked_again.iter().any(Option::is_some)
    }
}
