//! Where events live: the write-ahead log, the heads, the partitions with their manifests and blocks.
//!
//! **Promise.** What was acknowledged is durable and in every snapshot taken afterwards, once, until
//! retention removes it. Everything else follows from the boundaries in [`manifest`]: of each origin,
//! a partition's events up to `flushed` are in blocks, those up to what is applied are in the head,
//! and the rest is in the log only.
//!
//! **Boundary.** Knows no protocol and no query. Reads its log again through [`RecordReader`].

mod adopt;
mod block_list;
mod block_set;
mod blocks;
mod changes;
mod commit;
mod compact;
mod core;
mod effort;
mod encode;
mod flush;
pub(crate) mod layout;
pub mod log;
mod lost;
pub mod manifest;
#[cfg(feature = "mutants")]
mod memory;
mod mutant;
mod open;
mod pages;
mod partition;
mod publish;
mod recent;
mod record;
mod remote;
mod replay;
mod replica;
pub(crate) mod retention;
mod settings;
pub mod shared;
pub mod snapshot;
mod verify;
mod vouch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{Mutex, broadcast};

pub use block_set::{BlockSet, Overlap};
pub use commit::Admission;
pub use core::Applied;
pub use log::VerdictRun;
pub use manifest::{Base, BlockEntry, BlockId, Digest, GroupSpan, Lost, Manifest, OriginKey, Page, Watermarks};
#[cfg(feature = "mutants")]
pub use memory::Memory;
pub use mutant::{Mutant, Mutation};
pub use open::OpenError;
pub use record::{AppendError, NewGroup, NewRecord, Receipt, RecordReader};
pub use replica::{AdoptError, Adopted, Front, Incarnation, LeftAs, Merged, Replica, SharedHead, Waiting, life_of};
pub use settings::Settings;
pub use snapshot::{PartitionView, Snapshot, StoredBlock};
pub use verify::{Problem, VerifyProgress, VerifyReport, verify};

use crate::chain::Store;
use crate::event::{Origin, PartitionKey};
use crate::host::{Host, Task};
use crate::sync::Queue;

/// No record touches more partitions.
pub use log::RECORD_PARTITIONS_MAX;

/// An open data directory with its workers running.
pub struct Engine {
    core: Arc<core::Core>,
    queue: Queue<commit::Pending>,
    running: Mutex<Option<Running>>,
}

/// The tasks of an open engine.
struct Running {
    commits: Task,
    workers: Vec<Task>,
}

/// Figures of the whole engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineStats {
    /// Partitions, retired ones included.
    pub partitions: u64,
    /// Blocks that manifests name.
    pub blocks: u64,
    /// Events in blocks and heads.
    pub events: u64,
    /// Bytes of all blocks.
    pub block_bytes: u64,
    /// Bytes that the events in blocks were sent as.
    pub block_raw_bytes: u64,
    /// Events in heads.
    pub head_events: u64,
    /// Bytes that the events in heads were sent as.
    pub head_raw_bytes: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
}

/// Whether events can be taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Health {
    /// Yes.
    Running,
    /// Not until there is room on the disk.
    DiskFull,
    /// Going down.
    Stopping,
    /// Not until a restart, and why.
    Stopped(String),
}

impl Engine {
    /// Opens a data directory, creating it if there is none, replays its log and starts the workers.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing was lost then, and nothing was changed but unfinished files.
    pub async fn open(
        host: Host,
        root: PathBuf,
        settings: Settings,
        reader: Arc<dyn RecordReader>,
    ) -> Result<Self, OpenError> {
        open::open(host, root, settings, reader, None).await
    }

    /// As [`Engine::open`], on a store that several nodes share. What comes in goes there, and what others sent
    /// there comes here, only by way of [`Engine::replica`].
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_shared(
        host: Host,
        root: PathBuf,
        settings: Settings,
        reader: Arc<dyn RecordReader>,
        shared: Arc<dyn Store>,
    ) -> Result<Self, OpenError> {
        open::open(host, root, settings, reader, Some(shared)).await
    }

    /// The door through which a cluster moves blocks in and out.
    pub fn replica(&self) -> Replica {
        Replica::new(Arc::clone(&self.core))
    }

    fn new(core: Arc<core::Core>, queue: Queue<commit::Pending>, running: Running) -> Self {
        Self { core, queue, running: Mutex::new(Some(running)) }
    }

    /// Waits for room for a record of `bytes`, for the bounded time that the settings say. Read the
    /// record after this, not before, so that memory stays bounded.
    ///
    /// # Errors
    /// [`AppendError::Busy`] if there is none; whatever keeps the engine from writing.
    pub async fn admit(&self, bytes: u64) -> Result<Admission, AppendError> {
        commit::admit(&self.core, bytes).await
    }

    /// Makes a record durable and searchable.
    ///
    /// # Errors
    /// See [`AppendError`]: all but `Unknown` mean that nothing was kept.
    ///
    /// # Cancel safety
    /// After a drop the record may become durable and searchable, or not.
    pub async fn append(&self, record: NewRecord, admission: Admission) -> Result<Receipt, AppendError> {
        commit::append(&self.core, &self.queue, record, admission).await
    }

    /// Why an event of this partition would be refused; `None` if it would not be.
    pub fn refusal(&self, key: &PartitionKey) -> Option<String> {
        retention::refusal(&self.core, key)
    }

    /// The partitions that `wanted` takes, as they are now.
    pub fn snapshot(&self, wanted: impl Fn(&PartitionKey) -> bool) -> Snapshot {
        snapshot_of(&self.core, wanted)
    }

    /// Events as they become searchable, from now on.
    pub fn follow(&self) -> broadcast::Receiver<Applied> {
        self.core.applied.subscribe()
    }

    /// This life's origin.
    pub fn origin(&self) -> Origin {
        self.core.origin
    }

    /// What a machine that is put back to this moment goes on with.
    #[cfg(feature = "mutants")]
    pub fn memory(&self) -> Memory {
        Memory::of(&self.core)
    }

    /// Whether events can be taken.
    pub fn health(&self) -> Health {
        if let Some(why) = self.core.stopped() {
            return Health::Stopped(why);
        }
        if self.core.is_stopping() {
            return Health::Stopping;
        }
        if self.core.disk_full.load(Ordering::Relaxed) { Health::DiskFull } else { Health::Running }
    }

    /// Figures of the whole engine. Costs a walk over all partitions.
    pub fn stats(&self) -> EngineStats {
        let mut stats = EngineStats {
            log_bytes: self.core.segments.lock().expect("no panic while held").bytes(),
            ..EngineStats::default()
        };
        for partition in self.core.all_partitions() {
            let (view, head) = (partition.view(), partition.figures());
            stats.partitions += 1;
            stats.blocks += view.blocks.len() as u64;
            stats.events += view.events();
            stats.block_bytes += view.blocks.iter().map(|block| block.entry.bytes).sum::<u64>();
            stats.block_raw_bytes += view.blocks.iter().map(|block| block.entry.raw_bytes).sum::<u64>();
            stats.head_events += head.rows;
            stats.head_raw_bytes += head.raw_bytes;
        }
        stats
    }

    /// Flushes every head now. Returns whether all worked.
    ///
    /// # Cancel safety
    /// A flush that has begun goes on.
    pub async fn flush_now(&self) -> bool {
        let mut all = true;
        for partition in self.core.open_partitions() {
            all &= flush::flush_whole(&self.core, &partition).await;
        }
        self.core.collect_garbage().await;
        all
    }

    /// Merges small blocks now, without waiting for partitions to be idle.
    pub async fn compact_now(&self) {
        for partition in self.core.all_partitions() {
            compact::compact_partition(&self.core, &partition, true).await;
        }
        self.core.collect_garbage().await;
    }

    /// Removes what is past its retention now. Returns how many partitions were retired.
    pub async fn sweep_now(&self) -> usize {
        retention::sweep(&self.core, &retention::Calendar::begin(&*self.core.host.clock)).await
    }

    /// Drains and stops: what is in the queue is finished, every head becomes blocks, the directory is
    /// free for another process. Later calls do nothing.
    ///
    /// # Cancel safety
    /// After a drop the next start replays what was not flushed.
    pub async fn close(&self) {
        self.core.begin_stopping();
        self.queue.end();
        let Some(running) = self.running.lock().await.take() else { return };
        running.commits.join().await;
        for worker in running.workers {
            worker.join().await;
        }
        self.flush_now().await;
        self.core.changes.end().await;
        if self.core.open_count() == 0 {
            flush::remove_segments_below(&self.core, u64::MAX).await;
        }
        self.core.release();
    }
}

fn snapshot_of(core: &core::Core, wanted: impl Fn(&PartitionKey) -> bool) -> Snapshot {
    let partitions = core.all_partitions();
    let partitions = partitions.iter().filter(|partition| wanted(&partition.key)).map(|partition| partition.view());
    Snapshot { partitions: partitions.collect(), lost: Arc::clone(&core.lost.lock().expect("no panic while held")) }
}

/// A data directory that is only looked at. Nothing in it changes; no server may run on it meanwhile.
pub struct ReadOnly(Arc<core::Core>);

impl ReadOnly {
    /// Opens a data directory to look at it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(host: Host, root: PathBuf, reader: Arc<dyn RecordReader>) -> Result<Self, OpenError> {
        open::open_to_read(host, root, reader, None).await.map(Self)
    }

    /// The partitions that `wanted` takes.
    pub fn snapshot(&self, wanted: impl Fn(&PartitionKey) -> bool) -> Snapshot {
        snapshot_of(&self.0, wanted)
    }
}
