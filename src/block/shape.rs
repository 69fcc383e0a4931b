//! Shapes: all bytes of a line but its values. A line is its shape filled with its values.

use std::ops::Range;

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

/// The shapes of one block or batch. Path ids are those of the table stored beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShapeTable {
    /// The shapes, by number.
    pub shapes: Vec<Shape>,
    /// The bytes of all literal parts.
    pub literals: Vec<u8>,
}
