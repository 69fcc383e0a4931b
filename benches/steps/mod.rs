//! The steps from lines to a block and back, for what measures them.
#![allow(missing_docs, clippy::unwrap_used, clippy::missing_panics_doc, unreachable_pub)] // A measuring tool, not the server.

use std::sync::Arc;

use helios::block::reader::decode_group_of;
use helios::block::{BlockWriter, Footer, GroupBuilder, RawCursor, RowGroup, RowMeta, WriterOptions, merge_all};
use helios::event::{Line, LineKind, LineParser, Origin, Sequence};

fn each(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines.split(|&b| b == b'\n').filter(|line| !line.is_empty())
}

pub fn parsed(lines: &[u8]) -> usize {
    let mut parser = LineParser::new();
    let mut line = Line::default();
    let mut fields = 0;
    for raw in each(lines) {
        parser.parse(LineKind::Json, raw, 0, &mut line).unwrap();
        fields += line.fields.len();
    }
    fields
}

pub fn built(lines: &[u8]) -> RowGroup {
    let mut parser = LineParser::new();
    let mut builder = GroupBuilder::new();
    let mut line = Line::default();
    for (number, raw) in each(lines).enumerate() {
        parser.parse(LineKind::Json, raw, 0, &mut line).unwrap();
        let (origin, sequence) = (Origin(7), Sequence(number as u64 + 1));
        let meta = RowMeta {
            time: line.timestamp.unwrap_or(0),
            origin,
            sequence,
            time_is_arrival: line.timestamp.is_none(),
            source: None,
        };
        builder.push(&line, meta);
    }
    builder.finish(parser.into_paths())
}

/// All lines as one sorted group, as a flush has it.
pub fn one_group(lines: &[u8]) -> RowGroup {
    let mut groups = merge_all(vec![(Arc::new(built(lines)), None)], u32::MAX);
    assert_eq!(groups.len(), 1, "the sample fits into one group");
    groups.remove(0)
}

pub fn encoded(group: &RowGroup) -> Vec<u8> {
    let mut writer = BlockWriter::new(WriterOptions::STANDARD);
    writer.push_group(group);
    writer.finish().0
}

pub fn decoded(block: &[u8]) -> Vec<RowGroup> {
    let footer = Footer::of_block(block).unwrap();
    (0..footer.groups.len()).map(|group| decode_group_of(&footer, group, block).unwrap()).collect()
}

pub fn raw(groups: &[RowGroup]) -> usize {
    let (mut bytes, mut line) = (0, Vec::new());
    for group in groups {
        let mut cursor = RawCursor::new(group);
        for row in 0..group.rows {
            line.clear();
            cursor.write(row, &mut line);
            bytes += line.len();
        }
    }
    bytes
}
