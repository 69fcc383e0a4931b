//! `stats <aggregates> [by <fields>]`: one row for each group.
//!
//! - Groups (rule 12): an event is in one group for each combination of distinct values of the `by`
//!   fields; where it has none, the value is null. Values are told apart as sent.
//! - A group's aggregate sees all values that its field has in the group's rows. Without `by` there
//!   is one row, also over nothing; with `by` none over nothing.
//! - Columns: the `by` fields as typed, then the aggregates by name (rule 14).
//! - Order: first aggregate descending (null last), then the `by` values ascending.
//! - `earliest`, `latest`: the first value of the earliest or latest event (by time, origin, sequence)
//!   that has one. `first`, `last`: of all values in the pipeline's order. `mode`: as sent; of several
//!   the first in the order of `sort`.
//! - `rate`: without a start of the searched range null; without an end up to now.

use std::fmt;

use super::StageSyntax;
use crate::query::aggregate::reduce::{Kind, Measure, Reduction};
use crate::query::error::QueryError;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{Names, list};
use crate::query::language::{Aggregate, FieldName};
use crate::query::pipeline::{StageContext, StageRun, Step};

/// `stats <aggregates> [by <fields>]`: one row for each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// The aggregations, at least one.
    pub aggregates: Vec<Aggregate>,
    /// The fields to group by.
    pub by: Vec<FieldName>,
}

impl StageSyntax for Stats {
    const NAME: &'static str = "stats";
    const SIGNATURE: &'static str = "stats <aggregate>, … [by <field>, …]";
    const SUMMARY: &'static str = "one row for each group";
    const REDUCES: bool = true;

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        parser.lexer.skip_blanks();
        let start = parser.lexer.at();
        let aggregates = parser.aggregates()?;
        let by = if parser.word("by") { parser.names(&[])? } else { Vec::new() };
        let taken: Vec<&str> = by.iter().map(FieldName::typed).collect();
        parser.check_columns(start, &taken, &aggregates)?;
        Ok(Self { aggregates, by })
    }

    fn columns(&self) -> Vec<String> {
        self.aggregates.iter().map(|aggregate| aggregate.name.clone()).collect()
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stats ")?;
        list(f, &self.aggregates)?;
        if self.by.is_empty() { Ok(()) } else { write!(f, " by {}", Names(&self.by)) }
    }
}

impl StageRun for Stats {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        Ok(Step::Reduce(Box::new(Reduction {
            kind: Kind::Stats,
            aggregates: self.aggregates.iter().map(|aggregate| Measure::new(aggregate, context.now)).collect(),
            by: self.by.clone(),
            range: context.range,
            now: context.now,
            keep: context.keep,
            wanted: usize::MAX,
        })))
    }

    fn reads(&self) -> Vec<FieldName> {
        self.by.iter().cloned().chain(self.aggregates.iter().flat_map(Aggregate::reads)).collect()
    }
}

impl Aggregate {
    /// The fields that it reads.
    pub(crate) fn reads(&self) -> Vec<FieldName> {
        let condition = self.condition.iter().flat_map(|condition| condition.fields());
        self.field.iter().chain(condition).cloned().collect()
    }
}
