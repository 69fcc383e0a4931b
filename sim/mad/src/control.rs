//! Nodes that share a store which fails: they change the same document, take leases and runs, die, stall and come back.
//!
//! **Promise.** [`run`] says whether every change whose node was told "done" is in the document, once, and none that was
//! refused; whether no term and no run was given to two; whether the nodes come to one leader once nothing goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::chain::Store;
use helios::chain::memory::{Faults, MemoryStore};
use helios::control::lease::{LEASE_RENEW, LEASE_TTL};
use helios::control::{Acquire, Control, Leadership, Leases, Renewal, Run, Sealing, Swap, campaign};
use helios::crypto::key_file::KeyMaterial;
use helios::host::{Clock, Entropy, Host};
use madsim::runtime::{Handle, NodeHandle};
use serde_json::Value;

use crate::clock::SimClock;
use crate::disk::{FaultPlan, SimDisk, Storage};
use crate::entropy::SeededEntropy;
use crate::rng::{Rng, hash, mix};
use crate::world::Power;
use crate::{Network, Seeds, simulate};

/// How a run went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Changes that their node was told are done, and those of which it was told that nobody knows.
    pub done: usize,
    /// See `done`.
    pub unknown: usize,
    /// Of the unknown, those that are there.
    pub turned_out_done: usize,
    /// Terms of the lease that is given back, and runs that were taken.
    pub terms: usize,
    /// See `terms`.
    pub runs: usize,
    /// Lives of nodes.
    pub lives: u64,
    /// Answers of the store that were lost, and creates that came late.
    pub faults: u64,
    /// Virtual time.
    pub seconds: f64,
    /// Of what nodes were told, in order.
    pub digest: u64,
}

/// Runs it.
///
/// # Errors
/// The first thing that is wrong.
pub fn run(seeds: Seeds) -> Result<Outcome, String> {
    simulate(seeds.schedule, Network::Even, move || play(seeds.workload))
}

/// What nodes were told.
#[derive(Default)]
struct Notes {
    /// What became of each change, by document and token: whether it is done, `None` if nobody knows.
    changes: BTreeMap<(String, String), Option<bool>>,
    terms: BTreeMap<u64, String>,
    runs: BTreeMap<u64, String>,
    leaders: BTreeMap<usize, Leadership>,
    wrong: Option<String>,
    digest: u64,
}

impl Notes {
    fn given(&mut self, what: &str, number: u64, life: &str) {
        self.note(&format!("{what} {number} {life}"));
        let given = if what == "run" { &mut self.runs } else { &mut self.terms };
        let first = given.entry(number).or_insert_with(|| life.to_owned());
        if first != life {
            self.wrong.get_or_insert(format!("{what} {number} was given to {first} and to {life}"));
        }
    }

    fn note(&mut self, fact: &str) {
        self.digest = mix(self.digest.rotate_left(7) ^ hash(fact.as_bytes()));
    }
}

/// What all nodes have in common.
struct Shared {
    workload: u64,
    store: MemoryStore,
    key: KeyMaterial,
    sealed: bool,
    lives: AtomicU64,
    notes: Mutex<Notes>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("nothing panics under the lock of the notes")
    }

    fn control(&self, host: &Host, life: &str) -> Arc<Control> {
        let sealing = if self.sealed {
            Sealing::On(Arc::new(self.key.stand_in(host.entropy.fork("nonces"))))
        } else {
            Sealing::Off
        };
        let store: Arc<dyn Store> = Arc::new(self.store.clone());
        Arc::new(Control::new(store, "_control", host, life, sealing, Duration::ZERO))
    }
}

async fn play(workload: u64) -> Result<Outcome, String> {
    let mut rng = Rng::labelled(workload, "control");
    let clock = SimClock::current();
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(workload));
    let store = MemoryStore::new(entropy.fork("store"), Some(Arc::new(clock.clone())));
    store.set_faults(draw_faults(&mut rng));
    let shared = Arc::new(Shared {
        workload,
        store: store.clone(),
        key: KeyMaterial::draw(entropy.fork("key").as_ref()),
        sealed: rng.percent(50),
        lives: AtomicU64::new(0),
        notes: Mutex::default(),
    });
    let cluster = Handle::current();
    let nodes: Vec<NodeHandle> = (0..NODES)
        .map(|number| {
            let shared = Arc::clone(&shared);
            cluster.create_node().name(format!("node-{number}")).init(move || live(Arc::clone(&shared), number)).build()
        })
        .collect();
    trouble(&mut rng, &cluster, &nodes, &clock).await;
    store.set_faults(Faults { delay_ms_max: HEALED_DELAY_MS, ..Faults::default() });
    while store.deliver_one() {}
    clock.sleep(SETTLED).await;
    for _ in 0..LOOKS {
        clock.sleep(Duration::from_secs(1)).await;
        let leaders = shared.lock().leaders.values().filter(|leadership| leadership.leads()).count();
        if leaders != 1 {
            return Err(format!("{leaders} nodes lead although nothing goes wrong"));
        }
    }
    nodes.iter().for_each(|node| cluster.kill(node.id()));
    judge(&shared, &clock).await
}

/// Nodes die, come back, and stall for longer than a lease.
async fn trouble(rng: &mut Rng, cluster: &Handle, nodes: &[NodeHandle], clock: &SimClock) {
    for _ in 0..rng.in_range(3..10) {
        clock.sleep(Duration::from_millis(rng.in_range(10..8_000))).await;
        let node = nodes[rng.index(nodes.len())].id();
        let down = Duration::from_millis(rng.in_range(1..20_000));
        if rng.percent(50) {
            cluster.kill(node);
            clock.sleep(down).await;
            cluster.restart(node);
        } else {
            cluster.pause(node);
            clock.sleep(down).await;
            cluster.resume(node);
        }
    }
}

/// One life of a node.
async fn live(shared: Arc<Shared>, number: usize) {
    let life_number = shared.lives.fetch_add(1, Ordering::Relaxed);
    let life = format!("life-{life_number}");
    let seed = mix(shared.workload ^ mix(life_number));
    let power = Arc::new(Power::default());
    let disk = SimDisk::new(Storage::new(), FaultPlan::none(), Arc::new(SimClock::current()), power, seed);
    let host = crate::host::host(&disk, seed);
    let control = shared.control(&host, &life);
    let leases = Arc::new(Leases::new(Arc::clone(&control), Arc::clone(&host.clock)));
    let (leadership, _campaign) = campaign(&host, Arc::clone(&leases), "compactor");
    shared.lock().leaders.insert(number, leadership);
    let worker = Worker { life, host: host.clone(), control, leases, shared };
    let rng = move |label| Rng::labelled(seed, label);
    let (changes, lease, runs) = (worker.clone(), worker.clone(), worker);
    host.tasks.spawn("lease", Box::pin(async move { lease.take_and_give_back(rng("lease")).await }));
    host.tasks.spawn("runs", Box::pin(async move { runs.take_runs(rng("runs")).await }));
    changes.change(rng("changes")).await;
}

#[derive(Clone)]
struct Worker {
    life: String,
    host: Host,
    control: Arc<Control>,
    leases: Arc<Leases>,
    shared: Arc<Shared>,
}

impl Worker {
    /// Adds tokens to the document of the time, two at once.
    async fn change(&self, mut rng: Rng) {
        for round in 0.. {
            let (one, two) = (format!("{}-{round}-a", self.life), format!("{}-{round}-b", self.life));
            futures_util::join!(self.add(&one), self.add(&two));
            self.host.clock.sleep(Duration::from_millis(rng.in_range(1..3_000))).await;
        }
    }

    async fn add(&self, token: &str) {
        // A document costs in proportion to what is in it, at each change: a run that has but one never ends.
        let document = format!("settings-{}", self.host.clock.monotonic().as_secs() / DOCUMENT_EVERY_S);
        let change = (document.clone(), token.to_owned());
        self.shared.lock().changes.insert(change.clone(), None);
        let added = self.control.update(&document, |content| {
            content.insert(token.to_owned(), Value::from(content.len()));
            true
        });
        let fate = match added.await {
            Ok(Some(Swap::Done(_))) => Some(true),
            Ok(Some(Swap::Unknown(_))) => None,
            Ok(Some(Swap::Lost(_)) | None) | Err(_) => Some(false),
        };
        let mut notes = self.shared.lock();
        notes.note(&format!("{token} {fate:?}"));
        notes.changes.insert(change, fate);
    }

    async fn take_and_give_back(&self, mut rng: Rng) {
        loop {
            self.host.clock.sleep(Duration::from_millis(rng.in_range(100..8_000))).await;
            let Ok(Acquire::Held(mut held)) = self.leases.acquire("work").await else { continue };
            self.shared.lock().given("term", held.term(), &self.life);
            for _ in 0..rng.in_range(0..3) {
                self.host.clock.sleep(LEASE_RENEW).await;
                held = match self.leases.renew(held).await {
                    Renewal::Kept(held) | Renewal::Unknown(held) => held,
                    Renewal::Gone => break,
                };
                if rng.percent(40) {
                    // Whether it is given back or lapses is the same to the others, but for the wait.
                    let _ = self.leases.release(held).await;
                    break;
                }
            }
        }
    }

    async fn take_runs(&self, mut rng: Rng) {
        loop {
            let due = self.host.clock.monotonic().as_secs() / RUN_EVERY_S;
            if let Ok(Run::Mine) = self.leases.take_run("monitor", due).await {
                self.shared.lock().given("run", due, &self.life);
            }
            self.host.clock.sleep(Duration::from_millis(rng.in_range(200..2_000))).await;
        }
    }
}

async fn judge(shared: &Shared, clock: &SimClock) -> Result<Outcome, String> {
    let power = Arc::new(Power::default());
    let disk = SimDisk::new(Storage::new(), FaultPlan::none(), Arc::new(clock.clone()), power, 0);
    let reader = shared.control(&crate::host::host(&disk, mix(shared.workload)), "reader");
    let documents: BTreeSet<String> = shared.lock().changes.keys().map(|(document, _)| document.clone()).collect();
    let mut there = BTreeMap::new();
    for name in documents {
        let document = reader.read_now(&name).await.map_err(|error| error.to_string())?;
        there.insert(name, document.map(|document| document.content.clone()).unwrap_or_default());
    }
    let notes = shared.lock();
    if let Some(wrong) = &notes.wrong {
        return Err(wrong.clone());
    }
    let mut outcome = Outcome::default();
    for ((document, token), fate) in &notes.changes {
        match (fate, there[document].contains_key(token)) {
            (Some(true), true) => outcome.done += 1,
            (Some(true), false) => return Err(format!("done and lost: {token}")),
            (Some(false), true) => return Err(format!("refused and done: {token}")),
            (Some(false), false) => {}
            (None, done) => {
                outcome.unknown += 1;
                outcome.turned_out_done += usize::from(done);
            }
        }
    }
    // Each change counted what was there before it: a change that was overwritten would leave a gap.
    for (name, content) in &there {
        let mut places: Vec<u64> = content.values().filter_map(Value::as_u64).collect();
        places.sort_unstable();
        if places != (0..content.len() as u64).collect::<Vec<_>>() {
            return Err(format!("changes of {name} were lost: {places:?}"));
        }
    }
    let counts = shared.store.counts();
    Ok(Outcome {
        terms: notes.terms.len(),
        runs: notes.runs.len(),
        lives: shared.lives.load(Ordering::Relaxed),
        faults: counts.answers_lost + counts.delivered_late + counts.refused,
        seconds: clock.monotonic().as_secs_f64(),
        digest: notes.digest,
        ..outcome
    })
}

/// What goes wrong with the store, and how long its calls take.
pub(crate) fn draw_faults(rng: &mut Rng) -> Faults {
    let mut often = || rng.pick(&[0, 0, 20, 100, 250]);
    let (refuse, lose_answer, lose_request, deliver_late, answer_twice) = (often(), often(), often(), often(), often());
    Faults {
        refuse,
        lose_answer,
        lose_request,
        deliver_late,
        deliver: rng.pick(&[0, 5, 100]),
        answer_twice,
        delay_ms_max: rng.pick(&[2, 20, 400]),
        page_objects: rng.pick(&[0, 1, 7]),
        ..Faults::default()
    }
}

/// How long all nodes change the same document, before they go on with another.
const DOCUMENT_EVERY_S: u64 = 10;
/// Nodes.
const NODES: usize = 3;
/// How often a run is due.
const RUN_EVERY_S: u64 = 5;
/// The longest wait of a call to a store in order, each way.
pub(crate) const HEALED_DELAY_MS: u64 = 20;
/// By then a lease has lapsed and another has taken it.
const SETTLED: Duration = Duration::from_secs(LEASE_TTL.as_secs() * 3);
/// Seconds during which one node, and one only, must lead.
const LOOKS: u64 = 20;
