//! What every store must do, as checks that can be run against any of them: in the project's tests, and by
//! whoever wants to know whether a store of theirs will do.
//!
//! [`super::probe`] is the short form that a server runs at its start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};

use super::{Chain, Commit, Create, Object, Requests, Store};

/// A check that was not met.
#[derive(Debug, thiserror::Error)]
#[error("{check}: {why}")]
pub struct Failure {
    /// Which check.
    pub check: &'static str,
    /// What the store did, and what it should have done.
    pub why: String,
}

/// Runs every check below `folder`, which must be empty, and cleans up what it made. Returns the names of the
/// checks. Costs some 400 requests and 3 MiB.
///
/// # Errors
/// The first check that the store does not meet.
pub async fn run(store: &Arc<dyn Store>, folder: &str) -> Result<Vec<&'static str>, Failure> {
    run_through(std::slice::from_ref(store), folder).await
}

/// As [`run`], with one call through one way to the store and the next through another: through two mounts of one
/// folder, say. What one client did another must see.
///
/// # Errors
/// As [`run`].
///
/// # Panics
/// Without a way.
pub async fn run_through(ways: &[Arc<dyn Store>], folder: &str) -> Result<Vec<&'static str>, Failure> {
    assert!(!ways.is_empty(), "without a way there is no store");
    let mut met = Vec::new();
    for (name, check) in CHECKS {
        let place = Place { ways: ways.into(), turn: Arc::default(), folder: format!("{folder}/{name}") };
        let outcome = check(place.clone()).await;
        // Also after a failure: nothing else would ever remove it.
        let cleaned = place.clean().await;
        outcome.and(cleaned).map_err(|why| Failure { check: name, why })?;
        met.push(*name);
    }
    Ok(met)
}

type Check = fn(Place) -> BoxFuture<'static, Result<(), String>>;

/// Every check. Names are folders too.
const CHECKS: &[(&str, Check)] = &[
    ("create-is-exclusive", |place| Box::pin(create_is_exclusive(place))),
    ("one-of-many-creates-wins", |place| Box::pin(one_of_many_wins(place))),
    ("a-listing-shows-what-was-created", |place| Box::pin(listing_shows_all(place))),
    ("a-listing-is-sorted-and-goes-on", |place| Box::pin(listing_goes_on(place))),
    ("readers-see-all-or-nothing", |place| Box::pin(all_or_nothing(place))),
    ("ranges-are-exact", |place| Box::pin(ranges_are_exact(place))),
    ("put-may-be-repeated", |place| Box::pin(put_repeats(place))),
    ("what-is-deleted-is-gone", |place| Box::pin(deleted_is_gone(place))),
    ("what-was-never-there-is-none", |place| Box::pin(absent_is_none(place))),
    ("odd-keys-are-refused", |place| Box::pin(odd_keys_are_refused(place))),
    ("requests-are-counted", |place| Box::pin(requests_are_counted(place))),
    ("a-name-that-was-missed-is-found", |place| Box::pin(missed_is_found(place))),
    ("a-name-that-was-missed-can-be-lost", |place| Box::pin(taken_is_found(place))),
    ("a-chain-counts-every-commit", |place| Box::pin(chain_counts(place))),
];

/// Where one check works.
#[derive(Clone)]
struct Place {
    ways: Arc<[Arc<dyn Store>]>,
    /// Calls so far.
    turn: Arc<AtomicUsize>,
    folder: String,
}

impl Place {
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// The way that the next call takes: in turn, but so that of calls in pairs each way takes the first and the second.
    fn way(&self) -> &Arc<dyn Store> {
        let (turn, count) = (self.turn.fetch_add(1, Ordering::Relaxed), self.ways.len());
        self.ways.get((turn + turn / count) % count).expect("a remainder is within its divisor")
    }

    async fn create(&self, name: &str, body: Bytes) -> Result<Create, String> {
        self.way().create(&self.key(name), body).await.map_err(text)
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, String> {
        self.way().get(&self.key(name)).await.map_err(text)
    }

    async fn names(&self, below: &str) -> Result<Vec<Object>, String> {
        let folder = if below.is_empty() { self.folder.clone() } else { self.key(below) };
        self.way().list_all(&folder, "").await.map_err(text)
    }

    fn requests(&self) -> Vec<Requests> {
        self.ways.iter().map(|way| way.requests()).collect()
    }

    async fn clean(&self) -> Result<(), String> {
        for object in self.names("").await? {
            self.way().delete(&self.key(&object.name)).await.map_err(text)?;
        }
        Ok(())
    }
}

async fn create_is_exclusive(place: Place) -> Result<(), String> {
    expect("the first create", place.create("a", "one".into()).await?, Create::Created)?;
    expect("the second create", place.create("a", "two".into()).await?, Create::Exists)?;
    expect("the same create again", place.create("a", "one".into()).await?, Create::Exists)?;
    expect("what is read", place.get("a").await?, Some("one".into()))
}

async fn one_of_many_wins(place: Place) -> Result<(), String> {
    for round in 0..RACE_ROUNDS {
        let name = format!("{round}");
        let bodies: Vec<Bytes> = (0..RACE_WRITERS).map(|writer| pattern(writer, RACE_BYTES)).collect();
        let answers = join_all(bodies.iter().map(|body| place.create(&name, body.clone()))).await;
        let won: Vec<_> = (0..bodies.len()).filter(|i| matches!(answers.get(*i), Some(Ok(Create::Created)))).collect();
        if let Some(Err(why)) = answers.iter().find(|answer| answer.is_err()) {
            return Err(format!("a create in a race failed: {why}"));
        }
        let [winner] = won.as_slice() else { return Err(format!("{} of {RACE_WRITERS} creates won", won.len())) };
        expect("the winner's bytes", place.get(&name).await?, bodies.get(*winner).cloned())?;
    }
    Ok(())
}

async fn listing_shows_all(place: Place) -> Result<(), String> {
    for number in 0..20_u64 {
        let name = format!("{number:020}.json");
        expect("a create", place.create(&name, pattern(number, 100)).await?, Create::Created)?;
        let listed = place.names("").await?;
        expect("the length of the listing", listed.len() as u64, number + 1)?;
        expect("its last", listed.last().cloned(), Some(Object { name, bytes: 100 }))?;
    }
    Ok(())
}

async fn listing_goes_on(place: Place) -> Result<(), String> {
    let names = ["a-1", "a.b", "a/0", "a/1", "a/b/c", "a0", "b-1", "b/x", "c"];
    for name in names {
        expect("a create", place.create(name, "x".into()).await?, Create::Created)?;
    }
    let listed = |objects: Vec<Object>| objects.into_iter().map(|object| object.name).collect::<Vec<_>>();
    expect("everything", listed(place.names("").await?), names.map(str::to_owned).to_vec())?;
    expect("what is below a", listed(place.names("a").await?), vec!["0".to_owned(), "1".to_owned(), "b/c".to_owned()])?;
    for (index, after) in names.iter().enumerate() {
        let rest = place.way().list_all(&place.folder, after).await.map_err(text)?;
        expect("what comes after", listed(rest), names.iter().skip(index + 1).map(|&n| n.to_owned()).collect())?;
    }
    expect("what is nowhere", place.names("nowhere").await?, Vec::new())
}

async fn all_or_nothing(place: Place) -> Result<(), String> {
    let body = pattern(7, BIG_BYTES);
    let write = place.create("big", body.clone());
    let read = async {
        for _ in 0..10 {
            if let Some(seen) = place.get("big").await?
                && seen != body
            {
                return Err(format!("a reader saw {} of {} bytes", seen.len(), body.len()));
            }
        }
        Ok(())
    };
    let (written, seen) = futures_util::future::join(write, read).await;
    expect("the create", written?, Create::Created)?;
    seen?;
    expect("the whole", place.get("big").await?.as_ref() == Some(&body), true)
}

async fn ranges_are_exact(place: Place) -> Result<(), String> {
    let body = pattern(3, 100_000);
    expect("a create", place.create("r", body.clone()).await?, Create::Created)?;
    let key = place.key("r");
    for range in [0..1, 0..100_000, 1..2, 99_999..100_000, 40_000..60_001] {
        let read = place.way().get_range(&key, range.clone()).await.map_err(text)?;
        let wanted = body.slice(range.start as usize..range.end as usize);
        expect("a range's bytes", read.as_ref() == Some(&wanted), true)?;
    }
    for range in [100_000..100_001, 99_999..100_001, 5..5] {
        expect("a range outside refused", place.way().get_range(&key, range).await.is_err(), true)?;
    }
    expect("the size", place.way().size(&key).await.map_err(text)?, Some(100_000))
}

async fn put_repeats(place: Place) -> Result<(), String> {
    let body = pattern(9, 5_000);
    for _ in 0..2 {
        place.way().put(&place.key("p"), body.clone()).await.map_err(text)?;
        expect("what is read", place.get("p").await?, Some(body.clone()))?;
    }
    expect("a create of it", place.create("p", "x".into()).await?, Create::Exists)?;
    expect("an empty object", place.create("empty", Bytes::new()).await?, Create::Created)?;
    expect("read", place.get("empty").await?, Some(Bytes::new()))
}

async fn deleted_is_gone(place: Place) -> Result<(), String> {
    expect("a create", place.create("d", "x".into()).await?, Create::Created)?;
    for _ in 0..2 {
        place.way().delete(&place.key("d")).await.map_err(text)?;
        expect("what is read", place.get("d").await?, None)?;
        expect("what is listed", place.names("").await?, Vec::new())?;
    }
    expect("a create of the same name", place.create("d", "y".into()).await?, Create::Created)
}

async fn absent_is_none(place: Place) -> Result<(), String> {
    let key = place.key("absent");
    expect("get", place.get("absent").await?, None)?;
    expect("range", place.way().get_range(&key, 0..1).await.map_err(text)?, None)?;
    expect("size", place.way().size(&key).await.map_err(text)?, None)
}

/// Everybody asks for a name before somebody creates it.
async fn missed_is_found(place: Place) -> Result<(), String> {
    for round in 0..MISSED_ROUNDS {
        let name = format!("{round}");
        for way in &*place.ways {
            expect("what is read before", way.get(&place.key(&name)).await.map_err(text)?, None)?;
        }
        expect("a create", place.create(&name, pattern(round, 100)).await?, Create::Created)?;
        for way in &*place.ways {
            expect("what is read", way.get(&place.key(&name)).await.map_err(text)?, Some(pattern(round, 100)))?;
        }
    }
    Ok(())
}

/// Everybody asks for a name before somebody creates it, and then tries to create it too.
async fn taken_is_found(place: Place) -> Result<(), String> {
    for round in 0..MISSED_ROUNDS {
        let key = place.key(&format!("{round}"));
        for way in &*place.ways {
            expect("the size before", way.size(&key).await.map_err(text)?, None)?;
        }
        expect("a create", place.way().create(&key, pattern(round, 100)).await.map_err(text)?, Create::Created)?;
        for way in &*place.ways {
            expect("a second create", way.create(&key, "x".into()).await.map_err(text)?, Create::Exists)?;
            expect("what is read", way.get(&key).await.map_err(text)?, Some(pattern(round, 100)))?;
        }
    }
    Ok(())
}

async fn odd_keys_are_refused(place: Place) -> Result<(), String> {
    for name in ["", "..", "a//b", "../x", "a b", "ä", "a/"] {
        expect("a create refused", place.create(name, "x".into()).await.is_err(), true)?;
    }
    expect("what is listed", place.names("").await?, Vec::new())
}

async fn requests_are_counted(place: Place) -> Result<(), String> {
    let before = place.requests();
    let _ = place.create("created", Bytes::from_static(b"12345")).await?;
    place.way().put(&place.key("put"), Bytes::from_static(b"1234567")).await.map_err(text)?;
    place.get("put").await?;
    place.way().get_range(&place.key("put"), 2..5).await.map_err(text)?;
    place.way().size(&place.key("put")).await.map_err(text)?;
    place.names("").await?;
    place.way().delete(&place.key("put")).await.map_err(text)?;
    let asked: Vec<Requests> = place.requests().iter().zip(&before).map(|(now, before)| now.since(before)).collect();
    // A store that had to repeat a request counts each try.
    let all = |field: fn(&Requests) -> u64| asked.iter().map(field).sum::<u64>();
    let each = [
        all(|a| a.creates),
        all(|a| a.puts),
        all(|a| a.gets),
        all(|a| a.ranges),
        all(|a| a.heads),
        all(|a| a.lists),
        all(|a| a.deletes),
    ];
    let counted = each.iter().all(|&count| count >= 1) && all(|a| a.bytes_up) >= 12 && all(|a| a.bytes_down) >= 10;
    if counted { Ok(()) } else { Err(format!("one request of each kind gave {asked:?}")) }
}

/// Writers that each add one to what the head says. None may be lost and none counted twice.
async fn chain_counts(place: Place) -> Result<(), String> {
    let chain_of = |way: &Arc<dyn Store>| Chain::new(Arc::clone(way), place.key("count"));
    let added = join_all((0..CHAIN_WRITERS).map(|writer| add_to_chain(chain_of(place.way()), writer))).await;
    let chain = chain_of(place.way());
    for outcome in added {
        outcome?;
    }
    let head = chain.head().await.map_err(text)?.ok_or("the chain is empty")?;
    expect("the head's number", head.generation, CHAIN_WRITERS * CHAIN_COMMITS)?;
    expect("the length of the chain", chain.generations().await.map_err(text)?.len() as u64, head.generation)
}

async fn add_to_chain(chain: Chain, writer: u64) -> Result<(), String> {
    for number in 0..CHAIN_COMMITS {
        loop {
            let generation = chain.head().await.map_err(text)?.map_or(0, |head| head.generation) + 1;
            let body = format!(r#"{{"commit":"{writer}-{number}-{generation}"}}"#);
            if let Commit::Done(_) = chain.commit(generation, body.into()).await.map_err(text)? {
                break;
            }
        }
    }
    Ok(())
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should: T) -> Result<(), String> {
    if is == should { Ok(()) } else { Err(format!("{what}: {is:?} instead of {should:?}")) }
}

/// Bytes that differ from seed to seed and from place to place.
fn pattern(seed: u64, len: usize) -> Bytes {
    (0..len as u64).map(|i| ((i * 31) ^ (i >> 8) ^ (seed * 97)).to_le_bytes()[0]).collect::<Vec<u8>>().into()
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Creates at the same time, of the same name.
const RACE_WRITERS: u64 = 8;
const RACE_ROUNDS: u64 = 8;
/// Large enough that requests overlap.
const RACE_BYTES: usize = 16 << 10;
const BIG_BYTES: usize = 1 << 20;
const MISSED_ROUNDS: u64 = 3;
const CHAIN_WRITERS: u64 = 4;
const CHAIN_COMMITS: u64 = 5;
