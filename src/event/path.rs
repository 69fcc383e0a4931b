//! Field paths, interned. Names that differ only in case are one field, shown as first seen.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::fold;

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
    /// The folded name; `None` where it is the name itself.
    folded: Vec<Option<Box<str>>>,
    index: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
}

impl PathTable {
    /// A table without paths.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many paths there are. All ids are below it.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The id of a path, given to it now if it is new. Takes memory only for a new one.
    pub fn intern(&mut self, name: &str) -> PathId {
        let folded = fold::fold(name);
        let hash = self.hasher.hash_one(folded.as_bytes());
        if let Some(id) = self.find(hash, &folded) {
            return id;
        }
        let id = u32::try_from(self.names.len()).expect("a table is bounded far below 2^32 paths by its maker");
        self.names.push(name.into());
        self.folded.push((folded != name).then(|| folded.into()));
        let (names, all_folded, hasher) = (&self.names, &self.folded, &self.hasher);
        self.index
            .insert_unique(hash, id, |&other| hasher.hash_one(folded_of(names, all_folded, other as usize).as_bytes()));
        PathId(id)
    }

    /// The id of a path in any case, if it occurs.
    pub fn get(&self, name: &str) -> Option<PathId> {
        let folded = fold::fold(name);
        self.find(self.hasher.hash_one(folded.as_bytes()), &folded)
    }

    /// The path as first seen.
    pub fn name(&self, id: PathId) -> &str {
        &self.names[id.0 as usize]
    }

    /// The path as it is compared.
    pub fn folded(&self, id: PathId) -> &str {
        folded_of(&self.names, &self.folded, id.0 as usize)
    }

    /// All paths as first seen, in order of their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (PathId, &str)> {
        self.names.iter().enumerate().map(|(id, name)| (PathId(id as u32), &**name))
    }

    fn find(&self, hash: u64, folded: &str) -> Option<PathId> {
        let same = |&id: &u32| folded_of(&self.names, &self.folded, id as usize) == folded;
        self.index.find(hash, same).map(|&id| PathId(id))
    }
}

impl std::fmt::Debug for PathTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

/// Same paths with the same ids, shown alike.
impl PartialEq for PathTable {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

fn folded_of<'a>(names: &'a [Box<str>], folded: &'a [Option<Box<str>>], id: usize) -> &'a str {
    folded[id].as_deref().unwrap_or(&names[id])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_only_in_case_are_one_path_shown_as_first_seen() {
        let mut table = PathTable::new();
        let status = table.intern("HTTP.Status");
        assert_eq!(table.intern("http.STATUS"), status);
        assert_eq!(table.get("http.status"), Some(status));
        assert_eq!(table.name(status), "HTTP.Status");
        assert_eq!(table.folded(status), "http.status");
        let sigma = table.intern("Σ");
        assert_eq!(table.get("ς"), Some(sigma));
        assert_ne!(table.intern("ss"), table.intern("ß"));
        assert_eq!(table.get(""), None);
        assert_eq!(table.len(), 4);
    }

    #[test]
    fn ids_stay_through_growth_and_copies() {
        let mut table = PathTable::new();
        let ids: Vec<_> = (0..5000).map(|n| table.intern(&format!("Path{n}"))).collect();
        let copy = table.clone();
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(copy.get(&format!("pATH{n}")), Some(*id));
            assert_eq!(copy.name(*id), format!("Path{n}"));
        }
        assert_eq!(copy.iter().map(|(id, _)| id).collect::<Vec<_>>(), ids);
        assert_eq!(copy, table);
    }
}
