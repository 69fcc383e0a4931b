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
    // A segment that was given up may be shorter than its header: no record was ever answered from it.
    if let Some(end) = end.filter(|end| *end > HEADER_BYTES && *end > segment.len() as u64) {
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
        if let Some(frame) = decode_frame(segment, id, at)
            && frame.next <= limit.next_multiple_of(FRAME_ALIGN_BYTES)
        {
            return Some((at, frame));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::format::Frames;
    use super::*;
    use crate::engine::log::VerdictRun;
    use crate::event::{Origin, PartitionKey};

    const ID: SegmentId = SegmentId { origin: Origin(7), number: 3 };

    fn record(first: u64, lines: u32) -> LogRecord {
        let key = PartitionKey { env: Arc::from("default"), index: Arc::from("app"), day: 20_000 };
        LogRecord {
            first,
            partitions: vec![key],
            verdicts: vec![VerdictRun { partition: Some(0), count: lines }, VerdictRun { partition: None, count: 1 }],
            options: Bytes::from_static(b"{}"),
            body: Bytes::from(format!("line {first}\n").repeat(lines as usize)),
        }
    }

    /// A segment with these records, each durable before the next was written; and where each begins.
    fn segment(records: &[LogRecord], synced: bool) -> (Vec<u8>, Vec<u64>) {
        let mut bytes = Header { id: ID, prior: (2, 640) }.encode();
        let mut starts = Vec::new();
        for record in records {
            let offset = bytes.len() as u64;
            starts.push(offset);
            let mut frames = Frames::default();
            record.encode(ID, offset, if synced { offset } else { HEADER_BYTES }, &mut frames);
            let len = frames.len();
            bytes.extend(frames.into_pieces().concat());
            assert_eq!(bytes.len() as u64, offset + len);
        }
        (bytes, starts)
    }

    #[test]
    fn a_body_too_long_to_be_copied_reads_back() {
        let records = [record(1, 3), record(4, 10_000), record(10_004, 1)];
        let (bytes, starts) = segment(&records, true);
        let mut frames = Frames::default();
        records[1].encode(ID, starts[1], starts[1], &mut frames);
        assert!(frames.into_pieces().contains(&records[1].body));
        let bytes = Bytes::from(bytes);
        let read: Vec<_> = starts.iter().map(|&start| decode_frame(&bytes, ID, start).unwrap().record).collect();
        assert_eq!(read, records);
    }

    fn three() -> Vec<LogRecord> {
        vec![record(1, 3), record(5, 2), record(8, 4)]
    }

    fn scan_bytes(bytes: Vec<u8>, end: Option<u64>) -> SegmentScan {
        scan(&Bytes::from(bytes), ID, end)
    }

    #[test]
    fn records_read_back_as_they_were_written() {
        let (bytes, _) = segment(&three(), true);
        let found = scan_bytes(bytes, None);
        assert_eq!(found.records, three());
        assert_eq!(found.damage, []);
        assert_eq!(found.records[1].candidates(), 3);
    }

    #[test]
    fn a_record_torn_at_any_byte_of_the_end_is_no_damage() {
        let (bytes, starts) = segment(&three(), true);
        for cut in starts[2] as usize..bytes.len() - 8 {
            let found = scan_bytes(bytes[..cut].to_vec(), None);
            assert_eq!(found.records, three()[..2], "cut at {cut}");
            assert_eq!(found.damage, [], "cut at {cut}");
        }
    }

    #[test]
    fn a_bad_record_before_one_that_states_it_durable_is_damage_and_the_rest_is_kept() {
        let (mut bytes, starts) = segment(&three(), true);
        bytes[starts[1] as usize + 40] ^= 1;
        let found = scan_bytes(bytes, None);
        assert_eq!(found.records, [record(1, 3), record(8, 4)]);
        let expected = Damage { from_offset: starts[1], to_offset: starts[2], from_sequence: 5, to_sequence: 7 };
        assert_eq!(found.damage, [expected]);
    }

    #[test]
    fn a_torn_record_before_one_that_was_not_synced_either_is_no_damage() {
        let (mut bytes, starts) = segment(&three(), false);
        bytes[starts[1] as usize + 40] ^= 1;
        assert_eq!(scan_bytes(bytes, None).damage, []);
    }

    #[test]
    fn nothing_beyond_the_end_that_the_successor_states_is_read() {
        let (bytes, starts) = segment(&three(), true);
        let found = scan_bytes(bytes, Some(starts[2]));
        assert_eq!(found.records, three()[..2]);
        assert_eq!(found.damage, []);
    }

    #[test]
    fn a_segment_shorter_than_its_stated_end_is_damage() {
        let (bytes, starts) = segment(&three(), true);
        let found = scan_bytes(bytes[..starts[2] as usize].to_vec(), Some(bytes.len() as u64));
        assert_eq!(found.records, three()[..2]);
        assert_eq!(found.damage.len(), 1);
        assert_eq!(found.damage[0].from_sequence, 8);
    }

    #[test]
    fn bytes_of_another_segment_or_another_place_never_pass() {
        let (bytes, starts) = segment(&three(), true);
        let other = SegmentId { number: 4, ..ID };
        assert_eq!(scan(&Bytes::from(bytes.clone()), other, None).records, []);
        let mut moved = bytes[..HEADER_BYTES as usize].to_vec();
        moved.extend_from_slice(&bytes[starts[1] as usize..]);
        assert_eq!(scan_bytes(moved, None).records, []);
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let (bytes, _) = segment(&three(), true);
        for at in HEADER_BYTES as usize..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x10;
            let found = scan_bytes(bad, None);
            let padding = found.records == three();
            assert!(padding || found.records.len() == 2, "byte {at}");
            assert!(found.records.iter().all(|record| three().contains(record)), "byte {at}");
        }
    }

    #[test]
    fn a_segment_ends_where_the_next_header_says_and_one_given_up_in_between_is_empty() {
        let number = |number| SegmentId { number, ..ID };
        let with = |id, prior| (id, Bytes::from(Header { id, prior }.encode()));
        let segments = [with(number(1), (0, 0)), with(number(2), (1, 100)), with(number(4), (2, 640))];
        let mut given_up = segments.to_vec();
        given_up.insert(2, (number(3), Bytes::from_static(b"torn header")));
        let ends = ends_of(&given_up).unwrap();
        assert_eq!(ends.get(&number(1)), Some(&100));
        assert_eq!(ends.get(&number(2)), Some(&640));
        assert_eq!(ends.get(&number(3)), Some(&HEADER_BYTES));
        assert_eq!(ends.get(&number(4)), None);
    }

    #[test]
    fn a_segment_of_a_later_format_is_refused() {
        let mut header = Header { id: ID, prior: (0, 0) }.encode();
        header[8] = 9;
        let crc = crc32c::crc32c(&header[..60]);
        header[60..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(ends_of(&[(ID, Bytes::from(header))]), Err(9));
    }

    #[test]
    fn hostile_bytes_neither_panic_nor_invent_records() {
        let (bytes, _) = segment(&three(), true);
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..5_000 {
            let mut bad = bytes.clone();
            for _ in 0..=next() % 8 {
                let at = (next() % bad.len() as u64) as usize;
                match next() % 3 {
                    0 => bad[at] = next() as u8,
                    1 => bad.truncate(at.max(1)),
                    _ => bad.insert(at, next() as u8),
                }
            }
            fuzz_log(&bad);
            let found = scan(&Bytes::from(bad), ID, None);
            assert!(found.records.iter().all(|record| three().contains(record)));
        }
    }
}
