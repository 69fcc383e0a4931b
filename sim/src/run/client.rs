//! A client machine: its writers, then the judgement of every server after healing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use helios::host::{Host, Task};

use super::node::NODE_PORT;
use crate::rng::Rng;
use crate::scenario::Workload;
use crate::workload::{
    Chains, History, Home, Http, Look, Stop, WriterPlan, Wrong, commit_to_chains, judge_node, write,
};

/// What a client machine does, and where it tells.
pub(super) struct Client {
    pub(super) name: String,
    pub(super) nodes: Vec<String>,
    pub(super) workload: Workload,
    pub(super) writers: u64,
    pub(super) committers: u64,
    pub(super) seed: u64,
    pub(super) history: History,
    pub(super) chains: Chains,
    pub(super) stop: Stop,
    pub(super) judged: Arc<AtomicU64>,
    pub(super) silence: Arc<Mutex<String>>,
    /// Whether the servers share a store.
    pub(super) cluster: bool,
}

impl Client {
    /// Works until it is over, then judges.
    pub(super) async fn run(self, host: Host) {
        let writers = (0..self.writers).map(|number| self.write(&host, number));
        let committers = (0..self.committers).map(|number| self.commit(&host, number));
        let tasks: Vec<Task> = writers.chain(committers).collect();
        for task in tasks {
            task.join().await;
        }
        for node in &self.nodes {
            if let Err(violation) = self.judge(&host, node).await {
                return self.history.violated(violation);
            }
            self.judged.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write(&self, host: &Host, number: u64) -> Task {
        let plan = WriterPlan {
            name: format!("{}w{number}", self.name),
            nodes: self.nodes.clone(),
            port: NODE_PORT,
            pause_ms: self.workload.pause_ms,
            lines_max: self.workload.lines_max,
            indexes: self.workload.indexes,
            days: self.workload.days,
            home: if self.cluster { Home::OwnFirst } else { Home::Own },
        };
        let rng = Rng::labelled(self.seed.wrapping_add(number), "writer");
        let work = write(host.clone(), plan, self.history.clone(), self.stop.clone(), rng);
        host.tasks.spawn("writer", Box::pin(work))
    }

    fn commit(&self, host: &Host, number: u64) -> Task {
        let rng = Rng::labelled(self.seed.wrapping_add(number), "committer");
        let name = format!("{}k{number}", self.name);
        let work = commit_to_chains(host.clone(), name, self.chains.clone(), self.stop.clone(), rng);
        host.tasks.spawn("committer", Box::pin(work))
    }

    /// Looks at a server until it gives a whole answer, and, if servers share a store, until nothing is missing: the
    /// run bounds how long that may take.
    async fn judge(&self, host: &Host, node: &str) -> Result<(), String> {
        let mut client = Http::new(host, node, NODE_PORT);
        let after_healing = if self.cluster { Home::Everyones } else { Home::Own };
        loop {
            let why = match judge_node(&mut client, node, &self.history, after_healing, JUDGE_LIMIT).await {
                Ok(Look::Shown(())) => return Ok(()),
                Ok(Look::Silent(why)) => format!("{node}: {why}"),
                Err(Wrong::Missing(why)) if after_healing == Home::Everyones => why,
                Err(wrong) => return Err(wrong.text()),
            };
            *self.silence.lock().expect("nothing panics while it is held") = why;
            host.clock.sleep(Duration::from_millis(500)).await;
        }
    }
}

/// How long the judge waits for one server to show everything.
const JUDGE_LIMIT: Duration = Duration::from_secs(30);
