//! A store in a folder of the host's disk: the data directory, or a folder that several nodes share.
//!
//! An object is written under a temporary name, synced, and then given its own name by a hard link:
//! an exclusive create would show half a body to readers, and leave it for ever after a crash.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tracing::debug;

use super::requests::{Counter, RequestKind};
use super::store::{OBJECT_BYTES_MAX, check_key, check_range, page_of};
use super::{Create, Object, Page, Requests, Store, StoreError};
use crate::host::{BoxFuture, Disk, DiskFile, NotSynced};

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
    /// Makes temporary names differ within this life.
    temporaries: AtomicU64,
    durability: Durability,
    /// Set in a folder that several processes share.
    shared: Option<Shared>,
    /// A folder could not be synced: from then on what reads back may be in memory only.
    sync_failed: AtomicBool,
    requests: Counter,
}

/// What a store keeps that does not have its folder to itself.
struct Shared {
    /// Tells this life's temporaries from those of others.
    life: String,
    /// Folders that exist durably, relative to the root.
    made: Mutex<BTreeSet<String>>,
}

impl DiskStore {
    /// A store below `root` that one process has to itself. The folders of the keys must exist and be durable;
    /// temporaries lie beside the objects and go at the next start.
    pub fn new(disk: Arc<dyn Disk>, root: PathBuf, durability: Durability) -> Self {
        let (temporaries, sync_failed) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { disk, root, temporaries, durability, shared: None, sync_failed, requests: Counter::default() }
    }

    /// A store below `root`, which exists and which several processes or machines use at the same time. Folders
    /// are made as they are needed; temporaries lie in [`TEMPORARY_FOLDER`] under the name of `life`, which no
    /// other process has, and are the [`Store::remnants`] of processes that were killed.
    pub fn shared(disk: Arc<dyn Disk>, root: PathBuf, life: String) -> Self {
        let shared = Some(Shared { life, made: Mutex::default() });
        Self { shared, ..Self::new(disk, root, Durability::FULL) }
    }

    fn temporary(&self, path: &Path) -> PathBuf {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        match &self.shared {
            Some(shared) => self.root.join(TEMPORARY_FOLDER).join(format!("{}-{number}.tmp", shared.life)),
            None => path.with_extension(format!("{number}.tmp")),
        }
    }

    /// Gives `body` the name `key`, durably. `Exists` if it is taken.
    async fn link_new(&self, key: &str, body: Bytes) -> Result<Create, StoreError> {
        check_key(key)?;
        self.still_trusted(key)?;
        let path = self.root.join(key);
        if self.shared.is_some() {
            self.make_folder(TEMPORARY_FOLDER).await.map_err(|e| StoreError::definite(key, e))?;
            self.make_folder(folder_of(key)).await.map_err(|e| StoreError::definite(key, e))?;
        }
        let temporary = self.temporary(&path);
        if let Err(error) = self.write_temporary(&temporary, body).await {
            self.give_up(&temporary, &error).await;
            return Err(StoreError::definite(key, error));
        }
        let created = match self.disk.link(&temporary, &path).await {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => {
                self.give_up(&temporary, &error).await;
                return Err(match error.kind() {
                    io::ErrorKind::StorageFull => StoreError::definite(key, error),
                    _ => StoreError::unknown(key, error),
                });
            }
        };
        let synced = match created && self.durability.folder {
            true => self.sync_folder(key, folder_of(key)).await,
            false => Ok(()),
        };
        self.drop_temporary(&temporary).await;
        synced.map(|()| if created { Create::Created } else { Create::Exists })
    }

    /// What follows from a try that failed.
    async fn give_up(&self, temporary: &Path, error: &io::Error) {
        if let Some(shared) = self.shared.as_ref().filter(|_| error.kind() == io::ErrorKind::NotFound) {
            // Folders that were made are gone: somebody put the store back, or put another one in its place.
            shared.made.lock().expect("nothing panics under the lock of the folders").clear();
        }
        // On a file system that does not answer it would only be waited for once more.
        if error.kind() != io::ErrorKind::TimedOut {
            self.drop_temporary(temporary).await;
        }
    }

    /// Best effort: what is left goes at the next start, or as a remnant.
    async fn drop_temporary(&self, path: &Path) {
        if let Err(error) = self.disk.remove_file(path).await {
            debug!(%error, path = %path.display(), "a temporary file is left");
        }
    }

    async fn write_temporary(&self, path: &Path, body: Bytes) -> io::Result<()> {
        let file = self.disk.create_new(path).await?;
        let mut rest = body;
        loop {
            let piece = rest.split_to(rest.len().min(WRITE_BYTES_MAX));
            file.append(piece).await?;
            if self.durability.file {
                file.sync().await?;
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Makes a folder and those above it, durably, once in this life.
    async fn make_folder(&self, folder: &str) -> io::Result<()> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let made = || shared.made.lock().expect("nothing panics under the lock of the folders");
        if made().contains(folder) {
            return Ok(());
        }
        let mut path = self.root.clone();
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            let parent = path.clone();
            path.push(part);
            self.disk.create_dir(&path).await?;
            // DURABLE: another process may have made it and not synced it yet.
            self.disk.sync_dir(&parent).await.inspect_err(|error| self.note_sync(error))?;
        }
        made().insert(folder.to_owned());
        Ok(())
    }

    async fn sync_folder(&self, key: &str, folder: &str) -> Result<(), StoreError> {
        let synced = self.disk.sync_dir(&self.root.join(folder)).await;
        synced.inspect_err(|error| self.note_sync(error)).map_err(|error| StoreError::unknown(key, error))
    }

    fn note_sync(&self, error: &io::Error) {
        if !NotSynced::is_in(error) {
            self.sync_failed.store(true, Ordering::Relaxed);
        }
    }

    /// After a failed sync a later one may succeed although the name is not on the disk: nothing that this
    /// process sees in its memory proves anything until it starts again.
    fn still_trusted(&self, key: &str) -> Result<(), StoreError> {
        if self.sync_failed.load(Ordering::Relaxed) {
            return Err(StoreError::definite(key, "a folder could not be synced: restart once the disk is in order"));
        }
        Ok(())
    }

    /// What `call` finds in `folder`; `None` if it is not there. In a folder that others share that is believed only after
    /// everything on the way there was asked anew: see [`Disk::refresh`].
    async fn found<'a, T>(
        &self,
        folder: &str,
        call: impl Fn() -> BoxFuture<'a, io::Result<T>>,
    ) -> io::Result<Option<T>> {
        match none_if_missing(call().await)? {
            None if self.shared.is_some() && self.refresh(folder).await? => none_if_missing(call().await),
            found => Ok(found),
        }
    }

    /// Whether `folder` is there, asked anew from the root on.
    async fn refresh(&self, folder: &str) -> io::Result<bool> {
        let mut path = self.root.clone();
        if none_if_missing(self.disk.refresh(&path).await)?.is_none() {
            return Err(io::Error::other(format!("{} is not there: is it mounted?", path.display())));
        }
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            path.push(part);
            if none_if_missing(self.disk.refresh(&path).await)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Fine if it is not there.
    async fn remove(&self, folder: &str, path: &Path) -> io::Result<()> {
        self.found(folder, || self.disk.remove_file(path)).await.map(|_| ())
    }

    async fn open(&self, key: &str) -> Result<Option<(Arc<dyn DiskFile>, u64)>, StoreError> {
        check_key(key)?;
        let refused = |error: io::Error| StoreError::definite(key, error);
        let path = self.root.join(key);
        let Some(file) = self.found(folder_of(key), || self.disk.open(&path)).await.map_err(refused)? else {
            return Ok(None);
        };
        let len = file.len().await.map_err(refused)?;
        if len > OBJECT_BYTES_MAX {
            return Err(StoreError::definite(key, format!("{len} bytes are more than an object may have")));
        }
        Ok(Some((file, len)))
    }

    async fn read(
        &self,
        key: &str,
        file: Arc<dyn DiskFile>,
        offset: u64,
        len: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        let refused = |error: io::Error| StoreError::definite(key, error);
        let bytes = match len <= READ_BYTES_MAX {
            true => file.read_at(offset, len).await.map_err(refused)?,
            false => {
                let mut whole = BytesMut::with_capacity(len);
                while whole.len() < len {
                    let piece = READ_BYTES_MAX.min(len - whole.len());
                    whole.extend_from_slice(&file.read_at(offset + whole.len() as u64, piece).await.map_err(refused)?);
                }
                whole.freeze()
            }
        };
        self.requests.came(bytes.len());
        Ok(Some(bytes))
    }

    /// Walks the folders below `folder` in the order of names and stops when a page is full.
    async fn walk(&self, folder: &str, after: &str) -> io::Result<Vec<Object>> {
        let mut found = Vec::new();
        // What is still to be looked at, the next one last: names relative to `folder`, folders with a `/`.
        let mut waiting = self.names(folder, "").await?;
        while let Some((name, bytes)) = waiting.pop() {
            match name.strip_suffix('/') {
                Some(_) if all_before(&name, after) => {}
                Some(below) => waiting.extend(self.names(folder, below).await?),
                None if name.as_str() > after => found.push(Object { name, bytes }),
                None => {}
            }
            if found.len() > PAGE_OBJECTS {
                break;
            }
        }
        Ok(found)
    }

    /// The names in one folder, descending, so that the first can be popped.
    async fn names(&self, folder: &str, below: &str) -> io::Result<Vec<(String, u64)>> {
        let parts = [folder, below].into_iter().filter(|part| !part.is_empty());
        let name = parts.collect::<Vec<_>>().join("/");
        let path = self.root.join(&name);
        let entries = self.found(&name, || self.disk.list(&path)).await?.unwrap_or_default();
        let prefix = if below.is_empty() { String::new() } else { format!("{below}/") };
        let ours = entries.into_iter().filter(|entry| !is_temporary(&entry.name));
        let mut names: Vec<_> =
            ours.map(|e| (format!("{prefix}{}{}", e.name, if e.is_dir { "/" } else { "" }), e.len)).collect();
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    }
}

impl Store for DiskStore {
    fn create<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<Create, StoreError>> {
        self.requests.sent(RequestKind::Create, body.len());
        Box::pin(self.link_new(key, body))
    }

    fn put<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        self.requests.sent(RequestKind::Put, body.len());
        Box::pin(async move {
            match self.link_new(key, body).await? {
                Create::Created => Ok(()),
                // An earlier try made it, and may have ended before its name was durable.
                Create::Exists => self.sync_folder(key, folder_of(key)).await,
            }
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        self.requests.sent(RequestKind::Get, 0);
        Box::pin(async move {
            let Some((file, len)) = self.open(key).await? else { return Ok(None) };
            let len = usize::try_from(len).expect("bounded by OBJECT_BYTES_MAX");
            self.read(key, file, 0, len).await
        })
    }

    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        self.requests.sent(RequestKind::Range, 0);
        Box::pin(async move {
            check_range(key, &range)?;
            let Some((file, len)) = self.open(key).await? else { return Ok(None) };
            if range.end > len {
                return Err(StoreError::definite(key, format!("{range:?} is not within its {len} bytes")));
            }
            let wanted = usize::try_from(range.end - range.start).expect("bounded by OBJECT_BYTES_MAX");
            self.read(key, file, range.start, wanted).await
        })
    }

    fn size<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        self.requests.sent(RequestKind::Head, 0);
        Box::pin(async move { Ok(self.open(key).await?.map(|(_, len)| len)) })
    }

    fn list<'a>(&'a self, folder: &'a str, after: &'a str) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.requests.sent(RequestKind::List, 0);
        Box::pin(async move {
            let objects = self.walk(folder, after).await.map_err(|error| StoreError::definite(folder, error))?;
            Ok(page_of(objects, PAGE_OBJECTS))
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.requests.sent(RequestKind::Delete, 0);
        Box::pin(async move {
            check_key(key)?;
            let removed = self.remove(folder_of(key), &self.root.join(key)).await;
            removed.map_err(|error| StoreError::definite(key, error))
        })
    }

    fn harden<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.still_trusted(folder)?;
            if self.durability.folder { self.sync_folder(folder, folder).await } else { Ok(()) }
        })
    }

    fn remnants(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            if self.shared.is_none() {
                return Ok(Vec::new());
            }
            let folder = self.root.join(TEMPORARY_FOLDER);
            let listed = self.found(TEMPORARY_FOLDER, || self.disk.list(&folder)).await;
            let entries = listed.map_err(|error| StoreError::definite(TEMPORARY_FOLDER, error))?.unwrap_or_default();
            Ok(entries.into_iter().map(|entry| entry.name).filter(|name| is_temporary(name)).collect())
        })
    }

    fn remove_remnant<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            check_key(name)?;
            let path = self.root.join(TEMPORARY_FOLDER).join(name);
            self.remove(TEMPORARY_FOLDER, &path).await.map_err(|error| StoreError::definite(name, error))
        })
    }

    fn requests(&self) -> Requests {
        self.requests.requests()
    }
}

fn none_if_missing<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder that holds an object; empty for the root.
fn folder_of(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether every name below this folder, which ends in `/`, comes before `after` or is `after`.
fn all_before(folder: &str, after: &str) -> bool {
    !after.starts_with(folder) && folder < after
}

fn is_temporary(name: &str) -> bool {
    name.ends_with(".tmp") || name == TEMPORARY_FOLDER
}

/// Where the temporaries of a shared folder lie: in the same file system, and in no listing.
pub const TEMPORARY_FOLDER: &str = "_tmp";

/// Bytes that one call reads, or writes and syncs: what is waited for only so long must be done within that also over a
/// slow line.
const READ_BYTES_MAX: usize = 4 << 20;
const WRITE_BYTES_MAX: usize = 16 << 20;

/// Objects in one page of a listing.
const PAGE_OBJECTS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_passed_over_only_if_nothing_in_it_can_come_after() {
        assert!(all_before("a/", "b"));
        assert!(all_before("a/", "a0"));
        assert!(!all_before("a/", "a"), "a comes before a/x");
        assert!(!all_before("a/", "a/x"));
        assert!(!all_before("b/", "a"));
    }
}
