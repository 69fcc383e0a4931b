//! What was decoded or put together, kept for the next query: parts of blocks, and events as they are shown.
//!
//! **Promise.** Blocks never change, so neither does what comes of them; a cache is bounded in bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::answer::Hit;
use super::results::GroupId;
use super::rows::hit_bytes;
use crate::block::{ChunkKey, Column, FilterReader, Ids, Texts};
use crate::engine::BlockId;

/// A decoded part of a block.
#[derive(Clone)]
pub(crate) enum Chunk {
    Times(Arc<Vec<i64>>),
    Ids(Arc<Ids>),
    Shapes(Arc<Vec<u32>>),
    Verbatim(Arc<Texts>),
    Column(Arc<Column>),
    Filter(Arc<FilterReader>),
}

/// Which part of which group of which block.
pub(crate) type ChunkId = (BlockId, u32, ChunkKey);

/// What a cache keeps.
pub(crate) trait Kept: Clone {
    /// Bytes that it takes, about.
    fn memory_bytes(&self) -> usize;
}

/// A cache bounded in bytes. What was used least recently goes first; but what a query itself has used
/// stays until its end, so that a scan of more than fits leaves a part of it for the next scan instead of
/// nothing.
pub(crate) struct Cache<K, V> {
    limit_bytes: u64,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    used_bytes: u64,
    tick: u64,
    entries: BTreeMap<K, Entry<V>>,
    by_tick: BTreeMap<u64, K>,
}

struct Entry<V> {
    value: V,
    bytes: u64,
    tick: u64,
}

impl<K: Copy + Ord, V: Kept> Cache<K, V> {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        let inner = Inner { used_bytes: 0, tick: 0, entries: BTreeMap::new(), by_tick: BTreeMap::new() };
        Self { limit_bytes, inner: Mutex::new(inner) }
    }

    /// The time by the cache's own clock: what is used from now on is younger.
    pub(crate) fn now(&self) -> u64 {
        self.lock().tick
    }

    pub(crate) fn get(&self, id: &K) -> Option<V> {
        let mut inner = self.lock();
        inner.tick += 1;
        let tick = inner.tick;
        let entry = inner.entries.get_mut(id)?;
        let before = std::mem::replace(&mut entry.tick, tick);
        let value = entry.value.clone();
        inner.by_tick.remove(&before);
        inner.by_tick.insert(tick, *id);
        Some(value)
    }

    /// Keeps a value if there is room, or if what was last used before `since` makes room.
    pub(crate) fn put(&self, id: K, value: V, since: u64) {
        let bytes = value.memory_bytes() as u64 + ENTRY_BYTES;
        let mut inner = self.lock();
        if bytes > self.limit_bytes || inner.entries.contains_key(&id) {
            return;
        }
        while inner.used_bytes + bytes > self.limit_bytes {
            match inner.by_tick.first_key_value() {
                Some((&tick, &oldest)) if tick <= since => inner.remove(tick, &oldest),
                _ => return,
            }
        }
        inner.tick += 1;
        let tick = inner.tick;
        inner.used_bytes += bytes;
        inner.by_tick.insert(tick, id);
        inner.entries.insert(id, Entry { value, bytes, tick });
    }

    /// Bytes that it holds.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.lock().used_bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Bytes of an entry beside its value, about.
const ENTRY_BYTES: u64 = 200;

impl<K: Ord, V> Inner<K, V> {
    fn remove(&mut self, tick: u64, id: &K) {
        self.by_tick.remove(&tick);
        if let Some(entry) = self.entries.remove(id) {
            self.used_bytes -= entry.bytes;
        }
    }
}

/// Events as they are shown, by their group and their row there. Who looks at a page of hits again, or
/// narrows what is shown, asks for many of the same.
pub(crate) type EventCache = Cache<(GroupId, u32), Arc<Hit>>;

impl Kept for Arc<Hit> {
    fn memory_bytes(&self) -> usize {
        hit_bytes(&self.raw)
    }
}

/// Decoded parts of blocks.
pub(crate) struct ChunkCache {
    chunks: Cache<ChunkId, Chunk>,
    /// Columns of which some rows were asked, longest ago first.
    asked: Mutex<VecDeque<ChunkId>>,
}

impl ChunkCache {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { chunks: Cache::new(limit_bytes), asked: Mutex::default() }
    }

    /// Whether a part that is not here was asked about a short while ago: then it is worth its place.
    pub(crate) fn is_asked_again(&self, id: ChunkId) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(at) = asked.iter().position(|&other| other == id) {
            asked.remove(at);
            return self.chunks.limit_bytes > 0;
        }
        if asked.len() == ASKED_MAX {
            asked.pop_front();
        }
        asked.push_back(id);
        false
    }
}

impl std::ops::Deref for ChunkCache {
    type Target = Cache<ChunkId, Chunk>;

    fn deref(&self) -> &Self::Target {
        &self.chunks
    }
}

/// Parts that were asked about once: some dozens of groups of dozens of columns.
const ASKED_MAX: usize = 1024;

impl Kept for Chunk {
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Times(times) => times.len() * 8,
            Self::Ids(ids) => ids.sequences.len() * 8 + ids.codes.as_ref().map_or(0, |codes| codes.len() * 4),
            Self::Shapes(shapes) => shapes.len() * 4,
            Self::Verbatim(texts) => texts.bytes.len() + texts.ends.len() * 4,
            Self::Column(column) => column.memory_bytes(),
            Self::Filter(filter) => filter.memory_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> ChunkId {
        (BlockId(number), 0, ChunkKey::Times)
    }

    fn times(count: usize) -> Chunk {
        Chunk::Times(Arc::new(vec![0; count]))
    }

    #[test]
    fn what_was_used_least_recently_goes_first_and_the_bound_holds() {
        let cache = ChunkCache::new(3 * (8_000 + ENTRY_BYTES));
        for number in 0..3 {
            cache.put(id(number), times(1_000), u64::MAX);
        }
        assert!(cache.get(&id(0)).is_some());
        cache.put(id(3), times(1_000), u64::MAX);
        assert!(cache.get(&id(1)).is_none());
        assert!([0, 2, 3].iter().all(|&number| cache.get(&id(number)).is_some()));
        assert!(cache.used_bytes() <= 3 * (8_000 + ENTRY_BYTES));
    }

    #[test]
    fn a_scan_of_more_than_fits_leaves_a_part_for_the_next() {
        let cache = ChunkCache::new(5 * (8_000 + ENTRY_BYTES));
        let scan = || {
            let since = cache.now();
            let hits = (0..10).filter(|&number| {
                let hit = cache.get(&id(number)).is_some();
                if !hit {
                    cache.put(id(number), times(1_000), since);
                }
                hit
            });
            hits.count()
        };
        assert_eq!(scan(), 0);
        assert!(scan() >= 4);
        assert!(scan() >= 4);
    }
}
