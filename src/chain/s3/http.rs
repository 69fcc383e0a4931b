//! HTTP for the object store's client: over the host's network and clock, so that a simulation runs the real
//! client. One request a connection at a time; connections are kept and used again.
//!
//! It knows what the client's own errors do not say: whether a request had gone out before it failed.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderValue, Method, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpService,
};

use crate::chain::requests::{Counter, RequestKind};
use crate::chain::{OBJECT_BYTES_MAX, StoreDate};
use crate::crypto::tls;
use crate::host::{Host, Stream, UnixNanos};
use crate::host_select;

/// What the wire says of one request. Goes with it among its extensions.
#[derive(Debug, Default)]
pub(super) struct Wire {
    sent: AtomicBool,
    status: AtomicU16,
}

/// How far one request came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reached {
    /// Nothing of it left this machine.
    NotSent,
    /// It may have arrived. No answer came.
    NoAnswer,
    /// It was answered with this status.
    Answered(u16),
}

impl Wire {
    /// The extensions that carry it.
    pub(super) fn extensions(self: &Arc<Self>) -> http::Extensions {
        let mut extensions = http::Extensions::new();
        extensions.insert(Arc::clone(self));
        extensions
    }

    pub(super) fn reached(&self) -> Reached {
        match (self.status.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed)) {
            (0, false) => Reached::NotSent,
            (0, true) => Reached::NoAnswer,
            (status, _) => Reached::Answered(status),
        }
    }
}

/// Makes clients that go over the host.
#[derive(Clone)]
pub(super) struct Connector(Arc<Inner>);

struct Inner {
    host: Host,
    tls: tls::Client,
    requests: Arc<Counter>,
    idle: Mutex<BTreeMap<Target, Vec<SendRequest<HttpRequestBody>>>>,
}

/// Where a connection leads.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Target {
    secure: bool,
    name: String,
    port: u16,
}

impl Connector {
    pub(super) fn new(host: Host, tls: tls::Client, requests: Arc<Counter>) -> Self {
        Self(Arc::new(Inner { host, tls, requests, idle: Mutex::default() }))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let wire = request.extensions().get::<Arc<Wire>>().cloned().unwrap_or_default();
        let target = Target::of(request.uri()).map_err(before)?;
        to_origin_form(&mut request).map_err(before)?;
        self.0.exchange(&target, request, &wire).await
    }
}

/// A `Date` header as a time.
fn date_of(text: &str) -> Option<UnixNanos> {
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    i64::try_from(date.timestamp().as_nanosecond()).ok().map(UnixNanos)
}

impl Inner {
    async fn exchange(&self, target: &Target, request: HttpRequest, wire: &Wire) -> Result<HttpResponse, HttpError> {
        let longest = ANSWER_TIME_BASE + ANSWER_TIME_PER_MIB * mib(request.body().content_length());
        let (mut sender, request) = match self.reuse(target) {
            Some(sender) => (sender, request),
            None => (self.open(target).await?, request),
        };
        self.requests.sent(kind_of(&request), request.body().content_length());
        let answer = self.within(longest, self.send(target, &mut sender, request, wire)).await;
        let (response, mut sender) = match answer {
            Some(Ok(answer)) => (answer, sender),
            Some(Err(Unsent::Again(request))) => {
                // A connection that was kept had been closed meanwhile. Nothing went out: a new one may try.
                sender = self.open(target).await?;
                match self.within(longest, self.send(target, &mut sender, *request, wire)).await {
                    Some(Ok(answer)) => (answer, sender),
                    Some(Err(failure)) => return Err(failure.into_error()),
                    None => return Err(timeout("no answer came in time")),
                }
            }
            Some(Err(failure)) => return Err(failure.into_error()),
            None => return Err(timeout("no answer came in time")),
        };
        let (parts, body) = response.into_parts();
        let limit = usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX) + ANSWER_BYTES_SPARE;
        let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok()).unwrap_or(0);
        let longest = ANSWER_TIME_BASE + ANSWER_TIME_PER_MIB * mib(length);
        let collected = self.within(longest, Limited::new(body, limit).collect()).await;
        let body = collected.ok_or_else(|| timeout("the answer did not end in time"))?;
        let body = body.map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error))?.to_bytes();
        self.requests.came(body.len());
        if let Some(wall) = parts.headers.get(header::DATE).and_then(|value| date_of(value.to_str().ok()?)) {
            self.requests.dated(StoreDate { wall, at: self.host.clock.monotonic() });
        }
        if self.within(Duration::ZERO, sender.ready()).await.is_some_and(|ready| ready.is_ok()) {
            self.keep(target, sender);
        }
        Ok(HttpResponse::from_parts(parts, body.into()))
    }

    async fn send(
        &self,
        target: &Target,
        sender: &mut SendRequest<HttpRequestBody>,
        request: HttpRequest,
        wire: &Wire,
    ) -> Result<http::Response<hyper::body::Incoming>, Unsent> {
        // From here on it can't be told whether it went out, unless hyper gives it back.
        wire.sent.store(true, Ordering::Relaxed);
        match sender.try_send_request(request).await {
            Ok(response) => {
                wire.status.store(response.status().as_u16(), Ordering::Relaxed);
                Ok(response)
            }
            Err(mut error) => match error.take_message() {
                Some(request) => {
                    wire.sent.store(false, Ordering::Relaxed);
                    Err(Unsent::Again(Box::new(request)))
                }
                None => {
                    tracing::debug!(name = %target.name, error = %error.error(), "a request broke off");
                    Err(Unsent::Broken(HttpError::new(HttpErrorKind::Interrupted, error.into_error())))
                }
            },
        }
    }

    /// A connection that is not in use.
    fn reuse(&self, target: &Target) -> Option<SendRequest<HttpRequestBody>> {
        let mut idle = self.lock();
        let kept = idle.get_mut(target)?;
        kept.retain(|sender| !sender.is_closed());
        kept.pop()
    }

    fn keep(&self, target: &Target, sender: SendRequest<HttpRequestBody>) {
        let mut idle = self.lock();
        let kept = idle.entry(target.clone()).or_default();
        if kept.len() < IDLE_CONNECTIONS_MAX {
            kept.push(sender);
        }
    }

    async fn open(&self, target: &Target) -> Result<SendRequest<HttpRequestBody>, HttpError> {
        let connected = self.within(CONNECT_TIME_MAX, self.connect(target)).await;
        let stream = connected.ok_or_else(|| before(io::ErrorKind::TimedOut.into()))?.map_err(before)?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| before(io::Error::other(e)))?;
        let driver = async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the object store ended");
            }
        };
        // It ends with the sender.
        drop(self.host.tasks.spawn("s3-connection", Box::pin(driver)));
        Ok(sender)
    }

    async fn connect(&self, target: &Target) -> io::Result<Box<dyn Stream>> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, format!("{} has no address", target.name));
        for address in self.addresses(target).await? {
            match self.host.net.connect(address).await {
                Ok(stream) if target.secure => return self.tls.connect(&target.name, stream).await,
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn addresses(&self, target: &Target) -> io::Result<Vec<SocketAddr>> {
        let name = target.name.trim_start_matches('[').trim_end_matches(']');
        match name.parse() {
            Ok(address) => Ok(vec![SocketAddr::new(address, target.port)]),
            Err(_) => self.host.net.resolve(name, target.port).await,
        }
    }

    /// What `work` gives, unless it takes longer than `longest` on the host's clock.
    async fn within<T>(&self, longest: Duration, work: impl Future<Output = T>) -> Option<T> {
        host_select! {
            done = work => Some(done),
            () = self.host.clock.sleep(longest) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Target, Vec<SendRequest<HttpRequestBody>>>> {
        self.idle.lock().expect("nothing panics under the lock of the connections")
    }
}

/// Why there is no answer.
enum Unsent {
    /// The request did not go out, and here it is.
    Again(Box<HttpRequest>),
    /// It may have.
    Broken(HttpError),
}

impl Unsent {
    fn into_error(self) -> HttpError {
        match self {
            Self::Again(_) => before(io::ErrorKind::ConnectionAborted.into()),
            Self::Broken(error) => error,
        }
    }
}

impl Target {
    fn of(uri: &Uri) -> io::Result<Self> {
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(io::Error::other(format!("{uri} is neither http nor https"))),
        };
        let name = uri.host().ok_or_else(|| io::Error::other(format!("{uri} names no machine")))?.to_owned();
        Ok(Self { secure, name, port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }) })
    }
}

/// What a request asks of the store. One that was not made by this store's own calls asks for credentials.
fn kind_of(request: &HttpRequest) -> RequestKind {
    let ours = request.extensions().get::<Arc<Wire>>().is_some();
    let has = |name| request.headers().contains_key(name);
    match *request.method() {
        // Its request carries nothing of ours.
        Method::DELETE => RequestKind::Delete,
        _ if !ours => RequestKind::Other,
        Method::PUT if has(header::IF_NONE_MATCH) => RequestKind::Create,
        Method::PUT => RequestKind::Put,
        Method::HEAD => RequestKind::Head,
        Method::GET if has(header::RANGE) => RequestKind::Range,
        Method::GET if request.uri().query().is_some_and(|query| query.contains("list-type=")) => RequestKind::List,
        Method::GET => RequestKind::Get,
        _ => RequestKind::Other,
    }
}

/// A server that is no proxy wants the path alone, and its own name in a header.
fn to_origin_form(request: &mut HttpRequest) -> io::Result<()> {
    let uri = request.uri().clone();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(authority).map_err(io::Error::other)?;
    request.headers_mut().entry(header::HOST).or_insert(host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(io::Error::other)?;
    Ok(())
}

/// An error before anything went out.
fn before(error: io::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Connect, error)
}

fn timeout(why: &str) -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, io::Error::new(io::ErrorKind::TimedOut, why.to_owned()))
}

fn mib(bytes: usize) -> u32 {
    u32::try_from(bytes >> 20).unwrap_or(u32::MAX / 8).min(u32::MAX / 8)
}

/// Name, connection and handshake together.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// The longest wait for an answer to a small request, and for its end.
const ANSWER_TIME_BASE: Duration = Duration::from_secs(20);

/// What each MiB adds to it.
const ANSWER_TIME_PER_MIB: Duration = Duration::from_secs(2);

/// An answer may be an object, and a little more.
const ANSWER_BYTES_SPARE: usize = 1 << 20;

/// Connections to one place that are kept while nothing needs them.
const IDLE_CONNECTIONS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_off_the_address() {
        let target = |uri: &str| Target::of(&uri.parse().unwrap()).map(|t| (t.secure, t.name, t.port)).ok();
        assert_eq!(target("http://localhost:5601/b/k"), Some((false, "localhost".into(), 5601)));
        assert_eq!(
            target("https://b.s3.eu-west-1.amazonaws.com/k"),
            Some((true, "b.s3.eu-west-1.amazonaws.com".into(), 443))
        );
        assert_eq!(target("ftp://x/y"), None);
        assert_eq!(target("/only/a/path"), None);
    }
}
