//! Reading blocks that are in the shared store only.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::layout;
use super::manifest::BlockEntry;
use crate::chain::Store;
use crate::host::{BoxFuture, DiskFile};

/// Where the blocks of a partition are in the shared store.
#[derive(Clone)]
pub(crate) struct Remote {
    store: Arc<dyn Store>,
    /// `<env>/<index>/<day>`.
    partition: String,
}

impl Remote {
    pub(crate) fn new(store: Arc<dyn Store>, partition: &str) -> Self {
        Self { store, partition: partition.to_owned() }
    }

    /// A block as a file that is read by ranges. Asks nothing yet.
    pub(crate) fn file(&self, entry: &BlockEntry) -> Arc<dyn DiskFile> {
        let key = layout::shared_block_key(&self.partition, entry.id);
        Arc::new(RemoteFile { store: Arc::clone(&self.store), key, bytes: entry.bytes })
    }
}

struct RemoteFile {
    store: Arc<dyn Store>,
    key: String,
    bytes: u64,
}

impl DiskFile for RemoteFile {
    fn append(&self, _bytes: Bytes) -> BoxFuture<'_, io::Result<u64>> {
        Box::pin(async { Err(io::Error::new(io::ErrorKind::Unsupported, "a shared block is never written again")) })
    }

    fn read_at(&self, offset: u64, len: usize) -> BoxFuture<'_, io::Result<Bytes>> {
        Box::pin(async move {
            if len == 0 {
                return Ok(Bytes::new());
            }
            let end = offset.saturating_add(len as u64);
            match self.store.get_range(&self.key, offset..end).await {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => {
                    Err(io::Error::new(io::ErrorKind::NotFound, "the shared store does not have this block any more"))
                }
                Err(error) => Err(io::Error::other(error)),
            }
        })
    }

    fn len(&self) -> BoxFuture<'_, io::Result<u64>> {
        Box::pin(async { Ok(self.bytes) })
    }

    fn sync(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn preallocate(&self, _bytes: u64) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
