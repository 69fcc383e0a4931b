//! `head [<count>]`: the first rows.

use std::fmt;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::Record;

/// `head [<count>]`: the first rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// How many.
    pub count: u64,
}

impl StageSyntax for Head {
    const NAME: &'static str = "head";
    const SIGNATURE: &'static str = "head [<count>]";
    const SUMMARY: &'static str = "the first rows";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        parser.only_count(COUNT_DEFAULT).map(|count| Self { count })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "head {}", self.count)
    }
}

/// Rows kept where no count is given.
const COUNT_DEFAULT: u64 = 10;

impl StageRun for Head {
    fn start(&self, _context: &StageContext) -> Result<Step, QueryError> {
        Ok(Step::Rows(Box::new(Run { left: self.count })))
    }

    fn reads(&self) -> Vec<FieldName> {
        Vec::new()
    }
}

struct Run {
    left: u64,
}

impl Operator for Run {
    fn push(&mut self, row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError> {
        if self.left == 0 {
            return Ok(Flow::Enough);
        }
        self.left -= 1;
        let flow = next(row)?;
        Ok(if self.left == 0 { Flow::Enough } else { flow })
    }
}
