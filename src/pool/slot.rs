//! One row of the table: the state of its worker, and every transition from one state to another.

use core::time::Duration;

use super::backoff::{Backoff, spread};
use super::chance::Share;
use super::news::{Action, Exit, Instant, Pid, Signal, SlotId, Why, nanos};
use super::phase::Phase;
use super::policy::{Policy, Restart};

/// Where the worker of a slot is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no worker, and none is wanted.
    Empty,
    /// There is no worker yet.
    Due {
        /// When it may be spawned.
        at: Instant,
    },
    /// [`Action::Spawn`] was handed out; the answer is pending.
    Starting,
    /// The worker is alive, and nobody asked it to end.
    Running {
        /// Its process.
        pid: Pid,
        /// When it was spawned.
        since: Instant,
        /// What it was last told about pauses.
        told: Told,
        /// Whether its exec is known to have failed; it ends by itself.
        exec_failed: bool,
    },
    /// The worker was asked to end.
    Stopping {
        /// Its process.
        pid: Pid,
        /// When it was spawned.
        since: Instant,
        /// When it is killed; `None`: not before the pool says so.
        kill_at: Option<Instant>,
    },
    /// The worker was killed; it only needs to be reaped.
    Killed {
        /// Its process.
        pid: Pid,
        /// When it was spawned.
        since: Instant,
    },
    /// The worker ended by itself and gets no successor.
    Ended,
}

/// What a running worker was last told about pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// To work; every worker starts so.
    Work,
    /// To pause.
    Pause,
    /// Nothing: it does not catch the pause signal.
    Deaf {
        /// Whether it was too young to tell, and is looked at once more when it reaches `min_uptime`.
        again: bool,
    },
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    state: State,
    index: u16,
    /// How many workers were born here.
    generation: u32,
    failures: u32,
    /// Where within the jitter the age limit of the present worker lies.
    share: Share,
    /// Whether a worker that ends here because it was asked to gets a successor.
    wanted: bool,
    /// Whether a worker was retired here whose successor is not born yet.
    retiring: bool,
}

/// What a slot wants at a moment.
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
    pub const fn pid(&self) -> Option<Pid> {
        match self.state {
            State::Running { pid, .. } | State::Stopping { pid, .. } | State::Killed { pid, .. } => Some(pid),
            State::Empty | State::Due { .. } | State::Starting | State::Ended => None,
        }
    }

    /// Gives the time at which a live worker was spawned.
    #[must_use]
    pub const fn started(&self) -> Option<Instant> {
        match self.state {
            State::Running { since, .. } | State::Stopping { since, .. } | State::Killed { since, .. } => Some(since),
            State::Empty | State::Due { .. } | State::Starting | State::Ended => None,
        }
    }

    /// Gives the time before which no worker is spawned here; `None` where none is to be spawned.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        match self.state {
            State::Due { at } => Some(at),
            State::Empty
            | State::Starting
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Ended => None,
        }
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
        matches!(self.state, State::Starting) || self.pid().is_some()
    }

    /// Gives the time at which a running worker reaches its age limit; it is not kept, because the limit may change.
    pub(super) fn retires_at(&self, policy: &Policy) -> Option<Instant> {
        match self.state {
            State::Running { since, .. } => {
                let age = policy.max_age?;
                // Divided first: the product would not fit, and nanoseconds are nothing to an age.
                let jitter = (nanos(age) / 100).saturating_mul(u64::from(policy.max_age_jitter));
                Some(since.after(age.saturating_sub(self.share.of(Duration::from_nanos(jitter)))))
            }
            State::Empty
            | State::Due { .. }
            | State::Starting
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Ended => None,
        }
    }

    /// Tells how little is lost if this slot is no longer wanted: nothing where no worker is or none is missed, more
    /// where one is on its way or about to go, most where one runs; the older, the more.
    pub(super) const fn dispensable(&self) -> (u8, Instant) {
        match self.state {
            State::Running { since, .. } => (0, since),
            State::Starting => (1, Instant::ZERO),
            State::Stopping { .. } | State::Killed { .. } => (2, Instant::ZERO),
            State::Due { .. } => (3, Instant::ZERO),
            State::Ended | State::Empty => (4, Instant::ZERO),
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
        self.tell(Told::Work);
        match told {
            Told::Pause => Step::Owe(Action::Resume { slot: self.id(), pid }),
            Told::Work | Told::Deaf { .. } => REST,
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
                Some(self.ended(exit, failed, policy, share, now))
            }
            State::Running { .. } | State::Stopping { .. } => Some(self.settled(now)),
            State::Killed { .. } => {
                let settled = self.settled(now);
                let of_that = matches!(exit, Exit::Signal { signal: Signal::KILL, .. });
                Some(if of_that { Loss::Killed } else { settled })
            }
            State::Empty | State::Due { .. } | State::Starting | State::Ended => None,
        }
    }

    /// Decides what follows a worker that ended by itself.
    fn ended(&mut self, exit: Exit, failed: bool, policy: &Policy, share: Share, now: Instant) -> Loss {
        let successor = match policy.restart {
            Restart::Always => true,
            Restart::OnFailure => !exit.is_success(),
            Restart::Never => false,
        };
        if !successor {
            self.state = State::Ended;
            Loss::Ended
        } else if failed {
            self.failures = self.failures.saturating_add(1);
            let backoff = Backoff { min: policy.backoff_min, max: policy.backoff_max };
            self.state = State::Due { at: now.after(spread(backoff.delay(self.failures), share)) };
            Loss::Failed
        } else {
            self.settled(now)
        }
    }

    /// Ends the row of failed starts.
    const fn settled(&mut self, now: Instant) -> Loss {
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

/// Gives the earlier of two deadlines.
pub(super) fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}
