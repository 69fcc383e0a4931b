//! Chunks of a block become rows again. Whoever holds the file fetches the ranges; nothing here is
//! trusted but the footer that [`Footer::parse`] has checked.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::encoding::presence::{self, RowsByShape};
use super::encoding::values::{self, Got, Stored, ValueRows};
use super::encoding::{ChunkIn, Wanted, ints, texts};
use super::error::{damaged, is_sum};
use super::filter::FilterReader;
use super::footer::{ChunkKey, ChunkRef, ColumnInfo, Footer, GroupInfo, POOL_BYTES_MAX, VALUES_MAX};
use super::plain::{self, TextPool};
use super::{BlockError, Column, RowGroup, Texts, Values};
use crate::event::{Origin, PathId};

/// Origin and sequence of each row of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Ids {
    /// The origins that occur.
    pub origins: Vec<Origin>,
    /// Index in `origins` of each row; `None`: all are `origins[0]`.
    pub codes: Option<Vec<u32>>,
    /// The sequence of each row.
    pub sequences: Vec<u64>,
}

/// Decoded parts of the group that a column's decoding may need: see [`Footer::needs`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The time of each row, from [`Footer::decode_times`].
    pub times: Option<&'a [i64]>,
    /// The shape of each row, from [`Footer::decode_shapes`].
    pub shapes: Option<&'a RowsByShape<'a>>,
    /// The columns in [`ColumnInfo::refers`], in that order.
    pub columns: &'a [Arc<Column>],
    /// The rows, ascending, of which values are wanted; `None`: all. Of the columns that are referred to
    /// all but the last may then hold the values of these rows only.
    pub rows: Option<&'a [u32]>,
    /// Where pools that several columns share are kept open.
    pub pools: Option<&'a OpenPools>,
}

/// The shared chunks of a group that were opened last.
#[derive(Debug, Default)]
pub struct OpenPools {
    chunks: Kept<Vec<u8>>,
    texts: Kept<TextPool>,
}

/// What was opened last, by its offset.
#[derive(Debug)]
struct Kept<T>(RefCell<Vec<(u64, Rc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> Kept<T> {
    fn get<E: From<BlockError>>(&self, chunk: &ChunkRef, open: impl FnOnce() -> Result<T, E>) -> Result<Rc<T>, E> {
        let mut pools = self.0.borrow_mut();
        if let Some((_, pool)) = pools.iter().find(|(offset, _)| *offset == chunk.offset) {
            return Ok(Rc::clone(pool));
        }
        let pool = Rc::new(open()?);
        if pools.len() == OPEN_POOLS_MAX {
            pools.remove(0);
        }
        pools.push((chunk.offset, Rc::clone(&pool)));
        Ok(pool)
    }
}

/// Pools of a group that are open at the same time: each is some mebibytes at most.
const OPEN_POOLS_MAX: usize = 4;

/// Memory that the columns of a group take together, in bytes: sixteen times what the merger makes a group of, so
/// that its estimates may be far off. A footer that lies could have more columns decoded, each as long as
/// a stream may be.
const COLUMNS_BYTES_MAX: u64 = 4 << 30;

/// Everything takes the index of a group and the bytes of the chunk that [`GroupInfo::chunk`] names,
/// exactly; [`BlockError`] if they are damaged. Panics if the block has no such group.
impl Footer {
    /// The chunks of the group that must be decoded before this one, each before those that need it.
    pub fn needs(&self, group: usize, key: ChunkKey) -> Vec<ChunkKey> {
        let ChunkKey::Column(path) = key else { return Vec::new() };
        let Some(column) = self.groups[group].column(path) else { return Vec::new() };
        let referred = column.refers.iter().filter_map(|&path| self.groups[group].column(path));
        let all = || referred.clone().chain([column]);
        let needs = [
            (all().any(|column| column.needs_times), ChunkKey::Times),
            (all().any(|column| column.needs_shapes), ChunkKey::Shapes),
        ];
        let needs = needs.into_iter().filter(|(needed, _)| *needed).map(|(_, key)| key);
        needs.chain(column.refers.iter().map(|&path| ChunkKey::Column(path))).collect()
    }

    /// The time of each row.
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are damaged.
    pub fn decode_times(&self, group: usize, bytes: &[u8]) -> Result<Vec<i64>, BlockError> {
        let info = &self.groups[group];
        let mut chunk = open(&info.times, bytes)?;
        let times = ints::get(&mut chunk, info.rows as usize)?;
        chunk.end()?;
        let times: Vec<i64> = times.into_iter().map(ints::signed).collect();
        if times.iter().min() != Some(&info.time_min) || times.iter().max() != Some(&info.time_max) {
            return damaged("times are not those of the footer");
        }
        Ok(times)
    }

    /// Origin and sequence of each row.
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are damaged.
    pub fn decode_ids(&self, group: usize, bytes: &[u8]) -> Result<Ids, BlockError> {
        let info = &self.groups[group];
        let rows = info.rows as usize;
        let mut chunk = open(&info.ids, bytes)?;
        let count = chunk.head.count()?;
        let origins = (0..count).map(|_| chunk.head.u64().map(Origin)).collect::<Result<Vec<_>, _>>()?;
        let codes = match count {
            0 => return damaged("a row group has no origin"),
            1 => None,
            _ => Some(ints::get_codes(&mut chunk, rows, count as u64)?),
        };
        let sequences = ints::get(&mut chunk, rows)?;
        chunk.end()?;
        Ok(Ids { origins, codes, sequences })
    }

    /// The shape of each row: an index in [`Footer::shapes`].
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are damaged.
    pub fn decode_shapes(&self, group: usize, bytes: &[u8]) -> Result<Vec<u32>, BlockError> {
        let info = &self.groups[group];
        let mut chunk = open(&info.shapes, bytes)?;
        let shapes = ints::get_codes(&mut chunk, info.rows as usize, self.shapes.shapes.len() as u64)?;
        chunk.end()?;
        let verbatim = shapes.iter().any(|&shape| self.shapes.shapes[shape as usize].verbatim);
        if verbatim != info.verbatim.is_some() {
            return damaged("lines that no shape gives back are missing or left over");
        }
        Ok(shapes)
    }

    /// The lines that no shape gives back, in row order.
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are damaged.
    pub fn decode_verbatim(&self, group: usize, bytes: &[u8]) -> Result<Texts, BlockError> {
        let info = &self.groups[group];
        let Some(place) = &info.verbatim else { return Ok(Texts::default()) };
        let mut chunk = open(place, bytes)?;
        let count = chunk.head.at_most(u64::from(info.rows))? as usize;
        let lines = texts::get(&mut chunk, count, false)?;
        chunk.end()?;
        Ok(lines)
    }

    /// The rows by their shapes, from [`Footer::decode_shapes`], for [`Context::shapes`].
    pub fn rows_by_shape<'a>(&'a self, shape_of_row: &'a [u32]) -> RowsByShape<'a> {
        RowsByShape::new(&self.slots, shape_of_row)
    }

    /// The values of a path, of all rows or of those that `context` wants. It also holds what
    /// [`Footer::needs`] says. What no wanted row needs is neither checked nor decompressed.
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are damaged.
    pub fn decode_column(
        &self,
        group: usize,
        path: PathId,
        bytes: &[u8],
        context: Context<'_>,
    ) -> Result<Column, BlockError> {
        let info = &self.groups[group];
        let column = info.column(path).expect("the caller has found the column in the footer");
        let fetch = || Ok(Cow::Borrowed(bytes));
        match context.pools {
            Some(pools) => fetched_column(info, column, fetch, pools, context),
            None => fetched_column(info, column, fetch, &OpenPools::default(), context),
        }
    }

    /// A filter of the group: `chunk` is what [`GroupInfo::chunk`] gave for it.
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are damaged.
    pub fn decode_filter(&self, chunk: &ChunkRef, bytes: &[u8]) -> Result<FilterReader, BlockError> {
        FilterReader::read(open(chunk, bytes)?)
    }

    /// A whole group. `fetch` gives the bytes of a range of the block.
    ///
    /// # Errors
    /// [`BlockError`] if the bytes are damaged, or would take more memory than any group does; or what
    /// `fetch` gives.
    pub fn decode_group<'b, E>(
        &self,
        group: usize,
        fetch: impl FnMut(ChunkRef) -> Result<Cow<'b, [u8]>, E>,
    ) -> Result<RowGroup, E>
    where
        E: From<BlockError>,
    {
        self.decode_group_within(group, COLUMNS_BYTES_MAX, fetch)
    }

    fn decode_group_within<'b, E>(
        &self,
        group: usize,
        columns_bytes_max: u64,
        mut fetch: impl FnMut(ChunkRef) -> Result<Cow<'b, [u8]>, E>,
    ) -> Result<RowGroup, E>
    where
        E: From<BlockError>,
    {
        let info = &self.groups[group];
        let times = self.decode_times(group, &fetch(info.times)?)?;
        let Ids { origins, codes, sequences } = self.decode_ids(group, &fetch(info.ids)?)?;
        let shape_of_row = self.decode_shapes(group, &fetch(info.shapes)?)?;
        let verbatim = match info.verbatim {
            Some(chunk) => self.decode_verbatim(group, &fetch(chunk)?)?,
            None => Texts::default(),
        };
        let shapes = self.rows_by_shape(&shape_of_row);
        let mut columns: Vec<Option<Arc<Column>>> = vec![None; self.paths.len()];
        let (pools, mut bytes_left) = (OpenPools::default(), columns_bytes_max);
        let (first, later): (Vec<_>, Vec<_>) = info.columns.iter().partition(|column| column.refers.is_empty());
        for column in first.into_iter().chain(later) {
            let referred = |path: &PathId| columns[path.0 as usize].clone();
            let referred: Vec<_> = column.refers.iter().filter_map(referred).collect();
            let context =
                Context { times: Some(&times), shapes: Some(&shapes), columns: &referred, ..Context::default() };
            let decoded = fetched_column(info, column, || fetch(column.chunk), &pools, context)?;
            match bytes_left.checked_sub(decoded.memory_bytes() as u64) {
                Some(left) => bytes_left = left,
                None => return Err(BlockError::Damaged("a group is too large").into()),
            }
            columns[column.path.0 as usize] = Some(Arc::new(decoded));
        }
        let group = RowGroup {
            rows: info.rows,
            sorted: info.sorted,
            times,
            origins,
            origin_codes: codes,
            sequences,
            shapes: self.shapes.clone(),
            shape_of_row,
            verbatim,
            paths: self.paths.clone(),
            columns,
        };
        check_group(&group)?;
        Ok(group)
    }
}

/// A whole group of a block that is at hand as a whole.
///
/// # Errors
/// [`BlockError`] if it is damaged.
pub fn decode_group_of(footer: &Footer, group: usize, block: &[u8]) -> Result<RowGroup, BlockError> {
    footer.decode_group(group, |chunk| range_of(block, &chunk).map(Cow::Borrowed))
}

/// The bytes of a chunk of a block that is at hand as a whole.
///
/// # Errors
/// [`BlockError`] if the block ends before.
pub fn range_of<'b>(block: &'b [u8], chunk: &ChunkRef) -> Result<&'b [u8], BlockError> {
    let start = usize::try_from(chunk.offset).unwrap_or(usize::MAX);
    let range = start..start.saturating_add(chunk.len as usize);
    block.get(range).ok_or(BlockError::Damaged("bytes are missing"))
}

fn open<'a>(chunk: &ChunkRef, bytes: &'a [u8]) -> Result<ChunkIn<'a>, BlockError> {
    if bytes.len() != chunk.len as usize {
        return damaged("a chunk has a wrong length");
    }
    let (head, body) = bytes.split_at(chunk.head_len as usize);
    if !is_sum(crc32c::crc32c(head), chunk.checksum) {
        return damaged("a chunk does not have its checksum");
    }
    Ok(ChunkIn::new(head, body))
}

/// Hands out the chunk of a column that is not plain, and the length of the pool it lies in.
pub(super) fn opened_column<T>(
    column: &ColumnInfo,
    bytes: &[u8],
    pools: &OpenPools,
    read: impl FnOnce(ChunkIn<'_>, Option<usize>) -> Result<T, BlockError>,
) -> Result<T, BlockError> {
    if column.chunk.is_pooled() {
        let pool = pools.chunks.get(&column.chunk, || open_pool(&column.chunk, bytes))?;
        return read(in_pool(column, &pool)?, Some(pool.len()));
    }
    read(open(&column.chunk, bytes)?, None)
}

/// How many bytes of its pool a plain column has, and how many there are.
pub(super) fn share_of_plain(
    column: &ColumnInfo,
    bytes: &[u8],
    pools: &OpenPools,
) -> Result<(usize, usize), BlockError> {
    pools.texts.get(&column.chunk, || TextPool::open(open(&column.chunk, bytes)?))?.share_of(column)
}

/// Decodes a column whose chunk `fetch` gives; it is not asked for a pool that is open.
fn fetched_column<'b, E: From<BlockError>>(
    info: &GroupInfo,
    column: &ColumnInfo,
    fetch: impl FnOnce() -> Result<Cow<'b, [u8]>, E>,
    pools: &OpenPools,
    context: Context<'_>,
) -> Result<Column, E> {
    if column.plain {
        let opened = || Ok::<_, E>(TextPool::open(open(&column.chunk, &fetch()?)?)?);
        let pool = pools.texts.get(&column.chunk, opened)?;
        let shapes = context.shapes.filter(|_| column.needs_shapes);
        return Ok(plain::get(&pool, info.rows, column, shapes, context.rows)?);
    }
    if column.chunk.is_pooled() {
        let pool = pools.chunks.get(&column.chunk, || Ok::<_, E>(open_pool(&column.chunk, &fetch()?)?))?;
        return Ok(decode_values(info, column, in_pool(column, &pool)?, context)?);
    }
    let bytes = fetch()?;
    Ok(decode_values(info, column, open(&column.chunk, &bytes)?, context)?)
}

fn open_pool(chunk: &ChunkRef, bytes: &[u8]) -> Result<Vec<u8>, BlockError> {
    let mut chunk = open(chunk, bytes)?;
    let pool = chunk.stream()?;
    if pool.len() > POOL_BYTES_MAX as usize {
        return damaged("a pool is too large");
    }
    chunk.end()?;
    Ok(pool.into_owned())
}

fn in_pool<'a>(column: &ColumnInfo, pool: &'a [u8]) -> Result<ChunkIn<'a>, BlockError> {
    let own = column.chunk.pooled.expect("asked of pooled columns only");
    let range = own.start as usize..own.start as usize + own.len as usize;
    let Some(bytes) = pool.get(range) else { return damaged("a column lies outside its pool") };
    let (head, body) = bytes.split_at(own.head_len as usize);
    Ok(ChunkIn::new(head, body))
}

fn decode_values(
    group: &GroupInfo,
    info: &ColumnInfo,
    mut chunk: ChunkIn<'_>,
    context: Context<'_>,
) -> Result<Column, BlockError> {
    let shapes = context.shapes.filter(|_| info.needs_shapes);
    let row_of = presence::get(&mut chunk, group.rows, info.path, shapes, VALUES_MAX)?;
    let count = row_of.as_ref().map_or(group.rows as usize, |rows| rows.len());
    if count != info.values as usize || count == 0 {
        return damaged("a column has a wrong number of values");
    }
    let some = context.rows.map(|rows| values_of_rows(row_of.as_deref(), group.rows, rows));
    let wanted = some.as_deref().map_or(Wanted::ALL, Wanted::only);
    if wanted.is_none() {
        return Ok(Column { rows: Some(Arc::default()), codes: None, values: Values::Texts(Texts::default()) });
    }
    let value_rows = ValueRows {
        wanted,
        row_of: row_of.as_deref(),
        times: context.times.filter(|_| info.needs_times),
        columns: context.columns,
    };
    let got = values::get(&mut chunk, count, &value_rows)?;
    chunk.end()?;
    let row_of_value = |&value: &u32| row_of.as_ref().map_or(value, |rows| rows[value as usize]);
    let rows = match wanted.items() {
        None => row_of,
        Some(values) => Some(values.iter().map(row_of_value).collect()),
    };
    let column = match got {
        Got::Stored(Stored { codes, values, .. }) => Column { rows, codes, values },
        Got::RowTimes(form) => {
            let Some(times) = context.times.filter(|_| info.needs_times) else {
                return damaged("a column needs times though the footer denies it");
            };
            let values = match &rows {
                Some(rows) => rows.iter().map(|&row| times[row as usize]).collect(),
                None => times.to_vec(),
            };
            Column { rows, codes: None, values: Values::Times { values, form } }
        }
    };
    if column.codes.as_ref().map_or(column.values.len(), Vec::len) != wanted.count_of(count) {
        return damaged("a column has a wrong number of values");
    }
    if column.codes.as_ref().map(|_| column.values.len() as u32) != info.distinct {
        return damaged("a dictionary is not that of the footer");
    }
    Ok(column)
}

/// The numbers of the values that these rows have, both ascending.
fn values_of_rows(row_of: Option<&[u32]>, row_count: u32, rows: &[u32]) -> Vec<u32> {
    assert!(rows.is_sorted() && rows.last().is_none_or(|&last| last < row_count), "rows of the group, ascending");
    let Some(row_of) = row_of else { return rows.to_vec() };
    let mut values = Vec::with_capacity(rows.len());
    for &row in rows {
        let first = row_of.partition_point(|&own| own < row);
        let many = row_of[first..].iter().take_while(|&&own| own == row).count();
        values.extend(first as u32..(first + many) as u32);
    }
    values
}

/// Looks at what [`RowGroup::check`] would assert and the decoding of single parts cannot see.
fn check_group(group: &RowGroup) -> Result<(), BlockError> {
    if group.sorted && !group.is_sorted() {
        return damaged("rows are in disorder");
    }
    let verbatim = group.shape_of_row.iter().filter(|&&shape| group.shapes.shapes[shape as usize].verbatim).count();
    if verbatim != group.verbatim.len() {
        return damaged("lines that no shape gives back are missing or left over");
    }
    if group.slots_are_filled() { Ok(()) } else { damaged("a row lacks a value that its shape has") }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rng, group_of, random_lines};
    use super::super::{BlockWriter, WriterOptions};
    use super::*;

    #[test]
    fn a_group_whose_columns_would_take_more_memory_than_they_may_is_an_error() {
        let group = group_of(&random_lines(&mut Rng(83), 500), 1, 1);
        let mut writer = BlockWriter::new(WriterOptions::STANDARD);
        writer.push_group(&group);
        let block = writer.finish().0;
        let footer = Footer::of_block(&block).unwrap();
        let decode =
            |bytes_max| footer.decode_group_within(0, bytes_max, |chunk| range_of(&block, &chunk).map(Cow::Borrowed));
        let columns = decode(u64::MAX).unwrap().columns;
        let bytes: usize = columns.iter().flatten().map(|column| column.memory_bytes()).sum();
        assert!(decode(bytes as u64).is_ok());
        assert_eq!(decode(bytes as u64 - 1).unwrap_err(), BlockError::Damaged("a group is too large"));
    }
}
