//! Filters, scans and aggregates over blocks, on the set that `helios demo` makes.
//!
//! `cargo bench --no-default-features --bench query`. Each question is asked of a process that has the columns decoded
//! but was never asked it, so that no result that was kept answers it.
#![allow(missing_docs, clippy::unwrap_used)] // A measuring tool, not the server.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use helios::cli::demo;
use helios::crypto::Random;
use helios::engine::{Engine, Settings};
use helios::host::{Host, UnixNanos, real};
use helios::ingest::{IndexTemplate, Lines, Replay, Request, Target, read_lines};
use helios::query::{self, Access, Cancel, QueryContext, QueryLimits, QueryShared, SearchRequest};
use tokio::runtime::Runtime;

const SAMPLE_BYTES: u64 = 16 << 20;
const SEED: u64 = 1;
/// Behind all events of the sample.
const NOW: UnixNanos = UnixNanos(1_769_904_000_000_000_000);
const WORKERS: usize = 1;
const RECORD_BYTES: usize = 4 << 20;

/// Name, question, how many hits, and what was asked before so that the columns are decoded.
const QUESTIONS: &[(&str, &str, u32, &str)] = &[
    ("filter/absent_id", "trace_id:0123456789abcdef0123456789abcdef", 10, "level:error"),
    ("filter/needle", "kestrel9041x", 10, "message:*zzzzqqqq*"),
    ("scan/phrase", "\"lease renewal was refused by the quorum\"", 0, "message:*zzzzqqqq*"),
    ("scan/substring", "message:*ompactio*", 0, "message:*zzzzqqqq*"),
    ("scan/regex", "message:/took [0-9]{4,} ms/", 0, "message:*zzzzqqqq*"),
    ("scan/equals", "level:error", 0, "level:zzzz"),
    ("aggregate/count_by", "service:* | stats count by service", 0, "service:zzzz"),
    (
        "aggregate/p95_by",
        "http.status:>=500 | stats p95(latency_ms) by service",
        0,
        "http.status:>=900 | stats p95(latency_ms) by service",
    ),
    ("aggregate/timechart", "* | timechart span=10m count", 0, "level:zzzz | timechart span=10m count"),
    ("aggregate/top", "http.path:* | top 10 http.path", 0, "http.path:zzzz"),
    ("aggregate/distinct", "* | stats dc(user)", 0, "user:zzzz"),
    ("latest_200", "level:info", 200, "level:zzzz"),
];

fn questions(criterion: &mut Criterion) {
    let root = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let host = real::host(Arc::new(Random::new()), WORKERS).unwrap();
    let engine = runtime.block_on(loaded(&host, root.path()));
    let mut bench = criterion.benchmark_group("query");
    bench.sample_size(10);
    for (name, question, limit, before) in QUESTIONS {
        bench.bench_function(*name, |b| {
            b.iter_batched(
                || {
                    let context = context(&host);
                    runtime.block_on(ask(&engine, &context, before, *limit));
                    context
                },
                |context| runtime.block_on(ask(&engine, &context, question, *limit)),
                BatchSize::PerIteration,
            );
        });
    }
    bench.finish();
    runtime.block_on(engine.close());
}

/// An engine with the sample in compacted blocks.
async fn loaded(host: &Host, root: &Path) -> Engine {
    let engine = Engine::open(host.clone(), root.to_owned(), Settings::default(), Arc::new(Replay)).await.unwrap();
    let target = Target { env: "default".into(), index: IndexTemplate::parse("app").unwrap(), source: None };
    let request = Request::new(target, NOW.0, Arc::new(|_| None));
    let mut rest = Bytes::from(demo::sample(SAMPLE_BYTES, SEED));
    while !rest.is_empty() {
        let end = rest.len().min(RECORD_BYTES);
        let cut = rest[..end].iter().rposition(|&b| b == b'\n').unwrap() + 1;
        let lines = Lines { body: rest.split_to(cut), first_line: 1 };
        let admission = engine.admit(cut as u64).await.unwrap();
        let record = read_lines(&request, lines).record.unwrap();
        engine.append(record, admission).await.unwrap();
    }
    assert!(engine.flush_now().await, "the disk takes the sample");
    engine.compact_now().await;
    engine
}

fn context(host: &Host) -> QueryContext {
    let shared = Arc::new(QueryShared::new(host.clone(), QueryLimits::default()));
    QueryContext { shared, access: Access::All, cancel: Cancel::default() }
}

async fn ask(engine: &Engine, context: &QueryContext, question: &str, limit: u32) {
    let mut request = SearchRequest::new("default", question, NOW);
    request.limit = limit;
    query::search(context, &engine.snapshot(|_| true), &request).await.unwrap();
}

criterion_group!(benches, questions);
criterion_main!(benches);
