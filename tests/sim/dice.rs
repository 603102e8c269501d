//! What a seed determines.

use core::time::Duration;

/// Throws numbers; xorshift, which is another generator than the pool's.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Gives a number below `end`.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    /// Tells whether something happens that does so often in a hundred.
    pub(super) const fn percent(&mut self, often: u64) -> bool {
        self.below(100) < often
    }

    /// Gives a time below so many milliseconds, in nanoseconds.
    pub(super) const fn within_millis(&mut self, millis: u64) -> Duration {
        Duration::from_nanos(self.below(millis * 1_000_000))
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = self.below(from.len().try_into().expect("a small number"));
        from[usize::try_from(index).expect("a small number")]
    }
}
