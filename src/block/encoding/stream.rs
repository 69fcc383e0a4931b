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
    /// For texts that are little.
    dense: zstd::bulk::Compressor<'static>,
    /// For what many columns share.
    shared: zstd::bulk::Compressor<'static>,
    /// Whether all texts are little.
    texts_are_few: bool,
}

impl Compressor {
    pub(in crate::block) fn new(level: i32, text_level: i32) -> Self {
        let make = |level| zstd::bulk::Compressor::new(level).expect("the level is one that zstd has");
        Self {
            fast: make(level),
            text: make(text_level),
            dense: make(DENSE_LEVEL),
            shared: make(SHARED_LEVEL),
            texts_are_few: false,
        }
    }

    /// Says whether there are so few texts from here on that time does not matter.
    pub(in crate::block) fn set_texts_are_few(&mut self, are_few: bool) {
        self.texts_are_few = are_few;
    }

    fn compress(&mut self, bytes: &[u8], pack: Pack) -> Vec<u8> {
        let compressor = match pack {
            Pack::Shared => &mut self.shared,
            Pack::Text if self.texts_are_few => &mut self.dense,
            Pack::Text => &mut self.text,
            Pack::Raw | Pack::Numbers => &mut self.fast,
        };
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
    /// Of many columns, and so little that time does not matter.
    Shared,
}

/// A chunk as it is written.
pub(in crate::block) struct ChunkOut<'c> {
    pub(in crate::block) head: Vec<u8>,
    pub(in crate::block) body: Vec<u8>,
    /// `None`: nothing is compressed, since the whole chunk will be.
    compressor: Option<&'c mut Compressor>,
    /// Where small streams go, if they share.
    pools: Option<Pools>,
}

/// Small streams one after the other, to be compressed together.
#[derive(Default)]
pub(in crate::block) struct Pools {
    pub(in crate::block) numbers: Vec<u8>,
    pub(in crate::block) texts: Vec<u8>,
}

impl<'c> ChunkOut<'c> {
    pub(in crate::block) fn new(compressor: Option<&'c mut Compressor>) -> Self {
        Self { head: Vec::new(), body: Vec::new(), compressor, pools: None }
    }

    /// A chunk inside this one, whose small streams share two pools.
    pub(in crate::block) fn nested(&mut self) -> ChunkOut<'_> {
        let compressor = self.compressor.as_deref_mut();
        ChunkOut { head: Vec::new(), body: Vec::new(), compressor, pools: Some(Pools::default()) }
    }

    /// What of a nested chunk is not in its body.
    pub(in crate::block) fn into_parts(self) -> (Vec<u8>, Vec<u8>, Pools) {
        (self.head, self.body, self.pools.unwrap_or_default())
    }

    /// Adds a stream, compressed where that makes it smaller.
    pub(in crate::block) fn stream(&mut self, bytes: &[u8], pack: Pack) {
        if let Some(pools) = &mut self.pools
            && bytes.len() <= POOLED_BYTES_MAX
            && bytes.len() > INLINE_BYTES_MAX
        {
            let (pool, codec) = match pack {
                Pack::Text | Pack::Shared => (&mut pools.texts, POOLED_TEXTS),
                Pack::Raw | Pack::Numbers => (&mut pools.numbers, POOLED_NUMBERS),
            };
            pool.extend_from_slice(bytes);
            self.head.push(codec);
            put_varint(&mut self.head, bytes.len() as u64);
            return;
        }
        match self.compressed(bytes, pack) {
            Some(compressed) => self.stored(ZSTD, bytes.len(), &compressed),
            None => self.stored(RAW, bytes.len(), bytes),
        }
    }

    /// The bytes compressed, if that pays.
    pub(in crate::block) fn compressed(&mut self, bytes: &[u8], pack: Pack) -> Option<Vec<u8>> {
        let compressor = self.compressor.as_mut()?;
        let alone = if self.pools.is_some() { POOLED_BYTES_MAX } else { COMPRESS_BYTES_MIN };
        if pack == Pack::Raw || bytes.len() < alone {
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
        // What is compressed as a whole has one checksum for all its streams.
        if codec == RAW && (stored.len() <= INLINE_BYTES_MAX || self.compressor.is_none()) {
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

/// A stream as it is stored.
struct StreamIn<'a> {
    codec: u8,
    raw_len: usize,
    stored: &'a [u8],
    /// Streams in a head or a pool are checked with it.
    checksum: Option<u32>,
}

/// A chunk as it is read. Nothing in it is trusted.
pub(in crate::block) struct ChunkIn<'a> {
    pub(in crate::block) head: Input<'a>,
    body: Input<'a>,
    /// Small streams of a nested chunk: numbers, texts.
    pools: (Input<'a>, Input<'a>),
    is_nested: bool,
    /// zstd's working memory: dear to make, and a chunk may have many small streams.
    decompressor: Option<zstd::bulk::Decompressor<'static>>,
}

impl<'a> ChunkIn<'a> {
    pub(in crate::block) fn new(head: &'a [u8], body: &'a [u8]) -> Self {
        Self {
            head: Input(head),
            body: Input(body),
            pools: (Input(&[]), Input(&[])),
            is_nested: false,
            decompressor: None,
        }
    }

    /// A nested chunk: its own head and pools, and what is left of this one's body.
    pub(in crate::block) fn nested<'b>(&mut self, head: &'b [u8], numbers: &'b [u8], texts: &'b [u8]) -> ChunkIn<'b>
    where
        'a: 'b,
    {
        ChunkIn {
            head: Input(head),
            body: self.body,
            pools: (Input(numbers), Input(texts)),
            is_nested: true,
            decompressor: self.decompressor.take(),
        }
    }

    /// Whether it stands inside another: then nothing may be nested again.
    pub(in crate::block) fn is_nested(&self) -> bool {
        self.is_nested
    }

    /// Ends a nested chunk, of which all else must be used up: how much is left of the body.
    pub(in crate::block) fn end_nested(self) -> Result<usize, BlockError> {
        self.head.end()?;
        self.pools.0.end()?;
        self.pools.1.end()?;
        Ok(self.body.0.len())
    }

    /// Goes on where so much of the body is left.
    pub(in crate::block) fn resume(&mut self, left: usize) {
        self.body.0 = &self.body.0[self.body.0.len() - left..];
    }

    fn decompress(&mut self, stored: &[u8], raw_len: usize) -> Result<Vec<u8>, BlockError> {
        let own = match &mut self.decompressor {
            Some(own) => own,
            none => match zstd::bulk::Decompressor::new() {
                Ok(own) => none.insert(own),
                Err(_) => return damaged("zstd has no memory"),
            },
        };
        exactly(own.decompress(stored, raw_len), raw_len)
    }

    /// The next stream.
    pub(in crate::block) fn stream(&mut self) -> Result<Cow<'a, [u8]>, BlockError> {
        let StreamIn { codec, raw_len, stored, checksum } = self.next_stream()?;
        if checksum.is_some_and(|checksum| !is_sum(crc32c::crc32c(stored), checksum)) {
            return damaged("a stream does not have its checksum");
        }
        match codec {
            ZSTD => self.decompress(stored, raw_len).map(Cow::Owned),
            _ => Ok(Cow::Borrowed(stored)),
        }
    }

    /// The next stream if `wanted`; else it is passed over, and neither checked nor decompressed.
    pub(in crate::block) fn stream_if(&mut self, wanted: bool) -> Result<Option<Cow<'a, [u8]>>, BlockError> {
        if wanted { self.stream().map(Some) } else { self.next_stream().map(|_| None) }
    }

    fn next_stream(&mut self) -> Result<StreamIn<'a>, BlockError> {
        let codec = self.head.byte()?;
        let raw_len = self.head.at_most(STREAM_BYTES_MAX as u64)? as usize;
        let (stored, checksum) = match codec {
            INLINE => (self.head.bytes(raw_len)?, None),
            POOLED_NUMBERS => (self.pools.0.bytes(raw_len)?, None),
            POOLED_TEXTS => (self.pools.1.bytes(raw_len)?, None),
            RAW | ZSTD => {
                let stored_len = if codec == ZSTD { self.head.count_in(self.body)? } else { raw_len };
                let checksum = self.head.u32()?;
                (self.body.bytes(stored_len)?, Some(checksum))
            }
            _ => return damaged("a stream has an unknown codec"),
        };
        Ok(StreamIn { codec, raw_len, stored, checksum })
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
    exactly(zstd::bulk::decompress(stored, raw_len), raw_len)
}

fn exactly(decompressed: std::io::Result<Vec<u8>>, raw_len: usize) -> Result<Vec<u8>, BlockError> {
    match decompressed {
        Ok(bytes) if bytes.len() == raw_len => Ok(bytes),
        _ => damaged("a stream cannot be decompressed to its length"),
    }
}

const RAW: u8 = 0;
const ZSTD: u8 = 1;
/// As raw, but in the head, without a checksum of its own.
const INLINE: u8 = 2;
/// As raw, but in a pool of the nested chunk.
const POOLED_NUMBERS: u8 = 3;
const POOLED_TEXTS: u8 = 4;
/// Streams of a nested chunk up to this go to its pools, in bytes.
const POOLED_BYTES_MAX: usize = 512;
/// Below this, compression has nothing to find.
const COMPRESS_BYTES_MIN: usize = 48;
/// Streams up to this stand in the head: a checksum would be as long.
const INLINE_BYTES_MAX: usize = 32;
/// zstd's level for what is little: some 9 MB a second. The levels above take thrice the time for a
/// hundredth.
const DENSE_LEVEL: i32 = 16;
/// zstd's level for what many columns share: less still, and there the hundredth is worth its time.
const SHARED_LEVEL: i32 = 19;
/// How much of a long stream is compressed to see whether the rest should be.
const SAMPLE_BYTES: usize = 16 << 10;
/// Decompressed length of one stream. Bounds what a hostile block can make the reader allocate.
pub(in crate::block) const STREAM_BYTES_MAX: usize = 1 << 30;
