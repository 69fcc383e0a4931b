//! One field's values over one row group, as queries see them: in memory, typed where that gives the
//! exact text back.

use std::ops::Range;
use std::sync::Arc;

use super::gather::{number, with_numbers};
use super::{Templated, TimePattern, time_form};

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
    pub rows: Option<Arc<[u32]>>,
    /// The entry in `values` that each value says. `None`: value `i` says entry `i`.
    pub codes: Option<Vec<u32>>,
    /// The texts.
    pub values: Values,
}

impl Column {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match (&self.rows, &self.codes) {
            (Some(rows), _) => rows.len(),
            (None, Some(codes)) => codes.len(),
            (None, None) => self.values.len(),
        }
    }

    /// Whether there is no value. A group leaves such a column out.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row of value `i`.
    #[inline]
    pub fn row_of(&self, i: usize) -> u32 {
        match &self.rows {
            Some(rows) => rows[i],
            None => i as u32,
        }
    }

    /// The entry of `values` that value `i` says.
    #[inline]
    pub fn entry_of(&self, i: usize) -> usize {
        match &self.codes {
            Some(codes) => codes[i] as usize,
            None => i,
        }
    }

    /// Which values belong to `row`. Costs a binary search where not each row has one value.
    pub fn values_of_row(&self, row: u32) -> Range<usize> {
        match &self.rows {
            Some(rows) => {
                let start = rows.partition_point(|&other| other < row);
                let many = rows[start..].iter().take_while(|&&other| other == row).count();
                start..start + many
            }
            None if (row as usize) < self.len() => row as usize..row as usize + 1,
            None => 0..0,
        }
    }

    /// The text of value `i`; `scratch` is overwritten if the text must be made.
    pub fn text<'a>(&'a self, i: usize, scratch: &'a mut Vec<u8>) -> &'a str {
        self.values.text(self.entry_of(i), scratch)
    }

    /// How many bytes it takes in memory, about. Rows may be shared with other columns.
    pub fn memory_bytes(&self) -> usize {
        let rows = self.rows.as_ref().map_or(0, |rows| rows.len());
        let codes = self.codes.as_ref().map_or(0, Vec::len);
        4 * (rows + codes) + self.values.memory_bytes()
    }

    /// Asserts C1 to C3, and that the rows are below `rows`. C4 is asserted in tests only: it costs a
    /// hash of every entry.
    pub fn check(&self, rows: u32) {
        match (&self.rows, &self.codes) {
            (Some(own), Some(codes)) => assert_eq!(own.len(), codes.len(), "C1"),
            (Some(own), None) => assert_eq!(own.len(), self.values.len(), "C1"),
            (None, _) => assert_eq!(self.len(), rows as usize, "C2"),
        }
        if let Some(own) = &self.rows {
            assert!(own.is_sorted(), "C1");
            assert!(own.last().is_none_or(|&last| last < rows), "C1");
        }
        if let Some(codes) = &self.codes {
            let entries = self.values.len();
            assert!(codes.iter().all(|&code| (code as usize) < entries), "C3");
            #[cfg(test)]
            self.check_that_entries_differ();
        }
    }

    #[cfg(test)]
    fn check_that_entries_differ(&self) {
        let mut scratch = Vec::new();
        let text = |entry| self.values.text(entry, &mut scratch).to_owned();
        let texts: std::collections::BTreeSet<String> = (0..self.values.len()).map(text).collect();
        assert_eq!(texts.len(), self.values.len(), "C4");
    }
}

/// Texts of a column, in the form that is cheapest to search and to store. Every form gives the exact
/// text of each entry back.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Any text.
    Texts(Texts),
    /// Whole numbers as `i64` prints them: no leading zeros, no `+`, no `-0`.
    Integers(Vec<i64>),
    /// Decimals with exactly `scale` digits after the point: `value / 10^scale`, zero never negative.
    Decimals {
        /// Scaled values.
        values: Vec<i64>,
        /// Digits after the point, 1 to 18.
        scale: u8,
    },
    /// Hexadecimal text of one even length, all lower or all upper case: `width` bytes an entry. Without
    /// hyphens, or with those of a UUID.
    Hex {
        /// All entries one after the other.
        bytes: Vec<u8>,
        /// Bytes an entry: half its number of digits.
        width: u16,
        /// Whether the digits above 9 are capitals.
        upper: bool,
        /// Whether hyphens stand behind digits 8, 12, 16 and 20: then `width` is 16.
        hyphens: bool,
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
    /// Any text, as templates with variables.
    Templated(Templated),
    /// Times inside longer texts: only a template's variables have this form.
    TimeTexts {
        /// The time of each entry's row, nanoseconds since 1970.
        times: Vec<i64>,
        /// What is written of it, and how.
        pattern: TimePattern,
    },
}

impl Values {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Integers(values) | Self::Decimals { values, .. } | Self::Times { values, .. } => values.len(),
            Self::Hex { bytes, width, .. } => bytes.len() / usize::from(*width),
            Self::Ipv4(values) => values.len(),
            Self::Affixed { values, .. } => values.len(),
            Self::Templated(texts) => texts.len(),
            Self::TimeTexts { times, .. } => times.len(),
        }
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of entry `i`. `scratch` is overwritten unless the text lies ready.
    pub fn text<'a>(&'a self, i: usize, scratch: &'a mut Vec<u8>) -> &'a str {
        let bytes = self.text_bytes(i, scratch);
        std::str::from_utf8(bytes).expect("the texts of a column are UTF-8: the parser or the reader has looked")
    }

    /// As [`Values::text`], as bytes: without the cost of looking at each.
    pub fn text_bytes<'a>(&'a self, i: usize, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        match self {
            Self::Texts(texts) => texts.get(i),
            _ => {
                scratch.clear();
                self.write_text(i, scratch);
                scratch
            }
        }
    }

    /// Adds the text of entry `i` to `out`.
    pub fn write_text(&self, i: usize, out: &mut Vec<u8>) {
        match self {
            Self::Texts(texts) => out.extend_from_slice(texts.get(i)),
            Self::Integers(values) => {
                if values[i] < 0 {
                    out.push(b'-');
                }
                write_padded(values[i].unsigned_abs(), 0, out);
            }
            Self::Decimals { values, scale } => write_decimal(values[i], *scale, out),
            Self::Hex { bytes, width, upper, hyphens } => {
                let width = usize::from(*width);
                let bytes = &bytes[i * width..(i + 1) * width];
                let mut written = 0;
                for end in UUID_HYPHENS.into_iter().filter(|_| *hyphens) {
                    write_hex(&bytes[written..end], *upper, out);
                    out.push(b'-');
                    written = end;
                }
                write_hex(&bytes[written..], *upper, out);
            }
            Self::Ipv4(values) => {
                for (place, byte) in values[i].to_be_bytes().into_iter().enumerate() {
                    if place > 0 {
                        out.push(b'.');
                    }
                    write_padded(u64::from(byte), 0, out);
                }
            }
            Self::Affixed { prefix, values, digits, suffix } => {
                out.extend_from_slice(prefix.as_bytes());
                write_padded(values[i], *digits, out);
                out.extend_from_slice(suffix.as_bytes());
            }
            Self::Times { values, form } => time_form::write(values[i], *form, out),
            Self::Templated(texts) => texts.write_text(i, out),
            Self::TimeTexts { times, pattern } => pattern.write(times[i], out),
        }
    }

    /// These entries, in this order; `None` if they take more than so many bytes.
    pub(super) fn pick(&self, entries: &[u32], bytes_max: usize) -> Option<Self> {
        Some(match self {
            Self::Hex { bytes, width, upper, hyphens } => {
                let size = usize::from(*width);
                if size.saturating_mul(entries.len()) > bytes_max {
                    return None;
                }
                let of = |&entry: &u32| &bytes[entry as usize * size..][..size];
                let bytes = entries.iter().flat_map(|entry| of(entry).iter().copied()).collect();
                Self::Hex { bytes, width: *width, upper: *upper, hyphens: *hyphens }
            }
            Self::Texts(_) | Self::Templated(_) | Self::TimeTexts { .. } => {
                let mut own = Texts::default();
                for &entry in entries {
                    self.write_text(entry as usize, &mut own.bytes);
                    if own.bytes.len() > bytes_max {
                        return None;
                    }
                    own.close();
                }
                Self::Texts(own)
            }
            _ => with_numbers(self, entries.iter().map(|&entry| number(self, entry as usize)).collect()),
        })
    }

    /// How many bytes the entries take in memory, about.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.bytes.len() + 4 * texts.ends.len(),
            Self::Hex { bytes, .. } => bytes.len(),
            Self::Ipv4(values) => 4 * values.len(),
            Self::Templated(texts) => texts.memory_bytes(),
            _ => 8 * self.len(),
        }
    }
}

/// Bytes of a UUID before each of its hyphens.
pub(super) const UUID_HYPHENS: [usize; 4] = [4, 6, 8, 10];

fn write_decimal(value: i64, scale: u8, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let unit = 10u64.pow(u32::from(scale));
    let magnitude = value.unsigned_abs();
    write_padded(magnitude / unit, 0, out);
    out.push(b'.');
    write_padded(magnitude % unit, scale, out);
}

fn write_hex(bytes: &[u8], upper: bool, out: &mut Vec<u8>) {
    let digits = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    for byte in bytes {
        out.push(digits[usize::from(byte >> 4)]);
        out.push(digits[usize::from(byte & 15)]);
    }
}

/// Writes a number with at least `digits` digits.
pub(super) fn write_padded(value: u64, digits: u8, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    let mut rest = value;
    while rest > 0 || at == buffer.len() {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let padded = buffer.len().saturating_sub(usize::from(digits));
    out.extend_from_slice(&buffer[at.min(padded)..]);
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

    /// All texts, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Adds a text at the end.
    pub fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.close();
    }

    /// Ends a text whose bytes were added to `bytes` one by one.
    pub(super) fn close(&mut self) {
        self.ends.push(u32::try_from(self.bytes.len()).expect("a column of one row group is below 4 GiB"));
    }
}
