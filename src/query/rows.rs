//! Rows of groups as records for the pipeline, and as hits for the answer.

use std::sync::Arc;

use super::aggregate::accumulator::At;
use super::answer::{FieldValue, Hit};
use super::language::{FieldName, Member};
use super::memory::Budget;
use super::record::{Cell, Record};
use super::scan::bitmap::Bitmap;
use super::scan::eval::Stop;
use super::scan::view::View;
use super::value::{Value, fold};
use crate::block::group::{FIELDS_DROPPED_FIELD, TIME_SOURCE_FIELD};
use crate::block::{Column, RawCursor, Shape};
use crate::event::{EventId, Line, LineKind, LineParser, PartitionKey, PathId, Spelling};

/// The default order of hits is this key's, descending.
pub(crate) type RowKey = (i64, EventId);

/// Where a row stands in the default order of the pipeline, newest first.
pub(crate) fn at_of(key: RowKey) -> At {
    let (time, id) = key;
    let (origin, sequence) = (id.origin.0, id.sequence.0);
    At { order: (!time, !origin, !sequence), time: Some((time, origin, sequence)) }
}

/// The keys of rows, newest first.
pub(crate) fn keys_of(view: &View, rows: &Bitmap) -> Result<Vec<(RowKey, u32)>, Stop> {
    let mut missing = Vec::new();
    let (times, ids) = (view.times(), view.ids());
    let (Ok(times), Ok(ids)) = (&times, &ids) else {
        missing.extend(times.err().into_iter().flatten());
        missing.extend(ids.err().into_iter().flatten());
        return Err(Stop::Missing(missing));
    };
    let key = |row: u32| ((times[row as usize], ids.id(row)), row);
    let mut keys: Vec<(RowKey, u32)> = rows.iter_back().map(key).collect();
    if !view.sorted() {
        keys.sort_unstable_by(|a, b| b.cmp(a));
    }
    Ok(keys)
}

/// Makes records with just the fields that a pipeline reads.
pub(crate) struct Projection {
    fields: Vec<Arc<FieldName>>,
}

impl Projection {
    pub(crate) fn new(fields: Vec<FieldName>) -> Self {
        Self { fields: fields.into_iter().map(Arc::new).collect() }
    }

    /// Records of rows, in the order of `keys`. `group` numbers the group for the runner.
    pub(crate) fn records(
        &self,
        view: &View,
        partition: &PartitionKey,
        keys: &[(RowKey, u32)],
        group: u32,
        budget: &Budget,
    ) -> Result<Vec<Record>, Stop> {
        let mut records: Vec<Record> = keys
            .iter()
            .map(|(key, row)| Record { table: false, at: at_of(*key), place: (group, *row), cells: Vec::new() })
            .collect();
        let mut missing = Vec::new();
        for field in &self.fields {
            if let Err(stop) = fill(view, partition, field, keys, &mut records, budget) {
                match stop {
                    Stop::Missing(parts) => missing.extend(parts),
                    other => return Err(other),
                }
            }
        }
        if missing.is_empty() { Ok(records) } else { Err(Stop::Missing(missing)) }
    }
}

/// Adds one field to all records.
fn fill(
    view: &View,
    partition: &PartitionKey,
    field: &Arc<FieldName>,
    keys: &[(RowKey, u32)],
    records: &mut [Record],
    budget: &Budget,
) -> Result<(), Stop> {
    let mut put = |index: usize, values: Vec<Value>| {
        if !values.is_empty() {
            records[index].cells.push(Cell { name: Arc::clone(field), values, sent: None });
        }
    };
    match field.member() {
        None => {
            let Some(path) = view.paths().get(field.folded()) else { return Ok(()) };
            let Some(column) = view.column(path)? else { return Ok(()) };
            let mut scratch = Vec::new();
            for (index, (_, row)) in keys.iter().enumerate() {
                let range = column.values_of_row(*row);
                put(index, range.map(|value| Value::text(column.text(value, &mut scratch))).collect());
            }
        }
        Some(Member::Timestamp) => {
            keys.iter().enumerate().for_each(|(index, ((time, _), _))| put(index, vec![Value::Time(*time)]));
        }
        Some(Member::Env | Member::Index) => {
            let name = if field.member() == Some(Member::Env) { &partition.env } else { &partition.index };
            (0..keys.len()).for_each(|index| put(index, vec![Value::text(name.as_ref())]));
        }
        Some(Member::Id) => {
            keys.iter().enumerate().for_each(|(index, ((_, id), _))| put(index, vec![Value::text(id.to_string())]));
        }
        Some(member @ (Member::Message | Member::Source)) => {
            let texts = mapped_texts(view, member, keys)?;
            for (index, text) in texts.into_iter().enumerate() {
                let text = text.or_else(|| (member == Member::Message).then(String::new));
                put(index, text.map(Value::Text).into_iter().collect());
            }
        }
        Some(Member::Raw) => {
            let lines = raw_lines(view, keys, budget)?;
            for (index, line) in lines.into_iter().enumerate() {
                put(index, vec![Value::Text(String::from_utf8_lossy(&line).into_owned())]);
            }
        }
    }
    Ok(())
}

/// Message or source of rows: the first value of the path that the row's shape names.
fn mapped_texts(view: &View, member: Member, keys: &[(RowKey, u32)]) -> Result<Vec<Option<String>>, Stop> {
    let shape_of_row = view.shape_of_row()?;
    let shapes = &view.shapes().shapes;
    let path_of = |shape: &Shape| if member == Member::Message { shape.message } else { shape.source };
    let mut scratch = Vec::new();
    let mut texts = Vec::with_capacity(keys.len());
    let mut missing = Vec::new();
    for (_, row) in keys {
        let path = path_of(&shapes[shape_of_row[*row as usize] as usize]);
        let Some(path) = path else {
            texts.push(None);
            continue;
        };
        match view.column(path) {
            Ok(column) => texts.push(column.and_then(|column| first_text(column, *row, &mut scratch))),
            Err(parts) => missing.extend(parts),
        }
    }
    if missing.is_empty() { Ok(texts) } else { Err(Stop::Missing(missing)) }
}

fn first_text(column: &Column, row: u32, scratch: &mut Vec<u8>) -> Option<String> {
    column.values_of_row(row).next().map(|value| column.text(value, scratch).to_owned())
}

/// The lines of rows as they were sent, in the order of `keys`.
fn raw_lines(view: &View, keys: &[(RowKey, u32)], budget: &Budget) -> Result<Vec<Vec<u8>>, Stop> {
    let mut rows = Bitmap::none(view.rows());
    keys.iter().for_each(|(_, row)| rows.insert(*row));
    let group = view.for_raw(&rows)?;
    let mut cursor = RawCursor::new(&group);
    // The cursor goes upwards cheaply.
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_unstable_by_key(|&index| keys[index].1);
    let mut lines = vec![Vec::new(); keys.len()];
    for index in order {
        cursor.try_write(keys[index].1, &mut lines[index])?;
        budget.take(hit_bytes(&lines[index]), "events")?;
    }
    Ok(lines)
}

/// Whole events as they are shown, in the order of `keys`.
///
/// What they hold is taken from the budget; whoever lets go of them gives it back.
pub(crate) fn hits_of(
    view: &View,
    partition: &PartitionKey,
    keys: &[(RowKey, u32)],
    budget: &Budget,
) -> Result<Vec<Hit>, Stop> {
    let lines = raw_lines(view, keys, budget)?;
    let sources = mapped_texts(view, Member::Source, keys)?;
    let shape_of_row = view.shape_of_row()?;
    let synthetic = synthetic_columns(view)?;
    let mut hits = Vec::with_capacity(keys.len());
    let mut scratch = Vec::new();
    for ((((time, id), row), raw), source) in keys.iter().zip(lines).zip(sources) {
        let shape = &view.shapes().shapes[shape_of_row[*row as usize] as usize];
        let (message, mut fields) = fields_of(view, shape.kind, &raw, *time);
        for (name, path, column) in &synthetic {
            let values = column.values_of_row(*row);
            let of_line = fields.iter().find(|(own, _)| own == name).map_or(0, |(_, value)| count_of(value));
            if values.len() > of_line {
                let text = column.text(values.end - 1, &mut scratch).to_owned();
                let value = if *name == FIELDS_DROPPED_FIELD { FieldValue::Bare(text) } else { FieldValue::Text(text) };
                push_field(&mut fields, view.paths().name(*path), value);
            }
        }
        hits.push(Hit {
            id: *id,
            timestamp: *time,
            env: Arc::clone(&partition.env),
            index: Arc::clone(&partition.index),
            source,
            message,
            raw,
            fields,
        });
    }
    Ok(hits)
}

/// Bytes that an event takes as a hit, about: its line, and the same again as fields.
pub(crate) fn hit_bytes(line: &[u8]) -> usize {
    HIT_BYTES + 3 * line.len()
}

/// Bytes of a hit beside its texts, about.
const HIT_BYTES: usize = 512;

fn count_of(value: &FieldValue) -> usize {
    match value {
        FieldValue::Many(values) => values.len(),
        _ => 1,
    }
}

/// The columns that say what no line says.
fn synthetic_columns(view: &View) -> Result<Vec<(&'static str, PathId, &Arc<Column>)>, Stop> {
    let mut columns = Vec::new();
    for name in [TIME_SOURCE_FIELD, FIELDS_DROPPED_FIELD] {
        if let Some(path) = view.paths().get(name)
            && let Some(column) = view.column(path)?
        {
            columns.push((name, path, column));
        }
    }
    Ok(columns)
}

/// Message and fields of a line, read again as they were read when it came.
fn fields_of(view: &View, kind: LineKind, raw: &[u8], time: i64) -> (String, Vec<(String, FieldValue)>) {
    let mut parser = LineParser::new();
    let mut line = Line::default();
    if parser.parse(kind, raw, time, &mut line).is_err() {
        // A line that was read once is read again; one that was not can only come from damage.
        return (String::from_utf8_lossy(raw).into_owned(), Vec::new());
    }
    let text = |index: u32| line.fields[index as usize].text.clone().into_owned();
    let message = line.message.map(text).unwrap_or_default();
    let mut fields = Vec::with_capacity(line.fields.len());
    for field in &line.fields {
        let own = parser.paths().name(field.path);
        let member = Member::named(&fold(own));
        if matches!(member, Some(Member::Timestamp | Member::Message | Member::Source)) {
            continue;
        }
        let name = view.paths().get(own).map_or(own, |path| view.paths().name(path));
        let bare = kind == LineKind::Json && field.spelling == Some(Spelling::Bare);
        let text = field.text.clone().into_owned();
        push_field(&mut fields, name, if bare { FieldValue::Bare(text) } else { FieldValue::Text(text) });
    }
    (message, fields)
}

fn push_field(fields: &mut Vec<(String, FieldValue)>, name: &str, value: FieldValue) {
    match fields.iter_mut().find(|(own, _)| own == name) {
        None => fields.push((name.to_owned(), value)),
        Some((_, FieldValue::Many(values))) => values.push(value),
        Some((_, single)) => {
            let first = std::mem::replace(single, FieldValue::Many(Vec::new()));
            *single = FieldValue::Many(vec![first, value]);
        }
    }
}

impl Record {
    /// A whole event, for the stages that change what is shown.
    pub(crate) fn of_hit(hit: &Hit, place: (u32, u32)) -> Self {
        let mut cells = Vec::with_capacity(hit.fields.len() + MEMBERS);
        let mut put = |name: &str, value: Value| {
            cells.push(Cell { name: Arc::new(FieldName::new(name)), values: vec![value], sent: None });
        };
        put("timestamp", Value::Time(hit.timestamp));
        put("message", Value::text(hit.message.as_str()));
        if let Some(source) = &hit.source {
            put("source", Value::text(source.as_str()));
        }
        put("env", Value::text(hit.env.as_ref()));
        put("index", Value::text(hit.index.as_ref()));
        put("id", Value::text(hit.id.to_string()));
        put("raw", Value::Text(String::from_utf8_lossy(&hit.raw).into_owned()));
        for (name, value) in &hit.fields {
            let name = Arc::new(field_name(name));
            cells.push(Cell { name, values: values_of(value), sent: Some(value.clone()) });
        }
        Self { table: false, at: at_of((hit.timestamp, hit.id)), place, cells }
    }

    /// Puts what the stages made of it back into the hit.
    pub(crate) fn into_hit(self, hit: &mut Hit) {
        hit.fields.clear();
        for cell in self.cells {
            let first = cell.values.first().cloned();
            match cell.name.member() {
                Some(Member::Message) => hit.message = first.and_then(|value| value.to_text()).unwrap_or_default(),
                Some(Member::Source) => hit.source = first.and_then(|value| value.to_text()),
                Some(_) => {}
                None => {
                    let value = cell.sent.unwrap_or_else(|| computed(cell.values));
                    hit.fields.push((shown_name(&cell.name), value));
                }
            }
        }
    }
}

/// The hit's own members.
const MEMBERS: usize = 7;

fn computed(mut values: Vec<Value>) -> FieldValue {
    match values.len() {
        1 => FieldValue::Computed(values.remove(0)),
        _ => FieldValue::Many(values.into_iter().map(FieldValue::Computed).collect()),
    }
}

fn values_of(value: &FieldValue) -> Vec<Value> {
    match value {
        FieldValue::Text(text) | FieldValue::Bare(text) => vec![Value::text(text.as_str())],
        FieldValue::Computed(value) => vec![value.clone()],
        FieldValue::Many(values) => values.iter().flat_map(values_of).collect(),
    }
}

/// A body path as queries name it.
pub(crate) fn field_name(path: &str) -> FieldName {
    let name = FieldName::new(path);
    if name.member().is_some() { FieldName::new(format!("fields.{path}")) } else { name }
}

/// A body path as hits show it.
fn shown_name(name: &FieldName) -> String {
    let typed = name.typed();
    if fold(typed) == name.folded() { typed.to_owned() } else { name.folded().to_owned() }
}
