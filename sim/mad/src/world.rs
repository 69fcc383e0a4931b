//! What `sim`'s disk wants to know of the machine that it is in.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::rng::mix;

/// Whether a life of a machine goes on, and the digest of what its disk was asked.
#[derive(Default)]
pub(crate) struct Power {
    cut: AtomicBool,
    digest: AtomicU64,
}

impl Power {
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn note(&self, fact: u64) {
        let before = self.digest.load(Ordering::Relaxed);
        self.digest.store(mix(before.rotate_left(7) ^ fact), Ordering::Relaxed);
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest.load(Ordering::Relaxed)
    }
}
