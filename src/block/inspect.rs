//! Where each byte of a block goes: how the next saving is found.

use std::collections::BTreeMap;

use super::encoding::presence::{self, RowsByShape};
use super::encoding::values;
use super::footer::{ChunkRef, ColumnInfo, VALUES_MAX};
use super::reader::{decode_group_of, opened_column, range_of, share_of_plain};
use super::{BlockError, ChunkKey, Footer, Form, OpenPools, RawCursor, RowGroup};

/// Where the bytes of one block go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// Length of the block.
    pub file_bytes: u64,
    /// Length of all its lines, each with its line feed.
    pub raw_bytes: u64,
    /// How many events.
    pub rows: u64,
    /// How many row groups.
    pub groups: u64,
    /// How many different shapes.
    pub shapes: u64,
    /// The times of the rows.
    pub times_bytes: u64,
    /// Origins and sequences.
    pub ids_bytes: u64,
    /// The shape of each row.
    pub shapes_bytes: u64,
    /// Lines that no shape gives back.
    pub verbatim_bytes: u64,
    /// Footer, trailer and the first bytes; the texts of the shapes are in the footer.
    pub footer_bytes: u64,
    /// The columns, the largest first.
    pub columns: Vec<ColumnSize>,
}

/// Where the bytes of one column go, over all groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnSize {
    /// The field path.
    pub name: String,
    /// In how many groups it is kept in which way: `texts`, `dictionary of integers`, ….
    pub encodings: BTreeMap<String, u64>,
    /// How many values.
    pub values: u64,
    /// Length of all values' texts.
    pub text_bytes: u64,
    /// Which row each value belongs to.
    pub presence_bytes: u64,
    /// Entries of dictionaries.
    pub dictionary_bytes: u64,
    /// Codes, or the values themselves.
    pub values_bytes: u64,
    /// Filters.
    pub filter_bytes: u64,
}

impl Inspection {
    /// How many times smaller than its lines the block is.
    pub fn ratio(&self) -> f64 {
        self.raw_bytes as f64 / self.file_bytes.max(1) as f64
    }

    /// What it costs to have the lines back byte for byte: shapes, verbatim lines, and which values
    /// belong to which row.
    pub fn lines_bytes(&self) -> u64 {
        let presence: u64 = self.columns.iter().map(|column| column.presence_bytes).sum();
        self.shapes_bytes + self.verbatim_bytes + presence
    }
}

impl ColumnSize {
    /// All its bytes.
    pub fn bytes(&self) -> u64 {
        self.presence_bytes + self.dictionary_bytes + self.values_bytes + self.filter_bytes
    }
}

/// Takes a whole block apart. Decodes all of it, group by group.
///
/// # Errors
/// [`BlockError`] if it is damaged.
pub fn inspect(block: &[u8]) -> Result<Inspection, BlockError> {
    let footer = Footer::of_block(block)?;
    let mut inspection = Inspection {
        file_bytes: block.len() as u64,
        rows: footer.rows(),
        groups: footer.groups.len() as u64,
        shapes: footer.shapes.shapes.len() as u64,
        ..Inspection::default()
    };
    let mut columns: BTreeMap<String, ColumnSize> = BTreeMap::new();
    let mut chunks_end = 0;
    for (number, info) in footer.groups.iter().enumerate() {
        let group = decode_group_of(&footer, number, block)?;
        inspection.raw_bytes += raw_bytes(&group);
        let len = |key| info.chunk(key).map_or(0, |chunk| u64::from(chunk.len));
        inspection.times_bytes += len(ChunkKey::Times);
        inspection.ids_bytes += len(ChunkKey::Ids);
        inspection.shapes_bytes += len(ChunkKey::Shapes);
        inspection.verbatim_bytes += len(ChunkKey::Verbatim);
        let (shapes, pools) = (RowsByShape::new(&footer.slots, &group.shape_of_row), OpenPools::default());
        for column in &info.columns {
            let name = footer.paths.name(column.path);
            let size = columns.entry(name.to_owned()).or_default();
            size.values += u64::from(column.values);
            size.text_bytes += text_bytes(&group, column);
            size.filter_bytes += len(ChunkKey::Filter(column.path));
            *size.encodings.entry(encoding(column)).or_default() += 1;
            add_parts(size, column, &shapes, group.rows, range_of(block, &column.chunk)?, &pools)?;
        }
        let all = [Some(info.shapes), info.verbatim].into_iter().flatten();
        let filters = info.columns.iter().flat_map(|column| [Some(column.chunk), column.filter]);
        let end = |chunk: ChunkRef| chunk.offset + u64::from(chunk.len);
        chunks_end = all.chain(filters.flatten()).map(end).fold(chunks_end, u64::max);
    }
    let first = super::footer::MAGIC.len() as u64;
    inspection.footer_bytes = inspection.file_bytes - chunks_end.max(first) + first;
    inspection.columns = columns.into_iter().map(|(name, size)| ColumnSize { name, ..size }).collect();
    inspection.columns.sort_by_key(|column| std::cmp::Reverse(column.bytes()));
    Ok(inspection)
}

fn raw_bytes(group: &RowGroup) -> u64 {
    let mut cursor = RawCursor::new(group);
    let mut raw = Vec::new();
    let lines = (0..group.rows).map(|row| {
        raw.clear();
        cursor.write(row, &mut raw);
        raw.len() as u64 + 1
    });
    lines.sum()
}

fn text_bytes(group: &RowGroup, info: &ColumnInfo) -> u64 {
    let column = group.column(info.path).expect("the group was decoded with this column");
    let mut text = Vec::new();
    let lengths: Vec<u64> =
        (0..column.values.len()).map(|entry| column.values.text(entry, &mut text).len() as u64).collect();
    (0..column.len()).map(|i| lengths[column.entry_of(i)]).sum()
}

fn encoding(column: &ColumnInfo) -> String {
    if column.plain {
        return "few texts".to_owned();
    }
    let form = match column.form {
        Form::Texts => "texts",
        Form::Integers => "integers",
        Form::Decimals => "decimals",
        Form::Hex => "hexadecimal",
        Form::Ipv4 => "addresses",
        Form::Affixed => "numbers in text",
        Form::Times if column.needs_times => "times of the rows",
        Form::Times => "times",
        Form::Templated => "templates",
    };
    match column.distinct {
        Some(1) => format!("one of {form}"),
        Some(_) => format!("dictionary of {form}"),
        None => form.to_owned(),
    }
}

/// Splits the stored bytes of a column's chunk. A chunk in a pool has its share of the pool's bytes.
fn add_parts(
    size: &mut ColumnSize,
    column: &ColumnInfo,
    shapes: &RowsByShape<'_>,
    rows: u32,
    bytes: &[u8],
    pools: &OpenPools,
) -> Result<(), BlockError> {
    let share_of = |part: usize, pool: usize| (part as u64 * bytes.len() as u64).div_ceil(pool.max(1) as u64);
    if column.plain {
        let (part, pool) = share_of_plain(column, bytes, pools)?;
        size.values_bytes += share_of(part, pool);
        return Ok(());
    }
    opened_column(column, bytes, pools, |mut chunk, pool_len| {
        let all = chunk.left();
        let share = |part: usize| pool_len.map_or(part as u64, |pool| share_of(part, pool));
        let shapes = Some(shapes).filter(|_| column.needs_shapes);
        presence::get(&mut chunk, rows, column.path, shapes, VALUES_MAX)?;
        let presence = all - chunk.left();
        let entries = match column.distinct {
            Some(_) => values::entry_bytes(&mut chunk, VALUES_MAX)?,
            None => 0,
        };
        size.presence_bytes += share(presence);
        size.dictionary_bytes += share(entries);
        size.values_bytes += share(all - presence - entries);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Rng, group_of, random_lines};
    use super::super::{BlockWriter, WriterOptions};
    use super::*;

    #[test]
    fn the_parts_add_up_to_the_block_and_the_lines_to_what_was_sent() {
        let lines = random_lines(&mut Rng(61), 5000);
        let mut writer = BlockWriter::new(WriterOptions::STANDARD);
        writer.push_group(&group_of(&lines, 1, 1));
        let inspection = inspect(&writer.finish().0).unwrap();
        assert_eq!(inspection.raw_bytes, lines.iter().map(|line| line.raw.len() as u64 + 1).sum::<u64>());
        assert_eq!(inspection.rows, 5000);
        let fixed = inspection.times_bytes + inspection.ids_bytes + inspection.shapes_bytes;
        let columns: u64 = inspection.columns.iter().map(ColumnSize::bytes).sum();
        let sum = fixed + inspection.verbatim_bytes + inspection.footer_bytes + columns;
        // Shares of a pool are rounded up.
        assert!(sum.abs_diff(inspection.file_bytes) < 300, "{sum} of {}", inspection.file_bytes);
        assert!(inspection.ratio() > 2.0);
        assert!(inspection.lines_bytes() > 0);
    }
}
