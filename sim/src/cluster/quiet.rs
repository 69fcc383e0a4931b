//! What a cluster asks of its store when nothing happens.

use std::sync::Arc;
use std::time::Duration;

use helios::chain::memory::{Faults, MemoryStore};
use helios::chain::{Requests, Store};
use helios::cluster::ClusterSettings;
use helios::engine::Settings;

use super::NAMES;
use super::node::Node;
use crate::disk::{FaultPlan, Storage};
use crate::powercut::engine::send;
use crate::powercut::{Answer, Sent};
use crate::world::{Ended, World};

/// What nodes with as many partitions ask of their store in an hour in which nothing comes in, all together. Knobs
/// are those of `helios serve`.
///
/// # Errors
/// What went wrong.
pub fn quiet_hour(nodes: usize, partitions: u64) -> Result<Requests, String> {
    let world = World::new(1);
    let host = world.host(&world.mount(Storage::new(), FaultPlan::none()));
    let store = MemoryStore::new(host.entropy.fork("store"), Some(Arc::clone(&host.clock)));
    store.set_faults(Faults { page_objects: PAGE_OBJECTS, ..Faults::default() });
    let third = Duration::from_secs(10) / 3;
    let settings = Settings { flush_age_max: third, reserve_bytes: 0, ..Settings::default() };
    let cluster_settings = ClusterSettings {
        sync_interval: third,
        sweep_interval: Duration::from_secs(3_600),
        ..ClusterSettings::default()
    };
    let node = |name: &&'static str| {
        let seed = name.bytes().map(u64::from).sum();
        Arc::new(Node::new(&world, &store, name, seed, settings.clone(), cluster_settings.clone()))
    };
    let nodes: Vec<_> = NAMES[..nodes].iter().map(node).collect();
    let ended = world.run(async {
        for node in &nodes {
            node.start().await?;
        }
        let life = nodes[0].life().ok_or("the first node does not run")?;
        for day in 0..partitions {
            let time_ns = 1_700_000_000_000_000_000 + i64::try_from(day).unwrap_or(0) * 86_400_000_000_000;
            let line = Sent { index: "app", time_ns, raw: format!(r#"{{"time":{time_ns}}}"#) };
            if !matches!(send(&life.engine, &[line]).await, Answer::Acknowledged(_)) {
                return Err("a line was not taken".to_owned());
            }
        }
        // Until all is sent, adopted, fetched and merged.
        for round in 0.. {
            host.clock.sleep(Duration::from_secs(600)).await;
            let waiting = life.cluster.status().await.waiting;
            if waiting.blocks == 0 {
                break;
            }
            if round > ROUNDS_MAX {
                return Err(format!("{} blocks wait after {} minutes", waiting.blocks, round * 10));
            }
        }
        let before = store.requests();
        host.clock.sleep(Duration::from_secs(3_600)).await;
        Ok(store.requests().since(&before))
    });
    match ended {
        Ended::Done(result) => result,
        Ended::Cut => Err("the power went off".to_owned()),
        Ended::Stuck(why) => Err(why.to_owned()),
    }
}

/// Names in a page of a listing, as S3 gives them.
const PAGE_OBJECTS: usize = 1_000;
/// Times of ten minutes in which all of what came in is sent.
const ROUNDS_MAX: u64 = 60;
