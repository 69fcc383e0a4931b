//! Sets of texts, kept one after the other.

use std::hash::BuildHasher;

use hashbrown::HashTable;

/// Distinct texts, numbered in order of first sight. Costs the text and about ten bytes each.
#[derive(Clone, Default)]
pub(crate) struct TextSet {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    index: HashTable<u32>,
    hasher: foldhash::fast::FixedState,
}

impl TextSet {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The number of a text, given to it now if it is new.
    pub(crate) fn intern(&mut self, text: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(text);
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        if let Some(&found) = self.index.find(hash, |&other| text_of(bytes, ends, other) == text) {
            return found;
        }
        let number = u32::try_from(ends.len()).expect("memory ends before 2^32 texts do");
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.index.insert_unique(hash, number, |&other| hasher.hash_one(text_of(bytes, ends, other)));
        number
    }

    /// The number of a text that is there.
    pub(crate) fn find(&self, text: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        self.index.find(hash, |&other| text_of(&self.bytes, &self.ends, other) == text).copied()
    }

    /// The text of a number.
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        text_of(&self.bytes, &self.ends, number)
    }

    /// All texts in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).map(|number| self.get(number))
    }

    /// Bytes that it holds, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 8 + self.index.capacity() * 5
    }
}

fn text_of<'a>(bytes: &'a [u8], ends: &[usize], number: u32) -> &'a [u8] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[start..ends[number]]
}

impl std::fmt::Debug for TextSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(String::from_utf8_lossy)).finish()
    }
}
