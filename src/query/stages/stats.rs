//! `stats <aggregates> [by <fields>]`: one row for each group.

use std::fmt;

use crate::query::language::{Aggregate, FieldName};
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{list, Names};
use super::StageSyntax;

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
        let aggregates = parser.aggregates()?;
        let by = if parser.word("by") { parser.names(&[])? } else { Vec::new() };
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
