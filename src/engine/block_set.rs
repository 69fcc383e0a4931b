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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::manifest::{BlockEntry, BlockId, Digest, Watermarks};
    use crate::engine::recent::OpenBlocks;
    use crate::engine::snapshot::BlockHome;
    use crate::host::real::RealDisk;

    fn set(times: impl Iterator<Item = (i64, i64)>) -> BlockSet {
        let disk = Arc::new(RealDisk::new().unwrap());
        let home = Arc::new(BlockHome::new(disk, std::path::PathBuf::new(), Arc::new(OpenBlocks::new()), None));
        let entry = |(min_time, max_time)| BlockEntry {
            id: BlockId(0),
            sha256: Digest([0; 32]),
            bytes: 1,
            rows: 1,
            min_time,
            max_time,
            raw_bytes: 1,
            groups: Box::default(),
            upto: Watermarks::default(),
        };
        BlockSet::new(
            times.map(|times| Arc::new(StoredBlock::new(Arc::new(entry(times)), Arc::clone(&home)))).collect(),
        )
    }

    #[test]
    fn exactly_the_blocks_of_the_window_are_found_in_their_order() {
        let mut seed = 1u64;
        let mut below = |n: u64| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            ((seed >> 33) % n).cast_signed()
        };
        let times: Vec<(i64, i64)> = (0..2_000)
            .map(|number| {
                let first = number + below(50);
                let length = if below(300) == 0 { 1_500 } else { below(20) };
                (first, first + length)
            })
            .collect();
        let set = set(times.iter().copied());
        for _ in 0..500 {
            let first = below(2_300) - 100;
            let last = first + below(100) - 5;
            let wanted = (0..).zip(&times).filter(|(_, (min, max))| *min <= last && *max >= first);
            let wanted: Vec<usize> = wanted.map(|(place, _)| place).collect();
            let found = set.overlapping(first, last).blocks;
            let places = found.iter().map(|block| set.iter().position(|own| Arc::ptr_eq(own, block)).unwrap());
            assert_eq!(places.collect::<Vec<_>>(), wanted, "{first} to {last}");
        }
        assert_eq!(set.overlapping(i64::MIN, i64::MAX).blocks.len(), 2_000);
    }

    #[test]
    fn a_window_over_100_000_blocks_looks_at_few_although_some_last_all_day() {
        let lasting = |number: i64| if number % 1_000 == 0 { 100_000 } else { 1 };
        let set = set((0..100_000).map(|number| (number, number + lasting(number))));
        let found = set.overlapping(50_000, 50_009);
        assert_eq!(found.blocks.len(), 11 + 50);
        assert!(found.visited < 10_000, "{}", found.visited);
        let without = set_of_even_blocks();
        assert!(without.overlapping(50_000, 50_009).visited < 300);
    }

    fn set_of_even_blocks() -> BlockSet {
        set((0..100_000).map(|number| (number, number + 1)))
    }
}
