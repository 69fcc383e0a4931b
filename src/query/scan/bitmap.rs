//! Sets of rows of one group, or of entries of one column.

/// A set of numbers below a length.
///
/// **Invariant.** Bits at or above the length are 0.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Bitmap {
    words: Vec<u64>,
    len: u32,
}

impl Bitmap {
    /// The empty set.
    pub(crate) fn none(len: u32) -> Self {
        Self { words: vec![0; words_of(len)], len }
    }

    /// All numbers below `len`.
    pub(crate) fn all(len: u32) -> Self {
        let mut set = Self { words: vec![u64::MAX; words_of(len)], len };
        set.trim();
        set
    }

    /// The numbers for which `test` holds.
    pub(crate) fn from_fn(len: u32, mut test: impl FnMut(u32) -> bool) -> Self {
        let mut set = Self::none(len);
        for (index, word) in set.words.iter_mut().enumerate() {
            let base = index as u32 * 64;
            for bit in 0..(len - base).min(64) {
                *word |= u64::from(test(base + bit)) << bit;
            }
        }
        set
    }

    /// The numbers from `range`.
    pub(crate) fn from_range(len: u32, range: std::ops::Range<u32>) -> Self {
        let mut set = Self::none(len);
        set.insert_range(range);
        set
    }

    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn insert(&mut self, number: u32) {
        assert!(number < self.len, "a number beyond the set");
        self.words[(number / 64) as usize] |= 1 << (number % 64);
    }

    pub(crate) fn insert_range(&mut self, range: std::ops::Range<u32>) {
        assert!(range.end <= self.len, "a number beyond the set");
        let mut at = range.start;
        while at < range.end {
            if at.is_multiple_of(64) && range.end - at >= 64 {
                self.words[(at / 64) as usize] = u64::MAX;
                at += 64;
            } else {
                self.words[(at / 64) as usize] |= 1 << (at % 64);
                at += 1;
            }
        }
    }

    #[inline]
    pub(crate) fn contains(&self, number: u32) -> bool {
        self.words[(number / 64) as usize] >> (number % 64) & 1 == 1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    pub(crate) fn and(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "sets over different rows");
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    pub(crate) fn or(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "sets over different rows");
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Takes the members of `other` out.
    pub(crate) fn and_not(&mut self, other: &Self) {
        assert_eq!(self.len, other.len, "sets over different rows");
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// How many members are in `range`.
    pub(crate) fn count_in(&self, range: std::ops::Range<u32>) -> u64 {
        assert!(range.start <= range.end && range.end <= self.len, "a number beyond the set");
        if range.is_empty() {
            return 0;
        }
        let (first, last) = ((range.start / 64) as usize, ((range.end - 1) / 64) as usize);
        let from = u64::MAX << (range.start % 64);
        let to = u64::MAX >> (63 - (range.end - 1) % 64);
        let ones = |word: u64| u64::from(word.count_ones());
        if first == last {
            return ones(self.words[first] & from & to);
        }
        let between: u64 = self.words[first + 1..last].iter().map(|&word| ones(word)).sum();
        ones(self.words[first] & from) + between + ones(self.words[last] & to)
    }

    /// The smallest member that is not below `from`.
    pub(crate) fn first_from(&self, from: u32) -> Option<u32> {
        let mut index = (from / 64) as usize;
        let mut word = self.words.get(index)? & (u64::MAX << (from % 64));
        while word == 0 {
            index += 1;
            word = *self.words.get(index)?;
        }
        Some(index as u32 * 64 + word.trailing_zeros())
    }

    /// Its members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                Some(index as u32 * 64 + bit)
            })
        })
    }

    /// Its members, descending.
    pub(crate) fn iter_back(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().rev().flat_map(|(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = 63 - rest.leading_zeros();
                rest &= !(1 << bit);
                Some(index as u32 * 64 + bit)
            })
        })
    }

    fn trim(&mut self) {
        if !self.len.is_multiple_of(64)
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
    }
}

fn words_of(len: u32) -> usize {
    len.div_ceil(64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order_both_ways_and_nothing_lies_beyond_the_end() {
        for len in [0, 1, 63, 64, 65, 200] {
            let set = Bitmap::from_fn(len, |n| n % 3 == 0);
            let members: Vec<u32> = (0..len).filter(|n| n % 3 == 0).collect();
            assert_eq!(set.iter().collect::<Vec<_>>(), members);
            assert_eq!(set.iter_back().collect::<Vec<_>>(), members.iter().rev().copied().collect::<Vec<_>>());
            let mut rest = Bitmap::all(len);
            rest.and_not(&set);
            assert_eq!(rest.count() + set.count(), u64::from(len));
            rest.or(&set);
            assert_eq!(rest, Bitmap::all(len));
        }
    }

    #[test]
    fn counts_of_ranges_and_the_next_members_are_those_of_the_list() {
        let set = Bitmap::from_fn(200, |n| n % 7 == 3 || n > 130);
        for start in 0..=200 {
            assert_eq!(set.first_from(start), (start..200).find(|&n| set.contains(n)));
            for end in start..=200 {
                assert_eq!(set.count_in(start..end), (start..end).filter(|&n| set.contains(n)).count() as u64);
            }
        }
    }

    #[test]
    fn a_range_holds_its_start_and_not_its_end() {
        for (start, end) in [(0, 0), (0, 200), (1, 63), (60, 130), (64, 128), (199, 200)] {
            let set = Bitmap::from_range(200, start..end);
            assert_eq!(set, Bitmap::from_fn(200, |n| (start..end).contains(&n)));
        }
    }
}
