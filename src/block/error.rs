//! What can be wrong with a block's bytes.

/// Why bytes could not be read as what they should be. The file is damaged or from another program;
/// reading it again changes nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BlockError {
    /// The bytes do not end like a block.
    #[error("this is not a block, or its end is missing")]
    NotABlock,
    /// A later version wrote it.
    #[error("the block has format {0}, which this version does not know; read it with a newer one")]
    Version(u16),
    /// A check failed.
    #[error("the block is damaged: {0}")]
    Damaged(&'static str),
}

/// A check that failed.
pub(super) fn damaged<T>(what: &'static str) -> Result<T, BlockError> {
    Err(BlockError::Damaged(what))
}

/// Whether a checksum fits. The test of what lies behind the checksums says that all do.
pub(super) fn is_sum<T: PartialEq>(computed: T, stored: T) -> bool {
    #[cfg(test)]
    if CHECKSUMS_IGNORED.get() {
        return true;
    }
    computed == stored
}

#[cfg(test)]
thread_local! {
    pub(super) static CHECKSUMS_IGNORED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}
