//! Committing the next generation of a manifest.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tracing::warn;

use super::blocks::WriteFailure;
use super::core::Core;
use super::layout::{self, FolderFailure};
use super::manifest::{MANIFEST_FORMAT, Manifest, check_step};
use super::mutant::Mutant;
use super::pages;
use super::partition::{Committed, Partition};
use super::snapshot::StoredBlock;
use crate::chain::{Commit, Link, StoreError};

/// Why a generation is not in the chain.
#[derive(Debug)]
pub(crate) enum PublishFailure {
    /// Nothing was committed; the edit may be tried again.
    Failed(String),
    /// The outcome is unknown, or the chain is not ours: writing has stopped until the next start.
    Stopped(io::Error),
}

impl PublishFailure {
    /// Stops all writing, here and now: after a sync that failed the next one may succeed and save nothing, so that
    /// nobody may stand on it.
    pub(crate) fn stop(core: &Core, error: io::Error) -> Self {
        core.stop_writing("a file, a folder or a generation may not be durable", &error);
        Self::Stopped(error)
    }
}

/// # Errors
/// If writing has stopped until the next start.
pub(crate) fn check_writing(core: &Core) -> Result<(), PublishFailure> {
    core.stopped().map_or(Ok(()), |why| Err(PublishFailure::Failed(why)))
}

impl fmt::Display for PublishFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Stopped(error) => error.fmt(f),
        }
    }
}

impl From<WriteFailure> for PublishFailure {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::Failed(error) => Self::Failed(error.to_string()),
            WriteFailure::Stopped(error) => Self::Stopped(error),
        }
    }
}

/// Commits the generation that `edit` makes of the newest one, and gives it back as it was read from
/// the chain afterwards. `None` if the edit no longer applies.
///
/// Only the head that this returns may be acted on: files go, segments go.
pub(crate) async fn publish(
    core: &Core,
    partition: &Partition,
    committed: &mut Committed,
    edit: impl FnOnce(&Manifest) -> Option<Manifest>,
) -> Result<Option<()>, PublishFailure> {
    let Some(next) = edit(&committed.manifest) else { return Ok(None) };
    let mut next = next.paged(core.settings.manifest_page_blocks);
    next.previous = committed.digest.clone();
    next.commit = core.commit_id();
    next.written = core.host.clock.wall().0;
    check_step(&committed.manifest, &committed.digest, &next);
    pages::write_new(core, partition, &committed.manifest, &next).await?;
    let body = serde_json::to_vec(&next).expect("a manifest is plain data");
    // What it names may rest on a sync that has failed since for somebody else.
    check_writing(core)?;
    let outcome = partition.chain.commit(next.generation, Bytes::from(body)).await;
    match outcome {
        Ok(Commit::Done(head)) => {
            assert_eq!(head.generation, next.generation, "one process writes to a data directory");
            committed.digest = head.digest;
            let before = std::mem::replace(&mut committed.manifest, next);
            pages::remove_unnamed(core, partition, &before, &committed.manifest).await;
            Ok(Some(()))
        }
        Ok(Commit::Lost(head) | Commit::Untold(head)) => {
            let why = format!(
                "generation {} of {} is not ours: is another process at work?",
                head.generation, partition.folder
            );
            Err(PublishFailure::stop(core, io::Error::other(why)))
        }
        Err(StoreError::Definite { source, .. }) => Err(PublishFailure::Failed(source.to_string())),
        Err(error @ StoreError::Unknown { .. }) => Err(PublishFailure::stop(core, io::Error::other(error))),
    }
}

/// Discards a block whose generation was not committed. After an unknown outcome the chain may name
/// it all the same: then only the next start can tell, and it removes what is not named.
pub(crate) fn discard_unless_named(core: &Core, block: Arc<StoredBlock>, failure: &PublishFailure) {
    match failure {
        PublishFailure::Failed(_) => core.discard([block]),
        PublishFailure::Stopped(_) => {}
    }
}

/// Makes the partition's folders, durably, before anything is put into them.
///
/// # Errors
/// What the disk says. A folder that could not be synced has stopped all writing, as any name may be lost.
pub(crate) async fn make_partition_folders(core: &Core, partition: &Partition) -> Result<(), PublishFailure> {
    let mut committed = partition.manifest.lock().await;
    if committed.folders_made {
        return Ok(());
    }
    check_writing(core)?;
    let sync = !core.settings.mutation.is(Mutant::PartitionFolderSync);
    for folder in [layout::manifest_folder(&partition.folder), layout::blocks_folder(&partition.folder)] {
        let made = layout::make_folders(&core.host.disk, &core.root, &folder, sync).await;
        made.map_err(|failure| match failure {
            FolderFailure::Make(error) => PublishFailure::Failed(error.to_string()),
            FolderFailure::Sync(error) => PublishFailure::stop(core, error),
        })?;
    }
    committed.folders_made = true;
    Ok(())
}

/// Reads a manifest as it lies in the chain.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_manifest(link: &Link) -> Result<Manifest, String> {
    let manifest: Manifest = serde_json::from_slice(&link.body).map_err(|error| error.to_string())?;
    if manifest.format > MANIFEST_FORMAT {
        return Err(format!(
            "format {} is newer than this version of helios reads ({MANIFEST_FORMAT})",
            manifest.format
        ));
    }
    if manifest.generation != link.generation {
        return Err(format!("it says it is generation {}", manifest.generation));
    }
    manifest.check()?;
    Ok(manifest)
}

/// Raises the floor as far as the rules for old generations allow, with the next commit that comes
/// anyway. Costs a read of the oldest generations only.
pub(crate) async fn floor_for(core: &Core, partition: &Partition, committed: &Committed) -> u64 {
    let kept = core.settings.generations_kept;
    let head = committed.manifest.generation;
    let mut floor = committed.manifest.floor;
    let oldest_written = i64::try_from(core.settings.generations_age.as_nanos()).unwrap_or(i64::MAX);
    let limit = core.host.clock.wall().0.saturating_sub(oldest_written);
    floor = floor.max((head + 1).saturating_sub(GENERATIONS_MAX.max(kept)));
    while floor + kept <= head {
        match partition.chain.get(floor).await {
            Ok(Some(link)) => match parse_manifest(&link) {
                Ok(manifest) if manifest.written > limit => break,
                _ => floor += 1,
            },
            Ok(None) => floor += 1,
            Err(error) => {
                warn!(%error, partition = %partition.folder, "old generations could not be read");
                break;
            }
        }
    }
    floor
}

/// More generations than this are not kept however young they are: each commit lists their folder, and each
/// of them names up to twice [`super::Settings::manifest_page_blocks`] blocks.
const GENERATIONS_MAX: u64 = 256;
