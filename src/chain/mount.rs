//! For tests: a folder as one of several NFS clients sees it.
//!
//! **Promise.** A name that was missed is missing, for this mount, until the folder that holds it is opened anew, or this
//! mount itself makes the name; so it is with each folder on the way. That is how Linux caches negative lookups, without
//! the half minute after which it asks again. `tests/cluster/nfs.py` looks at the real thing.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::host::{BoxFuture, DirEntry, Disk, DiskFile, DiskLock};

/// A mount of what another disk has.
pub(super) struct Mount {
    server: Arc<dyn Disk>,
    missed: Mutex<BTreeSet<PathBuf>>,
}

impl Mount {
    pub(super) fn of(server: &Arc<dyn Disk>) -> Arc<dyn Disk> {
        Arc::new(Self { server: Arc::clone(server), missed: Mutex::default() })
    }

    fn forget(&self, mut those: impl FnMut(&Path) -> bool) {
        self.missed.lock().unwrap().retain(|path| !those(path));
    }

    /// What leads to `path`, without it.
    async fn way_is_known(&self, path: &Path) -> io::Result<()> {
        for folder in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            if self.missed.lock().unwrap().contains(folder) {
                return Err(io::ErrorKind::NotFound.into());
            }
            if !folder.as_os_str().is_empty() && self.is_missing(folder).await {
                self.missed.lock().unwrap().insert(folder.to_owned());
                return Err(io::ErrorKind::NotFound.into());
            }
        }
        Ok(())
    }

    async fn is_missing(&self, folder: &Path) -> bool {
        self.server.refresh(folder).await.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// A call that looks a name up: out of memory, if it was missed before.
    async fn lookup<T>(&self, path: &Path, call: BoxFuture<'_, io::Result<T>>) -> io::Result<T> {
        self.way_is_known(path).await?;
        if self.missed.lock().unwrap().contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        call.await.inspect_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                self.missed.lock().unwrap().insert(path.to_owned());
            }
        })
    }

    /// A call that opens a folder: from then on its names are looked up anew.
    async fn open_folder<T>(&self, path: &Path, call: BoxFuture<'_, io::Result<T>>) -> io::Result<T> {
        let answer = self.lookup(path, call).await?;
        self.forget(|missed| missed.parent() == Some(path));
        Ok(answer)
    }

    /// A call that makes a name: always asks the server, and knows better afterwards.
    async fn make<T>(&self, path: &Path, call: BoxFuture<'_, io::Result<T>>) -> io::Result<T> {
        self.way_is_known(path).await?;
        let answer = call.await;
        self.forget(|missed| missed == path);
        answer
    }
}

impl Disk for Mount {
    fn create_new<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        Box::pin(self.make(path, self.server.create_new(path)))
    }

    fn open<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        Box::pin(self.lookup(path, self.server.open(path)))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.make(to, self.server.rename(from, to)))
    }

    fn link<'a>(&'a self, existing: &'a Path, new: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.make(new, self.server.link(existing, new)))
    }

    fn remove_file<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.lookup(path, self.server.remove_file(path)))
    }

    fn remove_dir<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.lookup(path, self.server.remove_dir(path)))
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.make(path, self.server.create_dir(path)))
    }

    fn list<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<Vec<DirEntry>>> {
        Box::pin(self.open_folder(dir, self.server.list(dir)))
    }

    fn refresh<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.open_folder(dir, self.server.refresh(dir)))
    }

    fn sync_dir<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(self.open_folder(dir, self.server.sync_dir(dir)))
    }

    fn free_bytes<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<u64>> {
        self.server.free_bytes(dir)
    }

    fn lock<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Box<dyn DiskLock>>> {
        self.server.lock(path)
    }
}
