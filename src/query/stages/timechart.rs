//! `timechart [span=<span>] [tz=<zone>] <aggregates> [by <field>]`: one row for each bucket of time.

use crate::query::language::{Aggregate, FieldName, Span};

/// `timechart [span=<span>] [tz=<zone>] <aggregates> [by <field>]`: one row for each bucket of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Timechart {
    /// The bucket; `None`: sized to the range.
    pub span: Option<Span>,
    /// IANA name of the zone that buckets are aligned in; `None`: the request's, else UTC.
    pub zone: Option<String>,
    /// The aggregations, at least one; with `by` exactly one.
    pub aggregates: Vec<Aggregate>,
    /// The field whose values become columns.
    pub by: Option<FieldName>,
}
