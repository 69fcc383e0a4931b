//! Where events live: the write-ahead log, the heads, the partitions with their manifests and blocks.
//!
//! **Promise.** What was acknowledged is durable and in every snapshot taken afterwards, once, until
//! retention removes it. Everything else follows from the boundaries in [`manifest`].
//!
//! **Boundary.** Knows no protocol and no query; reads log records back through a trait.

pub mod manifest;
pub mod snapshot;

pub use manifest::{BlockEntry, BlockId, Lost, Manifest, OriginKey, Watermarks};
pub use snapshot::{PartitionView, Snapshot, StoredBlock};
