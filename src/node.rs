//! One running server, put together from its parts: engine, queries, routes.
//!
//! **Promise.** `helios serve` and the simulation start the very same server here; they differ in the [`Host`] that
//! they give it and in nothing else. A node that could not start leaves the data directory to the next.
//!
//! **Boundary.** Knows no settings table, no signals, no terminal. What runs beside the engine on a node (the
//! workers of a cluster) starts and stops here, between engine and server.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::access::Door;
use crate::api::{App, AppParts, Server, announce};
use crate::engine::{self, Engine, OpenError};
use crate::host::Host;
use crate::ingest::Replay;
use crate::query::{QueryLimits, QueryShared};

/// What a node is started with.
pub struct NodeSettings {
    /// Where its data are.
    pub data_dir: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who is let in.
    pub door: Door,
    /// The engine's knobs.
    pub engine: engine::Settings,
    /// What queries may hold.
    pub queries: QueryLimits,
    /// Longest line that is an event, in bytes.
    pub line_bytes_max: usize,
    /// Connections at the same time.
    pub connections_max: u32,
}

/// A server that answers. Dropping it stops nothing: call [`Node::stop`].
pub struct Node {
    engine: Arc<Engine>,
    server: Server,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its data directory says no.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It may not listen there.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// What the machine said.
        source: io::Error,
    },
}

impl Node {
    /// Opens the data directory, replays its log and listens. It answers when this returns.
    ///
    /// # Errors
    /// See [`StartError`]; nothing runs then.
    ///
    /// # Cancel safety
    /// After a drop tasks may run on that hold the data directory: end the process.
    pub async fn start(host: Host, settings: NodeSettings) -> Result<Self, StartError> {
        let NodeSettings { data_dir, listen, door, engine, queries, line_bytes_max, connections_max } = settings;
        let engine = Arc::new(Engine::open(host.clone(), data_dir, engine, Arc::new(Replay)).await?);
        let queries = Arc::new(QueryShared::new(host.clone(), queries));
        let app = App::new(AppParts { host: host.clone(), door, engine: engine.clone(), queries, line_bytes_max });
        match Server::start(host, listen, app, connections_max).await {
            Ok(server) => {
                announce(server.addr());
                Ok(Self { engine, server })
            }
            Err(source) => {
                // What the log held becomes blocks, and the folder is free.
                engine.close().await;
                Err(StartError::Listen { addr: listen, source })
            }
        }
    }

    /// Where it listens, with the port that was chosen for port 0.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Where its events live, for whoever judges it from inside.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Lets running requests end, for a bounded time, then flushes and frees the data directory.
    pub async fn stop(self) {
        self.server.stop().await;
        self.engine.close().await;
    }
}
