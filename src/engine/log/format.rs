//! The bytes of a segment: a header, then frames that hold one record each. Little-endian throughout.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::event::{Origin, PartitionKey};

/// Bytes of a segment's header; the first frame follows.
pub(crate) const HEADER_BYTES: u64 = 64;
/// Bytes of a frame before its payload.
pub(crate) const FRAME_BYTES: u64 = 32;
/// Frames begin at multiples of this, so that a reader finds the next one after damage.
pub(crate) const FRAME_ALIGN_BYTES: u64 = 8;
/// No payload is larger: a record holds at most 8 MiB of lines, and what is kept of each.
pub(crate) const PAYLOAD_BYTES_MAX: u64 = 64 << 20;
/// No record touches more partitions.
pub const RECORD_PARTITIONS_MAX: usize = 1_000;

const HEADER_MAGIC: &[u8; 8] = b"HELIOLOG";
const FRAME_MAGIC: u32 = 0x4743_4552;
const FORMAT: u32 = 1;
/// The code of a refused line in a verdict run.
const REFUSED: u16 = u16::MAX;
/// Shorter bodies are copied, so that a group of many small records is written at once.
const COPIED_BODY_BYTES_MAX: usize = 64 << 10;
const _: () = assert!(RECORD_PARTITIONS_MAX < REFUSED as usize);

/// Names a segment: whose it is, and its number within that life, from 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SegmentId {
    /// The life that wrote it.
    pub origin: Origin,
    /// Its number.
    pub number: u64,
}

/// What a segment says of itself and of the one before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) id: SegmentId,
    /// The segment that this one goes on from and where that one ends; number 0 if this is the first.
    pub(crate) prior: (u64, u64),
}

/// Neighbouring lines of a request that went the same way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerdictRun {
    /// Index into the record's partitions; `None`: refused, which burns a number each.
    pub partition: Option<u16>,
    /// How many lines.
    pub count: u32,
}

/// A request, or a part of one, as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// The sequence of its first line; line `n`, from 0, has this plus `n`.
    pub first: u64,
    /// The partitions that its lines went to.
    pub partitions: Vec<PartitionKey>,
    /// Where each line went, in order.
    pub verdicts: Vec<VerdictRun>,
    /// How the lines are read; opaque here.
    pub options: Bytes,
    /// The lines as they were sent.
    pub body: Bytes,
}

impl LogRecord {
    /// How many numbers the record takes.
    pub fn candidates(&self) -> u64 {
        self.verdicts.iter().map(|run| u64::from(run.count)).sum()
    }

    /// Adds the record's frame, which begins at `offset` of segment `id`, to `out`.
    ///
    /// # Panics
    /// If the record breaks a bound that its maker should have held.
    pub(crate) fn encode(&self, id: SegmentId, offset: u64, durable: u64, out: &mut Frames) {
        let mut head = Vec::new();
        self.encode_head(&mut head);
        let payload_len = (head.len() + self.body.len()) as u64;
        assert!(payload_len <= PAYLOAD_BYTES_MAX, "a record's payload is bounded by its maker");
        let crc = frame_crc(id, offset, durable, [&head, &self.body]);
        out.open.put_u32_le(FRAME_MAGIC);
        out.open.put_u32_le(crc);
        out.open.put_u64_le(payload_len);
        out.open.put_u64_le(durable);
        out.open.put_u64_le(0);
        out.open.put_slice(&head);
        out.body(&self.body);
        let padding = payload_len.next_multiple_of(FRAME_ALIGN_BYTES) - payload_len;
        out.open.put_bytes(0, padding as usize);
        out.len += FRAME_BYTES + payload_len + padding;
    }

    /// The payload but for the body at its end.
    fn encode_head(&self, out: &mut Vec<u8>) {
        assert!(self.partitions.len() <= RECORD_PARTITIONS_MAX, "a record's partitions are bounded by its maker");
        out.put_u64_le(self.first);
        out.put_u32_le(self.partitions.len() as u32);
        for key in &self.partitions {
            for name in [&key.env, &key.index] {
                out.put_u16_le(u16::try_from(name.len()).expect("names are at most 128 bytes"));
                out.extend_from_slice(name.as_bytes());
            }
            out.put_i32_le(key.day);
        }
        out.put_u32_le(u32::try_from(self.verdicts.len()).expect("a record has at most 8 Mi lines"));
        for run in &self.verdicts {
            out.put_u16_le(run.partition.unwrap_or(REFUSED));
            out.put_u32_le(run.count);
        }
        out.put_u32_le(u32::try_from(self.options.len()).expect("options are a few hundred bytes"));
        out.extend_from_slice(&self.options);
    }

    fn decode_payload(mut payload: Bytes) -> Option<Self> {
        let first = payload.try_get_u64_le().ok()?;
        let count = payload.try_get_u32_le().ok()? as usize;
        if count > RECORD_PARTITIONS_MAX {
            return None;
        }
        let mut partitions = Vec::with_capacity(count);
        for _ in 0..count {
            let env = take_name(&mut payload)?;
            let index = take_name(&mut payload)?;
            partitions.push(PartitionKey { env, index, day: payload.try_get_i32_le().ok()? });
        }
        let runs = payload.try_get_u32_le().ok()? as usize;
        if runs > payload.len() / 6 {
            return None;
        }
        let mut verdicts = Vec::with_capacity(runs);
        for _ in 0..runs {
            let code = payload.try_get_u16_le().ok()?;
            let count = payload.try_get_u32_le().ok()?;
            let partition = (code != REFUSED).then_some(code);
            if partition.is_some_and(|partition| usize::from(partition) >= partitions.len()) {
                return None;
            }
            verdicts.push(VerdictRun { partition, count });
        }
        let options_len = payload.try_get_u32_le().ok()? as usize;
        if options_len > payload.len() {
            return None;
        }
        let options = payload.split_to(options_len);
        Some(Self { first, partitions, verdicts, options, body: payload })
    }
}

fn take_name(payload: &mut Bytes) -> Option<Arc<str>> {
    let len = usize::from(payload.try_get_u16_le().ok()?);
    if len > payload.len() {
        return None;
    }
    let bytes = payload.split_to(len);
    std::str::from_utf8(&bytes).ok().map(Arc::from)
}

/// Frames on their way to a segment. Long bodies are not copied.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pieces: Vec<Bytes>,
    /// What goes behind the pieces.
    open: BytesMut,
    len: u64,
}

impl Frames {
    /// Bytes of all frames.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// All bytes, in order.
    pub(crate) fn into_pieces(mut self) -> Vec<Bytes> {
        self.pieces.push(self.open.freeze());
        self.pieces
    }

    fn body(&mut self, body: &Bytes) {
        if body.len() < COPIED_BODY_BYTES_MAX {
            self.open.put_slice(body);
        } else {
            self.pieces.extend([self.open.split().freeze(), body.clone()]);
        }
    }
}

/// A frame as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) record: LogRecord,
    /// How far the segment was durable when the record was written.
    pub(crate) durable: u64,
    /// Where the next frame begins.
    pub(crate) next: u64,
}

/// Reads the frame at `offset`; `None` if there is no whole and sound one.
pub(crate) fn decode_frame(segment: &Bytes, id: SegmentId, offset: u64) -> Option<Frame> {
    let start = usize::try_from(offset).ok()?;
    let mut header = segment.get(start..start.checked_add(FRAME_BYTES as usize)?)?;
    if header.get_u32_le() != FRAME_MAGIC {
        return None;
    }
    let crc = header.get_u32_le();
    let payload_len = header.get_u64_le();
    let durable = header.get_u64_le();
    let reserved = header.get_u64_le();
    if payload_len > PAYLOAD_BYTES_MAX || reserved != 0 {
        return None;
    }
    let payload_start = start + FRAME_BYTES as usize;
    let payload_end = payload_start.checked_add(usize::try_from(payload_len).ok()?)?;
    if payload_end > segment.len() {
        return None;
    }
    let payload = segment.slice(payload_start..payload_end);
    if frame_crc(id, offset, durable, [&payload, &[]]) != crc {
        return None;
    }
    let record = LogRecord::decode_payload(payload)?;
    Some(Frame { record, durable, next: (payload_end as u64).next_multiple_of(FRAME_ALIGN_BYTES) })
}

/// The checksum of a frame whose payload is these two parts.
fn frame_crc(id: SegmentId, offset: u64, durable: u64, payload: [&[u8]; 2]) -> u32 {
    let mut salt = [0u8; 40];
    let mut buffer = &mut salt[..];
    let [head, body] = payload;
    for part in [id.origin.0, id.number, offset, durable, (head.len() + body.len()) as u64] {
        buffer.put_u64_le(part);
    }
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&salt), head), body)
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES as usize);
        out.extend_from_slice(HEADER_MAGIC);
        out.put_u32_le(FORMAT);
        out.put_u32_le(0);
        for part in [self.id.origin.0, self.id.number, self.prior.0, self.prior.1] {
            out.put_u64_le(part);
        }
        out.resize(HEADER_BYTES as usize - 4, 0);
        let crc = crc32c::crc32c(&out);
        out.put_u32_le(crc);
        out
    }

    /// Reads the header of the segment that its name says is `id`.
    pub(crate) fn decode(segment: &[u8], id: SegmentId) -> HeaderRead {
        let Some(bytes) = segment.get(..HEADER_BYTES as usize) else { return HeaderRead::Broken };
        let (body, crc) = bytes.split_at(HEADER_BYTES as usize - 4);
        if !body.starts_with(HEADER_MAGIC) || crc32c::crc32c(body).to_le_bytes() != crc {
            return HeaderRead::Broken;
        }
        let mut rest = &body[HEADER_MAGIC.len()..];
        let format = rest.get_u32_le();
        if format > FORMAT {
            return HeaderRead::Newer(format);
        }
        rest.advance(4);
        let origin = Origin(rest.get_u64_le());
        let number = rest.get_u64_le();
        let prior = (rest.get_u64_le(), rest.get_u64_le());
        if (SegmentId { origin, number }) != id {
            return HeaderRead::Broken;
        }
        HeaderRead::Sound(Self { id, prior })
    }
}

/// What became of reading a header.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum HeaderRead {
    Sound(Header),
    /// Never became durable, or rotted since.
    Broken,
    /// Written by a later version of this format number.
    Newer(u32),
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:010}.log", self.origin, self.number)
    }
}

impl FromStr for SegmentId {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let (origin, number) = name.strip_suffix(".log").and_then(|stem| stem.split_once('-')).ok_or(())?;
        let id = Self { origin: origin.parse()?, number: number.parse().map_err(|_| ())? };
        if id.to_string() == name { Ok(id) } else { Err(()) }
    }
}
