//! The sweeper: the one leader retires days, condemns objects that no generation names, deletes what was condemned.
//!
//! **Rule.** Condemn, then delete, then forget: an object is deleted only after a committed generation says that nobody
//! may name it again, and that is forgotten only after the delete was answered: from then on whoever would name it finds
//! that it is gone. The grace before gives slow readers time; nothing's safety rests on it. Ages are this node's
//! monotonic time since it first saw something so, never a time that the store states.
//!
//! What a merge or a retired day leaves is named by nobody, and goes as everything that is named by nobody. Each
//! generation states what is condemned, so that it is done with at once: in an hour a busy partition leaves thousands of
//! blocks, and every commit would carry them. Pages of manifests are not condemned: see [`stray_pages`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::chains::{self, Edited, Seen};
use super::state::{Shared, count};
use super::{feed, stray_pages, upload};
use crate::chain::StoreError;
use crate::control::Leadership;
use crate::engine::retention::Calendar;
use crate::engine::shared::{Edit, SharedManifest};
use crate::engine::{BlockId, Digest, Mutant, SharedHead, layout};
use crate::event::PartitionKey;
use crate::host::UnixNanos;
use crate::host_select;

/// When this node first saw something in a state.
#[derive(Default)]
pub(super) struct Ages {
    blocks: Unnamed<BlockId>,
    pages: Unnamed<Digest>,
    dead: BTreeMap<String, Duration>,
    remnants: BTreeMap<String, Duration>,
}

/// What no head names, and since when.
struct Unnamed<T>(BTreeMap<PartitionKey, BTreeMap<T, Duration>>);

impl<T> Default for Unnamed<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + Ord> Unnamed<T> {
    /// As [`ripe`], of one partition.
    fn ripe(&mut self, shared: &Shared, key: &PartitionKey, unnamed: &BTreeSet<T>) -> Vec<T> {
        let since = self.0.entry(key.clone()).or_default();
        let ripe = ripe(since, unnamed, shared.now(), shared.settings.grace);
        if since.is_empty() {
            self.0.remove(key);
        }
        ripe
    }
}

/// Notes what is there now, and nothing else; gives what has been there for so long.
fn ripe<T: Clone + Ord>(
    since: &mut BTreeMap<T, Duration>,
    there: &BTreeSet<T>,
    now: Duration,
    long: Duration,
) -> Vec<T> {
    since.retain(|it, _| there.contains(it));
    for it in there {
        since.entry(it.clone()).or_insert(now);
    }
    since.iter().filter(|(_, since)| now.saturating_sub(**since) >= long).map(|(it, _)| it.clone()).collect()
}

/// What the store has of a partition, beside its chain.
#[derive(Default)]
struct There {
    blocks: BTreeSet<BlockId>,
    pages: BTreeSet<Digest>,
}

/// Sweeps while this node leads, until the engine stops.
pub(super) async fn sweep_loop(shared: Arc<Shared>, leadership: Leadership) {
    // ORDER: now, not when this node comes to lead: the calendar may have jumped by then.
    let (mut ages, calendar) = (Ages::default(), Calendar::begin(&*shared.host.clock));
    loop {
        host_select! {
            () = shared.replica.stop_requested() => return,
            () = shared.host.clock.sleep(shared.settings.sweep_interval) => {}
        }
        if shared.may_write() && leadership.leads() {
            sweep(&shared, &mut ages, &calendar).await;
        }
    }
}

/// One round over all partitions.
pub(super) async fn sweep(shared: &Arc<Shared>, ages: &mut Ages, calendar: &Calendar) {
    if today(shared, calendar).is_none() {
        warn!("this node's calendar has jumped, or is not the shared store's: nothing is retired");
    }
    if let Err(error) = sweep_partitions(shared, ages, calendar).await {
        warn!(%error, "the shared blocks and pages could not be listed and will be swept later");
    }
    if let Err(error) = sweep_feeds(shared, ages).await {
        debug!(%error, "feeds of dead nodes are left for later");
    }
    if let Err(error) = sweep_remnants(shared, ages).await {
        debug!(%error, "what killed processes left is left for later");
    }
}

/// Removes what creates left that never ended. One that is so slow that it still goes on is sent again.
async fn sweep_remnants(shared: &Arc<Shared>, ages: &mut Ages) -> Result<(), StoreError> {
    let there: BTreeSet<String> = shared.store.remnants().await?.into_iter().collect();
    for name in ripe(&mut ages.remnants, &there, shared.now(), shared.settings.grace) {
        match shared.store.remove_remnant(&name).await {
            Ok(()) => debug!(name, "what an ended process left was removed"),
            Err(error) => debug!(%error, name, "what an ended process left stays for now"),
        }
    }
    Ok(())
}

/// The time by which days are retired; `None` if no clock can be believed.
fn today(shared: &Shared, calendar: &Calendar) -> Option<UnixNanos> {
    let clock = &*shared.host.clock;
    match shared.mutant(Mutant::SweepTrustsClock) {
        true => Some(clock.wall()),
        false => calendar.now(clock, shared.store.date()),
    }
}

/// One list over all blocks and one over all pages say which partitions need a look: a quiet one costs no request of
/// its own.
async fn sweep_partitions(shared: &Arc<Shared>, ages: &mut Ages, calendar: &Calendar) -> Result<(), StoreError> {
    let mut listed = list(shared).await?;
    // Also those of which there are only blocks: who sent them may be gone before it said so.
    let mut keys: BTreeSet<PartitionKey> = shared.replica.partitions().into_iter().collect();
    keys.extend(listed.keys().cloned());
    for key in keys {
        let there = listed.remove(&key).unwrap_or_default();
        if !needs_a_look(shared, &key, &there, calendar).await {
            ages.blocks.0.remove(&key);
            ages.pages.0.remove(&key);
            continue;
        }
        if let Err(error) = sweep_partition(shared, &key, &there, ages, calendar).await {
            warn!(%error, partition = %key, "a partition could not be swept and will be tried again");
        }
    }
    Ok(())
}

async fn list(shared: &Shared) -> Result<BTreeMap<PartitionKey, There>, StoreError> {
    let mut listed: BTreeMap<PartitionKey, There> = BTreeMap::new();
    for object in shared.store.list_all(layout::SHARED_BLOCKS, "").await? {
        let Some((key, file)) = layout::parse_in_partition(&object.name) else { continue };
        if let Some(id) = layout::parse_block_name(file) {
            listed.entry(key).or_default().blocks.insert(id);
        }
    }
    for object in shared.store.list_all(layout::SHARED_PAGES, "").await? {
        let Some((key, file)) = layout::parse_in_partition(&object.name) else { continue };
        if let Some(page) = layout::parse_page_name(file) {
            listed.entry(key).or_default().pages.insert(page);
        }
    }
    Ok(listed)
}

/// Whether there is anything to do, by what this node has adopted.
async fn needs_a_look(shared: &Shared, key: &PartitionKey, there: &There, calendar: &Calendar) -> bool {
    let There { blocks, pages } = there;
    let Some(base) = shared.replica.base(key).await else { return !blocks.is_empty() || !pages.is_empty() };
    let named: BTreeSet<BlockId> = base.manifest.entries().map(|entry| entry.id).collect();
    (!named.is_empty() && is_past_retention(shared, key, calendar))
        || !base.manifest.condemned.is_empty()
        || !blocks.is_subset(&named)
        || !stray_pages::unnamed(&base.manifest, pages).is_empty()
}

fn is_past_retention(shared: &Shared, key: &PartitionKey, calendar: &Calendar) -> bool {
    today(shared, calendar).is_some_and(|now| shared.replica.is_past_retention(key, now))
}

async fn sweep_partition(
    shared: &Arc<Shared>,
    key: &PartitionKey,
    there: &There,
    ages: &mut Ages,
    calendar: &Calendar,
) -> Result<(), StoreError> {
    let Seen::Head(mut head) = chains::head(shared, key).await? else { return Ok(()) };
    let read = head.manifest.generation;
    if head.manifest.entries().next().is_some() && is_past_retention(shared, key, calendar) {
        info!(partition = %key, "retention removes a day");
        head = edit(shared, key, head, &Edit::Retire).await?;
        if shared.mutant(Mutant::SharedChainDeleted) {
            let chain = chains::chain_of(shared, key);
            for generation in chain.generations().await? {
                shared.store.delete(&format!("{}/{generation:020}.json", chain.folder())).await?;
            }
        }
    }
    let mut ripe = ages.blocks.ripe(shared, key, &unnamed(&head.manifest, &there.blocks));
    let ripe_pages = ages.pages.ripe(shared, key, &stray_pages::unnamed(&head.manifest, &there.pages));
    if shared.mutant(Mutant::DeleteUncondemned) {
        delete(shared, key, &ripe).await?;
        ripe.clear();
    }
    if shared.mutant(Mutant::PageSweptUnfenced) {
        stray_pages::delete(shared, key, ripe_pages.iter().copied()).await?;
    }
    // What a sweeper before this one has begun.
    head = remove_condemned(shared, key, head).await?;
    for ids in ripe.chunks(CONDEMNED_MAX) {
        shared.counters.condemned.fetch_add(ids.len() as u64, std::sync::atomic::Ordering::Relaxed);
        head = edit(shared, key, head, &Edit::Condemn(ids.to_vec())).await?;
        head = remove_condemned(shared, key, head).await?;
    }
    stray_pages::remove(shared, key, read, head, &ripe_pages).await
}

/// Deletes what a committed generation has condemned, and forgets it.
async fn remove_condemned(
    shared: &Arc<Shared>,
    key: &PartitionKey,
    head: SharedHead,
) -> Result<SharedHead, StoreError> {
    let condemned: Vec<BlockId> = head.manifest.condemned.iter().map(|condemned| condemned.id).collect();
    if condemned.is_empty() {
        return Ok(head);
    }
    delete(shared, key, &condemned).await?;
    edit(shared, key, head, &Edit::Forget(condemned)).await
}

/// Commits an edit and adopts what came of it. Gives the head that holds now, done or not.
pub(super) async fn edit(
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
        Edited::Refused(head) => Ok(head),
        Edited::BlockGone => Ok(head),
    }
}

/// Blocks that were listed, and that the head neither names nor has condemned.
fn unnamed(head: &SharedManifest, there: &BTreeSet<BlockId>) -> BTreeSet<BlockId> {
    let named: BTreeSet<BlockId> = head.entries().map(|entry| entry.id).collect();
    there.iter().filter(|id| !named.contains(id) && !head.is_condemned(**id)).copied().collect()
}

async fn delete(shared: &Shared, key: &PartitionKey, ids: &[BlockId]) -> Result<(), StoreError> {
    let folder = layout::partition_folder(key);
    for &id in ids {
        shared.store.delete(&layout::shared_block_key(&folder, id)).await?;
        count(&shared.counters.deleted);
        debug!(partition = %key, block = %id, "condemned block deleted");
    }
    Ok(())
}

/// Removes the feeds of lives that have not been heard of for long.
async fn sweep_feeds(shared: &Arc<Shared>, ages: &mut Ages) -> Result<(), StoreError> {
    let Some(roster) = shared.roster() else { return Ok(()) };
    let Ok(nodes) = roster.nodes().await else { return Ok(()) };
    let alive: BTreeSet<String> = nodes.into_iter().filter(|node| node.alive).map(|node| node.life).collect();
    let listed = shared.store.list_all(feed::FEED, "").await?;
    let names: Vec<(&str, u64)> = listed.iter().filter_map(|object| feed::parse(&object.name)).collect();
    let lives = names.iter().map(|(life, _)| *life).filter(|life| !alive.contains(*life));
    let dead: BTreeSet<String> = lives.map(str::to_owned).collect();
    // Who is cut off, or only seems dead, may have said what nobody has read: everybody has walked before it goes.
    let dead_after = shared.settings.dead_after.max(2 * shared.settings.walk_interval);
    for life in ripe(&mut ages.dead, &dead, shared.now(), dead_after) {
        for (_, number) in names.iter().filter(|(of, _)| *of == life) {
            shared.store.delete(&feed::key_of(&life, *number)).await?;
            count(&shared.counters.deleted);
        }
    }
    Ok(())
}

/// Blocks of a partition that are condemned at once at most: some 70 bytes each in a generation.
const CONDEMNED_MAX: usize = 1_000;
