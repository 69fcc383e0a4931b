//! What a query reads: partitions as they stood at one moment.
//!
//! **Promise.** A snapshot never changes and never loses what it names: blocks that compaction or
//! retention replaces meanwhile stay readable until the last snapshot that holds them is dropped. In
//! one partition an event is in exactly one place: in a block or in the head.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::block::footer::TRAILER_BYTES;
use crate::block::{BlockError, Footer, RowGroup};
use crate::event::{EventId, PartitionKey};
use crate::host::{Disk, DiskFile};

use super::block_set::BlockSet;
use super::layout;
use super::manifest::{BlockEntry, BlockId, Lost};
use super::recent::OpenBlocks;
use super::remote::Remote;

/// Partitions as they stood at one moment, in the order of their keys.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// The partitions.
    pub partitions: Vec<Arc<PartitionView>>,
    /// Ranges of the log that damage has taken, for which no partition can be named.
    pub lost: Arc<Vec<Lost>>,
}

/// One partition at one moment.
pub struct PartitionView {
    /// Which partition.
    pub key: PartitionKey,
    /// Its blocks: those of the shared base, then the node's own, oldest flush first. Their time ranges may overlap.
    pub blocks: Arc<BlockSet>,
    /// How many of them are the base's.
    pub base_blocks: usize,
    /// Events that are in no block yet, in log order.
    pub head: Vec<Arc<RowGroup>>,
    /// Events that damage has taken.
    pub lost: Vec<Lost>,
}

/// A block in its file, which is opened when it is read. Takes some hundred bytes: what was read lately
/// of the blocks is kept elsewhere, within a bound.
pub struct StoredBlock {
    /// What the manifest says of it.
    pub entry: Arc<BlockEntry>,
    home: Arc<BlockHome>,
}

/// Where the blocks of a partition are.
pub(crate) struct BlockHome {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    open: Arc<OpenBlocks>,
    /// Where blocks are read from that are not in the folder.
    remote: Option<Remote>,
}

impl BlockHome {
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: PathBuf, open: Arc<OpenBlocks>, remote: Option<Remote>) -> Self {
        Self { disk, folder, open, remote }
    }

    /// The file of a block.
    pub(crate) fn path(&self, id: BlockId) -> PathBuf {
        self.folder.join(layout::block_name(id))
    }

    /// The folder of all of them.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl StoredBlock {
    pub(crate) fn new(entry: Arc<BlockEntry>, home: Arc<BlockHome>) -> Self {
        Self { entry, home }
    }

    /// Where the blocks of a test are.
    #[cfg(test)]
    pub(crate) fn test_home(disk: &Arc<dyn Disk>) -> Arc<BlockHome> {
        Arc::new(BlockHome::new(Arc::clone(disk), PathBuf::new(), Arc::new(OpenBlocks::new()), None))
    }

    /// Reads exactly `len` bytes from `offset`.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::UnexpectedEof`] beyond the end of the block.
    pub async fn read(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.file().await?.read_at(offset, len).await
    }

    async fn file(&self) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.home.open.file(self.entry.id) {
            return Ok(file);
        }
        let file = match (self.home.disk.open(&self.path()).await, &self.home.remote) {
            (Err(error), Some(remote)) if error.kind() == io::ErrorKind::NotFound => remote.file(&self.entry),
            (opened, _) => opened?,
        };
        self.home.open.keep_file(self.entry.id, Arc::clone(&file));
        Ok(file)
    }

    /// What the block has and where it lies in the file. Those that were used lately are kept.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::InvalidData`] if the footer is damaged.
    pub async fn footer(&self) -> io::Result<Arc<Footer>> {
        if let Some(footer) = self.home.open.footer(self.entry.id) {
            return Ok(footer);
        }
        let (footer, bytes) = self.read_footer().await?;
        self.home.open.keep_footer(self.entry.id, Arc::clone(&footer), bytes);
        Ok(footer)
    }

    /// The footer, and how many bytes it has in the file.
    async fn read_footer(&self) -> io::Result<(Arc<Footer>, u64)> {
        let damaged = |error: BlockError| io::Error::new(io::ErrorKind::InvalidData, error);
        let file_len = self.entry.bytes;
        let tail_len = file_len.min(FOOTER_READ_BYTES);
        let tail_start = file_len - tail_len;
        let tail = self.read(tail_start, usize::try_from(tail_len).map_err(io::Error::other)?).await?;
        let trailer_start = tail.len().saturating_sub(TRAILER_BYTES);
        let (offset, _) = Footer::locate(&tail[trailer_start..], file_len).map_err(damaged)?;
        let footer = if offset >= tail_start {
            tail
        } else {
            self.read(offset, usize::try_from(file_len - offset).map_err(io::Error::other)?).await?
        };
        let parsed = Footer::parse(&footer, file_len).map(Arc::new).map_err(damaged)?;
        Ok((parsed, file_len - offset))
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> PathBuf {
        self.home.path(self.entry.id)
    }

    /// Whether its file is on this disk.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) async fn is_local(&self) -> io::Result<bool> {
        match self.home.disk.open(&self.path()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// To be called before the file goes, and after it came.
    pub(crate) fn close(&self) {
        self.home.open.forget(self.entry.id);
    }
}

impl PartitionView {
    /// Events in blocks and head together.
    pub fn events(&self) -> u64 {
        let stored: u64 = self.blocks.iter().map(|block| block.entry.rows).sum();
        stored + self.head.iter().map(|group| u64::from(group.rows)).sum::<u64>()
    }

    /// The one block that has the event if the partition has it and it is in no head (M6, S6).
    pub fn block_of(&self, id: EventId) -> Option<&Arc<StoredBlock>> {
        let (base, tail) = self.blocks.split_at(self.base_blocks);
        let among = |blocks: &[Arc<StoredBlock>]| {
            blocks.partition_point(|block| block.entry.upto.get(id.origin) < id.sequence.0)
        };
        base.get(among(base)).or_else(|| tail.get(among(tail)))
    }
}

/// A footer of up to this length comes with one read.
const FOOTER_READ_BYTES: u64 = 64 << 10;
