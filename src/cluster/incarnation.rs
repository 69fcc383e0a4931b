//! Which history of the shared store this is. A number that is drawn when the store is first used, and again when
//! an operator says that a store that was rolled back is what holds from now on.
//!
//! **Rule.** Before the operator's command looks at any chain it commits once more what holds so far, as closing. A node
//! that finds a chain that it did not know lets go of nothing for it before it has read, after that chain, that the
//! history is open. So a chain for which anything went is one that the command has seen and sealed, or one of the new
//! history. Without that, a chain that was begun behind the command's back would take its events with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::known_stores::{AnotherStore, KnownStores};
use super::state::Shared;
use crate::chain::{Chain, Commit, Link, Store, StoreError};
use crate::engine::Incarnation;

/// The chain of incarnations.
pub(super) const FOLDER: &str = "incarnation";
const FORMAT: u32 = 1;
/// Digits of the number that a history is given, a store with its first, and a node.
const ID_DIGITS: usize = 16;

/// Whether text can be such a number.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Why a node did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The store could not be asked: later it may.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A person must act.
    #[error(transparent)]
    AnotherStore(#[from] AnotherStore),
}

/// One incarnation.
#[derive(Deserialize, Serialize)]
struct Body {
    format: u32,
    floor: u64,
    /// Of this history, from 1. A history has two of these documents and more.
    number: u64,
    /// A command is at work on the next history.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    closing: bool,
    incarnation: String,
    /// Which store this is: the same in all its histories.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    store: String,
    /// Stores whose place it has taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    replaces: Vec<String>,
    commit: String,
    /// What the store lost and no node has is given up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accepts_loss: bool,
}

/// The generations of each history begin so far above those of the one before it: no request that was on its way
/// when the store was put back has a number that counts afterwards. More commits than any chain sees, and a number
/// that people can read: 3,000,000,042 is the 42nd of the fourth history.
const GENERATIONS_PER_HISTORY: u64 = 1_000_000_000;

/// The lowest generation in a history, by its number from 1.
pub(super) fn first_generation(number: u64) -> u64 {
    number.saturating_sub(1).saturating_mul(GENERATIONS_PER_HISTORY) + 1
}

/// What the head of the chain says.
#[derive(Clone)]
pub(super) struct Stated {
    /// The history that holds.
    pub(super) incarnation: Incarnation,
    /// Its number, from 1.
    pub(super) number: u64,
    /// A command is at work on the next one, or was when it was interrupted.
    pub(super) closing: bool,
    /// Which store this is; empty if an early version began it.
    pub(super) store: String,
    /// Stores whose place it has taken.
    pub(super) replaces: Vec<String>,
    generation: u64,
}

impl Stated {
    fn of(link: &Link) -> Result<Self, StoreError> {
        let Body { incarnation, accepts_loss, number, closing, store, replaces, .. } = parse(link)?;
        let incarnation = Incarnation { id: incarnation, accepts_loss, first: first_generation(number) };
        Ok(Self { incarnation, number, closing, store, replaces, generation: link.generation })
    }

    /// Before there is any.
    pub(super) fn nothing(id: String) -> Self {
        let (store, replaces) = (id.clone(), Vec::new());
        let incarnation = Incarnation { id, accepts_loss: false, first: first_generation(1) };
        Self { incarnation, number: 1, closing: false, store, replaces, generation: 0 }
    }

    /// The history after it.
    pub(super) fn next(&self, id: String, accepts_loss: bool, replaces: Option<&str>) -> Self {
        let number = self.number + 1;
        let incarnation = Incarnation { id, accepts_loss, first: first_generation(number) };
        let mut next = Self { incarnation, number, closing: false, ..self.clone() };
        next.replaces.extend(replaces.filter(|id| !self.replaces.iter().any(|known| known == id)).map(str::to_owned));
        next
    }
}

/// Whether a node may join: before it has written anything to that store.
///
/// # Errors
/// If the store could not be asked, or is another one than this node shares with.
pub async fn may_join(store: &Arc<dyn Store>, known: &KnownStores) -> Result<(), JoinError> {
    Ok(known.check(read(store).await?.as_ref()).await?)
}

/// Reads the incarnation, or begins the first in a store that nobody has used, if this node has not used another one.
///
/// # Errors
/// If the store could not be asked, or is another one than this node has shared with.
pub(super) async fn load(shared: &Arc<Shared>) -> Result<(), JoinError> {
    let found = read(&shared.store).await?;
    shared.known_stores.check(found.as_ref()).await?;
    let stated = match found {
        Some(stated) => stated,
        None => begin(shared).await?,
    };
    // ORDER: before anything is shared with it.
    shared.known_stores.add(&stated.store).await?;
    shared.set_incarnation(stated.incarnation);
    Ok(())
}

/// Reads it again. Whether it is another one now.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn changed(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    let found = read(&shared.store).await?;
    let allowed = shared.known_stores.check(found.as_ref()).await;
    // Until it is the right one again nothing is sent to it, merged in it or removed from it.
    shared.wrong_store.store(allowed.is_err(), Ordering::Relaxed);
    allowed.map_err(|error| StoreError::definite(FOLDER, error))?;
    let Some(stated) = found else { return Ok(false) };
    note_closing(shared, &stated);
    let incarnation = stated.incarnation.clone();
    if incarnation == shared.incarnation() {
        return Ok(false);
    }
    shared.known_stores.add(&stated.store).await?;
    warn!(incarnation = %incarnation.id, accepts_loss = incarnation.accepts_loss, "the shared store has a new history");
    shared.set_incarnation(incarnation);
    Ok(true)
}

/// Whether the history that this node knows holds, and no command is at work on the next one. Costs one list and one get.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn is_open(shared: &Shared) -> Result<bool, StoreError> {
    let Some(stated) = read(&shared.store).await? else { return Ok(false) };
    note_closing(shared, &stated);
    Ok(!stated.closing && stated.incarnation == shared.incarnation())
}

fn note_closing(shared: &Shared, stated: &Stated) {
    if shared.closing.swap(stated.closing, Ordering::Relaxed) != stated.closing && stated.closing {
        warn!(
            "a new history is being begun: partitions that are new here wait for it; if `helios store adopt` was interrupted, run it again"
        );
    }
}

/// Begins the first. Who else does so at the same time may have won.
async fn begin(shared: &Shared) -> Result<Stated, StoreError> {
    let random = shared.host.entropy.fork("incarnation").next_u64();
    let first = Stated::nothing(format!("{random:0ID_DIGITS$x}"));
    match write(&shared.store, &first, &shared.replica.commit_id()).await? {
        Commit::Done(link) | Commit::Lost(link) | Commit::Untold(link) => Stated::of(&link),
    }
}

/// What holds; `None` if nothing was ever said.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn read(store: &Arc<dyn Store>) -> Result<Option<Stated>, StoreError> {
    let head = Chain::new(Arc::clone(store), FOLDER.into()).head().await?;
    head.map(|link| Stated::of(&link)).transpose()
}

/// Commits `next` above the generation that it states.
async fn write(store: &Arc<dyn Store>, next: &Stated, commit: &str) -> Result<Commit, StoreError> {
    let Incarnation { id, accepts_loss, .. } = next.incarnation.clone();
    let Stated { number, closing, store: of, replaces, .. } = next.clone();
    let (floor, commit) = (1, commit.to_owned());
    let body =
        Body { format: FORMAT, floor, number, closing, incarnation: id, store: of, replaces, commit, accepts_loss };
    let body = Bytes::from(serde_json::to_vec(&body).expect("an incarnation is plain data"));
    Chain::new(Arc::clone(store), FOLDER.into()).commit(next.generation + 1, body).await
}

fn parse(link: &Link) -> Result<Body, StoreError> {
    let wrong = |why: String| StoreError::definite(FOLDER, why);
    let body: Body = serde_json::from_slice(&link.body).map_err(|error| wrong(error.to_string()))?;
    if body.format > FORMAT {
        return Err(wrong(format!("format {} is newer than this version of helios reads", body.format)));
    }
    Ok(body)
}

/// Says that a command is at work on the history after `before`. Returns what stands now.
///
/// # Errors
/// If the store could not be asked, or somebody else did the same at this time.
pub(super) async fn close(store: &Arc<dyn Store>, before: &Stated, commit: &str) -> Result<Stated, StoreError> {
    renew(store, Stated { closing: true, ..before.clone() }, commit).await
}

/// Takes that back: the history goes on.
///
/// # Errors
/// As [`close`].
pub(super) async fn reopen(store: &Arc<dyn Store>, closed: &Stated, commit: &str) -> Result<Stated, StoreError> {
    renew(store, Stated { closing: false, ..closed.clone() }, commit).await
}

/// Makes `next` what holds.
///
/// # Errors
/// If the store could not be asked, or somebody else did the same at this time.
pub(super) async fn renew(store: &Arc<dyn Store>, next: Stated, commit: &str) -> Result<Stated, StoreError> {
    match write(store, &next, commit).await? {
        Commit::Done(link) => Stated::of(&link),
        Commit::Lost(_) | Commit::Untold(_) => {
            Err(StoreError::definite(FOLDER, "another command began a new history at the same time"))
        }
    }
}
