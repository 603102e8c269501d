//! What a world leaves to chance.

use core::time::Duration;

/// Throws numbers, as their source wants them: a seed, or a script.
pub(super) struct Dice(Box<dyn FnMut(u64) -> u64>);

impl Dice {
    /// Takes a source that gives a number below any end that it is told.
    pub(super) fn new(source: impl FnMut(u64) -> u64 + 'static) -> Self {
        Self(Box::new(source))
    }

    /// Gives a number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        (self.0)(end)
    }

    /// Tells whether something happens that does so often in a hundred.
    pub(super) fn percent(&mut self, often: u64) -> bool {
        self.below(100) < often
    }

    /// Gives a time below so many milliseconds, in nanoseconds.
    pub(super) fn within_millis(&mut self, millis: u64) -> Duration {
        Duration::from_nanos(self.below(millis * 1_000_000))
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.below(from.len().try_into().expect("a small number"));
        from[usize::try_from(index).expect("a small number")]
    }
}
