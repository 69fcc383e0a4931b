//! Lines put together again from shapes and values.

use std::ops::Range;

use super::{Column, RowGroup, ShapePart};
use crate::event::Spelling;

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

    /// Adds the bytes of the row's line, as sent, to `out`. Panics if the group has no such row.
    pub fn write(&mut self, row: u32, out: &mut Vec<u8>) {
        self.seek(row);
        let group = self.group;
        let shape = &group.shapes.shapes[group.shape_of_row[row as usize] as usize];
        if shape.verbatim {
            out.extend_from_slice(group.verbatim.get(self.verbatim));
            return;
        }
        for part in &shape.parts {
            match part {
                ShapePart::Literal(range) => out.extend_from_slice(group.shapes.literal(range)),
                ShapePart::Slot(path, spelling) => {
                    let column = group.column(*path).expect("G3: a slot's path has a column");
                    let position = &mut self.positions[path.0 as usize];
                    let value = first_from(column, *position, row);
                    assert_eq!(column.row_of(value), row, "G3: the row has a value for each slot");
                    *position = value as u32 + 1;
                    match spelling {
                        Spelling::Bare => column.values.write_text(column.entry_of(value), out),
                        _ => spelling.write(column.text(value, &mut self.scratch), out),
                    }
                }
            }
        }
        // A second call for this row must find its values again.
        for (path, _) in shape.slots() {
            let position = &mut self.positions[path.0 as usize];
            let column = group.column(path).expect("G3: a slot's path has a column");
            while *position > 0 && column.row_of(*position as usize - 1) == row {
                *position -= 1;
            }
        }
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

/// How many values are looked at one by one before a binary search.
const NEAR: usize = 16;
