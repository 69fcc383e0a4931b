//! Whether a text holds words or fits a pattern (rules 4 and 5), plainly. All texts are folded before
//! they come here, and cost is proportional to their length times the pattern's.

use super::language::{Pattern, Piece};
use super::value::{fold_char, is_word_char, words};

/// Whether `wanted` stand side by side in a folded text, whatever is between them.
pub fn holds_words(text: &str, wanted: &[String]) -> bool {
    let mut from = words(text);
    loop {
        // Each word may begin the sequence: the clone looks ahead from there.
        let mut ahead = from.clone();
        if wanted.iter().all(|word| ahead.next() == Some(word)) {
            return true;
        }
        if from.next().is_none() {
            return false;
        }
    }
}

/// A pattern made ready for matching.
#[derive(Clone, Debug)]
pub struct Matcher {
    tokens: Vec<Token>,
    /// What `*` and `?` stand for.
    wild: fn(char) -> bool,
    /// Whether it is enough that a part of the text fits, between borders.
    inside: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Char(char),
    One,
    Many,
}

impl Matcher {
    /// `f:pattern`: the whole text must fit.
    pub fn whole(pattern: &Pattern) -> Self {
        Self { tokens: tokens(pattern), wild: |_| true, inside: false }
    }

    /// A bare pattern: text between two borders must fit, see [`Pattern::words_only`].
    pub fn inside(pattern: &Pattern) -> Self {
        let wild = if pattern.words_only() { is_word_char } else { |c: char| !c.is_whitespace() };
        Self { tokens: tokens(pattern), wild, inside: true }
    }

    /// Whether a folded text fits.
    pub fn fits(&self, text: &str) -> bool {
        let end = self.tokens.len();
        // States are how many tokens have been used up; all that can be are walked at once.
        let (mut now, mut next) = (vec![false; end + 1], vec![false; end + 1]);
        let mut before = None;
        let mut chars = text.chars();
        loop {
            let after = chars.next();
            let border = !(before.is_some_and(is_word_char) && after.is_some_and(is_word_char));
            if if self.inside { border } else { before.is_none() } {
                self.enter(&mut now, 0);
            }
            if now[end] && if self.inside { border } else { after.is_none() } {
                return true;
            }
            let Some(c) = after else { return false };
            next.fill(false);
            for (state, token) in self.tokens.iter().enumerate().filter(|&(state, _)| now[state]) {
                match token {
                    Token::Char(wanted) if *wanted == c => self.enter(&mut next, state + 1),
                    Token::One if (self.wild)(c) => self.enter(&mut next, state + 1),
                    Token::Many if (self.wild)(c) => self.enter(&mut next, state),
                    _ => {}
                }
            }
            std::mem::swap(&mut now, &mut next);
            before = Some(c);
        }
    }

    /// Adds a state, and those behind it that need no character.
    fn enter(&self, states: &mut [bool], mut state: usize) {
        states[state] = true;
        while self.tokens.get(state) == Some(&Token::Many) {
            state += 1;
            states[state] = true;
        }
    }
}

fn tokens(pattern: &Pattern) -> Vec<Token> {
    let token = |piece: &Piece| match piece {
        Piece::Text(text) => text.chars().map(|c| Token::Char(fold_char(c))).collect(),
        Piece::One => vec![Token::One],
        Piece::Many => vec![Token::Many],
    };
    pattern.pieces.iter().flat_map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::language::{Expr, FieldTest, Predicate, Words, parse};
    use crate::query::value::fold;

    #[track_caller]
    fn check(query: &str, fitting: &[&str], others: &[&str]) {
        let matches: Box<dyn Fn(&str) -> bool> = match parse(query).unwrap().filter {
            Expr::Test(Predicate::WordPattern(pattern)) => {
                let matcher = Matcher::inside(&pattern);
                Box::new(move |text| matcher.fits(text))
            }
            Expr::Test(Predicate::Field { test: FieldTest::Pattern(pattern), .. }) => {
                let matcher = Matcher::whole(&pattern);
                Box::new(move |text| matcher.fits(text))
            }
            Expr::Test(Predicate::Words(Words { words, .. })) => Box::new(move |text| holds_words(text, &words)),
            other => panic!("{other:?}"),
        };
        for text in fitting {
            assert!(matches(&fold(text)), "{query} fits {text:?}");
        }
        for text in others {
            assert!(!matches(&fold(text)), "{query} does not fit {text:?}");
        }
    }

    #[test]
    fn rule_4_quoted_words_stand_side_by_side() {
        check(r#""a b""#, &["a b", "x A-b", "a a b", "{\"a\":\"b\"}"], &["ab", "a x b", "b a", "aa b", "a bb", ""]);
        check(r#""err""#, &["err", "x:err!"], &["error", "err_1"]);
    }

    #[test]
    fn rule_4_a_bare_pattern_is_matched_against_whole_words() {
        check("compl*", &["completed", "it COMPLIES", "compl"], &["incomplete", "com pl", ""]);
        check("*ed", &["completed now", "ed"], &["education"]);
        check("com?leted", &["x.completed.y"], &["comleted", "com leted", "compleeted"]);
        check("a*b", &["ab", "axb"], &["a b", "xab", "abx"]);
        check("?", &["a b", "1"], &["ab", "", "-"]);
    }

    #[test]
    fn rule_4_a_pattern_with_punctuation_is_matched_between_borders() {
        check("/api/v?/*", &["GET /api/v1/cart HTTP", "http://h/api/v2/"], &["/api/v10/x", "/api /v1/"]);
        check("a-b*c", &["x a-b c a-b/c y"], &["a-b c", "xa-bc"]);
        check("=5*", &["x=50"], &["x=60"]);
        check("b=*", &["a b= c"], &["ab=c"]);
    }

    #[test]
    fn rule_5_with_wildcards_the_whole_value_must_fit() {
        check("f:/api/*", &["/api/", "/API/v1 x"], &["x/api/", "/api"]);
        check("f:a*b?c*", &["ab1c", "aXb b2c\nd"], &["abc", "xab1c"]);
        check("f:?", &["ß", "日"], &["", "ab"]);
    }
}
