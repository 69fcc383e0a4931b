//! `rename <field> as <name>, …`: other names.
//!
//! The new name's own values, if it had any, give way. A column keeps its place. A member of the hit
//! stays and is copied. A field that is not there changes nothing.

use std::fmt;

use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{Name};
use super::StageSyntax;

/// `rename <field> as <name>, …`: other names.
#[derive(Clone, Debug, PartialEq)]
pub struct Rename {
    /// Old and new name, in order. At least one.
    pub pairs: Vec<(FieldName, FieldName)>,
}

impl StageSyntax for Rename {
    const NAME: &'static str = "rename";
    const SIGNATURE: &'static str = "rename <field> as <name>, …";
    const SUMMARY: &'static str = "other names";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let mut pairs = Vec::new();
        loop {
            let old = parser.name()?;
            if !parser.word("as") {
                return Err(parser.lexer.error_here("`as` and the new name must follow").hint("`rename old as new`"));
            }
            pairs.push((old, parser.name()?));
            if !parser.mark(",") {
                return Ok(Self { pairs });
            }
        }
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pairs.iter().enumerate().try_for_each(|(index, (old, new))| {
            f.write_str(if index == 0 { "rename " } else { ", " })?;
            write!(f, "{} as {}", Name(old.typed()), Name(new.typed()))
        })
    }
}
