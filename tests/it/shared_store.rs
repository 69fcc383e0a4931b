//! A folder that two nodes share: checking it, and going on with what is left of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use helios::api::access::Door;
use helios::chain::Store;
use helios::cli::client::Client;
use helios::cluster::{
    Begin, ClusterSettings, History, StoreAddress, StoreReport, begin_history, open_store, open_untested, verify_store,
};
use helios::control::Place;
use helios::crypto::{Random, Register};
use helios::engine::Settings;
use helios::host::{Host, real};
use helios::node::{Membership, Node, NodeSettings};
use helios::query::QueryLimits;
use serde_json::Value;
use tempfile::TempDir;

use crate::server::patient;

/// A shared folder and what it takes to use it.
struct Folder {
    host: Host,
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        Self { host: real::host(Arc::new(Random::new()), 2).unwrap(), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    async fn store(&self) -> Arc<dyn Store> {
        let life = format!("{:016x}", self.host.entropy.next_u64());
        open_store(&self.host, &StoreAddress::Folder(self.path()), &BTreeMap::new(), &life).await.unwrap()
    }

    async fn node(&self, name: &str) -> Member {
        self.node_with(name, patient(), Duration::from_secs(86_400)).await
    }

    /// A node that, where it leads, sweeps so often, and without grace.
    async fn node_with(&self, name: &str, engine: Settings, sweep_interval: Duration) -> Member {
        self.try_node(name, engine, sweep_interval).await.unwrap()
    }

    async fn try_node(
        &self,
        name: &str,
        engine: Settings,
        sweep_interval: Duration,
    ) -> Result<Member, helios::node::StartError> {
        let never = Duration::from_secs(86_400);
        let data_dir = self.folder.path().join(name);
        let control = Place {
            root: "_control".into(),
            key_path: self.folder.path().join("key.json"),
            key_keeper: helios::crypto::key_file::Keeper::User,
            data_directory: data_dir.clone(),
            encryption: false,
            register: Register::default(),
            cache_ttl: Duration::ZERO,
        };
        let settings = ClusterSettings {
            sync_interval: never,
            walk_interval: never,
            compact_interval: never,
            sweep_interval,
            grace: Duration::ZERO,
            ..ClusterSettings::default()
        };
        let (address, life) = (StoreAddress::Folder(self.path()), format!("{:016x}", self.host.entropy.next_u64()));
        // As `helios serve` does: the node tests it.
        let store = open_untested(&self.host, &address, &BTreeMap::new(), &life, &Register::default()).await.unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let node = NodeSettings {
            data_dir,
            listen,
            door: Door::new(listen, false, Vec::new()).unwrap(),
            engine,
            queries: QueryLimits::default(),
            line_bytes_max: 1 << 20,
            connections_max: 64,
            secure: None,
            register: Register::default(),
            cluster: Some(Membership { store, store_name: name.into(), control, settings }),
        };
        let node = Node::start(self.host.clone(), node).await?;
        let client = || Client::new(self.host.clone(), &format!("http://{}", node.addr())).unwrap();
        Ok(Member { client: tokio::sync::Mutex::new(client()), node })
    }

    /// Why a node does not start.
    async fn refused(&self, name: &str) -> String {
        match self.try_node(name, patient(), Duration::from_secs(86_400)).await {
            Ok(_) => panic!("{name} started"),
            Err(error) => error.to_string(),
        }
    }

    /// Moves the store to where no node looks, or from there to here.
    fn swap_store(&self, from: &str, to: &str) {
        fs::rename(self.folder.path().join(from), self.folder.path().join(to)).unwrap();
    }

    async fn verify(&self) -> StoreReport {
        let before = files(&self.path());
        let report = verify_store(&self.store().await, &mut |_| ()).await.unwrap();
        assert!(files(&self.path()) == before, "a check changed the store");
        report
    }

    async fn begin(&self, how: Begin) -> History {
        begin_history(&self.host, &self.store().await, how, None).await.unwrap()
    }

    /// The only object below `root` in whose path there is `part`, the newest by name.
    fn newest(&self, root: &str, part: &str) -> PathBuf {
        let found = files(&self.path().join(root)).into_keys().rfind(|path| path.to_string_lossy().contains(part));
        self.path().join(root).join(found.unwrap())
    }

    /// Gives the newest generation a format that only a later version reads. Says where it is and what it was.
    fn put_newest_beyond_us(&self) -> (PathBuf, String) {
        let newest = self.newest("chains", "");
        let sound = fs::read_to_string(&newest).unwrap();
        fs::write(&newest, sound.replacen("\"format\":1", "\"format\":99", 1)).unwrap();
        (newest, sound)
    }

    /// The store as it is now, beside it.
    fn copy(&self) -> PathBuf {
        let copy = self.folder.path().join("copy");
        for (path, bytes) in files(&self.path()) {
            fs::create_dir_all(copy.join(&path).parent().unwrap()).unwrap();
            fs::write(copy.join(&path), bytes).unwrap();
        }
        copy
    }

    /// What came since the copy is gone from the partitions.
    fn roll_back(&self, copy: &Path) {
        let kept = files(copy);
        for path in files(&self.path()).into_keys() {
            if !kept.contains_key(&path) {
                fs::remove_file(self.path().join(path)).unwrap();
            }
        }
    }
}

/// Every object with its bytes, but for those of the control plane and the feeds, which nodes write at any time.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().to_path_buf();
            let own = !["_control", "_tmp", "probe", "feed"].iter().any(|other| name.starts_with(other));
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(path),
                false if own && name.extension().is_some_and(|kind| kind != "tmp") => {
                    found.insert(name, fs::read(path).unwrap());
                }
                false => {}
            }
        }
    }
    found
}

struct Member {
    node: Node,
    client: tokio::sync::Mutex<Client>,
}

impl Member {
    /// Stores one event; `ack` as in the route.
    async fn write(&self, name: &str, ack: &str) {
        let body = Bytes::from(format!("{{\"timestamp\":\"2026-06-14T10:00:00Z\",\"name\":\"{name}\"}}\n"));
        let params = [("index", "app"), ("ack", ack)];
        let answer: Value =
            self.client.lock().await.post("/api/ingest", &params, Default::default(), body).await.unwrap();
        assert_eq!((&answer["ingested"], &answer["durability"]), (&1.into(), &ack.into()), "{answer}");
    }

    /// The names of all events, sorted.
    async fn names(&self) -> Vec<String> {
        let params = [("q", "*"), ("limit", "1000")];
        let answer = self.client.lock().await.get_json("/api/search", &params).await.unwrap();
        let hits = answer["hits"].as_array().unwrap();
        let mut names: Vec<_> = hits.iter().map(|hit| hit["fields"]["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    async fn sync(&self) {
        self.node.cluster().unwrap().sync_now().await;
    }

    async fn problems(&self) -> Vec<&'static str> {
        self.node.cluster().unwrap().status().await.problems.iter().map(|problem| problem.kind).collect()
    }

    /// How many events `/api/stats` says are lost.
    async fn lost(&self) -> u64 {
        let answer = self.client.lock().await.get_json("/api/stats", &[]).await.unwrap();
        answer["lost"].as_u64().unwrap()
    }

    /// Waits until it has fetched so many blocks of others.
    async fn fetched(&self, blocks: u64) {
        while self.node.cluster().unwrap().coverage()["blocks fetched"] < blocks {
            self.names().await;
        }
    }
}

/// Two nodes, three generations: `a1`, `b1`, `a2`.
async fn two_nodes(folder: &Folder) -> [Member; 2] {
    let (a, b) = (folder.node("a").await, folder.node("b").await);
    a.write("a1", "shared").await;
    b.write("b1", "shared").await;
    a.write("a2", "shared").await;
    b.sync().await;
    a.fetched(1).await;
    b.fetched(2).await;
    [a, b]
}

fn what(report: &StoreReport) -> Vec<String> {
    report.found.problems.iter().map(|problem| format!("{}: {}", problem.path, problem.what)).collect()
}

async fn converge(nodes: &[Member]) {
    for _ in 0..2 {
        for node in nodes {
            node.node.engine().flush_now().await;
            node.sync().await;
        }
    }
}

/// Each node has these events, once, and nothing keeps it from sharing them.
async fn all_have(nodes: &[Member], names: &[&str]) {
    for node in nodes {
        assert_eq!(node.names().await, names);
        assert!(node.problems().await.is_empty());
    }
}

#[tokio::test]
async fn a_sound_store_is_called_sound_and_every_event_in_it_is_counted() {
    let folder = Folder::new();
    let _nodes = two_nodes(&folder).await;
    let report = folder.verify().await;
    assert_eq!(what(&report), [""; 0]);
    let found = &report.found;
    assert_eq!((found.partitions, found.generations, found.blocks, found.rows), (1, 3, 3, 3));
    assert!(report.incarnation.is_some() && report.foreign.is_empty() && found.strays == 0);
}

#[tokio::test]
async fn a_flipped_byte_a_missing_block_a_removed_generation_and_a_stray_are_told_apart() {
    let folder = Folder::new();
    let _nodes = two_nodes(&folder).await;
    let manifest = fs::read_to_string(folder.newest("chains", "")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let block = |number: usize| {
        let id = manifest["blocks"][number]["id"].as_str().unwrap();
        folder.path().join(format!("blocks/default/app/2026-06-14/{id}.hb"))
    };
    let mut bytes = fs::read(block(0)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(block(0), bytes).unwrap();
    fs::rename(block(1), block(2).with_file_name("00000000000000000000000000000001.hb")).unwrap();
    fs::remove_file(folder.path().join("chains/default/app/2026-06-14/00000000000000000002.json")).unwrap();
    fs::write(folder.path().join("chains/readme.txt"), "?").unwrap();
    let report = folder.verify().await;
    let problems = what(&report);
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].contains("00000000000000000003.json: the generation before it is missing"), "{problems:?}");
    assert!(problems[1].contains("changed: its digest is"), "{problems:?}");
    assert!(problems[2].ends_with("missing; it held 1 events"), "{problems:?}");
    assert_eq!(report.found.strays, 1, "{report:?}");
    assert_eq!(report.foreign, ["chains/readme.txt"]);
}

#[tokio::test]
async fn pages_that_no_head_names_are_counted_and_swept_and_the_others_stay() {
    let folder = Folder::new();
    let in_pages = || Settings { manifest_page_blocks: 1, ..patient() };
    let writer = folder.node_with("a", in_pages(), Duration::from_secs(86_400)).await;
    for name in ["a1", "a2", "a3", "a4"] {
        writer.write(name, "shared").await;
    }
    writer.node.stop().await;
    let stray = folder.newest("pages", "").with_file_name(format!("{}.json", "0".repeat(64)));
    // Also in a partition that has no chain.
    let other = folder.path().join("pages/default/app/2026-06-13").join(stray.file_name().unwrap());
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    [&stray, &other].iter().for_each(|path| fs::write(path, "?").unwrap());
    let report = folder.verify().await;
    assert_eq!((what(&report), report.found.pages, report.found.stray_pages), (vec![], 3, 2));
    let sweeper = folder.node_with("b", in_pages(), Duration::from_millis(50)).await;
    while stray.exists() || other.exists() {
        sweeper.names().await;
    }
    sweeper.node.stop().await;
    let report = folder.verify().await;
    assert_eq!((what(&report), report.found.pages, report.found.stray_pages), (vec![], 3, 0));
    let reader = folder.node("c").await;
    reader.sync().await;
    all_have(&[reader], &["a1", "a2", "a3", "a4"]).await;
}

#[tokio::test]
async fn what_a_killed_process_left_half_written_is_swept() {
    let folder = Folder::new();
    let writer = folder.node("a").await;
    writer.write("a1", "shared").await;
    writer.node.stop().await;
    let left = folder.path().join("_tmp/0123456789abcdef-7.tmp");
    fs::write(&left, "half").unwrap();
    let sweeper = folder.node_with("b", patient(), Duration::from_millis(50)).await;
    while left.exists() {
        sweeper.names().await;
    }
    all_have(&[sweeper], &["a1"]).await;
}

#[tokio::test]
async fn after_a_rollback_nodes_stop_and_a_new_history_brings_everything_back_once() {
    let folder = Folder::new();
    let nodes = two_nodes(&folder).await;
    let [a, b] = &nodes;
    let copy = folder.copy();
    a.write("a3", "shared").await;
    b.write("b2", "shared").await;
    a.sync().await;
    a.fetched(2).await;
    b.fetched(3).await;
    folder.roll_back(&copy);
    a.sync().await;
    b.sync().await;
    assert_eq!((a.problems().await, b.problems().await), (vec!["rolled_back"], vec!["rolled_back"]));
    a.write("a4", "local").await;
    let planned = folder.begin(Begin::Look).await;
    assert_eq!((planned.begun.is_some(), planned.partitions[0].generation), (false, 3));
    a.sync().await;
    assert_eq!(a.problems().await, ["rolled_back"], "a plan changes nothing");
    let history = folder.begin(Begin::Write).await;
    assert_eq!((history.partitions[0].generation, history.partitions[0].faults.len()), (3, 0));
    assert_ne!(history.begun, history.before);
    converge(&nodes).await;
    all_have(&nodes, &["a1", "a2", "a3", "a4", "b1", "b2"]).await;
    let report = folder.verify().await;
    assert_eq!((what(&report), report.found.rows), (vec![], 6));
    let fresh = folder.node("c").await;
    fresh.sync().await;
    assert_eq!(fresh.names().await, ["a1", "a2", "a3", "a4", "b1", "b2"]);
}

#[tokio::test]
async fn a_node_takes_no_empty_folder_and_no_other_store_for_the_one_that_it_has_shared_with() {
    let folder = Folder::new();
    let node = folder.node("a").await;
    node.write("a1", "shared").await;
    node.node.stop().await;
    folder.swap_store("store", "unmounted");
    fs::create_dir(folder.path()).unwrap();
    let why = folder.refused("a").await;
    assert!(why.contains("it is empty") && why.contains("Is the folder mounted"), "{why}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing at all is written there");
    folder.node("other").await.node.stop().await;
    let why = folder.refused("a").await;
    assert!(why.contains("it is store ") && why.contains("--replaces "), "{why}");
    folder.swap_store("store", "of-others");
    folder.swap_store("unmounted", "store");
    assert_eq!(folder.node("a").await.names().await, ["a1"]);
}

#[tokio::test]
async fn a_lost_store_is_filled_again_by_its_nodes_once_an_operator_says_so() {
    let folder = Folder::new();
    for member in two_nodes(&folder).await {
        member.node.stop().await;
    }
    folder.swap_store("store", "lost");
    fs::create_dir(folder.path()).unwrap();
    let why = folder.refused("a").await;
    let number: String = why.rsplit("--replaces ").next().unwrap().chars().take(16).collect();
    let path = folder.path();
    let adopt = ["store", "adopt", "--shared-store", path.to_str().unwrap(), "--replaces"];
    let (code, _, why) = helios(&[&adopt[..], &["none"]].concat());
    assert!(code == Some(2) && why.contains("16 digits"), "{why}");
    let (code, _, why) = helios(&[&adopt[..], &[&number]].concat());
    assert!(code == Some(1) && why.contains("--yes") && files(&path).is_empty(), "{why}");
    let (code, said, why) = helios(&[&adopt[..], &[&number, "--yes"]].concat());
    assert!(code == Some(0) && said.contains("begins; the one before was none"), "{said}{why}");
    let nodes = [folder.node("a").await, folder.node("b").await];
    nodes[0].write("a3", "local").await;
    converge(&nodes).await;
    all_have(&nodes, &["a1", "a2", "a3", "b1"]).await;
    for member in nodes {
        member.node.stop().await;
    }
    // What was lost turns up again: nobody goes back to it.
    folder.swap_store("store", "new");
    folder.swap_store("lost", "store");
    let why = folder.refused("a").await;
    assert!(why.contains(&format!("it is store {number}, and this node shares its events with store ")), "{why}");
    folder.swap_store("store", "lost");
    folder.swap_store("new", "store");
    // A second time nobody asks; and a node that comes later, or was away, finds the same.
    assert_eq!(what(&folder.verify().await), Vec::<String>::new());
    let nodes = [folder.node("a").await, folder.node("new").await];
    converge(&nodes).await;
    all_have(&nodes, &["a1", "a2", "a3", "b1"]).await;
}

#[tokio::test]
async fn a_partition_that_the_store_lost_altogether_comes_back_before_what_came_after_it() {
    let folder = Folder::new();
    let nodes = [folder.node("a").await, folder.node("b").await];
    let [a, b] = &nodes;
    let copy = folder.copy();
    a.write("a1", "shared").await;
    b.write("b1", "shared").await;
    a.sync().await;
    a.fetched(1).await;
    b.fetched(1).await;
    folder.roll_back(&copy);
    a.write("a2", "local").await;
    a.sync().await;
    assert_eq!(a.problems().await, ["rolled_back"]);
    let history = folder.begin(Begin::Write).await;
    assert_eq!(history.partitions.len(), 0);
    converge(&nodes).await;
    all_have(&nodes, &["a1", "a2", "b1"]).await;
    let report = folder.verify().await;
    assert_eq!((what(&report), report.found.rows), (vec![], 3));
}

#[tokio::test]
async fn what_is_nowhere_any_more_is_waited_for_until_its_loss_is_accepted() {
    let folder = Folder::new();
    // A process that has a file open still has it when its name is gone.
    for node in two_nodes(&folder).await {
        node.node.stop().await;
    }
    let manifest: Value = serde_json::from_slice(&fs::read(folder.newest("chains", "")).unwrap()).unwrap();
    let id = manifest["blocks"][2]["id"].as_str().unwrap();
    fs::remove_file(folder.newest("blocks", id)).unwrap();
    for node in ["a", "b"] {
        fs::remove_file(folder.folder.path().join(format!("{node}/default/app/2026-06-14/blocks/{id}.hb"))).unwrap();
    }
    let nodes = [folder.node("a").await, folder.node("b").await];
    let [a, b] = &nodes;
    a.write("a3", "local").await;
    folder.begin(Begin::Write).await;
    converge(&nodes).await;
    assert_eq!((a.problems().await, b.problems().await), (vec!["missing"], vec!["missing"]));
    folder.begin(Begin::AcceptLoss).await;
    converge(&nodes).await;
    all_have(&nodes, &["a1", "a3", "b1"]).await;
    for node in &nodes {
        assert_eq!(node.lost().await, 1, "the page says so");
    }
    let report = folder.verify().await;
    assert_eq!(report.found.rows, 3);
    assert!(matches!(&what(&report)[..], [only] if only.contains("are lost: the shared store was rolled back")));
}

#[tokio::test]
async fn of_a_store_that_was_copied_in_no_order_the_newest_complete_generation_holds() {
    let folder = Folder::new();
    let nodes = two_nodes(&folder).await;
    let manifest: Value = serde_json::from_slice(&fs::read(folder.newest("chains", "")).unwrap()).unwrap();
    let id = manifest["blocks"][2]["id"].as_str().unwrap();
    fs::remove_file(folder.newest("blocks", id)).unwrap();
    assert_eq!(what(&folder.verify().await).len(), 1);
    let history = folder.begin(Begin::Write).await;
    let [partition] = &history.partitions[..] else { panic!("{history:?}") };
    assert_eq!((partition.head, partition.generation, partition.blocks), (3, 2, 2));
    assert_eq!(
        (partition.missing.len(), partition.missing[0].from, partition.missing[0].to),
        (1, 2, 2),
        "{partition:?}"
    );
    converge(&nodes).await;
    all_have(&nodes, &["a1", "a2", "b1"]).await;
    let report = folder.verify().await;
    assert_eq!((what(&report), report.found.rows), (vec![], 3));
}

#[tokio::test]
async fn where_no_generation_is_complete_the_blocks_before_the_first_missing_one_hold() {
    let folder = Folder::new();
    let nodes = two_nodes(&folder).await;
    let manifest: Value = serde_json::from_slice(&fs::read(folder.newest("chains", "")).unwrap()).unwrap();
    let id = manifest["blocks"][1]["id"].as_str().unwrap();
    fs::remove_file(folder.newest("blocks", id)).unwrap();
    let chain = folder.path().join("chains/default/app/2026-06-14");
    fs::remove_file(chain.join("00000000000000000001.json")).unwrap();
    fs::write(chain.join("00000000000000000002.json"), "{").unwrap();
    let history = folder.begin(Begin::Write).await;
    let [partition] = &history.partitions[..] else { panic!("{history:?}") };
    assert_eq!((partition.generation, partition.blocks, partition.blocks_left), (3, 1, 2));
    converge(&nodes).await;
    for node in &nodes {
        assert_eq!(node.names().await, ["a1", "a2", "b1"]);
    }
    let report = folder.verify().await;
    assert_eq!((what(&report), report.found.rows), (vec![], 3));
}

#[tokio::test]
async fn a_generation_of_a_newer_format_is_left_alone_and_no_history_begins() {
    let folder = Folder::new();
    let _nodes = two_nodes(&folder).await;
    folder.put_newest_beyond_us();
    let before = files(&folder.path());
    let history = folder.begin(Begin::Write).await;
    assert!(history.begun.is_none() && history.refused[0].what.contains("newer"), "{history:?}");
    assert!(files(&folder.path()) == before, "nothing is written");
}

fn helios(args: &[&str]) -> (Option<i32>, String, String) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_helios")).args(args).output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
}

#[tokio::test]
async fn the_commands_say_what_they_found_and_end_with_its_code() {
    let folder = Folder::new();
    for member in two_nodes(&folder).await {
        member.node.stop().await;
    }
    let path = folder.path();
    let store = path.to_str().unwrap();
    let verify = ["verify", "--shared-store", store];
    let (code, said, _) = helios(&verify);
    assert!(code == Some(0) && said.contains("3 blocks, ") && said.contains(" 3 events\n"), "{said}");
    let manifest: Value = serde_json::from_slice(&fs::read(folder.newest("chains", "")).unwrap()).unwrap();
    fs::remove_file(folder.newest("blocks", manifest["blocks"][2]["id"].as_str().unwrap())).unwrap();
    let (code, said, why) = helios(&verify);
    assert!(code == Some(4) && said.contains("PROBLEM blocks/default/app/2026-06-14/"), "{said}{why}");
    let adopt = ["store", "adopt", "--shared-store", store];
    let (code, said, why) = helios(&adopt);
    assert!(
        code == Some(1) && why.contains("--yes") && said.contains("generation 2 of 3 holds, 2 blocks"),
        "{said}{why}"
    );
    let (code, said, why) = helios(&[&adopt[..], &["--yes"]].concat());
    assert!(code == Some(0) && said.contains("begins; the one before was "), "{said}{why}");
    assert_eq!(helios(&verify).0, Some(0));
    let empty = tempfile::tempdir().unwrap();
    let (code, _, why) = helios(&["store", "adopt", "--yes", "--shared-store", empty.path().to_str().unwrap()]);
    assert!(code == Some(1) && why.contains("no node has ever used"), "{why}");
}

#[tokio::test]
async fn a_store_is_tested_by_a_command_also_through_two_ways() {
    let folder = Folder::new();
    let (path, other) = (folder.path(), tempfile::tempdir().unwrap());
    let again = folder.folder.path().join("again");
    std::os::unix::fs::symlink(&path, &again).unwrap();
    let [store, again, other] = [&path, &again, other.path()].map(|path| path.to_str().unwrap());
    for more in [&[][..], &["--and", again]] {
        let (code, said, why) = helios(&[&["store", "test", "--shared-store", store], more].concat());
        assert!(code == Some(0) && said.contains("met: one-of-many-creates-wins\n"), "{said}{why}");
        assert!(files(&path).is_empty(), "it cleans up");
    }
    let (code, said, why) = helios(&["store", "test", "--shared-store", store, "--and", other]);
    assert!(code == Some(4) && said.is_empty() && why.contains("not met: create-is-exclusive: "), "{said}{why}");
    assert!(files(&path).is_empty() && files(Path::new(other)).is_empty(), "also after a failure");
    let (code, _, why) = helios(&["store", "test", "--shared-store", "/nowhere/at/all"]);
    assert!(code == Some(1) && why.contains("/nowhere/at/all") && why.contains("Is it mounted?"), "{why}");
}

/// Says of the newest incarnation that a command is at work on the next one, as that command does first.
fn close_history(folder: &Folder) {
    let newest = folder.newest("incarnation", "");
    let mut body: Value = serde_json::from_slice(&fs::read(&newest).unwrap()).unwrap();
    body["closing"] = true.into();
    body["commit"] = "a-command".into();
    let number: u64 = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    fs::write(newest.with_file_name(format!("{:020}.json", number + 1)), body.to_string()).unwrap();
}

#[tokio::test]
async fn a_chain_that_is_begun_while_a_new_history_is_being_begun_takes_nothing_from_its_node() {
    let folder = Folder::new();
    let nodes = [folder.node("a").await, folder.node("b").await];
    let [a, b] = &nodes;
    close_history(&folder);
    a.write("a1", "local").await;
    a.node.engine().flush_now().await;
    a.sync().await;
    b.sync().await;
    let waiting = a.node.cluster().unwrap().status().await.waiting.events;
    assert_eq!((waiting, a.names().await.len()), (1, 1), "a sent it, and keeps it");
    assert_eq!(b.names().await.len(), 0, "b does not stand on that chain either");
    let report = folder.verify().await;
    assert_eq!(what(&report).len(), 1, "{:?}", what(&report));
    assert!(what(&report)[0].contains("run it again"), "{:?}", what(&report));
    // The command had looked for chains before this one was there: nothing of it is in the new history.
    fs::remove_file(folder.newest("chains", "")).unwrap();
    folder.begin(Begin::Write).await;
    converge(&nodes).await;
    all_have(&nodes, &["a1"]).await;
    assert_eq!(what(&folder.verify().await), [""; 0]);
}

#[tokio::test]
async fn a_new_history_that_cannot_be_begun_leaves_the_old_one_open() {
    let folder = Folder::new();
    let nodes = two_nodes(&folder).await;
    let (newest, sound) = folder.put_newest_beyond_us();
    let history = folder.begin(Begin::Write).await;
    assert_eq!((history.begun, history.refused.len()), (None, 1));
    fs::write(&newest, sound).unwrap();
    assert_eq!(what(&folder.verify().await), [""; 0]);
    nodes[0].write("a3", "shared").await;
    nodes[1].sync().await;
    all_have(&nodes, &["a1", "a2", "a3", "b1"]).await;
}
