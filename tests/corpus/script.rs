//! Bytes read as decisions: each takes the next of them, and behind the end stand zeros.

use std::vec::IntoIter;

/// What a fuzzer decides.
pub struct Script(IntoIter<u8>);

impl Script {
    /// Reads these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Vec::from(bytes).into_iter())
    }

    /// Tells whether nothing is left to decide.
    pub fn is_over(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    /// Takes one byte.
    pub fn byte(&mut self) -> u8 {
        self.0.next().unwrap_or(0)
    }

    /// Takes as many bytes as there are, for little-endian numbers.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| self.byte())
    }

    /// Takes as many bytes as the next one counts.
    pub fn bytes(&mut self) -> Vec<u8> {
        let count = self.byte();
        self.0.by_ref().take(count.into()).collect()
    }

    /// Takes a number below `end`: any one of up to 256, one of 65,536 evenly spread ones where there are more.
    pub fn below(&mut self, end: u64) -> u64 {
        if end <= 256 {
            return u64::from(self.byte()) % end;
        }
        let share = u128::from(u16::from_le_bytes(self.array()));
        u64::try_from((u128::from(end) * share) >> 16).expect("a share of it")
    }

    /// Takes one of a few.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }
}
