//! Which fields there are, and what is in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;

use super::QueryContext;
use super::aggregate::accumulator::TextCounts;
use super::answer::{DiscoverAnswer, FieldKind, FieldSummary};
use super::error::{BadQuery, QueryError};
use super::language::Member;
use super::memory::Budget;
use super::prepare::{prepare, warnings_of};
use super::request::DiscoverRequest;
use super::run::matches_of_group;
use super::scan::bitmap::Bitmap;
use super::scan::eval::Stop;
use super::scan::view::View;
use super::source::Source;
use super::value::{Decimal, read_address, read_time};
use crate::block::group::SOURCE_FIELD;
use crate::block::{Column, Values};
use crate::engine::Snapshot;

/// Distinct values of one field that are counted; a field with more has no top values.
pub(crate) const DISTINCT_MAX: usize = 100_000;

/// Bytes of one field's values that are counted.
const FIELD_BYTES_MAX: usize = 8 << 20;

/// Fields with more distinct values are not offered for grouping.
const GROUPABLE_MAX: u64 = 10_000;

/// What is known of one field.
#[derive(Default)]
struct Field {
    /// As first seen.
    name: String,
    /// Events that have it.
    rows: u64,
    counts: TextCounts,
    capped: bool,
    kind: Option<FieldKind>,
}

/// What is known of all fields, by folded path.
#[derive(Default)]
struct Fields {
    rows: u64,
    fields: BTreeMap<String, Field>,
}

/// Looks at all matches, or at the newest of them.
pub(crate) async fn discover(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &DiscoverRequest,
) -> Result<DiscoverAnswer, QueryError> {
    let started = context.shared.host.clock.monotonic();
    let prepared = prepare(&request.query, None)?;
    prepared.only_events("the list of fields")?;
    if let Some(stage) = prepared.events.first() {
        let message = format!("the list of fields is about events as they came, before `{}`", stage.help().name);
        return Err(BadQuery::parameter("q", message).with_hint("leave out the stages").into());
    }
    let source = Source::open(context, snapshot, &request.scope, &prepared).await?;
    let budget = Budget::new(context.shared.limits.memory_bytes);
    let mut all = Fields::default();
    let (mut total, mut sampled) = (0, false);
    {
        let wanted = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let mut groups = std::pin::pin!(source.each(|_, task| {
            let mut matches = matches_of_group(task, &source);
            let wanted = Arc::clone(&wanted);
            move |view: &View| {
                let rows = matches(view)?;
                let looked_at = wanted.load(std::sync::atomic::Ordering::Relaxed);
                let fields = if looked_at { fields_of_group(view, &rows)? } else { Fields::default() };
                Ok((rows.count(), fields))
            }
        }));
        while let Some(outcome) = groups.next().await {
            let (count, fields) = outcome?;
            total += count;
            if request.sample.is_some_and(|sample| all.rows >= sample) {
                wanted.store(false, std::sync::atomic::Ordering::Relaxed);
                sampled |= count > 0;
            } else {
                all.merge(fields, &budget)?;
            }
        }
    }
    let looked_at = all.rows;
    let (mut warnings, partial) = warnings_of(snapshot, &request.scope, &context.access);
    warnings.extend(prepared.warnings);
    let summaries = summaries_of(all, request.top as usize, &mut warnings);
    Ok(DiscoverAnswer {
        fields: summaries,
        total,
        sampled: sampled.then_some(looked_at),
        took_ms: (context.shared.host.clock.monotonic() - started).as_millis() as u64,
        partial,
        warnings,
    })
}

fn fields_of_group(view: &View, rows: &Bitmap) -> Result<Fields, Stop> {
    let mut fields = Fields { rows: rows.count(), fields: BTreeMap::new() };
    if rows.is_empty() {
        return Ok(fields);
    }
    let mut missing = Vec::new();
    for path in view.present() {
        let folded = view.paths().folded(path);
        let hidden = matches!(Member::named(folded), Some(Member::Timestamp | Member::Message));
        if hidden || folded == SOURCE_FIELD {
            continue;
        }
        match view.column(path) {
            Err(parts) => missing.extend(parts),
            Ok(None) => {}
            Ok(Some(column)) => {
                let field = field_of_column(view.paths().name(path), column, rows);
                if field.rows > 0 {
                    fields.fields.insert(folded.to_owned(), field);
                }
            }
        }
    }
    if missing.is_empty() { Ok(fields) } else { Err(Stop::Missing(missing)) }
}

fn field_of_column(name: &str, column: &Column, rows: &Bitmap) -> Field {
    let mut counts = vec![0u64; column.values.len()];
    let (mut own_rows, mut last) = (0, None);
    for value in 0..column.len() {
        let row = column.row_of(value);
        if rows.contains(row) {
            counts[column.entry_of(value)] += 1;
            own_rows += u64::from(last != Some(row));
            last = Some(row);
        }
    }
    let mut field = Field { name: name.to_owned(), rows: own_rows, ..Field::default() };
    let mut scratch = Vec::new();
    for (entry, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        if field.is_full() {
            field.capped = true;
            break;
        }
        let text = column.values.text(entry, &mut scratch);
        field.kind = Some(merge_kinds(field.kind, kind_of(&column.values, text, field.kind)));
        field.counts.add(text.as_bytes(), count);
    }
    field
}

/// The kind of a value, as far as it can still be `known`.
fn kind_of(values: &Values, text: &str, known: Option<FieldKind>) -> FieldKind {
    let may_be = |kind: FieldKind| known.is_none_or(|known| known == kind);
    match values {
        Values::Integers(_) | Values::Decimals { .. } => FieldKind::Number,
        Values::Ipv4(_) => FieldKind::Ip,
        Values::Times { .. } => FieldKind::Time,
        _ if known == Some(FieldKind::Text) => FieldKind::Text,
        _ if may_be(FieldKind::Number) && Decimal::parse(text).is_some() => FieldKind::Number,
        _ if may_be(FieldKind::Bool) && matches!(text, "true" | "false") => FieldKind::Bool,
        _ if may_be(FieldKind::Ip) && read_address(text).is_some() => FieldKind::Ip,
        _ if may_be(FieldKind::Time) && read_time(text).is_some() => FieldKind::Time,
        _ => FieldKind::Text,
    }
}

fn merge_kinds(a: Option<FieldKind>, b: FieldKind) -> FieldKind {
    if a.is_none_or(|a| a == b) { b } else { FieldKind::Text }
}

impl Field {
    fn is_full(&self) -> bool {
        self.counts.len() >= DISTINCT_MAX || self.counts.memory_bytes() >= FIELD_BYTES_MAX
    }

    fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.capped |= other.capped;
        if let Some(kind) = other.kind {
            self.kind = Some(merge_kinds(self.kind, kind));
        }
        for (text, count) in other.counts.iter() {
            if self.is_full() && !self.counts.has(text) {
                self.capped = true;
                return;
            }
            self.counts.add(text, count);
        }
    }
}

impl Fields {
    fn merge(&mut self, other: Self, budget: &Budget) -> Result<(), QueryError> {
        self.rows += other.rows;
        for (folded, field) in other.fields {
            let own =
                self.fields.entry(folded).or_insert_with(|| Field { name: field.name.clone(), ..Field::default() });
            let before = own.counts.memory_bytes();
            own.merge(field);
            budget.take(own.counts.memory_bytes().saturating_sub(before), "field values")?;
        }
        Ok(())
    }
}

fn summaries_of(all: Fields, top: usize, warnings: &mut Vec<String>) -> Vec<FieldSummary> {
    let events = all.rows;
    let mut summaries: Vec<FieldSummary> = Vec::with_capacity(all.fields.len());
    let mut capped = Vec::new();
    for field in all.fields.into_values() {
        if field.capped {
            capped.push(format!("`{}`", field.name));
        }
        summaries.push(summary_of(field, events, top));
    }
    if !capped.is_empty() {
        let names = capped.join(", ");
        warnings.push(format!("too many distinct values to name the most frequent: {names}"));
    }
    summaries.sort_by(|a, b| b.coverage.total_cmp(&a.coverage).then_with(|| a.name.cmp(&b.name)));
    summaries
}

fn summary_of(field: Field, events: u64, top: usize) -> FieldSummary {
    let distinct = field.counts.len() as u64;
    let mut values: Vec<(String, u64)> = Vec::new();
    if !field.capped {
        values = field.counts.iter().map(|(text, count)| (String::from_utf8_lossy(text).into_owned(), count)).collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(top);
    }
    let repeats = distinct.saturating_mul(2) <= field.rows;
    let groupable = !field.capped && distinct <= GROUPABLE_MAX && (repeats || distinct <= 20);
    let coverage = field.rows as f64 / events.max(1) as f64;
    FieldSummary {
        name: field.name,
        kind: field.kind.unwrap_or(FieldKind::Text),
        coverage,
        distinct,
        distinct_capped: field.capped,
        top: values,
        groupable,
        interesting: groupable && distinct > 1 && coverage >= 0.01,
    }
}
