//! Rows to the bytes of a block: from the head, and from blocks that are merged.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::blocks::EncodedBlock;
use super::core::Core;
use super::manifest::{Digest, GroupSpan};
use super::snapshot::StoredBlock;
use crate::block::group::ROW_GROUP_ROWS_MAX;
use crate::block::{
    BlockError, BlockWriter, ChunkKey, ChunkRef, Footer, GroupInfo, Merged, Merger, RowGroup, WriterOptions,
};
use crate::crypto;
use crate::event::EventId;
use crate::host::Cost;

/// One block of all rows of these batches. CPU-bound: some 3 s per GiB as sent.
pub(crate) fn fresh(batches: Vec<Arc<RowGroup>>, raw_bytes: u64, options: WriterOptions) -> EncodedBlock {
    let mut writer = BlockWriter::new(options);
    let mut merger = Merger::new(batches.len(), ROW_GROUP_ROWS_MAX);
    let mut batches: Vec<_> = batches.into_iter().map(Some).collect();
    loop {
        match merger.next() {
            Merged::Wants(run) => merger.feed(run, batches[run].take().map(|batch| (batch, None))),
            Merged::Group(group) => writer.push_group(&group),
            Merged::Done => return finish(writer, raw_bytes),
        }
    }
}

/// One block of all rows of these blocks; `None` if the engine is to stop meanwhile. Holds one decoded
/// row group of each input at a time.
///
/// # Errors
/// If an input cannot be read.
pub(crate) async fn merged(core: &Core, inputs: &[Arc<StoredBlock>]) -> io::Result<Option<EncodedBlock>> {
    filtered(core, inputs, None).await
}

/// Which events of a block to keep.
pub(crate) type Keep = Arc<dyn Fn(EventId) -> bool + Send + Sync>;

/// As [`merged`], of those rows only that `keep` takes.
///
/// # Errors
/// If an input cannot be read.
pub(crate) async fn filtered(
    core: &Core,
    inputs: &[Arc<StoredBlock>],
    keep: Option<Keep>,
) -> io::Result<Option<EncodedBlock>> {
    let all_raw_bytes: u64 = inputs.iter().map(|block| block.entry.raw_bytes).sum();
    let all_rows: u64 = inputs.iter().map(|block| block.entry.rows).sum();
    let mut rows_in = 0u64;
    let mut footers = Vec::with_capacity(inputs.len());
    for input in inputs {
        footers.push(input.footer().await?);
    }
    let mut next_group = vec![0; inputs.len()];
    let mut merger = Merger::new(inputs.len(), ROW_GROUP_ROWS_MAX);
    let mut writer = BlockWriter::new(options_for(core, all_raw_bytes));
    loop {
        // The merger goes to a CPU worker and comes back with what it wants next.
        let step = core.host.cpu.run(Cost::bytes(GROUP_COST_BYTES), move || match merger.next() {
            Merged::Group(group) => {
                writer.push_group(&group);
                (merger, writer, Step::Go)
            }
            Merged::Wants(run) => (merger, writer, Step::Wants(run)),
            Merged::Done => (merger, writer, Step::Done),
        });
        let wanted;
        (merger, writer, wanted) = step.await;
        match wanted {
            Step::Go if core.is_stopping() => return Ok(None),
            Step::Go => {}
            Step::Done => break,
            Step::Wants(run) => {
                let group = next_group[run];
                next_group[run] += 1;
                let decoded = if group < footers[run].groups.len() {
                    let group = Arc::new(read_group(core, &inputs[run], &footers[run], group).await?);
                    let rows = keep.as_ref().map(|keep| kept_rows(&group, keep));
                    rows_in += rows.as_ref().map_or(u64::from(group.rows), |rows| rows.len() as u64);
                    Some((group, rows))
                } else {
                    None
                };
                merger.feed(run, decoded);
            }
        }
    }
    let bytes = writer.len();
    // What a part of the rows was sent as is not known: as much as their share of all.
    let raw_bytes = match keep {
        None => all_raw_bytes,
        Some(_) => u64::try_from(u128::from(all_raw_bytes) * u128::from(rows_in) / u128::from(all_rows.max(1)))
            .unwrap_or(all_raw_bytes),
    };
    Ok(Some(core.host.cpu.run(Cost::bytes(bytes), move || finish(writer, raw_bytes)).await))
}

/// The rows of a group whose events are kept, ascending.
fn kept_rows(group: &RowGroup, keep: &Keep) -> Vec<u32> {
    (0..group.rows).filter(|&row| keep(group.id(row))).collect()
}

/// How a block of so many bytes as sent is written now.
pub(crate) fn options_for(core: &Core, raw_bytes: u64) -> WriterOptions {
    let dense = core.dense.take(raw_bytes, core.host.clock.monotonic());
    WriterOptions { dense, ..WriterOptions::STANDARD }
}

/// What a merge does next.
enum Step {
    Go,
    Wants(usize),
    Done,
}

fn finish(mut writer: BlockWriter, raw_bytes: u64) -> EncodedBlock {
    let mut bytes = writer.take_bytes();
    let (rest, summary) = writer.finish();
    bytes.extend_from_slice(&rest);
    let footer = Footer::of_block(&bytes).expect("what was just written can be read");
    let span = |info: &GroupInfo| GroupSpan { rows: info.rows, min_time: info.time_min, max_time: info.time_max };
    let groups = if footer.groups.len() > 1 { footer.groups.iter().map(span).collect() } else { Box::default() };
    EncodedBlock {
        sha256: Digest(crypto::sha256(&bytes)),
        rows: summary.rows,
        min_time: summary.time_min.unwrap_or(0),
        max_time: summary.time_max.unwrap_or(0),
        bytes: Bytes::from(bytes),
        raw_bytes,
        groups,
    }
}

/// Decodes one row group.
///
/// # Errors
/// If it cannot be read.
pub(crate) async fn read_group(
    core: &Core,
    block: &StoredBlock,
    footer: &Arc<Footer>,
    group: usize,
) -> io::Result<RowGroup> {
    let range = range_of_group(&footer.groups[group]);
    let len = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let bytes = block.read(range.start, len).await?;
    let footer = Arc::clone(footer);
    let decode = move || {
        footer.decode_group(group, |chunk: ChunkRef| {
            let start = usize::try_from(chunk.offset - range.start).unwrap_or(usize::MAX);
            let end = start.saturating_add(chunk.len as usize);
            bytes.get(start..end).map(Cow::Borrowed).ok_or(BlockError::Damaged("bytes are missing"))
        })
    };
    core.host.cpu.run(Cost::bytes(len as u64), decode).await.map_err(io::Error::other)
}

/// The bytes that hold all rows of a group; its filters may lie outside.
fn range_of_group(group: &GroupInfo) -> Range<u64> {
    let keys = [ChunkKey::Times, ChunkKey::Ids, ChunkKey::Shapes, ChunkKey::Verbatim];
    let columns = group.columns.iter().map(|column| ChunkKey::Column(column.path));
    let chunks = keys.into_iter().chain(columns).filter_map(|key| group.chunk(key));
    let (start, end) = chunks.fold((u64::MAX, 0), |(start, end), chunk| {
        (start.min(chunk.offset), end.max(chunk.offset.saturating_add(u64::from(chunk.len))))
    });
    start.min(end)..end
}

/// What merging one row group costs, about, in bytes that are touched.
const GROUP_COST_BYTES: u64 = 16 << 20;
