//! One pool's life on a simulated kernel, driven as a manager would: time passes, news comes, actions are carried out.

use core::fmt::Debug;
use core::time::Duration;

use cantella::pool::{Action, Clock, Exit, GiveUp, Instant, News, Pid, Policy, Pool, Request, Restart, Slot, SlotId};

use super::coverage::Coverage;
use super::dice::Dice;
use super::ledger::Ledger;
use super::process::{Mood, Pause, Process};
use super::wish::Wish;

/// The most rows a table has.
const ROWS: u64 = 8;

/// Few process ids, so that each is soon in use again.
const PIDS: u64 = 30;

pub(super) struct World<'a> {
    dice: &'a mut Dice,
    coverage: &'a mut Coverage,
    pub(super) pool: Pool<'a>,
    clock: Clock,
    raw: Instant,
    pub(super) now: Instant,
    /// The wake-up that the pool asked for; `None` also where the manager did not let it say so.
    due: Option<Instant>,
    /// The children that are not reaped, dead or alive.
    pub(super) processes: Vec<Process>,
    /// Births that were handed out and not answered.
    pub(super) births: Vec<SlotId>,
    pub(super) ledger: Ledger,
    mood: Mood,
    /// Whether somebody tells nonsense.
    noisy: bool,
    /// Whether all that happens is printed.
    aloud: bool,
    events_left: u32,
    over: bool,
}

fn throw_policy(dice: &mut Dice, rows: u64) -> Policy {
    let millis = Duration::from_millis;
    let limits = [(0, 1_000), (2, 1_000), (3, 10_000), (16, 60_000)];
    let (failures, within) = dice.pick(&limits);
    let (backoff_min, backoff_max) = dice.pick(&[(0, 0), (10, 100), (100, 30_000), (1_000, 1_000)]);
    Policy {
        workers: u16::try_from(1 + dice.below(rows)).expect("a small number"),
        max_age: dice.pick(&[None, Some(millis(1)), Some(millis(3_000)), Some(millis(60_000))]),
        max_age_jitter: dice.pick(&[0, 10, 100]),
        restart: dice.pick(&[Restart::Always, Restart::Always, Restart::OnFailure, Restart::Never]),
        min_uptime: millis(dice.pick(&[0, 1_000, 1_000, 2_000])),
        backoff_min: millis(backoff_min),
        backoff_max: millis(backoff_max),
        give_up: dice.percent(30).then_some(GiveUp { failures, within: millis(within) }),
        stop_timeout: dice.pick(&[None, Some(millis(0)), Some(millis(100)), Some(millis(10_000))]),
    }
}

impl World<'_> {
    /// Lives one pool's life with at most about so many events, and gives how many are left.
    pub(super) fn live(dice: &mut Dice, coverage: &mut Coverage, events_left: u32, aloud: bool) -> u32 {
        let rows = 1 + dice.below(ROWS);
        let policy = throw_policy(dice, rows);
        let mut slots = vec![Slot::EMPTY; usize::try_from(rows).expect("a small number")];
        let mut window = [Instant::ZERO; 16];
        let start = Instant::ZERO.after(dice.within_millis(100_000));
        let pool = Pool::new(&mut slots, &mut window, policy, dice.below(u64::MAX), start).expect("a good policy");
        let mut world = World {
            mood: Mood::throw(dice),
            noisy: dice.percent(25),
            dice,
            coverage,
            pool,
            clock: Clock::new(start),
            raw: start,
            now: start,
            due: None,
            processes: Vec::new(),
            births: Vec::new(),
            ledger: Ledger::new(policy, usize::try_from(rows).expect("a small number")),
            aloud,
            events_left,
            over: false,
        };
        world.tell_aloud(&policy);
        while world.events_left > 0 && !world.over {
            world.turn();
        }
        world.end();
        world.events_left
    }

    /// Comes to rest where it can, then stops. Both must come to an end.
    fn end(&mut self) {
        self.mood = Mood::CALM;
        self.noisy = false;
        if self.dice.percent(50) {
            self.come_to_rest();
        }
        if !self.over && !self.ledger.wish.is_stop() {
            self.tell(News::Request(Request::Stop));
        }
        for _ in 0..200 {
            self.calm_turn();
        }
        // One more for a pool that gave up by itself, and one to kill those who ignore the first and have for ever.
        for _ in 0..2 {
            if !self.over {
                self.tell(News::Request(Request::Stop));
            }
        }
        for _ in 0..20 {
            self.calm_turn();
        }
        assert!(self.over, "a stop that never ends: {:?}", self.pool);
    }

    fn come_to_rest(&mut self) {
        let now = self.now;
        self.processes.iter_mut().for_each(|process| process.calm(now));
        self.tell(News::Request(Request::MaxAge { age: None }));
        self.tell(News::Request(Request::Resume { at: None }));
        for _ in 0..200 {
            self.calm_turn();
        }
        if !self.over && !self.ledger.wish.is_stop() {
            self.check_at_rest(self.due);
        }
    }

    fn calm_turn(&mut self) {
        if self.over {
            return;
        }
        let step = self.due.map_or(Duration::from_secs(1), |due| due.since(self.now));
        self.pass(step);
        self.answer_births(100);
        self.reap(usize::MAX);
        self.work(1_000);
    }

    /// One turn of the manager's loop, in bad weather.
    fn turn(&mut self) {
        let step = self.throw_step();
        self.pass(step);
        if self.dice.percent(5) {
            self.mood.forks_are_refused = !self.mood.forks_are_refused;
        }
        self.answer_births(70);
        self.make_requests();
        self.report_execs();
        let reaped = self.dice.pick(&[0, 0, 1, 2, usize::MAX, usize::MAX, usize::MAX]);
        self.reap(reaped);
        if self.noisy {
            self.tell_nonsense();
        }
        let polls = self.dice.pick(&[1, 3, 1_000, 1_000, 1_000, 1_000]);
        self.work(polls);
    }

    /// Mostly until the wake-up, seldom far beyond it.
    fn throw_step(&mut self) -> Duration {
        let gap = self.due.map(|due| due.since(self.now));
        match self.dice.below(10) {
            0..=4 => gap.unwrap_or(Duration::from_secs(1)),
            5..=8 => {
                let scale = self.dice.pick(&[1, 200, 5_000, 100_000]);
                let step = self.dice.within_millis(scale);
                gap.map_or(step, |gap| step.min(gap + Duration::from_millis(900)))
            }
            _ => gap.unwrap_or_default() + self.dice.within_millis(20_000),
        }
    }

    fn pass(&mut self, step: Duration) {
        let (before, due) = (self.now, self.due);
        self.raw = self.raw.after(step);
        self.now = self.clock.turn(self.raw, due);
        let overslept = due.is_some_and(|due| before.after(step).since(due) > Clock::PATIENCE);
        let expected = if overslept { before } else { before.after(step) };
        assert_eq!(self.now, expected, "after {step:?} with {due:?} due");
        self.ledger.wish = self.ledger.wish.at(self.now);
    }

    fn make_requests(&mut self) {
        let count = if self.dice.percent(2) { self.dice.below(10) } else { self.dice.below(100) / 80 };
        for _ in 0..count {
            let request = self.throw_request();
            self.tell(News::Request(request));
        }
    }

    fn throw_request(&mut self) -> Request {
        let soon = self.now.after(self.dice.within_millis(5_000));
        let at = self.dice.pick(&[None, Some(soon), Some(Instant::ZERO)]);
        match self.dice.below(100) {
            0..30 => Request::Pause { until: at },
            30..60 => Request::Resume { at },
            60..85 => Request::Resize { workers: self.dice.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, u16::MAX]) },
            85..97 => Request::MaxAge { age: self.dice.pick(&[None, Some(2), Some(30)]).map(Duration::from_secs) },
            97..99 => Request::Stop,
            _ => Request::Kill,
        }
    }

    /// Answers births that are still open, so many of a hundred.
    fn answer_births(&mut self, often: u64) {
        for slot in self.births.clone() {
            if self.dice.percent(often) {
                self.answer_birth(slot);
            }
        }
    }

    fn answer_birth(&mut self, slot: SlotId) {
        self.births.retain(|birth| *birth != slot);
        if self.mood.forks_are_refused {
            self.ledger.note_refusal(self.now);
            self.tell(News::SpawnFailed { slot });
        } else {
            let pid = self.free_pid();
            let process = Process::birth(self.dice, self.mood, pid, slot, self.now);
            self.processes.push(process);
            self.ledger.note_birth(slot);
            self.tell(News::Spawned { slot, pid });
        }
    }

    fn free_pid(&mut self) -> Pid {
        let first = self.dice.below(PIDS);
        let mut pids = (first..first + PIDS).map(|number| {
            let number = i32::try_from(2 + number % PIDS).expect("a small number");
            Pid::new(number).expect("a positive number")
        });
        pids.find(|pid| self.processes.iter().all(|process| process.pid != *pid)).expect("fewer processes than ids")
    }

    fn report_execs(&mut self) {
        for index in 0..self.processes.len() {
            if self.dice.percent(30) {
                self.report_exec(index);
            }
        }
    }

    fn report_exec(&mut self, index: usize) {
        let process = &mut self.processes[index];
        if process.exec_fails && !process.exec_told {
            process.exec_told = true;
            let slot = process.slot;
            self.tell(News::ExecFailed { slot });
        }
    }

    /// Reaps at most so many of the dead.
    fn reap(&mut self, most: usize) {
        for _ in 0..most {
            let now = self.now;
            let dead = |process: &Process| process.ended(now).is_some();
            let Some(index) = self.processes.iter().position(dead) else { return };
            self.report_exec(index);
            let process = self.processes.swap_remove(index);
            self.exited(&process);
        }
    }

    fn exited(&mut self, process: &Process) {
        let exit = process.ended(self.now).unwrap_or(Exit::Code(0));
        let failures = self.slot(process.slot).failures();
        self.tell(News::Exited { slot: process.slot, exit });
        self.check_exit(process, exit, failures);
    }

    /// Tells something that fits nobody; that is counted and changes nothing.
    fn tell_nonsense(&mut self) {
        let index = u16::try_from(self.dice.below(ROWS + 1)).expect("a small number");
        let generation = self.pool.slot(index).map_or(1, |slot| slot.id().generation);
        let generation = self.dice.pick(&[generation, generation, generation.wrapping_sub(1), generation + 1]);
        let slot = SlotId { index, generation };
        let (born, lives) = (self.births.contains(&slot), self.processes.iter().any(|process| process.slot == slot));
        let pid = self.free_pid();
        let (news, fits) = match self.dice.below(5) {
            0 => (News::Spawned { slot, pid }, born),
            1 => (News::SpawnFailed { slot }, born),
            2 => (News::ExecFailed { slot }, lives),
            3 => (News::Deaf { slot }, lives),
            _ => (News::Exited { slot, exit: Exit::Code(1) }, lives),
        };
        if !fits {
            self.ledger.nonsense += 1;
            let before = self.pool.slots().to_vec();
            self.tell(news);
            assert_eq!(self.pool.slots(), before, "changed by {news:?}");
        }
    }

    fn tell_aloud(&self, what: &dyn Debug) {
        if self.aloud {
            println!("{:>12} ms  {what:?}", self.now.as_nanos() / 1_000_000);
        }
    }

    pub(super) fn tell(&mut self, news: News) {
        self.tell_aloud(&news);
        let named = match news {
            News::Spawned { slot, .. }
            | News::SpawnFailed { slot }
            | News::ExecFailed { slot }
            | News::Deaf { slot }
            | News::Exited { slot, .. } => Some(slot.index),
            News::Request(request) => {
                self.ledger.note_request(request, self.pool.slots().len(), self.now);
                None
            }
        };
        for slot in self.pool.slots().iter().filter(|slot| named.is_none_or(|index| index == slot.id().index)) {
            self.coverage.note(slot.state(), &news);
        }
        self.events_left = self.events_left.saturating_sub(1);
        self.pool.handle(news, self.now);
        self.check_table();
    }

    fn poll(&mut self) -> Action {
        self.events_left = self.events_left.saturating_sub(1);
        if self.ledger.wish == Wish::Run {
            self.processes.iter_mut().for_each(Process::may_be_forgotten);
        }
        let action = self.pool.poll(self.now);
        self.tell_aloud(&action);
        self.check_table();
        action
    }

    /// Carries out what the pool wants done, up to so many actions.
    fn work(&mut self, most: u32) {
        self.due = None;
        for _ in 0..most {
            let action = self.poll();
            self.check_action(action);
            match action {
                Action::Spawn { slot } => {
                    self.births.push(slot);
                    if self.dice.percent(85) {
                        self.answer_birth(slot);
                    }
                }
                Action::Stop { pid, .. } => {
                    let now = self.now;
                    self.process_mut(pid).stop(now);
                }
                Action::Kill { pid, .. } => {
                    let (now, scale) = (self.now, self.dice.pick(&[1, 1, 3_000]));
                    let delay = self.dice.within_millis(scale);
                    self.process_mut(pid).kill(now, delay);
                }
                Action::Pause { slot, pid } => self.pause(slot, pid),
                Action::Resume { pid, .. } => self.process_mut(pid).pause = Pause::Working,
                Action::Wait { until } => {
                    self.due = until;
                    return;
                }
                Action::Finish { outcome } => {
                    self.coverage.note_end(outcome);
                    self.over = true;
                    return;
                }
            }
        }
        assert!(most < 1_000, "a pool that is never content: {:?}", self.pool);
    }

    fn pause(&mut self, slot: SlotId, pid: Pid) {
        let now = self.now;
        let process = self.process_mut(pid);
        if process.hears(now) {
            process.pause = Pause::Paused;
        } else {
            process.pause = Pause::Deaf { since: Some(now) };
            self.tell(News::Deaf { slot });
        }
    }

    pub(super) fn process(&self, pid: Pid) -> &Process {
        let found = self.processes.iter().find(|process| process.pid == pid);
        found.unwrap_or_else(|| panic!("{pid:?} is nobody, or was reaped"))
    }

    fn process_mut(&mut self, pid: Pid) -> &mut Process {
        let found = self.processes.iter_mut().find(|process| process.pid == pid);
        found.unwrap_or_else(|| panic!("{pid:?} is nobody, or was reaped"))
    }

    pub(super) fn slot(&self, id: SlotId) -> &Slot {
        self.pool.slot(id.index).expect("a row of the table")
    }

    /// Polls once more, which must change nothing.
    pub(super) fn poll_again(&mut self, action: Action) {
        let before = self.pool.slots().to_vec();
        assert_eq!(self.poll(), action, "a second poll");
        assert_eq!(self.pool.slots(), before, "a second poll");
    }
}
