//! Merging neighbouring blocks of a tail into larger ones.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use super::blocks;
use super::core::Core;
use super::encode;
use super::manifest::{BlockEntry, BlockId};
use super::mutant::Mutant;
use super::partition::Partition;
use super::publish::{self, PublishFailure};
use super::settings::Settings;
use super::snapshot::{PartitionView, StoredBlock};
use crate::host_select;

/// Looks for runs of small blocks and merges them, one run at a time, until the engine stops: in what was flushed at
/// once, in what may be merged when it is idle a little later, and in everything once an interval.
///
/// A flush costs a look at one partition, not at all: a node may have tens of thousands.
pub(crate) async fn compact_loop(core: Arc<Core>) {
    let mut waiting = BTreeMap::new();
    let (mut look_at, mut everything_at, mut waiting_at) = (core.all_partitions(), Duration::ZERO, Duration::ZERO);
    loop {
        for partition in look_at {
            match compact_partition(&core, &partition, false).await {
                true => drop(waiting.insert(partition.key.clone(), partition)),
                false => drop(waiting.remove(&partition.key)),
            }
        }
        let now = core.host.clock.monotonic();
        if everything_at <= now {
            everything_at = now + core.settings.compact_interval;
        }
        if waiting_at <= now {
            waiting_at = now + IDLE_AFTER;
        }
        let next_at = if waiting.is_empty() { everything_at } else { everything_at.min(waiting_at) };
        host_select! {
            () = core.stop_requested() => return,
            () = core.compactor_woken() => {}
            () = core.host.clock.sleep(next_at - now) => {}
        }
        let now = core.host.clock.monotonic();
        look_at = core.take_flushed();
        if everything_at <= now {
            look_at = core.all_partitions();
        } else if waiting_at <= now {
            look_at.extend(waiting.values().cloned());
        }
    }
}

/// Merges what the plan names. `now` does not wait for the partition to be idle. Returns whether more
/// may be merged once it is.
pub(crate) async fn compact_partition(core: &Arc<Core>, partition: &Arc<Partition>, now: bool) -> bool {
    let _one = partition.compacting.lock().await;
    loop {
        let idle = now || core.host.clock.monotonic().saturating_sub(partition.flushed_at()) >= IDLE_AFTER;
        let view = partition.view();
        // The node's own blocks only: the base is everybody's.
        let tail = &view.blocks[tail_start(core, &view)..];
        let entries: Vec<&BlockEntry> = tail.iter().map(|block| &*block.entry).collect();
        let Some(run) = plan(&entries, &core.settings, idle) else {
            return !idle && plan(&entries, &core.settings, true).is_some();
        };
        if core.is_stopping() || core.stopped().is_some() || !merge(core, partition, &tail[run]).await {
            return false;
        }
    }
}

fn tail_start(core: &Core, view: &PartitionView) -> usize {
    if core.settings.mutation.is(Mutant::CompactTakesBase) { 0 } else { view.base_blocks }
}

/// Which neighbours to merge next: a planner returns a value, [`merge`] does the work.
///
/// Sizes grow by tiers, from the young end backwards: a block joins a run if it is not larger than
/// what the run already holds, so that each event is rewritten about log(data) times. While events
/// stream in, a run waits until it is `RUN_BLOCKS_MIN` long; when the partition is idle two are enough.
/// Blocks that are full are as small as they get and are never written again.
pub(crate) fn plan(tail: &[&BlockEntry], settings: &Settings, idle: bool) -> Option<Range<usize>> {
    let small = tail.iter().filter(|entry| entry.bytes < settings.compact_min_bytes).count();
    let run_blocks_min = if idle || small > settings.compact_small_blocks_max { 2 } else { RUN_BLOCKS_MIN };
    let mut end = tail.len();
    while end > 0 {
        let mut start = end;
        let mut bytes = 0u64;
        while start > 0 {
            let next = tail[start - 1].bytes;
            let joins = start == end || next < settings.compact_min_bytes || next <= bytes.saturating_mul(2);
            if tail[start - 1].is_full()
                || !joins
                || bytes.saturating_add(next) > settings.block_target_bytes
                || end - start >= RUN_BLOCKS_MAX
            {
                break;
            }
            bytes += next;
            start -= 1;
        }
        if end - start >= run_blocks_min {
            return Some(start..end);
        }
        end = if start < end { start } else { end - 1 };
    }
    None
}

/// Merges neighbours into one block and publishes it. Returns whether that worked.
async fn merge(core: &Arc<Core>, partition: &Arc<Partition>, inputs: &[Arc<StoredBlock>]) -> bool {
    let encoded = match encode::merged(core, inputs).await {
        Ok(Some(encoded)) => encoded,
        Ok(None) => return false,
        Err(error) => {
            warn!(%error, partition = %partition.folder, "blocks could not be merged and stay as they are");
            return false;
        }
    };
    let rows_in: u64 = inputs.iter().map(|block| block.entry.rows).sum();
    assert_eq!(encoded.rows, rows_in, "rows in = rows out");
    let ids: Vec<BlockId> = inputs.iter().map(|block| block.entry.id).collect();
    let upto = inputs.last().expect("a run has blocks").entry.upto.clone();
    let failure = match blocks::write(core, partition, encoded, upto).await {
        Ok(block) => match publish_merged(core, partition, &ids, &block).await {
            Ok(true) => {
                debug!(partition = %partition.folder, inputs = ids.len(), rows = block.entry.rows, "merged");
                partition.publish_merged(&ids, Some(block));
                // Files go only now: the head as read back no longer names them.
                core.discard(inputs.iter().cloned());
                return true;
            }
            Ok(false) => {
                core.discard([block]);
                return false;
            }
            Err(failure) => {
                publish::discard_unless_named(core, block, &failure);
                failure
            }
        },
        Err(failure) => failure.into(),
    };
    if core.stopped().is_none() {
        warn!(error = %failure, partition = %partition.folder, "a merge could not be published");
    }
    false
}

async fn publish_merged(
    core: &Core,
    partition: &Partition,
    inputs: &[BlockId],
    merged: &StoredBlock,
) -> Result<bool, PublishFailure> {
    if core.settings.mutation.is(Mutant::CompactRemoval) {
        for block in partition.view().blocks.iter().filter(|block| inputs.contains(&block.entry.id)) {
            let _ = core.host.disk.remove_file(&block.path()).await;
        }
    }
    let mut committed = partition.manifest.lock().await;
    let floor = publish::floor_for(core, partition, &committed).await;
    let published = publish::publish(core, partition, &mut committed, |manifest| {
        let mut next = match manifest.with_merged(inputs, Some(Arc::clone(&merged.entry))) {
            None if core.settings.mutation.is(Mutant::CompactTakesBase) => {
                manifest.with_flushed(Arc::clone(&merged.entry))
            }
            next => next?,
        };
        next.floor = floor;
        Some(next)
    });
    Ok(published.await?.is_some())
}

/// A run shorter than this waits for more while events stream in.
const RUN_BLOCKS_MIN: usize = 8;
/// More blocks are not merged at once: each input costs a decoded row group of memory.
const RUN_BLOCKS_MAX: usize = 32;
/// A partition into which nothing was flushed for this long is idle.
const IDLE_AFTER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::manifest::{Digest, FULL_ROWS, Watermarks};

    fn entry(mib: u64) -> BlockEntry {
        BlockEntry {
            id: BlockId(0),
            sha256: Digest([0; 32]),
            bytes: mib << 20,
            rows: 1,
            min_time: 0,
            max_time: 0,
            raw_bytes: 0,
            groups: Box::default(),
            upto: Watermarks::default(),
        }
    }

    fn check_plan(sizes_mib: &[u64], idle: bool, expected: Option<Range<usize>>) {
        let entries: Vec<BlockEntry> = sizes_mib.iter().map(|&mib| entry(mib)).collect();
        let entries: Vec<&BlockEntry> = entries.iter().collect();
        assert_eq!(plan(&entries, &Settings::default(), idle), expected, "{sizes_mib:?} idle: {idle}");
    }

    #[test]
    fn eight_small_neighbours_merge_and_seven_wait_until_the_partition_is_idle() {
        check_plan(&[2; 8], false, Some(0..8));
        check_plan(&[2; 7], false, None);
        check_plan(&[2; 7], true, Some(0..7));
        check_plan(&[2], true, None);
        check_plan(&[], true, None);
    }

    #[test]
    fn no_block_grows_beyond_the_target() {
        check_plan(&[30, 30, 30], true, Some(1..3));
        check_plan(&[60, 60], true, None);
    }

    #[test]
    fn a_block_that_fills_a_group_is_never_rewritten_and_parts_its_neighbours() {
        let full = 2 * FULL_ROWS;
        let rows = |rows: &[u64], expected| {
            let entries: Vec<BlockEntry> = rows.iter().map(|&rows| BlockEntry { rows, ..entry(3) }).collect();
            let entries: Vec<&BlockEntry> = entries.iter().collect();
            assert_eq!(plan(&entries, &Settings::default(), true), expected, "{rows:?}");
        };
        rows(&[full; 9], None);
        rows(&[9, 9, full, 9], Some(0..2));
        rows(&[full / 2, 9, 9, 9], Some(1..4));
    }

    #[test]
    fn a_large_old_block_is_not_rewritten_for_a_little_young_one() {
        check_plan(&[50, 2], true, None);
        check_plan(&[50, 2, 2], true, Some(1..3));
        check_plan(&[18, 2, 2, 2, 2, 2, 2, 2], false, Some(0..8));
    }
}
