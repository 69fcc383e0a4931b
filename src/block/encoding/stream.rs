//! Chunks and their streams: the level at which bytes are compressed and checked.

use std::borrow::Cow;

use crate::block::BlockError;
use crate::block::error::{damaged, is_sum};
use crate::block::wire::{Input, put_varint};

/// zstd with its working memory, kept from stream to stream.
pub(in crate::block) struct Compressor {
    /// For numbers, codes and dictionaries.
    fast: zstd::bulk::Compressor<'static>,
    /// For texts.
    text: zstd::bulk::Compressor<'static>,
}

impl Compressor {
    pub(in crate::block) fn new(level: i32, text_level: i32) -> Self {
        let make = |level| zstd::bulk::Compressor::new(level).expect("the level is one that zstd has");
        Self { fast: make(level), text: make(text_level) }
    }

    fn compress(&mut self, bytes: &[u8], pack: Pack) -> Vec<u8> {
        let compressor = if pack == Pack::Text { &mut self.text } else { &mut self.fast };
        compressor.compress(bytes).expect("zstd compresses anything into a buffer of its own bound")
    }
}

/// What a stream's bytes are like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::block) enum Pack {
    /// Not worth a try.
    Raw,
    /// Numbers or the like.
    Numbers,
    /// Texts.
    Text,
}

/// A chunk as it is written.
pub(in crate::block) struct ChunkOut<'c> {
    pub(in crate::block) head: Vec<u8>,
    pub(in crate::block) body: Vec<u8>,
    /// `None`: nothing is compressed, since the whole chunk will be.
    compressor: Option<&'c mut Compressor>,
}

impl<'c> ChunkOut<'c> {
    pub(in crate::block) fn new(compressor: Option<&'c mut Compressor>) -> Self {
        Self { head: Vec::new(), body: Vec::new(), compressor }
    }

    /// Adds a stream, compressed where that makes it smaller.
    pub(in crate::block) fn stream(&mut self, bytes: &[u8], pack: Pack) {
        match self.compressed(bytes, pack) {
            Some(compressed) => self.stored(ZSTD, bytes.len(), &compressed),
            None => self.stored(RAW, bytes.len(), bytes),
        }
    }

    /// The bytes compressed, if that pays.
    pub(in crate::block) fn compressed(&mut self, bytes: &[u8], pack: Pack) -> Option<Vec<u8>> {
        let compressor = self.compressor.as_mut()?;
        if pack == Pack::Raw || bytes.len() < COMPRESS_BYTES_MIN {
            return None;
        }
        if bytes.len() > 4 * SAMPLE_BYTES {
            let middle = bytes.len() / 2;
            let sample = &bytes[middle..middle + SAMPLE_BYTES];
            if compressor.compress(sample, pack).len() > SAMPLE_BYTES / 32 * 31 {
                return None;
            }
        }
        let compressed = compressor.compress(bytes, pack);
        (compressed.len() < bytes.len() - bytes.len() / 64).then_some(compressed)
    }

    /// Adds a stream whose compressed form, if it has one, is at hand.
    pub(in crate::block) fn ready(&mut self, bytes: &[u8], compressed: Option<&[u8]>) {
        match compressed {
            Some(compressed) => self.stored(ZSTD, bytes.len(), compressed),
            None => self.stored(RAW, bytes.len(), bytes),
        }
    }

    fn stored(&mut self, codec: u8, raw_len: usize, stored: &[u8]) {
        if stored.len() <= INLINE_BYTES_MAX && codec == RAW {
            self.head.push(INLINE);
            put_varint(&mut self.head, raw_len as u64);
            self.head.extend_from_slice(stored);
            return;
        }
        assert!(raw_len <= STREAM_BYTES_MAX, "a stream of one row group is bounded");
        self.head.push(codec);
        put_varint(&mut self.head, raw_len as u64);
        if codec == ZSTD {
            put_varint(&mut self.head, stored.len() as u64);
        }
        self.head.extend_from_slice(&crc32c::crc32c(stored).to_le_bytes());
        self.body.extend_from_slice(stored);
    }
}

/// A chunk as it is read. Nothing in it is trusted.
pub(in crate::block) struct ChunkIn<'a> {
    pub(in crate::block) head: Input<'a>,
    body: Input<'a>,
}

impl<'a> ChunkIn<'a> {
    pub(in crate::block) fn new(head: &'a [u8], body: &'a [u8]) -> Self {
        Self { head: Input(head), body: Input(body) }
    }

    /// The next stream.
    pub(in crate::block) fn stream(&mut self) -> Result<Cow<'a, [u8]>, BlockError> {
        let codec = self.head.byte()?;
        let raw_len = self.head.at_most(STREAM_BYTES_MAX as u64)? as usize;
        if codec == INLINE {
            return self.head.bytes(raw_len).map(Cow::Borrowed);
        }
        let stored_len = if codec == ZSTD { self.head.count_in(self.body)? } else { raw_len };
        let checksum = self.head.u32()?;
        let stored = self.body.bytes(stored_len)?;
        if !is_sum(crc32c::crc32c(stored), checksum) {
            return damaged("a stream does not have its checksum");
        }
        match codec {
            RAW => Ok(Cow::Borrowed(stored)),
            ZSTD => decompress(stored, raw_len).map(Cow::Owned),
            _ => damaged("a stream has an unknown codec"),
        }
    }

    /// How many bytes have not been read.
    pub(in crate::block) fn left(&self) -> usize {
        self.head.0.len() + self.body.0.len()
    }

    /// Ends the chunk: nothing may be left.
    pub(in crate::block) fn end(self) -> Result<(), BlockError> {
        self.head.end()?;
        self.body.end()
    }
}

impl Input<'_> {
    /// A number of bytes of another input.
    fn count_in(&mut self, other: Input<'_>) -> Result<usize, BlockError> {
        Ok(self.at_most(other.0.len() as u64)? as usize)
    }
}

/// Decompresses exactly `raw_len` bytes.
pub(in crate::block) fn decompress(stored: &[u8], raw_len: usize) -> Result<Vec<u8>, BlockError> {
    match zstd::bulk::decompress(stored, raw_len) {
        Ok(bytes) if bytes.len() == raw_len => Ok(bytes),
        _ => damaged("a stream cannot be decompressed to its length"),
    }
}

const RAW: u8 = 0;
const ZSTD: u8 = 1;
/// As raw, but in the head, without a checksum of its own.
const INLINE: u8 = 2;
/// Below this, compression has nothing to find.
const COMPRESS_BYTES_MIN: usize = 48;
/// Streams up to this stand in the head: a checksum would be as long.
const INLINE_BYTES_MAX: usize = 32;
/// How much of a long stream is compressed to see whether the rest should be.
const SAMPLE_BYTES: usize = 16 << 10;
/// Decompressed length of one stream. Bounds what a hostile block can make the reader allocate.
pub(in crate::block) const STREAM_BYTES_MAX: usize = 1 << 30;
