//! CPU-bound work, kept off the threads that serve requests.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::BoxFuture;

/// How much work a job is expected to be. A simulation turns it into virtual time.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Bytes that the job will read or write in memory.
    pub bytes: u64,
}

impl Cost {
    /// A job that touches this many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self { bytes }
    }
}

/// The object-safe core of the pool.
pub trait Cpu: Send + Sync {
    /// Runs `job` once a worker is free; the future completes when it is done (or was dropped unrun,
    /// when the pool stops).
    fn submit(&self, cost: Cost, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;

    /// How many jobs run at the same time.
    fn workers(&self) -> usize;
}

/// A bounded pool of workers.
#[derive(Clone)]
pub struct CpuPool(Arc<dyn Cpu>);

impl CpuPool {
    /// Wraps a pool.
    pub fn new(core: Arc<dyn Cpu>) -> Self {
        Self(core)
    }

    /// Runs `job` on the pool and returns what it returned.
    ///
    /// # Panics
    /// If the job panicked or the pool has stopped.
    ///
    /// # Cancel safety
    /// After a drop the job still runs if it was started; its result is discarded.
    pub async fn run<T: Send + 'static>(&self, cost: Cost, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = oneshot::channel();
        let done = self.0.submit(
            cost,
            Box::new(move || {
                // The caller may have gone away: then nobody wants the result.
                let _ = sender.send(job());
            }),
        );
        done.await;
        receiver.await.expect("a job of the CPU pool panicked or the pool has stopped")
    }

    /// How many jobs run at the same time.
    pub fn workers(&self) -> usize {
        self.0.workers()
    }
}
