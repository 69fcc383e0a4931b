//! A store in memory that loses answers, answers late, refuses and shows what is old: a double for tests.
//!
//! What goes wrong is drawn from the entropy that it is given, and time passes on the clock that it is given,
//! so that a simulated host decides both.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;

use super::requests::{Counter, RequestKind};
use super::store::{check_key, check_range, page_of};
use super::{Create, Object, Page, Requests, Store, StoreDate, StoreError};
use crate::host::{BoxFuture, Clock, Entropy, UnixNanos};

/// How often what goes wrong, in per mille of the calls it can happen to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// A call is refused and changes nothing.
    pub refuse: u64,
    /// A change is made, and its answer lost.
    pub lose_answer: u64,
    /// A change is not made, and its answer lost all the same.
    pub lose_request: u64,
    /// A create or a delete has no answer now and is made later: when a call draws `deliver`, or by
    /// [`MemoryStore::deliver_one`].
    pub deliver_late: u64,
    /// A delete that was answered is made once more within `AGAIN_WITHIN`, as by a client that had tried twice.
    pub delete_again: u64,
    /// Before a call, the oldest request that is still under way is carried out.
    pub deliver: u64,
    /// A create answers that the name was taken although it had just given it.
    pub answer_twice: u64,
    /// A listing shows the objects of some calls ago. No chain can live with that: the probe must refuse it.
    pub stale_list: u64,
    /// A create takes a name although another has it.
    pub two_winners: u64,
    /// The longest time that a call takes, in milliseconds; 0 answers at once.
    pub delay_ms_max: u64,
    /// Objects in a page of a listing; 0 for all.
    pub page_objects: usize,
}

/// What went wrong so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Calls of all kinds.
    pub calls: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Answers that were lost after the change was made.
    pub answers_lost: u64,
    /// Requests that were carried out late.
    pub delivered_late: u64,
    /// Creates that made a number again that had been deleted before.
    pub ghosts: u64,
}

/// Objects in a map. Clones share it.
#[derive(Clone)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
    clock: Option<Arc<dyn Clock>>,
    entropy: Arc<dyn Entropy>,
    requests: Arc<Counter>,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Bytes>,
    /// Every object in the order in which it was made, if that is to be remembered.
    made: Option<Vec<(String, Bytes)>>,
    /// Names that were ever deleted.
    deleted: BTreeSet<String>,
    /// Requests that are still under way although nobody waits for them.
    late: VecDeque<Late>,
    /// Deletes that are made once more, and when.
    again: Vec<(Duration, String)>,
    /// What listings showed before the last changes.
    before: VecDeque<BTreeMap<String, Bytes>>,
    faults: Faults,
    counts: Counts,
    date_ahead_ns: i64,
}

/// A request that comes when its sender has given up.
enum Late {
    Create(String, Bytes),
    Delete(String),
}

impl MemoryStore {
    /// An empty store in order. With a clock its calls take time.
    pub fn new(entropy: Arc<dyn Entropy>, clock: Option<Arc<dyn Clock>>) -> Self {
        Self { inner: Arc::default(), clock, entropy, requests: Arc::default() }
    }

    /// From now on these go wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Its calendar is this far ahead of the clock's.
    pub fn set_date_ahead(&self, ns: i64) {
        self.lock().date_ahead_ns = ns;
    }

    /// What went wrong so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// From now on it remembers what was made, and in which order.
    pub fn remember_made(&self) {
        self.lock().made.get_or_insert_default();
    }

    /// Every object that was made since [`MemoryStore::remember_made`], in that order, whatever became of it: a key
    /// is there twice if it was deleted and made again.
    pub fn made(&self) -> Vec<(String, Bytes)> {
        self.lock().made.clone().unwrap_or_default()
    }

    /// Carries out one late request, the oldest. `false` if none is under way.
    pub fn deliver_one(&self) -> bool {
        self.lock().deliver_one()
    }

    /// What is there under a key, at once and without faults.
    pub fn peek(&self, key: &str) -> Option<Bytes> {
        self.lock().objects.get(key).cloned()
    }

    /// Everything that is there, to be put back later.
    pub fn backup(&self) -> BTreeMap<String, Bytes> {
        self.lock().objects.clone()
    }

    /// Puts a backup in the place of everything: what came since is gone, and what was under way.
    pub fn restore(&self, backup: BTreeMap<String, Bytes>) {
        let mut inner = self.lock();
        inner.objects = backup;
        inner.late.clear();
        inner.again.clear();
    }

    /// The keys that are there.
    pub fn keys(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// Draws whether something happens that happens in `per_mille` of all cases.
    fn draw(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.entropy.next_u64() % 1_000 < per_mille
    }

    fn now(&self) -> Duration {
        self.clock.as_ref().map_or(Duration::ZERO, |clock| clock.monotonic())
    }

    async fn pause(&self) {
        let longest = self.lock().faults.delay_ms_max;
        if let (Some(clock), 1..) = (&self.clock, longest) {
            clock.sleep(Duration::from_millis(self.entropy.next_u64() % longest)).await;
        }
    }

    /// The way there: takes time, and may be refused.
    async fn arrive(&self, key: &str, kind: RequestKind, bytes: usize) -> Result<Faults, StoreError> {
        self.requests.sent(kind, bytes);
        self.pause().await;
        let now = self.now();
        let faults = {
            let mut inner = self.lock();
            inner.counts.calls += 1;
            inner.delete_again(now);
            inner.faults
        };
        if self.draw(faults.deliver) {
            self.deliver_one();
        }
        if self.draw(faults.refuse) {
            self.lock().counts.refused += 1;
            return Err(StoreError::definite(key, "refused by a test"));
        }
        Ok(faults)
    }

    /// The way back of a change.
    async fn answer<T>(&self, key: &str, faults: Faults, value: T) -> Result<T, StoreError> {
        self.pause().await;
        if self.draw(faults.lose_answer) {
            self.lock().counts.answers_lost += 1;
            return Err(StoreError::unknown(key, "the answer was lost by a test"));
        }
        Ok(value)
    }

    async fn look_up(&self, key: &str, kind: RequestKind) -> Result<Option<Bytes>, StoreError> {
        check_key(key)?;
        self.arrive(key, kind, 0).await?;
        let body = self.lock().objects.get(key).cloned();
        self.pause().await;
        Ok(body)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics under the lock of the objects")
    }

    async fn create_faulty(&self, key: &str, body: Bytes) -> Result<Create, StoreError> {
        check_key(key)?;
        let faults = self.arrive(key, RequestKind::Create, body.len()).await?;
        if self.draw(faults.deliver_late) {
            self.lock().late.push_back(Late::Create(key.to_owned(), body));
            return Err(StoreError::unknown(key, "delayed by a test"));
        }
        if self.draw(faults.lose_request) {
            return Err(StoreError::unknown(key, "lost by a test"));
        }
        let overwrite = self.draw(faults.two_winners);
        let mut created = self.lock().create(key, body, overwrite);
        if self.draw(faults.answer_twice) {
            created = Create::Exists;
        }
        self.answer(key, faults, created).await
    }
}

impl Inner {
    fn create(&mut self, key: &str, body: Bytes, overwrite: bool) -> Create {
        if self.objects.contains_key(key) && !overwrite {
            return Create::Exists;
        }
        self.counts.ghosts += u64::from(self.deleted.contains(key));
        if let Some(made) = &mut self.made {
            made.push((key.to_owned(), body.clone()));
        }
        self.put(key, body);
        Create::Created
    }

    fn put_made(&mut self, key: &str, body: Bytes) {
        if let Some(made) = &mut self.made {
            made.push((key.to_owned(), body.clone()));
        }
        self.put(key, body);
    }

    fn put(&mut self, key: &str, body: Bytes) {
        self.remember();
        self.objects.insert(key.to_owned(), body);
    }

    fn delete(&mut self, key: &str) {
        self.remember();
        if self.objects.remove(key).is_some() {
            self.deleted.insert(key.to_owned());
        }
    }

    fn deliver_one(&mut self) -> bool {
        let Some(late) = self.late.pop_front() else { return false };
        self.counts.delivered_late += 1;
        match late {
            // Whether it was made interests nobody any more.
            Late::Create(key, body) => drop(self.create(&key, body, false)),
            Late::Delete(key) => self.delete(&key),
        }
        true
    }

    fn delete_again(&mut self, now: Duration) {
        let due: Vec<_> = self.again.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, key) in due {
            self.counts.delivered_late += 1;
            self.delete(&key);
        }
    }

    fn remember(&mut self) {
        if self.faults.stale_list == 0 {
            return;
        }
        self.before.push_back(self.objects.clone());
        if self.before.len() > STALE_CHANGES {
            self.before.pop_front();
        }
    }
}

impl Store for MemoryStore {
    fn create<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<Create, StoreError>> {
        Box::pin(self.create_faulty(key, body))
    }

    fn put<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            check_key(key)?;
            let faults = self.arrive(key, RequestKind::Put, body.len()).await?;
            self.lock().put_made(key, body);
            self.answer(key, faults, ()).await
        })
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            let body = self.look_up(key, RequestKind::Get).await?;
            self.requests.came(body.as_ref().map_or(0, Bytes::len));
            Ok(body)
        })
    }

    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move {
            check_range(key, &range)?;
            let Some(body) = self.look_up(key, RequestKind::Range).await? else { return Ok(None) };
            if range.end > body.len() as u64 {
                return Err(StoreError::definite(key, format!("{range:?} is not within its {} bytes", body.len())));
            }
            let part = body.slice(range.start as usize..range.end as usize);
            self.requests.came(part.len());
            Ok(Some(part))
        })
    }

    fn size<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<u64>, StoreError>> {
        Box::pin(async move { Ok(self.look_up(key, RequestKind::Head).await?.map(|body| body.len() as u64)) })
    }

    fn list<'a>(&'a self, folder: &'a str, after: &'a str) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let faults = self.arrive(folder, RequestKind::List, 0).await?;
            let stale = self.draw(faults.stale_list);
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let page = {
                let inner = self.lock();
                let objects = inner.before.front().filter(|_| stale).unwrap_or(&inner.objects);
                let below = objects.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
                let named =
                    below.map(|(key, body)| Object { name: key[prefix.len()..].to_owned(), bytes: body.len() as u64 });
                let page_objects = if faults.page_objects == 0 { usize::MAX - 1 } else { faults.page_objects };
                page_of(
                    named.filter(|object| object.name.as_str() > after).take(page_objects + 1).collect(),
                    page_objects,
                )
            };
            self.pause().await;
            Ok(page)
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            check_key(key)?;
            let faults = self.arrive(key, RequestKind::Delete, 0).await?;
            if self.draw(faults.deliver_late) {
                self.lock().late.push_back(Late::Delete(key.to_owned()));
                return Err(StoreError::unknown(key, "delayed by a test"));
            }
            self.lock().delete(key);
            if self.draw(faults.delete_again) {
                let within = Duration::from_millis(self.entropy.next_u64() % AGAIN_WITHIN.as_millis() as u64);
                self.lock().again.push((self.now() + within, key.to_owned()));
            }
            self.answer(key, faults, ()).await
        })
    }

    fn harden<'a>(&'a self, _folder: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn requests(&self) -> Requests {
        self.requests.requests()
    }

    fn date(&self) -> Option<StoreDate> {
        let clock = self.clock.as_ref()?;
        let ahead_ns = self.lock().date_ahead_ns;
        Some(StoreDate { wall: UnixNanos(clock.wall().0.saturating_add(ahead_ns)), at: clock.monotonic() })
    }
}

/// The longest time after which a delete is made once more.
const AGAIN_WITHIN: Duration = Duration::from_secs(20);
/// How many changes old a stale listing may be.
const STALE_CHANGES: usize = 4;
