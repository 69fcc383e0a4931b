//! Signatures of releases: ECDSA on P-256 and P-384, checked and never made here.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, EcdsaVerificationAlgorithm};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, SubjectPublicKeyInfoDer};

use super::module::{self, CallError};
use super::{hex, sha256};

/// A public key whose holder is trusted.
#[derive(Debug)]
pub struct PublicKey {
    curve: Curve,
    /// The uncompressed point.
    point: Vec<u8>,
    fingerprint: String,
}

/// Why a file is no key to check by.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is a secret that should not be here.
    #[error("it holds a private key, which belongs to the signer alone: take its public half (`openssl pkey -pubout`)")]
    Private,
    /// It is a certificate.
    #[error("it holds a certificate; the key alone is wanted (`openssl x509 -pubkey -noout`)")]
    Certificate,
    /// It is no PEM file with a public key.
    #[error("it holds no public key in PEM, which begins with `-----BEGIN PUBLIC KEY-----`")]
    NoKey,
    /// More than one: by which of them?
    #[error("it holds more than one public key; give the one to check by")]
    Several,
    /// A kind of key that is not taken.
    #[error("its key is of another kind: ECDSA on P-256 or P-384 is wanted, with the point uncompressed")]
    OtherKind,
}

/// Why a signature is not believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureError {
    /// It was not made by this key over these bytes, without a word on what is wrong with it.
    #[error("the signature is not of this key over these bytes")]
    NotGenuine,
    /// The module did not count the check as an approved service.
    #[error("the cryptographic module did not approve: report this as a bug")]
    NotApproved,
}

#[derive(Clone, Copy, Debug)]
enum Curve {
    P256,
    P384,
}

impl PublicKey {
    /// The key in the text of a PEM file.
    ///
    /// # Errors
    /// If there is not exactly one public key, on P-256 or P-384.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        // A pasted secret must be said even where a public key stands beside it.
        if PrivateKeyDer::pem_slice_iter(text).any(|found| found.is_ok()) {
            return Err(KeyError::Private);
        }
        let keys: Result<Vec<_>, pem::Error> = SubjectPublicKeyInfoDer::pem_slice_iter(text).collect();
        match keys.map_err(|_| KeyError::NoKey)?.as_slice() {
            [key] => Self::from_der(key),
            [] if CertificateDer::from_pem_slice(text).is_ok() => Err(KeyError::Certificate),
            [] => Err(KeyError::NoKey),
            _ => Err(KeyError::Several),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let curve_and_point = [Curve::P256, Curve::P384].into_iter().find_map(|curve| {
            let point = der.strip_prefix(curve.der_prefix())?;
            (point.len() == curve.point_bytes() && point[0] == UNCOMPRESSED).then(|| (curve, point.to_vec()))
        });
        let (curve, point) = curve_and_point.ok_or(KeyError::OtherKind)?;
        Ok(Self { curve, point, fingerprint: hex(&sha256(der)) })
    }

    /// The SHA-256 digest of the key's DER form, in hexadecimal: what people compare.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// How it signs.
    pub fn algorithm(&self) -> &'static str {
        match self.curve {
            Curve::P256 => "ECDSA P-256 with SHA-256",
            Curve::P384 => "ECDSA P-384 with SHA-384",
        }
    }

    /// Checks a DER signature over `message`.
    ///
    /// # Errors
    /// [`SignatureError::NotGenuine`] if it is not of this key over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let algorithm = self.curve.algorithm();
        let key = aws_lc_rs::signature::UnparsedPublicKey::new(algorithm, &self.point);
        module::call(|| key.verify(message, signature)).map_err(|error| match error {
            CallError::Refused(_) => SignatureError::NotGenuine,
            CallError::NotApproved => SignatureError::NotApproved,
        })
    }
}

impl Curve {
    fn algorithm(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::P384 => &ECDSA_P384_SHA384_ASN1,
        }
    }

    /// What stands before the point in a key's DER form (RFC 5480): there is one form for each curve, so that it is
    /// compared and not parsed.
    fn der_prefix(self) -> &'static [u8] {
        match self {
            Self::P256 => &[
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
                0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ],
            Self::P384 => &[
                0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
                0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
            ],
        }
    }

    fn point_bytes(self) -> usize {
        match self {
            Self::P256 => 1 + 2 * 32,
            Self::P384 => 1 + 2 * 48,
        }
    }
}

/// The first byte of a point that is given by both of its coordinates.
const UNCOMPRESSED: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digit).collect()
    }

    /// A DER signature of its two numbers, whose first bits are given as they are in the examples.
    fn der(numbers: [&str; 2]) -> Vec<u8> {
        let number = |text: &str| {
            let mut bytes = unhex(text);
            if bytes[0] & 0x80 != 0 {
                bytes.insert(0, 0);
            }
            [&[0x02, u8::try_from(bytes.len()).unwrap()], bytes.as_slice()].concat()
        };
        let both = numbers.map(number).concat();
        [&[0x30, u8::try_from(both.len()).unwrap()], both.as_slice()].concat()
    }

    fn check(curve: Curve, point: [&str; 2], signature: [&str; 2]) {
        let key = [curve.der_prefix(), &[UNCOMPRESSED], &unhex(&point.concat())].concat();
        let key = PublicKey::from_der(&key).unwrap();
        let signature = der(signature);
        assert_eq!(key.verify(b"sample", &signature), Ok(()), "{curve:?}");
        assert_eq!(key.verify(b"simple", &signature), Err(SignatureError::NotGenuine), "{curve:?}");
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert_eq!(key.verify(b"sample", &changed), Err(SignatureError::NotGenuine), "{curve:?}, byte {at}");
        }
    }

    /// RFC 6979, A.2.5 and A.2.6, the message "sample".
    #[test]
    fn the_published_signatures_are_genuine_and_not_with_a_bit_changed() {
        check(
            Curve::P256,
            [
                "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
                "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
            ],
            [
                "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
                "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
            ],
        );
        check(
            Curve::P384,
            [
                "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13",
                "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
            ],
            [
                "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
                "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
            ],
        );
    }
}
