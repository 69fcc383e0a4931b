//! A fixed number of threads behind a bounded queue: the core of disk I/O and of the CPU pool.
#![allow(clippy::disallowed_methods, reason = "host::real is where threads are started")]

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::error;

use crate::host::BoxFuture;

/// Threads that run jobs in the order in which they came. A job that panics is reported and harms
/// neither its thread nor the next job. Dropping the pool lets the threads finish the queue and end.
pub(super) struct Pool {
    shared: Arc<Shared>,
    /// One permit per place in the queue; who finds none waits without blocking its thread.
    places: Arc<Semaphore>,
}

struct Shared {
    name: &'static str,
    queue: Mutex<Queue>,
    woken: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Job {
    work: Box<dyn FnOnce() + Send>,
    done: oneshot::Sender<()>,
    /// Given back when a thread takes the job, so that the queue's length stays bounded.
    place: OwnedSemaphorePermit,
}

impl Pool {
    /// Starts `threads` threads called `name-0`, `name-1`, …
    pub(super) fn new(name: &'static str, threads: usize, queued_jobs_max: usize) -> io::Result<Self> {
        assert!(threads > 0 && queued_jobs_max > 0, "a pool needs a thread and a place in its queue");
        let shared = Arc::new(Shared { name, queue: Mutex::default(), woken: Condvar::new() });
        // Made before the threads: if one can't be started, dropping the pool ends those that were.
        let pool = Self { shared, places: Arc::new(Semaphore::new(queued_jobs_max)) };
        for index in 0..threads {
            let shared = pool.shared.clone();
            std::thread::Builder::new().name(format!("{name}-{index}")).spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// Queues `work` once there is a place, and completes when it has run, or panicked, or was
    /// dropped because the pool is gone.
    ///
    /// # Cancel safety
    /// A drop before the job was queued forgets it; afterwards it runs all the same.
    pub(super) fn submit(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let (shared, places) = (self.shared.clone(), self.places.clone());
        Box::pin(async move {
            let place = places.acquire_owned().await.expect("the semaphore of a pool is never closed");
            let (done, finished) = oneshot::channel();
            shared.push(Job { work, done, place });
            // An error says that the pool is gone and the job with it.
            let _ = finished.await;
        })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.woken.notify_all();
    }
}

impl Shared {
    fn push(&self, job: Job) {
        let mut queue = self.lock();
        // After the pool's end no thread would ever take it, and its caller would wait for ever.
        if !queue.closed {
            queue.jobs.push_back(job);
            self.woken.notify_one();
        }
    }

    fn work(&self) {
        while let Some(Job { work, done, place }) = self.next_job() {
            drop(place);
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                error!(pool = self.name, "a job panicked");
            }
            // Nobody waits any more if the caller was cancelled.
            let _ = done.send(());
        }
    }

    /// Blocks until there is a job. `None` once the pool is gone and the queue is empty.
    fn next_job(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.woken.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No job runs under the lock, so a panic can't leave the queue half changed.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_panicking_job_harms_no_later_one() {
        let pool = Pool::new("test", 1, 1).unwrap();
        pool.submit(Box::new(|| panic!("on purpose"))).await;
        let (sender, receiver) = mpsc::channel();
        pool.submit(Box::new(move || sender.send(7).unwrap())).await;
        assert_eq!(receiver.recv(), Ok(7));
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_waits_until_a_job_was_taken() {
        let pool = Pool::new("test", 1, 1).unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let running = tokio::spawn(pool.submit(Box::new(move || {
            started.send(()).unwrap();
            released.recv().unwrap();
        })));
        tokio::task::spawn_blocking(move || has_started.recv()).await.unwrap().unwrap();
        let queued = tokio::spawn(pool.submit(Box::new(|| {})));
        while pool.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let third = pool.submit(Box::new(|| {}));
        tokio::pin!(third);
        assert!(third.as_mut().now_or_never().is_none());
        assert_eq!(pool.shared.lock().jobs.len(), 1, "the third job is not in the queue");
        release.send(()).unwrap();
        third.await;
        running.await.unwrap();
        queued.await.unwrap();
    }

    #[tokio::test]
    async fn queued_jobs_run_although_the_pool_was_dropped() {
        let pool = Pool::new("test", 1, 8).unwrap();
        let jobs: Vec<_> = (0..8).map(|_| pool.submit(Box::new(|| {}))).collect();
        let jobs: Vec<_> = jobs.into_iter().map(tokio::spawn).collect();
        tokio::task::yield_now().await;
        drop(pool);
        for job in jobs {
            job.await.unwrap();
        }
    }
}
