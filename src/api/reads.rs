//! The reading routes that answer at once: search, histogram, aggregate, discovery, context.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use jiff::tz::TimeZone;

use super::ApiError;
use super::call::{Call, json};
use super::error::chain;
use super::params::bad;
use crate::query::{
    self, AggregateRequest, BadQuery, ContextRequest, CountMode, DiscoverRequest, HistogramRequest, QueryError,
    SearchRequest,
};

pub(super) async fn search(call: Call) -> Result<Response<Body>, ApiError> {
    let request = search_request(&call)?;
    let (context, _cancel) = call.query_context();
    let mut answer = query::search(&context, &call.app.snapshot(&context.access), &request).await.map_err(refuse)?;
    answer.warnings.extend(call.params.warnings);
    json(&answer)
}

/// What both forms of search read from their parameters.
pub(super) fn search_request(call: &Call) -> Result<SearchRequest, ApiError> {
    let (zone, rules) = call.zone()?;
    let count = if call.params.choice("count") == "none" { CountMode::None } else { CountMode::Exact };
    Ok(SearchRequest {
        query: call.query(),
        scope: call.scope(&rules)?,
        limit: u32::try_from(call.params.whole("limit")).expect("the parameter's bounds are below 2^32"),
        cursor: call.params.text("cursor").map(str::to_owned),
        sort: call.params.text("sort").map(str::to_owned),
        count,
        zone,
        explain: call.params.choice("explain") == "true",
        now: call.now,
    })
}

pub(super) async fn histogram(call: Call) -> Result<Response<Body>, ApiError> {
    let (zone, rules) = call.zone()?;
    let request = HistogramRequest {
        query: call.query(),
        scope: call.scope(&rules)?,
        interval: call.params.text("interval").map(str::to_owned),
        by: call.params.text("by").map(str::to_owned),
        zone,
        now: call.now,
    };
    let (context, _cancel) = call.query_context();
    let mut answer = query::histogram(&context, &call.app.snapshot(&context.access), &request).await.map_err(refuse)?;
    answer.warnings.extend(call.params.warnings);
    json(&answer)
}

pub(super) async fn aggregate(call: Call) -> Result<Response<Body>, ApiError> {
    let request = AggregateRequest {
        query: call.query(),
        scope: call.scope(&TimeZone::UTC)?,
        fields: call.params.list("fields"),
        size: u32::try_from(call.params.whole("size")).expect("the parameter's bounds are below 2^32"),
        now: call.now,
    };
    if request.fields.is_empty() {
        return Err(bad("fields", "must name at least one field"));
    }
    let (context, _cancel) = call.query_context();
    let mut answer = query::aggregate(&context, &call.app.snapshot(&context.access), &request).await.map_err(refuse)?;
    answer.warnings.extend(call.params.warnings);
    json(&answer)
}

pub(super) async fn discover_fields(call: Call) -> Result<Response<Body>, ApiError> {
    let request = DiscoverRequest {
        query: call.query(),
        scope: call.scope(&TimeZone::UTC)?,
        sample: Some(call.params.whole("sample")).filter(|sample| *sample > 0),
        top: u32::try_from(call.params.whole("top")).expect("the parameter's bounds are below 2^32"),
        now: call.now,
    };
    let (context, _cancel) = call.query_context();
    let mut answer =
        query::discover_fields(&context, &call.app.snapshot(&context.access), &request).await.map_err(refuse)?;
    answer.warnings.extend(call.params.warnings);
    json(&answer)
}

pub(super) async fn context(call: Call) -> Result<Response<Body>, ApiError> {
    let id = call.params.text("id").unwrap_or_default();
    let request = ContextRequest {
        env: call.env()?,
        id: id.parse().map_err(|()| bad("id", "must be the `id` of a hit: <16 hex digits>-<number>"))?,
        before: u32::try_from(call.params.whole("before")).expect("the parameter's bounds are below 2^32"),
        after: u32::try_from(call.params.whole("after")).expect("the parameter's bounds are below 2^32"),
    };
    let (context, _cancel) = call.query_context();
    let mut answer = query::context(&context, &call.app.snapshot(&context.access), &request).await.map_err(refuse)?;
    answer.warnings.extend(call.params.warnings);
    json(&answer)
}

/// What the caller is told when a query has no answer.
pub(super) fn refuse(error: QueryError) -> ApiError {
    match error {
        QueryError::BadQuery(bad) => refuse_query(bad),
        QueryError::TooMuchMemory { .. } => {
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "query_memory", error.to_string())
        }
        QueryError::NoSuchEvent { .. } => ApiError::new(StatusCode::NOT_FOUND, "no_such_event", error.to_string()),
        QueryError::Cancelled => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "cancelled", error.to_string()),
        QueryError::Corrupt { .. } => {
            let message = "a stored block is damaged: the operator should run `helios verify`";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "corrupt", message).inside(chain(&error))
        }
        QueryError::Unreadable { .. } => {
            let message = "the disk could not be read: ask again, or see the server's log";
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unreadable", message).inside(chain(&error))
        }
    }
}

fn refuse_query(bad: BadQuery) -> ApiError {
    let BadQuery { parameter, message, column, width, hint, fixed } = bad;
    let code = if parameter == "q" { "bad_query" } else { "bad_parameter" };
    let mut error = ApiError::bad_request(code, message).detail("parameter", parameter);
    if let Some(column) = column {
        error = error.detail("column", column).detail("length", width);
    }
    if let Some(hint) = hint {
        error = error.detail("hint", hint);
    }
    if let Some(fixed) = fixed {
        error = error.detail("fix", fixed);
    }
    error
}
