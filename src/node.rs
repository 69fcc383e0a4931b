//! One running server, put together from its parts: engine, queries, routes.
//!
//! **Promise.** `helios serve` and the simulation start the very same server here; they differ in the [`Host`] that
//! they give it and in nothing else. A node that could not start leaves the data directory to the next.
//!
//! **Boundary.** Knows no settings table, no signals, no terminal. What runs beside the engine on a node (the
//! workers of a cluster) starts and stops here, between engine and server.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::api::access::Door;
use crate::api::{App, AppParts, Server, announce};
use crate::chain::Store;
use crate::cluster::{Cluster, ClusterParts, ClusterSettings, NodeId};
use crate::control;
use crate::engine::{self, Engine, OpenError};
use crate::host::Host;
use crate::host_select;
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
    /// The cluster that it joins, if it does.
    pub cluster: Option<Membership>,
}

/// What a node needs to join a cluster.
pub struct Membership {
    /// What the nodes share; tested already.
    pub store: Arc<dyn Store>,
    /// What it is called: shown to people, holds no secret.
    pub store_name: String,
    /// Where the control plane is in it, and its key.
    pub control: control::Place,
    /// The knobs.
    pub settings: ClusterSettings,
}

/// A server that answers. Dropping it stops nothing: call [`Node::stop`].
pub struct Node {
    engine: Arc<Engine>,
    cluster: Option<Arc<Cluster>>,
    server: Server,
    host: Host,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its data directory says no.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The shared store, or the control plane in it, cannot be used.
    #[error("{0}")]
    Cluster(String),
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
        let NodeSettings { data_dir, listen, door, engine, queries, line_bytes_max, connections_max, cluster } = settings;
        let reader = Arc::new(Replay);
        let opened = match &cluster {
            None => Engine::open(host.clone(), data_dir.clone(), engine, reader).await,
            Some(with) => {
                Engine::open_shared(host.clone(), data_dir.clone(), engine, reader, Arc::clone(&with.store)).await
            }
        };
        let engine = Arc::new(opened?);
        let started = async {
            let cluster = match cluster {
                None => None,
                Some(with) => Some(Arc::new(join(&host, &data_dir, &engine, listen, with).await?)),
            };
            let queries = Arc::new(QueryShared::new(host.clone(), queries));
            let (engine, cluster_of_app) = (Arc::clone(&engine), cluster.clone());
            let parts = AppParts { host: host.clone(), door, engine, queries, line_bytes_max, cluster: cluster_of_app };
            match Server::start(host.clone(), listen, App::new(parts), connections_max).await {
                Ok(server) => Ok((cluster, server)),
                Err(source) => {
                    if let Some(cluster) = cluster {
                        cluster.stop().await;
                    }
                    Err(StartError::Listen { addr: listen, source })
                }
            }
        };
        match started.await {
            Ok((cluster, server)) => {
                announce(server.addr());
                Ok(Self { engine, cluster, server, host })
            }
            Err(error) => {
                // What the log held becomes blocks, and the folder is free.
                engine.close().await;
                Err(error)
            }
        }
    }

    /// Its part in a cluster, if it is in one.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.as_ref()
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
        if let Some(cluster) = &self.cluster {
            // So that the others need not wait for this node's next start. What is not sent is on its disk.
            let share = async {
                self.engine.flush_now().await;
                cluster.sync_now().await;
            };
            host_select! {
                () = share => {}
                () = self.host.clock.sleep(LAST_SHARE_MAX) => {}
            }
            cluster.stop().await;
        }
        self.engine.close().await;
    }
}

/// Opens the control plane in the shared store, and joins the other nodes.
async fn join(
    host: &Host,
    data_dir: &Path,
    engine: &Arc<Engine>,
    listen: SocketAddr,
    with: Membership,
) -> Result<Cluster, StartError> {
    let Membership { store, store_name, control, settings } = with;
    let failed = |error: &dyn std::fmt::Display| StartError::Cluster(format!("the shared store {store_name}: {error}"));
    let node = NodeId::load(host, data_dir).await.map_err(|error| failed(&error))?;
    let life = engine.origin().to_string();
    let control = control::open(host, Arc::clone(&store), &life, &control).await;
    let parts = ClusterParts {
        host: host.clone(),
        store,
        store_name: store_name.clone(),
        control: Arc::new(control.map_err(|error| failed(&error))?),
        replica: engine.replica(),
        node,
        address: listen.to_string(),
        settings,
    };
    Cluster::start(parts).await.map_err(|error| failed(&error))
}

/// How long a node that stops tries to send what it has not shared.
const LAST_SHARE_MAX: Duration = Duration::from_secs(10);
