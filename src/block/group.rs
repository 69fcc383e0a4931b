//! A row group in memory: what the head holds, what compaction merges, what a decoded group is.

use std::sync::Arc;

use super::{Column, RawCursor, ShapePart, ShapeTable, Texts};
use crate::event::{EventId, Origin, PathId, PathTable, Sequence};

/// Name of the synthetic field that says that an event's time is its time of arrival.
pub const TIME_SOURCE_FIELD: &str = "_time_source";
/// Name of the synthetic field that counts the fields beyond the limit.
pub const FIELDS_DROPPED_FIELD: &str = "_fields_dropped";
/// Name of the synthetic column that holds a source which the line itself does not name.
pub const SOURCE_FIELD: &str = "_helios_source";

/// Events of one partition, column by column.
///
/// **Invariants.** G1 every per-row vector is `rows` long. G2 `columns` is as long as `paths`. G3 each
/// row's shape is in `shapes`; filling it uses up exactly the row's values in the columns it names,
/// beyond which only the synthetic fields have values. (A verbatim row has values of its own as well.)
/// G4 if `sorted`, rows ascend by (time, origin, sequence).
#[derive(Clone)]
pub struct RowGroup {
    /// How many events.
    pub rows: u32,
    /// Whether the rows ascend by (time, origin, sequence).
    pub sorted: bool,
    /// Event time of each row, nanoseconds since 1970.
    pub times: Vec<i64>,
    /// The origins that occur.
    pub origins: Vec<Origin>,
    /// Index in `origins` of each row. `None`: all are `origins[0]`.
    pub origin_codes: Option<Vec<u32>>,
    /// Sequence of each row within its origin.
    pub sequences: Vec<u64>,
    /// The shapes.
    pub shapes: Arc<ShapeTable>,
    /// Index in `shapes` of each row.
    pub shape_of_row: Vec<u32>,
    /// Lines that no shape gives back, in row order: one for each row whose shape is verbatim.
    pub verbatim: Texts,
    /// The names of the columns.
    pub paths: Arc<PathTable>,
    /// The column of each path; `None` where no row has a value.
    pub columns: Vec<Option<Arc<Column>>>,
}

/// Rows in one row group at most. Caps what one query thread decodes at a time.
pub const ROW_GROUP_ROWS_MAX: u32 = 1 << 18;

impl RowGroup {
    /// A group without rows.
    pub fn empty() -> Self {
        Self {
            rows: 0,
            sorted: true,
            times: Vec::new(),
            origins: Vec::new(),
            origin_codes: None,
            sequences: Vec::new(),
            shapes: Arc::default(),
            shape_of_row: Vec::new(),
            verbatim: Texts::default(),
            paths: Arc::default(),
            columns: Vec::new(),
        }
    }

    /// The origin of a row.
    pub fn origin(&self, row: u32) -> Origin {
        match &self.origin_codes {
            Some(codes) => self.origins[codes[row as usize] as usize],
            None => self.origins[0],
        }
    }

    /// The id of a row's event.
    pub fn id(&self, row: u32) -> EventId {
        EventId { origin: self.origin(row), sequence: Sequence(self.sequences[row as usize]) }
    }

    /// What rows are ordered by.
    pub fn key(&self, row: u32) -> (i64, EventId) {
        (self.times[row as usize], self.id(row))
    }

    /// Whether the rows ascend by (time, origin, sequence).
    pub(super) fn is_sorted(&self) -> bool {
        (1..self.rows).all(|row| self.key(row - 1) < self.key(row))
    }

    /// The column of a path, if any row has a value in it.
    pub fn column(&self, path: PathId) -> Option<&Arc<Column>> {
        self.columns.get(path.0 as usize)?.as_ref()
    }

    /// Adds the bytes of a row's line, as sent, to `out`. For many rows in order, [`RawCursor`] is
    /// cheaper: this one searches the row in each column.
    pub fn raw(&self, row: u32, out: &mut Vec<u8>) {
        RawCursor::new(self).write(row, out);
    }

    /// Bytes taken in memory, about.
    pub fn memory_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().flatten().map(|column| column.memory_bytes()).sum();
        let rows = self.rows as usize * (8 + 8 + 4) + self.origin_codes.as_ref().map_or(0, |codes| 4 * codes.len());
        columns + rows + self.verbatim.bytes.len() + 4 * self.verbatim.len() + self.shapes.memory_bytes()
    }

    /// Asserts all invariants of the group and its columns. Costs about as much as building it.
    pub fn check(&self) {
        let rows = self.rows as usize;
        assert_eq!(self.times.len(), rows, "G1");
        assert_eq!(self.sequences.len(), rows, "G1");
        assert_eq!(self.shape_of_row.len(), rows, "G1");
        match &self.origin_codes {
            Some(codes) => {
                assert_eq!(codes.len(), rows, "G1");
                assert!(codes.iter().all(|&code| (code as usize) < self.origins.len()), "G1");
            }
            None => assert!(rows == 0 || !self.origins.is_empty(), "G1"),
        }
        assert_eq!(self.columns.len(), self.paths.len(), "G2");
        for column in self.columns.iter().flatten() {
            assert!(!column.is_empty(), "G2");
            column.check(self.rows);
        }
        self.check_shapes();
        if self.sorted {
            assert!(self.is_sorted(), "G4");
        }
    }

    fn check_shapes(&self) {
        let is_verbatim = |&&shape: &&u32| self.shapes.shapes[shape as usize].verbatim;
        assert_eq!(self.verbatim.len(), self.shape_of_row.iter().filter(is_verbatim).count(), "G3");
        assert!(self.slots_are_filled(), "G3");
    }

    /// Whether each row has a value for each slot of its shape.
    pub(super) fn slots_are_filled(&self) -> bool {
        let mut positions: Vec<usize> = vec![0; self.columns.len()];
        for (row, &shape) in (0..).zip(&self.shape_of_row) {
            for part in &self.shapes.shapes[shape as usize].parts {
                let ShapePart::Slot(path, _) = part else { continue };
                let Some(column) = self.column(*path) else { return false };
                let position = &mut positions[path.0 as usize];
                while *position < column.len() && column.row_of(*position) < row {
                    *position += 1;
                }
                if *position == column.len() || column.row_of(*position) != row {
                    return false;
                }
                *position += 1;
            }
        }
        true
    }
}

/// Shows what a failing test needs; the columns would fill the screen.
impl std::fmt::Debug for RowGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let raws: Vec<_> = (0..self.rows.min(10))
            .map(|row| {
                let mut raw = Vec::new();
                self.raw(row, &mut raw);
                (self.times[row as usize], self.id(row).to_string(), String::from_utf8_lossy(&raw).into_owned())
            })
            .collect();
        f.debug_struct("RowGroup").field("rows", &self.rows).field("first", &raws).finish_non_exhaustive()
    }
}
