//! What all parts of the engine share: the partitions, what waits, whether writing goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, broadcast};
use tracing::{error, warn};

use super::adopt::Counters;
use super::changes::Changes;
use super::effort::DenseBudget;
use super::layout;
use super::log::Segments;
use super::manifest::{Lost, Manifest};
use super::partition::{Committed, Partition};
use super::recent::OpenBlocks;
use super::record::AppendError;
use super::remote::Remote;
use super::settings::Settings;
use super::snapshot::{BlockHome, StoredBlock};
use crate::block::RowGroup;
use crate::chain::{Chain, Store};
use crate::event::{Origin, PartitionKey};
use crate::host::{DiskLock, Entropy, Host};
use crate::host_select;
use crate::sync::{Flag, Reclaim};

/// Events that have just become searchable, for whoever follows along.
#[derive(Clone)]
pub struct Applied {
    /// Their partition.
    pub key: PartitionKey,
    /// The events.
    pub rows: Arc<RowGroup>,
}

/// The state of the engine.
pub(crate) struct Core {
    pub(crate) host: Host,
    pub(crate) settings: Settings,
    pub(crate) root: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) store: Arc<dyn Store>,
    /// What all nodes share, if there is something.
    pub(crate) shared: Option<Arc<dyn Store>>,
    /// The pages of manifests.
    pub(crate) pages: Arc<dyn Store>,
    /// Ids of blocks come from here.
    pub(crate) block_ids: Arc<dyn Entropy>,
    pub(crate) commits: AtomicU64,
    /// The last sequence of this life that is durable.
    pub(crate) durable_to: AtomicU64,
    /// The last one that is in a head, or was: never above [`Core::durable_to`].
    pub(crate) applied_to: AtomicU64,
    partitions: Mutex<BTreeMap<PartitionKey, Arc<Partition>>>,
    /// Partitions whose head is not empty.
    open: Mutex<BTreeSet<PartitionKey>>,
    /// Partitions into which something was flushed since the compactor last took them.
    flushed: Mutex<BTreeSet<PartitionKey>>,
    pub(crate) segments: Arc<Mutex<Segments>>,
    pub(crate) dense: DenseBudget,
    pub(crate) lost: Mutex<Arc<Vec<Lost>>>,
    /// Blocks that no manifest names any more; each goes when no snapshot holds it.
    garbage: Reclaim<Arc<StoredBlock>>,
    open_blocks: Arc<OpenBlocks>,
    pub(crate) head_bytes: AtomicU64,
    pub(crate) queue_bytes: Arc<Semaphore>,
    pub(crate) queue_events: Arc<Semaphore>,
    /// Why nothing may be written until a restart.
    stopped: Mutex<Option<String>>,
    stopping: Flag,
    /// The disk had no room when it was last asked.
    pub(crate) disk_full: AtomicBool,
    /// Heads have become smaller.
    pub(crate) room: Notify,
    pub(crate) wake_flush: Notify,
    wake_compact: Notify,
    pub(crate) counters: Counters,
    /// What commits outside the engine's own workers.
    pub(crate) changes: Changes,
    /// A block has joined a tail: it may be sent to the shared store.
    pub(crate) wake_share: Notify,
    /// Every head is empty: the log may end its segment.
    pub(crate) wake_log: Notify,
    pub(crate) applied: broadcast::Sender<Applied>,
    /// Keeps other processes out until the engine is closed.
    lock: Mutex<Option<Box<dyn DiskLock>>>,
}

/// What is needed to make a [`Core`].
pub(crate) struct CoreParts {
    pub(crate) host: Host,
    pub(crate) settings: Settings,
    pub(crate) root: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) lock: Option<Box<dyn DiskLock>>,
    pub(crate) shared: Option<Arc<dyn Store>>,
}

impl Core {
    pub(crate) fn new(parts: CoreParts) -> Self {
        let CoreParts { host, settings, root, origin, lock, shared } = parts;
        let store = super::open::store(&host, &root, &settings);
        let queue_kib = usize::try_from(settings.queue_bytes.div_ceil(KIB)).expect("a queue fits into memory");
        let queue_events = usize::try_from(settings.queue_events).expect("a queue fits into memory");
        Self {
            block_ids: host.entropy.fork("block ids"),
            store: Arc::new(store) as Arc<dyn Store>,
            pages: Arc::new(super::open::page_store(&host, &root, &settings)),
            shared,
            origin,
            root,
            commits: AtomicU64::new(0),
            durable_to: AtomicU64::new(0),
            applied_to: AtomicU64::new(0),
            partitions: Mutex::default(),
            open: Mutex::default(),
            flushed: Mutex::default(),
            segments: Arc::default(),
            dense: DenseBudget::new(settings.dense_bytes_per_s, host.clock.monotonic()),
            lost: Mutex::default(),
            garbage: Reclaim::new(),
            open_blocks: Arc::new(OpenBlocks::new()),
            head_bytes: AtomicU64::new(0),
            queue_bytes: Arc::new(Semaphore::new(queue_kib)),
            queue_events: Arc::new(Semaphore::new(queue_events)),
            stopped: Mutex::default(),
            stopping: Flag::new(),
            disk_full: AtomicBool::new(false),
            room: Notify::new(),
            wake_flush: Notify::new(),
            wake_compact: Notify::new(),
            counters: Counters::default(),
            changes: Changes::new(),
            wake_share: Notify::new(),
            wake_log: Notify::new(),
            applied: broadcast::Sender::new(APPLIED_QUEUE_GROUPS),
            lock: Mutex::new(lock),
            host,
            settings,
        }
    }

    /// A name for a commit that no other commit has.
    pub(crate) fn commit_id(&self) -> String {
        format!("{}-{}", self.origin, self.commits.fetch_add(1, Ordering::Relaxed))
    }

    /// The partition, which is made (in memory) if there is none.
    pub(crate) fn partition(&self, key: &PartitionKey) -> Arc<Partition> {
        let mut partitions = self.partitions.lock().expect("no panic while held");
        if let Some(partition) = partitions.get(key) {
            return Arc::clone(partition);
        }
        let folder = layout::partition_folder(key);
        let chain = Chain::new(Arc::clone(&self.store), layout::manifest_folder(&folder));
        let committed = Committed { manifest: Manifest::empty(), digest: String::new(), folders_made: false };
        let home = self.block_home(&folder);
        let partition = Arc::new(Partition::new(key.clone(), folder, chain, home, committed));
        partitions.insert(key.clone(), Arc::clone(&partition));
        partition
    }

    /// Where the blocks of a partition are.
    pub(crate) fn block_home(&self, folder: &str) -> Arc<BlockHome> {
        let blocks = self.root.join(layout::blocks_folder(folder));
        let remote = self.shared.as_ref().map(|store| Remote::new(Arc::clone(store), folder));
        Arc::new(BlockHome::new(Arc::clone(&self.host.disk), blocks, Arc::clone(&self.open_blocks), remote))
    }

    pub(crate) fn adopt(&self, partition: Partition) {
        let mut partitions = self.partitions.lock().expect("no panic while held");
        partitions.insert(partition.key.clone(), Arc::new(partition));
    }

    /// All partitions, in the order of their keys.
    pub(crate) fn all_partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.lock().expect("no panic while held").values().cloned().collect()
    }

    /// The partitions whose head is not empty.
    pub(crate) fn open_partitions(&self) -> Vec<Arc<Partition>> {
        let open = self.open.lock().expect("no panic while held");
        let partitions = self.partitions.lock().expect("no panic while held");
        open.iter().filter_map(|key| partitions.get(key).cloned()).collect()
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.lock().expect("no panic while held").len()
    }

    pub(crate) fn mark_open(&self, key: &PartitionKey) {
        self.open.lock().expect("no panic while held").insert(key.clone());
    }

    /// Takes the partition from the open ones if its head is empty now.
    pub(crate) fn mark_flushed(&self, partition: &Partition) {
        let mut open = self.open.lock().expect("no panic while held");
        if partition.figures().ordinal.is_none() {
            open.remove(&partition.key);
        }
    }

    /// A block was flushed: its neighbours may be merged with it.
    pub(crate) fn wake_compactor(&self, key: &PartitionKey) {
        self.flushed.lock().expect("no panic while held").insert(key.clone());
        self.wake_compact.notify_one();
    }

    /// Resolves when [`Core::take_flushed`] may have something to give. Cancel safe.
    pub(crate) async fn compactor_woken(&self) {
        self.wake_compact.notified().await;
    }

    /// The partitions into which something was flushed since this was last asked.
    pub(crate) fn take_flushed(&self) -> Vec<Arc<Partition>> {
        let flushed = std::mem::take(&mut *self.flushed.lock().expect("no panic while held"));
        let partitions = self.partitions.lock().expect("no panic while held");
        flushed.iter().filter_map(|key| partitions.get(key).cloned()).collect()
    }

    /// Stops all writing until a restart.
    pub(crate) fn stop_writing(&self, why: &str, source: &io::Error) {
        error!(%why, %source, "writing has stopped until the server is restarted");
        let mut stopped = self.stopped.lock().expect("no panic while held");
        stopped.get_or_insert_with(|| format!("{why}: {source}"));
    }

    /// Asks the disk how much more may be written before `bytes` of requests no longer fit; notes
    /// whether it is full.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) async fn check_room(&self, bytes: u64) -> io::Result<Result<(), String>> {
        let free = self.host.disk.free_bytes(&self.root).await?;
        // What is in the heads will be written once more, as blocks.
        let needed = self.settings.reserve_bytes.saturating_add(bytes) + self.head_bytes.load(Ordering::Relaxed) / 4;
        let full = free < needed;
        if self.disk_full.swap(full, Ordering::Relaxed) != full {
            let state = if full { "ingest stops: the disk is full" } else { "ingest goes on: there is room again" };
            warn!(free, needed, "{state}");
        }
        Ok(if full { Err(format!("{free} bytes are free, {needed} are needed")) } else { Ok(()) })
    }

    /// Why writing has stopped until a restart, if it has.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.stopped.lock().expect("no panic while held").clone()
    }

    /// # Errors
    /// If nothing may be written now.
    pub(crate) fn check_running(&self) -> Result<(), AppendError> {
        if let Some(why) = self.stopped() {
            return Err(AppendError::Stopped(why));
        }
        if self.is_stopping() {
            return Err(AppendError::Stopping);
        }
        Ok(())
    }

    /// Tells everybody to come to an end.
    pub(crate) fn begin_stopping(&self) {
        self.stopping.raise();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_raised()
    }

    /// Completes when the engine is to stop. Cancel-safe.
    pub(crate) async fn stop_requested(&self) {
        self.stopping.raised().await;
    }

    /// Sleeps, but not beyond the stop.
    pub(crate) async fn pause(&self, duration: Duration) {
        host_select! {
            () = self.stop_requested() => {}
            () = self.host.clock.sleep(duration) => {}
        }
    }

    /// Ends all writing for good and lets other processes in.
    pub(crate) fn release(&self) {
        self.stopped.lock().expect("no panic while held").get_or_insert_with(|| "the server has stopped".into());
        drop(self.lock.lock().expect("no panic while held").take());
    }

    /// Hands over blocks that no manifest names any more.
    pub(crate) fn discard(&self, blocks: impl IntoIterator<Item = Arc<StoredBlock>>) {
        self.garbage.discard(blocks);
    }

    /// Deletes the discarded blocks that no snapshot holds.
    pub(crate) async fn collect_garbage(&self) {
        for block in self.garbage.take_free() {
            block.close();
            if let Err(error) = self.host.disk.remove_file(&block.path()).await
                && error.kind() != io::ErrorKind::NotFound
            {
                // It is no part of any manifest: the next start removes it.
                warn!(%error, block = %block.entry.id, "a discarded block could not be removed");
            }
        }
    }
}

/// Unit of the queue's semaphore: its permits are counted in 32 bits.
pub(crate) const KIB: u64 = 1 << 10;
/// Groups that a follower may be behind before it is told that it missed some.
const APPLIED_QUEUE_GROUPS: usize = 16;
