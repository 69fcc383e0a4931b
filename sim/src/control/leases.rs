//! Nodes that campaign for a lease, take and give back another, and take runs, while the store and the nodes fail;
//! then in a quiet cluster, whose leader is killed.
//!
//! That there is one leader at any time is claimed by nobody, and is not judged where clocks differ.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use helios::chain::memory::Counts;
use helios::control::lease::{LEASE_RENEW, LEASE_TTL};
use helios::control::{Acquire, Document, Leadership, Leases, Renewal, Run, campaign};
use helios::host::{Clock, Host, Task};
use serde_json::Value;

use super::cluster::{Cluster, Node, draw_faults};
use crate::rng::Rng;
use crate::world::{Ended, World};

/// What happened in a run that went as it should.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Changes of the leader in the store's order.
    pub terms: u64,
    /// Looks at which two lives believed that they lead. Only where clocks differ.
    pub two_leaders: u64,
    /// Leaders that were killed in the quiet cluster and had a successor.
    pub replaced: u64,
    /// The longest that a killed leader's place was empty, true milliseconds.
    pub vacant_ms_max: u64,
    /// Runs that somebody took.
    pub runs: u64,
    /// What went wrong in the store.
    pub faults: Counts,
    /// Virtual time, seconds.
    pub seconds: u64,
    /// A digest of everything that happened.
    pub digest: u64,
}

/// Runs the nodes of one seed.
///
/// # Errors
/// Which claim did not hold.
pub fn run(seed: u64) -> Result<Outcome, String> {
    let world = World::new(seed);
    let mut rng = Rng::labelled(seed, "leases");
    let cluster = Cluster::new(&world, &mut rng);
    let mut play = Play::new(&cluster, rng);
    let ended = world.run(Box::pin(play.all()));
    if let Some(task) = world.panicked_tasks().first() {
        return Err(format!("the task {task} panicked"));
    }
    match ended {
        Ended::Done(Ok(())) => {}
        Ended::Done(Err(why)) => return Err(why),
        other => return Err(format!("the machine stopped: {other:?}")),
    }
    let seconds = cluster.host.clock.monotonic().as_secs();
    Ok(Outcome { faults: cluster.store.counts(), seconds, digest: world.digest(), ..play.outcome })
}

/// A life of a node, and what it does.
struct Member {
    node: Node,
    leadership: Leadership,
    tasks: Vec<Task>,
}

impl Member {
    fn start(node: Node, notes: &Arc<Mutex<Notes>>, true_clock: &Arc<dyn Clock>, mut rng: Rng) -> Self {
        let leases = Arc::new(Leases::new(Arc::clone(&node.control), Arc::clone(&node.host.clock)));
        let (leadership, campaigns) = campaign(&node.host, Arc::clone(&leases), CAMPAIGN);
        let worker = Worker { life: node.life.clone(), host: node.host.clone(), leases, notes: Arc::clone(notes) };
        let runner = worker.clone();
        let by = Arc::clone(true_clock);
        let rest = Duration::from_millis(rng.in_range(500..1_500));
        let spawn = |name, work| node.host.tasks.spawn(name, work);
        let tasks = vec![
            campaigns,
            spawn("worker", Box::pin(async move { worker.take_and_give_back(rng).await })),
            spawn("runner", Box::pin(async move { runner.take_runs(by, rest).await })),
        ];
        Self { node, leadership, tasks }
    }

    fn leads(&self) -> bool {
        self.leadership.leads()
    }
}

/// What lives were told.
#[derive(Default)]
struct Notes {
    /// Who holds each term of the lease that is given back.
    terms: BTreeMap<u64, String>,
    /// Who was told that a run is theirs.
    runs: BTreeMap<u64, String>,
    wrong: Option<String>,
}

impl Notes {
    fn told(&mut self, what: &str, number: u64, life: &str) {
        let told = if what == "run" { &mut self.runs } else { &mut self.terms };
        let first = told.entry(number).or_insert_with(|| life.to_owned());
        if first != life {
            self.wrong.get_or_insert(format!("{what} {number} was given to {first} and to {life}"));
        }
    }
}

#[derive(Clone)]
struct Worker {
    life: String,
    host: Host,
    leases: Arc<Leases>,
    notes: Arc<Mutex<Notes>>,
}

impl Worker {
    async fn take_and_give_back(&self, mut rng: Rng) {
        loop {
            self.host.clock.sleep(Duration::from_millis(rng.in_range(100..8_000))).await;
            let Ok(Acquire::Held(mut held)) = self.leases.acquire(WORK).await else { continue };
            self.told("term", held.term());
            for _ in 0..rng.in_range(0..4) {
                self.host.clock.sleep(LEASE_RENEW).await;
                held = match self.leases.renew(held).await {
                    Renewal::Kept(held) | Renewal::Unknown(held) => held,
                    Renewal::Gone => break,
                };
                self.told("term", held.term());
                if rng.percent(40) {
                    // Whether it is given back or lapses is the same to the others, but for the wait.
                    let _ = self.leases.release(held).await;
                    break;
                }
            }
        }
    }

    async fn take_runs(&self, true_clock: Arc<dyn Clock>, rest: Duration) {
        loop {
            let due = run_at(true_clock.monotonic());
            if let Ok(Run::Mine) = self.leases.take_run(RUN, due).await {
                self.told("run", due);
            }
            self.host.clock.sleep(rest).await;
        }
    }

    fn told(&self, what: &str, number: u64) {
        lock(&self.notes).told(what, number, &self.life);
    }
}

struct Play<'c> {
    cluster: &'c Cluster,
    rng: Rng,
    /// Per mille of the true clock, for each node.
    rates: Vec<u64>,
    members: Vec<Member>,
    lives: usize,
    notes: Arc<Mutex<Notes>>,
    outcome: Outcome,
}

impl<'c> Play<'c> {
    fn new(cluster: &'c Cluster, mut rng: Rng) -> Self {
        let nodes = 2 + rng.index(4);
        let drifts = rng.percent(50);
        let rate = |rng: &mut Rng| if drifts { rng.in_range(RATE_MIN..RATE_MAX) } else { 1_000 };
        let rates = (0..nodes).map(|_| rate(&mut rng)).collect();
        let (notes, outcome) = (Arc::default(), Outcome::default());
        Self { cluster, rng, rates, members: Vec::new(), lives: 0, notes, outcome }
    }

    async fn all(&mut self) -> Result<(), String> {
        self.cluster.store.set_faults(draw_faults(&mut self.rng));
        for number in 0..self.rates.len() {
            let member = self.born(number);
            self.members.push(member);
        }
        self.trouble().await?;
        self.cluster.heal();
        let quiet_from = self.now();
        self.look(SETTLED, |_| Ok(())).await?;
        self.steady().await?;
        while self.members.len() > 1 && self.outcome.replaced < KILLS {
            self.kill_the_leader().await?;
            self.steady().await?;
        }
        let quiet_until = self.now();
        for member in self.members.drain(..) {
            member.tasks.iter().for_each(Task::cancel);
        }
        self.judge_order().await?;
        self.every_run_was_taken(quiet_from, quiet_until)
    }

    fn born(&mut self, number: usize) -> Member {
        self.lives += 1;
        let node = self.cluster.node(&format!("life-{}", self.lives), self.rates[number], Duration::ZERO);
        let rng = Rng::new(self.rng.next_u64());
        Member::start(node, &self.notes, &self.cluster.host.clock, rng)
    }

    /// Nodes are cut off for longer than a lease, die and come back while the store fails.
    async fn trouble(&mut self) -> Result<(), String> {
        let mut left = Duration::from_secs(self.rng.in_range(30..120));
        while !left.is_zero() {
            let number = self.rng.index(self.members.len());
            match self.rng.in_range(0..4) {
                0 => {
                    let cut = Duration::from_secs(self.rng.in_range(1..30)).min(left);
                    self.members[number].node.cut_off(cut);
                }
                1 => {
                    let born = self.born(number);
                    let dead = std::mem::replace(&mut self.members[number], born);
                    dead.tasks.iter().for_each(Task::cancel);
                }
                _ => {}
            }
            let pause = Duration::from_secs(self.rng.in_range(1..10)).min(left);
            left -= pause;
            self.look(pause, |_| Ok(())).await?;
        }
        Ok(())
    }

    /// One node leads, and goes on leading.
    async fn steady(&mut self) -> Result<(), String> {
        let mut first: Option<String> = None;
        self.look(STEADY, |leaders| match leaders {
            [leader] if first.get_or_insert_with(|| (*leader).to_owned()) == leader => Ok(()),
            _ => Err(format!("in a quiet cluster {leaders:?} lead, after {first:?}")),
        })
        .await
    }

    async fn kill_the_leader(&mut self) -> Result<(), String> {
        let Some(number) = self.members.iter().position(Member::leads) else { return Err("nobody leads".into()) };
        let dead = self.members.remove(number);
        dead.tasks.iter().for_each(Task::cancel);
        let killed = self.now();
        while !self.members.iter().any(Member::leads) {
            let vacant = self.now() - killed;
            if vacant > SETTLED {
                return Err(format!("nobody took the place of {} in {vacant:?}", dead.node.life));
            }
            self.look(LOOK, |_| Ok(())).await?;
        }
        let vacant_ms = u64::try_from((self.now() - killed).as_millis()).unwrap_or(u64::MAX);
        self.outcome.vacant_ms_max = self.outcome.vacant_ms_max.max(vacant_ms);
        self.outcome.replaced += 1;
        Ok(())
    }

    /// Looks at who leads every now and then for `duration`.
    async fn look(
        &mut self,
        duration: Duration,
        mut judge: impl FnMut(&[&str]) -> Result<(), String>,
    ) -> Result<(), String> {
        let end = self.now() + duration;
        let clocks_agree = self.rates.iter().all(|rate| *rate == 1_000);
        while self.now() < end {
            self.cluster.host.clock.sleep(LOOK).await;
            let leading = self.members.iter().filter(|member| member.leads());
            let leaders: Vec<&str> = leading.map(|member| member.node.life.as_str()).collect();
            self.outcome.two_leaders += u64::from(leaders.len() > 1);
            if clocks_agree && leaders.len() > 1 {
                return Err(format!("{leaders:?} lead at the same time although their clocks agree"));
            }
            judge(&leaders)?;
            if let Some(wrong) = lock(&self.notes).wrong.take() {
                return Err(wrong);
            }
        }
        Ok(())
    }

    /// What the store says of terms and runs, and whether it is what lives were told.
    async fn judge_order(&mut self) -> Result<(), String> {
        let led = self.cluster.order(&format!("leases/{CAMPAIGN}")).await?;
        self.outcome.terms = holders_of_terms(&led)?.len() as u64;
        let worked = holders_of_terms(&self.cluster.order(&format!("leases/{WORK}")).await?)?;
        let runs = holders_of_runs(&self.cluster.order(&format!("runs/{RUN}")).await?)?;
        let notes = lock(&self.notes);
        for (what, told, made) in [("term", &notes.terms, &worked), ("run", &notes.runs, &runs)] {
            let wrong = told.iter().find(|(number, life)| made.get(number) != Some(life));
            if let Some((number, life)) = wrong {
                return Err(format!("{life} was given {what} {number}; the store says {:?}", made.get(number)));
            }
        }
        Ok(())
    }

    fn every_run_was_taken(&mut self, from: Duration, until: Duration) -> Result<(), String> {
        let notes = lock(&self.notes);
        self.outcome.runs = notes.runs.len() as u64;
        match (run_at(from) + 2..run_at(until) - 1).find(|run| !notes.runs.contains_key(run)) {
            Some(run) => Err(format!("nobody took run {run} in a quiet cluster")),
            None => Ok(()),
        }
    }

    fn now(&self) -> Duration {
        self.cluster.host.clock.monotonic()
    }
}

/// A term has one holder for ever, and they follow each other.
fn holders_of_terms(order: &[Arc<Document>]) -> Result<BTreeMap<u64, String>, String> {
    let (mut holders, mut last) = (BTreeMap::new(), 0);
    for document in order {
        let (term, life) = (number(document, "term"), holder(document));
        let first = holders.entry(term).or_insert_with(|| life.clone());
        if *first != life || term < last || term > last + 1 {
            return Err(format!("term {term} of {life} comes after term {last}; it was {first}'s"));
        }
        last = term;
    }
    Ok(holders)
}

/// No run is taken twice, and none after a later one.
fn holders_of_runs(order: &[Arc<Document>]) -> Result<BTreeMap<u64, String>, String> {
    let mut holders: BTreeMap<u64, String> = BTreeMap::new();
    for document in order {
        let run = number(document, "run");
        if let Some((last, _)) = holders.last_key_value()
            && *last >= run
        {
            return Err(format!("run {run} was taken after run {last}"));
        }
        holders.insert(run, holder(document));
    }
    Ok(holders)
}

fn number(document: &Document, field: &str) -> u64 {
    document.content.get(field).and_then(Value::as_u64).unwrap_or(0)
}

fn holder(document: &Document) -> String {
    document.content.get("holder").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Which run is due.
fn run_at(now: Duration) -> u64 {
    now.as_secs() / RUN_SECS + 1
}

fn lock(notes: &Mutex<Notes>) -> std::sync::MutexGuard<'_, Notes> {
    notes.lock().expect("nothing panics under the lock of the notes")
}

const CAMPAIGN: &str = "compactor";
const WORK: &str = "work";
const RUN: &str = "monitor";

/// True seconds between two runs.
const RUN_SECS: u64 = 5;

/// The slowest and the fastest clock, per mille of the true one. Real ones drift by less than a thousandth: these
/// stand for machines that stall.
const RATE_MIN: u64 = 850;
const RATE_MAX: u64 = 1_150;

/// Between two looks at who leads.
const LOOK: Duration = Duration::from_millis(200);

/// The longest time in which a lease that nobody renews is taken in a quiet cluster: it is seen one round late,
/// respected for as long as it lasts, and taken one round late, all by the slowest clock; and a second for calls.
const SETTLED: Duration = Duration::from_millis(
    1_000 + 1_000 * (LEASE_TTL.as_millis() as u64 + 2 * LEASE_RENEW.as_millis() as u64) / RATE_MIN,
);

/// How long one leader is watched.
const STEADY: Duration = Duration::from_secs(40);

/// Leaders that are killed.
const KILLS: u64 = 2;
