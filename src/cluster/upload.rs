//! The uploader: the front of each tail goes to the shared store, and leaves the tail once a head names it that
//! was read after the commit. Seeding is uploading onto an empty chain.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::{debug, warn};

use super::chains::{self, Edited, Seen};
use super::state::{ProblemKind, Shared, count, lock};
use super::{feed, incarnation};
use crate::chain::StoreError;
use crate::engine::shared::Edit;
use crate::engine::{AdoptError, BlockId, Front, Mutant, SharedHead, StoredBlock, layout};
use crate::event::{Origin, PartitionKey};
use crate::host_select;

/// Sends what waits, whenever something does, until the engine stops.
pub(super) async fn upload_loop(shared: Arc<Shared>) {
    loop {
        host_select! {
            () = shared.replica.stop_requested() => return,
            () = shared.host.clock.sleep(shared.settings.sync_interval) => {}
        }
        upload_all(&shared).await;
    }
}

/// Sends the tails of all partitions, each as far as the store lets it.
pub(super) async fn upload_all(shared: &Arc<Shared>) {
    for key in shared.replica.partitions_with_tail() {
        upload(shared, &key).await;
    }
}

/// Sends the partition's tail. Returns whether nothing of it is left.
pub(super) async fn upload(shared: &Arc<Shared>, key: &PartitionKey) -> bool {
    if !shared.may_write() {
        return false;
    }
    let one = shared.upload_lock(key);
    let _one = one.lock().await;
    let mut refused = 0;
    loop {
        match step(shared, key).await {
            Ok(Step::Sent { more: true }) => refused = 0,
            // Each try leaves objects behind that must be swept: the rest waits for the next round.
            Ok(Step::Refused) if refused >= REFUSALS_MAX => return false,
            Ok(Step::Refused) => refused += 1,
            Ok(Step::Sent { more: false }) => return true,
            Ok(Step::Stopped) => return false,
            Err(error) => {
                warn!(%error, partition = %key, "a tail could not be sent and will be tried again");
                return false;
            }
        }
    }
}

/// Waits until `origin`'s events up to `sequence` are in the adopted base, and does what it takes.
pub(super) async fn share(shared: &Arc<Shared>, key: &PartitionKey, origin: Origin, sequence: u64) {
    while !shared.replica.is_shared(key, origin, sequence).await && !shared.mutant(Mutant::SharedTooEarly) {
        let sent = shared.replica.flush(key).await && upload(shared, key).await;
        // Whatever it was that was sent: a round that did not help is not repeated at once.
        if !sent || !shared.replica.is_shared(key, origin, sequence).await {
            shared.host.clock.sleep(shared.settings.sync_interval.min(SHARE_RETRY)).await;
        }
    }
}

enum Step {
    Sent {
        more: bool,
    },
    /// Somebody, or a late request of our own, was there before: the next step adopts that and looks anew.
    Refused,
    Stopped,
}

/// Adopts the newest head, which cuts the tail to what is not shared yet, and sends a run of its front.
async fn step(shared: &Arc<Shared>, key: &PartitionKey) -> Result<Step, StoreError> {
    let head = match chains::head_to_adopt(shared, key).await? {
        Seen::Head(head) => head,
        Seen::Troubled => {
            // What waits here would hide what is missing before it.
            if shared.problem(key).is_some_and(|problem| problem.kind.is_about_history()) {
                count(&shared.counters.gaps_refused);
            }
            return Ok(Step::Stopped);
        }
    };
    if head.manifest.generation > 0 && !adopt(shared, key, &head).await? {
        return Ok(Step::Stopped);
    }
    let limits = (shared.settings.upload_blocks_max.max(1), shared.settings.upload_bytes_max);
    let Some(front) = shared.replica.front(key, limits.0, limits.1).await else {
        return Ok(Step::Sent { more: false });
    };
    // ORDER: the puller may have adopted a later head since this one was read: then the front says nothing about it.
    if front.base != head.manifest.generation {
        return Ok(Step::Refused);
    }
    if head.manifest.generation > 0 && !head.manifest.watermarks.covers(&front.from) {
        count(&shared.counters.gaps_refused);
        let message = "events that left this node's tail are not in the shared store: sending what comes after them \
            would hide the gap. Restore the store, or run `helios store adopt`";
        shared.trouble(key, ProblemKind::Gap, message.to_owned());
        return Ok(Step::Stopped);
    }
    assert!(!head.manifest.watermarks.covers(&front.upto), "what the base has has left the tail");
    send(shared, key, head, front).await
}

async fn send(shared: &Arc<Shared>, key: &PartitionKey, head: SharedHead, front: Front) -> Result<Step, StoreError> {
    let Some(sent) = put_blocks(shared, key, &front.blocks).await? else { return Ok(Step::Stopped) };
    let needs = head.manifest.watermarks.clone();
    let named = match shared.mutant(Mutant::FrontCutShort) {
        true => sent[..sent.len().div_ceil(2)].to_vec(),
        false => sent.clone(),
    };
    let edit = Edit::Upload { needs, blocks: named, upto: front.upto.clone(), lost: front.lost.clone() };
    let current = head;
    match chains::commit(shared, key, current, &edit).await? {
        Edited::Done(head) => {
            count(&shared.counters.uploads);
            for (block, entry) in front.blocks.iter().zip(&sent) {
                shared.replica.keep_as(block, entry.id).await;
            }
            debug!(partition = %key, blocks = sent.len(), generation = head.manifest.generation, "tail sent");
            let adopted = adopt(shared, key, &head).await?;
            shared.wake_compact.notify_one();
            Ok(if adopted { Step::Sent { more: front.more } } else { Step::Stopped })
        }
        Edited::Refused(..) | Edited::BlockGone => Ok(Step::Refused),
    }
}

/// Puts blocks into the store, each under an id that nobody has used. `None` if one cannot be read.
async fn put_blocks(
    shared: &Shared,
    key: &PartitionKey,
    blocks: &[Arc<StoredBlock>],
) -> Result<Option<Vec<Arc<crate::engine::BlockEntry>>>, StoreError> {
    let folder = layout::partition_folder(key);
    let mut sent = Vec::with_capacity(blocks.len());
    for block in blocks {
        let len = usize::try_from(block.entry.bytes).map_err(|error| StoreError::definite(&folder, error))?;
        let bytes = match block.read(0, len).await {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("block {} of the own tail cannot be read: {error}", block.entry.id);
                shared.trouble(key, ProblemKind::DamagedTail, message);
                return Ok(None);
            }
        };
        // A new id for each try: what an earlier one left may be condemned already.
        let id = match shared.mutant(Mutant::ReuploadSameId) {
            true => block.entry.id,
            false => shared.replica.block_id(),
        };
        shared.store.put(&layout::shared_block_key(&folder, id), bytes).await?;
        sent.push(Arc::new(crate::engine::BlockEntry { id, ..(*block.entry).clone() }));
    }
    Ok(Some(sent))
}

/// Adopts a head. Returns whether the partition stands on it, or on a later one, now. If the disk or the store failed
/// meanwhile, the puller tries again: this node may be the only one that knows of the head.
///
/// # Errors
/// If the store could not make what was read from it durable.
pub(super) async fn adopt(shared: &Shared, key: &PartitionKey, head: &SharedHead) -> Result<bool, StoreError> {
    let adopted = try_to_adopt(shared, key, head).await;
    if adopted.is_err() {
        lock(&shared.pulled).want(key, head.manifest.generation);
    }
    adopted
}

async fn try_to_adopt(shared: &Shared, key: &PartitionKey, head: &SharedHead) -> Result<bool, StoreError> {
    // ORDER: once. The history may become another one before this ends; then this is adopted as of the old one.
    let incarnation = shared.incarnation();
    // A commit that was on its way when a new history began is no part of it.
    let is_of_before = head.manifest.generation < incarnation.first;
    if is_of_before || head.manifest.sealed {
        return Ok(false);
    }
    // ORDER: after the head was read. A chain that was begun while a command looked for all of them is in no history.
    let is_known = lock(&shared.listed).contains(key)
        || shared.replica.base(key).await.is_some_and(|base| base.incarnation == incarnation.id);
    if !is_known && !incarnation::is_open(shared).await? {
        feed::ask_for_walk(shared);
        return Ok(false);
    }
    if !is_whole(shared, key, head).await? {
        return Ok(false);
    }
    // DURABLE: blocks leave this disk because of a name that another process may have made.
    chains::chain_of(shared, key).harden().await?;
    match shared.replica.adopt(key, &incarnation, head).await {
        Ok(adopted) => {
            count(&shared.counters.adoptions);
            if adopted.dropped > 0 {
                debug!(partition = %key, dropped = adopted.dropped, "shared blocks left the tail");
            }
            shared.wake_fetch.notify_one();
            // ORDER: what another task read before the hint came does not fulfil it.
            lock(&shared.pulled).fulfil(key, head.manifest.generation);
            // Whoever made it may have had no answer, or be gone before it said a word: what no feed has said is said
            // by who finds it.
            if !shared.mutant(Mutant::FeedBeforeCommit) {
                shared.changed(key, head.manifest.generation);
            }
            if shared.problem(key).is_some_and(|problem| problem.kind != ProblemKind::Gap) {
                shared.well(key);
            }
            Ok(true)
        }
        Err(AdoptError::RolledBack(why)) => {
            shared.trouble(key, ProblemKind::RolledBack, why);
            Ok(false)
        }
        Err(AdoptError::Missing(why)) => {
            shared.trouble(key, ProblemKind::Missing, why);
            offer(shared, key, head).await?;
            Ok(false)
        }
        Err(AdoptError::Cloned(why)) => {
            let message = format!(
                "{why}: a virtual machine was put back to an earlier state, or copied, while it ran. Nothing is taken \
                in until this process is started again; what it has gets new numbers then"
            );
            shared.stop_as_cloned(&why);
            shared.trouble(key, ProblemKind::Cloned, message);
            Ok(false)
        }
        Err(AdoptError::Unreadable(why)) => {
            shared.trouble(key, ProblemKind::Unreadable, why);
            Ok(false)
        }
        Err(AdoptError::Failed(why) | AdoptError::Stopped(why)) => {
            warn!(%why, partition = %key, "a shared generation could not be adopted and will be tried again");
            lock(&shared.pulled).want(key, head.manifest.generation);
            Ok(false)
        }
    }
}

/// Whether the blocks are there for which something of this disk would go: a store that was copied in no order may name
/// what it does not have. Costs a question a block, and nothing where nothing goes.
async fn is_whole(shared: &Shared, key: &PartitionKey, head: &SharedHead) -> Result<bool, StoreError> {
    let known: BTreeSet<BlockId> = shared.replica.base_blocks(key).iter().map(|block| block.entry.id).collect();
    let named: BTreeSet<BlockId> = head.manifest.entries().map(|entry| entry.id).collect();
    if known.is_subset(&named) && !shared.replica.has_tail(key) {
        return Ok(true);
    }
    let folder = layout::partition_folder(key);
    for entry in head.manifest.entries().filter(|entry| !known.contains(&entry.id)) {
        if shared.store.size(&layout::shared_block_key(&folder, entry.id)).await? == Some(entry.bytes) {
            continue;
        }
        // It may have been replaced since the head was read.
        let newest = chains::chain_of(shared, key).head_from(head.manifest.generation).await?;
        if newest.is_some_and(|newest| newest.digest == head.digest) {
            let (id, generation) = (entry.id, head.manifest.generation);
            let message = format!(
                "the shared store is incomplete: generation {generation} names block {id}, which is not there. Restore \
                it; if it is lost, `helios store adopt` makes what is there a new history, and nodes bring back the rest"
            );
            shared.trouble(key, ProblemKind::Incomplete, message);
        }
        return Ok(false);
    }
    Ok(true)
}

/// Puts back, under their old names, what a new history lacks of this node's old base and is here. Two nodes that each
/// have what the other misses would wait for each other for ever. No generation names these objects: once they were
/// read and sent as new blocks the sweeper removes them.
async fn offer(shared: &Shared, key: &PartitionKey, head: &SharedHead) -> Result<(), StoreError> {
    let folder = layout::partition_folder(key);
    for block in shared.replica.base_blocks(key) {
        if head.manifest.watermarks.covers(&block.entry.upto) || !shared.replica.is_local(&block).await.unwrap_or(false)
        {
            continue;
        }
        let name = layout::shared_block_key(&folder, block.entry.id);
        if shared.store.size(&name).await?.is_some() {
            continue;
        }
        let len = usize::try_from(block.entry.bytes).map_err(|error| StoreError::definite(&folder, error))?;
        // What cannot be read here cannot be offered.
        let Ok(bytes) = block.read(0, len).await else { continue };
        shared.store.put(&name, bytes).await?;
        debug!(partition = %key, block = %block.entry.id, "a block of the old history is offered to the others");
    }
    Ok(())
}

/// How often in a row a run is made ready again because the head had changed.
const REFUSALS_MAX: u32 = 3;
/// The longest that somebody who waits for the shared store waits between two tries.
const SHARE_RETRY: std::time::Duration = std::time::Duration::from_secs(1);
