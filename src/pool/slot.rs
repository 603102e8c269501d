//! One row of the table: its worker, and every transition of that worker's state.

use core::time::Duration;

use super::backoff::spread;
use super::chance::Share;
use super::news::{Action, Exit, Instant, Pid, Signal, SlotId, Why, nanos, sooner};
use super::phase::Phase;
use super::policy::Policy;
use super::state::{State, Told};

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    state: State,
    index: u16,
    /// How many workers were born here.
    generation: u32,
    failures: u32,
    /// Where within the jitter the age limit of the present worker lies.
    share: Share,
    /// Whether a worker belongs here: one that is asked to end gets a successor then.
    wanted: bool,
    /// Whether a worker was retired here whose successor is not born yet.
    retiring: bool,
}

/// What a slot is owed at a moment.
pub(super) enum Step {
    /// This to be done; it is handed out only now.
    Owe(Action),
    /// Nothing before this time.
    Rest { until: Option<Instant> },
}

/// What the end of a worker means to the pool.
pub(super) enum Loss {
    /// Nothing: it lived long enough, or it was to end anyway.
    Settled,
    /// It was killed, and died of that.
    Killed,
    /// Its start failed.
    Failed,
    /// It ended by itself and gets no successor.
    Ended,
}

/// Nothing before the next news.
const REST: Step = Step::Rest { until: None };

impl Slot {
    /// A slot without a worker, to fill storage with.
    pub const EMPTY: Self = Self {
        state: State::Empty,
        index: 0,
        generation: 0,
        failures: 0,
        share: Share::NONE,
        wanted: false,
        retiring: false,
    };

    pub(super) const fn new(index: u16) -> Self {
        Self { index, ..Self::EMPTY }
    }

    /// Names the worker: the one that is here or is being started, else the last one that was.
    #[must_use]
    pub const fn id(&self) -> SlotId {
        let generation = match self.state {
            State::Starting => self.generation.wrapping_add(1),
            State::Empty
            | State::Due { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Ended => self.generation,
        };
        SlotId { index: self.index, generation }
    }

    /// Gives the state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Gives the process of a live worker: one that was spawned and not yet reaped.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.state.live().map(|(pid, _)| pid)
    }

    /// Gives the time at which a live worker was spawned.
    #[must_use]
    pub fn started(&self) -> Option<Instant> {
        self.state.live().map(|(_, since)| since)
    }

    /// Gives the time before which no worker is spawned here; `None` where none is to be spawned.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        self.state.due()
    }

    /// Gives the number of failed starts in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Tells whether a worker belongs here.
    pub(super) const fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Tells whether a retired worker or its successor is still on the way.
    pub(super) const fn is_retiring(&self) -> bool {
        self.retiring
    }

    /// Tells whether a worker is here, or may be any moment.
    pub(super) const fn is_occupied(&self) -> bool {
        matches!(self.state, State::Starting) || self.state.live().is_some()
    }

    /// Gives the time at which a running worker reaches its age limit; it is not kept, because the limit may change.
    pub(super) fn retires_at(&self, policy: &Policy) -> Option<Instant> {
        match self.state {
            State::Running { since, .. } => {
                let age = nanos(policy.max_age?);
                // Divided first: the product would not fit, and nanoseconds are nothing to an age.
                let jitter = (age / 100).saturating_mul(u64::from(policy.max_age_jitter));
                Some(since.after(Duration::from_nanos(age.saturating_sub(self.share.of(jitter)))))
            }
            State::Empty
            | State::Due { .. }
            | State::Starting
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Ended => None,
        }
    }

    /// From now on a worker belongs here.
    pub(super) const fn want(&mut self, now: Instant) {
        self.wanted = true;
        match self.state {
            State::Empty => {
                self.failures = 0;
                self.state = State::Due { at: now };
            }
            State::Due { .. }
            | State::Starting
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Ended => {}
        }
    }

    /// From now on no worker belongs here; one that is here is asked to end at the next poll.
    pub(super) const fn unwant(&mut self) {
        self.wanted = false;
        self.retiring = false;
        match self.state {
            State::Due { .. } | State::Ended => self.state = State::Empty,
            State::Empty | State::Starting | State::Running { .. } | State::Stopping { .. } | State::Killed { .. } => {}
        }
    }

    /// Looks whether the worker that is here is owed something, and hands it out.
    pub(super) fn step(&mut self, phase: &Phase, policy: &Policy, now: Instant) -> Step {
        match self.state {
            State::Running { pid, since, told, .. } => match *phase {
                Phase::Stopping { kill_at, .. } if passed(kill_at, now) => Step::Owe(self.kill(pid, since)),
                Phase::Stopping { kill_at, .. } => Step::Owe(self.stop(pid, since, kill_at, Why::Drain)),
                Phase::Running | Phase::Paused { .. } if !self.wanted => {
                    Step::Owe(self.stop(pid, since, policy.kill_at(now), Why::Shrink))
                }
                Phase::Running => self.resume(pid, told),
                Phase::Paused { .. } => self.pause(pid, told, since.after(policy.min_uptime), now),
                Phase::Finished { .. } => REST,
            },
            State::Stopping { pid, since, kill_at } => {
                let until = sooner(kill_at, phase.kill_at());
                if passed(until, now) { Step::Owe(self.kill(pid, since)) } else { Step::Rest { until } }
            }
            State::Empty | State::Due { .. } | State::Starting | State::Killed { .. } | State::Ended => REST,
        }
    }

    /// Asks a worker that reached its age limit to end.
    pub(super) fn retire(&mut self, policy: &Policy, now: Instant) -> Option<Action> {
        match self.state {
            State::Running { pid, since, .. } => {
                self.retiring = true;
                Some(self.stop(pid, since, policy.kill_at(now), Why::Retire))
            }
            State::Empty
            | State::Due { .. }
            | State::Starting
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Ended => None,
        }
    }

    const fn stop(&mut self, pid: Pid, since: Instant, kill_at: Option<Instant>, why: Why) -> Action {
        self.state = State::Stopping { pid, since, kill_at };
        Action::Stop { slot: self.id(), pid, why }
    }

    const fn kill(&mut self, pid: Pid, since: Instant) -> Action {
        self.state = State::Killed { pid, since };
        Action::Kill { slot: self.id(), pid }
    }

    /// Tells a worker to pause that was not told; one that was too young to listen is told again at `grown`.
    fn pause(&mut self, pid: Pid, told: Told, grown: Instant, now: Instant) -> Step {
        let at = match told {
            Told::Work => now,
            Told::Deaf { again: true } => grown,
            Told::Pause | Told::Deaf { again: false } => return REST,
        };
        if at > now {
            return Step::Rest { until: Some(at) };
        }
        self.tell(Told::Pause);
        Step::Owe(Action::Pause { slot: self.id(), pid })
    }

    /// Tells a worker to go on that was told to pause.
    const fn resume(&mut self, pid: Pid, told: Told) -> Step {
        match told {
            Told::Work => REST,
            Told::Pause => {
                self.tell(Told::Work);
                Step::Owe(Action::Resume { slot: self.id(), pid })
            }
            Told::Deaf { .. } => {
                self.tell(Told::Work);
                REST
            }
        }
    }

    const fn tell(&mut self, word: Told) {
        if let State::Running { told, .. } = &mut self.state {
            *told = word;
        }
    }

    /// Hands out the birth of a worker.
    pub(super) const fn spawn(&mut self) -> Action {
        self.state = State::Starting;
        Action::Spawn { slot: self.id() }
    }

    /// Takes in that the worker was born; tells whether that fits.
    pub(super) const fn spawned(&mut self, pid: Pid, share: Share, now: Instant) -> bool {
        match self.state {
            State::Starting => {
                self.generation = self.generation.wrapping_add(1);
                self.share = share;
                self.retiring = false;
                self.state = State::Running { pid, since: now, told: Told::Work, exec_failed: false };
                true
            }
            State::Empty
            | State::Due { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Ended => false,
        }
    }

    /// Takes in that the worker was not born; tells whether that fits.
    pub(super) const fn spawn_failed(&mut self, now: Instant) -> bool {
        match self.state {
            State::Starting => {
                self.vacate(now);
                true
            }
            State::Empty
            | State::Due { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Ended => false,
        }
    }

    /// Takes in that the worker never came to run its program; tells whether that fits.
    pub(super) const fn exec_failed(&mut self) -> bool {
        match &mut self.state {
            State::Running { exec_failed, .. } => {
                *exec_failed = true;
                true
            }
            // It was asked to end before it failed: no failed start.
            State::Stopping { .. } | State::Killed { .. } => true,
            State::Empty | State::Due { .. } | State::Starting | State::Ended => false,
        }
    }

    /// Takes in that the worker does not catch the pause or resume signal; tells whether that fits.
    pub(super) fn deaf(&mut self, min_uptime: Duration, now: Instant) -> bool {
        match &mut self.state {
            State::Running { since, told: told @ Told::Pause, .. } => {
                *told = Told::Deaf { again: now.since(*since) < min_uptime };
                true
            }
            // It has been told to work since, or to end.
            State::Running { .. } | State::Stopping { .. } | State::Killed { .. } => true,
            State::Empty | State::Due { .. } | State::Starting | State::Ended => false,
        }
    }

    /// Takes in that the worker was reaped, and tells what that means; `None` if it does not fit.
    pub(super) fn exited(&mut self, exit: Exit, policy: &Policy, share: Share, now: Instant) -> Option<Loss> {
        match self.state {
            State::Running { since, exec_failed, .. } if self.wanted => {
                let failed = exec_failed || now.since(since) < policy.min_uptime;
                Some(match (policy.restart.follows(exit), failed) {
                    (false, _) => self.end(),
                    (true, true) => self.fail(policy, share, now),
                    (true, false) => self.settle(now),
                })
            }
            State::Running { .. } | State::Stopping { .. } => Some(self.settle(now)),
            State::Killed { .. } => {
                let settled = self.settle(now);
                let of_that = matches!(exit, Exit::Signal { signal: Signal::KILL, .. });
                Some(if of_that { Loss::Killed } else { settled })
            }
            State::Empty | State::Due { .. } | State::Starting | State::Ended => None,
        }
    }

    /// Leaves the slot to nobody.
    const fn end(&mut self) -> Loss {
        self.state = State::Ended;
        Loss::Ended
    }

    /// Makes the successor wait, the longer the more starts failed in a row.
    fn fail(&mut self, policy: &Policy, share: Share, now: Instant) -> Loss {
        self.failures = self.failures.saturating_add(1);
        let delay = policy.backoff().delay(self.failures);
        self.state = State::Due { at: now.after(spread(delay, share)) };
        Loss::Failed
    }

    /// Ends the row of failed starts.
    const fn settle(&mut self, now: Instant) -> Loss {
        self.failures = 0;
        self.vacate(now);
        Loss::Settled
    }

    /// Makes room for a successor, if one is wanted.
    const fn vacate(&mut self, now: Instant) {
        self.state = if self.wanted { State::Due { at: now } } else { State::Empty };
    }
}

/// Tells whether a deadline is there and over.
fn passed(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|at| at <= now)
}
