//! One run: machines, workload and faults of a seed, then healing, then the judgement.
//!
//! **Promise.** A run is (scenario, seed, faults left out, horizon), and nothing else decides how it goes. It fails
//! with the first thing that is wrong: an answer that a client must not get, a task that panicked, a server that does
//! not come back, a stored byte that `verify` complains about.

mod client;
mod driver;
mod node;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use helios::engine::{Mutant, verify};

pub use node::{NODE_PORT, Starts};
pub use report::{Report, Tally};

use crate::disk::FaultPlan;
use crate::fleet::{Fleet, Setup};
use crate::leaks::{Sealed, thread_cpu_time};
use crate::powercut::ROOT;
use crate::rng::Rng;
use crate::s3::{self, Bucket};
use crate::scenario::Scenario;
use crate::trouble::schedule;
use crate::workload::{Chains, History, Stop};
use crate::{Ended, World};
use client::Client;
use driver::{Driver, STORE};

/// What is run.
#[derive(Clone)]
pub struct Plan {
    /// Topology, workload, faults.
    pub scenario: Scenario,
    /// Draws everything that the scenario leaves open.
    pub seed: u64,
    /// Faults that are left out, by their index.
    pub without: BTreeSet<usize>,
    /// If there are some, all others are left out.
    pub only: Option<BTreeSet<usize>>,
    /// Time until everything heals; the scenario's own if there is none.
    pub horizon: Option<Duration>,
    /// A deliberate bug in every server.
    pub mutant: Option<Mutant>,
}

impl Plan {
    /// A whole run of a seed.
    pub fn new(scenario: Scenario, seed: u64) -> Self {
        Self { scenario, seed, without: BTreeSet::new(), only: None, horizon: None, mutant: None }
    }

    /// Whether the fault with this index is let happen.
    pub fn keeps(&self, index: usize) -> bool {
        !self.without.contains(&index) && self.only.as_ref().is_none_or(|only| only.contains(&index))
    }

    /// Time until everything heals.
    pub fn horizon(&self) -> Duration {
        self.horizon.unwrap_or(Duration::from_secs(self.scenario.workload.seconds))
    }
}

/// A run under way.
struct Running {
    fleet: Fleet,
    driver: Driver,
    history: History,
    chains: Chains,
    starts: Starts,
    stop: Stop,
    nodes: Vec<String>,
    bucket: Option<Bucket>,
    /// How often a server was judged after healing.
    judged: Arc<AtomicU64>,
    /// Why a server was not judged yet.
    silence: Arc<Mutex<String>>,
}

/// Runs a plan on this thread, which should be a fresh one: others' thread-locals keep what a run before left there.
pub fn run(plan: &Plan) -> Report {
    let sealed = Sealed::enter(plan.seed);
    let before = thread_cpu_time();
    let mut running = Running::new(plan);
    let failure = running.go(plan.horizon()).err();
    let mut report = running.report(failure);
    drop(running);
    report.cpu = thread_cpu_time().saturating_sub(before);
    // How often others asked libc is part of what two runs must have in common.
    report.digest = crate::rng::mix(report.digest ^ sealed.calls().random.rotate_left(32));
    report
}

impl Running {
    fn new(plan: &Plan) -> Self {
        let Plan { scenario, seed, .. } = plan;
        let mut rng = Rng::labelled(*seed, "run");
        let mut between = |[least, most]: [u64; 2]| rng.in_range(least..most + 1);
        let nodes: Vec<String> = (1..=between(scenario.topology.nodes)).map(|number| format!("node{number}")).collect();
        let clients: Vec<String> =
            (1..=between(scenario.workload.clients)).map(|number| format!("client{number}")).collect();
        let tick = Duration::from_millis(rng.pick(&scenario.topology.tick_ms));
        let latency_max = Duration::from_millis(rng.pick(&scenario.topology.latency_ms));
        let fleet = Fleet::new(Setup { seed: *seed, tick, latency_max });
        let faults = schedule(*seed, &scenario.faults, plan.horizon());
        let faults = faults.into_iter().filter(|fault| plan.keeps(fault.index)).collect();
        let bucket = scenario.topology.store.then(|| Bucket::new(*seed));
        let driver = Driver::new(faults, nodes.clone(), clients.clone(), bucket.clone());
        let mut running = Self {
            fleet,
            driver,
            history: History::default(),
            chains: Chains::default(),
            starts: Starts::default(),
            stop: Stop::default(),
            nodes,
            bucket,
            judged: Arc::default(),
            silence: Arc::default(),
        };
        running.add_servers(plan);
        for client in &clients {
            running.add_client(plan, client, &mut rng);
        }
        running
    }

    fn add_servers(&mut self, plan: &Plan) {
        if let Some(bucket) = self.bucket.clone() {
            self.fleet.add(STORE, move |_, life| {
                let (host, bucket) = (life.host, bucket.clone());
                async move {
                    let ended = s3::serve(host, bucket).await;
                    tracing::error!(?ended, "the object store ended");
                }
            });
        }
        for (number, name) in self.nodes.iter().enumerate() {
            let settings = node::engine_settings(plan.seed.wrapping_add(number as u64), plan.mutant);
            let starts = self.starts.clone();
            let cluster = plan.scenario.topology.cluster.then(|| node::cluster_settings(plan.seed));
            self.fleet.add(name, move |machine, life| {
                node::serve(machine, life, settings.clone(), cluster.clone(), starts.clone())
            });
        }
    }

    fn add_client(&mut self, plan: &Plan, name: &str, rng: &mut Rng) {
        let workload = plan.scenario.workload.clone();
        let client = Client {
            name: name.to_owned(),
            nodes: self.nodes.clone(),
            writers: rng.in_range(workload.writers[0]..workload.writers[1] + 1),
            committers: if self.bucket.is_some() { workload.chain_writers } else { 0 },
            workload,
            seed: rng.next_u64(),
            history: self.history.clone(),
            chains: self.chains.clone(),
            stop: self.stop.clone(),
            judged: self.judged.clone(),
            silence: self.silence.clone(),
            cluster: plan.scenario.topology.cluster,
        };
        self.fleet.add_client(name, move |life| client.run(life.host));
    }

    fn go(&mut self, horizon: Duration) -> Result<(), String> {
        while self.fleet.elapsed() < horizon {
            self.driver.advance(&mut self.fleet);
            self.tick()?;
        }
        tracing::info!(target: "sim::fault", "everything heals");
        self.driver.heal(&mut self.fleet);
        self.stop.stop();
        // What was acknowledged before the very end must last, too: the power goes once more before the judgement.
        for (number, node) in self.nodes.clone().into_iter().enumerate() {
            if self.fleet.is_up(&node) {
                self.fleet.power_cut(&node, number as u64);
            }
        }
        let latest = self.fleet.elapsed() + HEALED_WITHIN;
        loop {
            self.driver.advance(&mut self.fleet);
            if self.tick()? {
                break;
            }
            if self.fleet.elapsed() > latest {
                let (refused, silence) = (self.starts.refused().pop(), self.silence.lock());
                let silence = silence.expect("nothing panics while it is held").clone();
                return Err(format!("no whole answer within {HEALED_WITHIN:?} after healing: {silence} {refused:?}"));
            }
        }
        self.judge_the_rest()
    }

    /// One tick; whether all clients are done.
    fn tick(&mut self) -> Result<bool, String> {
        let done = self.fleet.step()?;
        if let Some(violation) = self.history.violation() {
            return Err(violation);
        }
        match self.fleet.panicked() {
            Some(task) => Err(task),
            None => Ok(done),
        }
    }

    /// What no client can see.
    fn judge_the_rest(&mut self) -> Result<(), String> {
        if let Some(bucket) = &self.bucket {
            self.chains.judge(bucket)?;
        }
        for node in self.nodes.clone() {
            if self.driver.hurt.contains(&node) {
                continue;
            }
            self.fleet.crash(&node);
            let storage = self.fleet.get(&node).storage();
            let world = World::new(0);
            let host = world.host(&world.mount(storage, FaultPlan::none()));
            let check = async { verify(&host, Path::new(ROOT).to_owned(), &mut |_| {}).await };
            match world.run(check) {
                Ended::Done(Ok(report)) if report.problems.is_empty() => {}
                Ended::Done(Ok(report)) => return Err(format!("{node}: verify complains: {:?}", report.problems)),
                Ended::Done(Err(error)) => return Err(format!("{node}: verify cannot read: {error}")),
                ended => return Err(format!("{node}: verify: {}", matches!(ended, Ended::Cut))),
            }
        }
        Ok(())
    }

    fn report(&mut self, failure: Option<String>) -> Report {
        let [acknowledged, refused, unknown] = self.history.fates();
        let mut checks: BTreeMap<String, u64> =
            self.history.checks().into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        *checks.entry("a server was judged after healing".to_owned()).or_default() +=
            self.judged.load(Ordering::Relaxed);
        let mut store = BTreeMap::new();
        if let Some(bucket) = &self.bucket {
            store.extend(bucket.counters().0.into_iter().map(|(name, count)| (name.to_owned(), count)));
            let late = bucket.history().iter().filter(|made| made.late).count() as u64;
            store.insert("changes that came late".to_owned(), late);
            let commits = self.chains.judge(bucket).unwrap_or(0);
            *checks.entry("a commit to a chain was told the truth".to_owned()).or_default() += commits;
        }
        Report {
            failure,
            digest: self.fleet.digest().value(),
            simulated: self.fleet.elapsed(),
            cpu: Duration::ZERO,
            nodes: self.nodes.len() as u64,
            lines: [acknowledged, refused, unknown],
            faults: self.driver.counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            checks,
            store,
            coverage: self.starts.coverage(),
        }
    }
}

/// After healing, every server answers within this time.
const HEALED_WITHIN: Duration = Duration::from_secs(300);
