//! `bin <field> span=<width> [as <name>]`: numbers or times rounded down to buckets.
//!
//! Each value is rounded down to a multiple of the width: a number of 0, a time of the epoch. A width
//! of time takes times and what reads as one, a number takes what reads as a number; any other value
//! is left out.

use std::fmt;

use super::StageSyntax;
use crate::query::error::QueryError;
use crate::query::language::ParseError;
use crate::query::language::arguments::read_span;
use crate::query::language::parser::Parser;
use crate::query::language::print::Name;
use crate::query::language::{FieldName, Span};
use crate::query::pipeline::{Flow, Next, Operator, StageContext, StageRun, Step};
use crate::query::record::{Record, same_name};
use crate::query::value::Decimal;
use crate::query::value::{Number, Value};

/// `bin <field> span=<width> [as <name>]`: numbers or times rounded down to buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// Which field.
    pub field: FieldName,
    /// How wide a bucket is.
    pub width: Width,
    /// Where the bucket's start goes; `None`: in place of the value.
    pub target: Option<FieldName>,
}

/// How wide a bucket is.
#[derive(Clone, Debug, PartialEq)]
pub enum Width {
    /// So much time; buckets are aligned to the epoch in UTC.
    Time(Span),
    /// This number, above 0; buckets are aligned to 0.
    Number(Decimal),
}

impl StageSyntax for Bin {
    const NAME: &'static str = "bin";
    const SIGNATURE: &'static str = "bin <field> span=<width> [as <name>]";
    const SUMMARY: &'static str = "numbers or times rounded down";

    fn parse(parser: &mut Parser<'_>) -> Result<Self, ParseError> {
        let early = parser.option("span").then(|| width(parser)).transpose()?;
        let field = parser.name()?;
        let width = match early {
            Some(width) => width,
            None if parser.option("span") => width(parser)?,
            None => {
                let error = parser.lexer.error_here("`span=` must follow the field");
                return Err(error.hint("`bin timestamp span=5m`, `bin latency_ms span=100`"));
            }
        };
        let target = if parser.word("as") { Some(parser.name()?) } else { None };
        Ok(Self { field, width, target })
    }
}

impl fmt::Display for Bin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bin {} span={}", Name(self.field.typed()), self.width)?;
        self.target.as_ref().map_or(Ok(()), |target| write!(f, " as {}", Name(target.typed())))
    }
}

fn width(parser: &mut Parser<'_>) -> Result<Width, ParseError> {
    let (text, range) = parser.plain_word();
    if let Some(span) = read_span(&text) {
        return Ok(Width::Time(span));
    }
    match Decimal::parse(&text).filter(|number| *number > Decimal::ZERO) {
        Some(number) => Ok(Width::Number(number)),
        None => Err(parser
            .lexer
            .error(range, "a width above 0 is expected here")
            .hint("a length of time such as `5m`, or a number such as `100`")),
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(span) => write!(f, "{span}"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl StageRun for Bin {
    fn start(&self, _context: &StageContext) -> Result<Step, QueryError> {
        Ok(Step::Rows(Box::new(Run(self.clone()))))
    }

    fn reads(&self) -> Vec<FieldName> {
        std::iter::once(&self.field).chain(&self.target).cloned().collect()
    }
}

struct Run(Bin);

impl Operator for Run {
    fn push(&mut self, mut row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError> {
        let values: Vec<Value> =
            row.values(&self.0.field).iter().filter_map(|value| self.0.width.round_down(value)).collect();
        row.set(self.0.target.as_ref().unwrap_or(&self.0.field), values);
        next(row)
    }

    fn columns(&self, columns: &mut Vec<FieldName>) {
        if let Some(target) = &self.0.target
            && !columns.iter().any(|own| same_name(true, own, target))
        {
            columns.push(target.clone());
        }
    }

    fn is_mapping(&self) -> bool {
        true
    }
}

impl Width {
    /// The multiple of the width at or below a value; `None` if the value has none.
    fn round_down(&self, value: &Value) -> Option<Value> {
        match self {
            Self::Time(span) => {
                let (time, width) = (value.to_time()?, span.nanos()?);
                time.div_euclid(width).checked_mul(width).map(Value::Time)
            }
            Self::Number(width) => match value.to_number()? {
                Number::Exact(number) => {
                    let rest = number.checked_rem(*width)?;
                    let down = number.checked_sub(rest)?;
                    let down = if rest < Decimal::ZERO { down.checked_sub(*width)? } else { down };
                    Some(Value::Number(down))
                }
                Number::Float(number) => {
                    let width = width.to_f64();
                    Some(Value::float((number / width).floor() * width))
                }
            },
        }
    }
}
