//! Field paths, interned. Names that differ only in case are one field, shown as first seen.

use hashbrown::HashTable;

/// A field path in one [`PathTable`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PathId(pub u32);

/// The field paths of some events, numbered in order of first sight.
///
/// Two paths are the same if they are equal after Unicode simple case folding; the spelling first
/// seen is the one shown.
#[derive(Clone, Default)]
pub struct PathTable {
    names: Vec<Box<str>>,
    folded: Vec<Box<str>>,
    index: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
}
