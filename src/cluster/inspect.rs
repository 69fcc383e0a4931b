//! Looking at a shared store from outside, without being a node: which partitions it has, and what one of them says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::chains;
use crate::chain::{Chain, Link, Store, StoreError};
use crate::engine::shared::SharedManifest;
use crate::engine::{BlockId, Digest, layout};
use crate::event::PartitionKey;

/// What a store has, by the names of its objects.
pub(super) struct Inventory {
    /// Every partition that has a chain or a block.
    pub(super) keys: BTreeSet<PartitionKey>,
    /// Names that are nobody's.
    pub(super) foreign: Vec<String>,
}

/// Lists chains and blocks. Costs a list of all of them.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn inventory(store: &Arc<dyn Store>) -> Result<Inventory, StoreError> {
    let mut inventory = Inventory { keys: BTreeSet::new(), foreign: Vec::new() };
    for root in [layout::SHARED_CHAINS, layout::SHARED_BLOCKS, layout::SHARED_PAGES] {
        for object in store.list_all(root, "").await? {
            match parse(root, &object.name) {
                Some(key) => drop(inventory.keys.insert(key)),
                None => inventory.foreign.push(format!("{root}/{}", object.name)),
            }
        }
    }
    Ok(inventory)
}

/// The partition that a name below one of the roots states.
fn parse(root: &str, name: &str) -> Option<PartitionKey> {
    let (key, file) = layout::parse_in_partition(name)?;
    let known = match root {
        layout::SHARED_CHAINS => crate::chain::parse_name(file).is_some(),
        layout::SHARED_BLOCKS => layout::parse_block_name(file).is_some(),
        _ => layout::parse_page_name(file).is_some(),
    };
    known.then_some(key)
}

pub(super) fn chain_of(store: &Arc<dyn Store>, key: &PartitionKey) -> Chain {
    Chain::new(Arc::clone(store), layout::shared_chain_folder(&layout::partition_folder(key)))
}

/// The blocks of a partition that are there, and their lengths. Costs a list of them.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn blocks(store: &Arc<dyn Store>, key: &PartitionKey) -> Result<BTreeMap<BlockId, u64>, StoreError> {
    let listed = store.list_all(&layout::shared_blocks_folder(&layout::partition_folder(key)), "").await?;
    Ok(listed.iter().filter_map(|object| Some((layout::parse_block_name(&object.name)?, object.bytes))).collect())
}

/// The pages of a partition's generations that are there. Costs a list of them.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn pages(store: &Arc<dyn Store>, key: &PartitionKey) -> Result<BTreeSet<Digest>, StoreError> {
    let listed = store.list_all(&layout::shared_pages_folder(&layout::partition_folder(key)), "").await?;
    Ok(listed.iter().filter_map(|object| layout::parse_page_name(&object.name)).collect())
}

/// A generation without its pages. The error says what is wrong with it.
pub(super) fn parse_generation(link: &Link) -> Result<SharedManifest, String> {
    let manifest = SharedManifest::parse(&link.body)?;
    if manifest.generation != link.generation {
        return Err(format!("it says it is generation {}", manifest.generation));
    }
    if manifest.floor > manifest.generation {
        return Err(format!("its floor, {}, is above itself", manifest.floor));
    }
    Ok(manifest)
}

/// A generation with its pages. The inner error says what is wrong with it.
///
/// # Errors
/// If the store could not be asked.
pub(super) async fn generation(
    store: &Arc<dyn Store>,
    key: &PartitionKey,
    link: &Link,
) -> Result<Result<SharedManifest, String>, StoreError> {
    if let Err(why) = parse_generation(link) {
        return Ok(Err(why));
    }
    let head = chains::read(&**store, key, link).await?;
    Ok(head.map(|head| Arc::unwrap_or_clone(head.manifest)))
}

/// Where a generation lies.
pub(super) fn path_of(key: &PartitionKey, generation: u64) -> String {
    format!("{}/{generation:020}.json", layout::shared_chain_folder(&layout::partition_folder(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_the_roots_tell_their_partition_and_others_are_foreign() {
        let id = "0123456789abcdef0123456789abcdef.hb";
        let parsed = |root: &str, name: &str| parse(root, name).map(|key| key.to_string());
        assert_eq!(parsed("blocks", &format!("default/app/2026-06-14/{id}")), Some("app/2026-06-14".into()));
        assert_eq!(parsed("chains", &format!("default/app/2026-06-14/{id}")), None);
        assert_eq!(parsed("blocks", &format!("default/app/{id}")), None);
        assert_eq!(parsed("chains", "default/app/junk/00000000000000000007.json"), None);
    }
}
