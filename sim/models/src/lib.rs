//! The room `sync`, built once more from the same file, with loom's locks instead of the standard library's.

#[path = "../../../src/sync/mod.rs"]
pub mod sync;
