//! Texts as templates with variables: in memory, as queries see them.
//!
//! Log texts repeat: most differ from many others only in some numbers, names and ids. A template is
//! what such texts have in common, its variables are columns of their own, typed as any other. A search
//! looks at the few templates and the variables that could match, and puts a text together only where
//! something spans both.

use super::{Texts, Values};

/// Texts, each of them a template whose gaps are filled with values.
///
/// **Invariants.** V1 `template_of` and `rank` are as long as there are entries, and each template number
/// is below `templates.len()`. V2 `rank[i]` is how many entries before `i` have the same template; a
/// template's `entries` are its entry numbers, ascending, so `entries[rank[i]] == i`. V3 a template has
/// one literal more than slots, and each of its slots as many values as the template has entries. V4
/// slots are never templated themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Templated {
    /// The templates, by number.
    pub templates: Vec<Template>,
    /// The template of each entry.
    pub template_of: Vec<u32>,
    /// Which of its template's entries each entry is.
    pub rank: Vec<u32>,
}

/// What some texts have in common, and what each of them has for itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// The text before, between and after the slots. Pieces may be empty.
    pub literals: Texts,
    /// The gaps.
    pub slots: Vec<Slot>,
    /// The entries that have this template, ascending.
    pub entries: Vec<u32>,
}

/// The values of one gap, one for each entry of the template, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// The entry in `values` of each value. `None`: value `i` says entry `i`.
    pub codes: Option<Vec<u32>>,
    /// The texts; with `codes` they differ from each other.
    pub values: Values,
}

impl Slot {
    /// The entry of `values` that the template's entry number `rank` says.
    #[inline]
    pub fn entry_of(&self, rank: usize) -> usize {
        match &self.codes {
            Some(codes) => codes[rank] as usize,
            None => rank,
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.codes.as_ref().map_or_else(|| self.values.len(), Vec::len)
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn memory_bytes(&self) -> usize {
        self.values.memory_bytes() + 4 * self.codes.as_ref().map_or(0, Vec::len)
    }
}

impl Template {
    /// Adds the text of this template's entry number `rank` to `out`.
    pub fn write_text(&self, rank: usize, out: &mut Vec<u8>) {
        for (at, slot) in self.slots.iter().enumerate() {
            out.extend_from_slice(self.literals.get(at));
            slot.values.write_text(slot.entry_of(rank), out);
        }
        out.extend_from_slice(self.literals.get(self.slots.len()));
    }
}

impl Templated {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.template_of.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.template_of.is_empty()
    }

    /// Adds the text of entry `i` to `out`.
    pub fn write_text(&self, i: usize, out: &mut Vec<u8>) {
        self.templates[self.template_of[i] as usize].write_text(self.rank[i] as usize, out);
    }

    /// Bytes taken in memory, about.
    pub fn memory_bytes(&self) -> usize {
        let of_template = |template: &Template| {
            let slots: usize = template.slots.iter().map(Slot::memory_bytes).sum();
            slots + template.literals.bytes.len() + 4 * template.entries.len() + size_of::<Template>()
        };
        8 * self.template_of.len() + self.templates.iter().map(of_template).sum::<usize>()
    }

    /// Asserts all invariants.
    pub fn check(&self) {
        assert_eq!(self.rank.len(), self.template_of.len(), "V1");
        let entries: usize = self.templates.iter().map(|template| template.entries.len()).sum();
        assert_eq!(entries, self.len(), "V2");
        for (i, (&template, &rank)) in self.template_of.iter().zip(&self.rank).enumerate() {
            assert_eq!(self.templates[template as usize].entries[rank as usize] as usize, i, "V2");
        }
        for template in &self.templates {
            assert_eq!(template.literals.len(), template.slots.len() + 1, "V3");
            for slot in &template.slots {
                assert_eq!(slot.len(), template.entries.len(), "V3");
                assert!(!matches!(slot.values, Values::Templated(_)), "V4");
                assert!(slot.codes.iter().flatten().all(|&code| (code as usize) < slot.values.len()), "V3");
            }
        }
    }
}
