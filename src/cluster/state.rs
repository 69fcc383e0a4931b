//! What the parts of a cluster share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify};
use tracing::{error, info};

use super::feed::Offsets;
use super::node::NodeId;
use super::{ClusterParts, ClusterSettings, KnownStores};
use crate::chain::Store;
use crate::control::{Control, Leadership, Roster};
use crate::engine::{Incarnation, Mutant, Replica};
use crate::event::PartitionKey;
use crate::host::Host;

/// See the module.
pub(super) struct Shared {
    pub(super) host: Host,
    pub(super) store: Arc<dyn Store>,
    pub(super) store_name: String,
    pub(super) control: Arc<Control>,
    pub(super) replica: Replica,
    pub(super) node: NodeId,
    pub(super) known_stores: KnownStores,
    /// Another store is where it was, or nothing.
    pub(super) wrong_store: AtomicBool,
    pub(super) address: String,
    pub(super) settings: ClusterSettings,
    pub(super) counters: Counters,
    /// Partitions that were changed here and are not announced yet, with the newest generation.
    pub(super) unannounced: Mutex<BTreeMap<PartitionKey, u64>>,
    /// The newest generation of each partition that was ever among them, or that a feed has said.
    told: Mutex<BTreeMap<PartitionKey, u64>>,
    /// Commits of which no answer came.
    doubts: Mutex<BTreeMap<PartitionKey, Doubt>>,
    pub(super) wake_announce: Notify,
    pub(super) wake_fetch: Notify,
    /// Blocks may have become small neighbours, or a day too old.
    pub(super) wake_compact: Notify,
    /// One upload of a partition at a time.
    uploading: Mutex<BTreeMap<PartitionKey, Arc<AsyncMutex<()>>>>,
    /// How far the feeds of others were read.
    pub(super) offsets: AsyncMutex<Offsets>,
    /// Everything must be looked at, whatever the feeds say.
    pub(super) walk_due: Mutex<bool>,
    pub(super) pulled: Mutex<Pulled>,
    incarnation: Mutex<Incarnation>,
    /// Chains that a walk that is under way has listed before it read that the history is open.
    pub(super) listed: Mutex<BTreeSet<PartitionKey>>,
    /// A command was at work on the next history when this was last read.
    pub(super) closing: AtomicBool,
    problems: Mutex<BTreeMap<String, Problem>>,
    roster: Mutex<Option<Arc<Roster>>>,
    leaders: Mutex<Option<(Leadership, Leadership)>>,
    conflict: Mutex<Option<String>>,
}

/// How the last round of pulling went.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulled {
    /// Monotonic time of the last round that reached everything it wanted.
    pub(super) ok_at: Option<Duration>,
    /// Partitions that are known to be behind, and the generation that is wanted of each.
    pub(super) behind: BTreeMap<PartitionKey, u64>,
    /// What went wrong in the last round.
    pub(super) error: Option<String>,
}

impl Pulled {
    /// Wanted of a partition of which no generation is known to be there: whatever the chain has.
    pub(super) const ANY: u64 = u64::MAX;

    /// Notes that this generation, or a later one, is wanted.
    pub(super) fn want(&mut self, key: &PartitionKey, generation: u64) {
        let wanted = self.behind.entry(key.clone()).or_default();
        *wanted = generation.max(*wanted);
    }

    /// What was wanted up to this generation is there, or is known not to be had. A hint for a later one, which may
    /// have come meanwhile, stays.
    pub(super) fn fulfil(&mut self, key: &PartitionKey, generation: u64) {
        self.behind.retain(|of, wanted| of != key || (*wanted > generation && *wanted != Self::ANY));
    }
}

/// A commit of which no answer came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Doubt {
    /// The number that it would have.
    generation: u64,
    /// Until when it is looked for; later, a walk finds it.
    until: Duration,
}

/// So long a commit of which no answer came is looked for. Longer than any request is under way.
const DOUBT_TIME: Duration = Duration::from_secs(600);

/// Why a partition is not shared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Problem {
    pub(super) kind: ProblemKind,
    pub(super) message: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ProblemKind {
    /// The store shows an older or another history than was adopted: nothing goes in or out.
    RolledBack,
    /// The store lacks events that left this node's tail: sending what comes after would hide it.
    Gap,
    /// The store begins a new history, and what it lacks is not here either.
    Missing,
    /// The store names a block that it does not have.
    Incomplete,
    /// What lies there cannot be read, or is of a newer format.
    Unreadable,
    /// A block of the own tail cannot be read.
    DamagedTail,
    /// Another process has this one's life.
    Cloned,
}

impl ProblemKind {
    /// Whether the store's history is not this node's.
    pub(super) fn is_about_history(self) -> bool {
        matches!(self, Self::RolledBack | Self::Gap | Self::Missing | Self::Incomplete)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled_back",
            Self::Gap => "gap",
            Self::Missing => "missing",
            Self::Incomplete => "incomplete",
            Self::Unreadable => "unreadable",
            Self::DamagedTail => "damaged_tail",
            Self::Cloned => "cloned",
        }
    }
}

/// How often things happened that a simulation must have seen.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) uploads: AtomicU64,
    pub(super) merges: AtomicU64,
    pub(super) adoptions: AtomicU64,
    pub(super) edits_reapplied: AtomicU64,
    pub(super) settled_by_content: AtomicU64,
    pub(super) condemned_met: AtomicU64,
    pub(super) rollbacks_detected: AtomicU64,
    pub(super) gaps_refused: AtomicU64,
    pub(super) condemned: AtomicU64,
    pub(super) deleted: AtomicU64,
    pub(super) pages_swept: AtomicU64,
    pub(super) heads_reread: AtomicU64,
    pub(super) fetched: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) walks: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Shared {
    pub(super) fn new(parts: ClusterParts) -> Self {
        let ClusterParts { host, store, store_name, control, replica, node, known_stores, address, settings } = parts;
        Self {
            host,
            store,
            store_name,
            control,
            replica,
            node,
            known_stores,
            wrong_store: AtomicBool::new(false),
            address,
            settings,
            counters: Counters::default(),
            unannounced: Mutex::default(),
            told: Mutex::default(),
            doubts: Mutex::default(),
            wake_announce: Notify::new(),
            wake_fetch: Notify::new(),
            wake_compact: Notify::new(),
            uploading: Mutex::default(),
            offsets: AsyncMutex::default(),
            walk_due: Mutex::new(true),
            pulled: Mutex::default(),
            incarnation: Mutex::default(),
            listed: Mutex::default(),
            closing: AtomicBool::new(false),
            problems: Mutex::default(),
            roster: Mutex::default(),
            leaders: Mutex::default(),
            conflict: Mutex::default(),
        }
    }

    pub(super) fn mutant(&self, mutant: Mutant) -> bool {
        self.replica.settings().mutation.is(mutant)
    }

    pub(super) fn now(&self) -> Duration {
        self.host.clock.monotonic()
    }

    /// The life of this process: names its feed and its commits.
    pub(super) fn life(&self) -> String {
        self.replica.origin().to_string()
    }

    /// Held while a partition is sent.
    pub(super) fn upload_lock(&self, key: &PartitionKey) -> Arc<AsyncMutex<()>> {
        Arc::clone(lock(&self.uploading).entry(key.clone()).or_default())
    }

    /// Which history the store has.
    pub(super) fn incarnation(&self) -> Incarnation {
        lock(&self.incarnation).clone()
    }

    pub(super) fn set_incarnation(&self, incarnation: Incarnation) {
        lock(&self.listed).clear();
        *lock(&self.incarnation) = incarnation;
        // Its generations may have smaller numbers.
        lock(&self.told).clear();
    }

    /// Notes that a commit may still be made, or be made and not be seen yet. Whoever tries it again will find it; but
    /// what a leader wanted may be another's by then, and nobody else knows of it.
    pub(super) fn doubt(&self, key: &PartitionKey, generation: u64) {
        let until = self.now() + DOUBT_TIME;
        lock(&self.doubts).insert(key.clone(), Doubt { generation, until });
    }

    /// The partitions of which such a commit is looked for, and its number.
    pub(super) async fn doubtful(&self) -> BTreeMap<PartitionKey, u64> {
        let noted = lock(&self.doubts).clone();
        for (key, doubt) in noted {
            let base = self.replica.base(&key).await;
            let has_come = base.is_some_and(|base| base.generation >= doubt.generation);
            if has_come || self.now() >= doubt.until {
                // A later doubt, which may have come meanwhile, stays.
                lock(&self.doubts).retain(|of, other| *of != key || *other != doubt);
            }
        }
        lock(&self.doubts).iter().map(|(key, doubt)| (key.clone(), doubt.generation)).collect()
    }

    /// Notes that a partition has a newer generation than the others may know. What was noted before is not said again.
    pub(super) fn changed(&self, key: &PartitionKey, generation: u64) {
        let mut told = lock(&self.told);
        let newest = told.entry(key.clone()).or_default();
        if generation <= *newest {
            return;
        }
        *newest = generation;
        lock(&self.unannounced).insert(key.clone(), generation);
        drop(told);
        self.wake_announce.notify_one();
    }

    /// Notes what a feed has said: it needs not be said again.
    pub(super) fn heard(&self, changes: &BTreeMap<PartitionKey, u64>) {
        let mut told = lock(&self.told);
        for (key, generation) in changes {
            let newest = told.entry(key.clone()).or_default();
            *newest = (*newest).max(*generation);
        }
    }

    /// Notes why a partition is not shared, loudly the first time.
    pub(super) fn trouble(&self, key: &PartitionKey, kind: ProblemKind, message: String) {
        let problem = Problem { kind, message };
        let before = lock(&self.problems).insert(key.to_string(), problem.clone());
        if before.as_ref() != Some(&problem) {
            error!(partition = %key, kind = kind.name(), message = %problem.message, "a partition is not shared");
        }
    }

    /// The partition is shared again.
    pub(super) fn well(&self, key: &PartitionKey) {
        if lock(&self.problems).remove(&key.to_string()).is_some() {
            info!(partition = %key, "the partition is shared again");
        }
    }

    pub(super) fn problems(&self) -> BTreeMap<String, Problem> {
        lock(&self.problems).clone()
    }

    pub(super) fn problem(&self, key: &PartitionKey) -> Option<Problem> {
        lock(&self.problems).get(&key.to_string()).cloned()
    }

    pub(super) fn set_roster(&self, roster: Arc<Roster>) {
        *lock(&self.roster) = Some(roster);
    }

    pub(super) fn roster(&self) -> Option<Arc<Roster>> {
        lock(&self.roster).clone()
    }

    pub(super) fn set_leaders(&self, compactor: Leadership, sweeper: Leadership) {
        *lock(&self.leaders) = Some((compactor, sweeper));
    }

    /// Whether this node leads the compactor, and the sweeper.
    pub(super) fn leads(&self) -> (bool, bool) {
        lock(&self.leaders).as_ref().map_or((false, false), |(compactor, sweeper)| (compactor.leads(), sweeper.leads()))
    }

    /// Another process has this one's life: nothing is written or sent any more until this one ends.
    pub(super) fn stop_as_cloned(&self, why: &str) {
        self.replica.stop_as_cloned(why);
        self.set_conflict(Some(self.life()));
    }

    /// Notes the life of another process that runs under this node's name, or that there is none. If it is this very
    /// life, that holds until this process ends.
    pub(super) fn set_conflict(&self, life: Option<String>) {
        let mut conflict = lock(&self.conflict);
        if conflict.as_deref() != Some(&*self.life()) {
            *conflict = life;
        }
    }

    /// Whether it may change anything in the store.
    pub(super) fn may_write(&self) -> bool {
        self.conflict().is_none() && !self.is_wrong_store()
    }

    /// Whether another store is where this node's was, or nothing, as far as it has noticed.
    pub(super) fn is_wrong_store(&self) -> bool {
        self.wrong_store.load(Ordering::Relaxed)
    }

    pub(super) fn conflict(&self) -> Option<String> {
        lock(&self.conflict).clone()
    }

    pub(super) fn coverage(&self) -> BTreeMap<&'static str, u64> {
        let Counters {
            uploads,
            merges,
            adoptions,
            edits_reapplied,
            settled_by_content,
            condemned_met,
            rollbacks_detected,
            gaps_refused,
            condemned,
            deleted,
            pages_swept,
            heads_reread,
            fetched,
            evicted,
            walks,
        } = &self.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BTreeMap::from([
            ("uploads", get(uploads)),
            ("merges", get(merges)),
            ("adoptions", get(adoptions)),
            ("edits re-applied", get(edits_reapplied)),
            ("commits settled by content", get(settled_by_content)),
            ("condemned ids met by a writer", get(condemned_met)),
            ("rollbacks detected", get(rollbacks_detected)),
            ("gaps refused", get(gaps_refused)),
            ("blocks condemned", get(condemned)),
            ("objects deleted", get(deleted)),
            ("pages swept", get(pages_swept)),
            ("heads read again for a page that was gone", get(heads_reread)),
            ("blocks fetched", get(fetched)),
            ("blocks evicted", get(evicted)),
            ("walks", get(walks)),
            ("straddles cut", self.replica.straddles_cut()),
            ("blocks compared row by row", self.replica.compared()),
            ("events renumbered", self.replica.renumbered()),
        ])
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while held")
}
