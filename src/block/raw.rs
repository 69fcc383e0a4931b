//! Lines put together again from shapes and values.

use std::ops::Range;

use super::error::damaged;
use super::{BlockError, Column, RowGroup, ShapePart};
use crate::event::{PathId, Spelling};

/// Writes the lines of a group's rows. Rows asked for in ascending order cost only their own bytes;
/// a row before the last one asked for costs a search in each of its columns.
pub struct RawCursor<'a> {
    group: &'a RowGroup,
    /// For each column the first value that may belong to `row` or a later one.
    positions: Vec<u32>,
    /// The row up to which `positions` and `verbatim` have come.
    row: u32,
    /// How many rows before `row` are verbatim.
    verbatim: usize,
    scratch: Vec<u8>,
}

impl<'a> RawCursor<'a> {
    /// Stands before the first row.
    pub fn new(group: &'a RowGroup) -> Self {
        Self { group, positions: vec![0; group.columns.len()], row: 0, verbatim: 0, scratch: Vec::new() }
    }

    /// Adds the bytes of the row's line, as sent, to `out`. Panics if the group has no such row, or if
    /// its invariants do not hold: [`RawCursor::try_write`] is for groups that were put together from
    /// single chunks of a block.
    pub fn write(&mut self, row: u32, out: &mut Vec<u8>) {
        self.try_write(row, out).expect("G3: a row has a value for each slot of its shape");
    }

    /// As [`RawCursor::write`], for a group whose columns were decoded one by one.
    ///
    /// # Errors
    /// [`BlockError`] if the row lacks a value that its shape has: the chunks do not belong together,
    /// or a column that the shape names was not loaded. `out` may have got a part of the line.
    pub fn try_write(&mut self, row: u32, out: &mut Vec<u8>) -> Result<(), BlockError> {
        self.seek(row);
        let group = self.group;
        let shape = &group.shapes.shapes[group.shape_of_row[row as usize] as usize];
        if shape.verbatim {
            if self.verbatim >= group.verbatim.len() {
                return damaged("a line that no shape gives back is missing");
            }
            out.extend_from_slice(group.verbatim.get(self.verbatim));
            return Ok(());
        }
        for part in &shape.parts {
            match part {
                ShapePart::Literal(range) => out.extend_from_slice(group.shapes.literal(range)),
                ShapePart::Slot(path, spelling) => self.write_value(row, *path, *spelling, out)?,
            }
        }
        // A second call for this row must find its values again.
        for (path, _) in shape.slots() {
            let Some(column) = group.column(path) else { continue };
            let position = &mut self.positions[path.0 as usize];
            while *position > 0 && column.row_of(*position as usize - 1) == row {
                *position -= 1;
            }
        }
        Ok(())
    }

    fn write_value(&mut self, row: u32, path: PathId, spelling: Spelling, out: &mut Vec<u8>) -> Result<(), BlockError> {
        let Some(column) = self.group.column(path) else { return damaged(NO_VALUE) };
        let position = &mut self.positions[path.0 as usize];
        let value = first_from(column, *position, row);
        if value >= column.len() || column.row_of(value) != row {
            return damaged(NO_VALUE);
        }
        *position = value as u32 + 1;
        match spelling {
            Spelling::Bare => column.values.write_text(column.entry_of(value), out),
            _ => spelling.write(column.text(value, &mut self.scratch), out),
        }
        Ok(())
    }

    fn seek(&mut self, row: u32) {
        if row < self.row {
            self.positions.fill(0);
            (self.row, self.verbatim) = (0, 0);
        }
        let verbatim_before = |rows: Range<u32>| {
            let shapes = &self.group.shapes.shapes;
            rows.filter(|&row| shapes[self.group.shape_of_row[row as usize] as usize].verbatim).count()
        };
        if !self.group.verbatim.is_empty() {
            self.verbatim += verbatim_before(self.row..row);
        }
        self.row = row;
    }
}

/// The first value at or behind `from` that belongs to `row` or a later one.
fn first_from(column: &Column, from: u32, row: u32) -> usize {
    let Some(rows) = &column.rows else { return row as usize };
    let rest = &rows[from as usize..];
    let near = rest.iter().take(NEAR).take_while(|&&own| own < row).count();
    if near < NEAR {
        return from as usize + near;
    }
    from as usize + rest.partition_point(|&own| own < row)
}

const NO_VALUE: &str = "a row lacks a value that its shape has";
/// How many values are looked at one by one before a binary search.
const NEAR: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, group_of};
    use super::*;

    #[test]
    fn a_line_whose_value_is_missing_is_an_error() {
        let line = |n: &str| Made::default().literal(b"{\"n\":").value("n", n, Spelling::Bare).literal(b"}");
        let mut group = group_of(&[line("1"), Made::default().literal(b"{}"), line("2")], 1, 1);
        let mut out = Vec::new();
        assert_eq!(RawCursor::new(&group).try_write(2, &mut out), Ok(()));
        assert_eq!(out, b"{\"n\":2}");
        group.columns[0] = None;
        assert!(RawCursor::new(&group).try_write(2, &mut out).is_err());
        assert_eq!(RawCursor::new(&group).try_write(1, &mut out), Ok(()));
    }
}
