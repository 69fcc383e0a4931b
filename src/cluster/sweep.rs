//! The sweeper: the one leader retires days, condemns objects that no generation names, deletes what was condemned.
//!
//! **Rule.** Condemn, then delete: an object is deleted only after a committed generation says that nobody may name
//! it again. A grace before each step gives slow readers time; nothing's safety rests on it. Ages are this node's
//! monotonic time since it first saw something so, never a time that the store states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::chains::{self, Edited, Seen};
use super::state::{Shared, count};
use super::{feed, upload};
use crate::chain::StoreError;
use crate::control::Leadership;
use crate::engine::retention::ClockCheck;
use crate::engine::shared::{Edit, SharedManifest};
use crate::engine::{BlockId, Mutant, SharedHead, layout};
use crate::event::PartitionKey;
use crate::host_select;

/// When this node first saw something in a state.
#[derive(Default)]
pub(super) struct Ages {
    unnamed: BTreeMap<(PartitionKey, BlockId), Duration>,
    condemned: BTreeMap<(PartitionKey, BlockId), Duration>,
    deleted: BTreeMap<(PartitionKey, BlockId), Duration>,
    dead: BTreeMap<String, Duration>,
}

/// Sweeps while this node leads, until the engine stops.
pub(super) async fn sweep_loop(shared: Arc<Shared>, leadership: Leadership) {
    // ORDER: now, not when this node comes to lead: the calendar may have jumped by then.
    let (mut ages, clock) = (Ages::default(), ClockCheck::begin(&*shared.host.clock));
    loop {
        host_select! {
            () = shared.replica.stop_requested() => return,
            () = shared.host.clock.sleep(shared.settings.sweep_interval) => {}
        }
        if shared.conflict().is_none() && leadership.leads() {
            sweep(&shared, &mut ages, &clock).await;
        }
    }
}

/// One round over all partitions.
pub(super) async fn sweep(shared: &Arc<Shared>, ages: &mut Ages, clock: &ClockCheck) {
    let stated = shared.store.date();
    let agrees = clock.agrees(&*shared.host.clock)
        && stated.is_none_or(|date| ClockCheck::agrees_with(&*shared.host.clock, date));
    let clocks_agree = agrees || shared.mutant(Mutant::SweepTrustsClock);
    if !clocks_agree {
        warn!("this node's calendar has jumped, or is not the shared store's: nothing is retired");
    }
    for key in shared.replica.partitions() {
        if let Err(error) = sweep_partition(shared, &key, ages, clocks_agree).await {
            warn!(%error, partition = %key, "a partition could not be swept and will be tried again");
        }
    }
    if let Err(error) = sweep_feeds(shared, ages).await {
        debug!(%error, "feeds of dead nodes are left for later");
    }
}

async fn sweep_partition(
    shared: &Arc<Shared>,
    key: &PartitionKey,
    ages: &mut Ages,
    may_retire: bool,
) -> Result<(), StoreError> {
    let Seen::Head(mut head) = chains::head(shared, key).await? else { return Ok(()) };
    if head.manifest.generation == 0 {
        return Ok(());
    }
    if may_retire && shared.replica.refusal(key).is_some() && head.manifest.entries().next().is_some() {
        info!(partition = %key, "retention removes a day");
        head = edit(shared, key, head, &Edit::Retire).await?;
        if shared.mutant(Mutant::SharedChainDeleted) {
            let chain = chains::chain_of(shared, key);
            for generation in chain.generations().await? {
                shared.store.delete(&format!("{}/{generation:020}.json", chain.folder())).await?;
            }
        }
    }
    let unnamed = unnamed(shared, key, &head.manifest, ages).await?;
    if shared.mutant(Mutant::DeleteUncondemned) {
        return delete(shared, key, unnamed, ages).await;
    }
    if !unnamed.is_empty() {
        shared.counters.condemned.fetch_add(unnamed.len() as u64, std::sync::atomic::Ordering::Relaxed);
        head = edit(shared, key, head, &Edit::Condemn(unnamed)).await?;
    }
    let (ripe, forgotten) = condemned(shared, key, &head.manifest, ages);
    delete(shared, key, ripe, ages).await?;
    if !forgotten.is_empty() {
        edit(shared, key, head, &Edit::Forget(forgotten)).await?;
    }
    Ok(())
}

/// Commits an edit and adopts what came of it. Gives the head that holds now, done or not.
async fn edit(
    shared: &Arc<Shared>,
    key: &PartitionKey,
    head: SharedHead,
    edit: &Edit,
) -> Result<SharedHead, StoreError> {
    match chains::commit(shared, key, head.clone(), edit).await? {
        Edited::Done(head) => {
            upload::adopt(shared, key, &head).await?;
            Ok(head)
        }
        Edited::Refused(_, head) => Ok(head),
        Edited::BlockGone => Ok(head),
    }
}

/// Blocks in the store that the head neither names nor has condemned, and that were seen so for the grace.
async fn unnamed(
    shared: &Arc<Shared>,
    key: &PartitionKey,
    head: &SharedManifest,
    ages: &mut Ages,
) -> Result<Vec<BlockId>, StoreError> {
    let folder = layout::shared_blocks_folder(&layout::partition_folder(key));
    let listed = shared.store.list_all(&folder, "").await?;
    let named: BTreeSet<BlockId> = head.entries().map(|entry| entry.id).collect();
    let condemned: BTreeSet<BlockId> = head.condemned.iter().map(|condemned| condemned.id).collect();
    let stray = |id: &BlockId| !named.contains(id) && !condemned.contains(id);
    let strays: BTreeSet<BlockId> =
        listed.iter().filter_map(|object| layout::parse_block_name(&object.name)).filter(stray).collect();
    let now = shared.now();
    ages.unnamed.retain(|(of, id), _| of != key || strays.contains(id));
    let grace = shared.settings.grace;
    let is_old = |id: &BlockId| now.saturating_sub(*ages.unnamed.entry((key.clone(), *id)).or_insert(now)) >= grace;
    Ok(strays.into_iter().filter(is_old).collect())
}

/// Condemned blocks that may be deleted, and those that may be forgotten because they were, long enough ago.
fn condemned(
    shared: &Shared,
    key: &PartitionKey,
    head: &SharedManifest,
    ages: &mut Ages,
) -> (Vec<BlockId>, Vec<BlockId>) {
    let (now, grace) = (shared.now(), shared.settings.grace);
    let (mut ripe, mut forgotten) = (Vec::new(), Vec::new());
    for id in head.condemned.iter().map(|condemned| condemned.id) {
        let of = (key.clone(), id);
        match ages.deleted.get(&of) {
            Some(since) if now.saturating_sub(*since) >= grace => {
                ages.deleted.remove(&of);
                forgotten.push(id);
            }
            Some(_) => {}
            None if now.saturating_sub(*ages.condemned.entry(of.clone()).or_insert(now)) >= grace => {
                ages.condemned.remove(&of);
                ripe.push(id);
            }
            None => {}
        }
    }
    (ripe, forgotten)
}

async fn delete(
    shared: &Shared,
    key: &PartitionKey,
    ids: Vec<BlockId>,
    ages: &mut Ages,
) -> Result<(), StoreError> {
    let folder = layout::partition_folder(key);
    for id in ids {
        shared.store.delete(&layout::shared_block_key(&folder, id)).await?;
        count(&shared.counters.deleted);
        debug!(partition = %key, block = %id, "condemned block deleted");
        ages.deleted.insert((key.clone(), id), shared.now());
    }
    Ok(())
}

/// Removes the feeds of lives that have not been heard of for long.
async fn sweep_feeds(shared: &Arc<Shared>, ages: &mut Ages) -> Result<(), StoreError> {
    let Some(roster) = shared.roster() else { return Ok(()) };
    let Ok(nodes) = roster.nodes().await else { return Ok(()) };
    let alive: BTreeSet<String> = nodes.into_iter().filter(|node| node.alive).map(|node| node.life).collect();
    let listed = shared.store.list_all(feed::FEED, "").await?;
    let now = shared.now();
    let names: Vec<(&str, u64)> = listed.iter().filter_map(|object| feed::parse(&object.name)).collect();
    let dead: BTreeSet<&str> = names.iter().map(|(life, _)| *life).filter(|life| !alive.contains(*life)).collect();
    ages.dead.retain(|life, _| dead.contains(life.as_str()));
    for life in dead {
        let since = *ages.dead.entry(life.to_owned()).or_insert(now);
        if now.saturating_sub(since) < shared.settings.dead_after {
            continue;
        }
        for (_, number) in names.iter().filter(|(of, _)| *of == life) {
            shared.store.delete(&feed::key_of(life, *number)).await?;
            count(&shared.counters.deleted);
        }
    }
    Ok(())
}
