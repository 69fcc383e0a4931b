//! Reducing stages: rows in, groups with accumulators, a table out.

use std::sync::Arc;

use super::accumulator::{Accumulator, At, Place, place_of};
use super::buckets::Buckets;
use super::texts::{TextSet, hash_of};
use crate::query::error::QueryError;
use crate::query::language::{Aggregate, FieldName, Function, Program, Row};
use crate::query::memory::Budget;
use crate::query::record::items;
use crate::query::value::Value;

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
    /// Rows of the table that are looked at: the first so many.
    pub(crate) wanted: usize,
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
    /// What [`Reduction::stored`] says.
    each: usize,
    /// Those of one group side by side: `each` of them.
    accumulators: Vec<Accumulator>,
    /// Events in each group.
    events: Vec<u64>,
    /// Events that came in.
    arrived: u64,
    /// Whether some event is in several groups.
    several: bool,
    /// Values of groups that are no texts, by group and place in `by`, ascending.
    typed: Vec<(u32, u32, Value)>,
    /// Earliest and latest time seen, for `timechart`.
    seen: Option<(i64, i64)>,
    /// Rows that matched, of a part that stays.
    matched: u64,
    /// What the accumulators hold beside themselves, as far as merges have noted it.
    held_bytes: usize,
    /// Memory taken from the budget.
    taken: usize,
    /// `None`: whoever keeps it accounts for it.
    budget: Option<Budget>,
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

/// Bytes of one group beside its key and accumulators, about.
const GROUP_BYTES: usize = 16;

impl Groups {
    pub(crate) fn new(reduction: Arc<Reduction>, budget: Budget) -> Self {
        Self {
            each: reduction.stored(),
            reduction,
            keys: TextSet::default(),
            accumulators: Vec::new(),
            events: Vec::new(),
            arrived: 0,
            several: false,
            typed: Vec::new(),
            seen: None,
            matched: 0,
            held_bytes: 0,
            taken: 0,
            budget: Some(budget),
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
            // Where all aggregates count events, there are no accumulators.
            for (measure, accumulator) in reduction.aggregates.iter().zip(self.accumulators(group)) {
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
        let mut key = Vec::with_capacity(64);
        write_key(&self.reduction, bucket, by, &mut key);
        self.group_of_key(hash_of(&key), &key)
    }

    /// The number of a group by the bytes that name it in every part of this reduction.
    fn group_of_key(&mut self, hash: u32, key: &[u8]) -> Result<u32, QueryError> {
        let group = self.keys.intern_hashed(hash, key);
        if group as usize == self.events.len() {
            self.take(key.len() + self.group_bytes())?;
            let keep = self.reduction.keep;
            let new = self.reduction.aggregates.iter().map(|measure| Accumulator::new(&measure.function, keep));
            self.accumulators.extend(new.take(self.each));
            self.events.push(0);
        }
        Ok(group)
    }

    /// Adds events of a group that has a text for its only `by`. The same group may come again, and is
    /// one only after a merge: for columns of which most texts differ.
    ///
    /// # Panics
    /// If the reduction has more than counts of events, or is no reduction by one field alone.
    pub(crate) fn add_loosely(&mut self, events: u64, write: impl FnOnce(&mut Vec<u8>)) {
        assert!(self.each == 0 && self.reduction.is_by_one(), "groups of texts alone");
        self.keys.append_with(|key| {
            key.push(HAS_VALUE);
            write(key);
        });
        self.events.push(events);
    }

    /// Makes room for groups of [`Groups::add_loosely`].
    pub(crate) fn reserve(&mut self, groups: usize) {
        self.keys.reserve(groups);
        self.events.reserve(groups);
    }

    /// As [`Groups::add_loosely`], of events without a value.
    pub(crate) fn add_loosely_without(&mut self, events: u64) {
        assert!(self.each == 0 && self.reduction.is_by_one(), "groups of texts alone");
        self.keys.append_with(|key| key.push(NO_VALUE));
        self.events.push(events);
    }

    /// Bytes of one group beside its key, about.
    fn group_bytes(&self) -> usize {
        GROUP_BYTES + self.each * size_of::<Accumulator>()
    }

    fn take(&mut self, bytes: usize) -> Result<(), QueryError> {
        // What was kept and is no more has no budget: of it only the table is left to make.
        if let Some(budget) = &self.budget {
            budget.take(bytes, "groups")?;
            self.taken += bytes;
        }
        Ok(())
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
        &mut self.accumulators[group as usize * self.each..][..self.each]
    }

    /// The accumulator of a group for the aggregate at a place.
    pub(super) fn finished<T>(&mut self, group: u32, place: usize, then: impl FnOnce(&mut Accumulator) -> T) -> T {
        match self.each {
            0 => then(&mut Accumulator::Count(self.events[group as usize])),
            _ => then(&mut self.accumulators(group)[place]),
        }
    }

    fn group_of_values(&mut self, bucket: i64, by: &[Option<Value>]) -> Result<u32, QueryError> {
        let texts: Vec<Option<String>> = by.iter().map(|value| value.as_ref().and_then(Value::to_text)).collect();
        let slices: Vec<Option<&[u8]>> = texts.iter().map(|text| text.as_ref().map(String::as_bytes)).collect();
        let before = self.events.len();
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

    /// Takes in what another part has apart from its groups.
    pub(super) fn merge_head(&mut self, other: &Self) {
        if let Some((first, last)) = other.seen {
            self.see(first, last);
        }
        self.arrived += other.arrived;
        self.several |= other.several;
    }

    /// Takes in some groups of another part, which are gone from there afterwards.
    pub(super) fn merge_groups(
        &mut self,
        other: &mut Self,
        numbers: impl Iterator<Item = u32>,
    ) -> Result<(), QueryError> {
        let each = self.each;
        for number in numbers {
            let before = self.events.len();
            let group = self.group_of_key(other.keys.hash(number), other.keys.get(number))?;
            if group as usize == before {
                let typed = other.typed_of(number).iter().map(|(_, place, value)| (group, *place, value.clone()));
                self.typed.extend(typed);
            }
            self.events[group as usize] += other.events[number as usize];
            for place in 0..each {
                let own = &mut self.accumulators[group as usize * each + place];
                let part =
                    std::mem::replace(&mut other.accumulators[number as usize * each + place], Accumulator::Count(0));
                if group as usize == before {
                    *own = part;
                    self.held_bytes += own.memory_bytes();
                } else {
                    let held = own.memory_bytes();
                    own.merge(part);
                    // What is merged never holds less than before, but for a set that becomes a sketch.
                    self.held_bytes = (self.held_bytes + own.memory_bytes()).saturating_sub(held);
                }
            }
        }
        self.account(self.held_bytes)
    }

    /// Brings the budget up to what the accumulators hold.
    pub(crate) fn settle(&mut self) -> Result<(), QueryError> {
        self.held_bytes = self.accumulators.iter().map(Accumulator::memory_bytes).sum();
        self.account(self.held_bytes)
    }

    fn account(&mut self, held: usize) -> Result<(), QueryError> {
        let total = held + self.keys.memory_bytes() + self.events.len() * self.group_bytes();
        match (&self.budget, total > self.taken) {
            (None, _) => return Ok(()),
            (Some(budget), true) => budget.take(total - self.taken, "groups")?,
            (Some(budget), false) => budget.give_back(self.taken - total),
        }
        self.taken = total;
        Ok(())
    }

    /// Gives what it holds back to the budget: it stays for later queries, which want to know how many
    /// rows had `matched`.
    pub(crate) fn detach(&mut self, matched: u64) {
        self.matched = matched;
        if let Some(budget) = self.budget.take() {
            budget.give_back(std::mem::take(&mut self.taken));
        }
        self.keys.shrink();
        self.accumulators.shrink_to_fit();
        self.events.shrink_to_fit();
    }

    /// A copy that may grow, for a query of its own.
    pub(crate) fn attached(&self, reduction: &Arc<Reduction>, budget: &Budget) -> Result<Self, QueryError> {
        let mut copy = Self {
            reduction: Arc::clone(reduction),
            keys: self.keys.clone(),
            accumulators: self.accumulators.clone(),
            events: self.events.clone(),
            typed: self.typed.clone(),
            budget: Some(budget.clone()),
            taken: 0,
            ..*self
        };
        copy.account(copy.held_bytes)?;
        Ok(copy)
    }

    /// Adds to each of its groups the events that `other` has in the same group. Tells of each group of
    /// `other` whether it was taken in. For groups that have nothing but their number of events.
    pub(super) fn add_events_of(&mut self, other: &Self) -> Vec<bool> {
        assert!(self.each == 0, "nothing but events");
        let mut taken = vec![false; if self.events.is_empty() { 0 } else { other.len() }];
        for number in 0..self.len() as u32 {
            if let Some(same) = other.keys.find_hashed(self.keys.hash(number), self.keys.get(number)) {
                self.events[number as usize] += other.events[same as usize];
                taken[same as usize] = true;
            }
        }
        taken
    }

    /// Makes what was kept a query's own again: it may grow, and counts as held by it.
    pub(crate) fn reattach(&mut self, reduction: &Arc<Reduction>, budget: &Budget) -> Result<(), QueryError> {
        self.reduction = Arc::clone(reduction);
        self.budget = Some(budget.clone());
        self.account(self.held_bytes)
    }

    /// Bytes that it holds, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.held_bytes
            + self.keys.memory_bytes()
            + self.accumulators.capacity() * size_of::<Accumulator>()
            + self.events.capacity() * 8
            + self.typed.len() * TYPED_BYTES
            + size_of::<Self>()
    }

    /// How many rows had matched, of a part that stays.
    pub(crate) fn matched(&self) -> u64 {
        self.matched
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    fn typed_of(&self, group: u32) -> &[(u32, u32, Value)] {
        let start = self.typed.partition_point(|(owner, ..)| *owner < group);
        let count = self.typed[start..].iter().take_while(|(owner, ..)| *owner == group).count();
        &self.typed[start..start + count]
    }

    /// The values that make a group.
    pub(super) fn values_of(&self, group: u32) -> (i64, Vec<Value>) {
        let (bucket, by) = split_key(&self.reduction, self.keys.get(group));
        let texts = by.into_iter().map(|text| text.map_or(Value::Null, super::accumulator::value_of));
        let mut values: Vec<Value> = texts.collect();
        for (_, place, value) in self.typed_of(group) {
            values[*place as usize] = value.clone();
        }
        (bucket, values)
    }

    pub(super) fn keys(&self) -> &TextSet {
        &self.keys
    }

    pub(super) fn events(&self) -> &[u64] {
        &self.events
    }

    pub(super) fn several(&self) -> bool {
        self.several
    }

    pub(super) fn seen(&self) -> Option<(i64, i64)> {
        self.seen
    }
}

/// Bytes of a value that is no text, about.
const TYPED_BYTES: usize = 64;

impl Rows {
    /// Bytes that it holds, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        let of_value = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::List(values) => values.len() * TYPED_BYTES,
            _ => 0,
        };
        let of_row = |row: &Vec<Value>| row.iter().map(|value| size_of::<Value>() + of_value(value)).sum::<usize>();
        self.rows.iter().map(of_row).sum()
    }
}

impl Reduction {
    /// Whether there is nothing to name a group but the value of one field.
    pub(crate) fn is_by_one(&self) -> bool {
        self.by.len() == 1 && !matches!(self.kind, Kind::Timechart(_))
    }

    /// Accumulators of each group: none where all aggregates are the number of its events, which is known
    /// anyway; else one for each aggregate.
    pub(crate) fn stored(&self) -> usize {
        let counts = |measure: &Measure| {
            let plain = measure.field.is_none() && measure.condition.is_none();
            plain && matches!(measure.function, Function::Count | Function::Rate)
        };
        if self.aggregates.iter().all(counts) { 0 } else { self.aggregates.len() }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.give_back(self.taken);
        }
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

/// What names a group: the bucket of a chart, then each value. Of one field alone just its text, so that
/// a million groups cost little more than their texts.
fn write_key(reduction: &Reduction, bucket: i64, by: &[Option<&[u8]>], key: &mut Vec<u8>) {
    if matches!(reduction.kind, Kind::Timechart(_)) {
        key.extend_from_slice(&bucket.to_be_bytes());
    }
    for text in by {
        let Some(text) = text else {
            key.push(NO_VALUE);
            continue;
        };
        key.push(HAS_VALUE);
        if by.len() > 1 {
            key.extend_from_slice(&(text.len() as u32).to_be_bytes());
        }
        key.extend_from_slice(text);
    }
}

const NO_VALUE: u8 = 0;
const HAS_VALUE: u8 = 1;

/// What [`write_key`] wrote: 0 for the bucket where there is none.
pub(super) fn split_key<'a>(reduction: &Reduction, key: &'a [u8]) -> (i64, Vec<Option<&'a [u8]>>) {
    let (bucket, mut rest) = match &reduction.kind {
        Kind::Timechart(_) => {
            let (bucket, rest) = key.split_first_chunk().expect("a key of a chart begins with its bucket");
            (i64::from_be_bytes(*bucket), rest)
        }
        _ => (0, key),
    };
    let mut by = Vec::with_capacity(reduction.by.len());
    while let Some((tag, after)) = rest.split_first() {
        if *tag == NO_VALUE {
            by.push(None);
            rest = after;
            continue;
        }
        if reduction.by.len() == 1 {
            by.push(Some(after));
            break;
        }
        let (length, after) = after.split_first_chunk().expect("a text has a length");
        let (text, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        by.push(Some(text));
        rest = after;
    }
    (bucket, by)
}

/// A place for rows without one of their own, in the order in which they come.
pub(crate) fn ordinal(number: u64) -> Place {
    (i64::MIN, 0, number)
}
