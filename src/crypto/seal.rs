//! AES-256-GCM: sealing what must not be read or changed outside.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
#[cfg(any(test, feature = "mutants"))]
use {
    crate::host::Entropy,
    aws_lc_rs::aead::{LessSafeKey, UnboundKey},
    std::sync::Arc,
};

use super::Standing;
use super::module::{self, CallError};
use crate::host::UnixNanos;

/// Bytes in a key.
pub const KEY_BYTES: usize = 32;

/// Bytes in a nonce.
pub const NONCE_BYTES: usize = NONCE_LEN;

/// A key, its id, and how often it has sealed.
pub struct SealingKey {
    id: String,
    cipher: Cipher,
    seals: AtomicU64,
    made: Option<UnixNanos>,
}

enum Cipher {
    /// Nonces are drawn inside of the cryptographic module.
    Module(RandomizedNonceKey),
    /// For simulations, whose bytes must follow from their seed. Never in a release.
    #[cfg(any(test, feature = "mutants"))]
    StandIn(LessSafeKey, Arc<dyn Entropy>),
}

/// What sealing gives.
#[derive(Debug)]
pub struct Sealed {
    /// Drawn for this text alone.
    pub nonce: [u8; NONCE_BYTES],
    /// The ciphertext and its tag.
    pub bytes: Vec<u8>,
}

/// Why nothing was sealed, or not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SealError {
    /// The key has sealed as much as it may: a nonce drawn twice would give both texts away.
    #[error("the key has been used 2^32 times: make a new one")]
    WornOut,
    /// The module refused.
    #[error("the cryptographic module refused to seal")]
    Refused,
    /// The module sealed or opened, and does not count it as an approved service.
    #[error("the cryptographic module did not approve: report this as a bug")]
    NotApproved,
    /// Another key sealed it, or for another place, or it was changed.
    #[error("it was sealed by another key or for another place, or it was changed")]
    NotGenuine,
}

impl SealError {
    fn of(error: CallError<Unspecified>, refused: Self) -> Self {
        match error {
            CallError::Refused(Unspecified) => refused,
            CallError::NotApproved => Self::NotApproved,
        }
    }
}

impl SealingKey {
    /// The key of these bytes.
    pub fn new(id: String, bytes: &[u8; KEY_BYTES]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("the length of a key is right");
        Self { id, cipher: Cipher::Module(key), seals: AtomicU64::new(0), made: None }
    }

    /// As [`SealingKey::new`], but with nonces out of `entropy`: the same seed gives the same bytes.
    #[cfg(any(test, feature = "mutants"))]
    pub fn stand_in(id: String, bytes: &[u8; KEY_BYTES], entropy: Arc<dyn Entropy>) -> Self {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("the length of a key is right"));
        Self { id, cipher: Cipher::StandIn(key, entropy), seals: AtomicU64::new(0), made: None }
    }

    /// Names the key. Not secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same key, which knows when it was made.
    pub fn made_at(self, made: Option<UnixNanos>) -> Self {
        Self { made, ..self }
    }

    /// When it was made, if its file says so.
    pub fn made(&self) -> Option<UnixNanos> {
        self.made
    }

    /// How often it has sealed in this life of the process.
    pub fn seals(&self) -> u64 {
        self.seals.load(Ordering::Relaxed)
    }

    /// Seals `plain` and binds it to `associated`, which is not stored and must be the same to open it.
    ///
    /// # Errors
    /// [`SealError::WornOut`] after 2^32 seals, [`SealError::Refused`] if the module refuses.
    pub fn seal(&self, associated: &[u8], plain: &[u8]) -> Result<Sealed, SealError> {
        if self.seals.fetch_add(1, Ordering::Relaxed) >= SEALS_MAX {
            return Err(SealError::WornOut);
        }
        let mut bytes = plain.to_vec();
        let nonce = match &self.cipher {
            Cipher::Module(key) => module::call(|| key.seal_in_place_append_tag(Aad::from(associated), &mut bytes)),
            #[cfg(any(test, feature = "mutants"))]
            Cipher::StandIn(key, entropy) => {
                let mut drawn = [0; NONCE_BYTES];
                entropy.fill(&mut drawn);
                let nonce = Nonce::assume_unique_for_key(drawn);
                key.seal_in_place_append_tag(nonce, Aad::from(associated), &mut bytes)
                    .map(|()| Nonce::assume_unique_for_key(drawn))
                    .map_err(CallError::Refused)
            }
        };
        let nonce = nonce.map_err(|error| SealError::of(error, SealError::Refused))?;
        Ok(Sealed { nonce: *nonce.as_ref(), bytes })
    }

    /// Opens what was sealed with this key and the same `associated`.
    ///
    /// # Errors
    /// [`SealError::NotGenuine`], without a word on which part is wrong.
    pub fn open(&self, associated: &[u8], nonce: [u8; NONCE_BYTES], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = match &self.cipher {
            Cipher::Module(key) => {
                module::call(|| key.open_in_place(nonce, Aad::from(associated), &mut bytes).map(|plain| plain.len()))
            }
            #[cfg(any(test, feature = "mutants"))]
            Cipher::StandIn(key, _) => {
                module::call(|| key.open_in_place(nonce, Aad::from(associated), &mut bytes).map(|plain| plain.len()))
            }
        };
        let length = opened.map_err(|error| SealError::of(error, SealError::NotGenuine))?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// What stands behind this key.
    pub fn standing(&self) -> Standing {
        match &self.cipher {
            Cipher::Module(_) => Standing::of_module(),
            #[cfg(any(test, feature = "mutants"))]
            Cipher::StandIn(..) => Standing::StandIn,
        }
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).field("seals", &self.seals()).finish_non_exhaustive()
    }
}

/// With nonces of 96 random bits, more seals than this make it likelier than 2^-32 that two share one
/// (NIST SP 800-38D, 8.3). Counted anew in each life: at ten documents a second a life would take 13 years.
pub const SEALS_MAX: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Random;

    fn key(byte: u8) -> SealingKey {
        SealingKey::new("k".into(), &[byte; KEY_BYTES])
    }

    #[test]
    fn only_the_same_key_place_and_bytes_open_it() {
        let sealed = key(1).seal(b"settings 3", b"secret").unwrap();
        assert_eq!(key(1).open(b"settings 3", sealed.nonce, &sealed.bytes).unwrap(), b"secret");
        assert_eq!(sealed.bytes.len(), 6 + 16);
        let mut changed = sealed.bytes.clone();
        changed[0] ^= 1;
        let mut nonce = sealed.nonce;
        nonce[11] ^= 0x80;
        for (opened, what) in [
            (key(2).open(b"settings 3", sealed.nonce, &sealed.bytes), "another key"),
            (key(1).open(b"settings 4", sealed.nonce, &sealed.bytes), "another generation"),
            (key(1).open(b"settings 3", nonce, &sealed.bytes), "another nonce"),
            (key(1).open(b"settings 3", sealed.nonce, &changed), "a changed byte"),
            (key(1).open(b"settings 3", sealed.nonce, &sealed.bytes[..21]), "a byte less"),
            (key(1).open(b"settings 3", sealed.nonce, b""), "nothing"),
        ] {
            assert_eq!(opened, Err(SealError::NotGenuine), "{what}");
        }
    }

    #[test]
    fn no_two_seals_share_a_nonce() {
        let key = key(1);
        let nonces: std::collections::BTreeSet<_> = (0..1_000).map(|_| key.seal(b"", b"x").unwrap().nonce).collect();
        assert_eq!((nonces.len(), key.seals()), (1_000, 1_000));
    }

    #[test]
    fn a_worn_out_key_seals_no_more_and_still_opens() {
        let key = key(1);
        let sealed = key.seal(b"", b"x").unwrap();
        key.seals.store(SEALS_MAX, Ordering::Relaxed);
        assert_eq!(key.seal(b"", b"x").unwrap_err(), SealError::WornOut);
        assert_eq!(key.open(b"", sealed.nonce, &sealed.bytes).unwrap(), b"x");
    }

    #[test]
    fn a_stand_in_seals_alike_and_says_what_it_is() {
        let stand_in = SealingKey::stand_in("k".into(), &[1; KEY_BYTES], Arc::new(Random::new()));
        let sealed = stand_in.seal(b"a", b"x").unwrap();
        assert_eq!(key(1).open(b"a", sealed.nonce, &sealed.bytes).unwrap(), b"x");
        assert_eq!(stand_in.standing(), Standing::StandIn);
        assert!(key(1).standing() > Standing::StandIn);
    }

    #[test]
    fn a_key_never_shows_its_bytes() {
        assert_eq!(format!("{:?}", key(7)), r#"SealingKey { id: "k", seals: 0, .. }"#);
    }
}
