//! Beginning a new history of a shared store that was rolled back, or copied out of order.
//!
//! **Promise.** What the store has is what holds from then on, and nothing that any node still has is lost: nodes
//! bring back, exactly once, what their old bases have beyond it. Of each partition the highest generation holds
//! all of whose pages and blocks are there. Nothing is deleted, no number is given twice.
//!
//! **Rule.** That content is committed above the head, which seals the chain, and once more under the first number of
//! the new history, far above the head, with a floor that leaves everything before behind: also a commit that was on
//! its way when the store was put back, and comes only now. Blocks that a later generation has condemned come with it
//! under new ids, since a sweeper may be about to delete them. ORDER: first the old history is closing (see
//! [`incarnation`]), then the chains, the new one last. A node that moves to it adopts what it finds, and lets go of
//! its own what that claims to have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use tracing::warn;

use super::{feed, incarnation, inspect};
use crate::chain::{Commit, Link, Store, StoreError};
use crate::crypto;
use crate::engine::manifest::Digest;
use crate::engine::shared::{Condemned, SHARED_FORMAT, SharedManifest};
use crate::engine::{BlockEntry, BlockId, Problem, Settings, Watermarks, layout};
use crate::event::{Origin, PartitionKey};
use crate::host::{Entropy, Host};

/// What a new history is, or would be, made of.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The history that the store has had so far.
    pub before: Option<String>,
    /// The new one; `None` if it was not begun.
    pub begun: Option<String>,
    /// The partitions, in order.
    pub partitions: Vec<PartitionHistory>,
    /// What cannot be part of it: then it is not begun.
    pub refused: Vec<Problem>,
}

/// What holds of a partition.
#[derive(Clone, Debug)]
pub struct PartitionHistory {
    /// Which.
    pub partition: PartitionKey,
    /// The head that was there.
    pub head: u64,
    /// The generation whose content holds.
    pub generation: u64,
    /// How many blocks hold.
    pub blocks: u64,
    /// How many more that generation names: they begin with one that is not there.
    pub blocks_left: u64,
    /// Events in those that hold.
    pub rows: u64,
    /// Why the head does not hold as it is; empty if it does.
    pub faults: Vec<String>,
    /// Events that were in the store, and are not in what holds: only nodes that have them can bring them back.
    pub missing: Vec<Missing>,
    /// The newest generation that a node announced, if it is not there.
    pub announced: Option<u64>,
}

/// Events of one origin, by their sequences.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Missing {
    /// Whose events.
    pub origin: Origin,
    /// The first.
    pub from: u64,
    /// The last that is known of.
    pub to: u64,
}

/// What to do about a new history.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begin {
    /// Only say what it would be.
    Look,
    /// Begin it. A node that neither has what its old base names nor finds it in the store waits for another one
    /// that has it.
    Write,
    /// Begin it, and give up what no node has: nodes note it as lost and go on.
    AcceptLoss,
}

/// Says what a new history would be, and begins it if asked to. With `replaces` nodes that have shared with that store
/// take this one for it from then on; it may be empty then.
///
/// # Errors
/// If the store could not be asked, or refused something: then the old history holds. It may be run again.
pub async fn begin_history(
    host: &Host,
    store: &Arc<dyn Store>,
    how: Begin,
    replaces: Option<&str>,
) -> Result<History, StoreError> {
    let entropy = host.entropy.fork("history");
    let life = format!("{:016x}", entropy.next_u64());
    let stated = incarnation::read(store).await?;
    let id = || format!("{:016x}", entropy.next_u64());
    let before = stated.clone().unwrap_or_else(|| incarnation::Stated::nothing(id()));
    let first = incarnation::first_generation(before.number + 1);
    let writer = Writer { host, store, entropy: &*entropy, life: &life, first };
    let history = History { before: stated.map(|stated| stated.incarnation.id), ..History::default() };
    let plan = writer.make(history.clone(), false).await?;
    // A store that nobody has used is likely the wrong place: nothing is left there.
    let used = plan.before.is_some() || !plan.partitions.is_empty() || replaces.is_some();
    if how == Begin::Look || !used || !plan.refused.is_empty() {
        return Ok(plan);
    }
    // ORDER: before the chains are looked for that are in it.
    let before = incarnation::close(store, &before, &format!("{life}-closing")).await?;
    let next = before.next(id(), how == Begin::AcceptLoss, replaces);
    let outcome = async {
        let mut history = writer.make(history, true).await?;
        if history.refused.is_empty() {
            let begun = next.incarnation.id.clone();
            incarnation::renew(store, next, &format!("{life}-0")).await?;
            tell(store, &life, &begun).await;
            history.begun = Some(begun);
        }
        Ok(history)
    };
    let outcome = outcome.await;
    if outcome.as_ref().map_or(true, |history| history.begun.is_none()) {
        // Best effort: else nodes say that the command must be run again.
        if let Err(error) = incarnation::reopen(store, &before, &format!("{life}-reopened")).await {
            warn!(%error, "that no new history is being begun could not be written: run the command again");
        }
    }
    outcome
}

/// Says in a feed of its own that there is a new history. Nodes to which that does not come find it out from
/// others that know, or at their next walk.
async fn tell(store: &Arc<dyn Store>, life: &str, incarnation: &str) {
    let entry = feed::Entry::of(&BTreeMap::new(), incarnation).to_bytes();
    for _ in 0..TELL_TRIES {
        if store.create(&feed::key_of(life, 1), entry.clone()).await.is_ok() {
            return;
        }
    }
}

/// The newest generation of each partition that any feed speaks of.
async fn announced(store: &Arc<dyn Store>) -> Result<BTreeMap<PartitionKey, u64>, StoreError> {
    let mut newest: BTreeMap<PartitionKey, u64> = BTreeMap::new();
    for object in store.list_all(feed::FEED, "").await? {
        let body = store.get(&format!("{}/{}", feed::FEED, object.name)).await?;
        // A hint: what cannot be read says nothing.
        let Some(Ok(entry)) = body.map(|body| feed::Entry::parse(&body)) else { continue };
        for (key, generation) in entry.changes() {
            let known = newest.entry(key).or_default();
            *known = generation.max(*known);
        }
    }
    Ok(newest)
}

/// What holds of a chain, as it was found.
struct Choice {
    key: PartitionKey,
    head: Link,
    /// What holds, its blocks not in pages; with the number that it had.
    content: SharedManifest,
    blocks_left: u64,
    faults: Vec<String>,
    /// Up to where any generation that can be read has events.
    seen: Watermarks,
    /// Every block that any of them condemns.
    condemned: BTreeMap<BlockId, u64>,
}

impl Choice {
    fn describe(self, announced: Option<u64>) -> PartitionHistory {
        let marks = &self.content.watermarks;
        let missing = self.seen.iter().filter(|(origin, last)| marks.get(*origin) < *last);
        let missing = missing.map(|(origin, to)| Missing { origin, from: marks.get(origin) + 1, to });
        PartitionHistory {
            head: self.head.generation,
            generation: self.content.generation,
            blocks: self.content.blocks.len() as u64,
            blocks_left: self.blocks_left,
            rows: self.content.blocks.iter().map(|entry| entry.rows).sum(),
            missing: missing.collect(),
            partition: self.key,
            faults: self.faults,
            announced,
        }
    }
}

/// A generation as far as its blocks are there.
struct Candidate {
    manifest: SharedManifest,
    entries: Vec<Arc<BlockEntry>>,
    left: u64,
}

/// Looks at a chain and chooses what holds of it. `None` if there is no chain; the inner error says why nothing
/// of it may be touched.
async fn choose(store: &Arc<dyn Store>, key: &PartitionKey) -> Result<Result<Option<Choice>, Problem>, StoreError> {
    let chain = inspect::chain_of(store, key);
    let generations = chain.generations().await?;
    let Some(highest) = generations.last().copied() else { return Ok(Ok(None)) };
    let refuse = |what: String| Ok(Err(Problem { path: inspect::path_of(key, highest), what }));
    let Some(head) = chain.get(highest).await? else {
        return refuse("it is listed and cannot be read".into());
    };
    if let Some(format) = newer_format(&head) {
        return refuse(format!("format {format} is newer than this version of helios reads"));
    }
    // ORDER: after the head was read. What it does not condemn is deleted only after a later generation says so.
    let there = inspect::blocks(store, key).await?;
    let floor = inspect::parse_generation(&head).map_or(1, |manifest| manifest.floor);
    let mut look = Choosing { store, key, there: &there, best: None, found: Vec::new() };
    look.generations(&chain, generations.into_iter().filter(|number| *number >= floor).collect(), &head).await?;
    Ok(Ok(Some(look.choice(head))))
}

/// The format of a generation if this version does not know it.
fn newer_format(link: &Link) -> Option<u32> {
    #[derive(Deserialize)]
    struct Stated {
        format: u32,
    }
    let stated: Stated = serde_json::from_slice(&link.body).ok()?;
    (stated.format > SHARED_FORMAT).then_some(stated.format)
}

struct Choosing<'a> {
    store: &'a Arc<dyn Store>,
    key: &'a PartitionKey,
    there: &'a BTreeMap<BlockId, u64>,
    /// The highest that is whole; else the one of which most events are there.
    best: Option<Candidate>,
    /// What was seen of every generation, from the head down.
    found: Vec<(Link, Result<SharedManifest, String>)>,
}

impl Choosing<'_> {
    /// Reads the generations from the head down.
    async fn generations(
        &mut self,
        chain: &crate::chain::Chain,
        numbers: Vec<u64>,
        head: &Link,
    ) -> Result<(), StoreError> {
        for number in numbers.into_iter().rev() {
            let link = if number == head.generation { Some(head.clone()) } else { chain.get(number).await? };
            let Some(link) = link else { continue };
            let read = inspect::parse_generation(&link);
            if read.is_ok() && self.best.as_ref().is_none_or(|best| best.left > 0) {
                match inspect::generation(self.store, self.key, &link).await? {
                    Ok(manifest) => self.weigh(manifest),
                    Err(why) => {
                        self.found.push((link, Err(why)));
                        continue;
                    }
                }
            }
            self.found.push((link, read));
        }
        Ok(())
    }

    fn weigh(&mut self, manifest: SharedManifest) {
        let is_there = |entry: &&Arc<BlockEntry>| self.there.get(&entry.id) == Some(&entry.bytes);
        let entries: Vec<_> = manifest.entries().take_while(is_there).cloned().collect();
        let left = manifest.entries().count() as u64 - entries.len() as u64;
        let rows = |entries: &[Arc<BlockEntry>]| entries.iter().map(|entry| entry.rows).sum::<u64>();
        let better = match &self.best {
            None => true,
            Some(best) => left == 0 || rows(&entries) > rows(&best.entries),
        };
        if better {
            self.best = Some(Candidate { manifest, entries, left });
        }
    }

    /// What is wrong between the floor and the head.
    fn faults(&self, whole: Option<u64>) -> Vec<String> {
        let mut faults = Vec::new();
        let unreadable = self.found.iter().filter_map(|(link, read)| Some((link.generation, read.as_ref().err()?)));
        faults.extend(unreadable.map(|(generation, why)| format!("generation {generation}: {why}")));
        for pair in self.found.windows(2) {
            let ((next, read), (before, _)) = (&pair[0], &pair[1]);
            if next.generation != before.generation + 1 {
                faults.push(format!("no generation between {} and {}", before.generation, next.generation));
            } else if read.as_ref().is_ok_and(|manifest| manifest.previous != before.digest) {
                faults.push(format!("generation {} does not follow from the one before it", next.generation));
            }
        }
        let head = self.found.first().map(|(link, _)| link.generation);
        if let Some(head) = head.filter(|head| whole != Some(*head)) {
            faults.push(format!("generation {head} names what is not there"));
        }
        faults
    }

    fn choice(self, head: Link) -> Choice {
        let whole = self.best.as_ref().filter(|best| best.left == 0).map(|best| best.manifest.generation);
        let faults = self.faults(whole);
        let (mut seen, mut condemned) = (Watermarks::default(), BTreeMap::new());
        for manifest in self.found.iter().filter_map(|(_, read)| read.as_ref().ok()) {
            seen.raise_all(&manifest.watermarks);
            condemned.extend(manifest.condemned.iter().map(|block| (block.id, block.generation)));
        }
        let (mut content, blocks_left) = match self.best {
            None => (SharedManifest::empty(), 0),
            Some(Candidate { mut manifest, entries, left }) => {
                if left > 0 {
                    // A block ends where all before it stand: up to there, and no further, everything is there.
                    manifest.watermarks = entries.last().map(|last| last.upto.clone()).unwrap_or_default();
                }
                manifest.blocks = entries;
                (manifest, left)
            }
        };
        content.pages.clear();
        Choice { key: self.key.clone(), head, content, blocks_left, faults, seen, condemned }
    }
}

struct Writer<'a> {
    host: &'a Host,
    store: &'a Arc<dyn Store>,
    entropy: &'a dyn Entropy,
    life: &'a str,
    /// The lowest generation of the new history.
    first: u64,
}

impl Writer<'_> {
    /// What holds of each partition; with `begins` it is committed as the first of the new history.
    async fn make(&self, mut history: History, begins: bool) -> Result<History, StoreError> {
        let announced = announced(self.store).await?;
        let mut chosen = Vec::new();
        for key in inspect::inventory(self.store).await?.keys {
            match choose(self.store, &key).await? {
                Ok(Some(choice)) => chosen.push(choice),
                Ok(None) => {}
                Err(problem) => history.refused.push(problem),
            }
        }
        let begins = begins && history.refused.is_empty();
        for choice in chosen {
            let choice = if begins { self.settle(choice).await? } else { choice };
            let newest = announced.get(&choice.key).copied().filter(|newest| *newest > choice.head.generation);
            history.partitions.push(choice.describe(newest));
        }
        Ok(history)
    }

    /// Begins the new history with what was chosen, and chooses anew if somebody else commits meanwhile. Two commits:
    /// the first takes the next number and seals the chain, so that nobody goes on from what the second, whose number
    /// nobody else would take, leaves behind.
    async fn settle(&self, choice: Choice) -> Result<Choice, StoreError> {
        let (mut choice, mut told) = (choice, None);
        for _ in 0..COMMIT_TRIES {
            let is_sealed = inspect::parse_generation(&choice.head).is_ok_and(|head| head.sealed);
            // Begun before, by a command that did not come to its end.
            let is_begun = choice.faults.is_empty() && choice.head.generation >= self.first && !is_sealed;
            let next = choice.head.generation + 1;
            let generation = if is_sealed { next.max(self.first) } else { next };
            if is_begun || (self.commit(&choice, generation, !is_sealed).await? && is_sealed) {
                return Ok(told.unwrap_or(choice));
            }
            let again = match choose(self.store, &choice.key).await? {
                Ok(Some(again)) => again,
                Ok(None) => return Err(StoreError::definite(&choice.key.to_string(), "its chain is gone")),
                Err(Problem { path, what }) => return Err(StoreError::definite(&path, what)),
            };
            let before = std::mem::replace(&mut choice, again);
            // What was sealed is what was chosen: there is no more to tell of it.
            let is_own = choice.head.generation == next && choice.faults.is_empty();
            told = told.or_else(|| is_own.then_some(before));
        }
        Err(StoreError::definite(
            &choice.key.to_string(),
            "others commit to it all the time: stop the nodes, try again",
        ))
    }

    /// Commits what was chosen. Whether it is the head now.
    async fn commit(&self, choice: &Choice, generation: u64, sealed: bool) -> Result<bool, StoreError> {
        let mut next = choice.content.clone();
        // Of a head that holds, what older generations condemned beyond it is gone, and forgotten.
        let mut condemned = match choice.faults.is_empty() {
            true => next.condemned.iter().map(|block| (block.id, block.generation)).collect(),
            false => choice.condemned.clone(),
        };
        for entry in &mut next.blocks {
            if condemned.contains_key(&entry.id) {
                *entry = self.copy(&choice.key, entry).await?;
            }
        }
        let named: BTreeSet<BlockId> = next.blocks.iter().map(|entry| entry.id).collect();
        condemned.retain(|id, _| !named.contains(id));
        next.condemned = condemned.into_iter().map(|(id, generation)| Condemned { id, generation }).collect();
        (next.generation, next.floor, next.sealed) = (generation, generation, sealed);
        next.previous.clone_from(&choice.head.digest);
        next.commit = format!("{}-{generation}", self.life);
        next.written = self.host.clock.wall().0;
        let salt = BlockId::draw(self.entropy).to_string().into();
        let next = next.paged(Settings::default().manifest_page_blocks, &[], &salt);
        next.check().map_err(|why| StoreError::definite(&inspect::path_of(&choice.key, generation), why))?;
        let folder = layout::shared_pages_folder(&layout::partition_folder(&choice.key));
        for page in &next.pages {
            let name = format!("{folder}/{}", layout::page_name(page.sha256));
            self.store.put(&name, Bytes::from(page.body())).await?;
        }
        let body = Bytes::from(serde_json::to_vec(&next).expect("a manifest is plain data"));
        match inspect::chain_of(self.store, &choice.key).commit(generation, body).await? {
            Commit::Done(_) => Ok(true),
            Commit::Lost(_) | Commit::Untold(_) => Ok(false),
        }
    }

    /// A block once more, under an id that nobody has used.
    async fn copy(&self, key: &PartitionKey, entry: &BlockEntry) -> Result<Arc<BlockEntry>, StoreError> {
        let folder = layout::partition_folder(key);
        let name = layout::shared_block_key(&folder, entry.id);
        let bytes = self.store.get(&name).await?;
        let bytes = bytes.filter(|bytes| Digest(crypto::sha256(bytes)) == entry.sha256);
        let Some(bytes) = bytes else {
            return Err(StoreError::definite(
                &name,
                "it is gone, or does not have the digest that its manifest states",
            ));
        };
        let id = BlockId::draw(self.entropy);
        self.store.put(&layout::shared_block_key(&folder, id), bytes).await?;
        Ok(Arc::new(BlockEntry { id, ..entry.clone() }))
    }
}

/// How often the feed of this command is tried to be written.
const TELL_TRIES: u32 = 5;
/// How often a chain is looked at that others commit to.
const COMMIT_TRIES: u32 = 16;
