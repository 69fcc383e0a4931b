//! What all requests share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::access::Door;
use super::call::DEFAULT_ENV;
use super::metrics::Metrics;
use crate::cluster::Seat;
use crate::crypto::Register;
use crate::engine::{Engine, Snapshot};
use crate::host::Host;
use crate::query::{Access, QueryShared};
use crate::sync::Flag;

/// What all requests share, as one cheap handle.
#[derive(Clone)]
pub struct App(Arc<AppInner>);

/// What an [`App`] is made of.
pub struct AppParts {
    /// The outside world.
    pub host: Host,
    /// Who is let in.
    pub door: Door,
    /// Where events live.
    pub engine: Arc<Engine>,
    /// What queries share.
    pub queries: Arc<QueryShared>,
    /// Longest line that is an event, in bytes.
    pub line_bytes_max: usize,
    /// This node's part in a cluster, if it is to have one.
    pub cluster: Option<Seat>,
    /// What of cryptography it uses.
    pub register: Register,
}

/// The parts, and what is made with them.
pub struct AppInner {
    pub(super) host: Host,
    pub(super) door: Door,
    pub(super) engine: Arc<Engine>,
    pub(super) queries: Arc<QueryShared>,
    pub(super) line_bytes_max: usize,
    pub(super) cluster: Option<Seat>,
    pub(super) register: Register,
    pub(super) metrics: Metrics,
    pub(super) stopping: Flag,
    pub(super) started: Duration,
    request_prefix: u32,
    requests: AtomicU64,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: AppParts) -> Self {
        let AppParts { host, door, engine, queries, line_bytes_max, cluster, register } = parts;
        let random = host.entropy.fork("request ids").next_u64();
        Self(Arc::new(AppInner {
            door,
            engine,
            queries,
            line_bytes_max,
            cluster,
            register,
            metrics: Metrics::default(),
            stopping: Flag::new(),
            started: host.clock.monotonic(),
            // Tells the requests of one start from those of the next in a log that both wrote.
            request_prefix: (random >> 32) as u32,
            requests: AtomicU64::new(0),
            host,
        }))
    }

    /// Everything that may be read, as it is now. What may not be read is not even listed.
    pub(super) fn snapshot(&self, access: &Access) -> Snapshot {
        self.engine.snapshot(|key| access.allows(key))
    }

    /// Whether an environment exists. There is one until the control plane can make more.
    pub(super) fn has_env(&self, env: &str) -> bool {
        env == DEFAULT_ENV
    }

    /// Whether the server is shutting down.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.is_raised()
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
