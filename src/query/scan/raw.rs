//! What may be found in `raw` that is in no field's text: keys and punctuation, values as they are
//! escaped, and what spans several of them.
//!
//! Most tests can only fit inside one key or one value, and then nothing has to be put together. This
//! file says which shapes are the exception; only their rows are looked at as they were sent.

use crate::block::{Shape, ShapePart, ShapeTable};
use crate::event::Spelling;
use crate::query::value::{fold, is_word_char, words};

use super::text::TextTest;

/// What a shape says about the raw lines of its rows, beside what is in their fields' texts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// Outside the fields' texts nothing fits.
    No,
    /// Every row fits, by the shape alone.
    Every,
    /// The lines have to be looked at.
    Maybe,
}

/// Judges a shape.
pub(crate) fn verdict(test: &TextTest, table: &ShapeTable, shape: &Shape) -> Verdict {
    if shape.verbatim {
        return Verdict::Maybe;
    }
    if test.is_contains() {
        return test.required().first().map_or(Verdict::Maybe, |part| verdict_of_part(part, table, shape));
    }
    let by_words = test.phrase().is_some() || test.is_word_pattern();
    if !by_words || !values_stand_apart(table, shape) {
        return Verdict::Maybe;
    }
    if literals(table, shape).any(|literal| test.fits(&literal)) {
        return Verdict::Every;
    }
    match test.phrase() {
        Some(phrase) if phrase.len() > 1 && phrase_may_span(phrase, table, shape) => Verdict::Maybe,
        _ => Verdict::No,
    }
}

/// Whether the raw form of a value may have letters and digits that its text has not: only escapes
/// that are written with some do that. `\"` and `\\` are no more than punctuation around the text.
pub(crate) fn has_lettered_escape(text: &[u8], spelling: Spelling) -> bool {
    match spelling {
        Spelling::Bare => false,
        Spelling::Json | Spelling::JsonSlash => has_byte(text, |byte| byte < 0x20),
        Spelling::JsonAscii | Spelling::JsonAsciiSlash => !text.is_ascii() || has_byte(text, |byte| byte < 0x20),
        Spelling::JsonHtml => {
            has_byte(text, |byte| !(0x20..0x7f).contains(&byte))
                || has_byte(text, |byte| matches!(byte, b'<' | b'>' | b'&'))
        }
    }
}

/// Whether some byte fits. Looks at whole runs before it branches, so that the compiler can look at
/// many bytes at once: this is asked of every text of a column.
pub(crate) fn has_byte(text: &[u8], fits: impl Fn(u8) -> bool) -> bool {
    text.chunks(RUN_BYTES).any(|run| run.iter().fold(false, |found, &byte| found | fits(byte)))
}

/// Bytes that are looked at between two branches.
const RUN_BYTES: usize = 1024;

/// Whether a part holds what only escapes bring into a value's raw form besides letters and digits.
pub(crate) fn asks_for_escapes(test: &TextTest) -> bool {
    test.required().iter().any(|part| part.contains('\\'))
        || !(test.is_contains() || test.phrase().is_some() || test.is_word_pattern())
}

fn verdict_of_part(part: &str, table: &ShapeTable, shape: &Shape) -> Verdict {
    let mut verdict = Verdict::No;
    for (index, own) in shape.parts.iter().enumerate() {
        let ShapePart::Literal(range) = own else { continue };
        let literal = String::from_utf8_lossy(table.literal(range));
        let literal = fold(&literal);
        if literal.contains(part) {
            return Verdict::Every;
        }
        let (after_value, before_value) = (index > 0, index + 1 < shape.parts.len());
        if (before_value && may_run_out(part, &literal)) || (after_value && may_run_in(part, &literal)) {
            verdict = Verdict::Maybe;
        }
    }
    verdict
}

/// Whether the front of `part` may be the end of `literal`, and its rest the value behind.
fn may_run_out(part: &str, literal: &str) -> bool {
    part.char_indices().skip(1).any(|(at, _)| {
        let front = &part[..at];
        literal.ends_with(front) || front.ends_with(literal)
    })
}

/// Whether the back of `part` may be the start of `literal`, and its front the value before.
fn may_run_in(part: &str, literal: &str) -> bool {
    part.char_indices().skip(1).any(|(at, _)| {
        let back = &part[at..];
        literal.starts_with(back) || back.starts_with(literal)
    })
}

/// Whether no word can be part literal and part value: a border stands at both ends of each literal.
fn values_stand_apart(table: &ShapeTable, shape: &Shape) -> bool {
    let mut after_value = false;
    for (index, part) in shape.parts.iter().enumerate() {
        match part {
            ShapePart::Slot(..) if after_value => return false,
            ShapePart::Slot(..) => after_value = true,
            ShapePart::Literal(range) => {
                let literal = String::from_utf8_lossy(table.literal(range));
                let before_value = index + 1 < shape.parts.len();
                if (after_value && literal.chars().next().is_none_or(is_word_char))
                    || (before_value && literal.chars().next_back().is_none_or(is_word_char))
                {
                    return false;
                }
                after_value = false;
            }
        }
    }
    true
}

/// Whether a phrase may begin in one part of a line and end in another: it then holds the words of a
/// literal at one of its ends, or all of them.
fn phrase_may_span(phrase: &[String], table: &ShapeTable, shape: &Shape) -> bool {
    let last = shape.parts.len() - 1;
    shape.parts.iter().enumerate().any(|(index, part)| {
        let ShapePart::Literal(range) = part else { return false };
        let literal = String::from_utf8_lossy(table.literal(range));
        let own: Vec<String> = words(&literal).map(|word| fold(word).into_owned()).collect();
        let (after_value, before_value) = (index > 0, index < last);
        if own.is_empty() {
            return after_value && before_value;
        }
        // `offset`: where in the phrase the literal's first word would be.
        let reach = own.len() as isize;
        (1 - reach..phrase.len() as isize).any(|offset| {
            let (starts_before, ends_behind) = (offset > 0, offset + reach < phrase.len() as isize);
            let overlap = (0..phrase.len()).all(|at| {
                let within = at as isize - offset;
                !(0..reach).contains(&within) || phrase[at] == own[within as usize]
            });
            overlap
                && (starts_before || ends_behind)
                && (!starts_before || after_value)
                && (!ends_behind || before_value)
        })
    })
}

fn literals<'a>(table: &'a ShapeTable, shape: &'a Shape) -> impl Iterator<Item = std::borrow::Cow<'a, str>> {
    shape.parts.iter().filter_map(|part| match part {
        ShapePart::Literal(range) => Some(String::from_utf8_lossy(table.literal(range))),
        ShapePart::Slot(..) => None,
    })
}
