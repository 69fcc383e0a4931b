//! Text to tree: the expression, then the pipeline. Recursive descent; what a stage's words mean is
//! in the stage's own file.

use std::ops::Range;

use super::error::{Hint, ParseError, columns};
use super::lexer::{Escapes, Lexer, Run};
use super::tree::{Bound, Cidr, Expr, FieldName, FieldTest, Member, Predicate, Query, Words};
use crate::query::stages::Stage;

/// Length of a query's text. Bounds the tree and all work on it.
pub const QUERY_BYTES_MAX: usize = 64 * 1024;
/// Nesting of parentheses, `NOT` and function calls. Bounds the stack of everything that walks a tree.
pub const NESTING_MAX: u32 = 64;
/// Stages in a pipeline.
pub const STAGES_MAX: usize = 64;

/// A query and what is probably not meant so in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The query.
    pub query: Query,
    /// Hints, in the order of the text.
    pub hints: Vec<Hint>,
}

/// Parses a query.
///
/// # Errors
/// The text is no query; the error says where and what would probably be right.
pub fn parse(text: &str) -> Result<Query, ParseError> {
    parse_with_hints(text).map(|parsed| parsed.query)
}

/// Parses a query, and says what in it is probably not meant so.
///
/// # Errors
/// As [`parse`].
pub fn parse_with_hints(text: &str) -> Result<Parsed, ParseError> {
    let mut parser = Parser::new(text)?;
    let query = parser.query()?;
    Ok(Parsed { query, hints: parser.hints })
}

/// Reads a query's text from left to right.
#[derive(Debug)]
pub struct Parser<'q> {
    pub(crate) lexer: Lexer<'q>,
    /// Whether a stage before this one turned events into rows.
    pub(crate) reduced: bool,
    /// Columns of the last reducing stage that are named like a call: `p95(latency_ms)`.
    pub(crate) columns: Vec<String>,
    /// Operators met in scalar expressions.
    pub(crate) links: u32,
    depth: u32,
    hints: Vec<Hint>,
}

impl<'q> Parser<'q> {
    /// # Errors
    /// The text is longer than [`QUERY_BYTES_MAX`].
    pub(crate) fn new(text: &'q str) -> Result<Self, ParseError> {
        if text.len() > QUERY_BYTES_MAX {
            let message = format!("a query has at most {QUERY_BYTES_MAX} bytes, this one has {}", text.len());
            return Err(ParseError::new(text, 0..1, message));
        }
        Ok(Self { lexer: Lexer::new(text), reduced: false, columns: Vec::new(), links: 0, depth: 0, hints: Vec::new() })
    }

    fn query(&mut self) -> Result<Query, ParseError> {
        self.lexer.skip_blanks();
        let filter = if self.lexer.at_stage_end() { Expr::All } else { self.any_of(None)? };
        self.lexer.skip_blanks();
        if self.lexer.peek() == Some(')') {
            return Err(self.lexer.error_here("this `)` closes nothing").hint("remove it, or write `\\)`").fix(""));
        }
        let mut stages = Vec::new();
        while self.lexer.eat("|") {
            if stages.len() == STAGES_MAX {
                return Err(self.lexer.error_here(format!("a pipeline has at most {STAGES_MAX} stages")));
            }
            stages.push(self.stage()?);
        }
        Ok(Query { filter, stages })
    }

    fn stage(&mut self) -> Result<Stage, ParseError> {
        self.lexer.skip_blanks();
        let start = self.lexer.at();
        while self.lexer.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.lexer.bump();
        }
        let name = self.lexer.since(start);
        if name.is_empty() {
            let known = Stage::HELP.iter().map(|help| help.name).collect::<Vec<_>>().join(", ");
            return Err(self.lexer.error_here("the name of a stage must follow `|`").hint(format!("one of {known}")));
        }
        let unknown = self.unknown_stage(name, start);
        let stage = Stage::parse(&name.to_ascii_lowercase(), self).ok_or(unknown)??;
        self.lexer.skip_blanks();
        if !self.lexer.at_stage_end() {
            return Err(self.unexpected(&stage));
        }
        if stage.reduces() {
            self.reduced = true;
            self.columns = stage.call_like_columns();
        }
        Ok(stage)
    }

    fn unknown_stage(&self, name: &str, start: usize) -> ParseError {
        let error = self.lexer.error(start..start + name.len(), format!("there is no stage `{name}`"));
        let error = error.nearest(name, Stage::HELP.iter().map(|help| help.name));
        match error.hint {
            Some(_) => error,
            None => error.hint("stages follow a `|`; for the character itself write `\\|` or put it in quotes"),
        }
    }

    fn unexpected(&self, stage: &Stage) -> ParseError {
        let mut end = self.lexer;
        while end.peek().is_some_and(|c| !c.is_whitespace() && c != '|') {
            end.bump();
        }
        let range = self.lexer.at()..end.at();
        let word = end.since(self.lexer.at()).to_owned();
        let help = stage.help();
        self.lexer
            .error(range, format!("`{word}` is not understood here"))
            .hint(format!("`{}` is written `{}`", help.name, help.signature))
    }

    /// Runs `inner` one level deeper.
    pub(crate) fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth == NESTING_MAX {
            return Err(self.lexer.error_here(format!("a query is nested at most {NESTING_MAX} levels deep")));
        }
        self.depth += 1;
        let outcome = inner(self);
        self.depth -= 1;
        outcome
    }

    /// `a OR b c`. Inside `f:( )`, where `scope` is `f`, a blank means OR as well.
    fn any_of(&mut self, scope: Option<&FieldName>) -> Result<Expr, ParseError> {
        let mut any = vec![self.all_of(scope)?];
        while !self.at_expression_end() {
            if !self.keyword("OR") {
                debug_assert!(scope.is_some(), "outside of f:( ) only OR ends a conjunction");
            }
            any.push(self.all_of(scope)?);
        }
        Ok(joined(any, Expr::Or, |expr| match expr {
            Expr::Or(inner) => Ok(inner),
            other => Err(other),
        }))
    }

    fn all_of(&mut self, scope: Option<&FieldName>) -> Result<Expr, ParseError> {
        let mut all = vec![self.unary(scope)?];
        while !self.at_expression_end() {
            if !self.keyword("AND") && (scope.is_some() || self.next_is_keyword("OR")) {
                break;
            }
            all.push(self.unary(scope)?);
        }
        Ok(joined(all, Expr::And, |expr| match expr {
            Expr::And(inner) => Ok(inner),
            other => Err(other),
        }))
    }

    fn unary(&mut self, scope: Option<&FieldName>) -> Result<Expr, ParseError> {
        self.lexer.skip_blanks();
        if self.keyword("NOT") || self.minus(scope.is_some()) {
            return self.nested(|parser| Ok(Expr::Not(Box::new(parser.unary(scope)?))));
        }
        match self.lexer.peek() {
            Some('(') => self.group(scope),
            _ => match scope {
                Some(field) => {
                    self.check_no_keyword()?;
                    self.field_test(field)
                }
                None => self.term(),
            },
        }
    }

    /// `-` is NOT only at the start of a term; alone it is text, and in `f:( )` before a digit a sign.
    fn minus(&mut self, scoped: bool) -> bool {
        let not = match (self.lexer.peek(), self.lexer.peek_second()) {
            (Some('-'), Some(next)) => {
                !next.is_whitespace() && next != ')' && next != '|' && !(scoped && next.is_ascii_digit())
            }
            _ => false,
        };
        not && self.lexer.eat("-")
    }

    fn group(&mut self, scope: Option<&FieldName>) -> Result<Expr, ParseError> {
        let open = self.lexer.at();
        self.lexer.bump();
        self.lexer.skip_blanks();
        if self.lexer.peek() == Some(')') {
            return Err(self.lexer.error(open..self.lexer.at() + 1, "there is nothing between these parentheses"));
        }
        let inner = self.nested(|parser| parser.any_of(scope))?;
        self.lexer.skip_blanks();
        if !self.lexer.eat(")") {
            return Err(self
                .lexer
                .error(open..open + 1, "this `(` is never closed")
                .hint("add a `)`, or write `\\(` for the character itself"));
        }
        Ok(inner)
    }

    /// A term outside of `f:( )`.
    fn term(&mut self) -> Result<Expr, ParseError> {
        let start = self.lexer.at();
        match self.lexer.peek() {
            None | Some(')' | '|') => return Err(self.missing_term()),
            Some('"') => return self.quoted_term(start),
            Some('/') => {
                if let Some((source, range)) = self.lexer.regex() {
                    self.check_regex(&source, range)?;
                    return Ok(Expr::Test(Predicate::Regex(source)));
                }
            }
            Some(_) => {}
        }
        // The colon after a name ends it; a term that begins with a colon is text.
        let name = self.lexer.run(|c| ends_term(c) || c == ':')?;
        if self.lexer.peek() == Some(':') && !name.is_empty() {
            return self.field_term(name);
        }
        self.lexer.back_to(start);
        self.check_no_keyword()?;
        let run = self.lexer.run(ends_term)?;
        self.check_term_end(&run)?;
        Ok(match () {
            () if run.is_everything() => Expr::All,
            () if run.has_wildcards() => Expr::Test(Predicate::WordPattern(run.pattern())),
            () => Expr::Test(Predicate::Term(run.text())),
        })
    }

    fn quoted_term(&mut self, start: usize) -> Result<Expr, ParseError> {
        let text = self.lexer.quoted('"', Escapes::Any)?;
        let range = start..self.lexer.at();
        if text.is_empty() {
            return Err(self
                .lexer
                .error(range, "there is nothing between these quotes")
                .hint("`*` finds every event; `field:\"\"` finds an empty value"));
        }
        if self.lexer.eat(":") {
            return self.field_value(FieldName::new(text), range);
        }
        Ok(Expr::Test(match Words::new(&text) {
            Some(words) => Predicate::Words(words),
            None => Predicate::Term(text),
        }))
    }

    fn field_term(&mut self, name: Run) -> Result<Expr, ParseError> {
        self.lexer.bump();
        if name.has_wildcards() {
            return Err(self
                .lexer
                .error(name.range, "the name of a field has no wildcards")
                .hint("name the field, or leave it out to search in all fields"));
        }
        let value_start = self.lexer.at();
        let text = name.text();
        let looks_like_text = text.bytes().all(|byte| byte.is_ascii_digit()) || self.lexer.rest().starts_with("//");
        let expr = self.field_value(FieldName::new(text.clone()), name.range.clone())?;
        if looks_like_text {
            let value = self.lexer.since(value_start);
            let range = name.range.start..self.lexer.at();
            self.hint(range, format!(
                "`{text}:{value}` is read as the field `{text}` with the value `{value}`; to find the text, quote it: \"{text}:{value}\""
            ));
        }
        Ok(expr)
    }

    /// What follows `f:`. `name` is where the field's name stands.
    fn field_value(&mut self, field: FieldName, name: Range<usize>) -> Result<Expr, ParseError> {
        if self.lexer.peek() == Some('(') {
            return self.group(Some(&field));
        }
        if self.lexer.peek().is_none_or(|c| c.is_whitespace() || c == ')' || c == '|') {
            let shown = self.lexer.since(name.start).trim_end_matches(':').to_owned();
            let range = name.start..self.lexer.at();
            return Err(self
                .lexer
                .error(range, "a value must follow the colon, without a blank")
                .hint(format!("write `{shown}:value`, or `\"{shown}:\"` to find the text itself")));
        }
        self.field_test(&field)
    }

    /// A test of `field`, after its colon or inside `f:( )`.
    fn field_test(&mut self, field: &FieldName) -> Result<Expr, ParseError> {
        let start = self.lexer.at();
        let test = match self.lexer.peek() {
            None | Some(')' | '|') => return Err(self.missing_term()),
            Some('"') => {
                let text = self.lexer.quoted('"', Escapes::Any)?;
                text_test(field, text)
            }
            Some('[' | '{') => self.range(start)?,
            Some('<' | '>' | '=' | '!') => return self.comparison(field),
            Some('/') => match self.lexer.regex() {
                Some((source, range)) => {
                    self.check_regex(&source, range)?;
                    FieldTest::Regex(source)
                }
                None => self.plain_test(field)?,
            },
            Some(_) => self.plain_test(field)?,
        };
        Ok(Expr::Test(Predicate::Field { field: field.clone(), test }))
    }

    fn plain_test(&mut self, field: &FieldName) -> Result<FieldTest, ParseError> {
        let run = self.lexer.run(ends_term)?;
        self.check_term_end(&run)?;
        Ok(match () {
            () if run.is_everything() => FieldTest::Present,
            () if run.has_wildcards() => FieldTest::Pattern(run.pattern()),
            () => match cidr(&run).filter(|_| !holds_words(field)) {
                Some(cidr) => FieldTest::Cidr(cidr),
                None => text_test(field, run.text()),
            },
        })
    }

    /// `>v`, `>=v`, `<v`, `<=v`, `=v`, `!=v`.
    fn comparison(&mut self, field: &FieldName) -> Result<Expr, ParseError> {
        let start = self.lexer.at();
        let Some(&operator) = ["!=", ">=", "<=", ">", "<", "="].iter().find(|operator| self.lexer.eat(operator)) else {
            // A lone `!`: text like any other.
            let test = self.plain_test(field)?;
            return Ok(Expr::Test(Predicate::Field { field: field.clone(), test }));
        };
        let (text, run) = self.comparison_value(start, operator)?;
        let test = match operator {
            ">" => FieldTest::Range { low: Bound::Exclusive(text), high: Bound::Open },
            ">=" => FieldTest::Range { low: Bound::Inclusive(text), high: Bound::Open },
            "<" => FieldTest::Range { low: Bound::Open, high: Bound::Exclusive(text) },
            "<=" => FieldTest::Range { low: Bound::Open, high: Bound::Inclusive(text) },
            _ => match run {
                Some(run) if run.is_everything() => FieldTest::Present,
                Some(run) if run.has_wildcards() => FieldTest::Pattern(run.pattern()),
                _ => FieldTest::Equals(text),
            },
        };
        let test = Expr::Test(Predicate::Field { field: field.clone(), test });
        Ok(if operator == "!=" { Expr::Not(Box::new(test)) } else { test })
    }

    /// A quoted text, or a run.
    fn comparison_value(&mut self, start: usize, operator: &str) -> Result<(String, Option<Run>), ParseError> {
        if self.lexer.peek() == Some('"') {
            return Ok((self.lexer.quoted('"', Escapes::Any)?, None));
        }
        let run = self.lexer.run(ends_term)?;
        if run.is_empty() {
            return Err(self
                .lexer
                .error(start..self.lexer.at(), format!("a value must follow `{operator}`, without a blank")));
        }
        self.check_term_end(&run)?;
        Ok((run.text(), Some(run)))
    }

    /// `[a TO b]`; a curly bracket leaves its bound out.
    fn range(&mut self, start: usize) -> Result<FieldTest, ParseError> {
        let low_fits = self.lexer.bump() == Some('[');
        let low = self.bound(start)?;
        self.lexer.skip_blanks();
        let word = self.lexer.at();
        let run = self.lexer.run(ends_bound)?;
        if !run.is("TO") {
            return Err(self
                .lexer
                .error(word..self.lexer.at().max(word + 1), "a range is written `[low TO high]`")
                .hint("`TO` in capitals stands between the bounds; `*` leaves one open"));
        }
        let high = self.bound(start)?;
        self.lexer.skip_blanks();
        let high_fits = match self.lexer.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.open_range(start)),
        };
        self.lexer.bump();
        let bound = |text: Option<String>, fits| match text {
            None => Bound::Open,
            Some(text) if fits => Bound::Inclusive(text),
            Some(text) => Bound::Exclusive(text),
        };
        Ok(match (bound(low, low_fits), bound(high, high_fits)) {
            (Bound::Open, Bound::Open) => FieldTest::Present,
            (low, high) => FieldTest::Range { low, high },
        })
    }

    /// One bound; `None` is `*`.
    fn bound(&mut self, start: usize) -> Result<Option<String>, ParseError> {
        self.lexer.skip_blanks();
        if self.lexer.peek() == Some('"') {
            return self.lexer.quoted('"', Escapes::Any).map(Some);
        }
        let run = self.lexer.run(ends_bound)?;
        match () {
            () if run.is_empty() => Err(self.open_range(start)),
            () if run.is_everything() => Ok(None),
            () => Ok(Some(run.text())),
        }
    }

    fn open_range(&self, start: usize) -> ParseError {
        self.lexer
            .error(start..start + 1, "this range is not complete")
            .hint("a range is written `[low TO high]`; `*` leaves a bound open")
    }

    /// Takes `word` if it comes next as a term of its own.
    fn keyword(&mut self, word: &str) -> bool {
        self.lexer.skip_blanks();
        self.next_is_keyword(word) && self.lexer.eat(word)
    }

    fn next_is_keyword(&self, word: &str) -> bool {
        let follows = self.lexer.rest().strip_prefix(word).map(|rest| rest.chars().next());
        follows.is_some_and(|next| next.is_none_or(ends_term))
    }

    fn at_expression_end(&mut self) -> bool {
        self.lexer.skip_blanks();
        matches!(self.lexer.peek(), None | Some(')' | '|'))
    }

    fn missing_term(&self) -> ParseError {
        self.lexer
            .error_here("a term is missing here")
            .hint("`AND`, `OR` and `NOT` need a term beside them; in quotes they are words")
    }

    /// Refuses a keyword where a term must stand.
    fn check_no_keyword(&self) -> Result<(), ParseError> {
        match ["AND", "OR", "NOT"].into_iter().find(|word| self.next_is_keyword(word)) {
            None => Ok(()),
            Some(word) => Err(self
                .lexer
                .error(self.lexer.at()..self.lexer.at() + word.len(), format!("a term is missing before `{word}`"))
                .hint(format!("to search for the word itself write `\"{word}\"`"))
                .fix(format!("\"{word}\""))),
        }
    }

    /// A quote inside a term is refused: nobody could tell what it was meant to quote.
    fn check_term_end(&self, run: &Run) -> Result<(), ParseError> {
        if self.lexer.peek() != Some('"') {
            return Ok(());
        }
        let error = self.lexer.error_here("a quote can't begin inside a term");
        let text = run.text();
        Err(match text.strip_suffix('=') {
            Some(name) if !name.is_empty() => error.hint(format!("a field is asked with a colon: `{name}:\"…\"`")),
            _ => error.hint("put the whole term in quotes, or write `\\\"` for the character itself").fix("\\\""),
        })
    }

    pub(crate) fn check_regex(&self, source: &str, range: Range<usize>) -> Result<(), ParseError> {
        super::regex::compile(source).map(drop).map_err(|error| {
            self.lexer
                .error(range, format!("this is no regular expression: {error}"))
                .hint("a text with slashes is quoted: \"/…/\"")
        })
    }

    /// Notes what is probably not meant so.
    pub(crate) fn hint(&mut self, range: Range<usize>, message: String) {
        let (column, length) = columns(self.lexer.whole(), range);
        self.hints.push(Hint { column, length, message });
    }
}

/// Whether a character ends an unquoted term.
fn ends_term(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '|' | '"')
}

fn ends_bound(c: char) -> bool {
    c.is_whitespace() || matches!(c, ']' | '}' | '"' | '|')
}

/// Whether `f:v` means words.
fn holds_words(field: &FieldName) -> bool {
    matches!(field.member(), Some(Member::Message | Member::Raw))
}

/// `f:v` and `f:"v w"`.
fn text_test(field: &FieldName, text: String) -> FieldTest {
    if !holds_words(field) || text.is_empty() {
        return FieldTest::Equals(text);
    }
    match Words::new(&text) {
        Some(words) => FieldTest::Words(words),
        None => FieldTest::Contains(text),
    }
}

fn cidr(run: &Run) -> Option<Cidr> {
    if run.has_escapes() {
        return None;
    }
    Cidr::parse(&run.text())
}

/// `items` as one expression, without nesting a kind in itself.
fn joined(mut items: Vec<Expr>, join: fn(Vec<Expr>) -> Expr, own: fn(Expr) -> Result<Vec<Expr>, Expr>) -> Expr {
    if items.len() == 1 {
        return items.swap_remove(0);
    }
    let mut flat = Vec::with_capacity(items.len());
    for item in items {
        match own(item) {
            Ok(inner) => flat.extend(inner),
            Err(other) => flat.push(other),
        }
    }
    join(flat)
}

/// Parses whatever bytes come, prints it and parses that again: the target of fuzzing.
///
/// # Panics
/// What was parsed does not parse to the same tree once printed. (Or the parser has a bug.)
pub fn fuzz_query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match parse(&text) {
        Ok(query) => {
            let printed = query.to_string();
            // Printing adds escapes and quotes, so a text near the limit may pass it.
            if printed.len() <= QUERY_BYTES_MAX {
                match parse(&printed) {
                    Ok(again) => assert_eq!(again, query, "printed as {printed}"),
                    Err(error) => panic!("{text:?} was printed as {printed:?}: {error}"),
                }
            }
        }
        Err(error) => drop(error.render(&text)),
    }
}

#[cfg(test)]
mod tests;
