//! A store that is put back to an earlier time, or copied in no order, and the operator who decides that what it has
//! then is what holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use helios::chain::Store;
use helios::cluster::{Begin, begin_history};
use helios::engine::Engine;
use helios::event::EventId;
use serde_json::Value;

use super::judge::{self, Epoch};
use super::{Focus, Run, lock};
use crate::powercut::engine::{ids_in_block, ids_in_group};
use crate::rng::Rng;

/// What the store had.
pub(super) type Backup = BTreeMap<String, Bytes>;

/// A rollback from which the cluster has not recovered yet.
pub(super) struct Rollback {
    /// Events that a node has on its disk, and brings back.
    kept: BTreeSet<EventId>,
    /// The number of a store of which nothing is left, or an earlier one only.
    lost: Option<String>,
}

/// Puts the store back. Judges before what was made until then: nothing that comes later follows from it.
///
/// # Errors
/// If that was wrong.
pub(super) async fn roll_back(run: &Arc<Run>, rng: &mut Rng, backups: &[Backup]) -> Result<(), String> {
    judge::generations(run)?;
    let mut backup = backups[rng.index(backups.len())].clone();
    if run.plan.focus == Focus::Rollbacks && rng.percent(15) {
        run.saw("fault: store lost");
        backup.clear();
    } else if rng.percent(40) {
        // A copy that took a while, in no order: of some objects it has what was there later.
        run.saw("fault: store copied in no order");
        backup.extend(run.store.backup().into_iter().filter(|_| rng.percent(50)));
    } else {
        run.saw("fault: store rolled back");
    }
    let before = store_id(&run.store.backup());
    // Also one that another had taken the place of since: for nodes it is another one.
    let lost = before.filter(|before| store_id(&backup).as_ref() != Some(before));
    run.store.restore(backup);
    // Requests that were on their way to the old store end.
    run.host.clock.sleep(IN_FLIGHT_MAX).await;
    let kept = kept(run).await;
    *lock(&run.rollback) = Some(Rollback { kept, lost });
    run.host.clock.sleep(Duration::from_millis(rng.in_range(0..20_000))).await;
    Ok(())
}

/// The operator begins a new history. Does nothing if the store was not rolled back, or that is settled.
///
/// # Errors
/// Why it did not work: to be tried again.
pub(super) async fn adopt(run: &Arc<Run>, how: Begin) -> Result<(), String> {
    if lock(&run.rollback).is_none() && how != Begin::AcceptLoss {
        return Ok(());
    }
    let store = Arc::new(run.store.clone()) as Arc<dyn Store>;
    let replaces = lock(&run.rollback).as_ref().and_then(|rollback| rollback.lost.clone());
    let history =
        begin_history(&run.host, &store, how, replaces.as_deref()).await.map_err(|error| error.to_string())?;
    if !history.refused.is_empty() {
        return Err(format!("refused: {:?}", history.refused));
    }
    run.saw("histories begun");
    *lock(&run.epoch) = Epoch::begin(run)?;
    if let Some(Rollback { kept, .. }) = lock(&run.rollback).take() {
        excuse(run, &kept);
    }
    Ok(())
}

/// As [`adopt`], as often as an operator who reads the message would.
///
/// # Errors
/// If it never works.
pub(super) async fn adopt_in_the_end(run: &Arc<Run>, how: Begin) -> Result<(), String> {
    let mut last = adopt(run, how).await;
    for _ in 0..TRIES {
        if last.is_ok() {
            break;
        }
        run.host.clock.sleep(Duration::from_secs(2)).await;
        last = adopt(run, how).await;
    }
    last
}

/// The number by which nodes know a store.
fn store_id(store: &Backup) -> Option<String> {
    let newest = store.iter().rfind(|(key, _)| key.starts_with("incarnation/"));
    let said: Value = serde_json::from_slice(newest?.1).ok()?;
    Some(said["store"].as_str()?.to_owned())
}

/// What is neither in the store nor on a disk is gone for good.
fn excuse(run: &Run, kept: &BTreeSet<EventId>) {
    let marks = judge::shared_marks(run);
    let mut model = lock(&run.model);
    let ids: Vec<_> = model.acknowledged_ids().map(|(raw, id)| (raw.to_owned(), id)).collect();
    for (raw, id) in ids.into_iter().filter(|(_, id)| !kept.contains(id)) {
        let place = model.place(&raw);
        let is_there =
            place.and_then(|place| marks.get(&place)).is_some_and(|marks| marks.get(id.origin) >= id.sequence.0);
        if !is_there {
            model.excuse(&raw);
        }
    }
}

/// The events that are on disks for sure. A node that may let shared blocks go to make room has nothing for sure: if
/// what its old base names is nowhere, what comes after it has to be given up with it. Nor has one that stands still:
/// what it had seen in the store it lets go of here when it goes on.
async fn kept(run: &Arc<Run>) -> BTreeSet<EventId> {
    let mut kept = BTreeSet::new();
    for node in &run.nodes {
        if let Some(life) = node.life().filter(|life| node.keeps_all() && !life.switch.is_paused()) {
            keeps(&life.engine, &mut kept).await;
        }
    }
    kept
}

async fn keeps(engine: &Engine, kept: &mut BTreeSet<EventId>) {
    let replica = engine.replica();
    for partition in &engine.snapshot(|_| true).partitions {
        partition.head.iter().for_each(|group| kept.extend(ids_in_group(group)));
        for (number, block) in partition.blocks.iter().enumerate() {
            let is_own = number >= partition.base_blocks;
            let is_here = is_own || replica.is_local(block).await.unwrap_or(false);
            if is_here && let Ok(ids) = ids_in_block(block).await {
                kept.extend(ids);
            }
        }
    }
}

/// How often the command is run again.
const TRIES: u32 = 10;
/// After this time no request is under way that was sent before.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(2);
