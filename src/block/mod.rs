//! The `.hb` format: events of one partition, column by column, written once and never changed.
//!
//! **Promise.** What goes in comes out: every `raw` byte for byte, every value's exact text, every
//! time and id. The reader treats each byte as hostile: damage gives an error, never a panic, and
//! memory is bounded by what the footer's checked lengths say. `FORMAT.md` beside this file is the
//! format, exactly.
//!
//! **Boundary.** Bytes in, columns out: no files, no clock, no threads. Whoever holds the file reads
//! the ranges that the footer names.

pub mod builder;
pub mod column;
mod column_builder;
mod encoding;
pub mod error;
pub mod filter;
pub mod footer;
mod forms;
pub mod fuzz;
mod gather;
pub mod group;
pub mod inspect;
pub mod merge;
mod plain;
#[cfg(test)]
pub(crate) mod random;
pub mod raw;
pub mod reader;
pub mod shape;
mod skeleton;
mod split;
pub mod templated;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod time_form;
pub mod time_pattern;
mod wire;
pub mod writer;

pub use builder::{GroupBuilder, RowMeta};
pub use column::{Column, Texts, Values};
pub use encoding::presence::RowsByShape;
pub use error::BlockError;
pub use filter::FilterReader;
pub use footer::{ChunkKey, ChunkRef, ColumnInfo, Footer, Form, GroupInfo};
pub use group::RowGroup;
pub use merge::{Merged, Merger, merge_all};
pub use raw::RawCursor;
pub use reader::{Context, Ids, OpenPools};
pub use shape::{Shape, ShapePart, ShapeTable};
pub use templated::{Slot, Template, Templated};
pub use time_pattern::{TimePart, TimePattern, TimePiece};
pub use writer::{BlockSummary, BlockWriter, WriterOptions};
