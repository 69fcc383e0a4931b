//! Opening a shared store by its address, and seeing that it is one that can be shared.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::chain::s3::{S3Settings, S3Store, SettingsError};
use crate::chain::{DiskStore, Store, probe};
use crate::crypto::{Register, tls};
use crate::host::Host;

/// Where a shared store is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreAddress {
    /// A folder that all nodes see: a local one, or NFS.
    Folder(PathBuf),
    /// A bucket: `s3://bucket/prefix`.
    Bucket(String),
}

/// Why there is no shared store.
#[derive(Debug, thiserror::Error)]
pub enum StoreOpenError {
    /// The settings are no use.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// TLS cannot be used.
    #[error("TLS to the shared store: {0}")]
    Tls(String),
    /// The store cannot be reached, or is not one that nodes can share safely.
    #[error("the shared store {name}: {why}")]
    Refused {
        /// Which.
        name: String,
        /// Why.
        why: String,
    },
}

impl StoreAddress {
    /// Reads `s3://bucket/prefix` or a path.
    ///
    /// # Errors
    /// If it is a URL of another kind.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("s3", _)) => Ok(Self::Bucket(text.to_owned())),
            Some((kind, _)) => {
                Err(format!("`{kind}://` is no kind of shared store: give a path or s3://bucket/prefix"))
            }
            None if text.is_empty() => Err("an empty path is no shared store".into()),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }
}

impl std::fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket(url) => f.write_str(url),
        }
    }
}

/// Opens a shared store in the name of a life, without testing it. `register` learns how it is reached.
///
/// # Errors
/// See [`StoreOpenError`].
pub async fn open_untested(
    host: &Host,
    address: &StoreAddress,
    variables: &BTreeMap<String, String>,
    life: &str,
    register: &Register,
) -> Result<Arc<dyn Store>, StoreOpenError> {
    match address {
        StoreAddress::Folder(path) => {
            // A folder that is made here may be one that a mount should have been at. What cannot be reached now may be
            // reached later.
            match host.remote_disk.list(path).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let why = "there is no such folder. Is it mounted? It is never made here".into();
                    return Err(StoreOpenError::Refused { name: address.to_string(), why });
                }
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                    return Err(StoreOpenError::Refused { name: address.to_string(), why: "it is no folder".into() });
                }
                _ => {}
            }
            Ok(Arc::new(DiskStore::shared(Arc::clone(&host.remote_disk), path.clone(), life.to_owned())))
        }
        StoreAddress::Bucket(url) => {
            let settings = S3Settings::new(url, variables)?.with_profile(&host.disk, variables).await?;
            let tls = register.note_client(trust(host, variables).await?);
            Ok(Arc::new(S3Store::open(host, &settings, tls)?))
        }
    }
}

/// Races creates on a store: one that lets two win is refused.
///
/// # Errors
/// See [`probe::ProbeError`].
pub async fn test(host: &Host, store: &Arc<dyn Store>) -> Result<(), probe::ProbeError> {
    probe::probe(store, PROBE_FOLDER, host.entropy.fork("probe").as_ref()).await
}

/// Opens a shared store and tests it.
///
/// # Errors
/// See [`StoreOpenError`].
pub async fn open_store(
    host: &Host,
    address: &StoreAddress,
    variables: &BTreeMap<String, String>,
    life: &str,
) -> Result<Arc<dyn Store>, StoreOpenError> {
    let store = open_untested(host, address, variables, life, &Register::default()).await?;
    let refused =
        |error: probe::ProbeError| StoreOpenError::Refused { name: address.to_string(), why: error.to_string() };
    test(host, &store).await.map_err(refused)?;
    Ok(store)
}

/// A client that trusts the machine's certificates, or those of `SSL_CERT_FILE`.
async fn trust(host: &Host, variables: &BTreeMap<String, String>) -> Result<tls::Client, StoreOpenError> {
    let named = variables.get("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let places: Vec<&str> = match named {
        Some(path) => vec![path.as_str()],
        None => BUNDLES.to_vec(),
    };
    for path in places {
        match read(host, Path::new(path)).await {
            Ok(pem) => {
                return tls::Client::trusting(&pem).map_err(|error| StoreOpenError::Tls(format!("{path}: {error}")));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {}
            Err(error) => return Err(StoreOpenError::Tls(format!("{path}: {error}"))),
        }
    }
    // Stores in the clear can be reached all the same; one that wants TLS says what is missing.
    Ok(tls::Client::refusing())
}

async fn read(host: &Host, path: &Path) -> io::Result<bytes::Bytes> {
    let file = host.disk.open(path).await?;
    let len = usize::try_from(file.len().await?.min(BUNDLE_BYTES_MAX)).map_err(io::Error::other)?;
    file.read_at(0, len).await
}

/// Where the test of a store leaves nothing.
const PROBE_FOLDER: &str = "probe";
/// Where distributions keep the certificates that a machine trusts.
const BUNDLES: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// No bundle is longer.
const BUNDLE_BYTES_MAX: u64 = 16 << 20;
