//! `helios bundle verify`
//!
//! A bundle is a plain tar file. Its first two members are `manifest.json`, which lists the path, length and SHA-256
//! digest of every other file, and `manifest.sig`, an ECDSA signature (DER) over the bytes of the manifest. After
//! them come exactly the listed files. It is read once, in pieces, and nothing is unpacked.
//!
//! Before the signature is good, nothing of a bundle is believed but the names and lengths that lead to it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::json;
use tar::{Archive, Entries, Entry, EntryType};

use super::args::BundleCommand;
use super::{EXIT_IN_PART, Failure, output};
use crate::crypto::signature::{PublicKey, SignatureError};
use crate::crypto::{SHA256_BYTES, Sha256, hex};

pub(super) fn run(command: &BundleCommand) -> Result<(), Failure> {
    let BundleCommand::Verify { bundle, key: key_file, json } = command;
    let pem = read_key(key_file)?;
    let unusable = |error| Failure::new(format!("{} cannot be used to check by: {error}", key_file.display()));
    let key = PublicKey::from_pem(&pem).map_err(unusable)?;
    let checked = match check(open(bundle)?, &key) {
        Err(Refusal::Unread(error)) => return Err(Failure::new(format!("cannot read {}: {error}", bundle.display()))),
        checked => checked,
    };
    let page = match (&checked, json) {
        (_, true) => format!("{}\n", as_json(&key, &checked)),
        (Ok(manifest), false) => as_text(&key, manifest),
        (Err(_), false) => String::new(),
    };
    output::write(page.as_bytes())?;
    let name = output::visible(&bundle.display().to_string());
    checked.map(drop).map_err(|refusal| {
        let what = output::visible(&refusal.to_string());
        Failure::with_code(EXIT_IN_PART, format!("{name} is refused: {what}. Use nothing of it"))
    })
}

fn as_text(key: &PublicKey, manifest: &Manifest) -> String {
    let mut page = format!(
        "signature: good, {}\nkey: SHA-256 {}\n{} {}: {} files, {} bytes\n",
        key.algorithm(),
        key.fingerprint(),
        manifest.product,
        output::visible(&manifest.version),
        manifest.files.len(),
        manifest.files.iter().map(|file| file.bytes).sum::<u64>(),
    );
    for file in &manifest.files {
        page.push_str(&format!("  {}  {:>12}  {}\n", file.sha256, file.bytes, file.path));
    }
    page.push_str("verified: every file is there and as signed, and there is no other\n");
    page
}

fn as_json(key: &PublicKey, checked: &Result<Manifest, Refusal>) -> serde_json::Value {
    let key = json!({ "algorithm": key.algorithm(), "sha256": key.fingerprint() });
    match checked {
        Ok(manifest) => {
            let file = |file: &Listed| json!({ "path": file.path, "bytes": file.bytes, "sha256": file.sha256 });
            let files: Vec<_> = manifest.files.iter().map(file).collect();
            let Manifest { product, version, .. } = manifest;
            json!({ "verified": true, "key": key, "product": product, "version": version, "files": files })
        }
        Err(refusal) => {
            json!({ "verified": false, "key": key, "reason": refusal.reason(), "message": refusal.to_string() })
        }
    }
}

/// What a bundle says it holds.
#[derive(Deserialize)]
struct Manifest {
    product: String,
    version: String,
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
    bytes: u64,
    sha256: String,
}

/// Read first: what else stands in a manifest depends on it.
#[derive(Deserialize)]
struct Formatted {
    format: u64,
}

/// Why a bundle is refused. Its texts name what is wrong, never what to do about it: there is nothing to do but to
/// get the bundle anew.
#[derive(Debug)]
enum Refusal {
    /// Not the bundle's fault, but the disk's, or the cryptographic module's.
    Unread(io::Error),
    NotSigned,
    Format(u64),
    Manifest(String),
    Order {
        wanted: &'static str,
        found: String,
    },
    Kind {
        path: String,
        kind: &'static str,
    },
    Path {
        path: String,
        why: &'static str,
    },
    Limit {
        what: String,
        max: u64,
    },
    Changed {
        path: String,
        how: String,
    },
    Missing(String),
    Extra(String),
    Duplicate(String),
    Truncated,
    Damaged(String),
}

impl Refusal {
    /// The word by which programs tell refusals apart.
    fn reason(&self) -> &'static str {
        match self {
            Self::Unread(_) => "unread",
            Self::NotSigned => "signature",
            Self::Format(_) => "format",
            Self::Manifest(_) => "manifest",
            Self::Order { .. } => "order",
            Self::Kind { .. } => "kind",
            Self::Path { .. } => "path",
            Self::Limit { .. } => "limit",
            Self::Changed { .. } => "changed",
            Self::Missing(_) => "missing",
            Self::Extra(_) => "extra",
            Self::Duplicate(_) => "duplicate",
            Self::Truncated => "truncated",
            Self::Damaged(_) => "damaged",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(error) => write!(f, "it could not be read: {error}"),
            Self::NotSigned => write!(f, "{SIGNATURE} is not a signature of this key over its {MANIFEST}"),
            Self::Format(format) => {
                write!(f, "its format is {format}, and this program knows {FORMAT} only: a newer `helios` can check it")
            }
            Self::Manifest(why) => write!(f, "{MANIFEST} is signed, but cannot be used: {why}"),
            Self::Order { wanted, found } => write!(f, "{wanted} is wanted where {found} stands"),
            Self::Kind { path, kind } => write!(f, "`{path}` is {kind}; only plain files are taken"),
            Self::Path { path, why } => write!(f, "the path `{path}` {why}"),
            Self::Limit { what, max } => write!(f, "{what}; at most {max} are taken"),
            Self::Changed { path, how } => write!(f, "`{path}` is not as signed: {how}"),
            Self::Missing(path) => write!(f, "`{path}` is signed for, but not there"),
            Self::Extra(path) => write!(f, "`{path}` is there, but not signed for"),
            Self::Duplicate(path) => write!(f, "`{path}` is there twice"),
            Self::Truncated => write!(f, "the tar file ends early"),
            Self::Damaged(what) => write!(f, "the tar file is damaged: {what}"),
        }
    }
}

/// Reads all of `file` and says what it holds.
fn check(file: File, key: &PublicKey) -> Result<Manifest, Refusal> {
    let watch = Rc::new(Watch::default());
    let mut archive = Archive::new(Watched { inner: file, watch: Rc::clone(&watch) });
    // Raw: longer names and the like of the tar format are members then, and refused like any other kind.
    let mut members = Members { entries: archive.entries().map_err(|error| watch.judge(&error))?.raw(true), watch };
    let text = members.leading(MANIFEST, MANIFEST_BYTES_MAX)?;
    let signature = members.leading(SIGNATURE, SIGNATURE_BYTES_MAX)?;
    key.verify(&text, &signature).map_err(|error| match error {
        SignatureError::NotGenuine => Refusal::NotSigned,
        error @ SignatureError::NotApproved => Refusal::Unread(io::Error::other(error)),
    })?;
    let manifest = parse(&text)?;
    check_files(&mut members, &manifest.files)?;
    let watch = members.watch;
    check_tail(archive.into_inner(), &watch)?;
    Ok(manifest)
}

/// Each file of the list once, in any order, and nothing else.
fn check_files(members: &mut Members<'_>, files: &[Listed]) -> Result<(), Refusal> {
    let mut left: BTreeMap<&str, &Listed> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    while let Some((path, member)) = members.next()? {
        match left.remove(path.as_str()) {
            Some(file) => check_file(member, file, &members.watch)?,
            None if RESERVED.contains(&path.as_str()) || files.iter().any(|file| file.path == path) => {
                return Err(Refusal::Duplicate(path));
            }
            None => return Err(Refusal::Extra(path)),
        }
    }
    // What was cut off between two members has no end, and that is the better word for it.
    match left.into_keys().next() {
        _ if members.watch.ended.get() => Err(Refusal::Truncated),
        Some(path) => Err(Refusal::Missing(path.to_owned())),
        None => Ok(()),
    }
}

/// The length first: a longer member is not even read.
fn check_file(mut member: Member<'_>, file: &Listed, watch: &Watch) -> Result<(), Refusal> {
    let changed = |how| Refusal::Changed { path: file.path.clone(), how };
    if member.size() != file.bytes {
        return Err(changed(format!("it has {} bytes, and {} are signed for", member.size(), file.bytes)));
    }
    let (mut digest, mut piece, mut bytes) = (Sha256::new(), vec![0; PIECE_BYTES], 0);
    loop {
        let count = member.read(&mut piece).map_err(|error| watch.judge(&error))?;
        if count == 0 {
            break;
        }
        digest.update(&piece[..count]);
        bytes += count as u64;
    }
    if bytes < file.bytes {
        return Err(Refusal::Truncated);
    }
    let digest = hex(&digest.finish());
    if digest == file.sha256 { Ok(()) } else { Err(changed(format!("its SHA-256 digest is {digest}"))) }
}

/// After the last member a tar file has two blocks of zeros, of which one was read, and zeros up to some round length.
fn check_tail(mut rest: Watched, watch: &Watch) -> Result<(), Refusal> {
    let mut tail = Vec::new();
    rest.by_ref().take(TAIL_BYTES_MAX + 1).read_to_end(&mut tail).map_err(|error| watch.judge(&error))?;
    let bytes = tail.len() as u64;
    if tail.iter().any(|byte| *byte != 0) {
        return Err(Refusal::Damaged("something stands behind its end".to_owned()));
    }
    if bytes > TAIL_BYTES_MAX {
        return Err(Refusal::Limit { what: "too many zeros stand behind its end".to_owned(), max: TAIL_BYTES_MAX });
    }
    if bytes < BLOCK_BYTES { Err(Refusal::Truncated) } else { Ok(()) }
}

/// Reads a manifest whose signature is good. It is still checked whole: a signer can be mistaken.
fn parse(text: &[u8]) -> Result<Manifest, Refusal> {
    let wrong = |error: serde_json::Error| Refusal::Manifest(error.to_string());
    let Formatted { format } = serde_json::from_slice(text).map_err(wrong)?;
    if format != FORMAT {
        return Err(Refusal::Format(format));
    }
    let manifest: Manifest = serde_json::from_slice(text).map_err(wrong)?;
    if manifest.product != PRODUCT {
        return Err(Refusal::Manifest(format!("it is of `{}`, not of {PRODUCT}", manifest.product)));
    }
    if manifest.version.is_empty() || manifest.version.len() > VERSION_BYTES_MAX {
        return Err(Refusal::Manifest(format!("its version is empty or longer than {VERSION_BYTES_MAX} bytes")));
    }
    if manifest.files.len() > FILES_MAX {
        let what = format!("{MANIFEST} lists {} files", manifest.files.len());
        return Err(Refusal::Limit { what, max: FILES_MAX as u64 });
    }
    let mut paths = BTreeSet::new();
    let mut total = 0_u64;
    for Listed { path, bytes, sha256 } in &manifest.files {
        check_path(path)?;
        if RESERVED.contains(&path.as_str()) || !paths.insert(path) {
            return Err(Refusal::Manifest(format!("it lists `{path}` twice, or as a file beside itself")));
        }
        if sha256.len() != SHA256_BYTES * 2 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Refusal::Manifest(format!("the digest of `{path}` is not 64 lower-case hexadecimal digits")));
        }
        total = total.saturating_add(*bytes);
    }
    if total > CONTENT_BYTES_MAX {
        return Err(Refusal::Limit { what: format!("{MANIFEST} lists {total} bytes"), max: CONTENT_BYTES_MAX });
    }
    Ok(manifest)
}

/// A path must lead to a file below the folder into which somebody unpacks, whatever unpacks it, and look like what
/// it is.
fn check_path(path: &str) -> Result<(), Refusal> {
    let fault = if path.len() > PATH_BYTES_MAX {
        "is too long"
    } else if path.starts_with('/') {
        "is absolute"
    } else if path.split('/').any(|part| part == "..") {
        "leads out with `..`"
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        "has an empty part or `.`"
    } else if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._+-~=@,".contains(&byte)) {
        "has other characters than letters, digits and ._+-~=@, of ASCII"
    } else {
        return Ok(());
    };
    let shown: String = path.chars().take(PATH_BYTES_MAX).collect();
    Err(Refusal::Path { path: shown, why: fault })
}

type Member<'a> = Entry<'a, Watched>;

/// The members of a bundle, one after the other: plain files with good paths.
struct Members<'a> {
    entries: Entries<'a, Watched>,
    watch: Rc<Watch>,
}

impl<'a> Members<'a> {
    fn next(&mut self) -> Result<Option<(String, Member<'a>)>, Refusal> {
        let Some(member) = self.entries.next() else { return Ok(None) };
        let member = member.map_err(|error| self.watch.judge(&error))?;
        let path = String::from_utf8_lossy(&member.header().path_bytes()).into_owned();
        if let Some(kind) = odd_kind(member.header().entry_type()) {
            return Err(Refusal::Kind { path, kind });
        }
        check_path(&path)?;
        Ok(Some((path, member)))
    }

    /// The next member, which must be called `name`, whole.
    fn leading(&mut self, name: &'static str, bytes_max: u64) -> Result<Vec<u8>, Refusal> {
        let order = |found: &str| Refusal::Order { wanted: name, found: found.to_owned() };
        let Some((path, member)) = self.next()? else {
            return Err(if self.watch.ended.get() { Refusal::Truncated } else { order("nothing") });
        };
        if path != name {
            return Err(order(&format!("`{path}`")));
        }
        let bytes = member.size();
        if bytes > bytes_max {
            return Err(Refusal::Limit { what: format!("{name} has {bytes} bytes"), max: bytes_max });
        }
        let mut text = Vec::new();
        member.take(bytes_max).read_to_end(&mut text).map_err(|error| self.watch.judge(&error))?;
        if text.len() as u64 == bytes { Ok(text) } else { Err(Refusal::Truncated) }
    }
}

/// What a member is, if it is no plain file.
fn odd_kind(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular => None,
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Link => Some("a hard link"),
        EntryType::Directory => Some("a folder"),
        EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
            Some("an extension of the tar format (make bundles with `tar --format=ustar`)")
        }
        _ => Some("of a special kind"),
    }
}

/// What was seen of the file itself, which the errors of the tar reader do not say.
#[derive(Default)]
struct Watch {
    ended: Cell<bool>,
    failed: Cell<bool>,
}

impl Watch {
    fn judge(&self, error: &io::Error) -> Refusal {
        match (self.failed.get(), self.ended.get()) {
            (true, _) => Refusal::Unread(io::Error::new(error.kind(), error.to_string())),
            (false, true) => Refusal::Truncated,
            (false, false) => Refusal::Damaged(error.to_string()),
        }
    }
}

struct Watched {
    inner: File,
    watch: Rc<Watch>,
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into);
        match &read {
            Ok(0) if !into.is_empty() => self.watch.ended.set(true),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => self.watch.failed.set(true),
            _ => {}
        }
        read
    }
}

fn read_key(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let mut pem = Vec::new();
    open(path)?.take(KEY_BYTES_MAX + 1).read_to_end(&mut pem).map_err(failed)?;
    if pem.len() as u64 > KEY_BYTES_MAX {
        return Err(Failure::new(format!("{} is longer than a public key can be", path.display())));
    }
    Ok(pem)
}

#[allow(clippy::disallowed_methods, reason = "a command reads the files that its user names")]
fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

/// What a manifest says of itself. Another format gets another number.
const FORMAT: u64 = 1;
const PRODUCT: &str = "helios";
const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "manifest.sig";
const RESERVED: [&str; 2] = [MANIFEST, SIGNATURE];

/// A manifest is held whole, before it is known who made it.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// An ECDSA signature on P-384 takes 104 bytes at most.
const SIGNATURE_BYTES_MAX: u64 = 256;
/// Far above what a release has; bounds the time that looking a path up takes.
const FILES_MAX: usize = 1_000;
/// What the name and prefix of a tar header hold together.
const PATH_BYTES_MAX: usize = 255;
const VERSION_BYTES_MAX: usize = 64;
/// Bounds how long the command can be kept busy: some minutes of a disk.
const CONTENT_BYTES_MAX: u64 = 64 << 30;
/// Zeros behind the end: tar programs fill up to 10,240 bytes unless told otherwise.
const TAIL_BYTES_MAX: u64 = 1 << 20;
/// A public key in PEM takes some 200 bytes; the rest is for comments.
const KEY_BYTES_MAX: u64 = 16 << 10;
/// The unit of the tar format.
const BLOCK_BYTES: u64 = 512;
/// Read at a time.
const PIECE_BYTES: usize = 64 << 10;
