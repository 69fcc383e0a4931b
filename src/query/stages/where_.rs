//! `where <expression>`: the rows for which it is true.

use std::fmt;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::ParseError;
use crate::query::language::ScalarExpr;
use crate::query::language::parser::Parser;
use crate::query::language::{FieldName, Program};
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::Record;

/// `where <expression>`: the rows for which it is true.
#[derive(Clone, Debug, PartialEq)]
pub struct Where {
    /// What must be true.
    pub condition: ScalarExpr,
}

impl StageSyntax for Where {
    const NAME: &'static str = "where";
    const SIGNATURE: &'static str = "where <expression>";
    const SUMMARY: &'static str = "the rows for which it is true";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        parser.scalar().map(|condition| Self { condition })
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "where {}", self.condition)
    }
}

impl StageRun for Where {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        Ok(Step::Rows(Box::new(Run { condition: Program::new(&self.condition, context.now) })))
    }

    fn reads(&self) -> Vec<FieldName> {
        self.condition.fields().into_iter().cloned().collect()
    }
}

struct Run {
    condition: Program,
}

impl Operator for Run {
    fn push(&mut self, row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError> {
        if self.condition.holds(&row) { next(row) } else { Ok(Flow::More) }
    }

    fn is_row_by_row(&self) -> bool {
        true
    }
}
