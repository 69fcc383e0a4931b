//! Membership filters: which words or trigrams a column surely does not have.
//!
//! A binary fuse filter with 8-bit fingerprints: 9 bits a key, one answer in 256 a false "maybe". It
//! covers, folded, each value's text and, where JSON escapes make it differ, the bytes it has in `raw`.

use xorf::BinaryFuse8;
use xxhash_rust::xxh3::xxh3_64;

use super::encoding::{ChunkIn, ChunkOut, Pack};
use super::error::damaged;
use super::wire::put_varint;
use super::{BlockError, Values};
use crate::event::Spelling;
use crate::event::fold;

/// A filter as it was read from its chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterReader {
    kind: Kind,
    seed: u64,
    segment_len: u32,
    segments_len: u32,
    fingerprints: Vec<u8>,
}

/// What the keys of a filter are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Folded words: maximal runs of letters, digits and `_`.
    Words = 0,
    /// Whole values.
    Values = 1,
    /// Three bytes side by side of folded text.
    Trigrams = 2,
}

impl FilterReader {
    /// Whether any value may contain this word. A word is a maximal run of letters, digits and `_`,
    /// here folded. False means that surely none does.
    pub fn may_contain_word(&self, folded: &str) -> bool {
        match self.kind {
            Kind::Words => self.may_have_hash(folded),
            Kind::Trigrams => self.may_contain_substring(folded.as_bytes()),
            Kind::Values => true,
        }
    }

    /// Whether any value may be this one, folded.
    pub fn may_contain_value(&self, folded: &str) -> bool {
        match self.kind {
            Kind::Values => self.may_have_hash(folded),
            Kind::Words => words(folded).all(|word| self.may_contain_word(word)),
            Kind::Trigrams => self.may_contain_substring(folded.as_bytes()),
        }
    }

    /// Whether any value, folded, may contain these bytes. Only a filter of trigrams can deny it.
    pub fn may_contain_substring(&self, folded: &[u8]) -> bool {
        self.kind != Kind::Trigrams || folded.windows(3).all(|bytes| self.may_have(trigram(bytes)))
    }

    /// How many bytes it takes in memory, about.
    pub fn memory_bytes(&self) -> usize {
        self.fingerprints.len()
    }

    /// Reads a filter from its chunk, whose checksum has been looked at.
    pub(super) fn read(mut chunk: ChunkIn<'_>) -> Result<Self, BlockError> {
        let kind = match chunk.head.byte()? {
            0 => Kind::Words,
            1 => Kind::Values,
            2 => Kind::Trigrams,
            _ => return damaged("a filter is of an unknown kind"),
        };
        let seed = chunk.head.u64()?;
        let segment_len = chunk.head.at_most(1 << 18)? as u32;
        let segments_len = chunk.head.at_most(1 << 30)? as u32;
        let fingerprints = chunk.stream()?.into_owned();
        chunk.end()?;
        let fits = segment_len.is_power_of_two()
            && segments_len > 0
            && segments_len.is_multiple_of(segment_len)
            && fingerprints.len() as u64 == u64::from(segments_len) + 2 * u64::from(segment_len);
        if !fits {
            return damaged("a filter has a wrong length");
        }
        Ok(Self { kind, seed, segment_len, segments_len, fingerprints })
    }

    fn may_have_hash(&self, folded: &str) -> bool {
        let key = xxh3_64(folded.as_bytes());
        key == 0 || self.may_have(key)
    }

    fn may_have(&self, key: u64) -> bool {
        let hash = mix(key.wrapping_add(self.seed));
        let first = ((u128::from(hash) * u128::from(self.segments_len)) >> 64) as u32;
        let mask = self.segment_len - 1;
        let second = (first + self.segment_len) ^ ((hash >> 18) as u32 & mask);
        let third = (first + 2 * self.segment_len) ^ (hash as u32 & mask);
        let at = |index: u32| self.fingerprints[index as usize];
        (hash ^ hash >> 32) as u8 == at(first) ^ at(second) ^ at(third)
    }
}

/// The finaliser of MurmurHash3.
fn mix(mut key: u64) -> u64 {
    key = (key ^ key >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    key = (key ^ key >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    key ^ key >> 33
}

fn trigram(bytes: &[u8]) -> u64 {
    u64::from(bytes[0]) << 16 | u64::from(bytes[1]) << 8 | u64::from(bytes[2])
}

/// The words of a folded text.
pub(super) fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !is_word(c)).filter(|word| !word.is_empty())
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Filters in the making; its memory is kept from column to column.
pub(super) struct FilterBuilder {
    keys: KeySet,
    /// One bit for each trigram.
    trigrams: Vec<u64>,
    folded: String,
    spelled: Vec<u8>,
}

/// The chunks of a column's filters: head and body each.
#[derive(Default)]
pub(super) struct Filters {
    pub(super) words: Option<(Vec<u8>, Vec<u8>)>,
    pub(super) trigrams: Option<(Vec<u8>, Vec<u8>)>,
}

impl FilterBuilder {
    pub(super) fn new() -> Self {
        Self { keys: KeySet::default(), trigrams: Vec::new(), folded: String::new(), spelled: Vec::new() }
    }

    /// The filters of values without a dictionary, which are written in `raw` in these spellings. None
    /// where reading the values costs no more than reading a filter, or where bounds tell.
    pub(super) fn filters(&mut self, values: &Values, spellings: &[Spelling]) -> Filters {
        if values.memory_bytes() < FILTER_VALUES_BYTES_MIN {
            return Filters::default();
        }
        self.keys.expect(values.memory_bytes());
        match values {
            Values::Templated(_) | Values::TimeTexts { .. } => Filters::default(),
            Values::Texts(texts) => {
                self.add_texts(texts, spellings);
                Filters { words: self.take_words(Kind::Words), trigrams: self.take_trigrams() }
            }
            Values::Hex { .. } | Values::Affixed { .. } => {
                self.add_each(values, Kind::Words);
                Filters { words: self.take_words(Kind::Words), trigrams: None }
            }
            Values::Ipv4(_) => {
                self.add_each(values, Kind::Values);
                Filters { words: self.take_words(Kind::Values), trigrams: None }
            }
            Values::Integers(_) | Values::Decimals { .. } | Values::Times { .. } => Filters::default(),
        }
    }

    fn add_texts(&mut self, texts: &super::Texts, spellings: &[Spelling]) {
        self.trigrams.resize(1 << 18, 0);
        let all = std::str::from_utf8(&texts.bytes).expect("the texts of a column are UTF-8");
        if all.is_ascii() {
            let mut folded = std::mem::take(&mut self.folded);
            folded.clear();
            folded.push_str(all);
            folded.make_ascii_lowercase();
            for i in 0..texts.len() {
                self.add_ascii(&folded.as_bytes()[texts.range(i)]);
            }
            self.folded = folded;
        } else {
            for i in 0..texts.len() {
                self.add_folded(&all[texts.range(i)]);
            }
        }
        for &spelling in spellings {
            if has_special(spelling, &texts.bytes) {
                (0..texts.len()).for_each(|i| self.add_spelled(&all[texts.range(i)], spelling));
            }
        }
    }

    /// Adds what a text has in `raw`, if that is not the text.
    fn add_spelled(&mut self, text: &str, spelling: Spelling) {
        if !has_special(spelling, text.as_bytes()) {
            return;
        }
        let mut spelled = std::mem::take(&mut self.spelled);
        spelled.clear();
        spelling.write(text, &mut spelled);
        if spelling != Spelling::JsonHtml && text.bytes().all(|byte| (0x20..0x80).contains(&byte)) {
            // Only `\` was put in, before what is in no word: the words are the same.
            spelled.make_ascii_lowercase();
            self.add_trigrams(&spelled);
        } else {
            self.add_folded(std::str::from_utf8(&spelled).expect("spellings of text are text"));
        }
        self.spelled = spelled;
    }

    fn add_folded(&mut self, text: &str) {
        let mut folded = std::mem::take(&mut self.folded);
        folded.clear();
        fold::fold_into(text, &mut folded);
        if folded.is_ascii() {
            self.add_ascii(folded.as_bytes());
        } else {
            words(&folded).for_each(|word| self.keys.add(xxh3_64(word.as_bytes())));
            self.add_trigrams(folded.as_bytes());
        }
        self.folded = folded;
    }

    fn add_ascii(&mut self, folded: &[u8]) {
        self.add_ascii_words(folded);
        self.add_trigrams(folded);
    }

    fn add_ascii_words(&mut self, folded: &[u8]) {
        let mut start = 0;
        for (at, &byte) in folded.iter().enumerate() {
            if !WORD_BYTES[usize::from(byte)] {
                if at > start {
                    self.keys.add(xxh3_64(&folded[start..at]));
                }
                start = at + 1;
            }
        }
        if folded.len() > start {
            self.keys.add(xxh3_64(&folded[start..]));
        }
    }

    fn add_trigrams(&mut self, folded: &[u8]) {
        let [first, second, rest @ ..] = folded else { return };
        let mut bits = u32::from(*first) << 8 | u32::from(*second);
        for &byte in rest {
            bits = (bits << 8 | u32::from(byte)) & 0xff_ffff;
            self.trigrams[(bits >> 6) as usize] |= 1 << (bits & 63);
        }
    }

    fn add_each(&mut self, values: &Values, kind: Kind) {
        let mut text = Vec::new();
        for i in 0..values.len() {
            text.clear();
            values.write_text(i, &mut text);
            if kind == Kind::Values {
                self.keys.add(xxh3_64(&text));
            } else if text.is_ascii() {
                text.make_ascii_lowercase();
                self.add_ascii_words(&text);
            } else {
                let folded = fold::fold(std::str::from_utf8(&text).expect("the texts of a column are UTF-8"));
                words(&folded).for_each(|word| self.keys.add(xxh3_64(word.as_bytes())));
            }
        }
    }

    fn take_words(&mut self, kind: Kind) -> Option<(Vec<u8>, Vec<u8>)> {
        let keys = self.keys.take();
        write(kind, &keys)
    }

    fn take_trigrams(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut keys = Vec::new();
        for (word, bits) in self.trigrams.iter_mut().enumerate() {
            let mut rest = std::mem::take(bits);
            while rest != 0 {
                keys.push((word as u64) << 6 | u64::from(rest.trailing_zeros()));
                rest &= rest - 1;
            }
        }
        write(Kind::Trigrams, &keys)
    }
}

fn write(kind: Kind, keys: &[u64]) -> Option<(Vec<u8>, Vec<u8>)> {
    if keys.is_empty() {
        return None;
    }
    let filter = BinaryFuse8::try_from(keys).ok()?;
    let mut out = ChunkOut::new(None);
    out.head.push(kind as u8);
    out.head.extend(filter.descriptor.seed.to_le_bytes());
    put_varint(&mut out.head, u64::from(filter.descriptor.segment_length));
    put_varint(&mut out.head, u64::from(filter.descriptor.segment_count_length));
    out.stream(&filter.fingerprints, Pack::Raw);
    Some((out.head, out.body))
}

/// A set of keys that are hashes already: each at the first free place from where its low bits point.
#[derive(Default)]
struct KeySet {
    /// Keys that still have to be looked for: many at a time, so that the waits for memory overlap.
    batch: Vec<u64>,
    /// A power of two of places, at most half of them taken; 0 is a free one.
    places: Vec<u64>,
    len: usize,
    /// Keys that came lately, where they are found without a walk through `places`.
    recent: Vec<u64>,
}

impl KeySet {
    /// Makes room for the keys of so many bytes of text.
    fn expect(&mut self, bytes: usize) {
        self.places.resize((bytes / BYTES_PER_PLACE).next_power_of_two().max(KEY_PLACES_MIN), 0);
        self.recent.resize(KEYS_RECENT, 0);
    }

    #[inline]
    fn add(&mut self, key: u64) {
        let recent = &mut self.recent[key as usize % KEYS_RECENT];
        if *recent == key {
            return;
        }
        *recent = key;
        self.batch.push(key);
        if self.batch.len() == BATCH_KEYS {
            self.insert_batch();
        }
    }

    fn insert_batch(&mut self) {
        while 2 * (self.len + self.batch.len()) > self.places.len() {
            self.grow();
        }
        let mask = self.places.len() - 1;
        for &key in &self.batch {
            let mut at = key as usize & mask;
            while self.places[at] != key && self.places[at] != 0 {
                at = (at + 1) & mask;
            }
            // The key 0 is left out here and in `FilterReader::may_have_hash`.
            self.len += usize::from(self.places[at] != key);
            self.places[at] = key;
        }
        self.batch.clear();
    }

    fn grow(&mut self) {
        let mask = 2 * self.places.len() - 1;
        let mut places = vec![0; mask + 1];
        for &key in self.places.iter().filter(|&&key| key != 0) {
            let mut at = key as usize & mask;
            while places[at] != 0 {
                at = (at + 1) & mask;
            }
            places[at] = key;
        }
        self.places = places;
    }

    /// The keys in ascending order, so that the same values always give the same filter.
    fn take(&mut self) -> Vec<u64> {
        self.insert_batch();
        let mut keys: Vec<u64> = self.places.iter().copied().filter(|&key| key != 0).collect();
        keys.sort_unstable();
        self.places.clear();
        self.recent.clear();
        self.len = 0;
        keys
    }
}

const WORD_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    table
};

/// Whether a spelling may write any of these bytes, or the character it belongs to, in another way.
fn has_special(spelling: Spelling, bytes: &[u8]) -> bool {
    if spelling == Spelling::Bare {
        return false;
    }
    let slash = matches!(spelling, Spelling::JsonSlash | Spelling::JsonAsciiSlash);
    let html = spelling == Spelling::JsonHtml;
    let beyond_ascii = html || matches!(spelling, Spelling::JsonAscii | Spelling::JsonAsciiSlash);
    // Without branches inside a piece, so that many bytes are looked at at once.
    bytes.chunks(1024).any(|piece| {
        piece.iter().fold(false, |found, &byte| {
            found
                | (byte < 0x20)
                | (byte == b'"')
                | (byte == b'\\')
                | (slash & (byte == b'/'))
                | (beyond_ascii & (byte >= 0x80))
                | (html & ((byte == b'<') | (byte == b'>') | (byte == b'&')))
        })
    })
}

/// Places of a new set of keys.
const KEY_PLACES_MIN: usize = 1 << 12;
/// Keys that are remembered as recent: what fits into the nearest cache.
const KEYS_RECENT: usize = 1 << 12;
/// Keys that are looked for together.
const BATCH_KEYS: usize = 256;
/// Text for which a new set has a place, in bytes.
const BYTES_PER_PLACE: usize = 32;
/// Memory of a column's values from which on it has filters, in bytes.
const FILTER_VALUES_BYTES_MIN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::super::Texts;
    use super::super::testing::Rng;
    use super::*;

    fn reader(part: Option<(Vec<u8>, Vec<u8>)>) -> FilterReader {
        let (head, body) = part.expect("there is a filter");
        FilterReader::read(ChunkIn::new(&head, &body)).unwrap()
    }

    #[test]
    fn a_filter_denies_nothing_that_is_there_and_most_that_is_not() {
        let mut rng = Rng(17);
        let mut texts = Texts::default();
        let mut all = Vec::new();
        for i in 0..3000 {
            let text = format!("Straße {:x} KELVIN \u{212a}{i} say \"a/b\"\t{}", rng.next(), rng.below(9));
            texts.push(text.as_bytes());
            all.push(text);
        }
        let spellings = [Spelling::JsonAsciiSlash, Spelling::Bare];
        let filters = FilterBuilder::new().filters(&Values::Texts(texts), &spellings);
        let (word_filter, trigrams) = (reader(filters.words), reader(filters.trigrams));
        for text in &all {
            let mut spelled = Vec::new();
            Spelling::JsonAsciiSlash.write(text, &mut spelled);
            for text in [text, std::str::from_utf8(&spelled).unwrap()] {
                let folded = fold::fold(text);
                assert!(words(&folded).all(|word| word_filter.may_contain_word(word)), "{text}");
                assert!(word_filter.may_contain_value(&folded));
                assert!(trigrams.may_contain_substring(folded.as_bytes()));
            }
        }
        let false_maybes =
            (0..10_000).filter(|_| word_filter.may_contain_word(&format!("absent{:x}", rng.next()))).count();
        assert!(false_maybes < 100, "{false_maybes} in 10000");
        assert!(!trigrams.may_contain_substring(b"zqxjk"));
    }
}
