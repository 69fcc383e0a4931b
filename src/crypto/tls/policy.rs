//! What is spoken, and nothing else is.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

/// The versions, the newest first.
pub(super) static VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// The suites, in the order in which they are preferred. No ChaCha20: the module does not approve it.
static SUITES: &[SupportedCipherSuite] = &[
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// The groups, in the order in which they are preferred. X25519 only beside ML-KEM: alone it is not approved.
static GROUPS: &[&dyn SupportedKxGroup] = &[kx_group::SECP256R1, kx_group::SECP384R1, kx_group::X25519MLKEM768];

/// Least bits of an RSA key, ours and of others. Both rustls and the module hold it; it is said here for people.
pub const RSA_BITS_MIN: u32 = 2_048;

/// The module, reduced to what is spoken.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: SUITES.to_vec(),
        kx_groups: GROUPS.to_vec(),
        ..aws_lc_rs::default_provider()
    })
}

/// The names of the versions.
pub fn versions() -> Vec<&'static str> {
    VERSIONS.iter().filter_map(|version| version.version.as_str()).collect()
}

/// The names of the suites.
pub fn suites() -> Vec<&'static str> {
    SUITES.iter().filter_map(|suite| suite.suite().as_str()).collect()
}

/// The names of the groups.
pub fn groups() -> Vec<&'static str> {
    GROUPS.iter().filter_map(|group| group.name().as_str()).collect()
}

/// Whether every part of what is spoken stands on the validated module in its approved mode.
pub fn is_fips() -> bool {
    provider().fips()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::module::IS_FIPS_BUILD;

    #[test]
    fn every_part_has_a_name() {
        assert_eq!(versions(), ["TLSv1_3", "TLSv1_2"]);
        assert_eq!(suites().len(), SUITES.len());
        assert_eq!(groups(), ["secp256r1", "secp384r1", "X25519MLKEM768"]);
    }

    #[test]
    fn nothing_but_aes_gcm_is_spoken_and_all_of_it_is_approved() {
        assert!(suites().iter().all(|suite| suite.contains("_AES_") && suite.contains("_GCM_")), "{:?}", suites());
        assert!(SUITES.iter().all(|suite| suite.fips() == IS_FIPS_BUILD));
        assert!(GROUPS.iter().all(|group| group.fips() == IS_FIPS_BUILD));
        assert_eq!(is_fips(), IS_FIPS_BUILD);
    }
}
