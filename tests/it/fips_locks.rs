//! What is pinned: the two lock files hold what the profiles say, and differ in nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use helios::crypto::module::PROFILES;

/// Each crate of a lock file with its versions.
fn crates(path: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    let lock: toml::Table = text.parse().unwrap();
    let mut crates: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        crates.entry(text("name")).or_default().insert(text("version"));
    }
    crates
}

fn only(version: &str) -> BTreeSet<String> {
    BTreeSet::from([version.to_owned()])
}

#[test]
fn each_lock_file_pins_the_module_of_its_profile_and_no_other() {
    for profile in &PROFILES {
        let crates = crates(profile.lock_file);
        let what = profile.lock_file;
        assert_eq!(crates["aws-lc-rs"], only(profile.aws_lc_rs), "{what}: aws-lc-rs");
        assert_eq!(crates["aws-lc-fips-sys"], only(profile.fips_sys), "{what}: aws-lc-fips-sys");
        // 0.23.44 says of a FIPS provider that it is none.
        assert_eq!(crates["rustls"], only("0.23.43"), "{what}: rustls");
        assert_eq!(crates["tokio-rustls"].len(), 1, "{what}: one tokio-rustls");
        assert_eq!(crates["rustls-webpki"].len(), 1, "{what}: one rustls-webpki");
    }
}

/// `aws-lc-sys` comes along with `aws-lc-rs`; a FIPS build compiles it and links none of it.
#[test]
fn the_lock_files_differ_in_the_module_alone() {
    let [default, exact] = PROFILES.each_ref().map(|profile| crates(profile.lock_file));
    let names: BTreeSet<&String> = default.keys().chain(exact.keys()).collect();
    let differ: Vec<&str> =
        names.into_iter().filter(|name| default.get(*name) != exact.get(*name)).map(String::as_str).collect();
    assert_eq!(differ, ["aws-lc-fips-sys", "aws-lc-rs", "aws-lc-sys"]);
}
