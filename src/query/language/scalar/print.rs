//! Scalar expression to text: what is printed parses to the same expression.

use std::fmt;

use super::parse::{continues_name, starts_name};
use super::{BinaryOp, ScalarExpr, UnaryOp};
use crate::query::language::print::{list, print_quoted};
use crate::query::value::Value;

impl fmt::Display for ScalarExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => literal(f, value),
            Self::Field(name) => field(f, name.typed()),
            Self::Unary(UnaryOp::Negate, inner) => write!(f, "-{}", Operand(inner)),
            Self::Unary(UnaryOp::Not, inner) => write!(f, "not {}", Operand(inner)),
            Self::Binary(operator, left, right) => {
                write!(f, "{} {} {}", Operand(left), operator.mark(), Operand(right))
            }
            Self::In(value, items) => {
                write!(f, "{} in (", Operand(value))?;
                list(f, items)?;
                f.write_str(")")
            }
            Self::Call(function, arguments) => {
                write!(f, "{}(", function.name())?;
                list(f, arguments)?;
                f.write_str(")")
            }
        }
    }
}

/// An operand: in parentheses unless it is a value by itself.
struct Operand<'a>(&'a ScalarExpr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            simple @ (ScalarExpr::Literal(_) | ScalarExpr::Field(_) | ScalarExpr::Call(..)) => write!(f, "{simple}"),
            other => write!(f, "({other})"),
        }
    }
}

fn literal(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Text(text) => print_quoted(f, text, '"'),
        other => f.write_str(&other.to_text().unwrap_or_else(|| "null".to_owned())),
    }
}

fn field(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let parts_ok = name.split('.').enumerate().all(|(index, part)| {
        !part.is_empty() && part.chars().all(continues_name) && (index > 0 || part.starts_with(starts_name))
    });
    let reserved = RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name));
    if parts_ok && !reserved { f.write_str(name) } else { print_quoted(f, name, '`') }
}

/// Names that mean something else where a value is expected, or that end an expression.
const RESERVED: [&str; 9] = ["true", "false", "null", "and", "or", "not", "in", "by", "as"];

impl BinaryOp {
    /// How it is written.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Matches => "=~",
            Self::Join => ".",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}
