//! Shapes: all bytes of a line but its values. A line is its shape filled with its values.

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::event::{LineKind, PathId, Spelling};

/// One piece of a shape.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ShapePart {
    /// Bytes that stand as they are: a range of [`ShapeTable::literals`].
    Literal(Range<u32>),
    /// The next value that the row has in this path's column, written in this spelling.
    Slot(PathId, Spelling),
}

/// What a line looks like around its values.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Shape {
    /// What lines of this shape were read as.
    pub kind: LineKind,
    /// Whether lines of this shape are stored as they were sent; then there are no parts.
    pub verbatim: bool,
    /// The pieces, in order.
    pub parts: Vec<ShapePart>,
    /// The field that is the message of lines of this shape: its first value in the row.
    pub message: Option<PathId>,
    /// The field that is the source of lines of this shape: its first value in the row.
    pub source: Option<PathId>,
}

impl Shape {
    /// How many values a row of this shape has in `path`, synthetic fields aside. Verbatim: 0, since
    /// the shape does not say.
    pub fn slots_of(&self, path: PathId) -> usize {
        self.parts.iter().filter(|part| matches!(part, ShapePart::Slot(own, _) if *own == path)).count()
    }

    /// The values in the order of their bytes.
    pub fn slots(&self) -> impl Iterator<Item = (PathId, Spelling)> {
        self.parts.iter().filter_map(|part| match part {
            ShapePart::Slot(path, spelling) => Some((*path, *spelling)),
            ShapePart::Literal(_) => None,
        })
    }
}

/// The shapes of one block or batch. Path ids are those of the table stored beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShapeTable {
    /// The shapes, by number.
    pub shapes: Vec<Shape>,
    /// The bytes of all literal parts.
    pub literals: Vec<u8>,
}

impl ShapeTable {
    /// The bytes of a literal part.
    pub fn literal(&self, range: &Range<u32>) -> &[u8] {
        &self.literals[range.start as usize..range.end as usize]
    }

    /// How many bytes the table takes in memory, about.
    pub fn memory_bytes(&self) -> usize {
        let parts: usize = self.shapes.iter().map(|shape| shape.parts.len()).sum();
        self.literals.len() + parts * size_of::<ShapePart>() + self.shapes.len() * size_of::<Shape>()
    }
}

/// Builds a [`ShapeTable`] in which each shape stands once.
#[derive(Default)]
pub(super) struct ShapeInterner {
    table: ShapeTable,
    index: HashTable<u32>,
    hasher: FixedState,
}

/// A part of a shape that may be new: its bytes lie elsewhere.
#[derive(Clone, Copy)]
pub(super) enum NewPart<'a> {
    Literal(&'a [u8]),
    Slot(PathId, Spelling),
}

/// A shape that may be new, without its parts.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub(super) struct ShapeHead {
    pub(super) kind: LineKind,
    pub(super) verbatim: bool,
    pub(super) message: Option<PathId>,
    pub(super) source: Option<PathId>,
}

impl ShapeInterner {
    /// The number of the shape of these parts, given to it now if it is new. `likely` is tried first.
    pub(super) fn intern<'a, P>(&mut self, head: ShapeHead, parts: P, likely: Option<u32>) -> u32
    where
        P: Iterator<Item = NewPart<'a>> + Clone,
    {
        if let Some(likely) = likely
            && is_shape(&self.table, likely, head, parts.clone())
        {
            return likely;
        }
        let hash = hash_parts(&self.hasher, head, parts.clone());
        let table = &self.table;
        if let Some(&found) = self.index.find(hash, |&other| is_shape(table, other, head, parts.clone())) {
            return found;
        }
        let number = u32::try_from(self.table.shapes.len()).expect("there are no more shapes than rows");
        let parts = parts.map(|part| self.table.add_part(part)).collect();
        let ShapeHead { kind, verbatim, message, source } = head;
        self.table.shapes.push(Shape { kind, verbatim, parts, message, source });
        let (table, hasher) = (&self.table, &self.hasher);
        self.index.insert_unique(hash, number, |&other| {
            let shape = &table.shapes[other as usize];
            hash_parts(hasher, head_of(shape), table.parts_of(shape))
        });
        number
    }

    pub(super) fn len(&self) -> u32 {
        self.table.shapes.len() as u32
    }

    pub(super) fn shape(&self, number: u32) -> &Shape {
        &self.table.shapes[number as usize]
    }

    pub(super) fn finish(self) -> ShapeTable {
        self.table
    }
}

impl ShapeTable {
    fn add_part(&mut self, part: NewPart<'_>) -> ShapePart {
        match part {
            NewPart::Slot(path, spelling) => ShapePart::Slot(path, spelling),
            NewPart::Literal(bytes) => {
                let start = self.literals.len() as u32;
                self.literals.extend_from_slice(bytes);
                ShapePart::Literal(start..u32::try_from(self.literals.len()).expect("a batch is below 4 GiB"))
            }
        }
    }

    /// The parts of one of its shapes, as one interns them elsewhere.
    pub(super) fn parts_of<'a>(&'a self, shape: &'a Shape) -> impl Iterator<Item = NewPart<'a>> + Clone {
        shape.parts.iter().map(|part| match part {
            ShapePart::Literal(range) => NewPart::Literal(self.literal(range)),
            ShapePart::Slot(path, spelling) => NewPart::Slot(*path, *spelling),
        })
    }
}

pub(super) fn head_of(shape: &Shape) -> ShapeHead {
    ShapeHead { kind: shape.kind, verbatim: shape.verbatim, message: shape.message, source: shape.source }
}

fn is_shape<'a>(
    table: &ShapeTable,
    number: u32,
    head: ShapeHead,
    mut parts: impl Iterator<Item = NewPart<'a>>,
) -> bool {
    let shape = &table.shapes[number as usize];
    if head_of(shape) != head {
        return false;
    }
    let fits = shape.parts.iter().all(|part| match (part, parts.next()) {
        (ShapePart::Literal(range), Some(NewPart::Literal(bytes))) => table.literal(range) == bytes,
        (ShapePart::Slot(path, spelling), Some(NewPart::Slot(own, own_spelling))) => {
            *path == own && *spelling == own_spelling
        }
        _ => false,
    });
    fits && parts.next().is_none()
}

fn hash_parts<'a>(hasher: &FixedState, head: ShapeHead, parts: impl Iterator<Item = NewPart<'a>>) -> u64 {
    let mut state = hasher.build_hasher();
    head.hash(&mut state);
    for part in parts {
        match part {
            NewPart::Literal(bytes) => state.write(bytes),
            NewPart::Slot(path, spelling) => state.write_u64(u64::from(path.0) << 8 | spelling as u64),
        }
    }
    state.finish()
}
