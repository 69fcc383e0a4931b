//! `fillnull [value=<text>] [<field>, …]`: a value where there is none.
//!
//! The value is a number if it reads as one. A column that a table lacks is added.

use std::fmt;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{Names, print_quoted};
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::{Record, same_name};
use crate::query::value::{Decimal, Value};

/// `fillnull [value=<text>] [<field>, …]`: a value where there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Fillnull {
    /// What is filled in.
    pub value: String,
    /// Where. Empty: in every column of a table; events need names.
    pub fields: Vec<FieldName>,
}

impl StageSyntax for Fillnull {
    const NAME: &'static str = "fillnull";
    const SIGNATURE: &'static str = "fillnull [value=<text>] [<field>, …]";
    const SUMMARY: &'static str = "a value where there is none";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let value = if parser.option("value") { parser.value_text()? } else { VALUE_DEFAULT.to_owned() };
        let fields = if parser.at_stage_end() { Vec::new() } else { parser.names(&[])? };
        if fields.is_empty() && !parser.reduced {
            let error = parser.lexer.error_here("events have no fixed columns: name the fields to fill");
            return Err(error.hint("`fillnull value=0 bytes, latency_ms`"));
        }
        Ok(Self { value, fields })
    }
}

impl fmt::Display for Fillnull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fillnull value=")?;
        print_quoted(f, &self.value, '"')?;
        if self.fields.is_empty() { Ok(()) } else { write!(f, " {}", Names(&self.fields)) }
    }
}

/// What is filled in where no value is given.
const VALUE_DEFAULT: &str = "0";

impl StageRun for Fillnull {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        let value = match Decimal::parse(&self.value) {
            Some(number) => Value::Number(number),
            None => Value::text(self.value.as_str()),
        };
        let fields = match &context.columns {
            Some(columns) if self.fields.is_empty() => columns.clone(),
            _ => self.fields.clone(),
        };
        Ok(Step::Rows(Box::new(Run { value, fields })))
    }

    fn reads(&self) -> Vec<FieldName> {
        self.fields.clone()
    }
}

struct Run {
    value: Value,
    fields: Vec<FieldName>,
}

impl Operator for Run {
    fn push(&mut self, mut row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError> {
        for field in &self.fields {
            if row.values(field).is_empty() {
                row.set(field, vec![self.value.clone()]);
            }
        }
        next(row)
    }

    fn columns(&self, columns: &mut Vec<FieldName>) {
        for field in &self.fields {
            if !columns.iter().any(|own| same_name(true, own, field)) {
                columns.push(field.clone());
            }
        }
    }

    fn is_mapping(&self) -> bool {
        true
    }
}
