//! TLS on the way out, by rustls on aws-lc-rs.
//!
//! Certificates are checked against the roots that the caller gives, and against nothing else.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::Standing;
use crate::host::Stream;

/// Connects to servers whose certificates it can check.
#[derive(Clone, Debug)]
pub struct Client(Option<Arc<ClientConfig>>);

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
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(Some(Arc::new(config))))
    }

    /// A client that trusts nobody, for those who connect in the clear only.
    pub fn refusing() -> Self {
        Self(None)
    }

    /// What stands behind it.
    pub fn standing(&self) -> Standing {
        match &self.0 {
            Some(config) if !config.fips() => Standing::Unvalidated.min(Standing::of_module()),
            _ => Standing::of_module(),
        }
    }

    /// Makes a connection to `name` secure.
    ///
    /// # Errors
    /// If the certificate is not trusted or not for `name`, or the connection breaks.
    pub async fn connect(&self, name: &str, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let Some(config) = &self.0 else {
            return Err(io::Error::other(format!("no certificates to check {name} by: set SSL_CERT_FILE")));
        };
        let server = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let secure = TlsConnector::from(Arc::clone(config)).connect(server, stream).await?;
        Ok(Box::new(secure))
    }
}
