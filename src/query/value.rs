//! When two values are equal, which comes first, what a word is: the same for everybody.

use std::borrow::Cow;

/// A value of a scalar expression or a cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An exact number.
    Number(Decimal),
    /// A number that is not exact: beyond 128 bits, or the outcome of a root.
    Float(f64),
    /// Nanoseconds since 1970.
    Time(i64),
    /// A text.
    Text(String),
    /// Several values: `values` and `list`.
    List(Vec<Value>),
}

/// An exact decimal number: `mantissa * 10^exponent`.
///
/// **Invariant.** The mantissa does not end in a zero digit, unless it is 0; then the exponent is 0.
/// So equal numbers are equal member by member.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

/// Whether a character belongs to a word: letters, digits and `_`.
pub fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words of a text, as they stand in it.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word_char(c)).filter(|word| !word.is_empty())
}

/// Unicode simple case folding, one character.
pub fn fold_char(c: char) -> char {
    match unicode_case_mapping::case_folded(c) {
        Some(folded) => char::from_u32(folded.get()).unwrap_or(c),
        None => c,
    }
}

/// Unicode simple case folding. Costs no allocation where nothing changes.
pub fn fold(text: &str) -> Cow<'_, str> {
    match text.char_indices().find(|&(_, c)| fold_char(c) != c) {
        None => Cow::Borrowed(text),
        Some((start, _)) => {
            let mut folded = String::with_capacity(text.len());
            folded.push_str(&text[..start]);
            folded.extend(text[start..].chars().map(fold_char));
            Cow::Owned(folded)
        }
    }
}
