//! The shared chains: reading a head that follows what was adopted, and committing an edit to it.

use std::sync::Arc;

use bytes::Bytes;
use tracing::{debug, warn};

use super::state::{ProblemKind, Shared, count};
use crate::chain::{Chain, Commit, Link, Store, StoreError};
use crate::engine::shared::{Edit, Refusal, SharedManifest, check_shared_step};
use crate::engine::{Base, BlockEntry, Mutant, Replica, SharedHead, layout};
use crate::event::PartitionKey;

/// What the store has of a partition, held against what this node has adopted.
pub(super) enum Seen {
    /// This is the head.
    Head(SharedHead),
    /// Nothing can be done with what is there; it was noted why.
    Troubled,
}

/// How an edit ended.
pub(super) enum Edited {
    /// It is in the chain. The head as read afterwards: only from it may anybody act.
    Done(SharedHead),
    /// It does not apply to the head any more.
    Refused(SharedHead),
    /// A block that it names is not in the store (any more): it must be sent again under a new id.
    BlockGone,
}

pub(super) fn chain_of(shared: &Shared, key: &PartitionKey) -> Chain {
    let folder = layout::shared_chain_folder(&layout::partition_folder(key));
    Chain::new(Arc::clone(&shared.store), folder)
}

/// What stands before the first generation.
fn nothing() -> SharedHead {
    SharedHead { manifest: Arc::new(SharedManifest::empty()), body: Bytes::new(), digest: String::new() }
}

/// The head of a partition's chain, if it is what this node stands on or follows it. Costs one list and one get.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn head(shared: &Shared, key: &PartitionKey) -> Result<Seen, StoreError> {
    let incarnation = shared.incarnation();
    let base = shared.replica.base(key).await.filter(|base| base.incarnation == incarnation.id);
    let chain = chain_of(shared, key);
    // ORDER: from the generation adopted, not from the next: a head is never deleted, so that if this one is not
    // there, and none after it, the store was rolled back.
    let from = base.as_ref().map_or(0, |base| base.generation);
    // A number from before this history is that of a request that came late: nothing of it holds.
    let is_of_now = |link: &Link| link.generation >= incarnation.first;
    let Some(link) = chain.head_from(from).await?.filter(is_of_now) else {
        return Ok(match base {
            None => Seen::Head(nothing()),
            Some(base) => rolled_back(shared, key, &format!("generation {} is gone", base.generation)),
        });
    };
    let head = match read_newest(shared, key, link).await? {
        Ok(head) => head,
        Err(why) => {
            shared.trouble(key, ProblemKind::Unreadable, why);
            return Ok(Seen::Troubled);
        }
    };
    if head.manifest.sealed {
        let why = format!("a new history begins after generation {}", head.manifest.generation);
        return Ok(rolled_back(shared, key, &why));
    }
    if shared.mutant(Mutant::RollbackAdopted) {
        return Ok(Seen::Head(head));
    }
    if let Some(base) = base
        && let Some(why) = strays(&chain, &base, &head).await?
    {
        return Ok(rolled_back(shared, key, &why));
    }
    if shared.problem(key).is_some_and(|problem| problem.kind == ProblemKind::Unreadable) {
        shared.well(key);
    }
    Ok(Seen::Head(head))
}

/// As [`head`], for who is about to adopt it. Where a new history has nothing of a partition that this node's old base
/// knows, the chain is begun: what the old base has must be brought back before anything is sent that came later.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn head_to_adopt(shared: &Shared, key: &PartitionKey) -> Result<Seen, StoreError> {
    let seen = head(shared, key).await?;
    match seen {
        Seen::Head(head) if head.manifest.generation == 0 && shared.replica.base(key).await.is_some() => {
            Ok(match commit(shared, key, head, &Edit::Begin).await? {
                Edited::Done(head) | Edited::Refused(head) => Seen::Head(head),
                Edited::BlockGone => Seen::Troubled,
            })
        }
        seen => Ok(seen),
    }
}

/// Why `head` is no descendant of `base`; `None` if it is one, or the same.
async fn strays(chain: &Chain, base: &Base, head: &SharedHead) -> Result<Option<String>, StoreError> {
    let known = base.sha256.to_string();
    let other = || Some(format!("generation {} is not the one that was adopted", base.generation));
    if head.manifest.generation == base.generation {
        return Ok(if head.digest == known { None } else { other() });
    }
    if !head.manifest.watermarks.covers(&base.manifest.watermarks) {
        return Ok(Some(format!("generation {} has less than was adopted", head.manifest.generation)));
    }
    if head.manifest.generation == base.generation + 1 {
        return Ok(if head.manifest.previous == known { None } else { other() });
    }
    // What lies below the floor is collected, or a ghost: a request that came late made the number again.
    if head.manifest.floor > base.generation {
        return Ok(None);
    }
    match chain.get(base.generation).await? {
        Some(link) if link.digest == known => Ok(None),
        Some(_) => Ok(other()),
        None => Ok(Some(format!("generation {} is gone and was never collected", base.generation))),
    }
}

fn rolled_back(shared: &Shared, key: &PartitionKey, why: &str) -> Seen {
    if shared.problem(key).is_none_or(|problem| problem.kind != ProblemKind::RolledBack) {
        count(&shared.counters.rollbacks_detected);
    }
    let message = format!(
        "the shared store was rolled back: {why}. Nothing of this partition is sent or taken; `helios store adopt` makes what the store has a new history"
    );
    shared.trouble(key, ProblemKind::RolledBack, message);
    Seen::Troubled
}

/// Reads a head with its pages, or a later one: after this one was read a later one may have let a page go, and the
/// sweeper deleted it. The inner error says what is wrong with the newest.
async fn read_newest(
    shared: &Shared,
    key: &PartitionKey,
    link: Link,
) -> Result<Result<SharedHead, String>, StoreError> {
    let (chain, mut link) = (chain_of(shared, key), link);
    for _ in 0..READ_TRIES {
        let why = match read(&*shared.store, key, &link).await? {
            Ok(head) => return Ok(Ok(head)),
            Err(why) => why,
        };
        match chain.head_from(link.generation).await?.filter(|newest| newest.generation > link.generation) {
            Some(newest) => link = newest,
            None => return Ok(Err(format!("shared generation {}: {why}", link.generation))),
        }
        count(&shared.counters.heads_reread);
    }
    Err(StoreError::definite(chain.folder(), "it moves on faster than its pages can be read"))
}

/// Reads a generation with its pages. The inner error says what is wrong with it.
pub(super) async fn read(
    store: &dyn Store,
    key: &PartitionKey,
    link: &Link,
) -> Result<Result<SharedHead, String>, StoreError> {
    let mut manifest = match SharedManifest::parse(&link.body) {
        Ok(manifest) => manifest,
        Err(why) => return Ok(Err(why)),
    };
    if manifest.generation != link.generation {
        return Ok(Err(format!("it says it is generation {}", manifest.generation)));
    }
    if let Err(why) = Replica::fill_pages(store, key, &mut manifest).await?.and_then(|()| manifest.check()) {
        return Ok(Err(why));
    }
    Ok(Ok(SharedHead { manifest: Arc::new(manifest), body: link.body.clone(), digest: link.digest.clone() }))
}

/// Commits `edit` on `current`, and again on newer heads while it applies. Costs one create, one get, one list and
/// a question for each block that comes in.
///
/// # Errors
/// If the store gave no answer: read the head before anything else.
pub(super) async fn commit(
    shared: &Shared,
    key: &PartitionKey,
    current: SharedHead,
    edit: &Edit,
) -> Result<Edited, StoreError> {
    let chain = chain_of(shared, key);
    let mut current = current;
    for attempt in 0..EDIT_TRIES {
        let edit = &as_meant(shared, &current, edit);
        let next = match current.manifest.apply(edit) {
            Ok(next) => next,
            Err(refusal) => {
                if let Refusal::CondemnedBlock(id) = refusal {
                    count(&shared.counters.condemned_met);
                    if shared.mutant(Mutant::CondemnedTaken) {
                        let mut manifest = (*current.manifest).clone();
                        manifest.condemned.retain(|condemned| condemned.id != id);
                        current.manifest = Arc::new(manifest);
                        continue;
                    }
                }
                return Ok(Edited::Refused(current));
            }
        };
        if attempt > 0 {
            count(&shared.counters.edits_reapplied);
        }
        // ORDER: after the head was read and before the next is made. What is condemned is deleted only after a
        // generation says so: if the block is there now, either that generation takes this number, or it comes later
        // and leaves the block alone since this one names it.
        if !shared.mutant(Mutant::NoHeadBeforeCreate) && !blocks_are_there(shared, key, edit).await? {
            return Ok(Edited::BlockGone);
        }
        let next = finish(shared, &current, next);
        write_pages(shared, key, &current.manifest, &next).await?;
        check_shared_step(&current.manifest, &current.digest, &next);
        let body = Bytes::from(serde_json::to_vec(&next).expect("a manifest is plain data"));
        if shared.mutant(Mutant::FeedBeforeCommit) {
            shared.changed(key, next.generation);
        }
        let settled = settle(shared, &chain, next.generation, body).await;
        if let Err(StoreError::Unknown { .. }) = &settled {
            shared.doubt(key, next.generation);
        }
        match settled? {
            Commit::Done(link) => {
                let head = again(shared, key, link).await?;
                if !shared.mutant(Mutant::FeedBeforeCommit) {
                    shared.changed(key, head.manifest.generation);
                }
                collect(shared, &chain, &head).await;
                return Ok(Edited::Done(head));
            }
            Commit::Lost(link) => current = again(shared, key, link).await?,
            Commit::Untold(link) => {
                // The chain cannot tell: the next round asks the head what it has.
                count(&shared.counters.settled_by_content);
                current = again(shared, key, link).await?;
            }
        }
        debug!(partition = %key, generation = current.manifest.generation, "an edit is tried on a newer head");
    }
    Ok(Edited::Refused(current))
}

/// The edit: or as a mutant has it.
fn as_meant(shared: &Shared, current: &SharedHead, edit: &Edit) -> Edit {
    match edit.clone() {
        Edit::Upload { blocks, upto, lost, .. } if shared.mutant(Mutant::UploadAnyWatermark) => {
            Edit::Upload { needs: current.manifest.watermarks.clone(), blocks, upto, lost }
        }
        edit => edit,
    }
}

/// Commits, and settles what became of it: or as a mutant does.
async fn settle(shared: &Shared, chain: &Chain, generation: u64, body: Bytes) -> Result<Commit, StoreError> {
    let own = || Link { generation, digest: crate::crypto::hex(&crate::crypto::sha256(&body)), body: body.clone() };
    let naive = [Mutant::DoneOnCreate, Mutant::SettleByName, Mutant::ActOnOwnCommit];
    let Some(mutant) = naive.into_iter().find(|mutant| shared.mutant(*mutant)) else {
        return chain.commit(generation, body).await;
    };
    match (mutant, chain.commit(generation, body.clone()).await) {
        (Mutant::DoneOnCreate, Ok(Commit::Untold(_))) => Ok(Commit::Done(own())),
        (Mutant::SettleByName, Ok(Commit::Untold(head))) => match chain.get(generation).await? {
            Some(link) if link.body == body => Ok(Commit::Done(link)),
            _ => Ok(Commit::Untold(head)),
        },
        (Mutant::ActOnOwnCommit, Err(StoreError::Unknown { .. })) => Ok(Commit::Done(own())),
        (_, outcome) => outcome,
    }
}

async fn again(shared: &Shared, key: &PartitionKey, link: Link) -> Result<SharedHead, StoreError> {
    let generation = link.generation;
    read_newest(shared, key, link).await?.map_err(|why| {
        shared.trouble(key, ProblemKind::Unreadable, why);
        StoreError::definite(&key.to_string(), format!("generation {generation} cannot be read"))
    })
}

/// Fills in who, when and what came before, and how far old generations may go.
fn finish(shared: &Shared, current: &SharedHead, next: SharedManifest) -> SharedManifest {
    // ORDER: at each try anew. So nobody but this try will ever name the new pages first: see `stray_pages`.
    let salt = match shared.mutant(Mutant::PageNamedAgain) {
        true => "".into(),
        false => shared.replica.block_id().to_string().into(),
    };
    let page_blocks = shared.replica.settings().manifest_page_blocks;
    let mut next = next.paged(page_blocks, &current.manifest.pages, &salt);
    next.previous.clone_from(&current.digest);
    next.commit = shared.replica.commit_id();
    next.written = shared.host.clock.wall().0;
    if current.manifest.generation == 0 {
        next.generation = next.generation.max(shared.incarnation().first);
        next.floor = next.generation;
    }
    next.floor = next.floor.max((next.generation + 1).saturating_sub(shared.settings.generations_kept.max(1)));
    if shared.mutant(Mutant::WatermarksReset) && next.entries().next().is_none() {
        next.watermarks = crate::engine::Watermarks::default();
    }
    next
}

async fn blocks_are_there(shared: &Shared, key: &PartitionKey, edit: &Edit) -> Result<bool, StoreError> {
    let named: Vec<&Arc<BlockEntry>> = match edit {
        Edit::Upload { blocks, .. } => blocks.iter().collect(),
        Edit::Merge { merged, .. } => vec![merged],
        Edit::Begin | Edit::Retire | Edit::Condemn(_) | Edit::Forget(_) | Edit::Fence => Vec::new(),
    };
    let folder = layout::partition_folder(key);
    for entry in named {
        let size = shared.store.size(&layout::shared_block_key(&folder, entry.id)).await?;
        if size != Some(entry.bytes) {
            warn!(partition = %key, block = %entry.id, "a block that was sent is not there: it is sent again");
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts the pages that `next` names and `current` does not: they are named by their digests.
async fn write_pages(
    shared: &Shared,
    key: &PartitionKey,
    current: &SharedManifest,
    next: &SharedManifest,
) -> Result<(), StoreError> {
    let folder = layout::shared_pages_folder(&layout::partition_folder(key));
    for page in next.pages.iter().filter(|page| !current.names_page(page.sha256)) {
        let name = format!("{folder}/{}", layout::page_name(page.sha256));
        shared.store.put(&name, Bytes::from(page.body())).await?;
    }
    Ok(())
}

/// Removes generations below the floor now and then. Who fails leaves it to the next.
async fn collect(shared: &Shared, chain: &Chain, head: &SharedHead) {
    if shared.mutant(Mutant::HeadCollected) {
        let name = format!("{}/{:020}.json", chain.folder(), head.manifest.generation);
        let _ = shared.store.delete(&name).await;
    }
    if !head.manifest.generation.is_multiple_of(COLLECT_EVERY) {
        return;
    }
    if let Err(error) = chain.collect(head.manifest.floor).await {
        debug!(%error, "old shared generations are left for later");
    }
}

/// How many heads an edit is tried on in a row.
const EDIT_TRIES: u32 = 16;
/// How many heads are read in a row, each because the one before lacked a page.
const READ_TRIES: u32 = 16;
/// How often old generations are looked for, in generations: at most so many more than are kept are there.
const COLLECT_EVERY: u64 = 8;
