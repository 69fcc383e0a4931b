//! What the stages' parsers are made of: names, lists, options, numbers, spans.

use std::ops::Range;

use super::error::ParseError;
use super::lexer::Escapes;
use super::parser::Parser;
use super::tree::{FieldName, Span, SpanUnit};

impl Parser<'_> {
    /// Takes `word` if it comes next as a word of its own, in any case.
    pub(crate) fn word(&mut self, word: &str) -> bool {
        self.lexer.skip_blanks();
        let next = self.next_is_word(word);
        if next {
            self.lexer.back_to(self.lexer.at() + word.len());
        }
        next
    }

    /// Whether `word` comes next, in any case.
    pub(crate) fn next_is_word(&self, word: &str) -> bool {
        let rest = self.lexer.rest().trim_start();
        let Some(start) = rest.get(..word.len()) else { return false };
        start.eq_ignore_ascii_case(word) && !rest[word.len()..].starts_with(is_name_char)
    }

    /// Takes a punctuation mark if it comes next, after blanks.
    pub(crate) fn mark(&mut self, mark: &str) -> bool {
        self.lexer.skip_blanks();
        self.lexer.eat(mark)
    }

    /// Whether the stage ends here, after blanks.
    pub(crate) fn at_stage_end(&mut self) -> bool {
        self.lexer.skip_blanks();
        self.lexer.at_stage_end()
    }

    /// A field's name: plain, as a call (`p95(latency_ms)`), or in back-quotes or quotes.
    pub(crate) fn name(&mut self) -> Result<FieldName, ParseError> {
        self.name_text().map(|(name, _)| FieldName::new(name))
    }

    /// A name's text, and where it stood.
    pub(crate) fn name_text(&mut self) -> Result<(String, Range<usize>), ParseError> {
        self.lexer.skip_blanks();
        let start = self.lexer.at();
        if let Some(quote @ ('`' | '"')) = self.lexer.peek() {
            let text = self.lexer.quoted(quote, Escapes::QuoteOnly)?;
            let range = start..self.lexer.at();
            if text.is_empty() {
                return Err(self.lexer.error(range, "a name can't be empty"));
            }
            return Ok((text, range));
        }
        while self.lexer.peek().is_some_and(is_name_char) {
            self.lexer.bump();
        }
        if self.lexer.at() == start {
            let error = self.lexer.error_here("the name of a field is missing here");
            return Err(error.hint("odd names stand in back-quotes: `` `my field` ``"));
        }
        if self.lexer.peek() == Some('(') {
            self.call_arguments()?;
        }
        Ok((self.lexer.since(start).to_owned(), start..self.lexer.at()))
    }

    /// The rest of a column's name that is written like a call.
    fn call_arguments(&mut self) -> Result<(), ParseError> {
        let open = self.lexer.at();
        while let Some(c) = self.lexer.bump() {
            match c {
                ')' => return Ok(()),
                '|' => break,
                _ => {}
            }
        }
        Err(self.lexer.error(open..open + 1, "this `(` is never closed"))
    }

    /// Names with commas or blanks between them, at least one, up to the stage's end or a word of
    /// `until`.
    pub(crate) fn names(&mut self, until: &[&str]) -> Result<Vec<FieldName>, ParseError> {
        let mut names = vec![self.name()?];
        loop {
            let comma = self.mark(",");
            let ends = self.at_stage_end() || until.iter().any(|word| self.next_is_word(word));
            if ends && !comma {
                return Ok(names);
            }
            names.push(self.name()?);
        }
    }

    /// Takes `option=` if it comes next.
    pub(crate) fn option(&mut self, option: &str) -> bool {
        self.lexer.skip_blanks();
        let before = self.lexer.at();
        let found = self.word(option) && self.mark("=");
        if !found {
            self.lexer.back_to(before);
        }
        found
    }

    /// A whole number of at least 1, if digits come next.
    pub(crate) fn count(&mut self, max: u64) -> Result<Option<u64>, ParseError> {
        self.lexer.skip_blanks();
        let start = self.lexer.at();
        let (digits, range) = self.plain_word();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            self.lexer.back_to(start);
            return Ok(None);
        }
        match digits.parse() {
            Ok(count) if (1..=max).contains(&count) => Ok(Some(count)),
            _ => Err(self.lexer.error(range, format!("this must be a number from 1 to {max}"))),
        }
    }

    /// A number that must come, or nothing before the stage's end.
    pub(crate) fn only_count(&mut self, default: u64) -> Result<u64, ParseError> {
        let given = self.option("limit");
        match self.count(u64::MAX)? {
            Some(count) => Ok(count),
            None if given || !self.at_stage_end() => {
                Err(self.lexer.error_here("a whole number of at least 1 is expected here"))
            }
            None => Ok(default),
        }
    }

    /// A span such as `5m`.
    pub(crate) fn span(&mut self) -> Result<Span, ParseError> {
        let (text, range) = self.plain_word();
        read_span(&text).ok_or_else(|| {
            self.lexer
                .error(range, format!("`{text}` is no length of time"))
                .hint("a number and a unit: `500ms`, `30s`, `5m`, `1h`, `1d`")
        })
    }

    /// Characters up to a blank, a comma, a parenthesis or a pipe; may be empty.
    pub(crate) fn plain_word(&mut self) -> (String, Range<usize>) {
        self.lexer.skip_blanks();
        let start = self.lexer.at();
        while self.lexer.peek().is_some_and(|c| !c.is_whitespace() && !matches!(c, ',' | '(' | ')' | '|' | '=' | '"')) {
            self.lexer.bump();
        }
        (self.lexer.since(start).to_owned(), start..self.lexer.at())
    }

    /// A value as text: quoted, or up to a blank or comma.
    pub(crate) fn value_text(&mut self) -> Result<String, ParseError> {
        self.lexer.skip_blanks();
        if self.lexer.peek() == Some('"') {
            return self.lexer.quoted('"', Escapes::QuoteOnly);
        }
        let (text, range) = self.plain_word();
        if text.is_empty() {
            return Err(self.lexer.error(range, "a value is missing here").hint("`\"\"` is the empty text"));
        }
        Ok(text)
    }
}

/// Reads a span such as `5m`; `None` if it is none, is 0 or is longer than 292 years.
pub(crate) fn read_span(text: &str) -> Option<Span> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let unit = SpanUnit::ALL.into_iter().find(|known| known.name() == unit)?;
    let span = Span { count: count.parse().ok().filter(|&count| count > 0)?, unit };
    span.nanos().map(|_| span)
}

/// Whether a character may stand in a name without back-quotes, in a stage.
pub(crate) fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-' | '/' | '$' | '#' | ':')
}
