//! Chance without surprise: a small generator whose seed replays all it ever drew, and shares drawn from it.

/// Draws numbers that a seed determines. Good enough to spread deadlines, and for nothing else.
///
/// # References
/// Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators" (`SplitMix64`), 2014.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws a share, each as likely as the other.
    pub(super) const fn share(&mut self) -> Share {
        let [high, low, ..] = self.next().to_be_bytes();
        Share(u16::from_be_bytes([high, low]))
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// A part of a whole, in 65536ths: 0 up to, but not including, all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share(u16);

impl Share {
    /// Nothing of it.
    pub(super) const NONE: Self = Self(0);

    /// Gives this share of `whole`.
    pub(super) fn of(self, whole: u64) -> u64 {
        let share = u64::from(self.0);
        // Split in two, because the product of both would not fit.
        let upper = (whole >> 16).saturating_mul(share);
        let lower = (whole & 0xFFFF).saturating_mul(share) >> 16;
        upper.saturating_add(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_part_of_the_whole() {
        for (share, whole, part) in [
            (0, u64::MAX, 0),
            (1, 65_535, 0),
            (1, 65_536, 1),
            (0x8000, 1_000_001, 500_000),
            (u16::MAX, 65_536, 65_535),
            (u16::MAX, u64::MAX, 0xFFFE_FFFF_FFFF_FFFF),
        ] {
            assert_eq!(Share(share).of(whole), part, "{share} of {whole}");
        }
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = Random::new(0);
        for number in [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F] {
            assert_eq!(random.next(), number);
        }
    }

    #[test]
    fn shares_are_spread_and_a_seed_replays_them() {
        let mut quarters = [0_u32; 4];
        let (mut random, mut again) = (Random::new(7), Random::new(7));
        for _ in 0..4_000 {
            let share = random.share();
            assert_eq!(share, again.share());
            quarters[usize::from(share.0 >> 14)] += 1;
        }
        assert!(quarters.iter().all(|count| (900..1_100).contains(count)), "{quarters:?}");
    }
}
