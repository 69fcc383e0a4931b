//! What people see of a cluster.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::state::{Shared, lock};
use super::{COMPACTOR, SWEEPER};
use crate::chain::Requests;
use crate::control::Node;
use crate::host_select;

/// The cluster as this node sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterStatus {
    /// This node's name.
    pub node: String,
    /// The life of its process.
    pub life: String,
    /// Another process runs under this node's name; which life. Then this node sends nothing.
    pub conflict: Option<String>,
    /// The shared store.
    pub store: SharedStoreStatus,
    /// All nodes that ever were, by name.
    pub nodes: Vec<NodeStatus>,
    /// Who leads.
    pub leaders: Vec<LeaderStatus>,
    /// What waits here to be shared.
    pub waiting: WaitingStatus,
    /// Partitions that are not shared, and why.
    pub problems: Vec<ProblemStatus>,
    /// Why nodes and leaders are not known, if they could not be asked for.
    #[serde(skip)]
    pub missing: Option<String>,
}

/// What this node knows of its part without asking anybody.
#[derive(Clone, Debug)]
pub struct OwnStatus {
    /// Another process runs under this node's name.
    pub conflict: bool,
    /// The shared store.
    pub store: SharedStoreStatus,
    /// What waits here to be shared.
    pub waiting: WaitingStatus,
    /// Partitions that are not shared.
    pub problems: usize,
    /// Each piece of work that one node does for all, and whether this one does it.
    pub leads: [(&'static str, bool); 2],
}

/// The shared store as this node reaches it.
#[derive(Clone, Debug, Serialize)]
pub struct SharedStoreStatus {
    /// Path or bucket.
    pub name: String,
    /// Which history it has.
    pub incarnation: String,
    /// What went wrong in the last round of reading it.
    pub error: Option<String>,
    /// Seconds since everything that was wanted of it was read.
    pub read_seconds_ago: Option<u64>,
    /// Partitions whose newest generation is not adopted yet.
    pub behind: usize,
    /// Requests so far, in this life of the process.
    pub requests: u64,
    /// Bytes sent to it.
    pub bytes_up: u64,
    /// Bytes that came from it.
    pub bytes_down: u64,
}

/// A node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatus {
    /// Its name.
    pub node: String,
    /// The life of its process.
    pub life: String,
    /// Whether it is this one.
    pub own: bool,
    /// Whether it was heard of lately.
    pub alive: bool,
    /// Where it listens.
    pub address: String,
    /// Its version.
    pub version: String,
    /// Seconds since it had read everything that the store has, when it last said so.
    pub lag_seconds: Option<u64>,
    /// Partitions in which it was behind then.
    pub behind: u64,
    /// Events that waited there to be shared.
    pub waiting_events: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Partitions that it could not share.
    pub problems: u64,
}

/// A piece of work that one node does for all.
#[derive(Clone, Debug, Serialize)]
pub struct LeaderStatus {
    /// Which work.
    pub work: &'static str,
    /// Whether this node does it.
    pub own: bool,
    /// The node that does it, as far as it is known.
    pub node: Option<String>,
}

/// What waits in tails to be shared.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WaitingStatus {
    /// Partitions.
    pub partitions: u64,
    /// Blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The events in them.
    pub events: u64,
}

/// Why a partition is not shared.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemStatus {
    /// `<index>/<day>`.
    pub partition: String,
    /// Why, in one word: the names that `/api/cluster` documents.
    pub kind: &'static str,
    /// What happened and what can be done.
    pub message: String,
}

pub(super) async fn of(shared: &Arc<Shared>) -> ClusterStatus {
    let OwnStatus { conflict: _, store, waiting, problems: _, leads } = own(shared);
    let asked = host_select! {
        asked = others(shared, leads) => asked,
        () = shared.host.clock.sleep(ASK_MAX) => Err(format!("no answer within {} s", ASK_MAX.as_secs())),
    };
    let (nodes, leaders, missing) = match asked {
        Ok((nodes, leaders)) => (nodes, leaders, None),
        Err(why) => (Vec::new(), Vec::new(), Some(why)),
    };
    let problems = shared.problems().into_iter().map(|(partition, problem)| ProblemStatus {
        partition,
        kind: problem.kind.name(),
        message: problem.message,
    });
    ClusterStatus {
        node: shared.node.name().to_owned(),
        life: shared.life(),
        conflict: shared.conflict(),
        store,
        nodes,
        leaders,
        waiting,
        problems: problems.collect(),
        missing,
    }
}

pub(super) fn own(shared: &Shared) -> OwnStatus {
    let waiting = shared.replica.waiting();
    let (compactor, sweeper) = shared.leads();
    OwnStatus {
        conflict: shared.conflict().is_some(),
        store: store(shared),
        waiting: WaitingStatus {
            partitions: waiting.partitions,
            blocks: waiting.blocks,
            bytes: waiting.bytes,
            events: waiting.events,
        },
        problems: shared.problems().len(),
        leads: [(COMPACTOR, compactor), (SWEEPER, sweeper)],
    }
}

/// What only the store tells: the nodes, and who leads.
async fn others(
    shared: &Arc<Shared>,
    leads: [(&'static str, bool); 2],
) -> Result<(Vec<NodeStatus>, Vec<LeaderStatus>), String> {
    let nodes = match shared.roster() {
        Some(roster) => roster.nodes().await.map_err(|error| error.to_string())?,
        None => Vec::new(),
    };
    let mut leaders = Vec::with_capacity(leads.len());
    for (work, own) in leads {
        leaders.push(leader(shared, work, own, &nodes).await);
    }
    Ok((nodes.iter().map(|node| node_status(shared, node)).collect(), leaders))
}

fn store(shared: &Shared) -> SharedStoreStatus {
    let pulled = lock(&shared.pulled).clone();
    let requests: Requests = shared.store.requests();
    SharedStoreStatus {
        name: shared.store_name.clone(),
        incarnation: shared.incarnation().id,
        error: pulled.error,
        read_seconds_ago: pulled.ok_at.map(|at| shared.now().saturating_sub(at).as_secs()),
        behind: pulled.behind.len(),
        requests: requests.total(),
        bytes_up: requests.bytes_up,
        bytes_down: requests.bytes_down,
    }
}

fn node_status(shared: &Shared, node: &Node) -> NodeStatus {
    let about: &Map<String, Value> = &node.about;
    let text = |name: &str| about.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| about.get(name).and_then(Value::as_u64);
    NodeStatus {
        node: node.node.clone(),
        life: node.life.clone(),
        own: node.node == shared.node.name(),
        alive: node.alive,
        address: text("address"),
        version: text("version"),
        lag_seconds: number("lag_seconds"),
        behind: number("behind").unwrap_or(0),
        waiting_events: number("waiting_events").unwrap_or(0),
        waiting_bytes: number("waiting_bytes").unwrap_or(0),
        problems: number("problems").unwrap_or(0),
    }
}

/// Who holds the lease of a piece of work, by the document of the lease, as old as the cache lets it be.
async fn leader(shared: &Shared, work: &'static str, own: bool, nodes: &[Node]) -> LeaderStatus {
    let document = shared.control.read(&format!("leases/{work}")).await.ok().flatten();
    let holder = document.and_then(|document| {
        let released = document.content.get("released").and_then(Value::as_bool).unwrap_or(false);
        let holder = document.content.get("holder")?.as_str()?.to_owned();
        (!released).then_some(holder)
    });
    let node =
        holder.and_then(|life| nodes.iter().find(|node| node.life == life && node.alive)).map(|n| n.node.clone());
    LeaderStatus { work, own, node: if own { Some(shared.node.name().to_owned()) } else { node } }
}

/// How long whoever asks for a status waits for a store that does not answer. Longer, and the page would show
/// nothing in the very moment in which it is needed.
const ASK_MAX: Duration = Duration::from_secs(3);
