//! The manifest: which blocks a partition has, and up to where each origin's events are in them.
//!
//! **Promise.** A generation is never changed once it is committed; each names the digest of the one
//! before it. The edits in this file are the only way from one generation to the next, and
//! [`check_step`] holds the rules for every step.
//!
//! **Boundary.** Pure: no files, no clock.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::Origin;

/// The format of manifests that this version writes, and the newest that it reads.
pub const MANIFEST_FORMAT: u32 = 1;

/// Up to which sequence each origin's events have passed a boundary; absent means none has.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Watermarks(BTreeMap<OriginKey, u64>);

/// A block as the manifest names it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct BlockEntry {
    /// Names the file `<id>.hb`.
    pub id: BlockId,
    /// SHA-256 of the whole file, in hex.
    pub sha256: String,
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
    /// Up to which sequence of each origin this partition's events are in this block or an earlier one.
    pub upto: Watermarks,
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
/// **Invariants.** M1 generations step by one. M2 no watermark ever falls. M3 no block is named twice.
/// M4 each generation states the digest of the one before it. M5 the floor never falls and is never
/// above the generation itself. M6 `upto` grows along the tail and ends at `flushed`.
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
    /// What had left the tail before its front.
    pub from: Watermarks,
    /// Own blocks, in the order in which they were flushed.
    pub tail: Vec<BlockEntry>,
    /// Up to which sequence events have ever been flushed: kept when the tail empties.
    pub flushed: Watermarks,
    /// What damage has taken.
    pub lost: Vec<Lost>,
    /// Fields of a later format, kept as they are.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// A block's id: 32 lower-case hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BlockId(pub u128);

/// An origin as it is written in JSON: 16 lower-case hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OriginKey(pub Origin);

impl Watermarks {
    /// How far `origin` has come; 0 if it never passed.
    pub fn get(&self, origin: Origin) -> u64 {
        self.0.get(&OriginKey(origin)).copied().unwrap_or(0)
    }

    /// Moves `origin` up to `sequence` if that is further.
    pub fn raise(&mut self, origin: Origin, sequence: u64) {
        let mark = self.0.entry(OriginKey(origin)).or_insert(0);
        *mark = (*mark).max(sequence);
    }

    /// Moves every origin up to where `other` has it.
    pub fn raise_all(&mut self, other: &Watermarks) {
        for (origin, sequence) in &other.0 {
            self.raise(origin.0, *sequence);
        }
    }

    /// Whether no origin is behind where `other` has it.
    pub fn covers(&self, other: &Watermarks) -> bool {
        other.0.iter().all(|(origin, sequence)| self.get(origin.0) >= *sequence)
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
            from: Watermarks::default(),
            tail: Vec::new(),
            flushed: Watermarks::default(),
            lost: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }

    /// The next generation with a flushed block at the back of the tail; its `upto` becomes `flushed`.
    pub fn with_flushed(&self, entry: BlockEntry) -> Self {
        let mut next = self.successor();
        next.flushed = entry.upto.clone();
        next.tail.push(entry);
        next
    }

    /// The next generation in which `merged` stands for the neighbours `inputs`. `None` if they are
    /// not (or no longer) neighbours in the tail.
    pub fn with_merged(&self, inputs: &[BlockId], merged: Option<BlockEntry>) -> Option<Self> {
        let first = self.tail.iter().position(|entry| Some(&entry.id) == inputs.first())?;
        let run = self.tail.get(first..first + inputs.len())?;
        if !run.iter().map(|entry| &entry.id).eq(inputs) {
            return None;
        }
        let mut next = self.successor();
        next.tail.splice(first..first + inputs.len(), merged);
        Some(next)
    }

    /// The next generation without blocks. No watermark moves: what comes again is still known.
    pub fn retired(&self) -> Self {
        let mut next = self.successor();
        next.tail.clear();
        next.from = next.flushed.clone();
        next
    }

    /// A copy with the next number; the committer fills in who, when and the digest before.
    fn successor(&self) -> Self {
        Self { generation: self.generation + 1, ..self.clone() }
    }
}

/// Holds M1 to M6 for a step from `current`, whose digest is `digest`, to `next`.
///
/// # Panics
/// If a rule is broken: that is a bug here, never damage on disk.
pub fn check_step(current: &Manifest, digest: &str, next: &Manifest) {
    assert_eq!(next.generation, current.generation + 1, "M1");
    assert!(next.flushed.covers(&current.flushed), "M2");
    assert!(next.from.covers(&current.from), "M2");
    assert_eq!(next.previous, digest, "M4");
    assert!(next.floor >= current.floor && next.floor <= next.generation, "M5");
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
        let mut ids: Vec<_> = self.tail.iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("M3: a block is named twice".into());
        }
        let mut mark = &self.from;
        for entry in &self.tail {
            if !entry.upto.covers(mark) {
                return Err(format!("M6: the tail goes back at block {}", entry.id));
            }
            mark = &entry.upto;
        }
        if !self.flushed.covers(mark) {
            return Err("M6: the tail goes beyond what was flushed".into());
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u128, origin: u64, upto: u64) -> BlockEntry {
        let mut marks = Watermarks::default();
        marks.raise(Origin(origin), upto);
        BlockEntry {
            id: BlockId(id),
            sha256: String::new(),
            bytes: 1,
            rows: 1,
            min_time: 0,
            max_time: 0,
            raw_bytes: 1,
            upto: marks,
        }
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
        assert_eq!(merged.tail.iter().map(|e| e.id.0).collect::<Vec<_>>(), [99, 30]);
        assert_eq!(merged.flushed, manifest.flushed);
        assert!(manifest.with_merged(&[BlockId(10), BlockId(30)], Some(entry(99, 1, 30))).is_none());
        assert!(manifest.with_merged(&[BlockId(30), BlockId(40)], Some(entry(99, 1, 30))).is_none());
        assert!(manifest.with_merged(&[], Some(entry(99, 1, 30))).is_none());
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

    #[test]
    fn fields_of_a_later_format_survive() {
        let text = serde_json::to_string(&with_blocks(&[10])).unwrap().replacen('{', r#"{"deletes":[1],"#, 1);
        let manifest: Manifest = serde_json::from_str(&text).unwrap();
        assert!(serde_json::to_string(&manifest.retired()).unwrap().contains(r#""deletes":[1]"#));
    }
}
