//! A column as it grows value by value: a dictionary as long as that pays, plain texts from then on.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{Column, Texts, Values};

/// Collects the values of one column, in row order.
#[derive(Default)]
pub(super) struct ColumnBuilder {
    /// The row of each value; empty as long as value `i` belongs to row `i`.
    rows: Vec<u32>,
    /// How many values there are.
    count: u32,
    /// With a dictionary: the entry of each value.
    codes: Vec<u32>,
    /// With a dictionary its entries, without one the values.
    texts: Texts,
    index: HashTable<u32>,
    hasher: FixedState,
    plain: bool,
}

impl ColumnBuilder {
    /// Adds a value. Rows never fall.
    pub(super) fn push(&mut self, row: u32, text: &[u8]) {
        self.push_row(row);
        if self.plain {
            self.texts.push(text);
        } else {
            let code = self.code_of(text);
            self.codes.push(code);
            self.stop_if_it_does_not_pay();
        }
    }

    /// Whether a dictionary is still kept, so that [`ColumnBuilder::push_code`] may be called.
    pub(super) fn has_dictionary(&self) -> bool {
        !self.plain
    }

    /// Adds a value that says an entry of the dictionary.
    pub(super) fn push_code(&mut self, row: u32, code: u32) {
        self.push_row(row);
        self.codes.push(code);
        self.stop_if_it_does_not_pay();
    }

    /// The dictionary's entry for a text, made now if it is new.
    pub(super) fn code_of(&mut self, text: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(text);
        if let Some(&code) = self.index.find(hash, |&code| self.texts.get(code as usize) == text) {
            return code;
        }
        let code = self.texts.len() as u32;
        self.texts.push(text);
        let (texts, hasher) = (&self.texts, &self.hasher);
        self.index.insert_unique(hash, code, |&other| hasher.hash_one(texts.get(other as usize)));
        code
    }

    /// The column of a group of `rows` rows; `None` without a value.
    pub(super) fn finish(mut self, rows: u32) -> Option<Column> {
        if self.count == 0 {
            return None;
        }
        if !self.plain && !pays(self.texts.len(), self.codes.len()) {
            self.make_plain();
        }
        let every_row = self.rows.is_empty() && self.count == rows;
        if !every_row {
            self.spell_rows_out();
        }
        // The head keeps it for a while: the room that was left for growth goes back.
        self.codes.shrink_to_fit();
        self.texts.bytes.shrink_to_fit();
        self.texts.ends.shrink_to_fit();
        Some(Column {
            rows: (!every_row).then(|| self.rows.into()),
            codes: (!self.plain).then_some(self.codes),
            values: Values::Texts(self.texts),
        })
    }

    fn push_row(&mut self, row: u32) {
        if self.rows.is_empty() && row != self.count {
            self.spell_rows_out();
        }
        if !self.rows.is_empty() || row != self.count {
            self.rows.push(row);
        }
        self.count += 1;
    }

    fn spell_rows_out(&mut self) {
        if self.rows.is_empty() {
            self.rows.extend(0..self.count);
        }
    }

    fn stop_if_it_does_not_pay(&mut self) {
        let values = self.codes.len();
        if values >= TRIAL_VALUES && values.is_power_of_two() && !pays(self.texts.len(), values) {
            self.make_plain();
        }
    }

    fn make_plain(&mut self) {
        let mut plain = Texts::default();
        plain.ends.reserve(self.codes.len());
        for &code in &self.codes {
            plain.push(self.texts.get(code as usize));
        }
        self.texts = plain;
        self.codes = Vec::new();
        self.index = HashTable::new();
        self.plain = true;
    }
}

/// Whether a dictionary is worth its codes: values repeat at least once on average.
pub(super) fn pays(entries: usize, values: usize) -> bool {
    entries <= values / 2
}

/// Values after which a dictionary is first judged.
const TRIAL_VALUES: usize = 512;
