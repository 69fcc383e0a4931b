//! The engine on a real disk: what is acknowledged is there, whatever ends the process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use helios::block::RawCursor;
use helios::crypto::Random;
use helios::engine::{self, AppendError, Engine, Health, OpenError, ReadOnly, Settings, Snapshot};
use helios::event::EventId;
use helios::host::{Host, real};
use helios::ingest::{IndexTemplate, Lines, Replay, Request, Target, read_lines};

/// 2026-06-14T00:00:00Z.
const NOON_NS: i64 = 1_781_395_200_000_000_000;

fn host() -> Host {
    real::host(Arc::new(Random::new()), 2).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

async fn open(root: &Path, settings: Settings) -> Engine {
    Engine::open(host(), root.to_path_buf(), settings, Arc::new(Replay)).await.unwrap()
}

async fn ingest(engine: &Engine, body: &str) -> Result<(), AppendError> {
    let target = Target { env: "default".into(), index: IndexTemplate::parse("app").unwrap(), source: None };
    let request = Request::new(target, NOON_NS, Arc::new(|_| None));
    let lines = Lines { body: Bytes::copy_from_slice(body.as_bytes()), first_line: 1 };
    let admission = engine.admit(body.len() as u64).await?;
    let record = read_lines(&request, lines).record.expect("the lines are events");
    engine.append(record, admission).await.map(|_| ())
}

/// Every event of a snapshot, blocks and heads, by id.
async fn events(snapshot: &Snapshot) -> BTreeMap<EventId, String> {
    let mut found = BTreeMap::new();
    for partition in &snapshot.partitions {
        let mut groups = partition.head.clone();
        for block in partition.blocks.iter() {
            let footer = block.footer().await.unwrap();
            let bytes = block.read(0, usize::try_from(block.entry.bytes).unwrap()).await.unwrap();
            for group in 0..footer.groups.len() {
                groups.push(Arc::new(helios::block::reader::decode_group_of(&footer, group, &bytes).unwrap()));
            }
        }
        for group in groups {
            let mut cursor = RawCursor::new(&group);
            for row in 0..group.rows {
                let mut raw = Vec::new();
                cursor.write(row, &mut raw);
                let doubled = found.insert(group.id(row), String::from_utf8(raw).unwrap());
                assert_eq!(doubled, None, "an event is in one place only");
            }
        }
    }
    found
}

async fn lines(engine: &Engine) -> Vec<String> {
    events(&engine.snapshot(|_| true)).await.into_values().collect()
}

fn line(number: u32) -> String {
    format!("{{\"ts\":\"2026-06-{:02}T10:00:00Z\",\"msg\":\"event {number}\"}}", 10 + number % 3)
}

fn body(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|number| line(number) + "\n").collect()
}

fn expected(numbers: std::ops::Range<u32>) -> Vec<String> {
    let mut lines: Vec<String> = numbers.map(line).collect();
    lines.sort();
    lines
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn what_is_acknowledged_is_there_after_the_process_just_ended_and_after_it_closed() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let engine = open(root.path(), Settings::default()).await;
        ingest(&engine, &body(0..100)).await.unwrap();
        assert_eq!(sorted(lines(&engine).await), expected(0..100), "searchable at once");
    });
    // The runtime ended without close: as after kill -9, only the log has the events.
    block_on(async {
        let engine = open(root.path(), Settings::default()).await;
        assert_eq!(sorted(lines(&engine).await), expected(0..100), "from the log");
        ingest(&engine, &body(100..150)).await.unwrap();
        engine.close().await;
        assert!(matches!(ingest(&engine, &body(0..1)).await, Err(AppendError::Stopping | AppendError::Stopped(_))));
        let again = open(root.path(), Settings::default()).await;
        assert_eq!(sorted(lines(&again).await), expected(0..150), "from blocks");
        assert_eq!(again.stats().head_events, 0, "close had flushed everything");
        assert_eq!(again.stats().log_bytes, 0, "and the log was no longer needed");
        again.close().await;
    });
}

#[test]
fn events_keep_their_ids_and_their_bytes_through_flush_compaction_and_restart() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let engine = open(root.path(), Settings::default()).await;
        for piece in 0..10 {
            ingest(&engine, &body(piece * 10..piece * 10 + 10)).await.unwrap();
            assert!(engine.flush_now().await);
        }
        let before = engine.snapshot(|_| true);
        let known = events(&before).await;
        assert_eq!(known.len(), 100);
        engine.compact_now().await;
        assert_eq!(engine.stats().blocks, 3, "one block for each day");
        assert_eq!(events(&engine.snapshot(|_| true)).await, known);
        assert_eq!(events(&before).await, known, "a snapshot outlives the blocks that it names");
        drop(before);
        engine.close().await;
        let again = open(root.path(), Settings::default()).await;
        assert_eq!(events(&again.snapshot(|_| true)).await, known);
        again.close().await;
    });
}

#[test]
fn a_head_goes_into_blocks_no_larger_than_a_flush_takes() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { flush_rows_max: 25, ..Settings::default() };
    block_on(async {
        let engine = open(root.path(), settings.clone()).await;
        // Small batches join as they come: seven of nine events each end as two, of 45 and 18.
        for piece in 0..7 {
            ingest(&engine, &body(piece * 27..piece * 27 + 27)).await.unwrap();
        }
        let known = events(&engine.snapshot(|_| true)).await;
        assert!(engine.flush_now().await);
        let snapshot = engine.snapshot(|_| true);
        assert_eq!(engine.stats().head_events, 0);
        for partition in &snapshot.partitions {
            let rows: Vec<u64> = partition.blocks.iter().map(|block| block.entry.rows).collect();
            assert_eq!(rows, [45, 18]);
        }
        assert_eq!(events(&snapshot).await, known);
        engine.close().await;
        let again = open(root.path(), settings).await;
        assert_eq!(events(&again.snapshot(|_| true)).await, known);
        again.close().await;
    });
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let engine = open(root.path(), Settings::default()).await;
        let second = Engine::open(host(), root.path().to_path_buf(), Settings::default(), Arc::new(Replay)).await;
        assert!(matches!(second.err(), Some(OpenError::InUse(_))));
        let reader = ReadOnly::open(host(), root.path().to_path_buf(), Arc::new(Replay)).await;
        assert!(matches!(reader.err(), Some(OpenError::InUse(_))));
        engine.close().await;
        assert!(ReadOnly::open(host(), root.path().to_path_buf(), Arc::new(Replay)).await.is_ok());
    });
}

#[test]
fn a_directory_of_a_later_format_is_refused_and_says_so() {
    let root = tempfile::tempdir().unwrap();
    block_on(async { open(root.path(), Settings::default()).await.close().await });
    std::fs::write(root.path().join("_node/format"), r#"{"product":"helios","format":99}"#).unwrap();
    block_on(async {
        let refused = Engine::open(host(), root.path().to_path_buf(), Settings::default(), Arc::new(Replay)).await;
        let message = refused.err().unwrap().to_string();
        assert!(message.contains("format 99") && message.contains("newer"), "{message}");
    });
}

#[test]
fn looking_at_a_directory_changes_nothing_in_it() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let engine = open(root.path(), Settings::default()).await;
        ingest(&engine, &body(0..20)).await.unwrap();
        assert!(engine.flush_now().await);
        ingest(&engine, &body(20..30)).await.unwrap();
    });
    let before = files(root.path());
    block_on(async {
        let reader = ReadOnly::open(host(), root.path().to_path_buf(), Arc::new(Replay)).await.unwrap();
        let found = events(&reader.snapshot(|_| true)).await;
        assert_eq!(sorted(found.into_values().collect()), expected(0..30), "blocks and log together");
    });
    assert_eq!(files(root.path()), before);
}

#[test]
fn retention_removes_days_keeps_the_rest_and_nothing_comes_back() {
    let root = tempfile::tempdir().unwrap();
    let settings = || Settings { retention_days: Some(1), ..Settings::default() };
    block_on(async {
        let engine = open(root.path(), Settings::default()).await;
        ingest(&engine, &body(0..30)).await.unwrap();
        engine.flush_now().await;
    });
    block_on(async {
        // All of it lies years before or after the real clock's today; only what is before goes.
        let engine = open(root.path(), settings()).await;
        let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
        let kept: Vec<String> = expected(0..30)
            .into_iter()
            .filter(|line| today <= 20_614 + line[15..17].parse::<u64>().unwrap() - 10 + 1)
            .collect();
        engine.sweep_now().await;
        assert_eq!(sorted(lines(&engine).await), kept);
        engine.close().await;
        let again = open(root.path(), settings()).await;
        assert_eq!(sorted(lines(&again).await), kept);
        again.close().await;
        let report = engine::verify(&host(), root.path().to_path_buf(), &mut |_| {}).await.unwrap();
        assert_eq!(report.problems, []);
    });
}

#[test]
fn verify_tells_sound_from_changed_from_missing() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let engine = open(root.path(), Settings::default()).await;
        ingest(&engine, &body(0..30)).await.unwrap();
        engine.close().await;
        let check = async || engine::verify(&host(), root.path().to_path_buf(), &mut |_| {}).await.unwrap();
        let sound = check().await;
        assert_eq!(sound.problems, []);
        assert_eq!((sound.partitions, sound.blocks, sound.rows), (3, 3, 30));

        let blocks: Vec<_> = files(root.path()).into_keys().filter(|name| name.ends_with(".hb")).collect();
        let first = root.path().join(&blocks[0]);
        let mut bytes = std::fs::read(&first).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&first, bytes).unwrap();
        std::fs::remove_file(root.path().join(&blocks[1])).unwrap();
        let problems = check().await.problems;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].path == blocks[0] && problems[0].what.contains("changed"), "{problems:?}");
        assert!(problems[1].path == blocks[1] && problems[1].what.contains("missing"), "{problems:?}");
    });
}

#[test]
fn a_manifest_that_was_changed_breaks_the_chain_of_digests() {
    let root = tempfile::tempdir().unwrap();
    block_on(async {
        let engine = open(root.path(), Settings::default()).await;
        for piece in 0..3 {
            ingest(&engine, &body(piece * 10..piece * 10 + 10)).await.unwrap();
            engine.flush_now().await;
        }
        engine.close().await;
        let manifest = root.path().join("default/app/2026-06-10/manifest/00000000000000000002.json");
        let text = std::fs::read_to_string(&manifest).unwrap();
        std::fs::write(&manifest, text.replace("\"floor\":1", "\"floor\": 1")).unwrap();
        let report = engine::verify(&host(), root.path().to_path_buf(), &mut |_| {}).await.unwrap();
        assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
        assert!(report.problems[0].what.contains("digest"), "{:?}", report.problems);
    });
}

#[test]
fn many_clients_at_once_lose_and_double_nothing() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { flush_rows: 40, flush_rows_max: 25, segment_bytes: 2_000, ..Settings::default() };
    block_on(async {
        let engine = Arc::new(open(root.path(), settings.clone()).await);
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let engine = Arc::clone(&engine);
                tokio::spawn(async move {
                    for piece in 0..10 {
                        let first = client * 100 + piece * 10;
                        ingest(&engine, &body(first..first + 10)).await.unwrap();
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(sorted(lines(&engine).await), expected(0..800));
        assert_eq!(engine.health(), Health::Running);
    });
    block_on(async {
        let again = open(root.path(), settings).await;
        assert_eq!(sorted(lines(&again).await), expected(0..800));
        again.close().await;
    });
}

/// Every file below a folder with its bytes, by path; but for the lock.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "lock" {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}
