//! Reduces matches group by group of rows, and keeps what comes of it.
//!
//! **Promise.** A reduction that was asked before pays for the groups of rows that are new since: what whole
//! groups of stored rows were reduced to is kept by itself where that is little, and all of them together.
//! Rows that are in no block yet, and groups of which the range asks for a part, are looked at each time.
//!
//! **Boundary.** What a row adds to a reduction is the caller's; which rows match is the scan's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;

use super::aggregate::merged::Merged;
use super::aggregate::reduce::{Groups, Kind, Reduction, Rows};
use super::error::QueryError;
use super::language::Function;
use super::memory::Budget;
use super::prepare::Prepared;
use super::results::{GroupId, Whole};
use super::run::Search;
use super::scan::eval::Stop;
use super::scan::view::View;
use super::source::{Source, Task};
use super::stages::Stage;
use crate::host::Cost;

/// What a reduction depends on beside the rows.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// What the groups depend on.
    groups: Arc<str>,
    /// What the table depends on beside its groups.
    table: Arc<str>,
}

impl Plan {
    /// The plan of a stage that makes a table; `None` if its outcome is good for this query only.
    pub(crate) fn new(search: &Search<'_>, prepared: &Prepared, stage: &Stage, reduction: &Reduction) -> Option<Self> {
        let context = &search.stage_context;
        let stages = format!("{:?} {stage:?}", prepared.events);
        // What time it is changes; a query whose texts say so is merely not kept.
        if reduction.keep || stages.contains("Now") {
            return None;
        }
        let mut groups = format!("{}\n{:?}", prepared.filter_key, prepared.events);
        if !prepared.events.is_empty() {
            groups.push_str(&format!(" {:?} {:?}", context.zone, context.range));
        }
        match &reduction.kind {
            // The counts of all values serve any number of them, from either end.
            Kind::Top { .. } => groups.push_str(&format!("\nvalues of {:?}", reduction.by[0])),
            Kind::Stats => groups.push_str(&format!("\n{stage:?}")),
            Kind::Timechart(buckets) => groups.push_str(&format!("\n{stage:?} {}", buckets.name())),
        }
        let timed = matches!(reduction.kind, Kind::Timechart(_))
            || reduction.aggregates.iter().any(|measure| measure.function == Function::Rate);
        let end = reduction.range.1.or_else(|| timed.then_some(reduction.now));
        let range = timed.then_some((reduction.range.0, end));
        Some(Self { groups: groups.into(), table: format!("{stage:?} {range:?} {}", reduction.wanted).into() })
    }
}

/// What a search gathered: groups, or the table that they became before.
pub(crate) struct Gathered {
    arrived: u64,
    rows: Rows,
}

impl Gathered {
    /// The table, and how many events came into the reduction.
    pub(crate) fn into_parts(self) -> (Rows, u64) {
        (self.rows, self.arrived)
    }
}

/// How a gathering stands.
struct Gathering {
    plan: Option<Plan>,
    /// Stored groups of rows of which all times are asked for.
    asked: BTreeSet<GroupId>,
    /// What was kept of them.
    before: Option<Whole>,
    /// They together.
    stored: Arc<Merged>,
    /// All other rows together.
    others: Arc<Merged>,
    /// Tasks that are not in `before`.
    left: Vec<usize>,
}

impl Search<'_> {
    /// Reduces all matches. `make` gives each group of rows its piece of work: what it reduces to, and how
    /// many rows match.
    pub(crate) async fn gather<W>(
        &mut self,
        source: &Source,
        reduction: &Arc<Reduction>,
        plan: Option<Plan>,
        make: impl Fn(usize, &Arc<Task>) -> W,
    ) -> Result<Gathered, QueryError>
    where
        W: FnMut(&View) -> Result<(Groups, u64), Stop> + Send + 'static,
    {
        let state = Gathering::begin(source, reduction, plan, &self.budget)?;
        source.counters.groups_known.fetch_add((source.tasks.len() - state.left.len()) as u64, Ordering::Relaxed);
        if let Some((rows, arrived)) = state.table(source) {
            return Ok(Gathered { arrived, rows });
        }
        let mut covered = state.before.as_ref().map_or_else(BTreeSet::new, |before| before.covered.as_ref().clone());
        {
            let left = state.left.iter().copied();
            let budget = &self.budget.clone();
            let mut done = std::pin::pin!(source.each_of(
                left,
                |_, _| None,
                |index, task| { merging(&state, source, reduction, task, budget, make(index, task)) }
            ));
            let mut tasks = state.left.iter().map(|&index| &source.tasks[index]);
            while let Some(count) = done.next().await {
                let (count, task) = (count?, tasks.next().expect("each task has one outcome"));
                source.counters.matched.fetch_add(count, Ordering::Relaxed);
                // Groups without a match are known as such, and are not asked for again.
                covered.extend(task.id().filter(|id| count > 0 && state.asked.contains(id)));
                self.report(source).await?;
            }
        }
        state.finish(source, reduction, covered, &self.budget).await
    }
}

/// A group's work, which ends in what all groups are merged into.
fn merging<W>(
    state: &Gathering,
    source: &Source,
    reduction: &Arc<Reduction>,
    task: &Arc<Task>,
    budget: &Budget,
    mut work: W,
) -> impl FnMut(&View) -> Result<u64, Stop> + Send + use<W>
where
    W: FnMut(&View) -> Result<(Groups, u64), Stop> + Send + 'static,
{
    let kept = task.id().filter(|id| state.asked.contains(id)).zip(state.plan.clone());
    let into =
        Arc::clone(if task.id().is_some_and(|id| state.asked.contains(&id)) { &state.stored } else { &state.others });
    let (shared, counters) = (Arc::clone(&source.context.shared), Arc::clone(&source.counters));
    let (reduction, budget) = (Arc::clone(reduction), budget.clone());
    let part_bytes_max = task.rows as usize * PART_BYTES_PER_ROW;
    move |view| {
        let Some((id, plan)) = &kept else {
            let (mut part, count) = work(view)?;
            part.settle()?;
            into.merge(part)?;
            return Ok(count);
        };
        if let Some(part) = shared.results.part(&plan.groups, id) {
            let part = part.attached(&reduction, &budget)?;
            let count = part.matched();
            counters.groups_known.fetch_add(1, Ordering::Relaxed);
            into.merge(part)?;
            return Ok(count);
        }
        let (mut part, count) = work(view)?;
        part.settle()?;
        if count > 0 && part.memory_bytes() <= part_bytes_max {
            let mut copy = part.attached(&reduction, &budget)?;
            copy.detach(count);
            shared.results.put_part(&plan.groups, *id, Arc::new(copy));
        }
        into.merge(part)?;
        Ok(count)
    }
}

/// What one group of rows was reduced to is kept if that is no more than so many bytes for each of its rows:
/// else reading the rows again costs little more than merging it.
const PART_BYTES_PER_ROW: usize = 4;

/// A table is kept up to so many bytes: it is for answers that are looked at, not for exports.
const TABLE_BYTES_MAX: usize = 1 << 20;

impl Gathering {
    fn begin(
        source: &Source,
        reduction: &Arc<Reduction>,
        plan: Option<Plan>,
        budget: &Budget,
    ) -> Result<Self, QueryError> {
        let results = &source.context.shared.results;
        let mut asked = BTreeSet::new();
        let mut before = None;
        if let Some(plan) = &plan {
            results.begin(&plan.groups);
            asked = source.tasks.iter().filter(|task| task.whole).filter_map(|task| task.id()).collect();
            before = results.whole(&plan.groups, &asked);
        }
        let done = |task: &Task| {
            let id = task.id().filter(|id| asked.contains(id));
            id.zip(before.as_ref()).is_some_and(|(id, before)| before.covered.contains(&id))
        };
        let left: Vec<usize> = (0..source.tasks.len()).filter(|&index| !done(&source.tasks[index])).collect();
        let new = left.iter().any(|&index| source.tasks[index].id().is_some_and(|id| asked.contains(&id)));
        let stored = match &before {
            Some(before) if new => Arc::new(before.merged.attached(reduction, budget)?),
            Some(before) => Arc::clone(&before.merged),
            None => Arc::new(Merged::new(reduction, budget)),
        };
        let others = Arc::new(Merged::new(reduction, budget));
        Ok(Self { plan, asked, before, stored, others, left })
    }

    /// The table, if nothing has changed since it was made.
    fn table(&self, source: &Source) -> Option<(Rows, u64)> {
        let (plan, before) = (self.plan.as_ref()?, self.before.as_ref()?);
        let (key, rows) = before.table.as_ref()?;
        let unchanged = self.left.is_empty() && *key == plan.table;
        unchanged.then(|| {
            let arrived = before.merged.arrived();
            source.counters.matched.fetch_add(arrived, Ordering::Relaxed);
            (rows.as_ref().clone(), arrived)
        })
    }

    /// Keeps what may be kept, and makes the table.
    async fn finish(
        self,
        source: &Source,
        reduction: &Arc<Reduction>,
        covered: BTreeSet<GroupId>,
        budget: &Budget,
    ) -> Result<Gathered, QueryError> {
        let (shared, reduction, budget) = (Arc::clone(&source.context.shared), Arc::clone(reduction), budget.clone());
        let cpu = &source.context.shared.host.cpu;
        let job = move || {
            let Self { plan, before, mut stored, others, .. } = self;
            let grown = before.as_ref().is_none_or(|before| before.covered.len() != covered.len());
            let mut whole = Whole { covered: Arc::new(covered), merged: Arc::clone(&stored), table: None };
            let mut kept = before.is_some() && !grown;
            if let Some(plan) = plan.as_ref().filter(|_| grown && !whole.covered.is_empty()) {
                kept = shared.results.put_whole(&plan.groups, whole.clone());
                if kept {
                    stored.detach();
                }
            }
            let alone = others.is_empty();
            if !alone {
                if kept {
                    stored = Arc::new(stored.attached(&reduction, &budget)?);
                }
                stored.absorb(&others)?;
            }
            drop(before);
            let arrived = stored.arrived();
            if !kept {
                // Nobody else holds the groups: they need not be copied to become a table.
                whole.merged = Arc::new(Merged::new(&reduction, &budget));
            }
            let rows = stored.finish(&reduction, &budget)?;
            if let Some(plan) = plan.filter(|_| kept && alone)
                && !rows.overflow
                && rows.memory_bytes() <= TABLE_BYTES_MAX
            {
                whole.table = Some((plan.table, Arc::new(rows.clone())));
                shared.results.put_whole(&plan.groups, whole);
            }
            Ok(Gathered { arrived, rows })
        };
        cpu.run(Cost::bytes(FINISH_COST_BYTES), job).await
    }
}

/// What making a table costs, about, for the pool's planning.
const FINISH_COST_BYTES: u64 = 1 << 20;
