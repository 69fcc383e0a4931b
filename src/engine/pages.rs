//! What a manifest names beside blocks, as objects: its pages, and the shared generation that it stands on with
//! the pages of that. Written before the generation that names them, read after it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tracing::warn;

use super::core::Core;
use super::layout::{self, FolderFailure};
use super::manifest::{Base, Digest, Manifest, Page};
use super::partition::Partition;
use super::publish::{self, PublishFailure};
use super::shared::SharedManifest;
use crate::chain::{Create, Store, StoreError};
use crate::crypto;

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
    let new = next.pages.iter().filter(|page| !known.contains(&page.sha256));
    let bodies: Vec<_> = new.map(|page| (page.sha256, Bytes::from(page.body()))).collect();
    write_objects(core, &layout::pages_folder(&partition.folder), bodies).await
}

/// Keeps a shared generation and its pages here, durably, before a local one stands on it.
///
/// # Errors
/// If it is not, or not for sure.
pub(crate) async fn write_base(
    core: &Core,
    partition: &Partition,
    current: &Manifest,
    base: &Base,
    body: Bytes,
) -> Result<(), PublishFailure> {
    let known = digests(current);
    let new = base.manifest.pages.iter().filter(|page| !known.contains(&page.sha256));
    let bodies: Vec<_> = new.map(|page| (page.sha256, Bytes::from(page.body()))).collect();
    write_objects(core, &layout::pages_folder(&partition.folder), bodies).await?;
    write_objects(core, &layout::base_folder(&partition.folder), vec![(base.sha256, body)]).await
}

/// Creates objects that are named by their digests.
async fn write_objects(core: &Core, folder: &str, bodies: Vec<(Digest, Bytes)>) -> Result<(), PublishFailure> {
    if bodies.is_empty() {
        return Ok(());
    }
    publish::check_writing(core)?;
    let made = layout::make_folders(&core.host.disk, &core.root, folder, true).await;
    made.map_err(|failure| match failure {
        FolderFailure::Make(error) => PublishFailure::Failed(error.to_string()),
        FolderFailure::Sync(error) => PublishFailure::stop(core, error),
    })?;
    for (digest, body) in bodies {
        match core.pages.create(&key(folder, digest), body).await {
            Ok(Create::Created) => {}
            // An earlier try made it, and may have ended before its name was durable.
            Ok(Create::Exists) => {
                let synced = core.host.disk.sync_dir(&core.root.join(folder)).await;
                synced.map_err(|error| PublishFailure::stop(core, error))?;
            }
            Err(StoreError::Definite { source, .. }) => return Err(PublishFailure::Failed(source.to_string())),
            Err(error @ StoreError::Unknown { .. }) => return Err(PublishFailure::stop(core, io::Error::other(error))),
        }
    }
    Ok(())
}

/// Removes what `current` no longer names, which must be the head of the chain as read back.
pub(crate) async fn remove_unnamed(core: &Core, partition: &Partition, before: &Manifest, current: &Manifest) {
    let folder = layout::pages_folder(&partition.folder);
    let mut gone: Vec<_> = digests(before).difference(&digests(current)).map(|digest| key(&folder, *digest)).collect();
    let base = |manifest: &Manifest| manifest.base.as_ref().map(|base| base.sha256);
    if let Some(old) = base(before).filter(|old| base(current) != Some(*old)) {
        gone.push(key(&layout::base_folder(&partition.folder), old));
    }
    for name in gone {
        if let Err(error) = core.pages.delete(&name).await {
            // No generation that is read names it: the next start removes it.
            warn!(%error, partition = %partition.folder, "a page of an old manifest could not be removed");
        }
    }
}

/// Reads what a generation names: its pages, and its base with the pages of that.
///
/// # Errors
/// What is wrong, with the name of the object.
pub(crate) async fn read(store: &dyn Store, folder: &str, manifest: &mut Manifest) -> Result<(), String> {
    let pages = layout::pages_folder(folder);
    let asked = |error: StoreError| error.to_string();
    fill(store, &pages, &mut manifest.pages).await.map_err(asked)??;
    if let Some(base) = &mut manifest.base {
        let name = key(&layout::base_folder(folder), base.sha256);
        let body = get(store, &name).await.map_err(asked)??;
        let mut shared = parse_shared(&body, base).map_err(|why| format!("{name}: {why}"))?;
        fill(store, &pages, &mut shared.pages).await.map_err(asked)??;
        shared.check()?;
        base.manifest = Arc::new(shared);
    }
    manifest.check()
}

/// Reads pages from where `folder` has them. The inner error says what is wrong with one, and names it.
///
/// # Errors
/// If the store could not be asked: nothing is known to be wrong.
pub(crate) async fn fill(
    store: &dyn Store,
    folder: &str,
    pages: &mut [Page],
) -> Result<Result<(), String>, StoreError> {
    for page in pages.iter_mut().filter(|page| page.entries.is_empty()) {
        let name = key(folder, page.sha256);
        let filled = match get(store, &name).await? {
            Ok(body) => page.fill(&body).map_err(|why| format!("{name}: {why}")),
            Err(why) => Err(why),
        };
        if filled.is_err() {
            return Ok(filled);
        }
    }
    Ok(Ok(()))
}

async fn get(store: &dyn Store, name: &str) -> Result<Result<Bytes, String>, StoreError> {
    Ok(store.get(name).await?.ok_or_else(|| format!("{name} is missing")))
}

fn parse_shared(body: &Bytes, base: &Base) -> Result<SharedManifest, String> {
    if Digest(crypto::sha256(body)) != base.sha256 {
        return Err("it does not have the digest that the manifest states".into());
    }
    let shared = SharedManifest::parse(body)?;
    if shared.generation != base.generation {
        return Err(format!("it is generation {}, the manifest says {}", shared.generation, base.generation));
    }
    Ok(shared)
}

/// The pages that a generation and its base name.
pub(crate) fn digests(manifest: &Manifest) -> BTreeSet<Digest> {
    let base = manifest.shared().into_iter().flat_map(|shared| &shared.pages);
    manifest.pages.iter().chain(base).map(|page| page.sha256).collect()
}

/// The key of an object that is named by its digest.
pub(crate) fn key(folder: &str, digest: Digest) -> String {
    format!("{folder}/{}", layout::page_name(digest))
}
