//! Files of the operating system, each call on one of a few I/O threads.
#![allow(clippy::disallowed_methods, reason = "host::real is where files are touched")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use tokio::sync::oneshot;

use super::pool::Pool;
use crate::host::{BoxFuture, DirEntry, Disk, DiskFile, DiskLock, NotSynced};

/// Threads for calls that write, sync or change names. Few: the log, a flush and a compaction.
const WRITE_THREADS: usize = 4;

/// Threads for calls that read. Apart from the writers, so that no query waits behind an `fdatasync`.
const READ_THREADS: usize = 8;

/// Calls that wait for a thread, per kind. Who comes later waits without a place.
const QUEUED_CALLS_MAX: usize = 256;

/// How long a read from a folder that may be on another machine is waited for. What it reads is at most an object.
const REMOTE_READ_MAX: Duration = Duration::from_secs(20);

/// How long a write, sync or change of names there is waited for. The sync of a large block over a slow line takes
/// long, and an NFS server that starts again lets nobody write for a minute or more.
const REMOTE_WRITE_MAX: Duration = Duration::from_secs(60);

/// The machine's file system.
pub struct RealDisk {
    threads: Arc<Threads>,
}

struct Threads {
    writes: Pool,
    reads: Pool,
    limits: Option<Limits>,
}

/// How long calls are waited for.
struct Limits {
    read: Duration,
    write: Duration,
    /// Whether a folder could not be synced. Held during a sync: of one that nobody waits for any more the next one
    /// must know how it ended, since the system tells of lost names only once.
    sync_failed: Mutex<bool>,
}

impl RealDisk {
    /// Starts the I/O threads.
    ///
    /// # Errors
    /// If the operating system refuses to start a thread.
    pub fn new() -> io::Result<Self> {
        Self::start(["helios-write", "helios-read"], None)
    }

    /// As [`RealDisk::new`], with calls that are waited for only so long.
    ///
    /// # Errors
    /// As [`RealDisk::new`].
    pub fn remote() -> io::Result<Self> {
        let limits = Limits { read: REMOTE_READ_MAX, write: REMOTE_WRITE_MAX, sync_failed: Mutex::new(false) };
        Self::start(["helios-rwrite", "helios-rread"], Some(limits))
    }

    fn start([writes, reads]: [&'static str; 2], limits: Option<Limits>) -> io::Result<Self> {
        let writes = Pool::new(writes, WRITE_THREADS, QUEUED_CALLS_MAX)?;
        let reads = Pool::new(reads, READ_THREADS, QUEUED_CALLS_MAX)?;
        Ok(Self { threads: Arc::new(Threads { writes, reads, limits }) })
    }
}

impl Threads {
    fn write<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, io::Result<T>> {
        on_pool(&self.writes, self.limits.as_ref().map(|limits| limits.write), call)
    }

    fn read<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, io::Result<T>> {
        on_pool(&self.reads, self.limits.as_ref().map(|limits| limits.read), call)
    }

    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        let Some(limits) = &self.limits else { return dir.sync_all() };
        let mut failed = limits.sync_failed.lock().unwrap_or_else(PoisonError::into_inner);
        if *failed {
            return Err(io::Error::other("an earlier sync of a folder failed"));
        }
        dir.sync_all().inspect_err(|_| *failed = true)
    }
}

impl Disk for RealDisk {
    fn create_new<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        let (path, threads) = (path.to_owned(), self.threads.clone());
        self.threads.write(move || {
            let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
            Ok(RealFile::shared(file, threads))
        })
    }

    fn create_private<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        let (path, threads) = (path.to_owned(), self.threads.clone());
        self.threads.write(move || {
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
            Ok(RealFile::shared(file, threads))
        })
    }

    fn mode<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Option<u32>>> {
        let path = path.to_owned();
        self.threads.read(move || Ok(Some(fs::metadata(path)?.permissions().mode() & 0o777)))
    }

    fn open<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        let (path, threads) = (path.to_owned(), self.threads.clone());
        self.threads.read(move || Ok(RealFile::shared(File::open(path)?, threads)))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.threads.write(move || fs::rename(from, to))
    }

    fn link<'a>(&'a self, existing: &'a Path, new: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let (existing, new) = (existing.to_owned(), new.to_owned());
        self.threads.write(move || fs::hard_link(existing, new))
    }

    fn remove_file<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let path = path.to_owned();
        self.threads.write(move || fs::remove_file(path))
    }

    fn remove_dir<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let path = path.to_owned();
        self.threads.write(move || fs::remove_dir(path))
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let path = path.to_owned();
        self.threads.write(move || create_dir(&path))
    }

    fn list<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<Vec<DirEntry>>> {
        let dir = dir.to_owned();
        self.threads.read(move || list(&dir))
    }

    /// An NFS client asks the server for a folder's state whenever it is opened, and forgets what it knew of names in one
    /// that has changed.
    fn refresh<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let dir = dir.to_owned();
        self.threads.read(move || File::open(dir).map(|_| ()))
    }

    fn sync_dir<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let (dir, threads) = (dir.to_owned(), self.threads.clone());
        self.threads.write(move || threads.sync_dir(&File::open(dir).map_err(NotSynced::mark)?))
    }

    fn free_bytes<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<u64>> {
        let dir = dir.to_owned();
        self.threads.read(move || {
            let figures = rustix::fs::statvfs(&dir)?;
            // What root keeps for itself (`f_bfree - f_bavail`) is no room for us.
            Ok(figures.f_bavail.saturating_mul(figures.f_frsize))
        })
    }

    fn lock<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Box<dyn DiskLock>>> {
        let path = path.to_owned();
        self.threads.write(move || lock(&path))
    }
}

fn create_dir(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// Names that are not UTF-8 are none of ours and are left out; so are files that go meanwhile.
fn list(dir: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        match entry.metadata() {
            Ok(about) => {
                let len = if about.is_dir() { 0 } else { about.len() };
                entries.push(DirEntry { name, is_dir: about.is_dir(), len });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    entries.sort_unstable();
    Ok(entries)
}

fn lock(path: &PathBuf) -> io::Result<Box<dyn DiskLock>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Box::new(RealLock { _file: file })),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The system lets go of the lock when the file is closed, also when the process is killed.
struct RealLock {
    _file: File,
}

impl DiskLock for RealLock {}

struct RealFile {
    inner: Arc<FileInner>,
    threads: Arc<Threads>,
}

struct FileInner {
    file: File,
    /// Where the next append goes, once it is known. Held while appending: two appends never mix.
    end_bytes: Mutex<Option<u64>>,
}

impl RealFile {
    fn shared(file: File, threads: Arc<Threads>) -> Arc<dyn DiskFile> {
        Arc::new(Self { inner: Arc::new(FileInner { file, end_bytes: Mutex::new(None) }), threads })
    }
}

impl DiskFile for RealFile {
    fn append(&self, bytes: Bytes) -> BoxFuture<'_, io::Result<u64>> {
        self.append_pieces(vec![bytes])
    }

    fn append_pieces(&self, pieces: Vec<Bytes>) -> BoxFuture<'_, io::Result<u64>> {
        let inner = self.inner.clone();
        self.threads.write(move || inner.append(&pieces))
    }

    fn read_at(&self, offset: u64, len: usize) -> BoxFuture<'_, io::Result<Bytes>> {
        let inner = self.inner.clone();
        self.threads.read(move || inner.read_at(offset, len))
    }

    fn len(&self) -> BoxFuture<'_, io::Result<u64>> {
        let inner = self.inner.clone();
        self.threads.read(move || inner.len())
    }

    fn sync(&self) -> BoxFuture<'_, io::Result<()>> {
        let inner = self.inner.clone();
        self.threads.write(move || inner.file.sync_data())
    }

    fn preallocate(&self, bytes: u64) -> BoxFuture<'_, io::Result<()>> {
        let inner = self.inner.clone();
        self.threads.write(move || preallocate(&inner.file, bytes))
    }
}

impl FileInner {
    fn append(&self, pieces: &[Bytes]) -> io::Result<u64> {
        let mut end_bytes = self.lock_end();
        let offset = match *end_bytes {
            Some(known) => known,
            None => self.len()?,
        };
        // Unknown until the write has succeeded: after an error a prefix may be in the file.
        *end_bytes = None;
        let mut end = offset;
        for piece in pieces {
            self.file.write_all_at(piece, end)?;
            end += piece.len() as u64;
        }
        *end_bytes = Some(end);
        Ok(offset)
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        // Asked first, so that a length out of a damaged file allocates nothing.
        let end = offset.checked_add(len as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
        if end > self.len()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.into())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn lock_end(&self) -> MutexGuard<'_, Option<u64>> {
        self.end_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file system that can't reserve is as good as one that did: appending says when it is full.
fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

/// Runs one call on a thread of `pool`, and waits for it no longer than `limit`.
fn on_pool<T: Send + 'static>(
    pool: &Pool,
    limit: Option<Duration>,
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> BoxFuture<'static, io::Result<T>> {
    let (sender, receiver) = oneshot::channel();
    let done = pool.submit(Box::new(move || {
        // With a limit a call that is not waited for any more must not take a thread once they come free again.
        if limit.is_none() || !sender.is_closed() {
            // The caller may be gone when the call ends.
            drop(sender.send(call()));
        }
    }));
    let answer = async move {
        done.await;
        receiver.await.expect("a call to the operating system does not panic")
    };
    match limit {
        None => Box::pin(answer),
        Some(limit) => Box::pin(async move {
            tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(NotSynced::mark(gave_up(limit))))
        }),
    }
}

fn gave_up(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the file system did not answer within {} s", limit.as_secs()))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn disk() -> (TempDir, RealDisk) {
        (tempfile::tempdir().unwrap(), RealDisk::new().unwrap())
    }

    fn kind<T>(result: io::Result<T>) -> io::ErrorKind {
        result.map(|_| ()).unwrap_err().kind()
    }

    #[tokio::test]
    async fn appended_bytes_read_back_and_land_one_after_the_other() {
        let (dir, disk) = disk();
        let file = disk.create_new(&dir.path().join("log")).await.unwrap();
        assert_eq!(file.append("abc".into()).await.unwrap(), 0);
        assert_eq!(file.append("defg".into()).await.unwrap(), 3);
        file.sync().await.unwrap();
        assert_eq!(file.len().await.unwrap(), 7);
        assert_eq!(file.read_at(2, 3).await.unwrap(), "cde");
        assert_eq!(disk.open(&dir.path().join("log")).await.unwrap().read_at(0, 7).await.unwrap(), "abcdefg");
    }

    #[tokio::test]
    async fn pieces_land_one_after_the_other() {
        let (dir, disk) = disk();
        let file = disk.create_new(&dir.path().join("log")).await.unwrap();
        assert_eq!(file.append_pieces(vec!["ab".into(), "".into(), "c".into()]).await.unwrap(), 0);
        assert_eq!(file.append_pieces(vec!["d".into()]).await.unwrap(), 3);
        assert_eq!(file.append_pieces(vec![]).await.unwrap(), 4);
        assert_eq!(file.read_at(0, 4).await.unwrap(), "abcd");
    }

    #[tokio::test]
    async fn concurrent_appends_never_mix() {
        let (dir, disk) = disk();
        let file = disk.create_new(&dir.path().join("log")).await.unwrap();
        let appends = (0..32_u8).map(|i| file.append(vec![i; 1000].into()));
        let offsets = futures_util::future::try_join_all(appends).await.unwrap();
        for (i, offset) in offsets.into_iter().enumerate() {
            let bytes = file.read_at(offset, 1000).await.unwrap();
            assert!(bytes.iter().all(|&byte| usize::from(byte) == i));
        }
    }

    #[tokio::test]
    async fn reading_past_the_end_is_an_error_however_much_is_asked_for() {
        let (dir, disk) = disk();
        let file = disk.create_new(&dir.path().join("f")).await.unwrap();
        file.append("abc".into()).await.unwrap();
        assert_eq!(kind(file.read_at(1, 3).await), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(file.read_at(0, usize::MAX >> 1).await), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(file.read_at(u64::MAX, 1).await), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn preallocating_leaves_the_length_alone() {
        let (dir, disk) = disk();
        let file = disk.create_new(&dir.path().join("f")).await.unwrap();
        file.preallocate(1 << 16).await.unwrap();
        assert_eq!(file.len().await.unwrap(), 0);
        assert_eq!(file.append("x".into()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_taken_name_is_neither_created_nor_linked_over() {
        let (dir, disk) = disk();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        disk.create_new(&a).await.unwrap().append("a".into()).await.unwrap();
        disk.create_new(&b).await.unwrap();
        assert_eq!(kind(disk.create_new(&a).await), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(disk.link(&a, &b).await), io::ErrorKind::AlreadyExists);
        disk.rename(&a, &b).await.unwrap();
        assert_eq!(disk.open(&b).await.unwrap().len().await.unwrap(), 1);
        assert_eq!(kind(disk.open(&a).await), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_link_is_a_second_name_of_the_same_file() {
        let (dir, disk) = disk();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        disk.create_new(&a).await.unwrap().append("a".into()).await.unwrap();
        disk.link(&a, &b).await.unwrap();
        disk.remove_file(&a).await.unwrap();
        assert_eq!(disk.open(&b).await.unwrap().read_at(0, 1).await.unwrap(), "a");
    }

    #[tokio::test]
    async fn a_folder_lists_its_names_sorted() {
        let (dir, disk) = disk();
        for name in ["b", "a"] {
            disk.create_new(&dir.path().join(name)).await.unwrap().append(name.into()).await.unwrap();
        }
        let sub = dir.path().join("c");
        disk.create_dir(&sub).await.unwrap();
        disk.create_dir(&sub).await.unwrap();
        disk.sync_dir(dir.path()).await.unwrap();
        let entry = |name: &str, is_dir, len| DirEntry { name: name.into(), is_dir, len };
        assert_eq!(
            disk.list(dir.path()).await.unwrap(),
            [entry("a", false, 1), entry("b", false, 1), entry("c", true, 0)]
        );
        disk.remove_dir(&sub).await.unwrap();
        assert_eq!(kind(disk.list(&sub).await), io::ErrorKind::NotFound);
        assert_eq!(kind(disk.create_dir(&dir.path().join("a")).await), io::ErrorKind::AlreadyExists);
    }

    #[tokio::test]
    async fn a_held_lock_refuses_the_next_and_a_dropped_one_does_not() {
        let (dir, disk) = disk();
        let path = dir.path().join("lock");
        let held = disk.lock(&path).await.unwrap();
        assert_eq!(kind(disk.lock(&path).await), io::ErrorKind::WouldBlock);
        drop(held);
        disk.lock(&path).await.unwrap();
    }

    /// A remote disk that waits for nothing, and a pipe, on which opening hangs as on a mount whose server is away.
    fn impatient(dir: &TempDir) -> (RealDisk, PathBuf) {
        let limits = Limits { read: Duration::ZERO, write: Duration::ZERO, sync_failed: Mutex::new(false) };
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        (RealDisk::start(["test-write", "test-read"], Some(limits)).unwrap(), pipe)
    }

    /// Lets those go that hang.
    fn open_both_ends(pipe: &Path) -> File {
        OpenOptions::new().read(true).write(true).open(pipe).unwrap()
    }

    #[tokio::test]
    async fn a_remote_folder_that_hangs_is_given_up_on_and_holds_up_nothing_local() {
        let (dir, local) = disk();
        let (remote, hangs) = impatient(&dir);
        let opens = futures_util::future::join_all((0..2 * READ_THREADS).map(|_| remote.open(&hangs))).await;
        let syncs = futures_util::future::join_all((0..2 * WRITE_THREADS).map(|_| remote.sync_dir(&hangs))).await;
        assert!(opens.into_iter().all(|open| kind(open) == io::ErrorKind::TimedOut));
        assert!(syncs.iter().all(|sync| NotSynced::is_in(sync.as_ref().unwrap_err())));
        local.create_new(&dir.path().join("local")).await.unwrap();
        assert_eq!(local.list(dir.path()).await.unwrap().len(), 2, "what hangs, and what is local");
        open_both_ends(&hangs);
    }

    #[tokio::test]
    async fn a_call_that_nobody_waits_for_any_more_is_not_begun() {
        let pool = Pool::new("test", 1, 8).unwrap();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (begins, begun) = oneshot::channel();
        let (late, began) = std::sync::mpsc::channel();
        let hangs = tokio::spawn(on_pool(&pool, Some(REMOTE_WRITE_MAX), move || {
            begins.send(()).map_err(|()| io::Error::other("nobody waits"))?;
            released.recv().map_err(io::Error::other)
        }));
        begun.await.unwrap();
        let waits = on_pool(&pool, Some(Duration::ZERO), move || late.send(()).map_err(io::Error::other));
        assert_eq!(kind(waits.await), io::ErrorKind::TimedOut);
        release.send(()).unwrap();
        hangs.await.unwrap().unwrap();
        on_pool(&pool, Some(REMOTE_WRITE_MAX), || Ok(())).await.unwrap();
        assert!(began.recv().is_err());
    }

    #[test]
    fn after_a_sync_of_a_remote_folder_that_failed_no_later_one_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (remote, pipe) = impatient(&dir);
        let folder = File::open(dir.path()).unwrap();
        remote.threads.sync_dir(&folder).unwrap();
        // A pipe cannot be synced.
        let error = remote.threads.sync_dir(&open_both_ends(&pipe)).unwrap_err();
        assert!(!NotSynced::is_in(&error), "{error}");
        let error = remote.threads.sync_dir(&folder).unwrap_err();
        assert!(!NotSynced::is_in(&error), "{error}");
    }

    #[tokio::test]
    async fn free_room_is_told_for_a_folder_that_exists() {
        let (dir, disk) = disk();
        assert!(disk.free_bytes(dir.path()).await.unwrap() > 0);
        assert_eq!(kind(disk.free_bytes(&dir.path().join("none")).await), io::ErrorKind::NotFound);
    }
}
