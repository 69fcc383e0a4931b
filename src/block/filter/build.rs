//! Makes the filters of columns.
//!
//! Each text costs about a nanosecond a byte. Of texts stored as templates, literals and variables are
//! looked at once each, with the two bytes that stand on either side of them: no trigram is longer.

use xorf::BinaryFuse8;
use xxhash_rust::xxh3::xxh3_64;

use super::{CLASSES, HAS_TRIGRAMS, HAS_VALUES, TRIGRAMS_BYTES, VALUE_BYTES_MAX, WIDE_VALUES, WITHOUT_HEX};
use crate::block::encoding::{ChunkOut, Compressor, Pack};
use crate::block::wire::put_varint;
use crate::block::{Slot, Template, Texts, Values};
use crate::event::{Spelling, fold};

/// Filters in the making; its memory is kept from column to column.
pub(in crate::block) struct FilterBuilder {
    trigrams: TrigramSet,
    /// Hashes of whole values, in any order, perhaps repeated.
    values: Vec<u64>,
    /// Length of the shortest and of the longest.
    value_lens: (usize, usize),
    without_hex: bool,
    /// Whether some value that trigrams leave out cannot be told from what stands beside it.
    values_blur: bool,
    spelled: Vec<u8>,
    text: Vec<u8>,
}

impl FilterBuilder {
    pub(in crate::block) fn new() -> Self {
        Self {
            trigrams: TrigramSet { bits: Vec::new(), folded: String::new() },
            values: Vec::new(),
            value_lens: NO_VALUES,
            without_hex: false,
            values_blur: false,
            spelled: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Head and body of the filter of a column's entries, which are written in `raw` in these spellings
    /// and take so many bytes as they are stored. None where reading the values costs little more than
    /// reading a filter, or where bounds tell.
    pub(in crate::block) fn filter(
        &mut self,
        values: &Values,
        spellings: &[Spelling],
        stored_bytes: usize,
        compressor: &mut Compressor,
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        if stored_bytes < FILTERED_BYTES_MIN || values.memory_bytes() < FILTERED_VALUES_BYTES_MIN {
            return None;
        }
        let filter = self.build(values, spellings, compressor);
        let worth = |body: &[u8]| trigrams_tell(values) || body.len() * STORED_BY_FILTER_MIN < stored_bytes;
        filter.filter(|(_, body)| worth(body))
    }

    fn build(
        &mut self,
        values: &Values,
        spellings: &[Spelling],
        compressor: &mut Compressor,
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        (self.without_hex, self.values_blur, self.value_lens) = (false, false, NO_VALUES);
        self.values.clear();
        self.trigrams.clear();
        match values {
            Values::Texts(texts) => self.add_texts(texts, spellings),
            Values::Templated(texts) => {
                texts.templates.iter().for_each(|template| self.add_template(template, spellings));
            }
            Values::Hex { width, .. } if *width < HEX_BYTES_MIN => return None,
            Values::Affixed { prefix, suffix, .. } => {
                let special = |own: Spelling| [prefix, suffix].iter().any(|affix| has_special(own, affix.as_bytes()));
                if spellings.iter().any(|&own| special(own)) {
                    return None;
                }
                self.add_values(values);
            }
            Values::Hex { .. } | Values::Ipv4(_) => self.add_values(values),
            Values::Integers(_) | Values::Decimals { .. } | Values::Times { .. } | Values::TimeTexts { .. } => {
                return None;
            }
        }
        let are_ids = matches!(values, Values::Hex { width, .. } if *width >= ID_BYTES_MIN);
        self.write(trigrams_tell(values), are_ids, compressor)
    }

    fn add_texts(&mut self, texts: &Texts, spellings: &[Spelling]) {
        texts.iter().for_each(|text| self.trigrams.add(text));
        for &spelling in spellings {
            if has_special(spelling, &texts.bytes) {
                texts.iter().for_each(|text| self.add_spelled(text, spelling));
            }
        }
    }

    /// Adds what a text has in `raw`, if that is not the text.
    fn add_spelled(&mut self, text: &[u8], spelling: Spelling) {
        if has_special(spelling, text) {
            self.spelled.clear();
            spelling.write(text_of(text), &mut self.spelled);
            self.trigrams.add(&self.spelled);
        }
    }

    /// Adds whole values, folded.
    fn add_values(&mut self, values: &Values) {
        let mut text = std::mem::take(&mut self.text);
        for entry in 0..values.len() {
            text.clear();
            values.write_text(entry, &mut text);
            if text.is_ascii() {
                text.make_ascii_lowercase();
            } else {
                text = fold::fold(text_of(&text)).into_owned().into_bytes();
            }
            self.values.push(xxh3_64(&text));
            self.value_lens = (self.value_lens.0.min(text.len()), self.value_lens.1.max(text.len()));
        }
        self.text = text;
    }

    fn add_template(&mut self, template: &Template, spellings: &[Spelling]) {
        if template.entries.is_empty() {
            return;
        }
        let literals = literals_with_affixes(template);
        let inner = literals.get(1..literals.len() - 1).unwrap_or_default();
        let plain = literals.iter().all(|literal| literal.is_ascii())
            && inner.iter().all(|literal| !literal.is_empty())
            && template.slots.iter().all(|slot| is_plain(&slot.values));
        if plain {
            self.add_apart(template, &literals);
        } else {
            self.each_text(template, |builder, text| builder.trigrams.add(text));
        }
        for &spelling in spellings {
            let special = literals.iter().any(|literal| has_special(spelling, literal))
                || template.slots.iter().any(|slot| values_have_special(spelling, &slot.values));
            if special {
                self.each_text(template, |builder, text| builder.add_spelled(text, spelling));
            }
        }
    }

    /// Calls `add` for each text of a template, put together.
    fn each_text(&mut self, template: &Template, mut add: impl FnMut(&mut Self, &[u8])) {
        let mut text = std::mem::take(&mut self.text);
        for rank in 0..template.entries.len() {
            text.clear();
            template.write_text(rank, &mut text);
            add(self, &text);
        }
        self.text = text;
    }

    /// Adds literals and variables one by one. No literal between two variables is empty, nor is a value,
    /// so that a trigram lies within two bytes of one of them or is one byte between two variables.
    fn add_apart(&mut self, template: &Template, literals: &[Vec<u8>]) {
        literals.iter().for_each(|literal| self.trigrams.add(literal));
        let mut last_before = 0;
        for (at, slot) in template.slots.iter().enumerate() {
            let (left, right) = (&literals[at], &literals[at + 1]);
            let edges = self.add_slot(slot, &left[left.len().saturating_sub(2)..], &right[..right.len().min(2)]);
            if let (Some(before), [between]) = (at.checked_sub(1), left.as_slice()) {
                let slots = [&template.slots[before], slot];
                self.add_between(slots, (last_before, edges.0), *between);
            }
            last_before = edges.1;
        }
    }

    /// Adds a variable's values between two literals' ends. Gives the classes of their first and last
    /// bytes, as sets.
    fn add_slot(&mut self, slot: &Slot, left: &[u8], right: &[u8]) -> (u64, u64) {
        let mut local = Local { trigrams: &mut self.trigrams, left, right, text: Vec::new(), first: 0, last: 0 };
        match &slot.values {
            Values::Texts(texts) => texts.iter().for_each(|text| local.add(text)),
            Values::Integers(values) => {
                local.add_numbers(values.iter().map(|&value| (value < 0, value.unsigned_abs())), 0)
            }
            Values::Affixed { values, digits, .. } => {
                local.add_numbers(values.iter().map(|&value| (false, value)), usize::from(*digits));
            }
            Values::Decimals { values, scale } => local.add_decimals(values, u32::from(*scale)),
            Values::Ipv4(values) => local.add_addresses(values),
            Values::Hex { bytes, width, hyphens, .. } => local.add_hex(bytes, usize::from(*width), *hyphens),
            // All times of most forms have their digits at the same places.
            values @ (Values::Times { .. } | Values::TimeTexts { .. }) => {
                let alike = !matches!(values, Values::TimeTexts { pattern, .. } if !pattern.has_one_length());
                let mut text = Vec::new();
                for entry in 0..if alike { 1 } else { values.len() } {
                    text.clear();
                    values.write_text(entry, &mut text);
                    local.add(&text);
                }
            }
            Values::Templated(_) => unreachable!("templates do not nest"),
        }
        let edges = (local.first, local.last);
        if let Values::Hex { hyphens, .. } = &slot.values {
            self.without_hex = true;
            let alone = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_hexdigit);
            self.values_blur |= *hyphens || !alone(left.last()) || !alone(right.first());
            if !self.values_blur {
                self.add_values(&slot.values);
            }
        }
        edges
    }

    /// Adds the trigrams of one byte between two variables.
    fn add_between(&mut self, slots: [&Slot; 2], edges: (u64, u64), between: u8) {
        if edges.0.count_ones() * edges.1.count_ones() > BETWEEN_PRODUCT_MAX
            && let [Values::Texts(before), Values::Texts(behind)] = slots.map(|slot| &slot.values)
        {
            for rank in 0..slots[0].len() {
                let last = before.get(slots[0].entry_of(rank)).last();
                let first = behind.get(slots[1].entry_of(rank)).first();
                self.trigrams.add(&[last.copied().unwrap_or_default(), between, first.copied().unwrap_or_default()]);
            }
            return;
        }
        let classes = |set: u64| (0..64).filter(move |class| set >> class & 1 == 1);
        for last in classes(edges.0) {
            for first in classes(edges.1) {
                self.trigrams.insert(last << 12 | u32::from(CLASSES[usize::from(between)]) << 6 | first);
            }
        }
    }

    fn write(&mut self, has_trigrams: bool, are_ids: bool, compressor: &mut Compressor) -> Option<(Vec<u8>, Vec<u8>)> {
        let values = if has_trigrams && self.values_blur { None } else { self.take_values() };
        if !has_trigrams && values.is_none() {
            return None;
        }
        let mut out = ChunkOut::new(Some(compressor));
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = flag(has_trigrams, HAS_TRIGRAMS) | flag(values.is_some(), HAS_VALUES);
        out.head.push(flags | flag(self.without_hex, WITHOUT_HEX) | flag(are_ids, WIDE_VALUES));
        if has_trigrams {
            let bits: Vec<u8> = self.trigrams.bits.iter().flat_map(|word| word.to_le_bytes()).collect();
            out.stream(&bits, Pack::Text);
        }
        if let Some(filter) = values {
            let (shortest, longest) = self.value_lens;
            let known = (has_trigrams || shortest == longest) && longest as u64 <= VALUE_BYTES_MAX;
            put_varint(&mut out.head, if known { longest as u64 } else { 0 });
            out.head.extend(filter.descriptor.seed.to_le_bytes());
            put_varint(&mut out.head, u64::from(filter.descriptor.segment_length));
            put_varint(&mut out.head, u64::from(filter.descriptor.segment_count_length));
            let pairs = filter.fingerprints.chunks(2);
            let packed = pairs.map(|pair| pair[0] & 15 | pair.get(1).map_or(0, |second| second << 4));
            match are_ids {
                true => out.stream(&filter.fingerprints, Pack::Raw),
                false => out.stream(&packed.collect::<Vec<u8>>(), Pack::Raw),
            }
        }
        Some((out.head, out.body))
    }

    /// A filter of the values. They are sorted, so that the same values always give the same filter.
    fn take_values(&mut self) -> Option<BinaryFuse8> {
        self.values.sort_unstable();
        self.values.dedup();
        if self.values.len() < VALUES_MIN { None } else { BinaryFuse8::try_from(self.values.as_slice()).ok() }
    }
}

/// Whether values have a filter of trigrams.
fn trigrams_tell(values: &Values) -> bool {
    matches!(values, Values::Texts(_) | Values::Templated(_))
}

/// A template's literals, each with what stands around the numbers beside it.
fn literals_with_affixes(template: &Template) -> Vec<Vec<u8>> {
    let mut literals: Vec<Vec<u8>> = template.literals.iter().map(<[u8]>::to_vec).collect();
    for (at, slot) in template.slots.iter().enumerate() {
        if let Values::Affixed { prefix, suffix, .. } = &slot.values {
            literals[at].extend_from_slice(prefix.as_bytes());
            literals[at + 1].splice(0..0, suffix.bytes());
        }
    }
    literals
}

/// Whether all these values are ASCII and none is empty.
fn is_plain(values: &Values) -> bool {
    match values {
        Values::Texts(texts) => texts.bytes.is_ascii() && (0..texts.len()).all(|i| !texts.range(i).is_empty()),
        Values::TimeTexts { pattern, .. } => {
            let parts = pattern.0.len() > pattern.literals().count();
            parts && pattern.literals().all(str::is_ascii)
        }
        _ => !values.is_empty(),
    }
}

/// Whether a spelling may write any of a variable's values in another way: its affixes aside.
fn values_have_special(spelling: Spelling, values: &Values) -> bool {
    match values {
        Values::Texts(texts) => has_special(spelling, &texts.bytes),
        Values::TimeTexts { pattern, .. } => {
            pattern.literals().any(|literal| has_special(spelling, literal.as_bytes()))
        }
        _ => false,
    }
}

fn text_of(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("the texts of a column are UTF-8")
}

/// Values between the ends of two literals.
struct Local<'a> {
    trigrams: &'a mut TrigramSet,
    left: &'a [u8],
    right: &'a [u8],
    text: Vec<u8>,
    /// Classes of first and last bytes.
    first: u64,
    last: u64,
}

impl Local<'_> {
    /// Adds a value that is not empty.
    fn add(&mut self, value: &[u8]) {
        self.add_edge(Some(value), Some(value));
    }

    /// Adds where a value begins and where it ends, as far as they matter.
    fn add_edge(&mut self, front: Option<&[u8]>, back: Option<&[u8]>) {
        let whole = front == back;
        self.text.clear();
        if let Some(front) = front {
            self.first |= 1 << CLASSES[usize::from(front[0])];
            self.text.extend_from_slice(self.left);
            self.text.extend_from_slice(front);
        }
        if let Some(back) = back {
            self.last |= 1 << CLASSES[usize::from(back[back.len() - 1])];
            if !whole {
                self.text.extend_from_slice(back);
            }
            self.text.extend_from_slice(self.right);
        }
        self.trigrams.add_folded(&self.text);
    }

    /// Adds numbers with so many digits at least: their signs and how many digits they have, as far as
    /// trigrams tell them apart.
    fn add_numbers(&mut self, numbers: impl Iterator<Item = (bool, u64)>, digits: usize) {
        let mut seen = [[false; 4]; 2];
        for (negative, value) in numbers {
            let digits = digits_of(value).max(digits).min(3);
            if !std::mem::replace(&mut seen[usize::from(negative)][digits], true) {
                self.add(if negative { &b"-000"[..=digits] } else { &b"000"[..digits] });
            }
        }
    }

    fn add_decimals(&mut self, values: &[i64], scale: u32) {
        let mut seen = [[false; 4]; 2];
        for value in values {
            let whole = value.unsigned_abs() / 10u64.checked_pow(scale).unwrap_or(u64::MAX);
            let digits = digits_of(whole).min(3);
            if !std::mem::replace(&mut seen[usize::from(*value < 0)][digits], true) {
                let mut text = if *value < 0 { b"-".to_vec() } else { Vec::new() };
                text.resize(text.len() + digits, b'0');
                text.push(b'.');
                text.resize(text.len() + scale as usize, b'0');
                self.add(&text);
            }
        }
    }

    fn add_addresses(&mut self, values: &[u32]) {
        let mut seen = [false; 256];
        for value in values {
            let digits = value.to_be_bytes().map(|byte| 1 + usize::from(byte > 9) + usize::from(byte > 99));
            let key = digits.iter().fold(0, |key, digits| key << 2 | digits);
            if !std::mem::replace(&mut seen[key], true) {
                let text = digits.map(|digits| vec![b'0'; digits]).join(&b'.');
                self.add(&text);
            }
        }
    }

    /// Adds the two digits at either end of each, and all that may stand around hyphens; digits between
    /// are left out.
    fn add_hex(&mut self, bytes: &[u8], width: usize, hyphens: bool) {
        let classes = b"0abcdef";
        for (a, b) in classes.iter().flat_map(|a| classes.iter().map(move |b| (*a, *b))).filter(|_| hyphens) {
            [[a, b, b'-'], [a, b'-', b], [b'-', a, b]].iter().for_each(|three| self.trigrams.add_folded(three));
        }
        let digits =
            |byte: u8| [b"0123456789abcdef"[usize::from(byte >> 4)], b"0123456789abcdef"[usize::from(byte & 15)]];
        let (mut first, mut last) = ([false; 256], [false; 256]);
        for value in bytes.chunks_exact(width) {
            if !std::mem::replace(&mut first[usize::from(value[0])], true) {
                let front = digits(value[0]);
                if width == 1 {
                    self.add(&front);
                    continue;
                }
                self.add_edge(Some(&front), None);
            }
            let back = value[width - 1];
            if width > 1 && !std::mem::replace(&mut last[usize::from(back)], true) {
                self.add_edge(None, Some(&digits(back)));
            }
        }
    }
}

fn digits_of(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// A set of trigrams.
struct TrigramSet {
    /// A bit for each, by its classes.
    bits: Vec<u64>,
    folded: String,
}

impl TrigramSet {
    fn clear(&mut self) {
        self.bits.clear();
        self.bits.resize(TRIGRAMS_BYTES / 8, 0);
    }

    fn insert(&mut self, number: u32) {
        self.bits[(number >> 6) as usize] |= 1 << (number & 63);
    }

    /// Adds a text, folded.
    fn add(&mut self, text: &[u8]) {
        if text.is_ascii() {
            self.add_folded(text);
            return;
        }
        let mut folded = std::mem::take(&mut self.folded);
        folded.clear();
        fold::fold_into(text_of(text), &mut folded);
        self.add_folded(folded.as_bytes());
        self.folded = folded;
    }

    /// Adds text that is folded but for the case of ASCII.
    fn add_folded(&mut self, text: &[u8]) {
        let [first, second, rest @ ..] = text else { return };
        let class = |byte: u8| u32::from(CLASSES[usize::from(byte)]);
        let mut number = class(*first) << 6 | class(*second);
        for &byte in rest {
            number = (number << 6 | class(byte)) & 0x3_ffff;
            self.bits[(number >> 6) as usize] |= 1 << (number & 63);
        }
    }
}
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

/// Bytes of a hexadecimal value from which on it is asked for as a whole.
const HEX_BYTES_MIN: u16 = 4;
/// Bytes of a hexadecimal value from which on it is the id of one thing.
const ID_BYTES_MIN: u16 = 8;
/// Trigrams between two variables up to which all that their edges could give are added: more are
/// taken from the rows.
const BETWEEN_PRODUCT_MAX: u32 = 256;
/// Bytes of a column as it is stored, and in memory, from which on it has a filter: reading less costs no
/// more than reading the filter.
const FILTERED_BYTES_MIN: usize = 32 << 10;
const FILTERED_VALUES_BYTES_MIN: usize = 64 << 10;
/// How many times as large as a filter of values a column must be.
const STORED_BY_FILTER_MIN: usize = 4;
/// Lengths of the shortest and the longest of no values.
const NO_VALUES: (usize, usize) = (usize::MAX, 0);
/// Fewer values than this have no filter: its smallest form would be larger than they are.
const VALUES_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::FilterReader;
    use super::*;
    use crate::block::Templated;
    use crate::block::encoding::ChunkIn;
    use crate::block::random::{Rng, random_texts, random_values};
    use crate::event::fold::fold;

    fn filter(values: &Values, spellings: &[Spelling]) -> Option<FilterReader> {
        let (head, body) = FilterBuilder::new().build(values, spellings, &mut Compressor::new(1, 1))?;
        Some(FilterReader::read(ChunkIn::new(&head, &body)).unwrap())
    }

    /// Asserts that a filter denies no part of what the values are, or are spelled as.
    fn check(values: &Values, spellings: &[Spelling]) {
        let Some(filter) = filter(values, spellings) else { return };
        let mut text = Vec::new();
        for entry in 0..values.len() {
            let text = values.text(entry, &mut text);
            assert!(filter.may_contain_value(&fold(text)), "{text:?} of {values:?}");
            for spelling in [Spelling::Bare].iter().chain(spellings) {
                let mut spelled = Vec::new();
                spelling.write(text, &mut spelled);
                let spelled = fold(text_of(&spelled)).into_owned();
                for len in (1..40).filter(|&len| len <= spelled.len()) {
                    for part in spelled.as_bytes().windows(len) {
                        let shown = String::from_utf8_lossy(part);
                        assert!(filter.may_contain_substring(part), "{shown:?} of {spelled:?} in {values:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_filter_denies_nothing_that_is_there() {
        let mut rng = Rng(0x5eed_0003);
        let spellings = [Spelling::JsonAsciiSlash, Spelling::Json, Spelling::JsonHtml];
        for round in 0..2000 {
            let spellings = if round % 2 == 0 { &spellings[..round % 4] } else { &[] };
            check(&Values::Templated(random_texts(&mut rng)), spellings);
            let many = 1 + rng.below(200);
            check(&random_values(&mut rng, many), spellings);
        }
    }

    fn hex_ids(rng: &mut Rng, count: usize) -> Values {
        Values::Hex {
            bytes: (0..16 * count).map(|_| rng.below(256) as u8).collect(),
            width: 16,
            upper: false,
            hyphens: false,
        }
    }

    #[test]
    fn an_absent_id_is_taken_for_present_about_once_in_256_times() {
        let mut rng = Rng(0x5eed_0011);
        let filter = filter(&hex_ids(&mut rng, 2000), &[]).unwrap();
        let others = hex_ids(&mut rng, 20_000);
        let mut text = Vec::new();
        let taken = (0..others.len()).filter(|&id| filter.may_contain_value(others.text(id, &mut text))).count();
        assert!((40..120).contains(&taken), "{taken} of 20,000, where 78 are expected");
    }

    fn one_template(literals: [&str; 2], values: Values) -> Templated {
        let mut own = Texts::default();
        literals.iter().for_each(|literal| own.push(literal.as_bytes()));
        let entries: Vec<u32> = (0..values.len() as u32).collect();
        let template = Template { literals: own, slots: vec![Slot { codes: None, values }], entries: entries.clone() };
        Templated { template_of: vec![0; entries.len()], rank: entries, templates: vec![template] }
    }

    #[test]
    fn ids_in_texts_are_told_apart_as_a_whole_and_never_lost_in_part() {
        let mut rng = Rng(0x5eed_0004);
        let ids = hex_ids(&mut rng, 300);
        let absent = hex_ids(&mut rng, 300);
        let mut text = Vec::new();
        for (literals, tells) in [(["trace=", " done"], true), ([" ", ""], true), (["a", " done"], false)] {
            let texts = Values::Templated(one_template(literals, ids.clone()));
            check(&texts, &[Spelling::Json]);
            let filter = filter(&texts, &[]).unwrap();
            let may = |part: String| filter.may_contain_substring(part.as_bytes());
            let maybe = (0..300).filter(|&i| may(absent.text(i, &mut text).to_owned())).count();
            assert_eq!(maybe < 60, tells, "{maybe} of 300 with {literals:?}");
            let longer = (0..300).filter(|&i| may(format!("{}0", absent.text(i, &mut text)))).count();
            assert_eq!(longer == 0, tells);
            assert!(may(absent.text(0, &mut text)[..31].to_owned()), "a part of an id may be anywhere");
        }
    }

    #[test]
    fn most_that_is_not_there_is_denied() {
        let mut rng = Rng(0x5eed_0005);
        let mut texts = Texts::default();
        (0..3000).for_each(|i| texts.push(format!("user u{:06} took {} ms from /api/v1", i * 7, i % 90).as_bytes()));
        let filter_of_texts = filter(&Values::Texts(texts), &[Spelling::Json]).unwrap();
        for absent in ["zqxjk", "tooo", "from/", "us er", "u000.", "7  ms"] {
            assert!(!filter_of_texts.may_contain_substring(absent.as_bytes()), "{absent}");
        }
        for ids in [hex_ids(&mut rng, 1000), Values::Ipv4((0..1000).map(|i| 0x0a00_0000 + i * 77).collect())] {
            let filter = filter(&ids, &[]).unwrap();
            let maybe = (0..1000).filter(|i| filter.may_contain_value(&format!("absent {i}"))).count();
            assert!(maybe < 120, "{maybe} in 1000");
        }
        assert!(filter(&Values::Integers((0..1000).collect()), &[]).is_none(), "bounds tell");
    }

    /// The trigrams of templates are no more than those of their texts, but for ids.
    #[test]
    fn templates_have_the_trigrams_of_their_texts() {
        let mut texts = Texts::default();
        let mut slot = Texts::default();
        for i in 0..500u32 {
            let name = ["alpha", "be", "c", "delta9"][i as usize % 4];
            slot.push(name.as_bytes());
            texts.push(format!("user {name} of").as_bytes());
        }
        let templates = one_template(["user ", " of"], Values::Texts(slot));
        assert_eq!(filter(&Values::Templated(templates), &[]), filter(&Values::Texts(texts), &[]));
    }
}
