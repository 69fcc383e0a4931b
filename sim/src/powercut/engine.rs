//! The real engine as a [`Subject`], and the settings that a seed draws for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use helios::block::reader::decode_group_of;
use helios::block::{Footer, GroupBuilder, RowGroup, RowMeta};
use helios::engine::log::LogRecord;
use helios::engine::{
    AppendError, Engine, NewGroup, NewRecord, PartitionView, ReadOnly, RecordReader, Settings, Snapshot, StoredBlock,
    VerdictRun, verify,
};
use helios::event::parser::LineParser;
use helios::event::{EventId, Line, LineKind, Origin, PartitionKey, Sequence};
use helios::host::Host;

use super::{Answer, Found, RETENTION_DAYS, Sent, Subject};
use crate::Rng;

/// The environment of all events.
const ENV: &str = "default";

/// Settings for a seed: now and then as in production, mostly at their extremes.
pub fn drawn_settings(seed: u64) -> Settings {
    let mut rng = Rng::labelled(seed, "settings");
    Settings {
        segment_bytes: rng.pick(&[200, 1_000, 10_000, 64 << 20]),
        group_bytes: rng.pick(&[1, 1_000, 16 << 20]),
        log_bytes_max: rng.pick(&[500, 10_000, 512 << 20]),
        queue_wait: Duration::from_millis(rng.pick(&[1, 2_000, 2_000])),
        flush_rows: rng.pick(&[1, 3, 20, 50_000]),
        flush_bytes: rng.pick(&[100, 2_000, 32 << 20]),
        flush_age: Duration::from_millis(rng.pick(&[1, 100, 5_000])),
        flush_aged_rows: rng.pick(&[1, 1_000]),
        flush_age_max: Duration::from_millis(rng.pick(&[10, 1_000, 300_000])),
        head_bytes_max: rng.pick(&[1_000, 20_000, 128 << 20]),
        flush_concurrency: rng.pick(&[1, 2]),
        block_target_bytes: rng.pick(&[4_000, 20_000, 64 << 20]),
        compact_min_bytes: rng.pick(&[1_000, 5 << 20]),
        compact_small_blocks_max: rng.pick(&[1, 2, 100]),
        compact_interval: Duration::from_millis(rng.pick(&[1, 50, 30_000])),
        retention_days: Some(RETENTION_DAYS),
        retention_interval: Duration::from_millis(rng.pick(&[100, 3_600_000])),
        reserve_bytes: 0,
        generations_kept: rng.pick(&[1, 2, 64]),
        generations_age: Duration::from_millis(rng.pick(&[0, 1_000, 86_400_000])),
        open_partitions_max: rng.pick(&[1, 1_000]),
        flush_rows_max: rng.pick(&[1, 10, 50_000]),
        manifest_page_blocks: rng.pick(&[1, 2, 512]),
        dense_bytes_per_s: rng.pick(&[0, 0, 0, 1 << 20]),
        ..Settings::default()
    }
}

/// An engine with its data directory.
pub struct EngineSubject {
    engine: Engine,
    host: Host,
}

impl Subject for EngineSubject {
    type Settings = Settings;

    async fn start(host: &Host, root: &Path, settings: &Settings) -> Result<Self, String> {
        let opened = Engine::open(host.clone(), root.to_owned(), settings.clone(), Arc::new(Reader)).await;
        Ok(Self { engine: opened.map_err(|error| error.to_string())?, host: host.clone() })
    }

    async fn ingest(&self, batch: &[Sent]) -> Answer {
        send(&self.engine, batch).await
    }

    async fn flush(&self) -> Result<(), String> {
        if self.engine.flush_now().await { Ok(()) } else { Err("a head could not be flushed".into()) }
    }

    async fn compact(&self) -> Result<(), String> {
        self.engine.compact_now().await;
        Ok(())
    }

    async fn retain(&self) -> Result<(), String> {
        self.engine.sweep_now().await;
        Ok(())
    }

    async fn events(&self) -> Result<Vec<Found>, String> {
        let snapshot = self.engine.snapshot(|_| true);
        // Blocks may be replaced while they are read: the snapshot must hold them.
        self.host.clock.sleep(Duration::from_micros(50)).await;
        all_events(&snapshot).await
    }

    async fn stop(&self) -> Result<(), String> {
        self.engine.close().await;
        Ok(())
    }

    async fn verify(host: &Host, root: &Path, _settings: &Settings) -> Result<(), String> {
        let report = verify(host, root.to_owned(), &mut |_| {}).await.map_err(|error| error.to_string())?;
        if !report.problems.is_empty() {
            return Err(format!("{:?}", report.problems));
        }
        let opened = ReadOnly::open(host.clone(), root.to_owned(), Arc::new(Reader)).await;
        let snapshot = opened.map_err(|error| error.to_string())?.snapshot(|_| true);
        let lost = snapshot.partitions.iter().flat_map(|partition| &partition.lost).chain(&*snapshot.lost);
        if let Some(lost) = lost.into_iter().next() {
            return Err(format!("events are said to be lost: {lost:?}"));
        }
        all_events(&snapshot).await.map(|_| ())
    }
}

/// Makes a record of a batch, as the engine would take it now.
pub(crate) fn prepare(engine: &Engine, batch: &[Sent]) -> (NewRecord, Vec<bool>) {
    let mut partitions: Vec<PartitionKey> = Vec::new();
    let (mut verdicts, mut accepted, mut body) = (Vec::new(), Vec::new(), Vec::new());
    for Sent { index, time_ns, raw } in batch {
        let key = PartitionKey::of(&Arc::from(ENV), &Arc::from(*index), *time_ns);
        let partition = if engine.refusal(&key).is_some() {
            None
        } else if let Some(known) = partitions.iter().position(|other| *other == key) {
            u16::try_from(known).ok()
        } else {
            partitions.push(key);
            u16::try_from(partitions.len() - 1).ok()
        };
        accepted.push(partition.is_some());
        verdicts.push(VerdictRun { partition, count: 1 });
        body.extend_from_slice(raw.as_bytes());
        body.push(b'\n');
    }
    let groups = read_groups(&body, &verdicts, partitions.len());
    let record = NewRecord { body: body.into(), options: Bytes::new(), partitions, verdicts, groups };
    (record, accepted)
}

/// Sends a batch and waits for the answer.
pub(crate) async fn send(engine: &Engine, batch: &[Sent]) -> Answer {
    let (record, accepted) = prepare(engine, batch);
    let sent = async {
        let admission = engine.admit(record.body.len() as u64).await?;
        engine.append(record, admission).await
    };
    match sent.await {
        Ok(receipt) => {
            let id = |line: usize| {
                let sequence = Sequence(receipt.first_sequence + line as u64);
                EventId { origin: engine.origin(), sequence }
            };
            let ids = accepted.into_iter().enumerate();
            Answer::Acknowledged(ids.map(|(line, accepted)| accepted.then(|| id(line))).collect())
        }
        Err(AppendError::Unknown(_)) => Answer::Unknown,
        Err(_) => Answer::Refused,
    }
}

/// Reads the workload's lines again.
pub(crate) struct Reader;

impl RecordReader for Reader {
    fn read(&self, record: &LogRecord) -> Vec<NewGroup> {
        read_groups(&record.body, &record.verdicts, record.partitions.len())
    }
}

/// The events of each partition; sequences count lines.
fn read_groups(body: &[u8], verdicts: &[VerdictRun], partitions: usize) -> Vec<NewGroup> {
    let verdicts = verdicts.iter().flat_map(|run| std::iter::repeat_n(run.partition, run.count as usize));
    let lines: Vec<_> = body.split(|&byte| byte == b'\n').zip(verdicts).enumerate().collect();
    (0..partitions)
        .map(|partition| {
            let (mut parser, mut builder, mut raw_bytes) = (LineParser::new(), GroupBuilder::new(), 0);
            let own = lines.iter().filter(|(_, (_, verdict))| verdict.map(usize::from) == Some(partition));
            for &(number, (raw, _)) in own {
                let mut line = empty_line(raw);
                parser.parse(LineKind::Json, raw, 0, &mut line).expect("the workload sends sound lines");
                let meta = RowMeta {
                    time: line.timestamp.expect("each line of the workload has its time"),
                    origin: Origin(0),
                    sequence: Sequence(number as u64),
                    time_is_arrival: false,
                    source: None,
                };
                builder.push(&line, meta);
                raw_bytes += raw.len() as u64;
            }
            NewGroup { rows: builder.finish(parser.into_paths()), raw_bytes }
        })
        .collect()
}

fn empty_line(raw: &[u8]) -> Line<'_> {
    Line {
        raw,
        kind: LineKind::Json,
        fields: Vec::new(),
        timestamp: None,
        message: None,
        source: None,
        form: None,
        fields_dropped: 0,
    }
}

pub(crate) async fn all_events(snapshot: &Snapshot) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    for partition in &snapshot.partitions {
        for block in partition.blocks.iter() {
            let groups = read_block(block).await.map_err(|why| format!("block {}: {why}", block.entry.id))?;
            groups.iter().for_each(|group| found_in(partition, group, &mut found));
        }
        partition.head.iter().for_each(|group| found_in(partition, group, &mut found));
    }
    Ok(found)
}

fn found_in(partition: &PartitionView, group: &RowGroup, found: &mut Vec<Found>) {
    for row in 0..group.rows {
        let mut raw = Vec::new();
        group.raw(row, &mut raw);
        found.push(Found {
            id: group.id(row),
            index: partition.key.index.to_string(),
            day: partition.key.day,
            time_ns: group.times[row as usize],
            raw,
        });
    }
}

/// The events of a block.
pub(crate) async fn ids_in_block(block: &StoredBlock) -> Result<Vec<EventId>, String> {
    Ok(read_block(block).await?.iter().flat_map(ids_in_group).collect())
}

/// The events of a row group.
pub(crate) fn ids_in_group(group: &RowGroup) -> impl Iterator<Item = EventId> {
    (0..group.rows).map(|row| group.id(row))
}

async fn read_block(block: &StoredBlock) -> Result<Vec<RowGroup>, String> {
    let len = usize::try_from(block.entry.bytes).map_err(|error| error.to_string())?;
    let bytes = block.read(0, len).await.map_err(|error| error.to_string())?;
    groups_of(&bytes)
}

/// All rows of a block's bytes.
pub(crate) fn groups_of(bytes: &[u8]) -> Result<Vec<RowGroup>, String> {
    let footer = Footer::of_block(bytes).map_err(|error| error.to_string())?;
    let group = |group| decode_group_of(&footer, group, bytes).map_err(|error| error.to_string());
    (0..footer.groups.len()).map(group).collect()
}
