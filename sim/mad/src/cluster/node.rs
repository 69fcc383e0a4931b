//! A node: its disk, its lives, and the clients that send to it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::block::reader::decode_group_of;
use helios::block::{Footer, RowGroup};
use helios::chain::Store;
use helios::cluster::{Cluster, ClusterParts, ClusterSettings, JoinError, KnownStores, NodeId};
use helios::control::{Control, Sealing};
use helios::engine::{AppendError, Engine, Replica, Settings, Snapshot, StoredBlock};
use helios::event::{EventId, PartitionKey, Sequence};
use helios::host::Host;
use helios::ingest::targeting::DEFAULT_NAME;
use helios::ingest::{IndexTemplate, Lines, Replay, Request, Target, read_lines};

use super::{Answer, Found, Sent, Shared};
use crate::clock::SimClock;
use crate::disk::{FaultPlan, SimDisk, Storage};
use crate::rng::{Rng, hash, mix};
use crate::server::draw_settings;
use crate::world::Power;

/// A machine of the cluster.
pub(super) struct Machine {
    name: String,
    seed: u64,
    shared: Arc<Shared>,
    settings: Settings,
    lives: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    storage: Storage,
    life: Option<Life>,
    /// What was acknowledged here.
    own: BTreeSet<String>,
    /// When it last said what it has, and that.
    said: Option<(Duration, Result<Vec<Found>, String>)>,
    straddles: u64,
    digest: u64,
    order: u64,
}

/// What the outside has of a life.
struct Life {
    disk: SimDisk,
    power: Arc<Power>,
    replica: Option<Replica>,
    could_not_start: bool,
}

impl Machine {
    pub(super) fn new(number: u64, shared: Arc<Shared>) -> Self {
        let seed = mix(shared.workload ^ mix(number));
        let drawn = draw_settings(seed);
        let settings = Settings {
            // An idle loop that looks every few milliseconds finds no other bugs than one that looks every half second.
            compact_interval: drawn.compact_interval.max(Duration::from_millis(500)),
            flush_age: drawn.flush_age.max(Duration::from_millis(100)),
            flush_age_max: drawn.flush_age_max.max(Duration::from_millis(500)),
            mutation: shared.mutation,
            ..drawn
        };
        let (lives, state) = (AtomicU64::new(0), Mutex::default());
        Self { name: format!("node-{number}"), seed, shared, settings, lives, state }
    }

    /// One life of the node, until it is killed. If it can't start, it says so and waits for its end.
    pub(super) async fn live(self: Arc<Self>) {
        let (host, seed) = self.mount();
        let store: Arc<dyn Store> = Arc::new(self.shared.store.clone());
        let (settings, reader) = (self.settings.clone(), Arc::new(Replay));
        let opened = Engine::open_shared(host.clone(), ROOT.into(), settings, reader, Arc::clone(&store)).await;
        let Ok(engine) = opened.map(Arc::new) else {
            self.with_life(|life| life.could_not_start = true);
            return;
        };
        self.with_life(|life| life.replica = Some(engine.replica()));
        for client in ["client-0", "client-1"] {
            let (node, host, engine) = (Arc::clone(&self), host.clone(), Arc::clone(&engine));
            let rng = Rng::labelled(seed, client);
            host.clone().tasks.spawn("client", Box::pin(async move { node.client(&host, &engine, rng).await }));
        }
        // As `helios serve` does: a store that can't be reached does not keep a node from taking lines in.
        let _cluster = loop {
            match join(&host, &engine, &store, &self.name, &self.shared.settings).await {
                Ok(cluster) => break cluster,
                Err(_) => host.clock.sleep(JOIN_RETRY).await,
            }
        };
        loop {
            host.clock.sleep(REPORT_EVERY).await;
            if self.shared.is_stopping() {
                engine.flush_now().await;
                let (now, found) = (host.clock.monotonic(), all_events(&engine.snapshot(|_| true)).await);
                self.lock().said = Some((now, found));
            }
        }
    }

    /// Sends batches, and looks now and then whether all that was acknowledged here is here.
    async fn client(&self, host: &Host, engine: &Engine, mut rng: Rng) {
        loop {
            host.clock.sleep(Duration::from_millis(rng.in_range(100..5_000))).await;
            if self.shared.is_stopping() {
                return;
            }
            let batch = self.shared.batch(&mut rng);
            self.shared.lock().model.sent(&batch);
            let answer = send(host, engine, &batch).await;
            self.answered(&batch, &answer);
            if rng.percent(20) {
                self.look(engine).await;
            }
        }
    }

    fn answered(&self, batch: &[Sent], answer: &Answer) {
        let mut notes = self.shared.lock();
        if let Err(why) = notes.model.answered(batch, answer) {
            notes.wrong.get_or_insert(why);
        }
        if let Answer::Acknowledged(_) = answer {
            self.lock().own.extend(batch.iter().map(|sent| sent.raw.clone()));
        }
    }

    async fn look(&self, engine: &Engine) {
        let own = self.lock().own.clone();
        let mut expected = self.shared.lock().model.expectation();
        expected.keep(|raw| own.contains(raw));
        // A store that can't be asked for an old block is no answer.
        let Ok(found) = all_events(&engine.snapshot(|_| true)).await else { return };
        let judged = self.shared.judge(&self.name, &found, &expected);
        let mut notes = self.shared.lock();
        notes.looks += 1;
        if let Err(why) = judged {
            notes.wrong.get_or_insert(why);
        }
    }

    /// The life on it is over. With a seed, the power was cut and decides what is left of what was not synced.
    pub(super) fn end(&self, cut: Option<u64>) {
        let mut state = self.lock();
        state.said = None;
        let Some(life) = state.life.take() else { return };
        life.power.cut();
        state.straddles += life.replica.map_or(0, |replica| replica.straddles_cut());
        state.digest = mix(state.digest.rotate_left(7) ^ life.power.digest());
        for line in life.disk.trace() {
            // Without the number of bytes: only which call came when.
            let call = line.split(" +").next().unwrap_or_default();
            state.order = mix(state.order.rotate_left(7) ^ hash(call.as_bytes()));
        }
        let mut storage = life.disk.unmount();
        if let Some(seed) = cut {
            storage.power_cut(seed);
        }
        state.storage = storage;
    }

    /// What it has, if it has said so since then.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) fn said(&self, since: Duration) -> Result<Vec<Found>, String> {
        match &self.lock().said {
            Some((at, found)) if *at >= since => found.clone(),
            _ => Err(format!("{} says nothing", self.name)),
        }
    }

    pub(super) fn could_not_start(&self) -> bool {
        self.lock().life.as_ref().is_some_and(|life| life.could_not_start)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn lives(&self) -> u64 {
        self.lives.load(Ordering::Relaxed)
    }

    pub(super) fn straddles(&self) -> u64 {
        self.lock().straddles
    }

    pub(super) fn digest(&self) -> u64 {
        self.lock().digest
    }

    pub(super) fn order(&self) -> u64 {
        self.lock().order
    }

    fn mount(&self) -> (Host, u64) {
        let number = self.lives.fetch_add(1, Ordering::Relaxed);
        let seed = mix(self.seed.wrapping_add(number << 32));
        let plan = FaultPlan { trace: true, ..FaultPlan::none() };
        let power = Arc::new(Power::default());
        let mut state = self.lock();
        let storage = std::mem::take(&mut state.storage);
        let disk = SimDisk::new(storage, plan, Arc::new(SimClock::current()), Arc::clone(&power), seed);
        let host = crate::host::host(&disk, seed);
        let life = Life { disk, power, replica: None, could_not_start: false };
        assert!(state.life.replace(life).is_none(), "one life at a time");
        (host, seed)
    }

    fn with_life(&self, change: impl FnOnce(&mut Life)) {
        if let Some(life) = &mut self.lock().life {
            change(life);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under the lock of the machine")
    }
}

async fn join(
    host: &Host,
    engine: &Engine,
    store: &Arc<dyn Store>,
    address: &str,
    settings: &ClusterSettings,
) -> Result<Cluster, JoinError> {
    let node = NodeId::load(host, Path::new(ROOT)).await.expect("nothing is wrong with the disk");
    let known_stores = KnownStores::load(host, Path::new(ROOT)).await.expect("nothing is wrong with the disk");
    let life = engine.origin().to_string();
    let control = Control::new(Arc::clone(store), "_control", host, &life, Sealing::Off, CONTROL_CACHE);
    let parts = ClusterParts {
        host: host.clone(),
        store: Arc::clone(store),
        store_name: "memory".into(),
        control: Arc::new(control),
        replica: engine.replica(),
        node,
        known_stores,
        address: address.into(),
        settings: settings.clone(),
    };
    Cluster::start(parts).await
}

/// Sends a batch and waits for the answer.
async fn send(host: &Host, engine: &Engine, batch: &[Sent]) -> Answer {
    let body = batch.iter().map(|sent| format!("{}\n", sent.raw)).collect::<String>();
    let index = IndexTemplate::parse("{{service}}").expect("a template");
    let target = Target { env: DEFAULT_NAME.into(), index, source: None };
    let request = Request::new(target, host.clock.wall().0, Arc::new(|_: &PartitionKey| None));
    let read = read_lines(&request, Lines { body: body.into(), first_line: 1 });
    let record = read.record.expect("the lines are sound");
    let sent = async {
        let admission = engine.admit(record.body.len() as u64).await?;
        engine.append(record, admission).await
    };
    match sent.await {
        Ok(receipt) => {
            let id = |line| EventId { origin: engine.origin(), sequence: Sequence(receipt.first_sequence + line) };
            Answer::Acknowledged((0..batch.len() as u64).map(|line| Some(id(line))).collect())
        }
        Err(AppendError::Unknown(_)) => Answer::Unknown,
        Err(_) => Answer::Refused,
    }
}

async fn all_events(snapshot: &Snapshot) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    for partition in &snapshot.partitions {
        let mut show = |group: &RowGroup| {
            for row in 0..group.rows {
                let (index, day) = (partition.key.index.to_string(), partition.key.day);
                let (id, time_ns, mut raw) = (group.id(row), group.times[row as usize], Vec::new());
                group.raw(row, &mut raw);
                found.push(Found { id, index, day, time_ns, raw });
            }
        };
        for block in partition.blocks.iter() {
            let groups = read_block(block).await.map_err(|why| format!("block {}: {why}", block.entry.id))?;
            groups.iter().for_each(&mut show);
        }
        partition.head.iter().for_each(|group| show(group));
    }
    Ok(found)
}

async fn read_block(block: &StoredBlock) -> Result<Vec<RowGroup>, String> {
    let len = usize::try_from(block.entry.bytes).map_err(|error| error.to_string())?;
    let bytes = block.read(0, len).await.map_err(|error| error.to_string())?;
    let footer = Footer::of_block(&bytes).map_err(|error| error.to_string())?;
    let group = |group| decode_group_of(&footer, group, &bytes).map_err(|error| error.to_string());
    (0..footer.groups.len()).map(group).collect()
}

/// Where the data directory is.
const ROOT: &str = "/srv/helios";
/// How often a node says what it has, once no client sends any more.
const REPORT_EVERY: Duration = Duration::from_secs(5);
/// How long a node waits that could not join.
const JOIN_RETRY: Duration = Duration::from_secs(1);
/// As `helios serve` has it.
const CONTROL_CACHE: Duration = Duration::from_secs(10);
