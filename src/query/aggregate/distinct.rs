//! How many distinct texts there are: exactly up to a bound, beyond it an estimate.

use xxhash_rust::xxh3::xxh3_64;

use super::texts::{TextSet, hash_of};

/// Distinct texts of one group that are counted exactly; beyond it the count is an estimate.
pub(crate) const DISTINCT_EXACT_MAX: usize = 1_000_000;

/// A set of texts that knows its size.
#[derive(Clone, Debug)]
pub(crate) enum Distinct {
    /// All of them.
    Exact(TextSet),
    /// A sketch of them.
    Estimate(Sketch),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(TextSet::default())
    }
}

impl Distinct {
    pub(crate) fn insert(&mut self, text: &[u8]) {
        self.insert_hashed(hash_of(text), text);
    }

    fn insert_hashed(&mut self, hash: u32, text: &[u8]) {
        match self {
            Self::Exact(set) => {
                set.intern_hashed(hash, text);
                if set.len() > DISTINCT_EXACT_MAX {
                    let mut sketch = Sketch::default();
                    set.iter().for_each(|(_, text)| sketch.insert(text));
                    *self = Self::Estimate(sketch);
                }
            }
            Self::Estimate(sketch) => sketch.insert(text),
        }
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        if let (Self::Exact(own), Self::Exact(others)) = (&*self, &other)
            && own.len() < others.len()
        {
            std::mem::swap(self, &mut other);
        }
        match other {
            Self::Exact(set) => set.iter().for_each(|(hash, text)| self.insert_hashed(hash, text)),
            Self::Estimate(others) => {
                match self {
                    Self::Estimate(own) => own.merge(&others),
                    Self::Exact(set) => {
                        let mut sketch = others;
                        set.iter().for_each(|(_, text)| sketch.insert(text));
                        *self = Self::Estimate(sketch);
                    }
                };
            }
        }
    }

    /// How many there are, and whether that is exact.
    pub(crate) fn count(&self) -> (u64, bool) {
        match self {
            Self::Exact(set) => (set.len() as u64, true),
            Self::Estimate(sketch) => (sketch.estimate(), false),
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Exact(set) => set.memory_bytes(),
            Self::Estimate(_) => REGISTERS,
        }
    }
}

/// HyperLogLog (Flajolet and others, 2007) with 2^14 registers: a standard error of 0.8 %. It depends
/// on the set alone, not on the order in which texts came.
#[derive(Clone)]
pub(crate) struct Sketch(Box<[u8]>);

const REGISTER_BITS: u32 = 14;
const REGISTERS: usize = 1 << REGISTER_BITS;

impl Default for Sketch {
    fn default() -> Self {
        Self(vec![0; REGISTERS].into())
    }
}

impl Sketch {
    fn insert(&mut self, text: &[u8]) {
        let hash = xxh3_64(text);
        let register = (hash >> (64 - REGISTER_BITS)) as usize;
        // The bit behind the hash bounds the count of zeros.
        let rank = (hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1)).leading_zeros() as u8 + 1;
        self.0[register] = self.0[register].max(rank);
    }

    fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            *own = (*own).max(*other);
        }
    }

    /// Sets that come here are large: the corrections for small ones are left out.
    fn estimate(&self) -> u64 {
        let registers = REGISTERS as f64;
        let sum: f64 = self.0.iter().map(|&rank| 0.5f64.powi(i32::from(rank))).sum();
        (0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum).round() as u64
    }
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sketch({})", self.estimate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_13_a_million_is_exact_and_more_is_estimated_within_three_percent() {
        let mut set = Distinct::default();
        let (mut left, mut right) = (Distinct::default(), Distinct::default());
        for number in 0..1_200_000u32 {
            set.insert(format!("u{number}").as_bytes());
            let half = if number % 2 == 0 { &mut left } else { &mut right };
            half.insert(format!("u{number}").as_bytes());
            if number == 999_999 {
                assert_eq!(set.count(), (1_000_000, true));
            }
        }
        let (count, exact) = set.count();
        assert!(!exact && (1_164_000..1_236_000).contains(&count), "{count}");
        left.merge(right);
        assert_eq!(left.count(), (count, false), "the order does not matter");
    }
}
