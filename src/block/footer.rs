//! The footer: what a block has and where. Read once, it tells all that a query needs to choose the
//! ranges it fetches.

use std::sync::Arc;

use super::BlockError;
use super::encoding::presence::SlotIndex;
use super::encoding::stream::decompress;
use super::error::{damaged, is_sum};
use super::group::ROW_GROUP_ROWS_MAX;
use super::shape::ShapeTable;
use super::skeleton;
use super::wire::{Input, put_signed, put_varint};
use crate::event::{Origin, PathId, PathTable};

/// What a block has, without its rows.
#[derive(Clone, Debug)]
pub struct Footer {
    /// Length of the whole block in bytes.
    pub file_len: u64,
    /// The field paths of all groups.
    pub paths: Arc<PathTable>,
    /// The shapes of all groups.
    pub shapes: Arc<ShapeTable>,
    /// The row groups, in the order of their rows.
    pub groups: Vec<GroupInfo>,
    pub(super) slots: SlotIndex,
}

/// What a row group has, without its rows.
#[derive(Clone, Debug)]
pub struct GroupInfo {
    /// How many rows, at least 1.
    pub rows: u32,
    /// Whether the rows ascend by (time, origin, sequence).
    pub sorted: bool,
    /// Time of the earliest row, nanoseconds since 1970.
    pub time_min: i64,
    /// Time of the latest row.
    pub time_max: i64,
    /// For each origin its lowest and highest sequence.
    pub origins: Vec<OriginRange>,
    /// The columns, in the order of their paths.
    pub columns: Vec<ColumnInfo>,
    pub(super) times: ChunkRef,
    pub(super) ids: ChunkRef,
    pub(super) shapes: ChunkRef,
    pub(super) verbatim: Option<ChunkRef>,
}

/// The sequences of one origin in one group or block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OriginRange {
    /// Whose.
    pub origin: Origin,
    /// The lowest.
    pub sequence_min: u64,
    /// The highest.
    pub sequence_max: u64,
}

/// What a column of a group has, without its values.
#[derive(Clone, Debug)]
pub struct ColumnInfo {
    /// Which field.
    pub path: PathId,
    /// How many values.
    pub values: u32,
    /// How many entries its dictionary has; `None`: it has none, values may repeat.
    pub distinct: Option<u32>,
    /// The form of its values.
    pub form: Form,
    /// Lowest and highest number, where the form has numbers that order like the values.
    pub bounds: Option<Bounds>,
    /// Whether decoding needs the group's shapes as well ([`ChunkKey::Shapes`]).
    pub needs_shapes: bool,
    /// Whether decoding needs the group's times as well ([`ChunkKey::Times`]).
    pub needs_times: bool,
    /// The columns that decoding needs as well, since texts of this one repeat their values.
    pub refers: Vec<PathId>,
    /// Length of its texts in bytes, about: what decoding costs.
    pub text_bytes: u64,
    /// Whether its chunk is nothing but its texts.
    pub(super) plain: bool,
    pub(super) chunk: ChunkRef,
    pub(super) filter: Option<ChunkRef>,
}

/// In what form a column's values are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Form {
    /// Texts.
    Texts = 0,
    /// Whole numbers.
    Integers = 1,
    /// Decimals of one scale.
    Decimals = 2,
    /// Hexadecimal text of one length.
    Hex = 3,
    /// IPv4 addresses.
    Ipv4 = 4,
    /// Numbers between a prefix and a suffix.
    Affixed = 5,
    /// Times.
    Times = 6,
    /// Texts as templates with variables.
    Templated = 8,
}

/// Lowest and highest value of a column: numbers divided by `10^scale`, addresses as numbers, times in
/// nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// The lowest.
    pub min: i64,
    /// The highest.
    pub max: i64,
    /// Digits behind the point.
    pub scale: u8,
}

/// A part of a group that is fetched by itself.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ChunkKey {
    /// The time of each row.
    Times,
    /// Origin and sequence of each row.
    Ids,
    /// The shape of each row.
    Shapes,
    /// The lines that no shape gives back.
    Verbatim,
    /// The values of a path.
    Column(PathId),
    /// The filter of a path's values.
    Filter(PathId),
}

/// Where a chunk lies. Chunks of small columns share one range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChunkRef {
    /// Offset of its first byte in the block.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u32,
    /// Length of its head; the head's checksum.
    pub(super) head_len: u32,
    pub(super) checksum: u32,
    /// Where it lies in the decompressed pool that the range holds.
    pub(super) pooled: Option<Pooled>,
}

/// Where a small chunk lies in its pool, or, of a column that is nothing but texts, where its values do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Pooled {
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) head_len: u32,
}

impl ChunkRef {
    /// Whether its range is shared with other small columns.
    pub fn is_pooled(&self) -> bool {
        self.pooled.is_some()
    }
}

impl GroupInfo {
    /// Where a part of the group lies; `None` if the group has no such part.
    pub fn chunk(&self, key: ChunkKey) -> Option<ChunkRef> {
        match key {
            ChunkKey::Times => Some(self.times),
            ChunkKey::Ids => Some(self.ids),
            ChunkKey::Shapes => Some(self.shapes),
            ChunkKey::Verbatim => self.verbatim,
            ChunkKey::Column(path) => self.column(path).map(|column| column.chunk),
            ChunkKey::Filter(path) => self.column(path)?.filter,
        }
    }

    /// What the group has of a path; `None` if no row has a value.
    pub fn column(&self, path: PathId) -> Option<&ColumnInfo> {
        let at = self.columns.binary_search_by_key(&path, |column| column.path).ok()?;
        Some(&self.columns[at])
    }
}

impl Footer {
    /// How many rows the block has.
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.rows)).sum()
    }

    /// Where the footer lies in a block of `file_len` bytes that ends with `tail`, its last
    /// [`TRAILER_BYTES`] bytes: offset and length up to the trailer.
    ///
    /// # Errors
    /// [`BlockError`] if no block of this format ends so.
    pub fn locate(tail: &[u8], file_len: u64) -> Result<(u64, u32), BlockError> {
        let trailer = Trailer::parse(tail, file_len)?;
        Ok((file_len - TRAILER_BYTES as u64 - u64::from(trailer.stored_len), trailer.stored_len))
    }

    /// Reads the footer from the bytes that [`Footer::locate`] named and the trailer behind them.
    /// Costs time and memory in proportion to the number of columns of all groups.
    ///
    /// # Errors
    /// [`BlockError`] if they are damaged.
    pub fn parse(footer_and_trailer: &[u8], file_len: u64) -> Result<Self, BlockError> {
        let Some(split) = footer_and_trailer.len().checked_sub(TRAILER_BYTES) else {
            return Err(BlockError::NotABlock);
        };
        let (stored, tail) = footer_and_trailer.split_at(split);
        let trailer = Trailer::parse(tail, file_len)?;
        let stored = &stored[stored.len().checked_sub(trailer.stored_len as usize).ok_or(BlockError::NotABlock)?..];
        if !is_sum(xxhash_rust::xxh3::xxh3_64(stored), trailer.checksum) {
            return damaged("the footer does not have its checksum");
        }
        let body = decompress(stored, trailer.raw_len as usize)?;
        let chunks_len = file_len - TRAILER_BYTES as u64 - u64::from(trailer.stored_len);
        Self::read(&body, file_len, chunks_len)
    }

    /// Reads the footer of a block that is at hand as a whole.
    ///
    /// # Errors
    /// [`BlockError`] if it is damaged.
    pub fn of_block(block: &[u8]) -> Result<Self, BlockError> {
        if !block.starts_with(MAGIC) {
            return Err(BlockError::NotABlock);
        }
        Self::parse(block, block.len() as u64)
    }

    fn read(body: &[u8], file_len: u64, chunks_len: u64) -> Result<Self, BlockError> {
        let mut input = Input(body);
        let (paths, shapes) = skeleton::read(&mut input)?;
        let mut slots = SlotIndex::default();
        for (number, shape) in shapes.shapes.iter().enumerate() {
            slots.add(number as u32, shape);
        }
        let count = input.count()?;
        let mut place = Place { offset: MAGIC.len() as u64, end: chunks_len };
        let mut groups = Vec::new();
        for _ in 0..count {
            groups.push(read_group(&mut input, &mut place, paths.len())?);
        }
        input.end()?;
        if place.offset != place.end {
            return damaged("chunks are missing or left over");
        }
        Ok(Self { file_len, paths: Arc::new(paths), shapes: Arc::new(shapes), groups, slots })
    }
}

/// The last bytes of a block.
struct Trailer {
    stored_len: u32,
    raw_len: u32,
    checksum: u64,
}

impl Trailer {
    fn parse(tail: &[u8], file_len: u64) -> Result<Self, BlockError> {
        let Some(start) = tail.len().checked_sub(TRAILER_BYTES) else { return Err(BlockError::NotABlock) };
        let mut input = Input(&tail[start..]);
        let (stored_len, raw_len) = (input.u32()?, input.u32()?);
        let (checksum, own_len) = (input.u64()?, input.u64()?);
        let version = u16::from_le_bytes(input.array()?);
        let reserved = u16::from_le_bytes(input.array()?);
        if input.0 != TRAILER_MAGIC {
            return Err(BlockError::NotABlock);
        }
        if version != VERSION {
            return Err(BlockError::Version(version));
        }
        let smallest = u64::from(stored_len) + (MAGIC.len() + TRAILER_BYTES) as u64;
        if own_len != file_len || reserved != 0 || file_len < smallest {
            return damaged("the trailer is not that of a block of this length");
        }
        if raw_len > FOOTER_BYTES_MAX {
            return damaged("the footer is too large");
        }
        Ok(Self { stored_len, raw_len, checksum })
    }
}

/// Adds footer and trailer to a block that is `chunks_len` bytes long up to here.
pub(super) fn finish(body: &[u8], chunks_len: u64, level: i32) -> Vec<u8> {
    let raw_len = u32::try_from(body.len()).ok().filter(|&len| len <= FOOTER_BYTES_MAX);
    let raw_len = raw_len.expect("the writer ends a block long before its footer is too large");
    let mut out = zstd::bulk::compress(body, level).expect("zstd compresses anything into a buffer of its own bound");
    let checksum = xxhash_rust::xxh3::xxh3_64(&out);
    let stored_len = out.len() as u32;
    let file_len = chunks_len + (out.len() + TRAILER_BYTES) as u64;
    out.extend(stored_len.to_le_bytes());
    out.extend(raw_len.to_le_bytes());
    out.extend(checksum.to_le_bytes());
    out.extend(file_len.to_le_bytes());
    out.extend(VERSION.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out.extend(TRAILER_MAGIC);
    out
}

/// The chunks that columns share: those that are nothing but texts, and others.
#[derive(Debug, Default)]
pub(super) struct PoolRefs {
    /// With the paths of its columns, in their order in the pool.
    pub(super) of_texts: Vec<(ChunkRef, Vec<PathId>)>,
    pub(super) of_chunks: Vec<ChunkRef>,
}

pub(super) fn put_group(out: &mut Vec<u8>, group: &GroupInfo, pools: &PoolRefs) {
    put_varint(out, u64::from(group.rows));
    out.push(u8::from(group.sorted));
    put_signed(out, group.time_min);
    put_signed(out, group.time_max);
    put_varint(out, group.origins.len() as u64);
    for range in &group.origins {
        out.extend(range.origin.0.to_le_bytes());
        put_varint(out, range.sequence_min);
        put_varint(out, range.sequence_max);
    }
    put_chunk(out, &group.times);
    put_chunk(out, &group.ids);
    put_chunk(out, &group.shapes);
    let has = [(group.verbatim.is_some(), HAS_VERBATIM), (!pools.of_texts.is_empty(), HAS_TEXT_POOLS)];
    out.push(flags_of(&has));
    group.verbatim.iter().for_each(|chunk| put_chunk(out, chunk));
    if !pools.of_texts.is_empty() {
        put_plain(out, group, pools);
    }
    let pools = &pools.of_chunks;
    put_varint(out, pools.len() as u64);
    pools.iter().for_each(|pool| put_chunk(out, pool));
    let columns = || group.columns.iter().filter(|column| !column.plain);
    put_varint(out, columns().count() as u64);
    let mut before = 0;
    for column in columns() {
        put_varint(out, u64::from(column.path.0 - before));
        before = column.path.0;
        put_column(out, column, pools);
    }
}

/// Adds the columns that are nothing but texts. There may be thousands, which differ in little: what they
/// have in common stands side by side.
fn put_plain(out: &mut Vec<u8>, group: &GroupInfo, pools: &PoolRefs) {
    put_varint(out, pools.of_texts.len() as u64);
    for (chunk, paths) in &pools.of_texts {
        put_chunk(out, chunk);
        put_varint(out, paths.len() as u64);
    }
    let paths = pools.of_texts.iter().flat_map(|(_, paths)| paths);
    let columns = paths.map(|&path| group.column(path).expect("a pool's columns are the group's"));
    let columns: Vec<&ColumnInfo> = columns.collect();
    let mut before = 0;
    for column in &columns {
        put_signed(out, i64::from(column.path.0) - before);
        before = i64::from(column.path.0);
    }
    for column in &columns {
        out.push(flags_of(&[(column.bounds.is_some(), HAS_BOUNDS), (column.needs_shapes, NEEDS_SHAPES)]));
    }
    columns.iter().for_each(|column| put_varint(out, u64::from(column.values)));
    columns.iter().filter_map(|column| column.bounds).for_each(|bounds| put_bounds(out, bounds));
}

fn flags_of(flags: &[(bool, u8)]) -> u8 {
    flags.iter().filter(|(set, _)| *set).map(|(_, flag)| flag).sum()
}

fn put_bounds(out: &mut Vec<u8>, bounds: Bounds) {
    put_signed(out, bounds.min);
    put_varint(out, bounds.max.wrapping_sub(bounds.min) as u64);
    out.push(bounds.scale);
}

fn put_column(out: &mut Vec<u8>, column: &ColumnInfo, pools: &[ChunkRef]) {
    let flags = [
        (column.distinct.is_some(), HAS_DICTIONARY),
        (column.bounds.is_some(), HAS_BOUNDS),
        (column.needs_shapes, NEEDS_SHAPES),
        (column.needs_times, NEEDS_TIMES),
        (column.filter.is_some(), HAS_FILTER),
        (column.chunk.pooled.is_some(), IS_POOLED),
        (!column.refers.is_empty(), HAS_REFERENCES),
    ];
    out.push(column.form as u8);
    out.push(flags_of(&flags));
    put_varint(out, u64::from(column.values));
    column.distinct.iter().for_each(|&distinct| put_varint(out, u64::from(distinct)));
    put_varint(out, column.text_bytes);
    column.bounds.iter().for_each(|&bounds| put_bounds(out, bounds));
    if !column.refers.is_empty() {
        put_varint(out, column.refers.len() as u64);
        column.refers.iter().for_each(|path| put_varint(out, u64::from(path.0)));
    }
    match column.chunk.pooled {
        Some(own) => {
            let pool = pools.iter().position(|pool| pool.offset == column.chunk.offset);
            put_varint(out, pool.expect("a pooled chunk lies in a pool of its group") as u64);
            put_varint(out, u64::from(own.len));
            put_varint(out, u64::from(own.head_len));
        }
        None => put_chunk(out, &column.chunk),
    }
    column.filter.iter().for_each(|chunk| put_chunk(out, chunk));
}

fn put_chunk(out: &mut Vec<u8>, chunk: &ChunkRef) {
    put_varint(out, u64::from(chunk.len));
    put_varint(out, u64::from(chunk.head_len));
    out.extend(chunk.checksum.to_le_bytes());
}

/// Where the next chunk lies: chunks follow each other in the order in which the footer names them.
struct Place {
    offset: u64,
    end: u64,
}

impl Place {
    fn chunk(&mut self, input: &mut Input<'_>) -> Result<ChunkRef, BlockError> {
        let len = input.at_most((self.end - self.offset).min(u64::from(u32::MAX)))? as u32;
        let head_len = input.at_most(u64::from(len))? as u32;
        let chunk = ChunkRef { offset: self.offset, len, head_len, checksum: input.u32()?, pooled: None };
        self.offset += u64::from(len);
        Ok(chunk)
    }
}

fn read_group(input: &mut Input<'_>, place: &mut Place, paths: usize) -> Result<GroupInfo, BlockError> {
    let rows = input.at_most(u64::from(ROW_GROUP_ROWS_MAX))? as u32;
    let sorted = input.flag()?;
    let (time_min, time_max) = (input.signed()?, input.signed()?);
    if rows == 0 || time_min > time_max {
        return damaged("a row group is empty");
    }
    let origins = (0..input.count()?).map(|_| read_origin(input)).collect::<Result<Vec<_>, _>>()?;
    let (times, ids, shapes) = (place.chunk(input)?, place.chunk(input)?, place.chunk(input)?);
    let has = input.byte()?;
    if has & !(HAS_VERBATIM | HAS_TEXT_POOLS) != 0 {
        return damaged("a group has an unknown flag");
    }
    let verbatim = if has & HAS_VERBATIM != 0 { Some(place.chunk(input)?) } else { None };
    let mut columns = if has & HAS_TEXT_POOLS != 0 { read_plain(input, place, paths)? } else { Vec::new() };
    let mut pools =
        (0..input.count()?).map(|_| Ok((place.chunk(input)?, 0))).collect::<Result<Vec<_>, BlockError>>()?;
    let count = input.count()?;
    let mut before = None;
    for _ in 0..count {
        let step = input.varint()?;
        let path = before.unwrap_or(0u64).saturating_add(step);
        if path >= paths as u64 || (step == 0 && before.is_some()) {
            return damaged("the columns of a group are in disorder");
        }
        before = Some(path);
        columns.push(read_column(input, place, PathId(path as u32), &mut pools)?);
    }
    columns.sort_by_key(|column| column.path);
    if columns.windows(2).any(|pair| pair[0].path == pair[1].path) {
        return damaged("a group has a column twice");
    }
    check_refers(&columns)?;
    Ok(GroupInfo { rows, sorted, time_min, time_max, origins, columns, times, ids, shapes, verbatim })
}

fn read_origin(input: &mut Input<'_>) -> Result<OriginRange, BlockError> {
    let origin = Origin(input.u64()?);
    Ok(OriginRange { origin, sequence_min: input.varint()?, sequence_max: input.varint()? })
}

/// Reads the columns that are nothing but texts, in the order in which they lie in their pools.
fn read_plain(input: &mut Input<'_>, place: &mut Place, paths: usize) -> Result<Vec<ColumnInfo>, BlockError> {
    let mut pools = Vec::new();
    let mut count = 0usize;
    for _ in 0..input.count()? {
        let pool = (place.chunk(input)?, input.count()?);
        count = count.saturating_add(pool.1);
        pools.push(pool);
    }
    if count > paths {
        return damaged("a group has more columns than there are field paths");
    }
    let mut path = 0i64;
    let mut own_paths = Vec::new();
    for _ in 0..count {
        path = path.wrapping_add(input.signed()?);
        if !(0..paths as i64).contains(&path) {
            return damaged("a field path is unknown");
        }
        own_paths.push(PathId(path as u32));
    }
    let flags = input.bytes(count)?;
    if flags.iter().any(|flags| flags & !(HAS_BOUNDS | NEEDS_SHAPES) != 0) {
        return damaged("a column has an unknown flag");
    }
    let mut columns = Vec::new();
    let mut rest = own_paths.into_iter().zip(flags);
    for (chunk, count) in pools {
        let mut start = 0;
        for (path, flags) in rest.by_ref().take(count) {
            let values = input.at_most(u64::from(POOL_BYTES_MAX - start))? as u32;
            let pooled = Some(Pooled { start, len: values, head_len: 0 });
            start += values;
            columns.push(ColumnInfo {
                values,
                needs_shapes: flags & NEEDS_SHAPES != 0,
                text_bytes: u64::from(values) * PLAIN_TEXT_BYTES,
                ..ColumnInfo::plain(path, ChunkRef { pooled, ..chunk })
            });
        }
    }
    for (column, _) in columns.iter_mut().zip(flags).filter(|(_, flags)| *flags & HAS_BOUNDS != 0) {
        column.bounds = Some(read_bounds(input)?);
    }
    Ok(columns)
}

impl ColumnInfo {
    /// A column that is nothing but texts, without values.
    pub(super) fn plain(path: PathId, chunk: ChunkRef) -> Self {
        Self {
            path,
            values: 0,
            distinct: None,
            form: Form::Texts,
            bounds: None,
            needs_shapes: false,
            needs_times: false,
            refers: Vec::new(),
            text_bytes: 0,
            plain: true,
            chunk,
            filter: None,
        }
    }
}

fn read_column(
    input: &mut Input<'_>,
    place: &mut Place,
    path: PathId,
    pools: &mut [(ChunkRef, u32)],
) -> Result<ColumnInfo, BlockError> {
    let Some(form) = Form::from_code(input.byte()?) else { return damaged("values have an unknown form") };
    let flags = input.byte()?;
    let has = |flag: u8| flags & flag != 0;
    if has(UNKNOWN) {
        return damaged("a column has an unknown flag");
    }
    let values = input.at_most(VALUES_MAX)? as u32;
    let distinct = if has(HAS_DICTIONARY) { Some(input.at_most(u64::from(values))? as u32) } else { None };
    let text_bytes = input.varint()?;
    let bounds = if has(HAS_BOUNDS) { Some(read_bounds(input)?) } else { None };
    let refers = if has(HAS_REFERENCES) { read_refers(input)? } else { Vec::new() };
    let chunk = if has(IS_POOLED) { read_pooled(input, pools)? } else { place.chunk(input)? };
    let filter = if has(HAS_FILTER) { Some(place.chunk(input)?) } else { None };
    let (needs_shapes, needs_times) = (has(NEEDS_SHAPES), has(NEEDS_TIMES));
    Ok(ColumnInfo {
        path,
        values,
        distinct,
        form,
        bounds,
        needs_shapes,
        needs_times,
        refers,
        text_bytes,
        plain: false,
        chunk,
        filter,
    })
}

/// Where a chunk lies in one of the pools: behind the one before it. Of each pool it is known how long
/// it is so far.
fn read_pooled(input: &mut Input<'_>, pools: &mut [(ChunkRef, u32)]) -> Result<ChunkRef, BlockError> {
    let pool = input.varint()?;
    let Some((pool, start)) = usize::try_from(pool).ok().and_then(|pool| pools.get_mut(pool)) else {
        return damaged("a pool is unknown");
    };
    let len = input.at_most(u64::from(POOL_BYTES_MAX - *start))? as u32;
    let head_len = input.at_most(u64::from(len))? as u32;
    let chunk = ChunkRef { pooled: Some(Pooled { start: *start, len, head_len }), ..*pool };
    *start += len;
    Ok(chunk)
}

fn read_refers(input: &mut Input<'_>) -> Result<Vec<PathId>, BlockError> {
    let path = |input: &mut Input<'_>| Ok(PathId(input.at_most(u64::from(u32::MAX))? as u32));
    (0..input.count()?).map(|_| path(input)).collect()
}

/// Columns may repeat others of their group that repeat none themselves.
fn check_refers(columns: &[ColumnInfo]) -> Result<(), BlockError> {
    let fits = |path: &PathId| {
        let found = columns.binary_search_by_key(path, |column| column.path);
        found.is_ok_and(|at| columns[at].refers.is_empty())
    };
    let all = columns.iter().flat_map(|column| &column.refers).all(fits);
    if all { Ok(()) } else { damaged("a column repeats what is not there") }
}

fn read_bounds(input: &mut Input<'_>) -> Result<Bounds, BlockError> {
    let min = input.signed()?;
    let max = min.wrapping_add(input.varint()? as i64);
    Ok(Bounds { min, max, scale: input.byte()? })
}

impl Form {
    fn from_code(code: u8) -> Option<Self> {
        let numbers = [Self::Integers, Self::Decimals, Self::Ipv4, Self::Affixed, Self::Times];
        let all = numbers.into_iter().chain([Self::Texts, Self::Hex, Self::Templated]);
        all.into_iter().find(|form| *form as u8 == code)
    }
}

/// The first bytes of a block.
pub(super) const MAGIC: &[u8; 8] = b"HELIOS\x00\x01";
/// The last bytes of a block.
const TRAILER_MAGIC: &[u8; 4] = b".hb\x0a";
/// Length of the trailer in bytes.
pub const TRAILER_BYTES: usize = 32;
/// The format that this version writes and reads.
pub const VERSION: u16 = 1;
/// Length of the footer before compression, in bytes.
pub(super) const FOOTER_BYTES_MAX: u32 = 256 << 20;
/// Values of one column in one group.
pub(super) const VALUES_MAX: u64 = 1 << 26;
/// Decompressed length of a pool in bytes.
pub(super) const POOL_BYTES_MAX: u32 = 4 << 20;
/// Length of a text of a column that is nothing but texts, about: the footer does not say it.
const PLAIN_TEXT_BYTES: u64 = 16;

/// Flags of a group.
const HAS_VERBATIM: u8 = 1;
const HAS_TEXT_POOLS: u8 = 2;

/// Flags of a column.
const HAS_DICTIONARY: u8 = 1;
const HAS_BOUNDS: u8 = 2;
const NEEDS_SHAPES: u8 = 4;
const NEEDS_TIMES: u8 = 8;
const HAS_FILTER: u8 = 16;
const UNKNOWN: u8 = 32;
const IS_POOLED: u8 = 64;
const HAS_REFERENCES: u8 = 128;
