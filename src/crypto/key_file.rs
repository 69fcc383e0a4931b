//! A key in a file of its own, outside of the data directory: made once, readable by nobody else, never
//! replaced.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{KEY_BYTES, SealingKey, hex};
use crate::host::{Disk, Entropy, Host, UnixNanos};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others on this machine can read or change it.
    #[error(
        "{path} can be used by others (mode {mode:03o}): `chmod 600` it, and make a new key if anybody may have read it"
    )]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no key.
    #[error("{path} holds no key: {why}. Restore it from where you keep a copy; without it nothing sealed can be read")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It lies where copies of the data go.
    #[error("{path} is inside of the data directory: a copy of the data would hold its key. Put it elsewhere")]
    Inside {
        /// Which file.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{path} exists: a key is never replaced, since what it sealed would be lost. Name another file")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The disk says no.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Who hands a key file to this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keeper {
    /// It is the user's own file: nobody else has anything to do with it.
    User,
    /// A service manager, in a folder that this process alone sees (`systemd.exec(5)`, credentials). The file is
    /// root's, and an access list lets the service's user read it, which the bits of the group stand for.
    ServiceManager,
}

impl Keeper {
    /// The permissions that nobody may have.
    fn forbidden(self) -> u32 {
        match self {
            Self::User => 0o077,
            Self::ServiceManager => 0o037,
        }
    }
}

/// What the file says.
#[derive(Deserialize, Serialize)]
struct KeyFile {
    format: u32,
    id: String,
    key: String,
    /// When it was made, in seconds since 1970. Keys of early versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made: Option<u64>,
}

/// The bytes of a key and its id. Not printed by anything.
pub struct KeyMaterial {
    id: String,
    bytes: [u8; KEY_BYTES],
    made: Option<u64>,
}

impl KeyMaterial {
    /// Draws a new key.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let (mut id, mut bytes) = ([0; 8], [0; KEY_BYTES]);
        entropy.fill(&mut id);
        entropy.fill(&mut bytes);
        Self { id: hex(&id), bytes, made: None }
    }

    /// A key whose nonces come from the cryptographic module.
    pub fn key(&self) -> SealingKey {
        let made = self.made.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(NANOS_PER_SECOND));
        SealingKey::new(self.id.clone(), &self.bytes).made_at(made.map(UnixNanos))
    }

    /// Names the key. Not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A key for simulations: see [`SealingKey::stand_in`].
    #[cfg(any(test, feature = "mutants"))]
    pub fn stand_in(&self, entropy: Arc<dyn Entropy>) -> SealingKey {
        SealingKey::stand_in(self.id.clone(), &self.bytes, entropy)
    }
}

/// The key in the file at `path`; `None` if there is no such file.
///
/// # Errors
/// If others can use the file, or it is no key, or lies inside of `data_directory`.
pub async fn load(
    disk: &Arc<dyn Disk>,
    path: &Path,
    data_directory: &Path,
    keeper: Keeper,
) -> Result<Option<KeyMaterial>, KeyFileError> {
    refuse_inside(path, data_directory)?;
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let file = match disk.open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if let Some(mode) = disk.mode(path).await.map_err(io)?
        && mode & keeper.forbidden() != 0
    {
        return Err(KeyFileError::Open { path: path.to_owned(), mode });
    }
    let malformed = |why: &str| KeyFileError::Malformed { path: path.to_owned(), why: why.to_owned() };
    let len = file.len().await.map_err(io)?;
    if len > FILE_BYTES_MAX {
        return Err(malformed("it is too long"));
    }
    let bytes = file.read_at(0, usize::try_from(len).expect("bounded by FILE_BYTES_MAX")).await.map_err(io)?;
    parse(&bytes).map(Some).map_err(malformed)
}

/// Draws a key and puts it into a new file at `path`, durably. If another process was faster, its key is read.
///
/// # Errors
/// As [`load`].
pub async fn make(
    host: &Host,
    entropy: &dyn Entropy,
    path: &Path,
    data_directory: &Path,
) -> Result<KeyMaterial, KeyFileError> {
    refuse_inside(path, data_directory)?;
    match create(host, entropy, path).await {
        Err(KeyFileError::Exists { .. }) => {
            let gone = || KeyFileError::Io { path: path.to_owned(), source: io::ErrorKind::NotFound.into() };
            load(&host.disk, path, data_directory, Keeper::User).await?.ok_or_else(gone)
        }
        made => made,
    }
}

/// Draws a key and puts it into a new file at `path`, durably.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::Io`]: nothing was changed then.
pub async fn create(host: &Host, entropy: &dyn Entropy, path: &Path) -> Result<KeyMaterial, KeyFileError> {
    let made = u64::try_from(host.clock.wall().0 / NANOS_PER_SECOND).ok();
    let material = KeyMaterial { made, ..KeyMaterial::draw(entropy) };
    let file = KeyFile { format: FILE_FORMAT, id: material.id.clone(), key: hex(&material.bytes), made };
    let text = serde_json::to_vec_pretty(&file).expect("a key file is plain data");
    match write(&host.disk, path, text.into(), &material.id).await {
        Ok(()) => Ok(material),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(KeyFileError::Exists { path: path.to_owned() })
        }
        Err(source) => Err(KeyFileError::Io { path: path.to_owned(), source }),
    }
}

/// Whole or not at all: half a key would be taken for a damaged one, and what a lost one sealed is lost.
async fn write(disk: &Arc<dyn Disk>, path: &Path, text: Bytes, id: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("{id}.tmp"));
    let linked = async {
        let file = disk.create_private(&temporary).await?;
        file.append(text).await?;
        file.sync().await?;
        disk.link(&temporary, path).await
    };
    let linked = linked.await;
    let _ = disk.remove_file(&temporary).await;
    linked?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk.sync_dir(folder).await
}

fn refuse_inside(path: &Path, data_directory: &Path) -> Result<(), KeyFileError> {
    let inside = match (std::path::absolute(path), std::path::absolute(data_directory)) {
        (Ok(path), Ok(data)) => path.starts_with(data),
        _ => path.starts_with(data_directory),
    };
    if inside { Err(KeyFileError::Inside { path: path.to_owned() }) } else { Ok(()) }
}

fn parse(bytes: &[u8]) -> Result<KeyMaterial, &'static str> {
    // What the parser would say of the text could hold a part of the key.
    let file: KeyFile = serde_json::from_slice(bytes).map_err(|_| "it is not the JSON that a key file is")?;
    if file.format != FILE_FORMAT {
        return Err("its format is not known to this version");
    }
    let plain = file.id.len() <= ID_BYTES_MAX && file.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if file.id.is_empty() || !plain {
        return Err("its id is odd");
    }
    let bytes = unhex(&file.key).ok_or("its key is not 64 hexadecimal digits")?;
    Ok(KeyMaterial { id: file.id, bytes, made: file.made })
}

fn unhex(text: &str) -> Option<[u8; KEY_BYTES]> {
    let digits: Vec<u8> =
        text.bytes().map(|b| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == KEY_BYTES * 2 { bytes.try_into().ok() } else { None }
}

/// What a key file says of itself.
const FILE_FORMAT: u32 = 1;

/// A key file is a few lines.
const FILE_BYTES_MAX: u64 = 4_096;

const ID_BYTES_MAX: usize = 64;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;
    use crate::host::real;

    fn host() -> Host {
        real::host(Arc::new(Random::new()), 1).unwrap()
    }

    #[tokio::test]
    async fn a_key_is_made_once_for_its_owner_alone() {
        let (folder, host) = (tempfile::tempdir().unwrap(), host());
        let disk = Arc::clone(&host.disk);
        let (path, data) = (folder.path().join("secret.json"), folder.path().join("data"));
        assert!(load(&disk, &path, &data, Keeper::User).await.unwrap().is_none());
        let made = make(&host, &Random::new(), &path, &data).await.unwrap();
        assert_eq!(disk.mode(&path).await.unwrap(), Some(0o600));
        let again = make(&host, &Random::new(), &path, &data).await.unwrap();
        let loaded = load(&disk, &path, &data, Keeper::User).await.unwrap().unwrap();
        assert!(made.bytes == again.bytes && made.bytes == loaded.bytes && made.id == loaded.id);
        assert_eq!(disk.list(folder.path()).await.unwrap().len(), 1, "no temporary is left");
    }

    #[tokio::test]
    async fn a_key_that_is_asked_for_by_hand_replaces_none_and_knows_its_age() {
        let (folder, host) = (tempfile::tempdir().unwrap(), host());
        let path = folder.path().join("secret.json");
        let made = create(&host, &Random::new(), &path).await.unwrap();
        let refused = create(&host, &Random::new(), &path).await;
        assert!(matches!(refused, Err(KeyFileError::Exists { .. })));
        let loaded = load(&host.disk, &path, &folder.path().join("data"), Keeper::User).await.unwrap().unwrap();
        assert!(made.bytes == loaded.bytes && made.key().made().is_some());
        assert_eq!(made.key().made(), loaded.key().made());
    }

    #[tokio::test]
    async fn a_key_that_others_can_read_is_refused() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), host().disk);
        let path = folder.path().join("secret.json");
        let file = disk.create_new(&path).await.unwrap();
        file.append(r#"{"format":1,"id":"a","key":"00"}"#.into()).await.unwrap();
        let data = folder.path().join("data");
        let mode = disk.mode(&path).await.unwrap().unwrap();
        assert!(mode & Keeper::User.forbidden() != 0, "this machine's new files are readable by others");
        assert!(matches!(load(&disk, &path, &data, Keeper::User).await, Err(KeyFileError::Open { .. })));
        assert!(matches!(load(&disk, &path, &data, Keeper::ServiceManager).await, Err(KeyFileError::Open { .. })));
    }

    #[test]
    fn the_group_may_read_what_a_service_manager_hands_down_and_nothing_else() {
        let refuses = |keeper: Keeper, mode: u32| mode & keeper.forbidden() != 0;
        for (mode, users, managers) in
            [(0o600, false, false), (0o440, true, false), (0o460, true, true), (0o444, true, true), (0o404, true, true)]
        {
            assert_eq!(refuses(Keeper::User, mode), users, "{mode:o}");
            assert_eq!(refuses(Keeper::ServiceManager, mode), managers, "{mode:o}");
        }
    }

    #[tokio::test]
    async fn a_key_inside_of_the_data_directory_is_refused() {
        let (folder, host) = (tempfile::tempdir().unwrap(), host());
        let path = folder.path().join("secret.json");
        assert!(matches!(load(&host.disk, &path, folder.path(), Keeper::User).await, Err(KeyFileError::Inside { .. })));
        let made = make(&host, &Random::new(), &path, folder.path()).await;
        assert!(matches!(made, Err(KeyFileError::Inside { .. })));
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let hex64 = "ab".repeat(32);
        assert!(parse(format!(r#"{{"format":1,"id":"x","key":"{hex64}"}}"#).as_bytes()).is_ok());
        for wrong in [
            String::new(),
            "[]".into(),
            format!(r#"{{"format":2,"id":"x","key":"{hex64}"}}"#),
            format!(r#"{{"format":1,"id":"","key":"{hex64}"}}"#),
            format!(r#"{{"format":1,"id":"x","key":"{}"}}"#, &hex64[2..]),
            format!(r#"{{"format":1,"id":"x","key":"{}"}}"#, "zz".repeat(32)),
            format!(r#"{{"format":1,"id":"x","key":"{}"}}"#, "é".repeat(32)),
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
