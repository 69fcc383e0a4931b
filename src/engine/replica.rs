//! The door of the engine for a cluster: what waits to be shared goes out, what others shared comes in.
//!
//! **Promise.** Whatever its caller does, and however often, no event is lost or doubled here: a front is taken from
//! the front only, a base is adopted whole, and nothing leaves the disk but what an adopted base names.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::adopt::{self, AdoptFailure};
use super::blocks::EncodedBlock;
use super::core::Core;
use super::encode;
use super::flush;
use super::layout;
use super::manifest::{Base, BlockEntry, BlockId, Digest, Lost, Manifest, Watermarks};
use super::mutant::Mutant;
use super::partition::Partition;
use super::publish::PublishFailure;
use super::settings::Settings;
use super::shared::SharedManifest;
use super::snapshot::StoredBlock;
use super::{compact, pages};
use crate::block::Footer;
use crate::crypto;
use crate::event::{Origin, PartitionKey};
use crate::host::UnixNanos;

/// See the module.
#[derive(Clone)]
pub struct Replica(Arc<Core>);

/// A shared generation with its pages, as it was read.
#[derive(Clone, Debug)]
pub struct SharedHead {
    /// What it says.
    pub manifest: Arc<SharedManifest>,
    /// Its bytes; empty before the first generation.
    pub body: Bytes,
    /// SHA-256 of them, in hex; empty before the first generation.
    pub digest: String,
}

/// What a partition was left as by the life before.
pub struct LeftAs {
    /// The life that wrote its newest local generation, as the commit says.
    pub writer: String,
    /// The shared generation that it stood on; 0 for none.
    pub base: u64,
}

/// The first blocks of a tail, ready to be sent.
pub struct Front {
    /// The shared generation that the tail lies on; 0 if on none.
    pub base: u64,
    /// The blocks, in order.
    pub blocks: Vec<Arc<StoredBlock>>,
    /// What went before them.
    pub from: Watermarks,
    /// Where they end.
    pub upto: Watermarks,
    /// Events up to there that are given up.
    pub lost: Vec<Lost>,
    /// Whether blocks are left behind them.
    pub more: bool,
}

/// Which history the shared store has.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Incarnation {
    /// Drawn when it was begun.
    pub id: String,
    /// Whether what neither the store nor this node has is given up where this history is adopted.
    pub accepts_loss: bool,
    /// The lowest number that a generation of it has. What has a lower one was made before it: a request that was
    /// on its way when the store was put back, of which nothing holds.
    pub first: u64,
}

/// What an adoption did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Adopted {
    /// Blocks that left the tail because the base has their events.
    pub dropped: usize,
}

/// Why a base was not adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Nothing changed; it may be tried again.
    #[error("{0}")]
    Failed(String),
    /// The head is no descendant of the base that was adopted before.
    #[error("the shared store was rolled back: {0}")]
    RolledBack(String),
    /// A new history lacks what the old base had, and it is not here either.
    #[error("{0}")]
    Missing(String),
    /// Writing has stopped until a restart.
    #[error("writing has stopped: {0}")]
    Stopped(String),
    /// A block of the base is damaged in which the events must be seen that would leave this disk.
    #[error("{0}")]
    Unreadable(String),
    /// Another process has this one's life: a virtual machine was put back, or copied, while it ran. Writing has stopped
    /// until a restart, which begins a new life.
    #[error("{0}")]
    Cloned(String),
}

/// What waits in tails to be shared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Waiting {
    /// Partitions with such blocks.
    pub partitions: u64,
    /// The blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The events in them.
    pub events: u64,
}

/// A block that was made of several, not yet anywhere.
pub struct Merged {
    /// What a manifest says of it; `upto` is filled in by the edit.
    pub entry: BlockEntry,
    /// The block.
    pub bytes: Bytes,
}

/// The life that a commit's id names.
pub fn life_of(commit: &str) -> &str {
    commit.split_once('-').map_or(commit, |(life, _)| life)
}

impl Replica {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// The partitions that this node knows, in order.
    pub fn partitions(&self) -> Vec<PartitionKey> {
        self.0.all_partitions().iter().map(|partition| partition.key.clone()).collect()
    }

    /// The partitions in whose tails there is something.
    pub fn partitions_with_tail(&self) -> Vec<PartitionKey> {
        let waits = |partition: &&Arc<Partition>| {
            let view = partition.view();
            view.blocks.len() > view.base_blocks
        };
        self.0.all_partitions().iter().filter(waits).map(|partition| partition.key.clone()).collect()
    }

    /// Whether there is something in the partition's tail.
    pub fn has_tail(&self, key: &PartitionKey) -> bool {
        let view = self.0.partition(key).view();
        view.blocks.len() > view.base_blocks
    }

    /// What waits in all tails.
    pub fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        for partition in self.0.all_partitions() {
            let view = partition.view();
            let tail = &view.blocks[view.base_blocks..];
            waiting.partitions += u64::from(!tail.is_empty());
            waiting.blocks += tail.len() as u64;
            waiting.bytes += tail.iter().map(|block| block.entry.bytes).sum::<u64>();
            waiting.events += tail.iter().map(|block| block.entry.rows).sum::<u64>();
        }
        waiting
    }

    /// Waits until a block may have joined a tail.
    pub async fn tail_grew(&self) {
        self.0.wake_share.notified().await;
    }

    /// The engine is about to stop.
    pub async fn stop_requested(&self) {
        self.0.stop_requested().await;
    }

    /// This life's origin.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// The engine's knobs.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// An id that no other commit has.
    pub fn commit_id(&self) -> String {
        self.0.commit_id()
    }

    /// An id that no other block has.
    pub fn block_id(&self) -> BlockId {
        BlockId::draw(&*self.0.block_ids)
    }

    /// The shared generation that this partition stands on; `None` before the first.
    pub async fn base(&self, key: &PartitionKey) -> Option<Base> {
        self.0.partition(key).manifest.lock().await.manifest.base.clone()
    }

    /// What each partition was left as: who wrote it last, and on what it stands.
    pub async fn left_as(&self) -> BTreeMap<PartitionKey, LeftAs> {
        let mut left = BTreeMap::new();
        for partition in self.0.all_partitions() {
            let Manifest { commit, base, .. } = &partition.manifest.lock().await.manifest;
            let base = base.as_ref().map_or(0, |base| base.generation);
            left.insert(partition.key.clone(), LeftAs { writer: life_of(commit).to_owned(), base });
        }
        left
    }

    /// Whether everything of `origin` up to `sequence` is in the adopted base of this partition.
    pub async fn is_shared(&self, key: &PartitionKey, origin: Origin, sequence: u64) -> bool {
        self.base(key).await.is_some_and(|base| base.manifest.watermarks.get(origin) >= sequence)
    }

    /// Makes blocks of what is in the partition's head. Returns whether that worked.
    ///
    /// # Cancel safety
    /// After a drop it goes on, if it has begun.
    pub async fn flush(&self, key: &PartitionKey) -> bool {
        flush::flush_whole(&self.0, &self.0.partition(key)).await
    }

    /// The first blocks of the partition's tail; `None` if it has none.
    pub async fn front(&self, key: &PartitionKey, blocks_max: usize, bytes_max: u64) -> Option<Front> {
        let partition = self.0.partition(key);
        let committed = partition.manifest.lock().await;
        let view = partition.view();
        let tail = &view.blocks[view.base_blocks..];
        let mut bytes = 0;
        let fits = |block: &&Arc<StoredBlock>| {
            bytes += block.entry.bytes;
            bytes <= bytes_max
        };
        let count = tail.iter().take(blocks_max).take_while(fits).count().max(1);
        let blocks = match self.0.settings.mutation.is(Mutant::UploadNotFromFront) {
            true => tail.last().into_iter().cloned().collect::<Vec<_>>(),
            false => tail.get(..count)?.to_vec(),
        };
        let upto = blocks.last()?.entry.upto.clone();
        let lost = committed.manifest.lost.iter().filter(|lost| lost.to <= upto.get(lost.origin.0)).cloned().collect();
        let base = committed.manifest.base.as_ref().map_or(0, |base| base.generation);
        Some(Front { base, more: tail.len() > blocks.len(), blocks, from: committed.manifest.from.clone(), upto, lost })
    }

    /// What damage has taken from the partition.
    pub async fn lost(&self, key: &PartitionKey) -> Vec<Lost> {
        self.0.partition(key).manifest.lock().await.manifest.lost.clone()
    }

    /// Stands on `head` from now on. Does nothing if the partition stands on it or a later one already.
    /// `head` must be durable in the shared store: what it has leaves this disk.
    ///
    /// # Errors
    /// See [`AdoptError`].
    ///
    /// # Cancel safety
    /// After a drop it goes on, if it has begun.
    pub async fn adopt(
        &self,
        key: &PartitionKey,
        incarnation: &Incarnation,
        head: &SharedHead,
    ) -> Result<Adopted, AdoptError> {
        let sha256 = Digest(crypto::sha256(&head.body));
        let Incarnation { id, accepts_loss, .. } = incarnation.clone();
        let generation = head.manifest.generation;
        let base = Base { incarnation: id, generation, sha256, manifest: Arc::clone(&head.manifest) };
        let (core, body) = (Arc::clone(&self.0), head.body.clone());
        let partition = core.partition(key);
        let whole = async move {
            let adopted = adopt::adopt(&core, &partition, base, body, accepts_loss).await;
            core.collect_garbage().await;
            adopted
        };
        let adopted = self.0.changes.run(&*self.0.host.tasks, "adopt", whole).await;
        match adopted.unwrap_or_else(|| Err(PublishFailure::Failed("the engine has stopped".into()).into())) {
            Ok(done) => Ok(Adopted { dropped: done.dropped }),
            Err(AdoptFailure::Missing(why)) => Err(AdoptError::Missing(why)),
            Err(AdoptFailure::Unreadable(why)) => Err(AdoptError::Unreadable(why)),
            Err(AdoptFailure::Cloned(why)) => {
                self.stop_as_cloned(&why);
                Err(AdoptError::Cloned(why))
            }
            Err(AdoptFailure::Publish(PublishFailure::Failed(why))) => Err(AdoptError::Failed(why)),
            Err(AdoptFailure::Publish(PublishFailure::Stopped(error))) => Err(AdoptError::Stopped(error.to_string())),
        }
    }

    /// Stops writing until a restart, because another process has this one's life. What was acknowledged is on the disk,
    /// and gets new numbers then where it needs them.
    pub fn stop_as_cloned(&self, why: &str) {
        if self.0.stopped().is_none() {
            let what = "a virtual machine was put back to an earlier state, or copied, while this process ran";
            self.0.stop_writing(what, &io::Error::other(why.to_owned()));
        }
    }

    /// Gives the file of an own block the name of its shared copy too, so that it need not be fetched. Best effort.
    pub async fn keep_as(&self, block: &StoredBlock, id: BlockId) {
        let path = block.path();
        let _ = self.0.host.disk.link(&path, &path.with_file_name(layout::block_name(id))).await;
    }

    /// The blocks of the adopted base, in order.
    pub fn base_blocks(&self, key: &PartitionKey) -> Vec<Arc<StoredBlock>> {
        let view = self.0.partition(key).view();
        view.blocks[..view.base_blocks].to_vec()
    }

    /// The blocks that may be let go for want of room: those of the base.
    pub fn evictable(&self, key: &PartitionKey) -> Vec<Arc<StoredBlock>> {
        match self.0.settings.mutation.is(Mutant::EvictTail) {
            true => self.0.partition(key).view().blocks.to_vec(),
            false => self.base_blocks(key),
        }
    }

    /// Whether the block's file is on this disk.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn is_local(&self, block: &StoredBlock) -> io::Result<bool> {
        block.is_local().await
    }

    /// Puts a shared block's bytes onto this disk, if they have its digest. Nothing rests on it: it is not synced.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::InvalidData`] if it is another block's bytes.
    pub async fn keep(&self, key: &PartitionKey, block: &StoredBlock, bytes: Bytes) -> io::Result<()> {
        if Digest(crypto::sha256(&bytes)) != block.entry.sha256 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not have the digest that is stated"));
        }
        let partition = self.0.partition(key);
        super::publish::make_partition_folders(&self.0, &partition).await.map_err(|failure| match failure {
            PublishFailure::Failed(why) => io::Error::other(why),
            PublishFailure::Stopped(error) => error,
        })?;
        let disk = &self.0.host.disk;
        let path = block.path();
        let temporary = path.with_extension(format!("{:x}.tmp", self.block_id().0));
        let written = async {
            let file = disk.create_new(&temporary).await?;
            file.append(bytes).await?;
            // DURABLE: the bytes before the name, or a torn file would pass for the block after a power cut.
            file.sync().await?;
            match disk.link(&temporary, &path).await {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            }
        };
        let written = written.await;
        let _ = disk.remove_file(&temporary).await;
        block.close();
        written
    }

    /// Takes a shared block's file off this disk. Does nothing if the base does not name it any more: its file goes
    /// with the rest of that base. Returns whether it went.
    ///
    /// # Errors
    /// What the disk says.
    ///
    /// # Panics
    /// If it is an own block: it is nowhere else.
    pub async fn evict(&self, key: &PartitionKey, block: &StoredBlock) -> io::Result<bool> {
        let view = self.0.partition(key).view();
        let (base, tail) = view.blocks.split_at(view.base_blocks);
        let is_among = |blocks: &[Arc<StoredBlock>]| blocks.iter().any(|known| known.entry.id == block.entry.id);
        let planted = self.0.settings.mutation.is(Mutant::EvictTail);
        assert!(planted || !is_among(tail), "an own block may not be evicted");
        if !planted && !is_among(base) {
            return Ok(false);
        }
        block.close();
        self.0.host.disk.remove_file(&block.path()).await?;
        Ok(true)
    }

    /// Which neighbours of the base to merge next, as compaction of own blocks would; `idle` takes two as enough.
    pub fn plan(&self, base: &[Arc<StoredBlock>], idle: bool) -> Option<std::ops::Range<usize>> {
        let entries: Vec<&BlockEntry> = base.iter().map(|block| &*block.entry).collect();
        compact::plan(&entries, &self.0.settings, idle)
    }

    /// Merges neighbours into one block; `None` if the engine stops meanwhile.
    ///
    /// # Errors
    /// If one cannot be read.
    pub async fn merge(&self, inputs: &[Arc<StoredBlock>]) -> io::Result<Option<Merged>> {
        let Some(encoded) = encode::merged(&self.0, inputs).await? else { return Ok(None) };
        let EncodedBlock { bytes, sha256, rows, min_time, max_time, raw_bytes, groups } = encoded;
        let (id, upto) = (self.block_id(), Watermarks::default());
        let entry =
            BlockEntry { id, sha256, bytes: bytes.len() as u64, rows, min_time, max_time, raw_bytes, groups, upto };
        Ok(Some(Merged { entry, bytes }))
    }

    /// How often a block of a tail was cut at a watermark.
    pub fn straddles_cut(&self) -> u64 {
        self.0.counters.straddles_cut.load(Ordering::Relaxed)
    }

    /// How often a block that left a tail was compared with a base row by row.
    pub fn compared(&self) -> u64 {
        self.0.counters.compared.load(Ordering::Relaxed)
    }

    /// Events that were kept under new numbers because the shared store has others under theirs.
    pub fn renumbered(&self) -> u64 {
        self.0.counters.renumbered.load(Ordering::Relaxed)
    }

    /// Fills the pages of a shared manifest from where the shared store has them. The inner error says what is wrong
    /// with one.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn fill_pages(
        store: &dyn crate::chain::Store,
        key: &PartitionKey,
        manifest: &mut SharedManifest,
    ) -> Result<Result<(), String>, crate::chain::StoreError> {
        let folder = layout::shared_pages_folder(&layout::partition_folder(key));
        pages::fill(store, &folder, &mut manifest.pages).await
    }

    /// How many events the bytes of a block say they have.
    ///
    /// # Errors
    /// Why they are no block.
    pub fn rows_of(block: &[u8]) -> Result<u64, String> {
        Footer::of_block(block).map(|footer| footer.rows()).map_err(|error| error.to_string())
    }

    /// Whether this partition is past its retention at this time.
    pub fn is_past_retention(&self, key: &PartitionKey, now: UnixNanos) -> bool {
        super::retention::refusal_at(&self.0, key, now).is_some()
    }
}
