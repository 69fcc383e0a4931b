//! From rows in memory to a block on disk.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::core::Core;
use super::manifest::{BlockEntry, BlockId, Digest, GroupSpan, Watermarks};
use super::mutant::Mutant;
use super::partition::Partition;
use super::snapshot::StoredBlock;

/// A block's bytes, and what the manifest says of them.
pub(crate) struct EncodedBlock {
    pub(crate) bytes: Bytes,
    /// Of `bytes`.
    pub(crate) sha256: Digest,
    pub(crate) rows: u64,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) raw_bytes: u64,
    /// Its row groups, if it has more than one.
    pub(crate) groups: Box<[GroupSpan]>,
}

/// Why a block is not on disk.
#[derive(Debug)]
pub(crate) enum WriteFailure {
    /// Nothing names it; the same rows may be tried again under another id.
    Failed(io::Error),
    /// The folder could not be synced: writing has stopped until the next start.
    Stopped(io::Error),
}

/// Writes a block; its bytes and its name are durable when this returns.
pub(crate) async fn write(
    core: &Core,
    partition: &Partition,
    block: EncodedBlock,
    upto: Watermarks,
) -> Result<Arc<StoredBlock>, WriteFailure> {
    let id = BlockId::draw(&*core.block_ids);
    let entry = BlockEntry {
        id,
        sha256: block.sha256,
        bytes: block.bytes.len() as u64,
        rows: block.rows,
        min_time: block.min_time,
        max_time: block.max_time,
        raw_bytes: block.raw_bytes,
        groups: block.groups,
        upto,
    };
    let disk = &core.host.disk;
    let path = partition.home.path(id);
    let temporary = path.with_extension("tmp");
    let linked = async {
        let file = disk.create_new(&temporary).await?;
        file.append(block.bytes).await?;
        if !core.settings.mutation.is(Mutant::BlockSync) {
            // DURABLE: the bytes before the name.
            file.sync().await?;
        }
        disk.link(&temporary, &path).await
    };
    let linked = linked.await;
    // Best effort: what is left ends in .tmp and goes at the next start.
    let _ = disk.remove_file(&temporary).await;
    linked.map_err(WriteFailure::Failed)?;
    if !core.settings.mutation.is(Mutant::BlockFolderSync) {
        disk.sync_dir(partition.home.folder()).await.map_err(|error| {
            core.stop_writing("a folder of blocks could not be synced", &error);
            WriteFailure::Stopped(error)
        })?;
    }
    Ok(Arc::new(StoredBlock::new(Arc::new(entry), Arc::clone(&partition.home))))
}
