//! Decoded parts of blocks, kept for the next query.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

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

/// A cache of decoded parts, bounded in bytes. The part that was used least recently goes first; but
/// what a query itself has used stays until its end, so that a scan of more than fits leaves a part of
/// it for the next scan instead of nothing.
pub(crate) struct ChunkCache {
    limit_bytes: u64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    used_bytes: u64,
    tick: u64,
    chunks: BTreeMap<ChunkId, Entry>,
    by_tick: BTreeMap<u64, ChunkId>,
    /// Columns of which some rows were asked, longest ago first.
    asked: VecDeque<ChunkId>,
}

struct Entry {
    chunk: Chunk,
    bytes: u64,
    tick: u64,
}

impl ChunkCache {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, inner: Mutex::default() }
    }

    /// The time by the cache's own clock: what is used from now on is younger.
    pub(crate) fn now(&self) -> u64 {
        self.lock().tick
    }

    pub(crate) fn get(&self, id: &ChunkId) -> Option<Chunk> {
        let mut inner = self.lock();
        inner.tick += 1;
        let tick = inner.tick;
        let entry = inner.chunks.get_mut(id)?;
        let before = std::mem::replace(&mut entry.tick, tick);
        let chunk = entry.chunk.clone();
        inner.by_tick.remove(&before);
        inner.by_tick.insert(tick, *id);
        Some(chunk)
    }

    /// Keeps a part if there is room, or if what was last used before `since` makes room.
    pub(crate) fn put(&self, id: ChunkId, chunk: Chunk, since: u64) {
        let bytes = chunk.memory_bytes() as u64 + ENTRY_BYTES;
        let mut inner = self.lock();
        if bytes > self.limit_bytes || inner.chunks.contains_key(&id) {
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
        inner.chunks.insert(id, Entry { chunk, bytes, tick });
    }

    /// Whether a part that is not here was asked about a short while ago: then it is worth its place.
    pub(crate) fn is_asked_again(&self, id: ChunkId) -> bool {
        let mut inner = self.lock();
        if let Some(at) = inner.asked.iter().position(|&asked| asked == id) {
            inner.asked.remove(at);
            return self.limit_bytes > 0;
        }
        if inner.asked.len() == ASKED_MAX {
            inner.asked.pop_front();
        }
        inner.asked.push_back(id);
        false
    }

    /// Bytes that it holds.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.lock().used_bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Parts that were asked about once: some dozens of groups of dozens of columns.
const ASKED_MAX: usize = 1024;
/// Bytes of an entry beside its chunk, about.
const ENTRY_BYTES: u64 = 200;

impl Inner {
    fn remove(&mut self, tick: u64, id: &ChunkId) {
        self.by_tick.remove(&tick);
        if let Some(entry) = self.chunks.remove(id) {
            self.used_bytes -= entry.bytes;
        }
    }
}

impl Chunk {
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
