//! What is told of a cluster: over HTTP, by a node alone and by one that shares a folder.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use helios::api::access::Door;
use helios::cli::client::Client;
use helios::cluster::{ClusterSettings, StoreAddress, open_store};
use helios::control::Place;
use helios::crypto::{Random, Register};
use helios::host::{Host, real};
use helios::node::{Membership, Node, NodeSettings};
use helios::query::QueryLimits;
use serde_json::{Value, json};

use crate::http_openapi::check;
use crate::server::{TestServer, patient};

/// A node on a shared folder below `root`.
async fn member(host: &Host, root: &Path) -> Node {
    let (shared, data_dir) = (root.join("shared"), root.join("data"));
    std::fs::create_dir_all(&shared).unwrap();
    let address = StoreAddress::Folder(shared);
    let store = open_store(host, &address, &BTreeMap::new(), "00000000000000aa").await.unwrap();
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let control = Place {
        root: "_control".to_owned(),
        key_path: root.join("control.json"),
        data_directory: data_dir.clone(),
        encryption: true,
        register: Register::default(),
        cache_ttl: Duration::ZERO,
    };
    let sync_interval = Duration::from_millis(20);
    let settings = NodeSettings {
        data_dir,
        listen,
        door: Door::new(listen, false, Vec::new()).unwrap(),
        engine: patient(),
        queries: QueryLimits::default(),
        line_bytes_max: 1 << 20,
        connections_max: 64,
        secure: None,
        register: Register::default(),
        cluster: Some(Membership {
            store,
            store_name: "the folder of this test".to_owned(),
            control,
            settings: ClusterSettings { sync_interval, ..ClusterSettings::default() },
        }),
    };
    Node::start(host.clone(), settings).await.unwrap()
}

/// Asks until the answer is as it must become.
async fn until(client: &mut Client, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let answer = client.get_json("/api/cluster", &[]).await.unwrap();
        if fits(&answer) {
            return answer;
        }
    }
}

#[tokio::test]
async fn a_node_alone_says_that_it_is_in_no_cluster() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/api/cluster", &[]).await, json!({"enabled": false, "warnings": []}));
    let metrics = server.text("/metrics", &[]).await;
    assert!(!metrics.contains("helios_cluster_"), "{metrics}");
}

#[tokio::test]
async fn a_node_on_a_shared_folder_tells_of_itself_of_the_store_and_of_the_leaders() {
    let folder = tempfile::tempdir().unwrap();
    let host = real::host(Arc::new(Random::new()), 2).unwrap();
    let node = member(&host, folder.path()).await;
    let mut client = Client::new(host.clone(), &format!("http://{}", node.addr())).unwrap();
    let leads =
        |answer: &Value| answer["leaders"].as_array().is_some_and(|all| all.iter().all(|one| one["own"] == true));
    let read = |answer: &Value| answer["store"]["read_seconds_ago"].is_u64();
    let answer =
        until(&mut client, |answer| answer["nodes"][0]["alive"] == true && leads(answer) && read(answer)).await;
    let document = helios::api::openapi::document();
    check(&document, &json!({"$ref": "#/components/schemas/ClusterAnswer"}), &answer, "/api/cluster");
    assert_eq!((&answer["enabled"], &answer["store"]["name"]), (&json!(true), &json!("the folder of this test")));
    let nodes = answer["nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), &nodes[0]["own"], &nodes[0]["node"]), (1, &json!(true), &answer["node"]));
    let leaders: Vec<_> =
        answer["leaders"].as_array().unwrap().iter().map(|one| (&one["work"], &one["node"])).collect();
    assert_eq!(leaders, [(&json!("compactor"), &answer["node"]), (&json!("sweeper"), &answer["node"])]);
    assert_eq!((&answer["conflict"], &answer["problems"]), (&Value::Null, &json!([])));
    node.stop().await;
}

#[tokio::test]
async fn the_metrics_of_a_cluster_say_what_was_sent_and_who_leads() {
    let folder = tempfile::tempdir().unwrap();
    let host = real::host(Arc::new(Random::new()), 2).unwrap();
    let node = member(&host, folder.path()).await;
    let mut client = Client::new(host.clone(), &format!("http://{}", node.addr())).unwrap();
    let body = axum::body::Bytes::from_static(b"{\"ts\":\"2026-06-14T10:00:00Z\",\"a\":1}\n");
    let sent =
        client.post("/api/ingest", &[("index", "app"), ("ack", "shared")], Default::default(), body).await.unwrap();
    assert_eq!(sent["durability"], "shared", "{sent}");
    until(&mut client, |answer| answer["leaders"][0]["own"] == true && answer["store"]["read_seconds_ago"].is_u64())
        .await;
    let response = client.get("/metrics", &[]).await.unwrap();
    let metrics = String::from_utf8(client.whole(response).await.unwrap().to_vec()).unwrap();
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
    };
    assert_eq!(value("helios_cluster_waiting_events"), 0);
    assert_eq!(value("helios_cluster_problem_partitions"), 0);
    assert_eq!(value("helios_cluster_leads{work=\"compactor\"}"), 1);
    assert!(value("helios_cluster_store_requests_total") > 0);
    assert!(value("helios_cluster_store_bytes_total{direction=\"up\"}") > 0);
    node.stop().await;
}
