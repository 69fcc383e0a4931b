//! What a query sees of a row group: the parts that are loaded, and what is known of the others.

use std::sync::Arc;

use super::bitmap::Bitmap;
use super::text::TextTest;
use super::value_test::ValueTest;
use crate::block::{Column, RowGroup, ShapeTable};
use crate::event::{PathId, PathTable};

/// A row group, wherever its parts are.
#[derive(Clone)]
pub(crate) struct View {
    group: Arc<RowGroup>,
}

/// A part of a stored group that has to be loaded before the query can go on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Part {
    /// Times, ids and shapes of the rows.
    Rows,
    /// Lines as they were sent, of rows whose shape says so.
    Verbatim,
    /// A column.
    Column(PathId),
    /// What is known about a column without reading it.
    Filter(PathId),
}

/// Parts that have to be loaded first.
pub(crate) type Missing = Vec<Part>;

impl View {
    /// A group that is in memory as a whole.
    pub(crate) fn of_memory(group: Arc<RowGroup>) -> Self {
        Self { group }
    }

    pub(crate) fn rows(&self) -> u32 {
        self.group.rows
    }

    pub(crate) fn paths(&self) -> &Arc<PathTable> {
        &self.group.paths
    }

    pub(crate) fn shapes(&self) -> &Arc<ShapeTable> {
        &self.group.shapes
    }

    /// Paths of which some row has a value.
    pub(crate) fn present(&self) -> impl Iterator<Item = PathId> + '_ {
        let columns = self.group.columns.iter().enumerate();
        columns.filter(|(_, column)| column.is_some()).map(|(path, _)| PathId(path as u32))
    }

    /// Whether some row has a value of this path.
    pub(crate) fn has(&self, path: PathId) -> bool {
        self.group.column(path).is_some()
    }

    /// A column; `None` if no row has a value.
    pub(crate) fn column(&self, path: PathId) -> Result<Option<&Arc<Column>>, Missing> {
        Ok(self.group.column(path))
    }

    /// Whether some value of a column may fit, going by what is known without reading it.
    pub(crate) fn may_fit(&self, _path: PathId, _test: &ValueTest) -> Result<bool, Missing> {
        Ok(true)
    }

    /// Whether some text of a column may fit, going by what is known without reading it.
    pub(crate) fn may_fit_text(&self, _path: PathId, _test: &TextTest) -> Result<bool, Missing> {
        Ok(true)
    }

    /// Whether the raw form of some value of a column may have letters that its text has not.
    pub(crate) fn may_have_escapes(&self, _path: PathId) -> bool {
        true
    }

    /// Times of the earliest and the latest row, where they are known without reading.
    pub(crate) fn time_range(&self) -> Option<(i64, i64)> {
        let times = &self.group.times;
        if self.group.sorted { Some((*times.first()?, *times.last()?)) } else { None }
    }

    pub(crate) fn times(&self) -> Result<&[i64], Missing> {
        Ok(&self.group.times)
    }

    pub(crate) fn sorted(&self) -> bool {
        self.group.sorted
    }

    pub(crate) fn shape_of_row(&self) -> Result<&[u32], Missing> {
        Ok(&self.group.shape_of_row)
    }

    /// The group with all that `raw` of these rows needs.
    pub(crate) fn for_raw(&self, _rows: &Bitmap) -> Result<Arc<RowGroup>, Missing> {
        Ok(Arc::clone(&self.group))
    }

    /// The group with times, ids and shapes.
    pub(crate) fn for_rows(&self) -> Result<&RowGroup, Missing> {
        Ok(&self.group)
    }
}
