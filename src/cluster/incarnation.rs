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

use super::state::Shared;
use crate::chain::{Chain, Commit, Link, Store, StoreError};
use crate::engine::Incarnation;

/// The chain of incarnations.
pub(super) const FOLDER: &str = "incarnation";
const FORMAT: u32 = 1;

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
    generation: u64,
}

impl Stated {
    fn of(link: &Link) -> Result<Self, StoreError> {
        let Body { incarnation, accepts_loss, number, closing, .. } = parse(link)?;
        let incarnation = Incarnation { id: incarnation, accepts_loss, first: first_generation(number) };
        Ok(Self { incarnation, number, closing, generation: link.generation })
    }

    /// Before there is any.
    pub(super) fn nothing(id: String) -> Self {
        let incarnation = Incarnation { id, accepts_loss: false, first: first_generation(1) };
        Self { incarnation, number: 1, closing: false, generation: 0 }
    }

    /// The history after it.
    pub(super) fn next(&self, id: String, accepts_loss: bool) -> Self {
        let number = self.number + 1;
        let incarnation = Incarnation { id, accepts_loss, first: first_generation(number) };
        Self { incarnation, number, closing: false, generation: self.generation }
    }
}

/// Reads the incarnation, or begins the first.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn load(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let random = || shared.host.entropy.fork("incarnation").next_u64();
    let id = ensure(&shared.store, random, &shared.replica.commit_id()).await?;
    shared.set_incarnation(id);
    Ok(())
}

/// Reads it again. Whether it is another one now.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn changed(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    let Some(stated) = read(&shared.store).await? else { return Ok(false) };
    note_closing(shared, &stated);
    let incarnation = stated.incarnation;
    if incarnation == shared.incarnation() {
        return Ok(false);
    }
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

/// The current incarnation; the first if there is none.
async fn ensure(store: &Arc<dyn Store>, random: impl Fn() -> u64, commit: &str) -> Result<Incarnation, StoreError> {
    if let Some(stated) = read(store).await? {
        return Ok(stated.incarnation);
    }
    let first = Stated::nothing(format!("{:016x}", random()));
    match write(store, &first, commit).await? {
        Commit::Done(link) | Commit::Lost(link) | Commit::Untold(link) => Ok(Stated::of(&link)?.incarnation),
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
    let (number, closing, commit) = (next.number, next.closing, commit.to_owned());
    let body = Body { format: FORMAT, floor: 1, number, closing, incarnation: id, commit, accepts_loss };
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
