//! How a request ended: counted and logged when the last byte of its answer has gone, or its peer has.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tracing::{debug, error, info};

use super::server::{Busy, monotonic_ms};
use super::{ApiError, App, routes};

/// One line of the log in the making. It is written when this is dropped.
pub(super) struct Outcome {
    app: App,
    method: Method,
    /// Without the query string: what people search for is not for this log.
    path: String,
    request_id: String,
    peer: SocketAddr,
    begun_ms: u64,
    status: Option<StatusCode>,
    error: Option<ApiError>,
    bytes: u64,
    complete: bool,
}

impl Outcome {
    pub(super) fn begin(app: &App, request: &Request<Body>, request_id: String, peer: SocketAddr) -> Self {
        Self {
            app: app.clone(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            request_id,
            peer,
            begun_ms: monotonic_ms(&app.host),
            status: None,
            error: None,
            bytes: 0,
            complete: false,
        }
    }

    pub(super) fn answered(mut self, status: StatusCode, error: Option<ApiError>) -> Self {
        self.status = Some(status);
        self.error = error;
        self
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        let ms = monotonic_ms(&self.app.host).saturating_sub(self.begun_ms);
        let status = self.status.map_or(0, |status| status.as_u16());
        let route = routes::known(&self.path).map_or("page", |operation| operation.id);
        self.app.metrics.request_ended(route, status, ms);
        let Self { method, path, request_id, peer, bytes, complete, error, .. } = self;
        let code = error.as_ref().map(ApiError::code);
        match status {
            500.. => {
                let reason = error.as_ref().and_then(ApiError::inside_reason);
                error!(%method, path, status, code, reason, request_id, %peer, ms, "request failed");
            }
            400..=499 => info!(%method, path, status, code, request_id, %peer, ms, "request refused"),
            _ => debug!(%method, path, status, request_id, %peer, ms, bytes, complete, "request answered"),
        }
    }
}

/// An answer's body that tells [`Outcome`] how much of it went out.
pub(super) struct Ending {
    body: Body,
    outcome: Outcome,
    _busy: Busy,
}

impl Ending {
    pub(super) fn new(body: Body, outcome: Outcome, busy: Busy) -> Self {
        Self { body, outcome, _busy: busy }
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.outcome.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Poll::Ready(None) => self.outcome.complete = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
