//! A bounded queue that many fill and one empties.
//!
//! **Promise.** What was taken is handed out, in order, also after the end; what is not taken comes back to whoever
//! brought it. When either side ends, nobody of the other waits for ever.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::check::{Check, Without};
use super::waiters::{Place, Waiters};
use super::{Arc, Mutex, lock};

/// The end that takes. Dropping it ends the queue; what is in it is still handed out.
pub struct Queue<T>(Arc<Shared<T>>);

/// The end that hands out. Dropping it ends the queue and drops what is in it.
pub struct Outlet<T> {
    shared: Arc<Shared<T>>,
    place: Place,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    places: usize,
    without: Without,
}

struct State<T> {
    items: VecDeque<T>,
    ended: bool,
    /// Those who wait for room.
    writers: Waiters,
    /// The one who waits for an item.
    reader: Waiters,
}

/// A queue of so many places, and its two ends.
pub fn queue<T>(places: usize) -> (Queue<T>, Outlet<T>) {
    ends(places, Without::default())
}

fn ends<T>(places: usize, without: Without) -> (Queue<T>, Outlet<T>) {
    assert!(places > 0, "a queue has places");
    let state = State { items: VecDeque::new(), ended: false, writers: Waiters::default(), reader: Waiters::default() };
    let shared = Arc::new(Shared { state: Mutex::new(state), places, without });
    (Queue(Arc::clone(&shared)), Outlet { shared, place: Place::default() })
}

impl<T> Queue<T> {
    /// Ends that lack a step, for a model's twin.
    #[cfg(feature = "loom")]
    pub fn without(places: usize, check: Check) -> (Self, Outlet<T>) {
        ends(places, Without::one(check))
    }

    /// Waits for room and puts `item` in; gives it back if the queue has ended. Cancel-safe: after a drop it was not
    /// put in.
    pub fn put(&self, item: T) -> Put<'_, T> {
        Put { queue: self, item: Some(item), place: Place::default() }
    }

    /// Takes nothing more. What is in it is still handed out.
    pub fn end(&self) {
        let (writers, reader) = {
            let mut state = lock(&self.0.state);
            state.ended = true;
            (state.writers.take(), state.reader.take())
        };
        if !self.0.without.is(Check::WakeAtEnd) {
            reader.wake();
            writers.wake();
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Puts an item into a [`Queue`].
pub struct Put<'a, T> {
    queue: &'a Queue<T>,
    item: Option<T>,
    place: Place,
}

// The item moves and is never pinned.
impl<T> Unpin for Put<'_, T> {}

impl<T> Future for Put<'_, T> {
    type Output = Result<(), T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), T>> {
        let Self { queue, item, place } = &mut *self;
        let shared = &queue.0;
        let mut state = lock(&shared.state);
        if state.ended && !shared.without.is(Check::RefuseAfterEnd) {
            drop(state);
            return Poll::Ready(Err(item.take().expect("polled until it is done")));
        }
        if state.items.len() < shared.places {
            state.items.push_back(item.take().expect("polled until it is done"));
            let reader = state.reader.take();
            drop(state);
            reader.wake();
            return Poll::Ready(Ok(()));
        }
        if shared.without.is(Check::OneLock) {
            drop(state);
            state = lock(&shared.state);
        }
        let replaced = state.writers.wait(place, cx.waker());
        drop(state);
        drop(replaced);
        Poll::Pending
    }
}

impl<T> Drop for Put<'_, T> {
    fn drop(&mut self) {
        let left = lock(&self.queue.0.state).writers.leave(&self.place);
        drop(left);
    }
}

impl<T> Outlet<T> {
    /// Waits for an item and takes it with all that wait behind it, until together they weigh `enough`. `None` once
    /// the queue has ended and is empty. Cancel-safe.
    pub async fn next_group(&mut self, enough: u64, weight: impl Fn(&T) -> u64) -> Option<Vec<T>> {
        std::future::poll_fn(|cx| self.poll_group(cx, enough, &weight)).await
    }

    fn poll_group(&mut self, cx: &mut Context<'_>, enough: u64, weight: &impl Fn(&T) -> u64) -> Poll<Option<Vec<T>>> {
        let Self { shared, place } = self;
        let mut state = lock(&shared.state);
        if state.ended && (state.items.is_empty() || shared.without.is(Check::Drain)) {
            return Poll::Ready(None);
        }
        if state.items.is_empty() {
            if shared.without.is(Check::OneLock) {
                drop(state);
                state = lock(&shared.state);
            }
            let replaced = state.reader.wait(place, cx.waker());
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        let (mut group, mut together) = (Vec::new(), 0);
        while together < enough || group.is_empty() {
            let Some(item) = state.items.pop_front() else { break };
            together += weight(&item);
            group.push(item);
        }
        // Everybody: one who is woken and goes away instead would keep the room from the others.
        let writers = state.writers.take();
        drop(state);
        if !shared.without.is(Check::WakeForRoom) {
            writers.wake();
        }
        Poll::Ready(Some(group))
    }
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        let (items, writers) = {
            let mut state = lock(&self.shared.state);
            state.ended = true;
            (std::mem::take(&mut state.items), state.writers.take())
        };
        // Outside of the lock, and before anybody is woken: whoever waits for an answer to an item is told.
        drop(items);
        writers.wake();
    }
}
