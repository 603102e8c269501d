//! Which news met which state, and how pools ended, over all worlds.

use core::fmt;

use cantella::pool::{News, Outcome, Request, State, Told};

const STATES: [&str; 9] = ["Empty", "Due", "Starting", "Running", "Paused", "Deaf", "Stopping", "Killed", "Ended"];

const NEWS: [&str; 11] =
    ["Spawned", "SpawnFailed", "ExecFailed", "Deaf", "Exited", "Pause", "Resume", "Stop", "Kill", "Resize", "MaxAge"];

const OUTCOMES: [&str; 4] = ["Completed", "Drained", "Forced", "GaveUp"];

#[derive(Default)]
pub(super) struct Coverage {
    /// How often each kind of news was told to a pool with a slot in each state.
    told: [[u64; NEWS.len()]; STATES.len()],
    /// How often a pool ended in each way.
    ended: [u64; OUTCOMES.len()],
}

impl Coverage {
    pub(super) const fn note(&mut self, state: State, news: &News) {
        self.told[row(state)][column(news)] += 1;
    }

    pub(super) const fn note_end(&mut self, outcome: Outcome) {
        self.ended[ending(outcome)] += 1;
    }

    pub(super) fn assert_complete(&self) {
        for (state, cells) in STATES.iter().zip(self.told) {
            for (news, count) in NEWS.iter().zip(cells) {
                assert!(count > 0, "no world told {news} to a slot in state {state}");
            }
        }
        for (outcome, count) in OUTCOMES.iter().zip(self.ended) {
            assert!(count > 0, "no world ended {outcome}");
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:>10}", "")?;
        for news in NEWS {
            write!(out, "{news:>12}")?;
        }
        for (state, cells) in STATES.iter().zip(self.told) {
            write!(out, "\n{state:>10}")?;
            for count in cells {
                write!(out, "{count:>12}")?;
            }
        }
        for (outcome, count) in OUTCOMES.iter().zip(self.ended) {
            write!(out, "\n{outcome:>10}{count:>12}")?;
        }
        writeln!(out)
    }
}

const fn row(state: State) -> usize {
    match state {
        State::Empty => 0,
        State::Due { .. } => 1,
        State::Starting => 2,
        State::Running { told: Told::Work, .. } => 3,
        State::Running { told: Told::Pause, .. } => 4,
        State::Running { told: Told::Deaf { .. }, .. } => 5,
        State::Stopping { .. } => 6,
        State::Killed { .. } => 7,
        State::Ended => 8,
    }
}

const fn column(news: &News) -> usize {
    match news {
        News::Spawned { .. } => 0,
        News::SpawnFailed { .. } => 1,
        News::ExecFailed { .. } => 2,
        News::Deaf { .. } => 3,
        News::Exited { .. } => 4,
        News::Request(Request::Pause { .. }) => 5,
        News::Request(Request::Resume { .. }) => 6,
        News::Request(Request::Stop) => 7,
        News::Request(Request::Kill) => 8,
        News::Request(Request::Resize { .. }) => 9,
        News::Request(Request::MaxAge { .. }) => 10,
    }
}

const fn ending(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Completed { .. } => 0,
        Outcome::Drained => 1,
        Outcome::Forced => 2,
        Outcome::GaveUp => 3,
    }
}
