//! What a query sees of a row group: the parts that are loaded, and what is known of the others.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashMap;

use super::bitmap::Bitmap;
use super::text::TextTest;
use super::value_test::{ValueTest, form_may_hold, numbers_may_hold};
use crate::block::writer::form_of;
use crate::block::{ChunkKey, Column, ColumnInfo, FilterReader, Footer, Form, Ids, RowGroup, ShapeTable, Texts};
use crate::event::{EventId, Origin, PathId, PathTable, Sequence};
use crate::query::cache::Chunk;

/// A row group, wherever its parts are.
pub(crate) enum View {
    /// All of it is in memory.
    Memory(Arc<RowGroup>),
    /// It is in a block, and its parts are loaded as they are needed.
    Stored(StoredView),
}

/// A group of a block.
pub(crate) struct StoredView {
    pub(crate) footer: Arc<Footer>,
    pub(crate) group: usize,
    chunks: HashMap<ChunkKey, Chunk, foldhash::fast::FixedState>,
    /// The loaded columns that hold the values of some rows only: those which whoever has the view asks about.
    of_some_rows: Vec<ChunkKey>,
}

/// How large a column is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColumnSize {
    pub(crate) values: u32,
    /// How many entries they say.
    pub(crate) entries: u32,
    pub(crate) form: Form,
    /// Length of the entries' texts, about.
    pub(crate) text_bytes: u64,
}

/// Parts that have to be loaded before the query can go on.
pub(crate) type Missing = Vec<ChunkKey>;

/// The ids of a group's rows.
#[derive(Clone, Copy)]
pub(crate) struct RowIds<'a> {
    origins: &'a [Origin],
    codes: Option<&'a [u32]>,
    pub(crate) sequences: &'a [u64],
}

impl RowIds<'_> {
    pub(crate) fn id(&self, row: u32) -> EventId {
        let code = self.codes.map_or(0, |codes| codes[row as usize] as usize);
        EventId { origin: self.origins[code], sequence: Sequence(self.sequences[row as usize]) }
    }
}

impl View {
    pub(crate) fn rows(&self) -> u32 {
        match self {
            Self::Memory(group) => group.rows,
            Self::Stored(stored) => stored.footer.groups[stored.group].rows,
        }
    }

    pub(crate) fn paths(&self) -> &Arc<PathTable> {
        match self {
            Self::Memory(group) => &group.paths,
            Self::Stored(stored) => &stored.footer.paths,
        }
    }

    pub(crate) fn shapes(&self) -> &Arc<ShapeTable> {
        match self {
            Self::Memory(group) => &group.shapes,
            Self::Stored(stored) => &stored.footer.shapes,
        }
    }

    /// Whether the rows ascend by time, origin and sequence.
    pub(crate) fn sorted(&self) -> bool {
        match self {
            Self::Memory(group) => group.sorted,
            Self::Stored(stored) => stored.footer.groups[stored.group].sorted,
        }
    }

    /// Times of the earliest and the latest row. Costs a look at each row of an unsorted group in memory.
    pub(crate) fn time_range(&self) -> Option<(i64, i64)> {
        match self {
            Self::Memory(group) if group.sorted => Some((*group.times.first()?, *group.times.last()?)),
            Self::Memory(group) => Some((*group.times.iter().min()?, *group.times.iter().max()?)),
            Self::Stored(stored) => {
                let info = &stored.footer.groups[stored.group];
                Some((info.time_min, info.time_max))
            }
        }
    }

    /// Paths of which some row has a value.
    pub(crate) fn present(&self) -> Vec<PathId> {
        match self {
            Self::Memory(group) => {
                let columns = group.columns.iter().enumerate();
                columns.filter(|(_, column)| column.is_some()).map(|(path, _)| PathId(path as u32)).collect()
            }
            Self::Stored(stored) => stored.info().iter().map(|column| column.path).collect(),
        }
    }

    /// Whether some row has a value of this path.
    pub(crate) fn has(&self, path: PathId) -> bool {
        match self {
            Self::Memory(group) => group.column(path).is_some(),
            Self::Stored(stored) => stored.column_info(path).is_some(),
        }
    }

    /// How large a column is, without reading it; `None` if no row has a value.
    pub(crate) fn size_of(&self, path: PathId) -> Option<ColumnSize> {
        match self {
            Self::Memory(group) => {
                let column = group.column(path)?;
                Some(ColumnSize {
                    values: column.len() as u32,
                    entries: column.values.len() as u32,
                    form: form_of(&column.values),
                    text_bytes: column.values.memory_bytes() as u64,
                })
            }
            Self::Stored(stored) => {
                let info = stored.column_info(path)?;
                let entries = info.distinct.unwrap_or(info.values);
                let text_bytes = info.text_bytes.saturating_mul(u64::from(entries)) / u64::from(info.values.max(1));
                Some(ColumnSize { values: info.values, entries, form: info.form, text_bytes })
            }
        }
    }

    /// Whether some row's line is stored as it was sent.
    pub(crate) fn has_verbatim(&self) -> bool {
        match self {
            Self::Memory(group) => !group.verbatim.is_empty(),
            Self::Stored(stored) => stored.footer.groups[stored.group].chunk(ChunkKey::Verbatim).is_some(),
        }
    }

    /// A column; `None` if no row has a value.
    pub(crate) fn column(&self, path: PathId) -> Result<Option<&Arc<Column>>, Missing> {
        match self {
            Self::Memory(group) => Ok(group.column(path)),
            Self::Stored(stored) if stored.column_info(path).is_none() => Ok(None),
            Self::Stored(stored) => match stored.get(ChunkKey::Column(path))? {
                Chunk::Column(column) => Ok(Some(column)),
                _ => panic!("a column is kept as a column"),
            },
        }
    }

    pub(crate) fn times(&self) -> Result<&[i64], Missing> {
        match self {
            Self::Memory(group) => Ok(&group.times),
            Self::Stored(stored) => match stored.get(ChunkKey::Times)? {
                Chunk::Times(times) => Ok(times),
                _ => panic!("times are kept as times"),
            },
        }
    }

    pub(crate) fn shape_of_row(&self) -> Result<&[u32], Missing> {
        match self {
            Self::Memory(group) => Ok(&group.shape_of_row),
            Self::Stored(stored) => match stored.get(ChunkKey::Shapes)? {
                Chunk::Shapes(shapes) => Ok(shapes),
                _ => panic!("shapes are kept as shapes"),
            },
        }
    }

    pub(crate) fn ids(&self) -> Result<RowIds<'_>, Missing> {
        match self {
            Self::Memory(group) => Ok(RowIds {
                origins: &group.origins,
                codes: group.origin_codes.as_deref(),
                sequences: &group.sequences,
            }),
            Self::Stored(stored) => match stored.get(ChunkKey::Ids)? {
                Chunk::Ids(ids) => {
                    let Ids { origins, codes, sequences } = ids.as_ref();
                    Ok(RowIds { origins, codes: codes.as_deref(), sequences })
                }
                _ => panic!("ids are kept as ids"),
            },
        }
    }

    /// Whether some value of a column may fit, going by what is known without reading it.
    pub(crate) fn may_fit(&self, path: PathId, test: &ValueTest) -> Result<bool, Missing> {
        let Self::Stored(stored) = self else { return Ok(true) };
        let Some(info) = stored.column_info(path) else { return Ok(false) };
        match test {
            ValueTest::Text(test) => self.may_fit_text(path, test),
            ValueTest::Equals(operand) if operand.number.is_none() => match info.form {
                Form::Integers | Form::Decimals => Ok(false),
                _ => stored.filter(path, |filter| filter.may_contain_value(&operand.folded)),
            },
            test => Ok(info.bounds.is_none_or(|bounds| test.may_fit_numbers(info.form, bounds))),
        }
    }

    /// Whether some text of a column, or what it is written as in `raw`, may fit, going by what is
    /// known without reading it.
    pub(crate) fn may_fit_text(&self, path: PathId, test: &TextTest) -> Result<bool, Missing> {
        let Self::Stored(stored) = self else { return Ok(true) };
        let Some(info) = stored.column_info(path) else { return Ok(false) };
        let in_bounds = |bounds| numbers_may_hold(info.form, bounds, test.required());
        if !form_may_hold(info.form, test.required()) || !info.bounds.is_none_or(in_bounds) {
            return Ok(false);
        }
        stored.filter(path, |filter| test.required().iter().all(|part| filter.may_contain_substring(part.as_bytes())))
    }

    /// The group with all that `raw` of these rows needs.
    pub(crate) fn for_raw(&self, rows: &Bitmap) -> Result<Cow<'_, RowGroup>, Missing> {
        match self {
            Self::Memory(group) => Ok(Cow::Borrowed(group)),
            Self::Stored(stored) => stored.for_raw(self.shape_of_row()?, rows).map(Cow::Owned),
        }
    }

    /// Whether something else than filters and times was read of the group.
    pub(crate) fn has_loaded_values(&self) -> bool {
        let of_values = |key: &ChunkKey| !matches!(key, ChunkKey::Times | ChunkKey::Filter(_));
        match self {
            Self::Memory(_) => true,
            Self::Stored(stored) => stored.chunks.keys().any(of_values),
        }
    }
}

impl StoredView {
    pub(crate) fn new(footer: Arc<Footer>, group: usize) -> Self {
        Self { footer, group, chunks: HashMap::default(), of_some_rows: Vec::new() }
    }

    /// A loaded part.
    pub(crate) fn loaded(&self, key: ChunkKey) -> Option<&Chunk> {
        self.chunks.get(&key)
    }

    /// Whether a part is loaded, and as a whole if it must be.
    pub(crate) fn is_loaded(&self, key: ChunkKey, whole: bool) -> bool {
        self.chunks.contains_key(&key) && !(whole && self.of_some_rows.contains(&key))
    }

    /// Puts a loaded part in its place.
    pub(crate) fn insert(&mut self, key: ChunkKey, chunk: Chunk, whole: bool) {
        self.chunks.insert(key, chunk);
        self.of_some_rows.retain(|&other| other != key);
        if !whole {
            self.of_some_rows.push(key);
        }
    }

    fn get(&self, key: ChunkKey) -> Result<&Chunk, Missing> {
        self.loaded(key).ok_or_else(|| vec![key])
    }

    fn info(&self) -> &[ColumnInfo] {
        &self.footer.groups[self.group].columns
    }

    fn column_info(&self, path: PathId) -> Option<&ColumnInfo> {
        self.footer.groups[self.group].column(path)
    }

    /// What a filter says; where there is none everything may be.
    fn filter(&self, path: PathId, held: impl FnOnce(&FilterReader) -> bool) -> Result<bool, Missing> {
        let key = ChunkKey::Filter(path);
        if self.footer.groups[self.group].chunk(key).is_none() {
            return Ok(true);
        }
        match self.get(key)? {
            Chunk::Filter(filter) => Ok(held(filter)),
            _ => panic!("a filter is kept as a filter"),
        }
    }

    fn for_raw(&self, shape_of_row: &[u32], rows: &Bitmap) -> Result<RowGroup, Missing> {
        let table = &self.footer.shapes;
        let mut occurs = vec![false; table.shapes.len()];
        rows.iter().for_each(|row| occurs[shape_of_row[row as usize] as usize] = true);
        let mut wanted: Vec<ChunkKey> = Vec::new();
        for (shape, _) in table.shapes.iter().zip(&occurs).filter(|(_, occurs)| **occurs) {
            if shape.verbatim {
                wanted.push(ChunkKey::Verbatim);
            }
            wanted.extend(shape.slots().map(|(path, _)| ChunkKey::Column(path)));
        }
        wanted.sort_unstable();
        wanted.dedup();
        let missing: Missing = wanted.iter().copied().filter(|key| self.loaded(*key).is_none()).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let mut columns = vec![None; self.footer.paths.len()];
        let mut verbatim = Texts::default();
        for key in wanted {
            match (key, self.get(key)?) {
                (ChunkKey::Column(path), Chunk::Column(column)) => columns[path.0 as usize] = Some(Arc::clone(column)),
                (_, Chunk::Verbatim(texts)) => verbatim = texts.as_ref().clone(),
                _ => panic!("each part is kept as what it is"),
            }
        }
        let info = &self.footer.groups[self.group];
        Ok(RowGroup {
            rows: info.rows,
            sorted: info.sorted,
            shapes: Arc::clone(table),
            shape_of_row: shape_of_row.to_vec(),
            verbatim,
            paths: Arc::clone(&self.footer.paths),
            columns,
            ..RowGroup::empty()
        })
    }
}
