//! Where things lie in the data directory, and making folders that last.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::manifest::{BlockId, Digest};
use crate::event::PartitionKey;
use crate::host::Disk;

/// The node's own: lock, format, what damage has taken.
pub(crate) const NODE_FOLDER: &str = "_node";
/// The write-ahead log.
pub(crate) const LOG_FOLDER: &str = "_log";
/// Segments that damage was found in, kept for people.
pub(crate) const QUARANTINE_FOLDER: &str = "_node/quarantine";
/// The chain of what damage has taken where no partition can be named.
pub(crate) const LOST_FOLDER: &str = "_node/lost";
/// Where the shared store has chains, pages and blocks. Apart, so that a walk over the chains lists no block.
pub(crate) const SHARED_CHAINS: &str = "chains";
/// See [`SHARED_CHAINS`].
pub(crate) const SHARED_PAGES: &str = "pages";
/// See [`SHARED_CHAINS`].
pub(crate) const SHARED_BLOCKS: &str = "blocks";
/// Names of files that are not finished end in this; they go at start.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";
/// Names of block files end in this.
const BLOCK_SUFFIX: &str = ".hb";
/// Names of pages end in this.
const PAGE_SUFFIX: &str = ".json";

/// The folder of a partition, relative to the data directory.
pub(crate) fn partition_folder(key: &PartitionKey) -> String {
    format!("{}/{}/{}", key.env, key.index, key.day_name())
}

/// The folder of a partition's manifest.
pub(crate) fn manifest_folder(partition: &str) -> String {
    format!("{partition}/manifest")
}

/// The folder of a partition's blocks.
pub(crate) fn blocks_folder(partition: &str) -> String {
    format!("{partition}/blocks")
}

/// The folder of the pages of a partition's manifest. Apart from the generations, which are listed often.
pub(crate) fn pages_folder(partition: &str) -> String {
    format!("{partition}/pages")
}

/// The folder of the shared generations that the partition stood on, each as it was read.
pub(crate) fn base_folder(partition: &str) -> String {
    format!("{partition}/base")
}

/// Partition and file that `<env>/<index>/<day>/<file>` states.
pub(crate) fn parse_in_partition(name: &str) -> Option<(PartitionKey, &str)> {
    let mut parts = name.split('/');
    let (env, index, day, file) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let day = PartitionKey::parse_day(day).filter(|_| parts.next().is_none())?;
    Some((PartitionKey { env: env.into(), index: index.into(), day }, file))
}

/// The key of a block in the shared store.
pub(crate) fn shared_block_key(partition: &str, id: BlockId) -> String {
    format!("{SHARED_BLOCKS}/{partition}/{}", block_name(id))
}

/// The folder of a partition's blocks in the shared store.
pub(crate) fn shared_blocks_folder(partition: &str) -> String {
    format!("{SHARED_BLOCKS}/{partition}")
}

/// The folder of a partition's chain in the shared store.
pub(crate) fn shared_chain_folder(partition: &str) -> String {
    format!("{SHARED_CHAINS}/{partition}")
}

/// The folder of the pages of a partition's shared manifest.
pub(crate) fn shared_pages_folder(partition: &str) -> String {
    format!("{SHARED_PAGES}/{partition}")
}

/// The name of a page.
pub(crate) fn page_name(digest: Digest) -> String {
    format!("{digest}{PAGE_SUFFIX}")
}

/// The page that a file name states.
pub(crate) fn parse_page_name(name: &str) -> Option<Digest> {
    name.strip_suffix(PAGE_SUFFIX)?.parse().ok()
}

/// The name of a block's file.
pub(crate) fn block_name(id: BlockId) -> String {
    format!("{id}{BLOCK_SUFFIX}")
}

/// The block that a file name states.
pub(crate) fn parse_block_name(name: &str) -> Option<BlockId> {
    name.strip_suffix(BLOCK_SUFFIX)?.parse().ok()
}

/// Why folders are not there for sure.
pub(crate) enum FolderFailure {
    /// One could not be made; it may be tried again.
    Make(io::Error),
    /// A name could not be made durable: asking again would prove nothing.
    Sync(io::Error),
}

impl FolderFailure {
    pub(crate) fn into_error(self) -> io::Error {
        match self {
            Self::Make(error) | Self::Sync(error) => error,
        }
    }
}

/// Creates the folders of `path`, one by one below `root`, each durable before the next.
///
/// Folders that were there already are synced into their parents too: the process that made them may
/// have been killed before it did.
pub(crate) async fn make_folders(
    disk: &Arc<dyn Disk>,
    root: &Path,
    path: &str,
    sync: bool,
) -> Result<(), FolderFailure> {
    let mut folder = root.to_path_buf();
    for part in path.split('/') {
        let parent = folder.clone();
        folder.push(part);
        disk.create_dir(&folder).await.map_err(FolderFailure::Make)?;
        if sync {
            disk.sync_dir(&parent).await.map_err(FolderFailure::Sync)?;
        }
    }
    Ok(())
}

/// The names in a folder; none if there is no such folder.
pub(crate) async fn list_or_empty(disk: &Arc<dyn Disk>, folder: &Path) -> io::Result<Vec<crate::host::DirEntry>> {
    match disk.list(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

/// The partitions that have a folder, in order. Folders with other names are left alone.
pub(crate) async fn list_partitions(disk: &Arc<dyn Disk>, root: &Path) -> io::Result<Vec<PartitionKey>> {
    let mut found = Vec::new();
    let usable = |entry: &crate::host::DirEntry| entry.is_dir && !entry.name.starts_with('.');
    for env in list_or_empty(disk, root).await?.iter().filter(|e| usable(e) && !is_own(&e.name)) {
        let env_folder = root.join(&env.name);
        for index in list_or_empty(disk, &env_folder).await?.iter().filter(|e| usable(e)) {
            for day in list_or_empty(disk, &env_folder.join(&index.name)).await?.iter().filter(|e| usable(e)) {
                if let Some(number) = PartitionKey::parse_day(&day.name) {
                    let (env, index) = (Arc::from(env.name.as_str()), Arc::from(index.name.as_str()));
                    found.push(PartitionKey { env, index, day: number });
                }
            }
        }
    }
    Ok(found)
}

/// Whether a folder of the data directory is the server's own and no environment.
fn is_own(name: &str) -> bool {
    matches!(name, NODE_FOLDER | LOG_FOLDER | "_control")
}
