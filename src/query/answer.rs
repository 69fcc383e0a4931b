//! What is answered, and how it looks in JSON.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::explain::Explain;
use super::value::{Value, print_time};
use crate::event::EventId;

/// The answer to a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SearchAnswer {
    /// Events that leave the pipeline, or rows of the table. `None` if it was not wanted.
    pub total: Option<u64>,
    /// The hits asked for; empty where there is a table.
    pub hits: Vec<Hit>,
    /// The rows, if the pipeline reduces events to rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    /// The same data as series, after `timechart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
    /// Time that the answer took, in milliseconds.
    pub took_ms: u64,
    /// Whether something is missing; `warnings` say what.
    pub partial: bool,
    /// What the reader must know to read the answer rightly.
    pub warnings: Vec<String>,
    /// What was looked at.
    pub stats: SearchStats,
    /// Where to go on; `None` if there is nothing more.
    pub cursor: Option<String>,
}

/// What a query looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct SearchStats {
    /// Blocks in the partitions that the request may read.
    pub blocks: u64,
    /// Blocks of which no value was read.
    pub blocks_pruned: u64,
    /// Bytes read from disk.
    pub bytes_read: u64,
    /// Events in the row groups that were looked at.
    pub rows_scanned: u64,
    /// The same in detail, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Explain>,
}

/// How far a query has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Progress {
    /// Row groups to look at.
    pub groups: u64,
    /// Row groups done.
    pub groups_done: u64,
    /// Bytes read from disk so far.
    pub bytes_read: u64,
    /// Events looked at so far.
    pub rows_scanned: u64,
    /// Matches so far.
    pub matched: u64,
}

/// What a streaming search sends, in this order: progress now and then, hits once, the answer last.
#[derive(Clone, Debug)]
pub enum SearchEvent {
    /// How far it has come.
    Progress(Progress),
    /// The hits, final and in order. They are not repeated in the answer.
    Hits(Vec<Hit>),
    /// The rest of the answer.
    Done(Box<SearchAnswer>),
}

/// A piece of an export.
#[derive(Clone, Debug)]
pub enum ExportPart {
    /// Events, in order.
    Hits(Vec<Hit>),
    /// The rows of a pipeline that reduces events to rows.
    Table(Table),
    /// The last part: what the reader must know.
    Done {
        /// Whether something is missing.
        partial: bool,
        /// What.
        warnings: Vec<String>,
    },
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its stable id.
    pub id: EventId,
    /// Its time, nanoseconds since 1970.
    pub timestamp: i64,
    /// Its environment.
    pub env: Arc<str>,
    /// Its index.
    pub index: Arc<str>,
    /// Where it comes from, if it says so.
    pub source: Option<String>,
    /// Its message; empty if it has none.
    pub message: String,
    /// The bytes as sent.
    pub raw: Vec<u8>,
    /// Its fields by path, in the order of the line.
    pub fields: Vec<(String, FieldValue)>,
}

/// What a field of a hit says.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// A text.
    Text(String),
    /// A JSON number, `true` or `false`, exactly as sent.
    Bare(String),
    /// The outcome of a stage.
    Computed(Value),
    /// Several values, in order.
    Many(Vec<FieldValue>),
}

/// Rows of a reducing stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows; each as long as `columns`.
    #[serde(serialize_with = "serialize_rows")]
    pub rows: Vec<Vec<Value>>,
}

/// A table as series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chart {
    /// `time` or `bar`.
    pub kind: &'static str,
    /// The name of the column along the axis.
    pub x: String,
    /// The series, one for each other column.
    pub series: Vec<Series>,
}

/// One series: pairs of x and y.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// The column's name.
    pub name: String,
    /// `[x, y]`.
    #[serde(serialize_with = "serialize_points")]
    pub points: Vec<(Value, Value)>,
}

/// Counts over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HistogramAnswer {
    /// The buckets from the first to the last, empty ones included.
    pub buckets: Vec<HistogramBucket>,
    /// Width of a bucket in milliseconds.
    pub interval_ms: u64,
    /// All events counted.
    pub total: u64,
    /// Time that the answer took, in milliseconds.
    pub took_ms: u64,
    /// Whether something is missing.
    pub partial: bool,
    /// What the reader must know.
    pub warnings: Vec<String>,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramBucket {
    /// Where it begins, nanoseconds since 1970.
    pub start: i64,
    /// Events in it.
    pub count: u64,
    /// Events by value of the asked field.
    pub by: Option<Vec<(String, u64)>>,
}

/// The most frequent values of fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AggregateAnswer {
    /// For each field its values and their counts, most frequent first.
    #[serde(serialize_with = "serialize_terms")]
    pub fields: Vec<(String, Vec<(String, u64)>)>,
    /// Events that were looked at.
    pub total: u64,
    /// Time that the answer took, in milliseconds.
    pub took_ms: u64,
    /// Whether something is missing.
    pub partial: bool,
    /// What the reader must know.
    pub warnings: Vec<String>,
}

/// Which fields there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DiscoverAnswer {
    /// The fields, those that more events have first.
    pub fields: Vec<FieldSummary>,
    /// Matching events.
    pub total: u64,
    /// Events that were looked at, where that is not all of them; else `false`.
    #[serde(serialize_with = "serialize_sampled")]
    pub sampled: Option<u64>,
    /// Time that the answer took, in milliseconds.
    pub took_ms: u64,
    /// Whether something is missing.
    pub partial: bool,
    /// What the reader must know.
    pub warnings: Vec<String>,
}

/// What is in a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldSummary {
    /// Its path.
    pub name: String,
    /// What its values are.
    pub kind: FieldKind,
    /// Share of the events that have it, 0 to 1.
    pub coverage: f64,
    /// Distinct values.
    pub distinct: u64,
    /// Whether counting ended before all distinct values were seen: there are more.
    pub distinct_capped: bool,
    /// The most frequent values and their counts.
    pub top: Vec<(String, u64)>,
    /// Whether grouping by it makes sense: it repeats.
    pub groupable: bool,
    /// Whether it is worth showing first.
    pub interesting: bool,
}

/// What the values of a field are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Numbers.
    Number,
    /// `true` and `false`.
    Bool,
    /// IP addresses.
    Ip,
    /// Times.
    Time,
    /// Anything else.
    Text,
}

/// The events around one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContextAnswer {
    /// Older ones, oldest first.
    pub before: Vec<Hit>,
    /// The one asked for.
    pub event: Hit,
    /// Newer ones, oldest first.
    pub after: Vec<Hit>,
    /// What the reader must know.
    pub warnings: Vec<String>,
}

impl Serialize for Hit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { id, timestamp, env, index, source, message, raw, fields } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &id.to_string())?;
        map.serialize_entry("timestamp", &print_time(*timestamp))?;
        map.serialize_entry("env", env.as_ref())?;
        map.serialize_entry("index", index.as_ref())?;
        map.serialize_entry("source", source)?;
        map.serialize_entry("message", message)?;
        map.serialize_entry("raw", &String::from_utf8_lossy(raw))?;
        if std::str::from_utf8(raw).is_err() {
            map.serialize_entry("raw_base64", &STANDARD.encode(raw))?;
        }
        map.serialize_entry("fields", &Fields(fields))?;
        map.end()
    }
}

struct Fields<'a>(&'a [(String, FieldValue)]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Serialize for FieldValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bare(text) => serialize_literal(text, serializer),
            Self::Computed(value) => Cell(value).serialize(serializer),
            Self::Many(values) => serializer.collect_seq(values),
        }
    }
}

/// A value as JSON: numbers as numbers with all their digits, times as RFC 3339.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a>(pub &'a Value);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Number(number) => serialize_literal(&number.to_string(), serializer),
            Value::Float(number) => serializer.serialize_f64(*number),
            Value::Time(time) => serializer.serialize_str(&print_time(*time)),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(values) => serializer.collect_seq(values.iter().map(Cell)),
        }
    }
}

impl Serialize for HistogramBucket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("t", &print_time(self.start))?;
        map.serialize_entry("count", &self.count)?;
        if let Some(by) = &self.by {
            map.serialize_entry("by", &by.iter().map(|(name, count)| (name, count)).collect::<Pairs<_, _>>())?;
        }
        map.end()
    }
}

/// Pairs as a JSON object.
struct Pairs<K, V>(Vec<(K, V)>);

impl<K, V> FromIterator<(K, V)> for Pairs<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl<K: Serialize, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn serialize_rows<S: Serializer>(rows: &[Vec<Value>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(rows.len()))?;
    for row in rows {
        seq.serialize_element(&row.iter().map(Cell).collect::<Vec<_>>())?;
    }
    seq.end()
}

fn serialize_points<S: Serializer>(points: &[(Value, Value)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(points.iter().map(|(x, y)| (Cell(x), Cell(y))))
}

fn serialize_terms<S: Serializer>(fields: &[(String, Vec<(String, u64)>)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, terms)| (name, terms)))
}

fn serialize_sampled<S: Serializer>(sampled: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match sampled {
        None => serializer.serialize_bool(false),
        Some(rows) => serializer.serialize_u64(*rows),
    }
}

/// A JSON number, `true` or `false` as it stands; anything else as a JSON string.
fn serialize_literal<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let literal = text == "true" || text == "false" || text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    match serde_json::value::RawValue::from_string(text.to_owned()) {
        Ok(raw) if literal => raw.serialize(serializer),
        _ => serializer.serialize_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Origin, Sequence};

    fn hit(raw: &[u8]) -> Hit {
        Hit {
            id: EventId { origin: Origin(1), sequence: Sequence(2) },
            timestamp: 1_781_395_200_000_000_000,
            env: "default".into(),
            index: "app".into(),
            source: None,
            message: "m".into(),
            raw: raw.to_vec(),
            fields: vec![("n".into(), FieldValue::Bare("1.0".into())), ("t".into(), FieldValue::Text("1".into()))],
        }
    }

    #[test]
    fn a_hit_keeps_the_digits_that_were_sent() {
        let text = serde_json::to_string(&hit(b"x")).unwrap();
        assert_eq!(
            text,
            r#"{"id":"0000000000000001-2","timestamp":"2026-06-14T00:00:00Z","env":"default","index":"app","source":null,"message":"m","raw":"x","fields":{"n":1.0,"t":"1"}}"#
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_come_in_base64_too() {
        let text = serde_json::to_string(&hit(b"a\xff")).unwrap();
        assert!(text.contains("\"raw\":\"a\u{fffd}\",\"raw_base64\":\"Yf8=\""), "{text}");
    }

    #[test]
    fn what_looks_like_a_literal_but_is_none_stays_a_text() {
        for (bare, json) in [("12", "12"), ("true", "true"), ("{\"a\":1}", r#""{\"a\":1}""#), ("1x", "\"1x\"")] {
            assert_eq!(serde_json::to_string(&FieldValue::Bare(bare.into())).unwrap(), json);
        }
    }
}
