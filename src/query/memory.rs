//! How much memory a query holds for its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::QueryError;

/// What one query may hold. All clones are one budget.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    used: Arc<AtomicU64>,
    limit_bytes: u64,
}

impl Budget {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { used: Arc::default(), limit_bytes }
    }

    /// Takes `bytes` for `what`.
    ///
    /// # Errors
    /// `TooMuchMemory` once more is taken than one query may hold.
    pub(crate) fn take(&self, bytes: usize, what: &'static str) -> Result<(), QueryError> {
        let used = self.used.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if used > self.limit_bytes {
            return Err(QueryError::TooMuchMemory { what, limit_bytes: self.limit_bytes });
        }
        Ok(())
    }

    /// Gives `bytes` back.
    pub(crate) fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes as u64, Ordering::Relaxed);
        assert!(before >= bytes as u64, "more memory was given back than taken");
    }
}
