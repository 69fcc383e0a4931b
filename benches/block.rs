//! From lines to a block and back, step by step, on the set that `helios demo` makes.
//!
//! `cargo bench --no-default-features --bench block`; `… -- parse` runs only what has that in its name.
#![allow(missing_docs, clippy::unwrap_used)] // A measuring tool, not the server.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use helios::block::reader::decode_group_of;
use helios::block::{BlockWriter, Footer, GroupBuilder, RawCursor, RowGroup, RowMeta, WriterOptions, merge_all};
use helios::cli::demo;
use helios::event::{Line, LineKind, LineParser, Origin, Sequence};

const SAMPLE_BYTES: u64 = 8 << 20;
const SEED: u64 = 1;

fn steps(criterion: &mut Criterion) {
    let lines = demo::sample(SAMPLE_BYTES, SEED);
    let group = one_group(&lines);
    let block = encoded(&group);
    let mut bench = criterion.benchmark_group("block");
    bench.throughput(Throughput::Bytes(lines.len() as u64)).sample_size(10);
    bench.bench_function("parse", |b| b.iter(|| parsed(&lines)));
    bench.bench_function("parse_and_build", |b| b.iter(|| built(&lines)));
    bench.bench_function("encode", |b| b.iter(|| encoded(&group)));
    bench.bench_function("footer", |b| b.iter(|| Footer::of_block(black_box(&block)).unwrap()));
    bench.bench_function("decode", |b| b.iter(|| decoded(&block)));
    let groups = decoded(&block);
    bench.bench_function("raw", |b| b.iter(|| raw(&groups)));
    bench.finish();
}

fn each(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines.split(|&b| b == b'\n').filter(|line| !line.is_empty())
}

fn parsed(lines: &[u8]) -> usize {
    let mut parser = LineParser::new();
    let mut line = Line::default();
    let mut fields = 0;
    for raw in each(lines) {
        parser.parse(LineKind::Json, raw, 0, &mut line).unwrap();
        fields += line.fields.len();
    }
    fields
}

fn built(lines: &[u8]) -> RowGroup {
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
fn one_group(lines: &[u8]) -> RowGroup {
    let mut groups = merge_all(vec![(Arc::new(built(lines)), None)], u32::MAX);
    assert_eq!(groups.len(), 1, "the sample fits into one group");
    groups.remove(0)
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

fn raw(groups: &[RowGroup]) -> usize {
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

criterion_group!(benches, steps);
criterion_main!(benches);
