//! What must hold: at each action, at each exit, and whenever the pool wants to wait.

use cantella::pool::{Action, Exit, Instant, Outcome, Phase, Pid, Slot, SlotId, State, Why};

use super::process::{KILLED, Pause, Process};
use super::wish::Wish;
use super::world::World;

impl World<'_> {
    /// The table and the kernel agree on who lives.
    pub(super) fn check_table(&self) {
        assert_eq!(self.pool.live(), self.processes.len());
        assert_eq!(self.pool.ignored(), self.ledger.nonsense);
        for process in &self.processes {
            assert_eq!(self.pool.find(process.pid), Some(process.slot));
            assert_eq!(self.slot(process.slot).started(), Some(process.born));
        }
    }

    pub(super) fn check_action(&mut self, action: Action) {
        match action {
            Action::Spawn { slot } => self.check_spawn(slot),
            Action::Stop { slot, pid, why } => self.check_stop(slot, pid, why),
            Action::Kill { slot, pid } => self.check_kill(slot, pid),
            Action::Pause { slot, pid } => self.check_pause(slot, pid),
            Action::Resume { slot, pid } => self.check_resume(slot, pid),
            Action::Wait { until } => {
                self.check_wait(until);
                self.poll_again(action);
            }
            Action::Finish { outcome } => {
                self.check_finish(outcome);
                self.poll_again(action);
            }
        }
    }

    fn check_spawn(&self, slot: SlotId) {
        let ledger = &self.ledger;
        assert_eq!(ledger.wish, Wish::Run, "a birth in a pause or a stop");
        let there = self.processes.len() + self.births.len();
        assert!(there < usize::from(ledger.policy.workers), "{there} are there already");
        assert_eq!(slot.generation, ledger.births[usize::from(slot.index)] + 1);
        assert!(self.processes.iter().all(|process| process.slot.index != slot.index), "{slot:?} is taken");
        assert!(ledger.held_until() <= self.now, "fork was refused a moment ago");
    }

    fn check_stop(&mut self, slot: SlotId, pid: Pid, why: Why) {
        let born = self.check_unasked(slot, pid);
        let (now, ledger) = (self.now, &mut self.ledger);
        match why {
            Why::Drain => {
                assert!(ledger.wish.is_stop());
                assert!(ledger.wish.kill_at().is_none_or(|at| at > now), "asked when it was to be killed");
            }
            Why::Shrink => assert!(!ledger.wish.is_stop()),
            Why::Retire => {
                assert_eq!(ledger.wish, Wish::Run, "a retirement in a pause or a stop");
                assert!(ledger.retiring.is_none() || ledger.maybe_over, "two retirements at once");
                let age = ledger.policy.max_age.expect("an age limit");
                let least = age.saturating_sub(age * u32::from(ledger.policy.max_age_jitter) / 100);
                assert!(now.since(born) >= least, "too young to retire");
                ledger.retiring = Some(slot.index);
                ledger.maybe_over = false;
            }
        }
    }

    fn check_kill(&self, slot: SlotId, pid: Pid) {
        let process = self.process(pid);
        assert!(process.slot == slot && !process.killed, "killed twice");
        let kill_at = self.ledger.kill_at(process);
        assert!(kill_at.is_some_and(|at| at <= self.now), "killed before its time: {kill_at:?}");
    }

    fn check_pause(&self, slot: SlotId, pid: Pid) {
        let born = self.check_unasked(slot, pid);
        assert!(matches!(self.ledger.wish, Wish::Pause { .. }));
        let grown = born.after(self.ledger.policy.min_uptime);
        match self.process(pid).pause {
            Pause::Working | Pause::Deaf { since: None } => {}
            Pause::Paused => panic!("told to pause twice"),
            Pause::Deaf { since: Some(since) } => {
                assert!(since < grown && grown <= self.now, "asked again too soon, or too often");
            }
        }
    }

    fn check_resume(&self, slot: SlotId, pid: Pid) {
        self.check_unasked(slot, pid);
        assert_eq!(self.ledger.wish, Wish::Run);
        assert_eq!(self.process(pid).pause, Pause::Paused, "told to go on without a pause");
    }

    /// The process is there, is the one that is meant, and was not asked to end. Gives its birth.
    fn check_unasked(&self, slot: SlotId, pid: Pid) -> Instant {
        let process = self.process(pid);
        assert_eq!(process.slot, slot);
        assert!(process.asked.is_none() && !process.killed, "it was asked to end before");
        process.born
    }

    fn check_finish(&self, outcome: Outcome) {
        assert!(self.processes.is_empty() && self.births.is_empty(), "somebody is left");
        assert_eq!(outcome, self.ledger.outcome());
        let ended = self.pool.slots().iter().filter(|slot| slot.state() == State::Ended).count();
        assert_eq!(ended, if self.ledger.wish.is_stop() { 0 } else { self.ledger.policy.workers.into() });
    }

    fn check_wait(&mut self, until: Option<Instant>) {
        assert!(until.is_none_or(|until| until > self.now), "a wake-up that is over");
        assert!(!self.processes.is_empty() || !self.births.is_empty() || self.is_due(), "nothing to wait for");
        for process in &self.processes {
            self.check_waiting(process, until);
        }
        match self.ledger.wish {
            Wish::Run => self.check_running(until),
            Wish::Pause { until: end } => assert!(end.is_none_or(|end| wakes(until, end)), "a pause without end"),
            Wish::Stop { .. } => assert!(!self.is_due(), "a birth in a stop"),
        }
    }

    /// Nothing is owed to a process before the wake-up.
    fn check_waiting(&self, process: &Process, until: Option<Instant>) {
        if process.killed {
            return;
        }
        let kill_at = self.ledger.kill_at(process);
        assert!(kill_at.is_none_or(|at| at > self.now && wakes(until, at)), "not killed in time: {kill_at:?}");
        if process.asked.is_some() {
            return;
        }
        let grown = process.born.after(self.ledger.policy.min_uptime);
        match (self.ledger.wish, process.pause) {
            (Wish::Stop { .. }, _) => panic!("not asked to end"),
            (Wish::Run, pause) => assert_ne!(pause, Pause::Paused, "not told to go on"),
            (Wish::Pause { .. }, Pause::Working) => panic!("not told to pause"),
            (Wish::Pause { .. }, Pause::Deaf { since: Some(since) }) if since < grown => {
                assert!(wakes(until, grown), "not looked at again");
            }
            (Wish::Pause { .. }, Pause::Paused | Pause::Deaf { .. }) => {}
        }
    }

    /// Whoever is due is born, and whoever is too old retires, before the wake-up or by it.
    fn check_running(&mut self, until: Option<Instant>) {
        let there = self.processes.len() + self.births.len();
        if there < usize::from(self.ledger.policy.workers) {
            for due in self.pool.slots().iter().filter_map(Slot::due) {
                let at = due.max(self.ledger.held_until());
                assert!(at > self.now && wakes(until, at), "a birth is missed");
            }
        }
        if self.ledger.retiring.is_some_and(|index| self.pool.slots()[usize::from(index)].state() == State::Empty) {
            self.ledger.end_retirement();
        }
        if let (None, Some(age)) = (self.ledger.retiring, self.ledger.policy.max_age) {
            for process in self.processes.iter().filter(|process| process.asked.is_none() && !process.killed) {
                let limit = process.born.after(age);
                assert!(limit > self.now && wakes(until, limit), "a retirement is missed");
            }
        }
        for process in &mut self.processes {
            process.pause = Pause::Working;
        }
    }

    fn is_due(&self) -> bool {
        self.pool.slots().iter().any(|slot| slot.due().is_some())
    }

    /// The slot of a process that was reaped goes on as it must.
    pub(super) fn check_exit(&mut self, process: &Process, exit: Exit, failures: u32) {
        let (now, slot) = (self.now, *self.slot(process.slot));
        let asked = process.asked.is_some() || process.killed;
        let young = now.since(process.born) < self.ledger.policy.min_uptime;
        let follows = self.ledger.follows(exit);
        let failed = follows && !asked && (young || process.exec_fails);
        self.ledger.forced |= self.ledger.wish.is_stop() && process.killed && exit == KILLED;
        match slot.state() {
            State::Empty if self.gave_up_now() => {
                assert!(failed, "gave up for nothing");
                self.ledger.failed_starts.push(now);
                assert!(self.ledger.is_too_much(now), "gave up too soon");
                self.ledger.give_up(now);
            }
            State::Empty => {}
            State::Ended => {
                assert!(!asked && !follows && !self.ledger.wish.is_stop(), "a successor is owed");
                self.ledger.note_end(exit);
            }
            State::Due { at } if failed => {
                assert_eq!(slot.failures(), failures + 1);
                self.check_delay(slot.failures(), at);
                self.ledger.failed_starts.push(now);
                assert!(!self.ledger.is_too_much(now), "did not give up");
            }
            State::Due { at } => {
                assert!((asked || follows) && !self.ledger.wish.is_stop(), "no successor is owed");
                assert_eq!((at, slot.failures()), (now, 0));
            }
            State::Starting | State::Running { .. } | State::Stopping { .. } | State::Killed { .. } => {
                panic!("reaped, but {:?}", slot.state());
            }
        }
    }

    const fn gave_up_now(&self) -> bool {
        let stopping = matches!(self.pool.phase(), Phase::Stopping { outcome: Outcome::GaveUp, .. });
        stopping && !self.ledger.wish.is_stop()
    }

    fn check_delay(&self, failures: u32, at: Instant) {
        let policy = &self.ledger.policy;
        let delay = policy.backoff_min.saturating_mul(1 << (failures - 1).min(20)).min(policy.backoff_max);
        let range = self.now.after(delay * 9 / 10)..=self.now.after(delay * 11 / 10);
        assert!(range.contains(&at), "the delay after {failures} failures is {:?}", at.since(self.now));
    }

    /// In calm weather the pool has come to its size, and sleeps.
    pub(super) fn check_at_rest(&self, due: Option<Instant>) {
        let mut there = 0;
        for slot in self.pool.slots() {
            match slot.state() {
                State::Empty => {}
                State::Running { .. } | State::Ended => there += 1,
                State::Due { .. } | State::Starting | State::Stopping { .. } | State::Killed { .. } => {
                    panic!("no rest for {slot:?}");
                }
            }
        }
        assert_eq!(there, usize::from(self.ledger.policy.workers));
        assert_eq!(due, None, "a wake-up for nothing");
    }
}

/// Whether a wait ends by a deadline.
fn wakes(until: Option<Instant>, deadline: Instant) -> bool {
    until.is_some_and(|until| until <= deadline)
}
