//! The commands of `helios`.
//!
//! **Promise.** Every command says what it will do in `--help`, with examples; its errors are one line
//! that says what to do; its exit code is documented. Output is a table on a terminal, NDJSON in a pipe.
//!
//! **Boundary.** The last room: it may use all others, and nothing uses it.

pub mod client;
pub mod settings;
