//! From lines to a block and back, step by step, on the set that `helios demo` makes.
//!
//! `cargo bench --no-default-features --bench block`; `… -- parse` runs only what has that in its name.
#![allow(missing_docs, clippy::unwrap_used)] // A measuring tool, not the server.

mod steps;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use helios::block::Footer;
use helios::cli::demo;

use steps::{built, decoded, encoded, one_group, parsed, raw};

const SAMPLE_BYTES: u64 = 8 << 20;
const SEED: u64 = 1;

fn all(criterion: &mut Criterion) {
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

criterion_group!(benches, all);
criterion_main!(benches);
