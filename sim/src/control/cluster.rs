//! Nodes that share a store, each with a clock of its own.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use helios::chain::memory::{Faults, MemoryStore};
use helios::chain::{Create, Page, Requests, Store, StoreDate, StoreError};
use helios::control::{Control, Document, Sealing};
use helios::crypto::key_file::KeyMaterial;
use helios::host::{BoxFuture, Clock, Host, UnixNanos};

use crate::disk::{FaultPlan, Storage};
use crate::rng::Rng;
use crate::world::World;

/// The machine on which all of it runs, and what the nodes share.
pub(super) struct Cluster {
    pub(super) host: Host,
    pub(super) store: MemoryStore,
    key: KeyMaterial,
    sealed: bool,
}

impl Cluster {
    pub(super) fn new(world: &World, rng: &mut Rng) -> Self {
        let host = world.host(&world.mount(Storage::new(), FaultPlan::none()));
        let store = MemoryStore::new(host.entropy.fork("store"), Some(Arc::clone(&host.clock)));
        store.remember_made();
        let key = KeyMaterial::draw(host.entropy.fork("key").as_ref());
        Self { host, store, key, sealed: rng.percent(50) }
    }

    /// A life of a node whose clock runs at `rate` per mille of the true one.
    pub(super) fn node(&self, life: &str, rate: u64, cache_ttl: Duration) -> Node {
        let clock = Arc::new(NodeClock { true_clock: Arc::clone(&self.host.clock), rate });
        let host = Host { clock, ..self.host.clone() };
        let cable = Arc::new(Cable::new(self.store.clone(), Arc::clone(&self.host.clock)));
        let control = self.control(Arc::clone(&cable) as Arc<dyn Store>, &host, life, cache_ttl);
        Node { life: life.to_owned(), host, control, cable }
    }

    fn control(&self, store: Arc<dyn Store>, host: &Host, life: &str, cache_ttl: Duration) -> Arc<Control> {
        let key = || self.key.stand_in(self.host.entropy.fork("nonces"));
        let sealing = if self.sealed { Sealing::On(Arc::new(key())) } else { Sealing::Off };
        Arc::new(Control::new(store, ROOT, host, life, sealing, cache_ttl))
    }

    /// Nothing goes wrong any more, and what was under way has arrived.
    pub(super) fn heal(&self) {
        self.store.set_faults(Faults { delay_ms_max: HEALED_DELAY_MS, ..Faults::default() });
        while self.store.deliver_one() {}
    }

    /// The generations of a document in the order in which the store made them. A number that was made again
    /// after it had been collected is no part of it.
    ///
    /// # Errors
    /// If one can't be read.
    pub(super) async fn order(&self, name: &str) -> Result<Vec<Arc<Document>>, String> {
        let replica = MemoryStore::new(self.host.entropy.fork("replica"), None);
        let reader = self.control(Arc::new(replica.clone()), &self.host, "reader", Duration::ZERO);
        let prefix = format!("{ROOT}/{name}/");
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        for (key, body) in self.store.made() {
            if !key.starts_with(&prefix) || !seen.insert(key.clone()) {
                continue;
            }
            let _ = replica.create(&key, body).await.map_err(|error| error.to_string())?;
            let read = reader.read_now(name).await.map_err(|error| error.to_string())?;
            order.push(read.ok_or_else(|| format!("{key} is no generation"))?);
        }
        Ok(order)
    }
}

/// One life of a node.
pub(super) struct Node {
    pub(super) life: String,
    pub(super) host: Host,
    pub(super) control: Arc<Control>,
    cable: Arc<Cable>,
}

impl Node {
    /// Whatever it asks the store for `duration` from now arrives after that.
    pub(super) fn cut_off(&self, duration: Duration) {
        self.cable.cut(duration);
    }
}

/// Runs faster or slower than the true clock.
struct NodeClock {
    true_clock: Arc<dyn Clock>,
    /// Per mille.
    rate: u64,
}

impl Clock for NodeClock {
    fn monotonic(&self) -> Duration {
        let ns = self.true_clock.monotonic().as_nanos() * u128::from(self.rate) / 1_000;
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    fn wall(&self) -> UnixNanos {
        self.true_clock.wall()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let ns = duration.as_nanos() * 1_000 / u128::from(self.rate);
        self.true_clock.sleep(Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX)))
    }
}

/// What lies between a node and the store.
pub(crate) struct Cable {
    store: MemoryStore,
    clock: Arc<dyn Clock>,
    /// True time, nanoseconds.
    cut_until: AtomicU64,
    /// How long it is cut after a create without an answer, nanoseconds.
    lingers: AtomicU64,
}

impl Cable {
    pub(crate) fn new(store: MemoryStore, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, cut_until: AtomicU64::new(0), lingers: AtomicU64::new(0) }
    }

    /// Whatever is asked for `duration` from now arrives after that.
    pub(crate) fn cut(&self, duration: Duration) {
        let until = self.clock.monotonic() + duration;
        self.cut_until.store(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// From now on it is cut for so long after each create to which no answer comes: whoever asked looks late what became
    /// of it.
    pub(crate) fn linger(&self, duration: Duration) {
        self.lingers.store(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Makes a call once the cable is whole.
    async fn through<T>(&self, call: BoxFuture<'_, T>) -> T {
        let until = Duration::from_nanos(self.cut_until.load(Ordering::Relaxed));
        let left = until.saturating_sub(self.clock.monotonic());
        if !left.is_zero() {
            self.clock.sleep(left).await;
        }
        call.await
    }
}

impl Store for Cable {
    fn create<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<Create, StoreError>> {
        Box::pin(async move {
            let created = self.through(self.store.create(key, body)).await;
            let lingers = Duration::from_nanos(self.lingers.load(Ordering::Relaxed));
            if !lingers.is_zero() && matches!(created, Err(StoreError::Unknown { .. })) {
                self.cut(lingers);
            }
            created
        })
    }

    fn put<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.through(self.store.put(key, body)))
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(self.through(self.store.get(key)))
    }

    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(self.through(self.store.get_range(key, range)))
    }

    fn size<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(self.through(self.store.size(key)))
    }

    fn list<'a>(&'a self, folder: &'a str, after: &'a str) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(self.through(self.store.list(folder, after)))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.through(self.store.delete(key)))
    }

    fn harden<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.harden(folder)
    }

    fn requests(&self) -> Requests {
        self.store.requests()
    }

    fn date(&self) -> Option<StoreDate> {
        self.store.date()
    }
}

/// What goes wrong in a run, and how long calls take.
pub(crate) fn draw_faults(rng: &mut Rng) -> Faults {
    let mut often = || rng.pick(&[0, 0, 0, 20, 100, 250]);
    let (refuse, lose_answer, lose_request, deliver_late, answer_twice) = (often(), often(), often(), often(), often());
    Faults {
        refuse,
        lose_answer,
        lose_request,
        deliver_late,
        deliver: rng.pick(&[0, 5, 100]),
        answer_twice,
        delay_ms_max: rng.pick(&[2, 20, 400]),
        page_objects: rng.pick(&[0, 1, 2, 7]),
        ..Faults::default()
    }
}

/// The longest wait of a call to a store in order, each way.
pub(crate) const HEALED_DELAY_MS: u64 = 20;

/// Where the documents are.
const ROOT: &str = "_control";
