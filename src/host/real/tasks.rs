//! Background tasks on the tokio runtime.
#![allow(clippy::disallowed_methods, reason = "host::real is where tasks are started")]

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tracing::error;

use crate::host::{BoxFuture, Task, TaskControl, Tasks};

/// Starts tasks on the tokio runtime that the caller runs in.
pub struct RealTasks;

impl Tasks for RealTasks {
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        let handle = tokio::spawn(async move {
            let ended = AssertUnwindSafe(future).catch_unwind().await;
            if let Err(panic) = &ended {
                // Logged here, since nobody may ever join this task.
                error!(task = name, message = panic_text(panic.as_ref()), "a task panicked");
            }
            ended.is_ok()
        });
        Task::new(Box::new(RealTask(handle)))
    }
}

/// A task that returns whether it ended without a panic.
struct RealTask(JoinHandle<bool>);

impl TaskControl for RealTask {
    fn cancel(&self) {
        self.0.abort();
    }

    fn join(self: Box<Self>) -> BoxFuture<'static, bool> {
        // The only error that is left is that the task was cancelled, or dropped with the runtime.
        Box::pin(async move { self.0.await.unwrap_or(true) })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn join_tells_a_panic_from_an_end() {
        assert!(RealTasks.spawn("ends", Box::pin(async {})).join().await);
        assert!(!RealTasks.spawn("panics", Box::pin(async { panic!("on purpose") })).join().await);
    }

    #[tokio::test]
    async fn a_cancelled_task_ends_without_a_panic() {
        let task = RealTasks.spawn("waits", Box::pin(std::future::pending()));
        task.cancel();
        assert!(task.join().await);
    }

    #[tokio::test]
    async fn a_task_runs_on_although_its_handle_was_dropped() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let task = async move {
            tokio::task::yield_now().await;
            sender.send(1).unwrap();
        };
        drop(RealTasks.spawn("detached", Box::pin(task)));
        assert_eq!(receiver.await, Ok(1));
    }
}
