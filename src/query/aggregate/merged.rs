//! The groups of a whole reduction: parts are merged into it on all cores at once, and it becomes the
//! table. Once it is whole it may be kept for later queries, which never change it.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::accumulator::{Accumulator, Remarks, Sortable};
use super::buckets::Buckets;
use super::order::{Descending, Ordered, keep_first};
use super::reduce::{Groups, Kind, Reduction, Rows, split_key};
use crate::query::decimal::{Decimal, Rounding};
use crate::query::error::{BadQuery, QueryError};
use crate::query::language::{FieldName, Function};
use crate::query::memory::Budget;
use crate::query::stages::timechart::SERIES_MAX;
use crate::query::value::Value;

/// All groups that a query or a kept result has. By the hash of their names they are dealt to shards, so
/// that several workers merge at the same time.
pub(crate) struct Merged {
    /// What there is apart from groups is in the first one.
    shards: Vec<Mutex<Groups>>,
}

/// Shards of a reduction that may have many groups: a power of two. Few enough for a reduction with a
/// handful of groups to cost little, enough for workers to be seldom in each other's way, and for a shard
/// of a million groups to fit a processor's cache while a part is merged into it.
const SHARDS: usize = 64;

impl Merged {
    /// Nothing yet.
    pub(crate) fn new(reduction: &Arc<Reduction>, budget: &Budget) -> Self {
        // A chart is put together bucket by bucket from all of its groups.
        let several = !reduction.by.is_empty() && !matches!(reduction.kind, Kind::Timechart(_));
        let shard = || Mutex::new(Groups::new(Arc::clone(reduction), budget.clone()));
        let shards = (0..if several { SHARDS } else { 1 }).map(|_| shard()).collect();
        Self { shards }
    }

    /// Takes in a part. May be called by several workers at a time.
    pub(crate) fn merge(&self, mut part: Groups) -> Result<(), QueryError> {
        lock(&self.shards[0]).merge_head(&part);
        let count = part.len() as u32;
        if self.shards.len() == 1 {
            return lock(&self.shards[0]).merge_groups(&mut part, 0..count);
        }
        let mut dealt: Vec<Vec<u32>> = vec![Vec::new(); self.shards.len()];
        for number in 0..count {
            dealt[part.keys().hash(number) as usize >> (u32::BITS - SHARDS.ilog2())].push(number);
        }
        let mut left: Vec<usize> = (0..dealt.len()).filter(|&shard| !dealt[shard].is_empty()).collect();
        while !left.is_empty() {
            // Shards that nobody works on come first.
            let free = left.iter().enumerate().find_map(|(at, &shard)| Some((at, self.shards[shard].try_lock().ok()?)));
            let (at, mut groups) = free.unwrap_or_else(|| (0, lock(&self.shards[left[0]])));
            let shard = left.swap_remove(at);
            groups.merge_groups(&mut part, dealt[shard].iter().copied())?;
        }
        Ok(())
    }

    /// What one part alone makes.
    pub(crate) fn of(part: Groups) -> Self {
        Self { shards: vec![Mutex::new(part)] }
    }

    /// How many events came in.
    pub(crate) fn arrived(&self) -> u64 {
        lock(&self.shards[0]).arrived()
    }

    /// Bytes that it holds, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).memory_bytes()).sum()
    }

    /// Makes it one that stays: it counts no more as held by the query that made it.
    pub(crate) fn detach(&self) {
        self.shards.iter().for_each(|shard| lock(shard).detach(0));
    }

    /// Whether nothing came in.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.shards[0]).arrived() == 0 && self.shards.iter().all(|shard| lock(shard).len() == 0)
    }

    /// Takes in all of another one, which is empty afterwards.
    pub(crate) fn absorb(&self, other: &Self) -> Result<(), QueryError> {
        lock(&self.shards[0]).merge_head(&lock(&other.shards[0]));
        for (own, other) in self.shards.iter().zip(&other.shards) {
            let mut other = lock(other);
            let count = other.len() as u32;
            lock(own).merge_groups(&mut other, 0..count)?;
        }
        Ok(())
    }

    /// A copy that a query may add to.
    pub(crate) fn attached(&self, reduction: &Arc<Reduction>, budget: &Budget) -> Result<Self, QueryError> {
        let copies = self.shards.iter().map(|shard| lock(shard).attached(reduction, budget).map(Mutex::new));
        Ok(Self { shards: copies.collect::<Result<_, _>>()? })
    }

    /// What a query may add to: itself if nobody else holds it, or a copy.
    pub(crate) fn growing(self: Arc<Self>, reduction: &Arc<Reduction>, budget: &Budget) -> Result<Self, QueryError> {
        let own = self.owned(reduction, budget)?;
        own.shards.iter().try_for_each(|shard| lock(shard).reattach(reduction, budget))?;
        Ok(own)
    }

    /// What nobody else holds: itself, or a copy.
    pub(crate) fn owned(self: Arc<Self>, reduction: &Arc<Reduction>, budget: &Budget) -> Result<Self, QueryError> {
        Arc::try_unwrap(self).or_else(|shared| shared.attached(reduction, budget))
    }

    /// The table, of which `reduction` says what it looks like. What others hold too is copied, unless it
    /// only has to be looked at.
    pub(crate) fn finish(self: Arc<Self>, reduction: &Arc<Reduction>, budget: &Budget) -> Result<Rows, QueryError> {
        if matches!(reduction.kind, Kind::Top { .. }) {
            let mut shards: Vec<MutexGuard<'_, Groups>> = self.shards.iter().map(lock).collect();
            let arrived = shards[0].arrived();
            let mut layers: Vec<Layer<'_>> = shards.iter_mut().map(|shard| Layer::all_of(shard)).collect();
            return Ok(rows_of(reduction, &mut layers, arrived));
        }
        let mut shards = self.owned(reduction, budget)?.into_shards();
        if matches!(reduction.kind, Kind::Stats) && reduction.by.is_empty() {
            shards[0].group(0, &[])?;
        }
        if let Kind::Timechart(buckets) = &reduction.kind {
            let mut remarks = Remarks::default();
            let mut rows = shards[0].timechart(reduction, buckets, &mut remarks)?;
            rows.overflow = remarks.overflow;
            rows.warnings.extend(warnings_of(remarks));
            return Ok(rows);
        }
        let arrived = shards[0].arrived();
        let mut layers: Vec<Layer<'_>> = shards.iter_mut().map(Layer::all_of).collect();
        Ok(rows_of(reduction, &mut layers, arrived))
    }

    /// Whether [`Merged::finish_over`] can make the table.
    pub(crate) fn can_finish_over(reduction: &Reduction) -> bool {
        reduction.stored() == 0 && !reduction.by.is_empty() && !matches!(reduction.kind, Kind::Timechart(_))
    }

    /// The table of these groups and those of `below` together, which stay as they are and are not copied:
    /// for few groups over many.
    pub(crate) fn finish_over(self, below: &Self, reduction: &Reduction) -> Rows {
        let mut own = self.into_shards();
        let mut below: Vec<MutexGuard<'_, Groups>> = below.shards.iter().map(lock).collect();
        let arrived = own[0].arrived() + below[0].arrived();
        let mut layers = Vec::with_capacity(2 * own.len());
        for (own, below) in own.iter_mut().zip(&mut below) {
            let hidden = own.add_events_of(below);
            layers.push(Layer { groups: below, hidden });
            layers.push(Layer::all_of(own));
        }
        rows_of(reduction, &mut layers, arrived)
    }

    fn into_shards(self) -> Vec<Groups> {
        self.shards.into_iter().map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
    }
}

/// Groups that make a table together with those of other layers, of which none has the same.
struct Layer<'a> {
    groups: &'a mut Groups,
    /// Which groups are counted in another layer; none where it is empty.
    hidden: Vec<bool>,
}

impl<'a> Layer<'a> {
    fn all_of(groups: &'a mut Groups) -> Self {
        Self { groups, hidden: Vec::new() }
    }

    /// The numbers of its groups, and how many events each has.
    fn events(&self) -> impl Iterator<Item = (u32, u64)> {
        let seen = |group: usize| !self.hidden.get(group).copied().unwrap_or(false);
        let all = self.groups.events().iter().enumerate();
        all.filter(move |(group, _)| seen(*group)).map(|(group, &events)| (group as u32, events))
    }
}

fn rows_of(reduction: &Reduction, layers: &mut [Layer<'_>], arrived: u64) -> Rows {
    if let Kind::Top { count, rare } = reduction.kind {
        return top(reduction, layers, arrived, count as usize, rare);
    }
    let mut remarks = Remarks::default();
    let mut rows = stats(reduction, layers, &mut remarks);
    rows.overflow = remarks.overflow;
    rows.warnings.extend(warnings_of(remarks));
    rows
}

/// Work on a shard that panicked takes its query with it, and no other query sees the shard.
fn lock(shard: &Mutex<Groups>) -> MutexGuard<'_, Groups> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stats(reduction: &Reduction, layers: &mut [Layer<'_>], remarks: &mut Remarks) -> Rows {
    let seconds = reduction
        .range
        .0
        .and_then(|start| seconds_of(reduction.range.1.unwrap_or(reduction.now).saturating_sub(start)));
    let counted = reduction.stored() == 0 && reduction.aggregates[0].function == Function::Count;
    let least = match counted {
        true => least_of_highest(layers.iter().flat_map(Layer::events).map(|(_, events)| events), reduction.wanted),
        false => 0,
    };
    let mut groups: Vec<(Descending, u32, u32)> = Vec::new();
    for (number, layer) in layers.iter_mut().enumerate() {
        let worth: Vec<u32> = layer.events().filter(|(_, events)| *events >= least).map(|(group, _)| group).collect();
        for group in worth {
            let first = &reduction.aggregates[0].function;
            let value = layer.groups.finished(group, 0, |own| own.finish(first, seconds, remarks));
            groups.push((Descending(Ordered::new(value)), number as u32, group));
        }
    }
    keep_first(&mut groups, reduction.wanted, |a, b| a.0.compare(&b.0));
    let mut rows: Vec<(Descending, Vec<Ordered>, u32, u32)> = Vec::with_capacity(groups.len());
    for (first, layer, group) in groups {
        let by = layers[layer as usize].groups.values_of(group).1;
        rows.push((first, by.into_iter().map(Ordered::new).collect(), layer, group));
    }
    let order = |a: &(Descending, Vec<Ordered>, u32, u32), b: &(Descending, Vec<Ordered>, u32, u32)| {
        a.0.compare(&b.0).then_with(|| a.1.cmp(&b.1))
    };
    keep_first(&mut rows, reduction.wanted, order);
    rows.sort_unstable_by(order);
    rows.truncate(reduction.wanted);
    let row = |(first, by, layer, group): (Descending, Vec<Ordered>, u32, u32)| {
        let mut row: Vec<Value> = by.into_iter().map(|value| value.value).collect();
        row.push(first.0.value);
        for (place, measure) in reduction.aggregates.iter().enumerate().skip(1) {
            let finish = |own: &mut Accumulator| own.finish(&measure.function, seconds, remarks);
            row.push(layers[layer as usize].groups.finished(group, place, finish));
        }
        row
    };
    let rows = rows.into_iter().map(row).collect();
    let names = reduction.aggregates.iter().map(|measure| FieldName::new(measure.name.clone()));
    Rows { columns: reduction.by.iter().cloned().chain(names).collect(), rows, ..Rows::default() }
}

/// `top` and `rare`: of most groups nothing but the count is ever looked at.
fn top(reduction: &Reduction, layers: &[Layer<'_>], arrived: u64, wanted: usize, rare: bool) -> Rows {
    // The higher, the more it is wanted.
    let worth = |events: u64| if rare { u64::MAX - events } else { events };
    let all = layers.iter().flat_map(|layer| layer.events().map(|(_, events)| worth(events)));
    let least = least_of_highest(all, wanted);
    let mut rows: Vec<(u64, Ordered)> = Vec::new();
    for layer in layers {
        for (group, events) in layer.events().filter(|(_, events)| worth(*events) >= least) {
            rows.push((events, Ordered::new(layer.groups.values_of(group).1.remove(0))));
        }
    }
    let order = |a: &(u64, Ordered), b: &(u64, Ordered)| worth(b.0).cmp(&worth(a.0)).then_with(|| a.1.cmp(&b.1));
    keep_first(&mut rows, wanted, order);
    rows.sort_unstable_by(order);
    rows.truncate(wanted);
    let (hundred, total) = (Decimal::from(100u64), Decimal::from(arrived));
    let rows = rows.into_iter().map(|(events, value)| {
        let events = Decimal::from(events);
        let percent = events.checked_mul(hundred).and_then(|scaled| scaled.checked_div(total));
        let percent = percent.map(|percent| percent.rounded(4, Rounding::Nearest));
        vec![value.value, Value::Number(events), percent.map_or(Value::Null, Value::Number)]
    });
    let columns = vec![reduction.by[0].clone(), FieldName::new("count"), FieldName::new("percent")];
    Rows { columns, rows: rows.collect(), ..Rows::default() }
}

/// The smallest of the `wanted` highest numbers; 0 if there are no more.
fn least_of_highest(numbers: impl Iterator<Item = u64>, wanted: usize) -> u64 {
    let mut highest: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    for number in numbers {
        if highest.len() < wanted {
            highest.push(Reverse(number));
        } else if let Some(mut least) = highest.peek_mut()
            && number > least.0
        {
            *least = Reverse(number);
        }
    }
    if highest.len() < wanted { 0 } else { highest.peek().map_or(u64::MAX, |least| least.0) }
}

impl Groups {
    fn timechart(
        &mut self,
        reduction: &Reduction,
        buckets: &Buckets,
        remarks: &mut Remarks,
    ) -> Result<Rows, QueryError> {
        let (start, end) = reduction.range;
        let first = start.or(self.seen().map(|(first, _)| first));
        let last = end.map(|end| end.saturating_sub(1)).or(self.seen().map(|(_, last)| last));
        let starts = match (first, last) {
            (Some(first), Some(last)) if first <= last => buckets.starts(first, last).ok_or_else(|| {
                BadQuery::parameter("q", "the range has too many buckets of this span")
                    .with_hint("give `timechart` a longer span, or ask for a shorter range")
            })?,
            _ => Vec::new(),
        };
        let (series, warnings) = self.series();
        let mut columns = vec![FieldName::new("time")];
        let mut rows: Vec<Vec<Value>> = starts.iter().map(|start| vec![Value::Time(*start)]).collect();
        let width = |start: i64| {
            let (first, end) = buckets.bounds(start);
            seconds_of(end.saturating_sub(first))
        };
        for Series { name, groups } in &series {
            for (place, measure) in reduction.aggregates.iter().enumerate() {
                columns.push(FieldName::new(match name {
                    None => measure.name.clone(),
                    Some(name) if reduction.aggregates.len() == 1 => name.clone(),
                    Some(name) => format!("{}: {name}", measure.name),
                }));
                let mut cells = self.cells_of(groups, place);
                for (row, start) in rows.iter_mut().zip(&starts) {
                    let empty = || Accumulator::new(&measure.function, reduction.keep);
                    let mut cell = cells.remove(start).unwrap_or_else(empty);
                    row.push(cell.finish(&measure.function, width(*start), remarks));
                }
            }
        }
        Ok(Rows { columns, rows, warnings, overflow: false })
    }

    /// One aggregate of some groups, by bucket.
    fn cells_of(&mut self, groups: &[u32], place: usize) -> BTreeMap<i64, Accumulator> {
        let mut cells: BTreeMap<i64, Accumulator> = BTreeMap::new();
        for &group in groups {
            let bucket = split_key(&self.reduction, self.keys().get(group)).0;
            let part = self.finished(group, place, |own| own.clone());
            match cells.entry(bucket) {
                Entry::Occupied(mut cell) => cell.get_mut().merge(part),
                Entry::Vacant(cell) => drop(cell.insert(part)),
            }
        }
        cells
    }

    /// The values that have columns behind `time`, and what must be said of them.
    fn series(&self) -> (Vec<Series>, Vec<String>) {
        let all = 0..self.len() as u32;
        if self.reduction.by.is_empty() {
            return (vec![Series { name: None, groups: all.collect() }], Vec::new());
        }
        let mut by_value: BTreeMap<Sortable, (u64, Vec<u32>)> = BTreeMap::new();
        for group in all {
            let value = self.values_of(group).1.remove(0);
            let (events, groups) = by_value.entry(Sortable(value)).or_default();
            *events += self.events()[group as usize];
            groups.push(group);
        }
        // The sort is stable: equal ones stay in the order of their values.
        let mut ranked: Vec<(Sortable, (u64, Vec<u32>))> = by_value.into_iter().collect();
        ranked.sort_by_key(|(_, (events, _))| std::cmp::Reverse(*events));
        let rest = ranked.split_off(ranked.len().min(SERIES_MAX));
        let name = |value: Value| value.to_text().unwrap_or_else(|| "null".into());
        let mut series: Vec<Series> =
            ranked.into_iter().map(|(value, (_, groups))| Series { name: Some(name(value.0)), groups }).collect();
        let mut warnings = Vec::new();
        if !rest.is_empty() {
            let more = rest.len();
            warnings.push(format!(
                "the {SERIES_MAX} most frequent values have columns of their own; `other` sums up {more} more"
            ));
            if self.several() {
                warnings.push("in `other`, an event counts once for each of its values".to_owned());
            }
            series.push(Series {
                name: Some("other".into()),
                groups: rest.into_iter().flat_map(|(_, (_, groups))| groups).collect(),
            });
        }
        (series, warnings)
    }
}

/// Columns of one value of `timechart … by`.
struct Series {
    /// The value; `None` without `by`.
    name: Option<String>,
    groups: Vec<u32>,
}

fn seconds_of(nanos: i64) -> Option<Decimal> {
    (nanos > 0).then(|| Decimal::new(i128::from(nanos), -9))
}

fn warnings_of(remarks: Remarks) -> Vec<String> {
    use super::accumulator::ITEMS_MAX;
    use super::distinct::DISTINCT_EXACT_MAX;
    let mut warnings = Vec::new();
    if remarks.float {
        warnings.push("a sum needs more than 128 bits: it is a 64-bit floating point number".to_owned());
    }
    if remarks.estimate {
        warnings.push(format!("a distinct count above {DISTINCT_EXACT_MAX} is an estimate (HyperLogLog, ±0.8 %)"));
    }
    if remarks.cut {
        warnings.push(format!("`values` and `list` show the first {ITEMS_MAX} items"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::aggregate::reduce::Measure;

    fn reduction(kind: Kind, wanted: usize) -> Arc<Reduction> {
        let count = Measure { function: Function::Count, field: None, condition: None, name: "count".into() };
        Arc::new(Reduction {
            kind,
            aggregates: vec![count],
            by: vec![FieldName::new("a")],
            range: (None, None),
            now: 0,
            keep: false,
            wanted,
        })
    }

    /// Groups named by `names`, the n-th with n % 7 events.
    fn merged(reduction: &Arc<Reduction>, names: std::ops::Range<u64>) -> Merged {
        let budget = Budget::new(1 << 30);
        let merged = Merged::new(reduction, &budget);
        let mut part = Groups::new(Arc::clone(reduction), budget);
        for name in names {
            let group = part.group(0, &[Some(name.to_string().as_bytes())]).unwrap();
            part.add_events(group, name % 7);
            part.arrive(name % 7);
        }
        merged.merge(part).unwrap();
        merged
    }

    #[test]
    fn few_groups_over_many_make_the_table_that_all_together_make() {
        let kinds =
            [(Kind::Top { count: 20, rare: false }, usize::MAX), (Kind::Top { count: 3, rare: true }, usize::MAX)];
        for (kind, wanted) in kinds.into_iter().chain([(Kind::Stats, usize::MAX), (Kind::Stats, 5)]) {
            let (reduction, budget) = (reduction(kind, wanted), Budget::new(1 << 30));
            for few in [0..0, 0..10, 995..1_010, 2_000..2_003, 0..3_000] {
                let (below, all) = (merged(&reduction, 0..1_000), merged(&reduction, 0..1_000));
                let over = merged(&reduction, few.clone()).finish_over(&below, &reduction);
                all.absorb(&merged(&reduction, few.clone())).unwrap();
                assert_eq!(over, Arc::new(all).finish(&reduction, &budget).unwrap(), "{few:?} {reduction:?}");
                let before = Arc::new(merged(&reduction, 0..1_000)).finish(&reduction, &budget).unwrap();
                assert_eq!(Arc::new(below).finish(&reduction, &budget).unwrap(), before, "it has changed");
            }
        }
    }
}
