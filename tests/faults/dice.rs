//! Numbers that look random and come again with their seed, for the storms of the command and of the library.

/// A generator of the kind xorshift; its seed is no zero.
pub struct Dice(pub u64);

impl Dice {
    pub const fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    pub fn pick<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[usize::try_from(self.roll(u64::try_from(things.len()).unwrap())).unwrap()]
    }
}
