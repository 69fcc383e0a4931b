//! `timechart [span=<span>] [tz=<zone>] <aggregates> [by <field>]`: one row for each bucket of time.
//!
//! - Column `time` is the bucket's start, in order; then the aggregates as in `stats`.
//! - Rows run from the bucket of the searched range's start (else of the earliest event) to the one
//!   of the last nanosecond before its end (else of the latest event); empty ones are present. Without
//!   events there are rows only if the range has both ends.
//! - Buckets are aligned to the epoch in UTC. With a zone, spans of more than an hour follow its clock
//!   (a day is a local day), shorter ones its offset.
//! - With `by`: one column for each of the [`SERIES_MAX`] values with the most events (of several as
//!   many: first in the order of `sort`), largest first, null as `null`; then `other` over all events
//!   that have another value, if there is one. A column is named like its value; with several aggregates
//!   `<aggregate>: <value>`, those of one value side by side.
//! - `rate` is per second of the bucket's whole length.

use std::fmt;

use super::StageSyntax;
use crate::query::aggregate::buckets::Buckets;
use crate::query::aggregate::reduce::{Kind, Measure, Reduction};
use crate::query::error::{BadQuery, QueryError};
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{Name, list};
use crate::query::language::time_range;
use crate::query::language::{Aggregate, FieldName, Span, SpanUnit};
use crate::query::pipeline::{StageContext, StageRun, Step};

/// `timechart [span=<span>] [tz=<zone>] <aggregates> [by <field>]`: one row for each bucket of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Timechart {
    /// The bucket; `None`: sized to the range.
    pub span: Option<Span>,
    /// IANA name of the zone that buckets are aligned in; `None`: the request's, else UTC.
    pub zone: Option<String>,
    /// The aggregations, at least one.
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
        if parser.reduced {
            let error = parser.lexer.error_here("the rows of a table have no event time");
            return Err(error.hint("`timechart` must be the first stage that makes a table"));
        }
        let (mut span, mut zone) = (None, None);
        loop {
            match () {
                () if parser.option("span") => span = Some(parser.span()?),
                () if parser.option("tz") => zone = Some(time_range::zone_name(parser)?),
                () => break,
            }
        }
        parser.lexer.skip_blanks();
        let start = parser.lexer.at();
        let aggregates = parser.aggregates()?;
        let by = if parser.word("by") { Some(parser.name()?) } else { None };
        parser.check_columns(start, &["time"], &aggregates)?;
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

impl Timechart {
    /// The span for a chart over so many nanoseconds (the end exclusive) if none is named: the shortest
    /// of [`AUTOMATIC_SPANS`] of which [`AUTOMATIC_BUCKETS_MAX`] are at least as long.
    pub fn automatic_span(range_nanos: i64) -> Span {
        let fits = |span: &Span| {
            let nanos = span.nanos().expect("the spans of the list are short");
            range_nanos <= nanos.saturating_mul(AUTOMATIC_BUCKETS_MAX)
        };
        AUTOMATIC_SPANS.into_iter().find(fits).unwrap_or(AUTOMATIC_SPANS[AUTOMATIC_SPANS.len() - 1])
    }
}

/// Values of `by` that get columns of their own (rule 14).
pub const SERIES_MAX: usize = 10;
/// Buckets of a chart whose span is not named.
pub const AUTOMATIC_BUCKETS_MAX: i64 = 100;
/// The spans that are chosen from, ascending.
pub const AUTOMATIC_SPANS: [Span; 21] = {
    use SpanUnit::{Days as D, Hours as H, Milliseconds as Ms, Minutes as M, Seconds as S};
    const fn span(count: u64, unit: SpanUnit) -> Span {
        Span { count, unit }
    }
    [
        span(1, Ms),
        span(10, Ms),
        span(100, Ms),
        span(500, Ms),
        span(1, S),
        span(5, S),
        span(10, S),
        span(30, S),
        span(1, M),
        span(5, M),
        span(10, M),
        span(30, M),
        span(1, H),
        span(3, H),
        span(6, H),
        span(12, H),
        span(1, D),
        span(7, D),
        span(30, D),
        span(90, D),
        span(365, D),
    ]
};

impl StageRun for Timechart {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        let zone = self.zone.as_deref().or(context.zone.as_deref());
        let span = self.span.unwrap_or_else(|| {
            let (first, last) = context.extremes.unwrap_or((0, 0));
            let start = context.range.0.unwrap_or(first);
            let end = context.range.1.unwrap_or(last.saturating_add(1));
            Self::automatic_span(end.saturating_sub(start))
        });
        let width = span.nanos().ok_or_else(|| BadQuery::parameter("q", "this span is longer than all of time"))?;
        let buckets = Buckets::new(width, zone).map_err(|message| BadQuery::parameter("tz", message))?;
        Ok(Step::Reduce(Box::new(Reduction {
            kind: Kind::Timechart(buckets),
            aggregates: self.aggregates.iter().map(|aggregate| Measure::new(aggregate, context.now)).collect(),
            by: self.by.iter().cloned().collect(),
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
