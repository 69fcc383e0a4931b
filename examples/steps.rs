//! One step of the way from lines to a block and back, done some times: what `bench/instructions.sh` counts.
//!
//! `steps BYTES SEED STEP TIMES`, where STEP is parse, build, encode, decode, raw, or size, which prints how many
//! bytes the lines have. With `-` for BYTES the lines come from standard input.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A measuring tool, not the server.

use std::hint::black_box;
use std::io::Read;
use std::sync::Arc;

use helios::block::reader::decode_group_of;
use helios::block::{BlockWriter, Footer, GroupBuilder, RawCursor, RowGroup, RowMeta, WriterOptions, merge_all};
use helios::cli::demo;
use helios::event::{Line, LineKind, LineParser, Origin, Sequence};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [bytes, seed, step, times] = args.as_slice() else { panic!("steps BYTES SEED STEP TIMES") };
    let mut lines = Vec::new();
    if bytes == "-" {
        std::io::stdin().read_to_end(&mut lines).unwrap();
    } else {
        lines = demo::sample(bytes.parse().unwrap(), seed.parse().unwrap());
    }
    if step == "size" {
        println!("{}", lines.len());
        return;
    }
    let group = sorted(&lines);
    let block = encoded(&group);
    let groups = decoded(&block);
    for _ in 0..times.parse().unwrap() {
        match step.as_str() {
            "parse" => drop(black_box(parsed(&lines))),
            "build" => drop(black_box(built(&lines))),
            "encode" => drop(black_box(encoded(&group))),
            "decode" => drop(black_box(decoded(&block))),
            "raw" => drop(black_box(raw(&groups))),
            _ => panic!("there is no step {step}"),
        }
    }
}

fn each(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines.split(|&b| b == b'\n').filter(|line| !line.is_empty())
}

fn parsed(lines: &[u8]) -> Vec<usize> {
    let mut parser = LineParser::new();
    let mut line = Line::default();
    let mut fields = Vec::new();
    for raw in each(lines) {
        parser.parse(LineKind::Json, raw, 0, &mut line).unwrap();
        fields.push(line.fields.len());
    }
    fields
}

fn built(lines: &[u8]) -> RowGroup {
    let mut parser = LineParser::new();
    let mut builder = GroupBuilder::new();
    let mut line = Line::default();
    for (number, raw) in each(lines).enumerate() {
        parser.parse(LineKind::Json, raw, 0, &mut line).unwrap();
        let meta = RowMeta {
            time: line.timestamp.unwrap_or(0),
            origin: Origin(7),
            sequence: Sequence(number as u64 + 1),
            time_is_arrival: line.timestamp.is_none(),
            source: None,
        };
        builder.push(&line, meta);
    }
    builder.finish(parser.into_paths())
}

/// All lines as one sorted group, as a flush has it.
fn sorted(lines: &[u8]) -> RowGroup {
    merge_all(vec![(Arc::new(built(lines)), None)], u32::MAX).remove(0)
}

fn encoded(group: &RowGroup) -> Vec<u8> {
    let mut writer = BlockWriter::new(WriterOptions::STANDARD);
    writer.push_group(group);
    writer.finish().0
}

fn decoded(block: &[u8]) -> Vec<RowGroup> {
    let footer = Footer::of_block(block).unwrap();
    (0..footer.groups.len()).map(|group| decode_group_of(&footer, group, block).unwrap()).collect()
}

fn raw(groups: &[RowGroup]) -> Vec<u8> {
    let mut lines = Vec::new();
    for group in groups {
        let mut cursor = RawCursor::new(group);
        for row in 0..group.rows {
            cursor.write(row, &mut lines);
        }
    }
    lines
}
