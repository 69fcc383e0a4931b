//! HMAC-SHA256, for requests that are signed with a shared secret.

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};

use super::module::{self, CallError};
use super::{SHA256_BYTES, digest_bytes_of};

/// Least bytes of a key: 112 bits (NIST SP 800-131A). The module itself takes shorter ones.
pub const HMAC_KEY_BYTES_MIN: usize = 14;

/// An HMAC of bytes that come piece by piece.
pub struct HmacSha256(Context);

/// Why there is no HMAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HmacError {
    /// The key is too short.
    #[error("the key has {bytes} bytes, and must have {HMAC_KEY_BYTES_MIN} (112 bits)")]
    ShortKey {
        /// How many it has.
        bytes: usize,
    },
    /// The module did not count it as an approved service.
    #[error("the cryptographic module did not approve: report this as a bug")]
    NotApproved,
}

impl HmacSha256 {
    /// The HMAC of no bytes yet.
    ///
    /// # Errors
    /// [`HmacError::ShortKey`].
    pub fn new(key: &[u8]) -> Result<Self, HmacError> {
        if key.len() < HMAC_KEY_BYTES_MIN {
            return Err(HmacError::ShortKey { bytes: key.len() });
        }
        Ok(Self(Context::with_key(&Key::new(HMAC_SHA256, key))))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The HMAC of all bytes taken.
    ///
    /// # Errors
    /// [`HmacError::NotApproved`].
    pub fn finish(self) -> Result<[u8; SHA256_BYTES], HmacError> {
        match module::call(|| Ok::<_, std::convert::Infallible>(self.0.sign())) {
            Ok(tag) => Ok(digest_bytes_of(tag.as_ref())),
            Err(CallError::NotApproved) => Err(HmacError::NotApproved),
            Err(CallError::Refused(never)) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hex;

    /// Test case 6 of RFC 4231: a key that is longer than a block.
    #[test]
    fn the_published_example_has_the_published_code() {
        let mut hmac = HmacSha256::new(&[0xaa; 131]).unwrap();
        hmac.update(b"Test Using Larger Than Block-Size Key");
        hmac.update(b" - Hash Key First");
        let code = hmac.finish().unwrap();
        assert_eq!(hex(&code), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn a_key_of_less_than_112_bits_is_refused() {
        assert!(HmacSha256::new(&[1; HMAC_KEY_BYTES_MIN]).is_ok());
        assert_eq!(HmacSha256::new(&[1; 13]).err(), Some(HmacError::ShortKey { bytes: 13 }));
        assert_eq!(HmacSha256::new(b"").err(), Some(HmacError::ShortKey { bytes: 0 }));
    }
}
