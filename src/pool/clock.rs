//! Pool time: the monotonic clock, less what the whole tree slept through.

use core::time::Duration;

use super::news::{Instant, nanos};

/// Turns readings of the monotonic clock into pool time.
///
/// When a wake-up comes more than a second late, the manager was not late alone: the tree was stopped, the container
/// paused or the machine suspended, and the workers stood still as well. The time since the last turn is then taken
/// out of pool time, which moves every stored deadline at once, without touching any.
#[derive(Clone, Debug)]
pub struct Clock {
    last: Instant,
    lost: Duration,
}

impl Clock {
    /// How late a wake-up may be before it counts as a freeze.
    pub const PATIENCE: Duration = Duration::from_secs(1);

    /// Starts at a first reading, which is also its pool time.
    #[must_use]
    pub const fn new(raw: Instant) -> Self {
        Self { last: raw, lost: Duration::ZERO }
    }

    /// Takes the reading of a new turn of the loop and gives its pool time.
    ///
    /// `due` is the wake-up that the last turn asked for, in pool time.
    pub fn turn(&mut self, raw: Instant, due: Option<Instant>) -> Instant {
        let now = self.pool_time(raw);
        if due.is_some_and(|due| now.since(due) > Self::PATIENCE) {
            self.lost = self.lost.saturating_add(raw.since(self.last));
        }
        self.last = raw;
        self.pool_time(raw)
    }

    /// Gives the pool time of a reading within the present turn.
    #[must_use]
    pub fn pool_time(&self, raw: Instant) -> Instant {
        Instant::from_nanos(raw.as_nanos().saturating_sub(nanos(self.lost)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO.after(Duration::from_millis(millis))
    }

    /// Each row is one turn: the raw reading, the wake-up asked for before it, and the pool time expected.
    fn check(rows: &[(u64, Option<u64>, u64)]) {
        let mut clock = Clock::new(at(1_000));
        for &(raw, due, pool) in rows {
            assert_eq!(clock.turn(at(raw), due.map(at)), at(pool), "reading {raw} with {due:?} due");
        }
    }

    #[test]
    fn time_passes_while_wake_ups_come_in_time() {
        check(&[
            (1_000, None, 1_000),
            (3_000, Some(2_000), 3_000),
            (90_000, None, 90_000),
            (91_000, Some(90_000), 91_000),
        ]);
    }

    #[test]
    fn an_overslept_wake_up_takes_its_poll_out_of_time_once() {
        check(&[
            (2_000, None, 2_000),
            (7_000, Some(5_000), 2_000),
            (7_500, Some(5_000), 2_500),
            (10_000, Some(5_000), 5_000),
        ]);
    }

    #[test]
    fn freezes_add_up() {
        check(&[(5_000, Some(2_000), 1_000), (10_000, Some(2_000), 1_000), (11_000, Some(2_000), 2_000)]);
    }

    #[test]
    fn a_freeze_in_which_nothing_was_due_goes_unnoticed() {
        check(&[(50_000, None, 50_000), (99_000, Some(98_500), 99_000)]);
    }

    #[test]
    fn readings_that_go_backwards_harm_nobody() {
        check(&[(5_000, Some(2_000), 1_000), (500, Some(2_000), 0), (6_000, Some(9_000), 2_000)]);
    }
}
