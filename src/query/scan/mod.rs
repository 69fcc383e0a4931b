//! Which rows of a group a query wants.
//!
//! **Promise.** Exactly the rows for which the expression holds (`language.md` rules 3 to 10), with
//! what is cheap asked first and nothing loaded that cannot matter.
//!
//! **Boundary.** Pure: sees row groups in memory, says what it needs loaded; no files, no threads.

pub(crate) mod bitmap;
mod cost;
pub(crate) mod eval;
pub(crate) mod filter;
mod needle;
pub(crate) mod raw;
mod templates;
pub(crate) mod text;
pub(crate) mod value_test;
pub(crate) mod view;
