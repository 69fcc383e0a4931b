//! Searching a data directory itself, without a server.

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::Failure;
use super::args::SearchArgs;
use super::remote::since;
use crate::api::csv::CsvWriter;
use crate::engine::ReadOnly;
use crate::host::{Host, UnixNanos};
use crate::ingest::Replay;
use crate::query::answer::SearchAnswer;
use crate::query::language::time_range::{read_parameter, read_zone};
use crate::query::{self, Access, Cancel, ExportPart, QueryContext, QueryLimits, QueryShared, Scope, SearchRequest};

/// Opens the directory to look at it, and searches. Nothing in it changes.
pub(super) async fn search(host: Host, data_dir: &Path, args: &SearchArgs) -> Result<SearchAnswer, Failure> {
    let request = request(args, host.clock.wall())?;
    let store = ReadOnly::open(host.clone(), data_dir.to_owned(), Arc::new(Replay)).await;
    let store = store.map_err(|error| Failure::new(error.to_string()))?;
    let access = Access::All;
    let context = QueryContext {
        shared: Arc::new(QueryShared::new(host, QueryLimits::default())),
        access: access.clone(),
        cancel: Cancel::default(),
    };
    let snapshot = store.snapshot(|key| access.allows(key));
    query::search(&context, &snapshot, &request).await.map_err(|error| Failure::new(shown(&error)))
}

/// The answer as CSV.
pub(super) fn csv(answer: SearchAnswer) -> Result<Vec<u8>, Failure> {
    let part = match answer.table {
        Some(table) => ExportPart::Table(table),
        None => ExportPart::Hits(answer.hits),
    };
    Ok(CsvWriter::new(Vec::new()).write(&part)?)
}

fn request(args: &SearchArgs, now: UnixNanos) -> Result<SearchRequest, Failure> {
    let range = &args.range;
    let zone = match &range.tz {
        Some(name) => read_zone(name).map_err(|error| Failure::new(error.to_string()))?,
        None => TimeZone::UTC,
    };
    let read = |text: Option<String>| {
        let time = text.map(|text| read_parameter(&text, now.0, &zone)).transpose();
        time.map_err(|error| Failure::new(error.to_string()))
    };
    let indexes = range.index.as_deref().unwrap_or_default().split(',').map(str::trim);
    let scope = Scope {
        env: args.server.env.clone(),
        indexes: indexes.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        start: read(range.start.clone().or_else(|| since(range)))?,
        end: read(range.end.clone())?,
    };
    Ok(SearchRequest {
        scope,
        limit: args.limit,
        sort: range.sort.clone(),
        zone: range.tz.clone(),
        explain: args.explain,
        ..SearchRequest::new("", args.query.join(" "), now)
    })
}

/// A parse error with its place under the query.
fn shown(error: &query::QueryError) -> String {
    let query::QueryError::BadQuery(bad) = error else { return crate::api::error::chain(error) };
    let place = bad.column.map(|column| format!(" (column {column})")).unwrap_or_default();
    let hint = bad.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{bad}{place}{hint}")
}
