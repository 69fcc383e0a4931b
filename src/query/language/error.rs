//! What is wrong with a query, where, and what would probably be right.

use std::fmt::Write as _;
use std::ops::Range;

/// Why a text is no query. Fix the text and ask again.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct ParseError {
    /// Where it begins, in characters from 1.
    pub column: u32,
    /// How many characters are meant; at least 1.
    pub length: u32,
    /// What is wrong.
    pub message: String,
    /// What would probably be right, as a sentence.
    pub hint: Option<String>,
    /// What to put in place of the marked characters to make it right.
    pub fix: Option<String>,
}

/// Something in a good query that is probably not meant so. Belongs into the answer's warnings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hint {
    /// Where it begins, in characters from 1.
    pub column: u32,
    /// How many characters are meant.
    pub length: u32,
    /// What it is read as, and what to write instead.
    pub message: String,
}

impl ParseError {
    /// An error about `range` (bytes) of `text`. Ranges beyond the end mean the end.
    pub(crate) fn new(text: &str, range: Range<usize>, message: impl Into<String>) -> Self {
        let (column, length) = columns(text, range);
        Self { column, length, message: message.into(), hint: None, fix: None }
    }

    /// Adds what would probably be right.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a replacement for the marked characters.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds "did you mean" if one of `known` is close to `word`.
    pub(crate) fn nearest(self, word: &str, known: impl IntoIterator<Item = &'static str>) -> Self {
        match nearest(word, known) {
            Some(name) => self.hint(format!("did you mean `{name}`?")).fix(name),
            None => self,
        }
    }

    /// The query's line with carets under the marked characters, the message and the hint.
    pub fn render(&self, query: &str) -> String {
        let mut before = self.column.saturating_sub(1) as usize;
        let mut line = "";
        for candidate in query.split('\n') {
            line = candidate;
            let length = candidate.chars().count();
            if before <= length {
                break;
            }
            before -= length + 1;
        }
        let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let room = shown.chars().count().saturating_sub(before).max(1);
        let carets = "^".repeat((self.length.max(1) as usize).min(room));
        let mut text = format!("{shown}\n{}{carets} {}", " ".repeat(before), self.message);
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\nhint: {hint}");
        }
        text
    }
}

/// Turns a byte range into a column from 1 and a length, both in characters.
pub(crate) fn columns(text: &str, range: Range<usize>) -> (u32, u32) {
    let end = range.end.min(text.len());
    let start = range.start.min(end);
    let count = |part: Option<&str>| part.map_or(0, |part| part.chars().count());
    let column = count(text.get(..start)) + 1;
    let length = count(text.get(start..end)).max(1);
    (u32::try_from(column).unwrap_or(u32::MAX), u32::try_from(length).unwrap_or(u32::MAX))
}

/// The name that `word` was probably meant to be.
pub(crate) fn nearest(word: &str, known: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let word = word.to_lowercase();
    let distance_max = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, name), name))
        .filter(|&(distance, _)| distance <= distance_max)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_column_whatever_bytes_precede_it() {
        let query = "grün | stäts count";
        let start = query.find("stäts").unwrap();
        let error = ParseError::new(query, start..start + "stäts".len(), "unknown stage").hint("did you mean `stats`?");
        assert_eq!((error.column, error.length), (8, 5));
        assert_eq!(error.render(query), "grün | stäts count\n       ^^^^^ unknown stage\nhint: did you mean `stats`?");
    }

    #[test]
    fn of_several_lines_the_one_with_the_error_is_shown() {
        let query = "a\n| b\n| c";
        let error = ParseError::new(query, 4..5, "here");
        assert_eq!(error.render(query), "| b\n  ^ here");
        let error = ParseError::new(query, 99..100, "at the end");
        assert_eq!(error.render(query), "| c\n   ^ at the end");
    }
}
