//! A pool with a kernel that always obeys, so that a test reads as a story: time passes, news comes, actions follow.

use core::time::Duration;

use cantella::pool::{Action, Exit, GiveUp, Instant, News, Pid, Policy, Pool, Request, Slot, SlotId, State};

/// Two workers whose every delay is exact: no jitter, and nothing that a test did not ask for.
pub(super) const CALM: Policy = Policy {
    workers: 2,
    max_age: None,
    max_age_jitter: 0,
    min_uptime: Duration::from_secs(1),
    stop_timeout: Some(Duration::from_secs(10)),
    ..Policy::DEFAULT
};

/// How many rows a rig's table has.
pub(super) const ROWS: u16 = 4;

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn at(seconds: f64) -> Instant {
    Instant::ZERO.after(Duration::from_secs_f64(seconds))
}

pub(super) struct Rig {
    pub(super) pool: Pool<'static>,
    pub(super) now: Instant,
    next_pid: i32,
}

impl Rig {
    pub(super) fn new(policy: Policy) -> Self {
        let slots = vec![Slot::EMPTY; usize::from(ROWS)].leak();
        let window = vec![Instant::ZERO; usize::from(GiveUp::MAX)].leak();
        let pool = Pool::new(slots, window, policy, 1, Instant::ZERO).expect("a good policy");
        Self { pool, now: Instant::ZERO, next_pid: 100 }
    }

    /// Starts a pool and lets its workers be born at zero.
    pub(super) fn started(policy: Policy) -> Self {
        let mut rig = Self::new(policy);
        rig.run();
        rig
    }

    /// Lets the clock show so many seconds.
    pub(super) fn at(&mut self, seconds: f64) -> &mut Self {
        self.now = at(seconds);
        self
    }

    pub(super) fn tell(&mut self, news: News) -> &mut Self {
        self.pool.handle(news, self.now);
        self
    }

    pub(super) fn ask(&mut self, request: Request) -> &mut Self {
        self.tell(News::Request(request))
    }

    pub(super) fn exit(&mut self, index: u16, exit: Exit) -> &mut Self {
        let slot = self.id(index);
        self.tell(News::Exited { slot, exit })
    }

    pub(super) fn poll(&mut self) -> Action {
        self.pool.poll(self.now)
    }

    /// Polls until there is nothing left to do; every birth succeeds. Gives all actions, the final one included.
    pub(super) fn run(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        loop {
            let action = self.poll();
            actions.push(action);
            match action {
                Action::Spawn { slot } => {
                    let pid = self.fresh_pid();
                    self.tell(News::Spawned { slot, pid });
                }
                Action::Stop { .. } | Action::Kill { .. } | Action::Pause { .. } | Action::Resume { .. } => {}
                Action::Wait { .. } | Action::Finish { .. } => return actions,
            }
        }
    }

    pub(super) const fn fresh_pid(&mut self) -> Pid {
        self.next_pid += 1;
        Pid::new(self.next_pid).expect("a positive number")
    }

    pub(super) fn id(&self, index: u16) -> SlotId {
        self.slot(index).id()
    }

    pub(super) fn state(&self, index: u16) -> State {
        self.slot(index).state()
    }

    pub(super) fn slot(&self, index: u16) -> &Slot {
        self.pool.slot(index).expect("a row of the table")
    }
}
