//! TLS on the way in.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::pair::{Loaded, PairBytes};
use super::{Pair, PairError, Tally, Validity, policy};
use crate::crypto::Standing;
use crate::crypto::module::IS_FIPS_BUILD;
use crate::host::{Disk, Host, Stream, UnixNanos};

/// Makes connections of clients secure, with a certificate that can be replaced while it serves.
pub struct Server {
    pair: Pair,
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    tally: Arc<Tally>,
    watched: Mutex<Watched>,
}

/// The certificate in use.
#[derive(Debug)]
struct Shown(RwLock<Arc<Loaded>>);

/// What was found in the files.
struct Watched {
    /// What was tried last, whether it was taken or not.
    tried: PairBytes,
    /// What was found last.
    found: PairBytes,
}

/// What a look at the files gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reload {
    /// They are as they were when they were tried last.
    Same,
    /// They have changed since the last look: the next one tries them, if they stay as they are. Two files are not
    /// replaced at once.
    Changing,
    /// New ones are in use, for connections from now on.
    Taken,
}

/// What a listener shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShownKey {
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Of the key.
    pub algorithm: &'static str,
    /// From when until when the certificate is good, if it says so. Clients refuse it at any other time.
    pub validity: Option<Validity>,
    /// Since when it is in use.
    pub since: UnixNanos,
}

impl Server {
    /// Reads and checks the pair.
    ///
    /// # Errors
    /// See [`PairError`].
    pub async fn open(host: &Host, pair: Pair, tally: Arc<Tally>) -> Result<Self, PairError> {
        let bytes = pair.read(&host.disk).await?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(pair.check(&bytes, host.clock.wall())?))));
        let config = ServerConfig::builder_with_provider(policy::provider())
            .with_protocol_versions(policy::VERSIONS)
            .expect("every suite that is spoken has one of the versions");
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::clone(&shown) as _);
        config.require_ems = true;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let watched = Mutex::new(Watched { tried: bytes.clone(), found: bytes });
        Ok(Self { pair, config: Arc::new(config), shown, tally, watched })
    }

    /// Makes a connection secure. Without a time limit of its own.
    ///
    /// # Errors
    /// If the client speaks nothing that is allowed here, or the connection breaks.
    ///
    /// # Cancel safety
    /// After a drop the connection is gone, and is counted as refused by nobody: see [`Server::gave_up`].
    pub async fn accept(&self, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let accepted = TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await;
        let secure = accepted.inspect_err(|_| self.tally.refused())?;
        let connection = secure.get_ref().1;
        if IS_FIPS_BUILD && !connection.fips() {
            self.tally.refused();
            return Err(io::Error::other("the connection does not stand on the validated module"));
        }
        self.tally.done(connection);
        Ok(Box::new(secure))
    }

    /// Counts a handshake that was not waited for to its end.
    pub fn gave_up(&self) {
        self.tally.refused();
    }

    /// Looks whether the files have changed, and takes what is new once it has settled.
    ///
    /// # Errors
    /// If what is new is no use, once for each change. What was in use stays in use.
    pub async fn look(&self, disk: &Arc<dyn Disk>, now: UnixNanos) -> Result<Reload, PairError> {
        let found = self.pair.read(disk).await?;
        {
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            let has_settled = watched.found == found;
            watched.found = found.clone();
            if watched.tried == found {
                return Ok(Reload::Same);
            }
            if !has_settled {
                return Ok(Reload::Changing);
            }
        }
        self.take(found, now)
    }

    /// Takes what is in the files now.
    ///
    /// # Errors
    /// If it is no use. What was in use stays in use.
    pub async fn reload(&self, disk: &Arc<dyn Disk>, now: UnixNanos) -> Result<(), PairError> {
        let found = self.pair.read(disk).await?;
        self.take(found, now).map(|_| ())
    }

    fn take(&self, found: PairBytes, now: UnixNanos) -> Result<Reload, PairError> {
        let checked = self.pair.check(&found, now);
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).tried = found;
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(checked?);
        Ok(Reload::Taken)
    }

    /// The certificate in use.
    pub fn shown(&self) -> ShownKey {
        let loaded = self.shown.get();
        let Loaded { algorithm, validity, since, .. } = *loaded;
        ShownKey { fingerprint: loaded.fingerprint.clone(), algorithm, validity, since }
    }

    /// The files.
    pub fn paths(&self) -> [&PathBuf; 2] {
        [&self.pair.cert, &self.pair.key]
    }

    /// What stands behind it.
    pub fn standing(&self) -> Standing {
        if self.config.fips() { Standing::of_module() } else { Standing::Unvalidated.min(Standing::of_module()) }
    }
}

impl Shown {
    fn get(&self) -> Arc<Loaded> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.get().certified))
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("shown", &self.shown().fingerprint).finish_non_exhaustive()
    }
}
