//! `fillnull [value=<text>] [<field>, …]`: a value where there is none.
//!
//! The value is a number if it reads as one. A column that a table lacks is added.

use std::fmt;

use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{print_quoted, Names};
use super::StageSyntax;

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
