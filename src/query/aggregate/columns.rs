//! The fast way into groups: straight from columns, on codes and typed numbers, without a record for
//! each row. For stages that come right behind the expression and whose fields are body fields.

use std::sync::Arc;

use hashbrown::HashMap;

use super::accumulator::{Accumulator, At};
use super::reduce::{Groups, Kind, Measure, Reduction};
use super::texts::TextSet;
use crate::block::{Column, Values};
use crate::query::decimal::Decimal;
use crate::query::error::QueryError;
use crate::query::language::{FieldName, Function};
use crate::query::rows::at_of;
use crate::query::scan::bitmap::Bitmap;
use crate::query::scan::eval::Stop;
use crate::query::scan::view::{Missing, RowIds, View};
use crate::query::value::{Number, Value};

type FastMap<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Whether a reduction can be fed from columns at all.
pub(crate) fn is_columnar(reduction: &Reduction) -> bool {
    let plain = |field: &FieldName| field.member().is_none();
    !reduction.keep
        && reduction.by.len() <= 1
        && reduction.by.iter().all(plain)
        && reduction.aggregates.iter().all(|measure| measure.condition.is_none() && measure.field.iter().all(plain))
}

/// Feeds rows of a group. `false`: some row is in several groups, and nothing was fed.
pub(crate) fn feed(groups: &mut Groups, view: &View, rows: &Bitmap) -> Result<bool, Stop> {
    let reduction = Arc::clone(&groups.reduction);
    let parts = Parts::load(&reduction, view)?;
    if let Some(Some(by)) = &parts.by
        && has_several(by)
    {
        return Ok(false);
    }
    groups.arrive(rows.count());
    if rows.is_empty() {
        return Ok(true);
    }
    if reduction.stored() == 0 && reduction.is_by_one() {
        count_values(groups, parts.by.flatten(), rows)?;
        return Ok(true);
    }
    if reduction.stored() == 0 && reduction.by.is_empty() && view.sorted() {
        count_in_time(groups, &reduction, view, parts.times, rows)?;
        return Ok(true);
    }
    let members = members_of(groups, &reduction, &parts, rows)?;
    for (group, count) in members.counts() {
        groups.add_events(group, count);
    }
    for (place, measure) in reduction.aggregates.iter().enumerate().take(reduction.stored()) {
        let fed = Fed { measure, place, parts: &parts, rows, members: &members };
        match &parts.fields[place] {
            None => fed.events(groups),
            Some(None) => {}
            Some(Some(column)) => fed.values(groups, column),
        }
    }
    Ok(true)
}

/// Counts rows by the value of a column that has one in a row at most.
fn count_values(groups: &mut Groups, column: Option<&Arc<Column>>, rows: &Bitmap) -> Result<(), QueryError> {
    let Some(column) = column else {
        let group = groups.group(0, &[None])?;
        groups.add_events(group, rows.count());
        return Ok(());
    };
    let all = rows.count() == u64::from(rows.len());
    let mut with_value = 0;
    match &column.codes {
        Some(codes) => {
            let counts = histogram(column, codes, if all { None } else { Some(rows) });
            let mut text = Vec::new();
            for (code, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let text = column.values.text_bytes(code, &mut text);
                let group = groups.group(0, &[Some(text)])?;
                groups.add_events(group, u64::from(count));
                with_value += u64::from(count);
            }
        }
        None => {
            groups.reserve(column.len().min(rows.count() as usize));
            for value in 0..column.len() {
                if all || rows.contains(column.row_of(value)) {
                    groups.add_loosely(1, |key| column.values.write_text(value, key));
                    with_value += 1;
                }
            }
        }
    }
    if with_value < rows.count() {
        let count = rows.count() - with_value;
        match column.codes {
            Some(_) => {
                let group = groups.group(0, &[None])?;
                groups.add_events(group, count);
            }
            None => groups.add_loosely_without(count),
        }
    }
    Ok(())
}

/// How often each code comes in these rows, or in all.
fn histogram(column: &Column, codes: &[u32], rows: Option<&Bitmap>) -> Vec<u32> {
    let mut counts = vec![0u32; column.values.len()];
    let Some(rows) = rows else {
        codes.iter().for_each(|&code| counts[code as usize] += 1);
        return counts;
    };
    match &column.rows {
        None => rows.iter().for_each(|row| counts[codes[row as usize] as usize] += 1),
        Some(own) => {
            for (&row, &code) in own.iter().zip(codes) {
                counts[code as usize] += u32::from(rows.contains(row));
            }
        }
    }
    counts
}

/// Counts rows that ascend by time, all together or by bucket: a look at where buckets begin.
fn count_in_time(
    groups: &mut Groups,
    reduction: &Reduction,
    view: &View,
    times: Option<&[i64]>,
    rows: &Bitmap,
) -> Result<(), Stop> {
    let Kind::Timechart(buckets) = &reduction.kind else {
        let group = groups.group(0, &[])?;
        groups.add_events(group, rows.count());
        return Ok(());
    };
    let times = times.expect("a chart loads the times");
    assert_eq!(times.len(), view.rows() as usize, "each row has a time");
    let mut next = rows.first_from(0);
    if let (Some(first), Some(last)) = (next, rows.iter_back().next()) {
        groups.see(times[first as usize], times[last as usize]);
    }
    while let Some(row) = next {
        let (start, end) = buckets.bounds(times[row as usize]);
        let inside = times[row as usize..].partition_point(|&time| time < end) as u32;
        // The last bucket of all time ends with its last nanosecond.
        let behind = row + inside.max(1);
        let group = groups.group(start, &[])?;
        groups.add_events(group, rows.count_in(row..behind));
        next = rows.first_from(behind);
    }
    Ok(())
}

/// What is read of a group.
struct Parts<'a> {
    /// `None`: no `by`. Inside `None`: no row has a value.
    by: Option<Option<&'a Arc<Column>>>,
    /// For each aggregate the same of its field.
    fields: Vec<Option<Option<&'a Arc<Column>>>>,
    times: Option<&'a [i64]>,
    ids: Option<RowIds<'a>>,
}

impl<'a> Parts<'a> {
    fn load(reduction: &Reduction, view: &'a View) -> Result<Self, Stop> {
        let mut missing = Vec::new();
        let mut column = |field: &FieldName| {
            let path = view.paths().get(field.folded())?;
            note(view.column(path), &mut missing).flatten()
        };
        let by = reduction.by.first().map(&mut column);
        let fields = reduction.aggregates.iter().map(|measure| measure.field.as_ref().map(&mut column)).collect();
        let ordered = reduction.aggregates.iter().any(|measure| needs_place(&measure.function));
        let timed = ordered || matches!(reduction.kind, Kind::Timechart(_));
        let times = if timed { note(view.times(), &mut missing) } else { None };
        let ids = if ordered { note(view.ids(), &mut missing) } else { None };
        if missing.is_empty() { Ok(Self { by, fields, times, ids }) } else { Err(Stop::Missing(missing)) }
    }

    fn at(&self, row: u32) -> At {
        match (self.times, &self.ids) {
            (Some(times), Some(ids)) => at_of((times[row as usize], ids.id(row))),
            _ => At { order: (0, 0, 0), time: None },
        }
    }
}

fn note<T>(loaded: Result<T, Missing>, missing: &mut Missing) -> Option<T> {
    loaded.map_err(|parts| missing.extend(parts)).ok()
}

fn needs_place(function: &Function) -> bool {
    use Function::{Earliest, First, Last, Latest, List};
    matches!(function, Earliest | Latest | First | Last | List)
}

/// Whether a row has more than one value.
fn has_several(column: &Column) -> bool {
    column.rows.as_ref().is_some_and(|rows| rows.windows(2).any(|pair| pair[0] == pair[1]))
}

/// Which group each row is in.
enum Members {
    /// All rows in one.
    One(u32, u64),
    /// By row; rows that do not match are in none.
    Each { groups: Vec<u32>, counts: Vec<(u32, u64)> },
}

const NO_GROUP: u32 = u32::MAX;

impl Members {
    fn counts(&self) -> Vec<(u32, u64)> {
        match self {
            Self::One(group, count) => vec![(*group, *count)],
            Self::Each { counts, .. } => counts.clone(),
        }
    }

    fn group(&self, row: u32) -> u32 {
        match self {
            Self::One(group, _) => *group,
            Self::Each { groups, .. } => groups[row as usize],
        }
    }
}

fn members_of(
    groups: &mut Groups,
    reduction: &Reduction,
    parts: &Parts<'_>,
    rows: &Bitmap,
) -> Result<Members, QueryError> {
    let chart = matches!(reduction.kind, Kind::Timechart(_));
    if !chart && parts.by.is_none() {
        return Ok(Members::One(groups.group(0, &[])?, rows.count()));
    }
    let codes = parts.by.map(|column| Codes::new(column, rows));
    if let Some(codes) = codes.as_ref().filter(|_| !chart) {
        return members_by_code(groups, codes, rows);
    }
    let mut known: FastMap<(i64, u32), (u32, u64)> = HashMap::default();
    let mut of_row = vec![NO_GROUP; rows.len() as usize];
    // Runs of rows in one group are the rule: the last one is tried first.
    let mut last = ((i64::MIN, NO_CODE), NO_GROUP, 0u64);
    for row in rows.iter() {
        let bucket = match parts.times {
            Some(times) if chart => groups.bucket_of(times[row as usize]),
            _ => 0,
        };
        let code = codes.as_ref().map_or(NO_CODE, |codes| codes.of_row[row as usize]);
        let key = (bucket, code);
        if last.1 != NO_GROUP && last.0 == key {
            last.2 += 1;
        } else {
            flush(&mut known, last);
            let group = match known.get(&key) {
                Some((group, _)) => *group,
                None => {
                    let text = codes.as_ref().map(|codes| codes.text(code));
                    let by: Vec<Option<&[u8]>> = text.iter().map(|text| text.as_deref()).collect();
                    groups.group(bucket, &by)?
                }
            };
            last = (key, group, 1);
        }
        of_row[row as usize] = last.1;
    }
    flush(&mut known, last);
    // The order in which groups are counted does not matter, but it is kept the same.
    let mut counts: Vec<(u32, u64)> = Vec::with_capacity(known.len());
    known.drain().for_each(|(_, entry)| counts.push(entry));
    counts.sort_unstable();
    Ok(Members::Each { groups: of_row, counts })
}

fn members_by_code(groups: &mut Groups, codes: &Codes<'_>, rows: &Bitmap) -> Result<Members, QueryError> {
    // One more, for rows without a value.
    let mut group_of = vec![(NO_GROUP, 0u64); codes.len() + 1];
    let mut of_row = vec![NO_GROUP; rows.len() as usize];
    for row in rows.iter() {
        let code = codes.of_row[row as usize];
        let (group, count) = &mut group_of[(code as usize).min(codes.len())];
        if *group == NO_GROUP {
            *group = groups.group(0, &[codes.text(code).as_deref()])?;
        }
        *count += 1;
        of_row[row as usize] = *group;
    }
    let mut counts: Vec<(u32, u64)> = group_of.into_iter().filter(|(group, _)| *group != NO_GROUP).collect();
    counts.sort_unstable();
    Ok(Members::Each { groups: of_row, counts })
}

fn flush(known: &mut FastMap<(i64, u32), (u32, u64)>, (key, group, count): ((i64, u32), u32, u64)) {
    if group != NO_GROUP {
        known.entry(key).or_insert((group, 0)).1 += count;
    }
}

/// A number for each distinct text of a column, by row.
struct Codes<'a> {
    column: Option<&'a Arc<Column>>,
    /// [`NO_CODE`] where a row has no value.
    of_row: Vec<u32>,
    /// The texts, where the column has no codes of its own.
    texts: Option<TextSet>,
}

const NO_CODE: u32 = u32::MAX;

impl<'a> Codes<'a> {
    fn new(column: Option<&'a Arc<Column>>, rows: &Bitmap) -> Self {
        let mut of_row = vec![NO_CODE; rows.len() as usize];
        let Some(own) = column else { return Self { column, of_row, texts: None } };
        if let Some(codes) = &own.codes {
            for (value, code) in codes.iter().enumerate() {
                of_row[own.row_of(value) as usize] = *code;
            }
            return Self { column, of_row, texts: None };
        }
        let mut texts = TextSet::default();
        let mut scratch = Vec::new();
        for value in 0..own.len() {
            let row = own.row_of(value);
            if rows.contains(row) {
                of_row[row as usize] = texts.intern(own.values.text_bytes(own.entry_of(value), &mut scratch));
            }
        }
        Self { column, of_row, texts: Some(texts) }
    }

    /// How many codes there are.
    fn len(&self) -> usize {
        match (&self.texts, self.column) {
            (Some(texts), _) => texts.len(),
            (None, column) => column.map_or(0, |column| column.values.len()),
        }
    }

    fn text(&self, code: u32) -> Option<Vec<u8>> {
        if code == NO_CODE {
            return None;
        }
        match (&self.texts, self.column) {
            (Some(texts), _) => Some(texts.get(code).to_vec()),
            (None, Some(column)) => {
                let mut text = Vec::new();
                column.values.write_text(code as usize, &mut text);
                Some(text)
            }
            (None, None) => None,
        }
    }
}

/// One aggregate that is fed.
struct Fed<'a> {
    measure: &'a Measure,
    place: usize,
    parts: &'a Parts<'a>,
    rows: &'a Bitmap,
    members: &'a Members,
}

impl Fed<'_> {
    fn accumulator<'g>(&self, groups: &'g mut Groups, group: u32) -> &'g mut Accumulator {
        &mut groups.accumulators(group)[self.place]
    }

    /// An aggregate without a field.
    fn events(&self, groups: &mut Groups) {
        if matches!(self.measure.function, Function::Count | Function::Rate) {
            for (group, count) in self.members.counts() {
                self.accumulator(groups, group).add_count(count);
            }
            return;
        }
        for row in self.rows.iter() {
            let accumulator = self.accumulator(groups, self.members.group(row));
            self.measure.add_event(accumulator, self.parts.at(row));
        }
    }

    fn values(&self, groups: &mut Groups, column: &Column) {
        use Function as F;
        match &self.measure.function {
            F::Count | F::Rate => self.each_value(column, |group, _, _, _| {
                self.accumulator(groups, group).add_count(1);
            }),
            F::DistinctCount | F::Values | F::Mode => self.by_entry(groups, column),
            F::Sum | F::Avg | F::Min | F::Max | F::Percentile(_) | F::StandardDeviation | F::Variance => {
                self.numbers(groups, column);
            }
            F::Earliest | F::Latest | F::First | F::Last | F::List => {
                let mut scratch = Vec::new();
                let (mut row_before, mut index) = (None, 0);
                self.each_value(column, |group, row, value, _| {
                    index = if row_before == Some(row) { index + 1 } else { 0 };
                    row_before = Some(row);
                    let text = Value::text(column.text(value, &mut scratch));
                    let at = self.parts.at(row);
                    self.accumulator(groups, group).add(&self.measure.function, &text, index, at);
                });
            }
        }
    }

    /// Calls `then` with group, row, value and entry of each value of a matching row.
    fn each_value(&self, column: &Column, mut then: impl FnMut(u32, u32, usize, usize)) {
        for value in 0..column.len() {
            let row = column.row_of(value);
            if self.rows.contains(row) {
                then(self.members.group(row), row, value, column.entry_of(value));
            }
        }
    }

    /// Aggregates for which each entry of a group counts once, with its number of values.
    fn by_entry(&self, groups: &mut Groups, column: &Column) {
        let mut scratch = Vec::new();
        let mut add = |groups: &mut Groups, group: u32, entry: usize, count: u64| match self.accumulator(groups, group)
        {
            Accumulator::Distinct(set) => set.insert(column.values.text_bytes(entry, &mut scratch)),
            Accumulator::Mode(counts) => counts.add_text(column.values.text_bytes(entry, &mut scratch), count),
            other => {
                let text = Value::text(column.values.text(entry, &mut scratch));
                other.add(&self.measure.function, &text, 0, self.parts.at(0));
            }
        };
        if column.codes.is_none() && !matches!(self.measure.function, Function::Mode) {
            self.each_value(column, |group, _, _, entry| add(groups, group, entry, 1));
            return;
        }
        let mut counts: FastMap<(u32, u32), u64> = HashMap::default();
        self.each_value(column, |group, _, _, entry| *counts.entry((group, entry as u32)).or_default() += 1);
        let mut sorted: Vec<((u32, u32), u64)> = Vec::with_capacity(counts.len());
        counts.drain().for_each(|entry| sorted.push(entry));
        sorted.sort_unstable();
        for ((group, entry), count) in sorted {
            add(groups, group, entry as usize, count);
        }
    }

    fn numbers(&self, groups: &mut Groups, column: &Column) {
        match &column.values {
            Values::Integers(values) => self.scaled(groups, column, values, 0),
            Values::Decimals { values, scale } => self.scaled(groups, column, values, *scale),
            Values::Ipv4(_) | Values::Times { .. } => {}
            values => {
                let mut scratch = Vec::new();
                let numbers: Vec<Option<Decimal>> =
                    (0..values.len()).map(|entry| Decimal::parse(values.text(entry, &mut scratch))).collect();
                self.each_value(column, |group, row, _, entry| {
                    if let Some(number) = numbers[entry] {
                        self.accumulator(groups, group).add_number(Number::Exact(number), self.parts.at(row));
                    }
                });
            }
        }
    }

    fn scaled(&self, groups: &mut Groups, column: &Column, values: &[i64], scale: u8) {
        if matches!(self.measure.function, Function::Sum | Function::Avg) {
            return self.sums(groups, column, values, scale);
        }
        self.each_value(column, |group, row, _, entry| match self.accumulator(groups, group) {
            Accumulator::Ranks(numbers) => numbers.push_scaled(values[entry], scale),
            other => {
                let number = Decimal::new(i128::from(values[entry]), -i32::from(scale));
                other.add_number(Number::Exact(number), self.parts.at(row));
            }
        });
    }

    /// A group of rows has fewer than 2^64 values of 64 bits: their sum fits 128 bits.
    fn sums(&self, groups: &mut Groups, column: &Column, values: &[i64], scale: u8) {
        let mut sums: FastMap<u32, (u64, i128)> = HashMap::default();
        self.each_value(column, |group, _, _, entry| {
            let (count, sum) = sums.entry(group).or_default();
            *count += 1;
            *sum += i128::from(values[entry]);
        });
        let mut sorted: Vec<(u32, (u64, i128))> = Vec::with_capacity(sums.len());
        sums.drain().for_each(|entry| sorted.push(entry));
        sorted.sort_unstable();
        for (group, (count, sum)) in sorted {
            if let Accumulator::Sum(own) = self.accumulator(groups, group) {
                own.add_sum(count, Some(Decimal::new(sum, -i32::from(scale))));
            }
        }
    }
}
