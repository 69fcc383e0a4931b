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
use super::results::{GroupId, Layer, ResultCache, Whole};
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
    /// As in [`Whole`].
    layers: [Growing; 2],
    /// All other rows together.
    others: Arc<Merged>,
    /// Tasks of which nothing is kept.
    left: Vec<usize>,
    /// The table that was last made, if the layers are still what it was made of.
    table: Option<(Arc<str>, Arc<Rows>)>,
}

/// One layer as it grows.
struct Growing {
    /// Its groups of rows of which all times are asked for.
    asked: BTreeSet<GroupId>,
    /// Those of which something was kept.
    before: Option<Arc<BTreeSet<GroupId>>>,
    /// They together.
    merged: Arc<Merged>,
    /// Whether the query may add to it, and holds it alone.
    is_own: bool,
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
        let mut covered = state.layers.each_ref().map(Growing::covered);
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
                if let Some((layer, id)) = state.layer_of(task).filter(|_| count > 0) {
                    covered[layer].insert(id);
                }
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
    let layer = state.layer_of(task);
    let kept = layer.map(|(_, id)| id).zip(state.plan.clone());
    let into = Arc::clone(layer.map_or(&state.others, |(layer, _)| &state.layers[layer].merged));
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
        let mut asked = [BTreeSet::new(), BTreeSet::new()];
        let mut kept = None;
        if let Some(plan) = &plan {
            results.begin(&plan.groups);
            for task in source.tasks.iter().filter(|task| task.whole) {
                asked[layer_number(task)].extend(task.id());
            }
            kept = results.whole(&plan.groups);
        }
        let (kept, mut table) = match kept {
            Some(Whole { layers, table }) => (layers.map(Some), table),
            None => ([None, None], None),
        };
        let mut layers = Vec::with_capacity(kept.len());
        for (asked, kept) in asked.into_iter().zip(kept) {
            let before = kept.filter(|kept| kept.covered.is_subset(&asked));
            table = table.filter(|_| before.is_some());
            let (before, merged, is_own) = match before {
                None => (None, Arc::new(Merged::new(reduction, budget)), true),
                Some(Layer { covered, merged }) if covered.len() == asked.len() => (Some(covered), merged, false),
                Some(Layer { covered, merged }) => {
                    plan.iter().for_each(|plan| results.forget_whole(&plan.groups));
                    (Some(covered), Arc::new(merged.growing(reduction, budget)?), true)
                }
            };
            layers.push(Growing { asked, before, merged, is_own });
        }
        let layers: [Growing; 2] = layers.try_into().ok().expect("as many as are kept");
        let others = Arc::new(Merged::new(reduction, budget));
        let mut state = Self { plan, layers, others, left: Vec::new(), table };
        let is_left = |index: &usize| {
            let layer = state.layer_of(&source.tasks[*index]);
            layer.is_none_or(|(layer, id)| !state.layers[layer].is_covered(&id))
        };
        state.left = (0..source.tasks.len()).filter(is_left).collect();
        Ok(state)
    }

    /// In which layer a task's group is, if in any.
    fn layer_of(&self, task: &Task) -> Option<(usize, GroupId)> {
        let (layer, id) = (layer_number(task), task.id()?);
        self.layers[layer].asked.contains(&id).then_some((layer, id))
    }

    /// The table, if nothing has changed since it was made.
    fn table(&self, source: &Source) -> Option<(Rows, u64)> {
        let (plan, (key, rows)) = (self.plan.as_ref()?, self.table.as_ref()?);
        let unchanged = self.left.is_empty() && *key == plan.table;
        unchanged.then(|| {
            let arrived = self.layers.iter().map(|layer| layer.merged.arrived()).sum();
            source.counters.matched.fetch_add(arrived, Ordering::Relaxed);
            (rows.as_ref().clone(), arrived)
        })
    }

    /// Keeps what may be kept, and makes the table.
    async fn finish(
        self,
        source: &Source,
        reduction: &Arc<Reduction>,
        covered: [BTreeSet<GroupId>; 2],
        budget: &Budget,
    ) -> Result<Gathered, QueryError> {
        let (shared, reduction, budget) = (Arc::clone(&source.context.shared), Arc::clone(reduction), budget.clone());
        let cpu = &source.context.shared.host.cpu;
        let job = move || {
            let Self { plan, layers, others, .. } = self;
            let mut whole = None;
            if let Some(plan) = &plan {
                whole = keep(&shared.results, plan, &layers, covered);
            }
            let [lasting, passing] = layers.map(|layer| layer.merged);
            let arrived = lasting.arrived() + passing.arrived() + others.arrived();
            let alone = others.is_empty();
            let rows = finish_together(lasting, passing, others, &reduction, &budget)?;
            if let (Some(plan), Some(mut whole)) = (plan, whole.filter(|_| alone))
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

impl Growing {
    /// The groups of rows that were kept before.
    fn covered(&self) -> BTreeSet<GroupId> {
        self.before.as_ref().map_or_else(BTreeSet::new, |before| before.as_ref().clone())
    }

    fn is_covered(&self, id: &GroupId) -> bool {
        self.before.as_ref().is_some_and(|before| before.contains(id))
    }
}

fn layer_number(task: &Task) -> usize {
    usize::from(!task.is_lasting())
}

/// Keeps the layers, if they have changed. `None` if they are not kept: then nobody else holds them.
fn keep(results: &ResultCache, plan: &Plan, layers: &[Growing; 2], covered: [BTreeSet<GroupId>; 2]) -> Option<Whole> {
    if covered.iter().all(BTreeSet::is_empty) {
        return None;
    }
    let mut covered = covered.into_iter().map(Arc::new);
    let kept = layers.each_ref().map(|layer| {
        let covered = covered.next().expect("each layer has its own");
        Layer { covered, merged: Arc::clone(&layer.merged) }
    });
    let whole = Whole { layers: kept, table: None };
    if layers.iter().any(|layer| layer.is_own) && !results.put_whole(&plan.groups, whole.clone()) {
        return None;
    }
    layers.iter().filter(|layer| layer.is_own).for_each(|layer| layer.merged.detach());
    Some(whole)
}

/// The table of all: of the few groups that are new over the many that are kept, where that can be.
fn finish_together(
    lasting: Arc<Merged>,
    passing: Arc<Merged>,
    others: Arc<Merged>,
    reduction: &Arc<Reduction>,
    budget: &Budget,
) -> Result<Rows, QueryError> {
    let young = match (passing.is_empty(), others.is_empty()) {
        (_, true) => passing,
        (true, false) => others,
        (false, false) => {
            let own = passing.owned(reduction, budget)?;
            own.absorb(&others)?;
            Arc::new(own)
        }
    };
    if young.is_empty() {
        return lasting.finish(reduction, budget);
    }
    if lasting.is_empty() {
        return young.finish(reduction, budget);
    }
    let young = young.owned(reduction, budget)?;
    if Merged::can_finish_over(reduction) {
        return Ok(young.finish_over(&lasting, reduction));
    }
    let all = lasting.owned(reduction, budget)?;
    all.absorb(&young)?;
    Arc::new(all).finish(reduction, budget)
}

/// What making a table costs, about, for the pool's planning.
const FINISH_COST_BYTES: u64 = 1 << 20;
