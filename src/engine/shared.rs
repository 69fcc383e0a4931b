//! The shared manifest: what of a partition is in the shared store, and up to where.
//!
//! **Promise.** Of each origin exactly the events up to `watermarks` are in the blocks that a generation names,
//! or were lawfully removed from them; nothing at or below a watermark is ever added. The edits in this file are
//! the only way from one generation to the next. An edit states what it needs, so that after a lost swap the
//! same edit is tried on the newer head, or given up.
//!
//! **Boundary.** Pure: no store, no clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::block_list;
use super::manifest::{BlockEntry, BlockId, Digest, Lost, Page, Watermarks};

/// The newest format of shared manifests that this version reads and writes: that of a generation which names pages
/// or is a fence, and of all that follow it. Its new pages have names that no page ever had, so that old ones can be
/// deleted. Who knows the format before only would give the same page the same name again.
pub const SHARED_FORMAT: u32 = 2;
/// The format of generations before the first such one.
const PLAIN_FORMAT: u32 = 1;

/// One generation of what is shared of a partition.
///
/// **Invariants.** S1 generations step by one. S2 no watermark ever falls, nor does `retired`, which is never beyond
/// them. S3 no block is named twice, and none that is condemned. S4 each generation states the digest of the one before
/// it. S5 the floor never falls and is never above the generation itself. S6 `upto` grows along the blocks and is never
/// beyond the watermarks. S7 a page that the generation before does not name is salted, and the format never falls.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct SharedManifest {
    /// At most [`SHARED_FORMAT`].
    pub format: u32,
    /// Its number, from 1.
    pub generation: u64,
    /// SHA-256 of the generation before, in hex; empty for the first.
    pub previous: String,
    /// Who wrote it: `<life>-<number>`.
    pub commit: String,
    /// Wall time at the commit, nanoseconds since 1970. For people; nothing is ordered by it.
    pub written: i64,
    /// Generations below this one may be gone.
    pub floor: u64,
    /// Up to where each origin's events are in the blocks, or were removed.
    pub watermarks: Watermarks,
    /// The blocks, in the order in which they came: those that pages name,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Page>,
    /// and those after them.
    pub blocks: Vec<Arc<BlockEntry>>,
    /// Blocks that are being deleted, and that nobody may name again: those of one step of the sweeper at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub condemned: Vec<Condemned>,
    /// Events that damage has taken before they came here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// The watermarks when the day was last retired: what lies at or below them is lawfully in no block.
    #[serde(default, skip_serializing_if = "Watermarks::is_empty")]
    pub retired: Watermarks,
    /// Whether this is the last of its history: nothing is committed on it but the first of a new one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// Fields of a later format, kept as they are.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// A block that is being deleted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Condemned {
    /// Which.
    pub id: BlockId,
    /// The generation that condemned it.
    pub generation: u64,
}

/// A step from one generation to the next.
#[derive(Clone, Debug)]
pub enum Edit {
    /// The chain begins, with nothing in it: what a new history has of a partition that only old bases know.
    Begin,
    /// A front run of a node's tail comes in.
    Upload {
        /// Where the watermarks of the origins in `upto` must stand: exactly before the first event of the run.
        needs: Watermarks,
        /// The blocks; the `upto` of each says what of the node's own events it ends with.
        blocks: Vec<Arc<BlockEntry>>,
        /// Where the run ends.
        upto: Watermarks,
        /// Events up to there that are given up: in no block, and not to come.
        lost: Vec<Lost>,
    },
    /// Neighbours become one block, or none if it would be empty.
    Merge {
        /// The neighbours, in their order.
        inputs: Vec<BlockId>,
        /// What takes their place.
        merged: Arc<BlockEntry>,
    },
    /// All blocks go: the day is past its retention.
    Retire,
    /// Objects that no generation names may go.
    Condemn(Vec<BlockId>),
    /// Condemned blocks are gone, long enough that nobody waits to name them.
    Forget(Vec<BlockId>),
    /// Nothing changes but the number: nobody who read an earlier head will commit.
    Fence,
}

/// Why an edit does not apply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// It would change nothing any more.
    Nothing,
    /// The head is not what it needs: plan anew.
    Stale,
    /// A block that it names was condemned: it must be sent again under a new id.
    CondemnedBlock(BlockId),
    /// Its history ends with the head.
    Sealed,
}

impl SharedManifest {
    /// What stands before the first generation.
    pub fn empty() -> Self {
        Self { format: PLAIN_FORMAT, floor: 1, ..Self::default() }
    }

    /// Reads a generation, its pages not yet.
    ///
    /// # Errors
    /// What is wrong with it; that its format is newer among it.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if manifest.format > SHARED_FORMAT {
            return Err(format!(
                "format {} is newer than this version of helios reads ({SHARED_FORMAT})",
                manifest.format
            ));
        }
        Ok(manifest)
    }

    /// All blocks, in the order in which they came.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<BlockEntry>> {
        block_list::entries(&self.pages, &self.blocks)
    }

    /// Whether this block may be named no more.
    pub fn is_condemned(&self, id: BlockId) -> bool {
        self.condemned.iter().any(|condemned| condemned.id == id)
    }

    /// The next generation; the committer fills in who, when, the digest before and the floor.
    ///
    /// # Errors
    /// Why there is none.
    pub fn apply(&self, edit: &Edit) -> Result<Self, Refusal> {
        if self.sealed {
            return Err(Refusal::Sealed);
        }
        let mut next = Self { generation: self.generation + 1, ..self.clone() };
        match edit {
            Edit::Begin if self.generation > 0 => return Err(Refusal::Nothing),
            Edit::Begin => {}
            Edit::Fence => next.format = next.format.max(SHARED_FORMAT),
            Edit::Upload { needs, blocks, upto, lost } => {
                next.take_in(needs, blocks, upto)?;
                next.lost.extend(lost.iter().filter(|lost| !self.lost.contains(lost)).cloned());
            }
            Edit::Merge { inputs, merged } => next.merge(inputs, merged)?,
            Edit::Retire => next.retire()?,
            Edit::Condemn(ids) => next.condemn_unnamed(ids)?,
            Edit::Forget(ids) => {
                next.condemned.retain(|condemned| !ids.contains(&condemned.id));
                if next.condemned.len() == self.condemned.len() {
                    return Err(Refusal::Nothing);
                }
            }
        }
        Ok(next)
    }

    fn take_in(&mut self, needs: &Watermarks, blocks: &[Arc<BlockEntry>], upto: &Watermarks) -> Result<(), Refusal> {
        if self.watermarks.covers(upto) {
            return Err(Refusal::Nothing);
        }
        if upto.iter().any(|(origin, _)| self.watermarks.get(origin) != needs.get(origin)) {
            return Err(Refusal::Stale);
        }
        for block in blocks {
            if self.is_condemned(block.id) {
                return Err(Refusal::CondemnedBlock(block.id));
            }
            // ORDER: a block ends with what is here already and its own, so that `upto` grows along all of them.
            self.watermarks.raise_all(&block.upto);
            self.blocks.push(Arc::new(BlockEntry { upto: self.watermarks.clone(), ..(**block).clone() }));
        }
        self.watermarks.raise_all(upto);
        Ok(())
    }

    fn merge(&mut self, inputs: &[BlockId], merged: &Arc<BlockEntry>) -> Result<(), Refusal> {
        if self.is_condemned(merged.id) {
            return Err(Refusal::CondemnedBlock(merged.id));
        }
        let named: Vec<_> = self.entries().filter(|entry| inputs.contains(&entry.id)).cloned().collect();
        let Some(last) = named.last().filter(|_| named.len() == inputs.len()) else { return Err(Refusal::Stale) };
        let rows: u64 = named.iter().map(|entry| entry.rows).sum();
        assert_eq!(merged.rows, rows, "rows in = rows out");
        let entry = Arc::new(BlockEntry { upto: last.upto.clone(), ..(**merged).clone() });
        block_list::replace_run(&mut self.pages, &mut self.blocks, inputs, Some(entry)).ok_or(Refusal::Stale)?;
        Ok(())
    }

    fn retire(&mut self) -> Result<(), Refusal> {
        if self.entries().next().is_none() {
            return Err(Refusal::Nothing);
        }
        self.pages.clear();
        self.blocks.clear();
        self.retired = self.watermarks.clone();
        Ok(())
    }

    fn condemn_unnamed(&mut self, ids: &[BlockId]) -> Result<(), Refusal> {
        let free = |id: &&BlockId| !self.is_condemned(**id) && self.entries().all(|entry| entry.id != **id);
        let free: Vec<_> = ids.iter().filter(free).copied().collect();
        if free.is_empty() {
            return Err(Refusal::Nothing);
        }
        let generation = self.generation;
        self.condemned.extend(free.into_iter().map(|id| Condemned { id, generation }));
        Ok(())
    }

    /// The same with the oldest blocks in pages. Those that are not `known`, the pages of the generation before, get
    /// their names by way of `salt`, which nobody must have used.
    pub(crate) fn paged(mut self, page_blocks: usize, known: &[Page], salt: &Arc<str>) -> Self {
        block_list::page_off(&mut self.pages, &mut self.blocks, page_blocks);
        for page in self.pages.iter_mut().filter(|page| !names(known, page.sha256)) {
            *page = page.salted(salt);
        }
        if !self.pages.is_empty() {
            self.format = self.format.max(SHARED_FORMAT);
        }
        self
    }

    /// Whether a page is one of this generation.
    pub(crate) fn names_page(&self, sha256: Digest) -> bool {
        names(&self.pages, sha256)
    }

    /// Checks what must hold of a generation by itself; bytes from the store are checked with it too.
    ///
    /// # Errors
    /// Which rule is broken.
    pub fn check(&self) -> Result<(), String> {
        let checked = block_list::check(&self.pages, &self.blocks, &Watermarks::default(), &self.watermarks);
        checked.map_err(|why| format!("S6: {why}"))?;
        match self.entries().find(|entry| self.is_condemned(entry.id)) {
            Some(entry) => Err(format!("S3: block {} is named and condemned", entry.id)),
            None => Ok(()),
        }
    }
}

fn names(pages: &[Page], sha256: Digest) -> bool {
    pages.iter().any(|page| page.sha256 == sha256)
}

/// Holds S1 to S7 for a step from `current`, whose digest is `digest`, to `next`.
///
/// # Panics
/// If a rule is broken: that is a bug here, never damage in the store.
pub fn check_shared_step(current: &SharedManifest, digest: &str, next: &SharedManifest) {
    // A chain begins with the first number of the store's history.
    let begins = current.generation == 0 && next.floor == next.generation;
    assert!(next.generation == current.generation + 1 || begins, "S1");
    assert!(next.watermarks.covers(&current.watermarks), "S2");
    assert!(next.retired.covers(&current.retired) && next.watermarks.covers(&next.retired), "S2");
    assert_eq!(next.previous, digest, "S4");
    assert!(next.floor >= current.floor && next.floor <= next.generation, "S5");
    assert!(next.format >= current.format, "S7");
    assert!(next.pages.iter().all(|page| page.salt.is_some() || current.names_page(page.sha256)), "S7");
    if let Err(broken) = next.check() {
        panic!("{broken}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Origin;

    fn marks(pairs: &[(u64, u64)]) -> Watermarks {
        let mut marks = Watermarks::default();
        pairs.iter().for_each(|(origin, sequence)| marks.raise(Origin(*origin), *sequence));
        marks
    }

    fn entry(id: u128, rows: u64, upto: &[(u64, u64)]) -> Arc<BlockEntry> {
        Arc::new(BlockEntry {
            id: BlockId(id),
            sha256: Digest([id as u8; 32]),
            bytes: 1,
            rows,
            min_time: 0,
            max_time: 0,
            raw_bytes: 1,
            groups: Box::default(),
            upto: marks(upto),
        })
    }

    fn upload(needs: &[(u64, u64)], blocks: &[Arc<BlockEntry>]) -> Edit {
        let upto = blocks.last().unwrap().upto.clone();
        Edit::Upload { needs: marks(needs), blocks: blocks.to_vec(), upto, lost: Vec::new() }
    }

    fn apply(manifest: &SharedManifest, edit: &Edit) -> SharedManifest {
        let next = manifest.apply(edit).unwrap();
        check_shared_step(manifest, "", &next);
        next
    }

    fn ids(manifest: &SharedManifest) -> Vec<u128> {
        manifest.entries().map(|entry| entry.id.0).collect()
    }

    /// Blocks 1 (origin 1, up to 10), 2 (origin 2, up to 5) and 3 (origin 1, up to 20).
    fn three() -> SharedManifest {
        let first = apply(&SharedManifest::empty(), &upload(&[], &[entry(1, 10, &[(1, 10)])]));
        let second = apply(&first, &upload(&[], &[entry(2, 5, &[(2, 5)])]));
        apply(&second, &upload(&[(1, 10)], &[entry(3, 10, &[(1, 20)])]))
    }

    #[test]
    fn a_chain_is_begun_once_and_with_nothing_in_it() {
        let begun = SharedManifest::empty().apply(&Edit::Begin).unwrap();
        assert_eq!((begun.generation, begun.entries().count()), (1, 0));
        assert_eq!(begun.apply(&Edit::Begin), Err(Refusal::Nothing));
    }

    #[test]
    fn nothing_is_committed_on_the_last_generation_of_a_history() {
        let sealed = SharedManifest { sealed: true, ..three() };
        for edit in [upload(&[(1, 20)], &[entry(4, 10, &[(1, 30)])]), Edit::Retire, Edit::Condemn(vec![BlockId(9)])] {
            assert_eq!(sealed.apply(&edit), Err(Refusal::Sealed));
        }
    }

    #[test]
    fn uploads_of_several_nodes_interleave_and_each_block_ends_where_all_of_them_stand() {
        let three = three();
        assert_eq!(ids(&three), [1, 2, 3]);
        assert_eq!(three.watermarks, marks(&[(1, 20), (2, 5)]));
        assert_eq!(three.blocks[1].upto, marks(&[(1, 10), (2, 5)]));
    }

    #[test]
    fn a_run_comes_in_once_and_only_where_its_first_event_is_the_next_one() {
        let three = three();
        let again = upload(&[(1, 10)], &[entry(4, 10, &[(1, 20)])]);
        assert_eq!(three.apply(&again), Err(Refusal::Nothing));
        let gap = upload(&[(1, 25)], &[entry(4, 5, &[(1, 30)])]);
        assert_eq!(three.apply(&gap), Err(Refusal::Stale));
        let overlap = upload(&[(1, 15)], &[entry(4, 15, &[(1, 30)])]);
        assert_eq!(three.apply(&overlap), Err(Refusal::Stale));
    }

    #[test]
    fn a_merge_gives_up_its_inputs_and_applies_only_while_they_are_neighbours() {
        let three = three();
        let merge = |inputs: &[u128], rows| Edit::Merge {
            inputs: inputs.iter().map(|id| BlockId(*id)).collect(),
            merged: entry(9, rows, &[]),
        };
        let merged = apply(&three, &merge(&[1, 2], 15));
        assert_eq!(ids(&merged), [9, 3]);
        assert_eq!(merged.entries().next().unwrap().upto, marks(&[(1, 10), (2, 5)]));
        assert_eq!(merged.apply(&merge(&[1, 2], 15)), Err(Refusal::Stale));
        assert_eq!(three.apply(&merge(&[1, 3], 20)), Err(Refusal::Stale));
    }

    #[test]
    fn what_is_condemned_comes_in_by_no_edit_until_it_is_forgotten() {
        let condemned = apply(&three(), &Edit::Condemn(vec![BlockId(4)]));
        let late = upload(&[(1, 20)], &[entry(4, 5, &[(1, 25)])]);
        assert_eq!(condemned.apply(&late), Err(Refusal::CondemnedBlock(BlockId(4))));
        let merge = Edit::Merge { inputs: vec![BlockId(1), BlockId(2)], merged: entry(4, 15, &[]) };
        assert_eq!(condemned.apply(&merge), Err(Refusal::CondemnedBlock(BlockId(4))));
        let forgotten = apply(&condemned, &Edit::Forget(vec![BlockId(4)]));
        assert!(forgotten.condemned.is_empty());
        assert_eq!(forgotten.apply(&Edit::Forget(vec![BlockId(4)])), Err(Refusal::Nothing));
    }

    #[test]
    fn a_retired_day_keeps_its_watermarks_and_takes_what_is_newer() {
        let retired = apply(&three(), &Edit::Retire);
        assert!(ids(&retired).is_empty());
        assert_eq!(retired.watermarks, three().watermarks);
        assert_eq!(retired.apply(&Edit::Retire), Err(Refusal::Nothing));
        let late = apply(&retired, &upload(&[(1, 20)], &[entry(4, 1, &[(1, 21)])]));
        assert_eq!(ids(&late), [4]);
    }

    #[test]
    fn what_a_retired_day_may_lack_is_what_it_had_when_it_was_retired() {
        assert_eq!(three().retired, Watermarks::default());
        let retired = apply(&three(), &Edit::Retire);
        assert_eq!(retired.retired, three().watermarks);
        let late = apply(&retired, &upload(&[(1, 20)], &[entry(4, 1, &[(1, 21)])]));
        assert_eq!((late.retired.get(Origin(1)), late.watermarks.get(Origin(1))), (20, 21));
    }

    #[test]
    fn what_is_named_is_never_condemned() {
        let three = three();
        let condemned = apply(&three, &Edit::Condemn(vec![BlockId(2), BlockId(77)]));
        assert!(condemned.is_condemned(BlockId(77)) && !condemned.is_condemned(BlockId(2)));
        assert_eq!(condemned.apply(&Edit::Condemn(vec![BlockId(77), BlockId(3)])), Err(Refusal::Nothing));
    }

    /// Four blocks in pages of one, the last two inline.
    fn in_pages(salt: &str) -> SharedManifest {
        let four = apply(&three(), &upload(&[(1, 20)], &[entry(4, 5, &[(1, 25)])]));
        four.paged(1, &[], &Arc::from(salt))
    }

    fn names(manifest: &SharedManifest) -> Vec<Digest> {
        manifest.pages.iter().map(|page| page.sha256).collect()
    }

    #[test]
    fn the_same_blocks_get_pages_of_other_names_at_each_try() {
        let (first, second) = (in_pages("a"), in_pages("b"));
        assert_eq!((ids(&first), first.pages.len()), (ids(&second), 3));
        assert!(names(&first).iter().all(|name| !second.names_page(*name)));
    }

    #[test]
    fn pages_that_the_generation_before_names_keep_their_names_and_a_changed_one_gets_a_new_one() {
        let before = apply(&in_pages("a"), &Edit::Fence);
        let again = before.apply(&Edit::Fence).unwrap().paged(1, &before.pages, &Arc::from("b"));
        check_shared_step(&before, "", &again);
        assert_eq!(names(&again), names(&before));
        let merge = Edit::Merge { inputs: vec![BlockId(2), BlockId(3)], merged: entry(9, 15, &[]) };
        let merged = before.apply(&merge).unwrap().paged(1, &before.pages, &Arc::from("c"));
        check_shared_step(&before, "", &merged);
        assert_eq!(names(&merged)[0], names(&before)[0]);
        assert!(names(&merged)[1..].iter().all(|name| !before.names_page(*name)));
    }

    #[test]
    #[should_panic(expected = "S7")]
    fn a_new_page_without_a_salt_is_our_bug() {
        let four = three();
        let mut next = four.apply(&Edit::Fence).unwrap();
        block_list::page_off(&mut next.pages, &mut next.blocks, 1);
        check_shared_step(&four, "", &next);
    }

    #[test]
    fn what_names_pages_or_is_a_fence_is_of_the_newer_format_and_so_is_all_that_follows() {
        assert_eq!((three().format, in_pages("a").format), (PLAIN_FORMAT, SHARED_FORMAT));
        let fence = apply(&three(), &Edit::Fence);
        assert_eq!((fence.format, ids(&fence)), (SHARED_FORMAT, ids(&three())));
        let emptied = apply(&in_pages("a"), &Edit::Retire);
        assert_eq!((emptied.format, emptied.pages.len()), (SHARED_FORMAT, 0));
    }

    #[test]
    fn fields_of_a_later_format_survive_an_edit() {
        let text = serde_json::to_string(&three()).unwrap().replacen('{', r#"{"deletes":[1],"#, 1);
        let manifest: SharedManifest = serde_json::from_str(&text).unwrap();
        assert!(serde_json::to_string(&apply(&manifest, &Edit::Retire)).unwrap().contains(r#""deletes":[1]"#));
    }
}
