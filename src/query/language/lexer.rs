//! Characters to texts: quotes, escapes, runs. Every position is a byte offset on a character border.

use std::ops::Range;

use super::ParseError;
use super::tree::{Pattern, Piece};

/// Walks over a query's text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lexer<'q> {
    text: &'q str,
    at: usize,
}

/// Characters up to a blank or another end, escapes resolved.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Where it stood.
    pub(crate) range: Range<usize>,
    /// Its characters, and whether each was escaped.
    chars: Vec<(char, bool)>,
}

impl<'q> Lexer<'q> {
    pub(crate) fn new(text: &'q str) -> Self {
        Self { text, at: 0 }
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'q str {
        &self.text[self.at..]
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The whole text.
    pub(crate) fn whole(&self) -> &'q str {
        self.text
    }

    /// Goes back to a place where the lexer was.
    pub(crate) fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The text from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'q str {
        &self.text[start..self.at]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn peek_second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    pub(crate) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Takes `text` if it comes next.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let next = self.rest().starts_with(text);
        if next {
            self.at += text.len();
        }
        next
    }

    pub(crate) fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Whether the end or the next stage is here.
    pub(crate) fn at_stage_end(&self) -> bool {
        matches!(self.peek(), None | Some('|'))
    }

    pub(crate) fn error(&self, range: Range<usize>, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, range, message)
    }

    /// An error about the next character.
    pub(crate) fn error_here(&self, message: impl Into<String>) -> ParseError {
        let length = self.peek().map_or(1, char::len_utf8);
        self.error(self.at..self.at + length, message)
    }

    /// Takes characters up to one that `ends` the run, or the end. `\` escapes the next character.
    pub(crate) fn run(&mut self, ends: impl Fn(char) -> bool) -> Result<Run, ParseError> {
        let start = self.at;
        let mut chars = Vec::new();
        while let Some(c) = self.peek().filter(|&c| !ends(c)) {
            self.bump();
            if c != '\\' {
                chars.push((c, false));
                continue;
            }
            let Some(escaped) = self.bump() else {
                let range = self.at - 1..self.at;
                return Err(self
                    .error(range, "nothing follows the escape")
                    .hint("write `\\\\` to search for a backslash")
                    .fix("\\\\"));
            };
            chars.push((escaped, true));
        }
        Ok(Run { range: start..self.at, chars })
    }

    /// Takes a text between `quote`s; the opening one comes next. `resolve` says what a backslash and
    /// the character after it stand for.
    pub(crate) fn quoted(&mut self, quote: char, resolve: Escapes) -> Result<String, ParseError> {
        let start = self.at;
        self.bump();
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                _ if c == quote => return Ok(text),
                '\\' => match (self.bump(), resolve) {
                    (None, _) => break,
                    (Some(escaped), Escapes::Any) => text.push(escaped),
                    (Some(escaped), Escapes::QuoteOnly) if escaped == quote || escaped == '\\' => text.push(escaped),
                    (Some(escaped), Escapes::QuoteOnly) => text.extend(['\\', escaped]),
                },
                _ => text.push(c),
            }
        }
        let range = start..start + quote.len_utf8();
        Err(self
            .error(range, "this quote is never closed")
            .hint(format!("add a closing `{quote}`, or write `\\{quote}` for the character itself")))
    }

    /// Takes `/regex/` if one comes next, and gives what stands between the slashes.
    ///
    /// It ends at the first `/` that no `\` precedes; it is one only if a blank, `)`, `|` or the end
    /// follows. Anything else is plain text: `/api/v1/cart`.
    pub(crate) fn regex(&mut self) -> Option<(String, Range<usize>)> {
        let body = self.rest().strip_prefix('/')?;
        let mut before = '/';
        let length = body.char_indices().find_map(|(index, c)| {
            let closes = c == '/' && before != '\\';
            before = c;
            closes.then_some(index)
        })?;
        let follows = body[length + 1..].chars().next();
        if length == 0 || !follows.is_none_or(|c| c.is_whitespace() || c == ')' || c == '|') {
            return None;
        }
        let start = self.at;
        self.at += length + 2;
        Some((body[..length].to_owned(), start..self.at))
    }
}

/// What a backslash inside quotes does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Escapes {
    /// It stands for the next character, whatever that is.
    Any,
    /// It matters before the quote and before another backslash; else it is itself, so that regular
    /// expressions need no doubled ones.
    QuoteOnly,
}

impl Run {
    pub(crate) fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// Whether it is this word, without any escape.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.chars.iter().all(|&(_, escaped)| !escaped) && self.chars.iter().map(|&(c, _)| c).eq(word.chars())
    }

    pub(crate) fn text(&self) -> String {
        self.chars.iter().map(|&(c, _)| c).collect()
    }

    /// Whether any of its characters was escaped.
    pub(crate) fn has_escapes(&self) -> bool {
        self.chars.iter().any(|&(_, escaped)| escaped)
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        self.chars.iter().any(|&(c, escaped)| !escaped && matches!(c, '*' | '?'))
    }

    /// Whether it is `*`, `**`, …: everything.
    pub(crate) fn is_everything(&self) -> bool {
        !self.is_empty() && self.chars.iter().all(|&pair| pair == ('*', false))
    }

    /// Its text as a pattern.
    pub(crate) fn pattern(&self) -> Pattern {
        let mut pieces: Vec<Piece> = Vec::new();
        for &(c, escaped) in &self.chars {
            match (c, escaped) {
                ('*', false) if pieces.last() == Some(&Piece::Many) => {}
                ('*', false) => pieces.push(Piece::Many),
                ('?', false) => pieces.push(Piece::One),
                _ => match pieces.last_mut() {
                    Some(Piece::Text(text)) => text.push(c),
                    _ => pieces.push(Piece::Text(c.to_string())),
                },
            }
        }
        Pattern { pieces }
    }
}
