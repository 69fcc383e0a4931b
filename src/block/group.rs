//! A row group in memory: what the head holds, what compaction merges, what a decoded group is.

use std::sync::Arc;

use super::{Column, ShapeTable, Texts};
use crate::event::{Origin, PathTable};

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
