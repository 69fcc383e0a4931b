//! The row groups that a query has to look at, and how their parts come into memory.
//!
//! Groups are looked at on the CPU pool, several at a time, those with the newest rows first. What a
//! group's work needs is loaded by need: the work says what is missing, the parts are fetched, and it
//! is asked again.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::future::{Either, ready};
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};

use super::QueryContext;
use super::answer::{Progress, SearchStats};
use super::error::QueryError;
use super::explain::{Counters, Explain, Planned};
use super::load::{Job, Part, Step};
use super::prepare::Prepared;
use super::request::Scope;
use super::results::{GroupId, Matches};
use super::scan::bitmap::Bitmap;
use super::scan::eval::Stop;
use super::scan::filter::Filter;
use super::scan::view::{StoredView, View};
use crate::block::{BlockError, Footer, GroupInfo, RowGroup};
use crate::engine::{PartitionView, Snapshot, StoredBlock};
use crate::event::partition::DAY_NS;
use crate::host::Cost;

/// A row group that a query has to look at.
pub(crate) struct Task {
    pub(crate) partition: Arc<PartitionView>,
    /// What is left to ask in this partition.
    pub(crate) filter: Arc<Filter>,
    pub(crate) place: Place,
    /// Times of its earliest and latest row.
    pub(crate) times: (i64, i64),
    pub(crate) rows: u32,
    /// Which of its rows fit the filter, whatever their times, if an earlier query has found out.
    pub(crate) known: Option<Matches>,
    /// Whether the scope asks for all of its times.
    pub(crate) whole: bool,
}

/// Where a group is.
#[derive(Clone)]
pub(crate) enum Place {
    Memory(Arc<RowGroup>),
    /// The block's footer is read when the group's turn comes.
    Stored {
        block: Arc<StoredBlock>,
        group: usize,
    },
}

/// What one query has to look at, and how far it is.
pub(crate) struct Source {
    pub(crate) context: QueryContext,
    /// Newest first.
    pub(crate) tasks: Vec<Arc<Task>>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) counters: Arc<Counters>,
    /// What names the filter where its outcomes are kept; `None`: they are not.
    rows_plan: Option<Arc<str>>,
    blocks: u64,
    planned: Planned,
    /// The cache's time when the query began.
    since: u64,
}

/// Groups that are being worked on or wait for their turn, for each worker of the pool.
const GROUPS_PER_WORKER: usize = 2;

impl Source {
    /// Finds the groups that may hold rows which the scope and the query's filter ask for. What earlier
    /// queries found out about the same filter is used, and what this one finds out is kept.
    pub(crate) async fn open(
        context: &QueryContext,
        snapshot: &Snapshot,
        scope: &Scope,
        prepared: &Prepared,
    ) -> Result<Self, QueryError> {
        let plan = Arc::clone(&prepared.filter_key);
        context.shared.results.begin(&plan);
        Self::find(context, snapshot, scope, &prepared.filter, Some(plan)).await
    }

    /// As [`Source::open`], for a filter that is asked once.
    pub(crate) async fn open_once(
        context: &QueryContext,
        snapshot: &Snapshot,
        scope: &Scope,
        filter: &Filter,
    ) -> Result<Self, QueryError> {
        Self::find(context, snapshot, scope, filter, None).await
    }

    async fn find(
        context: &QueryContext,
        snapshot: &Snapshot,
        scope: &Scope,
        filter: &Filter,
        rows_plan: Option<Arc<str>>,
    ) -> Result<Self, QueryError> {
        let started = context.shared.host.clock.monotonic();
        let mut source = Self {
            context: context.clone(),
            tasks: Vec::new(),
            scope: Arc::new(scope.clone()),
            counters: Arc::default(),
            rows_plan,
            blocks: 0,
            planned: Planned::default(),
            since: context.shared.cache.now(),
        };
        for partition in &snapshot.partitions {
            if scope.names(&partition.key) && context.access.allows(&partition.key) {
                source.add_partition(partition, filter)?;
            }
        }
        // The sort is stable, so that equal snapshots are read in equal order.
        source.tasks.sort_by_key(|task| std::cmp::Reverse(task.times.1));
        source.planned.time = context.shared.host.clock.monotonic().saturating_sub(started);
        Ok(source)
    }

    /// Nothing to look at.
    pub(crate) fn empty(context: &QueryContext) -> Self {
        Self {
            context: context.clone(),
            tasks: Vec::new(),
            scope: Arc::default(),
            counters: Arc::default(),
            rows_plan: None,
            blocks: 0,
            planned: Planned::default(),
            since: 0,
        }
    }

    /// Adds a partition's groups by what its manifest says of them: no file is opened.
    fn add_partition(&mut self, partition: &Arc<PartitionView>, filter: &Filter) -> Result<(), QueryError> {
        self.blocks += partition.blocks.len() as u64;
        let filter = Arc::new(filter.in_partition(&partition.key));
        let first = i64::from(partition.key.day).saturating_mul(DAY_NS);
        if filter.is_never() || !self.scope.overlaps(first, first.saturating_add(DAY_NS - 1)) {
            self.planned.blocks_out_of_partition += partition.blocks.len() as u64;
            return Ok(());
        }
        let (first, last) = self.scope.window();
        let found = partition.blocks.overlapping(first, last).blocks;
        self.planned.blocks_out_of_time += (partition.blocks.len() - found.len()) as u64;
        self.context.cancel.check()?;
        for block in found {
            for (group, span) in block.entry.groups().enumerate() {
                self.planned.groups += 1;
                if !self.scope.overlaps(span.min_time, span.max_time) {
                    self.planned.groups_out_of_time += 1;
                    continue;
                }
                let known = self.known(&filter, &(block.entry.id, group as u32));
                if known == Some(Matches::None) {
                    self.planned.groups_known_empty += 1;
                    continue;
                }
                self.tasks.push(Arc::new(Task {
                    partition: Arc::clone(partition),
                    filter: Arc::clone(&filter),
                    place: Place::Stored { block: Arc::clone(block), group },
                    times: (span.min_time, span.max_time),
                    rows: span.rows,
                    known,
                    whole: self.scope.holds(span.min_time) && self.scope.holds(span.max_time),
                }));
            }
        }
        for group in &partition.head {
            self.planned.groups += 1;
            let view = View::Memory(Arc::clone(group));
            let Some(times) = view.time_range().filter(|(first, last)| self.scope.overlaps(*first, *last)) else {
                self.planned.groups_out_of_time += 1;
                continue;
            };
            self.tasks.push(Arc::new(Task {
                partition: Arc::clone(partition),
                filter: Arc::clone(&filter),
                place: Place::Memory(Arc::clone(group)),
                times,
                rows: group.rows,
                known: filter.is_always().then_some(Matches::All),
                whole: self.scope.holds(times.0) && self.scope.holds(times.1),
            }));
        }
        Ok(())
    }

    /// Which rows of a group fit, if that takes no look at them.
    fn known(&self, filter: &Filter, group: &GroupId) -> Option<Matches> {
        if filter.is_always() {
            return Some(Matches::All);
        }
        self.context.shared.results.rows(self.rows_plan.as_ref()?, group)
    }

    /// What keeps which rows of a task's group fit, once it is found out for all of them.
    pub(crate) fn keeper(&self, task: &Task) -> Option<impl Fn(&Bitmap) + Send + use<>> {
        let (plan, group) = (self.rows_plan.clone()?, task.id().filter(|_| task.whole && task.known.is_none())?);
        let shared = Arc::clone(&self.context.shared);
        Some(move |rows: &Bitmap| shared.results.put_rows(&plan, group, Matches::new(rows)))
    }

    /// How many groups are worked on, or wait for their turn, at the same time.
    pub(crate) fn groups_at_a_time(&self) -> usize {
        (self.context.shared.host.cpu.workers() * GROUPS_PER_WORKER).max(1)
    }

    /// Runs `work` for each group on the CPU pool, several at a time, and gives the outcomes in the
    /// order of the tasks. `make` gives each group its own piece of work.
    pub(crate) fn each<'a, T, W>(
        &'a self,
        make: impl Fn(usize, &Arc<Task>) -> W + 'a,
    ) -> impl Stream<Item = Result<T, QueryError>> + 'a
    where
        T: Send + 'static,
        W: FnMut(&View) -> Result<T, Stop> + Send + 'static,
    {
        self.each_of(0..self.tasks.len(), |_, _| None, make)
    }

    /// As [`Source::each`], for some of the tasks, and without a turn on the CPU pool for those of which
    /// `known` says the outcome when their turn comes.
    pub(crate) fn each_of<'a, T, W>(
        &'a self,
        indexes: impl IntoIterator<Item = usize, IntoIter: 'a>,
        known: impl Fn(usize, &Task) -> Option<T> + 'a,
        make: impl Fn(usize, &Arc<Task>) -> W + 'a,
    ) -> impl Stream<Item = Result<T, QueryError>> + 'a
    where
        T: Send + 'static,
        W: FnMut(&View) -> Result<T, Stop> + Send + 'static,
    {
        let jobs = indexes.into_iter().map(move |index| {
            let task = &self.tasks[index];
            if let Some(outcome) = known(index, task) {
                self.counters.groups_done.fetch_add(1, Ordering::Relaxed);
                self.counters.groups_known.fetch_add(1, Ordering::Relaxed);
                return Either::Left(ready(Ok(outcome)));
            }
            let work = make(index, task);
            // Boxed, or each group of which the outcome is known would move what the others need.
            Either::Right(Box::pin(async move {
                let outcome = self.run(task, work).await;
                self.counters.groups_done.fetch_add(1, Ordering::Relaxed);
                self.counters.rows_scanned.fetch_add(u64::from(task.rows), Ordering::Relaxed);
                outcome
            }))
        });
        stream::iter(jobs).buffered(self.groups_at_a_time())
    }

    /// Runs one group's work, loading what it needs.
    pub(crate) async fn run<T, W>(&self, task: &Task, work: W) -> Result<T, QueryError>
    where
        T: Send + 'static,
        W: FnMut(&View) -> Result<T, Stop> + Send + 'static,
    {
        self.run_job(task, None, work).await
    }

    /// As [`Source::run`], for work that asks for the values of these rows only, ascending: where they are
    /// few, the others are not decoded.
    pub(crate) async fn run_for<T, W>(&self, task: &Task, rows: Vec<u32>, work: W) -> Result<T, QueryError>
    where
        T: Send + 'static,
        W: FnMut(&View) -> Result<T, Stop> + Send + 'static,
    {
        let few = rows.len() < task.rows as usize / FEW_ROWS_SHARE;
        self.run_job(task, few.then_some(rows), work).await
    }

    async fn run_job<T, W>(&self, task: &Task, rows: Option<Vec<u32>>, work: W) -> Result<T, QueryError>
    where
        T: Send + 'static,
        W: FnMut(&View) -> Result<T, Stop> + Send + 'static,
    {
        self.context.cancel.check()?;
        let mut job = Job::new(task.view().await?, rows, work);
        loop {
            let (shared, since, counters) = (Arc::clone(&self.context.shared), self.since, Arc::clone(&self.counters));
            let cost = Cost::bytes(u64::from(task.rows) * ROW_COST_BYTES);
            let place = task.place.clone();
            let (back, outcome) = self
                .context
                .shared
                .host
                .cpu
                .run(cost, move || {
                    let outcome = job.step(&shared, &place, since, &counters);
                    (job, outcome)
                })
                .await;
            job = back;
            match outcome? {
                Step::Done(answer) => return Ok(answer),
                Step::Read(parts) => {
                    let started = self.context.shared.host.clock.monotonic();
                    job.pending = self.read(&task.place, &job.view, parts).await?;
                    self.counters.read.add(self.context.shared.host.clock.monotonic().saturating_sub(started));
                }
            }
            self.context.cancel.check()?;
        }
    }

    /// Fetches the bytes of parts: those that lie close together with one read, ranges that lie apart beside
    /// each other.
    async fn read(&self, place: &Place, view: &View, parts: Vec<Part>) -> Result<Vec<(Part, Bytes)>, QueryError> {
        let (Place::Stored { block, .. }, View::Stored(StoredView { footer, group, .. })) = (place, view) else {
            panic!("nothing is read of a group that is in memory");
        };
        let mut chunks = Vec::with_capacity(parts.len());
        for part in parts {
            // A block whose shapes name columns that it has not is damaged, whatever its checksums say.
            let Some(chunk) = footer.groups[*group].chunk(part.key) else {
                return Err(corrupt(block, &BlockError::Damaged("a part that others need is missing")));
            };
            chunks.push((part, chunk.offset..chunk.offset.saturating_add(u64::from(chunk.len))));
        }
        let ranges = joined(chunks.iter().map(|(_, range)| range.clone()).collect());
        let reads = stream::iter(ranges.into_iter().map(|range| self.read_range(block, range)));
        let read: Vec<(u64, Bytes)> = reads.buffered(READS_AT_A_TIME).try_collect().await?;
        let bytes_of = |range: Range<u64>| {
            let (start, bytes) = &read[read.partition_point(|(start, _)| *start <= range.start) - 1];
            bytes.slice((range.start - start) as usize..(range.end - start) as usize)
        };
        Ok(chunks.into_iter().map(|(part, range)| (part, bytes_of(range))).collect())
    }

    async fn read_range(&self, block: &StoredBlock, range: Range<u64>) -> Result<(u64, Bytes), QueryError> {
        let len = usize::try_from(range.end - range.start).expect("a range of a few parts fits memory");
        let bytes = block.read(range.start, len).await.map_err(|error| unreadable(block, error))?;
        self.counters.bytes_read.fetch_add(len as u64, Ordering::Relaxed);
        self.counters.ranges_read.fetch_add(1, Ordering::Relaxed);
        Ok((range.start, bytes))
    }

    pub(crate) fn stats(&self) -> SearchStats {
        SearchStats {
            blocks: self.blocks,
            blocks_pruned: self.planned.blocks_out_of_partition + self.planned.blocks_out_of_time,
            bytes_read: self.counters.bytes_read.load(Ordering::Relaxed),
            rows_scanned: self.counters.rows_scanned.load(Ordering::Relaxed),
            explain: None,
        }
    }

    /// What was done, in detail.
    pub(crate) fn explain(&self) -> Explain {
        self.counters.explain(&self.planned)
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            groups: self.tasks.len() as u64,
            groups_done: self.counters.groups_done.load(Ordering::Relaxed),
            bytes_read: self.counters.bytes_read.load(Ordering::Relaxed),
            rows_scanned: self.counters.rows_scanned.load(Ordering::Relaxed),
            matched: self.counters.matched.load(Ordering::Relaxed),
        }
    }
}

/// What looking at one row costs, about, for the pool's planning.
const ROW_COST_BYTES: u64 = 32;

/// Rows are few if they are less than one in so many.
const FEW_ROWS_SHARE: usize = 16;

impl Task {
    /// Whether its group stays as it is until its events retire.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(&self.place, Place::Stored { block, .. } if block.entry.is_full())
    }

    /// Which group of which block it is; `None` for one that is in memory.
    pub(crate) fn id(&self) -> Option<GroupId> {
        match &self.place {
            Place::Memory(_) => None,
            Place::Stored { block, group } => Some((block.entry.id, *group as u32)),
        }
    }

    /// The group with nothing of it loaded but what the block's footer says.
    async fn view(&self) -> Result<View, QueryError> {
        let (block, group) = match &self.place {
            Place::Memory(group) => return Ok(View::Memory(Arc::clone(group))),
            Place::Stored { block, group } => (block, *group),
        };
        let footer = footer_of(block).await?;
        // What was planned by must be what is there.
        let planned = (self.rows, self.times);
        let is_same = |info: &GroupInfo| (info.rows, (info.time_min, info.time_max)) == planned;
        if !footer.groups.get(group).is_some_and(is_same) {
            return Err(corrupt(block, &BlockError::Damaged("its groups are not those that the manifest names")));
        }
        Ok(View::Stored(StoredView::new(footer, group)))
    }
}

/// The footer of a block.
pub(crate) async fn footer_of(block: &StoredBlock) -> Result<Arc<Footer>, QueryError> {
    block.footer().await.map_err(|error| unreadable(block, error))
}

/// Ranges in order, those that lie close together as one.
fn joined(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(READ_GAP_BYTES) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// Bytes between two parts that are read for nothing rather than read around.
const READ_GAP_BYTES: u64 = 32 << 10;

/// Reads of one group at the same time.
const READS_AT_A_TIME: usize = 4;

/// What the disk said, or that what it gave is no block.
fn unreadable(block: &StoredBlock, source: std::io::Error) -> QueryError {
    let block = block.entry.id.to_string();
    match source.kind() {
        std::io::ErrorKind::InvalidData => QueryError::Corrupt { block, what: source.to_string() },
        _ => QueryError::Unreadable { block, source },
    }
}

pub(super) fn corrupt(block: &StoredBlock, error: &BlockError) -> QueryError {
    QueryError::Corrupt { block: block.entry.id.to_string(), what: error.to_string() }
}

#[cfg(test)]
mod tests;
