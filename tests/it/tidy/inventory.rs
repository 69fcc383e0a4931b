//! Holds `fips/inventory.json` against what it speaks of: the algorithms that the room `crypto` names, and the crates
//! in the graph that hash or draw. What is used and not said fails, and so does what is said and not used.

use std::collections::BTreeSet;

use serde_json::Value;

use super::graph::dependencies;
use super::source::{Source, rust_files};
use super::{expect_none, read};

#[test]
fn the_inventory_names_the_algorithms_that_the_code_names() {
    let named: BTreeSet<String> = rust_files()
        .iter()
        .filter(|source| source.room() == Some("crypto"))
        .flat_map(|source| algorithms(&source.code[..source.tests_begin()]))
        .collect();
    assert!(named.contains("AES_256_GCM"), "the listing must hold what is known to be there: {named:?}");
    let inventory = inventory();
    let mut stated = texts(&inventory, "algorithms", "code");
    stated.extend(texts(&inventory, "protocols", "code"));
    for part in ["protocols", "simulation_only"] {
        let objects = match &inventory[part] {
            Value::Array(parts) => parts.iter().map(|one| &one["suites"]).collect(),
            whole => vec![whole],
        };
        stated.extend(objects.into_iter().flat_map(|object| object.as_object().unwrap().keys().cloned()));
    }
    expect_none(differences(&named, &stated, "src/crypto"));
}

#[test]
fn the_inventory_names_the_crates_that_hash_or_draw() {
    let crates = dependencies(&["--edges", "normal"]);
    let named: BTreeSet<String> = crates.into_iter().filter(|name| hashes_or_draws(name)).collect();
    assert!(named.contains("crc32c"), "the listing must hold what is known to be there: {named:?}");
    let stated = texts(&inventory(), "non_security", "crates");
    expect_none(differences(&named, &stated, "the dependency graph"));
}

#[test]
fn an_algorithm_or_a_crate_that_nobody_stated_is_found() {
    let found = |code: &str| algorithms(&Source::new("src/crypto/a.rs", code).code).into_iter().collect::<Vec<_>>();
    assert_eq!(found("use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};"), ["HKDF_SHA256"]);
    assert_eq!(found("use {\n  crate::x::AAA,\n  aws_lc_rs::aead::{LessSafeKey, NONCE_LEN},\n};"), ["LessSafeKey"]);
    assert_eq!(found("fn a() { aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, b) }"), ["SHA512"]);
    assert_eq!(found("static A: &[S] = &[cipher_suite::TLS13_CHACHA20_POLY1305_SHA256];").len(), 1);
    assert_eq!(found("// HKDF_SHA256\nuse crate::ALPHA; const KEY_BYTES: usize = KEY_LEN;"), [""; 0]);
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(differences(&set(&["A", "B"]), &set(&["B"]), "x").len(), 1);
    assert_eq!(differences(&set(&["B"]), &set(&["A", "B"]), "x").len(), 1);
    for name in ["md-5", "sha1_smol", "crc32fast", "fastrand", "siphasher", "ahash", "xxhash-rust", "rand_core"] {
        assert!(hashes_or_draws(name), "{name}");
    }
    assert!(!hashes_or_draws("serde") && !hashes_or_draws("sharded-slab") && !hashes_or_draws("aws-lc-rs"));
}

fn inventory() -> Value {
    serde_json::from_str(&read("fips/inventory.json")).expect("it is JSON")
}

/// All texts of the lists `field` of the objects in the list `part`.
fn texts(inventory: &Value, part: &str, field: &str) -> BTreeSet<String> {
    let parts = inventory[part].as_array().unwrap_or_else(|| panic!("there is no list {part}"));
    let lists = parts.iter().flat_map(|one| one[field].as_array().unwrap_or_else(|| panic!("{one} has no {field}")));
    lists.map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn differences(found: &BTreeSet<String>, stated: &BTreeSet<String>, place: &str) -> Vec<String> {
    let unstated = found.difference(stated).map(|name| format!("{name} is in {place}, not in fips/inventory.json"));
    let unused = stated.difference(found).map(|name| format!("{name} is in fips/inventory.json, not in {place}"));
    unstated.chain(unused).collect()
}

/// What of the cryptography crates is named in `code`, in a `use` or by its path: constants, and the types that are
/// a way to use one.
fn algorithms(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, start) in STARTS.iter().flat_map(|start| code.match_indices(start)) {
        let mut depth = 0_usize;
        let rest = &code[at + start.len()..];
        // The path, with all that is in its braces.
        let end = rest.find(|c: char| match c {
            '{' => {
                depth += 1;
                false
            }
            '}' if depth > 0 => {
                depth -= 1;
                false
            }
            ',' | ' ' | '\n' => depth == 0,
            c => !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')),
        });
        let path = &rest[..end.unwrap_or(rest.len())];
        let words = path.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        found.extend(words.filter(|word| is_algorithm(word)).map(str::to_owned));
    }
    found
}

fn is_algorithm(word: &str) -> bool {
    let is_constant = word.len() > 2
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    (is_constant && !word.ends_with("_LEN")) || TYPES.contains(&word)
}

fn hashes_or_draws(name: &str) -> bool {
    name.split(['-', '_'])
        .any(|part| PARTS.iter().any(|known| part.trim_end_matches(|c: char| c.is_ascii_digit()) == *known))
        || CRATES.contains(&name)
}

/// Where a path into a crate of cryptography begins, or into what is imported from one.
const STARTS: &[&str] = &["aws_lc_rs::", "rustls::", "cipher_suite::", "kx_group::", "version::"];

/// Types of aws-lc-rs that stand for an algorithm, or for a way to use one that must be spoken of.
const TYPES: &[&str] =
    &["EcdsaKeyPair", "Ed25519KeyPair", "LessSafeKey", "RandomizedNonceKey", "RsaKeyPair", "SystemRandom"];

/// Parts of names, without digits at their end, of crates that hash or draw.
const PARTS: &[&str] = &[
    "adler",
    "ahash",
    "blake",
    "chacha",
    "city",
    "crc",
    "digest",
    "fasthash",
    "fastrand",
    "fnv",
    "fxhash",
    "getrandom",
    "hash",
    "hasher",
    "md",
    "metrohash",
    "murmur",
    "murmurhash",
    "oorandom",
    "rand",
    "seahash",
    "sha",
    "siphasher",
    "twox",
    "wyhash",
    "xorf",
    "xxhash",
];

/// Crates that do and have other names.
const CRATES: &[&str] = &["crc32c", "crc32fast", "crypto-common", "foldhash", "hashbrown"];
