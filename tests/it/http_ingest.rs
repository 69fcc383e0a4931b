//! What the ingest endpoints promise, on the wire.

use std::io::Write as _;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue};
use helios::cli::client::ClientError;
use helios::engine::Settings;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::server::{Changes, TestServer, patient};

async fn events(server: &TestServer) -> u64 {
    server.get("/api/stats", &[]).await["events"].as_u64().unwrap()
}

async fn post(
    server: &TestServer,
    path: &str,
    params: &[(&str, &str)],
    headers: &[(&'static str, &'static str)],
    body: impl Into<Bytes>,
) -> Result<Value, (u16, Value)> {
    let mut map = HeaderMap::new();
    headers.iter().for_each(|(name, value)| drop(map.insert(*name, HeaderValue::from_static(value))));
    match server.client().post(path, params, map, body.into()).await {
        Ok(answer) => Ok(answer),
        Err(ClientError::Refused { status, body, .. }) => Err((status.as_u16(), body)),
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn an_answer_counts_events_errors_and_blanks_and_names_the_partitions() {
    let server = TestServer::start().await;
    let body = "{\"ts\":\"2026-06-14T10:00:00Z\",\"msg\":\"a\"}\nnot json\n\n[1]\n{\"ts\":\"2026-06-15T10:00:00Z\"}";
    let answer = server.ingest("App", body).await;
    assert_eq!((&answer["ingested"], &answer["errors"], &answer["blank"]), (&json!(2), &json!(2), &json!(1)));
    assert_eq!(answer["partitions"], json!(["app/2026-06-14", "app/2026-06-15"]));
    assert_eq!(answer["durability"], "local");
    let lines: Vec<u64> =
        answer["error_details"].as_array().unwrap().iter().map(|detail| detail["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 4]);
    assert_eq!(events(&server).await, 2);
}

#[tokio::test]
async fn text_lines_are_messages() {
    let server = TestServer::start().await;
    let answer =
        post(&server, "/api/ingest/raw", &[("source", "x.log"), ("format", "text")], &[], "one\n\ntwo\r\n").await;
    assert_eq!(answer.unwrap()["ingested"], 2);
    assert_eq!(events(&server).await, 2);
}

#[tokio::test]
async fn the_query_wins_over_the_headers_and_templates_fill_in() {
    let server = TestServer::start().await;
    let headers = [("x-helios-index", "from-header")];
    let line = "{\"ts\":\"2026-06-14T10:00:00Z\",\"service\":\"Web Shop\"}";
    let partitions =
        |answer: Result<Value, (u16, Value)>| answer.unwrap()["partitions"][0].as_str().unwrap().to_owned();
    assert_eq!(partitions(post(&server, "/api/ingest", &[], &headers, line).await), "from-header/2026-06-14");
    let by_query = post(&server, "/api/ingest", &[("index", "q")], &headers, line).await;
    assert_eq!(partitions(by_query), "q/2026-06-14");
    let template = post(&server, "/api/ingest", &[("index", "app-{{service}}")], &[], line).await;
    assert_eq!(partitions(template), "app-web-shop/2026-06-14");
    let missing = post(&server, "/api/ingest", &[("index", "app-{{none}}")], &[], line).await;
    assert_eq!(partitions(missing), "app-unknown/2026-06-14");
}

#[tokio::test]
async fn what_is_no_target_is_refused_before_anything_is_stored() {
    let server = TestServer::start().await;
    for (params, code) in [
        ([("index", "../x")], "bad_index"),
        ([("index", "%2e%2e")], "bad_index"),
        ([("index", "_system")], "bad_index"),
        ([("index", "")], "bad_index"),
        ([("env", "other")], "unknown_env"),
        ([("ack", "shared")], "bad_parameter"),
        ([("format", "csv")], "bad_parameter"),
    ] {
        let path = if params[0].0 == "format" { "/api/ingest/raw" } else { "/api/ingest" };
        match post(&server, path, &params, &[], "{\"a\":1}").await {
            Err((400, body)) => assert_eq!(body["error"]["code"], code, "{params:?}"),
            // `%2e%2e` is no path here: it is a name whose odd characters become dashes.
            Ok(answer) if params[0].1 == "%2e%2e" => assert_eq!(answer["ingested"], 1),
            other => panic!("{params:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn every_content_encoding_is_read() {
    let server = TestServer::start().await;
    let text = b"{\"a\":1}\n{\"a\":2}\n";
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let deflate = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::encode_all(&text[..], 1).unwrap();
    let snappy = snap::raw::Encoder::new().compress_vec(text).unwrap();
    for (name, body) in
        [("gzip", gzip), ("deflate", deflate), ("zstd", zstd), ("snappy", snappy), ("identity", text.to_vec())]
    {
        let answer = post(&server, "/api/ingest", &[], &[("content-encoding", name)], body).await;
        assert_eq!(answer.unwrap()["ingested"], 2, "{name}");
    }
    let (status, body) = post(&server, "/api/ingest", &[], &[("content-encoding", "br")], &b"x"[..]).await.unwrap_err();
    assert_eq!((status, &body["error"]["code"]), (415, &json!("unknown_encoding")));
    let (status, body) =
        post(&server, "/api/ingest", &[], &[("content-encoding", "gzip")], &b"x"[..]).await.unwrap_err();
    assert_eq!((status, &body["error"]["code"], &body["ingested"]), (400, &json!("bad_encoding"), &json!(0)));
}

#[tokio::test]
async fn a_bomb_is_refused_and_says_what_was_kept() {
    let server = TestServer::start().await;
    // 1.5 GiB of one line over and over, as zstd makes it: a few hundred KiB on the wire.
    let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(900_000));
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..1_700 {
        encoder.write_all(line.as_bytes()).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 4 << 20, "{}", bomb.len());
    let (status, body) = post(&server, "/api/ingest", &[], &[("content-encoding", "zstd")], bomb).await.unwrap_err();
    assert_eq!((status, &body["error"]["code"]), (413, &json!("too_large")), "{body}");
    let kept = body["ingested"].as_u64().unwrap();
    assert_eq!(events(&server).await, kept, "the answer says what was kept");
    assert_eq!(body["first_unread_line"].as_u64().unwrap(), kept + 1);
}

#[tokio::test]
async fn a_long_line_is_an_error_of_its_own() {
    let server = TestServer::start().await;
    let long = format!("{{\"a\":1}}\n{{\"a\":\"{}\"}}\n{{\"a\":3}}\n", "x".repeat(3 << 20));
    let answer = server.ingest("app", long).await;
    assert_eq!((&answer["ingested"], &answer["errors"]), (&json!(2), &json!(1)), "{answer}");
    assert_eq!(answer["error_details"][0]["line"], 2);
    assert!(answer["error_details"][0]["reason"].as_str().unwrap().contains("1048576 bytes"));
}

#[tokio::test]
async fn many_records_of_one_body_keep_their_order_and_line_numbers() {
    let server = TestServer::start().await;
    // 30 MB: several records, a bad line deep in the last.
    let mut body: Vec<u8> = Vec::new();
    for n in 0..30_000 {
        body.extend(format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "p".repeat(1_000)).into_bytes());
    }
    body.extend(b"bad\n");
    let answer = server.ingest("app", body).await;
    assert_eq!((&answer["ingested"], &answer["errors"]), (&json!(30_000), &json!(1)));
    assert_eq!(answer["error_details"][0]["line"], 30_001);
}

#[tokio::test]
async fn a_full_queue_is_429_with_retry_after_and_heals_by_itself() {
    let engine = Settings { queue_bytes: 8 << 10, queue_wait: Duration::from_millis(10), ..patient() };
    let server = TestServer::with(Changes { engine, ..Changes::default() }).await;
    let line = format!("{{\"a\":\"{}\"}}\n", "x".repeat(2_000));
    // A request that has room for all of the queue and sends nothing.
    let mut greedy = server.host.net.connect(server.server.addr()).await.unwrap();
    let head = "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8192\r\n\r\n";
    greedy.write_all(head.as_bytes()).await.unwrap();
    let (status, body, retry_after) = loop {
        let sent = server.client().post("/api/ingest", &[], HeaderMap::new(), Bytes::from(line.clone())).await;
        if let Err(ClientError::Refused { status, body, retry_after_secs, .. }) = sent {
            break (status.as_u16(), body, retry_after_secs);
        }
    };
    assert_eq!((status, &body["error"]["code"]), (429, &json!("busy")));
    assert_eq!((&body["ingested"], &body["first_unread_line"]), (&json!(0), &json!(1)));
    assert!(retry_after.is_some_and(|seconds| seconds > 0));
    drop(greedy);
    while post(&server, "/api/ingest", &[], &[], line.clone()).await.is_err() {}
}

#[tokio::test]
async fn a_stopping_server_answers_503_and_keeps_what_it_acknowledged() {
    let server = TestServer::start().await;
    assert_eq!(server.ingest("app", "{\"a\":1}").await["ingested"], 1);
    server.engine.close().await;
    let (status, body) = post(&server, "/api/ingest", &[], &[], "{\"a\":2}").await.unwrap_err();
    assert_eq!((status, &body["ingested"], &body["first_unread_line"]), (503, &json!(0), &json!(1)));
    assert!(body["error"]["code"].as_str().unwrap().starts_with("stop"), "{body}");
    assert_eq!(server.refusal("/readyz", &[]).await.0, 503);
    let folder = server.stop().await;
    let again = TestServer::open(folder, Changes { engine: patient(), ..Changes::default() }).await;
    assert_eq!(events(&again).await, 1);
}

#[tokio::test]
async fn a_body_that_is_cut_stores_no_half_line() {
    let server = TestServer::start().await;
    let head = "POST /api/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n";
    server.raw_and_hang_up(&format!("{head}{{\"a\":1}}\n{{\"a\":")).await;
    assert_eq!(server.ingest("app", "{\"a\":2}").await["ingested"], 1);
    assert_eq!(events(&server).await, 1);
}

#[tokio::test]
async fn what_this_version_leaves_aside_is_said() {
    let server = TestServer::start().await;
    let answer = post(&server, "/api/ingest", &[("indx", "a")], &[("x-helios-batch-id", "1")], "{}").await.unwrap();
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("did you mean `index`?") && warnings.contains("X-Helios-Batch-Id"), "{warnings}");
}
