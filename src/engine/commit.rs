//! From a request to an acknowledged event: admission, the group commit, the head.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::core::{Applied, Core, KIB};
use super::flush;
use super::log::{LogFailure, LogRecord, LogWriter};
use super::partition::HeadBatch;
use super::record::{AppendError, NewGroup, NewRecord, Receipt};
use crate::event::Origin;
use crate::host_select;
use crate::sync::{Outlet, Queue};

/// Room in the queue for the bytes of one record; given back when the record is searchable or refused.
pub struct Admission {
    _bytes: OwnedSemaphorePermit,
}

/// A record that waits for the log.
pub(crate) struct Pending {
    record: NewRecord,
    reply: oneshot::Sender<Result<Receipt, AppendError>>,
    _bytes: Admission,
    _events: OwnedSemaphorePermit,
}

impl Pending {
    fn bytes(&self) -> u64 {
        self.record.body.len() as u64
    }
}

/// Waits, for a bounded time, until the queue and the heads have room for `bytes`.
///
/// # Errors
/// [`AppendError::Busy`] if there was none in time; whatever keeps the engine from writing.
pub(crate) async fn admit(core: &Core, bytes: u64) -> Result<Admission, AppendError> {
    core.check_running()?;
    let kib = bytes.min(core.settings.queue_bytes).div_ceil(KIB);
    let kib = u32::try_from(kib).expect("a queue is below 4 TiB");
    let room = async {
        let permit = Arc::clone(&core.queue_bytes).acquire_many_owned(kib).await.expect("never closed");
        loop {
            let changed = core.room.notified();
            if heads_have_room(core) {
                return Admission { _bytes: permit };
            }
            core.wake_flush.notify_one();
            changed.await;
        }
    };
    host_select! {
        admission = room => Ok(admission),
        () = core.host.clock.sleep(core.settings.queue_wait) => Err(busy()),
    }
}

fn heads_have_room(core: &Core) -> bool {
    core.head_bytes.load(Ordering::Relaxed) < core.settings.head_bytes_max
        && core.open_count() <= core.settings.open_partitions_max
}

/// Puts a record into the queue and waits until it is durable and searchable.
///
/// # Errors
/// See [`AppendError`]: all but `Unknown` mean that nothing was kept.
///
/// # Cancel safety
/// After a drop the record may become durable and searchable, or not.
pub(crate) async fn append(
    core: &Core,
    queue: &Queue<Pending>,
    record: NewRecord,
    admission: Admission,
) -> Result<Receipt, AppendError> {
    core.check_running()?;
    let events: u64 = record.groups.iter().map(|group| u64::from(group.rows.rows)).sum();
    let events = u32::try_from(events.min(core.settings.queue_events)).unwrap_or(u32::MAX);
    let events = host_select! {
        permit = Arc::clone(&core.queue_events).acquire_many_owned(events) => permit.expect("never closed"),
        () = core.host.clock.sleep(core.settings.queue_wait) => return Err(busy()),
    };
    let (reply, answer) = oneshot::channel();
    let pending = Pending { record, reply, _bytes: admission, _events: events };
    queue.put(pending).await.map_err(|_| AppendError::Stopping)?;
    answer.await.unwrap_or(Err(AppendError::Unknown("the log's task has ended".into())))
}

/// The one task that writes the log. Ends when the queue has ended and is empty.
pub(crate) async fn commit_loop(core: Arc<Core>, mut queue: Outlet<Pending>, mut log: LogWriter) {
    loop {
        // The sync in flight was the window: what came meanwhile goes together.
        let group = host_select! {
            group = queue.next_group(core.settings.group_bytes, Pending::bytes) => match group {
                Some(group) => group,
                None => break,
            },
            () = core.wake_log.notified() => {
                end_flushed_segment(&core, &mut log).await;
                continue;
            }
        };
        commit_group(&core, &mut log, group).await;
    }
    log.close();
}

/// Lets go of a log that nobody needs any more. Only the task that writes it can tell: while no head
/// has events, and none is added because this is what adds them, all that is in the log is in blocks.
async fn end_flushed_segment(core: &Core, log: &mut LogWriter) {
    if core.open_count() == 0 {
        log.close();
        flush::remove_segments_below(core, u64::MAX).await;
    }
}

async fn commit_group(core: &Core, log: &mut LogWriter, group: Vec<Pending>) {
    let bytes = group.iter().map(Pending::bytes).sum();
    if let Err(error) = writable(core, bytes).await {
        refuse(group, &error);
        return;
    }
    let mut records: Vec<LogRecord> = group
        .iter()
        .map(|pending| LogRecord {
            first: 0,
            partitions: pending.record.partitions.clone(),
            verdicts: pending.record.verdicts.clone(),
            options: pending.record.options.clone(),
            body: pending.record.body.clone(),
        })
        .collect();
    match log.append(&mut records).await {
        Ok(ordinal) => {
            let last = records.last().map_or(0, |record| record.first + record.candidates() - 1);
            // ORDER: before a head has any of it, from where it may be shared.
            core.durable_to.fetch_max(last, Ordering::SeqCst);
            // ORDER: heads in log order, and only what is durable.
            for (pending, record) in group.into_iter().zip(&records) {
                apply(core, core.origin, record, pending.record.groups, ordinal);
                // Whoever asked may have gone away.
                let _ = pending.reply.send(Ok(Receipt { first_sequence: record.first }));
            }
            core.applied_to.fetch_max(last, Ordering::SeqCst);
            core.wake_flush.notify_one();
        }
        Err(failure) => refuse(group, &failed(core, failure)),
    }
}

/// # Errors
/// Why nothing may be written now.
async fn writable(core: &Core, bytes: u64) -> Result<(), AppendError> {
    if let Some(why) = core.stopped() {
        return Err(AppendError::Stopped(why));
    }
    match core.check_room(bytes).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => {
            core.wake_flush.notify_one();
            Err(AppendError::Full(why))
        }
        Err(error) => Err(AppendError::Failed(error.to_string())),
    }
}

fn failed(core: &Core, failure: LogFailure) -> AppendError {
    match failure {
        LogFailure::Refused(error) if error.kind() == io::ErrorKind::StorageFull => {
            AppendError::Full(error.to_string())
        }
        LogFailure::Refused(error) => AppendError::Failed(error.to_string()),
        LogFailure::Unknown(error) => AppendError::Unknown(error.to_string()),
        LogFailure::Stopped(error) => {
            core.stop_writing("the log's folder could not be synced", &error);
            AppendError::Stopped(error.to_string())
        }
    }
}

fn refuse(group: Vec<Pending>, error: &AppendError) {
    for pending in group {
        let _ = pending.reply.send(Err(error.clone()));
    }
}

/// Numbers the rows of a durable record and adds them to their heads.
pub(crate) fn apply(core: &Core, origin: Origin, record: &LogRecord, groups: Vec<NewGroup>, ordinal: u64) {
    assert_eq!(groups.len(), record.partitions.len(), "a record has one group for each partition");
    for (key, group) in record.partitions.iter().zip(groups) {
        let NewGroup { mut rows, raw_bytes } = group;
        if rows.rows == 0 {
            continue;
        }
        rows.origins = vec![origin];
        rows.origin_codes = None;
        for sequence in &mut rows.sequences {
            *sequence += record.first;
        }
        let rows = Arc::new(rows);
        core.head_bytes.fetch_add(raw_bytes, Ordering::Relaxed);
        core.partition(key).apply(HeadBatch {
            rows: Arc::clone(&rows),
            raw_bytes,
            ordinal,
            since: core.host.clock.monotonic(),
            frozen: false,
        });
        // ORDER: after the rows are there, or a flush that ends now would close the partition again. Until
        // then the rows' segment is the youngest, which is never removed.
        core.mark_open(key);
        // Nobody may be following.
        let _ = core.applied.send(Applied { key: key.clone(), rows });
    }
}

fn busy() -> AppendError {
    AppendError::Busy { retry_after_s: 1 }
}
