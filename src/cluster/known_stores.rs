//! Which shared store this node shares events with.
//!
//! **Promise.** A node that has shared with a store takes no other one for it: a folder under a mount that is missing, a
//! bucket of the same name elsewhere, a store that was emptied, one that has been replaced. It would take what is not there
//! for lost, and send everything it has. That one store takes the place of another a person says, by `helios store adopt
//! --replaces`.
//!
//! A store is told by a number that its first history was given, and that all later ones carry on: see [`incarnation`].

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::incarnation::{self, Stated};
use crate::chain::{Create, DiskStore, Durability, Store, StoreError};
use crate::host::Host;

/// What a node's data directory says of the stores that it has shared with.
pub struct KnownStores {
    store: DiskStore,
    newest: Mutex<Newest>,
}

/// The store that it shares with now: the last of those that it ever has.
#[derive(Default)]
struct Newest {
    /// How many there were.
    number: u64,
    id: Option<String>,
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
        // DURABLE: what is believed here must still be there after the next power cut.
        store.harden(FOLDER).await.map_err(io::Error::other)?;
        let listed = (&store as &dyn Store).list_all(FOLDER, PREFIX).await.map_err(io::Error::other)?;
        let newest = listed.iter().filter_map(|object| parse(&object.name)).max();
        let newest = newest.map(|(number, id)| Newest { number, id: Some(id.to_owned()) }).unwrap_or_default();
        Ok(Self { store, newest: Mutex::new(newest) })
    }

    /// Whether a store may be used that says this of itself.
    ///
    /// # Errors
    /// If this node has shared with another one, and this one does not take its place.
    pub(super) async fn check(&self, stated: Option<&Stated>) -> Result<(), AnotherStore> {
        let newest = self.newest.lock().await;
        let Some(known) = &newest.id else { return Ok(()) };
        let found = match stated {
            // Early versions gave no number.
            Some(it) if it.store == *known || it.replaces.contains(known) || it.store.is_empty() => return Ok(()),
            Some(it) => format!("store {}", it.store),
            None => "empty".to_owned(),
        };
        Err(AnotherStore(format!(
            "it is {found}, and this node shares its events with store {known}. Is the folder mounted, is the address \
             right? If what that store had is lost, this one can take its place: \
             `helios store adopt --shared-store … --yes --replaces {known}`"
        )))
    }

    /// Notes, durably, that this node shares with a store from now on.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) async fn add(&self, id: &str) -> Result<(), StoreError> {
        let mut newest = self.newest.lock().await;
        if id.is_empty() || newest.id.as_deref() == Some(id) {
            return Ok(());
        }
        let number = newest.number + 1;
        let key = format!("{FOLDER}/{PREFIX}{number:0NUMBER_DIGITS$}-{id}");
        match self.store.create(&key, Bytes::new()).await? {
            Create::Created => {}
            // An earlier try made it, and may have ended before its name was durable.
            Create::Exists => self.store.harden(FOLDER).await?,
        }
        *newest = Newest { number, id: Some(id.to_owned()) };
        Ok(())
    }
}

/// Number and store that a file's name states.
fn parse(name: &str) -> Option<(u64, &str)> {
    let (number, id) = name.strip_prefix(PREFIX)?.split_once('-')?;
    Some((number.parse().ok()?, id))
}

/// Whether text can be the number of a store.
///
/// # Errors
/// If it cannot.
pub fn parse_store_id(text: &str) -> Result<String, String> {
    if incarnation::is_id(text) {
        Ok(text.to_owned())
    } else {
        Err("the number of a store is 16 digits of 0 to 9 and a to f".into())
    }
}

/// Where they are in the data directory: an empty file each, `store-<how many>-<its number>`.
const FOLDER: &str = "_node";
const PREFIX: &str = "store-";
const NUMBER_DIGITS: usize = 6;
