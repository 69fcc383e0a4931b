//! Texts in frames of about a mebibyte, so that a few of them can be read without the rest.

use super::{ChunkIn, ChunkOut, Pack, Wanted, clusters, ints};
use crate::block::error::damaged;
use crate::block::wire::put_varint;
use crate::block::{BlockError, Texts};

/// Adds texts. Their count is known to the reader from elsewhere. Many texts are put next to those
/// that begin like them.
pub(in crate::block) fn put(out: &mut ChunkOut<'_>, texts: &Texts) {
    let Some(clusters) = clusters::clusters_of(texts) else {
        let order: Vec<u32> = (0..texts.len() as u32).collect();
        return put_in_order(out, texts, &order);
    };
    out.head.push(CLUSTERED);
    ints::put_codes(out, &clusters);
    put_in_order(out, texts, &clusters::order_of(&clusters));
}

/// Reads `count` texts; with `utf8`, all of them must be.
pub(in crate::block) fn get(chunk: &mut ChunkIn<'_>, count: usize, utf8: bool) -> Result<Texts, BlockError> {
    if chunk.head.0.first() != Some(&CLUSTERED) {
        return get_in_order(chunk, count, utf8);
    }
    chunk.head.byte()?;
    let clusters = ints::get_codes(chunk, count, clusters::CLUSTERS_MAX as u64 + 1)?;
    let texts = get_in_order(chunk, count, utf8)?;
    Ok(clusters::permuted(&texts, &clusters::inverse(&clusters::order_of(&clusters))))
}

/// As [`get`], some of `count` texts.
pub(in crate::block) fn get_of(chunk: &mut ChunkIn<'_>, count: usize, wanted: Wanted<'_>) -> Result<Texts, BlockError> {
    if wanted.is_none() {
        return skip(chunk, count).map(|()| Texts::default());
    }
    let all = get(chunk, count, true)?;
    Ok(match wanted.items() {
        None => all,
        Some(items) => clusters::permuted(&all, items),
    })
}

fn skip(chunk: &mut ChunkIn<'_>, count: usize) -> Result<(), BlockError> {
    let mut method = chunk.head.byte()?;
    if method == CLUSTERED {
        ints::get_of(chunk, count, Wanted::NONE)?;
        method = chunk.head.byte()?;
    }
    match method {
        ENDED => drop(chunk.head.byte()?),
        MEASURED => drop(ints::get_of(chunk, count, Wanted::NONE)?),
        _ => return damaged("texts have an unknown encoding"),
    }
    for _ in 0..chunk.head.count()? {
        chunk.head.at_most(count as u64)?;
        chunk.stream_if(false)?;
    }
    Ok(())
}

/// Where one byte occurs in no text, it ends each of them: zstd then finds text and end together,
/// which takes less than lengths of their own.
fn put_in_order(out: &mut ChunkOut<'_>, texts: &Texts, order: &[u32]) {
    let end = END_BYTES.into_iter().find(|&byte| memchr::memchr(byte, &texts.bytes).is_none());
    match end {
        Some(end) => out.head.extend([ENDED, end]),
        None => {
            out.head.push(MEASURED);
            let lengths: Vec<u64> = order.iter().map(|&i| texts.range(i as usize).len() as u64).collect();
            ints::put(out, &lengths);
        }
    }
    let mut frames = Vec::new();
    let (mut start, mut len) = (0, 0);
    for (at, &i) in order.iter().enumerate() {
        len += texts.range(i as usize).len();
        if len >= FRAME_BYTES || at + 1 == order.len() {
            frames.push(&order[start..=at]);
            (start, len) = (at + 1, 0);
        }
    }
    put_varint(&mut out.head, frames.len() as u64);
    let mut frame = Vec::with_capacity(texts.bytes.len().min(2 * FRAME_BYTES));
    for order in frames {
        frame.clear();
        for &i in order {
            frame.extend_from_slice(texts.get(i as usize));
            frame.extend(end);
        }
        put_varint(&mut out.head, order.len() as u64);
        out.stream(&frame, Pack::Text);
    }
}

fn get_in_order(chunk: &mut ChunkIn<'_>, count: usize, utf8: bool) -> Result<Texts, BlockError> {
    let method = chunk.head.byte()?;
    let mut texts = Texts::default();
    let end = match method {
        ENDED => Some(chunk.head.byte()?),
        MEASURED => {
            let lengths = ints::get(chunk, count)?;
            texts.ends = ends_of(&lengths)?;
            None
        }
        _ => return damaged("texts have an unknown encoding"),
    };
    let frames = chunk.head.count()?;
    let mut seen = 0;
    for _ in 0..frames {
        let own = chunk.head.at_most((count - seen) as u64)? as usize;
        let frame = chunk.stream()?;
        match end {
            Some(end) => add_ended(&mut texts, &frame, end, own)?,
            None => add_measured(&mut texts, &frame, seen + own)?,
        }
        seen += own;
    }
    if seen != count || texts.ends.last().map_or(0, |&end| end as usize) != texts.bytes.len() {
        return damaged("texts are missing or left over");
    }
    if utf8 && !is_utf8(&texts) {
        return damaged("a text is not UTF-8");
    }
    Ok(texts)
}

fn add_ended(texts: &mut Texts, frame: &[u8], end: u8, count: usize) -> Result<(), BlockError> {
    check_room(texts, frame.len())?;
    let ends = memchr::memchr_iter(end, frame);
    let before = texts.ends.len();
    // Each end byte that is left out moves all that follow by one.
    let base = texts.bytes.len();
    texts.ends.extend(ends.clone().enumerate().map(|(i, at)| (base + at - i) as u32));
    if texts.ends.len() - before != count || frame.last().is_some_and(|&last| last != end) {
        return damaged("texts are missing or left over");
    }
    texts.bytes.reserve(frame.len() - count);
    let mut start = 0;
    for at in ends {
        texts.bytes.extend_from_slice(&frame[start..at]);
        start = at + 1;
    }
    Ok(())
}

fn add_measured(texts: &mut Texts, frame: &[u8], seen: usize) -> Result<(), BlockError> {
    check_room(texts, frame.len())?;
    texts.bytes.extend_from_slice(frame);
    let expected = if seen == 0 { 0 } else { texts.ends[seen - 1] as usize };
    if texts.bytes.len() == expected { Ok(()) } else { damaged("a frame of texts has a wrong length") }
}

fn check_room(texts: &Texts, more: usize) -> Result<(), BlockError> {
    if texts.bytes.len() + more > TEXT_BYTES_MAX { damaged("texts are too long") } else { Ok(()) }
}

fn ends_of(lengths: &[u64]) -> Result<Vec<u32>, BlockError> {
    let mut end = 0u64;
    let mut ends = Vec::with_capacity(lengths.len());
    for &length in lengths {
        end = end.saturating_add(length);
        if end > TEXT_BYTES_MAX as u64 {
            return damaged("texts are too long");
        }
        ends.push(end as u32);
    }
    Ok(ends)
}

/// Whether each text is UTF-8: the whole is, and no text ends inside a character.
fn is_utf8(texts: &Texts) -> bool {
    let Ok(all) = simdutf8::basic::from_utf8(&texts.bytes) else { return false };
    all.is_ascii() || texts.ends.iter().all(|&end| all.is_char_boundary(end as usize))
}

const ENDED: u8 = 0;
const MEASURED: u8 = 1;
const CLUSTERED: u8 = 2;
/// Candidates for the byte that ends each text, most usual first.
const END_BYTES: [u8; 3] = [b'\n', 0, 0xff];
/// Length of a frame before compression, reached with its last text.
const FRAME_BYTES: usize = 1 << 20;
/// Texts of one column in all: an end must fit into 32 bits.
const TEXT_BYTES_MAX: usize = u32::MAX as usize;
