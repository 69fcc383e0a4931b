//! The blocks of a partition, found by time without looking at each.

use std::ops::Deref;
use std::sync::Arc;

use super::snapshot::StoredBlock;

/// Blocks in the order in which they were flushed; it never changes.
#[derive(Default)]
pub struct BlockSet {
    blocks: Vec<Arc<StoredBlock>>,
    /// Ascending by the earliest time.
    by_time: Vec<Span>,
    /// One for each [`RUN_BLOCKS`] of `by_time`.
    runs: Vec<Run>,
}

/// When a block's events were.
#[derive(Clone, Copy)]
struct Span {
    min_time: i64,
    max_time: i64,
    /// Its place in `blocks`.
    place: u32,
}

/// Neighbours of `by_time`.
#[derive(Clone, Copy)]
struct Run {
    /// The latest time in it,
    max_time: i64,
    /// and in it or any before.
    max_time_so_far: i64,
}

/// The blocks of a window of time.
pub struct Overlap<'a> {
    /// In the order in which they were flushed.
    pub blocks: Vec<&'a Arc<StoredBlock>>,
    /// Blocks and runs of blocks that were looked at.
    pub visited: usize,
}

impl BlockSet {
    /// The set of these blocks. Costs a sort of spans that are mostly sorted already.
    pub(crate) fn new(blocks: Vec<Arc<StoredBlock>>) -> Self {
        let mut by_time: Vec<Span> = (0u32..)
            .zip(&blocks)
            .map(|(place, block)| Span { min_time: block.entry.min_time, max_time: block.entry.max_time, place })
            .collect();
        by_time.sort_by_key(|span| span.min_time);
        let mut max_time_so_far = i64::MIN;
        let runs = by_time.chunks(RUN_BLOCKS).map(|spans| {
            let max_time = spans.iter().map(|span| span.max_time).max().unwrap_or(i64::MIN);
            max_time_so_far = max_time_so_far.max(max_time);
            Run { max_time, max_time_so_far }
        });
        let runs = runs.collect();
        Self { blocks, by_time, runs }
    }

    /// The blocks that may have events from `first` to `last`, both included.
    pub fn overlapping(&self, first: i64, last: i64) -> Overlap<'_> {
        let end = self.by_time.partition_point(|span| span.min_time <= last);
        let (mut places, mut visited) = (Vec::new(), 0);
        for (number, run) in self.runs[..end.div_ceil(RUN_BLOCKS)].iter().enumerate().rev() {
            visited += 1;
            if run.max_time_so_far < first {
                break;
            }
            if run.max_time < first {
                continue;
            }
            let spans = &self.by_time[number * RUN_BLOCKS..end.min((number + 1) * RUN_BLOCKS)];
            visited += spans.len();
            places.extend(spans.iter().filter(|span| span.max_time >= first).map(|span| span.place));
        }
        places.sort_unstable();
        Overlap { blocks: places.into_iter().map(|place| &self.blocks[place as usize]).collect(), visited }
    }
}

impl Deref for BlockSet {
    type Target = [Arc<StoredBlock>];

    fn deref(&self) -> &Self::Target {
        &self.blocks
    }
}

/// Blocks that are passed over together: a window that a day-long block overlaps costs at most all runs.
const RUN_BLOCKS: usize = 128;
