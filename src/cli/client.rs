//! The client side of HTTP, over the host's network.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use form_urlencoded::Serializer;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use crate::host::Host;
use crate::host_select;

/// A server, and the connection to it that is used again while it holds.
pub struct Client {
    host: Host,
    addr: SocketAddr,
    authority: String,
    connection: Option<SendRequest<Body>>,
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address cannot be used.
    #[error("`{url}` is not the address of a server: give one like http://127.0.0.1:7300")]
    BadUrl {
        /// As given.
        url: String,
    },
    /// Nobody answers there. Nothing was sent.
    #[error("no server answers at {authority}: start one with `helios serve`, or name another with --url")]
    NoServer {
        /// Where.
        authority: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The connection broke before the answer was complete. What was asked may have been done.
    #[error("the connection to {authority} broke")]
    Broken {
        /// Where.
        authority: String,
        /// How.
        #[source]
        source: hyper::Error,
    },
    /// The server refused.
    #[error("{message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What the server says, ready to be shown.
        message: String,
        /// The whole answer.
        body: Value,
        /// Seconds after which the server wants to be asked again.
        retry_after_secs: Option<u64>,
    },
}

impl Client {
    /// A client of the server at `url`.
    ///
    /// # Errors
    /// `BadUrl` if it is no `http://` address or its name is not known.
    pub fn new(host: Host, url: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::BadUrl { url: url.to_owned() };
        let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| bad())?;
        let plain = uri.scheme_str().is_none_or(|scheme| scheme == "http") && matches!(uri.path(), "" | "/");
        let authority = uri.authority().filter(|_| plain).ok_or_else(bad)?;
        let port = authority.port_u16().unwrap_or(DEFAULT_PORT);
        let addr = resolve(authority.host(), port).ok_or_else(bad)?;
        Ok(Self { host, addr, authority: format!("{}:{port}", authority.host()), connection: None })
    }

    /// Where the server is, as `host:port`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Asks, and returns a good answer's body as JSON.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get_json(&mut self, path: &str, params: &[(&str, &str)]) -> Result<Value, ClientError> {
        let response = self.get(path, params).await?;
        let body = self.whole(response).await?;
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Asks, and returns a good answer whose body is still to be read.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get(&mut self, path: &str, params: &[(&str, &str)]) -> Result<Response<Incoming>, ClientError> {
        self.send(Method::GET, path, params, HeaderMap::new(), Body::empty()).await
    }

    /// Sends a body, and returns the answer as JSON.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn post(
        &mut self,
        path: &str,
        params: &[(&str, &str)],
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Value, ClientError> {
        let response = self.send(Method::POST, path, params, headers, Body::from(body)).await?;
        let body = self.whole(response).await?;
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Sends any request.
    ///
    /// # Errors
    /// See [`ClientError`].
    ///
    /// # Cancel safety
    /// After a drop the connection is not used again; what was asked may have been done.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        params: &[(&str, &str)],
        headers: HeaderMap,
        body: Body,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut connection = self.connected().await?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target(path, params);
        *request.headers_mut() = headers;
        let authority = self.authority.parse().map_err(|_| ClientError::BadUrl { url: self.authority.clone() })?;
        request.headers_mut().insert(header::HOST, authority);
        let broken = |source| ClientError::Broken { authority: self.authority.clone(), source };
        let response = connection.send_request(request).await.map_err(broken)?;
        self.connection = Some(connection);
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response).await?) }
    }

    /// The whole body of an answer.
    ///
    /// # Errors
    /// `Broken` if it is not complete.
    pub async fn whole(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let collected = response.into_body().collect().await;
        collected.map(|body| body.to_bytes()).map_err(|source| self.broken(source))
    }

    /// The next bytes of an answer; `None` at its end.
    ///
    /// # Errors
    /// `Broken` if it ends before it is complete.
    pub async fn next(&self, body: &mut Incoming) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| self.broken(source))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Waits.
    pub async fn pause(&self, duration: Duration) {
        self.host.clock.sleep(duration).await;
    }

    async fn connected(&mut self) -> Result<SendRequest<Body>, ClientError> {
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        let no_server = |source| ClientError::NoServer { authority: self.authority.clone(), source };
        let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "connecting took too long");
        let stream = host_select! {
            stream = self.host.net.connect(self.addr) => stream.map_err(no_server)?,
            () = self.host.clock.sleep(Duration::from_secs(CONNECT_SECS)) => return Err(no_server(late())),
        };
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|source| self.broken(source))?;
        // How it ends is told to whoever waits for an answer on it.
        let drive = async move { drop(connection.await) };
        self.host.tasks.spawn("http client", Box::pin(drive));
        Ok(sender)
    }

    async fn refused(&self, response: Response<Incoming>) -> Result<ClientError, ClientError> {
        let status = response.status();
        let retry_after_secs = response.headers().get(header::RETRY_AFTER);
        let retry_after_secs = retry_after_secs.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = self.whole(response).await?;
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let message = shown(&body).unwrap_or_else(|| format!("the server at {} answered {status}", self.authority));
        Ok(ClientError::Refused { status, message, body, retry_after_secs })
    }

    fn broken(&self, source: hyper::Error) -> ClientError {
        ClientError::Broken { authority: self.authority.clone(), source }
    }
}

fn target(path: &str, params: &[(&str, &str)]) -> Uri {
    let query = Serializer::new(String::new()).extend_pairs(params).finish();
    let text = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    text.parse().expect("an encoded query is a valid address")
}

/// An error's message with what helps to mend it.
fn shown(body: &Value) -> Option<String> {
    let error = body.get("error")?;
    let message = error.get("message")?.as_str()?;
    let hint = error.get("hint").and_then(Value::as_str).map(|hint| format!(" ({hint})")).unwrap_or_default();
    Some(format!("{message}{hint}"))
}

#[allow(clippy::disallowed_methods, reason = "a command asks the system's resolver once, before anything runs")]
fn resolve(name: &str, port: u16) -> Option<SocketAddr> {
    use std::net::ToSocketAddrs;
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<SocketAddr> = (name, port).to_socket_addrs().ok()?.collect();
    // `localhost` may mean ::1 first, where a server on 127.0.0.1 does not listen.
    found.iter().find(|addr| addr.is_ipv4()).or_else(|| found.first()).copied()
}

/// Port of addresses that name none.
const DEFAULT_PORT: u16 = 7300;
/// Longest time for a connection to be made.
const CONNECT_SECS: u64 = 10;
