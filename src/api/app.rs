//! What all requests share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::access::Door;
use super::call::DEFAULT_ENV;
use super::metrics::Metrics;
use crate::engine::Snapshot;
use crate::host::Host;
use crate::query::QueryShared;

/// What all requests share, as one cheap handle.
#[derive(Clone)]
pub struct App(Arc<AppInner>);

/// What an [`App`] is made of.
pub struct AppParts {
    /// The outside world.
    pub host: Host,
    /// Who is let in.
    pub door: Door,
    /// What queries share.
    pub queries: Arc<QueryShared>,
}

/// The parts, and what is made with them.
pub struct AppInner {
    pub(super) host: Host,
    pub(super) door: Door,
    pub(super) queries: Arc<QueryShared>,
    pub(super) metrics: Metrics,
    pub(super) stopping: watch::Sender<bool>,
    pub(super) started: Duration,
    request_prefix: u32,
    requests: AtomicU64,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: AppParts) -> Self {
        let AppParts { host, door, queries } = parts;
        let random = host.entropy.fork("request ids").next_u64();
        Self(Arc::new(AppInner {
            door,
            queries,
            metrics: Metrics::default(),
            stopping: watch::Sender::new(false),
            started: host.clock.monotonic(),
            // Tells the requests of one start from those of the next in a log that both wrote.
            request_prefix: (random >> 32) as u32,
            requests: AtomicU64::new(0),
            host,
        }))
    }

    /// Everything that can be read now.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// Whether an environment exists. There is one until the control plane can make more.
    pub(super) fn has_env(&self, env: &str) -> bool {
        env == DEFAULT_ENV
    }

    /// Whether the server is shutting down.
    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(super) fn next_request_id(&self) -> String {
        format!("{:08x}-{}", self.request_prefix, self.requests.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Deref for App {
    type Target = AppInner;

    fn deref(&self) -> &AppInner {
        &self.0
    }
}
