//! Reducing stages: rows in, groups with accumulators, a table out.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::accumulator::{Accumulator, At, Place, Remarks, Sortable, place_of};
use super::buckets::Buckets;
use super::texts::TextSet;
use crate::query::decimal::Decimal;
use crate::query::decimal::Rounding;
use crate::query::error::{BadQuery, QueryError};
use crate::query::language::{Aggregate, FieldName, Function, Program, Row};
use crate::query::memory::Budget;
use crate::query::record::items;
use crate::query::stages::timechart::SERIES_MAX;
use crate::query::value::{Value, sort_order};

/// What a reducing stage computes.
#[derive(Clone, Debug)]
pub(crate) struct Reduction {
    pub(crate) kind: Kind,
    pub(crate) aggregates: Vec<Measure>,
    pub(crate) by: Vec<FieldName>,
    /// The range that is searched; open ends are filled from the data.
    pub(crate) range: (Option<i64>, Option<i64>),
    /// What `now` means.
    pub(crate) now: i64,
    /// Whether sums remember their numbers: the second try after an overflow.
    pub(crate) keep: bool,
}

/// The reducing stages.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Stats,
    Timechart(Buckets),
    Top { count: u32, rare: bool },
}

/// One aggregate, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    pub(crate) function: Function,
    pub(crate) field: Option<FieldName>,
    pub(crate) condition: Option<Program>,
    pub(crate) name: String,
}

impl Measure {
    pub(crate) fn new(aggregate: &Aggregate, now: i64) -> Self {
        let Aggregate { function, field, condition, name } = aggregate.clone();
        Self { function, field, condition: condition.map(|condition| Program::new(&condition, now)), name }
    }

    /// Adds one row.
    fn add(&self, accumulator: &mut Accumulator, row: &dyn Row, at: At) {
        if self.condition.as_ref().is_some_and(|condition| !condition.holds(row)) {
            return;
        }
        match &self.field {
            Some(field) => {
                for (index, value) in items(&row.field(field)).enumerate() {
                    accumulator.add(&self.function, value, index as u32, at);
                }
            }
            None => self.add_event(accumulator, at),
        }
    }

    /// Adds a row to an aggregate without a field: a count, or a time.
    pub(crate) fn add_event(&self, accumulator: &mut Accumulator, at: At) {
        match self.function {
            Function::Count | Function::Rate => accumulator.add_count(1),
            _ => {
                if let (Some(place), Some((time, ..))) = (place_of(&self.function, at), at.time) {
                    accumulator.add_edge(&self.function, place, || Value::Time(time));
                }
            }
        }
    }
}

/// The groups of a reducing stage. Parts of it may be filled apart and merged.
pub(crate) struct Groups {
    pub(crate) reduction: Arc<Reduction>,
    keys: TextSet,
    accumulators: Vec<Vec<Accumulator>>,
    /// Events in each group.
    events: Vec<u64>,
    /// Events that came in.
    arrived: u64,
    /// Whether some event is in several groups.
    several: bool,
    /// Values of groups that are no texts, by group and place in `by`.
    typed: Vec<(u32, u32, Value)>,
    /// Earliest and latest time seen, for `timechart`.
    seen: Option<(i64, i64)>,
    /// Memory taken from the budget.
    taken: usize,
    budget: Budget,
    last_bounds: (i64, i64),
}

/// A table in the making.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<FieldName>,
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) warnings: Vec<String>,
    /// Whether the sums must be computed again with `keep`.
    pub(crate) overflow: bool,
}

/// Bytes of one group beside its key, about.
const GROUP_BYTES: usize = 96;

impl Groups {
    pub(crate) fn new(reduction: Arc<Reduction>, budget: Budget) -> Self {
        Self {
            reduction,
            keys: TextSet::default(),
            accumulators: Vec::new(),
            events: Vec::new(),
            arrived: 0,
            several: false,
            typed: Vec::new(),
            seen: None,
            taken: 0,
            budget,
            last_bounds: (0, 0),
        }
    }

    /// Adds a row. `time`: its event time; rows of a table have none.
    pub(crate) fn add_row(&mut self, row: &dyn Row, at: At) -> Result<(), QueryError> {
        let reduction = Arc::clone(&self.reduction);
        let bucket = match (&reduction.kind, at.time) {
            (Kind::Timechart(_), Some((time, ..))) => self.bucket_of(time),
            (Kind::Timechart(_), None) => match row.field(&FieldName::new("time")).first().and_then(Value::to_time) {
                Some(time) => self.bucket_of(time),
                None => return Ok(()),
            },
            _ => 0,
        };
        self.arrived += 1;
        let mut combinations: Vec<Vec<Option<Value>>> = vec![Vec::new()];
        for field in &reduction.by {
            let values = distinct_values(row, field);
            let values = if values.is_empty() { vec![None] } else { values.into_iter().map(Some).collect() };
            combinations = combinations
                .into_iter()
                .flat_map(|front| {
                    values.iter().map(move |value| [front.as_slice(), std::slice::from_ref(value)].concat())
                })
                .collect();
        }
        self.several |= combinations.len() > 1;
        for combination in combinations {
            let group = self.group_of_values(bucket, &combination)?;
            self.events[group as usize] += 1;
            for (measure, accumulator) in reduction.aggregates.iter().zip(&mut self.accumulators[group as usize]) {
                measure.add(accumulator, row, at);
            }
        }
        Ok(())
    }

    /// The start of the bucket of a time, which is noted as seen.
    pub(crate) fn bucket_of(&mut self, time: i64) -> i64 {
        self.see(time, time);
        if self.last_bounds.0 <= time && time < self.last_bounds.1 {
            return self.last_bounds.0;
        }
        if let Kind::Timechart(buckets) = &self.reduction.kind {
            self.last_bounds = buckets.bounds(time);
        }
        self.last_bounds.0
    }

    /// Notes times that were seen.
    pub(crate) fn see(&mut self, first: i64, last: i64) {
        let (earliest, latest) = self.seen.unwrap_or((first, last));
        self.seen = Some((earliest.min(first), latest.max(last)));
    }

    /// The number of a group by its texts; `None` among them is the group without a value.
    pub(crate) fn group(&mut self, bucket: i64, by: &[Option<&[u8]>]) -> Result<u32, QueryError> {
        let mut key = bucket.to_be_bytes().to_vec();
        for text in by {
            match text {
                None => key.push(0),
                Some(text) => {
                    key.push(1);
                    key.extend_from_slice(&(text.len() as u32).to_be_bytes());
                    key.extend_from_slice(text);
                }
            }
        }
        self.group_of_key(&key)
    }

    /// The number of a group by the bytes that name it in every part of this reduction.
    fn group_of_key(&mut self, key: &[u8]) -> Result<u32, QueryError> {
        let group = self.keys.intern(key);
        if group as usize == self.accumulators.len() {
            let bytes = key.len() + GROUP_BYTES + self.reduction.aggregates.len() * size_of::<Accumulator>();
            self.budget.take(bytes, "groups")?;
            self.taken += bytes;
            let keep = self.reduction.keep;
            let new = self.reduction.aggregates.iter().map(|measure| Accumulator::new(&measure.function, keep));
            self.accumulators.push(new.collect());
            self.events.push(0);
        }
        Ok(group)
    }

    /// Notes `count` events as having come in.
    pub(crate) fn arrive(&mut self, count: u64) {
        self.arrived += count;
    }

    /// How many events came in.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Notes `count` events as being in a group.
    pub(crate) fn add_events(&mut self, group: u32, count: u64) {
        self.events[group as usize] += count;
    }

    pub(crate) fn accumulators(&mut self, group: u32) -> &mut [Accumulator] {
        &mut self.accumulators[group as usize]
    }

    fn group_of_values(&mut self, bucket: i64, by: &[Option<Value>]) -> Result<u32, QueryError> {
        let texts: Vec<Option<String>> = by.iter().map(|value| value.as_ref().and_then(Value::to_text)).collect();
        let slices: Vec<Option<&[u8]>> = texts.iter().map(|text| text.as_ref().map(String::as_bytes)).collect();
        let before = self.accumulators.len();
        let group = self.group(bucket, &slices)?;
        if group as usize == before {
            for (place, value) in by.iter().enumerate() {
                if let Some(value) = value
                    && !matches!(value, Value::Text(_))
                {
                    self.typed.push((group, place as u32, value.clone()));
                }
            }
        }
        Ok(group)
    }

    /// Takes in another part.
    pub(crate) fn merge(&mut self, mut other: Self) -> Result<(), QueryError> {
        if let Some((first, last)) = other.seen {
            self.see(first, last);
        }
        self.arrived += other.arrived;
        self.several |= other.several;
        for (number, accumulators) in std::mem::take(&mut other.accumulators).into_iter().enumerate() {
            let before = self.accumulators.len();
            let group = self.group_of_key(other.keys.get(number as u32))?;
            if group as usize == before && !other.typed.is_empty() {
                let typed = other.typed.iter().filter(|(owner, ..)| *owner == number as u32);
                self.typed.extend(typed.map(|(_, place, value)| (group, *place, value.clone())));
            }
            self.events[group as usize] += other.events[number];
            for (own, other) in self.accumulators[group as usize].iter_mut().zip(accumulators) {
                own.merge(other);
            }
        }
        self.settle()
    }

    /// Brings the budget up to what the accumulators hold.
    pub(crate) fn settle(&mut self) -> Result<(), QueryError> {
        let own = self.reduction.aggregates.len() * size_of::<Accumulator>() + GROUP_BYTES;
        // Without aggregates, as in `top`, there may be a million groups and nothing in them to look at.
        let held: usize = match self.reduction.aggregates.is_empty() {
            true => 0,
            false => self.accumulators.iter().flatten().map(Accumulator::memory_bytes).sum(),
        };
        let total = held + self.keys.memory_bytes() + self.accumulators.len() * own;
        if total > self.taken {
            self.budget.take(total - self.taken, "groups")?;
        } else {
            self.budget.give_back(self.taken - total);
        }
        self.taken = total;
        Ok(())
    }

    /// The table.
    pub(crate) fn finish(mut self) -> Result<Rows, QueryError> {
        let reduction = Arc::clone(&self.reduction);
        if matches!(reduction.kind, Kind::Stats) && reduction.by.is_empty() {
            self.group(0, &[])?;
        }
        let mut remarks = Remarks::default();
        let mut rows = match &reduction.kind {
            Kind::Stats => self.stats(&mut remarks),
            Kind::Timechart(buckets) => self.timechart(buckets, &mut remarks)?,
            Kind::Top { count, rare } => self.top(*count, *rare),
        };
        rows.overflow = remarks.overflow;
        rows.warnings.extend(warnings_of(remarks));
        self.budget.give_back(self.taken);
        self.taken = 0;
        Ok(rows)
    }

    /// The values that make a group.
    fn values_of(&self, group: u32) -> (i64, Vec<Value>) {
        let (bucket, by) = split_key(self.keys.get(group));
        let texts = by.into_iter().map(|text| text.map_or(Value::Null, super::accumulator::value_of));
        let mut values: Vec<Value> = texts.collect();
        for (_, place, value) in self.typed.iter().filter(|(owner, ..)| *owner == group) {
            values[*place as usize] = value.clone();
        }
        (bucket, values)
    }

    fn finished(&mut self, group: u32, seconds: Option<Decimal>, remarks: &mut Remarks) -> Vec<Value> {
        let reduction = Arc::clone(&self.reduction);
        let measures = reduction.aggregates.iter().zip(&mut self.accumulators[group as usize]);
        measures.map(|(measure, accumulator)| accumulator.finish(&measure.function, seconds, remarks)).collect()
    }

    fn stats(&mut self, remarks: &mut Remarks) -> Rows {
        let reduction = Arc::clone(&self.reduction);
        let seconds = reduction
            .range
            .0
            .and_then(|start| seconds_of(reduction.range.1.unwrap_or(reduction.now).saturating_sub(start)));
        let by = reduction.by.len();
        let mut rows: Vec<Vec<Value>> = (0..self.accumulators.len() as u32)
            .map(|group| {
                let mut row = self.values_of(group).1;
                row.extend(self.finished(group, seconds, remarks));
                row
            })
            .collect();
        rows.sort_by(|a, b| {
            let first = descending(&a[by], &b[by]);
            first.then_with(|| order_of_rows(&a[..by], &b[..by]))
        });
        let names = reduction.aggregates.iter().map(|measure| FieldName::new(measure.name.clone()));
        Rows { columns: reduction.by.iter().cloned().chain(names).collect(), rows, ..Rows::default() }
    }

    fn top(&self, count: u32, rare: bool) -> Rows {
        let mut ranked: Vec<(u64, u32)> = self.events.iter().copied().zip(0..).collect();
        let by_count = |a: &u64, b: &u64| if rare { a.cmp(b) } else { b.cmp(a) };
        let wanted = count as usize;
        if wanted < ranked.len() {
            // Counts alone leave few: of most values nothing but the count is ever looked at.
            let (_, &mut (last, _), _) = ranked.select_nth_unstable_by(wanted, |a, b| by_count(&a.0, &b.0));
            ranked.retain(|(events, _)| by_count(events, &last).is_le());
        }
        let mut rows: Vec<(u64, Value)> =
            ranked.into_iter().map(|(events, group)| (events, self.values_of(group).1.remove(0))).collect();
        rows.sort_by(|a, b| by_count(&a.0, &b.0).then_with(|| order_of_values(&a.1, &b.1)));
        rows.truncate(wanted);
        let (hundred, total) = (Decimal::from(100u64), Decimal::from(self.arrived));
        let rows = rows.into_iter().map(|(events, value)| {
            let events = Decimal::from(events);
            let percent = events.checked_mul(hundred).and_then(|scaled| scaled.checked_div(total));
            let percent = percent.map(|percent| percent.rounded(4, Rounding::Nearest));
            vec![value, Value::Number(events), percent.map_or(Value::Null, Value::Number)]
        });
        let columns = vec![self.reduction.by[0].clone(), FieldName::new("count"), FieldName::new("percent")];
        Rows { columns, rows: rows.collect(), ..Rows::default() }
    }

    fn timechart(&mut self, buckets: &Buckets, remarks: &mut Remarks) -> Result<Rows, QueryError> {
        let reduction = Arc::clone(&self.reduction);
        let (start, end) = reduction.range;
        let first = start.or(self.seen.map(|(first, _)| first));
        let last = end.map(|end| end.saturating_sub(1)).or(self.seen.map(|(_, last)| last));
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
    fn cells_of(&self, groups: &[u32], place: usize) -> BTreeMap<i64, Accumulator> {
        let mut cells: BTreeMap<i64, Accumulator> = BTreeMap::new();
        for &group in groups {
            let bucket = split_key(self.keys.get(group)).0;
            let part = self.accumulators[group as usize][place].clone();
            match cells.entry(bucket) {
                Entry::Occupied(mut cell) => cell.get_mut().merge(part),
                Entry::Vacant(cell) => drop(cell.insert(part)),
            }
        }
        cells
    }

    /// The values that have columns behind `time`, and what must be said of them.
    fn series(&self) -> (Vec<Series>, Vec<String>) {
        let all = 0..self.accumulators.len() as u32;
        if self.reduction.by.is_empty() {
            return (vec![Series { name: None, groups: all.collect() }], Vec::new());
        }
        let mut by_value: BTreeMap<Sortable, (u64, Vec<u32>)> = BTreeMap::new();
        for group in all {
            let value = self.values_of(group).1.remove(0);
            let (events, groups) = by_value.entry(Sortable(value)).or_default();
            *events += self.events[group as usize];
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
            if self.several {
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

impl Drop for Groups {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

fn distinct_values(row: &dyn Row, field: &FieldName) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for value in items(&row.field(field)) {
        if !values.iter().any(|other| other.to_text() == value.to_text()) {
            values.push(value.clone());
        }
    }
    values
}

fn split_key(key: &[u8]) -> (i64, Vec<Option<&[u8]>>) {
    let (bucket, mut rest) = key.split_first_chunk().expect("a key begins with its bucket");
    let mut by = Vec::new();
    while let Some((tag, after)) = rest.split_first() {
        if *tag == 0 {
            by.push(None);
            rest = after;
            continue;
        }
        let (length, after) = after.split_first_chunk().expect("a text has a length");
        let (text, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        by.push(Some(text));
        rest = after;
    }
    (i64::from_be_bytes(*bucket), by)
}

fn seconds_of(nanos: i64) -> Option<Decimal> {
    (nanos > 0).then(|| Decimal::new(i128::from(nanos), -9))
}

/// Descending, null last.
fn descending(a: &Value, b: &Value) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (false, false) => sort_order(b, a),
        (a, b) => a.cmp(&b),
    }
}

fn order_of_rows(a: &[Value], b: &[Value]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| order_of_values(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The order of `sort`, then of the texts as sent: `500` and `500.0` are two groups.
fn order_of_values(a: &Value, b: &Value) -> Ordering {
    sort_order(a, b).then_with(|| a.to_text().cmp(&b.to_text()))
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

/// A place for rows without one of their own, in the order in which they come.
pub(crate) fn ordinal(number: u64) -> Place {
    (i64::MIN, 0, number)
}
