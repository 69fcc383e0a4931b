//! Random bytes.

use std::sync::Arc;

/// A source of random bytes. The production one is the crypto module's; a simulation's follows a seed.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// A stream of its own: drawing from it never shifts what others draw.
    fn fork(&self, label: &'static str) -> Arc<dyn Entropy>;
}

impl dyn Entropy {
    /// One random number.
    pub fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}
