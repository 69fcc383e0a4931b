//! How the parts of a chunk are written as bytes. A chunk is a head, which says what is where, and a
//! body of streams. `FORMAT.md` has each layout.

mod clusters;
pub(super) mod given;
pub(super) mod ints;
pub(super) mod presence;
pub(super) mod stream;
pub(super) mod templates;
pub(super) mod texts;
pub(super) mod typing;
pub(super) mod values;
mod wanted;

pub(super) use stream::{ChunkIn, ChunkOut, Compressor, Pack};
pub(super) use wanted::Wanted;
