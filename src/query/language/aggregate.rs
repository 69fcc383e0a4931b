//! Aggregations as data: `count`, `p95(latency_ms)`, `count(f) if <expr> as name`.

use super::parser::Parser;
use super::{FieldName, ParseError, ScalarExpr};
use crate::query::value::fold;

/// One aggregation of `stats` or `timechart`.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// Over which field's values. `None` only where [`Function::needs_field`] allows it.
    pub field: Option<FieldName>,
    /// Only rows for which this is true count.
    pub condition: Option<ScalarExpr>,
    /// The column's name: `as`, or as written.
    pub name: String,
}

/// An aggregate function.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// Events, or values of a field.
    Count,
    /// Exact sum.
    Sum,
    /// Mean.
    Avg,
    /// Smallest number; without numbers null.
    Min,
    /// Largest number.
    Max,
    /// Value at the nearest rank.
    Percentile(Percent),
    /// Value of the earliest event; without a field its time.
    Earliest,
    /// Value of the latest event; without a field its time.
    Latest,
    /// Number of distinct values.
    DistinctCount,
    /// Sample standard deviation (n - 1).
    StandardDeviation,
    /// Sample variance (n - 1).
    Variance,
    /// First value in the pipeline's order.
    First,
    /// Last value in the pipeline's order.
    Last,
    /// Distinct values, sorted.
    Values,
    /// Values in the pipeline's order.
    List,
    /// The most frequent value; of several the smallest.
    Mode,
    /// Events, or values of a field, a second of the bucket or of the searched range.
    Rate,
}

/// A percentage from 0 to 100, exact: `value / 10^scale`. `99.9` is 999 with scale 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Percent {
    /// Scaled value.
    pub value: u64,
    /// Digits after the point, at most [`PERCENT_DIGITS_MAX`]; no trailing zeros.
    pub scale: u8,
}

/// Digits after the point of a percentile. Keeps `value * n` below 2^128 for any number of values.
pub const PERCENT_DIGITS_MAX: u8 = 9;

impl Percent {
    /// The median's.
    pub const HALF: Self = Self { value: 50, scale: 0 };

    /// Position from 1 of the nearest rank among `count` values: ⌈N/100·count⌉, at least 1.
    ///
    /// # Panics
    /// If `count` is 0: nothing has no rank.
    pub fn rank(self, count: u64) -> u64 {
        assert!(count > 0, "nothing has no percentile");
        let divisor = 100 * 10u128.pow(u32::from(self.scale));
        let rank = (u128::from(self.value) * u128::from(count)).div_ceil(divisor);
        u64::try_from(rank.max(1)).expect("a percentage is at most 100, so a rank is at most the count")
    }
}

impl Function {
    /// Whether it makes no sense without a field. The others count events or give times without one.
    pub fn needs_field(&self) -> bool {
        !matches!(self, Self::Count | Self::Rate | Self::Earliest | Self::Latest)
    }
}

/// Every function but the percentiles, by name; the first name is the one printed.
const FUNCTIONS: [(&str, Function); 18] = [
    ("count", Function::Count),
    ("sum", Function::Sum),
    ("avg", Function::Avg),
    ("mean", Function::Avg),
    ("min", Function::Min),
    ("max", Function::Max),
    ("median", Function::Percentile(Percent::HALF)),
    ("earliest", Function::Earliest),
    ("latest", Function::Latest),
    ("dc", Function::DistinctCount),
    ("stdev", Function::StandardDeviation),
    ("var", Function::Variance),
    ("first", Function::First),
    ("last", Function::Last),
    ("values", Function::Values),
    ("list", Function::List),
    ("mode", Function::Mode),
    ("rate", Function::Rate),
];

/// What a caller can complete and explain: each function's call and meaning.
pub const HELP: [(&str, &str); 18] = [
    ("count", "events; count(f): values of f"),
    ("sum(f)", "exact sum"),
    ("avg(f)", "mean"),
    ("min(f)", "smallest number"),
    ("max(f)", "largest number"),
    ("p95(f)", "value at the nearest rank; any percentage, p99.9"),
    ("median(f)", "p50"),
    ("earliest(f)", "value of the earliest event; alone its time"),
    ("latest(f)", "value of the latest event; alone its time"),
    ("dc(f)", "number of distinct values"),
    ("stdev(f)", "sample standard deviation"),
    ("var(f)", "sample variance"),
    ("first(f)", "first value in the pipeline's order"),
    ("last(f)", "last value in the pipeline's order"),
    ("values(f)", "distinct values, sorted"),
    ("list(f)", "values in the pipeline's order"),
    ("mode(f)", "most frequent value"),
    ("rate", "events a second; rate(f): values of f"),
];

impl Function {
    /// Its name; of a percentile `p`.
    pub fn name(&self) -> &'static str {
        FUNCTIONS
            .iter()
            .find(|(_, function)| function == self && !matches!(self, Self::Percentile(_)))
            .map_or("p", |(name, _)| name)
    }

    fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let known = FUNCTIONS.iter().find(|(known, _)| *known == name);
        known
            .map(|(_, function)| function.clone())
            .or_else(|| name.strip_prefix('p').and_then(Percent::parse).map(Self::Percentile))
    }
}

impl Percent {
    /// Reads a number from 0 to 100 with at most [`PERCENT_DIGITS_MAX`] digits after the point.
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let fraction_ok =
            text.contains('.') != fraction.is_empty() && fraction.len() <= usize::from(PERCENT_DIGITS_MAX);
        if whole.is_empty() || whole.len() > 3 || !digits(whole) || !digits(fraction) || !fraction_ok {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let scale = u8::try_from(fraction.len()).ok()?;
        let value: u64 = format!("{whole}{fraction}").parse().ok()?;
        (value <= 100 * 10u64.pow(u32::from(scale))).then_some(Self { value, scale })
    }
}

impl Parser<'_> {
    /// Aggregations with commas or blanks between them, at least one, up to `by` or the stage's end.
    pub(crate) fn aggregates(&mut self) -> Result<Vec<Aggregate>, ParseError> {
        let mut aggregates = vec![self.aggregate()?];
        loop {
            let comma = self.mark(",");
            if !comma && (self.at_stage_end() || self.next_is_word("by")) {
                return Ok(aggregates);
            }
            aggregates.push(self.aggregate()?);
        }
    }

    /// Refuses two columns of one name: no later stage could tell which is meant.
    pub(crate) fn check_columns(
        &self,
        start: usize,
        taken: &[&str],
        aggregates: &[Aggregate],
    ) -> Result<(), ParseError> {
        let names = taken.iter().copied().chain(aggregates.iter().map(|aggregate| aggregate.name.as_str()));
        let mut seen: Vec<String> = Vec::new();
        for name in names {
            let folded = fold(name).into_owned();
            if seen.contains(&folded) {
                let end = start + self.lexer.since(start).trim_end().len();
                let error = self.lexer.error(start..end, format!("two columns would be called `{name}`"));
                return Err(error.hint("give one of them another name: `count as n`"));
            }
            seen.push(folded);
        }
        Ok(())
    }

    fn aggregate(&mut self) -> Result<Aggregate, ParseError> {
        self.lexer.skip_blanks();
        let start = self.lexer.at();
        let function = self.aggregate_function()?;
        if self.reduced && matches!(function, Function::Earliest | Function::Latest) {
            let error = self.lexer.error(start..self.lexer.at(), "the rows of a table have no event time");
            return Err(error.hint("use `first` or `last`: they follow the rows' order"));
        }
        let field = self.aggregate_field(&function, start)?;
        let condition = if self.word("if") { Some(self.scalar()?) } else { None };
        let written = self.lexer.since(start).trim_end().to_owned();
        let name = if self.word("as") { self.name_text()?.0 } else { written };
        Ok(Aggregate { function, field, condition, name })
    }

    fn aggregate_function(&mut self) -> Result<Function, ParseError> {
        let start = self.lexer.at();
        while self.lexer.peek().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
            self.lexer.bump();
        }
        let name = self.lexer.since(start);
        let range = start..self.lexer.at();
        if name.is_empty() || name.eq_ignore_ascii_case("by") {
            return Err(self
                .lexer
                .error(range, "an aggregation is missing here")
                .hint("for example `count` or `p95(latency_ms)`"));
        }
        Function::named(name).ok_or_else(|| {
            let error = self.lexer.error(range, format!("there is no aggregation `{name}`"));
            let error = error.nearest(name, FUNCTIONS.iter().map(|&(name, _)| name));
            match error.hint {
                Some(_) => error,
                None => error.hint(format!("one of {}, p0 to p100", FUNCTIONS.map(|(name, _)| name).join(", "))),
            }
        })
    }

    /// `(f)`, or nothing; `count()` and `count(*)` are `count`.
    fn aggregate_field(&mut self, function: &Function, start: usize) -> Result<Option<FieldName>, ParseError> {
        let range = start..self.lexer.at();
        let open = self.lexer.at();
        let mut field = None;
        if self.lexer.eat("(") {
            let everything = self.mark("*");
            self.lexer.skip_blanks();
            if !everything && self.lexer.peek() != Some(')') {
                field = Some(self.name()?);
            }
            if !self.mark(")") {
                return Err(self.lexer.error(open..open + 1, "this `(` is never closed"));
            }
        }
        if field.is_none() && function.needs_field() {
            return Err(self
                .lexer
                .error(range, format!("`{function}` needs a field"))
                .hint(format!("for example `{function}(latency_ms)`")));
        }
        Ok(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aggregates(text: &str) -> Result<Vec<Aggregate>, ParseError> {
        Parser::new(text)?.aggregates()
    }

    #[test]
    fn rule_14_an_aggregate_is_named_as_written_or_by_as() {
        let parsed = aggregates(r#"p95(latency_ms), mean(x) as m, count(f) if level == "error", count"#).unwrap();
        let names: Vec<&str> = parsed.iter().map(|aggregate| aggregate.name.as_str()).collect();
        assert_eq!(names, ["p95(latency_ms)", "m", r#"count(f) if level == "error""#, "count"]);
    }

    #[test]
    fn rule_13_a_percentile_is_the_nearest_rank() {
        let percent = |text| Percent::parse(text).unwrap();
        assert_eq!(percent("50").rank(4), 2);
        assert_eq!(percent("50").rank(5), 3);
        assert_eq!(percent("0").rank(7), 1);
        assert_eq!(percent("100").rank(7), 7);
        assert_eq!(percent("99.9").rank(1000), 999);
        assert_eq!(percent("99.9").rank(1001), 1000);
        assert_eq!(percent("99.999999999").rank(u64::MAX), 18_446_744_073_525_084_175);
        for wrong in ["", "101", "100.1", "5.", ".5", "1e1", "-1", "99.9999999999"] {
            assert_eq!(Percent::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_aggregate_that_needs_a_field_says_so() {
        assert_eq!(aggregates("sum").unwrap_err().message, "`sum` needs a field");
        assert_eq!(aggregates("p99.9()").unwrap_err().message, "`p99.9` needs a field");
        assert_eq!(aggregates("cuont").unwrap_err().hint.unwrap(), "did you mean `count`?");
    }
}
