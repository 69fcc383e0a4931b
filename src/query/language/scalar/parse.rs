//! Text to scalar expression. Binds, loosest first: `or`, `and`, `not`, comparisons, `.`, `+ -`,
//! `* / %`, unary `-`.

use std::ops::Range;

use super::{BinaryOp, ScalarExpr, ScalarFunction, UnaryOp};
use crate::query::language::error::ParseError;
use crate::query::language::lexer::Escapes;
use crate::query::language::parser::Parser;
use crate::query::language::tree::FieldName;
use crate::query::value::{Decimal, Value};

impl Parser<'_> {
    /// A scalar expression, up to whatever can't continue one.
    pub(crate) fn scalar(&mut self) -> Result<ScalarExpr, ParseError> {
        self.nested(Self::scalar_or)
    }

    fn scalar_or(&mut self) -> Result<ScalarExpr, ParseError> {
        let mut left = self.scalar_and()?;
        while self.word("or") {
            left = binary(BinaryOp::Or, left, self.scalar_and()?);
            self.check_links()?;
        }
        Ok(left)
    }

    fn scalar_and(&mut self) -> Result<ScalarExpr, ParseError> {
        let mut left = self.scalar_not()?;
        while self.word("and") {
            left = binary(BinaryOp::And, left, self.scalar_not()?);
            self.check_links()?;
        }
        Ok(left)
    }

    fn scalar_not(&mut self) -> Result<ScalarExpr, ParseError> {
        if self.word("not") {
            let inner = self.nested(Self::scalar_not)?;
            return Ok(ScalarExpr::Unary(UnaryOp::Not, Box::new(inner)));
        }
        self.scalar_comparison()
    }

    fn scalar_comparison(&mut self) -> Result<ScalarExpr, ParseError> {
        let start = self.lexer.at();
        let left = self.scalar_join()?;
        if self.word("in") {
            return Ok(ScalarExpr::In(Box::new(left), self.scalar_list()?));
        }
        let before_not = self.lexer.at();
        if self.word("not") {
            if self.word("in") {
                let inside = ScalarExpr::In(Box::new(left), self.scalar_list()?);
                return Ok(ScalarExpr::Unary(UnaryOp::Not, Box::new(inside)));
            }
            self.lexer.back_to(before_not);
        }
        let operator = COMPARISONS.into_iter().find(|(mark, _)| self.mark(mark));
        let Some((mark, operator)) = operator else {
            self.check_search_syntax(start)?;
            return Ok(left);
        };
        let right_start = self.lexer.at();
        let right = self.scalar_join()?;
        if operator == BinaryOp::Matches {
            self.check_literal_regex(&right, right_start)?;
        }
        if matches!(right, ScalarExpr::Literal(Value::Null)) {
            let message = format!("`{mark} null` is never true: write `isnull(…)` or `not isnull(…)`");
            self.hint(start..self.lexer.at(), message);
        }
        let here = self.lexer.at();
        if COMPARISONS.into_iter().any(|(mark, _)| self.mark(mark)) {
            let range = here..self.lexer.at();
            return Err(self
                .lexer
                .error(range, "comparisons can't be chained")
                .hint(format!("write `a {mark} b and b {mark} c`")));
        }
        Ok(binary(operator, left, right))
    }

    fn scalar_join(&mut self) -> Result<ScalarExpr, ParseError> {
        let mut left = self.scalar_sum()?;
        while self.mark(".") {
            left = binary(BinaryOp::Join, left, self.scalar_sum()?);
            self.check_links()?;
        }
        Ok(left)
    }

    fn scalar_sum(&mut self) -> Result<ScalarExpr, ParseError> {
        let mut left = self.scalar_product()?;
        loop {
            let operator = match () {
                () if self.mark("+") => BinaryOp::Add,
                () if self.mark("-") => BinaryOp::Subtract,
                () => return Ok(left),
            };
            left = binary(operator, left, self.scalar_product()?);
            self.check_links()?;
        }
    }

    fn scalar_product(&mut self) -> Result<ScalarExpr, ParseError> {
        let mut left = self.scalar_unary()?;
        loop {
            let operator = match () {
                () if self.mark("*") => BinaryOp::Multiply,
                () if self.mark("/") => BinaryOp::Divide,
                () if self.mark("%") => BinaryOp::Remainder,
                () => return Ok(left),
            };
            left = binary(operator, left, self.scalar_unary()?);
            self.check_links()?;
        }
    }

    /// A chain of operators leans to the left, so its length is depth for whoever walks it.
    fn check_links(&mut self) -> Result<(), ParseError> {
        self.links += 1;
        if self.links <= LINKS_MAX {
            return Ok(());
        }
        let error = self.lexer.error_here(format!("the expressions of a query have at most {LINKS_MAX} operators"));
        Err(error.hint("many `or` of one field are written `field in (…)`"))
    }

    fn scalar_unary(&mut self) -> Result<ScalarExpr, ParseError> {
        if self.mark("-") {
            let inner = self.nested(Self::scalar_unary)?;
            return Ok(ScalarExpr::Unary(UnaryOp::Negate, Box::new(inner)));
        }
        self.scalar_primary()
    }

    fn scalar_primary(&mut self) -> Result<ScalarExpr, ParseError> {
        self.lexer.skip_blanks();
        let start = self.lexer.at();
        match self.lexer.peek() {
            Some('(') => {
                self.lexer.bump();
                let inner = self.scalar()?;
                self.close(start)?;
                Ok(inner)
            }
            Some('"') => Ok(ScalarExpr::Literal(Value::Text(self.lexer.quoted('"', Escapes::QuoteOnly)?))),
            Some('`') => Ok(ScalarExpr::Field(self.name()?)),
            Some(c) if c.is_ascii_digit() => self.scalar_number(),
            Some(c) if starts_name(c) => self.scalar_name(),
            _ => Err(self.no_value()),
        }
    }

    fn no_value(&self) -> ParseError {
        let error = self.lexer.error_here("a value is missing here");
        match self.lexer.peek() {
            Some('\'') => error.hint("texts stand in double quotes: \"text\"").fix("\""),
            Some('!') => error.hint("negation is written `not`").fix("not "),
            Some('&') => error.hint("both is written `and`"),
            Some('=') => error.hint("equality is written `==`"),
            _ => error.hint("a field, a number, a \"text\", true, false or null"),
        }
    }

    fn close(&mut self, open: usize) -> Result<(), ParseError> {
        if self.mark(")") {
            return Ok(());
        }
        if self.at_stage_end() {
            return Err(self.lexer.error(open..open + 1, "this `(` is never closed"));
        }
        Err(self.lexer.error_here("`)` or an operator is expected here"))
    }

    fn scalar_number(&mut self) -> Result<ScalarExpr, ParseError> {
        let rest = self.lexer.rest();
        let length = number_length(rest);
        let start = self.lexer.at();
        let range = start..start + length;
        self.lexer.back_to(range.end);
        if self.lexer.peek().is_some_and(starts_name) {
            return Err(self
                .lexer
                .error_here("a number can't be followed by a letter")
                .hint("texts stand in double quotes, names that begin with a digit in back-quotes"));
        }
        match Decimal::parse(&rest[..length]) {
            Some(number) => Ok(ScalarExpr::Literal(Value::Number(number))),
            None => Err(self.lexer.error(range, "this number has too many digits").hint("at most 38")),
        }
    }

    /// A keyword, a column named like a call, a call, or a field.
    fn scalar_name(&mut self) -> Result<ScalarExpr, ParseError> {
        if let Some(column) = self.known_column() {
            self.lexer.back_to(self.lexer.at() + column.len());
            return Ok(ScalarExpr::Field(FieldName::new(column)));
        }
        let start = self.lexer.at();
        self.scalar_name_run();
        let name = self.lexer.since(start).to_owned();
        let range = start..self.lexer.at();
        if self.lexer.peek() == Some('(') {
            return self.scalar_call(&name, range);
        }
        Ok(match name.to_ascii_lowercase().as_str() {
            "true" => ScalarExpr::Literal(Value::Bool(true)),
            "false" => ScalarExpr::Literal(Value::Bool(false)),
            "null" => ScalarExpr::Literal(Value::Null),
            "and" | "or" | "in" | "not" => {
                let error = self.lexer.error(range, "a value is missing here");
                return Err(error.hint(format!("a field of this name stands in back-quotes: `` `{name}` ``")));
            }
            _ => ScalarExpr::Field(FieldName::new(name)),
        })
    }

    /// A dot that a name character follows at once belongs to the name; any other joins texts.
    fn scalar_name_run(&mut self) {
        while let Some(c) = self.lexer.peek() {
            let inner_dot = c == '.' && self.lexer.peek_second().is_some_and(continues_name);
            if !inner_dot && !continues_name(c) {
                return;
            }
            self.lexer.bump();
        }
    }

    /// The longest column of the last reducing stage that stands here as it was named.
    fn known_column(&self) -> Option<String> {
        let rest = self.lexer.rest();
        let here = |column: &&String| {
            rest.strip_prefix(column.as_str()).is_some_and(|after| !after.starts_with(continues_name))
        };
        self.columns.iter().filter(here).max_by_key(|column| column.len()).cloned()
    }

    fn scalar_call(&mut self, name: &str, range: Range<usize>) -> Result<ScalarExpr, ParseError> {
        let Some(function) = ScalarFunction::named(name) else {
            let error = self.lexer.error(range, format!("there is no function `{name}`"));
            let error = error.nearest(name, ScalarFunction::names());
            return Err(match error.hint {
                Some(_) => error,
                None => error.hint("a column that is named like a call stands in back-quotes: `` `p95(latency_ms)` ``"),
            });
        };
        let start = self.lexer.at();
        let arguments = self.scalar_list_or_nothing()?;
        let (min, max) = function.arity();
        if !(min..=max).contains(&arguments.len()) {
            let error =
                self.lexer.error(range.start..self.lexer.at(), format!("`{name}` has another number of arguments"));
            return Err(error.hint(format!("`{}`", function.signature())));
        }
        if matches!(function, ScalarFunction::Match | ScalarFunction::Replace) {
            self.check_literal_regex(&arguments[1], start)?;
        }
        Ok(ScalarExpr::Call(function, arguments))
    }

    fn scalar_list(&mut self) -> Result<Vec<ScalarExpr>, ParseError> {
        self.lexer.skip_blanks();
        if self.lexer.peek() != Some('(') {
            return Err(self.lexer.error_here("a list in parentheses is expected here").hint("`status in (500, 502)`"));
        }
        let items = self.scalar_list_or_nothing()?;
        if items.is_empty() {
            return Err(self.lexer.error_here("the list before is empty"));
        }
        Ok(items)
    }

    fn scalar_list_or_nothing(&mut self) -> Result<Vec<ScalarExpr>, ParseError> {
        let open = self.lexer.at();
        self.lexer.bump();
        let mut items = Vec::new();
        if self.mark(")") {
            return Ok(items);
        }
        loop {
            items.push(self.scalar()?);
            if !self.mark(",") {
                self.close(open)?;
                return Ok(items);
            }
        }
    }

    fn check_literal_regex(&self, expr: &ScalarExpr, start: usize) -> Result<(), ParseError> {
        match expr {
            ScalarExpr::Literal(Value::Text(source)) => self.check_regex(source, start..self.lexer.at()),
            _ => Ok(()),
        }
    }

    /// Rule 16: this is not the search language.
    fn check_search_syntax(&mut self, start: usize) -> Result<(), ParseError> {
        self.lexer.skip_blanks();
        let mark = self.lexer.at();
        let name = self.lexer.whole().get(start..mark).unwrap_or_default().trim().to_owned();
        if self.lexer.eat(":") {
            let (value, range) = self.plain_word();
            let quoted = self.lexer.peek() == Some('"');
            let value = if value.is_empty() && quoted { self.value_text()? } else { value };
            let literal = if Decimal::parse(&value).is_some() { value } else { format!("\"{value}\"") };
            let fix = format!("{name} == {literal}");
            let error =
                self.lexer.error(start..range.end.max(self.lexer.at()), "`field:value` belongs before the first `|`");
            return Err(error.hint(format!("here it is written `{fix}`")).fix(fix));
        }
        for (wrong, right) in [("=", "=="), ("&&", "and"), ("||", "or"), ("<>", "!=")] {
            if self.lexer.rest().starts_with(wrong) {
                let error = self.lexer.error(mark..mark + wrong.len(), format!("`{wrong}` is no operator"));
                return Err(error.hint(format!("write `{right}`")).fix(right));
            }
        }
        Ok(())
    }
}

fn binary(operator: BinaryOp, left: ScalarExpr, right: ScalarExpr) -> ScalarExpr {
    ScalarExpr::Binary(operator, Box::new(left), Box::new(right))
}

pub(super) fn starts_name(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '@')
}

pub(super) fn continues_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@')
}

/// How many bytes at the start are digits, a fraction and an exponent.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| text.as_bytes()[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    if text[length..].starts_with('.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}

/// Operators between operands in all scalar expressions of a query. With the nesting it bounds the
/// depth of their trees, and so the stack of everything that walks them.
const LINKS_MAX: u32 = 512;

/// Longer marks first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, BinaryOp); 7] = [
    ("==", BinaryOp::Equal),
    ("!=", BinaryOp::NotEqual),
    ("=~", BinaryOp::Matches),
    ("<=", BinaryOp::LessOrEqual),
    (">=", BinaryOp::GreaterOrEqual),
    ("<", BinaryOp::Less),
    (">", BinaryOp::Greater),
];
