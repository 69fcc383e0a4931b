//! What was used lately of the blocks: open files and footers, both bounded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::manifest::BlockId;
use crate::block::Footer;
use crate::host::DiskFile;

/// Open files and footers of blocks. What was used least recently goes first.
pub(crate) struct OpenBlocks(Mutex<Inner>);

struct Inner {
    files: Recent<Arc<dyn DiskFile>>,
    footers: Recent<Arc<Footer>>,
}

impl OpenBlocks {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Inner { files: Recent::new(OPEN_FILES_MAX), footers: Recent::new(FOOTERS_BYTES_MAX) }))
    }

    pub(crate) fn file(&self, id: BlockId) -> Option<Arc<dyn DiskFile>> {
        self.lock().files.get(id)
    }

    pub(crate) fn keep_file(&self, id: BlockId, file: Arc<dyn DiskFile>) {
        // Dropped after the lock is given back: closing a file may take its time.
        let _closed = self.lock().files.put(id, file, 1);
    }

    pub(crate) fn footer(&self, id: BlockId) -> Option<Arc<Footer>> {
        self.lock().footers.get(id)
    }

    /// `bytes`: what the footer takes in the file.
    pub(crate) fn keep_footer(&self, id: BlockId, footer: Arc<Footer>, bytes: u64) {
        let _dropped = self.lock().footers.put(id, footer, bytes);
    }

    /// Closes the file of a block that is about to go, or its bytes would stay on the disk.
    pub(crate) fn forget(&self, id: BlockId) {
        let mut inner = self.lock();
        let _dropped = (inner.files.remove(id), inner.footers.remove(id));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic while held")
    }
}

/// Values with a weight each, and a bound of the sum.
struct Recent<V> {
    limit: u64,
    used: u64,
    tick: u64,
    entries: BTreeMap<BlockId, Entry<V>>,
    by_tick: BTreeMap<u64, BlockId>,
}

struct Entry<V> {
    value: V,
    weight: u64,
    tick: u64,
}

impl<V: Clone> Recent<V> {
    fn new(limit: u64) -> Self {
        Self { limit, used: 0, tick: 0, entries: BTreeMap::new(), by_tick: BTreeMap::new() }
    }

    fn get(&mut self, id: BlockId) -> Option<V> {
        let entry = self.entries.get_mut(&id)?;
        self.tick += 1;
        self.by_tick.remove(&entry.tick);
        self.by_tick.insert(self.tick, id);
        entry.tick = self.tick;
        Some(entry.value.clone())
    }

    /// Keeps a value; gives back those that had to go for it.
    fn put(&mut self, id: BlockId, value: V, weight: u64) -> Vec<V> {
        let mut gone: Vec<V> = self.remove(id).into_iter().collect();
        if weight > self.limit {
            return gone;
        }
        while self.used + weight > self.limit {
            let Some((_, oldest)) = self.by_tick.pop_first() else { break };
            gone.extend(self.remove(oldest));
        }
        self.tick += 1;
        self.used += weight;
        self.by_tick.insert(self.tick, id);
        self.entries.insert(id, Entry { value, weight, tick: self.tick });
        gone
    }

    fn remove(&mut self, id: BlockId) -> Option<V> {
        let entry = self.entries.remove(&id)?;
        self.by_tick.remove(&entry.tick);
        self.used -= entry.weight;
        Some(entry.value)
    }
}

/// Block files that are open at the same time. Processes commonly may open 1,024 files, sockets included.
const OPEN_FILES_MAX: u64 = 512;
/// Footers that are kept, in bytes of their files, where they are compressed. In memory they are some
/// five times as large.
const FOOTERS_BYTES_MAX: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_least_recently_goes_first_and_the_bound_holds() {
        let mut recent = Recent::new(10);
        for id in 0..3 {
            assert!(recent.put(BlockId(id), id, 3).is_empty());
        }
        assert_eq!(recent.get(BlockId(0)), Some(0));
        assert_eq!(recent.put(BlockId(3), 3, 4), [1]);
        assert_eq!(recent.get(BlockId(1)), None);
        assert_eq!((recent.get(BlockId(0)), recent.get(BlockId(2)), recent.used), (Some(0), Some(2), 10));
        assert!(recent.put(BlockId(4), 4, 11).is_empty());
        assert_eq!(recent.remove(BlockId(3)), Some(3));
        assert_eq!((recent.used, recent.entries.len(), recent.by_tick.len()), (6, 2, 2));
    }
}
