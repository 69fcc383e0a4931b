//! `head [<count>]`: the first rows.

use std::fmt;

use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use super::StageSyntax;

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
