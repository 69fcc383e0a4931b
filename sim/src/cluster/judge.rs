//! Whether what came of a run is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use helios::crypto;
use helios::engine::shared::SharedManifest;
use helios::engine::{BlockId, Page, Watermarks};
use helios::event::{EventId, PartitionKey};
use serde_json::Value;

use super::{Focus, Run, lock};
use crate::powercut::Found;
use crate::powercut::engine::{all_events, groups_of};

/// Index and day.
pub(super) type Place = (&'static str, i32);

/// Up to where each partition is in the store, at once and past all faults.
pub(super) fn shared_marks(run: &Run) -> BTreeMap<Place, Watermarks> {
    let mut marks = BTreeMap::new();
    for (folder, link) in heads(run) {
        let Ok(manifest) = serde_json::from_slice::<SharedManifest>(&link) else { continue };
        let Some(place) = place_of(&folder) else { continue };
        marks.insert(place, manifest.watermarks);
    }
    marks
}

/// The lines in the blocks that the heads name, where machines are put back while they run.
pub(super) fn shared_lines(run: &Run) -> Option<BTreeSet<String>> {
    if run.plan.focus != Focus::Clones {
        return None;
    }
    let mut lines = BTreeSet::new();
    for (folder, body) in heads(run) {
        let Ok(manifest) = filled_now(run, &folder, &body) else { continue };
        for entry in manifest.entries() {
            let block = run.store.peek(&format!("blocks/{folder}/{}.hb", entry.id));
            for group in block.and_then(|block| groups_of(&block).ok()).unwrap_or_default() {
                for row in 0..group.rows {
                    let mut raw = Vec::new();
                    group.raw(row, &mut raw);
                    lines.insert(String::from_utf8_lossy(&raw).into_owned());
                }
            }
        }
    }
    Some(lines)
}

/// The body of each chain's head, by `<env>/<index>/<day>`. Keys are in order, so that the last one is the head.
/// Numbers from before the store's history are no part of it.
fn heads(run: &Run) -> BTreeMap<String, Bytes> {
    let (mut heads, first) = (BTreeMap::new(), first_generation(run));
    for key in run.store.keys() {
        let Some((folder, _)) = chain_and_number(&key).filter(|(_, number)| *number >= first) else { continue };
        if let Some(body) = run.store.peek(&key) {
            heads.insert(folder.to_owned(), body);
        }
    }
    heads
}

/// A generation's chain and its number.
fn chain_and_number(key: &str) -> Option<(&str, u64)> {
    let (folder, file) = key.strip_prefix("chains/")?.rsplit_once('/')?;
    Some((folder, file.strip_suffix(".json")?.parse().ok()?))
}

/// The lowest generation of the store's history: each begins a thousand million above the one before it.
fn first_generation(run: &Run) -> u64 {
    let head = run.store.keys().into_iter().filter(|key| key.starts_with("incarnation/")).max();
    let number = head.and_then(|head| {
        let said: serde_json::Value = serde_json::from_slice(&run.store.peek(&head)?).ok()?;
        said.get("number")?.as_u64()
    });
    (number.unwrap_or(1) - 1) * GENERATIONS_PER_HISTORY + 1
}

const GENERATIONS_PER_HISTORY: u64 = 1_000_000_000;

fn place_of(folder: &str) -> Option<Place> {
    let mut parts = folder.split('/').skip(1);
    let (index, day) = (parts.next()?, parts.next()?);
    let index = ["app", "web"].into_iter().find(|known| *known == index)?;
    Some((index, PartitionKey::parse_day(day)?))
}

/// Why the nodes do not agree yet; `None` if they do.
///
/// # Errors
/// If something is wrong that time will not mend.
pub(super) async fn apart(run: &Arc<Run>) -> Result<Option<String>, String> {
    let heads = heads(run);
    let mut generations = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (folder, body) in &heads {
        let manifest = filled_now(run, folder, body).map_err(|why| format!("the head of {folder}: {why}"))?;
        generations.insert(folder.clone(), manifest.generation);
        named.extend(manifest.pages.iter().map(|page| page_key(folder, page)));
        named.extend(manifest.entries().map(|entry| format!("blocks/{folder}/{}.hb", entry.id)));
    }
    let mut lives = Vec::new();
    for node in &run.nodes {
        let Some(life) = node.life() else { return Err(format!("{} does not run", node.name)) };
        let engine = Arc::clone(&life.engine);
        let flushed = life.switch.guard(async move { engine.flush_now().await }).await;
        if flushed != Some(true) {
            return Ok(Some(format!("{} could not flush", node.name)));
        }
        // First of all nodes: while one says what it lacks, the others need not stand still.
        let status = life.cluster.status().await;
        if let Some(problem) = status.problems.first() {
            return Ok(Some(format!("{}: {}: {}", node.name, problem.partition, problem.message)));
        }
        lives.push((node, life, status.waiting.blocks));
    }
    for (node, life, waiting) in lives {
        if waiting > 0 {
            return Ok(Some(format!("{}: {waiting} blocks wait", node.name)));
        }
        let replica = life.engine.replica();
        for (folder, generation) in &generations {
            let Some(key) = key_of(folder) else { continue };
            let base = replica.base(&key).await.map_or(0, |base| base.generation);
            if base != *generation {
                return Ok(Some(format!("{}: {folder} stands on {base}, the store has {generation}", node.name)));
            }
        }
    }
    let is_swept = |key: &str| key.starts_with("blocks/") || key.starts_with("pages/");
    let stray = run.store.keys().into_iter().find(|key| is_swept(key) && !named.contains(key));
    Ok(stray.map(|key| format!("{key} is garbage and still there")))
}

fn key_of(folder: &str) -> Option<PartitionKey> {
    let mut parts = folder.split('/');
    let (env, index, day) = (parts.next()?, parts.next()?, parts.next()?);
    Some(PartitionKey { env: env.into(), index: index.into(), day: PartitionKey::parse_day(day)? })
}

/// Judges what every node has, and every generation that was ever made. Says why it cannot be told yet, if so: with
/// no grace a block may be replaced while it is read.
///
/// # Errors
/// The first thing that is wrong.
pub(super) async fn judge(run: &Arc<Run>) -> Result<Option<String>, String> {
    let mut first: Option<(&str, BTreeSet<EventId>)> = None;
    for node in &run.nodes {
        let Some(life) = node.life() else { return Err(format!("{} does not run", node.name)) };
        let snapshot = life.engine.snapshot(|_| true);
        let found: Vec<Found> = match all_events(&snapshot).await {
            Ok(found) => found,
            Err(why) => return Ok(Some(format!("on {}: {why}", node.name))),
        };
        let mut model = lock(&run.model);
        let expected = model.expectation();
        model.judge(&expected, &found).map_err(|why| format!("on {} after healing: {why}", node.name))?;
        drop(model);
        let ids: BTreeSet<EventId> = found.iter().map(|found| found.id).collect();
        match &first {
            None => first = Some((node.name, ids)),
            Some((name, others)) if *others != ids => {
                let odd = others.symmetric_difference(&ids).next();
                // A day may be retired between two looks: then they are the same a little later, or it stays wrong.
                return Ok(Some(format!("{name} and {} have different events, {odd:?} among them", node.name)));
            }
            Some(_) => {}
        }
    }
    announcements(run)?;
    generations(run).map(|()| None)
}

/// Whatever a feed speaks of had been committed before.
fn announcements(run: &Run) -> Result<(), String> {
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    for (key, body) in run.store.made() {
        if let Some((folder, number)) = chain_and_number(&key) {
            let known = newest.entry(folder.to_owned()).or_default();
            *known = number.max(*known);
        } else if key.starts_with("feed/") {
            let entry: Value = serde_json::from_slice(&body).map_err(|error| format!("{key}: {error}"))?;
            for change in entry["changed"].as_array().into_iter().flatten() {
                announced(change, &newest).map_err(|why| format!("{key}: {why}"))?;
            }
        }
    }
    Ok(())
}

fn announced(change: &Value, newest: &BTreeMap<String, u64>) -> Result<(), String> {
    let text = |name: &str| change[name].as_str().unwrap_or_default();
    let day = change["day"].as_i64().and_then(|day| i32::try_from(day).ok()).ok_or("no day")?;
    let key = PartitionKey { env: text("env").into(), index: text("index").into(), day };
    let folder = format!("{}/{}/{}", key.env, key.index, key.day_name());
    let generation = change["generation"].as_u64().ok_or("no generation")?;
    match newest.get(&folder) {
        Some(known) if *known >= generation => Ok(()),
        known => Err(format!("{folder} has {known:?}, and generation {generation} is announced")),
    }
}

/// One chain while its history is read.
#[derive(Clone, Default)]
struct History {
    manifest: Option<SharedManifest>,
    digest: String,
    /// What the blocks of the last generation hold.
    events: BTreeSet<EventId>,
    removed: BTreeSet<EventId>,
}

/// From where on generations are counted: the store's first object, or a new history.
#[derive(Default)]
pub(super) struct Epoch {
    /// How many objects were made before.
    made: usize,
    /// The chains as they are then.
    chains: BTreeMap<String, History>,
}

impl Epoch {
    /// Begins with what the store has now.
    ///
    /// # Errors
    /// If that cannot be read.
    pub(super) fn begin(run: &Run) -> Result<Self, String> {
        let made = run.store.made();
        let objects: BTreeMap<&str, &Bytes> = made.iter().map(|(key, body)| (key.as_str(), body)).collect();
        let (mut chains, mut blocks) = (BTreeMap::new(), BTreeMap::new());
        for (folder, body) in heads(run) {
            let manifest = filled_now(run, &folder, &body);
            let manifest = manifest.map_err(|why| format!("the head of {folder} begins a history: {why}"))?;
            let mut history = History { digest: crypto::hex(&crypto::sha256(&body)), ..History::default() };
            for entry in manifest.entries() {
                history.events.extend(ids_of(&folder, entry.id, &objects, &mut blocks)?);
            }
            history.manifest = Some(manifest);
            chains.insert(folder, history);
        }
        Ok(Self { made: made.len(), chains })
    }
}

/// Recounts every generation of every chain from the rows of its blocks.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn generations(run: &Run) -> Result<(), String> {
    let made = run.store.made();
    let epoch = lock(&run.epoch);
    let objects: BTreeMap<&str, &Bytes> = made.iter().map(|(key, body)| (key.as_str(), body)).collect();
    let mut blocks: BTreeMap<String, BTreeSet<EventId>> = BTreeMap::new();
    let (mut histories, first) = (epoch.chains.clone(), first_generation(run));
    for (key, body) in &made[epoch.made..] {
        // A request that was on its way when the store was put back came after the new history began.
        let Some((folder, _)) = chain_and_number(key).filter(|(_, number)| *number >= first) else { continue };
        let wrong = |why: String| format!("{key}: {why}");
        // A page may be swept by now; before the generation it was made.
        let manifest = filled(folder, body, |key| objects.get(key).map(|body| (*body).clone())).map_err(wrong)?;
        let history = histories.entry(folder.to_owned()).or_default();
        // A number that was made again after it was collected is a ghost: no part of the chain.
        if history.manifest.as_ref().is_some_and(|head| manifest.generation < head.floor) {
            continue;
        }
        step(history, &manifest).map_err(wrong)?;
        let mut events = BTreeSet::new();
        for entry in manifest.entries() {
            let ids = ids_of(folder, entry.id, &objects, &mut blocks).map_err(wrong)?;
            if ids.len() as u64 != entry.rows {
                return Err(wrong(format!("block {} has {} events and says {}", entry.id, ids.len(), entry.rows)));
            }
            for id in ids {
                if !events.insert(*id) {
                    return Err(wrong(format!("{id} is in two blocks")));
                }
                if id.sequence.0 > manifest.watermarks.get(id.origin) {
                    return Err(wrong(format!("{id} is beyond the watermark")));
                }
                if history.removed.contains(id) {
                    return Err(wrong(format!("{id} was removed and is back")));
                }
            }
        }
        let gone: Vec<EventId> = history.events.difference(&events).copied().collect();
        if !gone.is_empty() && !events.is_empty() {
            return Err(wrong(format!("{} went without the day being retired", gone[0])));
        }
        history.removed.extend(gone);
        complete(run, folder, &manifest, &events, &history.removed).map_err(wrong)?;
        history.events = events;
        history.digest = crypto::hex(&crypto::sha256(body));
        history.manifest = Some(manifest);
    }
    Ok(())
}

fn step(history: &History, next: &SharedManifest) -> Result<(), String> {
    let number = history.manifest.as_ref().map_or(0, |manifest| manifest.generation);
    // The first of a chain, or of a history that is not begun for all chains yet.
    let begins = next.floor == next.generation && (number == 0 || next.generation % GENERATIONS_PER_HISTORY == 1);
    if next.generation != number + 1 && !begins {
        return Err(format!("generation {} comes after {number}", next.generation));
    }
    if next.previous != history.digest {
        return Err("it does not state the digest of the one before it".into());
    }
    if history.manifest.as_ref().is_some_and(|before| !next.watermarks.covers(&before.watermarks)) {
        return Err("a watermark falls".into());
    }
    next.check()
}

/// Every acknowledged event up to the watermark is in a block, or was removed with its day.
fn complete(
    run: &Run,
    folder: &str,
    manifest: &SharedManifest,
    events: &BTreeSet<EventId>,
    removed: &BTreeSet<EventId>,
) -> Result<(), String> {
    // Of two events with one number a watermark cannot say which it means: what is missing in the end is missed there.
    let Some(place) = place_of(folder).filter(|_| run.plan.focus != Focus::Clones) else { return Ok(()) };
    let model = lock(&run.model);
    for (raw, id) in model.acknowledged_ids() {
        let here = model.place(raw) == Some(place) && manifest.watermarks.get(id.origin) >= id.sequence.0;
        if here && !events.contains(&id) && !removed.contains(&id) {
            return Err(format!("{id} is below the watermark and in no block: {raw}"));
        }
    }
    Ok(())
}

fn ids_of<'a>(
    folder: &str,
    id: BlockId,
    objects: &BTreeMap<&str, &Bytes>,
    blocks: &'a mut BTreeMap<String, BTreeSet<EventId>>,
) -> Result<&'a BTreeSet<EventId>, String> {
    let key = format!("blocks/{folder}/{id}.hb");
    if !blocks.contains_key(&key) {
        let body = objects.get(key.as_str()).ok_or_else(|| format!("block {id} was never stored"))?;
        let groups = groups_of(body).map_err(|why| format!("block {id}: {why}"))?;
        let ids = groups.iter().flat_map(|group| (0..group.rows).map(|row| group.id(row))).collect();
        blocks.insert(key.clone(), ids);
    }
    Ok(&blocks[&key])
}

/// A head with its pages, which are there.
fn filled_now(run: &Run, folder: &str, body: &Bytes) -> Result<SharedManifest, String> {
    filled(folder, body, |key| run.store.peek(key))
}

/// A generation with its pages.
fn filled(folder: &str, body: &Bytes, get: impl Fn(&str) -> Option<Bytes>) -> Result<SharedManifest, String> {
    let mut manifest = SharedManifest::parse(body)?;
    for page in &mut manifest.pages {
        let key = page_key(folder, page);
        let body = get(&key).ok_or_else(|| format!("{key} of generation {} is missing", manifest.generation))?;
        page.fill(&body)?;
    }
    Ok(manifest)
}

fn page_key(folder: &str, page: &Page) -> String {
    format!("pages/{folder}/{}.json", page.sha256)
}
