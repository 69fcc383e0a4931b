//! What a cluster asks of its store: when nothing happens, and for what comes in.

use std::sync::Arc;
use std::time::Duration;

use helios::chain::memory::{Faults, MemoryStore};
use helios::chain::{Requests, Store};
use helios::cluster::ClusterSettings;
use helios::engine::Settings;
use helios::host::Host;

use super::NAMES;
use super::node::Node;
use crate::disk::{FaultPlan, Storage};
use crate::powercut::engine::send;
use crate::powercut::{Answer, Sent};
use crate::rng::Rng;
use crate::world::{Ended, World};

/// What nodes with as many partitions ask of their store in an hour in which nothing comes in, all together. Knobs
/// are those of `helios serve`.
///
/// # Errors
/// What went wrong.
pub fn quiet_hour(nodes: usize, partitions: u64) -> Result<Requests, String> {
    let world = World::new(1);
    let costs = Costs::new(&world, nodes);
    ended(world.run(async {
        costs.start().await?;
        for day in 0..partitions {
            let time_ns = FIRST_NS + i64::try_from(day).unwrap_or(0) * 86_400_000_000_000;
            let line = Sent { index: "app", time_ns, raw: format!(r#"{{"time":{time_ns}}}"#) };
            costs.send(0, &[line]).await?;
        }
        costs.settle().await?;
        let before = costs.store.requests();
        costs.host.clock.sleep(HOUR).await;
        Ok(costs.store.requests().since(&before))
    }))
}

/// What events cost on their way to all nodes.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// Bytes of the lines that came in, at all nodes together.
    pub raw_bytes: u64,
    /// What was asked of the store, until all nodes had everything and nothing was left to merge.
    pub requests: Requests,
}

/// What nodes ask of their store when each of them takes in so many bytes a second, of one index and day, for an hour.
/// Lines are like those of a web server, each with a number that no other line has.
///
/// # Errors
/// What went wrong.
pub fn busy_hour(nodes: usize, bytes_per_s: usize) -> Result<Moved, String> {
    let world = World::new(2);
    let costs = Costs::new(&world, nodes);
    ended(world.run(async {
        costs.start().await?;
        let before = costs.store.requests();
        let (mut rng, mut raw_bytes) = (Rng::labelled(2, "lines"), 0);
        for second in 0..HOUR.as_secs() {
            for node in 0..nodes {
                let batch = access_lines(&mut rng, second, bytes_per_s);
                raw_bytes += batch.iter().map(|line| line.raw.len() as u64).sum::<u64>();
                costs.send(node, &batch).await?;
            }
            costs.host.clock.sleep(Duration::from_secs(1)).await;
        }
        costs.settle().await?;
        Ok(Moved { raw_bytes, requests: costs.store.requests().since(&before) })
    }))
}

fn access_lines(rng: &mut Rng, second: u64, bytes: usize) -> Vec<Sent> {
    let (mut lines, mut so_far) = (Vec::new(), 0);
    while so_far < bytes {
        let time_ns = FIRST_NS + (second * 1_000_000_000 + rng.in_range(0..1_000_000_000)) as i64;
        let (path, status) = (skewed(rng, 200), rng.pick(&[200, 200, 200, 200, 204, 304, 404, 500]));
        let (host, client, ms, id) = (rng.in_range(0..20), skewed(rng, 65_536), skewed(rng, 2_000), rng.next_u64());
        let raw = format!(
            r#"{{"time":{time_ns},"level":"info","host":"web-{host:02}","method":"GET","path":"/api/v1/items/{path}","status":{status},"duration_ms":{ms},"client":"10.1.{}.{}","request_id":"{id:016x}"}}"#,
            client >> 8,
            client & 255
        );
        so_far += raw.len();
        lines.push(Sent { index: "app", time_ns, raw });
    }
    lines
}

/// Below `bound`, the smaller the likelier.
fn skewed(rng: &mut Rng, bound: u64) -> u64 {
    rng.in_range(0..bound).min(rng.in_range(0..bound)).min(rng.in_range(0..bound))
}

/// Nodes and a store without faults.
struct Costs {
    host: Host,
    store: MemoryStore,
    nodes: Vec<Arc<Node>>,
}

impl Costs {
    fn new(world: &World, nodes: usize) -> Self {
        let host = world.host(&world.mount(Storage::new(), FaultPlan::none()));
        let store = MemoryStore::new(host.entropy.fork("store"), Some(Arc::clone(&host.clock)));
        store.set_faults(Faults { page_objects: PAGE_OBJECTS, ..Faults::default() });
        let third = Duration::from_secs(10) / 3;
        let settings = Settings { flush_age_max: third, reserve_bytes: 0, ..Settings::default() };
        let cluster_settings =
            ClusterSettings { sync_interval: third, sweep_interval: HOUR, ..ClusterSettings::default() };
        let node = |name: &&'static str| {
            let seed = name.bytes().map(u64::from).sum();
            Arc::new(Node::new(world, &store, name, seed, settings.clone(), cluster_settings.clone()))
        };
        Self { nodes: NAMES[..nodes].iter().map(node).collect(), host, store }
    }

    async fn start(&self) -> Result<(), String> {
        for node in &self.nodes {
            node.start().await?;
        }
        Ok(())
    }

    async fn send(&self, node: usize, batch: &[Sent]) -> Result<(), String> {
        let life = self.nodes[node].life().ok_or("a node does not run")?;
        match send(&life.engine, batch).await {
            Answer::Acknowledged(_) => Ok(()),
            _ => Err("lines were not taken".to_owned()),
        }
    }

    /// Until all is sent; adopted, fetched and merged ten minutes later.
    async fn settle(&self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            self.host.clock.sleep(ROUND).await;
            let mut waiting = 0;
            for life in self.nodes.iter().filter_map(|node| node.life()) {
                waiting += life.cluster.status().await.waiting.blocks;
            }
            if waiting == 0 {
                self.host.clock.sleep(ROUND).await;
                return Ok(());
            }
        }
        Err(format!("blocks wait after {:?}", ROUND * ROUNDS_MAX))
    }
}

fn ended<T>(ended: Ended<Result<T, String>>) -> Result<T, String> {
    match ended {
        Ended::Done(result) => result,
        Ended::Cut => Err("the power went off".to_owned()),
        Ended::Stuck(why) => Err(why.to_owned()),
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
/// When the first event was, in nanoseconds since 1970.
const FIRST_NS: i64 = 1_700_000_000_000_000_000;
/// Names in a page of a listing, as S3 gives them.
const PAGE_OBJECTS: usize = 1_000;
/// How often is looked whether all is sent.
const ROUND: Duration = Duration::from_secs(600);
/// Rounds in which all of what came in is sent.
const ROUNDS_MAX: u32 = 60;
