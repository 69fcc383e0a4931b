//! The expressions of `where`, `eval` and `if`.

use super::FieldName;
use crate::query::value::Value;

/// An expression that has one value for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum ScalarExpr {
    /// A number, text, true, false or null.
    Literal(Value),
    /// The field's first value; null if it is absent.
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
    /// `substr(text, start[, length])`, from 1; negative: from the end
    Substr,
    /// `replace(text, regex, replacement)`
    Replace,
    /// `split(text, separator, position)`, from 1; negative: from the end
    Split,
    /// `contains(text, part)`, any case
    Contains,
    /// `startswith(text, part)`, any case
    StartsWith,
    /// `endswith(text, part)`, any case
    EndsWith,
    /// `match(text, regex)`
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
    /// `now()`
    Now,
    /// `strftime(time, format)`
    Strftime,
    /// `strptime(text, format)`
    Strptime,
    /// `cidrmatch(network, address)`
    CidrMatch,
    /// `isnull(x)`
    IsNull,
}
