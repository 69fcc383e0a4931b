//! The latest value that one tells and many read.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::check::{Check, Without};
use super::waiters::{Place, Waiters};
use super::{Arc, Mutex, lock};

/// The end that tells. Dropping it ends the story.
pub struct Teller<T>(Arc<Shared<T>>);

/// An end that reads. Each clone knows for itself what it has seen.
pub struct Latest<T> {
    shared: Arc<Shared<T>>,
    /// The version that was seen last.
    seen: u64,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    without: Without,
}

struct State<T> {
    value: T,
    /// Grows with each value.
    version: u64,
    ended: bool,
    waiters: Waiters,
}

/// A value and its two ends.
pub fn latest<T: Clone + PartialEq>(value: T) -> (Teller<T>, Latest<T>) {
    ends(value, Without::default())
}

fn ends<T: Clone + PartialEq>(value: T, without: Without) -> (Teller<T>, Latest<T>) {
    let state = State { value, version: 0, ended: false, waiters: Waiters::default() };
    let shared = Arc::new(Shared { state: Mutex::new(state), without });
    (Teller(Arc::clone(&shared)), Latest { shared, seen: 0 })
}

impl<T: Clone + PartialEq> Teller<T> {
    /// Makes this the value, and wakes everybody who waits if it is another than before.
    pub fn tell(&self, value: T) {
        let woken = {
            let mut state = lock(&self.0.state);
            if state.value == value {
                return;
            }
            state.value = value;
            state.version += 1;
            state.waiters.take()
        };
        woken.wake();
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        let woken = {
            let mut state = lock(&self.0.state);
            state.ended = true;
            state.waiters.take()
        };
        if !self.0.without.is(Check::WakeAtEnd) {
            woken.wake();
        }
    }
}

impl<T: Clone + PartialEq> Latest<T> {
    /// Ends that lack a step, for a model's twin.
    #[cfg(feature = "loom")]
    pub fn without(value: T, check: Check) -> (Teller<T>, Self) {
        ends(value, Without::one(check))
    }

    /// The value as it is.
    pub fn get(&self) -> T {
        lock(&self.shared.state).value.clone()
    }

    /// Waits for a value that this end has not seen yet: the value that it began with counts as seen. `false` once
    /// there will be none. Cancel-safe.
    pub async fn changed(&mut self) -> bool {
        Changed { latest: self, place: Place::default() }.await
    }
}

impl<T> Clone for Latest<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

struct Changed<'a, T> {
    latest: &'a mut Latest<T>,
    place: Place,
}

impl<T> Future for Changed<'_, T> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let Self { latest, place } = &mut *self;
        let shared = &latest.shared;
        let mut state = lock(&shared.state);
        if state.version != latest.seen {
            latest.seen = state.version;
            return Poll::Ready(true);
        }
        if state.ended {
            return Poll::Ready(false);
        }
        if shared.without.is(Check::OneLock) {
            drop(state);
            state = lock(&shared.state);
        }
        let replaced = state.waiters.wait(place, cx.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl<T> Drop for Changed<'_, T> {
    fn drop(&mut self) {
        let left = lock(&self.latest.shared.state).waiters.leave(&self.place);
        drop(left);
    }
}
