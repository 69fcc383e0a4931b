//! Several nodes on one shared store: each sends there what it has taken in, and adopts what the others sent.
//!
//! **Promise.** Whatever fails, and however often a step is repeated, each acknowledged event is found exactly once
//! on its node at once, and on every node once the store can be reached again, until retention removes it. A slow
//! or absent store blocks nothing but the sharing. Nothing is acted on but a head that was read after the commit,
//! and nothing's safety rests on a lease or on a clock.
//!
//! **Boundary.** Knows manifests and blocks as the engine shows them ([`crate::engine::Replica`]), and no query.

mod announce;
mod chains;
mod compact;
mod feed;
mod fetch;
mod history;
mod incarnation;
mod inspect;
mod known_stores;
mod node;
mod pull;
mod settings;
mod state;
mod status;
mod store;
mod stray_pages;
mod sweep;
mod upload;
mod verify;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::warn;

pub use history::{Begin, History, Missing, PartitionHistory, begin_history};
pub use incarnation::{JoinError, may_join};
pub use known_stores::{AnotherStore, KnownStores, parse_store_id};
pub use node::NodeId;
pub use settings::ClusterSettings;
pub use status::{ClusterStatus, LeaderStatus, NodeStatus, OwnStatus, ProblemStatus, SharedStoreStatus, WaitingStatus};
pub use store::{StoreAddress, StoreOpenError, open_store, open_untested, test};
pub use verify::{Found, StoreReport, verify_store};

use crate::chain::Store;
use crate::control::{Control, Leases, Roster, campaign};
use crate::engine::Replica;
use crate::event::{Origin, PartitionKey};
use crate::host::{Host, Task};
use crate::host_select;
use state::Shared;

/// What a cluster's member is made of.
pub struct ClusterParts {
    /// The outside world.
    pub host: Host,
    /// What the nodes share.
    pub store: Arc<dyn Store>,
    /// What the store is called: shown to people, holds no secret.
    pub store_name: String,
    /// The control plane in the same store.
    pub control: Arc<Control>,
    /// The engine's door.
    pub replica: Replica,
    /// Who this node is.
    pub node: NodeId,
    /// Which stores it has shared with.
    pub known_stores: KnownStores,
    /// Where it can be reached, for the others' people.
    pub address: String,
    /// The knobs.
    pub settings: ClusterSettings,
}

/// This node's part in a cluster. Dropping it stops nothing: call [`Cluster::stop`].
pub struct Cluster {
    shared: Arc<Shared>,
    running: Mutex<Vec<Task>>,
}

/// Where a node's part in a cluster is, once it has joined: a store that cannot be reached when the node starts does
/// not keep it from starting.
#[derive(Clone, Default)]
pub struct Seat(Arc<OnceLock<Arc<Cluster>>>);

impl Seat {
    /// The node's part; `None` before it has joined.
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.0.get()
    }

    /// The node has joined. A node joins once.
    pub fn take(&self, cluster: Arc<Cluster>) {
        let _ = self.0.set(cluster);
    }
}

/// How waiting for the shared store ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Waited {
    /// The events are in the shared store: the head that says so was read after the commit.
    Shared,
    /// Not in time. They are on this node's disk and will be shared.
    TimedOut,
}

impl Cluster {
    /// Joins: reads what the store has of every partition, then keeps sharing in the background.
    ///
    /// # Errors
    /// If the store cannot be asked which history it has, or is not the one that this node has shared with. Everything
    /// later heals by itself.
    pub async fn start(parts: ClusterParts) -> Result<Self, JoinError> {
        let host = parts.host.clone();
        let shared = Arc::new(Shared::new(parts));
        incarnation::load(&shared).await?;
        let leases = Arc::new(Leases::new(Arc::clone(&shared.control), Arc::clone(&host.clock)));
        let (compactor, compactor_task) = campaign(&host, Arc::clone(&leases), COMPACTOR);
        let (sweeper, sweeper_task) = campaign(&host, leases, SWEEPER);
        shared.set_leaders(compactor.clone(), sweeper.clone());
        let roster = Arc::new(Roster::new(Arc::clone(&shared.control), Arc::clone(&host.clock), shared.node.name()));
        shared.set_roster(Arc::clone(&roster));
        let spawn = |name, future| host.tasks.spawn(name, future);
        let running = vec![
            compactor_task,
            sweeper_task,
            spawn("beat", Box::pin(node::beat_loop(Arc::clone(&shared), roster))),
            spawn("pull", Box::pin(pull::pull_loop(Arc::clone(&shared)))),
            spawn("upload", Box::pin(upload::upload_loop(Arc::clone(&shared)))),
            spawn("announce", Box::pin(announce::announce_loop(Arc::clone(&shared)))),
            spawn("fetch", Box::pin(fetch::fetch_loop(Arc::clone(&shared)))),
            spawn("shared compaction", Box::pin(compact::compact_loop(Arc::clone(&shared), compactor))),
            spawn("sweep", Box::pin(sweep::sweep_loop(Arc::clone(&shared), sweeper))),
        ];
        Ok(Self { shared, running: Mutex::new(running) })
    }

    /// Waits until the events of `origin` up to these sequences are in the shared store, for at most `limit`.
    pub async fn wait_shared(&self, wanted: &[(PartitionKey, u64)], origin: Origin, limit: Duration) -> Waited {
        let all = async {
            for (key, sequence) in wanted {
                upload::share(&self.shared, key, origin, *sequence).await;
            }
        };
        host_select! {
            () = all => Waited::Shared,
            () = self.shared.host.clock.sleep(limit) => Waited::TimedOut,
        }
    }

    /// One round of everything but the leaders' work: sends what waits, adopts what is new.
    pub async fn sync_now(&self) {
        pull::walk(&self.shared).await;
        upload::upload_all(&self.shared).await;
        announce::announce(&self.shared).await;
        pull::pull(&self.shared).await;
    }

    /// What the page and `/api/cluster` show. Costs one list of the nodes' documents, and one get a node that beat.
    pub async fn status(&self) -> ClusterStatus {
        status::of(&self.shared).await
    }

    /// The part of it for which nobody is asked.
    pub fn own_status(&self) -> OwnStatus {
        status::own(&self.shared)
    }

    /// How often things happened that a simulation must have seen.
    pub fn coverage(&self) -> BTreeMap<&'static str, u64> {
        self.shared.coverage()
    }

    /// Stops sharing: what runs is ended where it stands, which is safe at every point. Tells the others.
    pub async fn stop(&self) {
        let tasks = std::mem::take(&mut *self.running.lock().await);
        for task in &tasks {
            task.cancel();
        }
        for task in tasks {
            task.join().await;
        }
        let Some(roster) = self.shared.roster() else { return };
        host_select! {
            left = roster.leave() => if let Err(error) = left {
                warn!(%error, "the other nodes could not be told that this one goes");
            },
            () = self.shared.host.clock.sleep(LEAVE_MAX) => {
                warn!("the other nodes could not be told that this one goes: the shared store does not answer");
            }
        }
    }
}

/// How long a node that stops tries to say so.
const LEAVE_MAX: Duration = Duration::from_secs(10);
/// The lease of the one node that merges shared blocks.
const COMPACTOR: &str = "compactor";
/// The lease of the one node that retires, condemns and deletes.
const SWEEPER: &str = "sweeper";
