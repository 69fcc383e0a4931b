//! Pages that the head of a chain does not name: old ones, and those of commits that lost. The sweeper deletes them.
//!
//! **Rule.** List, then read the head, then see a later generation (a fence, if nobody else commits one), then delete
//! what was listed and is not named by that. Pages need no condemnation: each try of a commit puts its new pages under
//! names that no page ever had (they are salted), and names else only those of the head that it read before. So a page
//! that was listed was put by a try on the head that was read here, or on an earlier one. Once a later generation is
//! there, the number of that try is taken: it named the page, or never will, nor will anybody else. A page that was
//! dropped stays so, because all that follows is made from a generation without it.
//!
//! What comes late does no harm: a create finds its number taken, or is below the floor; a delete meets a name that is
//! never used again; a put makes a page that is swept once more. Who reads an older generation finds a page gone, and
//! reads the head again (`chains::read_newest`). Older generations that are kept say what was, but not where every block
//! is: they may lack pages, as they may lack blocks.
//!
//! **Other histories.** A history may begin while a partition has no chain, and with it another first number. Who sent a
//! page for that had read which history holds before: the sweeper reads it after the list, and deletes no page if it is
//! another than its own, or about to end.
//!
//! **Other versions.** One that does not salt could name a page again. It leaves chains of a format alone that it does
//! not know; generations with pages have that format, and so has a fence, and nothing is deleted under another one.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::debug;

use super::state::{Shared, count};
use super::{incarnation, sweep};
use crate::chain::StoreError;
use crate::engine::shared::{Edit, SHARED_FORMAT, SharedManifest};
use crate::engine::{Digest, SharedHead, layout};
use crate::event::PartitionKey;

/// Of these pages those that a generation does not name.
pub(super) fn unnamed(head: &SharedManifest, there: &BTreeSet<Digest>) -> BTreeSet<Digest> {
    there.iter().filter(|page| !head.names_page(**page)).copied().collect()
}

/// Deletes pages that were listed before generation `read` was read as the head, and that nobody can name any more.
/// `head` is that generation or a later one.
pub(super) async fn remove(
    shared: &Arc<Shared>,
    key: &PartitionKey,
    read: u64,
    head: SharedHead,
    pages: &[Digest],
) -> Result<(), StoreError> {
    // ORDER: after the list. Who has put a page by then knows of no later history than is read here.
    if pages.is_empty() || !incarnation::is_open(shared).await? {
        return Ok(());
    }
    let mut head = head;
    if !is_past(&head.manifest, read) {
        head = sweep::edit(shared, key, head, &Edit::Fence).await?;
    }
    if !is_past(&head.manifest, read) {
        return Ok(());
    }
    // Once more: what was unnamed may have been named before the number was taken.
    delete(shared, key, unnamed(&head.manifest, &pages.iter().copied().collect())).await
}

/// Deletes pages. ORDER: only what nobody can name any more; a mutant does otherwise.
pub(super) async fn delete(
    shared: &Shared,
    key: &PartitionKey,
    pages: impl IntoIterator<Item = Digest>,
) -> Result<(), StoreError> {
    let folder = layout::shared_pages_folder(&layout::partition_folder(key));
    for page in pages {
        shared.store.delete(&format!("{folder}/{}", layout::page_name(page))).await?;
        count(&shared.counters.deleted);
        count(&shared.counters.pages_swept);
        debug!(partition = %key, %page, "page deleted that nobody names");
    }
    Ok(())
}

/// Whether nobody who had read generation `read` can commit any more, nor one who does not salt his pages.
fn is_past(head: &SharedManifest, read: u64) -> bool {
    head.generation > read && head.format >= SHARED_FORMAT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_later_generation_of_the_format_that_salts_ends_all_tries_before() {
        let head = |generation, format| SharedManifest { generation, format, ..SharedManifest::empty() };
        assert!(is_past(&head(8, SHARED_FORMAT), 7));
        assert!(!is_past(&head(7, SHARED_FORMAT), 7));
        assert!(!is_past(&head(8, SHARED_FORMAT - 1), 7));
    }
}
