//! The facts about crashes that the engine is tested against.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use helios::host::{Disk, DiskFile};

use crate::{DiskFault, Ended, FaultPlan, SimDisk, Storage, World};

/// Power cuts per fact: enough to see each fate.
const CUTS: u64 = 400;

fn path(path: &str) -> &Path {
    Path::new(path)
}

/// Runs `script` on a machine with this disk and returns what the disk holds afterwards.
fn after(storage: Storage, plan: FaultPlan, script: impl AsyncFn(&SimDisk)) -> Storage {
    let world = World::new(1);
    let disk = world.mount(storage, plan);
    assert!(!matches!(world.run(script(&disk)), Ended::Stuck(_)));
    drop(world);
    disk.unmount()
}

/// What a power cut may leave of `path` after `script`, over many cuts. `None`: no such file.
fn survivals(path: &str, script: impl AsyncFn(&SimDisk)) -> BTreeSet<Option<Vec<u8>>> {
    let storage = after(Storage::new(), FaultPlan::none(), script);
    let cut = |seed| {
        let mut storage = storage.clone();
        storage.power_cut(seed);
        storage.read(path).map(<[u8]>::to_vec)
    };
    (0..CUTS).map(cut).collect()
}

fn some(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(bytes.to_vec())
}

/// A file with durable bytes under a durable name in the root.
async fn durable(disk: &SimDisk, name: &str, bytes: &'static [u8]) -> Arc<dyn DiskFile> {
    let file = disk.create_new(path(name)).await.unwrap();
    file.append(bytes.into()).await.unwrap();
    file.sync().await.unwrap();
    disk.sync_dir(path("/")).await.unwrap();
    file
}

#[test]
fn synced_bytes_under_a_synced_name_survive() {
    let left = survivals("/f", async |disk| {
        durable(disk, "/f", b"safe").await;
    });
    assert_eq!(left, [some(b"safe")].into());
}

#[test]
fn syncing_a_file_makes_no_name_durable() {
    let left = survivals("/f", async |disk| {
        let file = disk.create_new(path("/f")).await.unwrap();
        file.append("safe?".into()).await.unwrap();
        file.sync().await.unwrap();
    });
    assert_eq!(left, [None, some(b"safe?")].into());
}

#[test]
fn syncing_a_folder_makes_no_content_durable() {
    let left = survivals("/f", async |disk| {
        let file = disk.create_new(path("/f")).await.unwrap();
        file.append("ab".into()).await.unwrap();
        disk.sync_dir(path("/")).await.unwrap();
    });
    for possible in [&b""[..], b"a", b"ab", b"\0\0"] {
        assert!(left.contains(&some(possible)), "{possible:?}");
    }
    assert!(!left.contains(&None));
}

#[test]
fn unsynced_appends_are_dropped_torn_kept_or_reordered() {
    let left = survivals("/f", async |disk| {
        let file = durable(disk, "/f", b"01").await;
        file.append("ab".into()).await.unwrap();
        file.append("cd".into()).await.unwrap();
    });
    for possible in [&b"01"[..], b"01a", b"01ab", b"01abc", b"01abcd", b"01\0\0cd", b"01a\0cd", b"01\0\0c"] {
        assert!(left.contains(&some(possible)), "{possible:?} of {left:?}");
    }
    assert!(left.iter().flatten().all(|bytes| bytes.starts_with(b"01")), "synced bytes stay");
    assert!(left.iter().flatten().any(|bytes| bytes.iter().any(|byte| !b"01abcd\0".contains(byte))), "garbage");
}

#[test]
fn a_rename_without_a_directory_sync_may_be_undone_and_is_never_half_done() {
    let storage = after(Storage::new(), FaultPlan::none(), async |disk| {
        durable(disk, "/a", b"new").await;
        durable(disk, "/b", b"old").await;
        disk.rename(path("/a"), path("/b")).await.unwrap();
    });
    let mut seen = BTreeSet::new();
    for seed in 0..CUTS {
        let mut storage = storage.clone();
        storage.power_cut(seed);
        seen.insert(format!("{:?} {:?}", storage.read("/a"), storage.read("/b")));
    }
    let (new, old) = (Some(&b"new"[..]), Some(&b"old"[..]));
    let none = None::<&[u8]>;
    assert_eq!(seen, [format!("{new:?} {old:?}"), format!("{none:?} {new:?}")].into());
}

#[test]
fn a_link_without_a_directory_sync_may_be_undone() {
    let link = async |disk: &SimDisk| {
        durable(disk, "/tmp", b"x").await;
        disk.link(path("/tmp"), path("/f")).await.unwrap();
    };
    assert_eq!(survivals("/f", link), [None, some(b"x")].into());
    let synced = async |disk: &SimDisk| {
        link(disk).await;
        disk.sync_dir(path("/")).await.unwrap();
    };
    assert_eq!(survivals("/f", synced), [some(b"x")].into());
}

#[test]
fn a_removal_without_a_directory_sync_may_be_undone() {
    let remove = async |disk: &SimDisk| {
        durable(disk, "/f", b"x").await;
        disk.remove_file(path("/f")).await.unwrap();
    };
    assert_eq!(survivals("/f", remove), [None, some(b"x")].into());
    let synced = async |disk: &SimDisk| {
        remove(disk).await;
        disk.sync_dir(path("/")).await.unwrap();
    };
    assert_eq!(survivals("/f", synced), [None].into());
}

#[test]
fn a_folder_whose_own_name_was_not_synced_takes_its_files_with_it() {
    let inner = async |disk: &SimDisk| {
        disk.create_dir(path("/d")).await.unwrap();
        let file = disk.create_new(path("/d/f")).await.unwrap();
        file.append("x".into()).await.unwrap();
        file.sync().await.unwrap();
        disk.sync_dir(path("/d")).await.unwrap();
    };
    assert_eq!(survivals("/d/f", inner), [None, some(b"x")].into());
    let outer = async |disk: &SimDisk| {
        inner(disk).await;
        disk.sync_dir(path("/")).await.unwrap();
    };
    assert_eq!(survivals("/d/f", outer), [some(b"x")].into());
}

#[test]
fn after_a_failed_sync_the_next_one_succeeds_and_saves_nothing() {
    let storage = after(Storage::new(), FaultPlan::none(), async |disk| {
        let file = durable(disk, "/f", b"01").await;
        file.append("ab".into()).await.unwrap();
        let next = disk.calls() + 1;
        disk.set_plan(FaultPlan::fault(next..next + 1, DiskFault::Io));
        assert!(file.sync().await.is_err());
        file.append("cd".into()).await.unwrap();
        file.sync().await.unwrap();
        assert_eq!(file.read_at(0, 6).await.unwrap(), "01abcd", "the page cache still shows it");
    });
    let mut storage = storage;
    storage.power_cut(1);
    assert_eq!(storage.read("/f"), Some(&b"01\0\0cd"[..]));
}

#[test]
fn after_a_failed_sync_of_a_folder_the_next_one_saves_nothing() {
    let left = survivals("/f", async |disk| {
        let file = disk.create_new(path("/f")).await.unwrap();
        file.append("x".into()).await.unwrap();
        file.sync().await.unwrap();
        let next = disk.calls() + 1;
        disk.set_plan(FaultPlan::fault(next..next + 1, DiskFault::Io));
        assert!(disk.sync_dir(path("/")).await.is_err());
        disk.sync_dir(path("/")).await.unwrap();
    });
    assert_eq!(left, [None, some(b"x")].into());
}

#[test]
fn a_killed_process_loses_nothing_that_it_wrote() {
    let storage = after(Storage::new(), FaultPlan::none(), async |disk| {
        let file = disk.create_new(path("/f")).await.unwrap();
        file.append("x".into()).await.unwrap();
    });
    let storage = after(storage, FaultPlan::none(), async |_| {});
    assert_eq!(storage.read("/f"), Some(&b"x"[..]));
}

#[test]
fn the_call_that_is_cut_happened_or_not_and_no_later_one_does() {
    let script = async |disk: &SimDisk| {
        disk.create_new(path("/1")).await.unwrap();
        disk.create_new(path("/2")).await.unwrap();
        disk.create_new(path("/3")).await.unwrap();
    };
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        let world = World::new(seed);
        let disk = world.mount(Storage::new(), FaultPlan::cut_at(2));
        assert_eq!(world.run(script(&disk)), Ended::Cut);
        drop(world);
        seen.insert(disk.unmount().files());
    }
    assert_eq!(seen, [vec!["/1".into()], vec!["/1".into(), "/2".to_string()]].into());
}

#[test]
fn a_full_disk_takes_a_part_and_says_so_and_a_removal_makes_room() {
    let mut storage = Storage::new();
    storage.set_capacity(200);
    after(storage, FaultPlan::none(), async |disk| {
        let file = disk.create_new(path("/f")).await.unwrap();
        assert_eq!(disk.free_bytes(path("/")).await.unwrap(), 136);
        let error = file.append(vec![7; 137].into()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.len().await.unwrap(), 136);
        assert_eq!(disk.create_new(path("/g")).await.map(|_| ()).unwrap_err().kind(), io::ErrorKind::StorageFull);
        disk.remove_file(path("/f")).await.unwrap();
        assert_eq!(disk.free_bytes(path("/")).await.unwrap(), 200);
        assert_eq!(disk.with_storage(|storage| storage.used_bytes()), 0);
    });
}

#[test]
fn a_fault_hits_the_calls_that_it_names() {
    let storage = after(Storage::new(), FaultPlan::fault(2..3, DiskFault::NoSpace), async |disk| {
        let file = disk.create_new(path("/f")).await.unwrap();
        assert_eq!(file.append("abc".into()).await.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let before = file.len().await.unwrap();
        assert_eq!(file.append("def".into()).await.unwrap(), before);
    });
    assert!(storage.read("/f").unwrap().ends_with(b"def"));
}

#[test]
fn rot_survives_everything() {
    let mut storage = after(Storage::new(), FaultPlan::none(), async |disk| {
        durable(disk, "/f", b"abc").await;
    });
    storage.flip_bit("/f", 1, 0);
    storage.power_cut(3);
    assert_eq!(storage.read("/f"), Some(&b"acc"[..]));
}

#[test]
fn a_lock_is_held_against_others_until_it_is_dropped_or_its_holder_dies() {
    let script = async |disk: &SimDisk| {
        let held = disk.lock(path("/lock")).await.unwrap();
        assert_eq!(disk.lock(path("/lock")).await.map(|_| ()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        std::mem::forget(disk.lock(path("/lock")).await.unwrap());
    };
    let storage = after(Storage::new(), FaultPlan::none(), script);
    after(storage, FaultPlan::none(), script);
}

#[test]
fn names_behave_as_on_a_real_disk() {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotFound};
    after(Storage::new(), FaultPlan::none(), async |disk| {
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        disk.create_dir(path("/d")).await.unwrap();
        disk.create_dir(path("/d")).await.unwrap();
        durable(disk, "/d/b", b"1").await;
        durable(disk, "/d/a", b"22").await;
        assert_eq!(kind(disk.create_new(path("/d/a")).await.map(|_| ())), AlreadyExists);
        assert_eq!(kind(disk.link(path("/d/a"), path("/d/b")).await), AlreadyExists);
        assert_eq!(kind(disk.create_dir(path("/d/a")).await), AlreadyExists);
        assert_eq!(kind(disk.create_dir(path("/x/y")).await), NotFound);
        assert_eq!(kind(disk.open(path("/d/c")).await.map(|_| ())), NotFound);
        assert_eq!(kind(disk.remove_dir(path("/d")).await), DirectoryNotEmpty);
        let listed = disk.list(path("/d")).await.unwrap();
        let listed: Vec<_> = listed.into_iter().map(|entry| (entry.name, entry.is_dir, entry.len)).collect();
        assert_eq!(listed, [("a".into(), false, 2), ("b".into(), false, 1)]);
        disk.remove_file(path("/d/a")).await.unwrap();
        disk.rename(path("/d/b"), path("/c")).await.unwrap();
        disk.remove_dir(path("/d")).await.unwrap();
        assert_eq!(kind(disk.list(path("/d")).await.map(|_| ())), NotFound);
        let file = disk.open(path("/c")).await.unwrap();
        assert_eq!(file.read_at(0, 2).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn the_same_seed_makes_the_same_calls() {
    let run = |seed| {
        let world = World::new(seed);
        let disk = world.mount(Storage::new(), FaultPlan { trace: true, ..FaultPlan::none() });
        let host = world.host(&disk);
        let main = async {
            let write = |name: &'static str| {
                let disk = disk.clone();
                host.tasks.spawn(name, Box::pin(async move { drop(durable(&disk, name, b"x").await) }))
            };
            for task in [write("/a"), write("/b"), write("/c")] {
                assert!(task.join().await);
            }
        };
        assert_eq!(world.run(main), Ended::Done(()));
        (world.digest(), disk.trace())
    };
    assert_eq!(run(5), run(5));
    let distinct: BTreeSet<_> = (0..50).map(run).collect();
    assert!(distinct.len() > 40, "{} schedules of 50", distinct.len());
}
