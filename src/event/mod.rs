//! What an event is: its identity, its line as parsed, field paths, timestamps, the order of fields.
//!
//! **Promise.** Pure functions over bytes: a hostile line gives an error or a faithful event, never a
//! panic, and costs memory in proportion to its length. The same line with the same options gives
//! the same event for ever.
//!
//! **Boundary.** Uses nothing of the house; no clock, no files.

pub mod fold;
pub mod id;
pub mod json;
pub mod keys;
mod known;
pub mod line;
pub mod mapping;
pub mod parser;
pub mod partition;
pub mod path;
pub mod spelling;
pub mod time;

pub use id::{EventId, Origin, Sequence};
pub use json::LineError;
pub use line::{Field, Line, LineKind, Spelling};
pub use parser::LineParser;
pub use partition::PartitionKey;
pub use path::{PathId, PathTable};
