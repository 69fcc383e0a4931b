//! What of a cluster can be set. Simulations draw it to extremes.

use std::time::Duration;

/// A cluster's knobs.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// How often a node looks for what others have shared, and the longest that a block waits to be sent.
    pub sync_interval: Duration,
    /// How often a node looks at every partition, whatever it was told. Jittered by a quarter.
    pub walk_interval: Duration,
    /// How often the leader looks for shared blocks to merge.
    pub compact_interval: Duration,
    /// How often the leader looks for what may go.
    pub sweep_interval: Duration,
    /// How long an object must be seen unnamed before it is condemned and deleted: time for slow readers. No safety
    /// rests on it.
    pub grace: Duration,
    /// Generations of a shared manifest that are kept.
    pub generations_kept: u64,
    /// Blocks that one commit brings in at most.
    pub upload_blocks_max: usize,
    /// Their bytes, unless the first is larger by itself.
    pub upload_bytes_max: u64,
    /// Entries of the own feed that are kept.
    pub feed_kept: u64,
    /// Bytes of shared blocks that are kept on this disk; `None`: all of them.
    pub cache_bytes: Option<u64>,
    /// Whether shared blocks are brought here before somebody asks for them.
    pub prefetch: bool,
    /// A node whose last sign of life is older may be forgotten: its feed goes.
    pub dead_after: Duration,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            sync_interval: Duration::from_secs(10),
            walk_interval: Duration::from_secs(3_600),
            compact_interval: Duration::from_secs(30),
            sweep_interval: Duration::from_secs(600),
            grace: Duration::from_secs(3_600),
            generations_kept: 16,
            upload_blocks_max: 16,
            upload_bytes_max: 128 << 20,
            feed_kept: 64,
            cache_bytes: None,
            prefetch: true,
            dead_after: Duration::from_secs(86_400),
        }
    }
}
