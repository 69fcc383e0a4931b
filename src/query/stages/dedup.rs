//! `dedup [<count>] <field>, …`: the first rows of each combination of values.
//!
//! Two rows are alike if each field has the same values in the same order, as sent; no value at all
//! is alike as well.

use std::fmt;

use super::StageSyntax;
use crate::query::aggregate::texts::TextSet;
use crate::query::error::QueryError;
use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::Names;
use crate::query::memory::Budget;
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::Record;

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

impl StageRun for Dedup {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        let run = Run {
            count: self.count,
            fields: self.fields.clone(),
            seen: TextSet::default(),
            counts: Vec::new(),
            budget: context.budget.clone(),
            taken: 0,
        };
        Ok(Step::Rows(Box::new(run)))
    }

    fn reads(&self) -> Vec<FieldName> {
        self.fields.clone()
    }
}

struct Run {
    count: u64,
    fields: Vec<FieldName>,
    /// The combinations seen.
    seen: TextSet,
    /// How often each came.
    counts: Vec<u64>,
    budget: Budget,
    taken: usize,
}

impl Operator for Run {
    fn push(&mut self, row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError> {
        let mut key = Vec::new();
        for field in &self.fields {
            let values = row.values(field);
            key.extend_from_slice(&(values.len() as u64).to_be_bytes());
            for value in values {
                let text = value.to_text().unwrap_or_default();
                key.extend_from_slice(&(text.len() as u64).to_be_bytes());
                key.extend_from_slice(text.as_bytes());
            }
        }
        let number = self.seen.intern(&key) as usize;
        if number == self.counts.len() {
            self.counts.push(0);
            let bytes = key.len() + KEY_BYTES;
            self.budget.take(bytes, "`dedup`")?;
            self.taken += bytes;
        }
        self.counts[number] += 1;
        if self.counts[number] <= self.count { next(row) } else { Ok(Flow::More) }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

/// Bytes that a combination takes beside its texts, about.
const KEY_BYTES: usize = 24;
