//! How much the engine may spend on making small blocks as small as can be.
//!
//! **Promise.** In the long run no more than so many bytes a second are compressed densely, whatever comes in:
//! a node that takes in little has small blocks, and one that takes in much, in however many partitions,
//! does not choke on them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bytes that may be compressed densely now: they come in at a steady rate, up to a bound.
pub(crate) struct DenseBudget {
    bytes_per_s: u64,
    state: Mutex<State>,
}

struct State {
    bytes: u64,
    since: Duration,
}

impl DenseBudget {
    pub(crate) fn new(bytes_per_s: u64, now: Duration) -> Self {
        let bytes = bytes_per_s.saturating_mul(DENSE_SECONDS_MAX);
        Self { bytes_per_s, state: Mutex::new(State { bytes, since: now }) }
    }

    /// Whether a block of so many bytes as sent may be written densely: then they are taken. `now` is the
    /// monotonic clock's.
    pub(crate) fn take(&self, raw_bytes: u64, now: Duration) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_sub(state.since).as_millis();
        let more = u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(self.bytes_per_s) / 1_000;
        state.bytes = state.bytes.saturating_add(more).min(self.bytes_per_s.saturating_mul(DENSE_SECONDS_MAX));
        state.since = now;
        let wanted = raw_bytes.min(BLOCK_BYTES_MAX);
        let has_them = state.bytes >= wanted;
        state.bytes -= if has_them { wanted } else { 0 };
        has_them
    }
}

/// What gathers while nothing comes in: the share of so many seconds.
const DENSE_SECONDS_MAX: u64 = 64;
/// Of a large block no more than about so much is compressed densely.
const BLOCK_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_gathers_up_to_a_bound_and_what_is_refused_takes_nothing() {
        let at = Duration::from_secs;
        let budget = DenseBudget::new(1 << 20, at(10));
        let taken = (0..1_000).filter(|_| budget.take(1 << 20, at(10))).count();
        assert_eq!(taken, 64);
        assert!(!budget.take(3 << 20, at(12)));
        assert!(budget.take(2 << 20, at(12)));
        assert!(!budget.take(1, at(12)));
        assert_eq!((0..1_000).filter(|_| budget.take(u64::MAX, at(1_000_000))).count(), 16);
    }
}
