//! DECIDE: what a pool of workers owes its users, from news and a clock alone. No I/O, no clock, no unsafe.
//!
//! A [`Pool`] is told what happened by [`Pool::handle`]; what is to be done comes out of [`Pool::poll`], which is asked
//! until it says [`Action::Wait`] or [`Action::Finish`]. Nothing is queued in between: each action is derived from the
//! table of [`Slot`]s, so that nothing overflows, a lost wake-up costs nothing and one poll too many changes nothing.
//!
//! ```text
//!                 Spawn handed out         Spawned            Stop handed out         Kill handed out
//! Empty <--> Due ------------------> Starting ----> Running ----------------> Stopping ------------> Killed
//!             ^ <----- SpawnFailed ----'               |                          |                     |
//!             '------------ Exited (a successor is owed: at once, or after a delay) -------- Exited ----'
//! ```
//!
//! A worker that ends by itself and is owed no successor leaves its slot `Ended`; where no worker is wanted any more,
//! an end leaves it `Empty`.

mod backoff;
mod chance;
mod clock;
mod failures;
mod news;
mod phase;
mod policy;
mod slot;
mod state;
mod survey;

pub use clock::Clock;
pub use news::{Action, Exit, Instant, News, Outcome, Pid, Request, Signal, SlotId, Why, sooner};
pub use phase::Phase;
pub use policy::{GiveUp, Policy, PolicyError, Restart};
pub use slot::Slot;
pub use state::{State, Told};

use core::time::Duration;

use backoff::Backoff;
use chance::Random;
use failures::Failures;
use slot::{Loss, Step};
use survey::{Survey, Turn};

/// The workers of one policy, and what is owed to them.
///
/// News that fits no state (of a worker that is gone, or never was) is counted and otherwise ignored.
#[derive(Debug)]
pub struct Pool<'a> {
    slots: &'a mut [Slot],
    policy: Policy,
    phase: Phase,
    failures: Failures<'a>,
    /// How often in a row fork(2) was refused, and when it is tried again.
    fork_failures: u32,
    fork_at: Instant,
    random: Random,
    /// The first exit that was no success among those that got no successor.
    first_failure: Option<Exit>,
    ignored: u64,
}

impl<'a> Pool<'a> {
    /// Lays a pool into lent storage: a slot for each worker that there can ever be, and room in `window` for as many
    /// failed starts as `policy.give_up` allows. The first workers are owed at `now`.
    ///
    /// `seed` determines every draw (of delays and age limits).
    ///
    /// # Errors
    /// What [`Policy::check`] finds, and [`PolicyError::GiveUp`] where `window` is too short.
    pub fn new(
        slots: &'a mut [Slot],
        window: &'a mut [Instant],
        policy: Policy,
        seed: u64,
        now: Instant,
    ) -> Result<Self, PolicyError> {
        policy.check(slots.len())?;
        let failures = Failures::new(window, policy.give_up)?;
        // A slot's index has 16 bits: what is lent beyond them is left alone.
        let rows = slots.len().min(1 << u16::BITS);
        let slots = slots.get_mut(..rows).unwrap_or_default();
        for (slot, index) in slots.iter_mut().zip(0..=u16::MAX) {
            *slot = Slot::new(index);
            if index < policy.workers {
                slot.want(now);
            }
        }
        Ok(Self {
            slots,
            policy,
            phase: Phase::Running,
            failures,
            fork_failures: 0,
            fork_at: Instant::ZERO,
            random: Random::new(seed),
            first_failure: None,
            ignored: 0,
        })
    }

    /// Takes in what happened. The pool is to be polled afterwards.
    pub fn handle(&mut self, news: News, now: Instant) {
        self.phase.advance(now);
        let fits = match news {
            News::Spawned { slot, pid } => self.spawned(slot, pid, now),
            News::SpawnFailed { slot } => self.spawn_failed(slot, now),
            News::ExecFailed { slot } => named(self.slots, slot).is_some_and(Slot::exec_failed),
            News::Deaf { slot } => {
                let min_uptime = self.policy.min_uptime;
                named(self.slots, slot).is_some_and(|slot| slot.deaf(min_uptime, now))
            }
            News::Exited { slot, exit } => self.exited(slot, exit, now),
            News::Request(request) => self.asked(request, now),
        };
        if !fits {
            self.ignored = self.ignored.saturating_add(1);
        }
    }

    /// Gives the next thing to be done. To be called until it gives [`Action::Wait`] or [`Action::Finish`].
    pub fn poll(&mut self, now: Instant) -> Action {
        self.phase.advance(now);
        let mut survey = Survey::default();
        for slot in self.slots.iter_mut() {
            match slot.step(&self.phase, &self.policy, now) {
                Step::Owe(action) => return action,
                Step::Rest { until } => survey.note(slot, until, &self.policy),
            }
        }
        self.finish(&survey);
        if let Phase::Finished { outcome } = self.phase {
            return Action::Finish { outcome };
        }
        let birth = self.next_birth(&survey);
        let retirement = self.next_retirement(&survey);
        if let Some(action) = whose(self.slots, birth, now).map(Slot::spawn) {
            return action;
        }
        if let Some(action) = whose(self.slots, retirement, now).and_then(|slot| slot.retire(&self.policy, now)) {
            return action;
        }
        let deadlines = [survey.until, self.phase.until(), birth.map(|turn| turn.at), retirement.map(|turn| turn.at)];
        Action::Wait { until: deadlines.into_iter().fold(None, sooner) }
    }

    /// Finds the live worker that is this process.
    #[must_use]
    pub fn find(&self, pid: Pid) -> Option<SlotId> {
        self.slots.iter().find(|slot| slot.pid() == Some(pid)).map(Slot::id)
    }

    /// Gives one row of the table.
    #[must_use]
    pub fn slot(&self, index: u16) -> Option<&Slot> {
        self.slots.get(usize::from(index))
    }

    /// Gives the whole table, in the order of the slots' indices.
    #[must_use]
    pub const fn slots(&self) -> &[Slot] {
        self.slots
    }

    /// Counts the live workers: those that were spawned and not yet reaped.
    #[must_use]
    pub fn live(&self) -> usize {
        count(self.slots, |slot| slot.pid().is_some())
    }

    /// Tells what the whole pool is doing.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Gives the policy, as requests have changed it.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Counts how often in a row fork(2) was refused up to now.
    #[must_use]
    pub const fn fork_failures(&self) -> u32 {
        self.fork_failures
    }

    /// Counts the news that fitted no state; a doer that keeps its word never causes any.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    fn spawned(&mut self, id: SlotId, pid: Pid, now: Instant) -> bool {
        let share = self.random.share();
        let fits = named(self.slots, id).is_some_and(|slot| slot.spawned(pid, share, now));
        if fits {
            self.fork_failures = 0;
            self.fork_at = now;
        }
        fits
    }

    fn spawn_failed(&mut self, id: SlotId, now: Instant) -> bool {
        let fits = named(self.slots, id).is_some_and(|slot| slot.spawn_failed(now));
        if fits {
            self.fork_failures = self.fork_failures.saturating_add(1);
            self.fork_at = now.after(Backoff::FORK.delay(self.fork_failures));
        }
        fits
    }

    fn exited(&mut self, id: SlotId, exit: Exit, now: Instant) -> bool {
        let share = self.random.share();
        let loss = named(self.slots, id).and_then(|slot| slot.exited(exit, &self.policy, share, now));
        match loss {
            None => return false,
            Some(Loss::Settled) => {}
            Some(Loss::Killed) => self.phase.force(),
            Some(Loss::Failed) => {
                if self.failures.note(now) {
                    self.phase.give_up(self.policy.kill_at(now));
                    self.dismiss();
                }
            }
            Some(Loss::Ended) => {
                self.first_failure = self.first_failure.or_else(|| (!exit.is_success()).then_some(exit));
            }
        }
        true
    }

    fn asked(&mut self, request: Request, now: Instant) -> bool {
        match request {
            Request::Pause { until } => self.phase.pause(until, now),
            Request::Resume { at } => self.phase.resume(at, now),
            Request::Stop => {
                self.phase.stop(self.policy.kill_at(now), now);
                self.dismiss();
            }
            Request::Kill => {
                self.phase.kill(now);
                self.dismiss();
            }
            Request::Resize { workers } => self.resize(workers, now),
            // At an age of nothing nobody could live.
            Request::MaxAge { age: Some(Duration::ZERO) } => return false,
            Request::MaxAge { age } => self.policy.max_age = age,
        }
        true
    }

    /// Wants no worker at all any more; those that are left are asked to end by the next polls.
    fn dismiss(&mut self) {
        for slot in self.slots.iter_mut() {
            slot.unwant();
        }
    }

    /// Wants so many workers from now on. Those least missed go first, those that would be missed most come back first.
    fn resize(&mut self, workers: u16, now: Instant) {
        if self.phase.is_final() {
            return;
        }
        let rows = u16::try_from(self.slots.len()).unwrap_or(u16::MAX);
        let workers = workers.min(rows).max(1);
        let wanted = count(self.slots, Slot::is_wanted);
        let less = wanted > usize::from(workers);
        for _ in 0..wanted.abs_diff(usize::from(workers)) {
            match candidate(self.slots, less) {
                Some(slot) if less => slot.unwant(),
                Some(slot) => slot.want(now),
                None => {}
            }
        }
        self.policy.workers = workers;
    }

    /// Ends the pool where nobody is left and nobody will come.
    fn finish(&mut self, survey: &Survey) {
        if survey.occupied > 0 || survey.birth.is_some() {
            return;
        }
        let outcome = match self.phase {
            Phase::Running | Phase::Paused { .. } => {
                Outcome::Completed { exit: self.first_failure.unwrap_or(Exit::Code(0)) }
            }
            Phase::Stopping { outcome, .. } | Phase::Finished { outcome } => outcome,
        };
        self.phase = Phase::Finished { outcome };
    }

    /// Tells who is spawned next, and when: never more than are wanted, counting those that are still going.
    fn next_birth(&self, survey: &Survey) -> Option<Turn> {
        let room = survey.occupied < usize::from(self.policy.workers);
        match self.phase {
            Phase::Running if room => survey.birth.map(|turn| Turn { at: turn.at.max(self.fork_at), ..turn }),
            Phase::Running | Phase::Paused { .. } | Phase::Stopping { .. } | Phase::Finished { .. } => None,
        }
    }

    /// Tells who is retired next, and when: one at a time.
    const fn next_retirement(&self, survey: &Survey) -> Option<Turn> {
        match self.phase {
            Phase::Running if !survey.retiring => survey.retirement,
            Phase::Running | Phase::Paused { .. } | Phase::Stopping { .. } | Phase::Finished { .. } => None,
        }
    }
}

/// Counts slots; unlike the iterator's method of that name, this cannot overflow.
fn count(slots: &[Slot], fits: impl Fn(&Slot) -> bool) -> usize {
    slots.iter().fold(0, |count, slot| if fits(slot) { count.saturating_add(1) } else { count })
}

/// Finds the slot that is next to change, of those where a worker is `wanted` or of the others. Of two that are missed
/// alike the last goes first, and the first comes back first.
fn candidate(slots: &mut [Slot], wanted: bool) -> Option<&mut Slot> {
    let mut found: Option<&mut Slot> = None;
    for slot in slots.iter_mut().filter(|slot| slot.is_wanted() == wanted) {
        let is_less = |other: &Slot| slot.state().dispensable() < other.state().dispensable();
        if found.as_deref().is_none_or(|found| is_less(found) != wanted) {
            found = Some(slot);
        }
    }
    found
}

/// Finds the slot in which a worker is, or is being started, under this very name.
fn named(slots: &mut [Slot], id: SlotId) -> Option<&mut Slot> {
    slots.get_mut(usize::from(id.index)).filter(|slot| slot.id() == id)
}

/// Finds the slot whose turn it is, if the turn has come.
fn whose(slots: &mut [Slot], turn: Option<Turn>, now: Instant) -> Option<&mut Slot> {
    let turn = turn.filter(|turn| turn.at <= now)?;
    slots.get_mut(usize::from(turn.index))
}
