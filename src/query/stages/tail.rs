//! `tail [<count>]`: the last rows, in their order.

use std::collections::VecDeque;
use std::fmt;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::memory::Budget;
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::Record;

/// `tail [<count>]`: the last rows, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// How many.
    pub count: u64,
}

impl StageSyntax for Tail {
    const NAME: &'static str = "tail";
    const SIGNATURE: &'static str = "tail [<count>]";
    const SUMMARY: &'static str = "the last rows";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        parser.only_count(COUNT_DEFAULT).map(|count| Self { count })
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tail {}", self.count)
    }
}

/// Rows kept where no count is given.
const COUNT_DEFAULT: u64 = 10;

impl StageRun for Tail {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        Ok(Step::Rows(Box::new(Run { count, kept: VecDeque::new(), budget: context.budget.clone() })))
    }

    fn reads(&self) -> Vec<FieldName> {
        Vec::new()
    }
}

struct Run {
    count: usize,
    kept: VecDeque<(Record, usize)>,
    budget: Budget,
}

impl Operator for Run {
    fn push(&mut self, row: Record, _next: &mut Next<'_>) -> Result<Flow, QueryError> {
        let bytes = row.memory_bytes();
        self.budget.take(bytes, "`tail`")?;
        self.kept.push_back((row, bytes));
        if self.kept.len() > self.count
            && let Some((_, bytes)) = self.kept.pop_front()
        {
            self.budget.give_back(bytes);
        }
        Ok(Flow::More)
    }

    fn finish(&mut self, next: &mut Next<'_>) -> Result<(), QueryError> {
        while let Some((row, bytes)) = self.kept.pop_front() {
            self.budget.give_back(bytes);
            if next(row)? == Flow::Enough {
                break;
            }
        }
        Ok(())
    }

    fn is_streaming(&self) -> bool {
        false
    }
}
