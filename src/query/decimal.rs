//! Exact decimal numbers: what a number in a log says, not the nearest binary fraction.

use std::cmp::Ordering;
use std::fmt;

/// Significant digits of a number that is read. More are text: they could not be compared exactly.
pub const DIGITS_MAX: u32 = 38;
/// Largest power of ten of a number that is read, either way. Bounds what printing may cost.
pub const EXPONENT_MAX: i32 = 1_000;
/// Significant digits of a quotient that has no end.
pub const QUOTIENT_DIGITS: u32 = 20;

/// An exact decimal number: `mantissa * 10^exponent`.
///
/// **Invariant.** The mantissa does not end in a zero digit, unless it is 0; then the exponent is 0.
/// So equal numbers are equal member by member.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    /// `mantissa * 10^exponent`. Costs one division for each zero that the mantissa ends in.
    pub fn new(mantissa: i128, exponent: i32) -> Self {
        if mantissa == 0 {
            return Self::ZERO;
        }
        let (mut mantissa, mut exponent) = (mantissa, exponent);
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    /// Its digits, without trailing zeros.
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// The power of ten that the mantissa is multiplied with.
    pub fn exponent(self) -> i32 {
        self.exponent
    }

    /// Reads a number as JSON writes it, leading zeros allowed. `None`: it is text, has more than
    /// [`DIGITS_MAX`] significant digits, or lies beyond [`EXPONENT_MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let negative = bytes.first() == Some(&b'-');
        let mut at = usize::from(negative);
        // Most values are no numbers, and most of those show it in their first byte.
        if !bytes.get(at)?.is_ascii_digit() {
            return None;
        }
        let mut digits = Digits::default();
        at += digits.take(&bytes[at..], false)?;
        if bytes.get(at) == Some(&b'.') {
            let taken = digits.take(&bytes[at + 1..], true)?;
            at += 1 + taken;
            if taken == 0 {
                return None;
            }
        }
        let exponent = match bytes.get(at) {
            None => 0,
            Some(b'e' | b'E') => read_exponent(&bytes[at + 1..])?,
            Some(_) => return None,
        };
        digits.finish(negative, exponent)
    }

    /// The sum; `None` if it needs more than 128 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (low, high) = if self.exponent <= other.exponent { (self, other) } else { (other, self) };
        if high.mantissa == 0 {
            return Some(low);
        }
        if low.mantissa == 0 {
            return Some(high);
        }
        let shift = u32::try_from(high.exponent.checked_sub(low.exponent)?).ok()?;
        let scaled = high.mantissa.checked_mul(10i128.checked_pow(shift)?)?;
        Some(Self::new(scaled.checked_add(low.mantissa)?, low.exponent))
    }

    /// The difference; `None` if it needs more than 128 bits.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(other.checked_neg()?)
    }

    /// The product; `None` if it needs more than 128 bits.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.checked_add(other.exponent)?;
        Some(Self::new(self.mantissa.checked_mul(other.mantissa)?, exponent))
    }

    /// The quotient: exact if it ends within [`DIGITS_MAX`] digits, else [`QUOTIENT_DIGITS`] digits,
    /// halves away from zero. `None` if `other` is 0.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        if other.mantissa == 0 {
            return None;
        }
        let negative = (self.mantissa < 0) != (other.mantissa < 0);
        let exponent = self.exponent.checked_sub(other.exponent)?;
        let (quotient, shift) = divide(self.mantissa.unsigned_abs(), other.mantissa.unsigned_abs());
        let quotient = i128::try_from(quotient).ok()?;
        Some(Self::new(if negative { -quotient } else { quotient }, exponent.checked_sub(shift)?))
    }

    /// What is left of dividing towards zero; it has the sign of `self`. `None` if `other` is 0 or the
    /// two are too far apart for 128 bits.
    pub fn checked_rem(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let scaled = |number: Self| {
            let shift = u32::try_from(number.exponent.checked_sub(exponent)?).ok()?;
            number.mantissa.checked_mul(10i128.checked_pow(shift)?)
        };
        scaled(self)?.checked_rem(scaled(other)?).map(|rest| Self::new(rest, exponent))
    }

    /// The number with the other sign.
    pub fn checked_neg(self) -> Option<Self> {
        Some(Self { mantissa: self.mantissa.checked_neg()?, exponent: self.exponent })
    }

    /// The number rounded to `digits` after the point.
    pub fn rounded(self, digits: i32, mode: Rounding) -> Self {
        let dropped = i64::from(self.exponent) + i64::from(digits);
        let Ok(dropped) = u32::try_from(-dropped) else { return self };
        let Some(divisor) = 10i128.checked_pow(dropped) else {
            // More is dropped than there are digits: what is left is less than half a unit.
            let unit = match mode {
                Rounding::Floor if self.mantissa < 0 => -1,
                Rounding::Ceil if self.mantissa > 0 => 1,
                _ => 0,
            };
            return Self::new(unit, -digits);
        };
        let (floor, rest) = (self.mantissa.div_euclid(divisor), self.mantissa.rem_euclid(divisor));
        let up = match mode {
            Rounding::Floor => false,
            Rounding::Ceil => rest != 0,
            Rounding::Nearest if self.mantissa < 0 => rest > divisor / 2,
            Rounding::Nearest => rest >= divisor - divisor / 2,
        };
        Self::new(floor + i128::from(up), -digits)
    }

    /// The nearest 64-bit floating point number; infinite beyond its range.
    pub fn to_f64(self) -> f64 {
        match (i64::try_from(self.mantissa), self.exponent) {
            // Both parts are exact, so the outcome is correctly rounded.
            (Ok(mantissa), 0..=22) if mantissa.unsigned_abs() <= 1 << 53 => mantissa as f64 * 10f64.powi(self.exponent),
            _ => format!("{}e{}", self.mantissa, self.exponent).parse().expect("digits and an exponent are a number"),
        }
    }

    /// As a whole number, if it is one and fits.
    pub fn to_i64(self) -> Option<i64> {
        let power = 10i128.checked_pow(u32::try_from(self.exponent).ok()?)?;
        i64::try_from(self.mantissa.checked_mul(power)?).ok()
    }
}

/// Which way to round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rounding {
    /// Down.
    Floor,
    /// Up.
    Ceil,
    /// To the nearest, halves away from zero.
    Nearest,
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self::new(number.into(), 0)
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self::new(number.into(), 0)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.mantissa, other.mantissa);
        if self.exponent == other.exponent || a.signum() != b.signum() || a == 0 {
            return a.cmp(&b);
        }
        let size = |number: &Self| i64::from(number.mantissa.unsigned_abs().ilog10()) + i64::from(number.exponent);
        let by_size = size(self).cmp(&size(other)).then_with(|| {
            // As many digits before the point: at most 38 zeros bring both to one exponent.
            let shift = self.exponent.abs_diff(other.exponent);
            if self.exponent > other.exponent {
                compare_shifted(a.unsigned_abs(), shift, b.unsigned_abs())
            } else {
                compare_shifted(b.unsigned_abs(), shift, a.unsigned_abs()).reverse()
            }
        });
        if a < 0 { by_size.reverse() } else { by_size }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Prints digits without an exponent while that takes at most `PLAIN_ZEROS_MAX` added zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let point = digits.len() as i64 + i64::from(self.exponent);
        if self.exponent >= 0 && self.exponent <= PLAIN_ZEROS_MAX {
            return write!(f, "{sign}{digits}{}", "0".repeat(self.exponent.unsigned_abs() as usize));
        }
        if self.exponent < 0 && point > 0 {
            let (whole, fraction) = digits.split_at(usize::try_from(point).expect("it is above zero"));
            return write!(f, "{sign}{whole}.{fraction}");
        }
        if self.exponent < 0 && point > -i64::from(PLAIN_ZEROS_MAX) {
            return write!(f, "{sign}0.{}{digits}", "0".repeat(usize::try_from(-point).expect("it is not above zero")));
        }
        let (first, others) = digits.split_at(1);
        let dot = if others.is_empty() { "" } else { "." };
        write!(f, "{sign}{first}{dot}{others}e{}", point - 1)
    }
}

/// Digits met while reading.
#[derive(Default)]
struct Digits {
    mantissa: i128,
    significant: u32,
    /// Zeros held back: they count only if another digit follows.
    zeros: u32,
    scale: i32,
}

impl Digits {
    /// Takes digits at the start and says how many. `None`: too many to be a number.
    fn take(&mut self, bytes: &[u8], fraction: bool) -> Option<usize> {
        let mut taken = 0;
        for &byte in bytes.iter().take_while(|byte| byte.is_ascii_digit()) {
            taken += 1;
            self.scale = self.scale.checked_add(i32::from(fraction))?;
            match byte - b'0' {
                0 if self.significant == 0 => {}
                0 => self.zeros += 1,
                digit => self.push(digit)?,
            }
        }
        Some(taken)
    }

    fn push(&mut self, digit: u8) -> Option<()> {
        let added = if self.significant == 0 { 1 } else { self.zeros.checked_add(1)? };
        self.significant = self.significant.checked_add(added).filter(|&count| count <= DIGITS_MAX)?;
        self.mantissa = self.mantissa.checked_mul(10i128.checked_pow(added)?)?.checked_add(digit.into())?;
        self.zeros = 0;
        Some(())
    }

    fn finish(self, negative: bool, exponent: i32) -> Option<Decimal> {
        if self.mantissa == 0 {
            return Some(Decimal::ZERO);
        }
        let held_back = i32::try_from(self.zeros).ok()?;
        let exponent = exponent.checked_sub(self.scale)?.checked_add(held_back)?;
        if exponent.abs() > EXPONENT_MAX {
            return None;
        }
        Some(Decimal { mantissa: if negative { -self.mantissa } else { self.mantissa }, exponent })
    }
}

fn read_exponent(bytes: &[u8]) -> Option<i32> {
    let (negative, digits) = match bytes.split_first()? {
        (b'-', digits) => (true, digits),
        (b'+', digits) => (false, digits),
        _ => (false, bytes),
    };
    if digits.is_empty() || digits.len() > EXPONENT_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, byte| value * 10 + i32::from(byte - b'0'));
    Some(if negative { -value } else { value })
}

/// The digits of `a / b` and how many of them stand after the point.
fn divide(a: u128, b: u128) -> (u128, i32) {
    let limit = 10u128.pow(DIGITS_MAX - 1);
    let (mut quotient, mut rest, mut shift) = (a / b, a % b, 0);
    while rest != 0 && quotient < limit {
        // Ten times the rest would not fit in 128 bits, so it is added up, less b whenever it can be.
        let (mut digit, mut sum) = (0, 0);
        for _ in 0..10 {
            sum += rest;
            if sum >= b {
                sum -= b;
                digit += 1;
            }
        }
        (quotient, rest, shift) = (quotient * 10 + digit, sum, shift + 1);
    }
    if rest == 0 {
        return (quotient, shift);
    }
    let divisor = 10u128.pow((quotient.ilog10() + 1).saturating_sub(QUOTIENT_DIGITS));
    let (kept, dropped) = (quotient / divisor, quotient % divisor);
    (kept + u128::from(divisor > 1 && dropped >= divisor / 2), shift - divisor.ilog10() as i32)
}

/// Compares `a * 10^shift` with `b`.
fn compare_shifted(a: u128, shift: u32, b: u128) -> Ordering {
    match 10u128.checked_pow(shift).and_then(|power| a.checked_mul(power)) {
        Some(scaled) => scaled.cmp(&b),
        None => Ordering::Greater,
    }
}

/// Zeros that printing adds rather than an exponent.
const PLAIN_ZEROS_MAX: i32 = 40;
/// Digits of an exponent that is read, leading zeros included.
const EXPONENT_DIGITS_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn rule_6_numbers_are_equal_however_they_are_written() {
        for text in ["500", "500.0", "5e2", "0500", "5E+2", "50000e-2", "500.000"] {
            assert_eq!(number(text), number("500"), "{text}");
        }
        assert_eq!(number("-0.0"), Decimal::ZERO);
        assert_eq!(number("0e999999"), Decimal::ZERO);
    }

    #[test]
    fn rule_6_at_most_38_digits_are_a_number_and_more_are_text() {
        assert_eq!(number(&"9".repeat(38)).to_string(), "9".repeat(38));
        assert_eq!(Decimal::parse(&"9".repeat(39)), None);
        assert_eq!(number(&format!("0.{}1", "0".repeat(37))).exponent(), -38);
        assert_eq!(number(&format!("1{}", "0".repeat(60))), number("1e60"));
        for text in [
            "",
            "-",
            "+5",
            ".5",
            "5.",
            "5e",
            "5e+",
            "1e1001",
            "1e99999999999",
            "0x10",
            "1_000",
            " 5",
            "5 ",
            "NaN",
            "--5",
            "1.2.3",
            "٣",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn order_is_exact_where_floating_point_would_lie() {
        let ascending = [
            "-1e1000",
            "-9007199254740993",
            "-9007199254740992",
            "-0.1",
            "-1e-999",
            "0",
            "1e-999",
            "0.1",
            "0.10000000000000000001",
            "0.3",
            "1",
            "9.99",
            "10",
            "99999999999999999999999999999999999999",
            "1e38",
            "1e1000",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(number(a).cmp(&number(b)), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn sums_and_products_are_exact_or_refused() {
        assert_eq!(number("0.1").checked_add(number("0.2")), Some(number("0.3")));
        assert_eq!(number("1e20").checked_add(number("1e-10")), Some(number("100000000000000000000.0000000001")));
        assert_eq!(number("1e30").checked_add(number("1e-30")), None);
        assert_eq!(number("1e1000").checked_add(Decimal::ZERO), Some(number("1e1000")));
        assert_eq!(number("1.5").checked_mul(number("-4")), Some(number("-6")));
        assert_eq!(number("7.5").checked_rem(number("-2")), Some(number("1.5")));
        assert_eq!(number("-7").checked_rem(number("2")), Some(number("-1")));
        assert_eq!(number("1").checked_rem(Decimal::ZERO), None);
    }

    #[test]
    fn a_quotient_is_exact_if_it_ends_and_has_20_digits_if_not() {
        let quotient = |a, b| number(a).checked_div(number(b)).map(|q| q.to_string());
        assert_eq!(quotient("1", "0"), None);
        assert_eq!(quotient("1", "8").unwrap(), "0.125");
        assert_eq!(quotient("-6", "4").unwrap(), "-1.5");
        assert_eq!(quotient("1", "3").unwrap(), "0.33333333333333333333");
        assert_eq!(quotient("2", "3").unwrap(), "0.66666666666666666667");
        assert_eq!(quotient("200", "3").unwrap(), "66.666666666666666667");
        assert_eq!(
            quotient("12345678901234567890123456789012345678", "1").unwrap(),
            "12345678901234567890123456789012345678"
        );
    }

    #[test]
    fn rounding_takes_halves_away_from_zero() {
        let round = |text, digits| number(text).rounded(digits, Rounding::Nearest).to_string();
        assert_eq!(round("2.5", 0), "3");
        assert_eq!(round("-2.5", 0), "-3");
        assert_eq!(round("2.4999", 0), "2");
        assert_eq!(round("-2.4999", 0), "-2");
        assert_eq!(round("1.005", 2), "1.01");
        assert_eq!(round("1250", -2), "1300");
        assert_eq!(round("1e-900", 2), "0");
        assert_eq!(round("0.099999999999999999999999999999999999999", 0), "0");
        assert_eq!(round("0.0999999999999999999999999999999999999", -1), "0");
        assert_eq!(round("99999999999999999999999999999999999999e-39", 0), "0");
        assert_eq!(round("99999999999999999999999999999999999999e-38", 0), "1");
        assert_eq!(number("-1.2").rounded(0, Rounding::Floor), number("-2"));
        assert_eq!(number("-1.2").rounded(0, Rounding::Ceil), number("-1"));
        assert_eq!(number("1e-900").rounded(0, Rounding::Ceil), number("1"));
    }

    #[test]
    fn what_is_printed_reads_back() {
        for text in [
            "0",
            "-1",
            "0.001",
            "123.456",
            "1e300",
            "-1.5e-300",
            "12345678901234567890123456789012345678",
            "1e40",
            "1e41",
        ] {
            assert_eq!(number(&number(text).to_string()), number(text), "{text}");
        }
        assert_eq!(number("1500").to_string(), "1500");
        assert_eq!(number("-0.0015").to_string(), "-0.0015");
        assert_eq!(number("1.5e300").to_string(), "1.5e300");
        for text in ["0.1", "1500.5", "-3.25e-20", "123456789.123456789", "9007199254740993"] {
            assert_eq!(number(text).to_f64(), text.parse::<f64>().unwrap(), "{text}");
        }
        assert_eq!(number("1.7976931348623157e308").to_f64(), f64::MAX);
    }
}
