//! `bin <field> span=<width> [as <name>]`: numbers or times rounded down to buckets.

use crate::query::language::{FieldName, Span};
use crate::query::value::Decimal;

/// `bin <field> span=<width> [as <name>]`: numbers or times rounded down to buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// Which field.
    pub field: FieldName,
    /// How wide a bucket is.
    pub width: Width,
    /// Where the bucket's start goes; `None`: in place of the value.
    pub target: Option<FieldName>,
}

/// How wide a bucket is.
#[derive(Clone, Debug, PartialEq)]
pub enum Width {
    /// So much time; buckets are aligned to the epoch in UTC.
    Time(Span),
    /// This number, above 0; buckets are aligned to 0.
    Number(Decimal),
}
