//! What happens in the made-up shop: a calm day, a release that shrinks a connection pool, a checkout that
//! slows down and then fails, a rollback, calm again. Everything else reads from here how bad it is.

/// When the release begins, and the span that the set covers.
#[derive(Clone, Copy)]
pub(super) struct Story {
    /// First millisecond of the set, inclusive.
    pub(super) start_ms: i64,
    /// Last millisecond of the set, exclusive.
    pub(super) end_ms: i64,
    /// When the release begins.
    pub(super) release_ms: i64,
}

impl Story {
    /// How badly checkout and payments do: 0 in calm times, 100 at the worst.
    pub(super) fn strain(&self, unix_ms: i64) -> u64 {
        let at = unix_ms - self.release_ms;
        let share = |from: i64, to: i64| (100 * (at - from) / (to - from)) as u64;
        match at {
            SLOWING_MS..FAILING_MS => share(SLOWING_MS, FAILING_MS),
            FAILING_MS..ROLLED_BACK_MS => 100,
            ROLLED_BACK_MS..CALM_MS => 100 - share(ROLLED_BACK_MS, CALM_MS),
            _ => 0,
        }
    }

    /// The version that checkout runs.
    pub(super) fn checkout_version(&self, unix_ms: i64) -> &'static str {
        if (DEPLOYED_MS..ROLLED_BACK_MS).contains(&(unix_ms - self.release_ms)) { "4.19.0" } else { "4.18.2" }
    }

    /// How busy the shop is at a time: the hour's traffic, and more while customers press the button again.
    pub(super) fn traffic(&self, unix_ms: i64) -> u64 {
        let hour = unix_ms.rem_euclid(super::calendar::DAY_MS) / 3_600_000;
        u64::from(TRAFFIC_BY_HOUR[hour as usize]) * (100 + self.strain(unix_ms) / 2)
    }
}

/// One line that is told at a fixed moment.
pub(super) struct Scene {
    /// Milliseconds after the release begins.
    pub(super) at_ms: i64,
    pub(super) service: &'static str,
    pub(super) level: &'static str,
    pub(super) message: &'static str,
}

/// The lines that tell what happened, in order.
pub(super) const SCENES: &[Scene] = &[
    scene(-90_000, "ci", "info", "build 8841 of checkout 4.19.0 passed 1204 tests"),
    scene(0, "deployer", "info", "release started: checkout 4.18.2 -> 4.19.0 on 6 instances"),
    scene(61_000, "config", "info", "payments.pool.max changed from 64 to 8 by release 4.19.0 (ticket HARBOR-4127)"),
    scene(DEPLOYED_MS, "deployer", "info", "release finished: checkout 4.19.0 on 6 of 6 instances"),
    scene(FAILING_MS + 40_000, "checkout", "error", "circuit breaker for payments opened after 50 failures"),
    scene(FAILING_MS + 95_000, "alerting", "warn", "on-call paged: error rate of checkout is 31 % over 5 min"),
    scene(
        23 * MINUTE_MS,
        "oncall",
        "info",
        "mira: the pool of checkout is at 8 since 4.19.0, see HARBOR-4127; rolling back",
    ),
    scene(24 * MINUTE_MS, "deployer", "info", "rollback started: checkout 4.19.0 -> 4.18.2 on 6 instances"),
    scene(ROLLED_BACK_MS, "deployer", "info", "rollback finished: checkout 4.18.2 on 6 of 6 instances"),
    scene(ROLLED_BACK_MS + 70_000, "checkout", "info", "circuit breaker for payments closed"),
    scene(CALM_MS + 240_000, "alerting", "info", "resolved: error rate of checkout is 0.4 % over 5 min"),
];

const fn scene(at_ms: i64, service: &'static str, level: &'static str, message: &'static str) -> Scene {
    Scene { at_ms, service, level, message }
}

const MINUTE_MS: i64 = 60_000;
const DEPLOYED_MS: i64 = 150_000;
const SLOWING_MS: i64 = 3 * MINUTE_MS;
const FAILING_MS: i64 = 12 * MINUTE_MS;
const ROLLED_BACK_MS: i64 = 27 * MINUTE_MS;
const CALM_MS: i64 = 33 * MINUTE_MS;

/// From the first scene to the last.
pub(super) const STORY_MS: i64 = CALM_MS + 240_000;

/// Customers by hour of the day, UTC.
const TRAFFIC_BY_HOUR: [u8; 24] =
    [22, 16, 12, 10, 10, 14, 26, 44, 60, 68, 72, 78, 90, 84, 74, 70, 74, 84, 98, 104, 96, 76, 52, 34];

const _: () = assert!(DEPLOYED_MS < SLOWING_MS && SLOWING_MS < FAILING_MS, "checkout fails after its release");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strain_rises_holds_and_falls_within_the_story() {
        let story = Story { start_ms: 0, end_ms: 86_400_000, release_ms: 40_000_000 };
        let at = |minutes: i64| story.strain(story.release_ms + minutes * MINUTE_MS);
        assert_eq!([at(-1), at(2), at(12), at(26), at(33), at(60)], [0, 0, 100, 100, 0, 0]);
        assert!(at(5) < at(8) && at(8) < at(11) && at(31) < at(28));
        assert!(SCENES.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
    }
}
