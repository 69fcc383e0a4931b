//! One field's values over one row group, as queries see them: in memory, typed where that gives the
//! exact text back.

use std::ops::Range;

/// The values of one field path over the rows of one group.
///
/// Value `i` belongs to row `rows[i]` and says `values[codes[i]]`. Both maps are left out where they
/// would be the identity. A row may have no value or several; its values stand side by side, in order.
///
/// **Invariants.** C1 `rows`, where present, never falls, and is as long as there are values. C2
/// without `rows` there is exactly one value a row. C3 each code is below `values.len()`. C4 with
/// `codes`, the entries of `values` differ from each other: grouping may work on codes. Without
/// `codes` equal texts may repeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The row of each value, ascending. `None`: value `i` belongs to row `i`.
    pub rows: Option<Vec<u32>>,
    /// The entry in `values` that each value says. `None`: value `i` says entry `i`.
    pub codes: Option<Vec<u32>>,
    /// The texts.
    pub values: Values,
}

/// Texts of a column, in the form that is cheapest to search and to store. Every form gives the exact
/// text of each entry back.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Any text.
    Texts(Texts),
    /// Whole numbers as `i64` prints them: no leading zeros, no `+`, no `-0`.
    Integers(Vec<i64>),
    /// Decimals with exactly `scale` digits after the point: `value / 10^scale`, `-0.…` excluded.
    Decimals {
        /// Scaled values.
        values: Vec<i64>,
        /// Digits after the point, 1 to 18.
        scale: u8,
    },
    /// Hexadecimal text of one even length, all lower or all upper case: `width` bytes an entry.
    Hex {
        /// All entries one after the other.
        bytes: Vec<u8>,
        /// Bytes an entry: half its number of digits.
        width: u16,
        /// Whether the digits above 9 are capitals.
        upper: bool,
    },
    /// IPv4 addresses in dotted decimal without leading zeros.
    Ipv4(Vec<u32>),
    /// A prefix, a whole number with exactly `digits` digits (leading zeros kept; 0: as `u64` prints
    /// it), a suffix: `u000022`, `node-07`, `12ms`.
    Affixed {
        /// What stands before every number.
        prefix: String,
        /// The numbers.
        values: Vec<u64>,
        /// Digits of each number, or 0 for no padding.
        digits: u8,
        /// What stands after every number.
        suffix: String,
    },
    /// Times in one textual form, as nanoseconds since 1970.
    Times {
        /// The times.
        values: Vec<i64>,
        /// How they are written.
        form: TimeForm,
    },
}

/// A textual form of a time that gives the exact bytes back.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TimeForm {
    /// Between date and time: `T` or a blank.
    pub separator: u8,
    /// Before the fraction: `.` or `,`; meaningless without a fraction.
    pub point: u8,
    /// Digits of the fraction, 0 to 9.
    pub fraction: u8,
    /// Whether a `Z` ends it; else nothing does.
    pub zulu: bool,
}

/// Texts one after the other in one buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// All texts, in order, nothing between them.
    pub bytes: Vec<u8>,
    /// Where each text ends in `bytes`; the first begins at 0.
    pub ends: Vec<u32>,
}

impl Texts {
    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where text `index` lies in `bytes`.
    pub fn range(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        start..self.ends[index] as usize
    }

    /// Text `index`. All texts of a column are UTF-8; `raw` lines need not be.
    pub fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.range(index)]
    }

    /// Adds a text at the end.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(u32::try_from(self.bytes.len()).expect("a column of one row group is below 4 GiB"));
    }
}
