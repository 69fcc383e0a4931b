//! What nobody names any more and somebody may still hold.

use super::check::{Check, Without};
use super::{Mutex, lock};

/// A shared pointer that can tell whether it is the only one.
pub trait Handle {
    /// Whether no other points to the same value. If so, all that was done through the others has been done and is
    /// seen here: `Arc::strong_count` does not promise that.
    fn is_only(&mut self) -> bool;
}

impl<T> Handle for std::sync::Arc<T> {
    fn is_only(&mut self) -> bool {
        Self::get_mut(self).is_some()
    }
}

#[cfg(feature = "loom")]
impl<T> Handle for loom::sync::Arc<T> {
    fn is_only(&mut self) -> bool {
        Self::get_mut(self).is_some()
    }
}

/// Values that are being replaced, or were. Only who holds one can make others hold it, and what names it for those who
/// come holds it too: once the handle here is the only one, it stays the only one.
pub struct Reclaim<H> {
    discarded: Mutex<Vec<H>>,
    without: Without,
}

impl<H: Handle> Reclaim<H> {
    /// Nothing to reclaim.
    pub fn new() -> Self {
        Self { discarded: Mutex::new(Vec::new()), without: Without::default() }
    }

    /// One that lacks a step, for a model's twin.
    #[cfg(feature = "loom")]
    pub fn without(check: Check) -> Self {
        Self { without: Without::one(check), ..Self::new() }
    }

    /// Hands over what is to go.
    pub fn discard(&self, handles: impl IntoIterator<Item = H>) {
        lock(&self.discarded).extend(handles);
    }

    /// Those that nobody else holds.
    pub fn take_free(&self) -> Vec<H> {
        let mut discarded = lock(&self.discarded);
        discarded.extract_if(.., |handle| handle.is_only() || self.without.is(Check::OnlyHandle)).collect()
    }
}

impl<H: Handle> Default for Reclaim<H> {
    fn default() -> Self {
        Self::new()
    }
}
