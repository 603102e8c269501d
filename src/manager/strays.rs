//! What is left of the tree when the last worker is gone: orphans that came to this process to be reaped.

use core::time::Duration;

use super::Manager;
use crate::observe::Observer;
use crate::pool::{Instant, Pid, Signal};
use crate::program::Program;
use crate::sys::{Errno, process, procfs, signal};

/// How long killed strays may take to go; one that hangs in the kernel is left to it.
const GRACE: Duration = Duration::from_secs(1);

/// How often guests are looked for.
const LOOK: Duration = Duration::from_millis(50);

/// How long orphans are left to gather where they come thick: to be woken for each costs several times its reaping.
const GATHER: Duration = Duration::from_millis(5);

/// How thick orphans come.
#[derive(Debug)]
pub(super) struct Orphans {
    last: Instant,
    thick: bool,
}

impl Orphans {
    /// None yet.
    pub(super) const NONE: Self = Self { last: Instant::ZERO, thick: false };

    /// Notes that one was reaped.
    pub(super) const fn note(&mut self, now: Instant) {
        self.thick = now.since(self.last).as_nanos() < GATHER.as_nanos();
        self.last = now;
    }

    /// Gives how long the next ones may gather, if they come thick.
    pub(super) fn gather(&mut self) -> Option<Duration> {
        core::mem::take(&mut self.thick).then_some(GATHER)
    }
}

/// Children that this process had before it became a manager, such as those of a shell that executed it. They are nobody's
/// strays, and are left alone but for their reaping.
#[derive(Debug)]
pub(super) struct Elders {
    pids: [Option<Pid>; 8],
}

impl Elders {
    /// Looks for them, where strays are drained at all. A PID 1 has none, because everybody ends with it. Those beyond the
    /// first few are not known as such.
    pub(super) fn of(manager: Pid, drains: bool) -> Self {
        let mut elders = Self { pids: [None; 8] };
        if drains && manager != Pid::INIT && process::look(false) != Err(Errno::CHILD) {
            let mut places = elders.pids.iter_mut();
            let _ = procfs::for_each_child(manager, &mut |pid| {
                if let Some(place) = places.next() {
                    *place = Some(pid);
                }
            });
        }
        elders
    }

    /// Notes that a child was reaped, so that its pid may become another's.
    pub(super) fn forget(&mut self, pid: Pid) {
        for place in &mut self.pids {
            *place = place.filter(|elder| *elder != pid);
        }
    }
}

/// The strays that were asked to end already. Beyond these, some are asked twice.
#[derive(Debug)]
struct Asked {
    pids: [Option<Pid>; 128],
}

impl Asked {
    /// Notes a stray; false if it was noted before.
    fn note(&mut self, pid: Pid) -> bool {
        let new = !self.pids.contains(&Some(pid));
        if new {
            self.pids.rotate_right(1);
            if let Some(first) = self.pids.first_mut() {
                *first = Some(pid);
            }
        }
        new
    }
}

impl<P: Program, O: Observer> Manager<'_, P, O> {
    /// Asks all strays to end, kills those that are left at `until`, and returns when all are reaped.
    pub(super) fn drain_strays(&mut self, until: Option<Instant>) {
        let mut asked = Asked { pids: [None; 128] };
        let mut until = until;
        let stops = self.stops;
        self.children = true;
        loop {
            self.reap();
            let childless = !self.children && self.is_childless();
            if childless && !self.has_guests() {
                return;
            }
            if self.stops > stops {
                until = Some(self.now);
            }
            if until.is_some_and(|until| until <= self.now) {
                return self.kill_strays();
            }
            self.ask_strays(&mut asked);
            self.due = until;
            // No signal tells of a guest's end.
            self.listen(childless.then_some(LOOK));
            self.speak();
        }
    }

    /// Tells whether nobody is left but those who were there before.
    fn is_childless(&self) -> bool {
        let mut found = process::look(false) != Err(Errno::CHILD);
        if found && self.elders.pids.iter().any(Option::is_some) {
            found = false;
            self.for_each_stray(&mut |_| found = true);
        }
        !found
    }

    /// Calls `act` with each child that was not there before. Without /proc nobody can be named.
    fn for_each_stray(&self, act: &mut dyn FnMut(Pid)) {
        let _ = procfs::for_each_child(self.gear.pid, &mut |pid| {
            if !self.elders.pids.contains(&Some(pid)) {
                act(pid);
            }
        });
    }

    /// Tells whether a container has processes that came into it from outside, which are nobody's orphans.
    fn has_guests(&self) -> bool {
        self.gear.pid == Pid::INIT && signal::reaches_anybody()
    }

    /// Asks those that came since the last time.
    fn ask_strays(&self, asked: &mut Asked) {
        if self.gear.pid == Pid::INIT {
            // PID 1 reaches everybody at once.
            if asked.note(Pid::INIT) {
                let _ = signal::send_everybody(Signal::TERM);
                let _ = signal::send_everybody(Signal::CONT);
            }
            return;
        }
        // Where nobody can be named, the child's group was asked when the child ended.
        self.for_each_stray(&mut |pid| {
            if asked.note(pid) {
                let _ = signal::send(pid, Signal::TERM);
                let _ = signal::send(pid, Signal::CONT);
            }
        });
    }

    /// Kills all strays, and those that come to this process through their deaths.
    fn kill_strays(&mut self) {
        let until = self.now.after(GRACE);
        while self.now < until {
            if self.gear.pid == Pid::INIT {
                let _ = signal::send_everybody(Signal::KILL);
            } else {
                self.for_each_stray(&mut |pid| {
                    let _ = signal::send(pid, Signal::KILL);
                });
            }
            self.children = true;
            self.reap();
            if self.is_childless() {
                return;
            }
            self.due = Some(until);
            self.listen(None);
            self.speak();
        }
    }
}
