//! `helios bundle verify`, run as a user runs it, over bundles that are made here.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair,
};
use base64::Engine;
use serde_json::{Value, json};
use tar::{EntryType, Header};

/// Who signs.
struct Signer(EcdsaKeyPair);

impl Signer {
    fn new(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        Self(EcdsaKeyPair::generate(algorithm).unwrap())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        pem("PUBLIC KEY", der.as_ref())
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A member as it stands in the tar file, good or bad.
#[derive(Clone)]
struct Member {
    path: String,
    kind: EntryType,
    bytes: Vec<u8>,
}

fn member(path: &str, bytes: impl Into<Vec<u8>>) -> Member {
    Member { path: path.to_owned(), kind: EntryType::Regular, bytes: bytes.into() }
}

/// Written by hand into the header, since the writer of the crate refuses what the tests must have.
fn tar(members: &[Member]) -> Vec<u8> {
    let mut file = Vec::new();
    for member in members {
        let mut header = Header::new_ustar();
        let name = header.as_ustar_mut().unwrap();
        let (prefix, short) = match member.path.len() {
            0..=100 => ("", member.path.as_str()),
            _ => member.path.split_at(member.path.len() - 100),
        };
        name.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
        name.name[..short.len()].copy_from_slice(short.as_bytes());
        header.set_entry_type(member.kind);
        header.set_size(member.bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(&member.bytes);
        file.resize(file.len().next_multiple_of(512), 0);
    }
    file.resize(file.len() + 1024, 0);
    file
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn listed(path: &str, bytes: &[u8]) -> Value {
    let digest = hex(&helios::crypto::sha256(bytes));
    json!({ "path": path, "bytes": bytes.len(), "sha256": digest })
}

const FILES: [(&str, &[u8]); 3] =
    [("packages/helios_1.2.0_amd64.deb", b"a package"), ("sbom.cdx.json", b"{}"), ("notes/NOTES.md", &[b'x'; 70_000])];

fn manifest() -> Value {
    let files: Vec<Value> = FILES.iter().map(|(path, bytes)| listed(path, bytes)).collect();
    json!({ "format": 1, "product": "helios", "version": "1.2.0", "files": files })
}

fn contents() -> Vec<Member> {
    FILES.iter().map(|(path, bytes)| member(path, *bytes)).collect()
}

/// The members of a bundle with this manifest, signed, and these files.
fn signed(signer: &Signer, manifest: &Value, files: Vec<Member>) -> Vec<Member> {
    let text = serde_json::to_vec_pretty(manifest).unwrap();
    let signature = signer.sign(&text);
    [member("manifest.json", text), member("manifest.sig", signature)].into_iter().chain(files).collect()
}

struct Bench {
    folder: tempfile::TempDir,
    signer: Signer,
}

impl Bench {
    fn new() -> Self {
        Self::with(&ECDSA_P256_SHA256_ASN1_SIGNING)
    }

    fn with(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let (folder, signer) = (tempfile::tempdir().unwrap(), Signer::new(algorithm));
        std::fs::write(folder.path().join("key.pem"), signer.pem()).unwrap();
        Self { folder, signer }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn verify(&self, bundle: &[u8], more: &[&str]) -> Output {
        verify(&self.file("bundle.tar", bundle), &self.folder.path().join("key.pem"), more)
    }

    /// The bundle is refused: exit code 4, the reason for programs and one line for people.
    #[track_caller]
    fn refused(&self, bundle: &[u8], reason: &str, said: &str) {
        let output = self.verify(bundle, &["--json"]);
        let (out, line) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(4), "{out}{line}");
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((answer["verified"].clone(), answer["reason"].clone()), (json!(false), json!(reason)), "{out}");
        assert!(line.contains(said) && line.contains("is refused") && line.lines().count() == 1, "{line}");
        assert_eq!(self.verify(bundle, &[]).stdout, b"", "nothing of it is said to be good");
    }
}

fn verify(bundle: &Path, key: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_helios"));
    command.args(["bundle", "verify"]).arg(bundle).arg("--key").arg(key).args(more).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_bundle_as_signed_is_verified_and_what_it_holds_is_said() {
    for (algorithm, name) in [
        (&ECDSA_P256_SHA256_ASN1_SIGNING, "ECDSA P-256 with SHA-256"),
        (&ECDSA_P384_SHA384_ASN1_SIGNING, "ECDSA P-384 with SHA-384"),
    ] {
        let bench = Bench::with(algorithm);
        let mut files = contents();
        files.reverse();
        let bundle = tar(&signed(&bench.signer, &manifest(), files));
        let output = bench.verify(&bundle, &[]);
        let page = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let der: PublicKeyX509Der<'_> = bench.signer.0.public_key().as_der().unwrap();
        let fingerprint = hex(&helios::crypto::sha256(der.as_ref()));
        for wanted in [name, &fingerprint, "helios 1.2.0: 3 files, 70011 bytes", "sbom.cdx.json", "verified: "] {
            assert!(page.contains(wanted), "{wanted} is not in\n{page}");
        }
        let answer: Value = serde_json::from_slice(&bench.verify(&bundle, &["--json"]).stdout).unwrap();
        assert_eq!((&answer["verified"], &answer["version"]), (&json!(true), &json!("1.2.0")));
        assert_eq!((&answer["files"], &answer["key"]["sha256"]), (&manifest()["files"], &json!(fingerprint)));
    }
}

#[test]
fn a_bundle_of_another_signer_or_with_a_changed_manifest_is_refused() {
    let (bench, other) = (Bench::new(), Signer::new(&ECDSA_P256_SHA256_ASN1_SIGNING));
    bench.refused(&tar(&signed(&other, &manifest(), contents())), "signature", "not a signature of this key");
    let good = signed(&bench.signer, &manifest(), contents());
    let mut changed = good.clone();
    let at = text(&changed[0].bytes).find("1.2.0").unwrap();
    changed[0].bytes[at] = b'9';
    bench.refused(&tar(&changed), "signature", "not a signature of this key");
    for signature in [Vec::new(), vec![0; 72], good[1].bytes[..good[1].bytes.len() - 1].to_vec()] {
        let mut changed = good.clone();
        changed[1].bytes = signature;
        bench.refused(&tar(&changed), "signature", "not a signature of this key");
    }
    // A strange manifest is not even read before its signature is good.
    let text = b"no JSON".to_vec();
    let strange = tar(&[member("manifest.json", text), member("manifest.sig", good[1].bytes.clone())]);
    bench.refused(&strange, "signature", "not a signature of this key");
}

#[test]
fn a_file_that_is_changed_missing_added_or_there_twice_is_refused() {
    let bench = Bench::new();
    let check = |files: Vec<Member>, reason: &str, said: &str| {
        bench.refused(&tar(&signed(&bench.signer, &manifest(), files)), reason, said);
    };
    let mut files = contents();
    files[0].bytes[3] ^= 1;
    check(files, "changed", "helios_1.2.0_amd64.deb` is not as signed: its SHA-256 digest is");
    let mut files = contents();
    files[2].bytes.push(b'x');
    check(files, "changed", "it has 70001 bytes, and 70000 are signed for");
    check(contents()[..2].to_vec(), "missing", "`notes/NOTES.md` is signed for, but not there");
    let with = |more: Member| contents().into_iter().chain([more]).collect();
    check(with(member("packages/more.deb", "x")), "extra", "`packages/more.deb` is there, but not signed for");
    check(with(member("sbom.cdx.json", "{}")), "duplicate", "`sbom.cdx.json` is there twice");
    check(with(member("manifest.json", "{}")), "duplicate", "`manifest.json` is there twice");
}

#[test]
fn members_that_lead_elsewhere_or_are_no_plain_files_are_refused() {
    let bench = Bench::new();
    let check = |more: Member, reason: &str, said: &str| {
        let files = contents().into_iter().chain([more]).collect();
        bench.refused(&tar(&signed(&bench.signer, &manifest(), files)), reason, said);
    };
    for (path, said) in [
        ("/etc/passwd", "`/etc/passwd` is absolute"),
        ("../up", "`../up` leads out with `..`"),
        ("a/../../up", "leads out with `..`"),
        ("./a", "has an empty part or `.`"),
        ("a//b", "has an empty part or `.`"),
        ("a\\b", "has other characters"),
        ("a\u{1b}[2J", "\\u{1b}[2J` has other characters"),
    ] {
        check(member(path, "x"), "path", said);
    }
    for (kind, said) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Directory, "a folder"),
        (EntryType::Fifo, "of a special kind"),
        (EntryType::XHeader, "--format=ustar"),
        (EntryType::GNULongName, "--format=ustar"),
    ] {
        check(Member { kind, ..member("notes/a", "x") }, "kind", said);
    }
    // Nor may a signer list such a path.
    let mut odd = manifest();
    odd["files"][0]["path"] = json!("../up");
    bench.refused(&tar(&signed(&bench.signer, &odd, contents())), "path", "leads out with `..`");
}

#[test]
fn a_bundle_that_ends_early_is_refused_wherever_it_ends() {
    let bench = Bench::new();
    let whole = tar(&signed(&bench.signer, &manifest(), contents()));
    assert!(bench.verify(&whole, &[]).status.success());
    let ends = (0..whole.len()).filter(|end| end % 512 == 0 || end % 8_191 == 0);
    for end in ends.chain([1, 700, whole.len() - 1]) {
        bench.refused(&whole[..end], "truncated", "the tar file ends early");
    }
}

#[test]
fn what_is_damaged_or_stands_behind_the_end_is_refused() {
    let bench = Bench::new();
    let mut whole = tar(&signed(&bench.signer, &manifest(), contents()));
    let mut padded = whole.clone();
    padded.resize(padded.len().next_multiple_of(10_240), 0);
    assert!(bench.verify(&padded, &[]).status.success(), "as tar programs fill up");
    padded.push(b'x');
    bench.refused(&padded, "damaged", "something stands behind its end");
    padded.pop();
    padded.resize(padded.len() + (1 << 20) + 1, 0);
    bench.refused(&padded, "limit", "too many zeros");
    whole[0] ^= 1;
    bench.refused(&whole, "damaged", "checksum");
}

#[test]
fn the_manifest_and_its_signature_come_first() {
    let bench = Bench::new();
    let mut members = signed(&bench.signer, &manifest(), contents());
    members.swap(0, 1);
    bench.refused(&tar(&members), "order", "manifest.json is wanted where `manifest.sig` stands");
    members.swap(0, 1);
    members.swap(1, 2);
    bench.refused(&tar(&members), "order", "manifest.sig is wanted where `packages/helios_1.2.0_amd64.deb` stands");
    bench.refused(&tar(&members[..1]), "order", "manifest.sig is wanted where nothing stands");
}

#[test]
fn a_signed_manifest_is_still_looked_at() {
    let bench = Bench::new();
    let check = |change: &dyn Fn(&mut Value), reason: &str, said: &str| {
        let mut manifest = manifest();
        change(&mut manifest);
        bench.refused(&tar(&signed(&bench.signer, &manifest, contents())), reason, said);
    };
    check(&|m| m["format"] = json!(2), "format", "its format is 2, and this program knows 1 only");
    check(&|m| *m = json!({ "format": 1 }), "manifest", "missing field");
    check(&|m| m["product"] = json!("other"), "manifest", "it is of `other`, not of helios");
    check(&|m| m["version"] = json!(""), "manifest", "its version is empty");
    check(&|m| m["files"][1] = m["files"][0].clone(), "manifest", "amd64.deb` twice");
    check(&|m| m["files"][0]["path"] = json!("manifest.sig"), "manifest", "lists `manifest.sig` twice");
    check(&|m| m["files"][0]["sha256"] = json!("AB".repeat(32)), "manifest", "lower-case hexadecimal");
    check(&|m| m["files"][0]["path"] = json!("a".repeat(256)), "path", "is too long");
    check(&|m| m["files"][0]["bytes"] = json!(65_u64 << 30), "limit", "at most 68719476736 are taken");
    let many = |m: &mut Value| m["files"] = (0..1_001).map(|n| listed(&format!("f{n}"), b"")).collect();
    check(&many, "limit", "lists 1001 files; at most 1000 are taken");
    let long = |m: &mut Value| m["remark"] = json!("x".repeat(1 << 20));
    check(&long, "limit", "at most 1048576 are taken");
    let mut members = signed(&bench.signer, &manifest(), contents());
    members[1].bytes = vec![0; 257];
    bench.refused(&tar(&members), "limit", "manifest.sig has 257 bytes; at most 256 are taken");
}

#[test]
fn a_long_path_is_taken() {
    let bench = Bench::new();
    let path = format!("{}/{}", "p".repeat(120), "f".repeat(100));
    let manifest =
        json!({ "format": 1, "product": "helios", "version": "1", "files": [listed(&path, b"x")], "remark": "more" });
    let mut members = signed(&bench.signer, &manifest, vec![member(&path, "x")]);
    // Prefix and name are joined by a slash that neither of them has.
    members[2].path = path.replacen('/', "", 1);
    let output = bench.verify(&tar(&members), &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn a_key_that_cannot_be_used_is_said_and_nothing_is_verified() {
    let bench = Bench::new();
    let bundle = bench.file("good.tar", &tar(&signed(&bench.signer, &manifest(), contents())));
    let good = bench.signer.pem();
    let private = bench.signer.0.to_pkcs8v1().unwrap();
    let der: PublicKeyX509Der<'_> = bench.signer.0.public_key().as_der().unwrap();
    let mut compressed = der.as_ref().to_vec();
    compressed[26] = 2;
    for (key, said) in [
        (String::new(), "BEGIN PUBLIC KEY"),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n".to_owned(), "BEGIN PUBLIC KEY"),
        (pem("PRIVATE KEY", private.as_ref()), "private key"),
        (good.clone() + &pem("PRIVATE KEY", private.as_ref()), "private key"),
        (pem("CERTIFICATE", b"0"), "certificate"),
        (good.repeat(2), "more than one"),
        (pem("PUBLIC KEY", &der.as_ref()[..90]), "of another kind"),
        (pem("PUBLIC KEY", &compressed), "of another kind"),
        (Signer::new(&ECDSA_P521_SHA512_ASN1_SIGNING).pem(), "of another kind"),
        (" ".repeat(20_000), "longer than a public key"),
    ] {
        let output = verify(&bundle, &bench.file("odd.pem", key.as_bytes()), &[]);
        let line = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""), "{line}");
        assert!(line.contains(said) && line.contains("odd.pem") && line.lines().count() == 1, "{line}");
    }
    let absent = bench.folder.path().join("absent");
    for (bundle, key) in [(&absent, &bench.folder.path().join("key.pem")), (&bundle, &absent)] {
        let output = verify(bundle, key, &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("cannot read"), "{}", text(&output.stderr));
    }
    let folder = verify(bench.folder.path(), &bench.folder.path().join("key.pem"), &["--json"]);
    assert_eq!(folder.status.code(), Some(1), "{}", text(&folder.stderr));
}
