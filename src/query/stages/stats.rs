//! `stats <aggregates> [by <fields>]`: one row for each group.

use crate::query::language::{Aggregate, FieldName};

/// `stats <aggregates> [by <fields>]`: one row for each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// The aggregations, at least one.
    pub aggregates: Vec<Aggregate>,
    /// The fields to group by.
    pub by: Vec<FieldName>,
}
