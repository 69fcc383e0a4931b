//! What the store holds, what goes wrong with it, and what happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::rng::Rng;

/// A bucket. Clones are the same one; it outlives every machine.
#[derive(Clone)]
pub struct Bucket(Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) faults: Faults,
    pub(super) lie: Option<Lie>,
    pub(super) rng: Rng,
    pub(super) counters: Counters,
    history: Vec<Made>,
    keeps_bodies: bool,
}

#[derive(Clone)]
pub(super) struct Object {
    pub(super) body: Bytes,
    /// Its place in the history.
    pub(super) number: u64,
}

/// One change, in the order in which the store made them.
#[derive(Clone, Debug)]
pub struct Made {
    /// Which object.
    pub key: String,
    /// What happened to it.
    pub change: Change,
    /// Whether its client had given up before.
    pub late: bool,
}

/// What happened to an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// It was made, by a create or by a put of a name that was free.
    Made(Bytes),
    /// It was written again by a put.
    Replaced(Bytes),
    /// It was there and is no more.
    Deleted,
}

/// How often, of 1,000 requests, each thing goes wrong. In order: all 0.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// 503, 500 or 429, and nothing happens.
    pub refuse: u64,
    /// 500, although it happened.
    pub fail_after: u64,
    /// It happens, and no answer comes.
    pub hang_after: u64,
    /// A conditional create is answered 409; a draw decides whether it happened.
    pub conflict: u64,
    /// A change happens after its client has given up: minutes to hours late. No answer comes.
    pub late: u64,
    /// The longest wait before anything happens.
    pub slow_ms_max: u64,
    /// Objects on a page of a listing at most; 0 for the usual 1,000.
    pub page_objects_max: usize,
    /// The latest that a late request arrives.
    pub late_ms_max: u64,
}

/// What a store must not do. For the tests that such a store is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lie {
    /// A create replaces what is there.
    CreateReplaces,
    /// A listing does not show the newest object.
    StaleLists,
}

/// What was asked, and what went wrong.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counters(pub BTreeMap<&'static str, u64>);

impl Bucket {
    /// An empty bucket in order.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            objects: BTreeMap::new(),
            faults: Faults::default(),
            lie: None,
            rng: Rng::labelled(seed, "s3"),
            counters: Counters::default(),
            history: Vec::new(),
            keeps_bodies: true,
        })))
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Makes it a store that must be refused.
    pub fn set_lie(&self, lie: Option<Lie>) {
        self.lock().lie = lie;
    }

    /// Whether the history keeps what objects said; without, a long run needs less memory.
    pub fn keep_bodies(&self, keep: bool) {
        self.lock().keeps_bodies = keep;
    }

    /// All changes, in the order in which they happened.
    pub fn history(&self) -> Vec<Made> {
        self.lock().history.clone()
    }

    /// What was asked, and what went wrong.
    pub fn counters(&self) -> Counters {
        self.lock().counters.clone()
    }

    /// What an object says.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.lock().objects.get(key).map(|object| object.body.clone())
    }

    /// The keys of all objects, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Removes everything and puts a copy of another bucket's objects in its place: a restored backup.
    pub fn restore(&self, objects: BTreeMap<String, Bytes>) {
        let mut state = self.lock();
        state.objects = objects.into_iter().map(|(key, body)| (key, Object { body, number: 0 })).collect();
    }

    /// All objects with what they say: a backup.
    pub fn backup(&self) -> BTreeMap<String, Bytes> {
        self.lock().objects.iter().map(|(key, object)| (key.clone(), object.body.clone())).collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under the bucket's lock")
    }
}

impl State {
    pub(super) fn count(&mut self, what: &'static str) {
        *self.counters.0.entry(what).or_default() += 1;
    }

    /// Makes an object unless it is there. Whether it was made.
    pub(super) fn create(&mut self, key: &str, body: &Bytes, late: bool) -> bool {
        if self.objects.contains_key(key) && self.lie != Some(Lie::CreateReplaces) {
            return false;
        }
        self.insert(key, body, late);
        true
    }

    pub(super) fn put(&mut self, key: &str, body: &Bytes, late: bool) {
        self.insert(key, body, late);
    }

    pub(super) fn delete(&mut self, key: &str, late: bool) {
        if self.objects.remove(key).is_some() {
            self.history.push(Made { key: key.to_owned(), change: Change::Deleted, late });
        }
    }

    fn insert(&mut self, key: &str, body: &Bytes, late: bool) {
        let number = self.history.len() as u64 + 1;
        let before = self.objects.insert(key.to_owned(), Object { body: body.clone(), number });
        let kept = if self.keeps_bodies { body.clone() } else { Bytes::new() };
        let change = if before.is_some() { Change::Replaced(kept) } else { Change::Made(kept) };
        self.history.push(Made { key: key.to_owned(), change, late });
    }

    /// Whether something that goes wrong `per_mille` times of 1,000 does now.
    pub(super) fn goes_wrong(&mut self, per_mille: u64) -> bool {
        per_mille > 0 && self.rng.in_range(0..1_000) < per_mille
    }
}
