//! Finds the templates of a column's texts and takes the texts apart.
//!
//! Words that look like numbers, addresses or ids are variables; so are words in which texts differ that
//! are alike otherwise. What is rare is kept whole, as the only variable of an empty template. Follows
//! the ideas of CLP (Rodrigues et al., OSDI 2021) and of LogShrink (Li et al., ICSE 2024): templates need
//! not be those of the program that wrote the log, only to bring like to like.

mod patterns;
mod tokens;

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::column_builder::ColumnBuilder;
use super::encoding::values;
use super::{Slot, Template, Templated, Texts, Values};
use patterns::{Key, VARIABLE, patterns};

/// The texts taken apart; `None` if that promises nothing. Costs some 10 ns a byte.
pub(super) fn split(texts: &Texts) -> Option<Templated> {
    if texts.len() < TEXTS_MIN || texts.bytes.len() < BYTES_MIN {
        return None;
    }
    let keys = KeySet::of(texts);
    let found: Vec<Key<'_>> = keys.texts.iter().zip(&keys.rows).map(|(text, &rows)| Key { text, rows }).collect();
    let (template_of_key, patterns) = patterns(&found);
    let (ranks, patterns) = largest_first(&template_of_key, &found, patterns);
    let whole = patterns.len() as u32;
    let template_of: Vec<u32> = keys
        .of_text
        .iter()
        .map(|&key| match key {
            NONE => whole,
            key => template_of_key[key as usize].map_or(whole, |number| ranks[number as usize].min(whole)),
        })
        .collect();
    let kept_whole = template_of.iter().filter(|&&template| template == whole).count();
    if kept_whole > texts.len() / 2 {
        return None;
    }
    Some(take_apart(texts, template_of, patterns))
}

/// The texts with their variables taken out, each once.
struct KeySet {
    texts: Texts,
    /// How many texts have each key.
    rows: Vec<u32>,
    /// The key of each text; [`NONE`] if it is kept whole.
    of_text: Vec<u32>,
}

impl KeySet {
    fn of(texts: &Texts) -> Self {
        let mut keys = Self { texts: Texts::default(), rows: Vec::new(), of_text: Vec::with_capacity(texts.len()) };
        let mut index: HashTable<u32> = HashTable::new();
        let hasher = FixedState::default();
        let mut scratch = Vec::new();
        for text in texts.iter() {
            if !write_key(text, &mut scratch) {
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
}

/// Puts the key of a text into `key`; `false` if the text cannot have one.
fn write_key(text: &[u8], key: &mut Vec<u8>) -> bool {
    key.clear();
    if text.len() > TEXT_BYTES_MAX || memchr::memchr(VARIABLE, text).is_some() {
        return false;
    }
    let (mut copied, mut variables) = (0, 0);
    tokens::for_each_word(text, |start, end, varies| {
        if varies {
            key.extend_from_slice(&text[copied..start]);
            key.push(VARIABLE);
            copied = end;
            variables += 1;
        }
    });
    key.extend_from_slice(&text[copied..]);
    variables <= SLOTS_MAX
}

/// The new number of each template, and the templates in order of it: those of most texts first, and no
/// more than are allowed.
fn largest_first(
    template_of_key: &[Option<u32>],
    keys: &[Key<'_>],
    patterns: Vec<Vec<u8>>,
) -> (Vec<u32>, Vec<Vec<u8>>) {
    let mut rows = vec![0u64; patterns.len()];
    for (template, key) in template_of_key.iter().zip(keys) {
        if let Some(template) = template {
            rows[*template as usize] += u64::from(key.rows);
        }
    }
    let mut order: Vec<u32> = (0..patterns.len() as u32).collect();
    order.sort_by_key(|&template| std::cmp::Reverse(rows[template as usize]));
    let mut ranks = vec![0; patterns.len()];
    (0..).zip(&order).for_each(|(rank, &template)| ranks[template as usize] = rank);
    order.truncate(TEMPLATES_MAX);
    let mut patterns: Vec<Option<Vec<u8>>> = patterns.into_iter().map(Some).collect();
    let take = |&template: &u32| patterns[template as usize].take().expect("each comes once");
    (ranks, order.iter().map(take).collect())
}

/// Texts of the last template are kept whole.
fn take_apart(texts: &Texts, template_of: Vec<u32>, patterns: Vec<Vec<u8>>) -> Templated {
    let mut entries: Vec<Vec<u32>> = vec![Vec::new(); patterns.len() + 1];
    let rank = (0..).zip(&template_of).map(|(entry, &template)| {
        let entries = &mut entries[template as usize];
        entries.push(entry);
        entries.len() as u32 - 1
    });
    let rank = rank.collect();
    let mut templates: Vec<Template> = Vec::with_capacity(entries.len());
    let whole = entries.pop().expect("one is for what is kept whole");
    for (pattern, entries) in patterns.iter().zip(entries) {
        templates.push(template(texts, pattern, entries));
    }
    if !whole.is_empty() {
        templates.push(kept_whole(texts, whole));
    }
    Templated { templates, template_of, rank }
}

fn kept_whole(texts: &Texts, entries: Vec<u32>) -> Template {
    let mut own = Texts::default();
    entries.iter().for_each(|&entry| own.push(texts.get(entry as usize)));
    let mut literals = Texts::default();
    literals.push(b"");
    literals.push(b"");
    Template { literals, slots: vec![slot(own)], entries }
}

fn template(texts: &Texts, pattern: &[u8], entries: Vec<u32>) -> Template {
    let literals: Vec<&[u8]> = pattern.split(|&byte| byte == VARIABLE).collect();
    let mut values = vec![Texts::default(); literals.len() - 1];
    for &entry in &entries {
        let text = texts.get(entry as usize);
        let mut at = 0;
        for (literal, values) in literals.iter().zip(&mut values) {
            assert!(text[at..].starts_with(literal), "a text fits the template of its key");
            at += literal.len();
            let end = tokens::word_end(text, at);
            values.push(&text[at..end]);
            at = end;
        }
        assert_eq!(&text[at..], literals[values.len()], "a text fits the template of its key");
    }
    let mut own = Texts::default();
    let mut slots = Vec::new();
    let mut literal = literals[0].to_vec();
    for (values, after) in values.into_iter().zip(&literals[1..]) {
        if is_constant(&values) {
            literal.extend_from_slice(values.get(0));
        } else {
            own.push(&std::mem::take(&mut literal));
            slots.push(slot(values));
        }
        literal.extend_from_slice(after);
    }
    own.push(&literal);
    Template { literals: own, slots, entries }
}

fn is_constant(texts: &Texts) -> bool {
    texts.iter().all(|text| text == texts.get(0))
}

/// The tightest form of a slot's values.
fn slot(texts: Texts) -> Slot {
    let values = Values::Texts(texts);
    if let Some(stored) = values::choose_typed(None, &values) {
        return Slot { codes: stored.codes, values: stored.values };
    }
    let Values::Texts(texts) = values else { unreachable!("made above") };
    let mut builder = ColumnBuilder::default();
    (0..).zip(texts.iter()).for_each(|(i, text)| builder.push(i, text));
    let column = builder.finish(texts.len() as u32).expect("a slot has values");
    Slot { codes: column.codes, values: column.values }
}

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
const TEMPLATES_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use super::super::testing::Rng;
    use super::*;

    fn check(all: &[String]) -> Option<Templated> {
        let mut texts = Texts::default();
        all.iter().for_each(|text| texts.push(text.as_bytes()));
        let found = split(&texts)?;
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
