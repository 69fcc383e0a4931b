//! Answers that are sent while they are made.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use futures_util::Stream;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::host::BoxFuture;

/// Work that sends pieces into a channel, and the pieces: one thing, so that whoever drops the answer
/// drops the work. Nothing runs in the background.
pub(super) struct Driven<T, E> {
    work: Option<BoxFuture<'static, Result<(), E>>>,
    pieces: mpsc::Receiver<T>,
    failed: Option<E>,
}

impl<T, E> Driven<T, E> {
    pub(super) fn new(work: impl Future<Output = Result<(), E>> + Send + 'static, pieces: mpsc::Receiver<T>) -> Self {
        Self { work: Some(Box::pin(work)), pieces, failed: None }
    }
}

impl<T, E: Unpin> Stream for Driven<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        if let Some(work) = &mut self.work
            && let Poll::Ready(ended) = work.as_mut().poll(cx)
        {
            // Dropping the work drops its sender: the channel ends once it is empty.
            self.work = None;
            self.failed = ended.err();
        }
        match self.pieces.poll_recv(cx) {
            Poll::Ready(Some(piece)) => Poll::Ready(Some(Ok(piece))),
            Poll::Ready(None) if self.work.is_none() => Poll::Ready(self.failed.take().map(Err)),
            // The work has dropped its sender and goes on without pieces.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// One server-sent event.
pub(super) fn event(name: &str, data: &impl Serialize) -> Bytes {
    // JSON has no line breaks outside strings, and escapes them inside.
    let data = serde_json::to_string(data).expect("answers have text keys and finite shapes");
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// A comment, which readers skip.
pub(super) const HEARTBEAT: &[u8] = b": alive\n\n";

/// An answer of server-sent events.
pub(super) fn events(stream: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    use futures_util::StreamExt;
    let mut response = Response::new(Body::from_stream(stream.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Tells proxies not to collect the events before they pass them on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
