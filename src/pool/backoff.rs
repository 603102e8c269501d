//! How long to wait after failures in a row.

use core::time::Duration;

use super::chance::Share;
use super::news::nanos;

/// A delay that starts at `min`, doubles with each failure and stays at `max`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Backoff {
    /// For fork(2) being refused, which says nothing about the worker.
    pub(super) const FORK: Self = Self { min: Duration::from_millis(100), max: Duration::from_secs(5) };

    /// Gives the delay after so many failures in a row; none after none.
    pub(super) fn delay(self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos(self.min).saturating_mul(factor)).min(self.max)
    }
}

/// Moves a delay to within ten percent of it, so that slots that failed together do not try together.
pub(super) fn spread(delay: Duration, share: Share) -> Duration {
    let delay = nanos(delay);
    Duration::from_nanos(delay.saturating_sub(delay / 10).saturating_add(share.of(delay / 5)))
}

#[cfg(test)]
mod tests {
    use super::super::chance::Random;
    use super::*;

    #[test]
    fn the_delay_doubles_up_to_its_maximum() {
        let backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(30) };
        for (failures, millis) in [
            (0, 0),
            (1, 100),
            (2, 200),
            (3, 400),
            (9, 25_600),
            (10, 30_000),
            (40, 30_000),
            (64, 30_000),
            (65, 30_000),
            (u32::MAX, 30_000),
        ] {
            assert_eq!(backoff.delay(failures), Duration::from_millis(millis), "{failures} failures");
        }
    }

    #[test]
    fn extremes_stay_between_both_ends() {
        let (none, all) = (Duration::ZERO, Duration::MAX);
        for (min, max, failures, delay) in [
            (none, none, 5, none),
            (none, all, u32::MAX, none),
            (Duration::from_nanos(1), all, 64, Duration::from_nanos(1 << 63)),
            (Duration::from_nanos(1), all, 65, Duration::from_nanos(u64::MAX)),
            (all, all, 1, Duration::from_nanos(u64::MAX)),
        ] {
            assert_eq!(Backoff { min, max }.delay(failures), delay, "{min:?}..{max:?} after {failures}");
        }
    }

    #[test]
    fn spreading_stays_within_ten_percent_and_uses_all_of_it() {
        let delay = Duration::from_millis(100);
        let mut random = Random::new(1);
        let spreads: [Duration; 500] = core::array::from_fn(|_| spread(delay, random.share()));
        let (least, most) = (spreads.iter().min().unwrap(), spreads.iter().max().unwrap());
        assert!((Duration::from_millis(90)..Duration::from_millis(91)).contains(least), "{least:?}");
        assert!((Duration::from_millis(109)..=Duration::from_millis(110)).contains(most), "{most:?}");
    }
}
