//! The engine's answers against the oracle's, with the data in the head, in blocks, and split.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use helios::crypto::Random;
use helios::engine::{Engine, Settings, Snapshot};
use helios::host::{Host, UnixNanos, real};
use helios::ingest::{Format, IndexTemplate, Lines, Replay, Request as IngestRequest, Target, read_lines};
use helios::query::answer::FieldValue;
use helios::query::language::parse;
use helios::query::value::Value;
use helios::query::{Access, Cancel, Hit, QueryContext, QueryLimits, QueryShared, SearchAnswer, SearchRequest, search};

use super::oracle::generate::{self, FIRST_TIME, RANGE, Rng};
use super::oracle::{self, Cell, Event, Output};

/// Where events of a test lie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Head,
    Split,
    Blocks,
    Compacted,
}

pub(crate) fn host() -> Host {
    real::host(Arc::new(Random::new()), 2).unwrap()
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// Sends events one after the other; gives each the id that it got.
pub(crate) async fn ingest(engine: &Engine, events: &mut [Event]) {
    for event in events {
        let index = IndexTemplate::parse(&event.index).unwrap();
        let target = Target { env: event.env.clone(), index, source: None };
        let mut request = IngestRequest::new(target, FIRST_TIME, Arc::new(|_| None));
        if !event.raw.starts_with(b"{") {
            request.format = Format::Text;
        }
        let lines = Lines { body: Bytes::from(event.raw.clone()), first_line: 1 };
        let admission = engine.admit(event.raw.len() as u64).await.unwrap();
        let record = read_lines(&request, lines).record.expect("the line is an event");
        event.origin = engine.origin().0;
        event.sequence = engine.append(record, admission).await.unwrap().first_sequence;
    }
}

pub(crate) async fn engine_with(root: &Path, events: &mut [Event], place: Place) -> Engine {
    let settings = Settings::default();
    let engine = Engine::open(host(), root.to_path_buf(), settings, Arc::new(Replay)).await.unwrap();
    let half = events.len() / 2;
    let cuts: &[usize] = match place {
        Place::Head => &[],
        Place::Split => &[half],
        Place::Blocks => &[half, events.len()],
        Place::Compacted => &[half / 2, half, events.len()],
    };
    let mut from = 0;
    for &cut in cuts {
        ingest(&engine, &mut events[from..cut]).await;
        engine.flush_now().await;
        from = cut;
    }
    ingest(&engine, &mut events[from..]).await;
    if place == Place::Compacted {
        engine.compact_now().await;
    }
    engine
}

pub(crate) fn context(host: Host) -> QueryContext {
    let limits = QueryLimits { cache_bytes: 1 << 20, ..QueryLimits::default() };
    let shared = Arc::new(QueryShared::new(host, limits));
    QueryContext { shared, access: Access::All, cancel: Cancel::default() }
}

async fn ask(context: &QueryContext, snapshot: &Snapshot, query: &str, request: &oracle::Request) -> SearchAnswer {
    let mut asked = SearchRequest::new("default", query, UnixNanos(request.now));
    asked.scope.start = request.start;
    asked.scope.end = request.end;
    asked.scope.indexes = request.indexes.clone();
    asked.limit = 10_000;
    asked.zone = request.zone.clone();
    asked.sort = request.sort.as_ref().map(|sort| sort.to_string()["sort ".len()..].to_owned());
    search(context, snapshot, &asked).await.unwrap_or_else(|error| panic!("{query}: {error}"))
}

#[track_caller]
fn check_answer(what: &str, got: &SearchAnswer, wanted: &oracle::Answer) {
    match &wanted.output {
        Output::Hits(rows) => {
            assert!(got.table.is_none(), "{what}: a table");
            let ids = |hits: &[Hit]| hits.iter().map(|hit| hit.id.to_string()).collect::<Vec<_>>();
            let wanted_ids: Vec<String> = rows.iter().map(id_of).collect();
            assert_eq!(ids(&got.hits), wanted_ids, "{what}");
            for (hit, row) in got.hits.iter().zip(rows) {
                check_hit(what, hit, row);
            }
        }
        Output::Table { columns, rows } => {
            let table = got.table.as_ref().unwrap_or_else(|| panic!("{what}: no table"));
            assert_eq!(&table.columns, columns, "{what}");
            let agree = table.rows.len() == rows.len()
                && rows.iter().zip(&table.rows).all(|(wanted, got)| {
                    wanted.len() == got.len() && wanted.iter().zip(got).all(|(wanted, got)| wanted.agrees(got))
                });
            assert!(agree, "{what}\n got    {:?}\n wanted {rows:?}", table.rows);
            assert!(got.hits.is_empty(), "{what}");
        }
    }
    assert_eq!(got.total, Some(wanted.total as u64), "{what}: total");
}

pub(crate) fn id_of(row: &oracle::Row) -> String {
    let (_, origin, sequence) = row.event.unwrap();
    format!("{origin:016x}-{sequence}")
}

#[track_caller]
fn check_hit(what: &str, hit: &Hit, row: &oracle::Row) {
    let (time, ..) = row.event.unwrap();
    assert_eq!(hit.timestamp, time, "{what}");
    let member = |name: &str| {
        let cell = row.members.iter().find(|(own, _)| own.name() == name).map(|(_, cell)| cell.clone());
        cell.unwrap_or(Cell::Null)
    };
    let text = |cell: Cell| cell.to_text().unwrap_or_default();
    assert_eq!(hit.message, text(member("message")), "{what}");
    assert_eq!(hit.source.clone().unwrap_or_default(), text(member("source")), "{what}");
    assert_eq!(String::from_utf8_lossy(&hit.raw), text(member("raw")), "{what}");
    // Names that differ only in case are one field.
    let mut wanted: Vec<(String, Vec<Cell>)> = Vec::new();
    for (name, cells) in row.fields.iter().filter(|(_, cells)| !cells.is_empty()) {
        let name = oracle::cell::fold(name);
        match wanted.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => own.extend(cells.clone()),
            None => wanted.push((name, cells.clone())),
        }
    }
    let mut got: Vec<(String, Vec<Value>)> =
        hit.fields.iter().map(|(name, value)| (oracle::cell::fold(name), values_of(value))).collect();
    got.sort_by(|a, b| a.0.cmp(&b.0));
    wanted.sort_by(|a, b| a.0.cmp(&b.0));
    let agree = got.len() == wanted.len()
        && got.iter().zip(&wanted).all(|((name, values), (wanted, cells))| {
            name == wanted
                && values.len() == cells.len()
                && cells.iter().zip(values).all(|(cell, value)| cell.agrees(value))
        });
    assert!(agree, "{what}\n got    {got:?}\n wanted {wanted:?}");
}

fn values_of(value: &FieldValue) -> Vec<Value> {
    match value {
        FieldValue::Text(text) | FieldValue::Bare(text) => vec![Value::Text(text.clone())],
        FieldValue::Computed(value) => vec![value.clone()],
        FieldValue::Many(values) => values.iter().flat_map(values_of).collect(),
    }
}

fn check_queries(place: Place, seed: u64, events: usize, queries: usize) {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let mut rng = Rng::new(seed);
        let mut events = generate::events(&mut rng, events);
        let engine = engine_with(root.path(), &mut events, place).await;
        let context = context(host());
        let snapshot = engine.snapshot(|_| true);
        for number in 0..queries + OF_MANY_GROUPS.len() {
            let query = match OF_MANY_GROUPS.get(number) {
                Some(query) => (*query).to_owned(),
                None => generate::query(&mut rng),
            };
            let Ok(tree) = parse(&query) else { continue };
            let mut request = oracle::Request { now: FIRST_TIME + RANGE, ..oracle::Request::default() };
            if rng.one_in(3) {
                request.start = Some(FIRST_TIME + rng.below(RANGE as usize) as i64);
            }
            if rng.one_in(3) {
                request.end = Some(FIRST_TIME + rng.below(RANGE as usize) as i64);
            }
            let wanted = oracle::answer(&events, &tree, &request);
            let got = ask(&context, &snapshot, &query, &request).await;
            if got.warnings.iter().any(|warning| warning.contains("128 bits")) {
                // The oracle's numbers have no end: what is said to be inexact may also sort otherwise.
                continue;
            }
            let what = format!("{place:?} seed {seed} query {number} `{query}` {:?}", (request.start, request.end));
            check_answer(&what, &got, &wanted);
        }
        engine.close().await;
    });
}

#[test]
fn answers_from_the_head_are_the_oracles() {
    (0..SEEDS).for_each(|seed| check_queries(Place::Head, seed, 60, QUERIES));
}

#[test]
fn answers_from_head_and_block_are_the_oracles() {
    (0..SEEDS).for_each(|seed| check_queries(Place::Split, 100 + seed, 60, QUERIES));
}

#[test]
fn answers_from_overlapping_blocks_are_the_oracles() {
    (0..SEEDS).for_each(|seed| check_queries(Place::Blocks, 200 + seed, 60, QUERIES));
}

#[test]
fn answers_from_compacted_blocks_are_the_oracles() {
    (0..SEEDS).for_each(|seed| check_queries(Place::Compacted, 300 + seed, 80, QUERIES));
}

/// Tables of which only the first rows are looked at.
const OF_MANY_GROUPS: [&str; 9] = [
    "* | top 2 path",
    "* | rare 3 latency_ms",
    "* | stats count by latency_ms | head 3",
    "* | stats count, values(level) by path | head 2",
    "* | stats min(latency_ms) as least, count by level | head 2",
    "* | stats count as n by status, level | sort -n | head 4",
    "* | stats count as n by status | sort n | head 2",
    "* | stats max(latency_ms) as most by service | sort -most, service | head 2 | fields most",
    "* | stats dc(path) by service | head 1",
];

/// Sets of events for each place.
const SEEDS: u64 = 3;
/// Queries over each set of events.
const QUERIES: usize = 300;
