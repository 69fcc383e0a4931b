//! Answers from what earlier queries left behind against answers from reading everything again.

use std::sync::Arc;

use helios::engine::{Engine, Settings, Snapshot};
use helios::host::UnixNanos;
use helios::ingest::Replay;
use helios::query::{
    Access, Cancel, QueryContext, QueryLimits, QueryShared, Scope, SearchAnswer, SearchRequest, search,
};

use super::oracle::generate::{self, FIRST_TIME, RANGE, Rng};
use super::query_oracle::{block_on, host, ingest};

/// What an answer says, without how it was found.
fn said(answer: SearchAnswer) -> SearchAnswer {
    SearchAnswer { took_ms: 0, stats: Default::default(), ..answer }
}

fn context(cache_bytes: u64) -> QueryContext {
    let limits = QueryLimits { cache_bytes, ..QueryLimits::default() };
    let shared = Arc::new(QueryShared::new(host(), limits));
    QueryContext { shared, access: Access::All, cancel: Cancel::default() }
}

/// Queries that are asked again and again while the data changes.
fn queries(rng: &mut Rng) -> Vec<(String, Scope)> {
    let mut queries: Vec<String> = (0..QUERIES).map(|_| generate::query(rng)).collect();
    for stage in [
        "top 3 path",
        "rare service",
        "stats count by level",
        "stats count, dc(path), avg(latency_ms) by service",
        "stats p95(latency_ms), values(level), mode(service)",
        "timechart span=1h count",
        "timechart span=2h count by service",
    ] {
        queries.push(format!("* | {stage}"));
        queries.push(format!("{} | {stage}", generate::filter(rng, 2)));
    }
    let scoped = queries.into_iter().map(|query| {
        let mut scope = Scope { env: "default".into(), ..Scope::default() };
        if rng.one_in(3) {
            scope.start = Some(FIRST_TIME + rng.below(RANGE as usize) as i64);
        }
        if rng.one_in(3) {
            scope.end = Some(FIRST_TIME + rng.below(RANGE as usize) as i64);
        }
        (query, scope)
    });
    scoped.collect()
}

async fn ask(context: &QueryContext, snapshot: &Snapshot, query: &str, scope: &Scope) -> Result<SearchAnswer, String> {
    let mut asked = SearchRequest::new("default", query, UnixNanos(FIRST_TIME + RANGE));
    asked.scope = scope.clone();
    asked.limit = 10_000;
    search(context, snapshot, &asked).await.map(said).map_err(|error| error.to_string())
}

/// Data comes, is flushed, compacted and deleted; after each step all queries are asked of a server that
/// remembers and of one that remembers nothing.
fn check(seed: u64, cache_bytes: u64) {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let mut rng = Rng::new(seed);
        let queries = queries(&mut rng);
        let settings = Settings { retention_days: Some(1), ..Settings::default() };
        let engine = Engine::open(host(), root.path().to_path_buf(), settings, Arc::new(Replay)).await.unwrap();
        let (remembering, forgetful) = (context(cache_bytes), context(0));
        let mut used = 0;
        for step in 0..STEPS {
            ingest(&engine, &mut generate::events(&mut rng, EVENTS)).await;
            match step % 4 {
                0 => drop(engine.flush_now().await),
                1 => {}
                2 => {
                    engine.flush_now().await;
                    engine.compact_now().await;
                }
                _ => drop(engine.flush_now().await),
            }
            if step == STEPS - 1 {
                engine.sweep_now().await;
            }
            let snapshot = engine.snapshot(|_| true);
            for (query, scope) in &queries {
                let wanted = ask(&forgetful, &snapshot, query, scope).await;
                for time in ["first", "again"] {
                    let got = ask(&remembering, &snapshot, query, scope).await;
                    assert_eq!(got, wanted, "seed {seed} step {step} {time} `{query}` {scope:?}");
                }
            }
            used = used.max(remembering.shared.cache_used_bytes());
            assert_eq!(forgetful.shared.cache_used_bytes(), 0);
        }
        assert!(used > 0 && used <= cache_bytes, "{used}");
        engine.close().await;
    });
}

#[test]
fn what_is_remembered_changes_no_answer_while_data_comes_and_goes() {
    (0..SEEDS).for_each(|seed| check(seed, 64 << 20));
}

#[test]
fn what_is_forgotten_for_want_of_room_changes_no_answer() {
    (0..SEEDS).for_each(|seed| check(100 + seed, 100_000));
}

#[test]
fn an_explained_answer_says_for_every_group_what_became_of_it() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let mut rng = Rng::new(7);
        let engine =
            Engine::open(host(), root.path().to_path_buf(), Settings::default(), Arc::new(Replay)).await.unwrap();
        for _ in 0..3 {
            ingest(&engine, &mut generate::events(&mut rng, EVENTS)).await;
            engine.flush_now().await;
        }
        let (snapshot, context) = (engine.snapshot(|_| true), context(64 << 20));
        for query in ["*", "level:error", "nowhere_at_all:x", "level:* | stats count by level", "* | top 2 level"] {
            for time in ["first", "again"] {
                let mut request = SearchRequest::new("default", query, UnixNanos(FIRST_TIME + RANGE));
                request.scope.start = Some(FIRST_TIME);
                let plain = search(&context, &snapshot, &request).await.unwrap();
                assert_eq!(plain.stats.explain, None);
                request.explain = true;
                let told = search(&context, &snapshot, &request).await.unwrap();
                let explain = told.stats.explain.unwrap();
                let parts = [
                    explain.groups_out_of_time,
                    explain.groups_known_empty,
                    explain.groups_known,
                    explain.groups_ruled_out,
                    explain.groups_scanned,
                ];
                assert_eq!(parts.iter().sum::<u64>(), explain.groups, "{time} {query}: {explain:?}");
                assert!(explain.groups > 0 || explain.blocks_out_of_partition + explain.blocks_out_of_time > 0);
                assert_eq!(explain.rows_matched, told.total.unwrap(), "{time} {query}");
            }
        }
        engine.close().await;
    });
}

#[test]
fn events_that_were_shown_a_moment_ago_are_shown_again_without_reading_anything() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let engine =
            Engine::open(host(), root.path().to_path_buf(), Settings::default(), Arc::new(Replay)).await.unwrap();
        ingest(&engine, &mut generate::events(&mut Rng::new(8), 2_000)).await;
        engine.flush_now().await;
        let (snapshot, context) = (engine.snapshot(|_| true), context(64 << 20));
        let mut request = SearchRequest::new("default", "*", UnixNanos(FIRST_TIME + RANGE));
        (request.scope.start, request.limit, request.explain) = (Some(FIRST_TIME), 3, true);
        // One group: of several, one whose rows are too old to be shown is left out only if a newer one was ready before.
        request.scope.indexes = vec!["app-web".into()];
        let first = search(&context, &snapshot, &request).await.unwrap();
        let again = search(&context, &snapshot, &request).await.unwrap();
        let read = |answer: &SearchAnswer| answer.stats.explain.as_ref().unwrap().parts_read;
        assert_eq!(first.stats.explain.as_ref().unwrap().groups_scanned, 1, "{:?}", first.stats);
        assert!(read(&first) > 0, "{:?}", first.stats);
        assert_eq!(read(&again), 0, "{:?}", again.stats);
        assert_eq!((first.hits.len(), &first.hits), (3, &again.hits));
        engine.close().await;
    });
}

const SEEDS: u64 = 3;
/// Queries that are asked in each round, beside the fixed ones.
const QUERIES: usize = 60;
/// Rounds of data.
const STEPS: usize = 7;
/// Events of a round.
const EVENTS: usize = 40;
