//! From query text to answer.
//!
//! **Promise.** An answer is exact, or says in its warnings where it is not. A query never panics,
//! whatever its text; its memory is bounded and its work can be cancelled.
//!
//! **Boundary.** `language` turns text into a tree and knows nothing of storage; `value` says when
//! two values are equal and which comes first, for everybody alike; each file of `stages` is one
//! pipeline stage.

pub mod language;
pub mod stages;
pub mod value;
