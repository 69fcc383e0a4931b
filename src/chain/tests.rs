//! Settling, by scripted faults; the conformance of the stores at hand.

use std::path::Path;

use super::memory::{Faults, MemoryStore};
use super::mount::Mount;
use super::*;
use crate::crypto::Random;
use crate::host::Disk;
use crate::host::real::RealDisk;

fn memory() -> MemoryStore {
    MemoryStore::new(Arc::new(Random::new()), None)
}

fn real_disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk::new().unwrap())
}

/// One process's way to a folder that others share.
fn way_to(disk: &Arc<dyn Disk>, root: &Path, life: &str) -> Arc<dyn Store> {
    Arc::new(DiskStore::shared(Arc::clone(disk), root.to_owned(), life.into()))
}

fn chain_of(store: &MemoryStore) -> Chain {
    Chain::new(Arc::new(store.clone()), "chain".into())
}

fn body(commit: &str, floor: u64) -> Bytes {
    format!(r#"{{"commit":"{commit}","floor":{floor}}}"#).into()
}

async fn grow(chain: &Chain, to: u64, floor: u64) {
    for generation in chain.head().await.unwrap().map_or(1, |head| head.generation + 1)..=to {
        let commit = chain.commit(generation, body(&format!("other-{generation}"), floor)).await.unwrap();
        assert!(matches!(commit, Commit::Done(_)));
    }
}

#[test]
fn only_twenty_digits_and_json_name_a_generation() {
    assert_eq!(parse_name("00000000000000000017.json"), Some(17));
    for wrong in ["17.json", "00000000000000000017.json.tmp", "0000000000000000001x.json", "99999999999999999999.json"]
    {
        assert_eq!(parse_name(wrong), None, "{wrong}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_looking() {
    let store = memory();
    let chain = chain_of(&store);
    store.set_faults(Faults { lose_answer: 1_000, ..Faults::default() });
    let Commit::Done(head) = chain.commit(1, body("a", 1)).await.unwrap() else { panic!("it was made") };
    assert_eq!((head.generation, head.body), (1, body("a", 1)));
    store.set_faults(Faults { answer_twice: 1_000, ..Faults::default() });
    assert!(
        matches!(chain.commit(2, body("b", 1)).await.unwrap(), Commit::Done(_)),
        "its own name was taken by itself"
    );
}

#[tokio::test]
async fn a_lost_request_stays_unknown() {
    let store = memory();
    let chain = chain_of(&store);
    store.set_faults(Faults { lose_request: 1_000, ..Faults::default() });
    assert!(matches!(chain.commit(1, body("a", 1)).await, Err(StoreError::Unknown { .. })));
}

#[tokio::test]
async fn a_refused_create_is_definite_and_leaves_nothing() {
    let store = memory();
    store.set_faults(Faults { refuse: 1_000, ..Faults::default() });
    assert!(matches!(chain_of(&store).commit(1, body("a", 1)).await, Err(StoreError::Definite { .. })));
    assert!(store.keys().is_empty());
}

#[tokio::test]
async fn who_comes_second_has_lost_and_sees_the_head() {
    let store = memory();
    let chain = chain_of(&store);
    grow(&chain, 3, 1).await;
    let Commit::Lost(head) = chain.commit(2, body("late", 1)).await.unwrap() else { panic!("2 is another's") };
    assert_eq!(head.generation, 3);
}

#[tokio::test]
async fn an_ancestor_above_the_floor_is_done() {
    let store = memory();
    let chain = chain_of(&store);
    store.set_faults(Faults { deliver_late: 1_000, ..Faults::default() });
    let error = chain.commit(1, body("mine", 1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }));
    store.set_faults(Faults::default());
    assert!(store.keys().is_empty() && store.deliver_one(), "made after its writer gave up waiting");
    grow(&chain, 5, 1).await;
    let commit = chain.commit(1, body("mine", 1)).await.unwrap();
    assert!(matches!(commit, Commit::Done(head) if head.generation == 5));
}

#[tokio::test]
async fn a_ghost_is_not_taken_for_done() {
    let store = memory();
    let chain = chain_of(&store);
    grow(&chain, 9, 1).await;
    grow(&chain, 10, 8).await;
    assert_eq!(chain.collect(8).await.unwrap(), 7);
    // A writer that read generation 4 stalled, and creates 5 only now: it succeeds, and says nothing.
    let commit = chain.commit(5, body("ghost", 1)).await.unwrap();
    assert!(matches!(commit, Commit::Untold(head) if head.generation == 10));
    assert_eq!(store.counts().ghosts, 1);
    assert!(matches!(chain.commit(5, body("second ghost", 1)).await.unwrap(), Commit::Untold(_)), "nor is it lost");
}

#[tokio::test]
async fn a_gap_in_the_chain_is_no_outcome() {
    let store = memory();
    let chain = chain_of(&store);
    grow(&chain, 3, 1).await;
    store.delete(&chain.key(2)).await.unwrap();
    store.set_faults(Faults { lose_request: 1_000, ..Faults::default() });
    assert!(matches!(chain.commit(2, body("a", 1)).await, Err(StoreError::Unknown { .. })));
}

#[tokio::test]
async fn a_head_is_found_from_any_generation_and_in_small_pages() {
    let store = memory();
    let chain = chain_of(&store);
    store.set_faults(Faults { page_objects: 2, ..Faults::default() });
    grow(&chain, 7, 1).await;
    for from in 0..=7 {
        assert_eq!(chain.head_from(from).await.unwrap().unwrap().generation, 7);
    }
    assert_eq!(chain.head_from(8).await.unwrap(), None);
    assert_eq!(chain.generations().await.unwrap(), (1..=7).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_floor_of_a_head_that_is_gone_collects_nothing() {
    let store = memory();
    let chain = chain_of(&store);
    grow(&chain, 3, 1).await;
    assert_eq!(chain.collect(5).await.unwrap(), 0, "the store was put back to an earlier time");
    assert_eq!(chain.generations().await.unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn the_head_is_never_collected() {
    let store = memory();
    let chain = chain_of(&store);
    grow(&chain, 2, 1).await;
    grow(&chain, 3, 3).await;
    assert_eq!(chain.collect(3).await.unwrap(), 2);
    assert_eq!(chain.generations().await.unwrap(), [3]);
}

#[tokio::test]
async fn a_store_in_memory_conforms() {
    for page_objects in [0, 1, 3] {
        let store = memory();
        store.set_faults(Faults { page_objects, ..Faults::default() });
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        conformance::run(&shared, "test").await.unwrap();
        probe::probe(&shared, "test", &Random::new()).await.unwrap();
        assert!(store.keys().is_empty(), "both clean up");
    }
}

#[tokio::test]
async fn stores_that_break_the_rules_are_found() {
    let breaks = |faults: Faults| async move {
        let store = memory();
        store.set_faults(faults);
        let shared: Arc<dyn Store> = Arc::new(store);
        let refused = matches!(probe::probe(&shared, "t", &Random::new()).await, Err(probe::ProbeError::Unsafe(_)));
        (refused, conformance::run(&shared, "u").await.is_err())
    };
    assert_eq!(breaks(Faults { two_winners: 500, ..Faults::default() }).await, (true, true));
    assert_eq!(breaks(Faults { stale_list: 500, ..Faults::default() }).await, (true, true));
    assert_eq!(breaks(Faults { answer_twice: 500, ..Faults::default() }).await, (false, true), "safe, but not right");
}

#[tokio::test]
async fn a_folder_conforms_alone_and_shared() {
    let folder = tempfile::tempdir().unwrap();
    let disk = real_disk();
    let way = |life| way_to(&disk, folder.path(), life);
    let store = way("life");
    conformance::run(&store, "some/place").await.unwrap();
    conformance::run_through(&[way("one"), way("two"), way("three")], "some/place").await.unwrap();
    probe::probe(&store, "probe", &Random::new()).await.unwrap();
    assert_eq!(store.list_all("", "").await.unwrap(), Vec::new());
    assert_eq!(store.remnants().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_conforms_through_mounts_that_remember_what_they_missed() {
    let folder = tempfile::tempdir().unwrap();
    let server = real_disk();
    let way = |life| way_to(&Mount::of(&server), folder.path(), life);
    conformance::run_through(&[way("one"), way("two")], "some/place").await.unwrap();
    // A store that has its folder to itself has no reason to ask twice, and would not see what another mount makes.
    let alone = DiskStore::new(Mount::of(&server), folder.path().to_path_buf(), Durability::FULL);
    assert_eq!(alone.get("a/1").await.unwrap(), None);
    let other = way("three");
    assert_eq!(other.create("a/1", "x".into()).await.unwrap(), Create::Created);
    assert_eq!(alone.get("a/1").await.unwrap(), None, "these mounts do remember");
}

#[tokio::test]
async fn a_mount_deletes_what_it_had_missed_before() {
    let folder = tempfile::tempdir().unwrap();
    let server = real_disk();
    let way = |life| way_to(&Mount::of(&server), folder.path(), life);
    let (one, two) = (way("one"), way("two"));
    assert_eq!(one.size("a/b/1").await.unwrap(), None);
    assert_eq!(two.create("a/b/1", "x".into()).await.unwrap(), Create::Created);
    one.delete("a/b/1").await.unwrap();
    assert_eq!(two.get("a/b/1").await.unwrap(), None);
}

#[tokio::test]
async fn a_large_object_in_a_folder_reads_back_whole_and_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let store = way_to(&real_disk(), folder.path(), "life");
    // Not a whole number of anything.
    let body: Bytes = (0..9_000_001_u32).map(|i| (i ^ (i >> 9)).to_le_bytes()[0]).collect::<Vec<u8>>().into();
    store.put("large", body.clone()).await.unwrap();
    assert!(store.get("large").await.unwrap() == Some(body.clone()));
    assert!(store.get_range("large", 1_000..8_999_999).await.unwrap() == Some(body.slice(1_000..8_999_999)));
}

#[tokio::test]
async fn ways_that_lead_to_different_stores_are_told_from_two_to_the_same() {
    let (one, other): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(memory()), Arc::new(memory()));
    conformance::run_through(&[Arc::clone(&one), Arc::clone(&one)], "test").await.unwrap();
    assert!(conformance::run_through(&[one, other], "test").await.is_err());
}

#[tokio::test]
async fn a_folder_that_cannot_be_reached_is_trusted_again_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let (root, away) = (folder.path().join("mounted"), folder.path().join("away"));
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::remote().unwrap());
    disk.create_dir(&root).await.unwrap();
    let store = way_to(&disk, &root, "life");
    assert_eq!(store.create("a/1", "x".into()).await.unwrap(), Create::Created);
    disk.rename(&root, &away).await.unwrap();
    assert!(matches!(store.harden("a").await, Err(StoreError::Unknown { .. })), "the sync was not even begun");
    assert!(store.create("a/2", "x".into()).await.is_err());
    let error = store.get("a/1").await.unwrap_err();
    assert!(format!("{error:?}").contains("is it mounted?"), "it is not empty because it is not there");
    assert!(store.list("", "").await.is_err());
    disk.rename(&away, &root).await.unwrap();
    assert_eq!(store.create("a/2", "x".into()).await.unwrap(), Create::Created);
    store.harden("a").await.unwrap();
}
