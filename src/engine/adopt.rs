//! Standing on a shared generation: the base is replaced, and what it has leaves the tail, in one local generation.
//!
//! **Rule.** A watermark may fall inside a block of the tail. Nobody ever sees that: before the base is adopted such
//! a block is cut, so that a tail holds only what lies above the base, and neither a query nor an upload needs to
//! look at single rows. A head that reaches below is flushed first, and then cut with the rest. Nothing leaves that
//! was not seen in the base: [`Vouch`] says what was not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tracing::{debug, error, info};

use super::core::Core;
use super::manifest::{Base, BlockEntry, Lost, Manifest, OriginKey, Watermarks};
use super::mutant::Mutant;
use super::pages;
use super::partition::Partition;
use super::publish::{self, PublishFailure};
use super::snapshot::StoredBlock;
use super::vouch::Vouch;
use super::{blocks, encode, flush};
use crate::event::EventId;

/// How a block of the tail lies to a base.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Lies {
    /// The base has nothing of it.
    Above,
    /// The base has all of it.
    Below,
    /// The base has some of it.
    Across,
}

/// How often things happened that a simulation must have seen.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// A block of the tail was cut at a watermark.
    pub(crate) straddles_cut: AtomicU64,
    /// A block that left the tail was compared with the base row by row.
    pub(crate) compared: AtomicU64,
    /// Events that the base should have had and had not.
    pub(crate) renumbered: AtomicU64,
}

/// Why a base was not adopted.
pub(crate) enum AdoptFailure {
    /// What became of it on this disk.
    Publish(PublishFailure),
    /// What a new history lacks is not here either.
    Missing(String),
    /// The base has events of this very life that it never gave out: another process has the same life.
    Cloned(String),
    /// A block of the base is damaged in which events must be seen before they leave.
    Unreadable(String),
}

impl From<PublishFailure> for AdoptFailure {
    fn from(failure: PublishFailure) -> Self {
        Self::Publish(failure)
    }
}

/// What an adoption did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Done {
    /// Blocks that left the tail.
    pub(crate) dropped: usize,
}

/// Adopts `base`, whose body is `body`. Does nothing if the partition stands on it or a later one already. With
/// `accepts_loss` what neither a new history nor this node has is given up, and noted as lost.
pub(crate) async fn adopt(
    core: &Arc<Core>,
    partition: &Arc<Partition>,
    base: Base,
    body: Bytes,
    accepts_loss: bool,
) -> Result<Done, AdoptFailure> {
    let _flushing = partition.flushing.lock().await;
    let _compacting = partition.compacting.lock().await;
    let current = partition.manifest.lock().await.manifest.clone();
    if let Some(known) = &current.base
        && known.incarnation == base.incarnation
        && known.generation >= base.generation
    {
        return Ok(Done::default());
    }
    if current.base.as_ref().is_some_and(|known| !base.follows(known)) {
        let why = "the shared generation does not follow the one adopted before";
        return Err(PublishFailure::Failed(why.into()).into());
    }
    // Nothing is read, compared and written for nothing.
    publish::check_writing(core)?;
    check_own_life(core, &base)?;
    if partition.head_reaches_below(&base.manifest.watermarks) && !flush::flush_locked(core, partition).await {
        return Err(PublishFailure::Failed("its head could not be flushed".into()).into());
    }
    publish::make_partition_folders(core, partition).await?;
    let current = partition.manifest.lock().await.manifest.clone();
    let tail = cut_tail(core, partition, &current, &base, accepts_loss).await?;
    pages::write_base(core, partition, &current, &base, body).await?;
    let renumbered = tail.renumbered;
    let done = install(core, partition, base, tail).await?;
    if renumbered > 0 {
        core.counters.renumbered.fetch_add(renumbered, Ordering::Relaxed);
        error!(partition = %partition.folder, events = renumbered,
            "events had the numbers of other events that the shared store has, from a copy of this node that ran \
             meanwhile: they are kept under new numbers");
    }
    Ok(done)
}

/// What this life gives out next must lie above all that a base has of it: a replay drops what does not.
fn check_own_life(core: &Core, base: &Base) -> Result<(), AdoptFailure> {
    let shared = base.manifest.watermarks.get(core.origin);
    if core.settings.mutation.is(Mutant::CloneGoesOn) {
        return Ok(());
    }
    if shared > core.durable_to.load(Ordering::SeqCst) {
        return Err(AdoptFailure::Cloned(format!(
            "the shared store has events of this process up to {shared}, and this process never had so many"
        )));
    }
    if shared > core.applied_to.load(Ordering::SeqCst) {
        return Err(PublishFailure::Failed("events are on their way into the heads".into()).into());
    }
    Ok(())
}

/// The tail as it is above a base.
struct Tail {
    blocks: Vec<Arc<StoredBlock>>,
    /// What has gone before its front.
    from: Watermarks,
    /// Blocks that left it, or were replaced by what was cut from them.
    dropped: Vec<Arc<StoredBlock>>,
    /// Events that were given up.
    lost: Vec<Lost>,
    /// Events that the base should have and has not.
    renumbered: u64,
}

async fn cut_tail(
    core: &Arc<Core>,
    partition: &Arc<Partition>,
    current: &Manifest,
    base: &Base,
    accepts_loss: bool,
) -> Result<Tail, AdoptFailure> {
    let marks = &base.manifest.watermarks;
    let view = partition.view();
    let (shared, own) = view.blocks.split_at(view.base_blocks);
    let from = current.from.clone();
    let mut tail = Tail { blocks: Vec::new(), from, dropped: Vec::new(), lost: Vec::new(), renumbered: 0 };
    let mut below = Watermarks::default();
    match &current.base {
        // What had gone before there was a base was lawfully removed here: no gap.
        None => tail.from = tail.from.at_most(marks),
        Some(old) if old.incarnation != base.incarnation => {
            tail.from = tail.from.at_most(marks);
            bring_back(core, partition, shared, marks, accepts_loss, &mut tail).await?;
            below.clone_from(&old.manifest.watermarks);
        }
        Some(_) => {}
    }
    let vouch = Vouch::new(core, partition, &base.manifest, own);
    let mut before = current.from.clone();
    if let Some(old) = current.base.as_ref().filter(|old| old.incarnation == base.incarnation) {
        // A tail holds nothing that its base has, whatever its first block says that it reaches.
        before.raise_all(&old.manifest.watermarks);
    }
    for block in own {
        let upto = &block.entry.upto;
        let lies = match lies(&before, upto, marks) {
            Lies::Across if core.settings.mutation.is(Mutant::AdoptUncut) => Lies::Above,
            Lies::Across if core.settings.mutation.is(Mutant::StraddleDropped) => Lies::Below,
            lies => lies,
        };
        let is_seen = lies == Lies::Above || (lies == Lies::Below && vouch.names(block));
        if !is_seen && !core.settings.mutation.is(Mutant::TailUnvouched) {
            let mut stand = tail.blocks.last().map_or_else(|| tail.from.clone(), |last| last.entry.upto.clone());
            stand.raise_all(&upto.at_most(marks));
            for kept in vouch.renumber(block, stand).await? {
                below.raise_all(&kept.entry.upto);
                tail.renumbered += kept.entry.rows;
                tail.blocks.push(kept);
            }
        }
        match lies {
            Lies::Above => tail.blocks.push(above(partition, block, &below)),
            Lies::Below => tail.dropped.push(Arc::clone(block)),
            Lies::Across => {
                core.counters.straddles_cut.fetch_add(1, Ordering::Relaxed);
                let cut = cut(core, partition, block, marks).await.map_err(CutFailure::of_own)?;
                tail.blocks.extend(cut.map(|cut| above(partition, &cut, &below)));
                tail.dropped.push(Arc::clone(block));
            }
        }
        if tail.blocks.is_empty() {
            // An `upto` may reach beyond what is in the block: of that, nothing left this tail.
            tail.from.raise_all(&upto.at_most(marks));
        }
        before.raise_all(upto);
    }
    Ok(tail)
}

/// The store was rolled back, and an operator said so: what it lost is in the old base, and every node that has that
/// brings it back. The first to send it wins, the others cut theirs.
async fn bring_back(
    core: &Arc<Core>,
    partition: &Arc<Partition>,
    old: &[Arc<StoredBlock>],
    marks: &Watermarks,
    accepts_loss: bool,
    tail: &mut Tail,
) -> Result<(), AdoptFailure> {
    let mut before = Watermarks::default();
    for block in old {
        let upto = &block.entry.upto;
        if lies(&before, upto, marks) != Lies::Below {
            match cut(core, partition, block, marks).await {
                // The new history may have come in another order.
                Ok(cut) => tail.blocks.extend(cut.map(|cut| above(partition, &cut, &tail.from))),
                Err(CutFailure::Gone) if accepts_loss => {
                    error!(partition = %partition.folder, block = %block.entry.id, rows = block.entry.rows,
                        "a block of the old history is nowhere any more: its events are given up");
                    let gone = upto.iter().map(|(origin, to)| (origin, before.get(origin).max(marks.get(origin)), to));
                    tail.lost.extend(gone.filter(|(_, past, to)| past < to).map(|(origin, past, to)| Lost {
                        origin: OriginKey(origin),
                        from: past + 1,
                        to,
                        why: format!("the shared store was rolled back, and block {} is nowhere", block.entry.id),
                    }));
                }
                Err(CutFailure::Gone) => {
                    return Err(AdoptFailure::Missing(format!(
                        "block {} of the old history, {} events, is neither here nor in the shared store. A node that \
                        has it will bring it back; if none has, `helios store adopt --yes --accept-loss` gives it up",
                        block.entry.id, block.entry.rows
                    )));
                }
                Err(CutFailure::Publish(failure)) => return Err(failure.into()),
            }
        }
        before.clone_from(upto);
    }
    Ok(())
}

/// The block with an `upto` that is not behind `below`, so that it may stand after what reaches that far.
fn above(partition: &Partition, block: &Arc<StoredBlock>, below: &Watermarks) -> Arc<StoredBlock> {
    if block.entry.upto.covers(below) {
        return Arc::clone(block);
    }
    let mut entry = (*block.entry).clone();
    entry.upto.raise_all(below);
    Arc::new(StoredBlock::new(Arc::new(entry), Arc::clone(&partition.home)))
}

/// How the events between two marks lie to a base that ends at `marks`.
fn lies(before: &Watermarks, upto: &Watermarks, marks: &Watermarks) -> Lies {
    let (mut above, mut below) = (false, false);
    for (origin, last) in upto.iter().filter(|(origin, last)| before.get(*origin) < *last) {
        let mark = marks.get(origin);
        above |= mark < last;
        below |= mark > before.get(origin);
    }
    match (above, below) {
        (true, true) => Lies::Across,
        (false, _) => Lies::Below,
        (true, false) => Lies::Above,
    }
}

/// Why a block was not cut.
enum CutFailure {
    /// It is neither on this disk nor in the shared store.
    Gone,
    /// Everything else.
    Publish(PublishFailure),
}

impl CutFailure {
    /// Of an own block, which nobody else has.
    fn of_own(self) -> PublishFailure {
        match self {
            Self::Gone => PublishFailure::Failed("the file of an own block is missing".into()),
            Self::Publish(failure) => failure,
        }
    }
}

/// The rows of a block above `marks` as a block of their own; `None` if there are none.
async fn cut(
    core: &Arc<Core>,
    partition: &Arc<Partition>,
    block: &Arc<StoredBlock>,
    marks: &Watermarks,
) -> Result<Option<Arc<StoredBlock>>, CutFailure> {
    let failed = |why: String| CutFailure::Publish(PublishFailure::Failed(why));
    let marks = marks.clone();
    let above = Arc::new(move |id: EventId| id.sequence.0 > marks.get(id.origin));
    let cut = encode::filtered(core, std::slice::from_ref(block), Some(above)).await;
    let cut = match cut {
        Ok(Some(cut)) => cut,
        Ok(None) => return Err(failed("the engine stops".into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(CutFailure::Gone),
        Err(error) => return Err(failed(error.to_string())),
    };
    info!(partition = %partition.folder, block = %block.entry.id, rows = cut.rows, of = block.entry.rows,
        "a block was cut at a watermark of the shared store");
    if cut.rows == 0 {
        return Ok(None);
    }
    let written = blocks::write(core, partition, cut, block.entry.upto.clone()).await;
    written.map(Some).map_err(|failure| CutFailure::Publish(failure.into()))
}

async fn install(core: &Arc<Core>, partition: &Arc<Partition>, base: Base, tail: Tail) -> Result<Done, PublishFailure> {
    let Tail { blocks, from, dropped, lost, renumbered: _ } = tail;
    let mut committed = partition.manifest.lock().await;
    let floor = publish::floor_for(core, partition, &committed).await;
    let entries: Vec<Arc<BlockEntry>> = blocks.iter().map(|block| Arc::clone(&block.entry)).collect();
    let next_base = base.clone();
    let published = publish::publish(core, partition, &mut committed, move |manifest| {
        let mut next = manifest.with_base(next_base, entries, from, lost);
        if let Some(last) = next.tail.last() {
            next.flushed.raise_all(&last.upto);
        }
        next.floor = floor;
        Some(next)
    });
    published.await?;
    // From here on it is the head of the chain, as read back.
    let old = partition.view();
    let known = |entry: &Arc<BlockEntry>| Arc::new(StoredBlock::new(Arc::clone(entry), Arc::clone(&partition.home)));
    let base_blocks: Vec<_> = base.manifest.entries().map(known).collect();
    let named: std::collections::BTreeSet<_> = base_blocks.iter().map(|block| block.entry.id).collect();
    let gone: Vec<_> =
        old.blocks[..old.base_blocks].iter().filter(|block| !named.contains(&block.entry.id)).cloned().collect();
    drop(old);
    debug!(partition = %partition.folder, generation = base.generation, dropped = dropped.len(), "base adopted");
    if core.settings.mutation.is(Mutant::AdoptInTwoSteps) {
        let old_tail = partition.view().blocks[partition.view().base_blocks..].to_vec();
        partition.publish_adopted(base_blocks.clone(), old_tail, &committed.manifest);
        core.host.clock.sleep(std::time::Duration::from_millis(20)).await;
    }
    partition.publish_adopted(base_blocks, blocks, &committed.manifest);
    let done = Done { dropped: dropped.len() };
    // ORDER: only those whose file no other block of the view has.
    core.discard(dropped);
    core.discard(gone);
    if let Err(error) = partition.chain.collect(committed.manifest.floor).await {
        tracing::warn!(%error, partition = %partition.folder, "old generations could not be removed");
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Origin;

    fn marks(pairs: &[(u64, u64)]) -> Watermarks {
        let mut marks = Watermarks::default();
        pairs.iter().for_each(|(origin, sequence)| marks.raise(Origin(*origin), *sequence));
        marks
    }

    #[test]
    fn a_block_lies_above_below_or_across_by_the_events_that_it_has() {
        let check = |before: &[(u64, u64)], upto: &[(u64, u64)], base: &[(u64, u64)], expected| {
            assert_eq!(lies(&marks(before), &marks(upto), &marks(base)), expected, "{before:?} {upto:?} {base:?}");
        };
        check(&[], &[(1, 10)], &[], Lies::Above);
        check(&[], &[(1, 10)], &[(1, 10)], Lies::Below);
        check(&[], &[(1, 10)], &[(1, 12)], Lies::Below);
        check(&[], &[(1, 10)], &[(1, 4)], Lies::Across);
        check(&[(1, 10)], &[(1, 20)], &[(1, 10)], Lies::Above);
        check(&[(1, 10)], &[(1, 20), (2, 5)], &[(1, 20)], Lies::Across);
        // An origin that has nothing in this block says nothing.
        check(&[(1, 10)], &[(1, 10), (2, 5)], &[(2, 5)], Lies::Below);
        check(&[(1, 10)], &[(1, 10), (2, 5)], &[(1, 10)], Lies::Above);
    }
}
