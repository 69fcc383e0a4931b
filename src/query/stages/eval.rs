//! `eval <field> = <expression>, …`: computed fields.
//!
//! Replaces all values of the field; null takes them away. In a table a new column is the last one.

use std::fmt;

use crate::query::language::{FieldName, ScalarExpr};
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{Name};
use super::StageSyntax;

/// `eval <field> = <expression>, …`: computed fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Eval {
    /// What becomes of which field, in order; a later one sees the earlier ones. At least one.
    pub assignments: Vec<(FieldName, ScalarExpr)>,
}

impl StageSyntax for Eval {
    const NAME: &'static str = "eval";
    const SIGNATURE: &'static str = "eval <field> = <expression>, …";
    const SUMMARY: &'static str = "computed fields";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let mut assignments = Vec::new();
        loop {
            let field = parser.name()?;
            if !parser.mark("=") {
                return Err(parser.lexer.error_here("`=` must follow the field").hint("`eval total = a + b`"));
            }
            assignments.push((field, parser.scalar()?));
            if !parser.mark(",") {
                return Ok(Self { assignments });
            }
        }
    }
}

impl fmt::Display for Eval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.assignments.iter().enumerate().try_for_each(|(index, (field, expr))| {
            f.write_str(if index == 0 { "eval " } else { ", " })?;
            write!(f, "{} = {expr}", Name(field.typed()))
        })
    }
}
