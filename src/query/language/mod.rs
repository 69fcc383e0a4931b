//! The query language: text to tree and back.
//!
//! **Promise.** Any text gives a tree or an error that names its column, never a panic, in time and
//! memory proportional to its length. A tree printed and parsed again is the same tree.
//!
//! **Boundary.** Knows nothing of blocks, plans or engines.

pub mod aggregate;
pub(crate) mod arguments;
pub mod error;
pub(crate) mod lexer;
pub mod parser;
pub(crate) mod print;
pub mod regex;
pub mod scalar;
pub mod time_range;
pub mod tree;

pub use aggregate::{Aggregate, Function};
pub use error::{Hint, ParseError};
pub use parser::{Parsed, parse, parse_with_hints};
pub use scalar::{Program, Row, ScalarExpr};
pub use tree::{
    Bound, Cidr, Expr, FieldName, FieldTest, Member, Pattern, Piece, Predicate, Query, Span, SpanUnit, Words,
};
