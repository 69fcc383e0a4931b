//! Whether an event fits an expression.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use helios::query::language::{Bound, Cidr, Expr, FieldName, FieldTest, Member, Pattern, Piece, Predicate};

use super::Event;
use super::cell::{fold, in_word, print_time, read_address, read_time, words};
use super::number::Num;

pub(crate) fn holds(expr: &Expr, event: &Event) -> bool {
    match expr {
        Expr::All => true,
        Expr::And(members) => members.iter().all(|member| holds(member, event)),
        Expr::Or(members) => members.iter().any(|member| holds(member, event)),
        Expr::Not(inner) => !holds(inner, event),
        Expr::Test(predicate) => fits(predicate, event),
    }
}

fn fits(predicate: &Predicate, event: &Event) -> bool {
    let anywhere = |test: &dyn Fn(&str) -> bool| everywhere(event).iter().any(|text| test(text));
    match predicate {
        // Rule 3: a substring of raw as sent or of any field's decoded text.
        Predicate::Term(term) => anywhere(&|text| fold(text).contains(&fold(term))),
        Predicate::Words(wanted) => anywhere(&|text| words_in(text, &words(&wanted.text))),
        Predicate::WordPattern(pattern) => anywhere(&|text| pattern_in(pattern, text)),
        Predicate::Regex(source) => anywhere(&|text| regex(source, text)),
        Predicate::Field { field, test } if field.member() == Some(Member::Timestamp) => {
            time_fits(event.timestamp, test)
        }
        Predicate::Field { field, test } => values(event, field).iter().any(|value| value_fits(value, test)),
    }
}

/// Raw, and every field's decoded text.
fn everywhere(event: &Event) -> Vec<String> {
    let mut texts = vec![String::from_utf8_lossy(&event.raw).into_owned(), event.message.clone()];
    texts.extend(event.source.clone());
    texts.extend(event.fields.iter().flat_map(|(_, values)| values.clone()));
    texts
}

fn values(event: &Event, field: &FieldName) -> Vec<String> {
    match field.member() {
        Some(Member::Timestamp) => vec![print_time(event.timestamp)],
        Some(Member::Message) => vec![event.message.clone()],
        Some(Member::Source) => event.source.iter().cloned().collect(),
        Some(Member::Env) => vec![event.env.clone()],
        Some(Member::Index) => vec![event.index.clone()],
        Some(Member::Id) => vec![event.id()],
        Some(Member::Raw) => vec![String::from_utf8_lossy(&event.raw).into_owned()],
        None => {
            let named = event.fields.iter().filter(|(name, _)| fold(name) == field.folded());
            named.flat_map(|(_, values)| values.clone()).collect()
        }
    }
}

fn value_fits(value: &str, test: &FieldTest) -> bool {
    match test {
        FieldTest::Present => true,
        FieldTest::Equals(asked) => equal(value, asked),
        FieldTest::Words(wanted) => words_in(value, &words(&wanted.text)),
        FieldTest::Contains(part) => fold(value).contains(&fold(part)),
        FieldTest::Pattern(pattern) => {
            let (pattern, text) = (tokens(pattern), fold(value).chars().collect::<Vec<_>>());
            like(&pattern, &text, &|_| true)
        }
        FieldTest::Regex(source) => regex(source, value),
        FieldTest::Cidr(cidr) => read_address(value).is_some_and(|address| network_holds(cidr, address)),
        FieldTest::Range { low, high } => in_bounds(low, high, |bound| order(value, bound)),
    }
}

/// Rule 5: folded, or as numbers.
fn equal(value: &str, asked: &str) -> bool {
    match (Num::parse(value), Num::parse(asked)) {
        (Some(value), Some(asked)) => value == asked,
        _ => fold(value) == fold(asked),
    }
}

/// Rule 6: numbers, else addresses, else times, else folded text; a number as bound fits only numbers.
fn order(value: &str, bound: &str) -> Option<std::cmp::Ordering> {
    match (Num::parse(value), Num::parse(bound)) {
        (Some(value), Some(bound)) => return Some(value.compare(&bound)),
        (None, Some(_)) => return None,
        (Some(_), None) => return Some(fold(value).cmp(&fold(bound))),
        (None, None) => {}
    }
    if let (Some(value), Some(bound)) = (read_address(value), read_address(bound)) {
        return Some(value.cmp(&bound));
    }
    match (read_time(value), read_time(bound)) {
        (Some(value), Some(bound)) => Some(value.cmp(&bound)),
        _ => Some(fold(value).cmp(&fold(bound))),
    }
}

fn in_bounds(low: &Bound, high: &Bound, order: impl Fn(&str) -> Option<std::cmp::Ordering>) -> bool {
    let above = match low {
        Bound::Open => true,
        Bound::Inclusive(bound) => order(bound).is_some_and(std::cmp::Ordering::is_ge),
        Bound::Exclusive(bound) => order(bound).is_some_and(std::cmp::Ordering::is_gt),
    };
    let below = match high {
        Bound::Open => true,
        Bound::Inclusive(bound) => order(bound).is_some_and(std::cmp::Ordering::is_le),
        Bound::Exclusive(bound) => order(bound).is_some_and(std::cmp::Ordering::is_lt),
    };
    above && below
}

fn time_fits(time: i64, test: &FieldTest) -> bool {
    let shown = print_time(time);
    match test {
        FieldTest::Equals(asked) => read_time(asked).map_or(fold(&shown) == fold(asked), |asked| asked == time),
        FieldTest::Range { low, high } => in_bounds(low, high, |bound| match read_time(bound) {
            Some(bound) => Some(time.cmp(&bound)),
            None => Some(fold(&shown).cmp(&fold(bound))),
        }),
        other => value_fits(&shown, other),
    }
}

/// Rule 4: side by side, whatever non-word characters stand between.
fn words_in(text: &str, wanted: &[String]) -> bool {
    let fold_all = |words: &[String]| words.iter().map(|word| fold(word)).collect::<Vec<_>>();
    let (have, wanted) = (fold_all(&words(text)), fold_all(wanted));
    have.windows(wanted.len()).any(|window| window == wanted)
}

/// Rule 4: some part of the text between two borders fits.
fn pattern_in(pattern: &Pattern, text: &str) -> bool {
    let text: Vec<char> = fold(text).chars().collect();
    let pattern = tokens(pattern);
    let words_only = pattern.iter().all(|token| !matches!(token, Token::Char(c) if !in_word(*c)));
    let wild = |c: char| if words_only { in_word(c) } else { !c.is_whitespace() };
    let border = |at: usize| at == 0 || at == text.len() || !in_word(text[at - 1]) || !in_word(text[at]);
    let borders: Vec<usize> = (0..=text.len()).filter(|&at| border(at)).collect();
    borders.iter().any(|&start| {
        let mut ends = borders.iter().filter(|&&end| end >= start);
        ends.any(|&end| like(&pattern, &text[start..end], &wild))
    })
}

#[derive(Clone, Copy)]
enum Token {
    Char(char),
    One,
    Many,
}

fn tokens(pattern: &Pattern) -> Vec<Token> {
    let token = |piece: &Piece| match piece {
        Piece::Text(text) => fold(text).chars().map(Token::Char).collect(),
        Piece::One => vec![Token::One],
        Piece::Many => vec![Token::Many],
    };
    pattern.pieces.iter().flat_map(token).collect()
}

fn like(pattern: &[Token], text: &[char], wild: &dyn Fn(char) -> bool) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([], _) => false,
        ([Token::Many, rest @ ..], _) => {
            like(rest, text, wild) || matches!(text, [c, behind @ ..] if wild(*c) && like(pattern, behind, wild))
        }
        ([Token::One, rest @ ..], [c, behind @ ..]) => wild(*c) && like(rest, behind, wild),
        ([Token::Char(wanted), rest @ ..], [c, behind @ ..]) => wanted == c && like(rest, behind, wild),
        (_, []) => false,
    }
}

pub(crate) fn regex(source: &str, text: &str) -> bool {
    let compile = || regex::RegexBuilder::new(source).case_insensitive(true).build().unwrap();
    let mut known = REGEXES.lock().unwrap();
    let regex = known.entry(source.to_owned()).or_insert_with(compile).clone();
    drop(known);
    regex.is_match(text)
}

/// Compiling takes far longer than matching.
static REGEXES: Mutex<BTreeMap<String, regex::Regex>> = Mutex::new(BTreeMap::new());

/// Bit by bit.
pub(crate) fn network_holds(cidr: &Cidr, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => format!("{:032b}", u32::from(address)),
        IpAddr::V6(address) => format!("{:0128b}", u128::from(address)),
    };
    let (network, address) = (bits(cidr.address), bits(address));
    let prefix = usize::from(cidr.prefix);
    network.len() == address.len() && network[..prefix] == address[..prefix]
}
