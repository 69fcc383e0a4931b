//! Virtual time: it stands still while anything can run and then jumps to the next timer.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use helios::host::{BoxFuture, Clock, UnixNanos};

/// Where the calendar of every world starts: 2026-01-01T00:00:00Z.
pub(crate) const WALL_START_NS: i64 = 1_767_225_600_000_000_000;

/// The clock of one world.
#[derive(Clone)]
pub(crate) struct SimClock(Arc<Mutex<State>>);

struct State {
    now_ns: u64,
    /// What the calendar is off against `WALL_START_NS + now_ns`.
    wall_offset_ns: i64,
    timers: BTreeMap<TimerKey, Waker>,
    timers_made: u64,
}

/// When it is due and, among those due together, which was made first.
type TimerKey = (u64, u64);

impl SimClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { now_ns: 0, wall_offset_ns: 0, timers: BTreeMap::new(), timers_made: 0 })))
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.lock().now_ns
    }

    pub(crate) fn jump_wall(&self, by_ns: i64) {
        let mut state = self.lock();
        state.wall_offset_ns = state.wall_offset_ns.saturating_add(by_ns);
    }

    /// Moves time to the next timer and wakes all that are due. `false` if there is none.
    pub(crate) fn advance(&self) -> bool {
        let mut due = Vec::new();
        let mut state = self.lock();
        let Some((&(next_ns, _), _)) = state.timers.first_key_value() else { return false };
        state.now_ns = state.now_ns.max(next_ns);
        while let Some(entry) = state.timers.first_entry()
            && entry.key().0 <= next_ns
        {
            due.push(entry.remove());
        }
        drop(state);
        due.into_iter().for_each(Waker::wake);
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under the clock's lock")
    }
}

impl Clock for SimClock {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.now_ns())
    }

    fn wall(&self) -> UnixNanos {
        let state = self.lock();
        let since_start = i64::try_from(state.now_ns).unwrap_or(i64::MAX);
        UnixNanos(WALL_START_NS.saturating_add(since_start).saturating_add(state.wall_offset_ns))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.lock();
        state.timers_made += 1;
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let key = (state.now_ns.saturating_add(duration_ns), state.timers_made);
        drop(state);
        Box::pin(Sleep { clock: self.clone(), key })
    }
}

struct Sleep {
    clock: SimClock,
    key: TimerKey,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.now_ns >= self.key.0 {
            return Poll::Ready(());
        }
        state.timers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // Taken out of the lock before it is dropped: a waker may own a task that owns another timer.
        let waker = self.clock.lock().timers.remove(&self.key);
        drop(waker);
    }
}
