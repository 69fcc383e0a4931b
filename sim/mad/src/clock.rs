//! madsim's time as the host's clock.

use std::time::Duration;

use helios::host::{BoxFuture, Clock, UnixNanos};
use madsim::time::TimeHandle;

/// Where the calendar of every run starts: 2026-01-01T00:00:00Z.
pub(crate) const WALL_START_NS: i64 = 1_767_225_600_000_000_000;

/// The clock of a run. Sleeps last a millisecond at least, and end in no particular order.
#[derive(Clone)]
pub(crate) struct SimClock(TimeHandle);

impl SimClock {
    /// The clock of the run that calls this.
    pub(crate) fn current() -> Self {
        Self(TimeHandle::current())
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> UnixNanos {
        let since_start = i64::try_from(self.0.elapsed().as_nanos()).unwrap_or(i64::MAX);
        UnixNanos(WALL_START_NS.saturating_add(since_start))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.0.sleep(duration.min(SLEEP_MAX)))
    }
}

/// Longer sleeps would overflow madsim's time; no run lasts that long.
const SLEEP_MAX: Duration = Duration::from_secs(100 * 86_400);
