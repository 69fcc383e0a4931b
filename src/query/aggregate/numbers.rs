//! Many numbers, for what needs all of them: ranks, and sums whose order matters.

use crate::query::decimal::Decimal;
use crate::query::language::aggregate::Percent;
use crate::query::value::{Number, Value};

/// Numbers, eight bytes each where they have one scale.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// Digits after the point of `scaled`.
    scale: u8,
    scaled: Vec<i64>,
    /// Those that do not fit.
    odd: Vec<Number>,
}

/// More digits after the point are kept one by one.
const SCALE_MAX: u8 = 18;

impl Numbers {
    pub(crate) fn push(&mut self, number: Number) {
        match number {
            Number::Exact(exact) => match self.scaled_value(exact) {
                Some(value) => self.scaled.push(value),
                None => self.odd.push(number),
            },
            Number::Float(_) => self.odd.push(number),
        }
    }

    /// Adds a number that is `value / 10^scale`.
    pub(crate) fn push_scaled(&mut self, value: i64, scale: u8) {
        if scale == self.scale {
            self.scaled.push(value);
        } else {
            self.push(Number::Exact(Decimal::new(i128::from(value), -i32::from(scale))));
        }
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        if other.scaled.len() > self.scaled.len() {
            std::mem::swap(self, &mut other);
        }
        self.scaled.reserve(other.scaled.len());
        for value in other.scaled {
            self.push_scaled(value, other.scale);
        }
        other.odd.into_iter().for_each(|number| self.push(number));
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.scaled.capacity() * 8 + self.odd.capacity() * size_of::<Number>()
    }

    /// The value at the nearest rank; null if there is none.
    pub(crate) fn percentile(&mut self, percent: Percent) -> Value {
        let count = self.scaled.len() + self.odd.len();
        if count == 0 {
            return Value::Null;
        }
        let rank = usize::try_from(percent.rank(count as u64)).expect("a rank is at most the count") - 1;
        if self.odd.is_empty() {
            let (_, value, _) = self.scaled.select_nth_unstable(rank);
            return Value::Number(Decimal::new(i128::from(*value), -i32::from(self.scale)));
        }
        let scale = -i32::from(self.scale);
        let scaled = self.scaled.iter().map(|&value| Number::Exact(Decimal::new(i128::from(value), scale)));
        let mut all: Vec<Number> = scaled.chain(self.odd.iter().copied()).collect();
        let (_, value, _) = all.select_nth_unstable_by(rank, |a, b| a.compare(*b));
        (*value).into()
    }

    /// The number in this scale; the scale grows if that is needed and all others stand it.
    fn scaled_value(&mut self, number: Decimal) -> Option<i64> {
        let digits = u8::try_from(-number.exponent().min(0)).ok().filter(|digits| *digits <= SCALE_MAX)?;
        if digits > self.scale {
            let factor = 10i64.checked_pow(u32::from(digits - self.scale))?;
            if self.scaled.iter().any(|value| value.checked_mul(factor).is_none()) {
                return None;
            }
            self.scaled.iter_mut().for_each(|value| *value *= factor);
            self.scale = digits;
        }
        let power = u32::try_from(number.exponent() + i32::from(self.scale)).ok()?;
        i64::try_from(number.mantissa().checked_mul(10i128.checked_pow(power)?)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(text: &str) -> Number {
        Number::Exact(Decimal::parse(text).unwrap())
    }

    #[test]
    fn rule_13_a_percentile_is_the_value_at_the_nearest_rank_whatever_the_digits() {
        let sets = [
            vec!["1", "2", "3", "4"],
            vec!["1.5", "10", "0.25", "1e3", "-7"],
            vec!["9223372036854775807", "0.1", "1e30", "-1e30", "5"],
            vec!["1e-30", "2"],
        ];
        for texts in sets {
            let mut sorted: Vec<Decimal> = texts.iter().map(|text| Decimal::parse(text).unwrap()).collect();
            sorted.sort();
            for (value, scale) in [(0, 0), (25, 0), (50, 0), (95, 0), (999, 1), (100, 0)] {
                let percent = Percent { value, scale };
                for cut in 0..texts.len() {
                    let (mut left, mut right) = (Numbers::default(), Numbers::default());
                    texts[..cut].iter().for_each(|text| left.push(exact(text)));
                    texts[cut..].iter().for_each(|text| right.push(exact(text)));
                    left.merge(right);
                    let wanted = sorted[percent.rank(sorted.len() as u64) as usize - 1];
                    assert_eq!(left.percentile(percent), Value::Number(wanted), "{texts:?} {percent:?} {cut}");
                }
            }
        }
        assert_eq!(Numbers::default().percentile(Percent::HALF), Value::Null);
    }
}
