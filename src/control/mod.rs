//! The control plane: small JSON documents, each a sealed chain of generations under `_control/<name>`, and the
//! leases that are made of them.
//!
//! **Promise.** Every change is a compare-and-swap: it is done, or lost to another, or unknown, and the caller
//! is told which. What was done is read by whoever asks afterwards ([`Control::read_now`]), or at the latest
//! once the cache has aged ([`Control::read`]). Fields that this version does not know survive a change;
//! a document of a newer format is neither read nor written. A sealed document can't be read, changed, renamed
//! or given another number without the key.
//!
//! **Boundary.** Knows chains and seals, and nothing of events. Nothing's safety rests on a lease.

mod document;
pub mod lease;
mod nodes;
mod open;
mod rendezvous;
mod sealing;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Map, Value};

pub use document::{CONTROL_FORMAT, Document};
pub use lease::{Acquire, Held, Leadership, Leases, Renewal, Run, campaign};
pub use nodes::{Beat, Node, Roster};
pub use open::{OpenError, Place, open};
pub use rendezvous::{head_start, place_of};
pub use sealing::{BodyError, Sealing};

use crate::chain::{Chain, Commit, Link, Store, StoreError};
use crate::host::{Clock, Host};

/// Documents in a store.
pub struct Control {
    store: Arc<dyn Store>,
    /// The folder of all documents.
    root: String,
    clock: Arc<dyn Clock>,
    sealing: Arc<Sealing>,
    /// With a number, makes the id of a commit.
    life: String,
    commits: AtomicU64,
    cache_ttl: Duration,
    cache: Mutex<BTreeMap<String, Cached>>,
}

/// A document as it was when it was last asked for.
struct Cached {
    document: Option<Arc<Document>>,
    /// Monotonic time at which the asking began.
    asked: Duration,
}

/// How a change ended.
#[derive(Debug)]
#[must_use]
pub enum Swap {
    /// It is in the chain: the document as it was written.
    Done(Arc<Document>),
    /// Another change came first: the document as it is now.
    Lost(Arc<Document>),
    /// Nobody can tell: it may have been done, or may be later. Read before anything else.
    Unknown(StoreError),
}

/// Why a document can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The store refused, or could not be asked. Nothing was changed.
    #[error("the control plane can't be reached: {0}")]
    Store(#[from] StoreError),
    /// What lies there can't be read. A person must act.
    #[error("control document `{name}`, generation {generation}: {why}")]
    Body {
        /// Which document.
        name: String,
        /// Which generation.
        generation: u64,
        /// What is wrong with it.
        why: BodyError,
    },
    /// Others changed it each time that this change was tried.
    #[error("control document `{0}` is changed by others all the time: try again")]
    Contended(String),
}

impl Control {
    /// The documents below `root` of `store`. `life` is the id of this life of the process, which no other has.
    /// Asks the store nothing; [`open`] makes a control plane that is known to work.
    pub fn new(
        store: Arc<dyn Store>,
        root: &str,
        host: &Host,
        life: &str,
        sealing: Sealing,
        cache_ttl: Duration,
    ) -> Self {
        Self {
            store,
            root: root.to_owned(),
            clock: Arc::clone(&host.clock),
            sealing: Arc::new(sealing),
            life: life.to_owned(),
            commits: AtomicU64::new(0),
            cache_ttl,
            cache: Mutex::default(),
        }
    }

    /// The id of this life of the process.
    pub fn life(&self) -> &str {
        &self.life
    }

    /// How documents are sealed.
    pub fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    /// The document, at most as old as the cache may be; `None` if nobody wrote it. Costs nothing within that
    /// time, else as [`Control::read_now`].
    ///
    /// # Errors
    /// As [`Control::read_now`].
    pub async fn read(&self, name: &str) -> Result<Option<Arc<Document>>, ControlError> {
        let now = self.clock.monotonic();
        if let Some(cached) = self.lock().get(name)
            && now.saturating_sub(cached.asked) < self.cache_ttl
        {
            return Ok(cached.document.clone());
        }
        self.read_now(name).await
    }

    /// The document as it is: every change that was done before the call is in it. Costs one list, and one get
    /// if it was changed.
    ///
    /// # Errors
    /// If the store could not be asked or the document can't be read.
    pub async fn read_now(&self, name: &str) -> Result<Option<Arc<Document>>, ControlError> {
        let asked = self.clock.monotonic();
        let known = self.lock().get(name).and_then(|cached| cached.document.clone());
        // A head is never deleted: if nothing came after what is known, that is the head.
        let from = known.as_ref().map_or(0, |known| known.generation + 1);
        let document = match self.chain(name).head_from(from).await? {
            Some(link) => Some(self.decode(name, &link)?),
            None => known,
        };
        self.remember(name, document.clone(), asked);
        Ok(document)
    }

    /// Numbers its commits from `number` on, as a process that has come so far; none but in tests.
    #[cfg(any(test, feature = "mutants"))]
    pub fn go_on_from(&self, number: u64) {
        self.commits.store(number, Ordering::Relaxed);
    }

    /// Every commit that this process has not begun yet has this number or a higher one.
    pub(super) fn commits_begun(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Makes `content` the document, if `expected` is still what it is; `None` expects that there is none.
    /// Costs one create, one get and one list.
    ///
    /// # Errors
    /// [`ControlError::Store`] if nothing was changed.
    ///
    /// # Cancel safety
    /// Not cancel-safe: after a drop the outcome is unknown.
    pub async fn swap(
        &self,
        name: &str,
        expected: Option<&Document>,
        content: Map<String, Value>,
    ) -> Result<Swap, ControlError> {
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let commit = format!("{}-{number}", self.life);
        let next = Document::after(name, expected, content, commit, self.clock.wall());
        let sealed = self.sealing.seal(name, next.generation, &next.to_bytes());
        let body = sealed.map_err(|error| self.wrong(name, next.generation, error.into()))?;
        let chain = self.chain(name);
        let asked = self.clock.monotonic();
        match chain.commit(next.generation, body).await {
            Ok(Commit::Done(head)) => {
                let done = Arc::new(next);
                let newest = if head.generation == done.generation { done.clone() } else { self.decode(name, &head)? };
                self.remember(name, Some(newest), asked);
                self.collect(&chain, &done).await;
                Ok(Swap::Done(done))
            }
            Ok(Commit::Lost(head)) => {
                let current = self.decode(name, &head)?;
                self.remember(name, Some(current.clone()), asked);
                Ok(Swap::Lost(current))
            }
            Ok(Commit::Untold(_)) => {
                Ok(Swap::Unknown(StoreError::unknown(name, "the document was changed too often meanwhile to tell")))
            }
            Err(error @ StoreError::Unknown { .. }) => Ok(Swap::Unknown(error)),
            Err(error @ StoreError::Definite { .. }) => Err(error.into()),
        }
    }

    /// Changes the document as it is now, and again if another change comes first. `edit` gets the content,
    /// empty if there is no document, and says whether it changed anything. `Ok(None)` if it did not. Never
    /// [`Swap::Lost`].
    ///
    /// # Errors
    /// As [`Control::swap`]; [`ControlError::Contended`] if others were always faster.
    pub async fn update(
        &self,
        name: &str,
        mut edit: impl FnMut(&mut Map<String, Value>) -> bool,
    ) -> Result<Option<Swap>, ControlError> {
        let mut current = self.read_now(name).await?;
        for _ in 0..UPDATE_TRIES {
            let mut content = current.as_ref().map(|document| document.content.clone()).unwrap_or_default();
            if !edit(&mut content) {
                return Ok(None);
            }
            match self.swap(name, current.as_deref(), content).await? {
                Swap::Lost(newer) => current = Some(newer),
                ended => return Ok(Some(ended)),
            }
        }
        Err(ControlError::Contended(name.to_owned()))
    }

    /// All documents whose names begin with `<folder>/`, by the rest of their names, as they are now. Costs one
    /// list of the folder, and one get for each that was changed since it was last asked for.
    ///
    /// # Errors
    /// As [`Control::read_now`]; a document that can't be read is left out with a warning.
    pub async fn read_folder(&self, folder: &str) -> Result<BTreeMap<String, Arc<Document>>, ControlError> {
        let listed = self.store.list_all(&format!("{}/{folder}", self.root), "").await?;
        let names = listed.iter().filter_map(|object| Some(object.name.rsplit_once('/')?.0));
        let mut documents = BTreeMap::new();
        for name in names.collect::<std::collections::BTreeSet<_>>() {
            let newest = listed.iter().rev().find_map(|object| {
                let (of, file) = object.name.rsplit_once('/')?;
                (of == name).then(|| crate::chain::parse_name(file)).flatten()
            });
            let Some(newest) = newest else { continue };
            match self.read_at_least(&format!("{folder}/{name}"), newest).await {
                Ok(Some(document)) => drop(documents.insert(name.to_owned(), document)),
                Ok(None) => {}
                Err(error @ ControlError::Store(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "a control document is passed over"),
            }
        }
        Ok(documents)
    }

    /// The document if what is known of it is this generation or a later one, without asking.
    async fn read_at_least(&self, name: &str, generation: u64) -> Result<Option<Arc<Document>>, ControlError> {
        let known = self.lock().get(name).and_then(|cached| cached.document.clone());
        match known {
            Some(known) if known.generation >= generation => Ok(Some(known)),
            _ => self.read_now(name).await,
        }
    }

    /// Removes old generations now and then.
    async fn collect(&self, chain: &Chain, done: &Document) {
        if !done.generation.is_multiple_of(COLLECT_EVERY) {
            return;
        }
        // The floor is that of a committed generation: what lies below it is not needed to settle anything.
        if let Err(error) = chain.collect(done.floor()).await {
            tracing::debug!(%error, name = %done.name, "old generations of a control document are left");
        }
    }

    fn chain(&self, name: &str) -> Chain {
        let (sealing, of) = (Arc::clone(&self.sealing), name.to_owned());
        let floor = move |link: &Link| match Document::read(&sealing, &of, link) {
            Ok(document) => Ok(document.floor()),
            Err(why) => Err(why.to_string()),
        };
        Chain::with_floor(Arc::clone(&self.store), format!("{}/{name}", self.root), Arc::new(floor))
    }

    fn decode(&self, name: &str, link: &Link) -> Result<Arc<Document>, ControlError> {
        let read = Document::read(&self.sealing, name, link);
        read.map(Arc::new).map_err(|why| self.wrong(name, link.generation, why))
    }

    fn wrong(&self, name: &str, generation: u64, why: BodyError) -> ControlError {
        ControlError::Body { name: name.to_owned(), generation, why }
    }

    /// Keeps what was read, unless something newer is known already.
    fn remember(&self, name: &str, document: Option<Arc<Document>>, asked: Duration) {
        let mut cache = self.lock();
        let number = |document: &Option<Arc<Document>>| document.as_ref().map_or(0, |document| document.generation);
        match cache.get_mut(name) {
            Some(cached) if number(&cached.document) > number(&document) => {}
            Some(cached) => *cached = Cached { document, asked: asked.max(cached.asked) },
            None => drop(cache.insert(name.to_owned(), Cached { document, asked })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Cached>> {
        self.cache.lock().expect("nothing panics under the lock of the cache")
    }
}

/// Generations of a document that are kept.
pub(crate) const GENERATIONS_KEPT: u64 = 16;

/// Old generations are removed with every such generation: at most this many more than are kept are there.
const COLLECT_EVERY: u64 = 8;

/// How often a change is tried that others come before.
const UPDATE_TRIES: u32 = 32;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
