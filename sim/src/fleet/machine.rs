//! One machine: what it keeps over its lives, and what a life gets.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::host::{CpuPool, Host};
use tokio::sync::Notify;

use super::clock::{CoarseClock, MachineClock, Skew};
use super::cpu::FleetCpu;
use super::net::{FleetNet, Names};
use super::tasks::{FleetTasks, Stalling};
use crate::digest::Digest;
use crate::disk::{FaultPlan, SimDisk, Storage};
use crate::entropy::SeededEntropy;
use crate::rng::{Rng, hash, mix};
use crate::world::Power;

/// A machine. Clones are the same one.
#[derive(Clone)]
pub struct Machine(Arc<Inner>);

/// What a machine is made with.
#[derive(Clone)]
pub struct Make {
    /// Its name in the network.
    pub name: String,
    /// From which all chance on it follows.
    pub seed: u64,
    /// How much faster than true time its clocks run, in millionths.
    pub drift_ppm: i64,
    /// The longest write that its network passes on in one piece.
    pub write_bytes_max: usize,
    /// Virtual workers of its CPU pool.
    pub workers: usize,
    /// The names of all machines.
    pub names: Names,
    /// Where all that happens is noted.
    pub digest: Digest,
    /// Counts streams of the whole fleet.
    pub streams: Arc<AtomicU64>,
}

struct Inner {
    make: Make,
    skew: Arc<Skew>,
    panics: Arc<Mutex<Vec<String>>>,
    state: Mutex<State>,
}

struct State {
    /// What is on the disk, while no life uses it.
    storage: Storage,
    life: Option<Life>,
    lives: u64,
}

/// A life of a machine: from its start to a crash or its end.
#[derive(Clone)]
pub struct Life {
    /// The outside world, as a process on the machine finds it.
    pub host: Host,
    /// The disk in use, for faults.
    pub disk: SimDisk,
    /// Which life of the machine it is, from 1.
    pub number: u64,
    /// Asks what runs to end in order.
    pub stop: Arc<Notify>,
    skew: Arc<Skew>,
}

impl Machine {
    /// A machine that is switched off, with an empty disk.
    pub fn new(make: Make) -> Self {
        make.names.add(&make.name);
        let skew = Arc::new(Skew::new(make.drift_ppm));
        let state = Mutex::new(State { storage: Storage::new(), life: None, lives: 0 });
        Self(Arc::new(Inner { make, skew, panics: Arc::default(), state }))
    }

    /// Its name in the network.
    pub fn name(&self) -> &str {
        &self.0.make.name
    }

    /// Switches it on. Must be called on the machine, which is in the code that turmoil runs for it.
    pub fn boot(&self) -> Life {
        let make = &self.0.make;
        let mut state = self.lock();
        state.lives += 1;
        let number = state.lives;
        let seed = mix(make.seed ^ hash(make.name.as_bytes())).wrapping_add(number);
        let clock = MachineClock(self.0.skew.clone());
        let coarse = |label| Arc::new(CoarseClock::new(clock.clone(), Rng::labelled(seed, label)));
        let power = Arc::new(Power::of(make.digest.clone()));
        let storage = std::mem::take(&mut state.storage);
        let disk = SimDisk::new(storage, FaultPlan::none(), coarse("disk steps"), power, seed);
        let net = FleetNet {
            names: make.names.clone(),
            digest: make.digest.clone(),
            write_bytes_max: make.write_bytes_max,
            streams: make.streams.clone(),
            rng: Arc::new(Mutex::new(Rng::labelled(seed, "net"))),
        };
        let tasks = Arc::new(FleetTasks { skew: self.0.skew.clone(), panics: self.0.panics.clone() });
        let host = Host {
            clock: Arc::new(clock.clone()),
            disk: Arc::new(disk.clone()),
            remote_disk: Arc::new(disk.clone()),
            net: Arc::new(net),
            entropy: Arc::new(SeededEntropy::new(mix(seed ^ hash(b"entropy")))),
            cpu: CpuPool::new(Arc::new(FleetCpu::new(coarse("cpu steps"), tasks.clone(), make.workers))),
            tasks,
        };
        let life = Life { host, disk, number, stop: Arc::default(), skew: self.0.skew.clone() };
        state.life = Some(life.clone());
        life
    }

    /// The life that it has; `None` while it is off.
    pub fn life(&self) -> Option<Life> {
        self.lock().life.clone()
    }

    /// Its process is gone; the machine ran on. Call it after turmoil's crash.
    pub fn killed(&self) {
        let mut state = self.lock();
        if let Some(life) = state.life.take() {
            state.storage = life.disk.unmount();
        }
    }

    /// The power went off. Call it after turmoil's crash, which should have found the machine cut off: dropped
    /// sockets say goodbye, and a machine without power does not.
    pub fn lost_power(&self, seed: u64) {
        self.killed();
        self.lock().storage.power_cut(seed);
    }

    /// Its disk is replaced by an empty one. Only while it is off.
    pub fn wiped(&self) {
        self.lock().storage = Storage::new();
    }

    /// Moves its calendar, forwards or back.
    pub fn jump_wall(&self, by_ns: i64) {
        self.0.skew.jump_wall(by_ns);
    }

    /// Nothing on it runs until `until`, counted from the beginning of the simulation.
    pub fn stall_until(&self, until: Duration) {
        self.0.skew.stall_until(until);
    }

    /// A copy of what is on its disk, as a process would read it.
    pub fn storage(&self) -> Storage {
        let state = self.lock();
        match &state.life {
            Some(life) => life.disk.with_storage(|storage| storage.clone()),
            None => state.storage.clone(),
        }
    }

    /// Changes what is on its disk, whether something uses it or not: its capacity, rot.
    pub fn with_storage(&self, change: impl FnOnce(&mut Storage)) {
        let mut state = self.lock();
        match state.life.clone() {
            Some(life) => life.disk.with_storage(change),
            None => change(&mut state.storage),
        }
    }

    /// Tasks that panicked, in all its lives.
    pub fn panics(&self) -> Vec<String> {
        self.0.panics.lock().expect("nothing panics while it is held").clone()
    }

    /// Streams of the whole fleet so far.
    pub fn streams(&self) -> u64 {
        self.0.make.streams.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics under the machine's lock")
    }
}

impl Life {
    /// Runs `main` as the machine does: not while it stands still.
    pub fn run<F: Future>(&self, main: F) -> impl Future<Output = F::Output> + use<F> {
        Stalling::new(self.skew.clone(), main)
    }
}
