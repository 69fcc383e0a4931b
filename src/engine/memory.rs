//! A process that goes on where a copy of its memory left off, as on a virtual machine that is put back to an earlier
//! state, or copied, while it runs. None but in tests: what a test keeps of the memory is how far the process had come
//! with its numbers.

use std::sync::atomic::Ordering;

use super::core::Core;
use super::log::LogWriter;
use crate::event::Origin;

/// How far a process had come.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Its life.
    pub origin: Origin,
    durable: u64,
    commits: u64,
}

impl Memory {
    pub(crate) fn of(core: &Core) -> Self {
        let (durable, commits) = (core.durable_to.load(Ordering::SeqCst), core.commits.load(Ordering::Relaxed));
        Self { origin: core.origin, durable, commits }
    }

    /// Goes on: numbers follow what was given out, or is on the disk of that moment.
    pub(crate) async fn recall(&self, core: &Core, log: &mut LogWriter) {
        let mut last = self.durable.max(core.applied_to.load(Ordering::SeqCst));
        for partition in core.all_partitions() {
            last = last.max(partition.manifest.lock().await.manifest.settled().get(self.origin));
            for group in &partition.view().head {
                let own = (0..group.rows).map(|row| group.id(row)).filter(|id| id.origin == self.origin);
                last = own.map(|id| id.sequence.0).fold(last, u64::max);
            }
        }
        core.durable_to.fetch_max(last, Ordering::SeqCst);
        core.applied_to.fetch_max(last, Ordering::SeqCst);
        core.commits.fetch_max(self.commits, Ordering::Relaxed);
        let segments = core.segments.lock().expect("no panic while held");
        log.go_on(last + 1, segments.last_number(self.origin) + 1);
    }
}
