//! The functions that need nothing but their arguments, none of which is null.

use super::ScalarFunction;
use crate::query::decimal::Rounding;
use crate::query::language::Cidr;
use crate::query::value::{Decimal, Number, Value, fold, read_address, sort_order};

/// The value of a call. `None` is null.
pub(super) fn call(function: ScalarFunction, values: &[Value]) -> Option<Value> {
    use ScalarFunction as Fun;
    let text = |index: usize| values[index].to_text();
    Some(match function {
        Fun::Len => Value::Number(Decimal::from(text(0)?.chars().count() as u64)),
        Fun::Lower => Value::Text(text(0)?.to_lowercase()),
        Fun::Upper => Value::Text(text(0)?.to_uppercase()),
        Fun::Trim => Value::Text(trim(&text(0)?, values.get(1))),
        Fun::Substr => Value::Text(substr(&text(0)?, &values[1..])?),
        Fun::Split => split(&text(0)?, &text(1)?, values.get(2))?,
        Fun::Contains => Value::Bool(fold(&text(0)?).contains(fold(&text(1)?).as_ref())),
        Fun::StartsWith => Value::Bool(fold(&text(0)?).starts_with(fold(&text(1)?).as_ref())),
        Fun::EndsWith => Value::Bool(fold(&text(0)?).ends_with(fold(&text(1)?).as_ref())),
        Fun::ToNumber => to_number(&values[0])?,
        Fun::ToString => Value::Text(text(0)?),
        Fun::Round => round(&values[0], values.get(1))?,
        Fun::Floor => whole(&values[0], Rounding::Floor, f64::floor)?,
        Fun::Ceil => whole(&values[0], Rounding::Ceil, f64::ceil)?,
        Fun::Abs => abs(&values[0])?,
        Fun::Min => values.iter().min_by(|a, b| sort_order(a, b))?.clone(),
        Fun::Max => values.iter().max_by(|a, b| sort_order(a, b))?.clone(),
        Fun::Strftime => Value::Text(strftime(values[0].to_time()?, &text(1)?)?),
        Fun::Strptime => Value::Time(strptime(&text(0)?, &text(1)?)?),
        Fun::CidrMatch => {
            let network = Cidr::parse(&text(0)?)?;
            Value::Bool(read_address(&text(1)?).is_some_and(|address| network.contains(address)))
        }
        Fun::If | Fun::Case | Fun::Coalesce | Fun::IsNull | Fun::Now | Fun::Match | Fun::Replace => {
            unreachable!("these see more than their arguments' values")
        }
    })
}

fn trim(text: &str, characters: Option<&Value>) -> String {
    match characters.and_then(Value::to_text) {
        None => text.trim().to_owned(),
        Some(characters) => text.trim_matches(|c| characters.contains(c)).to_owned(),
    }
}

/// A whole number that an argument says.
fn integer(value: &Value) -> Option<i64> {
    match value.to_number()? {
        Number::Exact(number) => number.to_i64(),
        Number::Float(_) => None,
    }
}

/// Characters from a position (1 is the first, -1 the last), at most so many. What lies outside of
/// the text is empty.
fn substr(text: &str, arguments: &[Value]) -> Option<String> {
    let start = integer(&arguments[0])?;
    let length = match arguments.get(1) {
        Some(length) => usize::try_from(integer(length)?).unwrap_or(0),
        None => usize::MAX,
    };
    let skipped = match start {
        0.. => usize::try_from(start).ok()?.saturating_sub(1),
        _ => text.chars().count().saturating_sub(usize::try_from(start.unsigned_abs()).ok()?),
    };
    Some(text.chars().skip(skipped).take(length).collect())
}

/// All parts, or one of them.
fn split(text: &str, separator: &str, position: Option<&Value>) -> Option<Value> {
    if separator.is_empty() {
        return None;
    }
    let mut parts = text.split(separator);
    let Some(position) = position else {
        return Some(Value::List(parts.map(Value::text).collect()));
    };
    let position = integer(position)?;
    let from_start = usize::try_from(position.unsigned_abs()).ok()?.checked_sub(1)?;
    let part = if position > 0 { parts.nth(from_start) } else { text.rsplit(separator).nth(from_start) };
    part.map(Value::text)
}

/// A number as it is, a time in seconds since 1970.
fn to_number(value: &Value) -> Option<Value> {
    match value {
        Value::Time(nanos) => Some(Value::Number(Decimal::new((*nanos).into(), -9))),
        other => other.to_number().map(Value::from),
    }
}

fn round(value: &Value, digits: Option<&Value>) -> Option<Value> {
    let digits = digits.map_or(Some(0), integer)?.clamp(-ROUND_DIGITS_MAX, ROUND_DIGITS_MAX) as i32;
    Some(match value.to_number()? {
        Number::Exact(number) => Value::Number(number.rounded(digits, Rounding::Nearest)),
        Number::Float(number) => {
            let power = 10f64.powi(digits);
            let rounded = (number * power).round() / power;
            // Where the power leaves the range, there are no digits to round at.
            Value::Float(if rounded.is_finite() { rounded } else { number })
        }
    })
}

fn whole(value: &Value, mode: Rounding, float: fn(f64) -> f64) -> Option<Value> {
    Some(match value.to_number()? {
        Number::Exact(number) => Value::Number(number.rounded(0, mode)),
        Number::Float(number) => Value::Float(float(number)),
    })
}

fn abs(value: &Value) -> Option<Value> {
    Some(match value.to_number()? {
        Number::Exact(number) if number < Decimal::ZERO => Value::Number(number.checked_neg()?),
        Number::Exact(number) => Value::Number(number),
        Number::Float(number) => Value::Float(number.abs()),
    })
}

fn strftime(nanos: i64, format: &str) -> Option<String> {
    let time = jiff::Timestamp::from_nanosecond(nanos.into()).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::strtime::format(format, &time).ok()
}

/// Without an offset in the text it is UTC; without a time of day midnight.
fn strptime(text: &str, format: &str) -> Option<i64> {
    let parsed = jiff::fmt::strtime::parse(format, text).ok()?;
    let time = parsed.to_timestamp().ok().or_else(|| {
        let civil = parsed.to_datetime().ok().or_else(|| Some(parsed.to_date().ok()?.at(0, 0, 0, 0)))?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    i64::try_from(time.as_nanosecond()).ok()
}

/// Digits after (or before) the point at which rounding still means something.
const ROUND_DIGITS_MAX: i64 = 1_100;
