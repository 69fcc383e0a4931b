//! Tasks of one life of a machine.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use helios::host::{BoxFuture, Task, TaskControl, Tasks};
use tokio::task::JoinHandle;

use super::clock::{Skew, true_sleep};

/// Starts tasks on the local set of the machine that the caller runs on. Its order is first in, first out, and the
/// order in which a crash drops them does not depend on tokio's numbers, which count over a whole process.
pub(super) struct FleetTasks {
    pub(super) skew: Arc<Skew>,
    pub(super) panics: Arc<Mutex<Vec<String>>>,
}

impl Tasks for FleetTasks {
    #[allow(clippy::disallowed_methods, reason = "under turmoil, a machine's tasks are tokio's")]
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        let panics = self.panics.clone();
        let guarded = async move {
            let ended = AssertUnwindSafe(future).catch_unwind().await;
            if ended.is_err() {
                panics.lock().expect("nothing panics while it is held").push(name.to_owned());
            }
            ended.is_ok()
        };
        Task::new(Box::new(FleetTask(tokio::task::spawn_local(Stalling::new(self.skew.clone(), guarded)))))
    }
}

struct FleetTask(JoinHandle<bool>);

impl TaskControl for FleetTask {
    fn cancel(&self) {
        self.0.abort();
    }

    fn join(self: Box<Self>) -> BoxFuture<'static, bool> {
        // The only error that is left is that the task was cancelled, or dropped with the machine.
        Box::pin(async move { self.0.await.unwrap_or(true) })
    }
}

/// A future that does not run while its machine stands still. Time goes on meanwhile: as after a pause of a virtual
/// machine, all timers have run out when it goes on.
pub(super) struct Stalling<F> {
    skew: Arc<Skew>,
    waiting: Option<BoxFuture<'static, ()>>,
    inner: Pin<Box<F>>,
}

impl<F: Future> Stalling<F> {
    pub(super) fn new(skew: Arc<Skew>, inner: F) -> Self {
        Self { skew, waiting: None, inner: Box::pin(inner) }
    }
}

impl<F: Future> Future for Stalling<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        while let Some(left) = self.skew.stall_left() {
            let waiting = self.waiting.get_or_insert_with(|| true_sleep(left));
            if waiting.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.waiting = None;
        }
        self.waiting = None;
        self.inner.as_mut().poll(context)
    }
}
