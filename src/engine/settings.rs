//! What of the engine can be set. The production values are the defaults of the settings table; tests
//! and simulations draw them to extremes.

use std::time::Duration;

use super::mutant::Mutation;

/// The engine's knobs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A log segment that has grown to this is closed and another begun.
    pub segment_bytes: u64,
    /// Requests that wait for the log are written and synced together up to this size.
    pub group_bytes: u64,
    /// Unflushed log above this makes the oldest head flush, however small it is.
    pub log_bytes_max: u64,
    /// Events of requests that are read and not yet searchable: more are answered 429.
    pub queue_events: u64,
    /// Bytes of requests that are read and not yet searchable: more are answered 429.
    pub queue_bytes: u64,
    /// How long a request may wait for room in the queue before it is answered 429.
    pub queue_wait: Duration,
    /// A head with this many events is flushed.
    pub flush_rows: u64,
    /// A flush takes the oldest events of a head up to this number and up to `flush_bytes`: what it holds in
    /// memory beside the head is bounded by them.
    pub flush_rows_max: u64,
    /// A head with this many bytes as sent is flushed.
    pub flush_bytes: u64,
    /// A head this old is flushed, if it has `flush_aged_rows` events.
    pub flush_age: Duration,
    /// Below this many events an aged head waits on: the log protects it, and small blocks cost.
    pub flush_aged_rows: u64,
    /// A head this old is flushed, whatever its size.
    pub flush_age_max: Duration,
    /// Bytes as sent in all heads: above it the largest are flushed, and requests wait.
    pub head_bytes_max: u64,
    /// Flushes at the same time.
    pub flush_concurrency: usize,
    /// Compaction does not make blocks larger than this.
    pub block_target_bytes: u64,
    /// Blocks below this are small: compaction merges them.
    pub compact_min_bytes: u64,
    /// More small blocks than this in a partition are merged at once.
    pub compact_small_blocks_max: usize,
    /// The longest that mergeable small blocks wait.
    pub compact_interval: Duration,
    /// Partitions of days that lie further back are retired; `None`: never.
    pub retention_days: Option<u32>,
    /// Bytes as sent of small blocks that may be compressed densely, per second. At up to 150 CPU seconds a GiB the
    /// default is a seventh of a core.
    pub dense_bytes_per_s: u64,
    /// How often retention looks.
    pub retention_interval: Duration,
    /// Free bytes below which ingest stops, so that flush and retention can still write.
    pub reserve_bytes: u64,
    /// Blocks that one page of a manifest names. Up to twice as many stand in the generation itself.
    pub manifest_page_blocks: usize,
    /// Generations of a manifest that are kept whatever their age.
    pub generations_kept: u64,
    /// Generations younger than this are kept, up to a bound of their number.
    pub generations_age: Duration,
    /// Partitions with unflushed events at the same time.
    pub open_partitions_max: usize,
    /// A deliberate bug; none but in tests.
    pub mutation: Mutation,
    /// The process whose life goes on; none but in tests.
    #[cfg(feature = "mutants")]
    pub memory: Option<super::memory::Memory>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            group_bytes: 16 << 20,
            log_bytes_max: 512 << 20,
            queue_events: 100_000,
            queue_bytes: 64 << 20,
            queue_wait: Duration::from_secs(10),
            flush_rows: 1 << 17,
            flush_rows_max: 1 << 17,
            flush_bytes: 44 << 20,
            flush_age: Duration::from_secs(5),
            flush_aged_rows: 1_000,
            flush_age_max: Duration::from_secs(300),
            head_bytes_max: 88 << 20,
            flush_concurrency: 2,
            block_target_bytes: 64 << 20,
            compact_min_bytes: 5 << 20,
            compact_small_blocks_max: 100,
            compact_interval: Duration::from_secs(30),
            retention_days: None,
            dense_bytes_per_s: 1 << 20,
            retention_interval: Duration::from_secs(3_600),
            reserve_bytes: 64 << 20,
            manifest_page_blocks: 512,
            generations_kept: 64,
            generations_age: Duration::from_secs(86_400),
            open_partitions_max: 1_000,
            mutation: Mutation::default(),
            #[cfg(feature = "mutants")]
            memory: None,
        }
    }
}
