//! The server: reads requests, decides what goes wrong, answers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use helios::host::Host;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::bucket::{Bucket, State};
use super::list;

/// Where it listens.
pub const PORT: u16 = 9_000;

/// What stands before each key: the bucket, in the path's first part.
const BUCKET: &str = "/bucket";

/// The longest that a request without an answer is held. Clients give up long before.
const HANG_SECS: u64 = 600;

/// Clients want one, and nobody may compare them: what an object says is told by its bytes.
const TAG: &str = "\"tag\"";

const LAST_MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";

/// Serves `bucket` until the machine ends.
pub async fn serve(host: Host, bucket: Bucket) -> std::io::Result<()> {
    let listener = host.net.listen(([0, 0, 0, 0], PORT).into()).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (host, bucket) = (host.clone(), bucket.clone());
        let connection = {
            let host = host.clone();
            async move {
                let answer = service_fn(move |request| {
                    let (host, bucket) = (host.clone(), bucket.clone());
                    async move { Ok::<_, Infallible>(answer(host, bucket, request).await) }
                });
                // A client that hangs up in the middle is no trouble of the store.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            }
        };
        drop(host.tasks.spawn("s3 connection", Box::pin(connection)));
    }
}

/// A request, whole.
struct Asked {
    method: Method,
    key: String,
    query: BTreeMap<String, String>,
    range: Option<String>,
    /// Whether it creates only.
    creates: bool,
    signed: bool,
    body: Bytes,
}

/// What was drawn for a request.
enum Fate {
    Answered,
    Refused(u16),
    FailsAfter,
    HangsAfter,
    /// Answered 409; whether it happens.
    Conflict(bool),
    /// Happens so much later.
    Late(Duration),
}

async fn answer(host: Host, bucket: Bucket, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some(asked) = Asked::read(request).await else { return said(StatusCode::BAD_REQUEST, "") };
    if !asked.signed {
        return said(StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>");
    }
    let (fate, wait) = {
        let mut state = bucket.lock();
        state.count(asked.kind());
        let wait = match state.faults.slow_ms_max {
            0 => 0,
            most => state.rng.in_range(0..most + 1),
        };
        (Fate::draw(&mut state, &asked), wait)
    };
    if wait > 0 {
        host.clock.sleep(Duration::from_millis(wait)).await;
    }
    match fate {
        Fate::Answered => asked.apply(&mut bucket.lock(), false),
        Fate::Refused(status) => {
            said(StatusCode::from_u16(status).unwrap_or_default(), "<Error><Code>SlowDown</Code></Error>")
        }
        Fate::FailsAfter => {
            asked.apply(&mut bucket.lock(), false);
            said(StatusCode::INTERNAL_SERVER_ERROR, "<Error><Code>InternalError</Code></Error>")
        }
        Fate::HangsAfter => {
            asked.apply(&mut bucket.lock(), false);
            hang(&host).await
        }
        Fate::Conflict(happens) => {
            if happens {
                asked.apply(&mut bucket.lock(), false);
            }
            said(StatusCode::CONFLICT, "<Error><Code>ConditionalRequestConflict</Code></Error>")
        }
        Fate::Late(by) => {
            let clock = host.clock.clone();
            let arrives = async move {
                clock.sleep(by).await;
                let mut state = bucket.lock();
                state.count("arrived late");
                asked.apply(&mut state, true);
            };
            drop(host.tasks.spawn("s3 late request", Box::pin(arrives)));
            hang(&host).await
        }
    }
}

async fn hang(host: &Host) -> Response<Full<Bytes>> {
    host.clock.sleep(Duration::from_secs(HANG_SECS)).await;
    said(StatusCode::GATEWAY_TIMEOUT, "")
}

impl Fate {
    fn draw(state: &mut State, asked: &Asked) -> Self {
        let faults = state.faults.clone();
        let changes = matches!(asked.method, Method::PUT | Method::DELETE);
        if state.goes_wrong(faults.refuse) {
            state.count("refused");
            return Self::Refused(state.rng.pick(&[503, 503, 500, 429]));
        }
        if asked.creates && state.goes_wrong(faults.conflict) {
            state.count("409");
            return Self::Conflict(state.rng.percent(50));
        }
        if changes && state.goes_wrong(faults.late) {
            state.count("late");
            let most = faults.late_ms_max.max(LATE_MS_MIN + 1);
            return Self::Late(Duration::from_millis(state.rng.in_range(LATE_MS_MIN..most)));
        }
        if state.goes_wrong(faults.fail_after) {
            state.count("failed after");
            return Self::FailsAfter;
        }
        if state.goes_wrong(faults.hang_after) {
            state.count("hung after");
            return Self::HangsAfter;
        }
        Self::Answered
    }
}

impl Asked {
    async fn read(request: Request<Incoming>) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().strip_prefix(BUCKET)?;
        let text = |name: header::HeaderName| parts.headers.get(name)?.to_str().ok().map(str::to_owned);
        let body = body.collect().await.ok()?.to_bytes();
        Some(Self {
            key: decoded(path.trim_start_matches('/')),
            query: parts.uri.query().map(pairs).unwrap_or_default(),
            range: text(header::RANGE),
            creates: parts.method == Method::PUT && text(header::IF_NONE_MATCH).as_deref() == Some("*"),
            signed: text(header::AUTHORIZATION).is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 ")),
            method: parts.method,
            body,
        })
    }

    fn is_list(&self) -> bool {
        self.key.is_empty() && self.query.contains_key("list-type")
    }

    fn kind(&self) -> &'static str {
        match self.method {
            Method::PUT if self.creates => "create",
            Method::PUT => "put",
            Method::DELETE => "delete",
            Method::HEAD => "head",
            Method::GET if self.is_list() => "list",
            Method::GET if self.range.is_some() => "range",
            Method::GET => "get",
            _ => "other",
        }
    }

    fn apply(&self, state: &mut State, late: bool) -> Response<Full<Bytes>> {
        match self.method {
            Method::PUT if self.creates => match state.create(&self.key, &self.body, late) {
                true => written(),
                false => said(StatusCode::PRECONDITION_FAILED, "<Error><Code>PreconditionFailed</Code></Error>"),
            },
            Method::PUT => {
                state.put(&self.key, &self.body, late);
                written()
            }
            Method::DELETE => {
                state.delete(&self.key, late);
                said(StatusCode::NO_CONTENT, "")
            }
            Method::GET if self.is_list() => said(StatusCode::OK, list::page(state, &self.query)),
            Method::GET | Method::HEAD => self.read_object(state),
            _ => said(StatusCode::METHOD_NOT_ALLOWED, ""),
        }
    }

    fn read_object(&self, state: &State) -> Response<Full<Bytes>> {
        let Some(object) = state.objects.get(&self.key) else {
            return said(StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>");
        };
        let size = object.body.len();
        let asked = self.range.as_ref().map(|range| bounds(range, size));
        let (status, body) = match asked {
            None => (StatusCode::OK, object.body.clone()),
            Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, object.body.slice(range)),
            Some(None) => {
                return said(StatusCode::RANGE_NOT_SATISFIABLE, "<Error><Code>InvalidRange</Code></Error>");
            }
        };
        let mut response = said(status, body);
        let headers = response.headers_mut();
        headers.insert(header::ETAG, HeaderValue::from_static(TAG));
        headers.insert(header::LAST_MODIFIED, HeaderValue::from_static(LAST_MODIFIED));
        if let Some(Some(range)) = self.range.as_ref().map(|range| bounds(range, size)) {
            let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            headers.insert(header::CONTENT_RANGE, value.parse().expect("digits"));
        }
        if self.method == Method::HEAD {
            headers.insert(header::CONTENT_LENGTH, size.into());
            *response.body_mut() = Full::default();
        }
        response
    }
}

/// The bytes that `bytes=from-to` means; `None` if none of them is there.
fn bounds(range: &str, size: usize) -> Option<std::ops::Range<usize>> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from: usize = from.parse().ok()?;
    let to: usize = to.parse().unwrap_or(usize::MAX);
    (from < size && from <= to).then(|| from..to.saturating_add(1).min(size))
}

fn said(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}

/// The answer to a write.
fn written() -> Response<Full<Bytes>> {
    let mut response = said(StatusCode::OK, "");
    response.headers_mut().insert(header::ETAG, HeaderValue::from_static(TAG));
    response
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(&value.replace('+', " ")))
    };
    query.split('&').map(pair).collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        (bytes, rest) = match (first, hex) {
            (b'%', Some(byte)) => (with(bytes, byte), &after[2..]),
            (byte, _) => (with(bytes, byte), after),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn with(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

/// Later than any client waits.
const LATE_MS_MIN: u64 = 25_000;
