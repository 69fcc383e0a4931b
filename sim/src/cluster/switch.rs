//! A switch that ends a process on a machine that runs on, where every task of it stands, or stops it for a while.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use helios::host::{BoxFuture, Task, Tasks};
use tracing::Instrument;

/// Off once, off for ever. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Switch(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    off: bool,
    /// No task moves.
    paused: bool,
    wakers: Vec<Waker>,
    /// Futures that are not dropped yet.
    alive: usize,
}

impl Switch {
    /// The process is killed. What was spawned behind the switch does nothing more.
    pub(super) fn turn_off(&self) {
        let wakers = {
            let mut state = self.lock();
            state.off = true;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether every task stands still.
    pub(super) fn is_paused(&self) -> bool {
        self.lock().paused
    }

    /// Every task stands still, or goes on: time passes on.
    pub(super) fn pause(&self, paused: bool) {
        let wakers = {
            let mut state = self.lock();
            state.paused = paused;
            if paused { Vec::new() } else { std::mem::take(&mut state.wakers) }
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn keep_waker(&self, context: &Context<'_>) {
        let mut state = self.lock();
        // Bounded: a waker that is known already is not kept twice.
        if !state.wakers.iter().any(|known| known.will_wake(context.waker())) {
            state.wakers.push(context.waker().clone());
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.lock().off
    }

    /// Whether everything behind the switch has let go of what it held.
    pub(super) fn is_drained(&self) -> bool {
        self.lock().alive == 0
    }

    /// Runs a future unless the switch is turned off meanwhile: then it is dropped, and `None`.
    pub(super) fn guard<F: Future + Send + 'static>(&self, future: F) -> Guarded<'_, F::Output> {
        Guarded::new(self.clone(), Box::pin(future))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under the switch's lock")
    }
}

/// See [`Switch::guard`].
pub(super) struct Guarded<'a, T> {
    switch: Switch,
    future: Option<BoxFuture<'a, T>>,
}

impl<'a, T> Guarded<'a, T> {
    fn new(switch: Switch, future: BoxFuture<'a, T>) -> Self {
        switch.lock().alive += 1;
        Self { switch, future: Some(future) }
    }
}

impl<T> Future for Guarded<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if self.switch.is_off() {
            self.future = None;
            return Poll::Ready(None);
        }
        if self.switch.lock().paused {
            self.switch.keep_waker(context);
            return Poll::Pending;
        }
        let Some(future) = &mut self.future else { return Poll::Ready(None) };
        match future.as_mut().poll(context) {
            Poll::Ready(value) => {
                self.future = None;
                Poll::Ready(Some(value))
            }
            Poll::Pending => {
                self.switch.keep_waker(context);
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Guarded<'_, T> {
    fn drop(&mut self) {
        self.future = None;
        self.switch.lock().alive -= 1;
    }
}

/// The tasks of one process.
pub(super) struct NodeTasks {
    /// Whose: what they log says so.
    pub(super) node: &'static str,
    pub(super) switch: Switch,
    pub(super) machine: Arc<dyn Tasks>,
}

impl Tasks for NodeTasks {
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        let guarded = Guarded::new(self.switch.clone(), future).instrument(tracing::info_span!("on", node = self.node));
        self.machine.spawn(
            name,
            Box::pin(async move {
                let _ = guarded.await;
            }),
        )
    }
}
