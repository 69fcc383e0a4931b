//! The accept loop and what happens around every request.
//!
//! **Promise.** Connections are bounded; one that is idle, sends its head slowly or takes nothing is
//! closed; a panic in a handler is that request's 500 and nobody else's; a peer that hangs up drops its
//! handler; a stop lets running requests end, for a bounded time.
//!
//! **Boundary.** Served over [`Host::net`], so that the routes run on every family of hosts.

use std::any::Any;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, header};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;
use tracing::{debug, error, info, warn};

use super::access::Asked;
use super::ending::{Ending, Outcome};
use super::secure::{self, SecurePort};
use super::stream::PatientStream;
use super::{ApiError, App, page, routes};
use crate::crypto::tls;
use crate::host::{Host, Listener, Stream, Task};
use crate::host_select;
use crate::sync::Flag;

/// A running server. Dropping it stops nothing: call [`Server::stop`].
pub struct Server {
    addr: SocketAddr,
    host: Host,
    stopping: Flag,
    accepting: Task,
    secure: Option<SecurePort>,
    slots: Arc<Semaphore>,
    slots_in_all: u32,
}

/// Where TLS is served, and with what.
#[derive(Debug)]
pub struct Secure {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate and key, which whoever opened them has noted in the server's register.
    pub tls: Arc<tls::Server>,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {source}")]
pub struct ListenError {
    /// Which.
    pub addr: SocketAddr,
    /// What the machine said.
    pub source: io::Error,
}

impl Server {
    /// Listens on `addr` and serves `app` until [`Server::stop`].
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn start(host: Host, addr: SocketAddr, app: App, connections_max: u32) -> Result<Self, ListenError> {
        Self::start_both(host, addr, None, app, connections_max).await
    }

    /// As [`Server::start`], and serves the same over TLS where `secure` says.
    ///
    /// # Errors
    /// If one of the addresses cannot be listened on.
    pub async fn start_both(
        host: Host,
        addr: SocketAddr,
        secure: Option<Secure>,
        app: App,
        connections_max: u32,
    ) -> Result<Self, ListenError> {
        let (listener, addr) = listen(&host, addr).await?;
        let secure = match secure {
            None => None,
            Some(Secure { listen: addr, tls }) => Some((listen(&host, addr).await?, tls)),
        };
        let slots = Arc::new(Semaphore::new(connections_max as usize));
        let stopping = app.stopping.clone();
        app.register.note_listener(addr, false);
        if let Some(((_, addr), _)) = &secure {
            app.register.note_listener(*addr, true);
        }
        let common = Common { host: host.clone(), service: Routes::new(app), slots: slots.clone(), stopping };
        let secure = secure.map(|((listener, addr), tls)| SecurePort::start(common.clone(), listener, addr, tls));
        let stopping = common.stopping.clone();
        let accepting = host.tasks.spawn("http accept", Box::pin(accept_loop(common, listener, None)));
        Ok(Self { addr, host, stopping, accepting, secure, slots, slots_in_all: connections_max })
    }

    /// Where it listens for TLS, if it does.
    pub fn secure_addr(&self) -> Option<SocketAddr> {
        self.secure.as_ref().map(SecurePort::addr)
    }

    /// Reads certificate and key for TLS again, now.
    pub async fn reload_tls(&self) {
        if let Some(secure) = &self.secure {
            secure.reload(&self.host).await;
        }
    }

    /// Where it listens, with the port that was chosen for port 0.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no more connections, lets running requests end, and returns once all are gone or
    /// `STOP_GRACE_SECS` have passed.
    pub async fn stop(self) {
        self.stopping.raise();
        self.accepting.join().await;
        if let Some(secure) = self.secure {
            secure.stop().await;
        }
        let all_gone = self.slots.acquire_many(self.slots_in_all);
        host_select! {
            _ = all_gone => debug!("all connections ended"),
            () = self.host.clock.sleep(Duration::from_secs(STOP_GRACE_SECS)) => {
                warn!(open = self.slots_in_all as usize - self.slots.available_permits(), "connections cut at the stop");
            }
        }
    }
}

async fn listen(host: &Host, addr: SocketAddr) -> Result<(Box<dyn Listener>, SocketAddr), ListenError> {
    let failed = |source| ListenError { addr, source };
    let listener = host.net.listen(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// What every connection of a server needs.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) host: Host,
    pub(super) stopping: Flag,
    service: Routes,
    slots: Arc<Semaphore>,
}

pub(super) async fn accept_loop(common: Common, listener: Box<dyn Listener>, tls: Option<Arc<tls::Server>>) {
    let Common { host, service, slots, stopping } = &common;
    loop {
        // Beyond the limit connections wait in the operating system's queue.
        let slot = host_select! {
            () = stopping.raised() => return,
            slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
        };
        let accepted = host_select! {
            () = stopping.raised() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (host, service, stopping) = (host.clone(), service.clone(), stopping.clone());
                let (tasks, tls) = (Arc::clone(&host.tasks), tls.clone());
                tasks.spawn(
                    "http connection",
                    Box::pin(async move {
                        let stream = match tls {
                            None => Some(stream),
                            Some(tls) => secure::handshake(&host, &tls, stream, peer, &stopping).await,
                        };
                        if let Some(stream) = stream {
                            serve_connection(host, stream, peer, service, slot, stopping).await;
                        }
                    }),
                );
            }
            Err(error) => {
                // Most likely too many open files: waiting helps, spinning does not.
                warn!(%error, "accepting a connection failed");
                host.clock.sleep(Duration::from_millis(ACCEPT_RETRY_MS)).await;
            }
        }
    }
}

async fn serve_connection(
    host: Host,
    stream: Box<dyn Stream>,
    peer: SocketAddr,
    service: Routes,
    slot: OwnedSemaphorePermit,
    stopping: Flag,
) {
    let activity = Arc::new(Activity::new(&host));
    let io = TokioIo::new(PatientStream::new(stream, host.clock.clone()));
    let handle = service_fn(|request: Request<Incoming>| {
        let (service, busy) = (service.clone(), activity.clone().begin(&host));
        async move { Ok::<_, Infallible>(service.respond(request.map(Body::new), peer, busy).await) }
    });
    let mut connection = pin!(http1::Builder::new().max_headers(HEADERS_MAX).serve_connection(io, handle));
    let mut idle = pin!(activity.idle(&host));
    let mut told = false;
    let ended = loop {
        host_select! {
            ended = connection.as_mut() => break ended,
            () = idle.as_mut() => break Ok(()),
            () = stopping.raised(), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "connection ended early");
    }
    drop(slot);
}

/// Whether a connection has a request, and since when it has none.
struct Activity {
    requests: AtomicU64,
    /// Monotonic milliseconds at which the last request ended, or the connection began.
    since_ms: AtomicU64,
}

/// Held while a request is answered, body included.
pub(super) struct Busy {
    activity: Arc<Activity>,
    host: Host,
}

impl Activity {
    fn new(host: &Host) -> Self {
        Self { requests: AtomicU64::new(0), since_ms: AtomicU64::new(monotonic_ms(host)) }
    }

    fn begin(self: Arc<Self>, host: &Host) -> Busy {
        self.requests.fetch_add(1, Ordering::AcqRel);
        Busy { activity: self, host: host.clone() }
    }

    /// Completes once the connection has been without a request for [`IDLE_SECS`].
    async fn idle(&self, host: &Host) {
        let limit = IDLE_SECS * 1_000;
        loop {
            let quiet = monotonic_ms(host).saturating_sub(self.since_ms.load(Ordering::Acquire));
            let is_busy = self.requests.load(Ordering::Acquire) > 0;
            if !is_busy && quiet >= limit {
                return;
            }
            let wait = if is_busy { limit } else { limit - quiet };
            host.clock.sleep(Duration::from_millis(wait)).await;
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.activity.since_ms.store(monotonic_ms(&self.host), Ordering::Release);
        self.activity.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The routes, and what is done around each.
#[derive(Clone)]
struct Routes {
    app: App,
    router: Router,
}

impl Routes {
    fn new(app: App) -> Self {
        Self { router: routes::router(app.clone()), app }
    }

    /// Answers one request. Never fails and never panics: whatever happens becomes an answer.
    async fn respond(mut self, mut request: Request<Body>, peer: SocketAddr, busy: Busy) -> Response<Body> {
        let request_id = self.app.next_request_id();
        let outcome = Outcome::begin(&self.app, &request, request_id.clone(), peer);
        request.extensions_mut().insert(RequestId(request_id.clone()));
        let answered = AssertUnwindSafe(self.route(request)).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|panic| panicked(&*panic).into_response());
        let failed = response.extensions_mut().remove::<ApiError>();
        if let Some(error) = &failed {
            let allow = response.headers_mut().remove(header::ALLOW);
            response = error.answer(&request_id);
            response.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
        }
        page::harden(response.headers_mut());
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("x-request-id", id);
        }
        let outcome = outcome.answered(response.status(), failed);
        response.map(|body| Body::new(Ending::new(body, outcome, busy)))
    }

    async fn route(&mut self, mut request: Request<Body>) -> Response<Body> {
        let is_page = request.method() == Method::GET && !routes::is_known(request.uri().path());
        let asked = if is_page { Asked::Page } else { Asked::Api };
        match self.app.door.admit(asked, request.headers()) {
            Ok(principal) => {
                request.extensions_mut().insert(principal);
                let answered = self.router.call(request).await;
                answered.unwrap_or_else(|never| match never {})
            }
            Err(refusal) => refusal.into_response(),
        }
    }
}

/// The id under which a request is found in the log.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

fn panicked(panic: &(dyn Any + Send)) -> ApiError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    error!(message = text.unwrap_or("no text"), "a request handler panicked");
    ApiError::internal("the handler panicked")
}

pub(super) fn monotonic_ms(host: &Host) -> u64 {
    u64::try_from(host.clock.monotonic().as_millis()).unwrap_or(u64::MAX)
}

/// Says in the log that the server listens.
pub fn announce(addr: SocketAddr) {
    info!(%addr, "listening");
}

/// Header lines of a request.
const HEADERS_MAX: usize = 100;
/// Longest time that a connection may be without a request. Also bounds how long a head may take.
const IDLE_SECS: u64 = 75;
/// Longest time that a stop waits for running requests.
const STOP_GRACE_SECS: u64 = 20;
/// Wait after accepting failed.
const ACCEPT_RETRY_MS: u64 = 100;
