//! Every reading route, with the events in the head, in blocks, and split between them.
//!
//! The oracle is the list of events that the test itself made, and a few lines of plain Rust.

use std::collections::BTreeMap;

use helios::cli::client::Client;
use serde_json::{Value, json};

use crate::server::{Changes, TestServer, patient};

/// Where the events are when they are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Head,
    Blocks,
    Split,
}

pub(crate) const PLACES: [Place; 3] = [Place::Head, Place::Blocks, Place::Split];

/// One event of the test.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) line: String,
    pub(crate) time: String,
    pub(crate) level: &'static str,
    pub(crate) latency: u64,
}

/// Events over two days, oldest first.
pub(crate) fn made() -> Vec<Made> {
    let make = |n: u64| {
        let time = format!("2026-06-{:02}T{:02}:{:02}:00Z", 14 + n / 60, (n % 60) / 3, (n % 3) * 20);
        let level = ["info", "info", "warn", "error"][(n % 4) as usize];
        let latency = (n * 37) % 101;
        let line = format!(
            "{{\"ts\":\"{time}\",  \"level\":\"{level}\",\"latency_ms\":{latency},\"msg\":\"request {n} done\",\"source\":\"s{}\"}}",
            n % 2
        );
        Made { line, time, level, latency }
    };
    (0..120).map(make).collect()
}

pub(crate) async fn filled(place: Place) -> TestServer {
    let server = TestServer::with(Changes { engine: patient(), ..Changes::default() }).await;
    let lines: Vec<String> = made().iter().map(|made| format!("{}\n", made.line)).collect();
    // Not in the order of time: the second half is sent first.
    let (first, second) = lines.split_at(lines.len() / 2);
    server.ingest("app", second.concat()).await;
    if matches!(place, Place::Split) {
        assert!(server.engine.flush_now().await);
    }
    server.ingest("app", first.concat()).await;
    if matches!(place, Place::Blocks) {
        assert!(server.engine.flush_now().await);
    }
    let stats = server.get("/api/stats", &[]).await;
    let expected_in_head = match place {
        Place::Head => 120,
        Place::Blocks => 0,
        Place::Split => 60,
    };
    assert_eq!((&stats["events"], &stats["head_events"]), (&json!(120), &json!(expected_in_head)), "{place:?}");
    server
}

fn raws(hits: &Value) -> Vec<String> {
    hits.as_array().unwrap().iter().map(|hit| hit["raw"].as_str().unwrap().to_owned()).collect()
}

/// The lines that fit, newest first.
fn expected(fits: impl Fn(&Made) -> bool) -> Vec<String> {
    made().into_iter().rev().filter(|made| fits(made)).map(|made| made.line).collect()
}

#[tokio::test]
async fn search_finds_what_fits_newest_first_byte_for_byte() {
    for place in PLACES {
        let server = filled(place).await;
        let all = server.get("/api/search", &[("limit", "1000")]).await;
        assert_eq!(raws(&all["hits"]), expected(|_| true), "{place:?}");
        let errors = server.get("/api/search", &[("q", "level:ERROR latency_ms:>50"), ("limit", "1000")]).await;
        let wanted = expected(|made| made.level == "error" && made.latency > 50);
        assert_eq!(raws(&errors["hits"]), wanted, "{place:?}");
        assert_eq!(errors["total"], wanted.len(), "{place:?}");
        let counted = server.get("/api/search", &[("q", "warn"), ("limit", "0")]).await;
        assert_eq!((&counted["total"], &counted["hits"]), (&json!(30), &json!([])), "{place:?}");
        let range = [("start", "2026-06-14T05:00:00Z"), ("end", "2026-06-14T06:00:00Z")];
        let hour = server.get("/api/search", &range).await;
        let inside = expected(|made| ("2026-06-14T05".."2026-06-14T06").contains(&made.time.as_str()));
        assert_eq!(raws(&hour["hits"]), inside, "{place:?}: start is inclusive, end exclusive");
    }
}

#[tokio::test]
async fn a_cursor_walks_through_everything_once_although_data_arrives() {
    for place in PLACES {
        let server = filled(place).await;
        let (mut cursor, mut walked) = (String::new(), Vec::new());
        loop {
            let page = server.get("/api/search", &[("limit", "50"), ("cursor", &cursor)]).await;
            walked.extend(raws(&page["hits"]));
            server.ingest("app", "{\"ts\":\"2026-07-01T00:00:00Z\"}\n").await;
            match page["cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(walked, expected(|_| true), "{place:?}");
    }
}

#[tokio::test]
async fn a_table_counts_what_the_events_say() {
    let mut by_level: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for made in made() {
        let (count, sum) = by_level.entry(made.level).or_default();
        *count += 1;
        *sum += made.latency;
    }
    for place in PLACES {
        let server = filled(place).await;
        let answer = server.get("/api/search", &[("q", "* | stats count, sum(latency_ms) as s by level")]).await;
        assert_eq!(answer["table"]["columns"], json!(["level", "count", "s"]), "{place:?}");
        let rows = answer["table"]["rows"].as_array().unwrap();
        let found: BTreeMap<&str, (u64, u64)> = rows
            .iter()
            .map(|row| (row[0].as_str().unwrap(), (row[1].as_u64().unwrap(), row[2].as_u64().unwrap())))
            .collect();
        assert_eq!(found, by_level, "{place:?}");
        assert_eq!(answer["hits"], json!([]), "{place:?}");
    }
}

#[tokio::test]
async fn a_streamed_search_ends_with_the_same_answer() {
    for place in PLACES {
        let server = filled(place).await;
        let params = [("q", "level:error"), ("limit", "1000")];
        let text = server.text("/api/search/stream", &params).await;
        let events: Vec<(&str, Value)> = text
            .split_terminator("\n\n")
            .map(|event| {
                let (name, data) = event.split_once('\n').unwrap();
                let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                (name.strip_prefix("event: ").unwrap(), data)
            })
            .collect();
        let named =
            |wanted: &str| events.iter().filter(|(name, _)| *name == wanted).map(|(_, data)| data).collect::<Vec<_>>();
        let (hits, done) = (named("hits"), named("done"));
        assert_eq!((hits.len(), done.len()), (1, 1), "{place:?}: {text}");
        assert_eq!(events.last().unwrap().0, "done");
        assert_eq!(raws(hits[0]), expected(|made| made.level == "error"), "{place:?}");
        assert_eq!(done[0]["total"], 30, "{place:?}");
    }
}

#[tokio::test]
async fn a_streamed_search_that_cannot_be_read_is_an_ordinary_400() {
    let server = TestServer::start().await;
    for path in ["/api/search/stream", "/api/export", "/api/tail", "/api/search"] {
        let (status, error) = server.refusal(path, &[("q", "level:(a")]).await;
        assert_eq!((status, error["code"].as_str()), (400, Some("bad_query")), "{path}");
        assert!(error["column"].as_u64().is_some() && error["length"].as_u64().is_some(), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_histogram_counts_every_event_in_its_bucket() {
    for place in PLACES {
        let server = filled(place).await;
        let answer = server.get("/api/histogram", &[("interval", "1h"), ("by", "level")]).await;
        let buckets = answer["buckets"].as_array().unwrap();
        let counted: BTreeMap<String, u64> = buckets
            .iter()
            .filter(|bucket| bucket["count"] != 0)
            .map(|bucket| (bucket["t"].as_str().unwrap()[..13].to_owned(), bucket["count"].as_u64().unwrap()))
            .collect();
        let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
        made().iter().for_each(|made| *wanted.entry(made.time[..13].to_owned()).or_default() += 1);
        assert_eq!(counted, wanted, "{place:?}");
        assert_eq!((&answer["total"], &answer["interval_ms"]), (&json!(120), &json!(3_600_000)), "{place:?}");
        let errors: u64 = buckets.iter().filter_map(|bucket| bucket["by"]["error"].as_u64()).sum();
        assert_eq!(errors, 30, "{place:?}");
    }
}

#[tokio::test]
async fn aggregates_and_discovery_are_exact() {
    for place in PLACES {
        let server = filled(place).await;
        let terms = server.get("/api/aggregate", &[("fields", "level"), ("size", "2")]).await;
        assert_eq!(terms["fields"]["level"], json!([["info", 60], ["error", 30]]), "{place:?}");
        let found = server.get("/api/discover_fields", &[("top", "5")]).await;
        assert_eq!((&found["sampled"], &found["total"]), (&json!(false), &json!(120)), "{place:?}");
        let fields = found["fields"].as_array().unwrap();
        let level = fields.iter().find(|field| field["name"] == "level").unwrap();
        assert_eq!((&level["distinct"], &level["coverage"]), (&json!(3), &json!(1.0)), "{place:?}");
        assert_eq!(level["top"][0], json!(["info", 60]), "{place:?}");
        let latency = fields.iter().find(|field| field["name"] == "latency_ms").unwrap();
        assert_eq!(latency["kind"], "number", "{place:?}");
    }
}

#[tokio::test]
async fn an_export_holds_everything_in_both_formats() {
    for place in PLACES {
        let server = filled(place).await;
        let lines = server.text("/api/export", &[]).await;
        let found: Vec<String> = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["raw"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(found, expected(|_| true), "{place:?}");
        let params = [("q", "level:warn"), ("format", "csv"), ("fields", "timestamp,latency_ms,raw")];
        let csv_text = server.text("/api/export", &params).await;
        let mut reader = csv::Reader::from_reader(csv_text.as_bytes());
        assert_eq!(reader.headers().unwrap(), &["timestamp", "latency_ms", "raw"][..]);
        let raws: Vec<String> = reader.records().map(|record| record.unwrap()[2].to_owned()).collect();
        assert_eq!(raws, expected(|made| made.level == "warn"), "{place:?}");
        let table = server.text("/api/export", &[("q", "* | stats count by level")]).await;
        let mut rows: Vec<&str> = table.lines().collect();
        rows.sort_unstable();
        let wanted =
            [r#"{"level":"error","count":30}"#, r#"{"level":"info","count":60}"#, r#"{"level":"warn","count":30}"#];
        assert_eq!(rows, wanted, "{place:?}");
    }
}

#[tokio::test]
async fn context_gives_the_neighbours_of_the_same_source() {
    for place in PLACES {
        let server = filled(place).await;
        let middle = server.get("/api/search", &[("q", "message:\"request 60 done\"")]).await;
        let id = middle["hits"][0]["id"].as_str().unwrap();
        let answer = server.get("/api/context", &[("id", id), ("before", "2"), ("after", "2")]).await;
        let around = |hits: &Value| -> Vec<String> {
            let messages = hits.as_array().unwrap().iter().map(|hit| hit["message"].as_str().unwrap().to_owned());
            messages.collect()
        };
        assert_eq!(around(&answer["before"]), ["request 56 done", "request 58 done"], "{place:?}");
        assert_eq!(around(&answer["after"]), ["request 62 done", "request 64 done"], "{place:?}");
        assert_eq!(answer["event"]["id"], id, "{place:?}");
        let all = server.get("/api/context", &[("id", id), ("before", "1000"), ("after", "1000")]).await;
        let lengths = ["before", "after"].map(|side| all[side].as_array().unwrap().len());
        assert_eq!(lengths, [30, 29], "{place:?}: fewer neighbours than asked for end the search");
        let (status, error) = server.refusal("/api/context", &[("id", "00000000000000ff-1")]).await;
        assert_eq!((status, error["code"].as_str()), (404, Some("no_such_event")));
    }
}

#[tokio::test]
async fn tail_gives_what_arrives_and_fits_and_nothing_old() {
    for place in PLACES {
        let server = filled(place).await;
        let mut client = server.client();
        let mut body = client.get("/api/tail", &[("q", "level:error")]).await.unwrap().into_body();
        // The first piece is the comment that says that the server follows now.
        assert_eq!(client.next(&mut body).await.unwrap().unwrap(), ": alive\n\n");
        let lines = "{\"level\":\"info\",\"n\":1}\n{\"level\":\"error\",\"n\":2}\n{\"level\":\"error\",\"n\":3}\n";
        server.ingest("app", lines).await;
        let text = read_until(&client, &mut body, "\"n\\\":3").await;
        assert!(text.starts_with("event: hit\ndata: ") && text.contains("\"n\\\":2"), "{place:?}: {text}");
        assert!(!text.contains("\"n\\\":1") && !text.contains("request"), "{place:?}: {text}");
    }
}

async fn read_until(client: &Client, body: &mut hyper::body::Incoming, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let piece = client.next(body).await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    text
}

#[tokio::test]
async fn indexes_envs_and_stats_say_what_is_there() {
    for place in PLACES {
        let server = filled(place).await;
        let indexes = server.get("/api/indexes", &[]).await;
        let app = &indexes["indexes"][0];
        assert_eq!((&app["index"], &app["events"], &app["partitions"]), (&json!("app"), &json!(120), &json!(2)));
        assert_eq!((&app["first"], &app["last"]), (&json!("2026-06-14T00:00:00Z"), &json!("2026-06-15T19:40:00Z")));
        let envs = server.get("/api/envs", &[]).await;
        assert_eq!(envs["envs"], json!([{"name": "default", "indexes": 1, "events": 120}]));
        let metrics = server.text("/metrics", &[]).await;
        assert!(metrics.contains("\nhelios_events 120\n"), "{metrics}");
    }
}

#[tokio::test]
async fn an_unknown_index_is_no_error_but_a_warning() {
    let server = filled(Place::Head).await;
    let answer = server.get("/api/search", &[("index", "nothere")]).await;
    assert_eq!((&answer["total"], &answer["hits"]), (&json!(0), &json!([])));
    assert!(answer["warnings"].to_string().contains("nothere"), "{answer}");
}

#[tokio::test]
async fn completion_offers_stages_fields_and_values() {
    for place in PLACES {
        let server = filled(place).await;
        let texts = |answer: Value| -> Vec<String> {
            let items = answer["items"].as_array().unwrap().iter();
            items.map(|item| item["text"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(texts(server.get("/api/complete", &[("q", "* | sta")]).await), ["stats"]);
        assert_eq!(texts(server.get("/api/complete", &[("q", "lev")]).await), ["level:"], "{place:?}");
        let answer = server.get("/api/complete", &[("q", "level:e x"), ("cursor", "7")]).await;
        assert_eq!((&answer["from"], &answer["to"]), (&json!(6), &json!(7)));
        assert_eq!(texts(answer), ["error"], "{place:?}");
        assert_eq!(texts(server.get("/api/complete", &[("q", "index:a")]).await), ["app"]);
    }
}
