//! Whether a base has what is about to leave the tail.
//!
//! A watermark says that a base has an origin's events up to a sequence. That holds as long as one process alone numbers
//! events under that origin. A virtual machine that is put back to an earlier state, or copied, while it runs breaks
//! it: two processes number different events alike, and each would take the other's for its own, and drop these.
//!
//! **Promise.** An event leaves the tail for a base only if it was seen in the base: in a block with the same digest, or
//! row by row. What a base should have and has not gets an origin of its own and stays. The one case in which an
//! event's id changes.
//!
//! **Cost.** A block that is in the base as it was sent, which is nearly always so, costs nothing but the comparison of
//! digests. Else it is read, and the blocks of the base that may have its events once for each of its row groups. Holds
//! one row group of each, and 24 bytes a row.

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
use crate::block::{RawCursor, RowGroup};
use crate::crypto;
use crate::event::{EventId, Origin};
use crate::host::Cost;

/// What an adoption asks about the blocks that leave the tail for its base.
pub(crate) struct Vouch<'a> {
    core: &'a Core,
    partition: &'a Arc<Partition>,
    base: &'a SharedManifest,
    digests: BTreeSet<Digest>,
}

/// An event that the base should have.
struct Due {
    id: EventId,
    /// Of its line.
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
        Self { core, partition, base, digests }
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
        let failed = |error: io::Error| PublishFailure::Failed(format!("block {}: {error}", block.entry.id));
        let footer = block.footer().await.map_err(failed)?;
        self.core.counters.compared.fetch_add(1, Ordering::Relaxed);
        let mut kept = Vec::new();
        for group in 0..footer.groups.len() {
            let group = Arc::new(encode::read_group(self.core, block, &footer, group).await.map_err(failed)?);
            let missing = self.missing(&group).await.map_err(failed)?;
            if missing.is_empty() {
                continue;
            }
            if missing.iter().any(|due| due.id.origin == self.core.origin) {
                return Err(AdoptFailure::Cloned(format!(
                    "event {} is another one in the shared store than here",
                    missing[0].id
                )));
            }
            tracing::error!(partition = %self.partition.folder, events = missing.len(), first = %missing[0].id,
                "events have the numbers of other events that the shared store has, from a copy of this node that \
                 ran meanwhile: they are kept under new numbers");
            self.core.counters.renumbered.fetch_add(missing.len() as u64, Ordering::Relaxed);
            kept.push(self.keep(block, &group, &missing, &mut stand).await?);
        }
        Ok(kept)
    }

    /// The events of a group that the base should have and has not.
    async fn missing(&self, group: &Arc<RowGroup>) -> io::Result<Vec<Due>> {
        let rows: Vec<u32> = (0..group.rows).filter(|&row| self.is_due(group.id(row))).collect();
        let (here, cost) = (Arc::clone(group), Cost::bytes(group.memory_bytes() as u64));
        let mut due = self.core.host.cpu.run(cost, move || due_of(&here, &rows)).await;
        for entry in self.candidates(&due) {
            let block = StoredBlock::new(entry, Arc::clone(&self.partition.home));
            let footer = block.footer().await?;
            for number in 0..footer.groups.len() {
                let there = encode::read_group(self.core, &block, &footer, number).await?;
                let cost = Cost::bytes(there.memory_bytes() as u64);
                due = self.core.host.cpu.run(cost, move || see(due, &there)).await;
            }
        }
        due.retain(|due| !due.seen);
        Ok(due)
    }

    /// Whether the base says that it has, or had, this event.
    fn is_due(&self, id: EventId) -> bool {
        let (origin, sequence) = (id.origin, id.sequence.0);
        let given_up =
            self.base.lost.iter().any(|lost| lost.origin.0 == origin && (lost.from..=lost.to).contains(&sequence));
        self.base.retired.get(origin) < sequence && sequence <= self.base.watermarks.get(origin) && !given_up
    }

    /// The blocks of the base that may have one of these.
    fn candidates(&self, due: &[Due]) -> Vec<Arc<BlockEntry>> {
        let mut spans: BTreeMap<Origin, (u64, u64)> = BTreeMap::new();
        for id in due.iter().map(|due| due.id) {
            let span = spans.entry(id.origin).or_insert((u64::MAX, 0));
            *span = (span.0.min(id.sequence.0), span.1.max(id.sequence.0));
        }
        let (mut before, mut candidates) = (&self.base.retired, Vec::new());
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
        renumbered.origins.fill_with(|| Origin(core.block_ids.next_u64().max(1)));
        renumbered.sorted = false;
        let mut rows: Vec<u32> = missing.iter().map(|due| due.row).collect();
        rows.sort_unstable();
        for &row in &rows {
            let id = renumbered.id(row);
            stand.raise(id.origin, id.sequence.0);
        }
        let raw_bytes = of.entry.raw_bytes / of.entry.rows.max(1) * rows.len() as u64;
        let (options, cost) = (encode::options_for(core, raw_bytes), Cost::bytes(group.memory_bytes() as u64));
        let encode = move || encode::of_runs(vec![(Arc::new(renumbered), Some(rows))], raw_bytes, options);
        let encoded = core.host.cpu.run(cost, encode).await;
        Ok(blocks::write(core, self.partition, encoded, stand.clone()).await?)
    }
}

/// What is to be looked for, ascending by id.
fn due_of(group: &RowGroup, rows: &[u32]) -> Vec<Due> {
    let (mut cursor, mut line) = (RawCursor::new(group), Vec::new());
    let due = |&row| Due { id: group.id(row), digest: digest_of(&mut cursor, row, &mut line), row, seen: false };
    let mut due: Vec<Due> = rows.iter().map(due).collect();
    due.sort_unstable_by_key(|due| due.id);
    due
}

/// Notes what of `due` is in a group of the base.
fn see(mut due: Vec<Due>, there: &RowGroup) -> Vec<Due> {
    let (mut cursor, mut line) = (RawCursor::new(there), Vec::new());
    for row in 0..there.rows {
        if let Ok(place) = due.binary_search_by_key(&there.id(row), |due| due.id) {
            due[place].seen |= due[place].digest == digest_of(&mut cursor, row, &mut line);
        }
    }
    due
}

/// Of a line: as much of its SHA-256 as is kept for each row.
fn digest_of(cursor: &mut RawCursor<'_>, row: u32, line: &mut Vec<u8>) -> u64 {
    line.clear();
    cursor.write(row, line);
    let [a, b, c, d, e, f, g, h, ..] = crypto::sha256(line);
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
