//! Runs a search: hits, a count, or a table.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc;

use super::QueryContext;
use super::answer::{Hit, SearchAnswer, SearchEvent};
use super::cursor;
use super::error::QueryError;
use super::memory::Budget;
use super::pipeline::{Chain, Flow, StageContext, fields_read};
use super::prepare::{chain_of, prepare, stage_context, warnings_of};
use super::record::Record;
use super::request::{CountMode, SearchRequest};
use super::rows::{Projection, RowKey, hit_bytes, hits_of, keys_of};
use super::scan::bitmap::Bitmap;
use super::scan::eval::{Memory, Stop, rows_in_time, rows_that_fit};
use super::scan::view::View;
use super::source::{Source, Task};
use super::stages::Stage;
use crate::engine::Snapshot;

/// Rows that are shown: their keys, and where they are.
pub(crate) type Found = (RowKey, (u32, u32));

/// One search at work.
pub(crate) struct Search<'a> {
    pub(crate) context: &'a QueryContext,
    pub(crate) source: Source,
    pub(crate) budget: Budget,
    pub(crate) stage_context: StageContext,
    /// Who is told of the progress.
    pub(crate) events: Option<&'a mpsc::Sender<SearchEvent>>,
    reported: Duration,
    /// Whether the events that are shown are kept: those of an export will not be asked for again.
    keeps_events: bool,
}

/// Between two reports of progress.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// Answers a search; hits go to `events` as soon as they are final, where that is given.
pub(crate) async fn search(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &SearchRequest,
    events: Option<&mpsc::Sender<SearchEvent>>,
) -> Result<SearchAnswer, QueryError> {
    request.check()?;
    let started = context.shared.host.clock.monotonic();
    let prepared = prepare(&request.query, request.sort.as_deref())?;
    let budget = Budget::new(context.shared.limits.memory_bytes);
    let source = Source::open(context, snapshot, &request.scope, &prepared).await?;
    let stage_context = stage_context(&request.scope, request.zone.as_deref(), request.now.0, &budget);
    let mut search = Search { context, source, budget, stage_context, events, reported: started, keeps_events: true };
    let mut answer = if !prepared.table.is_empty() {
        search.table(&prepared).await?
    } else if prepared.events.is_empty() {
        search.newest(request).await?
    } else {
        search.piped(request, &prepared.events).await?
    };
    let (mut warnings, partial) = warnings_of(snapshot, &request.scope, &context.access);
    warnings.extend(prepared.warnings);
    warnings.append(&mut answer.warnings);
    answer.warnings = warnings;
    answer.partial |= partial;
    answer.stats = search.source.stats();
    answer.stats.explain = request.explain.then(|| search.source.explain());
    answer.took_ms = (context.shared.host.clock.monotonic() - started).as_millis() as u64;
    Ok(answer)
}

impl<'a> Search<'a> {
    pub(crate) fn new(context: &'a QueryContext, source: Source, budget: Budget, stage_context: StageContext) -> Self {
        Self { context, source, budget, stage_context, events: None, reported: Duration::ZERO, keeps_events: false }
    }

    /// The newest matches after the cursor, and how many there are.
    async fn newest(&mut self, request: &SearchRequest) -> Result<SearchAnswer, QueryError> {
        let after = cursor::read(request)?;
        let limit = request.limit as usize;
        // One more tells whether there is a next page.
        let wanted = if limit == 0 { 0 } else { limit + 1 };
        // Rows older than this cannot be among the hits.
        let oldest = Arc::new(AtomicI64::new(i64::MIN));
        let mut best: BTreeSet<Found> = BTreeSet::new();
        let (mut total, mut sent, mut stopped) = (0, None, false);
        let source = std::mem::replace(&mut self.source, Source::empty(self.context));
        {
            let all = 0..source.tasks.len();
            // Where only the number of matches is asked for, it may be known; so may be that there are none.
            let known = |_: usize, task: &Task| {
                let count = task.known.as_ref().filter(|_| task.whole)?.count(task.rows);
                let hidden = wanted == 0 || count == 0 || task.times.1 < oldest.load(Ordering::Relaxed);
                hidden.then_some((count, Vec::new()))
            };
            let mut groups = std::pin::pin!(source.each_of(all, known, |index, task| {
                newest_of_group(index as u32, task, &source, after, wanted, Arc::clone(&oldest))
            }));
            let mut next = 0;
            while let Some(outcome) = groups.next().await {
                let (count, keys) = outcome?;
                total += count;
                next += 1;
                source.counters.matched.fetch_add(count, Ordering::Relaxed);
                best.extend(keys);
                while best.len() > wanted {
                    best.pop_first();
                }
                let full = best.len() == wanted;
                if let (true, Some(((time, _), _))) = (full, best.first()) {
                    oldest.store(*time, Ordering::Relaxed);
                }
                let rest = source.tasks.get(next).map(|task| task.times.1);
                let settled =
                    rest.is_none_or(|newest| full && best.first().is_none_or(|((time, _), _)| newest < *time));
                if settled && request.count == CountMode::None {
                    stopped = rest.is_some();
                    break;
                }
                if settled && sent.is_none() && self.events.is_some() {
                    sent = Some(self.show(&source, &best, limit).await?);
                }
                self.report(&source).await?;
            }
        }
        if sent.is_none() {
            sent = Some(self.show(&source, &best, limit).await?);
        }
        self.source = source;
        let more = best.len() > limit && limit > 0;
        let last = best.iter().rev().nth(limit.saturating_sub(1)).map(|(key, _)| *key);
        let total = (request.count == CountMode::Exact && !stopped).then_some(total);
        let cursor = last.filter(|_| more).map(|key| cursor::write(request, key));
        Ok(SearchAnswer { total, hits: sent.unwrap_or_default(), cursor, ..SearchAnswer::default() })
    }

    /// The newest of what was found as hits: to whoever listens, or as they are.
    async fn show(&self, source: &Source, best: &BTreeSet<Found>, limit: usize) -> Result<Vec<Hit>, QueryError> {
        let found: Vec<Found> = best.iter().rev().take(limit).copied().collect();
        let hits = self.hits(source, &found, None).await?;
        self.send_hits(hits).await
    }

    async fn send_hits(&self, hits: Vec<Hit>) -> Result<Vec<Hit>, QueryError> {
        let Some(events) = self.events else { return Ok(hits) };
        events.send(SearchEvent::Hits(hits)).await.map_err(|_| QueryError::Cancelled)?;
        Ok(Vec::new())
    }

    /// Found rows as hits, in their order. `mapping`: stages that change what is shown.
    pub(crate) async fn hits(
        &self,
        source: &Source,
        found: &[Found],
        mapping: Option<&[Stage]>,
    ) -> Result<Vec<Hit>, QueryError> {
        let shared = &self.context.shared;
        let since = shared.events.now();
        let event_of = |group: u32, row: u32| source.tasks[group as usize].id().map(|id| (id, row));
        let mut hits: Vec<Option<Hit>> = vec![None; found.len()];
        let mut by_group: BTreeMap<u32, Vec<(usize, RowKey, u32)>> = BTreeMap::new();
        for (place, &(key, (group, row))) in found.iter().enumerate() {
            match event_of(group, row).and_then(|event| shared.events.get(&event)) {
                Some(hit) => {
                    self.budget.take(hit_bytes(&hit.raw), "events")?;
                    hits[place] = Some(hit.as_ref().clone());
                }
                None => by_group.entry(group).or_default().push((place, key, row)),
            }
        }
        let of_groups = by_group.into_iter().map(|(group, rows)| async move {
            let task = &source.tasks[group as usize];
            let keys: Vec<(RowKey, u32)> = rows.iter().map(|(_, key, row)| (*key, *row)).collect();
            let mut own: Vec<u32> = keys.iter().map(|(_, row)| *row).collect();
            own.sort_unstable();
            own.dedup();
            let (partition, budget) = (Arc::clone(&task.partition), self.budget.clone());
            let shown = move |view: &View| hits_of(view, &partition.key, &keys, &budget);
            Ok::<_, QueryError>((rows, source.run_for(task, own, shown).await?))
        });
        let mut done = std::pin::pin!(stream::iter(of_groups).buffered(source.groups_at_a_time()));
        while let Some(done) = done.next().await {
            let (rows, of_group) = done?;
            for ((place, ..), hit) in rows.into_iter().zip(of_group) {
                let (_, (group, row)) = found[place];
                if let Some(event) = event_of(group, row).filter(|_| self.keeps_events) {
                    shared.events.put(event, Arc::new(hit.clone()), since);
                }
                hits[place] = Some(hit);
            }
        }
        let mut hits: Vec<Hit> = hits.into_iter().flatten().collect();
        if let Some(stages) = mapping {
            let mut chain = chain_of(stages, &self.stage_context)?;
            for hit in &mut hits {
                chain.map(Record::of_hit(hit, (0, 0)))?.into_hit(hit);
            }
        }
        Ok(hits)
    }

    /// Matches through stages that carry events.
    async fn piped(&mut self, request: &SearchRequest, stages: &[Stage]) -> Result<SearchAnswer, QueryError> {
        let mut chain = chain_of(stages, &self.stage_context)?;
        let limit = request.limit as usize;
        let streaming = chain.is_streaming();
        chain.limit(if limit == 0 { 0 } else { limit + 1 });
        let after = cursor::read(request)?.filter(|_| streaming);
        let stop_early = request.count == CountMode::None && streaming;
        let mut collected = Collected { after, wanted: limit + 1, stop_early, ..Collected::default() };
        let source = std::mem::replace(&mut self.source, Source::empty(self.context));
        self.ordered(&source, stages, &mut chain, &mut collected).await?;
        let found: Vec<Found> = collected.found.iter().take(limit).copied().collect();
        let hits = self.hits(&source, &found, Some(stages)).await?;
        self.source = source;
        let total = (request.count == CountMode::Exact).then_some(collected.total + chain.unsent());
        let last = found.last().filter(|_| streaming && collected.found.len() > limit);
        let cursor = last.map(|(key, _)| cursor::write(request, *key));
        let hits = self.send_hits(hits).await?;
        Ok(SearchAnswer { total, hits, cursor, ..SearchAnswer::default() })
    }

    /// Feeds a chain with all matches, newest first.
    pub(crate) async fn ordered(
        &mut self,
        source: &Source,
        stages: &[Stage],
        chain: &mut Chain,
        collected: &mut Collected,
    ) -> Result<(), QueryError> {
        self.feed(source, stages, chain, &mut |record| collected.take(record)).await
    }

    /// Feeds a chain with all matches, newest first; what leaves it goes to `sink`. `stages` say which
    /// fields are read.
    pub(crate) async fn feed(
        &mut self,
        source: &Source,
        stages: &[Stage],
        chain: &mut Chain,
        sink: &mut (dyn FnMut(Record) -> Result<Flow, QueryError> + Send),
    ) -> Result<(), QueryError> {
        let projection = Arc::new(Projection::new(fields_read(stages)));
        let mut batches = std::pin::pin!(records_in_order(self.budget.clone(), source, projection));
        let mut flow = Flow::More;
        while flow == Flow::More {
            let Some(batch) = batches.next().await else { break };
            for record in batch? {
                flow = chain.push(record, sink)?;
                if flow == Flow::Enough {
                    break;
                }
            }
            self.report(source).await?;
        }
        chain.finish(sink)
    }

    /// Tells whoever listens how far the search is.
    pub(crate) async fn report(&mut self, source: &Source) -> Result<(), QueryError> {
        let Some(events) = self.events else { return Ok(()) };
        if events.is_closed() {
            return Err(QueryError::Cancelled);
        }
        let now = self.context.shared.host.clock.monotonic();
        if now.saturating_sub(self.reported) >= REPORT_INTERVAL {
            self.reported = now;
            // A listener that is behind misses a report, not an answer.
            let _ = events.try_send(SearchEvent::Progress(source.progress()));
        }
        Ok(())
    }
}

/// What leaves a chain.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    after: Option<RowKey>,
    wanted: usize,
    stop_early: bool,
    pub(crate) total: u64,
    pub(crate) found: Vec<Found>,
}

impl Collected {
    fn take(&mut self, record: Record) -> Result<Flow, QueryError> {
        self.total += 1;
        let key = key_of(&record);
        if self.found.len() < self.wanted && self.after.is_none_or(|after| key < after) {
            self.found.push((key, record.place));
        }
        let enough = self.stop_early && self.found.len() >= self.wanted;
        Ok(if enough { Flow::Enough } else { Flow::More })
    }
}

pub(crate) fn key_of(record: &Record) -> RowKey {
    let (time, origin, sequence) = record.at.time.expect("events have a time");
    (time, crate::event::EventId { origin: crate::event::Origin(origin), sequence: crate::event::Sequence(sequence) })
}

/// The matches of a group: how many, and the newest after the cursor as far as they may be shown.
fn newest_of_group(
    index: u32,
    task: &Arc<Task>,
    source: &Source,
    after: Option<RowKey>,
    wanted: usize,
    oldest: Arc<AtomicI64>,
) -> impl FnMut(&View) -> Result<(u64, Vec<Found>), Stop> + Send + use<> {
    let mut matches = matches_of_group(task, source);
    let newest = task.times.1;
    move |view| {
        let rows = matches(view)?;
        let count = rows.count();
        let oldest = oldest.load(Ordering::Relaxed);
        if wanted == 0 || count == 0 || newest < oldest || after.is_some_and(|(time, _)| time < view_first(view)) {
            return Ok((count, Vec::new()));
        }
        let found = newest_rows(view, &rows, after, wanted)?;
        Ok((count, found.into_iter().map(|(key, row)| (key, (index, row))).collect()))
    }
}

fn view_first(view: &View) -> i64 {
    view.time_range().map_or(i64::MIN, |(first, _)| first)
}

fn newest_rows(view: &View, rows: &Bitmap, after: Option<RowKey>, wanted: usize) -> Result<Vec<(RowKey, u32)>, Stop> {
    if !view.sorted() {
        let mut keys = keys_of(view, rows)?;
        keys.retain(|(key, _)| after.is_none_or(|after| *key < after));
        keys.truncate(wanted);
        return Ok(keys);
    }
    let (times, ids) = match (view.times(), view.ids()) {
        (Ok(times), Ok(ids)) => (times, ids),
        (times, ids) => {
            return Err(Stop::Missing(times.err().into_iter().chain(ids.err()).flatten().collect()));
        }
    };
    let keys = rows.iter_back().map(|row| ((times[row as usize], ids.id(row)), row));
    Ok(keys.filter(|(key, _)| after.is_none_or(|after| *key < after)).take(wanted).collect())
}

/// The rows of a group that match. Remembers what it knows between two loads.
pub(crate) fn matches_of_group(
    task: &Arc<Task>,
    source: &Source,
) -> impl FnMut(&View) -> Result<Bitmap, Stop> + Send + use<> {
    let filter = Arc::clone(&task.filter);
    let (scope, cancel) = (Arc::clone(&source.scope), source.context.cancel.clone());
    let mut memory = Memory::new(&filter);
    let mut known: Option<Bitmap> = None;
    let (before, keep) = (task.known.clone(), source.keeper(task));
    let (counters, clock) = (Arc::clone(&source.counters), Arc::clone(&source.context.shared.host.clock));
    move |view| {
        if let Some(known) = &known {
            return Ok(known.clone());
        }
        let started = clock.monotonic();
        let found = match &before {
            Some(before) => rows_in_time(&scope, view).map_err(Stop::from).map(|mut rows| {
                rows.and(&before.to_bitmap(view.rows()));
                rows
            }),
            None => rows_that_fit(&filter, &scope, view, &mut memory, &cancel),
        };
        counters.find.add(clock.monotonic().saturating_sub(started));
        let rows = found?;
        let ruled_out = rows.is_empty() && !view.has_loaded_values();
        let kind = if ruled_out { &counters.groups_ruled_out } else { &counters.groups_scanned };
        kind.fetch_add(1, Ordering::Relaxed);
        if let Some(keep) = &keep {
            keep(&rows);
        }
        known = Some(rows.clone());
        Ok(rows)
    }
}

/// All matches as records, newest first, in batches. Groups are opened as the order reaches them.
pub(crate) fn records_in_order<'s>(
    budget: Budget,
    source: &'s Source,
    projection: Arc<Projection>,
) -> impl futures_util::Stream<Item = Result<Vec<Record>, QueryError>> + 's {
    let groups = source.each(move |index, task| {
        let mut matches = matches_of_group(task, source);
        let (projection, partition) = (Arc::clone(&projection), Arc::clone(&task.partition));
        let budget = budget.clone();
        move |view: &View| {
            let rows = matches(view)?;
            let keys = keys_of(view, &rows)?;
            projection.records(view, &partition.key, &keys, index as u32, &budget)
        }
    });
    merge_groups(source, groups)
}

/// Merges groups that each come sorted, newest first, and begin with the newest group.
fn merge_groups<'s>(
    source: &'s Source,
    groups: impl futures_util::Stream<Item = Result<Vec<Record>, QueryError>> + 's,
) -> impl futures_util::Stream<Item = Result<Vec<Record>, QueryError>> + 's {
    let state = (Box::pin(groups), Merge::default(), false);
    futures_util::stream::unfold(state, move |(mut groups, mut merge, ended)| async move {
        if ended {
            return None;
        }
        loop {
            // Whatever an unopened group holds is not newer than its newest row.
            let bound = source.tasks.get(merge.opened).map(|task| task.times.1);
            let mut batch = Vec::new();
            while batch.len() < BATCH_ROWS && merge.newest().is_some_and(|time| bound.is_none_or(|bound| time > bound))
            {
                batch.extend(merge.pop());
            }
            if !batch.is_empty() {
                return Some((Ok(batch), (groups, merge, false)));
            }
            match groups.next().await {
                None => return None,
                Some(Err(error)) => return Some((Err(error), (groups, merge, true))),
                Some(Ok(records)) => {
                    source.counters.matched.fetch_add(records.len() as u64, Ordering::Relaxed);
                    merge.open(records);
                }
            }
        }
    })
}

/// Records that are handed on at a time.
const BATCH_ROWS: usize = 4096;

/// Open groups, and which has the newest record.
#[derive(Default)]
struct Merge {
    opened: usize,
    heads: BinaryHeap<(RowKey, usize)>,
    rests: BTreeMap<usize, std::vec::IntoIter<Record>>,
    current: BTreeMap<usize, Record>,
}

impl Merge {
    fn open(&mut self, records: Vec<Record>) {
        let group = self.opened;
        self.opened += 1;
        self.rests.insert(group, records.into_iter());
        self.advance(group);
    }

    fn newest(&self) -> Option<i64> {
        self.heads.peek().map(|((time, _), _)| *time)
    }

    fn pop(&mut self) -> Option<Record> {
        let (_, group) = self.heads.pop()?;
        let record = self.current.remove(&group);
        self.advance(group);
        record
    }

    fn advance(&mut self, group: usize) {
        match self.rests.get_mut(&group).and_then(Iterator::next) {
            Some(record) => {
                self.heads.push((key_of(&record), group));
                self.current.insert(group, record);
            }
            None => drop(self.rests.remove(&group)),
        }
    }
}
