//! `rare [<count>] <field>`: the least frequent values.
//!
//! As `top`, count ascending.

use std::fmt;

use super::StageSyntax;
use crate::query::aggregate::reduce::{Kind, Reduction};
use crate::query::error::QueryError;
use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::Name;
use crate::query::pipeline::{StageContext, StageRun, Step};

/// `rare [<count>] <field>`: the least frequent values.
#[derive(Clone, Debug, PartialEq)]
pub struct Rare {
    /// How many values.
    pub count: u32,
    /// Of which field.
    pub field: FieldName,
}

impl StageSyntax for Rare {
    const NAME: &'static str = "rare";
    const SIGNATURE: &'static str = "rare [<count>] <field>";
    const SUMMARY: &'static str = "the least frequent values";
    const REDUCES: bool = true;

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let given = parser.option("limit");
        let count = match parser.count(u32::MAX.into())? {
            Some(count) => u32::try_from(count).expect("it was compared with the largest"),
            None if given => return Err(parser.lexer.error_here("a whole number of at least 1 is expected here")),
            None => COUNT_DEFAULT,
        };
        Ok(Self { count, field: parser.name()? })
    }
}

impl fmt::Display for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rare {} {}", self.count, Name(self.field.typed()))
    }
}

/// Values shown where no count is given.
const COUNT_DEFAULT: u32 = 10;

impl StageRun for Rare {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        Ok(Step::Reduce(Box::new(Reduction {
            kind: Kind::Top { count: self.count, rare: true },
            // The groups count their events themselves.
            aggregates: Vec::new(),
            by: vec![self.field.clone()],
            range: context.range,
            now: context.now,
            keep: false,
        })))
    }

    fn reads(&self) -> Vec<FieldName> {
        vec![self.field.clone()]
    }
}
