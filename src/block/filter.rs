//! Filters: what a column surely does not have, known without reading it.
//!
//! Two kinds, and a column may have both. The *trigrams* are the set of all three characters side by
//! side, in an alphabet of 64 classes, so that the set is a bitmap of 32 KiB that compresses well and
//! errs only where two characters share a class. The *values* are a binary fuse filter with four bits
//! for each whole value, so that one answer in 16 is a false "maybe", or eight for ids, one in 256: an id
//! is asked of every group of a long time, and occurs in one. Both cover, folded, each value's text and,
//! where JSON escapes make it differ, the bytes it has in `raw`.

mod build;

use xxhash_rust::xxh3::xxh3_64;

use super::BlockError;
use super::encoding::ChunkIn;
use super::error::damaged;
pub(super) use build::FilterBuilder;

/// A filter as it was read from its chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterReader {
    trigrams: Option<Trigrams>,
    /// Trigrams within these values are left out of the trigrams: each value is a run of hexadecimal
    /// digits that no other such digit stands beside. Without trigrams, these are all of the column's.
    values: Option<ValueSet>,
    /// Whether trigrams of hexadecimal digits only are left out.
    without_hex: bool,
}

impl FilterReader {
    /// Whether any value may be this one, folded. False means that surely none is.
    pub fn may_contain_value(&self, folded: &str) -> bool {
        match (&self.trigrams, &self.values) {
            (None, Some(values)) => values.may_have(folded.as_bytes()),
            _ => self.may_contain_substring(folded.as_bytes()),
        }
    }

    /// Whether any value, folded, may contain these bytes. False means that surely none does.
    pub fn may_contain_substring(&self, folded: &[u8]) -> bool {
        match (&self.trigrams, &self.values) {
            (None, None) => true,
            (None, Some(values)) => values.may_have_part(folded),
            (Some(trigrams), _) if !self.without_hex => folded.windows(3).all(|three| trigrams.has(three)),
            (Some(trigrams), None) => {
                folded.windows(3).all(|three| three.iter().all(u8::is_ascii_hexdigit) || trigrams.has(three))
            }
            (Some(trigrams), Some(values)) => {
                let mut absent = (0..).zip(folded.windows(3)).filter(|(_, three)| !trigrams.has(three));
                absent.all(|(at, three)| three.iter().all(u8::is_ascii_hexdigit) && may_be_in_value(values, folded, at))
            }
        }
    }

    /// How many bytes it takes in memory, about.
    pub fn memory_bytes(&self) -> usize {
        let values = self.values.as_ref().map_or(0, |values| values.fingerprints.len());
        values + self.trigrams.as_ref().map_or(0, |trigrams| trigrams.bits.len())
    }

    /// Reads a filter from its chunk, whose checksum has been looked at.
    pub(super) fn read(mut chunk: ChunkIn<'_>) -> Result<Self, BlockError> {
        let flags = chunk.head.byte()?;
        if flags & !(HAS_TRIGRAMS | HAS_VALUES | WITHOUT_HEX | WIDE_VALUES) != 0 {
            return damaged("a filter is of an unknown kind");
        }
        let trigrams = match flags & HAS_TRIGRAMS != 0 {
            true => Some(Trigrams { bits: chunk.stream()?.into_owned() }),
            false => None,
        };
        if trigrams.as_ref().is_some_and(|trigrams| trigrams.bits.len() != TRIGRAMS_BYTES) {
            return damaged("a filter's trigrams have a wrong length");
        }
        let values =
            if flags & HAS_VALUES != 0 { Some(ValueSet::read(&mut chunk, flags & WIDE_VALUES != 0)?) } else { None };
        chunk.end()?;
        Ok(Self { trigrams, values, without_hex: flags & WITHOUT_HEX != 0 })
    }
}

/// Whether the hexadecimal digits around the three at `at` may be a part of one of `values`, seen that
/// no hexadecimal digit stands beside a value: where the run ends within `part`, the value does.
fn may_be_in_value(values: &ValueSet, part: &[u8], at: usize) -> bool {
    let start = at - part[..at].iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let end = at + part[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let run = &part[start..end];
    if start > 0 && end < part.len() { values.may_have(run) } else { values.may_have_part(run) }
}

/// A set of trigrams: bit `n % 8` of byte `n / 8` for the three classes, 6 bits each, the first highest.
#[derive(Clone, Debug, PartialEq)]
struct Trigrams {
    bits: Vec<u8>,
}

impl Trigrams {
    fn has(&self, three: &[u8]) -> bool {
        let number = three.iter().fold(0, |number, &byte| number << 6 | usize::from(CLASSES[usize::from(byte)]));
        self.bits[number / 8] >> (number % 8) & 1 == 1
    }
}

/// A set of whole values.
#[derive(Clone, Debug, PartialEq)]
struct ValueSet {
    /// Bytes of every value, or of the longest where there are trigrams; 0: not known.
    len: usize,
    seed: u64,
    segment_len: u32,
    segments_len: u32,
    /// Two in a byte, the first low, or one.
    fingerprints: Vec<u8>,
    is_wide: bool,
}

impl ValueSet {
    fn read(chunk: &mut ChunkIn<'_>, is_wide: bool) -> Result<Self, BlockError> {
        let len = chunk.head.at_most(VALUE_BYTES_MAX)? as usize;
        let seed = chunk.head.u64()?;
        let segment_len = chunk.head.at_most(1 << 18)? as u32;
        let segments_len = chunk.head.at_most(1 << 30)? as u32;
        let fingerprints = chunk.stream()?.into_owned();
        let places = u64::from(segments_len) + 2 * u64::from(segment_len);
        let fits = segment_len.is_power_of_two()
            && segments_len > 0
            && segments_len.is_multiple_of(segment_len)
            && fingerprints.len() as u64 == if is_wide { places } else { places.div_ceil(2) };
        if !fits {
            return damaged("a filter has a wrong length");
        }
        Ok(Self { len, seed, segment_len, segments_len, fingerprints, is_wide })
    }

    /// Whether some value may have this part.
    fn may_have_part(&self, folded: &[u8]) -> bool {
        match self.len {
            0 => true,
            len if folded.len() == len => self.may_have(folded),
            len => folded.len() < len,
        }
    }

    fn may_have(&self, folded: &[u8]) -> bool {
        let hash = mix(xxh3_64(folded).wrapping_add(self.seed));
        let first = ((u128::from(hash) * u128::from(self.segments_len)) >> 64) as u32;
        let mask = self.segment_len - 1;
        let second = (first + self.segment_len) ^ ((hash >> 18) as u32 & mask);
        let third = (first + 2 * self.segment_len) ^ (hash as u32 & mask);
        let at = |place: u32| match self.is_wide {
            true => self.fingerprints[place as usize],
            false => self.fingerprints[place as usize / 2] >> (4 * (place % 2)),
        };
        let difference = (hash ^ hash >> 32) as u8 ^ at(first) ^ at(second) ^ at(third);
        difference & if self.is_wide { 255 } else { 15 } == 0
    }
}

/// The finaliser of MurmurHash3.
fn mix(mut key: u64) -> u64 {
    key = (key ^ key >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    key = (key ^ key >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    key ^ key >> 33
}

/// The class of each byte of folded text. All digits are one class: texts with numbers have them all
/// soon, and their trigrams would fill the set. So are rare signs; bytes beyond ASCII share eight.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    let mut next = CLASS_SIGNS;
    while byte < 256 {
        let class = match byte as u8 {
            b'0'..=b'9' => CLASS_DIGITS,
            letter @ b'a'..=b'z' => CLASS_LETTERS + letter - b'a',
            letter @ b'A'..=b'Z' => CLASS_LETTERS + letter - b'A',
            0..=31 | 127 => CLASS_CONTROLS,
            b'!' | b'#' | b';' | b'^' | b'`' | b'~' => CLASS_RARE,
            beyond @ 128.. => CLASS_BEYOND + beyond % 8,
            _ => {
                next += 1;
                next - 1
            }
        };
        classes[byte] = class;
        byte += 1;
    }
    assert!(next == 64, "the classes are as many as six bits tell apart");
    classes
};

const CLASS_DIGITS: u8 = 0;
const CLASS_LETTERS: u8 = 1;
const CLASS_CONTROLS: u8 = 27;
const CLASS_RARE: u8 = 28;
const CLASS_BEYOND: u8 = 29;
/// The first of the other ASCII signs, in their order; the blank is the first of them.
const CLASS_SIGNS: u8 = 37;

/// Length of the set of trigrams in bytes: a bit for each three of 64 classes.
const TRIGRAMS_BYTES: usize = (1 << 18) / 8;
/// Bytes of the longest value whose length a filter tells.
const VALUE_BYTES_MAX: u64 = 1 << 17;

const HAS_TRIGRAMS: u8 = 1;
const HAS_VALUES: u8 = 2;
const WITHOUT_HEX: u8 = 4;
const WIDE_VALUES: u8 = 8;
