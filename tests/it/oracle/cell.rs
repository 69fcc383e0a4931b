//! Values, and the few things everybody needs to know about a text.

use std::cmp::Ordering;
use std::net::IpAddr;

use helios::query::value::Value;

use super::number::Num;

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Number(Num),
    /// Not exact.
    Float(f64),
    /// Nanoseconds since 1970.
    Time(i64),
    Text(String),
    List(Vec<Cell>),
}

impl Cell {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn count(count: usize) -> Self {
        Self::Number(Num::int(count as i64))
    }

    pub(crate) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    pub(crate) fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Time(nanos) => print_time(*nanos),
            Self::Text(text) => text.clone(),
            Self::List(cells) => cells.iter().filter_map(Self::to_text).collect::<Vec<_>>().join(", "),
        })
    }

    /// It as an exact number.
    pub(crate) fn number(&self) -> Option<Num> {
        match self {
            Self::Number(number) => Some(number.clone()),
            Self::Text(text) => Num::parse(text),
            _ => None,
        }
    }

    /// It as any number.
    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            other => other.number().map(|number| number.to_f64()),
        }
    }

    pub(crate) fn time(&self) -> Option<i64> {
        match self {
            Self::Time(nanos) => Some(*nanos),
            Self::Text(text) => read_time(text),
            Self::Number(number) => read_time(&number.to_string()),
            _ => None,
        }
    }

    /// Whether the engine's value says the same: exactly, but for what was never exact.
    pub(crate) fn agrees(&self, value: &Value) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-9);
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::Number(a), Value::Number(b)) => {
                Num::parse(&b.to_string()).as_ref() == Some(a) || a.to_string() == b.to_string()
            }
            (Self::Float(a), Value::Float(b)) => near(*a, *b),
            (Self::Float(a), Value::Number(b)) => near(*a, b.to_f64()),
            // Beyond 128 bits the engine may go on with floating point; a mean of that has 20 digits here.
            (Self::Number(a), Value::Float(b)) => a.significant() >= 20 && near(a.to_f64(), *b),
            (Self::Time(a), Value::Time(b)) => a == b,
            (Self::Text(a), Value::Text(b)) => a == b,
            (Self::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.agrees(b)),
            _ => false,
        }
    }
}

/// Rule 15: numbers before text, null last; texts folded, then as sent.
pub(crate) fn sort_order(a: &Cell, b: &Cell) -> Ordering {
    let class = |cell: &Cell| match cell {
        cell if cell.float().is_some() => 0,
        Cell::Time(_) => 1,
        Cell::Null => 4,
        Cell::List(_) => 3,
        _ => 2,
    };
    class(a).cmp(&class(b)).then_with(|| match (a, b) {
        _ if class(a) == 0 => match (a.number(), b.number()) {
            (Some(a), Some(b)) => a.compare(&b),
            _ => a.float().unwrap().total_cmp(&b.float().unwrap()),
        },
        (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        (Cell::List(a), Cell::List(b)) => {
            let unequal = a.iter().zip(b).map(|(a, b)| sort_order(a, b)).find(|order| order.is_ne());
            unequal.unwrap_or(a.len().cmp(&b.len()))
        }
        _ => {
            let (a, b) = (a.to_text().unwrap_or_default(), b.to_text().unwrap_or_default());
            (fold(&a), a).cmp(&(fold(&b), b))
        }
    })
}

/// The order of values that are told apart as sent: as [`sort_order`], equal numbers by their text.
pub(crate) fn group_order(a: &Cell, b: &Cell) -> Ordering {
    sort_order(a, b).then_with(|| a.to_text().cmp(&b.to_text()))
}

/// Rule 2: Unicode simple case folding, no normalisation.
pub(crate) fn fold(text: &str) -> String {
    let fold_one =
        |c| unicode_case_mapping::case_folded(c).and_then(|folded| char::from_u32(folded.get())).unwrap_or(c);
    text.chars().map(fold_one).collect()
}

pub(crate) fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Rule 4: maximal runs of letters, digits and `_`.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in text.chars() {
        if in_word(c) {
            words.last_mut().unwrap().push(c);
        } else {
            words.push(String::new());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

pub(crate) fn read_address(text: &str) -> Option<IpAddr> {
    match text.parse().ok()? {
        IpAddr::V6(address) => Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)),
        v4 => Some(v4),
    }
}

/// The forms that the generator writes: RFC 3339, without offset, a date, an epoch.
pub(crate) fn read_time(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    if let Some(number) = Num::parse(text) {
        return epoch(&number);
    }
    let utc = |time: jiff::civil::DateTime| time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| utc(text.parse::<jiff::civil::DateTime>().ok()?))?;
    i64::try_from(time.as_nanosecond()).ok()
}

/// Seconds below 10^11, milliseconds below 10^14, microseconds below 10^17, else nanoseconds.
fn epoch(number: &Num) -> Option<i64> {
    let size = number.to_f64().abs();
    let power = [(1e11, "1e9"), (1e14, "1e6"), (1e17, "1e3")].into_iter().find(|(limit, _)| size < *limit);
    let factor = Num::parse(power.map_or("1", |(_, factor)| factor)).unwrap();
    number.mul(&factor).floor(0).to_i64()
}

/// RFC 3339 in UTC with 0, 3, 6 or 9 digits of a fraction.
pub(crate) fn print_time(nanos: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(nanos.into()).unwrap();
    let digits = match nanos.rem_euclid(1_000_000_000) {
        0 => 0,
        fraction if fraction % 1_000_000 == 0 => 3,
        fraction if fraction % 1_000 == 0 => 6,
        _ => 9,
    };
    format!("{time:.digits$}")
}

#[test]
fn times_are_shown_with_three_digits_at_a_time() {
    assert_eq!(print_time(1_781_431_200_000_000_000), "2026-06-14T10:00:00Z");
    assert_eq!(print_time(1_781_431_200_500_000_000), "2026-06-14T10:00:00.500Z");
    assert_eq!(print_time(1_781_431_200_000_000_001), "2026-06-14T10:00:00.000000001Z");
    assert_eq!(read_time("2026-06-14 10:00:00"), Some(1_781_431_200_000_000_000));
    assert_eq!(read_time("1781431200.5"), Some(1_781_431_200_500_000_000));
    assert_eq!(read_time("2026-06-14"), Some(1_781_395_200_000_000_000));
    assert_eq!(read_time("soon"), None);
}
