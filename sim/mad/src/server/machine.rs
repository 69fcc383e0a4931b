//! The machine that the server runs on: its disk, and its lives.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::api::access::Door;
use helios::api::{App, AppParts, Server};
use helios::crypto::Register;
use helios::engine::{Engine, Mutant, Mutation, ReadOnly, Settings, verify};
use helios::host::{Clock, Host};
use helios::host_select;
use helios::ingest::Replay;
use helios::query::{QueryLimits, QueryShared};
use helios::sync::Flag;

use super::LISTEN;
use crate::clock::SimClock;
use crate::disk::{FaultPlan, SimDisk, Storage};
use crate::rng::{Rng, hash, mix};
use crate::world::Power;

pub(super) struct Machine {
    workload: u64,
    settings: Settings,
    lives: AtomicU64,
    state: Mutex<State>,
}

struct State {
    storage: Storage,
    life: Option<Life>,
    digest: u64,
    order: u64,
}

/// What the outside has of a life.
#[derive(Clone)]
struct Life {
    disk: SimDisk,
    power: Arc<Power>,
    stop: Flag,
    stopped: Flag,
    /// Calls to the disk when the server said that it had stopped.
    calls_at_stop: Arc<AtomicU64>,
}

impl Machine {
    pub(super) fn new(workload: u64, mutant: Option<Mutant>) -> Self {
        let settings =
            Settings { mutation: mutant.map_or_else(Mutation::default, Mutation::of), ..draw_settings(workload) };
        let state = State { storage: Storage::new(), life: None, digest: 0, order: 0 };
        Self { workload, settings, lives: AtomicU64::new(0), state: Mutex::new(state) }
    }

    /// One life of the server, until it is told to stop or the node is killed.
    ///
    /// # Panics
    /// If the server can't start: nothing that happens here may keep it from that.
    pub(super) async fn live(self: Arc<Self>) {
        let (life, host) = self.mount();
        let opened = Engine::open(host.clone(), ROOT.into(), self.settings.clone(), Arc::new(Replay)).await;
        let engine = Arc::new(opened.unwrap_or_else(|error| panic!("the server does not start: {error}")));
        let app = App::new(AppParts {
            host: host.clone(),
            door: Door::new(LISTEN, true, Vec::new()).expect("anybody may come in"),
            engine: Arc::clone(&engine),
            queries: Arc::new(QueryShared::new(host.clone(), QueryLimits::default())),
            line_bytes_max: 1 << 20,
            cluster: None,
            register: Register::default(),
        });
        let started = Server::start(host.clone(), LISTEN, app, CONNECTIONS_MAX).await;
        let server = started.unwrap_or_else(|error| panic!("the server does not listen: {error}"));
        life.stop.raised().await;
        server.stop().await;
        engine.close().await;
        life.calls_at_stop.store(life.disk.calls(), Ordering::Relaxed);
        life.stopped.raise();
    }

    /// Asks the server to stop, and waits until it has.
    ///
    /// # Errors
    /// If it does not.
    pub(super) async fn stop(&self) -> Result<(), String> {
        let clock = SimClock::current();
        // A node that was just started has not mounted its disk yet.
        while self.lock().life.is_none() {
            clock.sleep(Duration::from_millis(1)).await;
        }
        let life = self.lock().life.clone().ok_or("no life to stop")?;
        life.stop.raise();
        host_select! {
            () = life.stopped.raised() => Ok(()),
            () = clock.sleep(STOP_MAX) => Err("the server does not stop".into()),
        }
    }

    /// Whether the server has left its disk alone since it stopped: another process may have it by now.
    ///
    /// # Errors
    /// If it has not.
    pub(super) fn check_quiet(&self) -> Result<(), String> {
        let state = self.lock();
        let Some(life) = state.life.as_ref() else { return Err("no life to look at".into()) };
        let (before, after) = (life.calls_at_stop.load(Ordering::Relaxed), life.disk.calls());
        let Some(first) = life.disk.trace().get(usize::try_from(before).unwrap_or(usize::MAX)).cloned() else {
            return Ok(());
        };
        Err(format!("{} calls to the disk after the stop, the first: {first}", after - before))
    }

    /// The life on it is over. With a seed, the power was cut and decides what is left of what was not synced.
    pub(super) fn end(&self, cut: Option<u64>) {
        let mut state = self.lock();
        let Some(life) = state.life.take() else { return };
        life.power.cut();
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

    /// Checks every stored byte. To be asked while nothing runs on the machine.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) async fn verify(&self) -> Result<(), String> {
        let (_life, host) = self.mount();
        let report = verify(&host, ROOT.into(), &mut |_| {}).await.map_err(|error| error.to_string())?;
        self.end(None);
        if report.problems.is_empty() { Ok(()) } else { Err(format!("{:?}", report.problems)) }
    }

    /// How many blocks there are. To be asked while nothing runs on the machine.
    ///
    /// # Errors
    /// If the directory can't be opened, or says that something was lost.
    pub(super) async fn blocks(&self) -> Result<u64, String> {
        let (_life, host) = self.mount();
        let opened = ReadOnly::open(host, ROOT.into(), Arc::new(Replay)).await.map_err(|error| error.to_string())?;
        let snapshot = opened.snapshot(|_| true);
        drop(opened);
        self.end(None);
        let lost = snapshot.partitions.iter().flat_map(|partition| &partition.lost).chain(&*snapshot.lost);
        if let Some(lost) = lost.into_iter().next() {
            return Err(format!("events are said to be lost: {lost:?}"));
        }
        Ok(snapshot.partitions.iter().map(|partition| partition.blocks.len() as u64).sum())
    }

    pub(super) fn lives(&self) -> u64 {
        self.lives.load(Ordering::Relaxed)
    }

    pub(super) fn digest(&self) -> u64 {
        self.lock().digest
    }

    pub(super) fn order(&self) -> u64 {
        self.lock().order
    }

    fn mount(&self) -> (Life, Host) {
        let number = self.lives.fetch_add(1, Ordering::Relaxed);
        let seed = mix(self.workload.wrapping_add(number << 32));
        let plan = FaultPlan { trace: true, ..FaultPlan::none() };
        let power = Arc::new(Power::default());
        let mut state = self.lock();
        let storage = std::mem::take(&mut state.storage);
        let disk = SimDisk::new(storage, plan, Arc::new(SimClock::current()), Arc::clone(&power), seed);
        let (stop, stopped, calls_at_stop) = (Flag::new(), Flag::new(), Arc::default());
        let life = Life { disk: disk.clone(), power, stop, stopped, calls_at_stop };
        assert!(state.life.replace(life.clone()).is_none(), "one life at a time");
        (life, crate::host::host(&disk, seed))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under the lock of the machine")
    }
}

/// Settings that make much happen in little time; now and then as in production.
pub(crate) fn draw_settings(workload: u64) -> Settings {
    let mut rng = Rng::labelled(workload, "settings");
    let ms = |ms: u64| Duration::from_millis(ms);
    Settings {
        segment_bytes: rng.pick(&[200, 2_000, 64 << 20]),
        group_bytes: rng.pick(&[1, 1_000, 16 << 20]),
        log_bytes_max: rng.pick(&[500, 10_000, 512 << 20]),
        queue_wait: ms(rng.pick(&[10, 2_000])),
        flush_rows: rng.pick(&[1, 3, 20]),
        flush_rows_max: rng.pick(&[1, 10, 50_000]),
        flush_age: ms(rng.pick(&[10, 100, 5_000])),
        flush_aged_rows: rng.pick(&[1, 1_000]),
        flush_age_max: ms(rng.pick(&[50, 1_000, 300_000])),
        head_bytes_max: rng.pick(&[1_000, 128 << 20]),
        flush_concurrency: rng.pick(&[1, 2]),
        compact_small_blocks_max: rng.pick(&[1, 2, 100]),
        compact_interval: ms(rng.pick(&[2, 50, 1_000])),
        reserve_bytes: 0,
        generations_kept: rng.pick(&[1, 2, 64]),
        generations_age: ms(rng.pick(&[0, 1_000])),
        manifest_page_blocks: rng.pick(&[1, 2, 512]),
        ..Settings::default()
    }
}

/// Where the data directory is.
const ROOT: &str = "/srv/helios";
/// Connections of the server. Clients that give up leave theirs behind.
const CONNECTIONS_MAX: u32 = 64;
/// The longest that a stop may take: the server's own bound for running requests, and the last flush.
const STOP_MAX: Duration = Duration::from_secs(40);
