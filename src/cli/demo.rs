//! `helios demo`: made-up but lifelike events of a small shop, with a story in them to be found.
//!
//! Without a file the last six hours of the shop go to a running server. With `--out` and `--expect` a set of
//! any size is written, together with the exact answers to the queries that `bench/ask.py` asks.

mod calendar;
mod dice;
mod set;
mod shop;
mod story;
mod tally;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, Write};

pub(crate) use set::Set;

/// Writes a whole set to `out` and its answers, as JSON, to `expect`. Holds one batch in memory.
///
/// # Errors
/// What the two writers say.
pub(crate) fn write_set(mut set: Set, out: &mut dyn Write, expect: &mut dyn Write) -> io::Result<u64> {
    let mut batch = Vec::with_capacity(WRITE_BYTES + LINE_BYTES_ROOM);
    while set.next_batch(&mut batch, WRITE_BYTES) {
        out.write_all(&batch)?;
        batch.clear();
    }
    out.flush()?;
    serde_json::to_writer_pretty(&mut *expect, &set.answers())?;
    expect.write_all(b"\n")?;
    expect.flush()?;
    Ok(set.lines())
}

/// The day since 1970 that a text like `2026-01-31` names.
pub(crate) fn parse_day(text: &str) -> Option<i64> {
    calendar::parse_day(text)
}

/// Bytes handed to the file at a time.
const WRITE_BYTES: usize = 1 << 20;
/// A batch ends with a whole request, so it is longer than asked for by less than this.
const LINE_BYTES_ROOM: usize = 4 << 10;
