//! Background tasks.

use super::BoxFuture;

/// What a runtime gives back for a task that it runs.
pub trait TaskControl: Send {
    /// Stops the task at its next await point.
    fn cancel(&self);

    /// Completes when the task has ended, by itself, by [`TaskControl::cancel`] or by a panic.
    /// `false` if it panicked.
    fn join(self: Box<Self>) -> BoxFuture<'static, bool>;
}

/// A running task. Dropping it lets the task run on.
pub struct Task(Box<dyn TaskControl>);

impl Task {
    /// Wraps what a runtime returned.
    pub fn new(control: Box<dyn TaskControl>) -> Self {
        Self(control)
    }

    /// Stops the task at its next await point.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Waits for the end. `false` if the task panicked.
    pub async fn join(self) -> bool {
        self.0.join().await
    }
}

/// A runtime that runs tasks.
pub trait Tasks: Send + Sync {
    /// Starts `future` in the background. `name` shows up in traces.
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task;
}
