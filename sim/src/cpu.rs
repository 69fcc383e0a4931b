//! Virtual workers: a job takes the time that its cost says and then runs in one go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use helios::host::{BoxFuture, Clock, Cost, Cpu};
use tokio::sync::Semaphore;

/// How fast a virtual worker is.
pub(crate) const BYTES_PER_MICROSECOND: u64 = 500;

pub(crate) struct SimCpu {
    clock: Arc<dyn Clock>,
    free: Arc<Semaphore>,
    workers: usize,
}

impl SimCpu {
    pub(crate) fn new(clock: Arc<dyn Clock>, workers: usize) -> Self {
        Self { clock, free: Arc::new(Semaphore::new(workers)), workers }
    }
}

impl Cpu for SimCpu {
    fn submit(&self, cost: Cost, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let (clock, free) = (self.clock.clone(), self.free.clone());
        Box::pin(async move {
            let _worker = free.acquire_owned().await.expect("the workers of a world never close");
            clock.sleep(Duration::from_micros(1 + cost.bytes / BYTES_PER_MICROSECOND)).await;
            // As on real workers: the caller learns of a panic because its result never comes.
            let _ = catch_unwind(AssertUnwindSafe(job));
        })
    }

    fn workers(&self) -> usize {
        self.workers
    }
}
