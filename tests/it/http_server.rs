//! What holds for every request, whatever it asks.

use crate::server::TestServer;

#[tokio::test]
async fn a_server_that_is_up_says_so() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/healthz", &[]).await["status"], "ok");
    assert_eq!(server.get("/readyz", &[]).await["status"], "ready");
}

#[tokio::test]
async fn every_answer_carries_the_policy_and_an_id() {
    let server = TestServer::start().await;
    for path in ["/healthz", "/", "/api/none", "/api/search?limit=x"] {
        let answer = server.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        let answer = answer.to_lowercase();
        for header in
            ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff", "x-request-id: "]
        {
            assert!(answer.contains(header), "{path} lacks {header}:\n{answer}");
        }
    }
}

#[tokio::test]
async fn an_error_is_json_with_a_code_a_message_and_the_requests_id() {
    let server = TestServer::start().await;
    let (status, error) = server.refusal("/api/search", &[("limit", "10001")]).await;
    assert_eq!((status, error["code"].as_str()), (400, Some("bad_parameter")));
    assert!(error["hint"].as_str().unwrap().contains("/api/export"), "{error}");
    assert!(error["request_id"].as_str().unwrap().len() > 8, "{error}");
    assert_eq!(server.refusal("/api/none", &[]).await.0, 404);
    assert_eq!(server.refusal("/api/search", &[("env", "other")]).await.1["code"], "unknown_env");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let server = TestServer::start().await;
    let answer = server.raw("DELETE /api/search HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("allow: GET"), "{answer}");
    assert!(answer.contains("method_not_allowed"), "{answer}");
}

#[tokio::test]
async fn a_foreign_name_and_a_foreign_page_are_refused_on_the_wire() {
    let server = TestServer::start().await;
    let rebound = server.raw("GET /api/search HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert!(rebound.starts_with("HTTP/1.1 403 ") && rebound.contains("host_not_allowed"), "{rebound}");
    let page = "GET /api/search HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\n\r\n";
    let page = server.raw(page).await;
    assert!(page.starts_with("HTTP/1.1 403 ") && page.contains("cross_site"), "{page}");
}

#[tokio::test]
async fn a_head_that_is_no_http_costs_the_connection_and_nothing_else() {
    let server = TestServer::start().await;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    for nonsense in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", &long] {
        let answer = server.raw(nonsense).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(server.get("/healthz", &[]).await["status"], "ok");
}

#[tokio::test]
async fn a_stop_lets_idle_connections_go_at_once() {
    let server = TestServer::start().await;
    let mut client = server.client();
    client.get_json("/healthz", &[]).await.unwrap();
    server.server.stop().await;
    assert!(client.get_json("/healthz", &[]).await.is_err());
}
