//! `where <expression>`: the rows for which it is true.

use std::fmt;

use crate::query::language::ScalarExpr;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use super::StageSyntax;

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
