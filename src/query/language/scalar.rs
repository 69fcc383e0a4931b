//! The expressions of `where`, `eval` and `if`.

use super::FieldName;
use crate::query::value::Value;

mod eval;
mod functions;
mod parse;
mod print;

pub use eval::{Program, Row};

/// An expression that has one value for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalarExpr {
    /// A number, text, true, false or null.
    Literal(Value),
    /// The field's first value; null if it is absent. Where comparisons look at all values is said in
    /// `eval.rs`.
    Field(FieldName),
    /// `-x`, `not x`.
    Unary(UnaryOp, Box<ScalarExpr>),
    /// `a + b` and so on.
    Binary(BinaryOp, Box<ScalarExpr>, Box<ScalarExpr>),
    /// `x in (a, b)`. Of a field with several values any may be in it.
    In(Box<ScalarExpr>, Vec<ScalarExpr>),
    /// `len(x)` and so on; the number of arguments fits the function.
    Call(ScalarFunction, Vec<ScalarExpr>),
}

/// Operators before one operand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `not`
    Not,
}

/// Operators between two operands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `=~`
    Matches,
    /// `.`
    Join,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

/// The functions of scalar expressions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScalarFunction {
    /// `if(condition, then, else)`
    If,
    /// `case(condition, value, …[, else])`
    Case,
    /// `coalesce(a, b, …)`
    Coalesce,
    /// `len(text)`, in characters
    Len,
    /// `lower(text)`
    Lower,
    /// `upper(text)`
    Upper,
    /// `trim(text[, characters])`
    Trim,
    /// `substr(text, start[, length])`, from 1; a negative start counts from the end
    Substr,
    /// `replace(text, regex, replacement)`, where `$1` is the first group
    Replace,
    /// `split(text, separator[, position])`, from 1; a negative position counts from the end
    Split,
    /// `contains(text, part)`, any case
    Contains,
    /// `startswith(text, part)`, any case
    StartsWith,
    /// `endswith(text, part)`, any case
    EndsWith,
    /// `match(text, regex)`, anywhere in the text
    Match,
    /// `tonumber(text)`
    ToNumber,
    /// `tostring(value)`
    ToString,
    /// `round(x[, digits])`, halves away from zero
    Round,
    /// `floor(x)`
    Floor,
    /// `ceil(x)`
    Ceil,
    /// `abs(x)`
    Abs,
    /// `min(a, b, …)`
    Min,
    /// `max(a, b, …)`
    Max,
    /// `now()`: the time the query began
    Now,
    /// `strftime(time, format)`, in UTC
    Strftime,
    /// `strptime(text, format)`, in UTC unless the text says otherwise
    Strptime,
    /// `cidrmatch(network, address)`
    CidrMatch,
    /// `isnull(x)`
    IsNull,
}

/// Arguments of a function that takes any number.
const ARGUMENTS_MAX: usize = 64;

/// Each function with its name, fewest and most arguments, and how it is written.
const FUNCTIONS: [(ScalarFunction, &str, usize, usize, &str); 27] = [
    (ScalarFunction::If, "if", 3, 3, "if(condition, then, else)"),
    (ScalarFunction::Case, "case", 2, ARGUMENTS_MAX, "case(condition, value, …[, else])"),
    (ScalarFunction::Coalesce, "coalesce", 1, ARGUMENTS_MAX, "coalesce(a, b, …)"),
    (ScalarFunction::Len, "len", 1, 1, "len(text)"),
    (ScalarFunction::Lower, "lower", 1, 1, "lower(text)"),
    (ScalarFunction::Upper, "upper", 1, 1, "upper(text)"),
    (ScalarFunction::Trim, "trim", 1, 2, "trim(text[, characters])"),
    (ScalarFunction::Substr, "substr", 2, 3, "substr(text, start[, length])"),
    (ScalarFunction::Replace, "replace", 3, 3, "replace(text, regex, replacement)"),
    (ScalarFunction::Split, "split", 2, 3, "split(text, separator[, position])"),
    (ScalarFunction::Contains, "contains", 2, 2, "contains(text, part)"),
    (ScalarFunction::StartsWith, "startswith", 2, 2, "startswith(text, part)"),
    (ScalarFunction::EndsWith, "endswith", 2, 2, "endswith(text, part)"),
    (ScalarFunction::Match, "match", 2, 2, "match(text, regex)"),
    (ScalarFunction::ToNumber, "tonumber", 1, 1, "tonumber(text)"),
    (ScalarFunction::ToString, "tostring", 1, 1, "tostring(value)"),
    (ScalarFunction::Round, "round", 1, 2, "round(x[, digits])"),
    (ScalarFunction::Floor, "floor", 1, 1, "floor(x)"),
    (ScalarFunction::Ceil, "ceil", 1, 1, "ceil(x)"),
    (ScalarFunction::Abs, "abs", 1, 1, "abs(x)"),
    (ScalarFunction::Min, "min", 1, ARGUMENTS_MAX, "min(a, b, …)"),
    (ScalarFunction::Max, "max", 1, ARGUMENTS_MAX, "max(a, b, …)"),
    (ScalarFunction::Now, "now", 0, 0, "now()"),
    (ScalarFunction::Strftime, "strftime", 2, 2, "strftime(time, format)"),
    (ScalarFunction::Strptime, "strptime", 2, 2, "strptime(text, format)"),
    (ScalarFunction::CidrMatch, "cidrmatch", 2, 2, "cidrmatch(network, address)"),
    (ScalarFunction::IsNull, "isnull", 1, 1, "isnull(x)"),
];

impl ScalarFunction {
    /// The names of all functions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|row| row.1)
    }

    /// How all functions are written: for completion.
    pub fn signatures() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|row| row.4)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    fn named(name: &str) -> Option<Self> {
        FUNCTIONS.iter().find(|row| row.1.eq_ignore_ascii_case(name)).map(|row| row.0)
    }

    fn arity(self) -> (usize, usize) {
        (self.row().2, self.row().3)
    }

    fn signature(self) -> &'static str {
        self.row().4
    }

    fn row(self) -> &'static (Self, &'static str, usize, usize, &'static str) {
        FUNCTIONS.iter().find(|row| row.0 == self).expect("every function has its row")
    }
}
