//! `sort [-]<field>, …`: another order, stable.
//!
//! By `value::sort_order`: numbers (and texts that read as numbers), times, texts, and what has no
//! value last, whichever the direction. Of several values the first counts.

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

impl Sort {
    /// Reads the request parameter `sort`: what follows the stage's name, `-f,g`.
    ///
    /// # Errors
    /// It is no list of fields.
    pub fn from_parameter(text: &str) -> Result<Self, ParseError> {
        let mut parser = Parser::new(text)?;
        let sort = Self::parse(&mut parser)?;
        if !parser.at_stage_end() || parser.lexer.peek().is_some() {
            return Err(parser.lexer.error_here("a comma and another field, or nothing, is expected here"));
        }
        Ok(sort)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_15_the_parameter_is_written_like_the_stage() {
        assert_eq!(Sort::from_parameter("-f,g").unwrap().to_string(), "sort -f, g");
        assert_eq!(Sort::from_parameter("timestamp").unwrap().to_string(), "sort timestamp");
        for wrong in ["", "-", "a b", "a,", "a | head"] {
            assert!(Sort::from_parameter(wrong).is_err(), "{wrong}");
        }
    }
}
