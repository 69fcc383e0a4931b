//! `tail [<count>]`: the last rows, in their order.

use std::fmt;

use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use super::StageSyntax;

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
