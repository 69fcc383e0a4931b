//! The pages of a manifest as objects: written before the generation that names them, read after it.

use std::collections::BTreeSet;
use std::io;

use bytes::Bytes;
use tracing::warn;

use super::core::Core;
use super::layout::{self, FolderFailure};
use super::manifest::{Digest, Manifest};
use super::partition::Partition;
use super::publish::PublishFailure;
use crate::chain::{Create, Store, StoreError};

/// Writes the pages that `next` names and `current` does not. They are durable when this returns.
///
/// # Errors
/// If one is not, or not for sure.
pub(crate) async fn write_new(
    core: &Core,
    partition: &Partition,
    current: &Manifest,
    next: &Manifest,
) -> Result<(), PublishFailure> {
    let known = digests(current);
    let mut folder_made = false;
    for page in next.pages.iter().filter(|page| !known.contains(&page.sha256)) {
        let folder = layout::pages_folder(&partition.folder);
        if !folder_made {
            layout::make_folders(&core.host.disk, &core.root, &folder, true).await.map_err(
                |failure| match failure {
                    FolderFailure::Make(error) => PublishFailure::Failed(error.to_string()),
                    FolderFailure::Sync(error) => PublishFailure::Stopped(error),
                },
            )?;
            folder_made = true;
        }
        match core.pages.create(&key(&partition.folder, page.sha256), Bytes::from(page.body())).await {
            Ok(Create::Created) => {}
            // An earlier try made it, and may have ended before its name was durable.
            Ok(Create::Exists) => {
                core.host.disk.sync_dir(&core.root.join(&folder)).await.map_err(PublishFailure::Stopped)?;
            }
            Err(StoreError::Definite { source, .. }) => return Err(PublishFailure::Failed(source.to_string())),
            Err(error @ StoreError::Unknown { .. }) => return Err(PublishFailure::Stopped(io::Error::other(error))),
        }
    }
    Ok(())
}

/// Removes the pages that `current` no longer names, which must be the head of the chain as read back.
pub(crate) async fn remove_unnamed(core: &Core, partition: &Partition, before: &Manifest, current: &Manifest) {
    for digest in digests(before).difference(&digests(current)) {
        if let Err(error) = core.pages.delete(&key(&partition.folder, *digest)).await {
            // No generation that is read names it: the next start removes it.
            warn!(%error, partition = %partition.folder, "a page of an old manifest could not be removed");
        }
    }
}

/// Reads the pages that a generation names.
///
/// # Errors
/// What is wrong, with the name of the page.
pub(crate) async fn read(store: &dyn Store, folder: &str, manifest: &mut Manifest) -> Result<(), String> {
    for page in &mut manifest.pages {
        let name = key(folder, page.sha256);
        let body = store.get(&name).await.map_err(|error| error.to_string())?;
        let body = body.ok_or_else(|| format!("{name} is missing"))?;
        page.fill(&body).map_err(|why| format!("{name}: {why}"))?;
    }
    manifest.check()
}

/// The pages that a generation names.
pub(crate) fn digests(manifest: &Manifest) -> BTreeSet<Digest> {
    manifest.pages.iter().map(|page| page.sha256).collect()
}

fn key(folder: &str, digest: Digest) -> String {
    format!("{}/{}", layout::pages_folder(folder), layout::page_name(digest))
}
