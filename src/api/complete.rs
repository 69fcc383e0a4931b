//! `GET /api/complete`: what may stand at the cursor of a query.
//!
//! Fields and values come from the newest events of the searched range, so that completing stays quick
//! on a large store; it proposes, and claims no completeness.

use axum::body::Body;
use axum::http::Response;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use super::ApiError;
use super::call::{Call, json as answer};
use super::place::{Place, Wanted, quoted};
use crate::query::language::scalar::ScalarFunction;
use crate::query::language::{FieldName, aggregate};
use crate::query::stages::Stage;
use crate::query::{self, DiscoverRequest, SearchRequest};

pub(super) async fn complete(call: Call) -> Result<Response<Body>, ApiError> {
    let query = call.query();
    let place = Place::find(&query, usize::try_from(call.params.whole("cursor")).unwrap_or(usize::MAX));
    let mut items = match &place.wanted {
        Wanted::Stage => stages(),
        Wanted::Fields { then } => fields(&call, then).await?,
        Wanted::Aggregates => [aggregates(), fields(&call, "").await?].concat(),
        Wanted::Scalars => [fields(&call, "").await?, scalars()].concat(),
        Wanted::Values { field } => values(&call, field, &place.prefix).await?,
        Wanted::Nothing => Vec::new(),
    };
    let prefix = query::value::fold(&place.prefix).into_owned();
    items.retain(|item| query::value::fold(item.text.trim_start_matches('"')).starts_with(&prefix));
    items.truncate(ITEMS_MAX);
    answer(&json!({"from": place.from, "to": place.to, "items": items, "warnings": call.params.warnings}))
}

/// One proposal.
#[derive(Clone, Debug, Serialize)]
struct Item {
    text: String,
    kind: &'static str,
    detail: String,
}

fn item(text: impl Into<String>, kind: &'static str, detail: impl Into<String>) -> Item {
    Item { text: text.into(), kind, detail: detail.into() }
}

fn stages() -> Vec<Item> {
    let help = Stage::HELP.iter();
    help.map(|stage| item(stage.name, "stage", format!("{} – {}", stage.signature, stage.summary))).collect()
}

fn aggregates() -> Vec<Item> {
    let functions = aggregate::HELP.iter().map(|(call, meaning)| item(*call, "function", *meaning));
    functions.chain([item("by", "keyword", "group by a field")]).collect()
}

fn scalars() -> Vec<Item> {
    ScalarFunction::signatures().map(|signature| item(signature, "function", "")).collect()
}

/// The fields of the newest events, most frequent first, then the members that every hit has.
async fn fields(call: &Call, then: &str) -> Result<Vec<Item>, ApiError> {
    let request = DiscoverRequest {
        query: "*".to_owned(),
        scope: call.scope(&TimeZone::UTC)?,
        sample: Some(SAMPLED_EVENTS),
        top: 0,
        now: call.now,
    };
    let (context, _cancel) = call.query_context();
    let found = query::discover_fields(&context, &call.app.snapshot(&context.access), &request).await;
    let found = found.map_err(super::reads::refuse)?;
    let named = found.fields.iter().map(|field| {
        let share = format!("{:.0} % of events", field.coverage * 100.0);
        item(format!("{}{then}", field.name), "field", share)
    });
    let members = MEMBERS.iter().map(|name| item(format!("{name}{then}"), "field", "of every event"));
    Ok(named.chain(members).collect())
}

/// The most frequent values of a field that begin with `prefix`, among the newest events that have one.
async fn values(call: &Call, field: &str, prefix: &str) -> Result<Vec<Item>, ApiError> {
    if FieldName::new(field).folded() == "index" {
        let snapshot = call.app.snapshot(&call.access());
        let mut names: Vec<String> = snapshot.partitions.iter().map(|view| view.key.index.to_string()).collect();
        names.dedup();
        return Ok(names.into_iter().map(|name| item(quoted(&name), "value", "")).collect());
    }
    let escaped: String = prefix.chars().flat_map(|c| ['\\', c]).collect();
    let field: String = field.chars().flat_map(|c| if c.is_alphanumeric() { vec![c] } else { vec!['\\', c] }).collect();
    let text = format!("{field}:{escaped}* | head {SAMPLED_EVENTS} | top {ITEMS_MAX} `{}`", call_name(&field));
    let request = SearchRequest { scope: call.scope(&TimeZone::UTC)?, ..SearchRequest::new("", text, call.now) };
    let (context, _cancel) = call.query_context();
    // A field that cannot be asked like this has no proposals; that is no error of the caller's.
    let Ok(found) = query::search(&context, &call.app.snapshot(&context.access), &request).await else {
        return Ok(Vec::new());
    };
    let rows = found.table.map(|table| table.rows).unwrap_or_default();
    let shown = rows.iter().filter_map(|row| {
        let count = row.get(1).and_then(query::value::Value::to_text).unwrap_or_default();
        Some(item(quoted(&row.first()?.to_text()?), "value", format!("{count} of the newest events")))
    });
    Ok(shown.collect())
}

/// A field's name as a stage takes it in back-quotes.
fn call_name(escaped: &str) -> String {
    escaped.replace('\\', "")
}

/// Newest events that proposals are taken from.
const SAMPLED_EVENTS: u64 = 5_000;
/// Proposals in one answer.
const ITEMS_MAX: usize = 50;
/// What every hit has beside its fields.
const MEMBERS: [&str; 7] = ["message", "source", "timestamp", "index", "raw", "id", "env"];
