//! The one primitive of coordination: a chain of immutable, numbered objects.
//!
//! A chain is a folder of objects `<generation>.json`, generation 1 upwards. Its state is the object
//! with the highest number; the only write is *create the next number if it does not exist*.
//!
//! **Promise.** A commit that is reported done is the head or an ancestor of it. A commit that lost is
//! an outcome, not an error. An answer that never came is settled by looking, never by trying again.
//! The head is never deleted; what lies below a committed floor may be.
//!
//! **Boundary.** Knows nothing of what the objects say. Every body must be unique (it carries the id
//! of its commit), because an own object is recognised by its bytes.

mod disk;
mod store;

use bytes::Bytes;
use std::sync::Arc;

pub use disk::{DiskStore, Durability};
pub use store::{Create, Store, StoreError};

use crate::crypto;

/// Digits of a generation in an object's name.
const GENERATION_DIGITS: usize = 20;

/// A chain in a store.
#[derive(Clone)]
pub struct Chain {
    store: Arc<dyn Store>,
    folder: String,
}

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
    /// Another body has that number. The head as read afterwards.
    Lost(Link),
}

impl Chain {
    /// The chain in `folder` of `store`.
    pub fn new(store: Arc<dyn Store>, folder: String) -> Self {
        Self { store, folder }
    }

    /// The generations that are there, ascending. Costs one list.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn generations(&self) -> Result<Vec<u64>, StoreError> {
        let names = self.store.list(&self.folder).await?;
        Ok(names.iter().filter_map(|name| parse_name(name)).collect())
    }

    /// The head; `None` for a chain that nobody began. Costs one list and one get.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn head(&self) -> Result<Option<Link>, StoreError> {
        loop {
            let Some(generation) = self.generations().await?.last().copied() else { return Ok(None) };
            // Between list and get a newer head may have let this one be collected: look again.
            if let Some(link) = self.get(generation).await? {
                return Ok(Some(link));
            }
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
    /// Costs one create, one list and one get.
    ///
    /// # Errors
    /// [`StoreError::Definite`] if nothing was written. [`StoreError::Unknown`] if the outcome could
    /// not be settled: read the head before anything else.
    ///
    /// # Cancel safety
    /// Not cancel-safe: after a drop the outcome is unknown.
    pub async fn commit(&self, generation: u64, body: Bytes) -> Result<Commit, StoreError> {
        let key = self.key(generation);
        match self.store.create(&key, body.clone()).await {
            Ok(Create::Created | Create::Exists) => {}
            // UNKNOWN: a durable name cannot be told from one that only this machine's memory holds,
            // so looking would prove nothing.
            Err(error) => return Err(error),
        }
        let unsettled = |source: StoreError| StoreError::unknown(&key, source);
        let head = self.head().await.map_err(unsettled)?.ok_or_else(|| StoreError::Unknown {
            key: key.clone(),
            source: "the chain is empty after a create".into(),
        })?;
        let mine = if head.generation == generation {
            head.body == body
        } else {
            self.get(generation).await.map_err(unsettled)?.is_some_and(|link| link.body == body)
        };
        Ok(if mine { Commit::Done(head) } else { Commit::Lost(head) })
    }

    /// Deletes the generations below `floor`, which a committed head must state. Returns how many went.
    ///
    /// # Errors
    /// If the store refused or gave no answer; calling it again is safe.
    pub async fn collect(&self, floor: u64) -> Result<usize, StoreError> {
        let generations = self.generations().await?;
        let head = generations.last().copied().unwrap_or(0);
        assert!(floor <= head.max(1), "a floor above the head would delete the head");
        let garbage: Vec<u64> = generations.into_iter().filter(|generation| *generation < floor).collect();
        for generation in &garbage {
            self.store.delete(&self.key(*generation)).await?;
        }
        Ok(garbage.len())
    }

    fn key(&self, generation: u64) -> String {
        format!("{}/{generation:0width$}.json", self.folder, width = GENERATION_DIGITS)
    }
}

/// The generation that an object's name states; `None` for names that are no generation.
fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let plain = digits.len() == GENERATION_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_twenty_digits_and_json_name_a_generation() {
        assert_eq!(parse_name("00000000000000000017.json"), Some(17));
        for wrong in
            ["17.json", "00000000000000000017.json.tmp", "0000000000000000001x.json", "99999999999999999999.json"]
        {
            assert_eq!(parse_name(wrong), None, "{wrong}");
        }
    }
}
