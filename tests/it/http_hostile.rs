//! Hostile lines, each between two good ones: a clear error or a faithful event, and never a lost neighbour.

use crate::server::TestServer;

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let fields: Vec<String> = (0..100_000).map(|n| format!("\"f{n}\":1")).collect();
    vec![
        ("100,000 fields", format!("{{{}}}", fields.join(",")).into_bytes()),
        ("nesting of 10,000", [b"{\"a\":".repeat(10_000), b"1".to_vec(), b"}".repeat(10_000)].concat()),
        ("nesting of arrays", [b"{\"a\":".to_vec(), b"[".repeat(10_000), b"]".repeat(10_000), b"}".to_vec()].concat()),
        ("a line of 2 MiB", format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20)).into_bytes()),
        ("invalid UTF-8", b"{\"a\":\"\xff\xfe\"}".to_vec()),
        ("NUL", b"{\"a\":\"\0\"}".to_vec()),
        ("escaped NUL", b"{\"a\":\"\\u0000\"}".to_vec()),
        ("duplicate keys", b"{\"a\":1,\"a\":2,\"A\":3}".to_vec()),
        ("400 digits", format!("{{\"a\":{}}}", "9".repeat(400)).into_bytes()),
        ("year 1", b"{\"ts\":\"0001-01-01T00:00:00Z\"}".to_vec()),
        ("year 9999", b"{\"ts\":\"9999-12-31T23:59:59Z\"}".to_vec()),
        ("a lone surrogate", b"{\"a\":\"\\ud800\"}".to_vec()),
        ("an empty key", b"{\"\":1}".to_vec()),
        ("a reserved key", b"{\"raw\":\"x\",\"id\":1,\"index\":2,\"env\":3}".to_vec()),
        ("carriage return", b"{\"a\":1}\r".to_vec()),
        ("markup", b"{\"msg\":\"<script>alert(1)</script>\"}".to_vec()),
    ]
}

#[tokio::test]
async fn a_hostile_line_is_faithful_or_refused_and_its_neighbours_stay() {
    for (name, line) in hostile() {
        let server = TestServer::start().await;
        let body = [b"{\"good\":\"before\"}\n", line.as_slice(), b"\n{\"good\":\"after\"}\n"].concat();
        let answer = server.ingest("app", body).await;
        let (ingested, errors) = (answer["ingested"].as_u64().unwrap(), answer["errors"].as_u64().unwrap());
        assert_eq!(ingested + errors, 3, "{name}: {answer}");
        assert!(ingested >= 2, "{name}: {answer}");
        for flushed in [false, true] {
            if flushed {
                assert!(server.engine.flush_now().await, "{name}");
            }
            let neighbours = server.get("/api/search", &[("q", "good:*"), ("limit", "0")]).await;
            assert_eq!(neighbours["total"], 2, "{name}, flushed: {flushed}");
            let mut client = server.client();
            let found = client.get("/api/search", &[("q", "NOT good:*")]).await.unwrap();
            let found = client.whole(found).await.unwrap();
            if ingested == 3 {
                assert_faithful(&found, &line, &format!("{name}, flushed: {flushed}"));
            } else {
                assert_eq!(answer["error_details"][0]["line"], 2, "{name}");
            }
        }
    }
}

/// The answer may hold numbers that no parser of numbers takes: only the one hit's `raw` is read.
fn assert_faithful(answer: &[u8], line: &[u8], name: &str) {
    #[derive(serde::Deserialize)]
    struct Answer {
        hits: Vec<Hit>,
    }
    #[derive(serde::Deserialize)]
    struct Hit {
        raw: String,
        raw_base64: Option<String>,
    }
    use base64::Engine as _;
    let answer: Answer = serde_json::from_slice(answer).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(answer.hits.len(), 1, "{name}");
    let hit = &answer.hits[0];
    let raw = match &hit.raw_base64 {
        Some(text) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
        None => hit.raw.clone().into_bytes(),
    };
    assert!(raw == line, "{name}: the bytes are not the ones that were sent");
}
