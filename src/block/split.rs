//! Finds the templates of a column's texts and takes the texts apart.
//!
//! Words that look like numbers, addresses or ids are variables; so are words in which texts differ that
//! are alike otherwise. What is rare is kept whole, as the only variable of an empty template. Follows
//! the ideas of CLP (Rodrigues et al., OSDI 2021) and of LogShrink (Li et al., ICSE 2024): templates need
//! not be those of the program that wrote the log, only to bring like to like.

mod patterns;
mod tokens;

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::column_builder::ColumnBuilder;
use super::encoding::{templates, values};
use super::time_form::{Civil, civil};
use super::{Column, Slot, Template, Templated, Texts, TimePart, TimePattern, TimePiece, Values};
use crate::event::PathId;
use patterns::{Found, Key, VARIABLE, patterns};

/// What else is known of the rows whose texts are taken apart.
#[derive(Clone, Copy, Default)]
pub(super) struct Rows<'a> {
    /// The time of each text's row.
    pub(super) times: Option<&'a [i64]>,
    /// The row of each text; `None`: text `i` is that of row `i`.
    pub(super) row_of: Option<&'a [u32]>,
    /// Columns whose values the texts may repeat; none if there is no one row to each text.
    pub(super) columns: &'a [(PathId, &'a Column)],
}

/// Texts taken apart.
pub(super) struct Split {
    pub(super) texts: Templated,
    pub(super) references: References,
    /// The columns that are repeated.
    pub(super) refers: Vec<PathId>,
}

/// Variables that only repeat the row's value in another column, by template and slot: which of the
/// columns it is.
pub(super) type References = BTreeMap<(u32, u32), u32>;

/// The texts taken apart; `None` if that promises nothing. Costs some 10 ns a byte.
pub(super) fn split(texts: &Texts, rows: &Rows<'_>) -> Option<Split> {
    if texts.len() < TEXTS_MIN || texts.bytes.len() < BYTES_MIN {
        return None;
    }
    let repeats = Repeats::of(texts, rows);
    let mut trial = Trial::new(texts, Words { quoted: false, repeats });
    if trial.kept_whole() > texts.len() / QUOTED_SHARE {
        let quoted = Trial::new(texts, Words { quoted: true, repeats });
        if quoted.kept_whole() < trial.kept_whole() / 2 {
            trial = quoted;
        }
    }
    if trial.kept_whole() > texts.len() / 4 * KEPT_QUARTERS_MAX {
        return None;
    }
    let Trial { keys, found, template_of } = trial;
    let slots_of = |&template: &u32| found.slots.get(template as usize).map_or(1, |&slots| slots as usize);
    let in_bounds = template_of.iter().map(slots_of).sum::<usize>() <= templates::SLOT_VALUES_MAX / 2
        && found.slots.iter().map(|&slots| slots as usize).sum::<usize>() < templates::SLOTS_MAX;
    if !in_bounds {
        return None;
    }
    let values = keys.values(texts, &template_of, &found);
    Some(Taker { texts, rows, templates: Vec::new(), references: References::new(), refers: Vec::new() }.take_all(
        template_of,
        &found.patterns,
        values,
    ))
}

/// What of a text is a word.
#[derive(Clone, Copy)]
struct Words<'a> {
    /// Whether what is quoted is one word.
    quoted: bool,
    /// Whose values are words wherever they stand in the text of their row.
    repeats: Option<Repeats<'a>>,
}

/// The templates that one way of telling words finds.
struct Trial {
    keys: KeySet,
    found: Found,
    /// The template of each text; the number of templates if it is kept whole.
    template_of: Vec<u32>,
}

impl Trial {
    fn new(texts: &Texts, words: Words<'_>) -> Self {
        let keys = KeySet::of(texts, words);
        let counted: Vec<Key<'_>> = keys.texts.iter().zip(&keys.rows).map(|(text, &rows)| Key { text, rows }).collect();
        let found = patterns(&counted, TEMPLATES_MAX);
        let whole = found.patterns.len() as u32;
        let template = |&key: &u32| if key == NONE { whole } else { found.template_of[key as usize].unwrap_or(whole) };
        let template_of = keys.of_text.iter().map(template).collect();
        Self { keys, found, template_of }
    }

    fn kept_whole(&self) -> usize {
        let whole = self.found.patterns.len() as u32;
        self.template_of.iter().filter(|&&template| template == whole).count()
    }
}

/// The texts with their variables taken out, each once.
#[derive(Default)]
struct KeySet {
    texts: Texts,
    /// How many texts have each key.
    rows: Vec<u32>,
    /// The key of each text; [`NONE`] if it is kept whole.
    of_text: Vec<u32>,
    /// Start and end of each variable of each text, in the bytes of all texts.
    spans: Vec<(u32, u32)>,
    /// Where in `spans` those of each text end.
    span_ends: Vec<u32>,
}

impl KeySet {
    fn of(texts: &Texts, words: Words<'_>) -> Self {
        let mut keys = Self::default();
        let mut spans = Vec::new();
        let mut index: HashTable<u32> = HashTable::new();
        let hasher = FixedState::default();
        let mut scratch = Vec::new();
        for number in 0..texts.len() {
            let range = texts.range(number);
            let text = &texts.bytes[range.clone()];
            spans.clear();
            if let Some(repeats) = words.repeats {
                repeats.find(number as u32, text, &mut spans);
            }
            let has_key = keys.write_key(text, range.start as u32, words.quoted, &spans, &mut scratch);
            keys.span_ends.push(keys.spans.len() as u32);
            if !has_key {
                keys.of_text.push(NONE);
                continue;
            }
            let hash = hasher.hash_one(scratch.as_slice());
            let known = index.find(hash, |&key| keys.texts.get(key as usize) == scratch).copied();
            let key = known.unwrap_or_else(|| {
                let key = keys.texts.len() as u32;
                keys.texts.push(&scratch);
                keys.rows.push(0);
                let own = &keys.texts;
                index.insert_unique(hash, key, |&other| hasher.hash_one(own.get(other as usize)));
                key
            });
            keys.rows[key as usize] += 1;
            keys.of_text.push(key);
        }
        keys
    }

    /// Puts the key of a text, which lies at `base` of all texts, into `key`, and adds the spans of its
    /// variables, of which `known` are some; `false` if the text cannot have one.
    fn write_key(&mut self, text: &[u8], base: u32, quoted: bool, known: &[(u32, u32)], key: &mut Vec<u8>) -> bool {
        key.clear();
        if text.len() > TEXT_BYTES_MAX || memchr::memchr(VARIABLE, text).is_some() {
            return false;
        }
        let before = self.spans.len();
        let mut copied = 0;
        let mut push = |start: usize, end: usize| {
            key.extend_from_slice(&text[copied..start]);
            key.push(VARIABLE);
            copied = end;
            self.spans.push((base + start as u32, base + end as u32));
        };
        let mut from = 0;
        for &(start, end) in known {
            let (start, end) = (start as usize, end as usize);
            tokens::for_each_variable(&text[from..start], quoted, |first, last| push(from + first, from + last));
            push(start, end);
            from = end;
        }
        tokens::for_each_variable(&text[from..], quoted, |first, last| push(from + first, from + last));
        key.extend_from_slice(&text[copied..]);
        if self.spans.len() - before > SLOTS_MAX {
            self.spans.truncate(before);
            return false;
        }
        true
    }

    /// The values of each variable of each template, in the order of the texts.
    fn values(&self, texts: &Texts, template_of: &[u32], found: &Found) -> Vec<Vec<Texts>> {
        let mut values: Vec<Vec<Texts>> =
            found.slots.iter().map(|&slots| vec![Texts::default(); slots as usize]).collect();
        let mut first = 0;
        for (number, (&key, &end)) in self.of_text.iter().zip(&self.span_ends).enumerate() {
            let spans = &self.spans[first as usize..end as usize];
            first = end;
            let Some(values) = values.get_mut(template_of[number] as usize) else { continue };
            let start = texts.range(number).start;
            let (mut shift, mut passed) = (start as isize, 0);
            for (place, values) in found.places[key as usize].iter().zip(values) {
                for &(start, end) in &spans[passed..place.variables_before as usize] {
                    shift += (end - start) as isize - 1;
                    passed += 1;
                }
                values.push(if place.is_variable {
                    let (start, end) = spans[passed];
                    &texts.bytes[start as usize..end as usize]
                } else {
                    let at = |at: u32| (at as isize + shift) as usize;
                    &texts.bytes[at(place.start)..at(place.end)]
                });
            }
        }
        values
    }
}

struct Taker<'a> {
    texts: &'a Texts,
    rows: &'a Rows<'a>,
    templates: Vec<Template>,
    references: References,
    refers: Vec<PathId>,
}

impl Taker<'_> {
    /// Texts of the last template are kept whole.
    fn take_all(mut self, template_of: Vec<u32>, patterns: &[Vec<u8>], values: Vec<Vec<Texts>>) -> Split {
        let mut entries: Vec<Vec<u32>> = vec![Vec::new(); patterns.len() + 1];
        let rank = (0..).zip(&template_of).map(|(entry, &template)| {
            let entries = &mut entries[template as usize];
            entries.push(entry);
            entries.len() as u32 - 1
        });
        let rank = rank.collect();
        let whole = entries.pop().expect("one is for what is kept whole");
        for ((pattern, values), entries) in patterns.iter().zip(values).zip(entries) {
            self.take(pattern, values, entries);
        }
        if !whole.is_empty() {
            self.keep_whole(whole);
        }
        let Self { templates, references, refers, .. } = self;
        Split { texts: Templated { templates, template_of, rank }, references, refers }
    }

    fn keep_whole(&mut self, entries: Vec<u32>) {
        let mut own = Texts::default();
        entries.iter().for_each(|&entry| own.push(self.texts.get(entry as usize)));
        let mut literals = Texts::default();
        literals.push(b"");
        literals.push(b"");
        self.templates.push(Template { literals, slots: vec![slot(own)], entries });
    }

    fn take(&mut self, pattern: &[u8], values: Vec<Texts>, entries: Vec<u32>) {
        let literals: Vec<&[u8]> = pattern.split(|&byte| byte == VARIABLE).collect();
        let times: Vec<(i64, Civil)> = match self.rows.times {
            Some(times) => entries.iter().map(|&entry| times[entry as usize]).map(|time| (time, civil(time))).collect(),
            None => Vec::new(),
        };
        let number = self.templates.len() as u32;
        let mut build = Build { times: &times, ..Build::default() };
        build.literal.extend_from_slice(literals[0]);
        for (values, after) in values.into_iter().zip(&literals[1..]) {
            if is_constant(&values) {
                build.literal.extend_from_slice(values.get(0));
            } else if let Some(part) = build.time_part(&values) {
                build.push_time(part);
            } else {
                let reference = self.rows.reference(&values, &entries);
                build.push(slot_or_reference(values, reference.is_some()));
                if let Some(path) = reference {
                    let known = self.refers.iter().position(|&other| other == path);
                    let column = known.unwrap_or_else(|| {
                        self.refers.push(path);
                        self.refers.len() - 1
                    });
                    self.references.insert((number, build.slots.len() as u32 - 1), column as u32);
                }
            }
            build.literal.extend_from_slice(after);
        }
        let (literals, slots) = build.finish();
        self.templates.push(Template { literals, slots, entries });
    }
}

/// A template as it grows, piece by piece.
#[derive(Default)]
struct Build<'a> {
    /// The time of each entry, if the rows' times are known.
    times: &'a [(i64, Civil)],
    literals: Texts,
    slots: Vec<Slot>,
    /// What has come since the last slot.
    literal: Vec<u8>,
    /// The time that the last slot is.
    pattern: Option<TimePattern>,
}

impl Build<'_> {
    fn time_part(&self, values: &Texts) -> Option<TimePart> {
        let may_be = !self.times.is_empty() && values.get(0).len() <= TIME_PART_BYTES_MAX;
        may_be.then(|| TimePart::of(values.iter(), self.times)).flatten()
    }

    fn push(&mut self, slot: Slot) {
        self.close();
        self.literals.push(&std::mem::take(&mut self.literal));
        self.slots.push(slot);
    }

    /// Parts of a time with little between them become one variable.
    fn push_time(&mut self, part: TimePart) {
        let between = std::str::from_utf8(&self.literal).ok().filter(|between| between.len() <= TIME_GAP_BYTES_MAX);
        if let (Some(TimePattern(pieces)), Some(between)) = (&mut self.pattern, between)
            && pieces.len() + 2 <= templates::PIECES_MAX
        {
            if !between.is_empty() {
                pieces.push(TimePiece::Literal(between.to_owned()));
            }
            pieces.push(TimePiece::Part(part));
            self.literal.clear();
            return;
        }
        self.close();
        self.literals.push(&std::mem::take(&mut self.literal));
        self.pattern = Some(TimePattern(vec![TimePiece::Part(part)]));
    }

    /// Ends the time that may be open.
    fn close(&mut self) {
        if let Some(pattern) = self.pattern.take() {
            let times = self.times.iter().map(|&(time, _)| time).collect();
            self.slots.push(Slot { codes: None, values: Values::TimeTexts { times, pattern } });
        }
    }

    fn finish(mut self) -> (Texts, Vec<Slot>) {
        self.close();
        self.literals.push(&self.literal);
        (self.literals, self.slots)
    }
}

fn is_constant(texts: &Texts) -> bool {
    texts.iter().all(|text| text == texts.get(0))
}

/// A variable that only says what another column says is not stored: its form does not matter.
fn slot_or_reference(values: Texts, is_reference: bool) -> Slot {
    if is_reference { Slot { codes: None, values: Values::Texts(values) } } else { slot(values) }
}

/// The tightest form of a variable's values.
fn slot(texts: Texts) -> Slot {
    let values = Values::Texts(texts);
    if let Some(stored) = values::choose(None, &values) {
        return Slot { codes: stored.codes, values: stored.values };
    }
    let Values::Texts(texts) = values else { unreachable!("made above") };
    let mut builder = ColumnBuilder::default();
    (0..).zip(texts.iter()).for_each(|(i, text)| builder.push(i, text));
    let column = builder.finish(texts.len() as u32).expect("a variable has values");
    Slot { codes: column.codes, values: column.values }
}

impl Rows<'_> {
    /// The column whose only value in each of these texts' rows is the variable's.
    fn reference(&self, values: &Texts, entries: &[u32]) -> Option<PathId> {
        let row_of = |entry: u32| self.row_of.map_or(entry, |rows| rows[entry as usize]);
        let mut scratch = Vec::new();
        let mut says = |column: &Column, text: &[u8], row: u32| {
            let own = column.values_of_row(row);
            own.len() == 1 && column.values.text_bytes(column.entry_of(own.start), &mut scratch) == text
        };
        let mut all =
            |column: &Column| values.iter().zip(entries).all(|(text, &entry)| says(column, text, row_of(entry)));
        self.columns.iter().find(|(_, column)| all(column)).map(|&(path, _)| path)
    }
}

/// Finds in long texts what other columns say of their rows: a Windows event's message repeats most of the
/// event's fields.
#[derive(Clone, Copy)]
struct Repeats<'a> {
    rows: &'a Rows<'a>,
}

impl<'a> Repeats<'a> {
    /// `None` if the texts are short, or repeat little as far as a sample tells.
    fn of(texts: &Texts, rows: &'a Rows<'a>) -> Option<Self> {
        if rows.columns.is_empty() || texts.bytes.len() / texts.len() < REPEATING_TEXT_BYTES_MIN {
            return None;
        }
        let own = Self { rows };
        let (mut spans, mut repeated, mut seen) = (Vec::new(), 0, 0);
        for number in (0..texts.len()).step_by(texts.len().div_ceil(SAMPLE_TEXTS)) {
            spans.clear();
            own.find(number as u32, texts.get(number), &mut spans);
            repeated += spans.iter().map(|(start, end)| (end - start) as usize).sum::<usize>();
            seen += texts.get(number).len();
        }
        (repeated >= seen / REPEATED_SHARE).then_some(own)
    }

    /// Adds where the values of the text's row stand in it as whole words, ascending; where two overlap,
    /// the longer one.
    fn find(&self, number: u32, text: &[u8], spans: &mut Vec<(u32, u32)>) {
        if !(REPEATING_TEXT_BYTES_MIN..=TEXT_BYTES_MAX).contains(&text.len()) {
            return;
        }
        let row = self.rows.row_of.map_or(number, |rows| rows[number as usize]);
        let mut scratch = Vec::new();
        for (_, column) in self.rows.columns {
            let own = column.values_of_row(row);
            if own.len() != 1 {
                continue;
            }
            let value = column.values.text_bytes(column.entry_of(own.start), &mut scratch);
            if (REPEATED_BYTES_MIN..text.len()).contains(&value.len()) {
                let found = memchr::memmem::find_iter(text, value).map(|start| (start, start + value.len()));
                let whole = found.filter(|&(start, end)| tokens::stands_alone(text, start, end));
                spans.extend(whole.map(|(start, end)| (start as u32, end as u32)));
            }
        }
        if spans.len() > SLOTS_MAX {
            // Nothing that is so repetitive is a template of values.
            spans.clear();
        }
        spans.sort_unstable_by_key(|&(start, end)| (std::cmp::Reverse(end - start), start));
        let mut kept: Vec<(u32, u32)> = Vec::with_capacity(spans.len());
        for &(start, end) in spans.iter() {
            if kept.iter().all(|&(first, last)| end <= first || last <= start) {
                kept.push((start, end));
            }
        }
        kept.sort_unstable();
        *spans = kept;
    }
}

/// Shorter texts are not searched for what their row's other columns say, in bytes.
const REPEATING_TEXT_BYTES_MIN: usize = 192;
/// Shorter values are found by chance, in bytes.
const REPEATED_BYTES_MIN: usize = 4;
/// The part of a sample's bytes that must be repeated, one in so many.
const REPEATED_SHARE: usize = 8;
/// Texts of a sample.
const SAMPLE_TEXTS: usize = 64;
/// One in so many texts kept whole is reason enough to look for another way of telling words.
const QUOTED_SHARE: usize = 4;
/// More quarters of the texts kept whole are not worth templates for the rest.
const KEPT_QUARTERS_MAX: usize = 3;
/// Parts of a time with more text between them are variables of their own, in bytes.
const TIME_GAP_BYTES_MAX: usize = 4;
/// The longest part of a time, in bytes.
const TIME_PART_BYTES_MAX: usize = 13;
/// No key.
const NONE: u32 = u32::MAX;
/// Texts, and their bytes, below which there is nothing to gain.
const TEXTS_MIN: usize = 128;
const BYTES_MIN: usize = 8 << 10;
/// Longer texts are kept whole, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Texts with more variables are kept whole.
const SLOTS_MAX: usize = 512;
/// Templates of one column.
const TEMPLATES_MAX: usize = templates::TEMPLATES_MAX - 1;

#[cfg(test)]
mod tests {
    use super::super::testing::Rng;
    use super::*;

    /// What is found gives each text back.
    fn check(all: &[String]) -> Option<Templated> {
        let mut texts = Texts::default();
        all.iter().for_each(|text| texts.push(text.as_bytes()));
        let found = split(&texts, &Rows::default())?.texts;
        found.check();
        let mut scratch = Vec::new();
        for (i, text) in all.iter().enumerate() {
            scratch.clear();
            found.write_text(i, &mut scratch);
            assert_eq!(String::from_utf8_lossy(&scratch), *text);
        }
        Some(found)
    }

    #[test]
    fn lines_of_one_program_have_one_template_with_typed_variables() {
        let lines: Vec<_> = (0..1000u64)
            .map(|i| {
                format!("session {} opened for user {} from 10.0.{}.{}", i, NAMES[i as usize % 40], i % 7, i % 250)
            })
            .collect();
        let found = check(&lines).unwrap();
        assert_eq!(found.templates.len(), 1);
        let template = &found.templates[0];
        let literals: Vec<_> = template.literals.iter().map(String::from_utf8_lossy).collect();
        assert_eq!(literals, ["session ", " opened for user ", " from ", ""]);
        assert!(matches!(template.slots[0].values, Values::Integers(_)));
        assert_eq!(template.slots[1].values.len(), NAMES.len());
        assert!(matches!(template.slots[2].values, Values::Ipv4(_)));
    }

    #[test]
    fn texts_that_are_like_no_others_are_kept_whole() {
        let mut lines: Vec<_> = (0..1000).map(|i| format!("request {i} done in {} ms", i * 7 % 100)).collect();
        lines[500] = "something\0else, quite: (odd) [once]".to_owned();
        let found = check(&lines).unwrap();
        assert_eq!(found.templates.len(), 2);
        assert_eq!(found.templates[1].entries, [500]);
    }

    #[test]
    fn messages_of_the_same_build_but_other_words_are_told_apart() {
        let lines: Vec<_> = (0..2000)
            .map(|i| match i % 3 {
                0 => format!("connection closed by peer {i}"),
                1 => format!("worker failed with error {i}"),
                _ => format!("cache miss for key {i}"),
            })
            .collect();
        assert_eq!(check(&lines).unwrap().templates.len(), 3);
    }

    #[test]
    fn random_texts_come_back_whatever_they_are() {
        let mut rng = Rng(17);
        let words = ["a", "bb", "0x1f", "10.1.2.3", "1.5", "-", "_", "\0", "é", "123", "x9", ":", "deadbeef", " ", "."];
        for round in 0..200 {
            let kinds = 1 + rng.below(6);
            let seeds: Vec<u64> = (0..kinds).map(|_| rng.next()).collect();
            let lines: Vec<String> = (0..600)
                .map(|_| {
                    let mut own = Rng(rng.pick(&seeds));
                    let len = 8 + own.below(10);
                    let text = (0..len).map(|_| if rng.below(8) == 0 { rng.pick(&words) } else { own.pick(&words) });
                    text.collect()
                })
                .collect();
            check(&lines);
            assert!(round < 200);
        }
    }

    const NAMES: [&str; 40] = [
        "ada",
        "alan",
        "anita",
        "barbara",
        "bjarne",
        "brian",
        "claude",
        "dennis",
        "donald",
        "edsger",
        "fran",
        "grace",
        "guido",
        "hedy",
        "ivan",
        "jean",
        "joan",
        "john",
        "karen",
        "ken",
        "leslie",
        "linus",
        "lynn",
        "margaret",
        "mary",
        "maurice",
        "niklaus",
        "ole",
        "peter",
        "radia",
        "rich",
        "rob",
        "roberta",
        "shafi",
        "sophie",
        "steve",
        "tim",
        "tony",
        "vint",
        "whitfield",
    ];
}
