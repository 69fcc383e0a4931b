//! One server, clients that write to it over HTTP and look for what they wrote, and a server that is killed, loses power,
//! stops and is cut off.
//!
//! **Promise.** [`run`] says whether every event that was acknowledged was found exactly once: at once, and after the
//! last start; whether nothing else was found; whether what is on the disk is sound.

mod client;
mod ledger;
mod machine;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use helios::engine::Mutant;
use helios::host::Host;
use madsim::net::NetSim;
use madsim::runtime::{Handle, NodeHandle};

use self::client::Client;
use self::ledger::Ledger;
use self::machine::Machine;
pub(crate) use self::machine::draw_settings;
use crate::clock::SimClock;
use crate::disk::{FaultPlan, SimDisk, Storage};
use crate::rng::Rng;
use crate::world::Power;
use crate::{Network, Seeds, simulate};

/// A run: everything that decides how it goes.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What is drawn.
    pub seeds: Seeds,
    /// How long messages take.
    pub network: Network,
    /// A deliberate bug of the engine.
    pub mutant: Option<Mutant>,
}

/// How a run went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Events that were acknowledged.
    pub acknowledged: usize,
    /// Events of which no client knows.
    pub unknown: usize,
    /// Events that were refused.
    pub refused: usize,
    /// Searches that had to find what their client had written.
    pub searches: usize,
    /// Lives of the server.
    pub lives: u64,
    /// Starts after a cut of the power; those after a kill; orderly stops.
    pub cuts: u64,
    /// See `cuts`.
    pub kills: u64,
    /// See `cuts`.
    pub stops: u64,
    /// Times that a client was cut off.
    pub clogs: u64,
    /// Blocks at the end, and events in them.
    pub blocks: u64,
    /// Virtual time.
    pub seconds: f64,
    /// Of every call to the disk with its bytes, and of what clients were told, in order.
    pub digest: u64,
    /// The same without bytes: of the order alone.
    pub order: u64,
}

/// Runs it.
///
/// # Errors
/// The first thing that is wrong.
pub fn run(run: Run) -> Result<Outcome, String> {
    simulate(run.seeds.schedule, run.network, move || play(run))
}

async fn play(run: Run) -> Result<Outcome, String> {
    let mut rng = Rng::labelled(run.seeds.workload, "play");
    let machine = Arc::new(Machine::new(run.seeds.workload, run.mutant));
    let ledger = Arc::new(Ledger::default());
    let cluster = Handle::current();
    let server = {
        let machine = Arc::clone(&machine);
        let node = cluster.create_node().name("server").ip(SERVER);
        node.init(move || Arc::clone(&machine).live()).build()
    };
    let clients: Vec<_> = (0..CLIENTS).map(|number| start_client(&cluster, number, &run, &ledger)).collect();
    let clock = SimClock::current();
    let mut outcome = Outcome::default();
    let mut play = Play { cluster, server, machine: Arc::clone(&machine), ledger: Arc::clone(&ledger), clock };
    let nodes: Vec<_> = clients.iter().map(|(node, _)| node.id()).collect();
    for _ in 0..rng.in_range(2..6) {
        play.trouble(&mut rng, &nodes, &mut outcome).await?;
    }
    for (_, client) in clients {
        client.await.map_err(|error| error.to_string())??;
    }
    play.judge(&mut outcome).await?;
    Ok(outcome)
}

fn start_client(
    cluster: &Handle,
    number: u64,
    run: &Run,
    ledger: &Arc<Ledger>,
) -> (NodeHandle, madsim::task::JoinHandle<Result<(), String>>) {
    let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 1, u8::try_from(number + 1).expect("few clients")));
    let node = cluster.create_node().name(format!("client-{number}")).ip(ip).build();
    let (workload, ledger) = (run.seeds.workload, Arc::clone(ledger));
    let task = node.spawn(async move { Client::new(number, workload, ledger).run().await });
    (node, task)
}

struct Play {
    cluster: Handle,
    server: NodeHandle,
    machine: Arc<Machine>,
    ledger: Arc<Ledger>,
    clock: SimClock,
}

impl Play {
    /// One thing that goes wrong.
    async fn trouble(
        &mut self,
        rng: &mut Rng,
        clients: &[madsim::task::NodeId],
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        self.pause(rng.in_range(5..400)).await;
        let down_ms = rng.in_range(1..200);
        match rng.in_range(0..5) {
            0 | 1 => {
                let cut = rng.percent(50);
                *(if cut { &mut outcome.cuts } else { &mut outcome.kills }) += 1;
                self.machine.end(cut.then(|| rng.next_u64()));
                self.cluster.kill(self.server.id());
                self.pause(down_ms).await;
                self.cluster.restart(self.server.id());
            }
            2 => {
                outcome.stops += 1;
                self.machine.stop().await?;
                self.pause(down_ms).await;
                self.machine.check_quiet()?;
                self.machine.end(None);
                self.cluster.restart(self.server.id());
            }
            _ => {
                outcome.clogs += 1;
                let client = clients[rng.index(clients.len())];
                NetSim::current().clog_node(client);
                self.pause(down_ms).await;
                NetSim::current().unclog_node(client);
            }
        }
        Ok(())
    }

    /// Everything has gone quiet: what does a server find that starts now, and is the disk sound?
    async fn judge(&self, outcome: &mut Outcome) -> Result<(), String> {
        self.machine.stop().await?;
        self.machine.end(None);
        self.cluster.kill(self.server.id());
        self.machine.verify().await?;
        self.cluster.restart(self.server.id());
        let ledger = Arc::clone(&self.ledger);
        let reader = self.cluster.create_node().name("reader").ip(READER).build();
        let everything = reader.spawn(async move { Client::new(CLIENTS, 0, ledger).everything().await });
        self.ledger.judge(&everything.await.map_err(|error| error.to_string())??)?;
        self.machine.stop().await?;
        self.machine.end(None);
        outcome.blocks = self.machine.blocks().await?;
        outcome.lives = self.machine.lives();
        outcome.seconds = helios::host::Clock::monotonic(&self.clock).as_secs_f64();
        (outcome.acknowledged, outcome.unknown, outcome.refused) = self.ledger.counts();
        outcome.searches = self.ledger.searches();
        outcome.digest = self.machine.digest() ^ self.ledger.digest();
        outcome.order = self.machine.order() ^ self.ledger.digest();
        Ok(())
    }

    async fn pause(&self, ms: u64) {
        helios::host::Clock::sleep(&self.clock, Duration::from_millis(ms)).await;
    }
}

/// A host for who has no disk.
fn diskless(life: u64) -> Host {
    let power = Arc::new(Power::default());
    crate::host::host(
        &SimDisk::new(Storage::new(), FaultPlan::none(), Arc::new(SimClock::current()), power, life),
        life,
    )
}

/// Where the server is.
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// Where who reads everything is, when all clients have gone.
const READER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 1));

/// Where it listens.
const LISTEN: SocketAddr = SocketAddr::new(SERVER, 7300);

/// Clients that write at the same time.
const CLIENTS: u64 = 3;
