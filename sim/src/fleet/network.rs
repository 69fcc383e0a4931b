//! All machines and the links between them: what faults are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, UNIX_EPOCH};

use turmoil::Sim;

use super::clock::true_time;
use super::machine::{Life, Machine, Make};
use super::net::Names;
use crate::clock::WALL_START_NS;
use crate::digest::Digest;
use crate::leaks;
use crate::rng::Rng;

/// A network of machines.
pub struct Fleet {
    sim: Sim<'static>,
    setup: Setup,
    names: Names,
    digest: Digest,
    streams: Arc<AtomicU64>,
    machines: BTreeMap<String, Machine>,
    clients: Vec<Machine>,
    everybody: BTreeSet<String>,
    /// How many faults cut each direction. Repaired when the last of them ends.
    cuts: BTreeMap<(String, String), u32>,
    held: BTreeSet<(String, String)>,
}

/// What a network is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// From which all chance follows.
    pub seed: u64,
    /// Virtual time between two looks at the network: the coarser, the faster.
    pub tick: Duration,
    /// The longest that a message is under way when nothing is wrong.
    pub latency_max: Duration,
}

/// How a machine's clocks run apart from true time, at most, in millionths.
const DRIFT_PPM_MAX: u64 = 200;

/// Segments that a connection holds in one direction.
const SEGMENTS_MAX: usize = 1_024;

impl Fleet {
    /// A network without machines.
    pub fn new(setup: Setup) -> Self {
        let epoch = UNIX_EPOCH + Duration::from_nanos(WALL_START_NS.unsigned_abs());
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(setup.seed)
            .epoch(epoch)
            .tick_duration(setup.tick)
            .simulation_duration(Duration::MAX)
            .min_message_latency(Duration::ZERO)
            .max_message_latency(setup.latency_max)
            .tcp_capacity(SEGMENTS_MAX)
            .enable_random_order();
        Self {
            sim: builder.build(),
            setup,
            names: Names::default(),
            digest: Digest::default(),
            streams: Arc::default(),
            machines: BTreeMap::new(),
            clients: Vec::new(),
            everybody: BTreeSet::new(),
            cuts: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    /// Adds a machine that runs `main` from now on, and again after each [`Fleet::start`].
    pub fn add<F, Main>(&mut self, name: &str, main: Main) -> Machine
    where
        F: Future<Output = ()> + 'static,
        Main: Fn(Machine, Life) -> F + 'static,
    {
        let machine = self.machine(name);
        let booting = machine.clone();
        self.sim.host(name, move || {
            let machine = booting.clone();
            let life = machine.boot();
            let main = life.run(main(machine, life.clone()));
            async move {
                main.await;
                Ok(())
            }
        });
        self.machines.insert(name.to_owned(), machine.clone());
        machine
    }

    /// Adds a machine that runs `main` once and never crashes: [`Fleet::step`] tells when all of them are done.
    pub fn add_client<F>(&mut self, name: &str, main: impl FnOnce(Life) -> F + 'static) -> Machine
    where
        F: Future<Output = ()> + 'static,
    {
        let machine = self.machine(name);
        let booting = machine.clone();
        self.sim.client(name, async move {
            main(booting.boot()).await;
            Ok(())
        });
        self.clients.push(machine.clone());
        machine
    }

    fn machine(&mut self, name: &str) -> Machine {
        let mut rng = Rng::labelled(self.setup.seed ^ crate::rng::hash(name.as_bytes()), "machine");
        let drift = rng.in_range(0..2 * DRIFT_PPM_MAX + 1);
        self.everybody.insert(name.to_owned());
        Machine::new(Make {
            name: name.to_owned(),
            seed: self.setup.seed,
            drift_ppm: i64::try_from(drift).unwrap_or(0) - i64::try_from(DRIFT_PPM_MAX).unwrap_or(0),
            write_bytes_max: rng.pick(&[1_460, 16_384, 1 << 20]),
            workers: rng.pick(&[1, 2, 4]),
            names: self.names.clone(),
            digest: self.digest.clone(),
            streams: self.streams.clone(),
        })
    }

    /// Runs everything for one tick. Whether all clients are done.
    ///
    /// # Errors
    /// What a client or a machine's main panicked with.
    pub fn step(&mut self) -> Result<bool, String> {
        leaks::set_now(self.sim.elapsed());
        self.sim.step().map_err(|error| error.to_string())
    }

    /// Virtual time since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.sim.elapsed()
    }

    /// A machine by its name.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, name: &str) -> &Machine {
        self.machines.get(name).unwrap_or_else(|| panic!("no machine is called {name}"))
    }

    /// The first task that panicked on any machine, in any life.
    pub fn panicked(&self) -> Option<String> {
        let of =
            |machine: &Machine| Some(format!("{}: the task `{}` panicked", machine.name(), machine.panics().first()?));
        self.machines.values().chain(&self.clients).find_map(of)
    }

    /// Whether something runs on it.
    pub fn is_up(&mut self, name: &str) -> bool {
        self.sim.is_host_running(name)
    }

    /// Ends the process on a machine at once (`kill -9`); the machine itself runs on.
    pub fn crash(&mut self, name: &str) {
        self.sim.crash(name);
        self.get(name).killed();
    }

    /// Switches a machine off. What was not synced is lost, or not, as `seed` draws; its peers hear nothing.
    pub fn power_cut(&mut self, name: &str, seed: u64) {
        let others: Vec<String> = self.everybody.iter().filter(|other| *other != name).cloned().collect();
        others.iter().for_each(|other| self.cut_both(name, other));
        self.sim.crash(name);
        self.get(name).lost_power(seed);
        others.iter().for_each(|other| self.mend_both(name, other));
    }

    /// Starts a machine that is off. One on which something runs is ended first.
    pub fn start(&mut self, name: &str) {
        if self.is_up(name) || self.get(name).life().is_some() {
            self.crash(name);
        }
        self.sim.bounce(name);
    }

    /// Nothing sent from one to the other arrives, until as many [`Fleet::mend`]s.
    pub fn cut(&mut self, from: &str, to: &str) {
        self.release(from, to);
        let cuts = self.cuts.entry((from.to_owned(), to.to_owned())).or_default();
        *cuts += 1;
        if *cuts == 1 {
            self.sim.partition_oneway(from, to);
        }
    }

    /// The opposite of [`Fleet::cut`].
    pub fn mend(&mut self, from: &str, to: &str) {
        let Some(cuts) = self.cuts.get_mut(&(from.to_owned(), to.to_owned())) else { return };
        *cuts = cuts.saturating_sub(1);
        if *cuts == 0 {
            self.sim.repair_oneway(from, to);
        }
    }

    /// [`Fleet::cut`] in both directions.
    pub fn cut_both(&mut self, a: &str, b: &str) {
        self.cut(a, b);
        self.cut(b, a);
    }

    /// [`Fleet::mend`] in both directions.
    pub fn mend_both(&mut self, a: &str, b: &str) {
        self.mend(a, b);
        self.mend(b, a);
    }

    /// What is sent between two machines waits, until [`Fleet::release`] delivers it in one burst. Nothing if they
    /// are cut off from each other.
    pub fn hold(&mut self, a: &str, b: &str) {
        let is_cut = |from: &str, to: &str| self.cuts.get(&(from.to_owned(), to.to_owned())).is_some_and(|n| *n > 0);
        if !is_cut(a, b) && !is_cut(b, a) && self.held.insert(pair(a, b)) {
            self.sim.hold(a, b);
        }
    }

    /// The opposite of [`Fleet::hold`].
    pub fn release(&mut self, a: &str, b: &str) {
        if self.held.remove(&pair(a, b)) {
            self.sim.release(a, b);
        }
    }

    /// Sets the latency of a link to one value.
    pub fn set_latency(&mut self, a: &str, b: &str, latency: Duration) {
        self.sim.set_link_latency(a, b, latency);
    }

    /// What [`Setup`] says of latency, for a link that was made slow.
    pub fn usual_latency(&self) -> Duration {
        self.setup.latency_max / 4
    }

    /// The digest of everything that happened.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

fn pair(a: &str, b: &str) -> (String, String) {
    let (a, b) = (a.to_owned(), b.to_owned());
    if a <= b { (a, b) } else { (b, a) }
}

/// True time, for who notes when something happened on some machine.
pub fn now() -> Duration {
    true_time()
}
