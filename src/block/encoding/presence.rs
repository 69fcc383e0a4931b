//! Which row each value belongs to. Shapes say it for nearly all values, so it costs nearly nothing.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use super::{ChunkIn, ChunkOut, ints};
use crate::block::BlockError;
use crate::block::error::damaged;
use crate::block::shape::Shape;
use crate::block::wire::put_varint;
use crate::event::PathId;

/// For each path the shapes that have slots of it, and how many.
#[derive(Clone, Debug, Default)]
pub(in crate::block) struct SlotIndex {
    of_path: Vec<Vec<(u32, u32)>>,
}

impl SlotIndex {
    /// Adds a shape. Shapes come in order of their numbers.
    pub(in crate::block) fn add(&mut self, number: u32, shape: &Shape) {
        for (path, _) in shape.slots() {
            let path = path.0 as usize;
            if path >= self.of_path.len() {
                self.of_path.resize(path + 1, Vec::new());
            }
            match self.of_path[path].last_mut() {
                Some((last, count)) if *last == number => *count += 1,
                _ => self.of_path[path].push((number, 1)),
            }
        }
    }

    fn of(&self, path: PathId) -> &[(u32, u32)] {
        self.of_path.get(path.0 as usize).map_or(&[], Vec::as_slice)
    }
}

/// The rows of one group by shape. What it has found for one column serves those that stand in the same
/// shapes.
#[derive(Debug)]
pub struct RowsByShape<'a> {
    index: &'a SlotIndex,
    shape_of_row: &'a [u32],
    /// How many rows have each shape that any of them has, and those below it.
    counts: Vec<u32>,
    /// All rows, those of one shape side by side: made when a column of few rows first asks.
    sorted: OnceCell<Sorted>,
    /// For which path which rows were found, last.
    found: RefCell<Vec<(PathId, Arc<[u32]>)>>,
}

/// Rows by shape, and where those of each shape begin.
#[derive(Debug)]
struct Sorted {
    rows: Vec<u32>,
    starts: Vec<u32>,
}

impl<'a> RowsByShape<'a> {
    pub(in crate::block) fn new(index: &'a SlotIndex, shape_of_row: &'a [u32]) -> Self {
        let mut counts = Vec::new();
        for &shape in shape_of_row {
            if shape as usize >= counts.len() {
                counts.resize(shape as usize + 1, 0);
            }
            counts[shape as usize] += 1;
        }
        Self { index, shape_of_row, counts, sorted: OnceCell::new(), found: RefCell::default() }
    }

    /// The row of each value that the shapes give the path, ascending; at most `count_max`.
    fn rows_of(&self, path: PathId, count_max: u64) -> Result<Arc<[u32]>, BlockError> {
        let own = self.index.of(path);
        let rows_of = |shape: u32| self.counts.get(shape as usize).copied().unwrap_or(0);
        let count: u64 = own.iter().map(|&(shape, slots)| u64::from(rows_of(shape)) * u64::from(slots)).sum();
        if count > count_max {
            return damaged("a column has too many values");
        }
        let mut found = self.found.borrow_mut();
        if let Some((_, rows)) = found.iter().find(|(other, _)| self.index.of(*other) == own) {
            return Ok(Arc::clone(rows));
        }
        let rows: Arc<[u32]> = if (count as usize) < self.shape_of_row.len() / FEW_ROWS_SHARE {
            self.few(own).into()
        } else {
            self.many(own, count as usize).into()
        };
        if found.len() == FOUND_MAX {
            found.remove(0);
        }
        found.push((path, Arc::clone(&rows)));
        Ok(rows)
    }

    /// A look at each row.
    fn many(&self, own: &[(u32, u32)], count: usize) -> Vec<u32> {
        let mut slots = vec![0u32; self.counts.len()];
        for &(shape, count) in own {
            if let Some(slots) = slots.get_mut(shape as usize) {
                *slots = count;
            }
        }
        if slots.iter().all(|slots| *slots <= 1) {
            return self.where_one(&slots, count);
        }
        let mut all = Vec::with_capacity(count);
        for (row, &shape) in (0..).zip(self.shape_of_row) {
            match slots[shape as usize] {
                0 => {}
                1 => all.push(row),
                more => all.extend(std::iter::repeat_n(row, more as usize)),
            }
        }
        all
    }

    /// The rows whose shape has a slot, of which there are `count`. Each row is written where the next one belongs, and
    /// stays there if it is one: which shape comes next, no branch predictor knows.
    fn where_one(&self, slots: &[u32], count: usize) -> Vec<u32> {
        let (mut all, mut next) = (vec![0; count + 1], 0);
        for (row, &shape) in (0..).zip(self.shape_of_row) {
            all[next] = row;
            next += slots[shape as usize] as usize;
        }
        all.truncate(count);
        all
    }

    /// A look at the rows of these shapes.
    fn few(&self, own: &[(u32, u32)]) -> Vec<u32> {
        let sorted = self.sorted.get_or_init(|| self.sorted());
        let mut all = Vec::new();
        for &(shape, slots) in own.iter().filter(|(shape, _)| (*shape as usize) < self.counts.len()) {
            let range = sorted.starts[shape as usize] as usize..sorted.starts[shape as usize + 1] as usize;
            all.extend(sorted.rows[range].iter().flat_map(|&row| std::iter::repeat_n(row, slots as usize)));
        }
        all.sort_unstable();
        all
    }

    fn sorted(&self) -> Sorted {
        let mut starts = vec![0; self.counts.len() + 1];
        for (shape, &count) in self.counts.iter().enumerate() {
            starts[shape + 1] = starts[shape] + count;
        }
        let mut next = starts.clone();
        let mut rows = vec![0; self.shape_of_row.len()];
        for (row, &shape) in (0..).zip(self.shape_of_row) {
            rows[next[shape as usize] as usize] = row;
            next[shape as usize] += 1;
        }
        Sorted { rows, starts }
    }
}

/// Whether the rows of a column's values need not be said: one value in each row, or as the shapes say.
pub(in crate::block) fn is_known(chunk: &ChunkOut<'_>) -> bool {
    matches!(chunk.head.as_slice(), [EVERY_ROW | BY_SHAPE])
}

/// The rows of values of which nothing was said, at most `count_max`: with `shapes`, as these say; else one in
/// each row.
pub(in crate::block) fn known(
    rows: u32,
    path: PathId,
    shapes: Option<&RowsByShape<'_>>,
    count_max: u64,
) -> Result<Arc<[u32]>, BlockError> {
    match shapes {
        Some(shapes) => shapes.rows_of(path, count_max),
        None if u64::from(rows) <= count_max => Ok((0..rows).collect()),
        None => damaged("a column has too few values"),
    }
}

/// Adds the rows of a column's values; `None` is one in each row.
pub(in crate::block) fn put(out: &mut ChunkOut<'_>, rows: Option<&[u32]>, path: PathId, shapes: &RowsByShape<'_>) {
    let Some(rows) = rows else {
        out.head.push(EVERY_ROW);
        return;
    };
    let by_shape = shapes.rows_of(path, u64::MAX).expect("any count is below that");
    match difference(rows, &by_shape) {
        Some(more) if by_shape.is_empty() => {
            out.head.push(LISTED);
            put_rows(out, &more);
        }
        Some(more) if more.is_empty() => out.head.push(BY_SHAPE),
        Some(more) => {
            out.head.push(BY_SHAPE_AND_LISTED);
            put_rows(out, &more);
        }
        None => unreachable!("G3: a row has a value for each slot"),
    }
}

fn put_rows(out: &mut ChunkOut<'_>, rows: &[u32]) {
    put_varint(&mut out.head, rows.len() as u64);
    let rows: Vec<u64> = rows.iter().map(|&row| u64::from(row)).collect();
    ints::put(out, &rows);
}

/// What `all` has more than `part`, both ascending; `None` if `part` is no part of it.
fn difference(all: &[u32], part: &[u32]) -> Option<Vec<u32>> {
    let mut rest = part;
    let mut more = Vec::new();
    for &row in all {
        match rest.split_first() {
            Some((&first, after)) if first == row => rest = after,
            _ => more.push(row),
        }
    }
    rest.is_empty().then_some(more)
}

/// Whether reading the rows needs the shape of each row.
pub(in crate::block) fn needs_shapes(chunk: &ChunkOut<'_>) -> bool {
    matches!(chunk.head.first(), Some(&(BY_SHAPE | BY_SHAPE_AND_LISTED)))
}

/// Reads rows: ascending, below `rows`, at most `count_max`; `None` is one value in each.
pub(in crate::block) fn get(
    chunk: &mut ChunkIn<'_>,
    rows: u32,
    path: PathId,
    shapes: Option<&RowsByShape<'_>>,
    count_max: u64,
) -> Result<Option<Arc<[u32]>>, BlockError> {
    let method = chunk.head.byte()?;
    let by_shape = match (method, shapes) {
        (EVERY_ROW, _) => return Ok(None),
        (BY_SHAPE | BY_SHAPE_AND_LISTED, Some(shapes)) => shapes.rows_of(path, count_max)?,
        (BY_SHAPE | BY_SHAPE_AND_LISTED, None) => return damaged("a column needs shapes though the footer denies it"),
        (LISTED, _) => Arc::default(),
        _ => return damaged("the rows of a column have an unknown encoding"),
    };
    if method == BY_SHAPE {
        return Ok(Some(by_shape));
    }
    let count = chunk.head.at_most(count_max)? as usize;
    let mut all = ints::get_codes(chunk, count, u64::from(rows))?;
    if !all.is_sorted() {
        return damaged("the rows of a column fall");
    }
    if !by_shape.is_empty() {
        all.extend(by_shape.iter());
        all.sort();
    }
    Ok(Some(all.into()))
}

const EVERY_ROW: u8 = 0;
const BY_SHAPE: u8 = 1;
const LISTED: u8 = 2;
const BY_SHAPE_AND_LISTED: u8 = 3;
/// A column whose values are fewer than one in so many rows looks at those of its shapes only.
const FEW_ROWS_SHARE: usize = 16;
/// Rows of different sets of shapes that are kept at the same time.
const FOUND_MAX: usize = 16;
