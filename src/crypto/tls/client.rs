//! TLS on the way out.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use tokio_rustls::TlsConnector;

use super::{Tally, policy};
use crate::crypto::Standing;
use crate::crypto::module::IS_FIPS_BUILD;
use crate::host::Stream;

/// Connects to servers whose certificates it can check.
#[derive(Clone, Debug)]
pub struct Client {
    config: Option<Arc<ClientConfig>>,
    tally: Arc<Tally>,
}

impl Client {
    /// A client that trusts the certificates of a PEM file. Certificates that can't be read are passed over, as
    /// everybody's bundle has some.
    ///
    /// # Errors
    /// If there is none that can be read.
    pub fn trusting(pem: &[u8]) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).flatten());
        if added == 0 {
            return Err(io::Error::other("the file of trusted certificates holds none that can be read"));
        }
        let config = ClientConfig::builder_with_provider(policy::provider()).with_protocol_versions(policy::VERSIONS);
        let mut config = config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
        config.require_ems = true;
        Ok(Self { config: Some(Arc::new(config)), tally: Arc::default() })
    }

    /// A client that trusts nobody, for those who connect in the clear only.
    pub fn refusing() -> Self {
        Self { config: None, tally: Arc::default() }
    }

    /// The same client, which counts into `tally`.
    pub fn counting(self, tally: Arc<Tally>) -> Self {
        Self { tally, ..self }
    }

    /// What stands behind it.
    pub fn standing(&self) -> Standing {
        match &self.config {
            Some(config) if !config.fips() => Standing::Unvalidated.min(Standing::of_module()),
            _ => Standing::of_module(),
        }
    }

    /// Makes a connection to `name` secure.
    ///
    /// # Errors
    /// If the certificate is not trusted or not for `name`, the server speaks nothing that is allowed here, or the
    /// connection breaks.
    pub async fn connect(&self, name: &str, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let Some(config) = &self.config else {
            return Err(io::Error::other(format!("no certificates to check {name} by: set SSL_CERT_FILE")));
        };
        let server = ServerName::try_from(bare(name).to_owned()).map_err(io::Error::other)?;
        let secure = TlsConnector::from(Arc::clone(config)).connect(server, stream).await;
        let secure = secure.inspect_err(|_| self.tally.refused()).map_err(|error| named(name, &error))?;
        let connection = secure.get_ref().1;
        if IS_FIPS_BUILD && !connection.fips() {
            self.tally.refused();
            return Err(io::Error::other(format!("the connection to {name} does not stand on the validated module")));
        }
        self.tally.done(connection);
        Ok(Box::new(secure))
    }
}

/// An address of IP version 6 without its brackets.
fn bare(name: &str) -> &str {
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}

/// What rustls says, and what it means where that is not plain.
fn named(name: &str, error: &io::Error) -> io::Error {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<Error>());
    let meaning = match inside {
        Some(Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion))
        | Some(Error::PeerIncompatible(_)) => SPOKEN,
        Some(Error::InvalidCertificate(CertificateError::BadSignature)) => SHORT_KEY,
        _ => "",
    };
    io::Error::new(error.kind(), format!("TLS with {name}: {error}{meaning}"))
}

const SPOKEN: &str = ". This side speaks TLS 1.3 and 1.2 with AES-GCM, over P-256, P-384 or X25519MLKEM768, with an extended master secret";
const SHORT_KEY: &str = ". An RSA key of less than 2048 bits is refused in this way too";
