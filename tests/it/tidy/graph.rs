//! What is in the dependency graph, as cargo itself resolves it.

use std::process::Command;

use super::source::root;

#[test]
fn the_only_cryptography_in_the_graph_is_aws_lc_rs() {
    let crates = dependencies(&["--edges", "normal,build"]);
    assert!(crates.iter().any(|name| name == "aws-lc-rs"), "the listing must hold what is known to be there");
    let banned: Vec<_> = crates.iter().filter(|name| is_banned(name)).collect();
    assert_eq!(banned, OBJECT_STORE_CRYPTO, "cryptography outside aws-lc-rs; see deny.toml");
    let pruned = dependencies(&["--edges", "normal,build", "--prune", "object_store"]);
    let banned: Vec<_> = pruned.iter().filter(|name| is_banned(name)).collect();
    assert!(banned.is_empty(), "only object_store may bring {banned:?}; see deny.toml");
}

/// `aws-lc-sys` stays in the graph, because rustls names it; `fips/symbols.py` shows that nothing of it is linked.
#[test]
fn a_fips_build_adds_the_validated_module_and_no_other_cryptography() {
    let graph = |edges| dependencies(&["--edges", edges, "--no-default-features", "--features", "fips"]);
    let crates = graph("normal,build");
    assert!(crates.iter().any(|name| name == "aws-lc-fips-sys"), "the listing must hold what is known to be there");
    let banned: Vec<_> = crates.iter().filter(|name| is_banned(name)).collect();
    assert_eq!(banned, OBJECT_STORE_CRYPTO, "cryptography outside aws-lc-rs; see deny.toml");
    let plain = dependencies(&["--edges", "normal", "--no-default-features"]);
    let added: Vec<_> = graph("normal").into_iter().filter(|name| !plain.contains(name)).collect();
    assert_eq!(added, ["aws-lc-fips-sys"]);
}

#[test]
fn randomness_and_clocks_of_others_are_not_in_the_binary() {
    let crates = dependencies(&["--edges", "normal", "--prune", "object_store"]);
    let found: Vec<_> = crates.iter().filter(|name| STRAYS.contains(&name.as_str())).collect();
    assert!(found.is_empty(), "{found:?} go round the host");
}

#[test]
fn other_cryptography_would_be_noticed() {
    for name in ["ring", "sha2", "openssl-sys", "md-5", "aes-gcm", "boring-sys", "rustls-ring"] {
        assert!(is_banned(name), "{name}");
    }
    for name in ["aws-lc-rs", "aws-lc-sys", "hashbrown", "ringbuffer", "crc32fast", "string"] {
        assert!(!is_banned(name), "{name}");
    }
}

/// The names of the crates that the shipped workspace depends on, on this platform.
pub(super) fn dependencies(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "helios", "--prefix", "none", "--format", "{p}", "--locked"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs this test, so it is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("crate names are ASCII");
    let mut names: Vec<String> = text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn is_banned(name: &str) -> bool {
    let mut parts = name.split(['-', '_']);
    BANNED.contains(&name) || parts.any(|part| BANNED_PARTS.contains(&part))
}

/// Crates that are cryptography under a name of several parts.
const BANNED: &[&str] = &["md-5", "sha-1", "native-tls", "ed25519-dalek", "curve25519-dalek", "x25519-dalek"];

/// A crate with one of these as a part of its name is cryptography.
const BANNED_PARTS: &[&str] = &[
    "aes",
    "argon2",
    "bcrypt",
    "blake2",
    "blake3",
    "boring",
    "chacha20",
    "chacha20poly1305",
    "ghash",
    "hkdf",
    "hmac",
    "jsonwebtoken",
    "mbedtls",
    "md5",
    "openssl",
    "p256",
    "p384",
    "pbkdf2",
    "poly1305",
    "ring",
    "rsa",
    "scrypt",
    "sha1",
    "sha2",
    "sha3",
    "sodiumoxide",
];

/// The named exceptions: what `object_store` links and our requests never reach (a header of keys that are
/// sent along, and the random pauses of its retries, which are switched off).
const OBJECT_STORE_CRYPTO: [&str; 2] = ["chacha20", "md-5"];

/// Randomness and time come from the host. `object_store` is let out: it signs with `chrono`'s time, and
/// its random pauses are switched off.
const STRAYS: &[&str] = &["rand", "uuid", "fastrand", "fastant", "minstant", "quanta", "chrono", "time"];
