//! CPU-bound work on threads of its own.

use std::io;

use super::pool::Pool;
use crate::host::{BoxFuture, Cost, Cpu};

/// Jobs that wait for a worker. Who comes later waits without a place, at the cost of a future.
const QUEUED_JOBS_MAX: usize = 256;

/// A fixed number of worker threads.
pub struct RealCpu {
    pool: Pool,
    workers: usize,
}

impl RealCpu {
    /// Starts `workers` threads.
    ///
    /// # Errors
    /// If the operating system refuses to start a thread.
    ///
    /// # Panics
    /// If `workers` is 0.
    pub fn new(workers: usize) -> io::Result<Self> {
        Ok(Self { pool: Pool::new("helios-cpu", workers, QUEUED_JOBS_MAX)?, workers })
    }
}

impl Cpu for RealCpu {
    fn submit(&self, _cost: Cost, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        self.pool.submit(job)
    }

    fn workers(&self) -> usize {
        self.workers
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::host::CpuPool;

    #[tokio::test]
    async fn a_job_returns_its_result_to_the_caller() {
        let cpu = CpuPool::new(Arc::new(RealCpu::new(2).unwrap()));
        assert_eq!(cpu.workers(), 2);
        let (a, b) = tokio::join!(cpu.run(Cost::bytes(1), || 1), cpu.run(Cost::bytes(1), || "two"));
        assert_eq!((a, b), (1, "two"));
    }

    #[tokio::test]
    #[allow(clippy::disallowed_methods, reason = "a task whose panic the test may look at")]
    async fn a_panic_reaches_the_caller_and_not_the_next_job() {
        let cpu = CpuPool::new(Arc::new(RealCpu::new(1).unwrap()));
        let caller = cpu.clone();
        let panicked = tokio::spawn(async move { caller.run(Cost::bytes(1), || panic!("on purpose")).await });
        assert!(panicked.await.unwrap_err().is_panic());
        assert_eq!(cpu.run(Cost::bytes(1), || 3).await, 3);
    }
}
