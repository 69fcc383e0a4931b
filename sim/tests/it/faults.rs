//! Calls that fail: an error at each one, a full disk, rot, a second process.

use std::path::Path;
use std::time::Duration;

use sim::powercut::{Answer, EngineSubject, ROOT, Sent, Subject, Trouble, drawn_settings};
use sim::{DiskFault, Ended, FaultPlan, Rng, Storage, World};

use crate::{busy_settings, check};

/// Runs of each campaign.
const RUNS: usize = 300;

/// Disk calls tried of each workload.
const CALLS_PER_SEED: usize = 20;

/// Where the calendar of a world stands at its start, in nanoseconds since 1970, less a second.
const TIME_NS: i64 = 1_767_225_599_000_000_000;

#[test]
fn an_error_at_any_call_loses_nothing_acknowledged_and_shows_nothing_refused() {
    check("an_error_at_any_call", Trouble::Fault(DiskFault::Io), RUNS, Some(CALLS_PER_SEED));
}

#[test]
fn no_space_at_any_call_loses_nothing_acknowledged_and_shows_nothing_refused() {
    check("no_space_at_any_call", Trouble::Fault(DiskFault::NoSpace), RUNS, Some(CALLS_PER_SEED));
}

fn batch(number: usize, lines: usize) -> Vec<Sent> {
    let line = |line| {
        // Chance, because no block makes it small: else a full disk would be a long time coming.
        let mut rng = Rng::labelled((number * 8 + line) as u64, "fill");
        let fill: String = (0..12).map(|_| format!("{:016x}", rng.next_u64())).collect();
        let raw = format!(r#"{{"time":{TIME_NS},"n":"{number}-{line}","message":"{fill}"}}"#);
        Sent { index: "app", time_ns: TIME_NS, raw }
    };
    (0..lines).map(line).collect()
}

/// Runs `main` on a machine with this storage and returns what it gave, and the storage afterwards.
fn on_machine<T>(
    storage: Storage,
    seed: u64,
    main: impl AsyncFn(&helios::host::Host, &sim::SimDisk) -> T,
) -> (T, Storage) {
    let world = World::new(seed);
    let disk = world.mount(storage, FaultPlan::none());
    let host = world.host(&disk);
    let ended = world.run(main(&host, &disk));
    assert_eq!(world.panicked_tasks(), Vec::<&str>::new());
    drop(host);
    drop(world);
    let Ended::Done(value) = ended else { panic!("the machine stopped") };
    (value, disk.unmount())
}

#[test]
fn a_full_disk_refuses_clearly_answers_searches_and_heals_by_itself() {
    for seed in 0..20 {
        let mut storage = Storage::new();
        storage.set_capacity(30_000);
        on_machine(storage, seed, async |host, disk| {
            let settings = helios::engine::Settings { reserve_bytes: 10_000, ..drawn_settings(seed) };
            let subject = EngineSubject::start(host, Path::new(ROOT), &settings).await.unwrap();
            let (mut acknowledged, mut refused) = (0, 0);
            let mut number = 0;
            while refused < 5 {
                number += 1;
                assert!(number < 10_000, "seed {seed}: the disk never fills");
                match subject.ingest(&batch(number, 3)).await {
                    Answer::Acknowledged(ids) => acknowledged += ids.len(),
                    Answer::Refused => refused += 1,
                    Answer::Unknown => panic!("seed {seed}: a full disk is no unknown outcome"),
                }
                host.clock.sleep(Duration::from_millis(20)).await;
                assert_eq!(subject.events().await.unwrap().len(), acknowledged, "seed {seed}: search goes on");
            }
            disk.with_storage(|storage| storage.set_capacity(10_000_000));
            host.clock.sleep(Duration::from_secs(10)).await;
            let answer = subject.ingest(&batch(0, 3)).await;
            assert!(matches!(answer, Answer::Acknowledged(_)), "seed {seed}: {answer:?} although there is room");
            assert_eq!(subject.events().await.unwrap().len(), acknowledged + 3);
            subject.stop().await.unwrap();
        });
    }
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    on_machine(Storage::new(), 1, async |host, _| {
        let first = EngineSubject::start(host, Path::new(ROOT), &busy_settings()).await.unwrap();
        let second = EngineSubject::start(host, Path::new(ROOT), &busy_settings()).await;
        let refusal = second.map(|_| ()).unwrap_err();
        assert!(refusal.contains("in use"), "{refusal}");
        assert!(matches!(first.ingest(&batch(1, 1)).await, Answer::Acknowledged(_)), "the first is unharmed");
    });
}

/// A killed server's log with nine records of one line each, and where they begin in its segment.
fn log_of_nine() -> (Storage, String) {
    let settings = helios::engine::Settings::default();
    let (_, storage) = on_machine(Storage::new(), 1, async |host, _| {
        let subject = EngineSubject::start(host, Path::new(ROOT), &settings).await.unwrap();
        for number in 0..9 {
            assert!(matches!(subject.ingest(&batch(number, 1)).await, Answer::Acknowledged(_)));
        }
    });
    let log = storage.files().into_iter().find(|file| file.ends_with(".log")).unwrap();
    (storage, log)
}

/// Numbers of the batches that a server finds on this storage, and whether verify complains.
fn found_on(storage: Storage) -> (Vec<usize>, bool) {
    let settings = helios::engine::Settings::default();
    let (found, _) = on_machine(storage, 2, async |host, _| {
        let verified = EngineSubject::verify(host, Path::new(ROOT), &settings).await;
        let subject = EngineSubject::start(host, Path::new(ROOT), &settings).await.unwrap();
        let events = subject.events().await.unwrap();
        let number = |raw: &[u8]| String::from_utf8_lossy(raw).split(['"', '-']).nth(5).unwrap().parse().unwrap();
        let mut numbers: Vec<usize> = events.iter().map(|event| number(&event.raw)).collect();
        numbers.sort_unstable();
        (numbers, verified.is_err())
    });
    found
}

#[test]
fn rot_in_the_middle_of_the_log_costs_its_record_only_and_is_told() {
    let (storage, log) = log_of_nine();
    assert_eq!(found_on(storage.clone()), ((0..9).collect(), false));
    let len = storage.read(&log).unwrap().len();
    for sixteenth in 1..14 {
        let mut rotten = storage.clone();
        rotten.flip_bit(&log, 64 + (len - 64) * sixteenth / 16, 3);
        let (numbers, told) = found_on(rotten);
        assert_eq!((numbers.len(), told), (8, true), "{sixteenth}/16: {numbers:?}");
    }
}

#[test]
fn a_torn_record_at_the_end_of_the_log_is_no_damage() {
    let (storage, log) = log_of_nine();
    let whole = storage.read(&log).unwrap().to_vec();
    let mut torn = storage.clone();
    // Garbage behind the last record: what a cut leaves of a write that nobody was answered.
    torn.append_to(&log, &whole[64..150]);
    assert_eq!(found_on(torn), ((0..9).collect(), false));
}
