//! What a start does before anything is answered: adopts the partitions, replays the log.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tracing::{error, info, warn};

use super::commit;
use super::core::Core;
use super::flush;
use super::layout;
use super::log::{Damage, HEADER_BYTES, LogRecord, SegmentId, ends_of, scan};
use super::manifest::{BlockId, Lost, Manifest, OriginKey};
use super::mutant::Mutant;
use super::open::OpenError;
use super::pages;
use super::partition::{Committed, Partition};
use super::publish;
use super::record::{NewGroup, RecordReader};
use super::verify::read_some;
use crate::chain::Chain;
use crate::event::{EventId, Origin, PartitionKey, Sequence};
use crate::host::Cost;

/// Whether a start may change the data directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// A server's start: cleans up, flushes when memory is short.
    Write,
    /// Looks only.
    Read,
}

/// Adopts every partition: the newest generation, the blocks that it names.
///
/// # Errors
/// If a manifest cannot be read: going on without it would hide or lose events.
pub(crate) async fn adopt_partitions(core: &Core, mode: Mode) -> Result<(), OpenError> {
    let disk = &core.host.disk;
    let keys = layout::list_partitions(disk, &core.root).await.map_err(|e| OpenError::io(&core.root, e))?;
    for key in keys {
        adopt_partition(core, key, mode).await?;
    }
    Ok(())
}

async fn adopt_partition(core: &Core, key: PartitionKey, mode: Mode) -> Result<(), OpenError> {
    let folder = layout::partition_folder(&key);
    let chain = Chain::new(Arc::clone(&core.store), layout::manifest_folder(&folder));
    let damaged = |why: String| OpenError::Damaged { what: format!("the manifest of {folder}"), why };
    let head = chain.head().await.map_err(|error| damaged(error.to_string()))?;
    let committed = match head {
        None => Committed { manifest: Manifest::empty(), digest: String::new(), folders_made: false },
        Some(link) => {
            // A damaged head is an error, never "use the one before": that would bring events back.
            let wrong = |why| damaged(format!("generation {}: {why}", link.generation));
            let mut manifest = publish::parse_manifest(&link).map_err(wrong)?;
            pages::read(&*core.pages, &folder, &mut manifest).await.map_err(wrong)?;
            Committed { manifest, digest: link.digest, folders_made: false }
        }
    };
    let garbage = garbage_of(core, &folder, &committed.manifest).await;
    let garbage = garbage.map_err(|e| OpenError::io(&core.root.join(&folder), e))?;
    if mode == Mode::Write && !garbage.is_empty() {
        // DURABLE: the process that committed the newest generation may have been killed before its name
        // was durable; what that generation no longer names must not go before.
        let manifests = core.root.join(layout::manifest_folder(&folder));
        core.host.disk.sync_dir(&manifests).await.map_err(|e| OpenError::io(&manifests, e))?;
        for path in garbage {
            core.host.disk.remove_file(&path).await.map_err(|e| OpenError::io(&path, e))?;
        }
    }
    let home = core.block_home(&folder);
    core.adopt(Partition::new(key, folder, chain, home, committed));
    Ok(())
}

/// Files of unfinished work, and pages and blocks that the newest generation does not name.
async fn garbage_of(core: &Core, folder: &str, newest: &Manifest) -> io::Result<Vec<PathBuf>> {
    let disk = &core.host.disk;
    let manifests = core.root.join(layout::manifest_folder(folder));
    let unfinished = |name: &str| name.ends_with(layout::TEMPORARY_SUFFIX);
    let mut garbage = Vec::new();
    for entry in layout::list_or_empty(disk, &manifests).await? {
        if unfinished(&entry.name) {
            garbage.push(manifests.join(entry.name));
        }
    }
    let base = newest.base.iter().map(|base| base.sha256).collect();
    for (folder, named) in [(layout::pages_folder(folder), pages::digests(newest)), (layout::base_folder(folder), base)]
    {
        let folder = core.root.join(folder);
        for entry in layout::list_or_empty(disk, &folder).await? {
            let unnamed = layout::parse_page_name(&entry.name).is_some_and(|digest| !named.contains(&digest));
            if unnamed || unfinished(&entry.name) {
                garbage.push(folder.join(entry.name));
            }
        }
    }
    let blocks = core.root.join(layout::blocks_folder(folder));
    let mut missing: BTreeSet<BlockId> = newest.blocks().map(|entry| entry.id).collect();
    let base: BTreeSet<BlockId> = newest.shared().iter().flat_map(|shared| shared.entries()).map(|e| e.id).collect();
    for entry in layout::list_or_empty(disk, &blocks).await? {
        match layout::parse_block_name(&entry.name) {
            Some(id) if missing.remove(&id) || base.contains(&id) => {}
            Some(_) => garbage.push(blocks.join(entry.name)),
            None if unfinished(&entry.name) => garbage.push(blocks.join(entry.name)),
            None => {}
        }
    }
    for block in missing {
        error!(%block, folder = %blocks.display(), "a block that the manifest names is missing");
    }
    Ok(garbage)
}

/// Reads the log of earlier lives into the heads. Returns how many events came back.
///
/// # Errors
/// If a segment cannot be read, or was written by a later version. Damage is no error: it is kept
/// aside, named in `lost`, and what can be read is.
pub(crate) async fn replay(core: &Arc<Core>, reader: &Arc<dyn RecordReader>, mode: Mode) -> Result<u64, OpenError> {
    let folder = core.root.join(layout::LOG_FOLDER);
    let entries = layout::list_or_empty(&core.host.disk, &folder).await.map_err(|e| OpenError::io(&folder, e))?;
    let mut lives: BTreeMap<Origin, Vec<SegmentId>> = BTreeMap::new();
    for entry in entries {
        if let Ok(id) = entry.name.parse::<SegmentId>() {
            lives.entry(id.origin).or_default().push(id);
        }
    }
    let mut synced = BTreeSet::new();
    let mut events = 0;
    for (_, mut ids) in lives {
        ids.sort_unstable();
        events += replay_life(core, reader, mode, &folder, &ids, &mut synced).await?;
    }
    if events > 0 {
        info!(events, "events came back from the log");
    }
    Ok(events)
}

async fn replay_life(
    core: &Arc<Core>,
    reader: &Arc<dyn RecordReader>,
    mode: Mode,
    folder: &Path,
    ids: &[SegmentId],
    synced: &mut BTreeSet<PartitionKey>,
) -> Result<u64, OpenError> {
    // Two passes, so that only one segment is in memory: what each one's end is stands in later headers.
    let mut headers = Vec::new();
    for id in ids {
        headers.push((*id, read_segment(core, folder, *id, HEADER_BYTES).await?));
    }
    let ends = ends_of(&headers).map_err(|format| OpenError::Newer { what: "the log".into(), format })?;
    drop(headers);
    let mut events = 0;
    for id in ids {
        let segment = read_segment(core, folder, *id, u64::MAX).await?;
        let end = ends.get(id).copied();
        let found = scan(&segment, *id, end);
        let bytes = segment.len() as u64;
        let ordinal = core.segments.lock().expect("no panic while held").add(*id, bytes);
        for damage in &found.damage {
            quarantine(core, *id, damage, mode).await?;
        }
        for record in found.records {
            if mode == Mode::Write {
                sync_adopted(core, &record, synced).await?;
            }
            events += replay_record(core, reader, id.origin, record, ordinal).await;
            if mode == Mode::Write && core.head_bytes.load(Ordering::Relaxed) > core.settings.head_bytes_max {
                flush_largest(core).await;
            }
        }
    }
    Ok(events)
}

async fn read_segment(core: &Core, folder: &Path, id: SegmentId, limit: u64) -> Result<Bytes, OpenError> {
    let path = folder.join(id.to_string());
    // An I/O error is never an end: what cannot be read today may be read tomorrow.
    read_some(&core.host.disk, &path, limit).await.map_err(|error| OpenError::io(&path, error))
}

/// Before any segment goes because a manifest covers it, that manifest's name must be durable: the
/// process that committed it may have been killed before it was.
async fn sync_adopted(core: &Core, record: &LogRecord, synced: &mut BTreeSet<PartitionKey>) -> Result<(), OpenError> {
    for key in &record.partitions {
        let partition = core.partition(key);
        if !synced.insert(key.clone()) || partition.manifest.lock().await.manifest.generation == 0 {
            continue;
        }
        if let Err(failure) = publish::make_partition_folders(core, &partition).await {
            return Err(match failure {
                publish::PublishFailure::Failed(why) => OpenError::Damaged { what: partition.folder.clone(), why },
                publish::PublishFailure::Stopped(error) => OpenError::io(&core.root.join(&partition.folder), error),
            });
        }
        for folder in [layout::blocks_folder(&partition.folder), layout::manifest_folder(&partition.folder)] {
            let path = core.root.join(folder);
            core.host.disk.sync_dir(&path).await.map_err(|error| OpenError::io(&path, error))?;
        }
    }
    Ok(())
}

/// Adds what of a record is in no block yet to the heads. Returns how many events that were.
async fn replay_record(
    core: &Arc<Core>,
    reader: &Arc<dyn RecordReader>,
    origin: Origin,
    record: LogRecord,
    ordinal: u64,
) -> u64 {
    let mut covered = Vec::with_capacity(record.partitions.len());
    for (key, last) in record.partitions.iter().zip(last_sequences(&record)) {
        let partition = core.partition(key);
        let flushed = partition.applied(origin);
        let replay_all = core.settings.mutation.is(Mutant::ReplayBoundary);
        covered.push(last.is_none_or(|last| last <= flushed && !replay_all));
    }
    if covered.iter().all(|covered| *covered) {
        return 0;
    }
    let (reader, parsed) = (Arc::clone(reader), record.clone());
    let cost = Cost::bytes(record.body.len() as u64);
    let mut groups = core.host.cpu.run(cost, move || reader.read(&parsed)).await;
    if groups.len() != record.partitions.len() {
        error!(first = record.first, "a log record could not be read again");
        return 0;
    }
    for (group, covered) in groups.iter_mut().zip(covered) {
        if covered {
            *group = NewGroup { rows: crate::block::RowGroup::empty(), raw_bytes: 0 };
        }
    }
    let events = groups.iter().map(|group| u64::from(group.rows.rows)).sum();
    commit::apply(core, origin, &record, groups, ordinal);
    events
}

/// The last sequence of each partition's events in a record; `None` where all were refused.
fn last_sequences(record: &LogRecord) -> Vec<Option<u64>> {
    let mut last = vec![None; record.partitions.len()];
    let mut sequence = record.first;
    for run in &record.verdicts {
        sequence = sequence.saturating_add(u64::from(run.count));
        if let Some(partition) = run.partition.filter(|_| run.count > 0) {
            last[usize::from(partition)] = Some(sequence - 1);
        }
    }
    last
}

async fn flush_largest(core: &Arc<Core>) {
    let largest = core.open_partitions().into_iter().max_by_key(|partition| partition.figures().raw_bytes);
    if let Some(partition) = largest {
        flush::flush(core, &partition).await;
    }
}

/// Keeps a damaged segment aside and writes down what is missing, once.
async fn quarantine(core: &Core, id: SegmentId, damage: &Damage, mode: Mode) -> Result<(), OpenError> {
    let from = EventId { origin: id.origin, sequence: Sequence(damage.from_sequence) };
    error!(segment = %id, offset = damage.from_offset, to = damage.to_offset, %from,
        "the log is damaged: acknowledged events are missing");
    let why = format!("segment {id} is damaged from byte {} to {}", damage.from_offset, damage.to_offset);
    let entry = Lost { origin: OriginKey(id.origin), from: damage.from_sequence, to: damage.to_sequence, why };
    let known = super::lost::load(core).await?;
    if known.contains(&entry) {
        return Ok(());
    }
    if mode == Mode::Write {
        let source = core.root.join(layout::LOG_FOLDER).join(id.to_string());
        let target = core.root.join(layout::QUARANTINE_FOLDER).join(id.to_string());
        match core.host.disk.link(&source, &target).await {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => warn!(%error, "no copy of it could be kept"),
            _ => {}
        }
    }
    super::lost::add(core, entry, mode).await
}
