//! Nodes that share a store which fails: each takes lines in, sends them there and adopts what the others sent. They are
//! killed, lose power, stall and come back, each by itself.
//!
//! **Promise.** [`run`] says whether a node always has what it has acknowledged, once; whether, once nothing goes wrong,
//! every node comes to have every acknowledged line once, under the same id, and none that was refused.
//!
//! **Boundary.** Engine and cluster are wired as `helios serve` wires them. Lines come through the product's own reader,
//! not over HTTP: that is what [`crate::server`] is for.

#[path = "../../../src/powercut/model.rs"]
#[allow(dead_code, reason = "the other simulator also loses disks and retires days")]
mod model;
mod node;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::{join, join_all};
use helios::chain::memory::{Faults, MemoryStore};
use helios::cluster::ClusterSettings;
use helios::engine::{Mutant, Mutation};
use helios::event::EventId;
use helios::event::partition::DAY_NS;
use helios::host::{Clock, Entropy};
use madsim::runtime::{Handle, NodeHandle};

use self::model::{Expectation, Model};
use self::node::Machine;
use crate::clock::{SimClock, WALL_START_NS};
use crate::control::{HEALED_DELAY_MS, draw_faults};
use crate::entropy::SeededEntropy;
use crate::rng::{Rng, mix};
use crate::{Network, Seeds, simulate};

/// A run: everything that decides how it goes.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What is drawn.
    pub seeds: Seeds,
    /// A deliberate bug of the engine.
    pub mutant: Option<Mutant>,
}

/// How a run went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Nodes.
    pub nodes: usize,
    /// Lines that were acknowledged.
    pub acknowledged: usize,
    /// Times that a client looked for what its node had acknowledged.
    pub looks: usize,
    /// Kills; cuts of the power; times that a node stalled.
    pub kills: u64,
    /// See `kills`.
    pub cuts: u64,
    /// See `kills`.
    pub pauses: u64,
    /// Lives of nodes.
    pub lives: u64,
    /// Answers of the store that were lost, calls that it refused, and creates that came late.
    pub faults: u64,
    /// Blocks of which the store had a part: what a node adopted cut them.
    pub straddles: u64,
    /// Virtual time.
    pub seconds: f64,
    /// Of every call to a disk with its bytes, and of what clients were told, in order.
    pub digest: u64,
    /// The same without bytes: of the order alone.
    pub order: u64,
}

/// Runs it.
///
/// # Errors
/// The first thing that is wrong.
pub fn run(run: Run) -> Result<Outcome, String> {
    simulate(run.seeds.schedule, Network::Even, move || play(run))
}

/// A line as a client sends it.
#[derive(Clone, Debug)]
struct Sent {
    index: &'static str,
    time_ns: i64,
    raw: String,
}

/// What a client was told about its batch: each line's id, or that it was not taken, or nothing.
#[derive(Clone, Debug)]
enum Answer {
    Acknowledged(Vec<Option<EventId>>),
    Refused,
    Unknown,
}

/// An event as a node shows it.
#[derive(Clone, Debug)]
struct Found {
    id: EventId,
    index: String,
    day: i32,
    time_ns: i64,
    raw: Vec<u8>,
}

/// What all nodes have in common.
struct Shared {
    workload: u64,
    store: MemoryStore,
    settings: ClusterSettings,
    mutation: Mutation,
    lines: AtomicU64,
    /// No client sends any more.
    stopping: AtomicBool,
    notes: Mutex<Notes>,
}

/// What clients were told and saw.
#[derive(Default)]
struct Notes {
    model: Model,
    looks: usize,
    wrong: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("nothing panics under the lock of the notes")
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Some lines that nobody has sent before, of today and of yesterday.
    fn batch(&self, rng: &mut Rng) -> Vec<Sent> {
        let count = rng.in_range(1..6);
        let mut line = || {
            let number = self.lines.fetch_add(1, Ordering::Relaxed);
            let later_ns = i64::try_from(number).expect("few lines") * 1_000;
            let time_ns = WALL_START_NS - rng.pick(&[0, DAY_NS]) + later_ns;
            let index = rng.pick(&["app", "app", "web"]);
            let padding = "x".repeat(rng.index(40));
            let raw = format!(r#"{{"time":{time_ns},"service":"{index}","n":{number},"pad":"{padding}"}}"#);
            Sent { index, time_ns, raw }
        };
        (0..count).map(|_| line()).collect()
    }

    /// What a node shows: anything that is wrong for good, then what `expected` says must be there.
    ///
    /// # Errors
    /// What is missing. What is wrong for good is noted.
    fn judge(&self, name: &str, found: &[Found], expected: &Expectation) -> Result<(), String> {
        let mut notes = self.lock();
        let mut nothing = notes.model.expectation();
        nothing.keep(|_| false);
        if let Err(why) = notes.model.judge(&nothing, found) {
            notes.wrong.get_or_insert(format!("{name}: {why}"));
        }
        notes.model.judge(expected, found).map_err(|why| format!("{name}: {why}"))
    }
}

async fn play(run: Run) -> Result<Outcome, String> {
    let workload = run.seeds.workload;
    let mut rng = Rng::labelled(workload, "cluster");
    let clock = SimClock::current();
    let entropy = SeededEntropy::new(workload);
    let store = MemoryStore::new(entropy.fork("store"), Some(Arc::new(clock.clone())));
    let shared = Arc::new(Shared {
        workload,
        store: store.clone(),
        settings: draw_cluster_settings(&mut rng),
        mutation: run.mutant.map_or_else(Mutation::default, Mutation::of),
        lines: AtomicU64::new(0),
        stopping: AtomicBool::new(false),
        notes: Mutex::default(),
    });
    let members: Vec<Member> = (0..rng.in_range(2..5)).map(|number| Member::start(number, &shared)).collect();
    let troubles = members.iter().map(|member| member.trouble(&clock));
    let (counts, ()) = join(join_all(troubles), trouble_store(&mut rng, &store, &clock)).await;
    store.set_faults(Faults { delay_ms_max: HEALED_DELAY_MS, ..Faults::default() });
    while store.deliver_one() {}
    shared.stopping.store(true, Ordering::Relaxed);
    agree(&shared, &members, &clock).await?;
    members.iter().for_each(|member| member.end());
    let machines = members.iter().map(|member| &member.machine);
    let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum();
    let store_counts = store.counts();
    let notes = shared.lock();
    Ok(Outcome {
        nodes: members.len(),
        acknowledged: notes.model.acknowledged(),
        looks: notes.looks,
        kills: sum(|counts| counts.kills),
        cuts: sum(|counts| counts.cuts),
        pauses: sum(|counts| counts.pauses),
        lives: machines.clone().map(|machine| machine.lives()).sum(),
        faults: store_counts.answers_lost + store_counts.delivered_late + store_counts.refused,
        straddles: machines.clone().map(|machine| machine.straddles()).sum(),
        seconds: clock.monotonic().as_secs_f64(),
        digest: machines.clone().fold(0, |digest, machine| mix(digest ^ machine.digest())),
        order: machines.fold(0, |order, machine| mix(order ^ machine.order())),
    })
}

/// A machine, and the node of madsim's that it is.
struct Member {
    machine: Arc<Machine>,
    node: NodeHandle,
    rng_seed: u64,
}

/// What happened to a node.
#[derive(Default)]
struct Counts {
    kills: u64,
    cuts: u64,
    pauses: u64,
}

impl Member {
    fn start(number: u64, shared: &Arc<Shared>) -> Self {
        let machine = Arc::new(Machine::new(number, Arc::clone(shared)));
        let living = Arc::clone(&machine);
        let cluster = Handle::current();
        let node = cluster.create_node().name(machine.name()).init(move || Arc::clone(&living).live()).build();
        Self { machine, node, rng_seed: mix(shared.workload ^ number) }
    }

    /// It dies, comes back, and stalls for longer than a lease.
    async fn trouble(&self, clock: &SimClock) -> Counts {
        let mut rng = Rng::labelled(self.rng_seed, "trouble");
        let (mut counts, cluster) = (Counts::default(), Handle::current());
        for _ in 0..rng.in_range(1..5) {
            clock.sleep(Duration::from_millis(rng.in_range(10..20_000))).await;
            let down = Duration::from_millis(rng.in_range(1..20_000));
            if rng.percent(40) {
                counts.pauses += 1;
                cluster.pause(self.node.id());
                clock.sleep(down).await;
                cluster.resume(self.node.id());
                continue;
            }
            let cut = rng.percent(50);
            *(if cut { &mut counts.cuts } else { &mut counts.kills }) += 1;
            self.machine.end(cut.then(|| rng.next_u64()));
            cluster.kill(self.node.id());
            clock.sleep(down).await;
            cluster.restart(self.node.id());
        }
        counts
    }

    /// Starts it again if it could not start while the store failed.
    fn revive(&self) {
        if self.machine.could_not_start() {
            self.end();
            Handle::current().restart(self.node.id());
        }
    }

    fn end(&self) {
        self.machine.end(None);
        Handle::current().kill(self.node.id());
    }
}

/// The store fails in other ways every few seconds.
async fn trouble_store(rng: &mut Rng, store: &MemoryStore, clock: &SimClock) {
    for _ in 0..rng.in_range(1..8) {
        let faults = if rng.percent(30) { Faults::default() } else { draw_faults(rng) };
        store.set_faults(faults);
        clock.sleep(Duration::from_millis(rng.in_range(1_000..15_000))).await;
    }
}

/// Waits until all nodes have the same, and keep it.
async fn agree(shared: &Shared, members: &[Member], clock: &SimClock) -> Result<(), String> {
    let healed = clock.monotonic();
    let mut agreed = 0;
    while agreed < AGREED_LOOKS {
        clock.sleep(LOOK_EVERY).await;
        members.iter().for_each(Member::revive);
        let looked = apart(shared, members, healed);
        if let Some(wrong) = &shared.lock().wrong {
            return Err(wrong.clone());
        }
        match looked {
            Ok(()) => agreed += 1,
            Err(why) if clock.monotonic() > healed + HEALED_WITHIN => {
                return Err(format!("no agreement {} s after healing: {why}", HEALED_WITHIN.as_secs()));
            }
            Err(_) => agreed = 0,
        }
    }
    Ok(())
}

/// Why the nodes do not agree yet, by what they have said since then.
fn apart(shared: &Shared, members: &[Member], since: Duration) -> Result<(), String> {
    let expected = shared.lock().model.expectation();
    let mut first: Option<BTreeSet<EventId>> = None;
    for Member { machine, .. } in members {
        let found = machine.said(since)?;
        shared.judge(machine.name(), &found, &expected)?;
        let ids: BTreeSet<EventId> = found.iter().map(|found| found.id).collect();
        let others = first.get_or_insert_with(|| ids.clone());
        if let Some(odd) = others.symmetric_difference(&ids).next() {
            return Err(format!("{odd} is on one of node-0 and {} only", machine.name()));
        }
    }
    Ok(())
}

/// Knobs that make much happen in little time.
fn draw_cluster_settings(rng: &mut Rng) -> ClusterSettings {
    let mut ms = |of: &[u64]| Duration::from_millis(rng.pick(of));
    let (sync_interval, walk_interval) = (ms(&[500, 2_000, 10_000]), ms(&[5_000, 30_000]));
    let (compact_interval, sweep_interval) = (ms(&[500, 3_000, 30_000]), ms(&[500, 5_000, 20_000]));
    let (grace, dead_after) = (ms(&[0, 1_000, 10_000]), ms(&[1_000, 60_000]));
    ClusterSettings {
        sync_interval,
        walk_interval,
        compact_interval,
        sweep_interval,
        grace,
        dead_after,
        generations_kept: rng.pick(&[1, 2, 16]),
        upload_blocks_max: rng.pick(&[1, 2, 16]),
        upload_bytes_max: rng.pick(&[1, 5_000, 128 << 20]),
        feed_kept: rng.pick(&[1, 3, 64]),
        cache_bytes: rng.pick(&[None, Some(0), Some(3_000)]),
        prefetch: rng.percent(70),
    }
}

/// How often it is looked whether they have: time for several rounds of sharing.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Looks in a row at which all nodes must have the same.
const AGREED_LOOKS: usize = 3;
/// After this much virtual time without faults all nodes agree.
const HEALED_WITHIN: Duration = Duration::from_secs(300);
