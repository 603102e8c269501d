//! An order of servers that is drawn anew each time, so that no server is everybody's first.
//!
//! # References
//! Marsaglia: "Xorshift RNGs", 2003. Knuth: "The Art of Computer Programming", algorithm 3.4.2P.

use super::MAX_SERVERS;

/// Draws orders, which a seed determines.
#[derive(Debug)]
pub(super) struct Order(u64);

impl Order {
    pub(super) const fn new(seed: u64) -> Self {
        // From zero it would never get away.
        Self(seed | 1)
    }

    /// Gives the numbers below `count`, at most [`MAX_SERVERS`], in an order of chance.
    pub(super) fn draw(&mut self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let count = count.min(MAX_SERVERS);
        let mut order: [usize; MAX_SERVERS] = core::array::from_fn(|index| index);
        for last in (1..count).rev() {
            order.swap(last, self.below(last.saturating_add(1)));
        }
        order.into_iter().take(count)
    }

    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let [high, low, ..] = self.0.to_be_bytes();
        usize::from(u16::from_be_bytes([high, low])).checked_rem(count).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_each_once_and_each_is_the_first_in_turn() {
        for count in [0, 1, 2, 3, MAX_SERVERS, MAX_SERVERS + 1] {
            let mut order = Order::new(7);
            let mut firsts = [0; MAX_SERVERS];
            for _ in 0..1_000 {
                let drawn: Vec<usize> = order.draw(count).collect();
                let mut sorted = drawn.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..count.min(MAX_SERVERS)).collect::<Vec<_>>());
                if let Some(first) = drawn.first() {
                    firsts[*first] += 1;
                }
            }
            let share = 1_000 / count.clamp(1, MAX_SERVERS);
            assert!(firsts.iter().take(count).all(|firsts| *firsts > share / 2), "{count}: {firsts:?}");
        }
    }
}
