//! From the head to a block: what becomes of events some seconds after they were acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::{debug, warn};

use super::blocks;
use super::core::Core;
use super::encode;
use super::log::LiveSegment;
use super::manifest::Watermarks;
use super::mutant::Mutant;
use super::partition::{HeadFigures, Partition};
use super::publish::{self, PublishFailure};
use crate::event::PartitionKey;
use crate::host::Cost;
use crate::host_select;

/// Watches the heads and flushes those that are due, until the engine stops.
pub(crate) async fn flush_loop(core: Arc<Core>) {
    let slots = Arc::new(Semaphore::new(core.settings.flush_concurrency.max(1)));
    let flushing = Arc::new(std::sync::Mutex::new(BTreeSet::<PartitionKey>::new()));
    loop {
        for partition in due(&core) {
            if !flushing.lock().expect("no panic while held").insert(partition.key.clone()) {
                continue;
            }
            let slot = Arc::clone(&slots).acquire_owned().await.expect("never closed");
            let Some(begun) = core.changes.begin().await else { return };
            let (core_of_task, flushing) = (Arc::clone(&core), Arc::clone(&flushing));
            let task = async move {
                let core = core_of_task;
                if !flush_full(&core, &partition).await {
                    // The rows stay in the head and in the log; trying again at once would spin.
                    core.pause(FLUSH_RETRY).await;
                }
                flushing.lock().expect("no panic while held").remove(&partition.key);
                drop((slot, begun));
                core.wake_flush.notify_one();
            };
            core.host.tasks.spawn("flush", Box::pin(task));
        }
        core.collect_garbage().await;
        if core.disk_full.load(Ordering::Relaxed) {
            // So that the node is ready again before anybody dares to send it something.
            let _ = core.check_room(0).await;
        }
        host_select! {
            () = core.stop_requested() => return,
            () = core.wake_flush.notified() => {}
            () = core.host.clock.sleep(FLUSH_TICK) => {}
        }
    }
}

/// The partitions whose head should become a block now, the most urgent first.
fn due(core: &Core) -> Vec<Arc<Partition>> {
    let now = core.host.clock.monotonic();
    let heads: Vec<_> = core.open_partitions().into_iter().map(|p| (p.figures(), p)).collect();
    let log_bytes = core.segments.lock().expect("no panic while held").bytes();
    let head_bytes = core.head_bytes.load(Ordering::Relaxed);
    let crowded = head_bytes >= core.settings.head_bytes_max / 2 || heads.len() > core.settings.open_partitions_max;
    // Segments go in order, so the head that needs the oldest one is what keeps the log long.
    let slack = log_bytes > LOG_SLACK_BYTES.saturating_add(LOG_SLACK_FACTOR * head_bytes);
    let long = log_bytes > core.settings.log_bytes_max || core.disk_full.load(Ordering::Relaxed);
    let oldest = (slack || long).then(|| heads.iter().filter_map(|(figures, _)| figures.ordinal).min()).flatten();
    let largest = heads.iter().map(|(figures, _)| figures.raw_bytes).max().unwrap_or(0);
    let mut due: Vec<_> = heads
        .into_iter()
        .filter(|(figures, _)| {
            figures.rows > 0
                && (is_due(core, figures, now)
                    || (crowded && figures.raw_bytes == largest)
                    || (oldest.is_some()
                        && figures.ordinal == oldest
                        && (long || now.saturating_sub(figures.since) >= core.settings.flush_age)))
        })
        .collect();
    due.sort_by_key(|(figures, _)| std::cmp::Reverse(figures.raw_bytes));
    due.into_iter().map(|(_, partition)| partition).collect()
}

fn is_due(core: &Core, head: &HeadFigures, now: Duration) -> bool {
    let settings = &core.settings;
    let age = now.saturating_sub(head.since);
    head.rows >= settings.flush_rows
        || head.raw_bytes >= settings.flush_bytes
        || (age >= settings.flush_age && head.rows >= settings.flush_aged_rows)
        || age >= settings.flush_age_max
}

/// Makes blocks of all rows that the partition's head has now. Returns whether that worked.
pub(crate) async fn flush(core: &Arc<Core>, partition: &Arc<Partition>) -> bool {
    let _one = partition.flushing.lock().await;
    flush_locked(core, partition).await
}

/// As [`flush`], and goes on if the caller stops waiting.
pub(crate) async fn flush_whole(core: &Arc<Core>, partition: &Arc<Partition>) -> bool {
    let (of_task, partition) = (Arc::clone(core), Arc::clone(partition));
    let work = async move { flush(&of_task, &partition).await };
    core.changes.run(&*core.host.tasks, "flush", work).await.unwrap_or(false)
}

/// As [`flush`], for a caller that holds the partition's `flushing`.
pub(crate) async fn flush_locked(core: &Arc<Core>, partition: &Arc<Partition>) -> bool {
    let mut left = partition.figures().rows;
    loop {
        match flush_oldest(core, partition).await {
            // What came meanwhile may wait for the next flush.
            Ok(rows) if rows == 0 || rows >= left => return true,
            Ok(rows) => left -= rows,
            Err(failure) => {
                note(core, partition, &failure);
                return false;
            }
        }
    }
}

/// Makes one block of the older end of the head, of as many rows as one group takes. Returns whether that
/// worked. What is left gathers until it is due itself: a head that is flushed because it is full is not
/// followed by a small block.
async fn flush_full(core: &Arc<Core>, partition: &Arc<Partition>) -> bool {
    let _one = partition.flushing.lock().await;
    flush_oldest(core, partition).await.map_err(|failure| note(core, partition, &failure)).is_ok()
}

/// Writes and publishes one block. Returns how many rows it has.
async fn flush_oldest(core: &Arc<Core>, partition: &Arc<Partition>) -> Result<u64, PublishFailure> {
    if let Some(why) = core.stopped() {
        return Err(PublishFailure::Failed(why));
    }
    let prefix = partition.freeze_head(core.settings.flush_rows_max, core.settings.flush_bytes);
    if prefix.batches.is_empty() {
        core.mark_flushed(partition);
        return Ok(0);
    }
    let count = prefix.batches.len();
    let raw_bytes: u64 = prefix.batches.iter().map(|batch| batch.raw_bytes).sum();
    let groups: Vec<_> = prefix.batches.into_iter().map(|batch| batch.rows).collect();
    let options = encode::options_for(core, raw_bytes);
    let encoded = core.host.cpu.run(Cost::bytes(raw_bytes), move || encode::fresh(groups, raw_bytes, options)).await;
    let upto = flush_mark(core, prefix.upto);
    publish::make_partition_folders(core, partition).await?;
    let block = blocks::write(core, partition, encoded, upto).await?;
    let mut committed = partition.manifest.lock().await;
    let floor = publish::floor_for(core, partition, &committed).await;
    let entry = Arc::clone(&block.entry);
    let published = publish::publish(core, partition, &mut committed, |manifest| {
        let mut next = manifest.with_flushed(entry);
        next.floor = floor;
        Some(next)
    });
    if let Err(failure) = published.await {
        publish::discard_unless_named(core, block, &failure);
        return Err(failure);
    }
    // From here on it is the head of the chain, as read back: the rows change places.
    let rows = block.entry.rows;
    debug!(partition = %partition.folder, rows, bytes = block.entry.bytes, "flushed");
    partition.publish_flushed(count, block, core.host.clock.monotonic());
    core.head_bytes.fetch_sub(raw_bytes, Ordering::Relaxed);
    core.mark_flushed(partition);
    core.room.notify_waiters();
    if let Err(error) = partition.chain.collect(committed.manifest.floor).await {
        warn!(%error, partition = %partition.folder, "old generations could not be removed");
    }
    drop(committed);
    remove_segments(core, partition).await;
    core.wake_compactor(&partition.key);
    core.wake_share.notify_one();
    Ok(rows)
}

/// Says what went wrong. The rows are still in the head.
fn note(core: &Core, partition: &Partition, failure: &PublishFailure) {
    // What stopped writing was said when it did, and is so until the end.
    if core.stopped().is_none() {
        warn!(error = %failure, partition = %partition.folder, "a head could not be flushed and will be tried again");
    }
}

fn flush_mark(core: &Core, upto: Watermarks) -> Watermarks {
    let mut upto = upto;
    if core.settings.mutation.is(Mutant::FlushBoundary) {
        upto.raise(core.origin, upto.get(core.origin) + 1);
    }
    upto
}

/// Removes the segments that no head needs any more, oldest first.
async fn remove_segments(core: &Core, flushed: &Partition) {
    if core.open_count() == 0 {
        core.wake_log.notify_one();
    }
    let needed = core.open_partitions().iter().filter_map(|partition| partition.figures().ordinal).min();
    let needed = match needed {
        Some(_) if core.settings.mutation.is(Mutant::SegmentRemoval) => flushed.figures().ordinal,
        needed => needed,
    };
    remove_segments_below(core, needed.unwrap_or(u64::MAX)).await;
}

/// Removes the segments older than `ordinal`, but never the one that is written to.
pub(crate) async fn remove_segments_below(core: &Core, ordinal: u64) {
    let removable: Vec<LiveSegment> = {
        let mut segments = core.segments.lock().expect("no panic while held");
        // ORDER: never the one that is written to, not even while every head is empty.
        let limit = ordinal.min(segments.active().unwrap_or(u64::MAX));
        segments.take_below(limit)
    };
    for (done, segment) in removable.iter().enumerate() {
        let path = core.root.join(super::layout::LOG_FOLDER).join(segment.id.to_string());
        match core.host.disk.remove_file(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                // ORDER: a younger one must not go before it, because it states where this one ends.
                warn!(%error, segment = %segment.id, "a log segment could not be removed");
                core.segments.lock().expect("no panic while held").put_back(&removable[done..]);
                return;
            }
            _ => debug!(segment = %segment.id, "log segment removed"),
        }
    }
}

/// A log that is longer than this and some times what is in the heads is mostly flushed already: the small
/// heads that hold it back are flushed as soon as they are old enough.
const LOG_SLACK_BYTES: u64 = 4 << 20;
const LOG_SLACK_FACTOR: u64 = 4;
/// How long a flush that failed waits before it is tried again.
const FLUSH_RETRY: Duration = Duration::from_secs(1);
/// How often the ages of heads are looked at.
const FLUSH_TICK: Duration = Duration::from_millis(500);
