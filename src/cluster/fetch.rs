//! The fetcher: brings shared blocks here before somebody asks, the youngest first, and lets the oldest go when the
//! bound is reached. What is not here is read from the store by ranges.

use std::sync::Arc;

use tracing::{debug, warn};

use super::state::{Shared, count};
use crate::engine::{StoredBlock, layout};
use crate::event::PartitionKey;
use crate::host_select;

/// Fetches after every adoption, until the engine stops.
pub(super) async fn fetch_loop(shared: Arc<Shared>) {
    loop {
        host_select! {
            () = shared.replica.stop_requested() => return,
            () = shared.wake_fetch.notified() => {}
        }
        fetch(&shared).await;
    }
}

/// Goes through the shared blocks from the youngest day back: those within the bound are brought here, the others
/// are let go.
pub(super) async fn fetch(shared: &Arc<Shared>) {
    let limit = shared.settings.cache_bytes.unwrap_or(u64::MAX);
    let mut partitions = shared.replica.partitions();
    partitions.sort_by_key(|key| std::cmp::Reverse(key.day));
    let mut used = 0u64;
    for key in partitions {
        // What a store that was rolled back has lost may be here only.
        if shared.problem(&key).is_some_and(|problem| problem.kind.is_about_history()) {
            continue;
        }
        for block in shared.replica.evictable(&key).iter().rev() {
            used = used.saturating_add(block.entry.bytes);
            if let Err(error) = place(shared, &key, block, used <= limit).await {
                warn!(%error, partition = %key, block = %block.entry.id, "a shared block could not be brought here");
                return;
            }
        }
    }
}

async fn place(shared: &Shared, key: &PartitionKey, block: &StoredBlock, within: bool) -> std::io::Result<()> {
    let is_local = shared.replica.is_local(block).await?;
    match (within, is_local) {
        (true, false) if shared.settings.prefetch => {
            let name = layout::shared_block_key(&layout::partition_folder(key), block.entry.id);
            let bytes = shared.store.get(&name).await.map_err(std::io::Error::other)?;
            // It may have been replaced since the base was adopted: the next base says by what.
            let Some(bytes) = bytes else { return Ok(()) };
            shared.replica.keep(key, block, bytes).await?;
            count(&shared.counters.fetched);
            debug!(partition = %key, block = %block.entry.id, "shared block fetched");
        }
        (false, true) if shared.replica.evict(key, block).await? => {
            count(&shared.counters.evicted);
            debug!(partition = %key, block = %block.entry.id, "shared block evicted");
        }
        _ => {}
    }
    Ok(())
}
