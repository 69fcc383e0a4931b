//! Checking a whole data directory offline: every chain, every block, the log.
//!
//! **Promise.** Changes nothing. What it calls sound has every byte that the manifests name; what is
//! missing, changed or lawfully removed is told apart and named.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout;
use super::log::{HEADER_BYTES, SegmentId, ends_of, scan};
use super::manifest::{BlockEntry, Digest, Manifest};
use super::open::OpenError;
use super::pages;
use super::publish::parse_manifest;
use super::settings::Settings;
use crate::chain::{Chain, Link, Store};
use crate::crypto::Sha256;
use crate::event::{Origin, PartitionKey};
use crate::host::{Disk, Host};

/// What a check of a data directory found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VerifyReport {
    /// Partitions looked at.
    pub partitions: u64,
    /// Of them, days that retention has lawfully emptied.
    pub retired: u64,
    /// Generations of manifests whose digests chain up.
    pub generations: u64,
    /// Partitions whose history begins later than generation 1, and with which: older ones were lawfully
    /// collected, and the first one kept states the digest before it.
    pub vouched_from: BTreeMap<String, u64>,
    /// Blocks whose bytes have the digest that the manifest names.
    pub blocks: u64,
    /// Bytes of them.
    pub block_bytes: u64,
    /// Events in them.
    pub rows: u64,
    /// Segments of the log.
    pub segments: u64,
    /// Sound records in them.
    pub records: u64,
    /// Files that no manifest names: left by a crash, removed at the next start.
    pub unnamed: Vec<String>,
    /// What is wrong. Empty: the directory is sound.
    pub problems: Vec<Problem>,
}

/// Something that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Which file or folder, relative to the data directory.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
}

/// What a check is looking at: told to whoever shows progress.
#[derive(Clone, Copy, Debug)]
pub struct VerifyProgress {
    /// Partitions done.
    pub partitions_done: u64,
    /// Partitions in all.
    pub partitions: u64,
    /// Bytes read so far.
    pub bytes: u64,
}

/// Checks the data directory `root`, on which no server may run. Reads every byte of every block.
///
/// # Errors
/// If it is in use, of a later format, or a folder cannot be listed. Damage is no error: it is in the
/// report.
pub async fn verify(
    host: &Host,
    root: PathBuf,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<VerifyReport, OpenError> {
    let disk = &host.disk;
    super::open::check_format(disk, &root).await?;
    let _alone = super::open::lock(host, &root).await?;
    let store: Arc<dyn Store> = Arc::new(super::open::store(host, &root, &Settings::default()));
    let mut check = Check { host, root: &root, store, report: VerifyReport::default(), bytes: 0 };
    let keys = layout::list_partitions(disk, &root).await.map_err(|error| OpenError::io(&root, error))?;
    let partitions = keys.len() as u64;
    for (done, key) in keys.iter().enumerate() {
        progress(VerifyProgress { partitions_done: done as u64, partitions, bytes: check.bytes });
        check.partition(key).await?;
    }
    check.lost_list().await;
    check.log().await?;
    progress(VerifyProgress { partitions_done: partitions, partitions, bytes: check.bytes });
    Ok(check.report)
}

struct Check<'a> {
    host: &'a Host,
    root: &'a Path,
    store: Arc<dyn Store>,
    report: VerifyReport,
    bytes: u64,
}

impl Check<'_> {
    fn problem(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.report.problems.push(Problem { path: path.into(), what: what.into() });
    }

    async fn partition(&mut self, key: &PartitionKey) -> Result<(), OpenError> {
        let folder = layout::partition_folder(key);
        self.report.partitions += 1;
        let mut head = self.chain(&folder).await;
        if let Some(manifest) = &mut head {
            self.pages(&folder, manifest).await?;
        }
        let named: BTreeMap<_, _> =
            head.iter().flat_map(Manifest::all_blocks).map(|entry| (entry.id, Arc::clone(entry))).collect();
        if head.as_ref().is_some_and(|manifest| manifest.generation > 0 && named.is_empty()) {
            self.report.retired += 1;
        }
        let blocks = layout::blocks_folder(&folder);
        let path = self.root.join(&blocks);
        let entries =
            layout::list_or_empty(&self.host.disk, &path).await.map_err(|error| OpenError::io(&path, error))?;
        let mut present = BTreeSet::new();
        for entry in entries {
            match layout::parse_block_name(&entry.name).and_then(|id| named.get(&id)) {
                Some(block) => {
                    present.insert(block.id);
                    self.block(&folder, block).await;
                }
                None => self.report.unnamed.push(format!("{blocks}/{}", entry.name)),
            }
        }
        // What is shared lies in the shared store, and is here only if somebody asked for it.
        let own: BTreeSet<_> = head.iter().flat_map(Manifest::blocks).map(|entry| entry.id).collect();
        for (id, block) in named.iter().filter(|(id, _)| !present.contains(id) && own.contains(id)) {
            self.problem(format!("{blocks}/{id}.hb"), format!("missing; it held {} events", block.rows));
        }
        for lost in head.iter().flat_map(|manifest| &manifest.lost) {
            self.problem(
                &folder,
                format!("events {}-{} to {} are lost: {}", lost.origin, lost.from, lost.to, lost.why),
            );
        }
        Ok(())
    }

    /// Reads the pages of the newest generation.
    async fn pages(&mut self, folder: &str, manifest: &mut Manifest) -> Result<(), OpenError> {
        if let Err(why) = pages::read(&*self.store, folder, manifest).await {
            self.problem(layout::pages_folder(folder), why);
        }
        let name = layout::pages_folder(folder);
        let path = self.root.join(&name);
        let entries =
            layout::list_or_empty(&self.host.disk, &path).await.map_err(|error| OpenError::io(&path, error))?;
        let named = pages::digests(manifest);
        let unnamed = entries
            .into_iter()
            .filter(|entry| !layout::parse_page_name(&entry.name).is_some_and(|digest| named.contains(&digest)));
        self.report.unnamed.extend(unnamed.map(|entry| format!("{name}/{}", entry.name)));
        Ok(())
    }

    /// Checks every generation from the floor up; returns the newest.
    async fn chain(&mut self, folder: &str) -> Option<Manifest> {
        let name = layout::manifest_folder(folder);
        let chain = Chain::new(Arc::clone(&self.store), name.clone());
        let generations = match chain.generations().await {
            Ok(generations) => generations,
            Err(error) => {
                self.problem(name, error.to_string());
                return None;
            }
        };
        // What is left below the head's floor went in any order, or its removal was undone by a crash.
        let head = match generations.last() {
            Some(head) => chain.get(*head).await.ok().flatten().and_then(|link| parse_manifest(&link).ok()),
            None => None,
        };
        let floor = head.map_or(1, |head| head.floor);
        let mut before: Option<(Link, Manifest)> = None;
        for generation in generations.into_iter().filter(|generation| *generation >= floor) {
            let file = format!("{name}/{generation:020}.json");
            let manifest = match chain.get(generation).await {
                Ok(Some(link)) => parse_manifest(&link).map(|manifest| (link, manifest)),
                Ok(None) => Err("it vanished while it was read".into()),
                Err(error) => Err(error.to_string()),
            };
            match manifest {
                Ok(next) => {
                    self.step(folder, &file, before.as_ref(), &next.1);
                    before = Some(next);
                }
                Err(why) => {
                    self.problem(file, why);
                    before = None;
                }
            }
        }
        before.map(|(_, manifest)| manifest)
    }

    fn step(&mut self, folder: &str, file: &str, before: Option<&(Link, Manifest)>, next: &Manifest) {
        self.report.generations += 1;
        let Some((link, manifest)) = before else {
            if next.generation > 1 {
                self.report.vouched_from.insert(folder.to_owned(), next.generation);
            }
            return;
        };
        if next.generation != link.generation + 1 {
            self.problem(
                file,
                format!("the generation before it is missing; the last one seen is {}", link.generation),
            );
            self.report.vouched_from.insert(folder.to_owned(), next.generation);
            return;
        }
        if next.previous != link.digest {
            self.problem(file, "the digest that it states of the generation before is not that one's");
        }
        if !next.flushed.covers(&manifest.flushed) {
            self.problem(file, "a watermark falls");
        }
    }

    async fn block(&mut self, folder: &str, entry: &BlockEntry) {
        let path = self.root.join(layout::blocks_folder(folder)).join(layout::block_name(entry.id));
        match digest_of(&self.host.disk, &path).await {
            Ok((digest, bytes)) => {
                self.bytes += bytes;
                if digest == entry.sha256 && bytes == entry.bytes {
                    self.report.blocks += 1;
                    self.report.block_bytes += bytes;
                    self.report.rows += entry.rows;
                } else {
                    self.problem(
                        relative(self.root, &path),
                        format!("changed: its digest is {digest}, the manifest says {}", entry.sha256),
                    );
                }
            }
            Err(error) => self.problem(relative(self.root, &path), error.to_string()),
        }
    }

    async fn lost_list(&mut self) {
        let chain = Chain::new(Arc::clone(&self.store), layout::LOST_FOLDER.into());
        match chain.head().await {
            Ok(Some(link)) => match super::lost::parse(&link) {
                Ok(lost) => {
                    for lost in lost {
                        self.problem(layout::LOG_FOLDER, lost.why);
                    }
                }
                Err(why) => self.problem(layout::LOST_FOLDER, why),
            },
            Ok(None) => {}
            Err(error) => self.problem(layout::LOST_FOLDER, error.to_string()),
        }
    }

    async fn log(&mut self) -> Result<(), OpenError> {
        let folder = self.root.join(layout::LOG_FOLDER);
        let entries =
            layout::list_or_empty(&self.host.disk, &folder).await.map_err(|error| OpenError::io(&folder, error))?;
        let mut lives: BTreeMap<Origin, Vec<SegmentId>> = BTreeMap::new();
        for entry in entries {
            match entry.name.parse::<SegmentId>() {
                Ok(id) => lives.entry(id.origin).or_default().push(id),
                Err(()) => self.report.unnamed.push(format!("{}/{}", layout::LOG_FOLDER, entry.name)),
            }
        }
        for mut ids in lives.into_values() {
            ids.sort_unstable();
            // Two passes, so that only one segment is in memory: where each ends stands in later headers.
            let mut headers = Vec::new();
            for id in &ids {
                match read_some(&self.host.disk, &folder.join(id.to_string()), HEADER_BYTES).await {
                    Ok(bytes) => headers.push((*id, bytes)),
                    Err(error) => self.problem(format!("{}/{id}", layout::LOG_FOLDER), error.to_string()),
                }
            }
            let ends = ends_of(&headers).map_err(|format| OpenError::Newer { what: "the log".into(), format })?;
            for (id, _) in headers {
                self.segment(&folder, id, ends.get(&id).copied()).await;
            }
        }
        Ok(())
    }

    async fn segment(&mut self, folder: &Path, id: SegmentId, end: Option<u64>) {
        let name = format!("{}/{id}", layout::LOG_FOLDER);
        let bytes = match read_some(&self.host.disk, &folder.join(id.to_string()), u64::MAX).await {
            Ok(bytes) => bytes,
            Err(error) => return self.problem(name, error.to_string()),
        };
        let found = scan(&bytes, id, end);
        self.report.segments += 1;
        self.report.records += found.records.len() as u64;
        self.bytes += bytes.len() as u64;
        for damage in found.damage {
            self.problem(&name, format!("bytes {} to {} are damaged", damage.from_offset, damage.to_offset));
        }
    }
}

/// The first bytes of a file, at most `limit`.
pub(crate) async fn read_some(disk: &Arc<dyn Disk>, path: &Path, limit: u64) -> io::Result<bytes::Bytes> {
    let file = disk.open(path).await?;
    let len = usize::try_from(file.len().await?.min(limit)).map_err(io::Error::other)?;
    file.read_at(0, len).await
}

async fn digest_of(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<(Digest, u64)> {
    let file = disk.open(path).await?;
    let len = file.len().await?;
    let mut digest = Sha256::new();
    let mut offset = 0;
    while offset < len {
        let piece = usize::try_from((len - offset).min(PIECE_BYTES)).map_err(io::Error::other)?;
        digest.update(&file.read_at(offset, piece).await?);
        offset += piece as u64;
    }
    Ok((Digest(digest.finish()), len))
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// How much of a block is read at a time.
const PIECE_BYTES: u64 = 4 << 20;
