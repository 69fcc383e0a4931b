//! Counts over time, and the most frequent values of fields: pipelines that the request does not spell.

use super::QueryContext;
use super::answer::{AggregateAnswer, HistogramAnswer, HistogramBucket, SearchAnswer};
use super::error::{BadQuery, QueryError};
use super::language::arguments::read_span;
use super::language::{Aggregate, FieldName, Function};
use super::memory::Budget;
use super::prepare::{Prepared, prepare, stage_context, warnings_of};
use super::request::{AggregateRequest, HistogramRequest, Scope};
use super::run::Search;
use super::source::Source;
use super::stages::{Stage, Timechart, Top};
use super::value::Value;
use crate::engine::Snapshot;

/// Counts over time.
pub(crate) async fn histogram(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &HistogramRequest,
) -> Result<HistogramAnswer, QueryError> {
    let started = context.shared.host.clock.monotonic();
    let interval = request.interval.as_deref().filter(|text| !text.trim().is_empty());
    let span = match interval {
        None => None,
        Some(text) => Some(read_span(text.trim()).ok_or_else(|| {
            BadQuery::parameter("interval", format!("`{text}` is no length of time"))
                .with_hint("a number and ms, s, m, h or d: `5m`")
        })?),
    };
    let mut prepared = prepare(&request.query, None)?;
    prepared.only_events("a histogram")?;
    let count = Aggregate { function: Function::Count, field: None, condition: None, name: "count".to_owned() };
    let chart = |by: Option<&str>| {
        let by = by.map(FieldName::new);
        Stage::Timechart(Timechart { span, zone: request.zone.clone(), aggregates: vec![count.clone()], by })
    };
    prepared.table = vec![chart(None)];
    let zone = request.zone.as_deref();
    let counts = table(context, snapshot, &prepared, &request.scope, zone, request.now.0).await?;
    let mut answer = HistogramAnswer { total: counts.total.unwrap_or(0), ..HistogramAnswer::default() };
    answer.buckets = buckets_of(&counts);
    answer.interval_ms = interval_ms(&answer.buckets, span.and_then(super::language::Span::nanos));
    answer.warnings.extend(counts.warnings);
    if let Some(by) = request.by.as_deref().filter(|by| !by.is_empty()) {
        prepared.table = vec![chart(Some(by))];
        let split = table(context, snapshot, &prepared, &request.scope, zone, request.now.0).await?;
        split_buckets(&mut answer.buckets, &split);
        answer.warnings.extend(split.warnings);
    }
    let (warnings, partial) = warnings_of(snapshot, &request.scope, &context.access);
    answer.warnings.extend(warnings);
    answer.warnings.extend(prepared.warnings);
    answer.warnings.dedup();
    answer.partial = partial;
    answer.took_ms = (context.shared.host.clock.monotonic() - started).as_millis() as u64;
    Ok(answer)
}

/// The most frequent values of fields.
pub(crate) async fn aggregate(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &AggregateRequest,
) -> Result<AggregateAnswer, QueryError> {
    let started = context.shared.host.clock.monotonic();
    let mut prepared = prepare(&request.query, None)?;
    prepared.only_events("the list of values")?;
    let (warnings, partial) = warnings_of(snapshot, &request.scope, &context.access);
    let mut answer = AggregateAnswer { warnings, partial, ..AggregateAnswer::default() };
    answer.warnings.append(&mut prepared.warnings);
    for field in &request.fields {
        // Events without the field are a group too, which is not shown here.
        let count = request.size.saturating_add(1);
        prepared.table = vec![Stage::Top(Top { count, field: FieldName::new(field.as_str()) })];
        let top = table(context, snapshot, &prepared, &request.scope, None, request.now.0).await?;
        answer.total = top.total.unwrap_or(0);
        answer.warnings.extend(top.warnings);
        let rows = top.table.map(|table| table.rows).unwrap_or_default();
        let terms = rows.into_iter().filter_map(|row| Some((row[0].to_text()?, whole(&row[1]))));
        answer.fields.push((field.clone(), terms.take(request.size as usize).collect()));
    }
    answer.took_ms = (context.shared.host.clock.monotonic() - started).as_millis() as u64;
    Ok(answer)
}

async fn table(
    context: &QueryContext,
    snapshot: &Snapshot,
    prepared: &Prepared,
    scope: &Scope,
    zone: Option<&str>,
    now: i64,
) -> Result<SearchAnswer, QueryError> {
    let budget = Budget::new(context.shared.limits.memory_bytes);
    let source = Source::open(context, snapshot, scope, prepared).await?;
    let stage_context = stage_context(scope, zone, now, &budget);
    Search::new(context, source, budget, stage_context).table(prepared).await
}

fn buckets_of(counts: &SearchAnswer) -> Vec<HistogramBucket> {
    let rows = counts.table.iter().flat_map(|table| &table.rows);
    let bucket = |row: &Vec<Value>| match row[0] {
        Value::Time(start) => Some(HistogramBucket { start, count: whole(&row[1]), by: None }),
        _ => None,
    };
    rows.filter_map(bucket).collect()
}

/// Puts counts by value into buckets that are the same ones.
fn split_buckets(buckets: &mut [HistogramBucket], split: &SearchAnswer) {
    let Some(table) = &split.table else { return };
    let mut rows = table.rows.iter().peekable();
    for bucket in buckets {
        while rows.next_if(|row| matches!(row[0], Value::Time(start) if start < bucket.start)).is_some() {}
        let row = rows.next_if(|row| row[0] == Value::Time(bucket.start));
        let counts = |row: &Vec<Value>| {
            let named = table.columns.iter().zip(row).skip(1);
            named.map(|(name, count)| (name.clone(), whole(count))).filter(|(_, count)| *count > 0).collect()
        };
        bucket.by = Some(row.map(counts).unwrap_or_default());
    }
}

fn interval_ms(buckets: &[HistogramBucket], span_ns: Option<i64>) -> u64 {
    let between = match buckets {
        [first, second, ..] => Some(second.start - first.start),
        _ => None,
    };
    let nanos = span_ns.or(between).unwrap_or(0);
    u64::try_from(nanos / 1_000_000).unwrap_or(0)
}

fn whole(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.to_i64().and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
        _ => 0,
    }
}
