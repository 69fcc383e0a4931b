//! Virtual workers. A job is a task of its own, as on real workers: it goes on although nobody polls for its end. (Held
//! by whoever asked, a worker would be busy for as long as that one waits for something else, for another worker even.)

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use helios::host::{BoxFuture, Clock, Cost, Cpu};
use tokio::sync::{Semaphore, oneshot};

use crate::clock::SimClock;

/// How fast a virtual worker is.
const BYTES_PER_MICROSECOND: u64 = 500;

pub(crate) struct SimCpu {
    clock: SimClock,
    free: Arc<Semaphore>,
    workers: usize,
}

impl SimCpu {
    pub(crate) fn new(clock: SimClock, workers: usize) -> Self {
        Self { clock, free: Arc::new(Semaphore::new(workers)), workers }
    }
}

impl Cpu for SimCpu {
    fn submit(&self, cost: Cost, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let (clock, free) = (self.clock.clone(), self.free.clone());
        let (done, is_done) = oneshot::channel();
        madsim::task::spawn(async move {
            let _worker = free.acquire_owned().await.expect("the workers of a node never close");
            clock.sleep(Duration::from_micros(1 + cost.bytes / BYTES_PER_MICROSECOND)).await;
            // As on real workers: the caller learns of a panic because its result never comes.
            let _ = catch_unwind(AssertUnwindSafe(job));
            // Nobody may wait for the end.
            let _ = done.send(());
        });
        Box::pin(async move {
            // Dropped unsent only with the node.
            let _ = is_done.await;
        })
    }

    fn workers(&self) -> usize {
        self.workers
    }
}
