//! A disk that forgets what was not synced.
//!
//! [`Storage`] is what the machine keeps over lives; [`SimDisk`] is its connection to one
//! [`crate::World`], where each call is counted, takes virtual time and may fail or be the machine's
//! last. [`Storage::power_cut`] decides what survived.

mod crash;
mod device;
mod storage;
#[cfg(test)]
mod tests;

pub use device::SimDisk;
pub use storage::Storage;

use std::ops::Range;

/// What goes wrong with the calls of one life. Calls are numbered from 1 in the order in which they
/// take effect.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    /// At this call the power goes off. By a draw it took effect or not.
    pub cut_at: Option<u64>,
    /// Calls that fail.
    pub faults: Vec<(Range<u64>, DiskFault)>,
    /// Whether to keep a line per call for [`SimDisk::trace`]. Slow.
    pub trace: bool,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DiskFault {
    /// `ENOSPC` for what needs room; an append may have written a part. Other calls work.
    NoSpace,
    /// `EIO`. An append may have written a part; a change of names may have happened; after a failed
    /// sync the pages count as clean although they never reached the disk, and the next sync of the
    /// same file or folder succeeds without them.
    Io,
}

impl FaultPlan {
    /// A disk in order.
    pub fn none() -> Self {
        Self::default()
    }

    /// The power goes off at this call.
    pub fn cut_at(call: u64) -> Self {
        Self { cut_at: Some(call), ..Self::default() }
    }

    /// These calls fail.
    pub fn fault(calls: Range<u64>, fault: DiskFault) -> Self {
        Self { faults: vec![(calls, fault)], ..Self::default() }
    }

    fn fault_of(&self, call: u64) -> Option<DiskFault> {
        self.faults.iter().find(|(calls, _)| calls.contains(&call)).map(|&(_, fault)| fault)
    }
}
