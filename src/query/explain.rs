//! What a query did: what it left out and why, what it read, where its time went.
//!
//! **Promise.** Counting is always on and costs a few atomic additions for each group of rows.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

/// Where the work of a query went. Groups are row groups: the parts of blocks, and the batches that are in
/// no block yet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Explain {
    /// Blocks of partitions whose day, index or environment cannot match.
    pub blocks_out_of_partition: u64,
    /// Blocks of other partitions, out of the asked range.
    pub blocks_out_of_time: u64,
    /// Groups of the other blocks, and batches.
    pub groups: u64,
    /// Of these: out of the asked range.
    pub groups_out_of_time: u64,
    /// Of these: an earlier query with the same expression found that no row matches.
    pub groups_known_empty: u64,
    /// Of these: an earlier query with the same expression and stage has reduced or counted them.
    pub groups_known: u64,
    /// Of these: looked at, and nothing matched, and no value was read: names, bounds, dictionaries or
    /// filters told.
    pub groups_ruled_out: u64,
    /// Of these: values were read or rows of earlier knowledge used.
    pub groups_scanned: u64,
    /// Rows that matched, as far as they were looked for.
    pub rows_matched: u64,
    /// Parts of groups (columns, times, ids, filters) that lay decoded in the cache.
    pub parts_cached: u64,
    /// Parts that were read and decoded.
    pub parts_read: u64,
    /// Ranges of files that were read for them.
    pub ranges_read: u64,
    /// Bytes of these ranges.
    pub bytes_read: u64,
    /// Time to find the groups, µs.
    pub plan_us: u64,
    /// Time that reads took, all together, µs. Reads go on beside each other and beside other work.
    pub read_us: u64,
    /// Time of the workers to decode parts, µs.
    pub decode_us: u64,
    /// Time of the workers to find the rows that match, µs.
    pub match_us: u64,
    /// Time of the workers to reduce and show them, µs.
    pub answer_us: u64,
}

/// Counts of what was done so far.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups_done: AtomicU64,
    pub(crate) rows_scanned: AtomicU64,
    pub(crate) matched: AtomicU64,
    pub(crate) groups_known: AtomicU64,
    pub(crate) groups_ruled_out: AtomicU64,
    pub(crate) groups_scanned: AtomicU64,
    pub(crate) parts_cached: AtomicU64,
    pub(crate) parts_read: AtomicU64,
    pub(crate) ranges_read: AtomicU64,
    pub(crate) bytes_read: AtomicU64,
    pub(crate) read: Timer,
    pub(crate) decode: Timer,
    pub(crate) find: Timer,
    /// All work on the CPU pool but decoding.
    pub(crate) work: Timer,
}

/// Time that adds up.
#[derive(Debug, Default)]
pub(crate) struct Timer(AtomicU64);

impl Timer {
    pub(crate) fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    fn micros(&self) -> u64 {
        self.0.load(Relaxed) / 1_000
    }
}

/// What was left out before any work, and how long that took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Planned {
    pub(crate) blocks_out_of_partition: u64,
    pub(crate) blocks_out_of_time: u64,
    pub(crate) groups: u64,
    pub(crate) groups_out_of_time: u64,
    pub(crate) groups_known_empty: u64,
    pub(crate) time: Duration,
}

impl Counters {
    pub(crate) fn explain(&self, planned: &Planned) -> Explain {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        Explain {
            blocks_out_of_partition: planned.blocks_out_of_partition,
            blocks_out_of_time: planned.blocks_out_of_time,
            groups: planned.groups,
            groups_out_of_time: planned.groups_out_of_time,
            groups_known_empty: planned.groups_known_empty,
            groups_known: get(&self.groups_known),
            groups_ruled_out: get(&self.groups_ruled_out),
            groups_scanned: get(&self.groups_scanned),
            rows_matched: get(&self.matched),
            parts_cached: get(&self.parts_cached),
            parts_read: get(&self.parts_read),
            ranges_read: get(&self.ranges_read),
            bytes_read: get(&self.bytes_read),
            plan_us: u64::try_from(planned.time.as_micros()).unwrap_or(u64::MAX),
            read_us: self.read.micros(),
            decode_us: self.decode.micros(),
            match_us: self.find.micros(),
            answer_us: self.work.micros().saturating_sub(self.find.micros()),
        }
    }
}
