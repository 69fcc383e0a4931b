//! The product's server on a machine of the fleet: the one place where a run starts one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use helios::api::access::Door;
use helios::cluster::{Cluster, ClusterSettings};
use helios::control::Place;
use helios::crypto::Register;
use helios::engine::{Mutant, Mutation, Settings};
use helios::node::{Membership, Node, NodeSettings};
use helios::query::QueryLimits;

use crate::fleet::{Life, Machine};
use crate::powercut::{ROOT, drawn_settings};
use crate::rng::Rng;
use crate::s3;

use super::driver::STORE;

/// Where every server listens.
pub const NODE_PORT: u16 = 7_300;

/// Why lives ended early, and the parts in a cluster that there were. Clones are the same.
#[derive(Clone, Default)]
pub struct Starts(Arc<Mutex<Vec<(String, String)>>>, Arc<Mutex<Vec<Arc<Cluster>>>>);

impl Starts {
    /// Machine and reason, of each server that did not start.
    pub fn refused(&self) -> Vec<(String, String)> {
        self.0.lock().expect("nothing panics while it is held").clone()
    }
}

/// Runs a server until it is told to stop. When this returns, the process is over.
pub(super) async fn serve(
    machine: Machine,
    life: Life,
    settings: Settings,
    cluster: Option<ClusterSettings>,
    starts: Starts,
) {
    let cluster = cluster.map(|settings| membership(&life, settings));
    let started = Node::start(life.host.clone(), node_settings(settings, cluster)).await;
    match started {
        Ok(node) => {
            if let Some(cluster) = node.cluster() {
                starts.1.lock().expect("nothing panics while it is held").push(Arc::clone(cluster));
            }
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

/// A head of servers that share a store is no older than this when it is flushed.
pub(super) const SHARED_HEAD_AGE_MAX: Duration = Duration::from_secs(10);

/// What makes a server one of a cluster: the real client of the simulated store, the control plane in it.
fn membership(life: &Life, settings: ClusterSettings) -> Membership {
    Membership {
        store: s3::client(&life.host, STORE, "cluster"),
        store_name: "s3://bucket/cluster".to_owned(),
        control: Place {
            root: "_control".to_owned(),
            key_path: PathBuf::from("/etc/helios/control.json"),
            data_directory: PathBuf::from(ROOT),
            // Sealing draws its nonces from a module that no seed decides.
            encryption: false,
            register: Register::default(),
            cache_ttl: Duration::from_secs(10),
        },
        settings,
    }
}

/// A cluster's knobs for a seed.
pub(super) fn cluster_settings(seed: u64) -> ClusterSettings {
    let mut rng = Rng::labelled(seed, "cluster settings");
    let mut millis = |of: &[u64]| Duration::from_millis(rng.pick(of));
    let (sync_interval, walk_interval) = (millis(&[1_000, 3_000, 10_000]), millis(&[10_000, 60_000, 3_600_000]));
    let (compact_interval, sweep_interval) = (millis(&[2_000, 10_000, 30_000]), millis(&[3_000, 10_000, 60_000]));
    let (grace, dead_after) = (millis(&[0, 2_000, 20_000]), millis(&[5_000, 60_000]));
    ClusterSettings {
        sync_interval,
        walk_interval,
        compact_interval,
        sweep_interval,
        grace,
        dead_after,
        generations_kept: rng.pick(&[1, 2, 16]),
        upload_blocks_max: rng.pick(&[1, 2, 16]),
        feed_kept: rng.pick(&[1, 3, 64]),
        cache_bytes: rng.pick(&[None, Some(0), Some(10_000)]),
        prefetch: rng.percent(70),
        ..ClusterSettings::default()
    }
}

/// Everything that a server of a run is started with.
fn node_settings(engine: Settings, cluster: Option<Membership>) -> NodeSettings {
    let listen = ([0, 0, 0, 0], NODE_PORT).into();
    NodeSettings {
        data_dir: PathBuf::from(ROOT),
        listen,
        door: Door::new(listen, true, Vec::new()).expect("beyond loopback, as was asked for"),
        engine,
        queries: QueryLimits::default(),
        line_bytes_max: 1 << 20,
        connections_max: 64,
        secure: None,
        register: Register::default(),
        cluster,
    }
}

impl Starts {
    /// How often the servers of this run passed the places that the product counts.
    pub(super) fn coverage(&self) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for cluster in self.1.lock().expect("nothing panics while it is held").iter() {
            for (name, count) in cluster.coverage() {
                *sum.entry(name.to_owned()).or_default() += count;
            }
        }
        sum
    }
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
