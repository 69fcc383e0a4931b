//! Measures a block of a file of lines: bytes by column, ratio, and CPU seconds per GiB of each step.
//!
//! `cargo run --release --example block_size -- FILE [json|text] [rows per fresh group]`
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used)] // A measuring tool, not the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios::block::reader::decode_group_of;
use helios::block::{
    BlockWriter, ChunkKey, Footer, GroupBuilder, Merged, Merger, RawCursor, RowGroup, RowMeta, WriterOptions, merge_all,
};
use helios::event::{Line, LineKind, LineParser, Origin, Sequence};

fn main() {
    let mut args = std::env::args().skip(1);
    let file = args.next().expect("a file");
    let kind = if args.next().as_deref() == Some("text") { LineKind::Text } else { LineKind::Json };
    let rows: usize = args.next().map_or(50_000, |rows| rows.parse().unwrap());
    let bytes = std::fs::read(&file).unwrap();
    let gib = bytes.len() as f64 / f64::from(1 << 30);
    let mut steps: BTreeMap<&str, f64> = BTreeMap::new();
    let mut time = |step, start: f64| *steps.entry(step).or_default() += (cpu_seconds() - start) / gib;

    let start = cpu_seconds();
    let mut parser = LineParser::new();
    let mut line = Line::default();
    for raw in bytes.split(|&b| b == b'\n').filter(|raw| !raw.is_empty()) {
        parser.parse(kind, raw, 0, &mut line).unwrap();
    }
    time("1 parse", start);

    let start = cpu_seconds();
    let mut batches = Vec::new();
    let mut sequence = 0;
    for record in records(&bytes) {
        let mut parser = LineParser::new();
        let mut builder = GroupBuilder::new();
        let mut line = Line::default();
        for raw in record.split(|&b| b == b'\n').filter(|raw| !raw.is_empty()) {
            parser.parse(kind, raw, 0, &mut line).unwrap();
            sequence += 1;
            let (origin, sequence) = (Origin(7), Sequence(sequence));
            let time_is_arrival = line.timestamp.is_none();
            let time = line.timestamp.unwrap_or(0);
            builder.push(&line, RowMeta { time, origin, sequence, time_is_arrival, source: None });
        }
        batches.push(Arc::new(builder.finish(parser.into_paths())));
    }
    time("2 parse and build", start);

    let mut blocks = Vec::new();
    let mut waiting: Vec<(Arc<RowGroup>, Option<Vec<u32>>)> = Vec::new();
    let mut waiting_rows = 0;
    let last = batches.len() - 1;
    for (i, batch) in batches.into_iter().enumerate() {
        waiting_rows += batch.rows as usize;
        waiting.push((batch, None));
        if waiting_rows < rows && i < last {
            continue;
        }
        waiting_rows = 0;
        let start = cpu_seconds();
        let groups = merge_all(std::mem::take(&mut waiting), helios::block::group::ROW_GROUP_ROWS_MAX);
        time("3 merge of a flush", start);
        for (step, options) in [
            ("4 encode without filters", WriterOptions { filters: false, ..WriterOptions::FRESH }),
            ("5 encode", WriterOptions::FRESH),
        ] {
            let start = cpu_seconds();
            let mut writer = BlockWriter::new(options);
            groups.iter().for_each(|group| writer.push_group(group));
            let block = writer.finish().0;
            time(step, start);
            if options.filters {
                blocks.push(block);
            }
        }
    }
    let stored: usize = blocks.iter().map(Vec::len).sum();
    println!("{} blocks, {stored} bytes, ratio {:.3}", blocks.len(), bytes.len() as f64 / stored as f64);

    let start = cpu_seconds();
    let footers: Vec<_> = blocks.iter().map(|block| Footer::of_block(block).unwrap()).collect();
    let mut decoded_rows = 0;
    for (footer, block) in footers.iter().zip(&blocks) {
        for g in 0..footer.groups.len() {
            decoded_rows += decode_group_of(footer, g, block).unwrap().rows;
        }
    }
    time("6 decode", start);

    let start = cpu_seconds();
    let mut merger = Merger::new(footers.len(), helios::block::group::ROW_GROUP_ROWS_MAX);
    let mut next = vec![0; footers.len()];
    let mut writer = BlockWriter::new(WriterOptions::COMPACTED);
    loop {
        match merger.next() {
            Merged::Wants(run) => {
                let g = next[run];
                next[run] += 1;
                let more = g < footers[run].groups.len();
                let decode = || (Arc::new(decode_group_of(&footers[run], g, &blocks[run]).unwrap()), None);
                merger.feed(run, more.then(decode));
            }
            Merged::Group(group) => writer.push_group(&group),
            Merged::Done => break,
        }
    }
    let block = writer.finish().0;
    time("7 compaction", start);
    if std::env::var("HELIOS_PROFILE").is_ok() {
        return; // The profile is to end with what it is about.
    }

    let footer = Footer::of_block(&block).unwrap();
    let start = cpu_seconds();
    let mut raw_bytes = 0;
    let mut raw = Vec::new();
    for g in 0..footer.groups.len() {
        let group = decode_group_of(&footer, g, &block).unwrap();
        let mut cursor = RawCursor::new(&group);
        for row in 0..group.rows {
            raw.clear();
            cursor.write(row, &mut raw);
            raw_bytes += raw.len() + 1;
        }
    }
    time("8 decode and raw", start);
    for (step, seconds) in &steps {
        println!("{step:28} {seconds:8.3} s/GiB");
    }
    println!("{decoded_rows} rows, {raw_bytes} bytes of raw, {} of input", bytes.len());
    table(&footer, bytes.len(), block.len());
}

fn table(footer: &Footer, raw: usize, stored: usize) {
    let mut parts: BTreeMap<String, u64> = BTreeMap::new();
    let mut pools: BTreeMap<u64, u64> = BTreeMap::new();
    for group in &footer.groups {
        let mut add = |name: String, key| {
            if let Some(chunk) = group.chunk(key) {
                *parts.entry(name).or_default() += u64::from(chunk.len);
            }
        };
        add("(times)".into(), ChunkKey::Times);
        add("(ids)".into(), ChunkKey::Ids);
        add("(shapes)".into(), ChunkKey::Shapes);
        add("(verbatim)".into(), ChunkKey::Verbatim);
        for column in &group.columns {
            let name = footer.paths.name(column.path);
            let chunk = group.chunk(ChunkKey::Column(column.path)).unwrap();
            if chunk.is_pooled() {
                pools.insert(chunk.offset, u64::from(chunk.len));
            } else {
                add(
                    format!("{name} {:?} {:?}", column.form, column.distinct.map(|_| "dict")),
                    ChunkKey::Column(column.path),
                );
            }
            add(format!("(filter) {name}"), ChunkKey::Filter(column.path));
        }
    }
    parts.insert("(pools)".into(), pools.values().sum());
    let chunks: u64 = parts.values().sum();
    parts.insert("(footer)".into(), stored as u64 - chunks);
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.1));
    for (name, len) in parts.iter().take(50) {
        println!("{len:10} {:5.2} % {name}", 100.0 * *len as f64 / stored as f64);
    }
    println!("compacted: {stored} bytes, {} groups, ratio {:.3}", footer.groups.len(), raw as f64 / stored as f64);
}

/// CPU time of this thread so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Pieces of about 8 MiB of whole lines.
fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.len().min(8 << 20);
        let cut = rest[..end].iter().rposition(|&b| b == b'\n').map_or(rest.len(), |at| at + 1);
        records.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    records
}
