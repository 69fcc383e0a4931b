//! A request's body on its way from the wire to pieces of whole lines.

use bytes::{Buf, Bytes};

use super::decode::{DecodeError, Decoder};
use super::reader::{LineReader, Piece};

/// Decodes a body and cuts it into pieces, both as it arrives: [`BodyReader::feed`] a chunk, take pieces
/// until there is none, and so on; [`BodyReader::end`], and take what is left.
///
/// Holds at most one chunk, one decoded step and the beginning of one piece.
pub struct BodyReader {
    decoder: Decoder,
    lines: LineReader,
    ended: bool,
    /// What of a body that is not encoded has not gone into `lines`.
    plain: Bytes,
    /// What of the decoder's last step has not gone into `lines`.
    step: Vec<u8>,
    step_at: usize,
}

impl BodyReader {
    /// A reader for a body with this header `Content-Encoding`.
    ///
    /// # Errors
    /// If the encoding is not known.
    pub fn new(content_encoding: Option<&str>, line_bytes_max: usize) -> Result<Self, DecodeError> {
        let decoder = Decoder::new(content_encoding)?;
        let lines = LineReader::new(line_bytes_max);
        Ok(Self { decoder, lines, ended: false, plain: Bytes::new(), step: Vec::new(), step_at: 0 })
    }

    /// Says how many bytes are likely to come, decoded, so that memory is asked for once.
    pub fn expect(&mut self, bytes: u64) {
        self.lines.expect(bytes);
    }

    /// Takes a chunk as it came.
    ///
    /// # Errors
    /// If the body is too large.
    ///
    /// # Panics
    /// If pieces are left: take them first.
    pub fn feed(&mut self, chunk: Bytes) -> Result<(), DecodeError> {
        self.decoder.feed(chunk)
    }

    /// Says that the body has come to its end.
    pub fn end(&mut self) {
        self.ended = true;
        self.decoder.end();
    }

    /// The next piece; `None` if more of the body is needed, or nothing is left.
    ///
    /// # Errors
    /// If the body cannot be decoded. Pieces taken before are whole; lines from
    /// [`BodyReader::first_unread_line`] on are not read.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, DecodeError> {
        loop {
            if self.plain.is_empty() {
                self.plain = self.decoder.take_plain()?;
            }
            let mut rest = &*self.plain;
            let piece = self.lines.take(&mut rest);
            let taken = self.plain.len() - rest.len();
            self.plain.advance(taken);
            if piece.is_some() {
                return Ok(piece);
            }
            let mut rest = &self.step[self.step_at..];
            let piece = self.lines.take(&mut rest);
            self.step_at = self.step.len() - rest.len();
            if piece.is_some() {
                return Ok(piece);
            }
            self.step_at = 0;
            match self.decoder.step(&mut self.step) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.step.clear();
                    return Err(error);
                }
            }
        }
        Ok(if self.ended { self.lines.end() } else { None })
    }

    /// Number of the first line that is in no piece yet, from 1.
    pub fn first_unread_line(&self) -> u64 {
        self.lines.first_unread_line()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::ingest::Lines;
    use crate::ingest::reader::{LINE_BYTES_MAX_DEFAULT, RECORD_BYTES_MAX};

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// The pieces before the end or the error, and where reading stopped.
    fn read(body: &[u8]) -> (Vec<Piece>, Result<(), DecodeError>, u64) {
        let mut reader = BodyReader::new(Some("gzip"), LINE_BYTES_MAX_DEFAULT).unwrap();
        let mut pieces = Vec::new();
        let mut take_all = |reader: &mut BodyReader| {
            while let Some(piece) = reader.next_piece()? {
                pieces.push(piece);
            }
            Ok(())
        };
        let mut result = Ok(());
        for chunk in body.chunks(50_000) {
            reader.feed(Bytes::copy_from_slice(chunk)).unwrap();
            result = result.and_then(|()| take_all(&mut reader));
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            reader.end();
            result = take_all(&mut reader);
        }
        (pieces, result, reader.first_unread_line())
    }

    fn lines_of(pieces: &[Piece]) -> Vec<u8> {
        let body = |piece: &Piece| match piece {
            Piece::Lines(Lines { body, .. }) => body.to_vec(),
            Piece::TooLong { line } => format!("<{line}>\n").into_bytes(),
        };
        pieces.iter().flat_map(body).collect()
    }

    #[test]
    fn what_was_read_before_a_body_breaks_off_stays_and_the_rest_is_named() {
        let plain: Vec<u8> = (0..700_000).flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes()).collect();
        let body = gzip(&plain);
        let (pieces, result, next) = read(&body);
        assert!(result.is_ok() && lines_of(&pieces) == plain && pieces.len() == 2);
        assert_eq!(next, 700_001);
        let (pieces, result, next) = read(&body[..body.len() - 9]);
        assert!(matches!(result, Err(DecodeError::Corrupt { .. })), "{result:?}");
        let kept = lines_of(&pieces);
        assert!(kept.len() > RECORD_BYTES_MAX - 100 && plain.starts_with(&kept) && kept.ends_with(b"\n"));
        assert_eq!(next, kept.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1);
    }

    #[test]
    fn a_long_line_in_a_compressed_body_harms_no_neighbour() {
        let noise = |n: u32| b'a' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 26;
        let long: Vec<u8> = (0..20 << 20).map(noise).collect();
        let plain = [b"{\"a\":1}\n".as_slice(), &long, b"\n{\"a\":2}"].concat();
        let (pieces, result, next) = read(&gzip(&plain));
        assert!(result.is_ok());
        assert_eq!(lines_of(&pieces), b"{\"a\":1}\n<2>\n{\"a\":2}");
        assert_eq!(next, 4);
    }
}
