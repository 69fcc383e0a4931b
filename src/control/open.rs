//! Starting: which key, and whether it is the one that the documents were sealed with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Control, ControlError, Sealing, Swap};
use crate::chain::Store;
use crate::crypto::Register;
use crate::crypto::key_file::{self, KeyFileError};
use crate::host::Host;

/// Where the control plane is, and how it is kept.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the documents, below the store.
    pub root: String,
    /// The file of the key, outside of the data directory.
    pub key_path: PathBuf,
    /// The data directory.
    pub data_directory: PathBuf,
    /// Whether documents are sealed.
    pub encryption: bool,
    /// Where the key is noted.
    pub register: Register,
    /// How old a document may be that [`Control::read`] gives.
    pub cache_ttl: Duration,
}

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The key file is no use.
    #[error("{0}")]
    KeyFile(#[from] KeyFileError),
    /// There are sealed documents, and no key.
    #[error("the control documents are sealed, and there is no key file at {0}: copy it from another node or a backup")]
    NoKey(PathBuf),
    /// The documents can't be read with this key.
    #[error("{0}")]
    Control(#[from] ControlError),
}

/// Opens the control plane in `store`: reads the key, or makes one if there are no documents yet, and sees that
/// it opens what is there.
///
/// # Errors
/// If the key is missing, wrong or readable by others, or the store can't be asked.
pub async fn open(host: &Host, store: Arc<dyn Store>, life: &str, place: &Place) -> Result<Control, OpenError> {
    let sealing = if place.encryption { sealing(host, &store, place).await? } else { Sealing::Off };
    let control = Control::new(store, &place.root, host, life, sealing, place.cache_ttl);
    witness(&control).await?;
    Ok(control)
}

async fn sealing(host: &Host, store: &Arc<dyn Store>, place: &Place) -> Result<Sealing, OpenError> {
    let found = key_file::load(&host.disk, &place.key_path, &place.data_directory).await?;
    let material = match found {
        Some(material) => material,
        None => {
            let witnesses =
                store.list_all(&format!("{}/{WITNESS}", place.root), "").await.map_err(ControlError::Store)?;
            // A new key next to documents of another would hide that the right one is missing.
            if !witnesses.is_empty() {
                return Err(OpenError::NoKey(place.key_path.clone()));
            }
            let entropy = host.entropy.fork("control-key");
            key_file::make(host, entropy.as_ref(), &place.key_path, &place.data_directory).await?
        }
    };
    let key = Arc::new(material.key());
    place.register.note_sealing(&key);
    Ok(Sealing::On(key))
}

/// Reads the document by which a key is known to be right, or writes it if there is none. Two nodes that start
/// at the same time with two new keys meet here: one of them wins, and the other is told.
async fn witness(control: &Control) -> Result<(), ControlError> {
    if control.read_now(WITNESS).await?.is_some() {
        return Ok(());
    }
    let id = match control.sealing() {
        Sealing::On(key) => Value::from(key.id()),
        Sealing::Off => Value::Null,
    };
    match control.swap(WITNESS, None, Map::from_iter([("key".to_owned(), id)])).await? {
        Swap::Done(_) | Swap::Lost(_) => Ok(()),
        Swap::Unknown(error) => Err(error.into()),
    }
}

/// The document that tells the right key from a wrong one.
const WITNESS: &str = "key";
