//! The bytes of a document: sealed, or readable JSON where the operator wants that.
//!
//! A sealed body is a line of JSON in the clear, `{"sealed":1,"key":<id>,"nonce":<hex>}`, and what it seals.
//! Name and generation are not in it: they are bound to it, so that no document can pass for another one or
//! for an older one.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::crypto::{NONCE_BYTES, SealError, SealingKey, hex};

/// How documents are kept.
#[derive(Debug)]
pub enum Sealing {
    /// Sealed with this key.
    On(Arc<SealingKey>),
    /// As readable JSON: `HELIOS_CONTROL_ENCRYPTION=off`.
    Off,
}

/// What is wrong with a body.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// Another key sealed it.
    #[error(
        "it was sealed with key {sealed_by}, and this node has key {ours}: give it the key file that the other nodes have"
    )]
    WrongKey {
        /// The id in its header.
        sealed_by: String,
        /// The id of our key.
        ours: String,
    },
    /// It is sealed, and this node does not seal.
    #[error("it is sealed with key {sealed_by}: HELIOS_CONTROL_ENCRYPTION=off can't read it")]
    Sealed {
        /// The id in its header.
        sealed_by: String,
    },
    /// It is in the clear, and this node seals: whoever can write to the store could have put it there.
    #[error("it is not sealed, and HELIOS_CONTROL_ENCRYPTION is on: it is not trusted")]
    Clear,
    /// A newer version wrote it.
    #[error("its format {format} is newer than this version reads: update this node")]
    Newer {
        /// What it says.
        format: u32,
    },
    /// The key would not seal or open it.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is no document.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// The line before what is sealed.
#[derive(Deserialize, Serialize)]
struct Header {
    sealed: u32,
    key: String,
    nonce: String,
}

impl Sealing {
    /// The body of a generation.
    ///
    /// # Errors
    /// If the key is worn out or the module refuses.
    pub(super) fn seal(&self, name: &str, generation: u64, plain: &[u8]) -> Result<Bytes, SealError> {
        let Self::On(key) = self else { return Ok(Bytes::copy_from_slice(plain)) };
        let sealed = key.seal(&bound_to(name, generation, key.id()), plain)?;
        let header = Header { sealed: SEALED_FORMAT, key: key.id().to_owned(), nonce: hex(&sealed.nonce) };
        let mut body = serde_json::to_vec(&header).expect("a header is plain data");
        body.push(b'\n');
        body.extend_from_slice(&sealed.bytes);
        Ok(body.into())
    }

    /// What the body of a generation says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn open(&self, name: &str, generation: u64, body: &[u8]) -> Result<Vec<u8>, BodyError> {
        let parts = split(body)?;
        match (self, parts) {
            (Self::Off, None) => Ok(body.to_vec()),
            (Self::Off, Some((header, _))) => Err(BodyError::Sealed { sealed_by: header.key }),
            (Self::On(_), None) => Err(BodyError::Clear),
            (Self::On(key), Some((header, _))) if header.key != key.id() => {
                Err(BodyError::WrongKey { sealed_by: header.key, ours: key.id().to_owned() })
            }
            (Self::On(key), Some((header, sealed))) => {
                let nonce = unhex(&header.nonce).ok_or_else(|| BodyError::Damaged("its nonce is odd".into()))?;
                Ok(key.open(&bound_to(name, generation, key.id()), nonce, sealed)?)
            }
        }
    }
}

/// Header and sealed bytes; `None` for a body in the clear.
fn split(body: &[u8]) -> Result<Option<(Header, &[u8])>, BodyError> {
    let end = body.iter().take(HEADER_BYTES_MAX).position(|byte| *byte == b'\n');
    let Some((line, rest)) = end.and_then(|end| body.split_at_checked(end)) else { return Ok(None) };
    let Ok(header) = serde_json::from_slice::<Header>(line) else { return Ok(None) };
    if header.sealed > SEALED_FORMAT {
        return Err(BodyError::Newer { format: header.sealed });
    }
    Ok(Some((header, rest.get(1..).unwrap_or_default())))
}

/// What a seal is bound to. None of the parts can hold the space between them.
fn bound_to(name: &str, generation: u64, key: &str) -> Vec<u8> {
    format!("helios control {SEALED_FORMAT} {key} {generation} {name}").into_bytes()
}

fn unhex(text: &str) -> Option<[u8; NONCE_BYTES]> {
    let mut bytes = [0; NONCE_BYTES];
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    if digits.len() != NONCE_BYTES * 2 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::try_from(pair[0] << 4 | pair[1]).ok()?;
    }
    Some(bytes)
}

/// The format of sealed bodies.
const SEALED_FORMAT: u32 = 1;

/// No header is longer.
const HEADER_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn on(id: &str, byte: u8) -> Sealing {
        Sealing::On(Arc::new(SealingKey::new(id.into(), &[byte; 32])))
    }

    #[test]
    fn a_sealed_body_opens_in_its_own_place_only() {
        let body = on("k1", 1).seal("settings", 7, b"{}").unwrap();
        assert_eq!(on("k1", 1).open("settings", 7, &body).unwrap(), b"{}");
        assert_eq!(on("k1", 1).open("settings", 6, &body), Err(BodyError::Seal(SealError::NotGenuine)));
        assert_eq!(on("k1", 1).open("users", 7, &body), Err(BodyError::Seal(SealError::NotGenuine)));
        assert_eq!(on("k1", 2).open("settings", 7, &body), Err(BodyError::Seal(SealError::NotGenuine)));
        let wrong = BodyError::WrongKey { sealed_by: "k1".into(), ours: "k2".into() };
        assert_eq!(on("k2", 2).open("settings", 7, &body), Err(wrong));
        assert_eq!(Sealing::Off.open("settings", 7, &body), Err(BodyError::Sealed { sealed_by: "k1".into() }));
    }

    #[test]
    fn a_body_in_the_clear_is_read_only_where_nothing_is_sealed() {
        let body = Sealing::Off.seal("settings", 1, br#"{"format":1}"#).unwrap();
        assert_eq!(Sealing::Off.open("settings", 1, &body).unwrap(), br#"{"format":1}"#);
        assert_eq!(on("k", 1).open("settings", 1, &body), Err(BodyError::Clear));
    }

    #[test]
    fn no_body_whatever_makes_it_panic() {
        let body = on("k", 1).seal("a", 1, b"text").unwrap();
        for end in 0..body.len() {
            assert!(on("k", 1).open("a", 1, &body[..end]).is_err());
        }
        for at in 0..body.len() {
            let mut changed = body.to_vec();
            changed[at] ^= 0x55;
            assert!(on("k", 1).open("a", 1, &changed).is_err(), "byte {at}");
        }
        let newer = br#"{"sealed":2,"key":"k","nonce":"00"}"#.iter().chain(b"\nxxx").copied().collect::<Vec<u8>>();
        assert_eq!(on("k", 1).open("a", 1, &newer), Err(BodyError::Newer { format: 2 }));
    }
}
