//! `rename <field> as <name>, …`: other names.
//!
//! The new name's own values, if it had any, give way. A column keeps its place. A member of the hit
//! stays and is copied. A field that is not there changes nothing.

use std::fmt;
use std::sync::Arc;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::Name;
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::{Record, column_of, same_name};

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

impl StageRun for Rename {
    fn start(&self, _context: &StageContext) -> Result<Step, QueryError> {
        Ok(Step::Rows(Box::new(Run { pairs: self.pairs.clone() })))
    }

    fn reads(&self) -> Vec<FieldName> {
        self.pairs.iter().flat_map(|(from, to)| [from.clone(), to.clone()]).collect()
    }
}

struct Run {
    pairs: Vec<(FieldName, FieldName)>,
}

impl Operator for Run {
    fn push(&mut self, mut row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError> {
        for (from, to) in &self.pairs {
            let Some(index) = row.find(from) else { continue };
            if !row.table && same_name(false, from, to) {
                row.cells[index].name = Arc::new(to.clone());
                continue;
            }
            if !row.table && (from.member().is_some() || to.member().is_some()) {
                let values = row.cells[index].values.clone();
                if from.member().is_none() {
                    row.cells.remove(index);
                }
                row.set(to, values);
                continue;
            }
            row.cells[index].name = Arc::new(to.clone());
            let renamed = row.cells[index].name.clone();
            let table = row.table;
            row.cells.retain(|cell| Arc::ptr_eq(&cell.name, &renamed) || !same_name(table, &cell.name, to));
        }
        next(row)
    }

    fn columns(&self, columns: &mut Vec<FieldName>) {
        for (from, to) in &self.pairs {
            let Some(index) = column_of(columns, from) else { continue };
            columns[index] = to.clone();
            let mut at = 0;
            columns.retain(|own| {
                at += 1;
                at - 1 == index || !same_name(true, own, to)
            });
        }
    }

    fn is_mapping(&self) -> bool {
        true
    }
}
