//! A simulated process: when it ends, whom it listens to, what it was sent.

use core::time::Duration;

use cantella::pool::{Exit, Instant, Pid, Signal, SlotId};

use super::dice::Dice;

/// The end of time, as far as a simulated process is concerned.
pub(super) const NEVER: Instant = Instant::from_nanos(u64::MAX);

pub(super) const KILLED: Exit = Exit::Signal { signal: Signal::KILL, core: false };
const TERMED: Exit = Exit::Signal { signal: Signal::TERM, core: false };
const CRASHED: Exit = Exit::Signal { signal: Signal::new(11).unwrap(), core: true };

/// How the world treats a pool: how its processes are born to behave, and whether they are born at all.
#[derive(Clone, Copy)]
pub(super) struct Mood {
    /// How many of a hundred die young.
    pub(super) die_young: u64,
    /// How many of a hundred never come to run their program.
    pub(super) fail_exec: u64,
    /// How many of a hundred ignore the stop signal.
    pub(super) ignore_stop: u64,
    /// How many of a hundred never catch the pause signal.
    pub(super) deaf: u64,
    /// Whether fork is refused; this changes with the weather.
    pub(super) forks_are_refused: bool,
}

impl Mood {
    /// Nobody dies, fails or ignores anything.
    pub(super) const CALM: Self =
        Self { die_young: 0, fail_exec: 0, ignore_stop: 0, deaf: 0, forks_are_refused: false };

    pub(super) fn throw(dice: &mut Dice) -> Self {
        Self {
            die_young: dice.pick(&[0, 5, 40, 95]),
            fail_exec: dice.pick(&[0, 0, 5, 50]),
            ignore_stop: dice.pick(&[0, 10, 50]),
            deaf: dice.pick(&[0, 10, 50]),
            forks_are_refused: false,
        }
    }
}

pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) slot: SlotId,
    pub(super) born: Instant,
    /// When it ends by itself, and how.
    ends: (Instant, Exit),
    /// How long it takes to end when it is asked, and how; `None`: it ignores that.
    obeys: Option<(Duration, Exit)>,
    /// From when on it catches the pause signal.
    hears: Instant,
    pub(super) exec_fails: bool,
    pub(super) exec_told: bool,
    /// When it was asked to end.
    pub(super) asked: Option<Instant>,
    pub(super) killed: bool,
    pub(super) pause: Pause,
}

/// What the pool was last told about a process and pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    Working,
    Paused,
    /// It did not catch the signal at this time; `None`: the pool may have forgotten that by now.
    Deaf {
        since: Option<Instant>,
    },
}

impl Process {
    pub(super) fn birth(dice: &mut Dice, mood: Mood, pid: Pid, slot: SlotId, born: Instant) -> Self {
        let exec_fails = dice.percent(mood.fail_exec);
        let ends = if exec_fails {
            (born.after(dice.within_millis(50)), Exit::Code(127))
        } else if dice.percent(mood.die_young) {
            (born.after(dice.within_millis(1_200)), dice.pick(&[Exit::Code(0), Exit::Code(1), CRASHED, KILLED]))
        } else if mood.die_young > 0 && dice.percent(50) {
            (born.after(dice.within_millis(60_000)), dice.pick(&[Exit::Code(0), Exit::Code(3), TERMED]))
        } else {
            (NEVER, Exit::Code(0))
        };
        let delay = dice.pick(&[10, 10, 1_000, 20_000]); // most take a moment, some take long
        let manner = (dice.within_millis(delay), dice.pick(&[Exit::Code(0), Exit::Code(0), TERMED]));
        let obeys = (!dice.percent(mood.ignore_stop)).then_some(manner);
        let hears = if dice.percent(mood.deaf) { NEVER } else { born.after(dice.within_millis(300)) };
        Self {
            pid,
            slot,
            born,
            ends,
            obeys,
            hears,
            exec_fails,
            exec_told: false,
            asked: None,
            killed: false,
            pause: Pause::Working,
        }
    }

    /// Takes the stop signal.
    pub(super) fn stop(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
        if let Some((delay, exit)) = self.obeys {
            self.end_by(now.after(delay), exit);
        }
    }

    /// Takes SIGKILL; the kernel may take its time over it, and the process may have been faster.
    pub(super) fn kill(&mut self, now: Instant, delay: Duration) {
        self.killed = true;
        self.end_by(now.after(delay), KILLED);
    }

    fn end_by(&mut self, at: Instant, exit: Exit) {
        if at < self.ends.0 {
            self.ends = (at, exit);
        }
    }

    pub(super) fn hears(&self, now: Instant) -> bool {
        self.hears <= now
    }

    /// The pool may have forgotten that it was deaf.
    pub(super) const fn may_be_forgotten(&mut self) {
        if let Pause::Deaf { since } = &mut self.pause {
            *since = None;
        }
    }

    /// Tells how it ended, if it did.
    pub(super) fn ended(&self, now: Instant) -> Option<Exit> {
        (self.ends.0 <= now).then_some(self.ends.1)
    }

    /// Gives up all plans of its own, and ends when it is asked.
    pub(super) fn calm(&mut self, now: Instant) {
        self.obeys = Some((Duration::from_millis(1), Exit::Code(0)));
        if self.asked.is_some() {
            self.stop(now);
        } else if self.ended(now).is_none() && !self.killed && !self.exec_fails {
            self.ends = (NEVER, Exit::Code(0));
        }
    }
}
