//! A server for one test.

use std::net::SocketAddr;
use std::sync::Arc;

use helios::api::access::Door;
use helios::api::{App, AppParts, Server};
use helios::cli::client::{Client, ClientError};
use helios::crypto::Random;
use helios::host::{Host, real};
use helios::query::{QueryLimits, QueryShared};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A running server and a folder that goes with it.
pub struct TestServer {
    pub host: Host,
    pub server: Server,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut AppParts)) -> Self {
        let host = real::host(Arc::new(Random::new()), 2).unwrap();
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let mut parts = AppParts {
            host: host.clone(),
            door: Door::new(listen, false, Vec::new()).unwrap(),
            queries: Arc::new(QueryShared::new(host.clone(), QueryLimits::default())),
        };
        change(&mut parts);
        let server = Server::start(host.clone(), listen, App::new(parts), 64).await.unwrap();
        Self { host, server }
    }

    pub fn client(&self) -> Client {
        Client::new(self.host.clone(), &format!("http://{}", self.server.addr())).unwrap()
    }

    /// A good answer as JSON.
    pub async fn get(&self, path: &str, params: &[(&str, &str)]) -> Value {
        self.client().get_json(path, params).await.unwrap_or_else(|error| panic!("{path} {params:?}: {error:?}"))
    }

    /// A refusal: status and `error`.
    pub async fn refusal(&self, path: &str, params: &[(&str, &str)]) -> (u16, Value) {
        match self.client().get_json(path, params).await {
            Err(ClientError::Refused { status, body, .. }) => (status.as_u16(), body["error"].clone()),
            other => panic!("{path} {params:?} was not refused: {other:?}"),
        }
    }

    /// Sends bytes as they are and returns all that comes back until the server hangs up.
    pub async fn raw(&self, request: &str) -> String {
        let mut stream = self.host.net.connect(self.server.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}
