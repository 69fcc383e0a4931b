//! What two runs are compared by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::rng::{hash, mix};

/// A digest of facts in their order. Clones are the same digest.
#[derive(Clone, Debug, Default)]
pub struct Digest(Arc<AtomicU64>);

impl Digest {
    /// Adds one fact.
    pub fn note(&self, fact: u64) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(mix(before.rotate_left(7) ^ fact), Ordering::Relaxed);
    }

    /// Adds bytes, and what they are.
    pub fn note_bytes(&self, what: u64, bytes: &[u8]) {
        self.note(what ^ hash(bytes).rotate_left(1));
    }

    /// Of everything so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
