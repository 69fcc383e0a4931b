//! A server for one test: the real one, in this process, on a free port, with a folder of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use helios::api::access::Door;
use helios::api::{App, AppParts, Server};
use helios::cli::client::{Client, ClientError};
use helios::crypto::{Random, Register};
use helios::engine::{Engine, Settings};
use helios::host::{Host, real};
use helios::ingest::Replay;
use helios::query::{QueryLimits, QueryShared};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A running server and the folder that goes with it.
pub(crate) struct TestServer {
    pub(crate) host: Host,
    pub(crate) engine: Arc<Engine>,
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
}

/// What a test may change about its server.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) engine: Settings,
    pub(crate) queries: QueryLimits,
    pub(crate) host: Option<Host>,
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(Changes { engine: patient(), ..Changes::default() }).await
    }

    pub(crate) async fn with(changes: Changes) -> Self {
        Self::open(tempfile::tempdir().unwrap(), changes).await
    }

    pub(crate) async fn open(folder: TempDir, changes: Changes) -> Self {
        let host = changes.host.unwrap_or_else(|| real::host(Arc::new(Random::new()), 2).unwrap());
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let root = folder.path().join("data");
        let engine = Arc::new(Engine::open(host.clone(), root, changes.engine, Arc::new(Replay)).await.unwrap());
        let app = App::new(AppParts {
            host: host.clone(),
            door: Door::new(listen, false, Vec::new()).unwrap(),
            engine: engine.clone(),
            queries: Arc::new(QueryShared::new(host.clone(), changes.queries)),
            line_bytes_max: 1 << 20,
            cluster: None,
            register: Register::default(),
        });
        let server = Server::start(host.clone(), listen, app, 64).await.unwrap();
        Self { host, engine, server, folder }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.host.clone(), &format!("http://{}", self.server.addr())).unwrap()
    }

    /// A good answer as JSON.
    pub(crate) async fn get(&self, path: &str, params: &[(&str, &str)]) -> Value {
        self.client().get_json(path, params).await.unwrap_or_else(|error| panic!("{path} {params:?}: {error:?}"))
    }

    /// A good answer as text.
    pub(crate) async fn text(&self, path: &str, params: &[(&str, &str)]) -> String {
        let mut client = self.client();
        let response = client.get(path, params).await.unwrap_or_else(|error| panic!("{path} {params:?}: {error:?}"));
        String::from_utf8(client.whole(response).await.unwrap().to_vec()).unwrap()
    }

    /// A refusal: status and `error`.
    pub(crate) async fn refusal(&self, path: &str, params: &[(&str, &str)]) -> (u16, Value) {
        match self.client().get_json(path, params).await {
            Err(ClientError::Refused { status, body, .. }) => (status.as_u16(), body["error"].clone()),
            other => panic!("{path} {params:?} was not refused: {other:?}"),
        }
    }

    /// Stores NDJSON and returns the answer.
    pub(crate) async fn ingest(&self, index: &str, body: impl Into<Vec<u8>>) -> Value {
        let body = axum::body::Bytes::from(body.into());
        self.client().post("/api/ingest", &[("index", index)], Default::default(), body).await.unwrap()
    }

    /// Sends bytes as they are and returns all that comes back until the server hangs up.
    pub(crate) async fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.host.net.connect(self.server.addr()).await.unwrap();
        stream.write_all(request.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends bytes, and hangs up without waiting for an answer.
    pub(crate) async fn raw_and_hang_up(&self, request: &str) {
        let mut stream = self.host.net.connect(self.server.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
    }

    /// Stops everything and gives the folder back, for another server.
    pub(crate) async fn stop(self) -> TempDir {
        self.server.stop().await;
        self.engine.close().await;
        self.folder
    }
}

/// Settings with which nothing is flushed unless a test asks for it.
pub(crate) fn patient() -> Settings {
    let day = std::time::Duration::from_secs(86_400);
    Settings { flush_age: day, flush_age_max: day, compact_interval: day, ..Settings::default() }
}
