//! The end: strays are drained, and what was written last is passed on.

use core::time::Duration;

use super::Manager;
use crate::observe::{Observer, Want};
use crate::pool::{Instant, Pid, sooner};
use crate::program::Program;

impl<P: Program, O: Observer> Manager<'_, P, O> {
    /// Ends what the workers left behind, and passes on what they wrote.
    // Inlined, it would be part of the loop that it ends.
    #[inline(never)]
    pub(super) fn wind_up(&mut self) {
        let init = self.options.init.as_ref();
        let allowed = init.map_or(self.options.policy.stop_timeout, |init| init.drain);
        let own_end = allowed.map(|allowed| self.now.after(allowed));
        let until = sooner(self.stop_by, own_end);
        let adopts = self.gear.pid == Pid::INIT || self.options.subreaper;
        if adopts && self.options.reap_all && allowed != Some(Duration::ZERO) {
            self.drain_strays(until);
        }
        // What an init has left to say is worth no wait: it passes nothing on.
        self.close(if init.is_some() { Some(self.now) } else { until });
    }

    /// Passes on what the last workers left, until then at most.
    fn close(&mut self, until: Option<Instant>) {
        let stops = self.stops;
        loop {
            let stuck = !self.observer.ready() || self.observer.want() != Want::Nothing;
            self.due = until;
            self.listen(if stuck { None } else { Some(Duration::ZERO) });
            self.speak();
            let empty = !self.relay.is_owing() && self.observer.want() == Want::Nothing;
            // A full disk had its last try now; and who asks again is in a hurry.
            let hurried = matches!(self.observer.want(), Want::Time(_)) || self.stops > stops;
            if empty || hurried || until.is_some_and(|until| until <= self.now) {
                break;
            }
        }
        self.relay.end_all(&mut self.observer);
        self.observer.flush(self.now);
        self.observer.close();
    }
}
