//! Files and folders, with the promises that durability is built on named one by one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::BoxFuture;

/// One name in a folder.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct DirEntry {
    /// The last part of the path.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Length in bytes; 0 for a folder.
    pub len: u64,
}

/// Why nothing came of a [`Disk::sync_dir`], and nothing is lost by it: the folder could not be opened, or its sync was
/// not waited for. A later one tells the truth, which it need not after any other error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NotSynced(io::Error);

impl NotSynced {
    /// Marks an error so.
    pub fn mark(error: io::Error) -> io::Error {
        io::Error::new(error.kind(), Self(error))
    }

    /// Whether an error was marked so.
    pub fn is_in(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

/// An exclusive hold on a lock file; dropping it lets go.
pub trait DiskLock: Send + Sync {}

/// A file system.
///
/// Nothing here is durable until it was synced: a file's bytes by [`DiskFile::sync`], a name's
/// creation, removal or renaming by [`Disk::sync_dir`] of the folder that holds it. Every call may
/// fail with `ENOSPC` ([`io::ErrorKind::StorageFull`]) or `EIO`. No call is cancel-safe: after a drop
/// it may still happen.
pub trait Disk: Send + Sync {
    /// Creates an empty file for appending; [`io::ErrorKind::AlreadyExists`] if the name is taken.
    fn create_new<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>>;

    /// As [`Disk::create_new`], for a file that only its owner may read and write.
    fn create_private<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        self.create_new(path)
    }

    /// The permission bits of a file; `None` where there are none.
    fn mode<'a>(&'a self, _path: &'a Path) -> BoxFuture<'a, io::Result<Option<u32>>> {
        Box::pin(async { Ok(None) })
    }

    /// Opens an existing file for reading.
    fn open<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>>;

    /// Renames within one file system, replacing what `to` named.
    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> BoxFuture<'a, io::Result<()>>;

    /// Gives the file `existing` a second name; [`io::ErrorKind::AlreadyExists`] if `new` is taken.
    fn link<'a>(&'a self, existing: &'a Path, new: &'a Path) -> BoxFuture<'a, io::Result<()>>;

    /// Removes a file's name.
    fn remove_file<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>>;

    /// Removes an empty folder.
    fn remove_dir<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>>;

    /// Creates one folder in an existing one; fine if it is there already.
    fn create_dir<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>>;

    /// The names in a folder, sorted; [`io::ErrorKind::NotFound`] if there is no such folder.
    fn list<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<Vec<DirEntry>>>;

    /// Has the next question for a name in this folder answered by whoever keeps it, not out of memory: clients of network
    /// file systems remember for half a minute that a name was not there. [`io::ErrorKind::NotFound`] if there is no
    /// such folder.
    fn refresh<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move { self.list(dir).await.map(|_| ()) })
    }

    /// Makes the names in a folder durable: creations, removals and renames that returned before. After an error that
    /// is not marked as [`NotSynced`] they may be lost although a later call succeeds.
    fn sync_dir<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<()>>;

    /// Bytes that may still be written in the file system that holds `dir`.
    fn free_bytes<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<u64>>;

    /// Creates `path` if needed and holds it exclusively; [`io::ErrorKind::WouldBlock`] if another
    /// process does. A crash lets go.
    fn lock<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Box<dyn DiskLock>>>;
}

/// An open file. Bytes that were appended are readable at once, and durable after [`DiskFile::sync`].
#[allow(clippy::len_without_is_empty, reason = "a file's length is asked of the disk, and nobody asks for empty")]
pub trait DiskFile: Send + Sync {
    /// Writes at the end and returns the offset at which the bytes begin. After an error any prefix
    /// of them may be in the file.
    fn append(&self, bytes: Bytes) -> BoxFuture<'_, io::Result<u64>>;

    /// As [`DiskFile::append`] of all pieces one after the other, for who would have to copy them into one.
    fn append_pieces(&self, pieces: Vec<Bytes>) -> BoxFuture<'_, io::Result<u64>> {
        self.append(pieces.concat().into())
    }

    /// Exactly `len` bytes from `offset`; [`io::ErrorKind::UnexpectedEof`] if the file is shorter.
    fn read_at(&self, offset: u64, len: usize) -> BoxFuture<'_, io::Result<Bytes>>;

    /// Length in bytes.
    fn len(&self) -> BoxFuture<'_, io::Result<u64>>;

    /// Makes content and length durable (`fdatasync`). After an error what was not durable before may
    /// be lost although it still reads back: never sync or append to this file again.
    fn sync(&self) -> BoxFuture<'_, io::Result<()>>;

    /// Reserves room for `bytes` from the start without changing the length. Best effort.
    fn preallocate(&self, bytes: u64) -> BoxFuture<'_, io::Result<()>>;
}
