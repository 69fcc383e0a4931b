//! Tree to text: what is printed parses to the same tree.

use std::fmt;

use super::aggregate::{Aggregate, Function, Percent};
use super::arguments::is_name_char;
use super::tree::{Bound, Cidr, Expr, FieldName, FieldTest, Member, Pattern, Piece, Predicate, Query, Span};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.filter)?;
        self.stages.iter().try_for_each(|stage| write!(f, " | {stage}"))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let member = |f: &mut fmt::Formatter<'_>, expr: &Self| match expr {
            Self::And(_) | Self::Or(_) => write!(f, "({expr})"),
            _ => write!(f, "{expr}"),
        };
        let joined = |f: &mut fmt::Formatter<'_>, members: &[Self], between: &str| {
            members.iter().enumerate().try_for_each(|(index, expr)| {
                f.write_str(if index == 0 { "" } else { between })?;
                member(f, expr)
            })
        };
        match self {
            Self::All => f.write_str("*"),
            Self::And(members) => joined(f, members, " AND "),
            Self::Or(members) => joined(f, members, " OR "),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                member(f, inner)
            }
            Self::Test(predicate) => write!(f, "{predicate}"),
        }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(text) => match text.as_str() {
                "AND" | "OR" | "NOT" => write!(f, "\\{text}"),
                _ => escape_start(f, text).and_then(|()| escape(f, text, ":*?")),
            },
            Self::Words(words) => quote(f, &words.text),
            Self::WordPattern(pattern) => {
                if let Some(Piece::Text(text)) = pattern.pieces.first() {
                    escape_start(f, text)?;
                }
                print_pattern(f, pattern, ":*?")
            }
            Self::Regex(source) => print_regex(f, source),
            Self::Field { field, test } => {
                escape_start(f, field.typed())?;
                escape(f, field.typed(), ":*?")?;
                f.write_str(":")?;
                print_test(f, field, test)
            }
        }
    }
}

fn print_test(f: &mut fmt::Formatter<'_>, field: &FieldName, test: &FieldTest) -> fmt::Result {
    match test {
        FieldTest::Equals(text) => {
            let holds_words = matches!(field.member(), Some(Member::Message | Member::Raw));
            f.write_str(if holds_words && !text.is_empty() { "=" } else { "" })?;
            value(f, text)
        }
        FieldTest::Words(words) => quote(f, &words.text),
        FieldTest::Contains(text) => quote(f, text),
        FieldTest::Pattern(pattern) => {
            if let Some(Piece::Text(text)) = pattern.pieces.first()
                && text.starts_with(['/', '[', '{', '<', '>', '=', '!'])
            {
                f.write_str("\\")?;
            }
            print_pattern(f, pattern, "*?")
        }
        FieldTest::Regex(source) => print_regex(f, source),
        FieldTest::Range { low, high } => print_range(f, low, high),
        FieldTest::Cidr(cidr) => write!(f, "{cidr}"),
        FieldTest::Present => f.write_str("*"),
    }
}

fn print_range(f: &mut fmt::Formatter<'_>, low: &Bound, high: &Bound) -> fmt::Result {
    let (operator, text) = match (low, high) {
        (Bound::Exclusive(text), Bound::Open) => (">", text),
        (Bound::Inclusive(text), Bound::Open) => (">=", text),
        (Bound::Open, Bound::Exclusive(text)) => ("<", text),
        (Bound::Open, Bound::Inclusive(text)) => ("<=", text),
        _ => {
            f.write_str(if matches!(low, Bound::Exclusive(_)) { "{" } else { "[" })?;
            print_bound(f, low)?;
            f.write_str(" TO ")?;
            print_bound(f, high)?;
            return f.write_str(if matches!(high, Bound::Exclusive(_)) { "}" } else { "]" });
        }
    };
    f.write_str(operator)?;
    value(f, text)
}

fn print_bound(f: &mut fmt::Formatter<'_>, bound: &Bound) -> fmt::Result {
    match bound {
        Bound::Open => f.write_str("*"),
        Bound::Inclusive(text) | Bound::Exclusive(text) => value(f, text),
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.name())
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.written();
        f.write_str(&written)?;
        if self.name == written { Ok(()) } else { write!(f, " as {}", Name(&self.name)) }
    }
}

impl Aggregate {
    /// The aggregation without its `as`, in the house's spelling.
    fn written(&self) -> String {
        let mut text = self.function.to_string();
        if let Some(field) = &self.field {
            text.push_str(&format!("({})", Name(field.typed())));
        }
        if let Some(condition) = &self.condition {
            text.push_str(&format!(" if {condition}"));
        }
        text
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percent) => write!(f, "p{percent}"),
            named => f.write_str(named.name()),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divisor = 10u64.pow(u32::from(self.scale));
        write!(f, "{}", self.value / divisor)?;
        match self.scale {
            0 => Ok(()),
            scale => write!(f, ".{:0width$}", self.value % divisor, width = usize::from(scale)),
        }
    }
}

/// A name as a stage reads it: plain if it can be, else in back-quotes.
pub(crate) struct Name<'a>(pub(crate) &'a str);

/// Words that end a list of names, or that begin something else than a name.
const RESERVED_WORDS: [&str; 5] = ["by", "as", "if", "asc", "desc"];

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.chars().all(is_name_char)
            && !self.0.starts_with(['-', '/', ':'])
            && !self.0.starts_with(|c: char| c.is_ascii_digit())
            && !RESERVED_WORDS.iter().any(|word| word.eq_ignore_ascii_case(self.0));
        if plain { f.write_str(self.0) } else { print_quoted(f, self.0, '`') }
    }
}

/// Names with commas between them.
pub(crate) struct Names<'a>(pub(crate) &'a [FieldName]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, name)| {
            f.write_str(if index == 0 { "" } else { ", " })?;
            write!(f, "{}", Name(name.typed()))
        })
    }
}

/// Things with commas between them.
pub(crate) fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(index, item)| {
        f.write_str(if index == 0 { "" } else { ", " })?;
        write!(f, "{item}")
    })
}

/// A text between quotes that keep every other backslash.
pub(crate) fn print_quoted(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    write!(f, "{quote}")?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            c if c == quote => write!(f, "\\{c}")?,
            c => write!(f, "{c}")?,
        }
    }
    write!(f, "{quote}")
}

/// A field's value: plain where nothing in it could be read as something else.
fn value(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let plain = !text.is_empty()
        && text != "TO"
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'));
    if plain { f.write_str(text) } else { quote(f, text) }
}

fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    print_quoted(f, text, '"')
}

/// Escapes what would make a term's first character something else than text.
fn escape_start(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(if text.starts_with(['-', '/']) { "\\" } else { "" })
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str, special: &str) -> fmt::Result {
    text.chars().try_for_each(|c| {
        let escaped = c.is_whitespace() || matches!(c, '\\' | '"' | '(' | ')' | '|') || special.contains(c);
        f.write_str(if escaped { "\\" } else { "" })?;
        write!(f, "{c}")
    })
}

pub(crate) fn print_pattern(f: &mut fmt::Formatter<'_>, pattern: &Pattern, special: &str) -> fmt::Result {
    pattern.pieces.iter().try_for_each(|piece| match piece {
        Piece::Text(text) => escape(f, text, special),
        Piece::One => f.write_str("?"),
        Piece::Many => f.write_str("*"),
    })
}

/// The source stands as typed: a slash in it has its backslash already.
fn print_regex(f: &mut fmt::Formatter<'_>, source: &str) -> fmt::Result {
    write!(f, "/{source}/")
}
