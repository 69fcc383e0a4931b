//! The compactor: the one leader merges small neighbours of the base. Rows in = rows out; no watermark moves.

use std::sync::Arc;

use bytes::Bytes;
use tracing::{debug, warn};

use super::chains::{self, Edited, Seen};
use super::state::{Shared, count};
use super::upload;
use crate::chain::StoreError;
use crate::control::Leadership;
use crate::engine::shared::Edit;
use crate::engine::{BlockId, Mutant, layout};
use crate::event::PartitionKey;
use crate::host_select;

/// Merges while this node leads, until the engine stops.
pub(super) async fn compact_loop(shared: Arc<Shared>, leadership: Leadership) {
    loop {
        host_select! {
            () = shared.replica.stop_requested() => return,
            () = shared.host.clock.sleep(shared.settings.compact_interval) => {}
        }
        if !shared.may_write() {
            continue;
        }
        for key in shared.replica.partitions() {
            if !leadership.leads() {
                break;
            }
            compact(&shared, &key).await;
        }
    }
}

/// Merges what there is to merge in one partition.
pub(super) async fn compact(shared: &Arc<Shared>, key: &PartitionKey) {
    loop {
        match merge_run(shared, key).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                warn!(%error, partition = %key, "shared blocks could not be merged and stay as they are");
                return;
            }
        }
    }
}

/// Merges one run. Returns whether there may be another.
async fn merge_run(shared: &Arc<Shared>, key: &PartitionKey) -> Result<bool, StoreError> {
    let planned = shared.replica.base_blocks(key);
    if shared.replica.plan(&planned, true).is_none() {
        return Ok(false);
    }
    let Seen::Head(head) = chains::head(shared, key).await? else { return Ok(false) };
    if head.manifest.generation == 0 || !upload::adopt(shared, key, &head).await? {
        return Ok(false);
    }
    let blocks = shared.replica.base_blocks(key);
    let Some(run) = shared.replica.plan(&blocks, true) else { return Ok(false) };
    let inputs = &blocks[run];
    let merged = shared.replica.merge(inputs).await.map_err(|error| StoreError::definite(&key.to_string(), error))?;
    let Some(merged) = merged else { return Ok(false) };
    let name = layout::shared_block_key(&layout::partition_folder(key), merged.entry.id);
    shared.store.put(&name, Bytes::clone(&merged.bytes)).await?;
    let ids = inputs.iter().map(|block| block.entry.id).collect();
    if shared.mutant(Mutant::LeaseIsFence) {
        // Nobody else merges while this node leads: so the inputs may go at once.
        for block in inputs {
            shared.store.delete(&layout::shared_block_key(&layout::partition_folder(key), block.entry.id)).await?;
        }
    }
    let id = merged.entry.id;
    let edit = Edit::Merge { inputs: ids, merged: Arc::new(merged.entry) };
    match chains::commit(shared, key, head, &edit).await? {
        Edited::Done(head) => {
            count(&shared.counters.merges);
            debug!(partition = %key, generation = head.manifest.generation, "shared blocks merged");
            let adopted = upload::adopt(shared, key, &head).await?;
            keep(shared, key, id, merged.bytes).await;
            Ok(adopted)
        }
        // Another leader, or retention, was there before: the object that was made is swept.
        Edited::Refused(..) | Edited::BlockGone => Ok(false),
    }
}

/// The merged block need not be fetched where it was made. Nothing rests on it.
async fn keep(shared: &Shared, key: &PartitionKey, id: BlockId, bytes: Bytes) {
    // With a bound the fetcher decides what may be here.
    if shared.settings.cache_bytes.is_some() {
        return;
    }
    let blocks = shared.replica.base_blocks(key);
    if let Some(block) = blocks.iter().find(|block| block.entry.id == id)
        && let Err(error) = shared.replica.keep(key, block, bytes).await
    {
        debug!(%error, partition = %key, block = %id, "a merged block was not kept and will be fetched");
    }
}
