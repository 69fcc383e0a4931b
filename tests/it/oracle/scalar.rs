//! The value of a scalar expression over a row.

use std::cmp::Ordering;

use helios::query::language::ScalarExpr;
use helios::query::language::scalar::{BinaryOp, ScalarFunction, UnaryOp};
use helios::query::value::Value;

use super::cell::{Cell, fold, read_address, sort_order};
use super::filter;
use super::number::Num;
use super::row::Row;

/// A null condition is false.
pub(crate) fn is_true(expr: &ScalarExpr, row: &Row, now: i64) -> bool {
    truth(&value(expr, row, now)) == Some(true)
}

pub(crate) fn value(expr: &ScalarExpr, row: &Row, now: i64) -> Cell {
    match expr {
        ScalarExpr::Literal(literal) => cell(literal),
        ScalarExpr::Field(name) => row.values(name).first().cloned().unwrap_or(Cell::Null),
        ScalarExpr::Unary(UnaryOp::Not, inner) => {
            truth(&value(inner, row, now)).map_or(Cell::Null, |truth| Cell::Bool(!truth))
        }
        ScalarExpr::Unary(UnaryOp::Negate, inner) => {
            arithmetic(BinaryOp::Subtract, &Cell::Number(Num::zero()), &value(inner, row, now))
        }
        ScalarExpr::Binary(operator, left, right) => binary(*operator, left, right, row, now),
        ScalarExpr::In(left, items) => {
            let left = all(left, row, now);
            let items: Vec<Cell> = items.iter().flat_map(|item| all(item, row, now)).collect();
            match left.is_empty() {
                true => Cell::Null,
                false => Cell::Bool(left.iter().any(|left| items.iter().any(|item| equal(left, item)))),
            }
        }
        ScalarExpr::Call(function, arguments) => call(*function, arguments, row, now).unwrap_or(Cell::Null),
    }
}

fn cell(literal: &Value) -> Cell {
    match literal {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Bool(*value),
        Value::Number(number) => Cell::Number(Num::parse(&number.to_string()).unwrap()),
        Value::Text(text) => Cell::text(text),
        other => panic!("{other:?} is no literal"),
    }
}

fn truth(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Bool(value) => Some(*value),
        Cell::Text(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

/// All values of a field, a list's items, or the one value, without nulls.
fn all(expr: &ScalarExpr, row: &Row, now: i64) -> Vec<Cell> {
    let cells = match expr {
        ScalarExpr::Field(name) => row.values(name),
        other => vec![value(other, row, now)],
    };
    let items = cells.into_iter().flat_map(|cell| match cell {
        Cell::List(items) => items,
        single => vec![single],
    });
    items.filter(|cell| !cell.is_null()).collect()
}

fn binary(operator: BinaryOp, left: &ScalarExpr, right: &ScalarExpr, row: &Row, now: i64) -> Cell {
    let any = |fits: &dyn Fn(&Cell, &Cell) -> Option<bool>| {
        let mut outcomes = Vec::new();
        for a in all(left, row, now) {
            outcomes.extend(all(right, row, now).iter().filter_map(|b| fits(&a, b)));
        }
        (!outcomes.is_empty()).then(|| outcomes.contains(&true))
    };
    let ordered = |fits: fn(Ordering) -> bool| any(&|a, b| compare(a, b).map(fits));
    let outcome = match operator {
        BinaryOp::And | BinaryOp::Or => {
            let sides = [truth(&value(left, row, now)), truth(&value(right, row, now))];
            match operator {
                BinaryOp::And if sides.contains(&Some(false)) => Some(false),
                BinaryOp::Or if sides.contains(&Some(true)) => Some(true),
                _ if sides.contains(&None) => None,
                _ => Some(operator == BinaryOp::And),
            }
        }
        BinaryOp::Equal => any(&|a, b| Some(equal(a, b))),
        BinaryOp::NotEqual => any(&|a, b| Some(equal(a, b))).map(|equal| !equal),
        BinaryOp::Less => ordered(Ordering::is_lt),
        BinaryOp::LessOrEqual => ordered(Ordering::is_le),
        BinaryOp::Greater => ordered(Ordering::is_gt),
        BinaryOp::GreaterOrEqual => ordered(Ordering::is_ge),
        BinaryOp::Matches => any(&|a, b| matches(a, b)),
        BinaryOp::Join => {
            let texts = (value(left, row, now).to_text(), value(right, row, now).to_text());
            return if let (Some(a), Some(b)) = texts { Cell::Text(a + &b) } else { Cell::Null };
        }
        _ => return arithmetic(operator, &value(left, row, now), &value(right, row, now)),
    };
    outcome.map_or(Cell::Null, Cell::Bool)
}

fn equal(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Time(_), _) | (_, Cell::Time(_)) if a.time().is_some() && b.time().is_some() => a.time() == b.time(),
        _ => match (a.number(), b.number()) {
            (Some(a), Some(b)) => a == b,
            _ if a.float().is_some() && b.float().is_some() => a.float() == b.float(),
            _ => a.to_text().map(|text| fold(&text)) == b.to_text().map(|text| fold(&text)),
        },
    }
}

fn compare(a: &Cell, b: &Cell) -> Option<Ordering> {
    if matches!(a, Cell::Time(_)) || matches!(b, Cell::Time(_)) {
        return Some(a.time()?.cmp(&b.time()?));
    }
    match (a.float(), b.float()) {
        (Some(_), Some(_)) => return Some(sort_order(a, b)),
        (None, None) => {}
        _ => return None,
    }
    let (a, b) = (a.to_text()?, b.to_text()?);
    if let (Some(a), Some(b)) = (read_address(&a), read_address(&b)) {
        return Some(a.cmp(&b));
    }
    match (super::cell::read_time(&a), super::cell::read_time(&b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => Some(fold(&a).cmp(&fold(&b))),
    }
}

fn matches(text: &Cell, source: &Cell) -> Option<bool> {
    let (text, source) = (text.to_text()?, source.to_text()?);
    regex_syntax::parse(&source).ok().map(|_| filter::regex(&source, &text))
}

/// A number that needs more than 128 bits goes on as floating point.
fn bounded(number: Num) -> Cell {
    match number.significant() {
        0..=38 => Cell::Number(number),
        _ => Cell::Float(number.to_f64()),
    }
}

fn arithmetic(operator: BinaryOp, a: &Cell, b: &Cell) -> Cell {
    use BinaryOp as Op;
    match (operator, a, b) {
        (Op::Add, Cell::Time(time), shift) | (Op::Add, shift, Cell::Time(time)) => return moved(*time, shift, false),
        (Op::Subtract, Cell::Time(time), shift) if shift.float().is_some() => return moved(*time, shift, true),
        (Op::Subtract, Cell::Time(a), other) => {
            let Some(b) = other.time() else { return Cell::Null };
            return Cell::Number(Num::int(*a).sub(&Num::int(b)).mul(&Num::parse("1e-9").unwrap()));
        }
        _ => {}
    }
    if let (Some(a), Some(b)) = (a.number(), b.number()) {
        let outcome = match operator {
            Op::Add => Some(a.add(&b)),
            Op::Subtract => Some(a.sub(&b)),
            Op::Multiply => Some(a.mul(&b)),
            Op::Divide => a.div(&b),
            _ => a.rem(&b),
        };
        return outcome.map_or(Cell::Null, bounded);
    }
    let (Some(a), Some(b)) = (a.float(), b.float()) else { return Cell::Null };
    let outcome = match operator {
        Op::Add => a + b,
        Op::Subtract => a - b,
        Op::Multiply => a * b,
        Op::Divide => a / b,
        _ => a % b,
    };
    if outcome.is_finite() { Cell::Float(outcome) } else { Cell::Null }
}

fn moved(time: i64, seconds: &Cell, back: bool) -> Cell {
    let Some(seconds) = seconds.number() else { return Cell::Null };
    let nanos = seconds.mul(&Num::parse("1e9").unwrap()).round(0);
    let moved = if back { Num::int(time).sub(&nanos) } else { Num::int(time).add(&nanos) };
    moved.to_i64().map_or(Cell::Null, Cell::Time)
}

fn call(function: ScalarFunction, arguments: &[ScalarExpr], row: &Row, now: i64) -> Option<Cell> {
    use ScalarFunction as F;
    let values: Vec<Cell> = arguments.iter().map(|argument| value(argument, row, now)).collect();
    match function {
        F::If => return Some(values[if truth(&values[0]) == Some(true) { 1 } else { 2 }].clone()),
        F::Case => {
            for pair in values.chunks(2) {
                match pair {
                    [condition, chosen] if truth(condition) == Some(true) => return Some(chosen.clone()),
                    [otherwise] => return Some(otherwise.clone()),
                    _ => {}
                }
            }
            return None;
        }
        F::Coalesce => return values.into_iter().find(|value| !value.is_null()),
        F::IsNull => return Some(Cell::Bool(values[0].is_null())),
        F::Now => return Some(Cell::Time(now)),
        _ if values.contains(&Cell::Null) => return None,
        _ => {}
    }
    let text = |index: usize| values[index].to_text().unwrap();
    let folded = |index: usize| fold(&text(index));
    let whole = |index: usize| values[index].number().and_then(|number| number.to_i64());
    let chars = || text(0).chars().collect::<Vec<char>>();
    Some(match function {
        F::Len => Cell::count(chars().len()),
        F::Lower => Cell::Text(text(0).to_lowercase()),
        F::Upper => Cell::Text(text(0).to_uppercase()),
        F::Trim if values.len() == 1 => Cell::text(text(0).trim()),
        F::Trim => Cell::text(text(0).trim_matches(|c| text(1).contains(c))),
        F::Substr => {
            let (chars, start) = (chars(), whole(1)?);
            let length = if values.len() == 3 { whole(2)?.max(0) } else { i64::MAX };
            let first = if start < 0 { chars.len() as i64 + start } else { start - 1 }.max(0);
            let inside = |at: &(usize, char)| at.0 as i64 >= first && (at.0 as i64 - first) < length;
            Cell::Text(chars.into_iter().enumerate().filter(inside).map(|(_, c)| c).collect())
        }
        F::Split => {
            let separator = text(1);
            if separator.is_empty() {
                return None;
            }
            let mut parts: Vec<Cell> = text(0).split(&separator).map(Cell::text).collect();
            if values.len() == 2 {
                return Some(Cell::List(parts));
            }
            let position = whole(2)?;
            if position < 0 {
                parts = text(0).rsplit(&separator).map(Cell::text).collect();
            }
            let index = usize::try_from(position.unsigned_abs()).unwrap().checked_sub(1)?;
            parts.get(index)?.clone()
        }
        F::Replace => {
            let regex = regex::RegexBuilder::new(&text(1)).case_insensitive(true).build().ok()?;
            Cell::Text(regex.replace_all(&text(0), text(2).as_str()).into_owned())
        }
        F::Match => Cell::Bool(matches(&values[0], &values[1])?),
        F::Contains => Cell::Bool(folded(0).contains(&folded(1))),
        F::StartsWith => Cell::Bool(folded(0).starts_with(&folded(1))),
        F::EndsWith => Cell::Bool(folded(0).ends_with(&folded(1))),
        F::ToNumber => match &values[0] {
            Cell::Time(time) => Cell::Number(Num::int(*time).mul(&Num::parse("1e-9").unwrap())),
            Cell::Float(number) => Cell::Float(*number),
            other => Cell::Number(other.number()?),
        },
        F::ToString => Cell::Text(text(0)),
        F::Round | F::Floor | F::Ceil | F::Abs => {
            let digits = if values.len() == 2 { whole(1)? } else { 0 };
            rounded(function, &values[0], digits)?
        }
        F::Min => values.iter().min_by(|a, b| sort_order(a, b))?.clone(),
        F::Max => values.iter().max_by(|a, b| sort_order(a, b))?.clone(),
        F::Strftime => {
            let time = jiff::Timestamp::from_nanosecond(values[0].time()?.into()).ok()?;
            Cell::Text(jiff::fmt::strtime::format(text(1), &time.to_zoned(jiff::tz::TimeZone::UTC)).ok()?)
        }
        F::Strptime => {
            let parsed = jiff::fmt::strtime::parse(text(1), text(0)).ok()?;
            let time = match (parsed.to_timestamp(), parsed.to_datetime(), parsed.to_date()) {
                (Ok(time), ..) => time,
                (_, Ok(time), _) => time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(),
                (.., date) => date.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp(),
            };
            Cell::Time(i64::try_from(time.as_nanosecond()).ok()?)
        }
        F::CidrMatch => {
            let network = helios::query::language::Cidr::parse(&text(0))?;
            Cell::Bool(read_address(&text(1)).is_some_and(|address| filter::network_holds(&network, address)))
        }
        F::If | F::Case | F::Coalesce | F::IsNull | F::Now => unreachable!("answered above"),
    })
}

fn rounded(function: ScalarFunction, cell: &Cell, digits: i64) -> Option<Cell> {
    if let Cell::Float(number) = cell {
        let power = 10f64.powi(digits as i32);
        return Some(Cell::Float(match function {
            ScalarFunction::Round => (number * power).round() / power,
            ScalarFunction::Floor => number.floor(),
            ScalarFunction::Ceil => number.ceil(),
            _ => number.abs(),
        }));
    }
    let number = cell.number()?;
    Some(Cell::Number(match function {
        ScalarFunction::Round => number.round(digits),
        ScalarFunction::Floor => number.floor(0),
        ScalarFunction::Ceil => number.ceil(0),
        _ if number.compare(&Num::zero()).is_lt() => number.neg(),
        _ => number,
    }))
}
