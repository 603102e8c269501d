//! A second account of all that happened, kept without a look at the pool.

use core::time::Duration;

use cantella::pool::{Exit, Instant, Outcome, Policy, Request, Restart, SlotId};

use super::process::Process;
use super::wish::Wish;

pub(super) struct Ledger {
    /// As requests have changed it.
    pub(super) policy: Policy,
    pub(super) wish: Wish,
    /// How many workers each slot has had.
    pub(super) births: Vec<u32>,
    /// The slot in which a retirement is under way.
    pub(super) retiring: Option<u16>,
    /// Whether that retirement may be over because its slot was given up.
    pub(super) maybe_over: bool,
    refusals: u32,
    refused: Instant,
    pub(super) failed_starts: Vec<Instant>,
    pub(super) first_failure: Option<Exit>,
    pub(super) forced: bool,
    pub(super) nonsense: u64,
}

impl Ledger {
    pub(super) fn new(policy: Policy, rows: usize) -> Self {
        Self {
            policy,
            wish: Wish::Run,
            births: vec![0; rows],
            retiring: None,
            maybe_over: false,
            refusals: 0,
            refused: Instant::ZERO,
            failed_starts: Vec::new(),
            first_failure: None,
            forced: false,
            nonsense: 0,
        }
    }

    pub(super) fn note_request(&mut self, request: Request, rows: usize, now: Instant) {
        self.wish = self.wish.asked(request, &self.policy, now).at(now);
        match request {
            Request::Resize { workers } if !self.wish.is_stop() => {
                let rows = u16::try_from(rows).expect("a small table");
                let workers = workers.clamp(1, rows);
                self.maybe_over |= workers < self.policy.workers;
                self.policy.workers = workers;
            }
            Request::MaxAge { age } => self.policy.max_age = age,
            Request::Resize { .. } | Request::Pause { .. } | Request::Resume { .. } | Request::Stop | Request::Kill => {
            }
        }
    }

    pub(super) fn note_birth(&mut self, slot: SlotId) {
        self.refusals = 0;
        self.births[usize::from(slot.index)] += 1;
        if self.retiring == Some(slot.index) {
            self.end_retirement();
        }
    }

    pub(super) const fn note_refusal(&mut self, now: Instant) {
        self.refusals += 1;
        self.refused = now;
    }

    pub(super) const fn end_retirement(&mut self) {
        self.retiring = None;
        self.maybe_over = false;
    }

    pub(super) fn give_up(&mut self, now: Instant) {
        let kill_at = self.policy.stop_timeout.map(|timeout| now.after(timeout));
        self.wish = Wish::Stop { kill_at, asked: false, gave_up: true };
    }

    pub(super) fn note_end(&mut self, exit: Exit) {
        if exit != Exit::Code(0) {
            self.first_failure.get_or_insert(exit);
        }
    }

    /// When births are tried again.
    pub(super) fn held_until(&self) -> Instant {
        let doublings = self.refusals.saturating_sub(1).min(6);
        let millis = if self.refusals == 0 { 0 } else { (100 << doublings).min(5_000) };
        self.refused.after(Duration::from_millis(millis))
    }

    pub(super) fn follows(&self, exit: Exit) -> bool {
        match self.policy.restart {
            Restart::Always => true,
            Restart::OnFailure => exit != Exit::Code(0),
            Restart::Never => false,
        }
    }

    pub(super) fn is_too_much(&self, now: Instant) -> bool {
        self.policy.give_up.is_some_and(|limit| {
            let recent = self.failed_starts.iter().filter(|at| now.since(**at) <= limit.within);
            recent.count() > usize::from(limit.failures)
        })
    }

    pub(super) fn kill_at(&self, process: &Process) -> Option<Instant> {
        let own = process.asked.and_then(|asked| self.policy.stop_timeout.map(|timeout| asked.after(timeout)));
        own.into_iter().chain(self.wish.kill_at()).min()
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.wish {
            Wish::Run | Wish::Pause { .. } => Outcome::Completed { exit: self.first_failure.unwrap_or(Exit::Code(0)) },
            Wish::Stop { gave_up: true, .. } => Outcome::GaveUp,
            Wish::Stop { gave_up: false, .. } if self.forced => Outcome::Forced,
            Wish::Stop { gave_up: false, .. } => Outcome::Drained,
        }
    }
}
