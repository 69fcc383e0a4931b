//! Aggregations over the rows of a group, each by its definition (rule 13).

use helios::query::language::{Aggregate, Function};

use super::cell::{Cell, group_order};
use super::number::Num;
use super::row::Row;
use super::scalar;

/// Values that `values` and `list` show.
const LISTED_MAX: usize = 1_000;

/// What an aggregation sees beside its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) now: i64,
    /// Nanoseconds that `rate` is per; `None`: unbounded.
    pub(crate) range: Option<i64>,
}

pub(crate) fn aggregate(aggregate: &Aggregate, rows: &[&Row], context: Context) -> Cell {
    let fits = |row: &&&Row| match &aggregate.condition {
        Some(condition) => scalar::is_true(condition, row, context.now),
        None => true,
    };
    let rows: Vec<&Row> = rows.iter().filter(fits).copied().collect();
    let Some(field) = &aggregate.field else {
        return without_field(&aggregate.function, &rows, context);
    };
    let values: Vec<Cell> = rows.iter().flat_map(|row| row.items(field)).collect();
    let numbers = || values.iter().filter_map(Cell::number).collect::<Vec<Num>>();
    match &aggregate.function {
        Function::Count => Cell::count(values.len()),
        Function::DistinctCount => Cell::count(distinct(&values).len()),
        Function::Sum => sum(&numbers()).map_or(Cell::Null, Cell::Number),
        Function::Avg => mean(&numbers()).map_or(Cell::Null, Cell::Number),
        Function::Min => numbers().into_iter().min_by(Num::compare).map_or(Cell::Null, Cell::Number),
        Function::Max => numbers().into_iter().max_by(Num::compare).map_or(Cell::Null, Cell::Number),
        Function::Percentile(percent) => {
            let mut numbers = numbers();
            numbers.sort_by(Num::compare);
            nearest_rank(&percent.to_string(), &numbers)
        }
        Function::StandardDeviation => variance(&numbers()).map_or(Cell::Null, |variance| Cell::Float(variance.sqrt())),
        Function::Variance => variance(&numbers()).map_or(Cell::Null, Cell::Float),
        Function::First => values.first().cloned().unwrap_or(Cell::Null),
        Function::Last => values.last().cloned().unwrap_or(Cell::Null),
        Function::Earliest | Function::Latest => {
            let mut rows: Vec<&Row> = rows.into_iter().filter(|row| !row.items(field).is_empty()).collect();
            rows.sort_by_key(|row| row.event);
            let chosen = if aggregate.function == Function::Earliest { rows.first() } else { rows.last() };
            chosen.map_or(Cell::Null, |row| row.items(field)[0].clone())
        }
        Function::Values => {
            let mut distinct = distinct(&values);
            distinct.sort_by(group_order);
            distinct.truncate(LISTED_MAX);
            listed(distinct)
        }
        Function::List => listed(values.into_iter().take(LISTED_MAX).collect()),
        Function::Mode => mode(&values),
        Function::Rate => rate(values.len(), context),
    }
}

fn without_field(function: &Function, rows: &[&Row], context: Context) -> Cell {
    let times = rows.iter().filter_map(|row| row.event).map(|(time, ..)| time);
    match function {
        Function::Count => Cell::count(rows.len()),
        Function::Rate => rate(rows.len(), context),
        Function::Earliest => times.min().map_or(Cell::Null, Cell::Time),
        Function::Latest => times.max().map_or(Cell::Null, Cell::Time),
        other => panic!("{other} needs a field"),
    }
}

/// Values that differ as sent, in order of first sight.
pub(crate) fn distinct(values: &[Cell]) -> Vec<Cell> {
    let mut distinct: Vec<Cell> = Vec::new();
    for value in values {
        if !distinct.iter().any(|known| known.to_text() == value.to_text()) {
            distinct.push(value.clone());
        }
    }
    distinct
}

fn sum(numbers: &[Num]) -> Option<Num> {
    (!numbers.is_empty()).then(|| numbers.iter().fold(Num::zero(), |sum, number| sum.add(number)))
}

fn mean(numbers: &[Num]) -> Option<Num> {
    sum(numbers)?.div(&Num::int(numbers.len() as i64))
}

/// Squares of the distances from the mean, over n - 1.
fn variance(numbers: &[Num]) -> Option<f64> {
    if numbers.len() < 2 {
        return None;
    }
    let mean = mean(numbers)?;
    let squares = numbers.iter().map(|number| number.sub(&mean)).map(|distance| distance.mul(&distance));
    Some(squares.fold(Num::zero(), |sum, square| sum.add(&square)).to_f64() / (numbers.len() - 1) as f64)
}

/// The value at position ⌈N/100·n⌉ from 1, at least 1.
fn nearest_rank(percent: &str, ascending: &[Num]) -> Cell {
    if ascending.is_empty() {
        return Cell::Null;
    }
    let hundredth = Num::parse("0.01").unwrap();
    let position = Num::parse(percent).unwrap().mul(&hundredth).mul(&Num::int(ascending.len() as i64)).ceil(0);
    let position = usize::try_from(position.to_i64().unwrap()).unwrap().max(1);
    Cell::Number(ascending[position - 1].clone())
}

/// Rule 13: ties go to the smallest.
fn mode(values: &[Cell]) -> Cell {
    let count = |wanted: &Cell| values.iter().filter(|value| value.to_text() == wanted.to_text()).count();
    let mut distinct = distinct(values);
    distinct.sort_by(|a, b| count(b).cmp(&count(a)).then_with(|| group_order(a, b)));
    distinct.first().cloned().unwrap_or(Cell::Null)
}

/// Rule 13: over nothing null.
fn listed(cells: Vec<Cell>) -> Cell {
    if cells.is_empty() { Cell::Null } else { Cell::List(cells) }
}

fn rate(count: usize, context: Context) -> Cell {
    let Some(range) = context.range.filter(|_| count > 0) else { return Cell::Null };
    let seconds = Num::int(range).mul(&Num::parse("1e-9").unwrap());
    Num::int(count as i64).div(&seconds).map_or(Cell::Null, Cell::Number)
}
