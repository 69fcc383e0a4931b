//! `dedup [<count>] <field>, …`: the first rows of each combination of values.
//!
//! Two rows are alike if each field has the same values in the same order, as sent; no value at all
//! is alike as well.

use std::fmt;

use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{Names};
use super::StageSyntax;

/// `dedup [<count>] <field>, …`: the first rows of each combination of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Dedup {
    /// How many rows of each combination stay.
    pub count: u64,
    /// Which fields make the combination. At least one.
    pub fields: Vec<FieldName>,
}

impl StageSyntax for Dedup {
    const NAME: &'static str = "dedup";
    const SIGNATURE: &'static str = "dedup [<count>] <field>, …";
    const SUMMARY: &'static str = "the first rows of each combination of values";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let count = parser.count(u64::MAX)?.unwrap_or(1);
        Ok(Self { count, fields: parser.names(&[])? })
    }
}

impl fmt::Display for Dedup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dedup {} {}", self.count, Names(&self.fields))
    }
}
