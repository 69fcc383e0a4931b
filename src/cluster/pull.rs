//! The puller: adopts what others have committed. Feeds say where to look; a walk over all chains, at the start,
//! after anything was missed and about once an hour, finds what they did not say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use super::chains::{self, Seen};
use super::state::{Pulled, Shared, count, lock};
use super::{feed, incarnation, upload};
use crate::chain::StoreError;
use crate::engine::{LeftAs, Mutant, SharedHead, layout, life_of};
use crate::event::PartitionKey;
use crate::host_select;

/// Pulls at every interval until the engine stops.
pub(super) async fn pull_loop(shared: Arc<Shared>) {
    let jitter = shared.host.entropy.fork("walks");
    let mut walk_at = Duration::ZERO;
    let mut left = Some(shared.replica.left_as().await);
    loop {
        let walk = std::mem::take(&mut *lock(&shared.walk_due)) || shared.now() >= walk_at;
        if walk {
            walk_at = shared.now() + shared.settings.walk_interval.mul_f64(0.75 + draw(jitter.next_u64()) / 2.0);
            walk_now(&shared).await;
            let went_well = lock(&shared.pulled).error.is_none();
            if let Some(left) = left.take_if(|_| went_well) {
                announce_for_others(&shared, &left).await;
            }
        } else {
            pull(&shared).await;
        }
        host_select! {
            () = shared.replica.stop_requested() => return,
            () = shared.host.clock.sleep(shared.settings.sync_interval) => {}
        }
    }
}

/// Announces what may have been committed without a word, by the life before this one or by one that is gone for
/// good: what the first walk has brought, and heads that this node stood on already that the life before it wrote.
/// Others that know them ask the store nothing.
async fn announce_for_others(shared: &Shared, left: &BTreeMap<PartitionKey, LeftAs>) {
    for key in shared.replica.partitions() {
        let Some(base) = shared.replica.base(&key).await else { continue };
        let writer = life_of(&base.manifest.commit);
        let told = left.get(&key).is_some_and(|left| left.base == base.generation && left.writer != writer);
        if !told && writer != shared.life() {
            shared.changed(&key, base.generation);
        }
    }
}

/// A number from 0 up to 1.
fn draw(bits: u64) -> f64 {
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

/// Adopts what the feeds hint at.
pub(super) async fn pull(shared: &Arc<Shared>) {
    let result = pull_hinted(shared).await;
    note(shared, result);
}

/// Looks at every chain.
pub(super) async fn walk(shared: &Arc<Shared>) {
    *lock(&shared.walk_due) = false;
    walk_now(shared).await;
}

async fn walk_now(shared: &Arc<Shared>) {
    count(&shared.counters.walks);
    let walked = walk_all(shared).await;
    note(shared, walked);
}

fn note(shared: &Shared, result: Result<(), StoreError>) {
    let now = shared.now();
    let mut pulled = lock(&shared.pulled);
    match result {
        Ok(()) => {
            pulled.ok_at = Some(now);
            pulled.error = None;
        }
        Err(error) => {
            if pulled.error.is_none() {
                warn!(%error, "the shared store cannot be read and will be tried again");
            }
            pulled.error = Some(error.to_string());
        }
    }
}

async fn pull_hinted(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let stuck = shared.problems().values().any(|problem| problem.kind.is_about_history());
    if (stuck || shared.is_wrong_store()) && incarnation::changed(shared).await? {
        return walk_all(shared).await;
    }
    let hints = feed::read_new(shared).await?;
    shared.heard(&hints.changed);
    if hints.missed {
        feed::ask_for_walk(shared);
    }
    if hints.other_history {
        match incarnation::changed(shared).await {
            Ok(true) => return walk_all(shared).await,
            Ok(false) => {}
            // The hint is read: a walk asks again.
            Err(error) => {
                feed::ask_for_walk(shared);
                return Err(error);
            }
        }
    }
    // What could not be adopted the last time is tried again, whatever the hints say.
    let mut wanted = want(shared, hints.changed);
    for (key, generation) in shared.doubtful().await {
        wanted.entry(key).or_insert(generation);
    }
    adopt_all(shared, wanted).await
}

/// Looks at every chain, and owes it again if that fails: that a new history had begun, for which it may have been done,
/// is known by then.
async fn walk_all(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let walked = try_to_walk(shared).await;
    if walked.is_err() {
        feed::ask_for_walk(shared);
    }
    walked
}

async fn try_to_walk(shared: &Arc<Shared>) -> Result<(), StoreError> {
    incarnation::changed(shared).await?;
    let listed = shared.store.list_all(layout::SHARED_CHAINS, "").await?;
    let mut newest: BTreeMap<PartitionKey, u64> = BTreeMap::new();
    for object in &listed {
        if let Some((key, generation)) = parse(&object.name) {
            let known = newest.entry(key).or_default();
            *known = generation.max(*known);
        }
    }
    // ORDER: after the list. Once for all chains in it, as a fresh node knows none.
    if incarnation::is_open(shared).await? {
        lock(&shared.listed).extend(newest.keys().cloned());
    }
    // A partition that is adopted here and gone there was rolled back: asking for it says so.
    for key in shared.replica.partitions() {
        if shared.replica.base(&key).await.is_some() {
            newest.entry(key).or_insert(Pulled::ANY);
        }
    }
    debug!(partitions = newest.len(), "walked over all chains");
    let wanted = want(shared, newest);
    let adopted = adopt_all(shared, wanted).await;
    lock(&shared.listed).clear();
    adopted
}

/// Notes what is wanted, and gives all that is.
fn want(shared: &Shared, generations: BTreeMap<PartitionKey, u64>) -> BTreeMap<PartitionKey, u64> {
    let mut pulled = lock(&shared.pulled);
    generations.iter().for_each(|(key, &generation)| pulled.want(key, generation));
    pulled.behind.clone()
}

/// Partition and generation that a name below the root of the chains states.
fn parse(name: &str) -> Option<(PartitionKey, u64)> {
    let (key, file) = layout::parse_in_partition(name)?;
    Some((key, crate::chain::parse_name(file)?))
}

/// Adopts the heads of these partitions that are newer than what this node stands on. Those whose generation is
/// not above that cost nothing.
async fn adopt_all(shared: &Arc<Shared>, wanted: BTreeMap<PartitionKey, u64>) -> Result<(), StoreError> {
    let mut first_error = None;
    for (key, generation) in wanted {
        if let Err(error) = adopt_one(shared, &key, generation).await {
            first_error.get_or_insert(error);
        }
    }
    first_error.map_or(Ok(()), Err)
}

async fn adopt_one(shared: &Arc<Shared>, key: &PartitionKey, generation: u64) -> Result<(), StoreError> {
    let base = shared.replica.base(key).await;
    let current = base.filter(|base| base.incarnation == shared.incarnation().id);
    if current.is_some_and(|base| base.generation == generation) {
        lock(&shared.pulled).fulfil(key, generation);
        return Ok(());
    }
    let settled = match chains::head_to_adopt(shared, key).await? {
        Seen::Head(head) if head.manifest.generation > 0 && !looks_older(shared, key, &head).await => {
            upload::adopt(shared, key, &head).await?
        }
        Seen::Head(_) | Seen::Troubled => true,
    };
    if settled {
        // This head was read after the hint came: there is no later one that it could have meant.
        lock(&shared.pulled).fulfil(key, generation);
    }
    Ok(())
}

/// Never, but for a mutant: the numbers of generations order them, and no clock does.
async fn looks_older(shared: &Shared, key: &PartitionKey, head: &SharedHead) -> bool {
    let known = shared.replica.base(key).await.map_or(i64::MIN, |base| base.manifest.written);
    shared.mutant(Mutant::ClockOrdersHeads) && head.manifest.written < known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_chains_tell_partition_and_generation() {
        let (key, generation) = parse("default/app/2026-06-14/00000000000000000007.json").unwrap();
        assert_eq!((key.to_string(), generation), ("app/2026-06-14".to_owned(), 7));
        assert_eq!(parse("default/app/2026-06-14"), None);
        assert_eq!(parse("default/app/x/00000000000000000007.json"), None);
    }
}
