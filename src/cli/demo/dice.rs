//! The demo's own random numbers: the same seed gives the same set on every machine and in every version.
//! They decide nothing but made-up events, so they need not be hard to guess.

/// A SplitMix64 sequence.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, all of them about as likely. `bound` is above 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        scale(self.roll(), bound)
    }

    /// A number below `bound`, small ones far more likely: half of them fall into the first eighth.
    pub(super) fn skewed(&mut self, bound: u64) -> u64 {
        let even = self.roll();
        scale(scale(scale(even, even), even), bound)
    }

    /// True in `percent` of 100 cases.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// `value / 2^64 * bound`.
fn scale(value: u64, bound: u64) -> u64 {
    ((u128::from(value) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_stay_below_their_bound_and_skewed_ones_are_small() {
        let mut dice = Dice::new(1);
        let even: Vec<u64> = (0..10_000).map(|_| dice.below(1_000)).collect();
        let skewed: Vec<u64> = (0..10_000).map(|_| dice.skewed(1_000)).collect();
        assert!(even.iter().chain(&skewed).all(|roll| *roll < 1_000));
        assert!((4_700..5_300).contains(&even.iter().filter(|roll| **roll < 500).count()));
        assert!((4_700..5_300).contains(&skewed.iter().filter(|roll| **roll < 125).count()));
    }
}
