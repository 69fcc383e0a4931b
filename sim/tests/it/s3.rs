//! The real S3 client against the simulated server, over the simulated network.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use helios::chain::probe::{self, ProbeError};
use helios::chain::{Chain, Commit, Create, Store, StoreError, conformance};
use helios::host::Host;
use sim::fleet::{Fleet, Setup};
use sim::s3::{Bucket, Faults, Lie, client, serve};

/// Virtual time within which anything here is over.
const TIME_MAX: Duration = Duration::from_secs(4 * 3_600);

/// Runs `main` on a machine beside the server, on a thread of its own: what others keep in thread-locals is fresh.
fn beside_a_server<T, F>(
    seed: u64,
    bucket: &Bucket,
    main: impl FnOnce(Host, Arc<dyn Store>) -> F + Send + 'static,
) -> (T, u64)
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    sim::leaks::on_a_sealed_thread(seed, || {
        let setup = Setup { seed, tick: Duration::from_millis(10), latency_max: Duration::from_millis(20) };
        let mut fleet = Fleet::new(setup);
        let served = bucket.clone();
        fleet.add("s3", move |_, life| {
            let (host, bucket) = (life.host, served.clone());
            async move { serve(host, bucket).await.unwrap() }
        });
        let answer = Arc::new(Mutex::new(None));
        let told = answer.clone();
        fleet.add_client("client", |life| async move {
            let store = client(&life.host, "s3", "some/prefix");
            let value = main(life.host, store).await;
            *told.lock().unwrap() = Some(value);
        });
        while !fleet.step().unwrap() {
            assert!(fleet.elapsed() < TIME_MAX, "no end after {TIME_MAX:?}");
        }
        let value = answer.lock().unwrap().take().unwrap();
        (value, fleet.digest().value())
    })
}

#[test]
fn the_store_in_the_fleet_passes_the_conformance_suite() {
    for seed in 1..4 {
        let bucket = Bucket::new(seed);
        let run = |_, store: Arc<dyn Store>| async move { conformance::run(&store, "checks").await };
        let (met, _) = beside_a_server(seed, &bucket, run);
        assert!(met.unwrap().contains(&"a-chain-counts-every-commit"), "the last check");
        assert_eq!(bucket.keys(), [""; 0], "the suite cleans up");
    }
}

#[test]
fn a_store_that_lies_is_refused_by_the_probe() {
    let probed = |lie| {
        let bucket = Bucket::new(1);
        bucket.set_lie(lie);
        let run = |host: Host, store: Arc<dyn Store>| async move {
            let entropy = host.entropy.fork("probe");
            probe::probe(&store, "probe", entropy.as_ref()).await
        };
        beside_a_server(1, &bucket, run).0
    };
    assert!(probed(None).is_ok());
    for lie in [Lie::CreateReplaces, Lie::StaleLists] {
        let refusal = probed(Some(lie));
        assert!(matches!(refusal, Err(ProbeError::Unsafe(_))), "{lie:?}: {refusal:?}");
    }
}

#[test]
fn a_create_that_arrives_after_its_client_gave_up_is_unknown_and_there_later() {
    let bucket = Bucket::new(3);
    bucket.set_faults(Faults { late: 1_000, late_ms_max: 3_600_000, ..Faults::default() });
    let seen = bucket.clone();
    let run = move |host: Host, store: Arc<dyn Store>| async move {
        let answer = store.create("a", "x".into()).await;
        let at_once = seen.keys();
        host.clock.sleep(Duration::from_secs(3_700)).await;
        (answer, at_once)
    };
    let ((answer, at_once), _) = beside_a_server(3, &bucket, run);
    assert!(matches!(answer, Err(StoreError::Unknown { .. })), "{answer:?}");
    assert_eq!(at_once, [""; 0]);
    assert_eq!(bucket.keys(), ["some/prefix/a"]);
    assert!(bucket.history()[0].late);
}

#[test]
fn whatever_is_answered_a_chain_is_right_about_its_commits() {
    for seed in 0..6 {
        let bucket = Bucket::new(seed);
        let faults = Faults { refuse: 60, fail_after: 60, hang_after: 20, conflict: 60, ..Faults::default() };
        bucket.set_faults(Faults { slow_ms_max: 300, page_objects_max: 1, ..faults });
        let run = |_: Host, store: Arc<dyn Store>| async move {
            let commits = (0..3).map(|writer| commit_some(Chain::new(store.clone(), "c".into()), writer));
            futures_util::future::join_all(commits).await.concat()
        };
        let (told, _) = beside_a_server(seed, &bucket, run);
        let made: Vec<String> = bucket.history().iter().map(|made| format!("{:?}", made.change)).collect();
        for (id, done) in told {
            let there = made.iter().filter(|made| made.contains(&id)).count();
            match done {
                Some(true) => assert_eq!(there, 1, "seed {seed}: {id} was told to be done"),
                Some(false) => assert_eq!(there, 0, "seed {seed}: {id} was told to be lost"),
                None => assert!(there <= 1, "seed {seed}: {id}"),
            }
        }
    }
}

/// Commits a few times, and says what each was told: done, lost, or nothing certain.
async fn commit_some(chain: Chain, writer: u64) -> Vec<(String, Option<bool>)> {
    let mut told = Vec::new();
    for number in 0..8 {
        let Ok(head) = chain.head().await else { continue };
        let generation = head.map_or(0, |head| head.generation) + 1;
        let id = format!("w{writer}-{number}-{generation}");
        let outcome = match chain.commit(generation, format!(r#"{{"commit":"{id}"}}"#).into()).await {
            Ok(Commit::Done(_)) => Some(true),
            Ok(Commit::Lost(_)) | Err(StoreError::Definite { .. }) => Some(false),
            Ok(Commit::Untold(_)) | Err(_) => None,
        };
        told.push((id, outcome));
    }
    told
}

#[test]
fn the_same_seed_sends_the_same_bytes() {
    let digest = |seed| {
        let bucket = Bucket::new(seed);
        bucket.set_faults(Faults { refuse: 50, fail_after: 50, slow_ms_max: 50, ..Faults::default() });
        let run = |_: Host, store: Arc<dyn Store>| async move {
            for number in 0..10 {
                let _: Result<Create, StoreError> = store.create(&format!("k/{number}"), "x".into()).await;
            }
            store.list_all("k", "").await.is_ok()
        };
        beside_a_server(seed, &bucket, run).1
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}
