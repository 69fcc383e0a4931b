//! `top [<count>] <field>`: the most frequent values.
//!
//! An event counts once for each distinct value as sent, or for null (rule 12). Columns: the field as
//! typed, `count`, `percent` (of all events that came in, 4 digits after the point, halves up). Order:
//! count descending, then value ascending.

use std::fmt;

use super::StageSyntax;
use crate::query::aggregate::reduce::{Kind, Reduction};
use crate::query::error::QueryError;
use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::Name;
use crate::query::pipeline::{StageContext, StageRun, Step};

/// `top [<count>] <field>`: the most frequent values.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// How many values.
    pub count: u32,
    /// Of which field.
    pub field: FieldName,
}

impl StageSyntax for Top {
    const NAME: &'static str = "top";
    const SIGNATURE: &'static str = "top [<count>] <field>";
    const SUMMARY: &'static str = "the most frequent values";
    const REDUCES: bool = true;

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let (count, field) = parse_ranked(parser)?;
        Ok(Self { count, field })
    }
}

impl fmt::Display for Top {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "top {} {}", self.count, Name(self.field.typed()))
    }
}

/// Reads `[<count>] <field>`, which `top` and `rare` share.
pub(super) fn parse_ranked(parser: &mut Parser<'_>) -> Result<(u32, FieldName), ParseError> {
    let given = parser.option("limit");
    let count = match parser.count(u32::MAX.into())? {
        Some(count) => u32::try_from(count).expect("it was compared with the largest"),
        None if given => return Err(parser.lexer.error_here("a whole number of at least 1 is expected here")),
        None => COUNT_DEFAULT,
    };
    Ok((count, parser.name()?))
}

/// Ranks the values of a field by how many events have them.
pub(super) fn rank(count: u32, field: &FieldName, rare: bool, context: &StageContext) -> Step {
    Step::Reduce(Box::new(Reduction {
        kind: Kind::Top { count, rare },
        // The groups count their events themselves.
        aggregates: Vec::new(),
        by: vec![field.clone()],
        range: context.range,
        now: context.now,
        keep: false,
        wanted: usize::MAX,
    }))
}

/// Values shown where no count is given.
const COUNT_DEFAULT: u32 = 10;

impl StageRun for Top {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        Ok(rank(self.count, &self.field, false, context))
    }

    fn reads(&self) -> Vec<FieldName> {
        vec![self.field.clone()]
    }
}
