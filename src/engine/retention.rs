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
use crate::host::{Clock, UnixNanos};

/// Looks for days that are past their retention, until the engine stops.
pub(crate) async fn retention_loop(core: Arc<Core>) {
    if core.shared.is_some() {
        // What is shared is retired by the one sweeper of all nodes; the others adopt what it commits.
        return;
    }
    let calendar = Calendar::begin(&*core.host.clock);
    while !core.is_stopping() {
        if calendar.now(&*core.host.clock, None).is_none() {
            warn!("the wall clock has jumped since the start: retention waits for a restart");
        }
        sweep(&core, &calendar).await;
        core.pause(core.settings.retention_interval).await;
    }
}

/// Retires every partition that is past its retention. Returns how many.
pub(crate) async fn sweep(core: &Arc<Core>, calendar: &Calendar) -> usize {
    let mut retired = 0;
    for partition in core.all_partitions() {
        let now = calendar.now(&*core.host.clock, None);
        if now.is_none_or(|now| refusal_at(core, &partition.key, now).is_none()) {
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
            Err(PublishFailure::Stopped(_)) => break,
        }
    }
    core.collect_garbage().await;
    retired
}

/// Why an event of this partition is not taken any more; `None` if it is.
pub(crate) fn refusal(core: &Core, key: &PartitionKey) -> Option<String> {
    refusal_at(core, key, core.host.clock.wall())
}

/// As [`refusal`], at a time.
pub(crate) fn refusal_at(core: &Core, key: &PartitionKey, now: UnixNanos) -> Option<String> {
    let days = core.settings.retention_days?;
    let today = now.0.div_euclid(DAY_NS);
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

/// The calendar by which days are retired: the wall clock, held against the monotonic one and against the shared
/// store's. A clock that jumped a year must not delete a year.
pub(crate) struct Calendar {
    wall: i64,
    monotonic: Duration,
}

impl Calendar {
    /// To be begun with the process: what jumps later is noticed.
    pub(crate) fn begin(clock: &dyn Clock) -> Self {
        Self { wall: clock.wall().0, monotonic: clock.monotonic() }
    }

    /// The time, if it is what it was at the beginning and what the store said when it last answered, and the time
    /// that passed since.
    ///
    /// ORDER: to be asked for each decision, without a wait between: a clock may jump at any time.
    pub(crate) fn now(&self, clock: &dyn Clock, stated: Option<StoreDate>) -> Option<UnixNanos> {
        let (wall, monotonic) = (clock.wall(), clock.monotonic());
        let agrees = |wall_then: i64, then: Duration| {
            let moved = i128::from(wall.0) - i128::from(wall_then);
            let passed = monotonic.saturating_sub(then).as_nanos();
            (moved - passed.cast_signed()).unsigned_abs() < CLOCK_DISAGREEMENT_MAX.as_nanos()
        };
        let all = agrees(self.wall, self.monotonic) && stated.is_none_or(|date| agrees(date.wall.0, date.at));
        all.then_some(wall)
    }
}

/// Wall and monotonic time may drift apart by this much before retention stops.
const CLOCK_DISAGREEMENT_MAX: Duration = Duration::from_secs(300);
