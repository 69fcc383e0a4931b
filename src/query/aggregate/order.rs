//! The order of groups in a table, for many of them: what comparing two values looks at is worked out once
//! for each value and not once for each comparison.

use std::cmp::Ordering;

use crate::query::value::{Number, Value, fold, sort_order};

/// A value in the order of `sort`, then of the texts as sent: `500` and `500.0` are two groups.
#[derive(Debug)]
pub(super) struct Ordered {
    number: Option<Number>,
    /// Of a text that is no number.
    folded: Option<String>,
    pub(super) value: Value,
}

impl Ordered {
    pub(super) fn new(value: Value) -> Self {
        let number = value.to_number();
        let folded = match (&value, number) {
            (Value::Text(text), None) => Some(fold(text).into()),
            _ => None,
        };
        Self { number, folded, value }
    }

    fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = match (&self.folded, &other.folded, self.number, other.number) {
            (Some(own), Some(others), ..) => own.cmp(others),
            (_, _, Some(own), Some(others)) => own.compare(others),
            _ => sort_order(&self.value, &other.value),
        };
        order.then_with(|| match (self.text(), other.text()) {
            (Some(own), Some(others)) => own.cmp(others),
            _ => self.value.to_text().cmp(&other.value.to_text()),
        })
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

/// A value in descending order of `sort`, null last.
#[derive(Debug)]
pub(super) struct Descending(pub(super) Ordered);

impl Descending {
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self.0.value.is_null(), other.0.value.is_null()) {
            (false, false) => match (self.0.number, other.0.number) {
                (Some(own), Some(others)) => others.compare(own),
                _ => sort_order(&other.0.value, &self.0.value),
            },
            (own, others) => own.cmp(&others),
        }
    }
}

/// Leaves the first `wanted` in the order of `compare`, and those that are equal to the last of them.
pub(super) fn keep_first<T>(items: &mut Vec<T>, wanted: usize, compare: impl Fn(&T, &T) -> Ordering) {
    if wanted == 0 {
        items.clear();
    } else if wanted < items.len() {
        let (_, last, rest) = items.select_nth_unstable_by(wanted - 1, &compare);
        // The equal ones come to the front of the rest.
        let mut equal = 0;
        for at in 0..rest.len() {
            if compare(&rest[at], last).is_eq() {
                rest.swap(equal, at);
                equal += 1;
            }
        }
        items.truncate(wanted + equal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::decimal::Decimal;

    fn values() -> Vec<Value> {
        let texts = ["a", "B", "b", "A", "10", "9", "9.0", "", "1e1", "ä", "Z", "zz", "true", "-3"];
        let mut values: Vec<Value> = texts.iter().map(|text| Value::text(*text)).collect();
        values.extend([Value::Null, Value::Bool(true), Value::Float(9.5), Value::Time(7)]);
        values.push(Value::Number(Decimal::from(9u64)));
        values.push(Value::List(vec![Value::text("a"), Value::text("b")]));
        values
    }

    #[test]
    fn the_order_is_that_of_sort_and_then_of_the_texts() {
        for a in values() {
            for b in values() {
                let plain = sort_order(&a, &b).then_with(|| a.to_text().cmp(&b.to_text()));
                assert_eq!(Ordered::new(a.clone()).cmp(&Ordered::new(b.clone())), plain, "{a:?} {b:?}");
                let falling = match (a.is_null(), b.is_null()) {
                    (false, false) => sort_order(&b, &a),
                    (a, b) => a.cmp(&b),
                };
                let descending = |value: &Value| Descending(Ordered::new(value.clone()));
                assert_eq!(descending(&a).compare(&descending(&b)), falling, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn the_first_are_kept_with_their_equals() {
        let numbers = [5, 1, 3, 3, 9, 3, 2, 1];
        for wanted in 0..=numbers.len() + 1 {
            let mut kept = numbers.to_vec();
            keep_first(&mut kept, wanted, Ord::cmp);
            kept.sort_unstable();
            let mut sorted = numbers.to_vec();
            sorted.sort_unstable();
            let last = sorted.get(wanted.wrapping_sub(1)).copied();
            let all = wanted > numbers.len();
            let expected: Vec<i32> =
                sorted.into_iter().filter(|n| all || last.is_some_and(|last| *n <= last)).collect();
            assert_eq!(kept, expected, "{wanted}");
        }
    }
}
