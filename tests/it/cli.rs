//! The commands, run as a user runs them.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::http_reads::{PLACES, filled, made};
use crate::server::TestServer;

fn helios(args: &[&str]) -> Output {
    run(args, b"")
}

fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_helios"))
        .args(args)
        .env_remove("HELIOS_URL")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The test's server runs on this thread's runtime: the command must not block it.
async fn against(server: &TestServer, args: &[&str], input: &[u8]) -> Output {
    let url = format!("http://{}", server.server.addr());
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).chain(["--url".to_owned(), url]).collect();
    let input = input.to_vec();
    let job = move || run(&args.iter().map(String::as_str).collect::<Vec<_>>(), &input);
    tokio::task::spawn_blocking(job).await.unwrap()
}

#[tokio::test]
async fn search_prints_ndjson_in_a_pipe_with_digits_as_sent() {
    let server = TestServer::start().await;
    server.ingest("app", "{\"n\":1.50}\n").await;
    let output = against(&server, &["search", "n:1.5"], b"").await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("\"fields\":{\"n\":1.50,"), "{}", text(&output.stdout));
    let csv = against(&server, &["search", "* | stats count", "--format", "csv"], b"").await;
    assert_eq!(text(&csv.stdout), "count\n1\n");
    let table = against(&server, &["search", "* | stats count by n", "--format", "table"], b"").await;
    assert_eq!(text(&table.stdout), "n     count\n1.50      1\n");
}

#[tokio::test]
async fn a_data_directory_is_searched_and_verified_without_a_server() {
    for place in PLACES {
        let server = filled(place).await;
        let held = server.folder.path().join("data");
        let args = ["search", "level:error", "--limit", "1000", "--data-dir", held.to_str().unwrap()];
        let busy = helios(&args);
        assert_eq!(busy.status.code(), Some(1));
        assert!(text(&busy.stderr).contains("in use by another helios process"), "{}", text(&busy.stderr));
        // A copy made while the server runs is what a kill leaves: the head is in the log only.
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let copied = Command::new("cp").arg("-r").args([&held, &data]).status().unwrap();
        assert!(copied.success());
        let args = ["search", "level:error", "--limit", "1000", "--data-dir", data.to_str().unwrap()];
        let output = helios(&args);
        assert!(output.status.success(), "{place:?}: {}", text(&output.stderr));
        let raws: Vec<String> = text(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["raw"].as_str().unwrap().to_owned())
            .collect();
        let wanted: Vec<String> =
            made().into_iter().rev().filter(|made| made.level == "error").map(|made| made.line).collect();
        assert_eq!(raws, wanted, "{place:?}");
        let verified = helios(&["verify", "--data-dir", data.to_str().unwrap()]);
        assert!(verified.status.success(), "{place:?}: {}{}", text(&verified.stdout), text(&verified.stderr));
    }
}

#[tokio::test]
async fn files_are_ingested_whatever_they_are() {
    let server = TestServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("app.log");
    std::fs::write(&plain, "one\n\ntwo\n").unwrap();
    let json = folder.path().join("app.ndjson.zst");
    std::fs::write(&json, zstd::encode_all(&b"{\"a\":1}\nbad\n{\"a\":2}\n"[..], 1).unwrap()).unwrap();
    let good = against(&server, &["ingest", plain.to_str().unwrap()], b"").await;
    assert!(good.status.success(), "{}", text(&good.stderr));
    assert!(text(&good.stderr).contains("2 events stored, 1 blank lines"), "{}", text(&good.stderr));
    let part = against(&server, &["ingest", json.to_str().unwrap()], b"").await;
    assert_eq!(part.status.code(), Some(4));
    assert!(text(&part.stderr).contains("app.ndjson.zst:2: "), "{}", text(&part.stderr));
    let piped = against(&server, &["ingest", "-"], b"{\"a\":3}\n").await;
    assert!(piped.status.success(), "{}", text(&piped.stderr));
    assert_eq!(server.get("/api/stats", &[]).await["events"], 5);
}

#[test]
fn without_a_server_the_message_says_what_to_do() {
    // Port 1 is nobody's.
    let output = helios(&["search", "x", "--url", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(3));
    let message = text(&output.stderr);
    assert!(message.contains("no server answers at 127.0.0.1:1") && message.contains("helios serve"), "{message}");
    assert_eq!(message.lines().count(), 1);
}

#[test]
fn beyond_loopback_the_server_refuses_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = helios(&["serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--insecure-no-auth"), "{}", text(&output.stderr));
    assert!(!data.exists(), "nothing was made");
}

#[test]
fn a_bad_setting_stops_the_start() {
    let output = helios(&["serve", "--port", "http"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("flag --port: `http` is not valid"), "{}", text(&output.stderr));
}

#[test]
fn a_signal_drains_and_flushes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_helios"))
        .args(["serve", "--port", "0", "--data-dir", data, "--log", "info"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let url = lines
        .find_map(|line| {
            line.unwrap().split_once("on http://").map(|(_, rest)| rest.split(',').next().unwrap().to_owned())
        })
        .expect("the server says where it listens");
    let sent = run(&["ingest", "-", "--url", &format!("http://{url}")], b"{\"a\":1}\n");
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    // Reading on lets the server write its last messages.
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{said:?}");
    let blocks = Command::new("find").args([data, "-name", "*.hb"]).output().unwrap();
    assert_eq!(text(&blocks.stdout).lines().count(), 1, "the head became a block");
}

#[test]
fn a_new_key_is_for_its_owner_and_replaces_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.json");
    let args = ["key", "new", path.to_str().unwrap()];
    let made = helios(&args);
    assert!(made.status.success() && made.stdout.is_empty(), "{}", text(&made.stderr));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read_to_string(&path).unwrap();
    let again = helios(&args);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("a key is never replaced"), "{}", text(&again.stderr));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    let key = serde_json::from_str::<Value>(&before).unwrap()["key"].as_str().unwrap().to_owned();
    assert!(!text(&made.stderr).contains(&key));
}

#[test]
fn the_binary_says_what_it_stands_on_and_ends_with_78_without_the_validated_module() {
    let is_fips = helios::crypto::module::IS_FIPS_BUILD;
    for args in [&["fips", "status", "--json"][..], &["fips", "status"]] {
        let said = helios(args);
        assert_eq!(said.status.code(), Some(if is_fips { 0 } else { 78 }), "{}", text(&said.stderr));
        let shown = text(&said.stdout);
        let certificate = if is_fips { "CMVP #5314" } else { "none: this build does not use the validated module" };
        assert!(shown.contains(certificate) && shown.contains("TLS13_AES_256_GCM_SHA384"), "{shown}");
        if let Ok(json) = serde_json::from_str::<Value>(&shown) {
            assert_eq!((&json["approved_mode"], &json["problems"]), (&is_fips.into(), &Value::Array(Vec::new())));
        }
    }
}
