//! One partition: its head in memory, its manifest, and the view that queries see.
//!
//! **Invariants.** P1 an event is in the head or in a block of the view, never in both and never in
//! neither: one pointer swap publishes a block and takes its rows from the head. P2 rows enter the
//! head in log order, so what is applied of an origin is always a prefix. P3 flushed ≤ applied.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use super::block_set::BlockSet;
use super::manifest::{BlockId, Lost, Manifest, Watermarks};
use super::snapshot::{BlockHome, PartitionView, StoredBlock};
use crate::block::{RowGroup, merge_all};
use crate::chain::Chain;
use crate::event::{Origin, PartitionKey};
use crate::sync::Published;

/// A partition that this node knows.
pub(crate) struct Partition {
    pub(crate) key: PartitionKey,
    /// `<env>/<index>/<day>`, below the data directory.
    pub(crate) folder: String,
    pub(crate) chain: Chain,
    /// Where its blocks are.
    pub(crate) home: Arc<BlockHome>,
    /// Held by the one flush that may run.
    pub(crate) flushing: AsyncMutex<()>,
    /// Held by the one compaction that may run. Retirement takes `flushing` and then this.
    pub(crate) compacting: AsyncMutex<()>,
    /// The head of the chain, held while the next generation is committed.
    pub(crate) manifest: AsyncMutex<Committed>,
    state: Mutex<State>,
    /// What queries see. Written under the lock of `state`, and read without it.
    view: Published<Arc<PartitionView>>,
}

/// The newest generation, as it was read from the chain.
pub(crate) struct Committed {
    pub(crate) manifest: Manifest,
    pub(crate) digest: String,
    /// Whether the folders are known to be there, durably.
    pub(crate) folders_made: bool,
}

struct State {
    head: Vec<HeadBatch>,
    applied: Watermarks,
    /// Up to where events are in blocks.
    flushed: Watermarks,
    /// Blocks of the view that are the base's.
    base_blocks: usize,
    /// When the last block was flushed, on the monotonic clock.
    flushed_at: Duration,
}

/// Rows that are in no block yet.
#[derive(Clone)]
pub(crate) struct HeadBatch {
    pub(crate) rows: Arc<RowGroup>,
    pub(crate) raw_bytes: u64,
    /// The oldest log segment that holds any of them.
    pub(crate) ordinal: u64,
    /// When the oldest of them came, on the monotonic clock.
    pub(crate) since: Duration,
    /// Whether a flush has begun with them: then nothing is merged to them any more.
    pub(crate) frozen: bool,
}

/// The older end of the head as it stood when a flush began.
pub(crate) struct HeadPrefix {
    pub(crate) batches: Vec<HeadBatch>,
    /// Up to where exactly these rows, and what was flushed before, go.
    pub(crate) upto: Watermarks,
}

/// Figures that decide when a head is flushed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadFigures {
    pub(crate) rows: u64,
    pub(crate) raw_bytes: u64,
    /// The oldest log segment that the head needs; `None` for an empty head.
    pub(crate) ordinal: Option<u64>,
    pub(crate) since: Duration,
}

impl Partition {
    pub(crate) fn new(
        key: PartitionKey,
        folder: String,
        chain: Chain,
        home: Arc<BlockHome>,
        committed: Committed,
    ) -> Self {
        let base = committed.manifest.shared().map(|shared| shared.entries().cloned().collect::<Vec<_>>());
        let base = base.unwrap_or_default();
        let base_blocks = base.len();
        let blocks = base.into_iter().chain(committed.manifest.blocks().cloned());
        let blocks = blocks.map(|entry| Arc::new(StoredBlock::new(entry, Arc::clone(&home))));
        let blocks = Arc::new(BlockSet::new(blocks.collect()));
        let view = Arc::new(PartitionView {
            key: key.clone(),
            blocks,
            base_blocks,
            head: Vec::new(),
            lost: committed.manifest.all_lost(),
        });
        let applied = committed.manifest.settled();
        let flushed = committed.manifest.flushed.clone();
        let state = State { head: Vec::new(), applied, flushed, base_blocks, flushed_at: Duration::ZERO };
        let state = Mutex::new(state);
        Self {
            key,
            folder,
            chain,
            home,
            flushing: AsyncMutex::new(()),
            compacting: AsyncMutex::new(()),
            manifest: AsyncMutex::new(committed),
            state,
            view: Published::new(view),
        }
    }

    /// What queries see now.
    pub(crate) fn view(&self) -> Arc<PartitionView> {
        self.view.load()
    }

    pub(crate) fn figures(&self) -> HeadFigures {
        let state = self.state();
        HeadFigures {
            rows: state.head.iter().map(|batch| u64::from(batch.rows.rows)).sum(),
            raw_bytes: state.head.iter().map(|batch| batch.raw_bytes).sum(),
            ordinal: state.head.iter().map(|batch| batch.ordinal).min(),
            since: state.head.iter().map(|batch| batch.since).min().unwrap_or_default(),
        }
    }

    /// Adds durable rows to the head: from here on they are searchable.
    pub(crate) fn apply(&self, batch: HeadBatch) {
        let mut state = self.state();
        let origin = batch.rows.origins.first().copied().expect("applied rows have their origin");
        let last = batch.rows.sequences.iter().copied().max().expect("an applied batch has rows");
        assert!(state.applied.get(origin) < last, "P2");
        state.applied.raise(origin, last);
        state.head.push(batch);
        coalesce(&mut state.head);
        self.publish(&state, None);
    }

    /// The oldest batches of the head that together have at most so many rows and so many bytes as sent, or
    /// the oldest one. From now on they can be taken out as they are.
    pub(crate) fn freeze_head(&self, rows_max: u64, raw_bytes_max: u64) -> HeadPrefix {
        let mut state = self.state();
        let State { head, flushed, .. } = &mut *state;
        let mut prefix = HeadPrefix { batches: Vec::new(), upto: flushed.clone() };
        let (mut rows, mut raw_bytes) = (0, 0);
        for batch in head {
            rows += u64::from(batch.rows.rows);
            raw_bytes += batch.raw_bytes;
            if (rows > rows_max || raw_bytes > raw_bytes_max) && !prefix.batches.is_empty() {
                break;
            }
            batch.frozen = true;
            raise_to_rows(&mut prefix.upto, &batch.rows);
            prefix.batches.push(batch.clone());
        }
        prefix
    }

    /// Swaps the first `batches` of the head for the block that holds their rows.
    pub(crate) fn publish_flushed(&self, batches: usize, block: Arc<StoredBlock>, now: Duration) {
        let mut state = self.state();
        state.flushed_at = now;
        state.flushed.raise_all(&block.entry.upto);
        let mut blocks = self.view().blocks.to_vec();
        blocks.push(block);
        assert!(state.head.iter().take(batches).all(|batch| batch.frozen), "P1: a flush takes what it froze");
        state.head.drain(..batches);
        self.publish(&state, Some(blocks));
    }

    /// Swaps the blocks `inputs` for the one that replaces them, at the place of the first.
    pub(crate) fn publish_merged(&self, inputs: &[BlockId], merged: Option<Arc<StoredBlock>>) {
        let state = self.state();
        let mut blocks = self.view().blocks.to_vec();
        let place = blocks.iter().position(|block| inputs.contains(&block.entry.id)).unwrap_or(blocks.len());
        blocks.retain(|block| !inputs.contains(&block.entry.id));
        if let Some(merged) = merged {
            blocks.insert(place, merged);
        }
        self.publish(&state, Some(blocks));
    }

    /// Makes the view that queries see from now on. P1: one swap.
    fn publish(&self, state: &State, blocks: Option<Vec<Arc<StoredBlock>>>) {
        let lost = self.view().lost.clone();
        self.publish_with(state, blocks, lost);
    }

    fn publish_with(&self, state: &State, blocks: Option<Vec<Arc<StoredBlock>>>, lost: Vec<Lost>) {
        let before = self.view();
        self.view.publish(Arc::new(PartitionView {
            key: before.key.clone(),
            blocks: blocks.map_or_else(|| Arc::clone(&before.blocks), |blocks| Arc::new(BlockSet::new(blocks))),
            base_blocks: state.base_blocks,
            head: state.head.iter().map(|batch| Arc::clone(&batch.rows)).collect(),
            lost,
        }));
    }

    /// Swaps the base, and the tail with it. P1: one swap, so that nobody sees an event twice or not at all.
    pub(crate) fn publish_adopted(
        &self,
        base: Vec<Arc<StoredBlock>>,
        tail: Vec<Arc<StoredBlock>>,
        manifest: &Manifest,
    ) {
        let Some(shared) = manifest.shared() else { return };
        let mut state = self.state();
        state.applied.raise_all(&shared.watermarks);
        state.base_blocks = base.len();
        if let Some(last) = tail.last() {
            state.flushed.raise_all(&last.entry.upto);
        }
        let blocks = base.into_iter().chain(tail).collect();
        self.publish_with(&state, Some(blocks), manifest.all_lost());
    }

    /// Whether the head has an event at or below these marks.
    pub(crate) fn head_reaches_below(&self, marks: &Watermarks) -> bool {
        let state = self.state();
        let below =
            |rows: &RowGroup| (0..rows.rows).any(|row| rows.sequences[row as usize] <= marks.get(rows.origin(row)));
        state.head.iter().any(|batch| below(&batch.rows))
    }

    /// Up to where this origin's events are in the view.
    pub(crate) fn applied(&self, origin: Origin) -> u64 {
        self.state().applied.get(origin)
    }

    /// When the last block was flushed; zero if none was in this life.
    pub(crate) fn flushed_at(&self) -> Duration {
        self.state().flushed_at
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while held")
    }
}

/// Moves each origin up to its last event among these rows.
fn raise_to_rows(marks: &mut Watermarks, rows: &RowGroup) {
    match &rows.origin_codes {
        None => marks.raise(rows.origins[0], rows.sequences.iter().copied().max().unwrap_or(0)),
        Some(_) => (0..rows.rows).for_each(|row| marks.raise(rows.origin(row), rows.sequences[row as usize])),
    }
}

/// Merges small neighbours, so that a thousand requests of one event are not a thousand batches: a
/// batch joins the one before it when that is not more than twice as large. Each row is copied about
/// log₂(rows) times.
fn coalesce(head: &mut Vec<HeadBatch>) {
    while let [.., before, last] = head.as_slice() {
        let small = last.rows.rows <= COALESCED_ROWS_MAX && before.rows.rows <= 2 * last.rows.rows;
        if before.frozen || !small {
            return;
        }
        let joined = HeadBatch {
            rows: Arc::new(join(&before.rows, &last.rows)),
            raw_bytes: before.raw_bytes + last.raw_bytes,
            ordinal: before.ordinal.min(last.ordinal),
            since: before.since.min(last.since),
            frozen: false,
        };
        head.truncate(head.len() - 2);
        head.push(joined);
    }
}

fn join(before: &Arc<RowGroup>, last: &Arc<RowGroup>) -> RowGroup {
    let rows = before.rows + last.rows;
    let mut merged = merge_all(vec![(Arc::clone(before), None), (Arc::clone(last), None)], rows);
    assert_eq!(merged.len(), 1, "small batches fit into one group");
    merged.remove(0)
}

/// Batches of more rows stay as they are.
const COALESCED_ROWS_MAX: u32 = 2_048;
