//! `eval <field> = <expression>, …`: computed fields.
//!
//! Replaces all values of the field; null takes them away. In a table a new column is the last one.

use std::fmt;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::ParseError;
use crate::query::language::Program;
use crate::query::language::parser::Parser;
use crate::query::language::print::Name;
use crate::query::language::{FieldName, ScalarExpr};
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::{Record, same_name};
use crate::query::value::Value;

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

impl StageRun for Eval {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        let programs = self.assignments.iter();
        let programs = programs.map(|(name, expr)| (name.clone(), Program::new(expr, context.now))).collect();
        Ok(Step::Rows(Box::new(Run { programs })))
    }

    fn reads(&self) -> Vec<FieldName> {
        let read = self.assignments.iter().flat_map(|(_, expr)| expr.fields());
        read.chain(self.assignments.iter().map(|(name, _)| name)).cloned().collect()
    }
}

struct Run {
    programs: Vec<(FieldName, Program)>,
}

impl Operator for Run {
    fn push(&mut self, mut row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError> {
        for (name, program) in &self.programs {
            let values = match program.value(&row) {
                Value::Null if !row.table => Vec::new(),
                value => vec![value],
            };
            row.set(name, values);
        }
        next(row)
    }

    fn columns(&self, columns: &mut Vec<FieldName>) {
        for (name, _) in &self.programs {
            if !columns.iter().any(|own| same_name(true, own, name)) {
                columns.push(name.clone());
            }
        }
    }

    fn is_mapping(&self) -> bool {
        true
    }
}
