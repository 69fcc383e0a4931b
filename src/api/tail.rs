//! `GET /api/tail`: matches as they arrive.
//!
//! **Promise.** What a slow reader does not get is counted and said, and costs ingest nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use futures_util::stream;
use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::call::Call;
use super::reads::refuse;
use super::{ApiError, App, sse};
use crate::engine::Applied;
use crate::host::Cost;
use crate::host_select;
use crate::query::{Hit, LiveFilter, Scope};
use crate::sync::Flag;

pub(super) async fn tail(call: Call) -> Result<Response<Body>, ApiError> {
    let scope = Scope { env: call.env()?, indexes: call.params.list("index"), ..Scope::default() };
    let filter = LiveFilter::new(&call.query(), scope, call.access(), call.now).map_err(refuse)?;
    let follower = Follower {
        applied: call.app.engine.follow(),
        stopping: call.app.stopping.clone(),
        filter: Arc::new(filter),
        app: call.app,
    };
    // The comment goes out at once, so that the reader knows that it is connected.
    let begin = stream::iter([Bytes::from_static(sse::HEARTBEAT)]);
    let events =
        stream::unfold(follower, |mut follower| async { follower.next().await.map(|bytes| (bytes, follower)) });
    Ok(sse::events(futures_util::StreamExt::chain(begin, events)))
}

/// One reader's place in what arrives.
struct Follower {
    app: App,
    applied: Receiver<Applied>,
    stopping: Flag,
    filter: Arc<LiveFilter>,
}

impl Follower {
    /// The next bytes to send; `None` when the server stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let applied = host_select! {
                () = self.stopping.raised() => return None,
                applied = self.applied.recv() => applied,
                () = self.app.host.clock.sleep(Duration::from_secs(HEARTBEAT_SECS)) => {
                    return Some(Bytes::from_static(sse::HEARTBEAT));
                }
            };
            match applied {
                Ok(batch) => {
                    let hits = self.matching(batch).await;
                    if !hits.is_empty() {
                        return Some(render(&hits));
                    }
                }
                Err(RecvError::Lagged(batches)) => {
                    // Nobody knows how many events were in them, but none was empty.
                    return Some(sse::event("dropped", &json!({"count": batches, "at_least": true})));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    async fn matching(&self, Applied { key, rows }: Applied) -> Vec<Hit> {
        let filter = self.filter.clone();
        let cost = Cost::bytes(u64::from(rows.rows) * ROW_COST_BYTES);
        self.app.host.cpu.run(cost, move || filter.hits(&key, &rows)).await
    }
}

fn render(hits: &[Hit]) -> Bytes {
    let (shown, left_out) = hits.split_at(hits.len().min(HITS_A_BATCH_MAX));
    let mut out: Vec<u8> = shown.iter().flat_map(|hit| sse::event("hit", hit)).collect();
    if !left_out.is_empty() {
        out.extend(sse::event("dropped", &json!({"count": left_out.len(), "at_least": false})));
    }
    out.into()
}

/// Time after which a silent connection shows that it is alive.
const HEARTBEAT_SECS: u64 = 15;
/// Matches of one batch that are sent: nobody reads more in the blink that a batch takes.
const HITS_A_BATCH_MAX: usize = 500;
/// Roughly what looking at one event touches.
const ROW_COST_BYTES: u64 = 512;
