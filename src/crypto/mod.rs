//! The one door to aws-lc-rs: random bytes, digests, seals and TLS.
//!
//! **Promise.** Every random byte, digest and seal of a production server comes from here. What stands behind
//! it is folded from every part ([`Parts::standing`]).
//!
//! The default build and the FIPS build allow the same, so that what works on one works on the other. In a FIPS build
//! the module's service indicator is read around every call ([`module`]), and [`report::Report`] says whether a
//! server may run on what is linked.
//!
//! **Boundary.** The only room that names a crate of cryptography. It implements
//! [`crate::host::Entropy`]; `main` puts it into the host.

mod hmac;
pub mod key_file;
pub mod module;
pub mod register;
pub mod report;
mod seal;
pub mod signature;
mod status;
pub mod tls;

use std::convert::Infallible;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

pub use hmac::{HMAC_KEY_BYTES_MIN, HmacError, HmacSha256};
pub use register::Register;
pub use report::Report;
pub use seal::{KEY_BYTES, NONCE_BYTES, SEALS_MAX, SealError, Sealed, SealingKey};
pub use status::{Parts, StandInError, Standing};

use crate::host::Entropy;

/// Bytes in a SHA-256 digest.
pub const SHA256_BYTES: usize = 32;

/// The production source of random bytes. Its forks are the same source: nothing can be told from
/// what others drew.
#[derive(Debug)]
pub struct Random(SystemRandom);

impl Random {
    /// A handle to the module's generator. Costs nothing.
    pub fn new() -> Self {
        Self(SystemRandom::new())
    }

    /// What stands behind it.
    pub fn standing(&self) -> Standing {
        Standing::of_module()
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for Random {
    /// Ends the process if the generator can't be seeded, or the module does not approve: going on with predictable
    /// ids would be worse.
    fn fill(&self, bytes: &mut [u8]) {
        // No bytes are no service, which the module would not count.
        if !bytes.is_empty() {
            module::call_or_end("random bytes", || self.0.fill(bytes));
        }
    }

    fn fork(&self, _label: &'static str) -> Arc<dyn Entropy> {
        Arc::new(Self::new())
    }
}

/// The SHA-256 digest of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; SHA256_BYTES] {
    let digest = module::call_or_end("SHA-256", || Ok::<_, Infallible>(digest(&SHA256, bytes)));
    digest_bytes_of(digest.as_ref())
}

/// A SHA-256 digest of bytes that come piece by piece.
#[derive(Clone)]
pub struct Sha256(Context);

impl Sha256 {
    /// The digest of no bytes yet.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> [u8; SHA256_BYTES] {
        let digest = module::call_or_end("SHA-256", || Ok::<_, Infallible>(self.0.finish()));
        digest_bytes_of(digest.as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes as lower-case hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn digest_bytes_of(bytes: &[u8]) -> [u8; SHA256_BYTES] {
    bytes.try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one-block example of FIPS 180-2, appendix B.1.
    const ABC: [u8; SHA256_BYTES] = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03,
        0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
    ];

    #[test]
    fn the_published_example_has_the_published_digest() {
        assert_eq!(sha256(b"abc"), ABC);
    }

    #[test]
    fn pieces_have_the_digest_of_the_whole() {
        let mut hasher = Sha256::new();
        hasher.update(b"a");
        hasher.update(b"");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), ABC);
    }

    #[test]
    fn no_two_draws_are_alike() {
        let random: Arc<dyn Entropy> = Arc::new(Random::new());
        let fork = random.fork("test");
        let draws = [random.next_u64(), random.next_u64(), fork.next_u64()];
        assert!(draws[0] != draws[1] && draws[0] != draws[2] && draws[1] != draws[2]);
    }
}
