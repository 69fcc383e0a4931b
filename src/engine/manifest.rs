//! The manifest: which blocks a partition has, and up to where each origin's events are in them.
//!
//! **Promise.** A generation is never changed once it is committed; each names the digest of the one
//! before it. The edits in this file are the only way from one generation to the next, and
//! [`check_step`] holds the rules for every step.
//!
//! **Pages.** A generation names its older blocks by way of immutable pages, each an object of its own
//! that is named by its digest, so that a flush writes down a bounded number of blocks and not all of
//! them.
//!
//! **Boundary.** Pure: no files, no clock.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::block_list;
use super::shared::SharedManifest;
use crate::crypto;
use crate::event::Origin;
use crate::host::Entropy;

/// The format of manifests that this version writes, and the newest that it reads.
pub const MANIFEST_FORMAT: u32 = 1;

/// Up to which sequence each origin's events have passed a boundary; absent means none has.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "BTreeMap<OriginKey, u64>", into = "BTreeMap<OriginKey, u64>")]
pub struct Watermarks(
    /// Ascending by origin. Each block has some, so they are as small as can be.
    Box<[(OriginKey, u64)]>,
);

/// A block as the manifest names it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BlockEntry {
    /// Names the file `<id>.hb`.
    pub id: BlockId,
    /// Of the whole file.
    pub sha256: Digest,
    /// Length of the file.
    pub bytes: u64,
    /// Events in it.
    pub rows: u64,
    /// Time of its earliest event, nanoseconds since 1970.
    pub min_time: i64,
    /// Time of its latest event.
    pub max_time: i64,
    /// Bytes that its events were sent as.
    pub raw_bytes: u64,
    /// Its row groups, if it has more than one.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub groups: Box<[GroupSpan]>,
    /// Up to which sequence of each origin this partition's events are in this block or an earlier one.
    pub upto: Watermarks,
}

/// What a query has to know of a row group before it opens the block's file. In JSON `[rows, min, max]`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "(u32, i64, i64)", into = "(u32, i64, i64)")]
pub struct GroupSpan {
    /// How many rows.
    pub rows: u32,
    /// Time of its earliest event, nanoseconds since 1970.
    pub min_time: i64,
    /// Time of its latest event.
    pub max_time: i64,
}

/// Events that damage has taken: `from..=to` of one origin.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lost {
    /// Whose events.
    pub origin: OriginKey,
    /// The first sequence that is lost.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// What happened.
    pub why: String,
}

/// One generation of a partition's manifest.
///
/// **Invariants.** M1 generations step by one. M2 no watermark ever falls, but `from` where a base of another
/// history is adopted. M3 no block is named twice.
/// M4 each generation states the digest of the one before it. M5 the floor never falls and is never
/// above the generation itself. M6 `upto` grows along the tail and ends at `flushed`. M7 a base is followed by
/// a later generation of the same store, or by one of another incarnation of it; it never goes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// Its number, from 1.
    pub generation: u64,
    /// SHA-256 of the generation before, in hex; empty for the first.
    pub previous: String,
    /// Who wrote it: `<life>-<number>`; tells an own commit from a lost race.
    pub commit: String,
    /// Wall time at the commit, nanoseconds since 1970. For people and for ageing; nothing is ordered by it.
    pub written: i64,
    /// Generations below this one may be gone.
    pub floor: u64,
    /// The shared generation that stands before the tail; none without a shared store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// What had left the tail before its front.
    pub from: Watermarks,
    /// Own blocks, in the order in which they were flushed: those that pages name,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Page>,
    /// and those after them.
    pub tail: Vec<Arc<BlockEntry>>,
    /// Up to which sequence events have ever been flushed: kept when the tail empties.
    pub flushed: Watermarks,
    /// What damage has taken.
    pub lost: Vec<Lost>,
    /// Fields of a later format, kept as they are.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// A shared generation that a local one stands on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Base {
    /// Which history of the shared store: a new one begins when an operator says so after a rollback.
    pub incarnation: String,
    /// Its number in the shared chain.
    pub generation: u64,
    /// Of its body; names the object that keeps it here.
    pub sha256: Digest,
    /// What it says; without blocks until it was read.
    #[serde(skip)]
    pub manifest: Arc<SharedManifest>,
}

impl Base {
    /// Whether it may take the place of `before`.
    pub(crate) fn follows(&self, before: &Base) -> bool {
        if self.incarnation != before.incarnation {
            return true;
        }
        let same = self.generation == before.generation && self.sha256 == before.sha256;
        same || (self.generation > before.generation && self.manifest.watermarks.covers(&before.manifest.watermarks))
    }
}

/// A run of blocks that is an object of its own.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Page {
    /// Of the object's bytes; names it.
    pub sha256: Digest,
    /// How many blocks it names, at least 1.
    pub blocks: u64,
    /// What gives it a name that no page ever had; none in a local manifest, which is written by one process.
    #[serde(skip)]
    pub salt: Option<Arc<str>>,
    /// What it says; empty until it was read.
    #[serde(skip)]
    pub entries: Arc<[Arc<BlockEntry>]>,
}

/// What the object of a page says.
#[derive(Deserialize, Serialize)]
struct PageBody {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<Arc<str>>,
    blocks: Arc<[Arc<BlockEntry>]>,
}

/// A SHA-256 digest; in JSON 64 lower-case hex digits.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Digest(pub [u8; crypto::SHA256_BYTES]);

/// A block's id: 32 lower-case hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BlockId(pub u128);

/// An origin as it is written in JSON: 16 lower-case hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OriginKey(pub Origin);

impl Watermarks {
    /// How far `origin` has come; 0 if it never passed.
    pub fn get(&self, origin: Origin) -> u64 {
        self.place(origin).map_or(0, |place| self.0[place].1)
    }

    /// Whether no origin has passed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves `origin` up to `sequence` if that is further.
    pub fn raise(&mut self, origin: Origin, sequence: u64) {
        match self.place(origin) {
            Ok(place) => self.0[place].1 = self.0[place].1.max(sequence),
            Err(place) => {
                let mut marks = std::mem::take(&mut self.0).into_vec();
                marks.insert(place, (OriginKey(origin), sequence));
                self.0 = marks.into();
            }
        }
    }

    /// Moves every origin up to where `other` has it.
    pub fn raise_all(&mut self, other: &Watermarks) {
        for (origin, sequence) in &other.0 {
            self.raise(origin.0, *sequence);
        }
    }

    /// The origins that have passed, ascending, and how far.
    pub fn iter(&self) -> impl Iterator<Item = (Origin, u64)> + '_ {
        self.0.iter().map(|(origin, sequence)| (origin.0, *sequence))
    }

    /// The same marks, none beyond where `other` has it.
    #[must_use]
    pub fn at_most(&self, other: &Watermarks) -> Self {
        let marks = self.0.iter().map(|(origin, mark)| (*origin, (*mark).min(other.get(origin.0))));
        Self(marks.filter(|(_, mark)| *mark > 0).collect())
    }

    /// Whether no origin is behind where `other` has it.
    pub fn covers(&self, other: &Watermarks) -> bool {
        other.0.iter().all(|(origin, sequence)| self.get(origin.0) >= *sequence)
    }

    fn place(&self, origin: Origin) -> Result<usize, usize> {
        self.0.binary_search_by_key(&OriginKey(origin), |(origin, _)| *origin)
    }
}

impl From<BTreeMap<OriginKey, u64>> for Watermarks {
    fn from(marks: BTreeMap<OriginKey, u64>) -> Self {
        Self(marks.into_iter().collect())
    }
}

impl From<Watermarks> for BTreeMap<OriginKey, u64> {
    fn from(marks: Watermarks) -> Self {
        marks.0.into_iter().collect()
    }
}

impl BlockEntry {
    /// Whether its rows are so many that merging them with others would hardly make them smaller: then it is
    /// never rewritten, and stays until its events retire.
    pub fn is_full(&self) -> bool {
        self.rows >= FULL_ROWS || self.raw_bytes >= FULL_RAW_BYTES
    }

    /// Its row groups, in their order.
    pub fn groups(&self) -> impl Iterator<Item = GroupSpan> {
        let rows = u32::try_from(self.rows).unwrap_or(u32::MAX);
        let only = GroupSpan { rows, min_time: self.min_time, max_time: self.max_time };
        self.groups.iter().copied().chain(self.groups.is_empty().then_some(only))
    }
}

/// A block of so many rows, or bytes as sent, is full. Half of what a flush takes, so that a head which was
/// flushed early for want of memory is not written twice.
pub(crate) const FULL_ROWS: u64 = 1 << 16;
const FULL_RAW_BYTES: u64 = 24 << 20;

impl From<(u32, i64, i64)> for GroupSpan {
    fn from((rows, min_time, max_time): (u32, i64, i64)) -> Self {
        Self { rows, min_time, max_time }
    }
}

impl BlockId {
    /// An id that no other block has.
    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        let mut number = [0; 16];
        entropy.fill(&mut number);
        Self(u128::from_le_bytes(number))
    }
}

impl From<GroupSpan> for (u32, i64, i64) {
    fn from(span: GroupSpan) -> Self {
        (span.rows, span.min_time, span.max_time)
    }
}

impl Page {
    /// The page of these entries, and the bytes of its object.
    pub(crate) fn of(entries: Vec<Arc<BlockEntry>>) -> Self {
        let (blocks, sha256) = (entries.len() as u64, Digest([0; crypto::SHA256_BYTES]));
        Self { sha256, blocks, salt: None, entries: entries.into() }.named()
    }

    /// The page of the same entries under another name.
    pub(crate) fn salted(&self, salt: &Arc<str>) -> Self {
        Self { salt: Some(Arc::clone(salt)), ..self.clone() }.named()
    }

    fn named(self) -> Self {
        Self { sha256: Digest(crypto::sha256(&self.body())), ..self }
    }

    /// The bytes of its object. Meant for a page whose entries are known.
    pub fn body(&self) -> Vec<u8> {
        let body = PageBody { format: MANIFEST_FORMAT, salt: self.salt.clone(), blocks: Arc::clone(&self.entries) };
        serde_json::to_vec(&body).expect("a page is plain data")
    }

    /// Takes over what its object says.
    ///
    /// # Errors
    /// What is wrong with the object.
    pub fn fill(&mut self, body: &[u8]) -> Result<(), String> {
        if Digest(crypto::sha256(body)) != self.sha256 {
            return Err("it does not have the digest that the manifest states".into());
        }
        let body: PageBody = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if body.format > MANIFEST_FORMAT {
            return Err(format!("format {} is newer than this version of helios reads", body.format));
        }
        if body.blocks.len() as u64 != self.blocks || self.blocks == 0 {
            return Err(format!("it names {} blocks, the manifest says {}", body.blocks.len(), self.blocks));
        }
        (self.salt, self.entries) = (body.salt, body.blocks);
        Ok(())
    }
}

impl Manifest {
    /// What stands before the first generation.
    pub fn empty() -> Self {
        Self {
            format: MANIFEST_FORMAT,
            generation: 0,
            previous: String::new(),
            commit: String::new(),
            written: 0,
            floor: 1,
            base: None,
            from: Watermarks::default(),
            pages: Vec::new(),
            tail: Vec::new(),
            flushed: Watermarks::default(),
            lost: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// All own blocks, in the order in which they were flushed.
    pub fn blocks(&self) -> impl Iterator<Item = &Arc<BlockEntry>> {
        block_list::entries(&self.pages, &self.tail)
    }

    /// The blocks of the base and the own ones.
    pub fn all_blocks(&self) -> impl Iterator<Item = &Arc<BlockEntry>> {
        self.shared().into_iter().flat_map(|shared| shared.entries()).chain(self.blocks())
    }

    /// The next generation with a flushed block at the back of the tail; its `upto` becomes `flushed`.
    pub fn with_flushed(&self, entry: Arc<BlockEntry>) -> Self {
        let mut next = self.successor();
        next.flushed = entry.upto.clone();
        next.tail.push(entry);
        next
    }

    /// The next generation in which `merged` stands for the neighbours `inputs`. `None` if they are
    /// not (or no longer) neighbours.
    pub fn with_merged(&self, inputs: &[BlockId], merged: Option<Arc<BlockEntry>>) -> Option<Self> {
        let mut next = self.successor();
        block_list::replace_run(&mut next.pages, &mut next.tail, inputs, merged)?;
        Some(next)
    }

    /// The next generation without blocks. No watermark moves: what comes again is still known.
    pub fn retired(&self) -> Self {
        let mut next = self.successor();
        next.pages.clear();
        next.tail.clear();
        next.from = next.flushed.clone();
        next
    }

    /// The same blocks with the oldest of the tail in pages, so that fewer than twice `page_blocks` are
    /// left in it.
    pub fn paged(mut self, page_blocks: usize) -> Self {
        block_list::page_off(&mut self.pages, &mut self.tail, page_blocks);
        self
    }

    /// The next generation on another base, with these blocks as its tail, before whose front `from` has gone.
    pub(crate) fn with_base(&self, base: Base, tail: Vec<Arc<BlockEntry>>, from: Watermarks, lost: Vec<Lost>) -> Self {
        let mut next = self.successor();
        // What the base says is lost need not be said here.
        next.lost.extend(lost);
        next.lost.retain(|lost| lost.to > base.manifest.watermarks.get(lost.origin.0));
        next.pages.clear();
        next.tail = tail;
        next.from = from;
        next.base = Some(base);
        next
    }

    /// What damage has taken, as this node and as its base say.
    pub fn all_lost(&self) -> Vec<Lost> {
        self.shared().into_iter().flat_map(|shared| &shared.lost).chain(&self.lost).cloned().collect()
    }

    /// What is shared of this partition and adopted here; nothing without a base.
    pub(crate) fn shared(&self) -> Option<&Arc<SharedManifest>> {
        self.base.as_ref().map(|base| &base.manifest)
    }

    /// Up to where events of each origin are in the base or were in the tail: what a replay drops.
    pub(crate) fn settled(&self) -> Watermarks {
        let mut settled = self.flushed.clone();
        if let Some(shared) = self.shared() {
            settled.raise_all(&shared.watermarks);
        }
        settled
    }

    /// A copy with the next number; the committer fills in who, when and the digest before.
    fn successor(&self) -> Self {
        Self { generation: self.generation + 1, ..self.clone() }
    }
}

/// Holds M1 to M7 for a step from `current`, whose digest is `digest`, to `next`.
///
/// # Panics
/// If a rule is broken: that is a bug here, never damage on disk.
pub fn check_step(current: &Manifest, digest: &str, next: &Manifest) {
    assert_eq!(next.generation, current.generation + 1, "M1");
    assert!(next.flushed.covers(&current.flushed), "M2");
    // Where a new history begins, what left the tail for the old one may have to come back.
    let history = |manifest: &Manifest| manifest.base.as_ref().map(|base| base.incarnation.clone());
    assert!(history(next) != history(current) || next.from.covers(&current.from), "M2");
    assert_eq!(next.previous, digest, "M4");
    assert!(next.floor >= current.floor && next.floor <= next.generation, "M5");
    if let Some(base) = &current.base {
        assert!(next.base.as_ref().is_some_and(|next| next.follows(base)), "M7");
    }
    if let Err(broken) = next.check() {
        panic!("{broken}");
    }
}

impl Manifest {
    /// Checks what must hold of a generation by itself; bytes from disk are checked with it too.
    ///
    /// # Errors
    /// Which rule is broken.
    pub fn check(&self) -> Result<(), String> {
        block_list::check(&self.pages, &self.tail, &self.from, &self.flushed)
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for BlockId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = plain.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or("a block id is 32 lower-case hex digits")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crypto::hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a digest is 64 lower-case hex digits";
        let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let (high, low) = text.split_at_checked(32).filter(|(_, low)| plain && low.len() == 32).ok_or(wrong)?;
        let half = |text| u128::from_str_radix(text, 16).map(u128::to_be_bytes).map_err(|_| wrong);
        let mut digest = [0; crypto::SHA256_BYTES];
        digest[..16].copy_from_slice(&half(high)?);
        digest[16..].copy_from_slice(&half(low)?);
        Ok(Self(digest))
    }
}

impl FromStr for OriginKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|()| "an origin is 16 lower-case hex digits")
    }
}

impl fmt::Display for OriginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Serde by way of `Display` and `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(BlockId);
serde_as_text!(OriginKey);
serde_as_text!(Digest);

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u128, origin: u64, upto: u64) -> Arc<BlockEntry> {
        let mut marks = Watermarks::default();
        marks.raise(Origin(origin), upto);
        Arc::new(BlockEntry {
            id: BlockId(id),
            sha256: Digest([id as u8; 32]),
            bytes: 1,
            rows: 1,
            min_time: 0,
            max_time: 0,
            raw_bytes: 1,
            groups: Box::default(),
            upto: marks,
        })
    }

    fn ids(manifest: &Manifest) -> Vec<u128> {
        manifest.blocks().map(|entry| entry.id.0).collect()
    }

    fn with_blocks(uptos: &[u64]) -> Manifest {
        uptos.iter().fold(Manifest::empty(), |manifest, upto| {
            let next = manifest.with_flushed(entry(u128::from(*upto), 1, *upto));
            check_step(&manifest, "", &next);
            next
        })
    }

    #[test]
    fn a_flush_moves_the_watermark_to_the_end_of_its_block() {
        let manifest = with_blocks(&[10, 25]);
        assert_eq!(manifest.flushed.get(Origin(1)), 25);
        assert_eq!(manifest.generation, 2);
    }

    #[test]
    fn only_neighbours_merge_and_no_watermark_moves() {
        let manifest = with_blocks(&[10, 20, 30]);
        let merged = manifest.with_merged(&[BlockId(10), BlockId(20)], Some(entry(99, 1, 20))).unwrap();
        check_step(&manifest, "", &merged);
        assert_eq!(ids(&merged), [99, 30]);
        assert_eq!(merged.flushed, manifest.flushed);
        assert!(manifest.with_merged(&[BlockId(10), BlockId(30)], Some(entry(99, 1, 30))).is_none());
        assert!(manifest.with_merged(&[BlockId(30), BlockId(40)], Some(entry(99, 1, 30))).is_none());
        assert!(manifest.with_merged(&[], Some(entry(99, 1, 30))).is_none());
    }

    #[test]
    fn pages_name_the_oldest_blocks_and_a_merge_may_reach_into_them() {
        let uptos: Vec<u64> = (1..=11).collect();
        let manifest = with_blocks(&uptos).paged(3);
        let sizes = |manifest: &Manifest| manifest.pages.iter().map(|page| page.blocks).collect::<Vec<_>>();
        assert_eq!((sizes(&manifest), manifest.tail.len()), (vec![3, 3], 5));
        assert_eq!(ids(&manifest), (1..=11).collect::<Vec<u128>>());
        let merged = manifest.with_merged(&[BlockId(6), BlockId(7)], Some(entry(99, 1, 7))).unwrap();
        check_step(&manifest, "", &merged);
        assert_eq!(ids(&merged), [1, 2, 3, 4, 5, 99, 8, 9, 10, 11]);
        assert_eq!(sizes(&merged), [3]);
        assert_eq!(merged.pages[0], manifest.pages[0]);
        let within = manifest.with_merged(&[BlockId(1), BlockId(2)], Some(entry(99, 1, 2))).unwrap();
        check_step(&manifest, "", &within);
        assert_eq!((sizes(&within), ids(&within)[..3].to_vec()), (vec![2, 3], vec![99, 3, 4]));
        assert_eq!(ids(&merged.clone().paged(3)), ids(&merged));
        assert!(manifest.with_merged(&[BlockId(3), BlockId(5)], Some(entry(99, 1, 5))).is_none());
        assert!(manifest.retired().blocks().next().is_none());
    }

    #[test]
    fn a_page_is_read_back_only_as_it_was_written() {
        let manifest = with_blocks(&[10, 20, 30, 40]).paged(2);
        let written = serde_json::to_vec(&manifest).unwrap();
        let mut read: Manifest = serde_json::from_slice(&written).unwrap();
        assert_eq!(ids(&read), [30, 40]);
        let mut changed = manifest.pages[0].body();
        changed[20] ^= 1;
        assert!(read.pages[0].fill(&changed).is_err());
        read.pages[0].fill(&manifest.pages[0].body()).unwrap();
        assert_eq!(read, manifest);
    }

    #[test]
    fn a_salt_changes_the_name_of_a_page_and_survives_a_copy_of_it() {
        let manifest = with_blocks(&[10, 20, 30, 40]).paged(2);
        let plain = &manifest.pages[0];
        assert!(!String::from_utf8(plain.body()).unwrap().contains("salt"), "pages without one are as they ever were");
        let salted = plain.salted(&Arc::from("a"));
        assert_ne!(salted.sha256, plain.sha256);
        assert_ne!(salted.sha256, plain.salted(&Arc::from("b")).sha256);
        let mut read = Page { salt: None, entries: Arc::default(), ..salted.clone() };
        read.fill(&salted.body()).unwrap();
        assert_eq!((read.body(), &read.entries), (salted.body(), &plain.entries));
    }

    #[test]
    fn retiring_keeps_every_watermark() {
        let manifest = with_blocks(&[10, 20]);
        let retired = manifest.retired();
        check_step(&manifest, "", &retired);
        assert!(retired.tail.is_empty());
        assert_eq!(retired.flushed.get(Origin(1)), 20);
    }

    #[test]
    #[should_panic(expected = "M2")]
    fn a_watermark_that_falls_is_our_bug() {
        let manifest = with_blocks(&[10]);
        let mut next = manifest.retired();
        next.flushed = Watermarks::default();
        check_step(&manifest, "", &next);
    }

    fn base(incarnation: &str, generation: u64) -> Base {
        let manifest = Arc::new(SharedManifest { generation, ..SharedManifest::empty() });
        Base { incarnation: incarnation.into(), generation, sha256: Digest([0; 32]), manifest }
    }

    #[test]
    fn what_left_the_tail_comes_back_where_a_new_history_begins() {
        let manifest = with_blocks(&[10]);
        let shared = manifest.with_base(base("one", 7), Vec::new(), manifest.flushed.clone(), Vec::new());
        check_step(&manifest, "", &shared);
        let back = shared.with_base(base("two", 3), vec![entry(11, 1, 10)], Watermarks::default(), Vec::new());
        check_step(&shared, "", &back);
        assert_eq!(ids(&back), [11]);
    }

    #[test]
    #[should_panic(expected = "M2")]
    fn what_left_the_tail_stays_away_within_a_history() {
        let manifest = with_blocks(&[10]);
        let shared = manifest.with_base(base("one", 7), Vec::new(), manifest.flushed.clone(), Vec::new());
        check_step(&shared, "", &shared.with_base(base("one", 8), Vec::new(), Watermarks::default(), Vec::new()));
    }

    #[test]
    fn fields_of_a_later_format_survive() {
        let text = serde_json::to_string(&with_blocks(&[10])).unwrap().replacen('{', r#"{"deletes":[1],"#, 1);
        let manifest: Manifest = serde_json::from_str(&text).unwrap();
        assert!(serde_json::to_string(&manifest.retired()).unwrap().contains(r#""deletes":[1]"#));
    }
}
