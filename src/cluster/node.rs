//! Who this node is, and its sign of life.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use tracing::{error, warn};

use super::incarnation;
use super::state::{Shared, lock};
use crate::chain::{DiskStore, Durability, Store};
use crate::control::lease::LEASE_RENEW;
use crate::control::{Beat, Roster};
use crate::engine::shared::SHARED_FORMAT;
use crate::host::Host;
use crate::host_select;

/// The name of a node: drawn on its first start, kept in its data directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeId(String);

impl NodeId {
    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// A name that was read elsewhere.
    ///
    /// # Errors
    /// If it is no name of a node.
    pub fn parse(text: &str) -> Result<Self, String> {
        if incarnation::is_id(text) { Ok(Self(text.to_owned())) } else { Err(format!("`{text}` is no name of a node")) }
    }

    /// Reads the node's name from its data directory, or draws one. The engine holds the directory.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn load(host: &Host, data_dir: &Path) -> io::Result<Self> {
        let store = DiskStore::new(Arc::clone(&host.disk), data_dir.to_path_buf(), Durability::FULL);
        if let Some(body) = store.get(KEY).await.map_err(io::Error::other)? {
            let text = String::from_utf8_lossy(&body);
            return Self::parse(text.trim()).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let id = Self(format!("{:016x}", host.entropy.fork("node").next_u64()));
        let _ = store.create(KEY, Bytes::from(format!("{}\n", id.0))).await.map_err(io::Error::other)?;
        Ok(id)
    }
}

/// Says that this node lives, until the engine stops.
pub(super) async fn beat_loop(shared: Arc<Shared>, roster: Arc<Roster>) {
    loop {
        match roster.beat(&about(&shared)).await {
            Ok(Beat::Alive) => shared.set_conflict(None),
            Ok(Beat::Unknown) => {}
            Ok(Beat::Cloned) => shared.stop_as_cloned("another process gives signs of life under this one's life"),
            Ok(Beat::Conflict { life }) => {
                if shared.conflict().is_none() {
                    error!(%life, node = shared.node.name(),
                        "another process runs on a copy of this node's data directory: this one sends nothing. Stop one of them, and remove _node/id in the copy");
                }
                shared.set_conflict(Some(life));
            }
            Err(error) => warn!(%error, "the other nodes could not be told that this one lives"),
        }
        host_select! {
            () = shared.replica.stop_requested() => return,
            () = shared.host.clock.sleep(LEASE_RENEW) => {}
        }
    }
}

/// What this node says of itself.
fn about(shared: &Shared) -> Map<String, Value> {
    let waiting = shared.replica.waiting();
    let pulled = lock(&shared.pulled).clone();
    let lag = pulled.ok_at.map(|at| shared.now().saturating_sub(at).as_secs());
    let fields = [
        ("address", Value::from(shared.address.clone())),
        ("version", Value::from(env!("CARGO_PKG_VERSION"))),
        ("format", Value::from(SHARED_FORMAT)),
        ("waiting_blocks", Value::from(waiting.blocks)),
        ("waiting_bytes", Value::from(waiting.bytes)),
        ("waiting_events", Value::from(waiting.events)),
        ("behind", Value::from(pulled.behind.len())),
        ("lag_seconds", lag.map_or(Value::Null, Value::from)),
        ("problems", Value::from(shared.problems().len())),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Where a node's name is.
const KEY: &str = "_node/id";
