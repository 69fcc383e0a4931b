//! Virtual workers of one life: a job takes the time that its cost says and then runs in one go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use helios::host::{BoxFuture, Clock, Cost, Cpu, Tasks};
use tokio::sync::{Semaphore, oneshot};

use super::tasks::FleetTasks;
use crate::cpu::BYTES_PER_MICROSECOND;

pub(super) struct FleetCpu {
    clock: Arc<dyn Clock>,
    tasks: Arc<FleetTasks>,
    free: Arc<Semaphore>,
    workers: usize,
}

impl FleetCpu {
    pub(super) fn new(clock: Arc<dyn Clock>, tasks: Arc<FleetTasks>, workers: usize) -> Self {
        Self { clock, tasks, free: Arc::new(Semaphore::new(workers)), workers }
    }
}

impl Cpu for FleetCpu {
    fn submit(&self, cost: Cost, job: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let (clock, tasks, free) = (self.clock.clone(), self.tasks.clone(), self.free.clone());
        Box::pin(async move {
            let (done, is_done) = oneshot::channel();
            // A task of its own, as a real worker is: whoever waits for several jobs may look at one of them for a
            // long time, and a worker that another was given must go on meanwhile.
            let work = async move {
                let _worker = free.acquire_owned().await.expect("the workers of a life never close");
                clock.sleep(Duration::from_micros(1 + cost.bytes / BYTES_PER_MICROSECOND)).await;
                // As on real workers: the caller learns of a panic because its result never comes.
                let _ = catch_unwind(AssertUnwindSafe(job));
                let _ = done.send(());
            };
            drop(tasks.spawn("cpu job", Box::pin(work)));
            // Nothing is sent only if the machine goes down.
            let _ = is_done.await;
        })
    }

    fn workers(&self) -> usize {
        self.workers
    }
}
