//! What signs requests: the module, through the room `crypto`.

use object_store::aws::AmazonS3ConfigKey;
use object_store::client::{CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, Signer, SigningAlgorithm};
use object_store::{Error, Result};

use super::SettingsError;
use crate::chain::store::BoxError;
use crate::crypto::{HMAC_KEY_BYTES_MIN, HmacSha256, SHA256_BYTES, Sha256};

/// Lends the module to the client of the store.
#[derive(Debug)]
pub(super) struct ModuleCrypto;

impl CryptoProvider for ModuleCrypto {
    fn digest(&self, algorithm: DigestAlgorithm) -> Result<Box<dyn DigestContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => Ok(Box::new(Digest { hasher: Some(Sha256::new()), out: [0; SHA256_BYTES] })),
            other => Err(unknown(format!("{other:?}"))),
        }
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> Result<Box<dyn HmacContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => {
                let hmac = HmacSha256::new(secret).map_err(|error| failed(format!("{SHORT_SECRET}: {error}")))?;
                Ok(Box::new(Code { hmac: Some(hmac), out: [0; SHA256_BYTES] }))
            }
            other => Err(unknown(format!("{other:?}"))),
        }
    }

    fn sign(&self, algorithm: SigningAlgorithm, _pem: &[u8]) -> Result<Box<dyn Signer>> {
        Err(unknown(format!("{algorithm:?}")))
    }
}

/// Refuses a secret key that signs nothing, where it is known before the first request.
///
/// # Errors
/// If there is one that is too short.
pub(super) fn check_secret(options: &[(AmazonS3ConfigKey, String)]) -> Result<(), SettingsError> {
    let mut secrets = options.iter().filter(|(key, _)| *key == AmazonS3ConfigKey::SecretAccessKey);
    match secrets.all(|(_, secret)| SCHEME.len() + secret.len() >= HMAC_KEY_BYTES_MIN) {
        true => Ok(()),
        false => Err(SettingsError(SHORT_SECRET.to_owned())),
    }
}

struct Digest {
    hasher: Option<Sha256>,
    out: [u8; SHA256_BYTES],
}

impl DigestContext for Digest {
    fn update(&mut self, data: &[u8]) {
        self.hasher.as_mut().expect(NOT_AGAIN).update(data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.out = self.hasher.take().expect(NOT_AGAIN).finish();
        Ok(&self.out)
    }
}

struct Code {
    hmac: Option<HmacSha256>,
    out: [u8; SHA256_BYTES],
}

impl HmacContext for Code {
    fn update(&mut self, data: &[u8]) {
        self.hmac.as_mut().expect(NOT_AGAIN).update(data);
    }

    fn finish(&mut self) -> Result<&[u8]> {
        self.out = self.hmac.take().expect(NOT_AGAIN).finish().map_err(failed)?;
        Ok(&self.out)
    }
}

fn unknown(algorithm: String) -> Error {
    failed(format!("{algorithm} is not used with this store"))
}

fn failed(why: impl Into<BoxError>) -> Error {
    Error::Generic { store: "S3", source: why.into() }
}

const NOT_AGAIN: &str = "the client uses a context once";
const SHORT_SECRET: &str = "requests cannot be signed: the secret key must have 10 characters or more";
/// What stands before the secret in the first key of a signature.
const SCHEME: &str = "AWS4";
const _: () = assert!(SCHEME.len() + 10 == HMAC_KEY_BYTES_MIN, "SHORT_SECRET says so");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_less_than_112_bits_signs_nothing() {
        let hmac =
            |secret: &str| ModuleCrypto.hmac(DigestAlgorithm::Sha256, format!("AWS4{secret}").as_bytes()).is_ok();
        assert!(hmac("0123456789") && !hmac("012345678"));
        let error = ModuleCrypto.hmac(DigestAlgorithm::Sha256, b"AWS4short").err().unwrap();
        assert!(error.to_string().contains("10 characters"), "{error}");
        let check = |secret: &str| check_secret(&[(AmazonS3ConfigKey::SecretAccessKey, secret.to_owned())]);
        assert!(check("0123456789").is_ok() && check_secret(&[]).is_ok());
        assert!(check("012345678").unwrap_err().to_string().contains("10 characters"));
    }
}
