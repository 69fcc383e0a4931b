//! Removing whole days that are past their retention.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::core::Core;
use super::flush;
use super::mutant::Mutant;
use super::partition::Partition;
use super::publish::{self, PublishFailure};
use crate::chain::StoreDate;
use crate::event::PartitionKey;
use crate::event::partition::DAY_NS;
use crate::host::Clock;

/// Looks for days that are past their retention, until the engine stops.
pub(crate) async fn retention_loop(core: Arc<Core>) {
    if core.shared.is_some() {
        // What is shared is retired by the one sweeper of all nodes; the others adopt what it commits.
        return;
    }
    let skew = ClockCheck::begin(&*core.host.clock);
    while !core.is_stopping() {
        if skew.agrees(&*core.host.clock) {
            sweep(&core).await;
        } else {
            warn!("the wall clock has jumped since the start: retention waits for a restart");
        }
        core.pause(core.settings.retention_interval).await;
    }
}

/// Retires every partition that is past its retention. Returns how many.
pub(crate) async fn sweep(core: &Arc<Core>) -> usize {
    let mut retired = 0;
    for partition in core.all_partitions() {
        if refusal(core, &partition.key).is_none() {
            continue;
        }
        let view = partition.view();
        if view.blocks.is_empty() && view.head.is_empty() {
            continue;
        }
        match retire(core, &partition).await {
            Ok(()) => {
                info!(partition = %partition.folder, events = view.events(), "retention removed a day");
                retired += 1;
            }
            Err(PublishFailure::Failed(error)) => {
                warn!(%error, partition = %partition.folder, "retention will try again")
            }
            Err(PublishFailure::Stopped(error)) => {
                core.stop_writing("a partition's folder could not be synced", &error);
                break;
            }
        }
    }
    core.collect_garbage().await;
    retired
}

/// Why an event of this partition is not taken any more; `None` if it is.
pub(crate) fn refusal(core: &Core, key: &PartitionKey) -> Option<String> {
    let days = core.settings.retention_days?;
    let today = core.host.clock.wall().0.div_euclid(DAY_NS);
    let age = today.saturating_sub(i64::from(key.day));
    (age > i64::from(days)).then(|| format!("older than the {days} days that index {} keeps", key.index))
}

/// Commits a generation without blocks; no watermark moves, so nothing that comes again is new.
async fn retire(core: &Arc<Core>, partition: &Arc<Partition>) -> Result<(), PublishFailure> {
    let _flushing = partition.flushing.lock().await;
    let _compacting = partition.compacting.lock().await;
    if !flush::flush_locked(core, partition).await {
        return Err(PublishFailure::Failed("its head could not be flushed".into()));
    }
    let mut committed = partition.manifest.lock().await;
    let blocks = partition.view().blocks.to_vec();
    publish::publish(core, partition, &mut committed, |manifest| Some(manifest.retired())).await?;
    if core.settings.mutation.is(Mutant::RetireDeletesChain) {
        for generation in partition.chain.generations().await.unwrap_or_default() {
            let name = format!("{}/{generation:020}.json", super::layout::manifest_folder(&partition.folder));
            let _ = core.store.delete(&name).await;
        }
    }
    let ids: Vec<_> = blocks.iter().map(|block| block.entry.id).collect();
    partition.publish_merged(&ids, None);
    core.discard(blocks);
    Ok(())
}

/// Holds the wall clock against the monotonic one, and against the shared store's: a clock that jumped a year must
/// not delete a year.
pub(crate) struct ClockCheck {
    wall: i64,
    monotonic: Duration,
}

impl ClockCheck {
    pub(crate) fn begin(clock: &dyn Clock) -> Self {
        Self { wall: clock.wall().0, monotonic: clock.monotonic() }
    }

    pub(crate) fn agrees(&self, clock: &dyn Clock) -> bool {
        agree(clock, self.wall, self.monotonic)
    }

    /// Whether the store's calendar, as it said when it last answered, is the same as this node's.
    pub(crate) fn agrees_with(clock: &dyn Clock, date: StoreDate) -> bool {
        agree(clock, date.wall.0, date.at)
    }
}

/// Whether it is now what it was at `wall` and `monotonic`, and the time that passed since.
fn agree(clock: &dyn Clock, wall: i64, monotonic: Duration) -> bool {
    let moved = i128::from(clock.wall().0) - i128::from(wall);
    let passed = clock.monotonic().saturating_sub(monotonic).as_nanos();
    (moved - passed.cast_signed()).unsigned_abs() < CLOCK_DISAGREEMENT_MAX.as_nanos()
}

/// Wall and monotonic time may drift apart by this much before retention stops.
const CLOCK_DISAGREEMENT_MAX: Duration = Duration::from_secs(300);
