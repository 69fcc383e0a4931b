//! What is written to the terminal.
//!
//! **Promise.** Control characters of log text are shown, never sent: a log line must not be able to
//! move the cursor, change the title or rewrite what is above it.

use std::io::{self, IsTerminal, Write};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::args::Format;

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The format that was asked for, or the one that fits where the output goes.
pub(super) fn format(asked: Option<Format>) -> Format {
    asked.unwrap_or(if is_terminal() { Format::Table } else { Format::Ndjson })
}

/// Writes to standard output. A reader that has gone (`| head`) is no error.
pub(super) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => written,
    }
}

/// Writes a line to standard error. Nothing helps if that fails.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// An answer to a search, with its numbers as they were sent.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) total: Option<u64>,
    pub(super) hits: Vec<Box<RawValue>>,
    pub(super) table: Option<AnswerTable>,
    pub(super) took_ms: u64,
    pub(super) partial: bool,
    pub(super) warnings: Vec<String>,
    pub(super) stats: AnswerStats,
}

/// What was looked at.
#[derive(Debug, Deserialize)]
pub(super) struct AnswerStats {
    /// By name.
    pub(super) explain: Option<serde_json::Map<String, Value>>,
}

/// The rows of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct AnswerTable {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Box<RawValue>>>,
}

/// What of a hit is shown on a terminal.
#[derive(Debug, Deserialize)]
pub(super) struct ShownHit {
    timestamp: String,
    index: String,
    source: Option<String>,
    message: String,
    raw: String,
    #[serde(default)]
    fields: serde_json::Map<String, Value>,
}

impl AnswerTable {
    /// Each row as an object, one a line.
    pub(super) fn ndjson(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let members = self.columns.iter().zip(row);
            let members: Vec<String> =
                members.map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), value.get())).collect();
            out.push_str(&format!("{{{}}}\n", members.join(",")));
        }
        out
    }

    /// Aligned columns, numbers to the right.
    pub(super) fn aligned(&self) -> String {
        let cells: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
        let numeric: Vec<bool> = (0..self.columns.len()).map(|column| self.is_numeric(column)).collect();
        aligned(&self.columns, &cells, &numeric)
    }

    fn is_numeric(&self, column: usize) -> bool {
        self.rows.iter().filter_map(|row| row.get(column)).all(|cell| !cell.get().starts_with(['"', '[', 't', 'f']))
    }
}

impl ShownHit {
    /// One line: time, level, where from, what.
    pub(super) fn line(&self) -> String {
        let level = LEVEL_FIELDS.iter().find_map(|name| self.fields.get(*name)?.as_str()).unwrap_or("");
        let from = self.source.as_deref().unwrap_or(&self.index);
        let what = if self.message.is_empty() { &self.raw } else { &self.message };
        visible(&format!("{}  {level:<5}  {from}  {what}", self.timestamp))
    }
}

/// A JSON value as text: strings without quotes, null as `-`.
fn plain(cell: &RawValue) -> String {
    match serde_json::from_str(cell.get()) {
        Ok(Value::String(text)) => visible(&text),
        Ok(Value::Null) => "-".to_owned(),
        _ => visible(cell.get()),
    }
}

/// Text with its control characters spelled out.
pub(super) fn visible(text: &str) -> String {
    let spelled = |c: char| match c {
        '\t' => "    ".to_owned(),
        // Beside the controls: what turns the direction of writing around.
        c if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
        {
            c.escape_default().to_string()
        }
        c => c.to_string(),
    };
    text.chars().map(spelled).collect()
}

/// Aligned columns under their heads.
pub(super) fn aligned(heads: &[String], rows: &[Vec<String>], numeric: &[bool]) -> String {
    let heads: Vec<String> = heads.iter().map(|head| visible(head)).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(heads.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut out = String::new();
    for row in std::iter::once(&heads).chain(rows) {
        let cells = row.iter().zip(&widths).zip(numeric).map(|((cell, width), numeric)| match numeric {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        out.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Where events say how bad it is, in the order in which they are asked.
const LEVEL_FIELDS: [&str; 5] = ["level", "severity", "severity_text", "log.level", "lvl"];

#[cfg(test)]
mod tests {
    use super::*;

    fn table(json: &str) -> AnswerTable {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_stand_to_the_right_and_nothing_is_a_dash() {
        let table = table(r#"{"columns":["service","count"],"rows":[["cart",1],[null,12000]]}"#);
        assert_eq!(table.aligned(), "service  count\ncart         1\n-        12000\n");
    }

    #[test]
    fn a_number_keeps_its_digits_in_a_pipe() {
        let table = table(r#"{"columns":["a\"b","n"],"rows":[["x",1.0]]}"#);
        assert_eq!(table.ndjson(), "{\"a\\\"b\":\"x\",\"n\":1.0}\n");
    }

    #[test]
    fn a_log_line_cannot_drive_the_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\rc\u{202e}d\u{9b}e"), "a\\u{1b}[2Jb\\rc\\u{202e}d\\u{9b}e");
        assert_eq!(visible("größe\tx"), "größe    x");
    }
}
