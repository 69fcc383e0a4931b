//! What a query reads: partitions as they stood at one moment.
//!
//! **Promise.** A snapshot never changes and never loses what it names: blocks that compaction or
//! retention replaces meanwhile stay readable until the last snapshot that holds them is dropped. In
//! one partition an event is in exactly one place: in a block or in the head.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::block::footer::TRAILER_BYTES;
use crate::block::{BlockError, Footer, RowGroup};
use crate::event::PartitionKey;
use crate::host::{Disk, DiskFile};

use super::manifest::{BlockEntry, Lost};

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
    /// Its blocks, oldest flush first. Their time ranges may overlap.
    pub blocks: Vec<Arc<StoredBlock>>,
    /// Events that are in no block yet, in log order.
    pub head: Vec<Arc<RowGroup>>,
    /// Events that damage has taken.
    pub lost: Vec<Lost>,
}

/// A block in its file, which is opened when it is first read.
pub struct StoredBlock {
    /// What the manifest says of it.
    pub entry: BlockEntry,
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: OnceCell<Arc<dyn DiskFile>>,
    footer: OnceCell<Arc<Footer>>,
}

impl StoredBlock {
    pub(crate) fn new(entry: BlockEntry, disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { entry, disk, path, file: OnceCell::new(), footer: OnceCell::new() }
    }

    /// Reads exactly `len` bytes from `offset`.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::UnexpectedEof`] beyond the end of the block.
    pub async fn read(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let file = self.file.get_or_try_init(|| self.disk.open(&self.path)).await?;
        file.read_at(offset, len).await
    }

    /// What the block has and where it lies in the file. Read once, kept as long as the block is.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::InvalidData`] if the footer is damaged.
    pub async fn footer(&self) -> io::Result<Arc<Footer>> {
        self.footer.get_or_try_init(|| self.read_footer()).await.cloned()
    }

    async fn read_footer(&self) -> io::Result<Arc<Footer>> {
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
        Footer::parse(&footer, file_len).map(Arc::new).map_err(damaged)
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl PartitionView {
    /// Events in blocks and head together.
    pub fn events(&self) -> u64 {
        let stored: u64 = self.blocks.iter().map(|block| block.entry.rows).sum();
        stored + self.head.iter().map(|group| u64::from(group.rows)).sum::<u64>()
    }
}

/// A footer of up to this length comes with one read.
const FOOTER_READ_BYTES: u64 = 64 << 10;
