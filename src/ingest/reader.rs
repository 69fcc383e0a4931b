//! A body of any length becomes pieces of whole lines, small enough for one record of the log.
//!
//! Memory is bounded by two pieces whatever comes: a line longer than allowed is passed over as it
//! arrives, and its neighbours are kept.

use bytes::{Bytes, BytesMut};

/// Most bytes of lines in one record of the log.
pub const RECORD_BYTES_MAX: usize = 8 << 20;
/// Longest line, where no setting says otherwise.
pub const LINE_BYTES_MAX_DEFAULT: usize = 1 << 20;

/// What the reader makes of a body, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Whole lines.
    Lines(Lines),
    /// A line that was longer than allowed and is not kept.
    TooLong {
        /// Its number in the body, from 1.
        line: u64,
    },
}

/// Some whole lines of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// The lines, each with its `\n`; the last line of the body may have none.
    pub body: Bytes,
    /// Number of the first in the whole body, from 1.
    pub first_line: u64,
}

/// Cuts a body into pieces.
///
/// **Invariants.** B1 `whole <= body.len() <= RECORD_BYTES_MAX`. B2 what lies behind `whole` is the
/// beginning of one line and no longer than a line may be.
pub struct LineReader {
    line_bytes_max: usize,
    body: BytesMut,
    /// End of the whole lines in `body`.
    whole: usize,
    /// Number of the first line in `body`.
    first_line: u64,
    /// The line being passed over.
    skipping: bool,
    /// How many bytes are likely to come.
    expected_bytes: u64,
}

impl LineReader {
    /// A reader at the beginning of a body. Lines may have up to `line_bytes_max` bytes without their
    /// `\n`, and never more than a record less one.
    pub fn new(line_bytes_max: usize) -> Self {
        let line_bytes_max = line_bytes_max.min(RECORD_BYTES_MAX - 1);
        Self { line_bytes_max, body: BytesMut::new(), whole: 0, first_line: 1, skipping: false, expected_bytes: 0 }
    }

    /// Says how many bytes are likely to come. What comes beyond costs copies, what does not come nothing
    /// but address space.
    pub fn expect(&mut self, bytes: u64) {
        self.expected_bytes = bytes;
    }

    /// Number of the first line that was not given out, from 1.
    pub fn first_unread_line(&self) -> u64 {
        self.first_line
    }

    /// Takes bytes from the front of `chunk`, until a piece is there or all are taken.
    pub fn take(&mut self, chunk: &mut &[u8]) -> Option<Piece> {
        while !chunk.is_empty() {
            if self.skipping {
                let end = memchr::memchr(b'\n', chunk);
                *chunk = &chunk[end.map_or(chunk.len(), |end| end + 1)..];
                if end.is_some() {
                    return Some(self.too_long());
                }
                continue;
            }
            if let Some(piece) = self.take_some(chunk) {
                return Some(piece);
            }
        }
        None
    }

    /// The piece that is left at the end of the body. To be called until it gives none.
    pub fn end(&mut self) -> Option<Piece> {
        if self.skipping {
            return Some(self.too_long());
        }
        self.whole = self.body.len();
        self.cut()
    }

    fn take_some(&mut self, chunk: &mut &[u8]) -> Option<Piece> {
        let room = RECORD_BYTES_MAX - self.body.len();
        let (taken, rest) = chunk.split_at(room.min(chunk.len()));
        *chunk = rest;
        if let Some(last) = memchr::memrchr(b'\n', taken) {
            self.whole = self.body.len() + last + 1;
        }
        if self.body.is_empty() {
            let expected = usize::try_from(self.expected_bytes).unwrap_or(RECORD_BYTES_MAX);
            self.body.reserve(expected.clamp(taken.len(), RECORD_BYTES_MAX));
        }
        self.body.extend_from_slice(taken);
        self.expected_bytes = self.expected_bytes.saturating_sub(taken.len() as u64);
        if self.body.len() - self.whole > self.line_bytes_max {
            self.body.truncate(self.whole);
            self.skipping = true;
            return self.cut();
        }
        if self.body.len() == RECORD_BYTES_MAX { self.cut() } else { None }
    }

    /// Gives the whole lines out.
    fn cut(&mut self) -> Option<Piece> {
        if self.whole == 0 {
            return None;
        }
        let body = self.body.split_to(self.whole).freeze();
        self.whole = 0;
        let lines = Lines { first_line: self.first_line, body };
        self.first_line += lines.count();
        Some(Piece::Lines(lines))
    }

    fn too_long(&mut self) -> Piece {
        self.skipping = false;
        self.first_line += 1;
        Piece::TooLong { line: self.first_line - 1 }
    }
}

impl Lines {
    /// How many lines there are.
    pub fn count(&self) -> u64 {
        let ends = memchr::memchr_iter(b'\n', &self.body).count() as u64;
        ends + u64::from(!self.body.ends_with(b"\n") && !self.body.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &[u8], chunk: usize, line_bytes_max: usize) -> Vec<Piece> {
        let mut reader = LineReader::new(line_bytes_max);
        let mut pieces = Vec::new();
        for mut chunk in body.chunks(chunk) {
            while let Some(piece) = reader.take(&mut chunk) {
                pieces.push(piece);
            }
        }
        while let Some(piece) = reader.end() {
            pieces.push(piece);
        }
        pieces
    }

    /// Each line's number and content; `None` for one that was passed over.
    fn lines(pieces: &[Piece]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        for piece in pieces {
            match piece {
                Piece::TooLong { line } => found.push((*line, None)),
                Piece::Lines(lines) => {
                    assert!(lines.body.len() <= RECORD_BYTES_MAX && !lines.body.is_empty());
                    let whole = lines.body.strip_suffix(b"\n").unwrap_or(&lines.body);
                    let each = whole.split(|&byte| byte == b'\n');
                    found.extend((lines.first_line..).zip(each.map(|line| Some(line.to_vec()))));
                }
            }
        }
        found
    }

    #[test]
    fn a_line_of_100_mib_is_passed_over_and_its_neighbours_are_kept() {
        let mut reader = LineReader::new(LINE_BYTES_MAX_DEFAULT);
        let mut pieces = Vec::new();
        let mut feed = |reader: &mut LineReader, mut chunk: &[u8]| {
            while let Some(piece) = reader.take(&mut chunk) {
                pieces.push(piece);
            }
            assert!(reader.body.capacity() <= 2 * RECORD_BYTES_MAX, "memory is not bounded");
        };
        feed(&mut reader, b"before\n");
        for _ in 0..1_600 {
            feed(&mut reader, &[b'x'; 1 << 16]);
        }
        feed(&mut reader, b"\nafter");
        while let Some(piece) = reader.end() {
            pieces.push(piece);
        }
        assert_eq!(lines(&pieces), [(1, Some(b"before".to_vec())), (2, None), (3, Some(b"after".to_vec()))]);
    }

    #[test]
    fn pieces_hold_whole_lines_and_at_most_a_record() {
        let line = [vec![b'y'; 999_999], b"\n".to_vec()].concat();
        let body = line.repeat(30);
        for chunk in [1 << 12, 1 << 20, body.len()] {
            let pieces = read(&body, chunk, LINE_BYTES_MAX_DEFAULT);
            assert_eq!(lines(&pieces).len(), 30);
            assert_eq!(pieces.len(), 4);
            assert!(pieces.iter().all(|piece| matches!(piece, Piece::Lines(lines) if lines.body.ends_with(b"\n"))));
        }
    }

    proptest! {
        #[test]
        fn lines_come_out_as_they_went_in(
            body in proptest::collection::vec(prop_oneof![1 => Just(b'\n'), 4 => any::<u8>()], 0..200),
            chunk in 1..50usize,
            line_bytes_max in 1..20usize,
        ) {
            let pieces = read(&body, chunk, line_bytes_max);
            let mut expected: Vec<_> = body.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
            if expected.last().is_some_and(Vec::is_empty) {
                expected.pop();
            }
            let found = lines(&pieces);
            prop_assert_eq!(found.len(), expected.len());
            for ((number, line), (index, expected)) in found.into_iter().zip(expected.into_iter().enumerate()) {
                prop_assert_eq!(number, index as u64 + 1);
                match line {
                    Some(line) => prop_assert_eq!(line, expected),
                    None => prop_assert!(expected.len() > line_bytes_max),
                }
            }
        }
    }
}
