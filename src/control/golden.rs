//! Documents of format 1 as they lie in a store: what a release wrote is read by every later one.
//!
//! Files of a format that was released are never written again; those of a new one are written by
//! `HELIOS_WRITE_GOLDEN=1 cargo test golden`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::tests::{Cluster, TestClock};
use super::*;
use crate::chain::DiskStore;
use crate::chain::memory::MemoryStore;
use crate::crypto::{Random, Register};

/// Every document that is kept, of each kind one.
const NAMES: [&str; 5] = ["key", "settings", "leases/compactor", "runs/monitor-7", "nodes/node-a"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/control/golden/format-1")
}

/// Opens the control plane in `store` with the key at `key_path`, or in the clear.
async fn open_in(store: Arc<dyn Store>, key_path: PathBuf, encryption: bool) -> Control {
    let place = Place {
        root: "_control".into(),
        key_path,
        data_directory: PathBuf::from("/nowhere"),
        encryption,
        register: Register::default(),
        cache_ttl: Duration::ZERO,
    };
    open(&Cluster::new().host(), store, "life-1", &place).await.unwrap()
}

async fn write_all(control: Control) {
    let control = Arc::new(control);
    for text in ["first", "second", "third: \"ä\" \u{1F600}"] {
        let content = json!({"text": text, "list": [1, -2.5, null, true], "nested": {"empty": {}}});
        let said =
            control.update("settings", |now| std::mem::replace(now, content.as_object().unwrap().clone()) != *now);
        assert!(matches!(said.await.unwrap(), Some(Swap::Done(_))));
    }
    let clock = Arc::<TestClock>::default();
    let leases = Leases::new(Arc::clone(&control), clock.clone());
    let Acquire::Held(held) = leases.acquire("compactor").await.unwrap() else { panic!("nobody has it") };
    assert!(matches!(leases.renew(held).await, Renewal::Kept(_)));
    assert_eq!(leases.take_run("monitor-7", 100).await.unwrap(), Run::Mine);
    let about = Map::from_iter([("version".to_owned(), Value::from("0.1.0"))]);
    assert_eq!(Roster::new(control, clock, "node-a").beat(&about).await.unwrap(), Beat::Alive);
}

/// What lies in the source tree, in a store that can be written to.
async fn copy_of(kind: &str) -> MemoryStore {
    let disk = Cluster::new().host().disk;
    let kept: Arc<dyn Store> = Arc::new(DiskStore::shared(disk, folder().join(kind), "reader".into()));
    let copy = MemoryStore::new(Arc::new(Random::new()), None);
    for object in kept.list_all("", "").await.unwrap() {
        let body = kept.get(&object.name).await.unwrap().unwrap();
        let _ = copy.create(&object.name, body).await.unwrap();
    }
    copy
}

/// The key in the source tree, where nobody else can read it.
async fn private_key(folder_of_test: &Path) -> PathBuf {
    let disk = Cluster::new().host().disk;
    let kept = disk.open(&folder().join("key.json")).await.unwrap();
    let text = kept.read_at(0, kept.len().await.unwrap() as usize).await.unwrap();
    let path = folder_of_test.join("key.json");
    disk.create_private(&path).await.unwrap().append(text).await.unwrap();
    path
}

#[tokio::test]
async fn the_golden_documents_of_format_1_are_read_as_they_were_written() {
    let test = tempfile::tempdir().unwrap();
    if std::env::var_os("HELIOS_WRITE_GOLDEN").is_some() {
        let disk = Cluster::new().host().disk;
        for made in [folder().parent().unwrap(), &folder(), &folder().join("sealed"), &folder().join("clear")] {
            disk.create_dir(made).await.unwrap();
        }
        for kind in ["sealed", "clear"] {
            let store = DiskStore::shared(disk.clone(), folder().join(kind), "writer".into());
            write_all(open_in(Arc::new(store), folder().join("key.json"), kind == "sealed").await).await;
        }
        return;
    }
    let key_path = private_key(test.path()).await;
    for (kind, encryption) in [("sealed", true), ("clear", false)] {
        let (kept, written) = (copy_of(kind).await, MemoryStore::new(Arc::new(Random::new()), None));
        write_all(open_in(Arc::new(written.clone()), key_path.clone(), encryption).await).await;
        assert_eq!(kept.keys(), written.keys(), "{kind}: the same objects are written today");
        let [old, new] = [kept, written].map(|store| open_in(Arc::new(store), key_path.clone(), encryption));
        let (old, new) = (old.await, new.await);
        for name in NAMES {
            let (was, is) = (old.read_now(name).await.unwrap(), new.read_now(name).await.unwrap());
            let (was, is) = (was.unwrap(), is.unwrap());
            assert_eq!((was.generation, &was.content), (is.generation, &is.content), "{kind}: {name}");
        }
        let settings = old.read_now("settings").await.unwrap().unwrap();
        assert_eq!((settings.generation, &settings.content["text"]), (3, &json!("third: \"ä\" \u{1F600}")));
        let changed = old.swap("settings", Some(&settings), Map::new()).await.unwrap();
        assert!(matches!(changed, Swap::Done(document) if document.generation == 4));
    }
}

#[tokio::test]
async fn documents_in_the_clear_are_the_bytes_of_format_1() {
    if std::env::var_os("HELIOS_WRITE_GOLDEN").is_some() {
        return;
    }
    let written = MemoryStore::new(Arc::new(Random::new()), None);
    write_all(open_in(Arc::new(written.clone()), PathBuf::new(), false).await).await;
    let kept = copy_of("clear").await;
    for key in kept.keys() {
        let (was, is) = (kept.get(&key).await.unwrap().unwrap(), written.get(&key).await.unwrap());
        assert_eq!(is.as_deref().map(String::from_utf8_lossy), Some(String::from_utf8_lossy(&was)), "{key}");
    }
}
