//! `helios demo` as a newcomer meets it: the program itself, against a server.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::server::TestServer;

fn helios(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_helios")).args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_stored_whole_and_its_story_can_be_found() {
    let server = TestServer::start().await;
    let url = format!("http://{}", server.server.addr());
    let output = tokio::task::spawn_blocking(move || helios(&["demo", "--url", &url, "--bytes", "1000000"]));
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let stored: u64 = said.split(' ').next().unwrap().parse().unwrap();
    assert!(stored > 3_000 && said.contains("index shop"), "{said}");
    let total = async |query: &str| server.get("/api/search", &[("q", query), ("limit", "0")]).await["total"].clone();
    assert_eq!(total("index:shop").await, stored);
    assert_eq!(total("HARBOR-4127").await, 2);
    assert_eq!(total("service:deployer \"rollback started\"").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_answered_as_its_answers_say() {
    let server = TestServer::start().await;
    let (out, expect) = (server.folder.path().join("set.ndjson"), server.folder.path().join("set.json"));
    let paths = [out.to_str().unwrap(), expect.to_str().unwrap()];
    let size = ["demo", "--bytes", "2000000", "--seed", "6", "--end", "2026-01-31"];
    let output = helios(&[&size[..], &["--out", paths[0], "--expect", paths[1]]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected: Value = serde_json::from_slice(&std::fs::read(&expect).unwrap()).unwrap();
    let answer = server.ingest("set", std::fs::read(&out).unwrap()).await;
    assert_eq!((&answer["ingested"], &answer["errors"]), (&expected["lines"], &json!(0)));
    for name in ["needle", "phrase", "substring", "slow"] {
        let query = expected[name]["query"].as_str().unwrap();
        let total = server.get("/api/search", &[("q", query), ("limit", "0")]).await["total"].clone();
        assert_eq!(total, expected[name]["count"], "{query}");
    }
    let query = "http.status:>=500 | stats p95(latency_ms) by service";
    let table = server.get("/api/search", &[("q", query)]).await["table"]["rows"].clone();
    let rows = table.as_array().unwrap().iter().map(|row| (row[0].as_str().unwrap().to_owned(), row[1].clone()));
    assert_eq!(Value::Object(rows.collect()), expected["p95_latency_ms_from_500"]);
}

#[test]
fn a_set_needs_its_answers_its_size_and_a_day_that_exists() {
    let refused = [
        &["demo", "--out", "x"][..],
        &["demo", "--out", "x", "--expect", "y"],
        &["demo", "--expect", "y"],
        &["demo", "--out", "x", "--expect", "y", "--bytes", "1", "--end", "2026-02-30"],
        &["demo", "--end", "2026-02-01"],
    ];
    for arguments in refused {
        let output = helios(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
