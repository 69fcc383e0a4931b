//! What a manifest names: runs of blocks in pages, and the blocks after them. Local and shared manifests both
//! have such a list, in an order that is never broken: `upto` grows along it.
//!
//! **Boundary.** Pure.

use std::sync::Arc;

use super::manifest::{BlockEntry, BlockId, Page, Watermarks};

/// All blocks, in order.
pub(crate) fn entries<'a>(pages: &'a [Page], rest: &'a [Arc<BlockEntry>]) -> impl Iterator<Item = &'a Arc<BlockEntry>> {
    pages.iter().flat_map(|page| page.entries.iter()).chain(rest)
}

/// Puts `merged` in the place of the neighbours `inputs`; `None` if they are not (or no longer) neighbours.
pub(crate) fn replace_run(
    pages: &mut Vec<Page>,
    rest: &mut Vec<Arc<BlockEntry>>,
    inputs: &[BlockId],
    merged: Option<Arc<BlockEntry>>,
) -> Option<()> {
    let first = inputs.first()?;
    if place_of(rest, first).is_none() {
        let page = pages.iter().position(|page| place_of(&page.entries, first).is_some())?;
        let mut entries = pages[page].entries.to_vec();
        if place_of(&entries, first)? + inputs.len() <= entries.len() {
            replace(&mut entries, inputs, merged)?;
            let changed = Some(entries).filter(|entries| !entries.is_empty()).map(Page::of);
            pages.splice(page..=page, changed);
            return Some(());
        }
        dissolve(pages, rest, page);
    }
    replace(rest, inputs, merged)
}

/// Moves the oldest of `rest` into pages, so that fewer than twice `page_blocks` are left in it.
pub(crate) fn page_off(pages: &mut Vec<Page>, rest: &mut Vec<Arc<BlockEntry>>, page_blocks: usize) {
    let page_blocks = page_blocks.max(1);
    let full = (rest.len() / page_blocks).saturating_sub(1);
    let paged: Vec<_> = rest.drain(..full * page_blocks).collect();
    pages.extend(paged.chunks(page_blocks).map(|entries| Page::of(entries.to_vec())));
}

/// Checks that no block is named twice and that `upto` grows from `from` to at most `end`.
///
/// # Errors
/// Which rule is broken.
pub(crate) fn check(
    pages: &[Page],
    rest: &[Arc<BlockEntry>],
    from: &Watermarks,
    end: &Watermarks,
) -> Result<(), String> {
    let mut ids: Vec<_> = entries(pages, rest).map(|entry| entry.id).collect();
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("M3: a block is named twice".into());
    }
    let mut mark = from;
    for entry in entries(pages, rest) {
        if !entry.upto.covers(mark) {
            return Err(format!("M6: the order goes back at block {}", entry.id));
        }
        mark = &entry.upto;
    }
    if !end.covers(mark) {
        return Err("M6: the blocks go beyond the watermark".into());
    }
    Ok(())
}

/// Moves what the pages from `first` on name back before `rest`.
fn dissolve(pages: &mut Vec<Page>, rest: &mut Vec<Arc<BlockEntry>>, first: usize) {
    let dissolved = pages.split_off(first);
    let entries = dissolved.iter().flat_map(|page| page.entries.iter().cloned());
    rest.splice(0..0, entries.collect::<Vec<_>>());
}

fn place_of(entries: &[Arc<BlockEntry>], id: &BlockId) -> Option<usize> {
    entries.iter().position(|entry| entry.id == *id)
}

fn replace(entries: &mut Vec<Arc<BlockEntry>>, inputs: &[BlockId], merged: Option<Arc<BlockEntry>>) -> Option<()> {
    let first = place_of(entries, inputs.first()?)?;
    let run = entries.get(first..first + inputs.len())?;
    if !run.iter().map(|entry| &entry.id).eq(inputs) {
        return None;
    }
    entries.splice(first..first + inputs.len(), merged);
    Some(())
}
