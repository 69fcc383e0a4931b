//! Whether a store can be trusted with chains: asked at start, before anything is written to it.
//!
//! Asking one question after the other would not do: a store that looks and then writes answers each of them
//! right, and still lets two creates win that come at the same time. So they are made to race.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use super::{Create, Store, StoreError};
use crate::crypto;
use crate::host::Entropy;

/// Why a store is not used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It could not be asked. Say so, and ask again later.
    #[error("the shared store could not be tested: {0}")]
    Unavailable(#[from] StoreError),
    /// It breaks what everything rests on. It must not be used.
    #[error("this store is not safe to share: {0}. Events would be lost: use another store, or another version of it")]
    Unsafe(String),
}

/// Races creates below `folder` and looks whether a listing shows each winner. Costs some 60 requests, and
/// cleans up after itself.
///
/// # Errors
/// [`ProbeError::Unsafe`] if two creates of one name won, if a winner's bytes are not what is read, or if a
/// listing did not show what had been created before it began.
pub async fn probe(store: &Arc<dyn Store>, folder: &str, entropy: &dyn Entropy) -> Result<(), ProbeError> {
    let mut id = [0; 8];
    entropy.fill(&mut id);
    // In one folder for all: one for each start would stay where folders are real.
    let own = format!("{}-", crypto::hex(&id));
    let outcome = race_all(store, folder, &own).await;
    // Best effort, and also after a failure: nothing reads what is left.
    if let Ok(names) = listed(store, folder, &own).await {
        join_all(names.iter().map(|name| remove(store, folder, name))).await;
    }
    outcome
}

async fn race_all(store: &Arc<dyn Store>, folder: &str, own: &str) -> Result<(), ProbeError> {
    for round in 0..ROUNDS {
        let name = format!("{own}{round:020}.json");
        race(store, &format!("{folder}/{name}")).await?;
        let names = listed(store, folder, own).await?;
        if names.len() != round + 1 || names.last() != Some(&name) {
            return Err(ProbeError::Unsafe("a listing did not show an object that had been created before".into()));
        }
    }
    Ok(())
}

/// The names in `folder` that begin with `own`.
async fn listed(store: &Arc<dyn Store>, folder: &str, own: &str) -> Result<Vec<String>, StoreError> {
    let objects = store.list_all(folder, own).await?;
    Ok(objects.into_iter().map(|object| object.name).take_while(|name| name.starts_with(own)).collect())
}

/// Lets several creates of one name go at the same time.
async fn race(store: &Arc<dyn Store>, key: &str) -> Result<(), ProbeError> {
    // Large enough that the requests overlap at the store.
    let bodies: Vec<Bytes> = (0..WRITERS).map(|writer| Bytes::from(vec![b'a' + writer; BODY_BYTES])).collect();
    let answers = join_all(bodies.iter().map(|body| store.create(key, body.clone()))).await;
    let won = |answer: &Result<Create, StoreError>| matches!(answer, Ok(Create::Created));
    let winners: Vec<&Bytes> = answers.iter().zip(&bodies).filter(|(a, _)| won(a)).map(|(_, body)| body).collect();
    if winners.len() > 1 {
        return Err(ProbeError::Unsafe(format!("{} creates of one name won at the same time", winners.len())));
    }
    let Some(read) = store.get(key).await? else {
        // Nobody won: then an answer was lost, or the store refused.
        let error = answers.into_iter().find_map(Result::err);
        return Err(
            error.map_or_else(|| ProbeError::Unsafe("a create was answered and is not there".into()), Into::into)
        );
    };
    let whole = bodies.contains(&read) && winners.first().is_none_or(|winner| **winner == read);
    if whole { Ok(()) } else { Err(ProbeError::Unsafe("what is read is not what was created".into())) }
}

async fn remove(store: &Arc<dyn Store>, folder: &str, name: &str) {
    if let Err(error) = store.delete(&format!("{folder}/{name}")).await {
        tracing::debug!(%error, "an object of the store's test is left");
    }
}

/// A store that only looks before it writes lets two win in nearly every round; six rounds do not miss it.
const ROUNDS: usize = 6;
const WRITERS: u8 = 8;
const BODY_BYTES: usize = 64 << 10;
