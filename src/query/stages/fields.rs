//! `fields [-] <name or pattern>, …`: which fields stay.
//!
//! On events only body fields come and go: the hit's own members stay. On a table the named columns
//! come in the order of their names here, those of one pattern in the table's; names that are not
//! there are left out.

use std::fmt;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::ParseError;
use crate::query::language::parser::Parser;
use crate::query::language::print::{Name, list, print_pattern};
use crate::query::language::{FieldName, Pattern};
use crate::query::matching::Matcher;
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::{Record, same_name};
use crate::query::value::fold;

/// `fields [-] <name or pattern>, …`: which fields stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    /// Whether the named ones go, instead of all others.
    pub remove: bool,
    /// The names, at least one.
    pub names: Vec<FieldSelector>,
}

/// Which fields are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldSelector {
    /// This one.
    Name(FieldName),
    /// Those whose whole name fits.
    Pattern(Pattern),
}

impl StageSyntax for Fields {
    const NAME: &'static str = "fields";
    const SIGNATURE: &'static str = "fields [-] <field>, …";
    const SUMMARY: &'static str = "which fields stay";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let remove = parser.mark("-");
        if !remove {
            parser.mark("+");
        }
        let mut names = vec![FieldSelector::parse(parser)?];
        while parser.mark(",") || !parser.at_stage_end() {
            names.push(FieldSelector::parse(parser)?);
        }
        Ok(Self { remove, names })
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.remove { "fields - " } else { "fields " })?;
        list(f, &self.names)
    }
}

impl FieldSelector {
    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        parser.lexer.skip_blanks();
        let start = parser.lexer.at();
        if !matches!(parser.lexer.peek(), Some('`' | '"')) {
            let run = parser.lexer.run(|c| c.is_whitespace() || matches!(c, ',' | '|' | '('))?;
            if run.has_wildcards() {
                return Ok(Self::Pattern(run.pattern()));
            }
            parser.lexer.back_to(start);
        }
        parser.name().map(Self::Name)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{}", Name(name.typed())),
            Self::Pattern(pattern) => print_pattern(f, pattern, ",*?"),
        }
    }
}

impl StageRun for Fields {
    fn start(&self, _context: &StageContext) -> Result<Step, QueryError> {
        let selectors = self.names.iter().map(|selector| match selector {
            FieldSelector::Name(name) => Selector::Name(name.clone()),
            FieldSelector::Pattern(pattern) => Selector::Pattern(Matcher::whole(pattern)),
        });
        Ok(Step::Rows(Box::new(Run { remove: self.remove, selectors: selectors.collect() })))
    }

    fn reads(&self) -> Vec<FieldName> {
        Vec::new()
    }
}

enum Selector {
    Name(FieldName),
    Pattern(Matcher),
}

struct Run {
    remove: bool,
    selectors: Vec<Selector>,
}

impl Selector {
    fn means(&self, table: bool, name: &FieldName) -> bool {
        match self {
            Self::Name(own) => same_name(table, own, name),
            Self::Pattern(pattern) => pattern.fits(&fold(if table { name.typed() } else { name.folded() })),
        }
    }
}

impl Run {
    /// Which columns of a table stay, in their new order.
    fn places<'a>(&self, columns: impl Iterator<Item = &'a FieldName> + Clone) -> Vec<usize> {
        let means = |selector: &Selector| {
            let named = columns.clone().enumerate().filter(|(_, name)| selector.means(true, name));
            named.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let mut named: Vec<usize> = Vec::new();
        for place in self.selectors.iter().flat_map(means) {
            if !named.contains(&place) {
                named.push(place);
            }
        }
        if self.remove { (0..columns.count()).filter(|place| !named.contains(place)).collect() } else { named }
    }
}

impl Operator for Run {
    fn push(&mut self, mut row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError> {
        if row.table {
            let places = self.places(row.cells.iter().map(|cell| cell.name.as_ref()));
            row.cells = places.into_iter().map(|place| row.cells[place].clone()).collect();
            return next(row);
        }
        row.cells.retain(|cell| {
            let member = cell.name.member().is_some();
            member || self.remove != self.selectors.iter().any(|selector| selector.means(false, &cell.name))
        });
        next(row)
    }

    fn columns(&self, columns: &mut Vec<FieldName>) {
        *columns = self.places(columns.iter()).into_iter().map(|place| columns[place].clone()).collect();
    }

    fn is_mapping(&self) -> bool {
        true
    }
}
