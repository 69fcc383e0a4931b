//! Tests of one field's values, on all entries of a column at once.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr};

use super::bitmap::Bitmap;
use super::needle::Needle;
use super::templates;
use super::text::{TextTest, equals_folded};
use crate::block::footer::Bounds;
use crate::block::{Form, Templated, Texts, Values};
use crate::query::decimal::Decimal;
use crate::query::language::{Bound, Cidr, FieldTest, regex};
use crate::query::value::{Operand, fold, fold_char, read_address};

/// A test of a value, ready to run.
#[derive(Clone, Debug)]
pub(crate) enum ValueTest {
    /// Equals this, folded or as a number.
    Equals(Operand),
    /// Fits as text.
    Text(Box<TextTest>),
    /// Lies between these.
    Range(Limit, Limit),
    /// Is an address in this network.
    Cidr(Cidr),
    /// Any value.
    Present,
}

/// One end of a range.
#[derive(Clone, Debug)]
pub(crate) enum Limit {
    /// None.
    Open,
    /// With what the value is compared, and whether it itself fits.
    At {
        /// The bound.
        bound: Operand,
        /// Whether it fits.
        inclusive: bool,
    },
}

impl ValueTest {
    /// Makes a test of the tree ready.
    ///
    /// # Errors
    /// In one sentence: a pattern is too long to be compiled.
    pub(crate) fn new(test: &FieldTest) -> Result<Self, String> {
        let text = |test: Result<TextTest, String>| Ok(Self::Text(Box::new(test?)));
        match test {
            FieldTest::Equals(text) => Ok(Self::Equals(Operand::new(text))),
            FieldTest::Words(words) => text(TextTest::words(words)),
            FieldTest::Contains(part) => text(TextTest::contains(part)),
            FieldTest::Pattern(pattern) => text(TextTest::whole(pattern)),
            FieldTest::Regex(source) => text(TextTest::regex(source, regex::compile(source)?)),
            FieldTest::Range { low, high } => Ok(Self::Range(Limit::new(low), Limit::new(high))),
            FieldTest::Cidr(cidr) => Ok(Self::Cidr(*cidr)),
            FieldTest::Present => Ok(Self::Present),
        }
    }

    /// Whether a value fits.
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Equals(operand) => equals(operand, text),
            Self::Text(test) => test.fits(text),
            Self::Range(low, high) => low.is_below(text) && high.is_above(text),
            Self::Cidr(cidr) => read_address(text).is_some_and(|address| in_network(cidr, address)),
            Self::Present => true,
        }
    }

    /// Whether a time fits, as the member `timestamp`.
    pub(crate) fn fits_time(&self, time_ns: i64, printed: &mut impl FnMut(i64) -> String) -> bool {
        match self {
            Self::Equals(operand) => operand.order_of_time(time_ns).is_eq(),
            Self::Range(low, high) => {
                low.holds_order(|bound| bound.order_of_time(time_ns), Ordering::Greater)
                    && high.holds_order(|bound| bound.order_of_time(time_ns), Ordering::Less)
            }
            Self::Present => true,
            Self::Text(_) | Self::Cidr(_) => self.fits(&printed(time_ns)),
        }
    }

    /// Whether a number of a column of these bounds may fit.
    pub(crate) fn may_fit_numbers(&self, form: Form, bounds: Bounds) -> bool {
        if !matches!(form, Form::Integers | Form::Decimals) {
            return true;
        }
        let decimal = |value: i64| Decimal::new(i128::from(value), -i32::from(bounds.scale));
        let (min, max) = (decimal(bounds.min), decimal(bounds.max));
        match self {
            Self::Equals(operand) => operand.number.is_some_and(|number| min <= number && number <= max),
            Self::Range(low, high) => {
                let above = match low.number() {
                    Some(Some((low, _))) => low <= max,
                    _ => true,
                };
                let below = match high.number() {
                    Some(Some((high, _))) => high >= min,
                    _ => true,
                };
                above && below
            }
            Self::Cidr(_) => false,
            Self::Text(_) | Self::Present => true,
        }
    }

    /// The entries that fit.
    pub(crate) fn entries(&self, values: &Values) -> Bitmap {
        let len = u32::try_from(values.len()).expect("a column has fewer than 2^32 entries");
        if let Self::Present = self {
            return Bitmap::all(len);
        }
        if let Some(fitting) = self.entries_typed(values, len) {
            return fitting;
        }
        match self {
            Self::Text(test) => test.entries(values),
            _ => self.entries_one_by_one(values, len),
        }
    }

    fn entries_one_by_one(&self, values: &Values, len: u32) -> Bitmap {
        let mut scratch = Vec::new();
        Bitmap::from_fn(len, |index| self.fits(values.text(index as usize, &mut scratch)))
    }

    /// The entries that fit, where the typed form answers without making text.
    fn entries_typed(&self, values: &Values, len: u32) -> Option<Bitmap> {
        match (self, values) {
            (Self::Equals(operand), Values::Integers(own)) => {
                let wanted = operand.number.and_then(Decimal::to_i64);
                Some(wanted.map_or_else(|| Bitmap::none(len), |wanted| which(own, |&value| value == wanted)))
            }
            (Self::Equals(operand), Values::Decimals { values: own, scale }) => {
                let wanted = operand.number.and_then(|number| scaled(number, *scale)).filter(|(_, exact)| *exact);
                Some(
                    wanted.map_or_else(
                        || Bitmap::none(len),
                        |(wanted, _)| which(own, |&value| i128::from(value) == wanted),
                    ),
                )
            }
            (Self::Equals(operand), Values::Hex { bytes, width, hyphens: false, .. }) if operand.number.is_none() => {
                let width = usize::from(*width);
                let Some(wanted) = read_hex(&operand.folded).filter(|wanted| wanted.len() == width) else {
                    return Some(Bitmap::none(len));
                };
                Some(Bitmap::from_fn(len, |index| bytes[index as usize * width..][..width] == *wanted))
            }
            (Self::Equals(operand), Values::Ipv4(own)) => {
                let wanted: Option<Ipv4Addr> = operand.folded.parse().ok();
                let wanted = wanted.filter(|wanted| wanted.to_string() == operand.folded).map(u32::from);
                Some(wanted.map_or_else(|| Bitmap::none(len), |wanted| which(own, |&value| value == wanted)))
            }
            (Self::Equals(operand), Values::Affixed { prefix, values: own, suffix, .. })
                if operand.number.is_none() =>
            {
                let number = affixed_number(operand, prefix, suffix);
                let Some(number) = number else { return Some(Bitmap::none(len)) };
                // The number of digits must fit too: the few that are left are compared as text.
                let mut fitting = which(own, |&value| value == number);
                let mut scratch = Vec::new();
                let wrong: Vec<u32> =
                    fitting.iter().filter(|&index| !self.fits(values.text(index as usize, &mut scratch))).collect();
                fitting.and_not(&wrong.into_iter().fold(Bitmap::none(len), |mut set, index| {
                    set.insert(index);
                    set
                }));
                Some(fitting)
            }
            (Self::Range(low, high), Values::Integers(own)) => range_of_numbers(low, high, own, 0),
            (Self::Range(low, high), Values::Decimals { values: own, scale }) => {
                range_of_numbers(low, high, own, *scale)
            }
            (Self::Cidr(cidr), Values::Ipv4(own)) => {
                Some(which(own, |&value| in_network(cidr, IpAddr::V4(Ipv4Addr::from(value)))))
            }
            (Self::Cidr(_), Values::Integers(_) | Values::Decimals { .. }) => Some(Bitmap::none(len)),
            (_, Values::Templated(texts)) => self.entries_templated(texts),
            _ => None,
        }
    }

    /// As [`ValueTest::entries_typed`], of templates: a text that is all of a kind has no literal that is
    /// not of that kind.
    fn entries_templated(&self, texts: &Templated) -> Option<Bitmap> {
        let of_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let of_address = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
        let fits = |text: &str| self.fits(text);
        match self {
            Self::Equals(operand) if operand.number.is_some() => Some(templates::fitting_of(texts, of_number, fits)),
            Self::Equals(operand) => Needle::new(&operand.folded).ok().map(|needle| templates::equal(&needle, texts)),
            Self::Range(low, high) if low.is_number() || high.is_number() => {
                Some(templates::fitting_of(texts, of_number, fits))
            }
            Self::Cidr(_) => Some(templates::fitting_of(texts, of_address, fits)),
            Self::Range(..) | Self::Text(_) | Self::Present => None,
        }
    }
}

impl Limit {
    fn new(bound: &Bound) -> Self {
        match bound {
            Bound::Open => Self::Open,
            Bound::Inclusive(text) => Self::At { bound: Operand::new(text), inclusive: true },
            Bound::Exclusive(text) => Self::At { bound: Operand::new(text), inclusive: false },
        }
    }

    fn is_below(&self, text: &str) -> bool {
        self.holds(|bound| bound.order_of(text), Ordering::Greater)
    }

    fn is_above(&self, text: &str) -> bool {
        self.holds(|bound| bound.order_of(text), Ordering::Less)
    }

    fn holds_order(&self, order: impl Fn(&Operand) -> Ordering, side: Ordering) -> bool {
        self.holds(|bound| Some(order(bound)), side)
    }

    fn holds(&self, order: impl Fn(&Operand) -> Option<Ordering>, side: Ordering) -> bool {
        match self {
            Self::Open => true,
            Self::At { bound, inclusive } => {
                order(bound).is_some_and(|order| order == side || (*inclusive && order.is_eq()))
            }
        }
    }

    /// Whether it is a number: then no text fits that is none.
    fn is_number(&self) -> bool {
        matches!(self, Self::At { bound, .. } if bound.number.is_some())
    }

    /// The bound as a number and whether it fits; `None` inside if there is no bound; `None` outside
    /// if the bound is no number.
    fn number(&self) -> Option<Option<(Decimal, bool)>> {
        match self {
            Self::Open => Some(None),
            Self::At { bound, inclusive } => bound.number.map(|number| Some((number, *inclusive))),
        }
    }
}

/// Rule 5, as [`Operand::equals`], without folding a copy.
fn equals(operand: &Operand, text: &str) -> bool {
    match operand.number.and_then(|own| Some((own, Decimal::parse(text)?))) {
        Some((own, value)) => own == value,
        None => equals_folded(text, &operand.folded),
    }
}

/// Whether an address lies in a network. The two must be of one family.
pub(crate) fn in_network(cidr: &Cidr, address: IpAddr) -> bool {
    match (cidr.address, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(cidr.prefix.min(32));
            u32::from(network).checked_shr(shift) == u32::from(address).checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(cidr.prefix.min(128));
            u128::from(network).checked_shr(shift) == u128::from(address).checked_shr(shift)
        }
        _ => false,
    }
}

fn which<T>(values: &[T], test: impl Fn(&T) -> bool) -> Bitmap {
    Bitmap::from_fn(values.len() as u32, |index| test(&values[index as usize]))
}

/// `None` if a bound is no number: then texts are compared.
fn range_of_numbers(low: &Limit, high: &Limit, values: &[i64], scale: u8) -> Option<Bitmap> {
    let (low, high) = (low.number()?, high.number()?);
    let first = match low {
        None => i64::MIN,
        Some((bound, inclusive)) => first_above(bound, scale, inclusive),
    };
    let end = high.map(|(bound, inclusive)| first_above(bound, scale, !inclusive));
    // A first value beyond all of `i64` is said as its largest, which no scaled column holds together
    // with a larger one; the exact comparison settles that value.
    let fits_exactly = |value: i64| {
        let value = Decimal::new(i128::from(value), -i32::from(scale));
        let above = low.is_none_or(|(bound, inclusive)| value > bound || (inclusive && value == bound));
        above && high.is_none_or(|(bound, inclusive)| value < bound || (inclusive && value == bound))
    };
    Some(which(values, |&value| match value {
        i64::MAX | i64::MIN => fits_exactly(value),
        _ => value >= first && end.is_none_or(|end| value < end),
    }))
}

/// The smallest scaled value that is above `bound`, or at it if it counts; the nearest `i64`.
fn first_above(bound: Decimal, scale: u8, inclusive: bool) -> i64 {
    let Some((floor, exact)) = scaled(bound, scale) else {
        return if bound.mantissa() < 0 { i64::MIN } else { i64::MAX };
    };
    let first = if exact && inclusive { floor } else { floor.saturating_add(1) };
    i64::try_from(first).unwrap_or(if first < 0 { i64::MIN } else { i64::MAX })
}

/// A number times 10^scale, rounded down, and whether that is exact. `None` beyond 128 bits.
fn scaled(number: Decimal, scale: u8) -> Option<(i128, bool)> {
    let power = number.exponent().checked_add(i32::from(scale))?;
    if power >= 0 {
        let factor = 10i128.checked_pow(u32::try_from(power).ok()?)?;
        return number.mantissa().checked_mul(factor).map(|value| (value, true));
    }
    match 10i128.checked_pow(power.unsigned_abs()) {
        Some(divisor) => {
            let (floor, rest) = (number.mantissa().div_euclid(divisor), number.mantissa().rem_euclid(divisor));
            Some((floor, rest == 0))
        }
        None => Some((if number.mantissa() < 0 { -1 } else { 0 }, number.mantissa() == 0)),
    }
}

pub(super) fn read_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    digits.chunks_exact(2).map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

/// The number between the affixes, if the operand has them.
fn affixed_number(operand: &Operand, prefix: &str, suffix: &str) -> Option<u64> {
    let inner = operand.folded.strip_prefix(fold(prefix).as_ref())?.strip_suffix(fold(suffix).as_ref())?;
    let plain = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| inner.parse().ok())?
}

/// All entries as texts.
pub(crate) fn render(values: &Values) -> Texts {
    let mut texts = Texts::default();
    if !values.is_empty() {
        values.write_text(0, &mut texts.bytes);
        let len = texts.bytes.len();
        texts.bytes.clear();
        // Texts of one form are about as long as each other.
        texts.bytes.reserve((len + len / 8 + 1) * values.len());
        texts.ends.reserve(values.len());
    }
    for index in 0..values.len() {
        values.write_text(index, &mut texts.bytes);
        texts.ends.push(u32::try_from(texts.bytes.len()).expect("a column of one row group is below 4 GiB"));
    }
    texts
}

/// Whether some number of a column of these bounds may have parts as long as these. A number is no longer
/// than its column's lowest or highest.
pub(crate) fn numbers_may_hold(form: Form, bounds: Bounds, parts: &[String]) -> bool {
    let digits = |value: i64| value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    let digits = digits(bounds.min).max(digits(bounds.max));
    let sign = usize::from(bounds.min < 0);
    match form {
        Form::Integers => parts.iter().all(|part| part.len() <= digits + sign),
        Form::Decimals => {
            let digits = digits.max(usize::from(bounds.scale) + 1);
            parts.iter().all(|part| part.len() <= digits + 1 + sign)
        }
        _ => true,
    }
}

/// As [`may_hold_all`], for a column of which only the form is known.
pub(crate) fn form_may_hold(form: Form, parts: &[String]) -> bool {
    let number = |c: char| c.is_ascii_digit();
    let may_hold = |c: char| match form {
        Form::Texts | Form::Templated | Form::Affixed => true,
        Form::Integers => number(c) || c == '-',
        Form::Decimals => number(c) || matches!(c, '-' | '.'),
        Form::Hex => c.is_ascii_hexdigit() || c == '-',
        Form::Ipv4 => number(c) || c == '.',
        Form::Times => number(c) || matches!(c, '-' | ':' | '.' | ',' | 't' | 'z' | ' '),
    };
    let points = |part: &String| part.bytes().filter(|byte| matches!(byte, b'.' | b',')).count();
    let digits = |part: &String| part.split(|c: char| !number(c)).map(str::len).max().unwrap_or(0);
    let may_have = |part: &String| match form {
        Form::Decimals => points(part) <= 1,
        Form::Ipv4 => points(part) <= 3 && digits(part) <= 3,
        Form::Times => points(part) <= 1 && digits(part) <= 9,
        _ => true,
    };
    parts.iter().all(|part| part.chars().all(may_hold) && may_have(part))
}

/// Whether some text of these could have all these folded parts, going by the characters that its form
/// can have.
pub(crate) fn may_hold_all(values: &Values, parts: &[String]) -> bool {
    parts.iter().all(|part| part.chars().all(|c| value_may_hold(values, c)))
}

/// Whether a text of these could have this folded character, going by its form.
pub(super) fn value_may_hold(values: &Values, c: char) -> bool {
    let number = c.is_ascii_digit();
    match values {
        Values::Texts(_) | Values::Templated(_) => true,
        Values::TimeTexts { pattern, .. } => {
            number || pattern.literals().flat_map(|text| text.chars()).any(|own| fold_char(own) == c)
        }
        Values::Integers(_) => number || c == '-',
        Values::Decimals { .. } => number || matches!(c, '-' | '.'),
        Values::Hex { hyphens, .. } => c.is_ascii_hexdigit() || (*hyphens && c == '-'),
        Values::Ipv4(_) => number || c == '.',
        Values::Affixed { prefix, suffix, .. } => {
            number || prefix.chars().chain(suffix.chars()).any(|own| fold_char(own) == c)
        }
        Values::Times { form, .. } => {
            number
                || matches!(c, '-' | ':' | 'z')
                || c.is_ascii() && [form.separator, form.point].contains(&(c as u8).to_ascii_uppercase())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::language::{Expr, Predicate, parse};

    fn test_of(query: &str) -> ValueTest {
        match parse(query).unwrap().filter {
            Expr::Test(Predicate::Field { test, .. }) => ValueTest::new(&test).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn texts(all: &[&str]) -> Values {
        let mut texts = Texts::default();
        all.iter().for_each(|text| texts.push(text.as_bytes()));
        Values::Texts(texts)
    }

    #[test]
    fn no_number_is_longer_than_the_ends_of_its_column() {
        let holds = |form, (min, max, scale), part: &str| {
            numbers_may_hold(form, Bounds { min, max, scale }, &[part.to_owned()])
        };
        assert!(holds(Form::Integers, (0, 999, 0), "999") && !holds(Form::Integers, (0, 999, 0), "1000"));
        assert!(holds(Form::Integers, (-1000, 5, 0), "-1000") && !holds(Form::Integers, (-1000, 5, 0), "-10000"));
        assert!(holds(Form::Integers, (0, 0, 0), "0") && !holds(Form::Integers, (0, 0, 0), "00"));
        // 0.01 and -12.34
        assert!(holds(Form::Decimals, (1, 1, 2), "0.01") && !holds(Form::Decimals, (1, 1, 2), "0.010"));
        assert!(holds(Form::Decimals, (-1234, 1, 2), "-12.34") && !holds(Form::Decimals, (-1234, 1, 2), "-12.340"));
    }

    /// Every form of the same values gives the same answer as the texts one by one.
    #[track_caller]
    fn check_forms(values: &Values, queries: &[&str]) {
        for query in queries {
            let test = test_of(query);
            let rendered: Vec<String> = {
                let texts = render(values);
                (0..texts.len()).map(|i| String::from_utf8(texts.get(i).to_vec()).unwrap()).collect()
            };
            let wanted = Bitmap::from_fn(rendered.len() as u32, |i| test.fits(&rendered[i as usize]));
            assert_eq!(test.entries(values), wanted, "{query} over {rendered:?}");
            let plain = texts(&rendered.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(test.entries(&plain), wanted, "{query} over {rendered:?} as texts");
        }
    }

    #[test]
    fn rule_6_numbers_compare_as_numbers_in_every_form() {
        let queries = [
            "f:500",
            "f:500.0",
            "f:5e2",
            "f:>500",
            "f:>=500",
            "f:<500.5",
            "f:<=499.99",
            "f:[-3 TO 7]",
            "f:[* TO 0]",
            "f:>-1",
            "f:>1e30",
            "f:<1e30",
            "f:>1e-30",
            "f:<-1e-30",
            "f:>abc",
            "f:<abc",
            "f:>9223372036854775806",
            "f:<=9223372036854775807",
            "f:>9223372036854775807",
            "f:*5*",
            "f:10.0.0.0/8",
            "f:-0",
            "f:5?0",
        ];
        check_forms(&Values::Integers(vec![0, 500, -3, 7, 501, 499, i64::MAX, i64::MIN, i64::MAX - 1]), &queries);
        check_forms(
            &Values::Decimals { values: vec![0, 50_000, 49_999, -1, i64::MAX, i64::MIN + 1], scale: 2 },
            &queries,
        );
        check_forms(&texts(&["500", "500.0", "5e2", "abc", "", "0500", "-3", "500x", "1e400"]), &queries);
    }

    #[test]
    fn typed_texts_compare_as_the_texts_they_stand_for() {
        let hex =
            Values::Hex { bytes: vec![0x12, 0xe3, 0xab, 0xcd, 0x00, 0x10], width: 2, upper: true, hyphens: false };
        check_forms(
            &hex,
            &["f:abcd", "f:ABCD", "f:12e3", "f:12000", "f:10", "f:0010", "f:*bc*", "f:>12", "f:abc", "f:xyz"],
        );
        let ips = Values::Ipv4(vec![0x0a00_0001, 0x0aff_0000, 0xc0a8_0101]);
        check_forms(
            &ips,
            &[
                "f:10.0.0.1",
                "f:010.0.0.1",
                "f:10.0.0.0/8",
                "f:0.0.0.0/0",
                "f:>10.0.0.1",
                "f:10.*",
                "f:[10.0.0.0 TO 10.255.255.255]",
                "f:\"::/0\"",
            ],
        );
        let users =
            Values::Affixed { prefix: "U".into(), values: vec![22, 7, 123_456], digits: 6, suffix: String::new() };
        check_forms(&users, &["f:u000022", "f:U000022", "f:u22", "f:22", "f:*22*", "f:u*", "f:>u000020", "f:x"]);
        let codes = Values::Affixed { prefix: String::new(), values: vec![22, 7], digits: 3, suffix: String::new() };
        check_forms(&codes, &["f:22", "f:022", "f:7.0", "f:>7"]);
        let form = crate::block::column::TimeForm { separator: b'T', point: b'.', fraction: 3, zulu: true };
        let times = Values::Times { values: vec![1_781_395_200_123_000_000, 0], form };
        check_forms(
            &times,
            &[
                "f:\"2026-06-14T00:00:00.123Z\"",
                "f:>2026-01-01",
                "f:*14t00*",
                "f:*z",
                "f:>\"2026-06-14T00:00:00Z\"",
                "f:1970*",
            ],
        );
    }
}
