//! What queries found out about groups of rows, kept for the next ones.
//!
//! **Promise.** Blocks never change, so neither does what a plan finds in one of their groups: an answer
//! that is put together from what is kept is the one that reading everything again would give. What is
//! kept is bounded in bytes; what no longer fits is forgotten, and then found out again.
//!
//! **Boundary.** It knows nothing of how rows are found or reduced. A *plan* is a text that says all that
//! an outcome depends on beside the group; whoever makes it answers for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::aggregate::merged::Merged;
use super::aggregate::reduce::{Groups, Rows};
use super::scan::bitmap::Bitmap;
use crate::engine::BlockId;

/// Which group of which block.
pub(crate) type GroupId = (BlockId, u32);

/// The rows of a group that fit a filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Matches {
    /// None of them.
    None,
    /// All of them.
    All,
    /// These, ascending.
    Few(Arc<[u32]>),
    /// These.
    Many(Arc<Bitmap>, u64),
}

/// The groups of a reduction over whole groups of rows, and what became of them.
#[derive(Clone)]
pub(crate) struct Whole {
    /// Those of full blocks, which stay, and those of blocks that compaction will soon replace.
    pub(crate) layers: [Layer; 2],
    /// The table that they were last finished to, and what that depended on beside the plan.
    pub(crate) table: Option<(Arc<str>, Arc<Rows>)>,
}

/// What some groups of rows were reduced to together.
#[derive(Clone)]
pub(crate) struct Layer {
    /// These groups.
    pub(crate) covered: Arc<BTreeSet<GroupId>>,
    pub(crate) merged: Arc<Merged>,
}

/// A cache of outcomes, by plan. The plan that was used least recently goes first, as a whole; of the only
/// plan go the outcomes that its last run did not ask for, such as those of blocks that are gone.
pub(crate) struct ResultCache {
    limit_bytes: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    used_bytes: u64,
    tick: u64,
    plans: BTreeMap<Arc<str>, Plan>,
    by_tick: BTreeMap<u64, Arc<str>>,
}

struct Plan {
    tick: u64,
    run: u64,
    bytes: u64,
    rows: BTreeMap<GroupId, Kept<Matches>>,
    parts: BTreeMap<GroupId, Kept<Arc<Groups>>>,
    whole: Option<(Whole, u64)>,
}

struct Kept<T> {
    outcome: T,
    bytes: u64,
    /// The run that asked for it last.
    run: u64,
}

/// Bytes of a plan beside its text and outcomes, about.
const PLAN_BYTES: u64 = 400;
/// Bytes of an outcome beside what it holds, about.
const OUTCOME_BYTES: u64 = 100;

impl ResultCache {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, inner: Mutex::default() }
    }

    /// Begins a run of a plan.
    pub(crate) fn begin(&self, plan: &Arc<str>) {
        let mut inner = self.lock();
        inner.tick += 1;
        let tick = inner.tick;
        let Some(own) = inner.plans.get_mut(plan) else { return };
        own.run += 1;
        let before = std::mem::replace(&mut own.tick, tick);
        let text = inner.by_tick.remove(&before).expect("each plan has its tick");
        inner.by_tick.insert(tick, text);
    }

    /// The rows of a group that fit, if that is known.
    pub(crate) fn rows(&self, plan: &Arc<str>, group: &GroupId) -> Option<Matches> {
        let mut inner = self.lock();
        let plan = inner.plans.get_mut(plan)?;
        ask(&mut plan.rows, group, plan.run)
    }

    pub(crate) fn put_rows(&self, plan: &Arc<str>, group: GroupId, rows: Matches) {
        let bytes = rows.memory_bytes() + OUTCOME_BYTES;
        let mut inner = self.lock();
        if inner.make_room(self.limit_bytes, plan, bytes) {
            inner.keep(plan, bytes, |plan| {
                let kept = Kept { outcome: rows, bytes, run: plan.run };
                plan.rows.insert(group, kept).map_or(0, |before| before.bytes)
            });
        }
    }

    /// What a group was reduced to, if that is known.
    pub(crate) fn part(&self, plan: &Arc<str>, group: &GroupId) -> Option<Arc<Groups>> {
        let mut inner = self.lock();
        let plan = inner.plans.get_mut(plan)?;
        ask(&mut plan.parts, group, plan.run)
    }

    pub(crate) fn put_part(&self, plan: &Arc<str>, group: GroupId, part: Arc<Groups>) {
        let bytes = part.memory_bytes() as u64 + OUTCOME_BYTES;
        let mut inner = self.lock();
        if inner.make_room(self.limit_bytes, plan, bytes) {
            inner.keep(plan, bytes, |plan| {
                let kept = Kept { outcome: part, bytes, run: plan.run };
                plan.parts.insert(group, kept).map_or(0, |before| before.bytes)
            });
        }
    }

    /// What whole groups of rows were reduced to together; the caller looks whether it asks for all of them.
    pub(crate) fn whole(&self, plan: &Arc<str>) -> Option<Whole> {
        let inner = self.lock();
        inner.plans.get(plan)?.whole.as_ref().map(|(whole, _)| whole.clone())
    }

    /// Keeps no more what [`ResultCache::whole`] gave: whoever has it may be alone with it, add to it, and put
    /// it back. If that comes to nothing, it is found out anew.
    pub(crate) fn forget_whole(&self, plan: &Arc<str>) {
        self.lock().forget_whole(plan);
    }

    /// Keeps what groups of rows were reduced to together. `false`: there is no room.
    pub(crate) fn put_whole(&self, plan: &Arc<str>, whole: Whole) -> bool {
        let table = whole.table.as_ref().map_or(0, |(key, rows)| key.len() + rows.memory_bytes());
        let of_layer = |layer: &Layer| layer.merged.memory_bytes() + layer.covered.len() * size_of::<GroupId>() * 2;
        let bytes = (whole.layers.iter().map(of_layer).sum::<usize>() + table) as u64;
        let mut inner = self.lock();
        inner.forget_whole(plan);
        let room = inner.make_room(self.limit_bytes, plan, bytes);
        if room {
            inner.keep(plan, bytes, |plan| {
                plan.whole = Some((whole, bytes));
                0
            });
        }
        room
    }

    /// Bytes that it holds, about.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.lock().used_bytes
    }

    /// No step leaves the inside half done but by running out of memory, which ends the process.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ask<T: Clone>(kept: &mut BTreeMap<GroupId, Kept<T>>, group: &GroupId, run: u64) -> Option<T> {
    let kept = kept.get_mut(group)?;
    kept.run = run;
    Some(kept.outcome.clone())
}

impl Inner {
    /// Whether `bytes` more of a plan fit, after others have gone if need be.
    fn make_room(&mut self, limit_bytes: u64, plan: &Arc<str>, bytes: u64) -> bool {
        let needed = bytes + if self.plans.contains_key(plan) { 0 } else { PLAN_BYTES + plan.len() as u64 * 2 };
        if needed > limit_bytes {
            return false;
        }
        while self.used_bytes + needed > limit_bytes {
            let oldest = self.by_tick.iter().find(|(_, other)| *other != plan).map(|(tick, _)| *tick);
            match oldest {
                Some(tick) => self.forget(tick),
                None => {
                    self.forget_unasked(plan);
                    return self.used_bytes + needed <= limit_bytes;
                }
            }
        }
        true
    }

    fn forget(&mut self, tick: u64) {
        let text = self.by_tick.remove(&tick).expect("it was found there");
        let plan = self.plans.remove(&text).expect("each tick has its plan");
        self.used_bytes -= plan.bytes;
    }

    fn forget_whole(&mut self, plan: &Arc<str>) {
        if self.plans.contains_key(plan) {
            self.keep(plan, 0, |plan| plan.whole.take().map_or(0, |(_, bytes)| bytes));
        }
    }

    /// Forgets what the current run of a plan has not asked for.
    fn forget_unasked(&mut self, plan: &Arc<str>) {
        let Some(plan) = self.plans.get_mut(plan) else { return };
        let (run, mut freed) = (plan.run, 0);
        let mut stays = |bytes: u64, own: u64| {
            freed += if own == run { 0 } else { bytes };
            own == run
        };
        plan.rows.retain(|_, kept| stays(kept.bytes, kept.run));
        plan.parts.retain(|_, kept| stays(kept.bytes, kept.run));
        plan.bytes -= freed;
        self.used_bytes -= freed;
    }

    /// Adds to a plan. `insert` gives the bytes of what it replaces.
    fn keep(&mut self, text: &Arc<str>, bytes: u64, insert: impl FnOnce(&mut Plan) -> u64) {
        if !self.plans.contains_key(text) {
            self.tick += 1;
            let own = PLAN_BYTES + text.len() as u64 * 2;
            let (rows, parts) = (BTreeMap::new(), BTreeMap::new());
            let plan = Plan { tick: self.tick, run: 1, bytes: own, rows, parts, whole: None };
            self.plans.insert(Arc::clone(text), plan);
            self.by_tick.insert(self.tick, Arc::clone(text));
            self.used_bytes += own;
        }
        let plan = self.plans.get_mut(text).expect("it was put there if it was missing");
        let before = insert(plan);
        plan.bytes = plan.bytes + bytes - before;
        self.used_bytes = self.used_bytes + bytes - before;
    }
}

impl Matches {
    pub(crate) fn new(rows: &Bitmap) -> Self {
        let count = rows.count();
        match count {
            0 => Self::None,
            _ if count == u64::from(rows.len()) => Self::All,
            _ if count * FEW_ROWS_SHARE < u64::from(rows.len()) => Self::Few(rows.iter().collect()),
            _ => Self::Many(Arc::new(rows.clone()), count),
        }
    }

    /// The rows, of a group that has `len`.
    pub(crate) fn to_bitmap(&self, len: u32) -> Bitmap {
        match self {
            Self::None => Bitmap::none(len),
            Self::All => Bitmap::all(len),
            Self::Few(rows) => {
                let mut set = Bitmap::none(len);
                rows.iter().for_each(|&row| set.insert(row));
                set
            }
            Self::Many(rows, _) => rows.as_ref().clone(),
        }
    }

    /// How many of `len` they are.
    pub(crate) fn count(&self, len: u32) -> u64 {
        match self {
            Self::None => 0,
            Self::All => u64::from(len),
            Self::Few(rows) => rows.len() as u64,
            Self::Many(_, count) => *count,
        }
    }

    fn memory_bytes(&self) -> u64 {
        match self {
            Self::None | Self::All => 0,
            Self::Few(rows) => rows.len() as u64 * 4,
            Self::Many(rows, _) => u64::from(rows.len()) / 8,
        }
    }
}

/// One row in so many takes as much in a list as in a bitmap.
const FEW_ROWS_SHARE: u64 = 32;

impl std::fmt::Debug for ResultCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResultCache").field("limit_bytes", &self.limit_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    fn many() -> Matches {
        Matches::new(&Bitmap::from_fn(64_000, |row| row % 2 == 0))
    }

    #[test]
    fn rows_come_back_as_they_were_however_many_fit() {
        for share in [1, 2, 31, 40, 1_000, 70_000] {
            let rows = Bitmap::from_fn(65_000, |row| row % share == share - 1);
            let kept = Matches::new(&rows);
            assert_eq!(kept.to_bitmap(65_000), rows);
            assert_eq!(kept.count(65_000), rows.count());
        }
    }

    #[test]
    fn the_plan_that_was_used_least_recently_goes_first_and_the_bound_holds() {
        let cache = ResultCache::new(3 * 9_000);
        for name in ["a", "b", "c"] {
            cache.put_rows(&plan(name), (BlockId(1), 0), many());
        }
        cache.begin(&plan("a"));
        cache.put_rows(&plan("d"), (BlockId(1), 0), many());
        let known = |name: &str| cache.rows(&plan(name), &(BlockId(1), 0)).is_some();
        assert_eq!(["a", "b", "c", "d"].map(known), [true, false, true, true]);
        assert!(cache.used_bytes() <= 3 * 9_000);
    }

    #[test]
    fn of_the_only_plan_goes_what_its_last_run_did_not_ask_for() {
        let cache = ResultCache::new(3 * 9_000);
        let plan = plan("a");
        (0..3).for_each(|group| cache.put_rows(&plan, (BlockId(1), group), many()));
        cache.begin(&plan);
        assert!(cache.rows(&plan, &(BlockId(1), 1)).is_some());
        cache.put_rows(&plan, (BlockId(2), 0), many());
        let known = |block, group| cache.rows(&plan, &(BlockId(block), group)).is_some();
        assert_eq!([known(1, 0), known(1, 1), known(1, 2), known(2, 0)], [false, true, false, true]);
        assert!(cache.used_bytes() <= 3 * 9_000);
    }

    #[test]
    fn nothing_is_kept_where_there_is_no_room() {
        let cache = ResultCache::new(0);
        cache.put_rows(&plan("a"), (BlockId(1), 0), Matches::None);
        assert_eq!((cache.rows(&plan("a"), &(BlockId(1), 0)), cache.used_bytes()), (None, 0));
    }
}
