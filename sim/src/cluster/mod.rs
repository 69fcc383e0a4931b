//! Clusters on one simulated machine: several nodes, each with a disk, a clock and a cable of its own, on a store
//! that loses, delays and refuses. Tasks run in an order that is drawn, and nothing waits.
//!
//! **Promise.** A run follows from its seed. After some minutes of faults everything heals; then every node must
//! come to have every acknowledged event exactly once, and what the store was asked for must be sound at every
//! commit: each generation is recounted from the rows of its blocks.
//!
//! **Boundary.** Knows the engine and the cluster as `helios serve` starts them, and the store from outside.

mod costs;
mod faults;
mod judge;
mod node;
mod rollback;
mod switch;

pub use costs::{Moved, busy_hour, quiet_hour};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::chain::memory::{Faults, MemoryStore};
use helios::cluster::{Begin, ClusterSettings, Waited};
use helios::engine::{Mutation, Settings};
use helios::event::PartitionKey;
use helios::event::partition::DAY_NS;
use helios::host::{Clock, Host};

use crate::control::cluster::{HEALED_DELAY_MS, draw_faults};
use crate::disk::{FaultPlan, Storage};
use crate::powercut::engine::{all_events, send};
use crate::powercut::{Answer, Model, Sent, drawn_settings};
use crate::rng::Rng;
use crate::world::{Ended, World};
use node::{Life, Node};

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// Virtual time in which things go wrong.
    pub faulty: Duration,
    /// A deliberate bug; none but in tests.
    pub mutation: Mutation,
    /// Nodes; drawn if there is none.
    pub nodes: Option<usize>,
    /// What there is most of.
    pub focus: Focus,
}

/// What a run has most of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Focus {
    /// Everything as it is drawn.
    #[default]
    Everything,
    /// Days that are retired, and calendars that jump.
    Retention,
    /// A sweeper that comes between each two steps of the others, and processes that stand still.
    Sweeping,
    /// As that, and nodes of which some put each block into a page and some none, so that pages come and go.
    Pages,
    /// Requests that come late, numbers that are collected meanwhile, and committers that stand still.
    Ghosts,
    /// A store that is put back again and again.
    Rollbacks,
    /// Machines that are put back to an earlier state while they run: their processes go on with what they knew then.
    Clones,
}

impl Focus {
    /// How many nodes there are, drawn of these.
    fn nodes(self) -> &'static [usize] {
        match self {
            // While one waits two others go on.
            Self::Ghosts | Self::Pages => &[3, 4, 5],
            _ => &[1, 2, 2, 3, 3, 4, 5],
        }
    }

    /// What goes wrong with the store.
    fn store_faults(self, rng: &mut Rng) -> Faults {
        let drawn = draw_faults(rng);
        match self {
            Self::Ghosts => Faults { deliver_late: 250, deliver: 15, lose_answer: 100, delay_ms_max: 400, ..drawn },
            Self::Sweeping | Self::Pages => {
                let delay_ms_max = if self == Self::Pages { 20 } else { 400 };
                Faults { delay_ms_max, deliver_late: drawn.deliver_late.max(100), delete_again: 500, ..drawn }
            }
            _ => drawn,
        }
    }
}

/// How a run went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Lines that were acknowledged.
    pub acknowledged: usize,
    /// Virtual time that it took.
    pub virtual_time: Duration,
    /// Digest of what happened.
    pub digest: u64,
    /// How often a task was polled.
    pub polls: u64,
    /// How often things happened that must be seen.
    pub coverage: BTreeMap<String, u64>,
}

/// What all parts of a run share.
struct Run {
    plan: Plan,
    host: Host,
    store: MemoryStore,
    nodes: Vec<Arc<Node>>,
    model: Mutex<Model>,
    /// Lines that were acknowledged by a node, and are on its disk or were shared.
    on: Mutex<BTreeMap<&'static str, BTreeSet<String>>>,
    /// Lines of which a client was told that the store has them.
    safe: Mutex<BTreeSet<String>>,
    coverage: Mutex<BTreeMap<String, u64>>,
    /// From where on the store's generations are judged.
    epoch: Mutex<judge::Epoch>,
    /// The store was rolled back and nobody has said yet what holds.
    rollback: Mutex<Option<rollback::Rollback>>,
    /// Whether days are retired.
    retention: bool,
    failure: Mutex<Option<String>>,
    stopping: Mutex<bool>,
    lines: Mutex<u64>,
}

/// Runs a plan.
///
/// # Errors
/// The first thing that is wrong.
pub fn run(plan: &Plan) -> Result<Outcome, String> {
    let world = World::new(plan.seed);
    world.limit_polls(POLLS_MAX);
    let host = world.host(&world.mount(Storage::new(), FaultPlan::none()));
    let store = MemoryStore::new(host.entropy.fork("store"), Some(Arc::clone(&host.clock)));
    store.remember_made();
    let mut rng = Rng::labelled(plan.seed, "topology");
    let count = plan.nodes.unwrap_or_else(|| rng.pick(plan.focus.nodes()));
    let cluster_settings = drawn_cluster_settings(&mut rng, plan.focus);
    let retention = (rng.percent(30) || plan.focus == Focus::Retention) && plan.focus != Focus::Rollbacks;
    // Near midnight: days end while the run goes on.
    let ahead = DAY_NS - i64::try_from(rng.in_range(20..100)).expect("small") * 1_000_000_000;
    store.set_date_ahead(ahead);
    let nodes = NAMES[..count].iter().enumerate().map(|(number, name)| {
        let settings = node_settings(plan, number, retention);
        let seed = plan.seed.wrapping_mul(31).wrapping_add(number as u64 + 1);
        let node = Node::new(&world, &store, name, seed, settings, cluster_settings.clone());
        node.clock.set_right(ahead);
        if plan.focus == Focus::Ghosts && number == 0 {
            node.cable.linger(LINGERS);
        }
        Arc::new(node)
    });
    let run = Arc::new(Run {
        nodes: nodes.collect(),
        plan: plan.clone(),
        host: host.clone(),
        store,
        model: Mutex::default(),
        on: Mutex::default(),
        safe: Mutex::default(),
        coverage: Mutex::default(),
        epoch: Mutex::default(),
        rollback: Mutex::default(),
        retention,
        failure: Mutex::default(),
        stopping: Mutex::default(),
        lines: Mutex::default(),
    });
    if retention {
        let today = run.today();
        lock(&run.model).retention_begins(today - i32::try_from(RETENTION_DAYS).expect("few") + 1);
    }
    if plan.focus == Focus::Clones {
        lock(&run.model).ids_may_change();
    }
    let store_faults = rng.percent(50) || matches!(plan.focus, Focus::Ghosts | Focus::Sweeping | Focus::Pages);
    let ended = world.run(go(Arc::clone(&run), store_faults));
    let panicked = world.panicked_tasks();
    if !panicked.is_empty() {
        return Err(format!("tasks panicked: {panicked:?}"));
    }
    match ended {
        Ended::Done(Ok(())) => {}
        Ended::Done(Err(why)) => return Err(why),
        Ended::Cut => return Err("the power went off".into()),
        Ended::Stuck(why) => return Err(format!("stuck: {why}")),
    }
    let acknowledged = lock(&run.model).acknowledged();
    Ok(Outcome {
        acknowledged,
        virtual_time: host.clock.monotonic(),
        digest: world.digest(),
        polls: world.polls(),
        coverage: lock(&run.coverage).clone(),
    })
}

async fn go(run: Arc<Run>, store_faults: bool) -> Result<(), String> {
    for node in &run.nodes {
        node.start().await.map_err(|why| format!("{} does not start: {why}", node.name))?;
    }
    if store_faults {
        run.store.set_faults(run.plan.focus.store_faults(&mut Rng::labelled(run.plan.seed, "store")));
    }
    let mut tasks = Vec::new();
    for (number, node) in run.nodes.iter().enumerate() {
        let client = client(Arc::clone(&run), Arc::clone(node), number as u64);
        tasks.push(run.host.tasks.spawn("client", Box::pin(client)));
    }
    tasks.push(run.host.tasks.spawn("faults", Box::pin(faults::drive(Arc::clone(&run)))));
    run.host.clock.sleep(run.plan.faulty).await;
    *lock(&run.stopping) = true;
    for task in tasks {
        if !task.join().await {
            return Err("a client panicked".into());
        }
    }
    run.failed()?;
    heal(&run).await?;
    run.failed()
}

/// Ends all faults, and waits until every node has come to the same.
async fn heal(run: &Arc<Run>) -> Result<(), String> {
    run.store.set_faults(Faults { delay_ms_max: HEALED_DELAY_MS, ..Faults::default() });
    while run.store.deliver_one() {}
    for node in &run.nodes {
        node.disk.set_plan(FaultPlan::none());
        node.cable.linger(Duration::ZERO);
        if let Some(life) = node.life() {
            life.switch.pause(false);
        }
    }
    // A call to a disk that has failed already may still be on its way back.
    run.host.clock.sleep(CALLS_END_WITHIN).await;
    // First: no node that has shared starts on a store that has lost everything.
    rollback::adopt_in_the_end(run, Begin::Write).await?;
    for node in &run.nodes {
        // A node whose writing has stopped goes on after a restart.
        let healthy = node.life().is_some_and(|life| life.engine.health() == helios::engine::Health::Running);
        if !healthy {
            restart(run, node).await?;
        }
    }
    let healed = run.host.clock.monotonic();
    let (mut deadline, mut gives_up) = (healed + HEALED_WITHIN, true);
    loop {
        restart_clones(run).await?;
        let why = match judge::apart(run).await? {
            None => judge::judge(run).await?,
            why => why,
        };
        let Some(why) = why else { break };
        let now = run.host.clock.monotonic();
        if gives_up && now > healed + GIVES_UP_AFTER && why.contains("accept-loss") {
            // Nobody has what these nodes wait for.
            run.saw("losses accepted");
            rollback::adopt_in_the_end(run, Begin::AcceptLoss).await?;
            gives_up = false;
            deadline = now + HEALED_WITHIN;
        }
        if now > deadline {
            return Err(format!("no agreement {} s after healing: {why}", HEALED_WITHIN.as_secs()));
        }
        run.host.clock.sleep(Duration::from_secs(2)).await;
    }
    for node in &run.nodes {
        run.collect_coverage(node);
    }
    let ghosts = run.store.counts().ghosts;
    *lock(&run.coverage).entry("ghosts created".into()).or_default() += ghosts;
    let renumbered = lock(&run.coverage).get("events renumbered").copied().unwrap_or(0);
    if renumbered > 0 && run.plan.focus != Focus::Clones {
        return Err(format!("{renumbered} events left a tail for a base that did not have them"));
    }
    Ok(())
}

/// Starts processes again that found another one under their life.
async fn restart_clones(run: &Arc<Run>) -> Result<(), String> {
    for node in &run.nodes {
        let Some(life) = node.life().filter(|_| run.plan.focus == Focus::Clones) else { continue };
        if matches!(life.engine.health(), helios::engine::Health::Stopped(_)) {
            run.saw("clones started again");
            drop(life);
            restart(run, node).await?;
        }
    }
    Ok(())
}

async fn restart(run: &Run, node: &Node) -> Result<(), String> {
    run.collect_coverage(node);
    node.kill(None).await;
    node.start().await.map_err(|why| format!("{} does not start again: {why}", node.name))
}

/// Sends batches to its node, and looks at once whether all that the node acknowledged is there.
async fn client(run: Arc<Run>, node: Arc<Node>, number: u64) {
    let mut rng = Rng::labelled(run.plan.seed.wrapping_add(number), "client");
    while !run.is_stopping() {
        run.host.clock.sleep(Duration::from_millis(rng.in_range(20..3_000))).await;
        let Some(life) = node.life() else { continue };
        let batch = run.batch(&mut rng);
        lock(&run.model).sent(&batch);
        let (engine, sent) = (Arc::clone(&life.engine), batch.clone());
        let answer = life.switch.guard(async move { send(&engine, &sent).await }).await.unwrap_or(Answer::Unknown);
        run.answered(node.name, &batch, &answer);
        if rng.percent(20) {
            wait_shared(&run, &life, &batch, &answer).await;
        }
        if rng.percent(30) {
            look(&run, &node).await;
        }
    }
}

/// Waits until the store has the batch. What it is told to have no lost disk takes away.
async fn wait_shared(run: &Arc<Run>, life: &Life, batch: &[Sent], answer: &Answer) {
    let Answer::Acknowledged(ids) = answer else { return };
    let mut wanted: BTreeMap<PartitionKey, u64> = BTreeMap::new();
    for (sent, id) in batch.iter().zip(ids) {
        let Some(id) = id else { continue };
        let key = PartitionKey::of(&Arc::from("default"), &Arc::from(sent.index), sent.time_ns);
        let last = wanted.entry(key).or_default();
        *last = id.sequence.0.max(*last);
    }
    let (cluster, origin) = (Arc::clone(&life.cluster), life.engine.origin());
    let wanted: Vec<_> = wanted.into_iter().collect();
    let waited = life.switch.guard(async move { cluster.wait_shared(&wanted, origin, SHARED_WAIT).await });
    if waited.await == Some(Waited::Shared) {
        run.saw("waits for the shared store that were answered");
        lock(&run.safe).extend(batch.iter().map(|sent| sent.raw.clone()));
    }
}

/// Everything that the node acknowledged is found on it, exactly once.
async fn look(run: &Arc<Run>, node: &Arc<Node>) {
    let Some(life) = node.life() else { return };
    let own = lock(&run.on).get(node.name).cloned().unwrap_or_default();
    let mut expected = lock(&run.model).expectation();
    expected.keep(|raw| own.contains(raw));
    let (engine, clock) = (Arc::clone(&life.engine), Arc::clone(&run.host.clock));
    let found = life.switch.guard(async move {
        let snapshot = engine.snapshot(|_| true);
        clock.sleep(Duration::from_micros(50)).await;
        all_events(&snapshot).await
    });
    match found.await {
        None => {}
        // A disk that fails, or a store that cannot be asked for an old block: no answer.
        Some(Err(_)) => {}
        Some(Ok(found)) => {
            let judged = lock(&run.model).judge(&expected, &found);
            if let Err(why) = judged {
                run.fail(format!("on {}: {why}", node.name));
            }
        }
    }
}

impl Run {
    fn today(&self) -> i32 {
        let wall = self.nodes.first().map_or(0, |node| node.clock.wall().0);
        i32::try_from(wall.div_euclid(DAY_NS)).expect("days are few")
    }

    /// Some lines that nobody has sent before.
    fn batch(&self, rng: &mut Rng) -> Vec<Sent> {
        let today = i64::from(self.today()) * DAY_NS;
        (0..rng.in_range(1..6))
            .map(|_| {
                let number = {
                    let mut lines = lock(&self.lines);
                    *lines += 1;
                    *lines
                };
                // One chain moves on faster than six.
                let alone = matches!(self.plan.focus, Focus::Ghosts | Focus::Sweeping | Focus::Pages);
                let back = if alone { 0 } else { i64::try_from(rng.in_range(0..2)).expect("small") };
                let time_ns = today - back * DAY_NS + i64::try_from(number).expect("few lines") * 1_000;
                let index = if alone { "app" } else { rng.pick(&["app", "app", "web"]) };
                let padding = "x".repeat(rng.index(40));
                Sent { index, time_ns, raw: format!(r#"{{"time":{time_ns},"n":{number},"pad":"{padding}"}}"#) }
            })
            .collect()
    }

    fn answered(&self, node: &'static str, batch: &[Sent], answer: &Answer) {
        let told = lock(&self.model).answered(batch, answer);
        if let Err(why) = told {
            self.fail(why);
        }
        if let Answer::Acknowledged(ids) = answer {
            let taken = batch.iter().zip(ids).filter(|(_, id)| id.is_some()).map(|(sent, _)| sent.raw.clone());
            lock(&self.on).entry(node).or_default().extend(taken);
        }
    }

    fn collect_coverage(&self, node: &Node) {
        let Some(life) = node.life() else { return };
        let mut coverage = lock(&self.coverage);
        for (name, times) in life.cluster.coverage() {
            *coverage.entry(name.to_owned()).or_default() += times;
        }
    }

    fn is_stopping(&self) -> bool {
        *lock(&self.stopping) || lock(&self.failure).is_some()
    }

    fn fail(&self, why: String) {
        lock(&self.failure).get_or_insert(why);
    }

    fn failed(&self) -> Result<(), String> {
        lock(&self.failure).clone().map_or(Ok(()), Err)
    }

    fn saw(&self, what: &str) {
        tracing::info!(at = ?self.host.clock.monotonic(), what, "seen");
        *lock(&self.coverage).entry(what.to_owned()).or_default() += 1;
    }
}

fn node_settings(plan: &Plan, number: usize, retention: bool) -> Settings {
    let drawn = drawn_settings(plan.seed.wrapping_mul(7).wrapping_add(number as u64));
    let mut settings = Settings {
        retention_days: retention.then_some(RETENTION_DAYS),
        // An idle loop that looks every millisecond finds no other bugs than one that looks every half second.
        compact_interval: drawn.compact_interval.max(Duration::from_millis(500)),
        flush_age: drawn.flush_age.max(Duration::from_millis(100)),
        flush_age_max: drawn.flush_age_max.max(Duration::from_millis(500)),
        mutation: plan.mutation,
        ..drawn
    };
    if plan.focus == Focus::Ghosts {
        // Who acts on a ghost finds its pages swept, reads the head instead, and gets away with it.
        settings.manifest_page_blocks = 512;
    }
    if plan.focus == Focus::Pages {
        settings.manifest_page_blocks = [1, 512][number % 2];
        settings.flush_age = Duration::from_millis(100);
        settings.flush_age_max = Duration::from_millis(500);
    }
    settings
}

fn drawn_cluster_settings(rng: &mut Rng, focus: Focus) -> ClusterSettings {
    let seconds = |rng: &mut Rng, of: &[u64]| Duration::from_millis(rng.pick(of));
    // Who sweeps all the time, and waits for nobody, comes between each two steps of the others.
    let (sweeps, graces): (&[u64], &[u64]) = if rng.percent(30) || matches!(focus, Focus::Sweeping | Focus::Pages) {
        (&[500], &[0])
    } else {
        (&[500, 5_000, 20_000], &[0, 1_000, 10_000])
    };
    let often = matches!(focus, Focus::Ghosts | Focus::Sweeping | Focus::Pages | Focus::Rollbacks);
    ClusterSettings {
        sync_interval: seconds(rng, if often { &[500] } else { &[500, 2_000, 10_000] }),
        // What a copy of a process writes into its feed nobody may read: a walk finds what it did.
        walk_interval: seconds(
            rng,
            if focus == Focus::Clones { &[5_000, 30_000] } else { &[5_000, 30_000, 3_600_000] },
        ),
        compact_interval: seconds(rng, &[500, 3_000, 30_000]),
        sweep_interval: seconds(rng, sweeps),
        grace: seconds(rng, graces),
        generations_kept: if focus == Focus::Ghosts { 1 } else { rng.pick(&[1, 2, 16]) },
        upload_blocks_max: rng.pick(&[1, 2, 16]),
        upload_bytes_max: rng.pick(&[1, 5_000, 128 << 20]),
        feed_kept: rng.pick(&[1, 3, 64]),
        cache_bytes: rng.pick(&[None, Some(0), Some(3_000)]),
        prefetch: rng.percent(70),
        dead_after: seconds(rng, &[1_000, 60_000]),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics under a lock of the run")
}

/// So long a node that had no answer waits until it looks what became of its request, where ghosts are looked for.
const LINGERS: Duration = Duration::from_secs(15);
/// How long a client waits for the shared store.
const SHARED_WAIT: Duration = Duration::from_secs(20);
/// For nodes that are made by name.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Days that are kept, where retention is on.
const RETENTION_DAYS: u32 = 1;
/// Several times what a run of five nodes needs: more goes in circles.
const POLLS_MAX: u64 = 6_000_000;
/// Who waits for what no node has is told to give it up after this much time.
const GIVES_UP_AFTER: Duration = Duration::from_secs(60);
/// After this much virtual time without faults no call has the answer of a fault any more.
const CALLS_END_WITHIN: Duration = Duration::from_secs(5);
/// After this much virtual time without faults all nodes agree.
const HEALED_WITHIN: Duration = Duration::from_secs(300);
