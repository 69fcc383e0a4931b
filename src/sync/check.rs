//! What a model leaves out, to see that it would be missed.

/// A step that a piece needs, and that a model's twin leaves out.
#[cfg_attr(not(feature = "loom"), allow(dead_code, unreachable_pub, reason = "only models name them"))]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Check {
    /// Look and get in line under one lock, so that nothing happens between the two.
    OneLock,
    /// Wake those who wait when it is over.
    WakeAtEnd,
    /// Wake those who wait for room when there is some.
    WakeForRoom,
    /// Hand out what is left after the end.
    Drain,
    /// Take nothing after the end.
    RefuseAfterEnd,
    /// Let go of nothing that another still holds.
    OnlyHandle,
}

/// What is left out: nothing, except in a model's twin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Without(#[cfg(feature = "loom")] Option<Check>);

impl Without {
    #[cfg(feature = "loom")]
    pub(super) fn one(check: Check) -> Self {
        Self(Some(check))
    }

    #[cfg(feature = "loom")]
    pub(super) fn is(self, check: Check) -> bool {
        self.0 == Some(check)
    }

    /// Never.
    #[cfg(not(feature = "loom"))]
    pub(super) const fn is(self, _check: Check) -> bool {
        false
    }
}
