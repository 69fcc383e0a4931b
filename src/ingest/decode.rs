//! `Content-Encoding`: a body is decoded as it arrives, in bounded steps.
//!
//! One step gives at most [`STEP_BYTES_MAX`] bytes (a snappy block: what it says, itself bounded), so a
//! bomb is noticed before what it would become is in memory.

use std::io::Write;

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

/// Most bytes of a body as sent.
pub const COMPRESSED_BYTES_MAX: u64 = 256 << 20;
/// Most bytes that a body may become.
pub const INFLATED_BYTES_MAX: u64 = 1 << 30;
/// Most bytes that a byte of the body may become on average.
pub const RATIO_MAX: u64 = 1_000;
/// From so many inflated bytes on, the ratio is looked at: short bodies of one repeated line are fine.
pub const RATIO_FROM_BYTES: u64 = 16 << 20;
/// Most bytes of a snappy body that is one block: it can only be decoded whole.
pub const SNAPPY_BLOCK_BYTES_MAX: usize = 64 << 20;
/// Largest window that a zstd body may ask us to keep, as a power of two.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Most bytes that one step gives.
pub const STEP_BYTES_MAX: usize = 2 << 20;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// 415: this encoding is not known.
    #[error("content encoding `{0}` is not known; send gzip, deflate, zstd, snappy or none")]
    Unknown(String),
    /// 413: a bound is passed.
    #[error("the body is too large: {0}; send it in parts")]
    TooLarge(&'static str),
    /// 400: this is not the encoding that was said.
    #[error("the body is not valid {encoding}: {reason}")]
    Corrupt {
        /// What the request said.
        encoding: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// 400: the end is missing.
    #[error("the {encoding} body is cut off")]
    Truncated {
        /// What the request said.
        encoding: &'static str,
    },
}

/// Decodes one body: [`Decoder::feed`] it, ask [`Decoder::step`] until there is nothing, and so on;
/// at the end [`Decoder::end`] and ask again.
pub struct Decoder {
    codec: Codec,
    input: Bytes,
    taken: u64,
    given: u64,
    ended: bool,
}

impl Decoder {
    /// A decoder for what the header `Content-Encoding` says.
    ///
    /// # Errors
    /// If that is not known.
    pub fn new(content_encoding: Option<&str>) -> Result<Self, DecodeError> {
        let codec = Codec::of(content_encoding.unwrap_or("").trim())?;
        Ok(Self { codec, input: Bytes::new(), taken: 0, given: 0, ended: false })
    }

    /// Takes a chunk of a body that is not encoded back out, as it came; nothing if the body is encoded.
    ///
    /// # Errors
    /// If the body has become too large.
    pub fn take_plain(&mut self) -> Result<Bytes, DecodeError> {
        if !matches!(self.codec, Codec::Identity) {
            return Ok(Bytes::new());
        }
        self.given = self.taken;
        self.check_bounds()?;
        Ok(std::mem::take(&mut self.input))
    }

    /// Gives the decoder bytes as they came.
    ///
    /// # Errors
    /// If these are too many.
    ///
    /// # Panics
    /// If what was fed before is not used up: [`Decoder::step`] has to say so first.
    pub fn feed(&mut self, input: Bytes) -> Result<(), DecodeError> {
        assert!(self.input.is_empty() && !self.ended, "bytes are fed when the last are used up, and before the end");
        self.taken += input.len() as u64;
        if self.taken > COMPRESSED_BYTES_MAX && !matches!(self.codec, Codec::Identity) {
            return Err(DecodeError::TooLarge("it has more than 256 MiB as sent"));
        }
        self.input = input;
        Ok(())
    }

    /// Says that no more bytes will come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Puts some decoded bytes into `output` in place of what is there. False, and none, once what was fed
    /// is used up, and at the end of all.
    ///
    /// # Errors
    /// If the body is no valid encoding, is cut off, or becomes too large.
    pub fn step(&mut self, output: &mut Vec<u8>) -> Result<bool, DecodeError> {
        output.clear();
        while output.is_empty() {
            let before = self.input.len();
            let more = self.codec.step(&mut self.input, output, self.ended)?;
            if !more && output.is_empty() && self.input.is_empty() {
                return Ok(false);
            }
            if self.input.len() == before && output.is_empty() {
                return Err(corrupt(self.codec.name(), "its decoder cannot go on"));
            }
        }
        self.given += output.len() as u64;
        self.check_bounds()?;
        Ok(true)
    }

    fn check_bounds(&self) -> Result<(), DecodeError> {
        let used = self.taken - self.input.len() as u64;
        if self.given > INFLATED_BYTES_MAX {
            return Err(DecodeError::TooLarge("it has more than 1 GiB when decoded"));
        }
        if self.given > RATIO_FROM_BYTES && self.given / RATIO_MAX > used {
            return Err(DecodeError::TooLarge("it becomes more than 1,000 times as large when decoded"));
        }
        Ok(())
    }
}

enum Codec {
    Identity,
    Gzip(Box<Gzip>),
    Deflate(Deflate),
    Zstd(Zstd),
    Snappy(Snappy),
}

impl Codec {
    fn of(name: &str) -> Result<Self, DecodeError> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip(Box::new(Gzip::new())),
            "deflate" => Self::Deflate(Deflate { first: None, inflate: None, done: false }),
            "zstd" => Self::Zstd(Zstd::new()?),
            "snappy" | "x-snappy" | "x-snappy-framed" => Self::Snappy(Snappy::default()),
            _ => return Err(DecodeError::Unknown(name.chars().take(64).collect())),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip(_) => "gzip",
            Self::Deflate(_) => "deflate",
            Self::Zstd(_) => "zstd",
            Self::Snappy(_) => "snappy",
        }
    }

    /// Moves some of `input` to `output`. False once nothing is left to move.
    fn step(&mut self, input: &mut Bytes, output: &mut Vec<u8>, ended: bool) -> Result<bool, DecodeError> {
        match self {
            Self::Identity => {
                let some = input.split_to(input.len().min(STEP_BYTES_MAX));
                output.extend_from_slice(&some);
                Ok(!some.is_empty())
            }
            Self::Gzip(gzip) => gzip.step(input, output, ended),
            Self::Deflate(deflate) => deflate.step(input, output, ended),
            Self::Zstd(zstd) => zstd.step(input, output, ended),
            Self::Snappy(snappy) => snappy.step(input, output, ended),
        }
    }
}

fn corrupt(encoding: &'static str, reason: impl ToString) -> DecodeError {
    DecodeError::Corrupt { encoding, reason: reason.to_string() }
}

/// One or several gzip members.
struct Gzip {
    inflate: flate2::write::MultiGzDecoder<Vec<u8>>,
    finished: bool,
}

/// Deflate makes at most 1,032 bytes of one: a step stays below [`STEP_BYTES_MAX`].
const GZIP_STEP_BYTES: usize = 1 << 10;
const _: () = assert!(GZIP_STEP_BYTES * 1_032 + (64 << 10) <= STEP_BYTES_MAX);

impl Gzip {
    fn new() -> Self {
        Self { inflate: flate2::write::MultiGzDecoder::new(Vec::new()), finished: false }
    }

    fn step(&mut self, input: &mut Bytes, output: &mut Vec<u8>, ended: bool) -> Result<bool, DecodeError> {
        if input.is_empty() {
            if ended && !self.finished {
                self.finished = true;
                let cut_off = |_| corrupt("gzip", "it is cut off, or its checksum does not fit");
                self.inflate.try_finish().map_err(cut_off)?;
                output.append(self.inflate.get_mut());
            }
            return Ok(false);
        }
        let part = &input[..input.len().min(GZIP_STEP_BYTES)];
        let used = self.inflate.write(part).map_err(|error| corrupt("gzip", error))?;
        input.advance(used);
        output.append(self.inflate.get_mut());
        Ok(true)
    }
}

/// Deflate with a zlib header, as the standard says, or without, as many send it.
struct Deflate {
    /// The first byte, while the second has not come.
    first: Option<u8>,
    inflate: Option<Decompress>,
    done: bool,
}

impl Deflate {
    fn step(&mut self, input: &mut Bytes, output: &mut Vec<u8>, ended: bool) -> Result<bool, DecodeError> {
        if self.inflate.is_none() && !input.is_empty() && !self.begin(input)? {
            return Ok(true);
        }
        if self.done {
            return if input.is_empty() { Ok(false) } else { Err(corrupt("deflate", "something follows its end")) };
        }
        let cut_off = DecodeError::Truncated { encoding: "deflate" };
        let Some(inflate) = &mut self.inflate else {
            return if ended { Err(cut_off) } else { Ok(false) };
        };
        let (used, given, done) = inflate_some(inflate, input, output)?;
        input.advance(used);
        self.done = done;
        let moved = used + given > 0;
        if ended && !moved && !done && input.is_empty() { Err(cut_off) } else { Ok(moved) }
    }

    /// The first two bytes say which kind it is. False if the second has not come; the first is kept.
    fn begin(&mut self, input: &mut Bytes) -> Result<bool, DecodeError> {
        let first = match self.first {
            Some(first) => first,
            None => *self.first.insert(input.get_u8()),
        };
        let Some(&second) = input.first() else { return Ok(false) };
        let is_zlib = first & 0x0f == 8 && u16::from_be_bytes([first, second]) % 31 == 0;
        let inflate = self.inflate.insert(Decompress::new(is_zlib));
        inflate_some(inflate, &[first], &mut Vec::new())?;
        Ok(true)
    }
}

/// Returns how many bytes were used and given, and whether that was the end.
fn inflate_some(
    inflate: &mut Decompress,
    input: &[u8],
    output: &mut Vec<u8>,
) -> Result<(usize, usize, bool), DecodeError> {
    output.reserve(output_room(input.len()));
    let before = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress_vec(input, output, FlushDecompress::None);
    let status = status.map_err(|error| corrupt("deflate", error))?;
    let (used, given) = (inflate.total_in() - before.0, inflate.total_out() - before.1);
    Ok((used as usize, given as usize, status == Status::StreamEnd))
}

/// How much room a step gives to decoders that fill what they are given. Little for small chunks: to
/// clear it costs more than to decode them.
fn output_room(input_bytes: usize) -> usize {
    input_bytes.saturating_mul(8).clamp(4 << 10, 256 << 10)
}

/// One or several zstd frames.
struct Zstd {
    decoder: zstd::stream::raw::Decoder<'static>,
    /// Whether the bytes so far end a frame.
    at_frame_end: bool,
}

impl Zstd {
    fn new() -> Result<Self, DecodeError> {
        let mut decoder = zstd::stream::raw::Decoder::new().map_err(|error| corrupt("zstd", error))?;
        let window = DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX);
        decoder.set_parameter(window).map_err(|error| corrupt("zstd", error))?;
        Ok(Self { decoder, at_frame_end: false })
    }

    fn step(&mut self, input: &mut Bytes, output: &mut Vec<u8>, ended: bool) -> Result<bool, DecodeError> {
        output.resize(output_room(input.len()), 0);
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(output.as_mut_slice());
        let result = self.decoder.run(&mut from, &mut to);
        let (used, given) = (from.pos(), to.pos());
        output.truncate(given);
        let hint = result.map_err(|error| corrupt("zstd", error))?;
        input.advance(used);
        if used > 0 || given > 0 {
            self.at_frame_end = hint == 0;
            return Ok(true);
        }
        if ended && !self.at_frame_end {
            return Err(DecodeError::Truncated { encoding: "zstd" });
        }
        Ok(false)
    }
}

/// Snappy: the framing format, or one block, which has to be gathered whole.
#[derive(Default)]
struct Snappy {
    held: Vec<u8>,
    framed: bool,
    given: bool,
}

/// What every framed stream begins with.
const SNAPPY_MAGIC: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// Most bytes of one frame's content when decoded.
const SNAPPY_FRAME_BYTES_MAX: usize = 64 << 10;

impl Snappy {
    fn step(&mut self, input: &mut Bytes, output: &mut Vec<u8>, ended: bool) -> Result<bool, DecodeError> {
        let goal = match self.framed {
            true => self.frame_bytes(),
            false if self.held.len() < SNAPPY_MAGIC.len() => SNAPPY_MAGIC.len(),
            false => SNAPPY_BLOCK_BYTES_MAX + 1,
        };
        let part = input.split_to(input.len().min(goal - self.held.len()));
        self.held.extend_from_slice(&part);
        if part.is_empty() {
            if ended {
                self.end(output)?;
            }
            return Ok(false);
        }
        if self.framed {
            if self.held.len() >= FRAME_HEADER_BYTES && self.held.len() == self.frame_bytes() {
                self.frame(output)?;
                self.held.clear();
            }
        } else if self.held == SNAPPY_MAGIC {
            self.framed = true;
            self.held.clear();
        } else if self.held.len() > SNAPPY_BLOCK_BYTES_MAX {
            return Err(DecodeError::TooLarge("a snappy block has more than 64 MiB; use the framing format"));
        }
        Ok(true)
    }

    fn end(&mut self, output: &mut Vec<u8>) -> Result<(), DecodeError> {
        let block = !self.framed && !self.given;
        self.given = true;
        if (self.framed && !self.held.is_empty()) || (block && self.held.is_empty()) {
            return Err(DecodeError::Truncated { encoding: "snappy" });
        }
        if block { decompress(&self.held, SNAPPY_BLOCK_BYTES_MAX, output) } else { Ok(()) }
    }

    /// Bytes of the frame that `held` begins with; of its header, while that is not there.
    fn frame_bytes(&self) -> usize {
        match self.held.as_slice() {
            [_, a, b, c, ..] => FRAME_HEADER_BYTES + u32::from_le_bytes([*a, *b, *c, 0]) as usize,
            _ => FRAME_HEADER_BYTES,
        }
    }

    fn frame(&self, output: &mut Vec<u8>) -> Result<(), DecodeError> {
        let wrong = |reason: &str| corrupt("snappy", reason);
        let content = &self.held[FRAME_HEADER_BYTES..];
        match self.held[0] {
            kind @ (0 | 1) => {
                let (checksum, data) = content.split_first_chunk::<4>().ok_or_else(|| wrong("a frame is too short"))?;
                if kind == 1 {
                    output.extend_from_slice(data);
                } else {
                    decompress(data, SNAPPY_FRAME_BYTES_MAX, output)?;
                }
                if output.len() > SNAPPY_FRAME_BYTES_MAX {
                    return Err(wrong("a frame is too long"));
                }
                let crc = crc32c::crc32c(output);
                if (crc.rotate_right(15)).wrapping_add(0xa282_ead8) != u32::from_le_bytes(*checksum) {
                    return Err(wrong("a checksum does not fit"));
                }
                Ok(())
            }
            0x80..=0xfe => Ok(()),
            0xff if content == &SNAPPY_MAGIC[FRAME_HEADER_BYTES..] => Ok(()),
            _ => Err(wrong("a frame of a kind that is reserved")),
        }
    }
}

const FRAME_HEADER_BYTES: usize = 4;

fn decompress(block: &[u8], bytes_max: usize, output: &mut Vec<u8>) -> Result<(), DecodeError> {
    let len = snap::raw::decompress_len(block).map_err(|error| corrupt("snappy", error))?;
    if len > bytes_max {
        return Err(DecodeError::TooLarge("a snappy block has more than 64 MiB; use the framing format"));
    }
    // A made-up length must not cost memory: no byte of a block makes as many as 64.
    if len / 64 > block.len() {
        return Err(corrupt("snappy", "a block says that it is longer than it can be"));
    }
    output.resize(len, 0);
    snap::raw::Decoder::new().decompress(block, output).map_err(|error| corrupt("snappy", error))?;
    Ok(())
}

#[cfg(test)]
mod tests;
