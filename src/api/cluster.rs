//! How the cluster is, for people and for Prometheus.

use axum::body::Body;
use axum::http::Response;
use serde::Serialize;
use serde_json::json;
use tracing::warn;

use super::ApiError;
use super::call::{Call, json as answer};
use super::metrics::Page;
use crate::cluster::{Cluster, ClusterStatus, OwnStatus, Seat};

/// The answer of a node that is in a cluster.
#[derive(Serialize)]
struct Enabled {
    enabled: bool,
    #[serde(flatten)]
    status: ClusterStatus,
    warnings: Vec<String>,
}

pub(super) async fn cluster(call: Call) -> Result<Response<Body>, ApiError> {
    let mut warnings = call.params.warnings.clone();
    let Some(cluster) = call.app.cluster.as_ref().and_then(Seat::cluster) else {
        if call.app.cluster.is_some() {
            warnings.push("the shared store cannot be reached: this node has not joined the others yet".to_owned());
        }
        return answer(&json!({"enabled": false, "warnings": warnings}));
    };
    let status = cluster.status().await;
    if let Some(why) = &status.missing {
        warn!(%why, "the nodes of the cluster could not be asked for");
        warnings.push(
            "the shared store does not answer: which other nodes there are, and who leads, is not known".to_owned(),
        );
    }
    answer(&Enabled { enabled: true, status, warnings })
}

/// Adds what is known without asking the store: a scrape must not wait for it.
pub(super) fn metrics(cluster: &Cluster, page: &mut Page) {
    let OwnStatus { conflict, store, waiting, problems, leads } = cluster.own_status();
    page.single("helios_cluster_waiting_blocks", "gauge", "own blocks that are not shared yet", waiting.blocks);
    page.single("helios_cluster_waiting_bytes", "gauge", "their bytes", waiting.bytes);
    page.single("helios_cluster_waiting_events", "gauge", "events in them", waiting.events);
    page.single("helios_cluster_behind_partitions", "gauge", "partitions with a newer shared state", store.behind);
    page.single("helios_cluster_problem_partitions", "gauge", "partitions that are not shared", problems);
    page.single("helios_cluster_conflict", "gauge", "1 if another process runs as this node", u8::from(conflict));
    if let Some(seconds) = store.read_seconds_ago {
        let help = "since everything that was wanted of the shared store was read";
        page.single("helios_cluster_store_read_age_seconds", "gauge", help, seconds);
    }
    let failing = u8::from(store.error.is_some());
    page.single("helios_cluster_store_failing", "gauge", "1 if the last round of reading failed", failing);
    page.single("helios_cluster_store_requests_total", "counter", "requests to the shared store", store.requests);
    page.family("helios_cluster_store_bytes_total", "counter", "bytes to and from the shared store");
    page.line("helios_cluster_store_bytes_total", "direction=\"up\"", store.bytes_up);
    page.line("helios_cluster_store_bytes_total", "direction=\"down\"", store.bytes_down);
    page.family("helios_cluster_leads", "gauge", "1 if this node does the work for all");
    for (work, own) in leads {
        page.line("helios_cluster_leads", &format!("work=\"{work}\""), u8::from(own));
    }
}
