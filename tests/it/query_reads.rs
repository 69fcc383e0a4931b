//! The other read paths against the oracle, with the data in the head, in blocks, and split: paging,
//! streams, histogram, values, discovery, context, export, live tail; cancelling and budgets.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios::engine::{Engine, Snapshot};
use helios::host::UnixNanos;
use helios::query::language::parse;
use helios::query::{self};
use helios::query::{
    Access, AggregateRequest, Cancel, ContextRequest, CountMode, DiscoverRequest, ExportPart, ExportRequest, Grant,
    HistogramRequest, Hit, LiveFilter, QueryContext, QueryError, QueryLimits, QueryShared, Scope, SearchEvent,
    SearchRequest,
};
use tokio::sync::mpsc;

use super::oracle::generate::{self, FIRST_TIME, RANGE, Rng};
use super::oracle::{self, Event, Output};
use super::query_oracle::{Place, block_on, context, engine_with, host, id_of};

const NOW: UnixNanos = UnixNanos(FIRST_TIME + RANGE);

struct Setup {
    events: Vec<Event>,
    engine: Engine,
    snapshot: Snapshot,
    context: QueryContext,
}

/// Runs `test` with the data in each place.
fn everywhere<F: Future<Output = ()>>(count: usize, test: impl Fn(Arc<Setup>) -> F) {
    for place in [Place::Head, Place::Split, Place::Compacted] {
        let root = tempfile::tempdir().unwrap();
        block_on(async {
            let mut events = generate::events(&mut Rng::new(7), count);
            let engine = engine_with(root.path(), &mut events, place).await;
            let setup = Setup { events, snapshot: engine.snapshot(|_| true), engine, context: context(host()) };
            let setup = Arc::new(setup);
            test(Arc::clone(&setup)).await;
            setup.engine.close().await;
        });
    }
}

fn scope() -> Scope {
    Scope { env: "default".into(), ..Scope::default() }
}

/// Ids of the matches, in order.
fn wanted(events: &[Event], query: &str) -> Vec<String> {
    let request = oracle::Request { now: NOW.0, ..oracle::Request::default() };
    match oracle::answer(events, &parse(query).unwrap(), &request).output {
        Output::Hits(rows) => rows.iter().map(id_of).collect(),
        Output::Table { .. } => panic!("{query} makes a table"),
    }
}

fn ids(hits: &[Hit]) -> Vec<String> {
    hits.iter().map(|hit| hit.id.to_string()).collect()
}

#[test]
fn rule_15_pages_follow_each_other_without_a_gap_though_data_arrives() {
    everywhere(50, async |setup| {
        for query in ["*", "level:error OR status:>100", "* | where not isnull(service)"] {
            let all = wanted(&setup.events, query);
            let mut request = SearchRequest::new("default", query, NOW);
            request.limit = 7;
            let mut seen = Vec::new();
            loop {
                let page = query::search(&setup.context, &setup.snapshot, &request).await.unwrap();
                assert_eq!(page.total, Some(all.len() as u64), "{query}");
                seen.extend(ids(&page.hits));
                let Some(cursor) = page.cursor else { break };
                request.cursor = Some(cursor);
            }
            assert_eq!(seen, all, "{query}");
            request.query = "level:warn".into();
            let other = query::search(&setup.context, &setup.snapshot, &request).await;
            assert_eq!(other.is_err(), request.cursor.is_some(), "a cursor belongs to its query");
        }
    });
}

#[test]
fn rule_19_without_a_count_the_hits_are_the_same_and_the_total_is_null() {
    everywhere(50, async |setup| {
        let mut request = SearchRequest::new("default", "message:*", NOW);
        (request.limit, request.count) = (5, CountMode::None);
        let answer = query::search(&setup.context, &setup.snapshot, &request).await.unwrap();
        assert_eq!(answer.total, None);
        assert_eq!(ids(&answer.hits), wanted(&setup.events, "message:*")[..5]);
    });
}

#[test]
fn rule_18_more_than_the_limit_is_refused_with_a_hint_to_export() {
    everywhere(3, async |setup| {
        let mut request = SearchRequest::new("default", "*", NOW);
        request.limit = 10_001;
        match query::search(&setup.context, &setup.snapshot, &request).await {
            Err(QueryError::BadQuery(bad)) => assert!(bad.hint.unwrap().contains("export")),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn rule_20_an_index_that_does_not_exist_yet_is_said_and_no_error() {
    everywhere(10, async |setup| {
        for (query, rows) in [("*", None), ("* | stats count", Some(1)), ("* | stats count by level", Some(0))] {
            let mut request = SearchRequest::new("default", query, NOW);
            request.scope.indexes = vec!["nowhere".into()];
            let answer = query::search(&setup.context, &setup.snapshot, &request).await.unwrap();
            assert_eq!((answer.total, answer.hits.len()), (Some(0), 0), "{query}");
            assert_eq!(answer.table.map(|table| table.rows.len()), rows, "{query}");
            assert!(answer.warnings.iter().any(|warning| warning.contains("nowhere")), "{query}");
        }
    });
}

#[test]
fn what_may_not_be_read_is_not_read() {
    everywhere(40, async |setup| {
        let grant = Grant { env: "default".into(), indexes: vec!["app-*".into()] };
        let context = QueryContext { access: Access::Grants(vec![grant]), ..setup.context.clone() };
        let request = SearchRequest { limit: 1000, ..SearchRequest::new("default", "*", NOW) };
        let answer = query::search(&context, &setup.snapshot, &request).await.unwrap();
        assert_eq!(ids(&answer.hits), wanted(&setup.events, "index:app-*"));
        let context = QueryContext { access: Access::Grants(vec![]), ..context };
        assert_eq!(query::search(&context, &setup.snapshot, &request).await.unwrap().total, Some(0));
    });
}

#[test]
fn a_stream_sends_the_hits_and_then_the_rest() {
    everywhere(50, async |setup| {
        for query in ["service:*", "service:* | sort -latency_ms", "* | stats count by level"] {
            let request = SearchRequest { limit: 9, ..SearchRequest::new("default", query, NOW) };
            let whole = query::search(&setup.context, &setup.snapshot, &request).await.unwrap();
            let (sender, mut receiver) = mpsc::channel(100);
            query::search_stream(&setup.context, &setup.snapshot, &request, sender).await.unwrap();
            let (mut hits, mut done) = (Vec::new(), None);
            while let Some(event) = receiver.recv().await {
                assert!(done.is_none(), "nothing comes after the end");
                match event {
                    SearchEvent::Progress(_) => {}
                    SearchEvent::Hits(more) => hits.extend(more),
                    SearchEvent::Done(answer) => done = Some(answer),
                }
            }
            let done = done.unwrap();
            assert_eq!(hits, whole.hits, "{query}");
            assert_eq!((done.total, done.table), (whole.total, whole.table), "{query}");
        }
    });
}

#[test]
fn a_histogram_counts_every_match_once() {
    everywhere(60, async |setup| {
        let request = HistogramRequest {
            query: "message:*".into(),
            scope: Scope { start: Some(FIRST_TIME), end: Some(FIRST_TIME + RANGE), ..scope() },
            interval: Some("10m".into()),
            by: Some("level".into()),
            zone: None,
            now: NOW,
        };
        let answer = query::histogram(&setup.context, &setup.snapshot, &request).await.unwrap();
        assert_eq!((answer.buckets.len(), answer.interval_ms), (6, 600_000));
        let ten_minutes = RANGE / 6;
        for (number, bucket) in answer.buckets.iter().enumerate() {
            let start = FIRST_TIME + number as i64 * ten_minutes;
            let inside = setup.events.iter().filter(|event| (start..start + ten_minutes).contains(&event.timestamp));
            assert_eq!((bucket.start, bucket.count), (start, inside.count() as u64));
        }
        assert_eq!(answer.total, setup.events.len() as u64);
    });
}

#[test]
fn the_values_of_a_field_are_counted_as_sent() {
    everywhere(60, async |setup| {
        let fields = vec!["service".to_owned(), "absent".to_owned()];
        let request = AggregateRequest { query: "*".into(), scope: scope(), fields, size: 3, now: NOW };
        let answer = query::aggregate(&setup.context, &setup.snapshot, &request).await.unwrap();
        let all = values(&setup.events, "service");
        let (name, terms) = &answer.fields[0];
        assert_eq!((name.as_str(), terms.len()), ("service", 3));
        assert!(terms.iter().all(|(value, count)| all[value] == *count), "{terms:?} {all:?}");
        assert_eq!(terms[0].1, *all.values().max().unwrap());
        assert_eq!(answer.fields[1], ("absent".to_owned(), vec![]));
    });
}

/// In how many events a field has each value.
fn values(events: &[Event], field: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        let mut own: Vec<&String> = Vec::new();
        for (_, values) in event.fields.iter().filter(|(name, _)| name == field) {
            own.extend(values);
        }
        own.sort();
        own.dedup();
        own.into_iter().for_each(|value| *counts.entry(value.clone()).or_default() += 1);
    }
    counts
}

#[test]
fn discovery_knows_every_field_and_how_many_events_have_it() {
    everywhere(60, async |setup| {
        let request = DiscoverRequest { query: "*".into(), scope: scope(), sample: None, top: 5, now: NOW };
        let answer = query::discover_fields(&setup.context, &setup.snapshot, &request).await.unwrap();
        assert_eq!((answer.total, answer.sampled), (60, None));
        let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
        for event in &setup.events {
            let mut names: Vec<String> = event.fields.iter().map(|(name, _)| name.to_lowercase()).collect();
            names.sort();
            names.dedup();
            names.into_iter().for_each(|name| *wanted.entry(name).or_default() += 1);
        }
        for field in answer.fields.iter().filter(|field| field.name != "source") {
            let events = wanted.remove(&field.name.to_lowercase()).unwrap_or_else(|| panic!("{}", field.name));
            assert!((field.coverage - events as f64 / 60.0).abs() < 1e-9, "{}", field.name);
            assert!(!field.distinct_capped && field.top.len() as u64 == field.distinct.min(5), "{}", field.name);
        }
        assert!(wanted.is_empty(), "{wanted:?}");
    });
}

#[test]
fn the_context_of_an_event_are_its_neighbours_of_the_same_index_and_source() {
    everywhere(60, async |setup| {
        let mut order: Vec<&Event> = setup.events.iter().collect();
        order.sort_by_key(|event| (event.timestamp, event.origin, event.sequence));
        for event in setup.events.iter().step_by(13) {
            let alike: Vec<String> = order
                .iter()
                .filter(|other| other.index == event.index && other.source == event.source)
                .map(|other| other.id())
                .collect();
            let place = alike.iter().position(|id| *id == event.id()).unwrap();
            let id = event.id().parse().unwrap();
            let request = ContextRequest { env: "default".into(), id, before: 3, after: 2 };
            let answer = query::context(&setup.context, &setup.snapshot, &request).await.unwrap();
            assert_eq!(answer.event.id, id);
            assert_eq!(ids(&answer.before), alike[place.saturating_sub(3)..place]);
            assert_eq!(ids(&answer.after), alike[place + 1..alike.len().min(place + 3)]);
        }
        let id = "00000000000000ff-1".parse().unwrap();
        let request = ContextRequest { env: "default".into(), id, before: 1, after: 1 };
        let missing = query::context(&setup.context, &setup.snapshot, &request).await;
        assert!(matches!(missing, Err(QueryError::NoSuchEvent { .. })));
    });
}

#[test]
fn an_export_sends_everything_in_order() {
    everywhere(60, async |setup| {
        for query in ["*", "level:error", "* | where status > 100 | eval x = 1", "* | sort latency_ms", "* | tail 7"] {
            let request = ExportRequest { query: query.into(), scope: scope(), sort: None, zone: None, now: NOW };
            let (sender, mut receiver) = mpsc::channel(1000);
            query::export(&setup.context, &setup.snapshot, &request, sender).await.unwrap();
            let mut hits = Vec::new();
            while let Some(part) = receiver.recv().await {
                match part {
                    ExportPart::Hits(more) => hits.extend(more),
                    ExportPart::Table(_) => panic!("{query} makes no table"),
                    ExportPart::Done { partial, .. } => assert!(!partial),
                }
            }
            assert_eq!(ids(&hits), wanted(&setup.events, query), "{query}");
        }
    });
}

#[test]
fn live_tail_shows_what_a_search_would() {
    everywhere(60, async |setup| {
        for query in ["level:error", "* | where status > 100 | fields service", "upstream failed"] {
            let filter = LiveFilter::new(query, scope(), Access::All, NOW).unwrap();
            let head = setup.snapshot.partitions.iter().flat_map(|part| part.head.iter().map(|rows| (&part.key, rows)));
            let mut hits: Vec<Hit> = head.flat_map(|(key, rows)| filter.hits(key, rows)).collect();
            hits.sort_by_key(|hit| std::cmp::Reverse((hit.timestamp, hit.id)));
            let request = SearchRequest { limit: 1000, ..SearchRequest::new("default", query, NOW) };
            let mut heads = setup.snapshot.clone();
            for partition in &mut heads.partitions {
                let key = partition.key.clone();
                let head = partition.head.clone();
                *partition = Arc::new(helios::engine::PartitionView {
                    key,
                    blocks: Arc::default(),
                    base_blocks: 0,
                    head,
                    lost: vec![],
                });
            }
            let answer = query::search(&setup.context, &heads, &request).await.unwrap();
            assert_eq!(hits, answer.hits, "{query}");
        }
        assert!(LiveFilter::new("* | sort a", scope(), Access::All, NOW).is_err());
        assert!(LiveFilter::new("* | stats count", scope(), Access::All, NOW).is_err());
    });
}

#[test]
fn a_query_over_its_memory_ends_with_a_clear_error() {
    everywhere(60, async |setup| {
        let limits = QueryLimits { memory_bytes: 4_000, ..QueryLimits::default() };
        let shared = Arc::new(QueryShared::new(host(), limits));
        let context = QueryContext { shared, ..setup.context.clone() };
        for query in ["* | stats values(message) by id", "* | sort message", "* | stats list(service) by service", "*"]
        {
            let request = SearchRequest::new("default", query, NOW);
            match query::search(&context, &setup.snapshot, &request).await {
                Err(error @ QueryError::TooMuchMemory { .. }) => {
                    assert!(error.to_string().contains("4000 bytes"), "{error}");
                }
                other => panic!("{query}: {other:?}"),
            }
        }
    });
}

#[test]
fn a_cancelled_query_ends_as_cancelled() {
    everywhere(60, async |setup| {
        let cancel = Cancel::default();
        cancel.cancel();
        let context = QueryContext { cancel, ..setup.context.clone() };
        for query in ["error", "* | stats count by level", "* | sort service"] {
            let request = SearchRequest::new("default", query, NOW);
            let outcome = query::search(&context, &setup.snapshot, &request).await;
            assert!(matches!(outcome, Err(QueryError::Cancelled)), "{query}");
        }
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        let request = SearchRequest::new("default", "*", NOW);
        let outcome = query::search_stream(&setup.context, &setup.snapshot, &request, sender).await;
        assert!(matches!(outcome, Err(QueryError::Cancelled)), "nobody listens");
    });
}
