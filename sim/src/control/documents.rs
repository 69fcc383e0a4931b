//! Clients that read and change documents, each through a node of a cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use helios::chain::memory::{Counts, Faults};
use helios::control::{Control, Document, Swap};
use helios::host_select;

use super::cluster::{Cluster, Node, draw_faults};
use super::history::{Answer, Call, Operation, Recorder, State};
use super::{search, witness};
use crate::rng::Rng;
use crate::world::{Ended, World};

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// How much the clients ask.
    pub size: Size,
    /// What is wrong on purpose.
    pub planted: Planted,
}

/// How much the clients ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Size {
    /// Little enough for the search.
    Small,
    /// Enough for generations to be collected, and for the ghosts of them.
    Large,
}

/// What is wrong on purpose. Both methods must see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Planted {
    /// Nothing.
    Nothing,
    /// The store's listings are old now and then: nodes read what is no longer so.
    StaleLists,
    /// The store lets a second create of a name win: the first one's change is lost.
    LostUpdates,
    /// What nodes keep for a while is taken for what is.
    CacheForFresh,
}

/// A run and what is said of it.
#[derive(Debug)]
pub struct Judged {
    /// Calls that were made.
    pub operations: usize,
    /// Calls of whose outcome nobody could tell.
    pub unknown: usize,
    /// Changes that another came before.
    pub lost: usize,
    /// Generations that were made.
    pub generations: usize,
    /// What went wrong in the store.
    pub faults: Counts,
    /// A digest of everything that happened.
    pub digest: u64,
    /// What is wrong besides the history of one document: nodes that do not agree at the end, a task that panicked.
    pub wrong: Option<String>,
    /// Each document, judged by both methods.
    pub histories: Vec<History>,
}

/// A document's history and what is said of it.
#[derive(Debug)]
pub struct History {
    /// What was asked and answered.
    pub operations: Vec<Operation>,
    /// The generations as the store made them.
    pub order: Vec<State>,
    /// By the store's order.
    pub witness: Result<(), String>,
    /// By search; `None` if there is too much to search.
    pub search: Option<bool>,
    /// Whether no node went back.
    pub sessions: Result<(), String>,
}

impl Judged {
    /// The first thing that is wrong.
    pub fn failure(&self) -> Option<String> {
        let of = |history: &History| {
            let refused = (history.search == Some(false)).then(|| "the search finds no order".to_owned());
            history.witness.clone().err().or_else(|| history.sessions.clone().err()).or(refused)
        };
        self.wrong.clone().or_else(|| self.histories.iter().find_map(of))
    }
}

/// Runs the clients of one seed and judges what they were told.
pub fn run(plan: Plan) -> Judged {
    let world = World::new(plan.seed);
    let ended = world.run(Box::pin(cluster_life(&world, plan)));
    let (histories, faults, disagree) = match ended {
        Ended::Done(done) => done,
        other => (Vec::new(), Counts::default(), Some(format!("the machine stopped: {other:?}"))),
    };
    let count = |answer: fn(&Answer) -> bool| {
        let all = histories.iter().flat_map(|history| &history.operations);
        all.filter(|operation| answer(&operation.answer)).count()
    };
    Judged {
        operations: count(|_| true),
        unknown: count(|answer| *answer == Answer::Unknown),
        lost: count(|answer| matches!(answer, Answer::Lost(_))),
        generations: histories.iter().map(|history| history.order.len()).sum(),
        faults,
        digest: world.digest(),
        wrong: disagree.or_else(|| Some(format!("the task {} panicked", world.panicked_tasks().first()?))),
        histories,
    }
}

async fn cluster_life(world: &World, plan: Plan) -> (Vec<History>, Counts, Option<String>) {
    let mut rng = Rng::labelled(plan.seed, "documents");
    let cluster = Cluster::new(world, &mut rng);
    let shape = Shape::draw(&mut rng, plan.size);
    let cache_ttl = if plan.planted == Planted::CacheForFresh { CACHE_TTLS[2] } else { rng.pick(&CACHE_TTLS) };
    cluster.store.set_faults(planted_faults(draw_faults(&mut rng), plan.planted));
    let judged_ttl = if plan.planted == Planted::CacheForFresh { Duration::ZERO } else { cache_ttl };
    let recorders: Vec<_> = (0..shape.documents).map(|_| Recorder::new(Arc::clone(&cluster.host.clock))).collect();
    let nodes: Vec<_> = (0..shape.nodes).map(|node| cluster.node(&format!("n{node}"), 1_000, cache_ttl)).collect();
    let tokens = Arc::new(AtomicU64::new(1));
    let clients = (0..shape.clients).map(|number| {
        let client = Client {
            node: number % shape.nodes,
            control: Arc::clone(&nodes[number % shape.nodes].control),
            recorders: recorders.clone(),
            known: vec![None; shape.documents],
            tokens: Arc::clone(&tokens),
            judged_ttl,
            stalled: false,
            rng: Rng::labelled(plan.seed, &format!("client {number}")),
        };
        let host = cluster.host.clone();
        cluster.host.tasks.spawn("client", Box::pin(client.work(host, shape.calls)))
    });
    for task in clients.collect::<Vec<_>>() {
        task.join().await;
    }
    cluster.heal();
    let mut wrong = None;
    let mut histories = Vec::new();
    for (document, recorder) in recorders.iter().enumerate() {
        let order = cluster.order(&name(document)).await;
        let order = order.unwrap_or_else(|why| {
            wrong.get_or_insert(why);
            Vec::new()
        });
        let order: Vec<State> = order.iter().map(|document| State::of(Some(document))).collect();
        if let Some(why) = disagreement(&nodes, document, recorder, order.last()).await {
            wrong.get_or_insert(why);
        }
        histories.push(judge(recorder.history(), order));
    }
    (histories, cluster.store.counts(), wrong)
}

fn planted_faults(drawn: Faults, planted: Planted) -> Faults {
    match planted {
        Planted::StaleLists => Faults { stale_list: 300, ..drawn },
        Planted::LostUpdates => Faults { two_winners: 500, ..drawn },
        Planted::Nothing | Planted::CacheForFresh => drawn,
    }
}

/// What the nodes say once the store is in order again, if that is not the last generation for each of them.
async fn disagreement(nodes: &[Node], document: usize, recorder: &Recorder, last: Option<&State>) -> Option<String> {
    let last = last.copied().unwrap_or_default();
    for (number, node) in nodes.iter().enumerate() {
        let noted = recorder.begin(number, Call::Read, Duration::ZERO);
        match node.control.read_now(&name(document)).await {
            Ok(read) => {
                let state = State::of(read.as_deref());
                recorder.end(noted, Answer::Saw(state));
                if state != last {
                    return Some(format!("in the end {} says {state:?}, and the store {last:?}", node.life));
                }
            }
            Err(error) => return Some(format!("in the end {} can't read: {error}", node.life)),
        }
    }
    None
}

fn judge(operations: Vec<Operation>, order: Vec<State>) -> History {
    let witness = witness::check(&operations, &order);
    let sessions = witness::check_sessions(&operations);
    let search = search::linearisable(&operations);
    History { operations, order, witness, search, sessions }
}

/// How many of what.
struct Shape {
    nodes: usize,
    clients: usize,
    documents: usize,
    calls: usize,
}

impl Shape {
    fn draw(rng: &mut Rng, size: Size) -> Self {
        let nodes = 1 + rng.index(4);
        match size {
            Size::Small => Self { nodes, clients: 2 + rng.index(3), documents: 1, calls: 3 + rng.index(4) },
            Size::Large => {
                Self { nodes, clients: nodes + rng.index(5), documents: 1 + rng.index(2), calls: 30 + rng.index(30) }
            }
        }
    }
}

struct Client {
    node: usize,
    control: Arc<Control>,
    recorders: Vec<Recorder>,
    /// What it last saw of each document: what it expects when it changes one.
    known: Vec<Option<Arc<Document>>>,
    tokens: Arc<AtomicU64>,
    /// How old what comes from the cache may be.
    judged_ttl: Duration,
    /// It has just slept for so long that others did much.
    stalled: bool,
    rng: Rng,
}

impl Client {
    async fn work(mut self, host: helios::host::Host, calls: usize) {
        for _ in 0..calls {
            self.stalled = self.rng.percent(5);
            let pause_ms = if self.stalled { self.rng.in_range(1_000..6_000) } else { self.rng.pick(&[0, 1, 10, 200]) };
            host.clock.sleep(Duration::from_millis(pause_ms)).await;
            let patience = Duration::from_millis(self.rng.in_range(1..500));
            let gives_up = self.rng.percent(6);
            if gives_up {
                // What it had asked for may be done or not: its call stays without an answer.
                host_select! {
                    () = self.call() => {}
                    () = host.clock.sleep(patience) => {}
                }
            } else {
                self.call().await;
            }
        }
    }

    async fn call(&mut self) {
        let document = self.rng.index(self.recorders.len());
        if self.stalled {
            // With what it knew long ago: by now the number that it wants may have been given and collected.
            return self.swap(document).await;
        }
        match self.rng.in_range(0..100) {
            0..30 => self.read(document, false).await,
            30..45 => self.read(document, true).await,
            45..75 => self.swap(document).await,
            _ => self.add(document).await,
        }
    }

    async fn read(&mut self, document: usize, cached: bool) {
        let age = if cached { self.judged_ttl } else { Duration::ZERO };
        let noted = self.recorders[document].begin(self.node, Call::Read, age);
        let name = name(document);
        let read = if cached { self.control.read(&name).await } else { self.control.read_now(&name).await };
        let answer = match read {
            Ok(read) => {
                let state = State::of(read.as_deref());
                self.known[document] = read;
                Answer::Saw(state)
            }
            Err(_) => Answer::Refused,
        };
        self.recorders[document].end(noted, answer);
    }

    async fn swap(&mut self, document: usize) {
        let known = self.known[document].clone();
        let (token, number) = (self.tokens.fetch_add(1, Ordering::Relaxed), self.rng.in_range(0..1_000));
        let call = Call::Swap { expected: State::of(known.as_deref()), token, number };
        let noted = self.recorders[document].begin(self.node, call, Duration::ZERO);
        let swapped = self.control.swap(&name(document), known.as_deref(), State::content(token, number)).await;
        let answer = match swapped {
            Ok(swap) => self.told(document, swap),
            Err(_) => Answer::Refused,
        };
        self.recorders[document].end(noted, answer);
    }

    async fn add(&mut self, document: usize) {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let noted = self.recorders[document].begin(self.node, Call::Add { token }, Duration::ZERO);
        let name = name(document);
        let updated = self.control.update(&name, |content| {
            let number = content.get("number").and_then(serde_json::Value::as_u64).unwrap_or(0);
            *content = State::content(token, number + 1);
            true
        });
        let answer = match updated.await {
            Ok(Some(swap)) => self.told(document, swap),
            Ok(None) | Err(_) => Answer::Refused,
        };
        self.recorders[document].end(noted, answer);
    }

    fn told(&mut self, document: usize, swap: Swap) -> Answer {
        match swap {
            Swap::Done(done) => Answer::Done(self.learned(document, done)),
            Swap::Lost(newer) => Answer::Lost(self.learned(document, newer)),
            Swap::Unknown(_) => Answer::Unknown,
        }
    }

    fn learned(&mut self, document: usize, newer: Arc<Document>) -> State {
        let state = State::of(Some(&newer));
        self.known[document] = Some(newer);
        state
    }
}

fn name(document: usize) -> String {
    format!("document-{document}")
}

/// How long nodes keep what they read.
const CACHE_TTLS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(10)];
