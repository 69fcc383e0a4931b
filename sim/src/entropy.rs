//! Random bytes that follow a seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use helios::host::Entropy;

use crate::rng::{Rng, hash, mix};

/// Entropy out of a seed. A fork depends on the seed, its label and how often that label was forked
/// before: not on what was drawn.
pub struct SeededEntropy {
    seed: u64,
    state: Mutex<(Rng, BTreeMap<&'static str, u64>)>,
}

impl SeededEntropy {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, state: Mutex::new((Rng::new(seed), BTreeMap::new())) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.state.lock().expect("drawing does not panic").0.fill(bytes);
    }

    fn fork(&self, label: &'static str) -> Arc<dyn Entropy> {
        let mut state = self.state.lock().expect("drawing does not panic");
        let times = state.1.entry(label).or_default();
        *times += 1;
        Arc::new(Self::new(mix(self.seed ^ hash(label.as_bytes())).wrapping_add(*times)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_in_one_place_shifts_no_fork() {
        let (quiet, busy) = (SeededEntropy::new(7), SeededEntropy::new(7));
        busy.fill(&mut [0; 100]);
        busy.fork("other").next_u64();
        assert_eq!(quiet.fork("ids").next_u64(), busy.fork("ids").next_u64());
        assert_ne!(quiet.fork("ids").next_u64(), SeededEntropy::new(7).fork("ids").next_u64(), "the second fork");
    }
}
