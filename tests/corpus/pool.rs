//! A pool that is told anything at any time, against the simplest account there is of who lives.
//!
//! Where the worlds of `tests/sim` are likely, this is not: numbers are extreme, and answers late, wrong or missing.

use core::time::Duration;

use cantella::pool::{
    Action, Exit, GiveUp, Instant, News, Outcome, Phase, Pid, Policy, PolicyError, Pool, Request, Restart, Signal,
    Slot, SlotId,
};

use super::script::Script;

const ROWS: usize = 4;

/// How many failed starts there is room to remember.
const WINDOW: usize = 3;

/// Carries out one operation after the other, then ends the pool.
pub fn check(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let policy = throw_policy(&mut script);
    let (mut slots, mut window) = ([Slot::EMPTY; ROWS], [Instant::ZERO; WINDOW]);
    let now = Instant::ZERO.after(throw_duration(&mut script));
    match Pool::new(&mut slots, &mut window, policy, script.byte().into(), now) {
        Ok(pool) => Account::open(pool, script, now).keep(),
        Err(error) => {
            let fits = policy.give_up.is_none_or(|limit| usize::from(limit.failures) <= WINDOW);
            assert_eq!(error, policy.check(ROWS).err().unwrap_or(PolicyError::GiveUp));
            assert!(error != PolicyError::GiveUp || !fits, "{policy:?}");
        }
    }
}

fn throw_policy(script: &mut Script) -> Policy {
    Policy {
        workers: (script.byte() % 6).into(),
        max_age: throw_time(script),
        max_age_jitter: script.pick(&[0, 10, 99, 100, 101]),
        restart: script.pick(&[Restart::Always, Restart::OnFailure, Restart::Never]),
        min_uptime: throw_duration(script),
        backoff_min: throw_duration(script),
        backoff_max: throw_duration(script),
        give_up: throw_time(script)
            .map(|within| GiveUp { failures: script.pick(&[0, 1, 3, 4, GiveUp::MAX + 1]), within }),
        stop_timeout: throw_time(script),
    }
}

fn throw_time(script: &mut Script) -> Option<Duration> {
    Some(throw_duration(script)).filter(|_| script.byte() & 1 == 0)
}

fn throw_duration(script: &mut Script) -> Duration {
    match script.byte() {
        0 => Duration::ZERO,
        1 => Duration::from_nanos(1),
        2 => Duration::from_nanos(u64::MAX),
        3 => Duration::MAX,
        more => Duration::from_millis(1 << (more % 20)),
    }
}

/// What is known of the worker of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// There is none.
    None,
    /// Its birth was handed out and not answered.
    Unborn(SlotId),
    /// It was born and is not reaped.
    Born { slot: SlotId, pid: Pid, asked: bool, killed: bool },
}

struct Account<'a> {
    pool: Pool<'a>,
    script: Script,
    now: Instant,
    lives: [Life; ROWS],
    births: [u32; ROWS],
    last_pid: i32,
    nonsense: u64,
    /// Whether somebody asked for the end.
    stopping: bool,
    /// The last answer, if it was to wait and nothing was told since.
    wait: Option<Action>,
    outcome: Option<Outcome>,
}

impl<'a> Account<'a> {
    const fn open(pool: Pool<'a>, script: Script, now: Instant) -> Self {
        Self {
            pool,
            script,
            now,
            lives: [Life::None; ROWS],
            births: [0; ROWS],
            last_pid: 1,
            nonsense: 0,
            stopping: false,
            wait: None,
            outcome: None,
        }
    }

    fn keep(mut self) {
        while !self.script.is_over() {
            match self.script.byte() % 8 {
                0 => self.pass(),
                1 => drop(self.poll()),
                2 | 3 => self.work(),
                4 | 5 => self.tell_of_a_slot(),
                _ => self.ask(),
            }
        }
        self.end();
    }

    /// Lets time pass: so much, or up to, short of or beyond the next wake-up.
    fn pass(&mut self) {
        let due = self.due().unwrap_or(self.now).as_nanos();
        let at = match self.script.byte() % 4 {
            0 => self.now.after(throw_duration(&mut self.script)),
            1 => Instant::from_nanos(due.saturating_sub(1)),
            2 => Instant::from_nanos(due),
            _ => Instant::from_nanos(due.saturating_add(1)),
        };
        self.now = self.now.max(at);
    }

    /// The next wake-up, as far as it is known.
    const fn due(&self) -> Option<Instant> {
        match self.wait {
            Some(Action::Wait { until }) => until,
            _ => None,
        }
    }

    /// Polls until there is nothing left to do; every birth succeeds.
    fn work(&mut self) {
        // A slot can be owed a birth, a word about a pause, a stop and a kill before the next news.
        for _ in 0..=4 * ROWS {
            match self.poll() {
                Action::Spawn { slot } => {
                    let pid = self.fresh_pid();
                    self.tell(News::Spawned { slot, pid });
                }
                Action::Stop { .. } | Action::Kill { .. } | Action::Pause { .. } | Action::Resume { .. } => {}
                Action::Wait { .. } | Action::Finish { .. } => return,
            }
        }
        panic!("a pool that is never content: {:?}", self.pool);
    }

    /// Tells something of a worker that there may be, or may have been, or not.
    fn tell_of_a_slot(&mut self) {
        let row = usize::from(self.script.byte()) % (ROWS + 1);
        let generation = self.births.get(row).copied().unwrap_or(1);
        let generation = self.script.pick(&[generation, generation + 1, generation.wrapping_sub(1)]);
        let slot = SlotId { index: u16::try_from(row).expect("a small number"), generation };
        let pid = self.fresh_pid();
        let signal = Signal::new(self.script.byte() % 64 + 1).expect("a signal");
        let exit = self.script.pick(&[Exit::Code(0), Exit::Code(1), Exit::Signal { signal, core: false }]);
        let news = self.script.pick(&[
            News::Spawned { slot, pid },
            News::SpawnFailed { slot },
            News::ExecFailed { slot },
            News::Deaf { slot },
            News::Exited { slot, exit },
        ]);
        self.tell(news);
    }

    fn ask(&mut self) {
        let at = throw_time(&mut self.script).map(|delay| self.now.after(delay));
        let workers = self.script.pick(&[0, 1, 2, 3, 4, 5, u16::MAX]);
        let age = throw_time(&mut self.script);
        let request = self.script.pick(&[
            Request::Pause { until: at },
            Request::Resume { at },
            Request::Resize { workers },
            Request::MaxAge { age },
            Request::Stop,
            Request::Kill,
        ]);
        self.tell(News::Request(request));
    }

    /// Whatever it was told, a pool that must end and whose workers end is over.
    fn end(mut self) {
        self.tell(News::Request(Request::Kill));
        self.work();
        for life in self.lives {
            match life {
                Life::None => {}
                Life::Unborn(slot) => self.tell(News::SpawnFailed { slot }),
                Life::Born { slot, killed, .. } => {
                    assert!(killed, "{slot:?} was left alone");
                    self.tell(News::Exited { slot, exit: Exit::Signal { signal: Signal::KILL, core: false } });
                }
            }
        }
        assert!(matches!(self.poll(), Action::Finish { .. }), "{:?}", self.pool);
    }

    const fn fresh_pid(&mut self) -> Pid {
        self.last_pid += 1;
        Pid::new(self.last_pid).expect("a positive number")
    }

    fn tell(&mut self, news: News) {
        let before = *self.pool.slots().as_array::<ROWS>().expect("all rows");
        let fits = self.note(news);
        self.wait = None;
        self.pool.handle(news, self.now);
        if !fits {
            self.nonsense += 1;
            assert_eq!(self.pool.slots(), before, "changed by {news:?}");
        }
        assert_eq!(self.pool.ignored(), self.nonsense, "after {news:?}");
        self.check_table();
    }

    /// Takes news in, and tells whether it fits.
    fn note(&mut self, news: News) -> bool {
        let slot = match news {
            News::Spawned { slot, .. }
            | News::SpawnFailed { slot }
            | News::ExecFailed { slot }
            | News::Deaf { slot }
            | News::Exited { slot, .. } => slot,
            News::Request(request) => {
                self.stopping |= matches!(request, Request::Stop | Request::Kill);
                return request != Request::MaxAge { age: Some(Duration::ZERO) };
            }
        };
        let row = usize::from(slot.index);
        let Some(life) = self.lives.get_mut(row) else { return false };
        match (*life, news) {
            (Life::Unborn(unborn), News::Spawned { pid, .. }) if unborn == slot => {
                *life = Life::Born { slot, pid, asked: false, killed: false };
                self.births[row] += 1;
            }
            (Life::Unborn(unborn), News::SpawnFailed { .. }) if unborn == slot => *life = Life::None,
            (Life::Born { slot: born, .. }, News::Exited { .. }) if born == slot => *life = Life::None,
            (Life::Born { slot: born, .. }, News::ExecFailed { .. } | News::Deaf { .. }) if born == slot => {}
            _ => return false,
        }
        true
    }

    fn poll(&mut self) -> Action {
        let action = self.pool.poll(self.now);
        if let Some(wait) = self.wait.filter(|_| self.due().is_none_or(|due| due > self.now)) {
            assert_eq!(action, wait, "an early wake-up");
        }
        self.wait = None;
        match action {
            Action::Spawn { slot } => self.spawn(slot),
            Action::Stop { slot, pid, .. } => {
                let (asked, killed) = self.born(slot, pid);
                assert!(!*asked && !*killed, "asked twice");
                *asked = true;
            }
            Action::Kill { slot, pid } => {
                let (_, killed) = self.born(slot, pid);
                assert!(!*killed, "killed twice");
                *killed = true;
            }
            Action::Pause { slot, pid } | Action::Resume { slot, pid } => {
                let (asked, killed) = self.born(slot, pid);
                assert!(!*asked && !*killed, "asked to end before");
            }
            Action::Wait { until } => {
                assert!(until.is_none_or(|until| until > self.now), "a wake-up that is over");
                assert_eq!(self.pool.poll(self.now), action, "a second poll");
                self.wait = Some(action);
            }
            Action::Finish { outcome } => {
                assert_eq!(self.lives, [Life::None; ROWS], "somebody is left");
                assert_eq!(*self.outcome.get_or_insert(outcome), outcome, "an end that was another");
            }
        }
        assert!(self.outcome.is_none() || matches!(action, Action::Finish { .. }), "{action:?} after the end");
        self.check_table();
        action
    }

    fn spawn(&mut self, slot: SlotId) {
        let row = usize::from(slot.index);
        let there = self.lives.iter().filter(|life| **life != Life::None).count();
        assert!(there < usize::from(self.pool.policy().workers), "{there} are there already");
        assert!(!self.stopping && self.pool.phase() == Phase::Running, "a birth in {:?}", self.pool.phase());
        assert_eq!((self.lives[row], self.births[row] + 1), (Life::None, slot.generation));
        self.lives[row] = Life::Unborn(slot);
    }

    /// Finds a worker that must be alive; gives whether it was asked to end, and whether it was killed.
    fn born(&mut self, slot: SlotId, pid: Pid) -> (&mut bool, &mut bool) {
        let life = &mut self.lives[usize::from(slot.index)];
        let Life::Born { slot: born, pid: its, asked, killed } = life else { panic!("{slot:?} is not born") };
        assert_eq!((*born, *its), (slot, pid));
        (asked, killed)
    }

    /// The table and the account agree.
    fn check_table(&self) {
        assert!((1..=ROWS).contains(&self.pool.policy().workers.into()));
        let mut live = 0;
        for (life, row) in self.lives.iter().zip(self.pool.slots()) {
            let (id, pid) = match *life {
                Life::None => (row.id(), None),
                Life::Unborn(slot) => (slot, None),
                Life::Born { slot, pid, .. } => (slot, Some(pid)),
            };
            assert_eq!((row.id(), row.pid()), (id, pid));
            assert!(pid.is_none_or(|pid| self.pool.find(pid) == Some(id)));
            live += usize::from(pid.is_some());
        }
        assert_eq!(self.pool.live(), live);
    }
}
