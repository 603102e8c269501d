//! The give-up window: the last failed starts of the whole pool, and whether they came too fast.

use super::news::Instant;
use super::policy::{GiveUp, PolicyError};

/// Remembers as many failed starts as are allowed; one more within the time is too many.
#[derive(Debug)]
pub(super) struct Failures<'a> {
    limit: Option<GiveUp>,
    ring: &'a mut [Instant],
    /// Where the next failed start is written; the oldest one stands there once the ring is full.
    next: usize,
    full: bool,
}

impl<'a> Failures<'a> {
    /// Lays the ring into `window`.
    pub(super) fn new(window: &'a mut [Instant], limit: Option<GiveUp>) -> Result<Self, PolicyError> {
        let allowed = limit.map_or(0, |limit| usize::from(limit.failures));
        let ring = window.get_mut(..allowed).ok_or(PolicyError::GiveUp)?;
        Ok(Self { limit, ring, next: 0, full: false })
    }

    /// Notes a failed start and tells whether it was one too many.
    pub(super) fn note(&mut self, now: Instant) -> bool {
        let Some(limit) = self.limit else { return false };
        let Some(oldest) = self.ring.get_mut(self.next) else { return true }; // none is allowed
        let too_many = self.full && now.since(*oldest) <= limit.within;
        *oldest = now;
        self.next = self.next.saturating_add(1);
        if self.next >= self.ring.len() {
            self.next = 0;
            self.full = true;
        }
        too_many
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    const fn limit(failures: u16) -> GiveUp {
        GiveUp { failures, within: Duration::from_nanos(10) }
    }

    fn verdicts<const N: usize>(limit: Option<GiveUp>, times: [u64; N]) -> [bool; N] {
        let mut window = [Instant::ZERO; 3];
        let mut failures = Failures::new(&mut window, limit).unwrap();
        times.map(|nanos| failures.note(Instant::from_nanos(nanos)))
    }

    fn allowing<const N: usize>(failures: u16, times: [u64; N]) -> [bool; N] {
        verdicts(Some(limit(failures)), times)
    }

    #[test]
    fn one_more_than_allowed_within_the_time_is_too_many() {
        assert_eq!(allowing(0, [5]), [true]);
        assert_eq!(allowing(1, [5, 15]), [false, true]);
        assert_eq!(allowing(1, [5, 16]), [false, false]);
        assert_eq!(allowing(3, [0, 1, 2, 3]), [false, false, false, true]);
        assert_eq!(allowing(3, [0, 7, 8, 11, 17, 22]), [false, false, false, false, true, false]);
    }

    #[test]
    fn without_a_limit_nothing_is_too_many() {
        assert_eq!(verdicts(None, [0, 0, 0, 0]), [false; 4]);
    }

    #[test]
    fn a_window_too_small_for_the_limit_is_refused() {
        assert_eq!(Failures::new(&mut [Instant::ZERO; 3], Some(limit(4))).err(), Some(PolicyError::GiveUp));
    }
}
