//! The product's server on a machine of the fleet: the one place where a run starts one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use helios::api::access::Door;
use helios::engine::{Mutant, Mutation, Settings};
use helios::node::{Node, NodeSettings};
use helios::query::QueryLimits;

use crate::fleet::{Life, Machine};
use crate::powercut::{ROOT, drawn_settings};
use crate::rng::Rng;

/// Where every server listens.
pub const NODE_PORT: u16 = 7_300;

/// Why lives ended early. Clones are the same.
#[derive(Clone, Default)]
pub struct Starts(Arc<Mutex<Vec<(String, String)>>>);

impl Starts {
    /// Machine and reason, of each server that did not start.
    pub fn refused(&self) -> Vec<(String, String)> {
        self.0.lock().expect("nothing panics while it is held").clone()
    }
}

/// Runs a server until it is told to stop. When this returns, the process is over.
pub(super) async fn serve(machine: Machine, life: Life, settings: Settings, starts: Starts) {
    let started = Node::start(life.host.clone(), node_settings(settings)).await;
    match started {
        Ok(node) => {
            life.stop.notified().await;
            node.stop().await;
        }
        Err(error) => {
            tracing::debug!(machine = machine.name(), %error, "the server did not start");
            let refused = (machine.name().to_owned(), error.to_string());
            starts.0.lock().expect("nothing panics while it is held").push(refused);
        }
    }
}

/// Everything that a server of a run is started with. What makes it one of a cluster belongs here.
fn node_settings(engine: Settings) -> NodeSettings {
    let listen = ([0, 0, 0, 0], NODE_PORT).into();
    NodeSettings {
        data_dir: PathBuf::from(ROOT),
        listen,
        door: Door::new(listen, true, Vec::new()).expect("beyond loopback, as was asked for"),
        engine,
        queries: QueryLimits::default(),
        line_bytes_max: 1 << 20,
        connections_max: 64,
    }
}

/// How often the servers of this process passed the places that the product counts. It counts none yet: a table of
/// its own, which outlives a server's lives because a run has a process of its own, is read here.
pub(super) fn coverage() -> BTreeMap<String, u64> {
    BTreeMap::new()
}

/// The engine's knobs for a seed: mostly at their extremes. Loops that look for work look less often than in a power
/// cut's few seconds: a run is minutes, and most of a tighter loop's looks would find nothing.
pub(super) fn engine_settings(seed: u64, mutant: Option<Mutant>) -> Settings {
    let mut rng = Rng::labelled(seed, "engine settings");
    let drawn = drawn_settings(rng.next_u64());
    let mutation = mutant.map_or_else(Mutation::default, Mutation::of);
    Settings {
        queue_wait: drawn.queue_wait.max(Duration::from_millis(50)),
        flush_rows: drawn.flush_rows.max(20),
        flush_bytes: drawn.flush_bytes.max(2_000),
        flush_rows_max: drawn.flush_rows_max.max(20),
        segment_bytes: drawn.segment_bytes.max(1_000),
        log_bytes_max: drawn.log_bytes_max.max(10_000),
        head_bytes_max: drawn.head_bytes_max.max(20_000),
        flush_age: drawn.flush_age.max(Duration::from_millis(500)),
        flush_age_max: drawn.flush_age_max.max(Duration::from_secs(2)),
        compact_interval: drawn.compact_interval.max(Duration::from_secs(1)),
        retention_days: None,
        retention_interval: Duration::from_secs(60),
        open_partitions_max: drawn.open_partitions_max.max(4),
        mutation,
        ..drawn
    }
}
