//! A flag that is raised once.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::check::{Check, Without};
use super::waiters::{Place, Waiters};
use super::{Arc, Mutex, lock};

/// A flag that is raised once and stays so: a stop, for instance. Clones are the same flag.
#[derive(Clone, Default)]
pub struct Flag {
    state: Arc<Mutex<State>>,
    without: Without,
}

#[derive(Default)]
struct State {
    raised: bool,
    waiters: Waiters,
}

impl Flag {
    /// A flag that is down.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that lacks a step, for a model's twin.
    #[cfg(feature = "loom")]
    pub fn without(check: Check) -> Self {
        Self { without: Without::one(check), ..Self::default() }
    }

    /// Raises it and wakes everybody who waits for it.
    pub fn raise(&self) {
        let woken = {
            let mut state = lock(&self.state);
            state.raised = true;
            state.waiters.take()
        };
        if !self.without.is(Check::WakeAtEnd) {
            woken.wake();
        }
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        lock(&self.state).raised
    }

    /// Completes once it is raised. Cancel-safe.
    pub fn raised(&self) -> Raised<'_> {
        Raised { flag: self, place: Place::default() }
    }
}

/// Waits for a [`Flag`].
pub struct Raised<'a> {
    flag: &'a Flag,
    place: Place,
}

impl Future for Raised<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { flag, place } = &mut *self;
        let mut state = lock(&flag.state);
        if state.raised {
            return Poll::Ready(());
        }
        if flag.without.is(Check::OneLock) {
            drop(state);
            state = lock(&flag.state);
        }
        let replaced = state.waiters.wait(place, cx.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        let left = lock(&self.flag.state).waiters.leave(&self.place);
        drop(left);
    }
}
