//! A node: a disk, a clock, a cable to the store, and the process that runs on them, if one does.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::chain::Store;
use helios::chain::memory::MemoryStore;
use helios::cluster::{Cluster, ClusterParts, ClusterSettings, KnownStores, NodeId};
use helios::control::{Control, Sealing};
use helios::engine::{Engine, Memory, Settings};
use helios::host::{BoxFuture, Clock, Host, UnixNanos};

use super::switch::{NodeTasks, Switch};
use crate::control::cluster::Cable;
use crate::disk::{FaultPlan, SimDisk, Storage};
use crate::entropy::SeededEntropy;
use crate::powercut::ROOT;
use crate::powercut::engine::Reader;
use crate::rng::mix;
use crate::world::World;

/// A machine of the cluster.
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) disk: SimDisk,
    pub(super) cable: Arc<Cable>,
    pub(super) clock: Arc<NodeClock>,
    machine: Host,
    seed: u64,
    settings: Settings,
    cluster_settings: ClusterSettings,
    life: Mutex<Option<Life>>,
    lives: Mutex<u64>,
}

/// A process.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) switch: Switch,
    pub(super) engine: Arc<Engine>,
    pub(super) cluster: Arc<Cluster>,
}

/// Runs at the machine's speed, with a calendar of its own.
pub(super) struct NodeClock {
    machine: Arc<dyn Clock>,
    /// What its calendar is off.
    wall_offset_ns: AtomicI64,
}

impl Clock for NodeClock {
    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }

    fn wall(&self) -> UnixNanos {
        UnixNanos(self.machine.wall().0.saturating_add(self.wall_offset_ns.load(Ordering::Relaxed)))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.machine.sleep(duration)
    }
}

impl NodeClock {
    pub(super) fn jump(&self, by_ns: i64) {
        self.wall_offset_ns.fetch_add(by_ns, Ordering::Relaxed);
    }

    pub(super) fn set_right(&self, offset_ns: i64) {
        self.wall_offset_ns.store(offset_ns, Ordering::Relaxed);
    }
}

impl Node {
    pub(super) fn new(
        world: &World,
        store: &MemoryStore,
        name: &'static str,
        seed: u64,
        settings: Settings,
        cluster_settings: ClusterSettings,
    ) -> Self {
        let disk = world.mount(Storage::new(), FaultPlan::none());
        let machine = world.host(&disk);
        let clock = Arc::new(NodeClock { machine: Arc::clone(&machine.clock), wall_offset_ns: AtomicI64::new(0) });
        let cable = Arc::new(Cable::new(store.clone(), Arc::clone(&machine.clock)));
        let (life, lives) = (Mutex::default(), Mutex::default());
        Self { name, disk, cable, clock, machine, seed, settings, cluster_settings, life, lives }
    }

    /// Whether it brings every shared block here and lets none go to make room.
    pub(super) fn keeps_all(&self) -> bool {
        self.cluster_settings.cache_bytes.is_none() && self.cluster_settings.prefetch
    }

    /// The process that runs, if one does.
    pub(super) fn life(&self) -> Option<Life> {
        self.lock().clone()
    }

    /// Starts a process on what the disk has. Does nothing if one runs.
    ///
    /// # Errors
    /// Why it does not start; nothing is wrong with that while things fail.
    pub(super) async fn start(&self) -> Result<(), String> {
        self.start_as(None).await
    }

    /// As [`Node::start`]; with a memory, that process goes on.
    ///
    /// # Errors
    /// As there.
    pub(super) async fn start_as(&self, memory: Option<Memory>) -> Result<(), String> {
        if self.life().is_some() {
            return Ok(());
        }
        let number = {
            let mut lives = self.lives.lock().expect("counting does not panic");
            *lives += 1;
            *lives
        };
        let switch = Switch::default();
        let tasks = NodeTasks { node: self.name, switch: switch.clone(), machine: Arc::clone(&self.machine.tasks) };
        let entropy = SeededEntropy::new(mix(self.seed ^ mix(number)));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let host = Host { clock, tasks: Arc::new(tasks), entropy: Arc::new(entropy), ..self.machine.clone() };
        let store = Arc::clone(&self.cable) as Arc<dyn Store>;
        let settings = Settings { memory, ..self.settings.clone() };
        let start = start(host, store, settings, self.cluster_settings.clone(), self.name);
        match switch.guard(start).await {
            None => Err("it was killed while it started".into()),
            Some(Err(why)) => {
                switch.turn_off();
                Err(why)
            }
            Some(Ok((engine, cluster))) => {
                *self.lock() = Some(Life { switch, engine, cluster });
                Ok(())
            }
        }
    }

    /// The process is killed: with `power`, the machine loses what was not synced.
    pub(super) async fn kill(&self, power: Option<u64>) {
        let life = self.lock().take();
        if let Some(life) = life {
            life.switch.turn_off();
            let switch = life.switch.clone();
            drop(life);
            while !switch.is_drained() {
                self.machine.clock.sleep(Duration::from_millis(1)).await;
            }
        }
        self.disk.with_storage(|storage| match power {
            Some(seed) => storage.power_cut(seed),
            None => storage.process_killed(),
        });
    }

    /// The process ends in order.
    pub(super) async fn stop(&self) {
        let Some(life) = self.life() else { return };
        let (engine, cluster) = (Arc::clone(&life.engine), Arc::clone(&life.cluster));
        let _ = life
            .switch
            .guard(async move {
                cluster.stop().await;
                engine.close().await;
            })
            .await;
        drop(life);
        self.kill(None).await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Life>> {
        self.life.lock().expect("nothing panics under the lock of the process")
    }
}

async fn start(
    host: Host,
    store: Arc<dyn Store>,
    settings: Settings,
    cluster_settings: ClusterSettings,
    name: &'static str,
) -> Result<(Arc<Engine>, Arc<Cluster>), String> {
    let (root, is_copy) = (PathBuf::from(ROOT), settings.memory.is_some());
    let opened = Engine::open_shared(host.clone(), root, settings, Arc::new(Reader), Arc::clone(&store)).await;
    let engine = Arc::new(opened.map_err(|error| error.to_string())?);
    let node = NodeId::load(&host, Path::new(ROOT)).await.map_err(|error| error.to_string())?;
    let known_stores = KnownStores::load(&host, Path::new(ROOT)).await.map_err(|error| error.to_string())?;
    let life = engine.origin().to_string();
    let control = Control::new(Arc::clone(&store), "_control", &host, &life, Sealing::Off, Duration::from_secs(10));
    if is_copy {
        // It must be the events that give it away: a process that has come further gives the same signs of life.
        control.go_on_from(u64::from(u32::MAX));
    }
    let parts = ClusterParts {
        host,
        store,
        store_name: "memory".into(),
        control: Arc::new(control),
        replica: engine.replica(),
        node,
        known_stores,
        address: name.into(),
        settings: cluster_settings,
    };
    let cluster = Cluster::start(parts).await.map_err(|error| error.to_string())?;
    Ok((engine, Arc::new(cluster)))
}
