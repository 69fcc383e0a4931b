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

use tracing::{debug, error, info, warn};

use crate::api::access::Door;
use crate::api::{App, AppParts, Secure, Server, announce};
use crate::chain::Store;
use crate::chain::probe::ProbeError;
use crate::cluster::{self, Cluster, ClusterParts, ClusterSettings, KnownStores, NodeId, Seat};
use crate::control::{self, ControlError};
use crate::crypto::Register;
use crate::engine::{self, Engine, OpenError};
use crate::host::{Host, Task};
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
    /// Where it listens for TLS, if it does.
    pub secure: Option<Secure>,
    /// What of cryptography it uses.
    pub register: Register,
    /// The cluster that it joins, if it does.
    pub cluster: Option<Membership>,
}

/// What a node needs to join a cluster.
pub struct Membership {
    /// What the nodes share.
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
    seat: Option<Seat>,
    /// Tries to join, if that did not work at once.
    joining: Option<Task>,
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
        let NodeSettings {
            data_dir,
            listen,
            door,
            engine,
            queries,
            line_bytes_max,
            connections_max,
            secure,
            register,
            cluster,
        } = settings;
        let reader = Arc::new(Replay);
        let opened = match &cluster {
            None => Engine::open(host.clone(), data_dir.clone(), engine, reader).await,
            Some(with) => {
                Engine::open_shared(host.clone(), data_dir.clone(), engine, reader, Arc::clone(&with.store)).await
            }
        };
        let engine = Arc::new(opened?);
        let (seat, joining) = match cluster {
            None => (None, None),
            Some(with) => match take_seat(&host, &data_dir, &engine, listen, with).await {
                Ok((seat, joining)) => (Some(seat), joining),
                Err(error) => {
                    engine.close().await;
                    return Err(error);
                }
            },
        };
        let queries = Arc::new(QueryShared::new(host.clone(), queries));
        let (engine_of_app, cluster) = (Arc::clone(&engine), seat.clone());
        let parts =
            AppParts { host: host.clone(), door, engine: engine_of_app, queries, line_bytes_max, cluster, register };
        let server = match Server::start_both(host.clone(), listen, secure, App::new(parts), connections_max).await {
            Ok(server) => server,
            Err(error) => {
                leave(seat.as_ref(), joining).await;
                // What the log held becomes blocks, and the folder is free.
                engine.close().await;
                return Err(StartError::Listen { addr: error.addr, source: error.source });
            }
        };
        announce(server.addr());
        Ok(Self { engine, seat, joining, server, host })
    }

    /// Its part in a cluster, once it has joined one.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.seat.as_ref()?.cluster()
    }

    /// Where it listens, with the port that was chosen for port 0.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Where it listens for TLS, if it does.
    pub fn secure_addr(&self) -> Option<SocketAddr> {
        self.server.secure_addr()
    }

    /// Reads certificate and key for TLS again, now.
    pub async fn reload_tls(&self) {
        self.server.reload_tls().await;
    }

    /// Where its events live, for whoever judges it from inside.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Lets running requests end, for a bounded time, then flushes and frees the data directory.
    pub async fn stop(self) {
        self.server.stop().await;
        if let Some(cluster) = self.seat.as_ref().and_then(Seat::cluster) {
            // So that the others need not wait for this node's next start. What is not sent is on its disk.
            let share = async {
                self.engine.flush_now().await;
                cluster.sync_now().await;
            };
            host_select! {
                () = share => {}
                () = self.host.clock.sleep(LAST_SHARE_MAX) => {}
            }
        }
        leave(self.seat.as_ref(), self.joining).await;
        self.engine.close().await;
    }
}

/// Ends a node's part in its cluster, or its tries to get one.
async fn leave(seat: Option<&Seat>, joining: Option<Task>) {
    if let Some(joining) = joining {
        joining.cancel();
        joining.join().await;
    }
    if let Some(cluster) = seat.and_then(Seat::cluster) {
        cluster.stop().await;
    }
}

/// Joins now, or, if the store cannot be reached, as soon as it can: a node has its own data whatever the store does.
///
/// # Errors
/// If waiting would not help: a store that is not safe, a key that is wrong.
async fn take_seat(
    host: &Host,
    data_dir: &Path,
    engine: &Arc<Engine>,
    listen: SocketAddr,
    with: Membership,
) -> Result<(Seat, Option<Task>), StartError> {
    let seat = Seat::default();
    let name = with.store_name.clone();
    let first = host_select! {
        joined = join(host, data_dir, engine, listen, &with) => joined,
        () = host.clock.sleep(JOIN_WAIT_MAX) => Err(JoinError::Unreachable("it does not answer".into())),
    };
    match first {
        Ok(cluster) => {
            seat.take(Arc::new(cluster));
            return Ok((seat, None));
        }
        Err(JoinError::Refused(why)) => return Err(StartError::Cluster(format!("the shared store {name}: {why}"))),
        Err(JoinError::Unreachable(why)) => {
            warn!(store = %name, %why, "the shared store cannot be reached: this node starts with what it has, and joins later");
        }
    }
    let (host_of_task, data_dir, engine, seat_of_task) =
        (host.clone(), data_dir.to_owned(), Arc::clone(engine), seat.clone());
    let joining = async move {
        loop {
            host_of_task.clock.sleep(JOIN_RETRY).await;
            match join(&host_of_task, &data_dir, &engine, listen, &with).await {
                Ok(cluster) => {
                    info!(store = %with.store_name, "joined the other nodes");
                    return seat_of_task.take(Arc::new(cluster));
                }
                Err(JoinError::Unreachable(why)) => debug!(%why, "the shared store still cannot be reached"),
                Err(JoinError::Refused(why)) => error!(store = %with.store_name, %why, "the shared store is not used"),
            }
        }
    };
    Ok((seat, Some(host.tasks.spawn("join", Box::pin(joining)))))
}

/// Why a node has not joined.
enum JoinError {
    /// Later it may.
    Unreachable(String),
    /// A person must act.
    Refused(String),
}

/// Tests the store, opens the control plane in it, and joins the other nodes.
async fn join(
    host: &Host,
    data_dir: &Path,
    engine: &Arc<Engine>,
    listen: SocketAddr,
    with: &Membership,
) -> Result<Cluster, JoinError> {
    let refused = |error: &dyn std::fmt::Display| JoinError::Refused(error.to_string());
    let unreachable = |error: &dyn std::fmt::Display| JoinError::Unreachable(error.to_string());
    let not_joined = |error: cluster::JoinError| match error {
        cluster::JoinError::Store(_) => unreachable(&error),
        cluster::JoinError::AnotherStore(_) => refused(&error),
    };
    let known_stores = KnownStores::load(host, data_dir).await.map_err(|error| refused(&error))?;
    // ORDER: before the test and the control plane, which write.
    cluster::may_join(&with.store, &known_stores).await.map_err(not_joined)?;
    cluster::test(host, &with.store).await.map_err(|error| match error {
        ProbeError::Unavailable(_) => unreachable(&error),
        ProbeError::Unsafe(_) => refused(&error),
    })?;
    let node = NodeId::load(host, data_dir).await.map_err(|error| refused(&error))?;
    let life = engine.origin().to_string();
    let control = control::open(host, Arc::clone(&with.store), &life, &with.control).await;
    let control = control.map_err(|error| match &error {
        control::OpenError::Control(ControlError::Store(_)) => unreachable(&error),
        _ => refused(&error),
    })?;
    let parts = ClusterParts {
        host: host.clone(),
        store: Arc::clone(&with.store),
        store_name: with.store_name.clone(),
        control: Arc::new(control),
        replica: engine.replica(),
        node,
        known_stores,
        address: listen.to_string(),
        settings: with.settings.clone(),
    };
    Cluster::start(parts).await.map_err(not_joined)
}

/// How long a node that stops tries to send what it has not shared.
const LAST_SHARE_MAX: Duration = Duration::from_secs(10);
/// How long a start waits for the shared store.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long a node that has not joined waits before it tries again.
const JOIN_RETRY: Duration = Duration::from_secs(5);
