//! One JSON object, walked once: checked against RFC 8259, its values located and decoded.
//!
//! The grammar is held to the letter, with two kindnesses: a byte order mark may stand first, and
//! bytes inside strings need not be UTF-8. Such strings, and escapes of half a surrogate pair, are
//! shown with U+FFFD; the line is then kept as it was sent.

use std::borrow::Cow;

use super::keys::{Key, Keys};
use super::spelling::unescape;
use super::{Field, PathId, Spelling};

/// Most values of one event. The rest stays in `raw` and is counted.
pub const FIELDS_MAX: usize = 2_000;
/// Most objects and arrays around a value, the line's own included. What lies deeper is kept as the
/// text of its JSON.
pub const NESTING_MAX: usize = 16;

/// Why a line is no event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineError {
    /// Not valid JSON.
    #[error("not valid JSON: {what} at column {column}")]
    Syntax {
        /// What is wrong there.
        what: &'static str,
        /// Byte position in the line, from 1.
        column: u32,
    },
    /// An array or a scalar.
    #[error("{what}: each line must be one JSON object")]
    NotAnObject {
        /// What the line begins with.
        what: &'static str,
    },
    /// More bytes than a position can say. The ingest limit is far lower.
    #[error("the line is longer than 4 GiB")]
    TooLong,
}

/// The walk over one line.
pub(super) struct Walker<'a, 'p> {
    raw: &'a [u8],
    /// The line as text, where all of it is.
    text: Option<&'a str>,
    /// Whether a control character is anywhere in the line: then strings are looked at byte by byte.
    controls: bool,
    at: usize,
    keys: &'p mut Keys,
    fields: &'p mut Vec<Field<'a>>,
    dropped: u32,
}

type Walk<T> = Result<T, LineError>;

/// Where a string lies, without its quotes.
struct StringSpan {
    start: usize,
    end: usize,
    escapes: bool,
}

impl<'a, 'p> Walker<'a, 'p> {
    pub(super) fn new(raw: &'a [u8], keys: &'p mut Keys, fields: &'p mut Vec<Field<'a>>) -> Walk<Self> {
        u32::try_from(raw.len()).map_err(|_| LineError::TooLong)?;
        keys.rewind();
        let text = simdutf8::basic::from_utf8(raw).ok();
        Ok(Self { raw, text, controls: has_controls(raw), at: 0, keys, fields, dropped: 0 })
    }

    /// Goes back to the beginning.
    pub(super) fn restart(&mut self) {
        self.at = 0;
        self.fields.clear();
    }

    /// Whether all of the line is UTF-8.
    pub(super) fn is_text(&self) -> bool {
        self.text.is_some()
    }

    /// What lies ahead.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.raw[self.at..]
    }

    /// Goes on by bytes that are known.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Reads the string of `path` whose opening quote was passed, if its spelling is [`Spelling::Json`], and
    /// stops before the closing quote.
    pub(super) fn text_of(&mut self, path: PathId) -> Option<()> {
        let StringSpan { start, end, escapes } = self.string().ok()?;
        self.at = end;
        let (start_u32, end_u32) = (start as u32, end as u32);
        let text = if escapes {
            let bytes = &self.raw[start..end];
            let decoded = unescape(bytes);
            let spelled = decoded.exact && Spelling::of_string(&decoded.text, bytes) == Some(Spelling::Json);
            Cow::Owned(spelled.then_some(decoded.text)?)
        } else {
            Cow::Borrowed(&self.text?[start..end])
        };
        self.fields.push(Field { path, start: start_u32, end: end_u32, text, spelling: Some(Spelling::Json) });
        Some(())
    }

    /// Reads the number, `true` or `false` of `path` that comes next.
    pub(super) fn bare_of(&mut self, path: PathId) -> Option<()> {
        let start = self.at;
        let null = self.bare_scalar().ok()?;
        let text = Cow::Borrowed(&self.text?[start..self.at]);
        let (start, end) = (start as u32, self.at as u32);
        self.fields.push(Field { path, start, end, text, spelling: Some(Spelling::Bare) });
        (!null).then_some(())
    }

    /// Walks the whole line. Returns how many fields were beyond the limits.
    pub(super) fn line(&mut self) -> Walk<u32> {
        if self.raw.starts_with(BYTE_ORDER_MARK) {
            self.at = BYTE_ORDER_MARK.len();
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.at += 1,
            Some(b'[') => return Err(LineError::NotAnObject { what: "an array" }),
            Some(b'"') => return Err(LineError::NotAnObject { what: "a string" }),
            Some(b'-' | b'0'..=b'9') => return Err(LineError::NotAnObject { what: "a number" }),
            Some(b't' | b'f' | b'n') => return Err(LineError::NotAnObject { what: "a bare word" }),
            _ => return self.wrong("expected `{`"),
        }
        self.object(Key::ROOT, 1)?;
        self.blanks();
        if self.at < self.raw.len() {
            return self.wrong("something follows the object");
        }
        Ok(self.dropped)
    }

    /// Behind the `{`.
    fn object(&mut self, parent: Key, depth: usize) -> Walk<()> {
        self.blanks();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            if !self.take(b'"') {
                return self.wrong("expected a key in double quotes");
            }
            let key = self.key(parent)?;
            self.blanks();
            if !self.take(b':') {
                return self.wrong("expected `:`");
            }
            self.value(key, depth)?;
            self.blanks();
            if self.take(b',') {
                self.blanks();
            } else if self.take(b'}') {
                return Ok(());
            } else {
                return self.wrong("expected `,` or `}`");
            }
        }
    }

    /// Behind the `[`.
    fn array(&mut self, key: Key, depth: usize) -> Walk<()> {
        self.blanks();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(key, depth)?;
            self.blanks();
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return self.wrong("expected `,` or `]`");
            }
        }
    }

    /// Behind the quote that opens a key.
    fn key(&mut self, parent: Key) -> Walk<Key> {
        if let Some((key, len)) = self.keys.guess(parent, &self.raw[self.at..]) {
            self.at += len;
            return Ok(key);
        }
        let span = self.string()?;
        Ok(self.keys.find(parent, &self.raw[span.start..=span.end]))
    }

    /// A value of `key` inside `depth` objects and arrays.
    fn value(&mut self, key: Key, depth: usize) -> Walk<()> {
        self.blanks();
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                let span = self.string()?;
                self.add_string(key, span);
                Ok(())
            }
            Some(b'{' | b'[') if depth >= NESTING_MAX => self.too_deep(key),
            Some(b'{') => {
                self.at += 1;
                self.object(key, depth + 1)
            }
            Some(b'[') => {
                self.at += 1;
                self.array(key, depth + 1)
            }
            _ => {
                let start = self.at;
                let null = self.bare_scalar()?;
                if !null {
                    self.add_bare(key, start);
                }
                Ok(())
            }
        }
    }

    /// A number or a word; says whether it is `null`.
    fn bare_scalar(&mut self) -> Walk<bool> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b't') => self.word(b"true").map(|()| false),
            Some(b'f') => self.word(b"false").map(|()| false),
            Some(b'n') => self.word(b"null").map(|()| true),
            _ => self.wrong("expected a value"),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Walk<()> {
        if !self.raw[self.at..].starts_with(word) {
            return self.wrong("expected `true`, `false` or `null`");
        }
        self.at += word.len();
        Ok(())
    }

    fn number(&mut self) -> Walk<()> {
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return self.wrong("expected a digit");
        }
        if self.take(b'.') && self.digits() == 0 {
            return self.wrong("expected a digit after the point");
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return self.wrong("expected a digit in the exponent");
            }
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    /// Behind the quote that opens a string; goes behind the one that closes it.
    fn string(&mut self) -> Walk<StringSpan> {
        let start = self.at;
        let mut escapes = false;
        loop {
            let rest = &self.raw[self.at..];
            self.at += if self.controls { plain_bytes(rest) } else { unquoted_bytes(rest) };
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = true;
                    self.escape()?;
                }
                Some(_) => return self.wrong("a control character that is not escaped"),
                None => return self.wrong("a string that does not end"),
            }
        }
        self.at += 1;
        Ok(StringSpan { start, end: self.at - 1, escapes })
    }

    fn escape(&mut self) -> Walk<()> {
        match self.raw.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let digits = self.raw.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.wrong(r"expected four hex digits after `\u`");
                }
                self.at += 6;
                Ok(())
            }
            _ => self.wrong("an escape that JSON does not have"),
        }
    }

    /// An object or array below the deepest level: checked, and kept as text unless it is empty.
    fn too_deep(&mut self, key: Key) -> Walk<()> {
        let start = self.at;
        self.skip()?;
        let inside = &self.raw[start + 1..self.at - 1];
        if !inside.iter().all(|&byte| is_blank(byte)) {
            self.add_bare(key, start);
        }
        Ok(())
    }

    /// Checks an object or array of any depth without recursion: it costs a byte a level.
    fn skip(&mut self) -> Walk<()> {
        let mut open = Vec::new();
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.at += 1;
                    self.blanks();
                    open.push(bracket);
                    if !self.closes(bracket) {
                        self.skip_key(bracket)?;
                        continue;
                    }
                    open.pop();
                }
                Some(b'"') => {
                    self.at += 1;
                    self.string()?;
                }
                _ => {
                    self.bare_scalar()?;
                }
            }
            loop {
                let Some(&bracket) = open.last() else { return Ok(()) };
                self.blanks();
                if self.take(b',') {
                    self.blanks();
                    self.skip_key(bracket)?;
                    break;
                }
                if !self.closes(bracket) {
                    return self.wrong("expected `,` or the closing bracket");
                }
                open.pop();
            }
        }
    }

    fn closes(&mut self, bracket: u8) -> bool {
        self.take(if bracket == b'{' { b'}' } else { b']' })
    }

    /// In an object, goes behind the key and the colon.
    fn skip_key(&mut self, bracket: u8) -> Walk<()> {
        if bracket == b'[' {
            return Ok(());
        }
        if !self.take(b'"') {
            return self.wrong("expected a key in double quotes");
        }
        self.string()?;
        self.blanks();
        if !self.take(b':') {
            return self.wrong("expected `:`");
        }
        self.blanks();
        Ok(())
    }

    fn add_string(&mut self, key: Key, span: StringSpan) {
        let StringSpan { start, end, escapes } = span;
        if !escapes {
            return self.add(key, start, end, Spelling::Json);
        }
        if let Some(path) = self.path_of_next(key) {
            let bytes = &self.raw[start..end];
            let decoded = unescape(bytes);
            let spelling = decoded.exact.then(|| Spelling::of_string(&decoded.text, bytes)).flatten();
            let text = Cow::Owned(decoded.text);
            self.fields.push(Field { path, start: start as u32, end: end as u32, text, spelling });
        }
    }

    fn add_bare(&mut self, key: Key, start: usize) {
        self.add(key, start, self.at, Spelling::Bare);
    }

    /// Adds a value whose bytes are its text.
    fn add(&mut self, key: Key, start: usize, end: usize, spelling: Spelling) {
        let Some(path) = self.path_of_next(key) else { return };
        let (text, spelling) = match self.text {
            Some(line) => (Cow::Borrowed(&line[start..end]), Some(spelling)),
            None => match String::from_utf8_lossy(&self.raw[start..end]) {
                Cow::Borrowed(text) => (Cow::Borrowed(text), Some(spelling)),
                Cow::Owned(text) => (Cow::Owned(text), None),
            },
        };
        self.fields.push(Field { path, start: start as u32, end: end as u32, text, spelling });
    }

    /// The path of a value about to be added; `None`, and counted, if a limit forbids it.
    fn path_of_next(&mut self, key: Key) -> Option<PathId> {
        let room = self.fields.len() < FIELDS_MAX;
        let path = if room { self.keys.path(key) } else { None };
        if path.is_none() {
            self.dropped = self.dropped.saturating_add(1);
        }
        path
    }

    fn peek(&self) -> Option<u8> {
        self.raw.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    #[cold]
    fn wrong<T>(&self, what: &'static str) -> Walk<T> {
        Err(LineError::Syntax { what, column: (self.at as u32).saturating_add(1) })
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether any byte is a control character. Without a way out, so that it is done many bytes at a time.
fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, &byte| found | (byte < 0x20))
}

/// How many bytes come before the first quote or backslash.
fn unquoted_bytes(bytes: &[u8]) -> usize {
    memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len())
}

/// How many bytes come before the first quote, backslash or control character. Eight at a time: the
/// strings of log lines are too short for wider machinery to pay.
fn plain_bytes(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = has_zero(word ^ (ONES * u64::from(b'"')));
        let backslash = has_zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        // ORDER: a borrow makes bytes above a true find look found as well, never one below it.
        let found = quote | backslash | control;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let rest = words.len() * 8;
    let plain = |&byte: &u8| byte != b'"' && byte != b'\\' && byte >= 0x20;
    rest + bytes[rest..].iter().take_while(|byte| plain(byte)).count()
}

#[cfg(test)]
mod tests;
