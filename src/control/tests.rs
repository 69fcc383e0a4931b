//! Documents and leases over a store in memory, with a clock that the test moves.

use std::sync::atomic::AtomicU64;

use super::lease::{LEASE_RENEW, LEASE_TTL};
use super::*;
use crate::chain::memory::{Faults, MemoryStore};
use crate::crypto::{Random, Register, SealingKey};
use crate::host::{BoxFuture, Entropy, UnixNanos, real};

/// A clock that stands still until it is moved. A sleep moves it.
#[derive(Default)]
pub(super) struct TestClock(AtomicU64);

impl TestClock {
    fn pass(&self, duration: Duration) {
        self.0.fetch_add(duration.as_millis() as u64, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn wall(&self) -> UnixNanos {
        UnixNanos(0)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.pass(duration);
        Box::pin(tokio::task::yield_now())
    }
}

/// A bucket, and the machines that use it.
pub(super) struct Cluster {
    store: MemoryStore,
    clock: Arc<TestClock>,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self { store: MemoryStore::new(Arc::new(Random::new()), None), clock: Arc::default() }
    }

    pub(super) fn host(&self) -> Host {
        let host = real::host(Arc::new(Random::new()), 1).unwrap();
        Host { clock: self.clock.clone(), ..host }
    }

    fn control(&self, life: &str, sealing: Sealing) -> Arc<Control> {
        let store = Arc::new(self.store.clone());
        Arc::new(Control::new(store, "_control", &self.host(), life, sealing, Duration::from_secs(10)))
    }

    fn leases(&self, life: &str) -> Leases {
        Leases::new(self.control(life, key("k", 1)), self.clock.clone())
    }
}

fn key(id: &str, byte: u8) -> Sealing {
    Sealing::On(Arc::new(SealingKey::new(id.into(), &[byte; 32])))
}

fn content(number: u64) -> Map<String, Value> {
    Map::from_iter([("number".to_owned(), Value::from(number))])
}

async fn add_one(control: &Control, name: &str) -> u64 {
    let mut number = 0;
    let edit = |content: &mut Map<String, Value>| {
        number = content.get("number").and_then(Value::as_u64).unwrap_or(0) + 1;
        content.insert("number".into(), Value::from(number));
        true
    };
    assert!(matches!(control.update(name, edit).await.unwrap(), Some(Swap::Done(_))));
    number
}

#[tokio::test]
async fn what_one_node_writes_another_reads() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.control("a", key("k", 1)), cluster.control("b", key("k", 1)));
    assert_eq!(a.read_now("settings").await.unwrap(), None);
    for turn in 1..=40 {
        assert_eq!(add_one(if turn % 2 == 0 { &a } else { &b }, "settings").await, turn);
    }
    assert_eq!(a.read_now("settings").await.unwrap().unwrap().content, content(40));
    assert!(cluster.store.keys().len() <= 24, "old generations went: {:?}", cluster.store.keys().len());
}

#[tokio::test]
async fn a_read_is_as_old_as_the_cache_may_be_and_costs_nothing() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.control("a", key("k", 1)), cluster.control("b", key("k", 1)));
    add_one(&a, "s").await;
    assert_eq!(b.read("s").await.unwrap().unwrap().content, content(1));
    add_one(&a, "s").await;
    let calls = cluster.store.counts().calls;
    cluster.clock.pass(Duration::from_millis(9_999));
    assert_eq!(b.read("s").await.unwrap().unwrap().content, content(1));
    assert_eq!(cluster.store.counts().calls, calls);
    assert_eq!(b.read_now("s").await.unwrap().unwrap().content, content(2));
    add_one(&a, "s").await;
    cluster.clock.pass(Duration::from_secs(10));
    assert_eq!(b.read("s").await.unwrap().unwrap().content, content(3));
}

#[tokio::test]
async fn a_change_of_what_is_not_there_any_more_is_lost() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.control("a", key("k", 1)), cluster.control("b", key("k", 1)));
    add_one(&a, "s").await;
    let old = b.read_now("s").await.unwrap();
    add_one(&a, "s").await;
    let Swap::Lost(now) = b.swap("s", old.as_deref(), content(9)).await.unwrap() else { panic!("2 is there") };
    assert_eq!((now.generation, &now.content), (2, &content(2)));
    assert!(matches!(b.swap("s", None, content(9)).await.unwrap(), Swap::Lost(_)));
    assert!(matches!(b.swap("s", Some(&now), content(9)).await.unwrap(), Swap::Done(_)));
}

#[tokio::test]
async fn the_caller_is_told_what_nobody_knows() {
    let cluster = Cluster::new();
    let a = cluster.control("a", key("k", 1));
    cluster.store.set_faults(Faults { lose_request: 1_000, ..Faults::default() });
    assert!(matches!(a.swap("s", None, content(1)).await.unwrap(), Swap::Unknown(_)));
    cluster.store.set_faults(Faults { lose_answer: 1_000, ..Faults::default() });
    assert!(matches!(a.swap("s", None, content(1)).await.unwrap(), Swap::Done(_)), "settled by looking");
    cluster.store.set_faults(Faults { refuse: 1_000, ..Faults::default() });
    assert!(matches!(a.read_now("s").await, Err(ControlError::Store(_))));
}

#[tokio::test]
async fn a_change_that_comes_ages_late_is_unknown_and_harms_nothing() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.control("a", key("k", 1)), cluster.control("b", key("k", 1)));
    add_one(&a, "s").await;
    let old = b.read_now("s").await.unwrap();
    for _ in 0..40 {
        add_one(&a, "s").await;
    }
    assert!(matches!(b.swap("s", old.as_deref(), content(999)).await.unwrap(), Swap::Unknown(_)));
    assert_eq!(cluster.store.counts().ghosts, 1);
    assert_eq!(a.read_now("s").await.unwrap().unwrap().content, content(41));
}

#[tokio::test]
async fn the_wrong_key_and_no_key_are_told_apart() {
    let cluster = Cluster::new();
    add_one(&cluster.control("a", key("k1", 1)), "s").await;
    let why = |sealing| async {
        match cluster.control("b", sealing).read_now("s").await {
            Err(ControlError::Body { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(why(key("k2", 2)).await, BodyError::WrongKey { .. }));
    assert!(matches!(why(key("k1", 2)).await, BodyError::Seal(_)), "another key with the same id");
    assert!(matches!(why(Sealing::Off).await, BodyError::Sealed { .. }));
}

#[tokio::test]
async fn a_sealed_document_cannot_be_moved_or_put_back() {
    let cluster = Cluster::new();
    let a = cluster.control("a", key("k", 1));
    let file = |name: &str, generation: u64| format!("_control/{name}/{generation:020}.json");
    add_one(&a, "s").await;
    add_one(&a, "s").await;
    let store: &dyn Store = &cluster.store;
    let body = store.get(&file("s", 1)).await.unwrap().unwrap();
    for (name, generation) in [("s", 3), ("t", 1)] {
        let _ = store.create(&file(name, generation), body.clone()).await.unwrap();
        let fresh = cluster.control("b", key("k", 1));
        assert!(matches!(fresh.read_now(name).await, Err(ControlError::Body { why: BodyError::Seal(_), .. })));
    }
}

#[tokio::test]
async fn documents_are_readable_where_encryption_is_off() {
    let cluster = Cluster::new();
    let a = cluster.control("a", Sealing::Off);
    add_one(&a, "s").await;
    let body = (&cluster.store as &dyn Store).get("_control/s/00000000000000000001.json").await.unwrap().unwrap();
    let value: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&value["content"]["number"], &value["format"]), (&Value::from(1), &Value::from(1)));
}

#[tokio::test]
async fn fields_of_later_versions_survive_a_change() {
    let cluster = Cluster::new();
    let later = r#"{"format":1,"generation":1,"commit":"x-1","floor":1,"written":0,"colour":"red","content":{"number":1,"mood":[1]}}"#;
    let store: &dyn Store = &cluster.store;
    let _ = store.create("_control/s/00000000000000000001.json", later.into()).await.unwrap();
    add_one(&cluster.control("a", Sealing::Off), "s").await;
    let body = store.get("_control/s/00000000000000000002.json").await.unwrap().unwrap();
    let value: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value["colour"], "red");
    assert_eq!(value["content"], serde_json::json!({"number": 2, "mood": [1]}));
}

#[tokio::test]
async fn a_newer_format_is_neither_read_nor_written_over() {
    let cluster = Cluster::new();
    let store: &dyn Store = &cluster.store;
    let _ = store.create("_control/s/00000000000000000001.json", r#"{"format":2}"#.into()).await.unwrap();
    let a = cluster.control("a", Sealing::Off);
    let newer = |error| matches!(error, ControlError::Body { why: BodyError::Newer { format: 2 }, .. });
    assert!(newer(a.read_now("s").await.unwrap_err()));
    assert!(newer(a.update("s", |_| true).await.unwrap_err()));
    assert_eq!(cluster.store.keys().len(), 1);
}

#[tokio::test]
async fn a_folder_is_read_with_one_list_and_what_changed() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.control("a", key("k", 1)), cluster.control("b", key("k", 1)));
    for name in ["f/x", "f/y", "f/y", "g/z"] {
        add_one(&a, name).await;
    }
    let read = b.read_folder("f").await.unwrap();
    assert_eq!(read.iter().map(|(n, d)| (n.as_str(), d.generation)).collect::<Vec<_>>(), [("x", 1), ("y", 2)]);
    let calls = cluster.store.counts().calls;
    b.read_folder("f").await.unwrap();
    assert_eq!(cluster.store.counts().calls - calls, 1);
}

#[tokio::test]
async fn a_start_makes_a_key_once_and_refuses_what_it_cannot_open() {
    let (cluster, folder) = (Cluster::new(), tempfile::tempdir().unwrap());
    let place = |file: &str, encryption| Place {
        root: "_control".into(),
        key_path: folder.path().join(file),
        key_keeper: crate::crypto::key_file::Keeper::User,
        data_directory: folder.path().join("data"),
        encryption,
        register: Register::default(),
        cache_ttl: Duration::ZERO,
    };
    let start = |place: Place| {
        let (host, store) = (cluster.host(), Arc::new(cluster.store.clone()));
        async move { open(&host, store, "life", &place).await.map(drop) }
    };
    start(place("a.json", true)).await.unwrap();
    start(place("a.json", true)).await.unwrap();
    assert!(matches!(start(place("lost.json", true)).await, Err(OpenError::NoKey(_))));
    let refused = start(place("a.json", false)).await;
    assert!(matches!(refused, Err(OpenError::Control(ControlError::Body { why: BodyError::Sealed { .. }, .. }))));
    let host = cluster.host();
    let other = place("other.json", true);
    crate::crypto::key_file::make(&host, &Random::new() as &dyn Entropy, &other.key_path, &other.data_directory)
        .await
        .unwrap();
    let refused = start(other).await;
    assert!(matches!(refused, Err(OpenError::Control(ControlError::Body { why: BodyError::WrongKey { .. }, .. }))));
}

fn held(acquire: Acquire) -> Held {
    match acquire {
        Acquire::Held(held) => held,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lease_is_taken_renewed_given_back_and_lapses() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.leases("a"), cluster.leases("b"));
    let mut lease = held(a.acquire("sweeper").await.unwrap());
    for _ in 0..10 {
        assert!(matches!(b.acquire("sweeper").await.unwrap(), Acquire::Busy { holder, .. } if holder == "a"));
        cluster.clock.pass(LEASE_RENEW);
        let Renewal::Kept(kept) = a.renew(lease).await else { panic!("nobody else may have it") };
        lease = kept;
    }
    a.release(lease).await.unwrap();
    let lease = held(b.acquire("sweeper").await.unwrap());
    assert_eq!(lease.term(), 2);
    assert!(matches!(a.acquire("sweeper").await.unwrap(), Acquire::Busy { .. }));
    cluster.clock.pass(LEASE_TTL - Duration::from_millis(1));
    assert!(matches!(a.acquire("sweeper").await.unwrap(), Acquire::Busy { wait, .. } if wait.as_millis() == 1));
    cluster.clock.pass(Duration::from_millis(1));
    assert_eq!(held(a.acquire("sweeper").await.unwrap()).term(), 3);
    assert!(matches!(b.renew(lease).await, Renewal::Gone));
}

#[tokio::test]
async fn the_holder_stops_before_another_may_take_its_lease() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.leases("a"), cluster.leases("b"));
    let lease = held(a.acquire("x").await.unwrap());
    cluster.clock.pass(Duration::from_secs(3));
    assert!(matches!(b.acquire("x").await.unwrap(), Acquire::Busy { .. }), "b looks for the first time");
    cluster.clock.pass(LEASE_TTL - Duration::from_secs(3));
    assert!(cluster.clock.monotonic() >= lease.until());
    assert!(matches!(b.acquire("x").await.unwrap(), Acquire::Busy { .. }), "by b's own clock it is not over");
    cluster.clock.pass(Duration::from_secs(3));
    held(b.acquire("x").await.unwrap());
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_keeps_the_lease() {
    let cluster = Cluster::new();
    let a = cluster.leases("a");
    let lease = held(a.acquire("x").await.unwrap());
    // The create is done, and neither it nor what would settle it is answered.
    cluster.store.set_faults(Faults { deliver_late: 1_000, ..Faults::default() });
    let Renewal::Unknown(lease) = a.renew(lease).await else { panic!("nobody can tell") };
    cluster.store.set_faults(Faults::default());
    assert!(cluster.store.deliver_one());
    assert!(matches!(a.renew(lease).await, Renewal::Kept(_)));
}

#[tokio::test]
async fn one_node_gets_a_run_and_the_next_run_is_open_again() {
    let cluster = Cluster::new();
    let (a, b) = (cluster.leases("a"), cluster.leases("b"));
    assert_eq!(a.take_run("monitor-7", 100).await.unwrap(), Run::Mine);
    assert_eq!(a.take_run("monitor-7", 100).await.unwrap(), Run::Mine, "asked again");
    assert_eq!(b.take_run("monitor-7", 100).await.unwrap(), Run::Taken);
    assert_eq!(b.take_run("monitor-7", 99).await.unwrap(), Run::Taken);
    assert_eq!(b.take_run("monitor-7", 160).await.unwrap(), Run::Mine);
    assert_eq!(a.take_run("monitor-7", 160).await.unwrap(), Run::Taken);
}

#[tokio::test]
async fn nodes_live_while_they_beat() {
    let cluster = Cluster::new();
    let roster = |life: &str, node: &str| Roster::new(cluster.control(life, key("k", 1)), cluster.clock.clone(), node);
    let (a, b) = (roster("la", "a"), roster("lb", "b"));
    let alive = |roster: &Roster| {
        let nodes = futures_util::FutureExt::now_or_never(roster.nodes()).unwrap().unwrap();
        nodes.into_iter().filter(|node| node.alive).map(|node| node.node).collect::<Vec<_>>()
    };
    for _ in 0..5 {
        assert_eq!(a.beat(&Map::new()).await.unwrap(), Beat::Alive);
        assert_eq!(b.beat(&content(5)).await.unwrap(), Beat::Alive);
        assert_eq!(alive(&a), ["a", "b"]);
        cluster.clock.pass(LEASE_RENEW);
    }
    for _ in 0..3 {
        assert_eq!(a.beat(&Map::new()).await.unwrap(), Beat::Alive);
        cluster.clock.pass(LEASE_RENEW);
    }
    assert_eq!(alive(&a), ["a"]);
    assert_eq!(b.beat(&Map::new()).await.unwrap(), Beat::Alive);
    assert_eq!(alive(&a), ["a", "b"]);
    b.leave().await.unwrap();
    assert_eq!(alive(&a), ["a"]);
}

#[tokio::test]
async fn two_processes_under_one_name_are_noticed_and_a_restart_is_not() {
    let cluster = Cluster::new();
    let roster = |life: &str| Roster::new(cluster.control(life, key("k", 1)), cluster.clock.clone(), "node");
    let old = roster("old");
    for _ in 0..3 {
        assert_eq!(old.beat(&Map::new()).await.unwrap(), Beat::Alive);
    }
    let (new, mut conflicts) = (roster("new"), 0);
    for _ in 0..4 {
        assert_eq!(new.beat(&Map::new()).await.unwrap(), Beat::Alive, "the one before it is gone");
    }
    for _ in 0..6 {
        for one in [&old, &new] {
            conflicts += u32::from(matches!(one.beat(&Map::new()).await.unwrap(), Beat::Conflict { .. }));
        }
    }
    assert!(conflicts >= 2);
}

/// A process that runs under one life with all others that this gives.
fn of_one_life(cluster: &Cluster) -> (Arc<Control>, Roster) {
    let control = cluster.control("life", key("k", 1));
    (Arc::clone(&control), Roster::new(control, cluster.clock.clone(), "node"))
}

/// A process that goes on from `known`, the document of its last sign of life, which was the `beats`th.
fn copy_from(cluster: &Cluster, beats: u64, known: Option<&Arc<Document>>) -> Roster {
    let (control, roster) = of_one_life(cluster);
    control.go_on_from(beats);
    roster.lock_own().last = known.cloned();
    roster
}

#[tokio::test]
async fn a_process_whose_machine_was_put_back_or_copied_notices_that_its_life_went_on_without_it() {
    let cluster = Cluster::new();
    let (_, before) = of_one_life(&cluster);
    for _ in 0..3 {
        assert_eq!(before.beat(&Map::new()).await.unwrap(), Beat::Alive);
    }
    // What its memory has is the third document. It goes on a little, or until nobody can tell what became of the third.
    let known = before.lock_own().last.clone();
    for (beats, noticed_at) in [(2, 1), (30, 2)] {
        for _ in 0..beats {
            assert_eq!(before.beat(&Map::new()).await.unwrap(), Beat::Alive);
        }
        let put_back = copy_from(&cluster, 3, known.as_ref());
        for _ in 1..noticed_at {
            assert_eq!(put_back.beat(&Map::new()).await.unwrap(), Beat::Unknown);
        }
        assert_eq!(put_back.beat(&Map::new()).await.unwrap(), Beat::Cloned);
    }
}

#[tokio::test]
async fn two_copies_that_beat_in_step_notice_each_other() {
    let cluster = Cluster::new();
    let (_, one) = of_one_life(&cluster);
    assert_eq!(one.beat(&Map::new()).await.unwrap(), Beat::Alive);
    let known = one.lock_own().last.clone();
    let other = copy_from(&cluster, 1, known.as_ref());
    assert_eq!(one.beat(&Map::new()).await.unwrap(), Beat::Alive);
    assert_eq!(other.beat(&Map::new()).await.unwrap(), Beat::Cloned);
}

#[tokio::test]
async fn an_own_sign_of_life_that_came_late_is_no_copy() {
    let cluster = Cluster::new();
    let (control, roster) = of_one_life(&cluster);
    assert_eq!(roster.beat(&Map::new()).await.unwrap(), Beat::Alive);
    let known = roster.lock_own().last.clone();
    // A request that nobody had an answer to, of this process.
    let late = Map::from_iter([("life".to_owned(), Value::from("life"))]);
    assert!(matches!(control.swap("nodes/node", known.as_deref(), late).await.unwrap(), Swap::Done(_)));
    assert_eq!(roster.beat(&Map::new()).await.unwrap(), Beat::Unknown);
    assert_eq!(roster.beat(&Map::new()).await.unwrap(), Beat::Alive);
}

#[tokio::test]
async fn a_campaign_leads_and_says_so() {
    let cluster = Cluster::new();
    let host = cluster.host();
    let leases = Arc::new(cluster.leases("a"));
    let (mut leadership, task) = campaign(&host, leases, "compactor");
    assert!(leadership.changed().await && leadership.leads());
    task.cancel();
    task.join().await;
    cluster.clock.pass(LEASE_TTL);
    assert!(!leadership.leads(), "a lease that is not renewed is over");
}
