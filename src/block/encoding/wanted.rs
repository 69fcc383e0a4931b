//! Which items of a sequence are read: all of them, or those of the few rows that are shown.

/// Numbers of items, ascending. What is not wanted may be skipped, unread and unchecked.
#[derive(Clone, Copy, Debug)]
pub(in crate::block) struct Wanted<'a>(Option<&'a [u32]>);

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self::ALL
    }
}

impl<'a> Wanted<'a> {
    pub(in crate::block) const ALL: Self = Self(None);
    /// The sequence is passed over.
    pub(in crate::block) const NONE: Self = Self(Some(&[]));

    /// These items: ascending, each below the length of the sequence.
    pub(in crate::block) fn only(items: &'a [u32]) -> Self {
        Self(Some(items))
    }

    /// The items, unless they are all.
    pub(in crate::block) fn items(self) -> Option<&'a [u32]> {
        self.0
    }

    pub(in crate::block) fn is_none(self) -> bool {
        self.0.is_some_and(<[u32]>::is_empty)
    }

    /// All of a sequence that belongs to what is wanted, or nothing of it where nothing is.
    pub(in crate::block) fn all_or_none(self) -> Self {
        if self.is_none() { Self::NONE } else { Self::ALL }
    }

    /// How many are wanted of so many.
    pub(in crate::block) fn count_of(self, count: usize) -> usize {
        self.0.map_or(count, <[u32]>::len)
    }

    /// What is wanted of a sequence that was read as a whole.
    pub(in crate::block) fn of<T: Copy>(self, all: Vec<T>) -> Vec<T> {
        match self.0 {
            None => all,
            Some(items) => items.iter().map(|&item| all[item as usize]).collect(),
        }
    }
}
