//! Groups of rows and what is computed over them.
//!
//! **Promise.** As rules 12 to 14 say, exactly; where that is not possible the outcome says so.

pub(crate) mod accumulator;
pub(crate) mod buckets;
pub(crate) mod columns;
pub(crate) mod distinct;
pub(crate) mod merged;
pub(crate) mod numbers;
mod order;
pub(crate) mod reduce;
pub(crate) mod texts;
