//! Row groups become the bytes of a block.

use std::collections::BTreeMap;

use super::encoding::presence::{self, RowsByShape, SlotIndex};
use super::encoding::values::{self, Others};
use super::encoding::{ChunkOut, Compressor, Pack, ints, texts};
use super::filter::FilterBuilder;
use super::footer::{self, Bounds, ChunkRef, ColumnInfo, Form, GroupInfo, OriginRange, PoolRefs, Pooled};
use super::forms::{self, Chosen};
use super::plain::{self, PlainTexts};
use super::shape::{NewPart, ShapeHead, ShapeInterner, head_of};
use super::{Column, RowGroup, ShapePart, Values, skeleton};
use crate::event::{PathId, PathTable, Spelling};

/// How a block is written.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// zstd's level for numbers, codes and dictionaries.
    pub level: i32,
    /// zstd's level for texts.
    pub text_level: i32,
    /// Whether what is little (the texts of small groups, small columns) is compressed as well as can be, at
    /// some five times the cost.
    pub dense: bool,
    /// Whether columns get filters.
    pub filters: bool,
}

impl WriterOptions {
    /// For every block: most are written once and stay. What is left of texts as text is little, so that
    /// compressing it well costs little.
    pub const STANDARD: Self = Self { level: 3, text_level: 9, dense: true, filters: true };
}

/// What a finished block has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlockSummary {
    /// Rows in all groups.
    pub rows: u64,
    /// Time of the earliest row, nanoseconds since 1970; `None` without rows.
    pub time_min: Option<i64>,
    /// Time of the latest row.
    pub time_max: Option<i64>,
    /// For each origin its lowest and highest sequence, in the order of origins.
    pub origins: Vec<OriginRange>,
    /// Length of the block in bytes.
    pub file_len: u64,
}

/// Writes a block group by group. Holds the bytes of the groups until they are taken, and of what is
/// written only the shapes and the footer.
pub struct BlockWriter {
    options: WriterOptions,
    compressor: Compressor,
    filters: FilterBuilder,
    bytes: Vec<u8>,
    /// Bytes that were taken already.
    taken: u64,
    paths: PathTable,
    shapes: ShapeInterner,
    slots: SlotIndex,
    groups: Vec<(GroupInfo, PoolRefs)>,
}

impl BlockWriter {
    /// A writer without groups.
    pub fn new(options: WriterOptions) -> Self {
        Self {
            options,
            compressor: Compressor::new(options.level, options.text_level),
            filters: FilterBuilder::new(),
            bytes: footer::MAGIC.to_vec(),
            taken: 0,
            paths: PathTable::new(),
            shapes: ShapeInterner::default(),
            slots: SlotIndex::default(),
            groups: Vec::new(),
        }
    }

    /// Length of the block so far, without its footer.
    pub fn len(&self) -> u64 {
        self.taken + self.bytes.len() as u64
    }

    /// Whether there is no group yet.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The bytes that were added since the last call. The block is all of them one after the other and
    /// what [`BlockWriter::finish`] gives.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.taken += self.bytes.len() as u64;
        std::mem::take(&mut self.bytes)
    }

    /// Adds a group of at most [`super::group::ROW_GROUP_ROWS_MAX`] rows; one without rows adds nothing.
    pub fn push_group(&mut self, group: &RowGroup) {
        if group.rows == 0 {
            return;
        }
        assert!(group.rows <= super::group::ROW_GROUP_ROWS_MAX, "the merger cuts groups");
        self.compressor.set_texts_are_few(self.options.dense && group.rows <= DENSE_ROWS_MAX);
        // Shapes first: they tell the footer most names, in the order in which they have them.
        let shape_of_row = self.add_shapes(group);
        let mut columns = self.add_paths(group);
        columns.sort_by_key(|&(path, _)| path);
        let slots = std::mem::take(&mut self.slots);
        let rows_by_shape = RowsByShape::new(&slots, &shape_of_row);
        let spellings = spellings_of(group, &self.paths);

        let times = self.encode(|out| {
            let times: Vec<u64> = group.times.iter().map(|&time| ints::ordered(time)).collect();
            ints::put(out, &times);
        });
        let times = self.add_chunk(times);
        let ids = self.encode(|out| put_ids(out, group));
        let ids = self.add_chunk(ids);
        let shapes = self.encode(|out| ints::put_codes(out, &shape_of_row));
        let shapes = self.add_chunk(shapes);
        let verbatim = (!group.verbatim.is_empty()).then(|| {
            let chunk = self.encode(|out| {
                put_count(out, group.verbatim.len());
                texts::put(out, &group.verbatim);
            });
            self.add_chunk(chunk)
        });

        let chosen = forms::choose(group, columns, &mut self.compressor);
        let mut encoded: Vec<_> = chosen
            .into_iter()
            .map(|chosen| {
                let spellings = spellings.get(&chosen.path).map_or(&[][..], Vec::as_slice);
                self.encode_column(group, chosen, &rows_by_shape, spellings)
            })
            .collect();
        let mut dense_left = if self.options.dense { DENSE_BYTES_MAX } else { 0 };
        let of_texts = self.add_text_pools(&mut encoded, &mut dense_left);
        let of_chunks = self.add_pools(&mut encoded, &mut dense_left);
        let pools = PoolRefs { of_texts, of_chunks };
        let columns = encoded.into_iter().map(|column| self.add_column(column)).collect();
        self.slots = slots;
        let (time_min, time_max) = min_max(group.times.iter().copied()).expect("the group has rows");
        let origins = origin_ranges(group);
        let (rows, sorted) = (group.rows, group.sorted);
        let group = GroupInfo { rows, sorted, time_min, time_max, origins, columns, times, ids, shapes, verbatim };
        self.groups.push((group, pools));
    }

    /// Ends the block: what is left of its bytes, and what it has.
    pub fn finish(mut self) -> (Vec<u8>, BlockSummary) {
        let mut body = Vec::new();
        let shapes = self.shapes.finish();
        skeleton::put(&mut body, &self.paths, &shapes);
        super::wire::put_varint(&mut body, self.groups.len() as u64);
        for (group, pools) in &self.groups {
            footer::put_group(&mut body, group, pools);
        }
        let chunks_len = self.taken + self.bytes.len() as u64;
        let level = if body.len() <= DENSE_FOOTER_BYTES_MAX { DENSE_FOOTER_LEVEL } else { FOOTER_LEVEL };
        self.bytes.extend(footer::finish(&body, chunks_len, level));
        let groups = || self.groups.iter().map(|(group, _)| group);
        let summary = BlockSummary {
            rows: groups().map(|group| u64::from(group.rows)).sum(),
            time_min: groups().map(|group| group.time_min).min(),
            time_max: groups().map(|group| group.time_max).max(),
            origins: join_ranges(groups().flat_map(|group| group.origins.iter().copied())),
            file_len: self.taken + self.bytes.len() as u64,
        };
        (self.bytes, summary)
    }

    /// The group's columns under the block's path ids.
    fn add_paths<'g>(&mut self, group: &'g RowGroup) -> Vec<(PathId, &'g Column)> {
        let columns = group.columns.iter().enumerate();
        let present = columns.filter_map(|(id, column)| Some((PathId(id as u32), &**column.as_ref()?)));
        present.map(|(id, column)| (self.paths.intern(group.paths.name(id)), column)).collect()
    }

    /// The block's number of each row's shape.
    fn add_shapes(&mut self, group: &RowGroup) -> Vec<u32> {
        let mut numbers = vec![u32::MAX; group.shapes.shapes.len()];
        let rows = group.shape_of_row.iter().map(|&shape| {
            let number = &mut numbers[shape as usize];
            if *number == u32::MAX {
                *number = self.add_shape(group, shape);
            }
            *number
        });
        rows.collect()
    }

    fn add_shape(&mut self, group: &RowGroup, number: u32) -> u32 {
        let shape = &group.shapes.shapes[number as usize];
        let mut slots: BTreeMap<PathId, PathId> = BTreeMap::new();
        for path in shape.slots().map(|(path, _)| path).chain(shape.message).chain(shape.source) {
            slots.entry(path).or_insert_with(|| self.paths.intern(group.paths.name(path)));
        }
        let head = head_of(shape);
        let head =
            ShapeHead { message: head.message.map(|p| slots[&p]), source: head.source.map(|p| slots[&p]), ..head };
        let parts = group.shapes.parts_of(shape).map(|part| match part {
            NewPart::Slot(path, spelling) => NewPart::Slot(slots[&path], spelling),
            literal @ NewPart::Literal(_) => literal,
        });
        let before = self.shapes.len();
        let number = self.shapes.intern(head, parts, None);
        if number == before {
            self.slots.add(number, self.shapes.shape(number));
        }
        number
    }

    fn encode(&mut self, put: impl FnOnce(&mut ChunkOut<'_>)) -> Parts {
        let mut out = ChunkOut::new(Some(&mut self.compressor));
        put(&mut out);
        Parts { head: out.head, body: out.body }
    }

    fn encode_column(
        &mut self,
        group: &RowGroup,
        chosen: Chosen<'_>,
        rows_by_shape: &RowsByShape<'_>,
        spellings: &[Spelling],
    ) -> EncodedColumn {
        let Chosen { path, column, references, given, refers, tells } = chosen;
        let (codes, own_values) = (column.codes.as_deref(), &column.values);
        let row_times = row_time_form(group, &column);
        let small = column.len() < POOLED_VALUES_MAX && own_values.memory_bytes() < POOLED_BYTES_MAX;
        let mut out = ChunkOut::new((!small).then_some(&mut self.compressor));
        presence::put(&mut out, column.rows.as_deref(), path, rows_by_shape);
        let needs_shapes = presence::needs_shapes(&out);
        // What tells is read back with the same entries in the same order.
        let may_be_plain =
            column.len() <= PLAIN_TRIED_VALUES_MAX && row_times.is_none() && !tells && presence::is_known(&out);
        let plain_texts = if may_be_plain { PlainTexts::of(&column) } else { None };
        if column.len() < PLAIN_VALUES_MAX
            && let Some(texts) = plain_texts
        {
            return EncodedColumn::plain(path, &column, needs_shapes, texts);
        }
        match row_times {
            Some(form) => values::put_row_times(&mut out, column.len(), form),
            None => {
                let others = Others { references: Some(&references), given: given.as_ref() };
                values::put(&mut out, codes, own_values, others);
            }
        }
        let parts = Parts { head: out.head, body: out.body };
        if let Some(texts) = plain_texts
            && self.encode(|out| texts.put(out, Pack::Text)).len() < parts.len()
        {
            return EncodedColumn::plain(path, &column, needs_shapes, texts);
        }
        let filter = match self.options.filters {
            true => self.filters.filter(own_values, spellings, parts.len(), &mut self.compressor),
            false => None,
        };
        EncodedColumn {
            pooled: small || parts.len() <= POOLED_CHUNK_BYTES_MAX,
            info: ColumnInfo {
                path,
                values: column.len() as u32,
                // A column that repeats the rows' times is read back without a dictionary.
                distinct: codes.filter(|_| row_times.is_none()).map(|_| own_values.len() as u32),
                form: form_of(own_values),
                bounds: bounds_of(own_values),
                needs_shapes,
                needs_times: row_times.is_some() || has_times(own_values),
                refers,
                text_bytes: text_bytes(codes, own_values),
                plain: false,
                chunk: NO_CHUNK,
                filter: None,
            },
            parts,
            filter,
            plain: None,
        }
    }

    /// Writes the columns that are nothing but texts, many in one chunk.
    fn add_text_pools(
        &mut self,
        columns: &mut [EncodedColumn],
        dense_left: &mut usize,
    ) -> Vec<(ChunkRef, Vec<PathId>)> {
        let kind = |column: &EncodedColumn| column.plain.as_ref().map(PlainTexts::kind);
        let mut plain: Vec<_> = columns.iter_mut().filter_map(|column| Some((kind(column)?, column))).collect();
        plain.sort_by_key(|(kind, _)| *kind);
        let mut pools = Vec::new();
        let mut rest = &mut plain[..];
        while !rest.is_empty() {
            let mut pool = PlainTexts::default();
            let mut count = 0;
            while pool.len() < POOL_BYTES
                && let Some((_, column)) = rest.get_mut(count)
            {
                let texts = column.plain.take().expect("only such were taken");
                let (start, len) = (pool.ranks.len() as u32, texts.ranks.len() as u32);
                column.info.chunk.pooled = Some(Pooled { start, len, head_len: 0 });
                pool.append(&texts);
                count += 1;
            }
            let pack = pack_of_pool(pool.len(), dense_left);
            let parts = self.encode(|out| pool.put(out, pack));
            let chunk = self.add_chunk(parts);
            let (own, after) = rest.split_at_mut(count);
            for (_, column) in &mut *own {
                column.info.chunk = ChunkRef { pooled: column.info.chunk.pooled, ..chunk };
            }
            pools.push((chunk, own.iter().map(|(_, column)| column.info.path).collect()));
            rest = after;
        }
        pools
    }

    /// Writes the other small columns' chunks, several in one.
    fn add_pools(&mut self, columns: &mut [EncodedColumn], dense_left: &mut usize) -> Vec<ChunkRef> {
        let mut pools = Vec::new();
        let mut pool = Vec::new();
        let mut waiting: Vec<&mut EncodedColumn> = Vec::new();
        let mut small = columns.iter_mut().filter(|column| column.pooled).peekable();
        while let Some(column) = small.next() {
            let Parts { head, body } = &column.parts;
            let (start, len, head_len) = (pool.len() as u32, column.parts.len() as u32, head.len() as u32);
            pool.extend_from_slice(head);
            pool.extend_from_slice(body);
            column.info.chunk.pooled = Some(Pooled { start, len, head_len });
            waiting.push(column);
            if pool.len() < POOL_BYTES && small.peek().is_some() {
                continue;
            }
            let pack = pack_of_pool(pool.len(), dense_left);
            let parts = self.encode(|out| out.stream(&pool, pack));
            let chunk = self.add_chunk(parts);
            for column in waiting.drain(..) {
                column.info.chunk = ChunkRef { pooled: column.info.chunk.pooled, ..chunk };
            }
            pools.push(chunk);
            pool.clear();
        }
        pools
    }

    fn add_column(&mut self, column: EncodedColumn) -> ColumnInfo {
        let EncodedColumn { mut info, parts, filter, pooled, .. } = column;
        if !pooled && !info.plain {
            info.chunk = self.add_chunk(parts);
        }
        info.filter = filter.map(|(head, body)| self.add_chunk(Parts { head, body }));
        info
    }

    fn add_chunk(&mut self, parts: Parts) -> ChunkRef {
        let offset = self.len();
        self.bytes.extend_from_slice(&parts.head);
        self.bytes.extend_from_slice(&parts.body);
        ChunkRef {
            offset,
            len: u32::try_from(parts.len()).expect("a chunk of one row group is below 4 GiB"),
            head_len: parts.head.len() as u32,
            checksum: crc32c::crc32c(&parts.head),
            pooled: None,
        }
    }
}

/// Whether decoding needs the rows' times.
fn has_times(values: &Values) -> bool {
    let Values::Templated(texts) = values else { return false };
    let mut slots = texts.templates.iter().flat_map(|template| &template.slots);
    slots.any(|slot| matches!(slot.values, Values::TimeTexts { .. }))
}

/// Head and body of a chunk.
struct Parts {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Parts {
    fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

struct EncodedColumn {
    info: ColumnInfo,
    parts: Parts,
    /// Head and body of its filter.
    filter: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether the parts share a chunk with others.
    pooled: bool,
    /// Its texts, if it is nothing else.
    plain: Option<PlainTexts>,
}

impl EncodedColumn {
    /// A column that is stored as nothing but its texts.
    fn plain(path: PathId, column: &Column, needs_shapes: bool, texts: PlainTexts) -> Self {
        let is_tiny = column.len() < PLAIN_VALUES_MAX;
        let info = ColumnInfo {
            values: column.len() as u32,
            // There may be thousands of tiny columns, whose bounds would take more than their values.
            bounds: if is_tiny { None } else { bounds_of(&column.values) },
            needs_shapes,
            ..ColumnInfo::plain(path, NO_CHUNK)
        };
        let parts = Parts { head: Vec::new(), body: Vec::new() };
        Self { info, parts, filter: None, pooled: false, plain: Some(texts) }
    }
}

/// How a pool of so many bytes is compressed.
fn pack_of_pool(len: usize, dense_left: &mut usize) -> Pack {
    let pack = if len <= *dense_left { Pack::Shared } else { Pack::Text };
    *dense_left = dense_left.saturating_sub(len);
    pack
}

fn put_count(out: &mut ChunkOut<'_>, count: usize) {
    super::wire::put_varint(&mut out.head, count as u64);
}

fn put_ids(out: &mut ChunkOut<'_>, group: &RowGroup) {
    put_count(out, group.origins.len());
    for origin in &group.origins {
        out.head.extend(origin.0.to_le_bytes());
    }
    if group.origins.len() > 1 {
        let codes = group.origin_codes.as_ref().expect("G1: several origins have codes");
        ints::put_codes(out, codes);
    }
    ints::put(out, &group.sequences);
}

/// The form in which each value is the time of its row, if so.
fn row_time_form(group: &RowGroup, column: &Column) -> Option<super::column::TimeForm> {
    let Values::Times { values: times, form } = &column.values else { return None };
    let all = (0..column.len()).all(|i| times[column.entry_of(i)] == group.times[column.row_of(i) as usize]);
    all.then_some(*form)
}

/// The form of a column with these entries.
pub(crate) fn form_of(values: &Values) -> Form {
    match values {
        Values::Texts(_) => Form::Texts,
        Values::Integers(_) => Form::Integers,
        Values::Decimals { .. } => Form::Decimals,
        Values::Hex { .. } => Form::Hex,
        Values::Ipv4(_) => Form::Ipv4,
        Values::Affixed { .. } => Form::Affixed,
        Values::Times { .. } => Form::Times,
        Values::Templated(_) | Values::TimeTexts { .. } => Form::Templated,
    }
}

fn bounds_of(values: &Values) -> Option<Bounds> {
    let (range, scale) = match values {
        Values::Integers(values) | Values::Times { values, .. } => (min_max(values.iter().copied()), 0),
        Values::Decimals { values, scale } => (min_max(values.iter().copied()), *scale),
        Values::Ipv4(values) => (min_max(values.iter().map(|&value| i64::from(value))), 0),
        Values::Texts(_)
        | Values::Templated(_)
        | Values::TimeTexts { .. }
        | Values::Hex { .. }
        | Values::Affixed { .. } => (None, 0),
    };
    range.map(|(min, max)| Bounds { min, max, scale })
}

fn min_max(values: impl Iterator<Item = i64>) -> Option<(i64, i64)> {
    values.fold(None, |range, value| {
        let (min, max) = range.unwrap_or((value, value));
        Some((min.min(value), max.max(value)))
    })
}

/// Length of all values' texts; for forms without texts, of what they take in memory.
fn text_bytes(codes: Option<&[u32]>, values: &Values) -> u64 {
    match (codes, values) {
        (Some(codes), Values::Texts(texts)) => codes.iter().map(|&code| texts.range(code as usize).len() as u64).sum(),
        (_, Values::Texts(texts)) => texts.bytes.len() as u64,
        (Some(codes), _) => 8 * codes.len() as u64,
        (None, values) => values.memory_bytes() as u64,
    }
}

fn origin_ranges(group: &RowGroup) -> Vec<OriginRange> {
    join_ranges((0..group.rows).map(|row| {
        let id = group.id(row);
        OriginRange { origin: id.origin, sequence_min: id.sequence.0, sequence_max: id.sequence.0 }
    }))
}

fn join_ranges(ranges: impl Iterator<Item = OriginRange>) -> Vec<OriginRange> {
    let mut joined: BTreeMap<_, OriginRange> = BTreeMap::new();
    for range in ranges {
        let own = joined.entry(range.origin).or_insert(range);
        own.sequence_min = own.sequence_min.min(range.sequence_min);
        own.sequence_max = own.sequence_max.max(range.sequence_max);
    }
    joined.into_values().collect()
}

/// In which spellings the values of each path stand in `raw`.
fn spellings_of(group: &RowGroup, paths: &PathTable) -> BTreeMap<PathId, Vec<Spelling>> {
    let mut spellings: BTreeMap<PathId, Vec<Spelling>> = BTreeMap::new();
    for shape in &group.shapes.shapes {
        for part in &shape.parts {
            let ShapePart::Slot(path, spelling) = part else { continue };
            let Some(path) = paths.get(group.paths.name(*path)) else { continue };
            let known = spellings.entry(path).or_default();
            if *spelling != Spelling::Bare && !known.contains(spelling) {
                known.push(*spelling);
            }
        }
    }
    spellings
}

/// Stands where a column's chunk has not been placed yet.
const NO_CHUNK: ChunkRef = ChunkRef { offset: 0, len: 0, head_len: 0, checksum: 0, pooled: None };
/// zstd's level for the footer: it is small, and read more often than anything else.
const FOOTER_LEVEL: i32 = 9;
/// Up to this length it costs little to do better.
const DENSE_FOOTER_BYTES_MAX: usize = 1 << 20;
const DENSE_FOOTER_LEVEL: i32 = 19;
/// Columns with fewer values, and with less memory in bytes, share a chunk.
const POOLED_VALUES_MAX: usize = 256;
const POOLED_BYTES_MAX: usize = 2048;
/// Chunks up to this length in bytes are not worth a range of their own.
const POOLED_CHUNK_BYTES_MAX: usize = 96;
/// Columns with fewer values are nothing but texts, if these are not too long.
const PLAIN_VALUES_MAX: usize = 256;
/// Columns with more values are never tried so.
const PLAIN_TRIED_VALUES_MAX: usize = 4096;
/// Length at which a pool is closed, in bytes.
const POOL_BYTES: usize = 1 << 20;
/// Texts of groups of no more rows are compressed as well as can be.
const DENSE_ROWS_MAX: u32 = 1 << 14;
/// How much of a group's pools is compressed as well as can be, in bytes.
const DENSE_BYTES_MAX: usize = 4 << 20;
const _: () = assert!(POOL_BYTES + plain::COLUMN_BYTES_MAX < footer::POOL_BYTES_MAX as usize);
