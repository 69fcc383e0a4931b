//! What damage has taken where no partition can be named: a chain of lists.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::core::Core;
use super::layout;
use super::manifest::Lost;
use super::open::OpenError;
use super::replay::Mode;
use crate::chain::{Chain, Commit, Link};

/// One generation of the list.
#[derive(Deserialize, Serialize)]
struct LostList {
    format: u32,
    commit: String,
    lost: Vec<Lost>,
}

/// Reads the list into the core and returns it.
///
/// # Errors
/// If it cannot be read.
pub(crate) async fn load(core: &Core) -> Result<Arc<Vec<Lost>>, OpenError> {
    let damaged = |why: String| OpenError::Damaged { what: "the list of lost events".into(), why };
    let chain = Chain::new(Arc::clone(&core.store), layout::LOST_FOLDER.into());
    if let Some(link) = chain.head().await.map_err(|error| damaged(error.to_string()))? {
        let lost = parse(&link).map_err(damaged)?;
        *core.lost.lock().expect("no panic while held") = Arc::new(lost);
    }
    Ok(Arc::clone(&core.lost.lock().expect("no panic while held")))
}

/// Reads the list as it lies in its chain.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(link: &Link) -> Result<Vec<Lost>, String> {
    let list: LostList = serde_json::from_slice(&link.body).map_err(|error| error.to_string())?;
    Ok(list.lost)
}

/// Adds to the list; durable when this returns, unless only looking.
///
/// # Errors
/// If it could not be committed.
pub(crate) async fn add(core: &Core, entry: Lost, mode: Mode) -> Result<(), OpenError> {
    let mut lost = load(core).await?.as_ref().clone();
    lost.push(entry);
    if mode == Mode::Write {
        let refused = |why: String| OpenError::Damaged { what: "the list of lost events".into(), why };
        let chain = Chain::new(Arc::clone(&core.store), layout::LOST_FOLDER.into());
        let head = chain.head().await.map_err(|error| refused(error.to_string()))?;
        let generation = head.map_or(1, |link| link.generation + 1);
        let list = LostList { format: 1, commit: core.commit_id(), lost: lost.clone() };
        let body = serde_json::to_vec(&list).expect("a list of lost events is plain data");
        match chain.commit(generation, Bytes::from(body)).await {
            Ok(Commit::Done(_)) => {}
            Ok(Commit::Lost(_) | Commit::Untold(_)) => {
                return Err(refused("another process writes to this data directory".into()));
            }
            Err(error) => return Err(refused(error.to_string())),
        }
    }
    *core.lost.lock().expect("no panic while held") = Arc::new(lost);
    Ok(())
}
