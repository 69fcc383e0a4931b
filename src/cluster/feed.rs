//! The feed: what each life has changed, as hints. Objects `feed/<life>/<n>.json`, strictly in order; n + 1 is
//! written only when what became of n is known, so that whoever reads on from n misses nothing that it says.
//!
//! Nothing rests on it: who misses something finds it at the next walk.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use super::state::{Shared, lock};
use crate::chain::StoreError;
use crate::event::PartitionKey;

/// The format of entries that this version writes, and the newest that it reads.
const FEED_FORMAT: u32 = 1;
/// Where feeds are.
pub(super) const FEED: &str = "feed";

/// One entry.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Entry {
    format: u32,
    /// The partitions that were changed, and their newest generations.
    changed: Vec<Change>,
    /// The history of the store that its writer knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    incarnation: String,
}

/// A partition that was changed.
#[derive(Debug, Deserialize, Serialize)]
struct Change {
    env: String,
    index: String,
    day: i32,
    generation: u64,
}

/// How far each life's feed was read.
#[derive(Debug, Default)]
pub(super) struct Offsets(BTreeMap<String, u64>);

/// What the feeds say is new.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Hints {
    pub(super) changed: BTreeMap<PartitionKey, u64>,
    /// Entries were missed: everything must be looked at.
    pub(super) missed: bool,
    /// Somebody knows another history of the store than this node.
    pub(super) other_history: bool,
}

impl Entry {
    pub(super) fn of(changed: &BTreeMap<PartitionKey, u64>, incarnation: &str) -> Self {
        let change = |(key, generation): (&PartitionKey, &u64)| Change {
            env: key.env.to_string(),
            index: key.index.to_string(),
            day: key.day,
            generation: *generation,
        };
        let changed = changed.iter().map(change).collect();
        Self { format: FEED_FORMAT, changed, incarnation: incarnation.to_owned() }
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let entry: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if entry.format > FEED_FORMAT {
            return Err(format!("format {} is newer than this version of helios reads", entry.format));
        }
        Ok(entry)
    }

    /// The partitions that it says were changed, and their newest generations.
    pub(super) fn changes(self) -> impl Iterator<Item = (PartitionKey, u64)> {
        self.changed.into_iter().map(|Change { env, index, day, generation }| {
            (PartitionKey { env: env.into(), index: index.into(), day }, generation)
        })
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("an entry is plain data").into()
    }
}

pub(super) fn key_of(life: &str, number: u64) -> String {
    format!("{FEED}/{life}/{}", name_of(number))
}

fn name_of(number: u64) -> String {
    format!("{number:020}.json")
}

/// Life and number that a name below [`FEED`] states.
pub(super) fn parse(name: &str) -> Option<(&str, u64)> {
    let (life, file) = name.split_once('/')?;
    Some((life, crate::chain::parse_name(file)?))
}

/// Reads what is new in the feeds of the others. Costs one list, and one get an entry.
///
/// # Errors
/// If the store could not be asked: what was read until then is forgotten, and read again the next time.
pub(super) async fn read_new(shared: &Arc<Shared>) -> Result<Hints, StoreError> {
    let (own, history) = (shared.life(), shared.incarnation().id);
    let listed = shared.store.list_all(FEED, "").await?;
    let mut feeds: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (life, number) in listed.iter().filter_map(|object| parse(&object.name)).filter(|(life, _)| *life != own) {
        feeds.entry(life).or_default().push(number);
    }
    let mut hints = Hints::default();
    let mut read_to = BTreeMap::new();
    let mut offsets = shared.offsets.lock().await;
    for (life, numbers) in &feeds {
        let known = offsets.0.get(*life).copied().unwrap_or(0);
        let mut next = known + 1;
        for number in numbers.iter().filter(|number| **number > known) {
            // Also between two: an entry that could not be deleted stays when younger ones go.
            hints.missed |= *number != next;
            next = number + 1;
            match shared.store.get(&key_of(life, *number)).await? {
                Some(body) => take(&mut hints, life, &history, &body),
                // It was collected since the list.
                None => hints.missed = true,
            }
            read_to.insert((*life).to_owned(), *number);
        }
    }
    offsets.0.extend(read_to);
    if hints != Hints::default() {
        debug!(changed = ?hints.changed, missed = hints.missed, "feeds read");
    }
    Ok(hints)
}

fn take(hints: &mut Hints, life: &str, history: &str, body: &Bytes) {
    let entry = match Entry::parse(body) {
        Ok(entry) => entry,
        Err(why) => {
            warn!(life, %why, "an entry of a feed cannot be read: everything is looked at instead");
            hints.missed = true;
            return;
        }
    };
    hints.other_history |= !entry.incarnation.is_empty() && entry.incarnation != history;
    for (key, generation) in entry.changes() {
        let newest = hints.changed.entry(key).or_default();
        *newest = generation.max(*newest);
    }
}

/// Marks that everything must be looked at.
pub(super) fn ask_for_walk(shared: &Shared) {
    *lock(&shared.walk_due) = true;
}
