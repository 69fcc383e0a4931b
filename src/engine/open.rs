//! Opening a data directory: alone, in a format that this version knows, with nothing lost.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::commit;
use super::compact;
use super::core::{Core, CoreParts};
use super::flush;
use super::layout;
use super::log::LogWriter;
use super::mutant::Mutant;
use super::record::RecordReader;
use super::replay::{self, Mode};
use super::retention;
use super::settings::Settings;
use super::{Engine, Running};
use crate::chain::{DiskStore, Durability, Store};
use crate::event::Origin;
use crate::host::{Disk, DiskLock, Host};
use crate::sync::queue;

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds it.
    #[error("{0} is in use by another helios process; stop that one first, or ask it over HTTP")]
    InUse(String),
    /// A later version wrote it.
    #[error(
        "{what} has format {format}, which is newer than this version of helios reads; use the version that wrote it, or a later one"
    )]
    Newer {
        /// What.
        what: String,
        /// Its format number.
        format: u32,
    },
    /// Something that must be read cannot be.
    #[error("{what} cannot be read: {why}; run `helios verify`, and keep the data directory as it is")]
    Damaged {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// The disk says no.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: String,
        /// What it said.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.display().to_string(), source }
    }
}

/// What `_node/format` says.
#[derive(Deserialize, Serialize)]
struct FormatFile {
    product: String,
    format: u32,
}

/// The format of the data directory as a whole.
const DATA_FORMAT: u32 = 1;

/// Opens a data directory for a server, creating it if there is none, and starts the workers.
pub(crate) async fn open(
    host: Host,
    root: PathBuf,
    settings: Settings,
    reader: Arc<dyn RecordReader>,
    shared: Option<Arc<dyn Store>>,
) -> Result<Engine, OpenError> {
    let lock = prepare(&host, &root, &settings).await?;
    let origin = draw_origin(&host, &settings);
    let core = Arc::new(Core::new(CoreParts { host: host.clone(), settings, root, origin, lock: Some(lock), shared }));
    load(&core, &reader, Mode::Write).await?;
    info!(origin = %origin, partitions = core.all_partitions().len(), "data directory opened");
    let (queue, waiting) = queue(QUEUE_RECORDS);
    let log_dir = core.root.join(layout::LOG_FOLDER);
    #[cfg_attr(not(feature = "mutants"), expect(unused_mut, reason = "only a test goes on with another life"))]
    let mut log = LogWriter::new(host.clone(), log_dir, core.settings.clone(), origin, Arc::clone(&core.segments));
    #[cfg(feature = "mutants")]
    if let Some(memory) = core.settings.memory {
        memory.recall(&core, &mut log).await;
    }
    let spawn = |name, future| host.tasks.spawn(name, future);
    let running = Running {
        commits: spawn("commit", Box::pin(commit::commit_loop(Arc::clone(&core), waiting, log))),
        workers: vec![
            spawn("flush", Box::pin(flush::flush_loop(Arc::clone(&core)))),
            spawn("compact", Box::pin(compact::compact_loop(Arc::clone(&core)))),
            spawn("retention", Box::pin(retention::retention_loop(Arc::clone(&core)))),
        ],
    };
    Ok(Engine::new(core, queue, running))
}

/// Opens a data directory to look only: nothing in it changes but the lock.
pub(crate) async fn open_to_read(
    host: Host,
    root: PathBuf,
    reader: Arc<dyn RecordReader>,
    shared: Option<Arc<dyn Store>>,
) -> Result<Arc<Core>, OpenError> {
    let settings = Settings::default();
    check_format(&host.disk, &root).await?;
    let lock = lock(&host, &root).await?;
    let core = Arc::new(Core::new(CoreParts { host, settings, root, origin: Origin(0), lock: Some(lock), shared }));
    load(&core, &reader, Mode::Read).await?;
    Ok(core)
}

async fn load(core: &Arc<Core>, reader: &Arc<dyn RecordReader>, mode: Mode) -> Result<(), OpenError> {
    super::lost::load(core).await?;
    replay::adopt_partitions(core, mode).await?;
    replay::replay(core, reader, mode).await?;
    Ok(())
}

/// Folders, lock, format.
async fn prepare(host: &Host, root: &Path, settings: &Settings) -> Result<Box<dyn DiskLock>, OpenError> {
    let disk = &host.disk;
    make_root(disk, root).await.map_err(|error| OpenError::io(root, error))?;
    make(disk, root, layout::NODE_FOLDER).await?;
    let lock = lock(host, root).await?;
    check_format(disk, root).await?;
    for folder in [layout::LOG_FOLDER, layout::QUARANTINE_FOLDER, layout::LOST_FOLDER] {
        make(disk, root, folder).await?;
    }
    remove_temporaries(disk, root).await.map_err(|error| OpenError::io(root, error))?;
    write_format(host, root, settings).await?;
    Ok(lock)
}

async fn make(disk: &Arc<dyn Disk>, root: &Path, folder: &str) -> Result<(), OpenError> {
    let made = layout::make_folders(disk, root, folder, true).await;
    made.map_err(|failure| OpenError::io(&root.join(folder), failure.into_error()))
}

/// Creates the data directory and what is missing above it, durably.
async fn make_root(disk: &Arc<dyn Disk>, root: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut at = root;
    while let Err(error) = disk.create_dir(at).await {
        let Some(parent) = at.parent().filter(|_| error.kind() == io::ErrorKind::NotFound) else { return Err(error) };
        missing.push(at);
        at = parent;
    }
    for folder in missing.into_iter().rev() {
        disk.create_dir(folder).await?;
    }
    // DURABLE: every name on the way, also those that were there: who made them may have been killed
    // before they were durable.
    for above in root.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_dir(above).await {
            // A folder that we may not even read is none that we made.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            other => other?,
        }
    }
    Ok(())
}

/// Removes what an earlier life did not finish in the node's own folders: its names would be in the way.
async fn remove_temporaries(disk: &Arc<dyn Disk>, root: &Path) -> io::Result<()> {
    for folder in [layout::NODE_FOLDER, layout::LOST_FOLDER] {
        let folder = root.join(folder);
        for entry in disk.list(&folder).await? {
            if entry.name.ends_with(layout::TEMPORARY_SUFFIX) {
                disk.remove_file(&folder.join(entry.name)).await?;
            }
        }
    }
    Ok(())
}

/// Takes the directory for this process alone. A program that is ending, or a child that is not yet a program of its own
/// and has its parent's files open, may hold the lock for a moment: that long it is waited for.
pub(crate) async fn lock(host: &Host, root: &Path) -> Result<Box<dyn DiskLock>, OpenError> {
    let path = root.join(layout::NODE_FOLDER).join("lock");
    let mut waits = 0;
    loop {
        match host.disk.lock(&path).await {
            Ok(lock) => return Ok(lock),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(OpenError::io(&path, error)),
            Err(_) if waits == LOCK_WAITS_MAX => return Err(OpenError::InUse(root.display().to_string())),
            Err(_) => {
                waits += 1;
                host.clock.sleep(LOCK_WAIT).await;
            }
        }
    }
}

/// Pause between two tries to take a directory.
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// So often a directory that is in use is tried again.
const LOCK_WAITS_MAX: u32 = 20;

fn format_path(root: &Path) -> PathBuf {
    root.join(layout::NODE_FOLDER).join("format")
}

/// Refuses a data directory that a later version wrote.
pub(crate) async fn check_format(disk: &Arc<dyn Disk>, root: &Path) -> Result<(), OpenError> {
    let path = format_path(root);
    let read = async {
        let file = disk.open(&path).await?;
        let len = file.len().await?.min(FORMAT_FILE_BYTES_MAX);
        file.read_at(0, usize::try_from(len).map_err(io::Error::other)?).await
    };
    let bytes = match read.await {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::io(&path, error)),
    };
    let file: FormatFile = serde_json::from_slice(&bytes)
        .map_err(|error| OpenError::Damaged { what: path.display().to_string(), why: error.to_string() })?;
    if file.format > DATA_FORMAT {
        return Err(OpenError::Newer { what: root.display().to_string(), format: file.format });
    }
    Ok(())
}

async fn write_format(host: &Host, root: &Path, settings: &Settings) -> Result<(), OpenError> {
    let store = store(host, root, settings);
    let body = serde_json::to_vec(&FormatFile { product: "helios".into(), format: DATA_FORMAT }).expect("plain data");
    let key = format!("{}/format", layout::NODE_FOLDER);
    match store.create(&key, Bytes::from(body)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(OpenError::io(&format_path(root), io::Error::other(error))),
    }
}

/// The store of the manifests.
pub(crate) fn store(host: &Host, root: &Path, settings: &Settings) -> DiskStore {
    let durability = Durability {
        file: !settings.mutation.is(Mutant::ManifestSync),
        folder: !settings.mutation.is(Mutant::ManifestFolderSync),
    };
    DiskStore::new(Arc::clone(&host.disk), root.to_path_buf(), durability)
}

/// The store of the pages of manifests.
pub(crate) fn page_store(host: &Host, root: &Path, settings: &Settings) -> DiskStore {
    let durability = Durability {
        file: !settings.mutation.is(Mutant::PageSync),
        folder: !settings.mutation.is(Mutant::PageFolderSync),
    };
    DiskStore::new(Arc::clone(&host.disk), root.to_path_buf(), durability)
}

fn draw_origin(host: &Host, settings: &Settings) -> Origin {
    if settings.mutation.is(Mutant::OriginReused) {
        return Origin(0x0bad);
    }
    #[cfg(feature = "mutants")]
    if let Some(memory) = settings.memory {
        return memory.origin;
    }
    Origin(host.entropy.fork("origin").next_u64().max(1))
}

/// Records that may wait for the log; their bytes are bounded by the queue's settings.
const QUEUE_RECORDS: usize = 4_096;
/// The format file is a few dozen bytes.
const FORMAT_FILE_BYTES_MAX: u64 = 4_096;
