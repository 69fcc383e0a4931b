//! Lines like lines before: the bytes between their values are compared at once, not walked again.
//!
//! A line is its values and the bytes between them. If those bytes are the ones of an earlier line, and
//! each value is of the kind that stood there, then the line is valid, and its values belong to the same
//! paths and play the same parts: nothing of it has to be found out again. The lines seen so far form a
//! tree, so that lines share what they begin with.

use super::json::Walker;
use super::mapping::Parts;
use super::{Field, PathId, Spelling};

/// The lines seen so far.
pub(super) struct KnownLines {
    nodes: Vec<Node>,
    /// The bytes between values, of all nodes.
    literals: Vec<u8>,
    forms: Vec<Parts>,
}

/// What all lines of one form have in common.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// Its number: lines with the same number have the same bytes around values of the same fields.
    pub(super) number: u32,
    pub(super) parts: Parts,
}

/// Bytes, and what stands behind them. Children are what came behind that.
struct Node {
    start: u32,
    end: u32,
    then: Then,
    first_child: u32,
    sibling: u32,
    children: u32,
    /// The child that fitted last.
    likely: u32,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Then {
    /// A string, whose opening quote ends the bytes.
    Text(PathId),
    /// A number, `true` or `false`.
    Bare(PathId),
    /// The end of the line.
    End { form: u32 },
}

impl Default for KnownLines {
    fn default() -> Self {
        let then = Then::Bare(PathId(0));
        let root = Node { start: 0, end: 0, then, first_child: NONE, sibling: NONE, children: 0, likely: NONE };
        Self { nodes: vec![root], literals: Vec::new(), forms: Vec::new() }
    }
}

impl KnownLines {
    /// Reads a line whose form is known. `None`: it has to be walked, and the walker stands anywhere.
    pub(super) fn read(&mut self, walker: &mut Walker<'_, '_>) -> Option<Form> {
        if !walker.is_text() {
            return None;
        }
        let mut node = ROOT;
        loop {
            let child = self.child_that_fits(node, walker.rest())?;
            let Node { start, end, then, .. } = self.nodes[child as usize];
            self.nodes[node as usize].likely = child;
            walker.pass((end - start) as usize);
            match then {
                Then::Text(path) => walker.text_of(path)?,
                Then::Bare(path) => walker.bare_of(path)?,
                Then::End { form } => return Some(Form { number: form, parts: self.forms[form as usize] }),
            }
            node = child;
        }
    }

    /// Remembers the form of a line that was walked. `None` if that would pass a bound, or lines of this
    /// form differ in more than their values.
    pub(super) fn learn(&mut self, raw: &[u8], fields: &[Field<'_>], parts: Parts) -> Option<Form> {
        let mut node = ROOT;
        let mut at = 0;
        for field in fields {
            let then = match field.spelling? {
                Spelling::Bare => Then::Bare(field.path),
                Spelling::Json => Then::Text(field.path),
                _ => return None,
            };
            node = self.child(node, &raw[at..field.start as usize], then)?;
            at = field.end as usize;
        }
        let number = self.forms.len() as u32;
        let last = self.child(node, &raw[at..], Then::End { form: number })?;
        let Then::End { form } = self.nodes[last as usize].then else { return None };
        if form == number {
            self.forms.push(parts);
        }
        Some(Form { number: form, parts })
    }

    fn child_that_fits(&self, node: u32, rest: &[u8]) -> Option<u32> {
        let Node { likely, first_child, .. } = self.nodes[node as usize];
        if likely != NONE && self.fits(likely, rest) {
            return Some(likely);
        }
        self.siblings(first_child).find(|&child| child != likely && self.fits(child, rest))
    }

    fn siblings(&self, first: u32) -> impl Iterator<Item = u32> {
        let some = |node: u32| (node != NONE).then_some(node);
        std::iter::successors(some(first), move |&node| some(self.nodes[node as usize].sibling))
    }

    fn fits(&self, node: u32, rest: &[u8]) -> bool {
        let Node { start, end, then, .. } = self.nodes[node as usize];
        let literal = &self.literals[start as usize..end as usize];
        match then {
            Then::Text(_) => rest.starts_with(literal),
            Then::Bare(_) => {
                let is_bare = |byte: &u8| matches!(byte, b'-' | b'0'..=b'9' | b't' | b'f');
                rest.get(literal.len()).is_some_and(is_bare) && rest.starts_with(literal)
            }
            Then::End { .. } => rest == literal,
        }
    }

    /// The child with these bytes, made now if there is none.
    fn child(&mut self, node: u32, literal: &[u8], then: Then) -> Option<u32> {
        let first = self.nodes[node as usize].first_child;
        let same = |&child: &u32| {
            let child = &self.nodes[child as usize];
            let both_end = matches!((child.then, then), (Then::End { .. }, Then::End { .. }));
            (child.then == then || both_end) && self.literals[child.start as usize..child.end as usize] == *literal
        };
        if let Some(known) = self.siblings(first).find(same) {
            return Some(known);
        }
        let room = self.nodes[node as usize].children < CHILDREN_MAX
            && self.nodes.len() < NODES_MAX
            && self.literals.len() + literal.len() <= LITERAL_BYTES_MAX;
        if !room {
            return None;
        }
        let child = self.nodes.len() as u32;
        let start = self.literals.len() as u32;
        self.literals.extend_from_slice(literal);
        let end = self.literals.len() as u32;
        self.nodes.push(Node { start, end, then, first_child: NONE, sibling: first, children: 0, likely: NONE });
        let parent = &mut self.nodes[node as usize];
        parent.first_child = child;
        parent.children += 1;
        Some(child)
    }
}

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;
/// Most ways to go on that are remembered at one place: each costs a comparison.
const CHILDREN_MAX: u32 = 32;
/// Most places that are remembered, and bytes between values.
const NODES_MAX: usize = 1 << 13;
const LITERAL_BYTES_MAX: usize = 1 << 20;
