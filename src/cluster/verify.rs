//! Checking a whole shared store: every chain, every page, every block, the feeds, the incarnation.
//!
//! **Promise.** Changes nothing. What it calls sound has every byte that the newest generations name; what is
//! missing, changed, condemned or named by nobody is told apart and named. Nodes may go on meanwhile: what looks
//! wrong in a partition is looked at again if its chain has moved on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{feed, incarnation, inspect, stray_pages};
use crate::chain::{Link, Store, StoreError};
use crate::crypto;
use crate::engine::manifest::Digest;
use crate::engine::shared::SharedManifest;
use crate::engine::{BlockEntry, BlockId, Problem, Replica, VerifyProgress, layout};
use crate::event::PartitionKey;

/// What a check of a shared store found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StoreReport {
    /// Which history it has; `None` if no node has ever used it.
    pub incarnation: Option<String>,
    /// Lives that have a feed.
    pub feeds: u64,
    /// Entries of feeds that can be read.
    pub feed_entries: u64,
    /// What was found of the partitions.
    pub found: Found,
    /// Objects below the roots of chains, pages and blocks that are none.
    pub foreign: Vec<String>,
}

/// What was found of partitions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// Partitions looked at.
    pub partitions: u64,
    /// Of them, days that retention has lawfully emptied.
    pub retired: u64,
    /// Generations whose digests chain up.
    pub generations: u64,
    /// Generations below the floor: to be removed, or requests that came late.
    pub below_floor: u64,
    /// Partitions whose history begins later than generation 1, and with which: older ones were lawfully
    /// collected, and the first one kept states the digest before it.
    pub vouched_from: BTreeMap<String, u64>,
    /// Blocks whose bytes have the digest that the manifest names.
    pub blocks: u64,
    /// Bytes of them.
    pub block_bytes: u64,
    /// Events in them.
    pub rows: u64,
    /// Pages that the newest generations name.
    pub pages: u64,
    /// Pages that the newest generation does not name: of older ones, of one that is on its way, or of one that never
    /// came. The sweeper removes them after its grace.
    pub stray_pages: u64,
    /// Condemned blocks that are still there: the sweeper is about to delete them.
    pub condemned: u64,
    /// Blocks that the newest generation does not name: merged into others, of a retired day, on their way in, or left by
    /// a node that ended. The sweeper removes them after its grace.
    pub strays: u64,
    /// What is wrong. Empty: the partitions are sound.
    pub problems: Vec<Problem>,
}

impl StoreReport {
    fn problem(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.found.problem(path, what);
    }
}

impl Found {
    fn problem(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), what: what.into() });
    }

    fn add(&mut self, mut other: Self) {
        self.partitions += other.partitions;
        self.retired += other.retired;
        self.generations += other.generations;
        self.below_floor += other.below_floor;
        self.blocks += other.blocks;
        self.block_bytes += other.block_bytes;
        self.rows += other.rows;
        self.pages += other.pages;
        self.stray_pages += other.stray_pages;
        self.condemned += other.condemned;
        self.vouched_from.append(&mut other.vouched_from);
        self.strays += other.strays;
        self.problems.append(&mut other.problems);
    }
}

/// Checks a shared store, on which nodes may run. Reads every byte of every block that is named.
///
/// # Errors
/// If the store could not be asked. Damage is no error: it is in the report.
pub async fn verify_store(
    store: &Arc<dyn Store>,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<StoreReport, StoreError> {
    let mut report = StoreReport::default();
    let mut first = 0;
    match incarnation::read(store).await {
        Ok(Some(stated)) => {
            first = stated.incarnation.first;
            report.incarnation = Some(stated.incarnation.id);
            if stated.closing {
                let why = "a new history is being begun, or `helios store adopt` was interrupted: then run it again";
                report.problem(incarnation::FOLDER, why.to_owned());
            }
        }
        Ok(None) => {}
        Err(error @ StoreError::Unknown { .. }) => return Err(error),
        Err(error) => report.problem(incarnation::FOLDER, error.to_string()),
    }
    let inspect::Inventory { keys, foreign } = inspect::inventory(store).await?;
    report.foreign = foreign;
    let partitions = keys.len() as u64;
    let mut bytes = 0;
    for (done, key) in keys.iter().enumerate() {
        let mut show = |more: u64| {
            bytes += more;
            progress(VerifyProgress { partitions_done: done as u64, partitions, bytes });
        };
        show(0);
        report.found.add(partition(store, key, first, &mut show).await?);
    }
    feeds(store, &mut report).await?;
    progress(VerifyProgress { partitions_done: partitions, partitions, bytes });
    Ok(report)
}

/// Looks at a partition, again if something was wrong and its chain has moved on meanwhile.
async fn partition(
    store: &Arc<dyn Store>,
    key: &PartitionKey,
    first: u64,
    show: &mut (dyn FnMut(u64) + Send),
) -> Result<Found, StoreError> {
    let mut looks = 1;
    loop {
        let mut look = Look { store, key, first, found: Found { partitions: 1, ..Found::default() }, show };
        let head = look.partition().await?;
        let found = look.found;
        if found.problems.is_empty() || looks == LOOKS_MAX {
            return Ok(found);
        }
        if inspect::chain_of(store, key).generations().await?.last().copied() == head {
            return Ok(found);
        }
        looks += 1;
    }
}

/// One look at one partition.
struct Look<'a> {
    store: &'a Arc<dyn Store>,
    key: &'a PartitionKey,
    found: Found,
    show: &'a mut (dyn FnMut(u64) + Send),
    /// The lowest generation of the store's history.
    first: u64,
}

impl Look<'_> {
    /// Gives the number of the head that was looked at.
    async fn partition(&mut self) -> Result<Option<u64>, StoreError> {
        let listed = inspect::chain_of(self.store, self.key).generations().await?;
        // Requests that were on their way when a new history began.
        let (late, generations): (Vec<u64>, Vec<u64>) = listed.into_iter().partition(|number| *number < self.first);
        self.found.below_floor += late.len() as u64;
        let head = self.chain(&generations).await?;
        if let Some(head) = head {
            self.content(head).await?;
        } else if generations.is_empty() {
            let blocks = inspect::blocks(self.store, self.key).await?;
            self.found.strays += blocks.len() as u64;
            self.found.stray_pages += inspect::pages(self.store, self.key).await?.len() as u64;
        }
        Ok(generations.last().copied())
    }

    /// Checks every generation from the floor up; returns the newest, its pages not yet read.
    async fn chain(&mut self, generations: &[u64]) -> Result<Option<(Link, SharedManifest)>, StoreError> {
        let chain = inspect::chain_of(self.store, self.key);
        let Some(highest) = generations.last() else { return Ok(None) };
        let newest = chain.get(*highest).await?;
        let floor = newest.as_ref().and_then(|link| inspect::parse_generation(link).ok()).map_or(1, |head| head.floor);
        let mut before: Option<(Link, SharedManifest)> = None;
        for generation in generations {
            if *generation < floor {
                self.found.below_floor += 1;
                continue;
            }
            let path = inspect::path_of(self.key, *generation);
            let read = match chain.get(*generation).await? {
                Some(link) => inspect::parse_generation(&link).map(|manifest| (link, manifest)),
                None => Err("it is listed and cannot be read".into()),
            };
            match read {
                Ok(next) => {
                    self.step(&path, before.as_ref(), &next.1);
                    before = Some(next);
                }
                Err(why) => {
                    self.found.problem(path, why);
                    before = None;
                }
            }
        }
        Ok(before.filter(|(link, _)| link.generation == *highest))
    }

    fn step(&mut self, path: &str, before: Option<&(Link, SharedManifest)>, next: &SharedManifest) {
        self.found.generations += 1;
        let partition = self.key.to_string();
        let Some((link, manifest)) = before else {
            if next.generation > 1 {
                self.found.vouched_from.insert(partition, next.generation);
            }
            return;
        };
        if next.generation != link.generation + 1 {
            let why = format!("the generation before it is missing; the last one seen is {}", link.generation);
            self.found.problem(path, why);
            self.found.vouched_from.insert(partition, next.generation);
            return;
        }
        if next.previous != link.digest {
            self.found.problem(path, "the digest that it states of the generation before is not that one's");
        }
        if !next.watermarks.covers(&manifest.watermarks) {
            self.found.problem(path, "a watermark falls");
        }
        if next.floor < manifest.floor {
            self.found.problem(path, "its floor is below that of the generation before");
        }
    }

    /// Checks what the newest generation names, and tells apart what else is there.
    async fn content(&mut self, (link, manifest): (Link, SharedManifest)) -> Result<(), StoreError> {
        for lost in &manifest.lost {
            let what = format!("events {}-{} to {} are lost: {}", lost.origin, lost.from, lost.to, lost.why);
            self.found.problem(self.key.to_string(), what);
        }
        let head = match inspect::generation(self.store, self.key, &link).await? {
            Ok(head) => head,
            Err(why) => {
                self.found.problem(inspect::path_of(self.key, link.generation), why);
                return Ok(());
            }
        };
        let folder = layout::partition_folder(self.key);
        let named: BTreeSet<BlockId> = head.entries().map(|entry| entry.id).collect();
        self.found.retired += u64::from(named.is_empty());
        for entry in head.entries() {
            self.block(&folder, entry).await?;
        }
        // After the head was read: what came in since is a stray to this head, and no problem.
        for id in inspect::blocks(self.store, self.key).await?.into_keys().filter(|id| !named.contains(id)) {
            match head.is_condemned(id) {
                true => self.found.condemned += 1,
                false => self.found.strays += 1,
            }
        }
        let pages = inspect::pages(self.store, self.key).await?;
        self.found.stray_pages += stray_pages::unnamed(&head, &pages).len() as u64;
        self.found.pages += head.pages.len() as u64;
        Ok(())
    }

    async fn block(&mut self, folder: &str, entry: &BlockEntry) -> Result<(), StoreError> {
        let path = layout::shared_block_key(folder, entry.id);
        let bytes = match self.store.get(&path).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                self.found.problem(path, format!("missing; it held {} events", entry.rows));
                return Ok(());
            }
            Err(error @ StoreError::Unknown { .. }) => return Err(error),
            Err(error) => {
                self.found.problem(path, error.to_string());
                return Ok(());
            }
        };
        (self.show)(bytes.len() as u64);
        let digest = Digest(crypto::sha256(&bytes));
        if digest != entry.sha256 {
            let what = format!("changed: its digest is {digest}, the manifest says {}", entry.sha256);
            self.found.problem(path, what);
            return Ok(());
        }
        match Replica::rows_of(&bytes) {
            Ok(rows) if rows == entry.rows && bytes.len() as u64 == entry.bytes => {
                self.found.blocks += 1;
                self.found.block_bytes += entry.bytes;
                self.found.rows += rows;
            }
            Ok(rows) => {
                let (bytes, says) = (bytes.len(), (entry.rows, entry.bytes));
                let what = format!("it has {rows} events in {bytes} bytes, the manifest says {} in {}", says.0, says.1);
                self.found.problem(path, what);
            }
            Err(why) => self.found.problem(path, why),
        }
        Ok(())
    }
}

async fn feeds(store: &Arc<dyn Store>, report: &mut StoreReport) -> Result<(), StoreError> {
    let mut lives = BTreeSet::new();
    for object in store.list_all(feed::FEED, "").await? {
        let path = format!("{}/{}", feed::FEED, object.name);
        let Some((life, _)) = feed::parse(&object.name) else {
            report.foreign.push(path);
            continue;
        };
        lives.insert(life.to_owned());
        // Without a body: it was collected since the list.
        match store.get(&path).await?.map(|body| feed::Entry::parse(&body)) {
            Some(Ok(_)) => report.feed_entries += 1,
            Some(Err(why)) => report.problem(path, why),
            None => {}
        }
    }
    report.feeds = lives.len() as u64;
    Ok(())
}

/// How often a partition is looked at whose chain moves on.
const LOOKS_MAX: u32 = 5;
