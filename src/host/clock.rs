//! Time: one clock that only grows, one that people read and that may jump.

use std::time::Duration;

use super::BoxFuture;

/// Nanoseconds since 1970-01-01T00:00:00Z. Covers the years 1678 to 2261.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UnixNanos(pub i64);

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Time since an arbitrary start; never goes back. Timeouts, ages and leases use it.
    fn monotonic(&self) -> Duration;

    /// The calendar time. It may jump either way: nothing's safety rests on it.
    fn wall(&self) -> UnixNanos;

    /// Completes once `duration` has passed. Cancel-safe: dropping it forgets the timer.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}
