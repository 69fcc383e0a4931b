//! What a store was asked: requests by kind, and bytes each way. Costs an atomic addition or two a request.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::StoreDate;

/// What was asked for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum RequestKind {
    /// A name that must not exist yet.
    Create,
    /// A name that nobody else uses.
    Put,
    /// A whole object.
    Get,
    /// A part of one.
    Range,
    /// An object's length.
    Head,
    /// A page of names.
    List,
    /// A removal.
    Delete,
    /// Something else that the store's client needs, such as credentials.
    Other,
}

/// How much a store was asked so far, in this life of the process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Requests {
    /// Conditional creates.
    pub creates: u64,
    /// Writes under names that nobody else uses.
    pub puts: u64,
    /// Reads of whole objects.
    pub gets: u64,
    /// Reads of parts.
    pub ranges: u64,
    /// Questions for a length.
    pub heads: u64,
    /// Pages of names.
    pub lists: u64,
    /// Removals.
    pub deletes: u64,
    /// What is none of these.
    pub others: u64,
    /// Bytes of bodies that were sent.
    pub bytes_up: u64,
    /// Bytes of bodies that came back.
    pub bytes_down: u64,
}

impl Requests {
    /// Requests of all kinds.
    pub fn total(&self) -> u64 {
        let Self { creates, puts, gets, ranges, heads, lists, deletes, others, bytes_up: _, bytes_down: _ } = *self;
        creates + puts + gets + ranges + heads + lists + deletes + others
    }

    /// What came since `before`, an earlier answer of the same store.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            creates: self.creates - before.creates,
            puts: self.puts - before.puts,
            gets: self.gets - before.gets,
            ranges: self.ranges - before.ranges,
            heads: self.heads - before.heads,
            lists: self.lists - before.lists,
            deletes: self.deletes - before.deletes,
            others: self.others - before.others,
            bytes_up: self.bytes_up - before.bytes_up,
            bytes_down: self.bytes_down - before.bytes_down,
        }
    }
}

/// Counts for a store.
#[derive(Debug, Default)]
pub(super) struct Counter {
    by_kind: [AtomicU64; KINDS],
    up: AtomicU64,
    down: AtomicU64,
    date: Mutex<Option<StoreDate>>,
}

impl Counter {
    /// What the store says the time is.
    pub(super) fn dated(&self, date: StoreDate) {
        *self.date.lock().expect("no panic while held") = Some(date);
    }

    /// What it last said the time was.
    pub(super) fn date(&self) -> Option<StoreDate> {
        *self.date.lock().expect("no panic while held")
    }

    /// A request with a body of `bytes`.
    pub(super) fn sent(&self, kind: RequestKind, bytes: usize) {
        self.of(kind).fetch_add(1, Ordering::Relaxed);
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// An answer with a body of `bytes`.
    pub(super) fn came(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn requests(&self) -> Requests {
        let count = |kind| self.of(kind).load(Ordering::Relaxed);
        Requests {
            creates: count(RequestKind::Create),
            puts: count(RequestKind::Put),
            gets: count(RequestKind::Get),
            ranges: count(RequestKind::Range),
            heads: count(RequestKind::Head),
            lists: count(RequestKind::List),
            deletes: count(RequestKind::Delete),
            others: count(RequestKind::Other),
            bytes_up: self.up.load(Ordering::Relaxed),
            bytes_down: self.down.load(Ordering::Relaxed),
        }
    }

    fn of(&self, kind: RequestKind) -> &AtomicU64 {
        &self.by_kind[kind as usize]
    }
}

const KINDS: usize = RequestKind::Other as usize + 1;
