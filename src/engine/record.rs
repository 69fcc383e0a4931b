//! What ingest hands to the engine, and what comes back.

use bytes::Bytes;

use super::log::{LogRecord, VerdictRun};
use crate::block::RowGroup;
use crate::event::PartitionKey;

/// A request, or a part of one, that was read and waits to become durable.
pub struct NewRecord {
    /// The lines as they were sent: what the log keeps.
    pub body: Bytes,
    /// How they were read: what [`RecordReader`] needs to read them again. A few hundred bytes.
    pub options: Bytes,
    /// The partitions that lines go to; at most [`super::RECORD_PARTITIONS_MAX`].
    pub partitions: Vec<PartitionKey>,
    /// Where each line goes, in order.
    pub verdicts: Vec<VerdictRun>,
    /// The events of each partition, in the order of `partitions`; `sequences` hold the number of the
    /// line in this record, from 0, and `origins` nothing yet.
    pub groups: Vec<NewGroup>,
}

impl NewRecord {
    /// The partitions that got lines, each with the place of its last one among all lines, from 0.
    pub fn last_lines(&self) -> Vec<(PartitionKey, u64)> {
        let mut last = vec![None; self.partitions.len()];
        let mut line = 0;
        for run in &self.verdicts {
            line += u64::from(run.count);
            if let Some(partition) = run.partition.filter(|_| run.count > 0) {
                last[usize::from(partition)] = Some(line - 1);
            }
        }
        self.partitions.iter().zip(last).filter_map(|(key, last)| Some((key.clone(), last?))).collect()
    }
}

/// Events of one partition.
pub struct NewGroup {
    /// The events.
    pub rows: RowGroup,
    /// Bytes that they were sent as.
    pub raw_bytes: u64,
}

/// What an acknowledged append promises.
#[derive(Clone, Copy, Debug)]
pub struct Receipt {
    /// Number of the record's first line.
    pub first_sequence: u64,
}

/// Why an append was not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Queue or heads are full. Nothing was kept; send the same again after the delay.
    #[error("the server is busy; send the same again in {retry_after_s} s")]
    Busy {
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// The disk is full. Nothing was kept; it heals when there is room again.
    #[error("the disk is full: {0}; nothing of this was kept, send it again when there is room")]
    Full(String),
    /// The log could not be written, but for another reason. Nothing was kept.
    #[error("the log could not be written: {0}; nothing of this was kept, send it again")]
    Failed(String),
    /// The node is going down. Nothing was kept.
    #[error("the server is stopping; send the same again when it is back")]
    Stopping,
    /// Writing has stopped until a restart. Nothing was kept.
    #[error("the server cannot write until it is restarted: {0}")]
    Stopped(String),
    /// A sync failed and could not be settled: the events may turn up after a restart, or not.
    #[error("it is unknown whether this was kept: {0}")]
    Unknown(String),
}

/// Reads a record of the log again when the server starts.
pub trait RecordReader: Send + Sync {
    /// The events of each of the record's partitions, in their order, `sequences` counting lines from
    /// 0 as in [`NewRecord`]. It may read fields better than an earlier version did, but a line goes
    /// where its verdict says, and a refused one stays refused.
    fn read(&self, record: &LogRecord) -> Vec<NewGroup>;
}
