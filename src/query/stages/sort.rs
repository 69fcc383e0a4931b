//! `sort [-]<field>, …`: another order, stable.
//!
//! By `value::sort_order`: numbers (and texts that read as numbers), times, texts, and what has no
//! value last, whichever the direction. Of several values the first counts.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::FieldName;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{Name, list};
use crate::query::memory::Budget;
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::Record;
use crate::query::value::{Value, sort_order};

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

impl StageRun for Sort {
    fn start(&self, context: &StageContext) -> Result<Step, QueryError> {
        let run = Run {
            keys: self.keys.clone(),
            rows: BTreeMap::new(),
            arrived: 0,
            limit: usize::MAX,
            unsent: 0,
            budget: context.budget.clone(),
            taken: 0,
        };
        Ok(Step::Rows(Box::new(run)))
    }

    fn reads(&self) -> Vec<FieldName> {
        self.keys.iter().map(|key| key.field.clone()).collect()
    }
}

struct Run {
    keys: Vec<SortKey>,
    /// Rows by what they are sorted by, then by arrival, which makes the order stable.
    rows: BTreeMap<(Vec<Ranked>, u64), (Record, usize)>,
    arrived: u64,
    limit: usize,
    unsent: u64,
    budget: Budget,
    taken: usize,
}

/// The first value of a key, in the key's direction; null comes last either way.
struct Ranked {
    value: Value,
    descending: bool,
}

impl Operator for Run {
    fn push(&mut self, row: Record, _next: &mut Next<'_>) -> Result<Flow, QueryError> {
        let first = |key: &SortKey| Ranked { value: row.first(&key.field), descending: key.descending };
        let key: Vec<Ranked> = self.keys.iter().map(first).collect();
        let bytes = row.memory_bytes() + key.len() * size_of::<Ranked>();
        self.rows.insert((key, self.arrived), (row, bytes));
        self.arrived += 1;
        self.taken += bytes;
        self.budget.take(bytes, "`sort`")?;
        if self.rows.len() > self.limit
            && let Some((_, (_, bytes))) = self.rows.pop_last()
        {
            self.taken -= bytes;
            self.budget.give_back(bytes);
            self.unsent += 1;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self, next: &mut Next<'_>) -> Result<(), QueryError> {
        while let Some((_, (row, _))) = self.rows.pop_first() {
            if next(row)? == Flow::Enough {
                break;
            }
        }
        Ok(())
    }

    fn is_streaming(&self) -> bool {
        false
    }

    fn limit(&mut self, rows: usize) {
        self.limit = rows;
    }

    fn unsent(&self) -> u64 {
        self.unsent
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.value.is_null(), other.value.is_null()) {
            (false, false) if self.descending => sort_order(&other.value, &self.value),
            (false, false) => sort_order(&self.value, &other.value),
            (own, other) => own.cmp(&other),
        }
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

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
