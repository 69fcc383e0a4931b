//! A small HTTP client over a host, that says whether a request had gone out before it failed.

use std::time::Duration;

use bytes::Bytes;
use helios::host::Host;
use helios::host_select;
use http::{HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

/// A client of one server. Connections are used again while they hold.
pub struct Http {
    host: Host,
    name: String,
    port: u16,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
}

/// Why there is none.
#[derive(Clone, Debug)]
pub enum NoAnswer {
    /// Nothing went out.
    NotSent(String),
    /// It may have been done.
    Unknown(String),
}

impl Http {
    /// A client of the server on machine `name`.
    pub fn new(host: &Host, name: &str, port: u16) -> Self {
        Self { host: host.clone(), name: name.to_owned(), port, connection: None }
    }

    /// Asks, and waits for the answer for at most `limit`.
    ///
    /// # Errors
    /// If none came whole.
    pub async fn ask(
        &mut self,
        method: Method,
        target: &str,
        body: Bytes,
        limit: Duration,
    ) -> Result<Answer, NoAnswer> {
        let clock = self.host.clock.clone();
        let mut connection = host_select! {
            connected = self.connected() => connected.map_err(NoAnswer::NotSent)?,
            () = clock.sleep(limit) => return Err(NoAnswer::NotSent("connecting took too long".to_owned())),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().map_err(|error| NoAnswer::NotSent(format!("{target}: {error}")))?;
        let name = HeaderValue::from_str(&self.name).map_err(|error| NoAnswer::NotSent(error.to_string()))?;
        request.headers_mut().insert(header::HOST, name);
        let answer = async {
            let response = connection.try_send_request(request).await.map_err(|mut error| {
                let sent = error.take_message().is_none();
                let why = error.into_error().to_string();
                if sent { NoAnswer::Unknown(why) } else { NoAnswer::NotSent(why) }
            })?;
            let (status, body) = (response.status().as_u16(), response.into_body());
            let body = body.collect().await.map_err(|error| NoAnswer::Unknown(error.to_string()))?.to_bytes();
            Ok(Answer { status, body })
        };
        let answer = host_select! {
            answer = answer => answer?,
            () = clock.sleep(limit) => return Err(NoAnswer::Unknown("no answer came in time".to_owned())),
        };
        self.connection = Some(connection);
        Ok(answer)
    }

    /// The next request goes over a new connection.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    async fn connected(&mut self) -> Result<SendRequest<Full<Bytes>>, String> {
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await.is_ok()
        {
            return Ok(connection);
        }
        let addresses = self.host.net.resolve(&self.name, self.port).await.map_err(|error| error.to_string())?;
        let address = addresses.first().ok_or("it has no address")?;
        let stream = self.host.net.connect(*address).await.map_err(|error| error.to_string())?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // How it ends is told to whoever waits for an answer on it.
        drop(self.host.tasks.spawn("client connection", Box::pin(async move { drop(connection.await) })));
        Ok(sender)
    }
}
