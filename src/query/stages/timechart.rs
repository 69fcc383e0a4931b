//! `timechart [span=<span>] [tz=<zone>] <aggregates> [by <field>]`: one row for each bucket of time.

use std::fmt;

use crate::query::language::{Aggregate, FieldName, Span};
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{list, Name};
use crate::query::language::time_range;
use super::StageSyntax;

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

impl StageSyntax for Timechart {
    const NAME: &'static str = "timechart";
    const SIGNATURE: &'static str = "timechart [span=<span>] [tz=<zone>] <aggregate>, … [by <field>]";
    const SUMMARY: &'static str = "one row for each bucket of time";
    const REDUCES: bool = true;

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let (mut span, mut zone) = (None, None);
        loop {
            match () {
                () if parser.option("span") => span = Some(parser.span()?),
                () if parser.option("tz") => zone = Some(time_range::zone_name(parser)?),
                () => break,
            }
        }
        let aggregates = parser.aggregates()?;
        let by = if parser.word("by") { Some(parser.name()?) } else { None };
        Ok(Self { span, zone, aggregates, by })
    }

    fn columns(&self) -> Vec<String> {
        self.aggregates.iter().map(|aggregate| aggregate.name.clone()).collect()
    }
}

impl fmt::Display for Timechart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timechart ")?;
        if let Some(span) = self.span {
            write!(f, "span={span} ")?;
        }
        if let Some(zone) = &self.zone {
            write!(f, "tz={zone} ")?;
        }
        list(f, &self.aggregates)?;
        self.by.as_ref().map_or(Ok(()), |field| write!(f, " by {}", Name(field.typed())))
    }
}
