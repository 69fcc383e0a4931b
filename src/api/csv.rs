//! Hits and tables as CSV (RFC 4180 with `\n`), every value exactly as it is.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use csv::{QuoteStyle, Writer, WriterBuilder};
use serde::Serialize;

use crate::event::time::format_rfc3339;
use crate::query::answer::{Cell, FieldValue};
use crate::query::{ExportPart, Hit, Table};

/// Writes the parts of one export.
pub struct CsvWriter {
    columns: Vec<String>,
    begun: bool,
}

impl CsvWriter {
    /// Hits have these columns, or all members of a hit.
    pub fn new(columns: Vec<String>) -> Self {
        let columns = if columns.is_empty() { MEMBERS.map(str::to_owned).to_vec() } else { columns };
        Self { columns, begun: false }
    }

    /// The bytes of one part, with the head line before the first.
    ///
    /// # Errors
    /// Never for parts that a query made.
    pub fn write(&mut self, part: &ExportPart) -> io::Result<Vec<u8>> {
        let mut out = WriterBuilder::new().quote_style(QuoteStyle::Necessary).from_writer(Vec::new());
        match part {
            ExportPart::Hits(hits) => self.write_hits(hits, &mut out)?,
            ExportPart::Table(table) => self.write_table(table, &mut out)?,
            // An export of nothing still has its head line.
            ExportPart::Done { .. } => self.head(&mut out)?,
        }
        out.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }

    fn head(&mut self, out: &mut Writer<Vec<u8>>) -> io::Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            out.write_record(&self.columns)?;
        }
        Ok(())
    }

    fn write_hits(&mut self, hits: &[Hit], out: &mut Writer<Vec<u8>>) -> io::Result<()> {
        self.head(out)?;
        for hit in hits {
            out.write_record(self.columns.iter().map(|column| member(hit, column)))?;
        }
        Ok(())
    }

    fn write_table(&mut self, table: &Table, out: &mut Writer<Vec<u8>>) -> io::Result<()> {
        self.columns.clone_from(&table.columns);
        self.head(out)?;
        for row in &table.rows {
            out.write_record(row.iter().map(|value| plain(&Cell(value))))?;
        }
        Ok(())
    }
}

/// What a column says of a hit: one of its members, else the field of that path.
fn member(hit: &Hit, column: &str) -> String {
    match column {
        "id" => hit.id.to_string(),
        "timestamp" => format_rfc3339(hit.timestamp),
        "env" => hit.env.to_string(),
        "index" => hit.index.to_string(),
        "source" => hit.source.clone().unwrap_or_default(),
        "message" => hit.message.clone(),
        "raw" => String::from_utf8_lossy(&hit.raw).into_owned(),
        "raw_base64" if std::str::from_utf8(&hit.raw).is_ok() => String::new(),
        "raw_base64" => STANDARD.encode(&hit.raw),
        path => field(hit, path.strip_prefix("fields.").unwrap_or(path)),
    }
}

fn field(hit: &Hit, path: &str) -> String {
    let found = hit.fields.iter().filter(|(name, _)| name.to_lowercase() == path.to_lowercase());
    let values: Vec<&FieldValue> = found.map(|(_, value)| value).collect();
    match values.as_slice() {
        [] => String::new(),
        [one] => plain(one),
        many => plain(many),
    }
}

/// A text as it is, nothing as nothing, everything else as JSON.
fn plain(value: &(impl Serialize + ?Sized)) -> String {
    match serde_json::to_string(value) {
        Ok(json) if json == "null" => String::new(),
        Ok(json) if json.starts_with('"') => serde_json::from_str(&json).unwrap_or(json),
        Ok(json) => json,
        Err(_) => String::new(),
    }
}

const MEMBERS: [&str; 8] = ["id", "timestamp", "env", "index", "source", "message", "raw", "raw_base64"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::value::Value;

    fn hit(raw: &[u8]) -> Hit {
        Hit {
            id: "0000000000000001-2".parse().unwrap(),
            timestamp: 0,
            env: "default".into(),
            index: "app".into(),
            source: None,
            message: "a \"b\", c".into(),
            raw: raw.to_vec(),
            fields: vec![
                ("n".into(), FieldValue::Bare("1.0".into())),
                ("t".into(), FieldValue::Many(vec![FieldValue::Text("x".into()), FieldValue::Bare("2".into())])),
            ],
        }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_hit_is_one_record_under_one_head() {
        let mut csv = CsvWriter::new(Vec::new());
        let first = text(csv.write(&ExportPart::Hits(vec![hit(b"x\ny")])).unwrap());
        assert_eq!(
            first,
            "id,timestamp,env,index,source,message,raw,raw_base64\n\
             0000000000000001-2,1970-01-01T00:00:00Z,default,app,,\"a \"\"b\"\", c\",\"x\ny\",\n"
        );
        let second = text(csv.write(&ExportPart::Hits(vec![hit(b"\xff")])).unwrap());
        assert!(second.ends_with(",\u{fffd},/w==\n"), "{second}");
    }

    #[test]
    fn columns_may_be_chosen_and_name_fields() {
        let mut csv = CsvWriter::new(vec!["N".into(), "t".into(), "none".into(), "index".into()]);
        assert_eq!(
            text(csv.write(&ExportPart::Hits(vec![hit(b"")])).unwrap()),
            "N,t,none,index\n1.0,\"[\"\"x\"\",2]\",,app\n"
        );
    }

    #[test]
    fn a_table_brings_its_own_columns() {
        let table = Table { columns: vec!["a".into()], rows: vec![vec![Value::Text("x".into())], vec![Value::Null]] };
        assert_eq!(text(CsvWriter::new(vec![]).write(&ExportPart::Table(table)).unwrap()), "a\nx\n\"\"\n");
    }

    #[test]
    fn an_export_of_nothing_has_its_head_line() {
        let done = ExportPart::Done { partial: false, warnings: vec![] };
        assert!(text(CsvWriter::new(vec![]).write(&done).unwrap()).starts_with("id,timestamp"));
    }
}
