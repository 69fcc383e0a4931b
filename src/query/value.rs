//! When two values are equal, which comes first, what a word is: the same for everybody.
//!
//! Texts that read as numbers are compared as numbers. Nothing here knows how a value was stored.

use std::cmp::Ordering;
use std::net::IpAddr;

pub use super::decimal::Decimal;
pub use crate::event::fold::{fold, fold_char};
use crate::event::time;

/// A value of a scalar expression or a cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An exact number.
    Number(Decimal),
    /// A finite number that is not exact: beyond 128 bits, or the outcome of a root.
    Float(f64),
    /// Nanoseconds since 1970.
    Time(i64),
    /// A text.
    Text(String),
    /// Several values: `values` and `list`.
    List(Vec<Value>),
}

impl Value {
    /// A number that is not exact; null if there is none such (infinite, or no number).
    pub fn float(number: f64) -> Self {
        if number.is_finite() { Self::Float(number) } else { Self::Null }
    }

    /// A field's value as sent: text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// It as text: times as RFC 3339 in UTC, lists with commas. `None` if it is nothing.
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Float(number) => print_float(*number),
            Self::Time(nanos) => print_time(*nanos),
            Self::Text(text) => text.clone(),
            Self::List(items) => items.iter().filter_map(Self::to_text).collect::<Vec<_>>().join(", "),
        })
    }

    /// It as a number, if it is one or a text that reads as one.
    pub fn to_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(Number::Exact(*number)),
            Self::Float(number) => Some(Number::Float(*number)),
            Self::Text(text) => Decimal::parse(text).map(Number::Exact),
            Self::Null | Self::Bool(_) | Self::Time(_) | Self::List(_) => None,
        }
    }

    /// It as a time: a time, or a text that reads as one.
    pub fn to_time(&self) -> Option<i64> {
        match self {
            Self::Time(nanos) => Some(*nanos),
            Self::Text(text) => read_time(text),
            Self::Number(number) => read_time(&number.to_string()),
            _ => None,
        }
    }
}

/// A number that is exact or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Exact.
    Exact(Decimal),
    /// Finite, and as near as 64 bits get.
    Float(f64),
}

impl Number {
    /// It as a floating point number.
    pub fn to_f64(self) -> f64 {
        match self {
            Self::Exact(number) => number.to_f64(),
            Self::Float(number) => number,
        }
    }

    /// Which is larger; exactly so if both are exact.
    pub fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b)) => a.cmp(&b),
            (a, b) => a.to_f64().total_cmp(&b.to_f64()),
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Exact(number) => Self::Number(number),
            Number::Float(number) => Self::float(number),
        }
    }
}

/// A query's text, read once in every way in which a value may be compared with it (rules 5 and 6).
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    /// The text, folded.
    pub folded: String,
    /// It as a number.
    pub number: Option<Decimal>,
    /// It as an IP address.
    pub address: Option<IpAddr>,
    /// It as a time. A plain number is one only for `timestamp`.
    pub time: Option<i64>,
}

impl Operand {
    /// Reads a text.
    pub fn new(text: &str) -> Self {
        Self {
            folded: fold(text).into_owned(),
            number: Decimal::parse(text),
            address: read_address(text),
            time: read_time(text),
        }
    }

    /// Rule 5: whether a value equals this, as numbers or folded.
    pub fn equals(&self, value: &str) -> bool {
        match (self.number, Decimal::parse(value)) {
            (Some(own), Some(value)) => own == value,
            _ => fold(value) == self.folded,
        }
    }

    /// Rule 6: where a value lies, seen from this bound. `None`: nowhere, since the bound is a number
    /// and the value is none.
    pub fn order_of(&self, value: &str) -> Option<Ordering> {
        let number = Decimal::parse(value);
        if let Some(own) = self.number {
            return number.map(|value| value.cmp(&own));
        }
        if let (Some(own), Some(value)) = (self.address, read_address(value)) {
            return Some(value.cmp(&own));
        }
        // A value that is a plain number is of no kind of time, whatever its magnitude.
        if let (Some(own), Some(value), None) = (self.time, read_time(value), number) {
            return Some(value.cmp(&own));
        }
        Some(fold(value).as_ref().cmp(self.folded.as_str()))
    }

    /// Rule 5 on `timestamp`: whether a time equals this, as times, or as printed if this is no time.
    pub fn equals_time(&self, nanos: i64) -> bool {
        self.order_of_time(nanos).is_eq()
    }

    /// Rule 6 on `timestamp`: where a time lies, seen from this bound. A bound that is no time is
    /// compared with the time as printed.
    pub fn order_of_time(&self, nanos: i64) -> Ordering {
        match self.time {
            Some(own) => nanos.cmp(&own),
            None => fold(&print_time(nanos)).as_ref().cmp(self.folded.as_str()),
        }
    }
}

/// The order of `sort` (rule 15): numbers (texts that read as numbers among them), times, texts,
/// lists, null. Texts folded, then as sent, so that only the same text is equal.
pub fn sort_order(a: &Value, b: &Value) -> Ordering {
    let (number_a, number_b) = (a.to_number(), b.to_number());
    if let (Some(a), Some(b)) = (number_a, number_b) {
        return a.compare(b);
    }
    sort_class(a, number_a).cmp(&sort_class(b, number_b)).then_with(|| match (a, b) {
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => {
            let firsts = a.iter().zip(b).map(|(a, b)| sort_order(a, b));
            firsts.into_iter().find(|order| order.is_ne()).unwrap_or(a.len().cmp(&b.len()))
        }
        (Value::Text(a), Value::Text(b)) => text_order(a, b),
        _ => text_order(&a.to_text().unwrap_or_default(), &b.to_text().unwrap_or_default()),
    })
}

/// The order of texts: folded, then as sent.
pub fn text_order(a: &str, b: &str) -> Ordering {
    fold(a).cmp(&fold(b)).then_with(|| a.cmp(b))
}

fn sort_class(value: &Value, number: Option<Number>) -> u8 {
    match value {
        _ if number.is_some() => 0,
        Value::Time(_) => 1,
        Value::Null => 4,
        Value::List(_) => 3,
        _ => 2,
    }
}

/// Reads an IP address; an IPv4 address written as `::ffff:a.b.c.d` is one.
pub fn read_address(text: &str) -> Option<IpAddr> {
    let maybe = text.len() <= ADDRESS_BYTES_MAX && text.bytes().any(|byte| matches!(byte, b'.' | b':'));
    if !maybe {
        return None;
    }
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Bytes of an IPv6 address in its longest form, with an IPv4 tail.
const ADDRESS_BYTES_MAX: usize = 45;

/// Reads a time in any form that events are read in. One without a year is put near 1970: the same
/// text is the same time whenever it is asked.
pub fn read_time(text: &str) -> Option<i64> {
    time::parse_time(text, 0)
}

/// A time as RFC 3339 in UTC.
pub fn print_time(nanos: i64) -> String {
    time::format_rfc3339(nanos)
}

/// A finite number with as many digits as bring it back, as JSON writes it.
fn print_float(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) { format!("{number:e}") } else { format!("{number}") }
}

/// Whether a character belongs to a word: letters, digits and `_`.
pub fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The words of a text, as they stand in it.
pub fn words(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split(|c| !is_word_char(c)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(bound: &str, value: &str) -> Option<Ordering> {
        Operand::new(bound).order_of(value)
    }

    #[test]
    fn rule_5_equality_is_folded_or_as_numbers() {
        let equals = |asked: &str, value: &str| Operand::new(asked).equals(value);
        assert!(equals("500", "500.0") && equals("5e2", "500"));
        assert!(equals("ERROR", "error") && equals("straẞe", "STRAßE"));
        assert!(!equals("ß", "ss") && !equals("500", "500 ") && !equals("", "0"));
        assert!(!equals(&format!("{}1", "0".repeat(2)), "2"));
        let long = "9".repeat(39);
        assert!(equals(&long, &long) && !equals(&long, &format!("{long}.0")));
    }

    #[test]
    fn rule_6_a_number_matches_no_text_and_addresses_and_times_have_their_order() {
        assert_eq!(order("1000", "999.9"), Some(Ordering::Less));
        assert_eq!(order("1000", "fast"), None);
        assert_eq!(order("10.0.0.9", "10.0.0.10"), Some(Ordering::Greater));
        assert_eq!(order("10.0.0.9", "host"), Some(Ordering::Greater));
        assert_eq!(order("::1", "::ffff:10.0.0.1"), Some(Ordering::Less));
        assert_eq!(order("2026-06-14T12:00:00+02:00", "2026-06-14 10:00:00"), Some(Ordering::Equal));
        assert_eq!(order("2026-06-14", "1000"), Some(Ordering::Less));
        assert_eq!(order("b", "A"), Some(Ordering::Less));
        assert_eq!(order("B", "b"), Some(Ordering::Equal));
        assert_eq!(Operand::new("1000").order_of_time(1_000_000_000_001), Ordering::Greater);
        assert_eq!(Operand::new("1970-01-01").order_of_time(0), Ordering::Equal);
    }

    #[test]
    fn rule_15_numbers_sort_before_text_and_null_last() {
        let mut values = vec![
            Value::Null,
            Value::text("b"),
            Value::text("10"),
            Value::Time(5),
            Value::text("B"),
            Value::Number(Decimal::from(9i64)),
            Value::Float(9.5),
            Value::text(""),
            Value::text("a"),
        ];
        values.sort_by(sort_order);
        let shown: Vec<String> = values.iter().map(|value| value.to_text().unwrap_or("null".into())).collect();
        assert_eq!(shown, ["9", "9.5", "10", "1970-01-01T00:00:00.000000005Z", "", "a", "B", "b", "null"]);
    }

    #[test]
    fn rule_4_a_word_is_a_run_of_letters_digits_and_underscores() {
        assert_eq!(words("a_1: 日本,x-y").collect::<Vec<_>>(), ["a_1", "日本", "x", "y"]);
    }
}
