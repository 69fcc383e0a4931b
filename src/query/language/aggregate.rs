//! Aggregations as data: `count`, `p95(latency_ms)`, `count(f) if <expr> as name`.

use super::{FieldName, ScalarExpr};

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
