//! The one primitive of coordination: a chain of immutable, numbered objects.
//!
//! A chain is a folder of objects `<generation>.json`, generation 1 upwards. Its state is the object
//! with the highest number; the only write is *create the next number if it does not exist*.
//!
//! **Promise.** A commit that is reported done is the head or an ancestor of it. A commit that lost is
//! an outcome, not an error. An answer that never came is settled by looking, never by trying again.
//! The head is never deleted; what lies below a committed floor may be.
//!
//! **Boundary.** Knows nothing of what the objects say, but for the floor. Every body must be unique (it
//! carries the id of its commit), because an own object is recognised by its bytes.

pub mod conformance;
mod disk;
#[cfg(any(test, feature = "mutants"))]
pub mod memory;
#[cfg(test)]
mod mount;
pub mod probe;
mod requests;
pub mod s3;
mod store;

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

pub use disk::{DiskStore, Durability, TEMPORARY_FOLDER};
pub use requests::Requests;
pub use store::{Create, OBJECT_BYTES_MAX, Object, Page, Store, StoreDate, StoreError};

use crate::crypto;

/// A chain in a store.
#[derive(Clone)]
pub struct Chain {
    store: Arc<dyn Store>,
    folder: String,
    floor: FloorReader,
}

/// Tells a body's floor: generations below it may be gone, those from it on never are. A body that states
/// none has floor 0. Says what is wrong with a body that can't be read.
pub type FloorReader = Arc<dyn Fn(&Link) -> Result<u64, String> + Send + Sync>;

/// One generation as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Its number.
    pub generation: u64,
    /// What it says.
    pub body: Bytes,
    /// SHA-256 of `body`, in hex.
    pub digest: String,
}

/// How a commit ended.
#[derive(Debug, PartialEq)]
#[must_use]
pub enum Commit {
    /// It is in the chain. The head as read afterwards: only from it may the committer act.
    Done(Link),
    /// Another body has that number, and this one never will. The head as read afterwards.
    Lost(Link),
    /// The chain has moved on so far that it can't tell: the number is below the floor of the head, which is
    /// this one. Ask what the head says: has the watermark passed, are the inputs gone?
    Untold(Link),
}

impl Chain {
    /// The chain in `folder` of `store`, whose bodies are JSON objects that state their `floor`.
    pub fn new(store: Arc<dyn Store>, folder: String) -> Self {
        Self::with_floor(store, folder, Arc::new(json_floor))
    }

    /// The chain in `folder` of `store`, whose floors are read by `floor`.
    pub fn with_floor(store: Arc<dyn Store>, folder: String, floor: FloorReader) -> Self {
        Self { store, folder, floor }
    }

    /// The generations that are there, ascending. Costs a list of all of them.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn generations(&self) -> Result<Vec<u64>, StoreError> {
        self.generations_from(0).await
    }

    /// The head; `None` for a chain that nobody began. Costs a list of the chain and one get.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn head(&self) -> Result<Option<Link>, StoreError> {
        self.head_from(0).await
    }

    /// The head if it is `generation` or a later one. Costs one list, which shows those alone, and one get.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn head_from(&self, generation: u64) -> Result<Option<Link>, StoreError> {
        let mut missed = None;
        loop {
            let Some(highest) = self.generations_from(generation).await?.last().copied() else { return Ok(None) };
            // A head is never deleted: what was listed as one twice is there, or the store shows what is not.
            if missed == Some(highest) {
                return Err(StoreError::definite(&self.key(highest), "it is listed and cannot be read"));
            }
            // Between list and get a newer head may have let this one be collected: then look again.
            if let Some(link) = self.get(highest).await? {
                return Ok(Some(link));
            }
            missed = Some(highest);
        }
    }

    /// One generation; `None` if it is not (or no longer) there.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn get(&self, generation: u64) -> Result<Option<Link>, StoreError> {
        let body = self.store.get(&self.key(generation)).await?;
        Ok(body.map(|body| Link { generation, digest: crypto::hex(&crypto::sha256(&body)), body }))
    }

    /// Makes `body` generation `generation`, which must be one above a head that was read before.
    /// Costs one create, one get and one list; one get more if the chain has moved on.
    ///
    /// # Errors
    /// [`StoreError::Definite`] if nothing was written. [`StoreError::Unknown`] if the outcome could
    /// not be settled: it may even be decided later. Read the head before anything else.
    ///
    /// # Cancel safety
    /// Not cancel-safe: after a drop the outcome is unknown.
    pub async fn commit(&self, generation: u64, body: Bytes) -> Result<Commit, StoreError> {
        let key = self.key(generation);
        let answer = self.store.create(&key, body.clone()).await;
        // UNKNOWN: what the create said is no outcome by itself. "Created" may be a number that was given and
        // collected long ago, "exists" an own earlier request, and no answer is no answer.
        let (unanswered, hardened) = match answer {
            Err(error @ StoreError::Definite { .. }) => return Err(error),
            Err(error) => (Some(error), false),
            Ok(created) => (None, created == Create::Created),
        };
        match self.settle(generation, &body, hardened).await {
            Ok(Some(commit)) => Ok(commit),
            Ok(None) => Err(unanswered.unwrap_or_else(|| {
                StoreError::unknown(&key, "the store does not show an object that it said is there")
            })),
            Err(error) => Err(StoreError::unknown(&key, error)),
        }
    }

    /// What became of a commit of `body` as `generation`. `None`: the chain has not come that far (yet).
    ///
    /// ORDER: the own number is read before the head. An own object that is a ghost, made again after it
    /// was collected, is so because some head before stated a floor above it; floors never sink; so the head
    /// that is read after the ghost was seen states one too. The other way round, a floor could be raised and
    /// the number collected and made again between the two reads.
    async fn settle(&self, generation: u64, body: &Bytes, hardened: bool) -> Result<Option<Commit>, StoreError> {
        for _ in 0..SETTLE_TRIES {
            let own = self.get(generation).await?;
            let Some(head) = self.head_after(generation, own.as_ref()).await? else { return Ok(None) };
            if !hardened || head.generation > generation {
                // DURABLE: the committer acts on what this returns.
                self.store.harden(&self.folder).await?;
            }
            let floor = (self.floor)(&head).map_err(|why| StoreError::definite(&self.key(head.generation), why))?;
            if floor > head.generation {
                let why = format!("its floor, {floor}, is above itself");
                return Err(StoreError::definite(&self.key(head.generation), why));
            }
            if generation < floor {
                return Ok(Some(Commit::Untold(head)));
            }
            match own {
                Some(own) if own.body == *body => return Ok(Some(Commit::Done(head))),
                Some(_) => return Ok(Some(Commit::Lost(head))),
                // It came between the two reads: the next round sees it.
                None => {}
            }
        }
        Err(StoreError::definite(&self.key(generation), "it is missing, but the chain goes on after it"))
    }

    /// The head, which is `own` unless a later one is there. `None` if neither it nor a later one is listed.
    async fn head_after(&self, generation: u64, own: Option<&Link>) -> Result<Option<Link>, StoreError> {
        match (self.generations_from(generation).await?.last(), own) {
            (None, _) => Ok(None),
            (Some(highest), Some(own)) if *highest == generation => Ok(Some(own.clone())),
            (Some(highest), _) => match self.get(*highest).await? {
                Some(head) => Ok(Some(head)),
                None => self.head_from(generation).await,
            },
        }
    }

    /// Makes the names of the chain durable that were read from it. Needed before anything is destroyed
    /// because of a generation that another process committed; costs nothing but in a shared folder.
    ///
    /// # Errors
    /// If they may not be.
    pub async fn harden(&self) -> Result<(), StoreError> {
        self.store.harden(&self.folder).await
    }

    /// Deletes the generations below `floor`, which a committed head must state. Returns how many went.
    ///
    /// # Errors
    /// If the store refused or gave no answer; calling it again is safe.
    pub async fn collect(&self, floor: u64) -> Result<usize, StoreError> {
        let generations = self.generations().await?;
        // Then the head that stated it is gone: somebody put the store back to an earlier time.
        if generations.last().is_none_or(|head| floor > *head) {
            return Ok(0);
        }
        let garbage: Vec<u64> = generations.into_iter().filter(|generation| *generation < floor).collect();
        for generation in &garbage {
            self.store.delete(&self.key(*generation)).await?;
        }
        Ok(garbage.len())
    }

    async fn generations_from(&self, first: u64) -> Result<Vec<u64>, StoreError> {
        let after = if first == 0 { String::new() } else { name_of(first - 1) };
        let objects = self.store.list_all(&self.folder, &after).await?;
        Ok(objects.iter().filter_map(|object| parse_name(&object.name)).collect())
    }

    /// Where it is in its store.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    fn key(&self, generation: u64) -> String {
        format!("{}/{}", self.folder, name_of(generation))
    }
}

/// The floor that a JSON body states; 0 if it states none.
fn json_floor(link: &Link) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Floor {
        #[serde(default)]
        floor: u64,
    }
    let floor: Floor = serde_json::from_slice(&link.body).map_err(|error| format!("it can't be read: {error}"))?;
    Ok(floor.floor)
}

fn name_of(generation: u64) -> String {
    format!("{generation:0width$}.json", width = GENERATION_DIGITS)
}

/// The generation that an object's name states; `None` for names that are no generation.
pub(crate) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let plain = digits.len() == GENERATION_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Digits of a generation in an object's name.
const GENERATION_DIGITS: usize = 20;

/// How often a commit looks for its own number when the head shows that it must have been there. Twice would
/// do, but for a late request that arrives between the looks.
const SETTLE_TRIES: usize = 3;

#[cfg(test)]
mod tests;
