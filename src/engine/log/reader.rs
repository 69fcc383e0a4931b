//! Reading a segment back: what was durable, what a crash tore off, what has rotted.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::format::{FRAME_ALIGN_BYTES, Frame, HEADER_BYTES, Header, HeaderRead, LogRecord, SegmentId, decode_frame};

/// What a segment holds.
#[derive(Debug)]
pub(crate) struct SegmentScan {
    /// The records, in order.
    pub(crate) records: Vec<LogRecord>,
    /// Bytes that were durable once and cannot be read now.
    pub(crate) damage: Vec<Damage>,
}

/// A stretch of a segment that was durable once and cannot be read now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Damage {
    /// Where the bad bytes begin.
    pub(crate) from_offset: u64,
    /// Where the next sound record begins, or the stated end.
    pub(crate) to_offset: u64,
    /// The first sequence that may be lost; 0 if no record stands before.
    pub(crate) from_sequence: u64,
    /// The last sequence that may be lost; `u64::MAX` if no record stands behind.
    pub(crate) to_sequence: u64,
}

/// Where each segment of one life ends, as its successor's header states it. A segment that its life
/// gave up before any record was answered ends at its header. Absent: the last one, whose end is where
/// its sound records stop.
///
/// # Errors
/// The format number of a header that a later version wrote.
pub(crate) fn ends_of(segments: &[(SegmentId, Bytes)]) -> Result<BTreeMap<SegmentId, u64>, u32> {
    let mut ends = BTreeMap::new();
    for (id, bytes) in segments {
        let header = match Header::decode(bytes, *id) {
            HeaderRead::Sound(header) => header,
            HeaderRead::Broken => continue,
            HeaderRead::Newer(format) => return Err(format),
        };
        let (prior, end) = header.prior;
        for (other, _) in segments.iter().filter(|(other, _)| other.origin == id.origin && other.number < id.number) {
            if other.number == prior {
                ends.insert(*other, end);
            } else if other.number > prior {
                ends.insert(*other, HEADER_BYTES);
            }
        }
    }
    Ok(ends)
}

/// Reads the records of a segment. `end` is where its successor states that it ends.
///
/// A bad record before `end`, or before a point that a later sound record states as durable, is
/// damage. Any other is what a crash tore: it was never answered. Sound records behind it were not
/// answered either, or the torn one would have been durable; they are kept, because if the bytes did
/// rot they are all that is left, and else they are requests whose outcome nobody was told.
pub(crate) fn scan(segment: &Bytes, id: SegmentId, end: Option<u64>) -> SegmentScan {
    let mut scan = SegmentScan { records: Vec::new(), damage: Vec::new() };
    let limit = end.map_or(segment.len() as u64, |end| end.min(segment.len() as u64));
    let mut offset = HEADER_BYTES;
    let mut bad: Vec<(u64, u64, u64, u64)> = Vec::new();
    let mut durable = end.unwrap_or(0);
    let mut last_sequence = 0;
    while offset < limit {
        let from = offset;
        let Some((at, frame)) = next_frame(segment, id, offset, limit) else {
            bad.push((from, limit, last_sequence + 1, u64::MAX));
            break;
        };
        if at > from {
            bad.push((from, at, last_sequence + 1, frame.record.first.saturating_sub(1)));
        }
        durable = durable.max(frame.durable);
        last_sequence = frame.record.first.saturating_add(frame.record.candidates()).saturating_sub(1);
        offset = frame.next;
        scan.records.push(frame.record);
    }
    if let Some(end) = end.filter(|end| *end > segment.len() as u64) {
        // The file is shorter than what was durable of it.
        bad.push((offset.min(segment.len() as u64), end, last_sequence + 1, u64::MAX));
    }
    let damaged = bad.into_iter().filter(|(from, ..)| *from < durable);
    scan.damage.extend(damaged.map(|(from_offset, to_offset, from_sequence, to_sequence)| Damage {
        from_offset,
        to_offset,
        from_sequence,
        to_sequence,
    }));
    scan
}

/// The first sound frame at or after `offset` that ends within `limit`.
fn next_frame(segment: &Bytes, id: SegmentId, offset: u64, limit: u64) -> Option<(u64, Frame)> {
    let mut at = offset;
    while at < limit {
        if let Some(frame) = decode_frame(segment, id, at) {
            if frame.next <= limit.next_multiple_of(FRAME_ALIGN_BYTES) {
                return Some((at, frame));
            }
        }
        at += FRAME_ALIGN_BYTES;
    }
    None
}

/// Reads hostile bytes as a segment: must neither panic nor take memory beyond their length.
#[doc(hidden)]
pub fn fuzz_log(bytes: &[u8]) {
    let id = SegmentId { origin: crate::event::Origin(7), number: 1 };
    let segment = Bytes::copy_from_slice(bytes);
    let ends = ends_of(&[(id, segment.clone())]).unwrap_or_default();
    let found = scan(&segment, id, ends.get(&id).copied());
    let kept: usize = found.records.iter().map(|record| record.body.len()).sum();
    assert!(kept <= bytes.len(), "records lie in the segment and do not overlap");
}
