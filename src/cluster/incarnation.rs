//! Which history of the shared store this is. A number that is drawn when the store is first used, and again when
//! an operator says that a store that was rolled back is what holds from now on.

use std::sync::Arc;

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

/// The lowest generation in the history that is `number` in the chain of incarnations, from 1.
pub(super) fn first_generation(number: u64) -> u64 {
    number.saturating_sub(1).saturating_mul(GENERATIONS_PER_HISTORY) + 1
}

fn incarnation_of(link: &Link) -> Result<Incarnation, StoreError> {
    let Body { incarnation, accepts_loss, .. } = parse(link)?;
    Ok(Incarnation { id: incarnation, accepts_loss, first: first_generation(link.generation) })
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
    let Some(incarnation) = read(&shared.store).await? else { return Ok(false) };
    if incarnation == shared.incarnation() {
        return Ok(false);
    }
    warn!(incarnation = %incarnation.id, accepts_loss = incarnation.accepts_loss, "the shared store has a new history");
    shared.set_incarnation(incarnation);
    Ok(true)
}

/// The current incarnation; the first if there is none.
async fn ensure(store: &Arc<dyn Store>, random: impl Fn() -> u64, commit: &str) -> Result<Incarnation, StoreError> {
    if let Some(id) = read(store).await? {
        return Ok(id);
    }
    let id = format!("{:016x}", random());
    match write(store, 1, &id, false, commit).await? {
        Commit::Done(link) | Commit::Lost(link) | Commit::Untold(link) => incarnation_of(&link),
    }
}

pub(super) async fn read(store: &Arc<dyn Store>) -> Result<Option<Incarnation>, StoreError> {
    let head = Chain::new(Arc::clone(store), FOLDER.into()).head().await?;
    head.map(|link| incarnation_of(&link)).transpose()
}

async fn write(
    store: &Arc<dyn Store>,
    generation: u64,
    id: &str,
    accepts_loss: bool,
    commit: &str,
) -> Result<Commit, StoreError> {
    let (incarnation, commit) = (id.to_owned(), commit.to_owned());
    let body = Body { format: FORMAT, floor: 1, incarnation, commit, accepts_loss };
    let body = Bytes::from(serde_json::to_vec(&body).expect("an incarnation is plain data"));
    Chain::new(Arc::clone(store), FOLDER.into()).commit(generation, body).await
}

fn parse(link: &Link) -> Result<Body, StoreError> {
    let wrong = |why: String| StoreError::definite(FOLDER, why);
    let body: Body = serde_json::from_slice(&link.body).map_err(|error| wrong(error.to_string()))?;
    if body.format > FORMAT {
        return Err(wrong(format!("format {} is newer than this version of helios reads", body.format)));
    }
    Ok(body)
}

/// The number that the next history has.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn next_number(store: &Arc<dyn Store>) -> Result<u64, StoreError> {
    let head = Chain::new(Arc::clone(store), FOLDER.into()).head().await?;
    Ok(head.map_or(1, |link| link.generation + 1))
}

/// Begins a new incarnation under its number: what the store has now is what holds.
///
/// # Errors
/// If the store could not be asked, or somebody else did the same at this time.
pub(super) async fn renew(
    store: &Arc<dyn Store>,
    number: u64,
    id: &str,
    accepts_loss: bool,
    commit: &str,
) -> Result<(), StoreError> {
    match write(store, number, id, accepts_loss, commit).await? {
        Commit::Done(_) => Ok(()),
        Commit::Lost(_) | Commit::Untold(_) => {
            Err(StoreError::definite(FOLDER, "another command began a new history at the same time"))
        }
    }
}
