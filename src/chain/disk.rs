//! A store in a folder of the host's disk.
//!
//! An object is written under a temporary name, synced, and then given its own name by a hard link:
//! an exclusive create would show half a body to readers, and leave it for ever after a crash.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::{Create, Store, StoreError};
use crate::host::{BoxFuture, Disk};

/// Which syncs a store makes. Everything but [`Durability::FULL`] is a test's deliberate bug.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Durability {
    /// Sync an object's bytes before it gets its name.
    pub file: bool,
    /// Sync the folder once it has.
    pub folder: bool,
}

impl Durability {
    /// As it must be.
    pub const FULL: Self = Self { file: true, folder: true };
}

/// Objects as files below a folder.
pub struct DiskStore {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    /// Makes temporary names differ within this life; those of earlier lives went at start.
    temporaries: AtomicU64,
    durability: Durability,
}

impl DiskStore {
    /// A store below `root`. The folders of the keys must exist and be durable.
    pub fn new(disk: Arc<dyn Disk>, root: PathBuf, durability: Durability) -> Self {
        Self { disk, root, temporaries: AtomicU64::new(0), durability }
    }

    async fn write_temporary(&self, path: &Path, body: Bytes) -> io::Result<()> {
        let file = self.disk.create_new(path).await?;
        file.append(body).await?;
        if self.durability.file {
            file.sync().await?;
        }
        Ok(())
    }
}

impl Store for DiskStore {
    fn create<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<Create, StoreError>> {
        Box::pin(async move {
            let path = self.root.join(key);
            let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
            let temporary = path.with_extension(format!("{number}.tmp"));
            if let Err(error) = self.write_temporary(&temporary, body).await {
                // Best effort: what is left ends in .tmp and goes at the next start.
                let _ = self.disk.remove_file(&temporary).await;
                return Err(StoreError::definite(key, error));
            }
            let linked = self.disk.link(&temporary, &path).await;
            let outcome = match linked {
                Ok(()) if !self.durability.folder => Ok(Create::Created),
                Ok(()) => match path.parent().map(|folder| self.disk.sync_dir(folder)) {
                    Some(sync) => sync.await.map(|()| Create::Created).map_err(|e| StoreError::unknown(key, e)),
                    None => Ok(Create::Created),
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Create::Exists),
                Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(StoreError::definite(key, error)),
                Err(error) => Err(StoreError::unknown(key, error)),
            };
            let _ = self.disk.remove_file(&temporary).await;
            outcome
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            let file = match self.disk.open(&self.root.join(key)).await {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(StoreError::definite(key, error)),
            };
            let len = file.len().await.map_err(|e| StoreError::definite(key, e))?;
            if len > OBJECT_BYTES_MAX {
                return Err(StoreError::definite(key, format!("{len} bytes are more than an object may have")));
            }
            let len = usize::try_from(len).expect("bounded by OBJECT_BYTES_MAX");
            file.read_at(0, len).await.map(Some).map_err(|e| StoreError::definite(key, e))
        })
    }

    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            match self.disk.list(&self.root.join(folder)).await {
                Ok(entries) => Ok(entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(StoreError::definite(folder, error)),
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            match self.disk.remove_file(&self.root.join(key)).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::definite(key, error)),
                _ => Ok(()),
            }
        })
    }
}

/// No object of a chain is larger than this. A manifest of 100,000 blocks is about 25 MB.
const OBJECT_BYTES_MAX: u64 = 256 << 20;
