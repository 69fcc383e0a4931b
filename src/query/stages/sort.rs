//! `sort [-]<field>, …`: another order, stable.

use std::fmt;

use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{list, Name};
use super::StageSyntax;

/// `sort [-]<field>, …`: another order, stable.
#[derive(Clone, Debug, PartialEq)]
pub struct Sort {
    /// The keys, first the one that counts most. At least one.
    pub keys: Vec<SortKey>,
}

/// One key of an order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SortKey {
    /// By which field.
    pub field: FieldName,
    /// Whether the largest comes first. Null comes last either way.
    pub descending: bool,
}

impl StageSyntax for Sort {
    const NAME: &'static str = "sort";
    const SIGNATURE: &'static str = "sort [-]<field>, …";
    const SUMMARY: &'static str = "another order";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let mut keys = vec![SortKey::parse(parser)?];
        while parser.mark(",") {
            keys.push(SortKey::parse(parser)?);
        }
        Ok(Self { keys })
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sort ")?;
        list(f, &self.keys)
    }
}

impl SortKey {
    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let mut descending = parser.mark("-");
        if !descending {
            parser.mark("+");
        }
        let field = parser.name()?;
        match () {
            () if parser.word("desc") => descending = !descending,
            () if parser.word("asc") => {}
            () => {}
        }
        Ok(Self { field, descending })
    }
}

impl fmt::Display for SortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, Name(self.field.typed()))
    }
}
