//! A machine's clocks over turmoil's virtual time: they drift, jump, and stand still with the machine.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use helios::host::{BoxFuture, Clock, UnixNanos};

use crate::clock::WALL_START_NS;
use crate::leaks;
use crate::rng::Rng;

/// What is wrong with a machine's clocks. Outlives a life.
pub(super) struct Skew {
    /// How much faster than true time it runs, in millionths.
    drift_ppm: i64,
    /// What the calendar is off, beside the drift.
    wall_offset_ns: AtomicI64,
    /// True time until which nothing on the machine runs.
    stalled_until_ns: AtomicU64,
    /// The latest monotonic time that was told.
    told_ns: AtomicU64,
}

impl Skew {
    pub(super) fn new(drift_ppm: i64) -> Self {
        Self {
            drift_ppm,
            wall_offset_ns: AtomicI64::new(0),
            stalled_until_ns: AtomicU64::new(0),
            told_ns: AtomicU64::new(0),
        }
    }

    pub(super) fn jump_wall(&self, by_ns: i64) {
        self.wall_offset_ns.fetch_add(by_ns, Ordering::Relaxed);
    }

    pub(super) fn stall_until(&self, until: Duration) {
        self.stalled_until_ns.store(nanos(until), Ordering::Relaxed);
    }

    /// How much longer the machine stands still.
    pub(super) fn stall_left(&self) -> Option<Duration> {
        let until = self.stalled_until_ns.load(Ordering::Relaxed);
        if until == 0 {
            return None;
        }
        until.checked_sub(nanos(true_time())).filter(|left| *left > 0).map(Duration::from_nanos)
    }

    fn machine_ns(&self) -> u64 {
        let now = i128::from(nanos(true_time()));
        let drifted = now + now * i128::from(self.drift_ppm) / MILLION;
        // While a crash drops its tasks, turmoil's clock is not exact: what was told holds.
        self.told_ns.fetch_max(u64::try_from(drifted).unwrap_or(0), Ordering::Relaxed);
        self.told_ns.load(Ordering::Relaxed)
    }
}

/// Time since the simulation began, the same on all machines.
pub(super) fn true_time() -> Duration {
    // Between two machines' turns nobody's clock runs, and the tick's beginning is as good as any time.
    turmoil::sim_elapsed().unwrap_or_else(leaks::now)
}

/// The clock of one machine.
#[derive(Clone)]
pub(super) struct MachineClock(pub(super) Arc<Skew>);

impl Clock for MachineClock {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.machine_ns())
    }

    fn wall(&self) -> UnixNanos {
        let since_start = i64::try_from(self.0.machine_ns()).unwrap_or(i64::MAX);
        let offset = self.0.wall_offset_ns.load(Ordering::Relaxed);
        UnixNanos(WALL_START_NS.saturating_add(since_start).saturating_add(offset))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let asked = i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX / MILLION);
        // One more: a sleep is never shorter than asked, by the machine's own clock.
        let true_ns = asked * MILLION / (MILLION + i128::from(self.0.drift_ppm)) + 1;
        true_sleep(Duration::from_nanos(u64::try_from(true_ns).unwrap_or(u64::MAX)))
    }
}

#[allow(clippy::disallowed_methods, reason = "under turmoil, tokio's timers are virtual time")]
pub(super) fn true_sleep(duration: Duration) -> BoxFuture<'static, ()> {
    Box::pin(tokio::time::sleep(duration))
}

/// A clock for the delays of devices. tokio's timers step by a millisecond, and a disk would be as slow as that:
/// a shorter delay is a whole step as often as its length says, and else none.
pub(super) struct CoarseClock {
    clock: MachineClock,
    rng: Mutex<Rng>,
}

impl CoarseClock {
    pub(super) fn new(clock: MachineClock, rng: Rng) -> Self {
        Self { clock, rng: Mutex::new(rng) }
    }
}

impl Clock for CoarseClock {
    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn wall(&self) -> UnixNanos {
        self.clock.wall()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let up = self.rng.lock().expect("drawing does not panic").in_range(0..1_000) < micros % 1_000;
        match micros / 1_000 + u64::from(up) {
            0 => Box::pin(std::future::ready(())),
            steps => self.clock.sleep(Duration::from_millis(steps)),
        }
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const MILLION: i128 = 1_000_000;
