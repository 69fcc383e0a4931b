//! `GET /api/search/stream`: progress, first hits early, the answer last.

use std::future;

use axum::body::{Body, Bytes};
use axum::http::Response;
use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc;

use super::ApiError;
use super::call::Call;
use super::reads::{refuse, search_request};
use super::sse::{self, Driven};
use crate::query::{self, QueryError, SearchEvent};

pub(super) async fn search_stream(call: Call) -> Result<Response<Body>, ApiError> {
    let request = search_request(&call)?;
    let (context, cancel) = call.query_context();
    let snapshot = call.app.snapshot(&context.access);
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
    let work = async move {
        // CANCEL: the guard lives in the work, the work in the answer: hanging up ends the query.
        let _cancel = cancel;
        query::search_stream(&context, &snapshot, &request, sender).await
    };
    let mut events = Driven::new(work, receiver);
    // A query that cannot be read is an ordinary 400: so wait for what comes first.
    let first = match events.next().await {
        Some(Err(error)) => return Err(refuse(error)),
        first => first,
    };
    let (warnings, request_id) = (call.params.warnings, call.request_id);
    let events = stream::iter(first)
        .chain(events)
        .scan((), move |(), event| future::ready(Some(render(event, &warnings, &request_id))));
    Ok(sse::events(events))
}

fn render(event: Result<SearchEvent, QueryError>, warnings: &[String], request_id: &str) -> Bytes {
    match event {
        Ok(SearchEvent::Progress(progress)) => sse::event("progress", &progress),
        Ok(SearchEvent::Hits(hits)) => sse::event("hits", &hits),
        Ok(SearchEvent::Done(mut answer)) => {
            answer.warnings.extend_from_slice(warnings);
            sse::event("done", &answer)
        }
        Err(error) => {
            let error = refuse(error);
            if let Some(reason) = error.inside_reason() {
                tracing::error!(request_id, code = error.code(), reason, "a streaming search failed");
            }
            sse::event("error", &error.body(request_id))
        }
    }
}

/// Events that wait for a slow reader before the search does.
const EVENTS_WAITING_MAX: usize = 16;
