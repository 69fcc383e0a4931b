//! Clients that commit to chains in the object store, and whether they were told the truth.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::chain::{Chain, Commit, StoreError};
use helios::host::Host;

use super::Stop;
use crate::rng::Rng;
use crate::s3::{Bucket, Change, client};

/// What committers were told. Clones are the same.
#[derive(Clone, Default)]
pub struct Chains(Arc<Mutex<BTreeMap<String, Told>>>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    Done,
    Never,
    Unknown,
}

/// Commits to a few chains until it is over.
pub async fn commit_to_chains(host: Host, name: String, chains: Chains, stop: Stop, mut rng: Rng) {
    let store = client(&host, "s3", PREFIX);
    let mut number = 0;
    while !stop.is_over() {
        host.clock.sleep(Duration::from_millis(rng.in_range(100..2_000))).await;
        let chain = Chain::new(store.clone(), format!("chain{}", rng.in_range(0..CHAINS)));
        let Ok(head) = chain.head().await else { continue };
        // Paused between read and create, as a process may be for as long as it likes.
        if rng.percent(10) {
            host.clock.sleep(Duration::from_secs(rng.in_range(1..60))).await;
        }
        number += 1;
        let id = format!("{name}c{number}.");
        chains.lock().insert(id.clone(), Told::Unknown);
        let generation = head.map_or(0, |head| head.generation) + 1;
        let told = match chain.commit(generation, format!(r#"{{"commit":"{id}"}}"#).into()).await {
            Ok(Commit::Done(_)) => Told::Done,
            Ok(Commit::Lost(_)) | Err(StoreError::Definite { .. }) => Told::Never,
            Ok(Commit::Untold(_)) | Err(StoreError::Unknown { .. }) => Told::Unknown,
        };
        chains.lock().insert(id, told);
    }
}

impl Chains {
    /// Judges everything against what the store did.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn judge(&self, bucket: &Bucket) -> Result<u64, String> {
        let mut generations: BTreeMap<String, u64> = BTreeMap::new();
        let mut said = Vec::new();
        for made in bucket.history().into_iter().filter(|made| made.key.starts_with(PREFIX)) {
            let Change::Made(body) = made.change else {
                return Err(format!("{} was changed after it was made: {:?}", made.key, made.change));
            };
            let (folder, name) = made.key.rsplit_once('/').unwrap_or(("", &made.key));
            let generation: u64 = name.trim_end_matches(".json").parse().map_err(|_| made.key.clone())?;
            let last = generations.entry(folder.to_owned()).or_default();
            if generation != *last + 1 {
                return Err(format!("{folder}: generation {generation} was made after {last}"));
            }
            *last = generation;
            said.push(String::from_utf8_lossy(&body).into_owned());
        }
        let told = self.lock();
        for (id, told) in told.iter() {
            let times = said.iter().filter(|said| said.contains(id.as_str())).count();
            let right = match told {
                Told::Done => times == 1,
                Told::Never => times == 0,
                Told::Unknown => times <= 1,
            };
            if !right {
                return Err(format!("commit {id} was told {told:?} and was made {times} times"));
            }
        }
        Ok(told.len() as u64)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Told>> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

const PREFIX: &str = "chains";
const CHAINS: u64 = 2;
