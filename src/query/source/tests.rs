//! Planning over 100,000 blocks, by work that is counted: what is planned, and which files are opened. The
//! blocks are made up, and those that may be opened are there; the disk has no others.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::block::{BlockWriter, GroupBuilder, RowMeta, WriterOptions};
use crate::crypto::Random;
use crate::engine::{BlockEntry, BlockId, Digest, Watermarks};
use crate::event::{EventId, Line, LineKind, LineParser, Origin, PartitionKey, Sequence};
use crate::host::{BoxFuture, DirEntry, Disk, DiskFile, DiskLock, UnixNanos, real};
use crate::query::{
    Access, Cancel, ContextRequest, CountMode, QueryContext, QueryLimits, QueryShared, SearchAnswer, SearchRequest,
    context, search,
};

#[test]
fn ranges_that_lie_close_together_are_read_as_one_and_none_is_lost() {
    let gap = READ_GAP_BYTES;
    assert_eq!(joined(vec![100..200, 0..50, 100..200, 150..180]), vec![0..200]);
    assert_eq!(
        joined(vec![0..10, 10 + gap..20 + gap, 21 + 2 * gap..30 + 2 * gap]),
        [0..20 + gap, 21 + 2 * gap..30 + 2 * gap]
    );
    assert_eq!(joined(Vec::new()), Vec::<Range<u64>>::new());
}

const DAYS: i64 = 10;
const BLOCKS_A_DAY: i64 = 10_000;
const BLOCKS: i64 = DAYS * BLOCKS_A_DAY;
/// Each block's events begin so long after those of the one before.
const STEP_NS: i64 = DAY_NS / BLOCKS_A_DAY;
const ROWS: i64 = 4;
const ORIGIN: Origin = Origin(7);
const FIRST_DAY: i64 = 20_000;
const START: i64 = FIRST_DAY * DAY_NS;
const MINUTE_NS: i64 = 60_000_000_000;

#[tokio::test]
async fn a_quarter_of_an_hour_in_100_000_blocks_plans_and_opens_its_own_blocks_only() {
    let (from, to) = (START + 5 * DAY_NS + 600 * MINUTE_NS, START + 5 * DAY_NS + 615 * MINUTE_NS);
    let inside = |block: i64| block_times(block).1 >= from && block_times(block).0 < to;
    let lake = lake(inside);
    let mut scope = scope();
    (scope.start, scope.end) = (Some(from), Some(to));
    let filter = crate::query::prepare::prepare("*", None).unwrap().filter;
    let source = Source::open_once(&lake.context, &lake.snapshot, &scope, &filter).await.unwrap();
    assert_eq!(source.tasks.len(), (0..BLOCKS).filter(|block| inside(*block)).count());
    assert_eq!(source.stats().blocks, BLOCKS as u64);
    assert_eq!(lake.disk.opened(), 0, "a plan opens no file");
    let visited: usize =
        lake.snapshot.partitions.iter().map(|partition| partition.blocks.overlapping(from, to - 1).visited).sum();
    assert!(visited < 1_000, "{visited} of {BLOCKS} entries were looked at");

    let mut request = SearchRequest::new("default", "*", UnixNanos(to));
    request.scope = scope;
    let answer = search(&lake.context, &lake.snapshot, &request).await.unwrap();
    let expected = (0..BLOCKS).flat_map(row_times).filter(|time| (from..to).contains(time)).count();
    assert_eq!(answer.total, Some(expected as u64));
}

#[tokio::test]
async fn the_latest_events_of_100_000_blocks_open_the_newest_blocks_only() {
    let lake = lake(|block| block >= BLOCKS - 100);
    let mut request = SearchRequest::new("default", "*", UnixNanos(START + DAYS * DAY_NS));
    (request.limit, request.count) = (100, CountMode::None);
    let answer = search(&lake.context, &lake.snapshot, &request).await.unwrap();
    assert_eq!(newest_first(&answer), (0..BLOCKS).rev().flat_map(|b| row_times(b).rev()).take(100).collect::<Vec<_>>());
    assert!(lake.disk.opened() < 60, "{} files were opened for {} blocks", lake.disk.opened(), 100 / ROWS);
}

#[tokio::test]
async fn the_count_of_all_events_in_100_000_blocks_opens_no_file() {
    let lake = lake(|_| false);
    let mut request = SearchRequest::new("default", "*", UnixNanos(START + DAYS * DAY_NS));
    request.limit = 0;
    let answer = search(&lake.context, &lake.snapshot, &request).await.unwrap();
    assert_eq!(answer.total, Some((BLOCKS * ROWS) as u64));
    assert_eq!(lake.disk.opened(), 0);
}

#[tokio::test]
async fn an_event_is_found_by_its_id_in_one_block_of_each_day() {
    let block = 3 * BLOCKS_A_DAY + 77;
    let around = |other: i64| (block - 200..block + 200).contains(&other) || other % BLOCKS_A_DAY == 0;
    let lake = lake(around);
    let id = EventId { origin: ORIGIN, sequence: Sequence((block * ROWS + 2) as u64) };
    let request = ContextRequest { env: "default".into(), id, before: 1, after: 1 };
    let answer = context(&lake.context, &lake.snapshot, &request).await.unwrap();
    assert_eq!(answer.event.timestamp, block_times(block).0 + 1);
    assert!(lake.disk.opened() < 60, "{} files were opened", lake.disk.opened());
}

#[tokio::test]
async fn a_block_whose_groups_are_not_those_of_the_manifest_is_told_as_damaged() {
    let lake = lake(|block| block == 0);
    let (bytes, _) = lake.disk.blocks.lock().unwrap().get(&0).cloned().unwrap();
    // The block of another time in the place of block 1.
    lake.disk.blocks.lock().unwrap().insert(1, (bytes.clone(), 0));
    let mut snapshot = lake.snapshot.clone();
    let view = &snapshot.partitions[0];
    let entry = BlockEntry { bytes: bytes.len() as u64, ..(*view.blocks[1].entry).clone() };
    let blocks = vec![lake.stored(entry)];
    snapshot.partitions = vec![Arc::new(PartitionView {
        base_blocks: 0,
        key: view.key.clone(),
        blocks: Arc::new(crate::engine::BlockSet::new(blocks)),
        head: Vec::new(),
        lost: Vec::new(),
    })];
    let request = SearchRequest::new("default", "level:info", UnixNanos(START));
    let error = search(&lake.context, &snapshot, &request).await.unwrap_err();
    assert!(matches!(error, QueryError::Corrupt { .. }), "{error}");
}

struct Lake {
    snapshot: Snapshot,
    context: QueryContext,
    disk: Arc<MadeDisk>,
}

impl Lake {
    fn stored(&self, entry: BlockEntry) -> Arc<StoredBlock> {
        stored(&(Arc::clone(&self.disk) as Arc<dyn Disk>), entry)
    }
}

/// All blocks in the manifest, and those that are `real` on the disk.
fn lake(real: impl Fn(i64) -> bool) -> Lake {
    let disk = Arc::new(MadeDisk::default());
    let of_disk: Arc<dyn Disk> = Arc::clone(&disk) as _;
    let home = StoredBlock::test_home(&of_disk);
    let mut partitions = Vec::new();
    for day in 0..DAYS {
        let blocks = (day * BLOCKS_A_DAY..(day + 1) * BLOCKS_A_DAY).map(|number| {
            let mut entry = entry_of(number);
            if real(number) {
                let bytes = block_bytes(number);
                entry.bytes = bytes.len() as u64;
                disk.blocks.lock().unwrap().insert(number as u128, (bytes, number));
            }
            Arc::new(StoredBlock::new(Arc::new(entry), Arc::clone(&home)))
        });
        partitions.push(Arc::new(PartitionView {
            base_blocks: 0,
            key: PartitionKey { env: "default".into(), index: "app".into(), day: (FIRST_DAY + day) as i32 },
            blocks: Arc::new(crate::engine::BlockSet::new(blocks.collect())),
            head: Vec::new(),
            lost: Vec::new(),
        }));
    }
    let host = real::host(Arc::new(Random::new()), 2).unwrap();
    let shared = Arc::new(QueryShared::new(host, QueryLimits::default()));
    let context = QueryContext { shared, access: Access::All, cancel: Cancel::default() };
    Lake { snapshot: Snapshot { partitions, ..Snapshot::default() }, context, disk }
}

fn stored(disk: &Arc<dyn Disk>, entry: BlockEntry) -> Arc<StoredBlock> {
    Arc::new(StoredBlock::new(Arc::new(entry), StoredBlock::test_home(disk)))
}

fn scope() -> Scope {
    Scope { env: "default".into(), ..Scope::default() }
}

fn newest_first(answer: &SearchAnswer) -> Vec<i64> {
    answer.hits.iter().map(|hit| hit.timestamp).collect()
}

fn block_times(number: i64) -> (i64, i64) {
    let first = START + number * STEP_NS;
    (first, first + ROWS - 1)
}

fn row_times(number: i64) -> impl DoubleEndedIterator<Item = i64> {
    let (first, last) = block_times(number);
    first..=last
}

fn entry_of(number: i64) -> BlockEntry {
    let (min_time, max_time) = block_times(number);
    let mut upto = Watermarks::default();
    upto.raise(ORIGIN, ((number + 1) * ROWS) as u64);
    BlockEntry {
        id: BlockId(number as u128),
        sha256: Digest([0; 32]),
        bytes: 1,
        rows: ROWS as u64,
        min_time,
        max_time,
        raw_bytes: 1,
        groups: Box::default(),
        upto,
    }
}

fn block_bytes(number: i64) -> Bytes {
    let mut parser = LineParser::new();
    let mut builder = GroupBuilder::new();
    let lines: Vec<String> =
        (1..=ROWS).map(|row| format!(r#"{{"level":"info","message":"row {row} of {number}"}}"#)).collect();
    let mut line = Line::default();
    for ((row, time), raw) in (1..).zip(row_times(number)).zip(&lines) {
        parser.parse(LineKind::Json, raw.as_bytes(), 0, &mut line).unwrap();
        let sequence = Sequence((number * ROWS + row) as u64);
        builder.push(&line, RowMeta { time, origin: ORIGIN, sequence, time_is_arrival: false, source: None });
    }
    let mut writer = BlockWriter::new(WriterOptions::STANDARD);
    let group = Arc::new(builder.finish(parser.into_paths()));
    crate::block::merge_all(vec![(group, None)], u32::MAX).iter().for_each(|group| writer.push_group(group));
    Bytes::from(writer.finish().0)
}

/// Files of blocks, by the number in their id; opens are counted, and nothing else can be done.
#[derive(Default)]
struct MadeDisk {
    blocks: Mutex<BTreeMap<u128, (Bytes, i64)>>,
    opened: AtomicU64,
}

struct MadeFile(Bytes);

impl MadeDisk {
    fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

fn not_here<'a, T: Send + 'a>() -> BoxFuture<'a, io::Result<T>> {
    Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
}

impl Disk for MadeDisk {
    fn create_new<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        not_here()
    }

    fn open<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let id = path.file_stem().and_then(|name| name.to_str()?.parse::<BlockId>().ok());
        let bytes = id.and_then(|id| self.blocks.lock().unwrap().get(&id.0).cloned());
        Box::pin(async move {
            let (bytes, _) = bytes.ok_or_else(|| io::Error::other("a block that is not needed was opened"))?;
            Ok(Arc::new(MadeFile(bytes)) as Arc<dyn DiskFile>)
        })
    }

    fn rename<'a>(&'a self, _: &'a Path, _: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        not_here()
    }

    fn link<'a>(&'a self, _: &'a Path, _: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        not_here()
    }

    fn remove_file<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        not_here()
    }

    fn remove_dir<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        not_here()
    }

    fn create_dir<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        not_here()
    }

    fn list<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<Vec<DirEntry>>> {
        not_here()
    }

    fn sync_dir<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        not_here()
    }

    fn free_bytes<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<u64>> {
        not_here()
    }

    fn lock<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<Box<dyn DiskLock>>> {
        not_here()
    }
}

impl DiskFile for MadeFile {
    fn append(&self, _: Bytes) -> BoxFuture<'_, io::Result<u64>> {
        not_here()
    }

    fn read_at(&self, offset: u64, len: usize) -> BoxFuture<'_, io::Result<Bytes>> {
        let start = usize::try_from(offset).unwrap();
        let bytes = (start + len <= self.0.len()).then(|| self.0.slice(start..start + len));
        Box::pin(async move { bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into()) })
    }

    fn len(&self) -> BoxFuture<'_, io::Result<u64>> {
        let len = self.0.len() as u64;
        Box::pin(async move { Ok(len) })
    }

    fn sync(&self) -> BoxFuture<'_, io::Result<()>> {
        not_here()
    }

    fn preallocate(&self, _: u64) -> BoxFuture<'_, io::Result<()>> {
        not_here()
    }
}
