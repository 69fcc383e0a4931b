//! Several row groups become one or more, ordered by (time, origin, sequence): what a flush does with
//! the head's batches, and compaction with blocks. Runs are fed group by group, so no block is ever
//! held decoded as a whole.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::RowGroup;
use super::gather::gather;
use crate::event::EventId;

/// Merges runs of row groups by (time, origin, sequence).
///
/// A run is a sequence of groups each of whose rows come after all rows of the one before; a group
/// whose own rows are in no order is sorted first. A head batch is a run of one group.
///
/// ```text
/// loop {
///     match merger.next() {
///         Merged::Wants(run) => merger.feed(run, next group of the run, or None at its end),
///         Merged::Group(group) => write it,
///         Merged::Done => break,
///     }
/// }
/// ```
pub struct Merger {
    rows_max: u32,
    runs: Vec<Run>,
    /// Runs that want a group, the lowest last.
    wanting: Vec<usize>,
    /// The next row of every run that has one.
    heads: BinaryHeap<Reverse<(i64, EventId, usize)>>,
    /// Groups that `picks` or `runs` point at.
    live: Vec<Arc<RowGroup>>,
    /// Rows of the next group to come out: index in `live`, row.
    picks: Vec<(u32, u32)>,
    picked_bytes: usize,
}

/// What a [`Merger`] does next.
#[expect(clippy::large_enum_variant, reason = "there is one of them at a time, and it is taken apart at once")]
pub enum Merged {
    /// It cannot go on without the next group of this run.
    Wants(usize),
    /// The next rows.
    Group(RowGroup),
    /// All runs have ended and all rows have come out.
    Done,
}

#[derive(Default)]
struct Run {
    /// Index of its group in `live`.
    group: u32,
    /// Rows still to come, in reverse; `None`: those from `next` on.
    order: Option<Vec<u32>>,
    next: u32,
    /// Memory of one row of the group, about.
    row_bytes: usize,
    fed: bool,
}

impl Merger {
    /// A merger of that many runs, numbered from 0, which gives groups of at most `rows_max` rows.
    pub fn new(runs: usize, rows_max: u32) -> Self {
        assert!(rows_max > 0, "a group has rows");
        Self {
            rows_max,
            runs: std::iter::repeat_with(Run::default).take(runs).collect(),
            wanting: (0..runs).rev().collect(),
            heads: BinaryHeap::with_capacity(runs),
            live: Vec::new(),
            picks: Vec::new(),
            picked_bytes: 0,
        }
    }

    /// Gives the run that [`Merged::Wants`] named its next group, `None` at its end. With `rows`, only
    /// these rows of it, ascending, take part.
    pub fn feed(&mut self, run: usize, group: Option<(Arc<RowGroup>, Option<Vec<u32>>)>) {
        let wanting = self.wanting.pop();
        assert_eq!(wanting, Some(run), "a run is fed when it wants a group");
        let Some((group, rows)) = group else { return };
        let mut order = rows;
        if !group.sorted {
            let rows = order.get_or_insert_with(|| (0..group.rows).collect());
            rows.sort_by_key(|&row| group.key(row));
        }
        if let Some(order) = &mut order {
            order.reverse();
        }
        self.runs[run] = Run {
            group: self.live.len() as u32,
            order,
            next: 0,
            row_bytes: group.memory_bytes() / (group.rows as usize).max(1),
            fed: true,
        };
        self.live.push(group);
        self.advance(run);
    }

    /// The next step. Costs about as much as decoding the rows that come out.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not ask for more")]
    pub fn next(&mut self) -> Merged {
        loop {
            if let Some(&run) = self.wanting.last() {
                return Merged::Wants(run);
            }
            let Some(Reverse((_, _, run))) = self.heads.pop() else { break };
            let mut full = false;
            // Neighbours most often come from one run: the heap is asked only where runs meet.
            while !full && self.comes_next(run) {
                let row = self.take_row(run);
                self.picks.push((self.runs[run].group, row));
                self.picked_bytes += self.runs[run].row_bytes;
                full = self.picks.len() as u32 == self.rows_max || self.picked_bytes >= GROUP_BYTES_MAX;
            }
            self.advance(run);
            if full {
                return Merged::Group(self.cut());
            }
        }
        if self.picks.is_empty() { Merged::Done } else { Merged::Group(self.cut()) }
    }

    /// Whether the run, which is not in the heap, has a row and no other run has one before it.
    fn comes_next(&self, run: usize) -> bool {
        self.peek_row(run).is_some_and(|row| {
            let (time, id) = self.live[self.runs[run].group as usize].key(row);
            self.heads.peek().is_none_or(|Reverse(first)| (time, id, run) < *first)
        })
    }

    /// The run's next row, without taking it.
    fn peek_row(&self, run: usize) -> Option<u32> {
        let run = &self.runs[run];
        match &run.order {
            Some(order) => order.last().copied(),
            None => (run.next < self.live[run.group as usize].rows).then_some(run.next),
        }
    }

    fn take_row(&mut self, run: usize) -> u32 {
        let row = self.peek_row(run).expect("a run in the heap has a row");
        let run = &mut self.runs[run];
        match &mut run.order {
            Some(order) => drop(order.pop()),
            None => run.next += 1,
        }
        row
    }

    fn advance(&mut self, run: usize) {
        match self.peek_row(run) {
            Some(row) => {
                let (time, id) = self.live[self.runs[run].group as usize].key(row);
                self.heads.push(Reverse((time, id, run)));
            }
            None => {
                self.runs[run].fed = false;
                self.wanting.push(run);
            }
        }
    }

    /// Makes a group of the picked rows and lets go of the groups that are used up.
    fn cut(&mut self) -> RowGroup {
        let group = gather(&self.live, &self.picks);
        self.picks.clear();
        self.picked_bytes = 0;
        let live = std::mem::take(&mut self.live);
        for run in self.runs.iter_mut().filter(|run| run.fed) {
            let group = live[run.group as usize].clone();
            run.group = self.live.len() as u32;
            self.live.push(group);
        }
        group
    }
}

/// Merges groups that are all at hand, each in any order. With rows, only these of the group.
pub fn merge_all(groups: Vec<(Arc<RowGroup>, Option<Vec<u32>>)>, rows_max: u32) -> Vec<RowGroup> {
    let mut merger = Merger::new(groups.len(), rows_max);
    let mut groups: Vec<_> = groups.into_iter().map(Some).collect();
    let mut merged = Vec::new();
    loop {
        match merger.next() {
            Merged::Wants(run) => merger.feed(run, groups[run].take()),
            Merged::Group(group) => merged.push(group),
            Merged::Done => return merged,
        }
    }
}

/// Memory of one merged group, about, in bytes: at this a group ends even if it has few rows. Far
/// below the 4 GiB that a column can hold, since it is an estimate.
const GROUP_BYTES_MAX: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::super::testing::{Rng, group_of, random_lines, seen};
    use super::*;

    #[test]
    fn merging_keeps_every_event_and_orders_them() {
        let mut rng = Rng(11);
        for (groups, rows, rows_max) in [(0, 0, 5), (1, 1, 5), (3, 40, 7), (200, 3, 1000), (4, 900, 1000)] {
            let mut first = 1;
            let groups: Vec<_> = (0..groups)
                .map(|i| {
                    let lines = random_lines(&mut rng, rows);
                    first += rows as u64;
                    Arc::new(group_of(&lines, i % 2, first))
                })
                .collect();
            let mut expected: Vec<_> = groups.iter().flat_map(|group| seen(group)).collect();
            expected.sort();
            let merged = merge_all(groups.into_iter().map(|group| (group, None)).collect(), rows_max);
            let mut got = Vec::new();
            for group in &merged {
                assert!(group.sorted && group.rows > 0 && group.rows <= rows_max);
                group.check();
                got.extend(seen(group));
            }
            assert!(got.is_sorted_by_key(|event| event.0));
            got.sort();
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn only_the_rows_named_take_part() {
        let mut rng = Rng(13);
        let lines = random_lines(&mut rng, 100);
        let group = Arc::new(group_of(&lines, 1, 1));
        let odd: Vec<u32> = (0..100).filter(|row| row % 2 == 1).collect();
        let merged = merge_all(vec![(group.clone(), Some(odd.clone())), (group.clone(), Some(vec![4]))], 65_536);
        merged[0].check();
        let mut ids: Vec<_> = (0..merged[0].rows).map(|row| merged[0].id(row)).collect();
        ids.sort();
        let mut expected: Vec<_> = odd.into_iter().chain([4]).map(|row| group.id(row)).collect();
        expected.sort();
        assert_eq!(ids, expected);
    }
}
