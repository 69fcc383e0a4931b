//! The write-ahead log: the only thing that is ever appended to, and what makes an answer durable.
//!
//! **Promise.** A record whose append was answered is read back by every later life, unless the bytes
//! rot; then the reader says so instead of stopping quietly. A record whose append was refused is
//! never read back. Only where the answer was "unknown" may either happen.
//!
//! **Rules.** L1 a segment belongs to one life and is never recycled nor appended to by another. L2 its
//! header is durable, and its name too, before any record in it is answered. L3 a sync that failed
//! ends the segment: what was not durable is written again to a new one, whose header states where
//! the old one ends. L4 each record states how far its segment was durable when it was written.
//! L5 checksums are salted with origin, segment and offset, so that bytes of another place never pass.

mod format;
mod reader;
mod writer;

pub(crate) use format::HEADER_BYTES;
pub use format::{LogRecord, RECORD_PARTITIONS_MAX, SegmentId, VerdictRun};
pub(crate) use reader::{Damage, ends_of, scan};
pub(crate) use writer::{LiveSegment, LogFailure, LogWriter, Segments};

#[doc(hidden)]
pub use reader::fuzz_log;
