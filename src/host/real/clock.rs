//! The machine's clocks.
#![allow(clippy::disallowed_methods, reason = "host::real is where the clocks are read")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::host::{BoxFuture, Clock, UnixNanos};

/// The machine's monotonic and calendar clocks, and tokio's timers.
pub struct RealClock {
    start: Instant,
}

impl RealClock {
    /// A clock whose monotonic time begins now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for RealClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for RealClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> UnixNanos {
        unix_nanos(SystemTime::now())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Times outside of the years 1678 to 2261 become the nearest that can be told.
fn unix_nanos(time: SystemTime) -> UnixNanos {
    UnixNanos(match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_are_negative_and_times_out_of_range_saturate() {
        let second = Duration::from_secs(1);
        assert_eq!(unix_nanos(UNIX_EPOCH + second), UnixNanos(1_000_000_000));
        assert_eq!(unix_nanos(UNIX_EPOCH - second), UnixNanos(-1_000_000_000));
        let thousand_years = second * 86_400 * 365_000;
        assert_eq!(unix_nanos(UNIX_EPOCH + thousand_years), UnixNanos(i64::MAX));
        assert_eq!(unix_nanos(UNIX_EPOCH - thousand_years), UnixNanos(i64::MIN));
    }

    #[tokio::test]
    async fn a_sleep_lasts_at_least_as_long_as_asked() {
        let clock = RealClock::new();
        let before = clock.monotonic();
        clock.sleep(Duration::from_millis(5)).await;
        assert!(clock.monotonic() - before >= Duration::from_millis(5));
    }
}
