//! Which templates a set of texts has: first every text with its variables taken out is a key; then
//! keys that differ from each other in a word that varies become one.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// A text with its variables taken out, and how many texts it stands for.
pub(super) struct Key<'a> {
    pub(super) text: &'a [u8],
    pub(super) rows: u32,
}

/// The templates of a set of keys.
pub(super) struct Found {
    /// The template of each key; `None`: its texts are kept whole.
    pub(super) template_of: Vec<Option<u32>>,
    /// The templates, those of most texts first: texts with [`VARIABLE`] for each slot.
    pub(super) patterns: Vec<Vec<u8>>,
    /// How many slots each template has.
    pub(super) slots: Vec<u32>,
    /// Where in each key, if it has a template, the template's slots are.
    pub(super) places: Vec<Vec<Place>>,
}

/// Where in a key a slot of its template is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) start: u32,
    pub(super) end: u32,
    /// How many of the key's variables come before.
    pub(super) variables_before: u32,
    /// Whether the slot is a variable of the key; else it is a word that varies from key to key.
    pub(super) is_variable: bool,
}

/// Finds at most `templates_max` templates.
pub(super) fn patterns(keys: &[Key<'_>], templates_max: usize) -> Found {
    let words: Vec<Vec<(u32, u32)>> = keys.iter().map(|key| words_of(key.text)).collect();
    let mut alike: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
    for (number, key) in (0..).zip(keys) {
        alike.entry(skeleton(key.text, &words[number as usize])).or_default().push(number);
    }
    let mut finder = Finder { keys, words: &words, accepted: Vec::new() };
    for members in alike.into_values() {
        finder.divide(members, 0);
    }
    let mut accepted = finder.accepted;
    accepted.sort_by_key(|template| std::cmp::Reverse(template.rows));
    accepted.truncate(templates_max);
    let slots = accepted.iter().map(|template| template.positions.len() as u32).collect();
    let mut found = Found {
        template_of: vec![None; keys.len()],
        patterns: Vec::new(),
        slots,
        places: vec![Vec::new(); keys.len()],
    };
    for (number, Accepted { members, positions, pattern, .. }) in (0..).zip(accepted) {
        for key in members {
            found.template_of[key as usize] = Some(number);
            found.places[key as usize] = places(keys[key as usize].text, &words[key as usize], &positions);
        }
        found.patterns.push(pattern);
    }
    found
}

/// Where in a key the words at these positions are.
fn places(key: &[u8], words: &[(u32, u32)], positions: &[usize]) -> Vec<Place> {
    let (mut counted, mut variables_before) = (0, 0);
    let place = |&position: &usize| {
        let is_variable = |&(start, _): &(u32, u32)| key[start as usize] == VARIABLE;
        variables_before += words[counted..position].iter().filter(|word| is_variable(word)).count() as u32;
        counted = position;
        let (start, end) = words[position];
        Place { start, end, variables_before, is_variable: is_variable(&words[position]) }
    };
    positions.iter().map(place).collect()
}

struct Finder<'a> {
    keys: &'a [Key<'a>],
    /// Start and end of each key's words.
    words: &'a [Vec<(u32, u32)>],
    accepted: Vec<Accepted>,
}

/// A template that was found.
struct Accepted {
    members: Vec<u32>,
    rows: u32,
    /// Which words are slots.
    positions: Vec<usize>,
    pattern: Vec<u8>,
}

impl Finder<'_> {
    /// Makes templates of keys with equally many words and the same bytes between them.
    fn divide(&mut self, members: Vec<u32>, depth: usize) {
        let rows: u32 = members.iter().map(|&key| self.keys[key as usize].rows).sum();
        if rows < TEMPLATE_ROWS_MIN {
            return;
        }
        let varying = self.varying(&members);
        let Some(&(distinct, position)) = varying.iter().min() else {
            return self.accept(members, &[]);
        };
        let rows_each = rows / distinct;
        let divides = match varying.len() {
            // One word alone that varies is a variable, unless each of its values is a large template.
            1 => rows_each >= ALONE_ROWS_MIN,
            _ => rows_each >= DIVIDED_ROWS_MIN,
        };
        if divides && depth < DEPTH_MAX {
            return self.divide_by(&members, position, depth);
        }
        let words = self.words[members[0] as usize].len();
        if varying.len() == 1 || 2 * varying.len() <= words {
            self.accept(members, &varying);
        }
    }

    fn divide_by(&mut self, members: &[u32], position: usize, depth: usize) {
        let mut parts: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        for &key in members {
            parts.entry(self.word(key, position)).or_default().push(key);
        }
        let mut small = Vec::new();
        for part in parts.into_values().collect::<Vec<_>>() {
            let rows: u32 = part.iter().map(|&key| self.keys[key as usize].rows).sum();
            if rows < TEMPLATE_ROWS_MIN {
                small.extend(part);
            } else {
                self.divide(part, depth + 1);
            }
        }
        // Together they may still be one template.
        self.divide(small, DEPTH_MAX);
    }

    /// How many values each word has that has several, and its position.
    fn varying(&self, members: &[u32]) -> Vec<(u32, usize)> {
        let first = members[0];
        let positions = 0..self.words[first as usize].len();
        let varies = |&position: &usize| {
            let word = self.word(first, position);
            members.iter().any(|&key| self.word(key, position) != word)
        };
        let count = |position: usize| {
            let values: HashSet<&[u8], FixedState> = members.iter().map(|&key| self.word(key, position)).collect();
            (values.len() as u32, position)
        };
        positions.filter(varies).map(count).collect()
    }

    fn accept(&mut self, members: Vec<u32>, varying: &[(u32, usize)]) {
        let first = members[0];
        let (text, words) = (self.keys[first as usize].text, &self.words[first as usize]);
        let mut positions: Vec<usize> = varying.iter().map(|&(_, position)| position).collect();
        positions.extend((0..words.len()).filter(|&position| self.word(first, position) == [VARIABLE]));
        positions.sort_unstable();
        positions.dedup();
        let mut pattern = Vec::new();
        let mut at = 0;
        for &position in &positions {
            let (start, end) = words[position];
            pattern.extend_from_slice(&text[at..start as usize]);
            pattern.push(VARIABLE);
            at = end as usize;
        }
        pattern.extend_from_slice(&text[at..]);
        let rows = members.iter().map(|&key| self.keys[key as usize].rows).sum();
        self.accepted.push(Accepted { members, rows, positions, pattern });
    }

    fn word(&self, key: u32, position: usize) -> &[u8] {
        let (start, end) = self.words[key as usize][position];
        &self.keys[key as usize].text[start as usize..end as usize]
    }
}

/// The words of a key; a variable is one.
fn words_of(key: &[u8]) -> Vec<(u32, u32)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, &byte) in key.iter().enumerate() {
        let of_word = byte.is_ascii_alphanumeric() || !byte.is_ascii();
        if !of_word && let Some(start) = start.take() {
            words.push((start, at as u32));
        }
        if byte == VARIABLE {
            words.push((at as u32, at as u32 + 1));
        } else if of_word && start.is_none() {
            start = Some(at as u32);
        }
    }
    words.extend(start.map(|start| (start, key.len() as u32)));
    words
}

/// A key without its words.
fn skeleton(key: &[u8], words: &[(u32, u32)]) -> Vec<u8> {
    let mut skeleton = Vec::with_capacity(key.len());
    let mut at = 0;
    for &(start, end) in words {
        skeleton.extend_from_slice(&key[at..start as usize]);
        skeleton.push(VARIABLE);
        at = end as usize;
    }
    skeleton.extend_from_slice(&key[at..]);
    skeleton
}

/// Stands where a variable was. Texts that hold this byte are kept whole.
pub(super) const VARIABLE: u8 = 0;
/// A template of fewer texts costs more than it saves.
const TEMPLATE_ROWS_MIN: u32 = 16;
/// Texts that each part should have, about, when keys are divided by one of several words that vary.
const DIVIDED_ROWS_MIN: u32 = 64;
/// As above, by the only word that varies: then the other variables' values must be worth being apart.
const ALONE_ROWS_MIN: u32 = 2048;
/// How often keys are divided again.
const DEPTH_MAX: usize = 8;
