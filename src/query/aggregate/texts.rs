//! Sets of texts, kept one after the other.

use std::hash::BuildHasher;

use hashbrown::HashTable;

/// Distinct texts, numbered in order of first sight. Costs the text and about twenty bytes each.
///
/// Each text is hashed once, however often sets are merged: the hash is kept, and it is the same in
/// every set of this process.
#[derive(Clone, Default)]
pub(crate) struct TextSet {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    hashes: Vec<u32>,
    index: HashTable<u32>,
}

/// The hash of a text, in all sets alike.
#[inline]
pub(crate) fn hash_of(text: &[u8]) -> u32 {
    (foldhash::fast::FixedState::default().hash_one(text) >> 32) as u32
}

/// A hash with its bits where the table looks for them: at both ends.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl TextSet {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The number of a text, given to it now if it is new.
    #[inline]
    pub(crate) fn intern(&mut self, text: &[u8]) -> u32 {
        self.intern_hashed(hash_of(text), text)
    }

    /// As [`TextSet::intern`], where the hash is known.
    #[inline]
    pub(crate) fn intern_hashed(&mut self, hash: u32, text: &[u8]) -> u32 {
        if let Some(found) = self.find_hashed(hash, text) {
            return found;
        }
        let number = self.append_hashed(hash, text);
        let hashes = &self.hashes;
        self.index.insert_unique(spread(hash), number, |&other| spread(hashes[other as usize]));
        number
    }

    /// Makes room for texts of [`TextSet::append_with`].
    pub(crate) fn reserve(&mut self, texts: usize) {
        self.ends.reserve(texts);
        self.hashes.reserve(texts);
    }

    /// Adds a text without looking whether it is there: such a set only hands its texts on, and finds
    /// none.
    pub(crate) fn append_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.hashes.push(hash_of(&self.bytes[start..]));
        self.ends.push(self.bytes.len());
    }

    fn append_hashed(&mut self, hash: u32, text: &[u8]) -> u32 {
        let number = u32::try_from(self.ends.len()).expect("memory ends before 2^32 texts do");
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
        number
    }

    /// As [`TextSet::find`], where the hash is known.
    pub(crate) fn find_hashed(&self, hash: u32, text: &[u8]) -> Option<u32> {
        // The table has compared a part of the hash: nearly always the text is the one, and another look at
        // the hashes would be one more miss of the processor's cache.
        let same = |&other: &u32| self.get(other) == text;
        self.index.find(spread(hash), same).copied()
    }

    /// The number of a text that is there.
    pub(crate) fn find(&self, text: &[u8]) -> Option<u32> {
        self.find_hashed(hash_of(text), text)
    }

    /// The text of a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[start..self.ends[number]]
    }

    /// The hash of the text of a number.
    #[inline]
    pub(crate) fn hash(&self, number: u32) -> u32 {
        self.hashes[number as usize]
    }

    /// All texts in order of their numbers, with their hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..self.len() as u32).map(|number| (self.hash(number), self.get(number)))
    }

    /// Gives back memory that was taken ahead: for a set that stays.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.hashes.shrink_to_fit();
    }

    /// Bytes that it holds, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 8 + self.hashes.capacity() * 4 + self.index.capacity() * 6
    }
}

impl std::fmt::Debug for TextSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|(_, text)| String::from_utf8_lossy(text))).finish()
    }
}
