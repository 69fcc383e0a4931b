//! Changes of the disk that run to their end, whoever stops waiting for them.
//!
//! **Rule.** A commit is not cancel-safe: after a drop the chain may hold a generation that the memory of this process
//! does not know, and the next commit would take it for another process's. A request ends when its client goes, a wait
//! when its time is up, a worker when the cluster is left: none of them may take a change with it. So whatever commits
//! outside the engine's own workers commits through here, and the engine is closed after the last change has ended.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::host::Tasks;

/// The changes that are under way.
pub(crate) struct Changes(Arc<Semaphore>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(CHANGES_MAX as usize)))
    }

    /// Begins a change, which ends when what is given back is dropped. `None` once no more may begin.
    pub(crate) async fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }

    /// Runs `work` as a task of its own and gives back what it says. `None` if it was not begun, or the runtime ended it.
    ///
    /// # Cancel safety
    /// After a drop the work goes on, if it has begun.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        tasks: &dyn Tasks,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let begun = self.begin().await?;
        let (done, outcome) = oneshot::channel();
        let whole = async move {
            // Nobody may listen any more.
            let _ = done.send(work.await);
            drop(begun);
        };
        tasks.spawn(name, Box::pin(whole));
        outcome.await.ok()
    }

    /// Waits until every change has ended; none begins any more.
    pub(crate) async fn end(&self) {
        let all = self.0.acquire_many(CHANGES_MAX).await;
        // An error: it had ended before.
        self.0.close();
        drop(all);
    }
}

/// How many changes run at the same time; the others wait. There are at most a few for each partition that is shared.
const CHANGES_MAX: u32 = 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::crypto::Random;
    use crate::host::real;

    #[tokio::test]
    async fn a_change_that_nobody_waits_for_any_more_ends_before_the_end() {
        let host = real::host(Arc::new(Random::new()), 1).unwrap();
        let changes = Changes::new();
        let (go, gone) = oneshot::channel::<()>();
        let done = Arc::new(AtomicBool::new(false));
        let work = {
            let done = Arc::clone(&done);
            async move {
                gone.await.unwrap();
                done.store(true, Ordering::Relaxed);
            }
        };
        let mut waiting = Box::pin(changes.run(&*host.tasks, "test", work));
        assert!(futures_util::poll!(&mut waiting).is_pending(), "it waits to be let go");
        drop(waiting);
        let mut end = Box::pin(changes.end());
        assert!(futures_util::poll!(&mut end).is_pending(), "the change is under way");
        go.send(()).unwrap();
        end.await;
        assert!(done.load(Ordering::Relaxed));
        assert!(changes.begin().await.is_none(), "nothing begins after the end");
        assert_eq!(changes.run(&*host.tasks, "test", async {}).await, None);
        changes.end().await;
    }
}
