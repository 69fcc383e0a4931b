//! Small columns as nothing but their texts, many of them one after the other in one compressed stream.
//!
//! Where a group has many fields of few values, forms, codes and checksums of their own cost more than
//! they save, and what one column has in common with the next is lost.

use std::sync::Arc;

use super::column_builder::ColumnBuilder;
use super::encoding::ChunkIn;
use super::encoding::presence::{self, RowsByShape};
use super::error::damaged;
use super::footer::ColumnInfo;
use super::{BlockError, Column, Texts, Values};

/// The column's texts, each with its end; `None` if they are longer than `bytes_max`.
pub(super) fn texts(column: &Column, bytes_max: usize) -> Option<Vec<u8>> {
    let mut texts = Vec::new();
    for value in 0..column.len() {
        column.values.write_text(column.entry_of(value), &mut texts);
        texts.push(END);
        if texts.len() > bytes_max {
            return None;
        }
    }
    Some(texts)
}

/// Reads the column back, of all rows or of those that are wanted. Costs no more than its bytes and the
/// group's rows.
pub(super) fn get(
    mut chunk: ChunkIn<'_>,
    rows: u32,
    info: &ColumnInfo,
    shapes: Option<&RowsByShape<'_>>,
    wanted: Option<&[u32]>,
) -> Result<Column, BlockError> {
    if info.needs_shapes && shapes.is_none() {
        return damaged("a column needs shapes that were not read");
    }
    let bytes = chunk.head.bytes(chunk.head.0.len())?;
    chunk.end()?;
    let row_of = presence::known(rows, info.path, shapes, bytes.len() as u64)?;
    if row_of.is_empty() || row_of.len() != info.values as usize {
        return damaged("a column has a wrong number of values");
    }
    let is_wanted = |row: u32| wanted.is_none_or(|wanted| wanted.binary_search(&row).is_ok());
    let mut builder = ColumnBuilder::default();
    let mut rest = bytes;
    for &row in &*row_of {
        let Some(len) = memchr::memchr(END, rest) else { return damaged("texts are missing or left over") };
        let (text, after) = rest.split_at(len);
        if is_wanted(row) {
            if std::str::from_utf8(text).is_err() {
                return damaged("a text is not UTF-8");
            }
            builder.push(row, text);
        }
        rest = &after[1..];
    }
    if !rest.is_empty() {
        return damaged("texts are missing or left over");
    }
    // Of some rows the rows are always spelled out.
    let column = builder.finish(if wanted.is_some() { u32::MAX } else { rows });
    let none = || Column { rows: Some(Arc::default()), codes: None, values: Values::Texts(Texts::default()) };
    Ok(column.unwrap_or_else(none))
}

/// Ends each text: no UTF-8 has this byte.
const END: u8 = 0xff;

#[cfg(test)]
mod tests {
    use super::super::reader::decode_group_of;
    use super::super::testing::{Made, Rng, group_of, seen};
    use super::super::{BlockWriter, Footer, WriterOptions, fuzz};
    use crate::event::Spelling;

    /// Lines with one of many fields, or several values of it.
    fn wide_lines(rng: &mut Rng, count: usize) -> Vec<Made> {
        let line = |rng: &mut Rng| {
            let mut made = Made::default().literal(b"{");
            for _ in 0..1 + rng.below(4) {
                let key = format!("field{}", rng.below(300));
                made = made.literal(format!("\"{key}\":[").as_bytes());
                for _ in 0..1 + rng.below(3) {
                    let text = rng.pick(&["", "a", "ünï", "two\nlines", "17", "200", "10.0.0.1"]);
                    made = made.literal(b"\"").value(&key, text, Spelling::Json).literal(b"\",");
                }
                made = made.literal(b"null],");
            }
            made.literal(b"\"end\":0}")
        };
        (0..count).map(|_| line(rng)).collect()
    }

    fn block_of(lines: &[Made]) -> Vec<u8> {
        let mut writer = BlockWriter::new(WriterOptions::STANDARD);
        writer.push_group(&group_of(lines, 1, 1));
        writer.finish().0
    }

    #[test]
    fn columns_of_few_values_come_back_from_what_they_share() {
        let mut rng = Rng(67);
        for rows in [1, 7, 300, 3000] {
            let lines = wide_lines(&mut rng, rows);
            let block = block_of(&lines);
            let footer = Footer::of_block(&block).unwrap();
            assert!(footer.groups[0].columns.iter().any(|column| column.plain));
            let decoded = decode_group_of(&footer, 0, &block).unwrap();
            decoded.check();
            assert_eq!(seen(&decoded), seen(&group_of(&lines, 1, 1)));
        }
    }

    #[test]
    fn a_field_of_few_values_costs_a_few_bytes() {
        let few = (0..2000).map(|row| {
            let key = format!("field{}", row % 1000);
            Made::default()
                .literal(format!("{{\"{key}\":\"").as_bytes())
                .value(&key, "same", Spelling::Json)
                .literal(b"\"}")
        });
        let few: Vec<Made> = few.collect();
        let len = block_of(&few).len();
        assert!(len < 1000 * 10, "{len} bytes for 1,000 fields");
    }

    #[test]
    fn texts_that_are_missing_or_no_texts_are_noticed() {
        super::super::error::CHECKSUMS_IGNORED.set(true);
        let mut rng = Rng(73);
        for _ in 0..300 {
            let mut block = block_of(&wide_lines(&mut rng, 20));
            for _ in 0..1 + rng.below(2) {
                let at = rng.below(block.len() as u64) as usize;
                block[at] = if rng.below(2) == 0 { super::END } else { rng.next() as u8 };
            }
            let _ = fuzz::fuzz_block(&block);
        }
        super::super::error::CHECKSUMS_IGNORED.set(false);
    }
}
