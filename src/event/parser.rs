//! Lines to events: the one door of this room that ingest and replay use.

use std::borrow::Cow;

use super::json::Walker;
use super::keys::Keys;
use super::known::KnownLines;
use super::mapping::Roles;
use super::{Field, Line, LineError, LineKind, PathTable, Spelling, time};

/// Name of the one field of a text line.
pub const TEXT_FIELD: &str = "message";

/// Reads lines one after the other into events whose field paths are in one table.
///
/// It remembers which keys follow each other, so a stream of like lines costs little. What it
/// remembers never changes what a line is read as, with one exception: once a table is full
/// ([`super::keys::PATHS_MAX`]) new paths count as fields dropped.
#[derive(Default)]
pub struct LineParser {
    keys: Keys,
    known: KnownLines,
    roles: Roles,
}

impl LineParser {
    /// A parser with an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The paths of all lines so far.
    pub fn paths(&self) -> &PathTable {
        self.keys.paths()
    }

    /// Ends the parser and gives its table.
    pub fn into_paths(self) -> PathTable {
        self.keys.into_paths()
    }

    /// Reads `raw` into `line`, whose former content goes. `arrival_ns` gives a year to times without.
    ///
    /// # Errors
    /// If the line is no event: JSON that is not one valid object. Then `line` means nothing. A text
    /// line is always an event.
    pub fn parse<'a>(
        &mut self,
        kind: LineKind,
        raw: &'a [u8],
        arrival_ns: i64,
        line: &mut Line<'a>,
    ) -> Result<(), LineError> {
        line.clear(kind, raw);
        match kind {
            LineKind::Json => self.json(line, arrival_ns)?,
            LineKind::Text => self.text(line, arrival_ns)?,
        }
        Ok(())
    }

    fn json(&mut self, line: &mut Line<'_>, arrival_ns: i64) -> Result<(), LineError> {
        let mut walker = Walker::new(line.raw, &mut self.keys, &mut line.fields)?;
        let form = match self.known.read(&mut walker) {
            Some(form) => form,
            None => {
                walker.restart();
                line.fields_dropped = walker.line()?;
                let parts = self.roles.of(self.keys.paths(), &line.fields);
                let all = line.fields_dropped == 0;
                let learned = all.then(|| self.known.learn(line.raw, &line.fields, parts)).flatten();
                let Some(form) = learned else {
                    parts.assign(line, arrival_ns);
                    return Ok(());
                };
                form
            }
        };
        line.form = Some(form.number);
        form.parts.assign(line, arrival_ns);
        Ok(())
    }

    /// The whole line is its message; a carriage return at its end is not.
    fn text(&mut self, line: &mut Line<'_>, arrival_ns: i64) -> Result<(), LineError> {
        let message = line.raw.strip_suffix(b"\r").unwrap_or(line.raw);
        let end = u32::try_from(message.len()).map_err(|_| LineError::TooLong)?;
        line.timestamp = time::find_time_in_text(message, arrival_ns);
        let Some(path) = self.keys.intern(TEXT_FIELD) else {
            line.fields_dropped = 1;
            return Ok(());
        };
        let text = match simdutf8::basic::from_utf8(message) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(message),
        };
        let spelling = matches!(text, Cow::Borrowed(_)).then_some(Spelling::Bare);
        line.fields.push(Field { path, start: 0, end, text, spelling });
        line.message = Some(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_line_is_its_message_without_the_carriage_return() {
        let mut parser = LineParser::new();
        let mut line = Line::default();
        for (raw, text, spelling) in [
            (b"2026-06-14 10:15:00 up\r".as_slice(), "2026-06-14 10:15:00 up", Some(Spelling::Bare)),
            (b"a\0b\xffc", "a\0b\u{fffd}c", None),
            (b"", "", Some(Spelling::Bare)),
        ] {
            parser.parse(LineKind::Text, raw, 0, &mut line).unwrap();
            assert_eq!((line.raw, line.kind, line.message), (raw, LineKind::Text, Some(0)));
            assert_eq!((&*line.fields[0].text, line.fields[0].spelling), (text, spelling));
            assert_eq!(parser.paths().name(line.fields[0].path), TEXT_FIELD);
            assert_eq!(line.timestamp.is_some(), raw.starts_with(b"2026"));
        }
    }

    #[test]
    fn names_made_up_by_a_request_fill_a_bounded_table() {
        let mut parser = LineParser::new();
        let mut line = Line::default();
        let long = "p".repeat(900);
        let mut dropped = 0;
        for first in 0..40 {
            let members: Vec<String> = (0..1_500).map(|n| format!("\"{n}\":1")).collect();
            let raw = format!("{{\"{first}{long}\":{{{}}}}}", members.join(","));
            parser.parse(LineKind::Json, raw.as_bytes(), 0, &mut Line::default()).unwrap();
            let mut again = Line::default();
            parser.parse(LineKind::Json, raw.as_bytes(), 0, &mut again).unwrap();
            dropped += again.fields_dropped;
            assert_eq!(again.fields.len() + again.fields_dropped as usize, 1_500);
        }
        assert!(dropped > 0);
        let bytes: usize = parser.paths().iter().map(|(_, name)| name.len()).sum();
        assert!(bytes <= super::super::keys::PATH_TABLE_BYTES_MAX);
        let known = br#"{"x":1}"#;
        parser.parse(LineKind::Json, known, 0, &mut line).unwrap();
    }
}
