//! Which shared stores this node has shared events with.
//!
//! **Promise.** A node that has shared with a store takes no other one for it: a folder under a mount that is missing, a
//! bucket of the same name elsewhere, a store that was emptied. It would take what is not there for lost, and send
//! everything it has. That one store takes the place of another a person says, by `helios store adopt --replaces`.
//!
//! A store is told by a number that its first history was given, and that all later ones carry on: see [`incarnation`].

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::incarnation::{self, Stated};
use crate::chain::{DiskStore, Durability, Store, StoreError};
use crate::host::Host;

/// What a node's data directory says of the stores that it has shared with.
pub struct KnownStores {
    store: DiskStore,
    ids: Mutex<BTreeSet<String>>,
}

/// Why a store is not used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AnotherStore(String);

impl KnownStores {
    /// Reads them. The engine holds the directory.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn load(host: &Host, data_dir: &Path) -> io::Result<Self> {
        let store = DiskStore::new(Arc::clone(&host.disk), data_dir.to_path_buf(), Durability::FULL);
        let listed = (&store as &dyn Store).list_all(FOLDER, PREFIX).await.map_err(io::Error::other)?;
        let ids = listed.iter().filter_map(|object| object.name.strip_prefix(PREFIX)).map(str::to_owned).collect();
        Ok(Self { store, ids: Mutex::new(ids) })
    }

    /// Whether a store may be used that says this of itself.
    ///
    /// # Errors
    /// If this node has shared with another one, and this one does not take its place.
    pub(super) async fn check(&self, stated: Option<&Stated>) -> Result<(), AnotherStore> {
        let ids = self.ids.lock().await;
        let Some(known) = ids.last() else { return Ok(()) };
        let Some(stated) = stated else {
            return Err(AnotherStore(format!(
                "it is empty, and this node has shared its events with store {known}. Is the folder mounted, is the \
                 address right? If what that store had is lost: `helios store adopt --yes --replaces {known}`"
            )));
        };
        let is_known = ids.contains(&stated.store) || stated.replaces.iter().any(|id| ids.contains(id));
        // Early versions gave no number.
        if is_known || stated.store.is_empty() {
            return Ok(());
        }
        Err(AnotherStore(format!(
            "it is store {}, and this node has shared its events with store {known}. Is the folder mounted, is the \
             address right? If this one is to take its place: `helios store adopt --yes --replaces {known}`",
            stated.store
        )))
    }

    /// Notes, durably, that this node shares with a store.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) async fn add(&self, id: &str) -> Result<(), StoreError> {
        let mut ids = self.ids.lock().await;
        if !id.is_empty() && !ids.contains(id) {
            let _ = self.store.create(&format!("{FOLDER}/{PREFIX}{id}"), Bytes::new()).await?;
            ids.insert(id.to_owned());
        }
        Ok(())
    }
}

/// Whether text can be the number of a store.
///
/// # Errors
/// If it cannot.
pub fn parse_store_id(text: &str) -> Result<String, String> {
    let plain = text.len() == incarnation::ID_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if plain { Ok(text.to_owned()) } else { Err("the number of a store is 16 digits of 0 to 9 and a to f".into()) }
}

/// Where they are in the data directory: an empty file each.
const FOLDER: &str = "_node";
const PREFIX: &str = "store-";
