//! Whether a base has what is about to leave the tail.
//!
//! A watermark says that a base has an origin's events up to a sequence. That holds as long as one process alone numbers
//! events under that origin. A virtual machine that is put back to an earlier state, or copied, while it runs breaks
//! it: two processes number different events alike, and each would take the other's for its own, and drop these.
//!
//! **Promise.** An event leaves the tail for a base only if it was seen in the base: in a block with the same digest, or
//! row by row. What a base should have and has not gets an origin of its own, keeps its sequence, and stays. The one
//! case in which an event's id changes. It does so once: who has the event under its old number, from a backup, knows
//! it again by its sequence, time and line, and the new origin by its first half ([`is_child`]).
//!
//! **Not looked for** is what a base says it may lack: what a retired day had, and what was given up as lost. Nor is what
//! leaves an old *base* when a new history of the store begins.
//!
//! **Cost.** A block that is in the base as it was sent, which is nearly always so, costs nothing but the comparison of
//! digests. Else it is read, and the blocks of the base that may have its events once for each of its row groups. Holds
//! one row group of each, and 40 bytes a row.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::adopt::AdoptFailure;
use super::blocks;
use super::core::Core;
use super::encode;
use super::manifest::{BlockEntry, Digest, Watermarks};
use super::partition::Partition;
use super::publish::PublishFailure;
use super::shared::SharedManifest;
use super::snapshot::StoredBlock;
use crate::block::group::ROW_GROUP_ROWS_MAX;
use crate::block::{BlockError, RawCursor, RowGroup, merge_all};
use crate::crypto;
use crate::event::{EventId, Origin};
use crate::host::Cost;

/// What an adoption asks about the blocks that leave the tail for its base.
pub(crate) struct Vouch<'a> {
    core: &'a Core,
    partition: &'a Arc<Partition>,
    base: &'a SharedManifest,
    digests: BTreeSet<Digest>,
    /// What lies at or below these the base may lack: the day was retired.
    retired: &'a Watermarks,
}

/// An event that the base should have.
struct Due {
    id: EventId,
    /// Of its time and line.
    digest: u64,
    row: u32,
    seen: bool,
}

impl<'a> Vouch<'a> {
    /// For what of `own` may leave.
    pub(crate) fn new(
        core: &'a Core,
        partition: &'a Arc<Partition>,
        base: &'a SharedManifest,
        own: &[Arc<StoredBlock>],
    ) -> Self {
        let own: BTreeSet<Digest> = own.iter().map(|block| block.entry.sha256).collect();
        let shared = base.entries().map(|entry| entry.sha256);
        let digests = if own.is_empty() { own } else { shared.filter(|digest| own.contains(digest)).collect() };
        // Versions that do not state what they retire leave no block either.
        let is_empty = base.entries().next().is_none();
        let retired = if is_empty { &base.watermarks } else { &base.retired };
        Self { core, partition, base, digests, retired }
    }

    /// Whether the base names this very block.
    pub(crate) fn names(&self, block: &StoredBlock) -> bool {
        self.digests.contains(&block.entry.sha256)
    }

    /// Blocks of those events of `block` that the base should have and has not, each under a new number, to stand behind
    /// what ends at `stand`.
    ///
    /// # Errors
    /// If it cannot be told; [`AdoptFailure::Cloned`] if this life itself gave such a number.
    pub(crate) async fn renumber(
        &self,
        block: &Arc<StoredBlock>,
        mut stand: Watermarks,
    ) -> Result<Vec<Arc<StoredBlock>>, AdoptFailure> {
        self.core.counters.compared.fetch_add(1, Ordering::Relaxed);
        let mut kept = Vec::new();
        let footer = match block.footer().await {
            Ok(footer) => footer,
            Err(error) => return self.own_failed(block, error).map(|()| kept),
        };
        for group in 0..footer.groups.len() {
            if self.core.is_stopping() {
                return Err(PublishFailure::Failed("the engine stops".into()).into());
            }
            let group = match encode::read_group(self.core, block, &footer, group).await {
                Ok(group) => Arc::new(group),
                Err(error) => return self.own_failed(block, error).map(|()| kept),
            };
            let missing = self.missing(&group).await?;
            if let Some(due) = missing.iter().find(|due| due.id.origin == self.core.origin) {
                let why = format!("event {} is another one in the shared store than here", due.id);
                return Err(AdoptFailure::Cloned(why));
            }
            if !missing.is_empty() {
                kept.push(self.keep(block, &group, &missing, &mut stand).await?);
            }
        }
        Ok(kept)
    }

    /// What follows from a block of the tail that cannot be read. If it is damaged, nothing of it can be compared or
    /// kept: the base is believed, and a cut reads it once more.
    fn own_failed(&self, block: &StoredBlock, error: io::Error) -> Result<(), AdoptFailure> {
        let id = block.entry.id;
        if !is_damage(&error) {
            return Err(PublishFailure::Failed(format!("own block {id}: {error}")).into());
        }
        tracing::error!(%error, partition = %self.partition.folder, block = %id,
            "a block of the own tail is damaged: whether the shared store has its events cannot be seen");
        Ok(())
    }

    /// The events of a group that the base should have and has not.
    async fn missing(&self, group: &Arc<RowGroup>) -> Result<Vec<Due>, AdoptFailure> {
        let rows: Vec<u32> = (0..group.rows).filter(|&row| self.is_due(group.id(row))).collect();
        let (here, cost) = (Arc::clone(group), Cost::bytes(group.memory_bytes() as u64));
        let mut due = self.core.host.cpu.run(cost, move || due_of(&here, &rows)).await;
        let parents = Arc::new(self.parents(&due));
        for entry in self.candidates(&due, &parents) {
            let id = entry.id;
            due = self.look_in(entry, due, &parents).await.map_err(|error| match is_damage(&error) {
                true => AdoptFailure::Unreadable(format!(
                    "block {id} of the shared store is damaged ({error}): whether it has events of this node's tail \
                     cannot be seen. Restore it; `helios verify --shared-store` names all that are damaged"
                )),
                false => PublishFailure::Failed(format!("block {id} of the shared store: {error}")).into(),
            })?;
        }
        due.retain(|due| !due.seen);
        Ok(due)
    }

    /// Notes what of `due` is in a block of the base.
    async fn look_in(
        &self,
        entry: Arc<BlockEntry>,
        mut due: Vec<Due>,
        parents: &Arc<BTreeMap<Origin, Origin>>,
    ) -> io::Result<Vec<Due>> {
        let block = StoredBlock::new(entry, Arc::clone(&self.partition.home));
        let footer = block.footer().await?;
        for number in 0..footer.groups.len() {
            let there = encode::read_group(self.core, &block, &footer, number).await?;
            let (parents, cost) = (Arc::clone(parents), Cost::bytes(there.memory_bytes() as u64));
            due = self.core.host.cpu.run(cost, move || see(due, &there, &parents)).await;
        }
        Ok(due)
    }

    /// The origins of the base that took the place of one of these, and of which.
    fn parents(&self, due: &[Due]) -> BTreeMap<Origin, Origin> {
        let origins: BTreeSet<Origin> = due.iter().map(|due| due.id.origin).collect();
        let child_of = |origin| self.base.watermarks.iter().map(move |(child, _)| (child, origin));
        origins.into_iter().flat_map(child_of).filter(|(child, origin)| is_child(*child, *origin)).collect()
    }

    /// Whether the base says that it has, or had, this event.
    fn is_due(&self, id: EventId) -> bool {
        let (origin, sequence) = (id.origin, id.sequence.0);
        let given_up =
            || self.base.lost.iter().any(|lost| lost.origin.0 == origin && (lost.from..=lost.to).contains(&sequence));
        self.retired.get(origin) < sequence && sequence <= self.base.watermarks.get(origin) && !given_up()
    }

    /// The blocks of the base that may have one of these.
    fn candidates(&self, due: &[Due], parents: &BTreeMap<Origin, Origin>) -> Vec<Arc<BlockEntry>> {
        let mut spans: BTreeMap<Origin, (u64, u64)> = BTreeMap::new();
        for id in due.iter().map(|due| due.id) {
            let span = spans.entry(id.origin).or_insert((u64::MAX, 0));
            *span = (span.0.min(id.sequence.0), span.1.max(id.sequence.0));
        }
        for (child, origin) in parents {
            spans.extend(spans.get(origin).copied().map(|span| (*child, span)));
        }
        let (mut before, mut candidates) = (self.retired, Vec::new());
        for entry in self.base.entries() {
            let meets = |(origin, span): (&Origin, &(u64, u64))| {
                before.get(*origin) < span.1 && span.0 <= entry.upto.get(*origin)
            };
            if spans.iter().any(meets) {
                candidates.push(Arc::clone(entry));
            }
            before = &entry.upto;
        }
        candidates
    }

    /// A block of these rows of a group, under an origin that no other block has: a group is in order of time, and what
    /// an origin has in one block must come before what it has in the next.
    async fn keep(
        &self,
        of: &StoredBlock,
        group: &Arc<RowGroup>,
        missing: &[Due],
        stand: &mut Watermarks,
    ) -> Result<Arc<StoredBlock>, PublishFailure> {
        let core = self.core;
        let mut renumbered = (**group).clone();
        for origin in &mut renumbered.origins {
            *origin = child_of(*origin, core.block_ids.next_u64());
        }
        renumbered.sorted = false;
        let mut rows: Vec<u32> = missing.iter().map(|due| due.row).collect();
        rows.sort_unstable();
        for &row in &rows {
            let id = renumbered.id(row);
            stand.raise(id.origin, id.sequence.0);
        }
        let raw_bytes = of.entry.raw_bytes / of.entry.rows.max(1) * rows.len() as u64;
        let (options, cost) = (encode::options_for(core, raw_bytes), Cost::bytes(group.memory_bytes() as u64));
        let encode = move || {
            let kept = merge_all(vec![(Arc::new(renumbered), Some(rows))], ROW_GROUP_ROWS_MAX);
            encode::fresh(kept.into_iter().map(Arc::new).collect(), raw_bytes, options)
        };
        let encoded = core.host.cpu.run(cost, encode).await;
        Ok(blocks::write(core, self.partition, encoded, stand.clone()).await?)
    }
}

/// An origin that takes the place of `origin` in one block: half of it says of which, half is `drawn`.
fn child_of(origin: Origin, drawn: u64) -> Origin {
    Origin(mark_of(origin) | (drawn & u64::from(u32::MAX)).max(1))
}

/// Whether `child` took the place of `origin`. Any two are with one chance in 2^32, which does no harm alone: an event is
/// taken for another only if sequence, time and line are equal too.
fn is_child(child: Origin, origin: Origin) -> bool {
    child.0 & !u64::from(u32::MAX) == mark_of(origin)
}

fn mark_of(origin: Origin) -> u64 {
    let [a, b, c, d, ..] = crypto::sha256(&origin.0.to_le_bytes());
    u64::from(u32::from_le_bytes([a, b, c, d])) << 32
}

/// Whether bytes are not what they should be, rather than not there now.
fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData || error.get_ref().is_some_and(|inner| inner.is::<BlockError>())
}

/// What is to be looked for, ascending by id.
fn due_of(group: &RowGroup, rows: &[u32]) -> Vec<Due> {
    let (mut cursor, mut line) = (RawCursor::new(group), Vec::new());
    let due = |&row| Due {
        id: group.id(row),
        digest: digest_of(group.times[row as usize], &mut cursor, row, &mut line),
        row,
        seen: false,
    };
    let mut due: Vec<Due> = rows.iter().map(due).collect();
    due.sort_unstable_by_key(|due| due.id);
    due
}

/// Notes what of `due` is in a group of the base.
fn see(mut due: Vec<Due>, there: &RowGroup, parents: &BTreeMap<Origin, Origin>) -> Vec<Due> {
    let (mut cursor, mut line) = (RawCursor::new(there), Vec::new());
    for row in 0..there.rows {
        let mut id = there.id(row);
        id.origin = parents.get(&id.origin).copied().unwrap_or(id.origin);
        if let Ok(place) = due.binary_search_by_key(&id, |due| due.id) {
            due[place].seen |= due[place].digest == digest_of(there.times[row as usize], &mut cursor, row, &mut line);
        }
    }
    due
}

/// Of a time and a line: as much of their SHA-256 as is kept for each row. A line that says no time has that of its
/// arrival, so that equal lines of two processes differ.
fn digest_of(time: i64, cursor: &mut RawCursor<'_>, row: u32, line: &mut Vec<u8>) -> u64 {
    line.clear();
    line.extend_from_slice(&time.to_le_bytes());
    cursor.write(row, line);
    let [a, b, c, d, e, f, g, h, ..] = crypto::sha256(line);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{GroupBuilder, RowMeta};
    use crate::event::{Line, LineKind, LineParser, Sequence};

    #[test]
    fn an_origin_that_takes_the_place_of_another_says_of_which_and_is_no_other() {
        let (one, other) = (Origin(7), Origin(8));
        let children = [child_of(one, 1), child_of(one, u64::MAX), child_of(one, 0)];
        assert!(children.iter().all(|child| is_child(*child, one) && !is_child(*child, other)));
        assert_ne!(children[0], children[1]);
        assert!(!is_child(one, one));
    }

    #[test]
    fn a_digest_is_of_the_time_and_the_line() {
        let (mut parser, mut builder, mut line) = (LineParser::new(), GroupBuilder::new(), Line::default());
        for (sequence, (time, raw)) in
            (1..).zip([(5, r#"{"a":1}"#), (5, r#"{"b":1}"#), (6, r#"{"a":1}"#), (5, r#"{"a":1}"#)])
        {
            parser.parse(LineKind::Json, raw.as_bytes(), 0, &mut line).unwrap();
            let (origin, sequence) = (Origin(1), Sequence(sequence));
            builder.push(&line, RowMeta { time, origin, sequence, time_is_arrival: false, source: None });
        }
        let group = builder.finish(parser.into_paths());
        let due = due_of(&group, &[0, 1, 2, 3]);
        let digest = |row: usize| due.iter().find(|due| due.row as usize == row).unwrap().digest;
        assert_eq!(digest(0), digest(3));
        assert!(digest(0) != digest(1) && digest(0) != digest(2));
    }
}
