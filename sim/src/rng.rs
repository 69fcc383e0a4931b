//! The one source of chance.

use std::ops::Range;

/// A small generator (SplitMix64): fast, seeded by one number, good enough to draw faults and schedules.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

impl Rng {
    /// A stream that follows from `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A stream of its own for `label`, so that draws in one place shift no others.
    pub fn labelled(seed: u64, label: &str) -> Self {
        Self::new(mix(seed ^ hash(label.as_bytes())))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A number in `range`. The bias of the remainder is far below what a test could see.
    ///
    /// # Panics
    /// If the range is empty.
    pub fn in_range(&mut self, range: Range<u64>) -> u64 {
        assert!(range.start < range.end, "a range to draw from is not empty");
        range.start + self.next_u64() % (range.end - range.start)
    }

    /// An index below `len`.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.in_range(0..len as u64)).expect("below a usize")
    }

    /// True in `percent` of all draws.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.in_range(0..100) < percent
    }

    /// One of several values.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.index(values.len())]
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads every bit of `word` over all bits.
pub(crate) fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A digest for comparing runs with each other; no more than that.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut chunks = bytes.chunks_exact(8);
    let mut digest = bytes.len() as u64;
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        digest = (digest ^ word).wrapping_mul(GOLDEN).rotate_left(29);
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(digest ^ u64::from_le_bytes(last).wrapping_mul(GOLDEN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_stream_and_labels_give_streams_of_their_own() {
        let draw = |mut rng: Rng| [rng.next_u64(), rng.next_u64()];
        assert_eq!(draw(Rng::new(1)), draw(Rng::new(1)));
        assert_ne!(draw(Rng::labelled(1, "a")), draw(Rng::labelled(1, "b")));
        assert_ne!(draw(Rng::labelled(1, "a")), draw(Rng::labelled(2, "a")));
    }

    #[test]
    fn a_digest_sees_each_byte_and_the_length() {
        assert_ne!(hash(b"abcdefgh1"), hash(b"abcdefgh2"));
        assert_ne!(hash(b"abcdefgh"), hash(b"Abcdefgh"));
        assert_ne!(hash(b"\0"), hash(b""));
    }
}
