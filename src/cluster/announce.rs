//! The announcer: tells the others, by the own feed, which partitions were changed here.

use std::sync::Arc;

use tracing::debug;

use super::feed::{Entry, key_of};
use super::state::{Shared, lock};
use crate::chain::{Create, StoreError};
use crate::host_select;

/// Announces soon after something was changed, until the engine stops.
pub(super) async fn announce_loop(shared: Arc<Shared>) {
    let mut feed = OwnFeed::default();
    loop {
        host_select! {
            () = shared.replica.stop_requested() => return,
            () = shared.wake_announce.notified() => {}
        }
        // What comes at the same time goes out together.
        shared.host.clock.sleep(shared.settings.sync_interval.min(GATHER)).await;
        while let Err(error) = feed.write(&shared).await {
            debug!(%error, "the own feed could not be written and will be tried again");
            shared.host.clock.sleep(shared.settings.sync_interval).await;
        }
    }
}

/// Announces what is there now.
pub(super) async fn announce(shared: &Arc<Shared>) {
    // The loop has the feed: waking it is all that can be done from outside.
    shared.wake_announce.notify_one();
}

/// How far this life's feed is written.
#[derive(Default)]
struct OwnFeed {
    /// The last entry that is known to be there.
    written: u64,
    /// The next one, if what became of it is not known.
    pending: Option<bytes::Bytes>,
}

impl OwnFeed {
    /// Writes all that is not announced. What became of an entry is known before the next is begun.
    async fn write(&mut self, shared: &Shared) -> Result<(), StoreError> {
        loop {
            let body = match self.pending.take() {
                Some(body) => body,
                None => {
                    let changed = std::mem::take(&mut *lock(&shared.unannounced));
                    if changed.is_empty() {
                        return Ok(());
                    }
                    Entry::of(&changed, &shared.incarnation().id).to_bytes()
                }
            };
            self.pending = Some(body.clone());
            let key = key_of(&shared.life(), self.written + 1);
            let is_own = match shared.store.create(&key, body.clone()).await {
                Ok(Create::Created) => true,
                Ok(Create::Exists) => shared.store.get(&key).await?.is_some_and(|there| there == body),
                Err(error) => match shared.store.get(&key).await? {
                    Some(there) => there == body,
                    None => return Err(error),
                },
            };
            self.written += 1;
            if !is_own {
                // Only this life writes here, but for a copy of this process: what it says does not say this.
                continue;
            }
            self.pending = None;
            debug!(number = self.written, "own feed written");
            self.trim(shared).await;
        }
    }

    /// Removes the entry that is too old. Whoever has not read it walks.
    async fn trim(&self, shared: &Shared) {
        let Some(old) = self.written.checked_sub(shared.settings.feed_kept.max(1)).filter(|old| *old > 0) else {
            return;
        };
        if let Err(error) = shared.store.delete(&key_of(&shared.life(), old)).await {
            debug!(%error, "an old entry of the own feed is left for the sweeper");
        }
    }
}

/// How long an announcement waits for others to join it.
const GATHER: std::time::Duration = std::time::Duration::from_millis(200);
