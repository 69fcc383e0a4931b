//! What is there, and how the server is.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::call::{Call, DEFAULT_ENV, json as answer};
use super::metrics::Page;
use super::server::monotonic_ms;
use super::{ApiError, cluster, openapi};
use crate::cluster::Seat;
use crate::engine::{Health, PartitionView, Snapshot};
use crate::event::time::format_rfc3339;

pub(super) async fn indexes(call: Call) -> Result<Response<Body>, ApiError> {
    let env = call.env()?;
    let mut indexes: BTreeMap<String, Sums> = BTreeMap::new();
    let snapshot = call.app.snapshot(&call.access());
    for view in views(&snapshot).filter(|view| *view.key.env == *env) {
        indexes.entry(view.key.index.to_string()).or_default().add(view);
    }
    let indexes: Vec<Value> = indexes.into_iter().map(|(name, sums)| sums.as_index(&env, &name)).collect();
    answer(&json!({"env": env, "indexes": indexes, "warnings": call.params.warnings}))
}

pub(super) async fn envs(call: Call) -> Result<Response<Body>, ApiError> {
    let mut envs: BTreeMap<String, (u64, u64)> = BTreeMap::from([(DEFAULT_ENV.to_owned(), (0, 0))]);
    let mut last_index = None;
    let snapshot = call.app.snapshot(&call.access());
    for view in views(&snapshot) {
        let (indexes, events) = envs.entry(view.key.env.to_string()).or_default();
        // Partitions come in the order of their keys: the days of one index stand together.
        let index = Some((&view.key.env, &view.key.index));
        *indexes += u64::from(last_index != index);
        last_index = index;
        *events += view.events();
    }
    let envs: Vec<Value> = envs
        .into_iter()
        .map(|(name, (indexes, events))| json!({"name": name, "indexes": indexes, "events": events}))
        .collect();
    answer(&json!({"envs": envs, "warnings": call.params.warnings}))
}

pub(super) async fn stats(call: Call) -> Result<Response<Body>, ApiError> {
    let snapshot = call.app.snapshot(&call.access());
    let mut sums = Sums::default();
    views(&snapshot).for_each(|view| sums.add(view));
    let uptime = call.app.host.clock.monotonic().saturating_sub(call.app.started);
    answer(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_ms": u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
        "events": sums.events,
        "head_events": sums.head_events,
        "blocks": sums.blocks,
        "partitions": sums.partitions,
        "raw_bytes": sums.raw_bytes,
        "stored_bytes": sums.stored_bytes,
        "earliest": sums.earliest.map(format_rfc3339),
        "latest": sums.latest.map(format_rfc3339),
        "lost": sums.lost + snapshot.lost.iter().map(lost_events).sum::<u64>(),
        "warnings": call.params.warnings,
    }))
}

pub(super) async fn healthz() -> Result<Response<Body>, ApiError> {
    answer(&json!({"status": "ok"}))
}

pub(super) async fn readyz(call: Call) -> Result<Response<Body>, ApiError> {
    let not_ready = |code, message| Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message));
    match call.app.engine.health() {
        _ if call.app.is_stopping() => Err(ApiError::stopping()),
        Health::Running => answer(&json!({"status": "ready"})),
        Health::Stopping => Err(ApiError::stopping()),
        Health::DiskFull => not_ready("disk_full", "the disk is full: searches are answered, events are not taken"),
        Health::Stopped(why) => not_ready("stopped", "events are not taken until a restart: the log says why")
            .map_err(|error| error.inside(why)),
    }
}

pub(super) async fn metrics(call: Call) -> Result<Response<Body>, ApiError> {
    let snapshot = call.app.snapshot(&call.access());
    let mut sums = Sums::default();
    views(&snapshot).for_each(|view| sums.add(view));
    let mut page = Page::default();
    let uptime = monotonic_ms(&call.app.host) / 1_000;
    page.single("helios_uptime_seconds", "gauge", "seconds on the monotonic clock", uptime);
    page.single("helios_events", "gauge", "events that can be searched", sums.events);
    page.single("helios_head_events", "gauge", "events in the log and in no block yet", sums.head_events);
    page.single("helios_blocks", "gauge", "blocks that manifests name", sums.blocks);
    page.single("helios_partitions", "gauge", "partitions", sums.partitions);
    page.single("helios_raw_bytes", "gauge", "bytes of the events in blocks as they were sent", sums.raw_bytes);
    page.single("helios_stored_bytes", "gauge", "bytes of the blocks", sums.stored_bytes);
    let engine = call.app.engine.stats();
    page.single("helios_log_bytes", "gauge", "bytes of the write-ahead log", engine.log_bytes);
    page.single("helios_head_raw_bytes", "gauge", "bytes of the events in no block yet", engine.head_raw_bytes);
    let takes_events = u8::from(call.app.engine.health() == Health::Running);
    page.single("helios_takes_events", "gauge", "1 if events are taken, 0 if not", takes_events);
    if let Some(cluster) = call.app.cluster.as_ref().and_then(Seat::cluster) {
        cluster::metrics(cluster, &mut page);
    }
    call.app.metrics.render(&mut page);
    let mut response = Response::new(Body::from(page.into_text()));
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}

pub(super) async fn openapi() -> Result<Response<Body>, ApiError> {
    answer(&openapi::document())
}

fn views(snapshot: &Snapshot) -> impl Iterator<Item = &PartitionView> {
    snapshot.partitions.iter().map(|view| &**view)
}

/// Sums over partitions.
#[derive(Debug, Default)]
struct Sums {
    partitions: u64,
    blocks: u64,
    events: u64,
    head_events: u64,
    raw_bytes: u64,
    stored_bytes: u64,
    lost: u64,
    earliest: Option<i64>,
    latest: Option<i64>,
}

impl Sums {
    fn add(&mut self, view: &PartitionView) {
        self.partitions += 1;
        self.lost += view.lost.iter().map(lost_events).sum::<u64>();
        for block in view.blocks.iter() {
            self.blocks += 1;
            self.events += block.entry.rows;
            self.raw_bytes += block.entry.raw_bytes;
            self.stored_bytes += block.entry.bytes;
            self.see(block.entry.min_time);
            self.see(block.entry.max_time);
        }
        for group in &view.head {
            self.events += u64::from(group.rows);
            self.head_events += u64::from(group.rows);
            group.times.iter().for_each(|time| self.see(*time));
        }
    }

    fn see(&mut self, time: i64) {
        self.earliest = Some(self.earliest.map_or(time, |earliest| earliest.min(time)));
        self.latest = Some(self.latest.map_or(time, |latest| latest.max(time)));
    }

    fn as_index(&self, env: &str, index: &str) -> Value {
        json!({
            "env": env,
            "index": index,
            "partitions": self.partitions,
            "events": self.events,
            "bytes": self.stored_bytes,
            "raw_bytes": self.raw_bytes,
            "first": self.earliest.map(format_rfc3339),
            "last": self.latest.map(format_rfc3339),
        })
    }
}

fn lost_events(lost: &crate::engine::Lost) -> u64 {
    lost.to.saturating_sub(lost.from).saturating_add(1)
}
