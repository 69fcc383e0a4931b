//! `rare [<count>] <field>`: the least frequent values.
//!
//! As `top`, count ascending.

use std::fmt;

use super::StageSyntax;
use super::top::{parse_ranked, rank};
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
        let (count, field) = parse_ranked(parser)?;
        Ok(Self { count, field })
    }
}

impl fmt::Display for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rare {} {}", self.count, Name(self.field.typed()))
    }
}

impl StageRun for Rare {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        Ok(rank(self.count, &self.field, true, context))
    }

    fn reads(&self) -> Vec<FieldName> {
        vec![self.field.clone()]
    }
}
