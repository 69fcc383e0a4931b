//! What can be said of the cryptography that is linked, for operators and auditors, and whether a server may run on it.

use serde::Serialize;

use super::module::{IS_FIPS_BUILD, Module};
use super::tls::policy;
use super::{HMAC_KEY_BYTES_MIN, Random, SEALS_MAX, Standing};

/// What is linked, as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of HeliosLogs.
    pub version: &'static str,
    /// `fips` or `default`.
    pub build: &'static str,
    /// The profile that pins the module; `none` in a default build.
    pub profile: &'static str,
    /// What the module says of itself.
    pub module: String,
    /// What it must say; `null` in a default build.
    pub module_expected: Option<&'static str>,
    /// The certificate, or that there is none.
    pub certificate: &'static str,
    /// What may be claimed of this build, and no more.
    pub claim: &'static str,
    /// Whether the module is in its approved mode.
    pub approved_mode: bool,
    /// `passed`, `failed` or `none`.
    pub self_tests: &'static str,
    /// Whether what the module does not count as an approved service is an error.
    pub service_indicator: &'static str,
    /// Whether every part stands on the validated form of the module.
    pub every_part_on_module: bool,
    /// What TLS speaks.
    pub tls: TlsReport,
    /// What the module is used for.
    pub services: Vec<Service>,
    /// Hashes that protect nothing, and do not come from the module.
    pub other_hashes: &'static [OtherHash],
    /// What is not as it must be. A FIPS build with anything in here does not start.
    pub problems: Vec<String>,
}

/// What TLS speaks, in and out.
#[derive(Clone, Debug, Serialize)]
pub struct TlsReport {
    /// Whether all of it stands on the validated form of the module.
    pub fips: bool,
    /// Versions.
    pub versions: Vec<&'static str>,
    /// Suites.
    pub suites: Vec<&'static str>,
    /// Groups for the key exchange.
    pub groups: Vec<&'static str>,
    /// Whether TLS 1.2 needs an extended master secret.
    pub extended_master_secret: &'static str,
    /// Least bits of an RSA key.
    pub rsa_bits_min: u32,
}

/// One use of the module.
#[derive(Clone, Debug, Serialize)]
pub struct Service {
    /// The algorithm.
    pub algorithm: &'static str,
    /// What for.
    pub purpose: &'static str,
    /// What is held beyond what the module holds.
    pub bound: String,
}

/// A hash that protects nothing.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OtherHash {
    /// The algorithm.
    pub algorithm: &'static str,
    /// What for.
    pub purpose: &'static str,
    /// Why that is no matter of security.
    pub reason: &'static str,
}

impl Report {
    /// Asks the module, lets it test itself, and looks at what TLS would speak.
    pub fn new() -> Self {
        Self::of(&Module::ask())
    }

    fn of(module: &Module) -> Self {
        let mut problems = module.problems();
        let tls = TlsReport::new();
        if IS_FIPS_BUILD && !tls.fips {
            problems.push("what TLS would speak does not all stand on the validated module".to_owned());
        }
        let random = Random::new().standing();
        if IS_FIPS_BUILD && random != Standing::Validated {
            problems.push("random bytes do not come from the validated module".to_owned());
        }
        let is_validated = random == Standing::Validated && tls.fips && module.approved_mode;
        Self {
            version: env!("CARGO_PKG_VERSION"),
            build: if IS_FIPS_BUILD { "fips" } else { "default" },
            profile: module.profile.map_or("none", |profile| profile.name),
            module: module.text.clone(),
            module_expected: module.profile.map(|profile| profile.module),
            certificate: module.profile.map_or(NO_CERTIFICATE, |profile| profile.certificate),
            claim: module.profile.map_or("nothing: this build does not use the validated module", |p| p.claim),
            approved_mode: module.approved_mode,
            self_tests: match module.self_tests {
                Some(true) => "passed",
                Some(false) => "failed",
                None => "none",
            },
            service_indicator: if IS_FIPS_BUILD { INDICATOR } else { "none in this build" },
            every_part_on_module: is_validated && problems.is_empty(),
            tls,
            services: services(),
            other_hashes: OTHER_HASHES,
            problems,
        }
    }

    /// Notes that the parts that a server is made of do not all stand on the module.
    pub fn with_parts(mut self, standing: Standing) -> Self {
        self.every_part_on_module &= standing == Standing::Validated;
        if standing == Standing::StandIn || (IS_FIPS_BUILD && standing != Standing::Validated) {
            self.problems.push("a part of this server does not stand on the module".to_owned());
        }
        self
    }

    /// Whether this is a FIPS build in which everything is as it must be.
    pub fn is_approved(&self) -> bool {
        self.every_part_on_module && self.problems.is_empty()
    }

    /// Refuses what may not run: nothing in a default build, anything that is wrong in a FIPS build.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn gate(&self) -> Result<(), Unfit> {
        if self.problems.is_empty() { Ok(()) } else { Err(Unfit(self.problems.join("; "))) }
    }
}

impl Default for Report {
    fn default() -> Self {
        Self::new()
    }
}

/// A FIPS build that may not run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "this is a FIPS build, and its cryptography is not as it must be: {0}. Nothing was started. Install the binary anew; \
     `helios fips status` shows the details"
)]
pub struct Unfit(String);

impl TlsReport {
    fn new() -> Self {
        Self {
            fips: policy::is_fips(),
            versions: policy::versions(),
            suites: policy::suites(),
            groups: policy::groups(),
            extended_master_secret: "required",
            rsa_bits_min: policy::RSA_BITS_MIN,
        }
    }
}

fn services() -> Vec<Service> {
    let service = |algorithm, purpose, bound: String| Service { algorithm, purpose, bound };
    vec![
        service(
            "CTR_DRBG (AES-256)",
            "keys, nonces, ids, everything that is drawn",
            "seeded by the operating system".into(),
        ),
        service(
            "AES-256-GCM",
            "seals control documents",
            format!("nonces are made by the module; at most {SEALS_MAX} seals a key in one life of the process"),
        ),
        service(
            "SHA-256",
            "digests that vouch for history, fingerprints of certificates, signed requests",
            "none".into(),
        ),
        service(
            "HMAC-SHA256",
            "signs requests to the object store",
            format!("keys of at least {HMAC_KEY_BYTES_MIN} bytes"),
        ),
        service(
            "ECDSA on P-256 and P-384",
            "checks signatures of upgrade bundles",
            "only DER signatures and uncompressed points".into(),
        ),
        service(
            "TLS 1.3, TLS 1.2",
            "the TLS port, the object store",
            format!(
                "extended master secret; RSA of at least {} bits; no ChaCha20, no X25519 alone",
                policy::RSA_BITS_MIN
            ),
        ),
    ]
}

/// rustls calls the module itself; what it may use is fixed, and each connection is asked whether it stands on the module.
const INDICATOR: &str = "read around every call, but for those that rustls makes for TLS";
const NO_CERTIFICATE: &str = "none: this build does not use the validated module";

/// Every hash in the binary that does not come from the module.
static OTHER_HASHES: &[OtherHash] = &[
    OtherHash {
        algorithm: "CRC-32C",
        purpose: "records of the write-ahead log",
        reason: "finds bytes that rotted or were torn, by accident; who can write to the disk can write the checksum too",
    },
    OtherHash {
        algorithm: "XXH3",
        purpose: "parts of blocks; filters; cursors; keys of caches",
        reason: "finds accidents and spreads values; what vouches for history is SHA-256 in the manifests",
    },
    OtherHash {
        algorithm: "binary fuse filter",
        purpose: "prunes blocks that cannot hold what is searched",
        reason: "a wrong yes costs a read; nothing rests on it",
    },
    OtherHash {
        algorithm: "foldhash",
        purpose: "tables in memory",
        reason: "spreads keys; never stored, never compared across processes",
    },
    OtherHash {
        algorithm: "FNV-1a",
        purpose: "entity tags of the page's files",
        reason: "tells two versions of a file apart in a browser's cache",
    },
    OtherHash {
        algorithm: "MD5",
        purpose: "linked by the client of the object store, for a header of customer keys",
        reason: "that header is never sent, so the code is never reached",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_approved_in_a_fips_build_only() {
        let report = Report::new();
        assert_eq!(report.gate(), Ok(()));
        assert_eq!(report.is_approved(), IS_FIPS_BUILD);
        assert_eq!(report.certificate == NO_CERTIFICATE, !IS_FIPS_BUILD);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["approved_mode"], IS_FIPS_BUILD);
        assert_eq!(json["tls"]["extended_master_secret"], "required");
    }

    #[test]
    fn one_part_beside_the_module_is_a_problem_in_a_fips_build() {
        let report = Report::new().with_parts(Standing::Unvalidated);
        assert!(!report.is_approved());
        assert_eq!(report.gate().is_err(), IS_FIPS_BUILD);
        assert!(Report::new().with_parts(Standing::StandIn).gate().is_err(), "in any build");
        assert_eq!(Report::new().with_parts(Standing::Validated).is_approved(), IS_FIPS_BUILD);
    }

    #[test]
    fn a_module_that_is_not_the_expected_one_is_refused_in_a_fips_build() {
        let other = Module { text: "AWS-LC FIPS 4.2.0".into(), ..Module::ask() };
        let refused = Report::of(&other).gate();
        assert_eq!(refused.is_err(), IS_FIPS_BUILD);
        assert!(refused.err().is_none_or(|error| error.to_string().contains("4.2.0")));
    }
}
