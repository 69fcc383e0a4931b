//! A certificate chain and its private key, read from two files and checked before anybody is served with them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustls::InconsistentKeys;
use rustls::SignatureAlgorithm;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::{Validity, policy};
use crate::crypto::{hex, sha256};
use crate::host::{Disk, UnixNanos};

/// What a server shows, and where it is.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The file of the certificate chain, PEM.
    pub cert: PathBuf,
    /// The file of the private key, PEM.
    pub key: PathBuf,
}

/// The bytes of both files.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct PairBytes {
    cert: Bytes,
    key: Bytes,
}

/// A pair that fits.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) certified: Arc<CertifiedKey>,
    /// SHA-256 of the certificate, as everybody shows it.
    pub(super) fingerprint: String,
    pub(super) algorithm: &'static str,
    pub(super) validity: Option<Validity>,
    pub(super) since: UnixNanos,
}

/// Why a server can't be served with a pair.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file can't be read.
    #[error("{what} {path} cannot be read: {source}")]
    Unreadable {
        /// Which of the two.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// Everybody on this machine can read the key.
    #[error(
        "the TLS key {path} can be used by everybody on this machine (mode {mode:03o}): `chmod o= {path}`, and make a new one if anybody may have read it"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("{what} {path} is not usable: {why}")]
    Unfit {
        /// Which of the two.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong and what would be right.
        why: String,
    },
    /// The key is not that of the certificate.
    #[error("the TLS key {key} is not that of the certificate {cert}: name two files that belong together")]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl Pair {
    /// # Errors
    /// [`PairError::Unreadable`], [`PairError::Open`].
    pub(super) async fn read(&self, disk: &Arc<dyn Disk>) -> Result<PairBytes, PairError> {
        let cert = read(disk, &self.cert).await.map_err(|source| self.unreadable(CERT, source))?;
        let mode = disk.mode(&self.key).await.map_err(|source| self.unreadable(KEY, source))?;
        if let Some(mode) = mode.filter(|mode| mode & EVERYBODY != 0) {
            return Err(PairError::Open { path: self.key.clone(), mode });
        }
        let key = read(disk, &self.key).await.map_err(|source| self.unreadable(KEY, source))?;
        Ok(PairBytes { cert, key })
    }

    /// # Errors
    /// [`PairError::Unfit`], [`PairError::Mismatch`].
    pub(super) fn check(&self, bytes: &PairBytes, now: UnixNanos) -> Result<Loaded, PairError> {
        let unfit = |what, why: &str| PairError::Unfit { what, path: self.path(what), why: why.to_owned() };
        let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&bytes.cert).collect();
        let chain = chain.map_err(|_| unfit(CERT, "it is not PEM"))?;
        let Some(leaf) = chain.first() else {
            return Err(unfit(CERT, "it holds no `BEGIN CERTIFICATE`"));
        };
        let fingerprint = hex(&sha256(leaf));
        let validity = Validity::of(leaf);
        let key = PrivateKeyDer::from_pem_slice(&bytes.key)
            .map_err(|_| unfit(KEY, "it holds no private key in PEM that is not encrypted"))?;
        let key = policy::provider().key_provider.load_private_key(key).map_err(|_| unfit(KEY, KEYS_TAKEN))?;
        let algorithm = algorithm(key.algorithm());
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(PairError::Mismatch { cert: self.cert.clone(), key: self.key.clone() });
            }
            Err(error) => return Err(unfit(CERT, &format!("it is no certificate that can be read ({error})"))),
        }
        Ok(Loaded { certified: Arc::new(certified), fingerprint, algorithm, validity, since: now })
    }

    fn path(&self, what: &'static str) -> PathBuf {
        if what == KEY { self.key.clone() } else { self.cert.clone() }
    }

    fn unreadable(&self, what: &'static str, source: io::Error) -> PairError {
        PairError::Unreadable { what, path: self.path(what), source }
    }
}

async fn read(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<Bytes> {
    let file = disk.open(path).await?;
    let len = file.len().await?;
    if len > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it has {len} bytes, more than {FILE_BYTES_MAX}")));
    }
    file.read_at(0, usize::try_from(len).expect("bounded by FILE_BYTES_MAX")).await
}

fn algorithm(algorithm: SignatureAlgorithm) -> &'static str {
    match algorithm {
        SignatureAlgorithm::RSA => "RSA",
        SignatureAlgorithm::ECDSA => "ECDSA",
        SignatureAlgorithm::ED25519 => "Ed25519",
        _ => "other",
    }
}

const CERT: &str = "the TLS certificate";
const KEY: &str = "the TLS key";
const KEYS_TAKEN: &str = "a key must be RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519, \
                          as PKCS#8, PKCS#1 or SEC1";
const _: () = assert!(policy::RSA_BITS_MIN == 2_048, "KEYS_TAKEN says so");

/// Permissions of everybody. The group may read: on many systems a group of its own may read keys.
const EVERYBODY: u32 = 0o007;

/// A chain of certificates is a few KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;
