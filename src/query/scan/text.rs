//! Tests of texts: on one text, or on all texts of a buffer at once.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::bitmap::Bitmap;
use crate::block::Texts;
use crate::query::language::{Pattern, Piece, Words};
use crate::query::value::{fold, fold_char, is_word_char};

/// A test of a text, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct TextTest {
    kind: Kind,
    /// Finds a part that every fitting text has. `None`: nothing is known of them.
    finder: Option<Regex>,
    /// The parts that every fitting text has, folded: what filters are asked for.
    required: Vec<String>,
    /// The words that every fitting text has, folded and whole: what word filters are asked for.
    required_words: Vec<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Contains what `finder` finds.
    Contains,
    /// Has these folded words side by side.
    Words(Vec<String>),
    /// A word of the text fits.
    WordPattern(Regex),
    /// Fits between two borders.
    BorderPattern(Vec<Unit>),
    /// Matches; a whole pattern is anchored.
    Matches(Regex),
}

/// One step of a pattern that is matched between borders.
#[derive(Clone, Debug)]
enum Unit {
    Char(char),
    One,
    Many,
}

impl TextTest {
    /// Contains this, any case.
    pub(crate) fn contains(part: &str) -> Result<Self, String> {
        let finder = find_part(part)?;
        let required = vec![fold(part).into_owned()];
        Ok(Self { kind: Kind::Contains, finder: Some(finder), required, required_words: Vec::new() })
    }

    /// Has these words side by side.
    pub(crate) fn words(words: &Words) -> Result<Self, String> {
        let words = words.words.clone();
        let longest = words.iter().max_by_key(|word| word.len()).ok_or("a phrase needs a word")?;
        let finder = Some(find_part(longest)?);
        Ok(Self { finder, required: words.clone(), required_words: words.clone(), kind: Kind::Words(words) })
    }

    /// Fits as a whole.
    pub(crate) fn whole(pattern: &Pattern) -> Result<Self, String> {
        let required = pattern_parts(pattern);
        let only = |first: &Piece, last: &Piece| *first == Piece::Many && *last == Piece::Many;
        if let [first, Piece::Text(part), last] = pattern.pieces.as_slice()
            && only(first, last)
        {
            return Self::contains(part);
        }
        let regex = build(&format!(r"\A{}\z", pattern_source(pattern, "(?s:.)")))?;
        let finder = longest(&required).map(|part| find_part(part)).transpose()?;
        Ok(Self { kind: Kind::Matches(regex), finder, required, required_words: Vec::new() })
    }

    /// A bare pattern: fits a whole word, or text between borders if it holds other characters.
    pub(crate) fn word_pattern(pattern: &Pattern) -> Result<Self, String> {
        let required = pattern_parts(pattern);
        let finder = longest(&required).map(|part| find_part(part)).transpose()?;
        let kind = if pattern.words_only() {
            Kind::WordPattern(build(&format!(r"\A{}\z", pattern_source(pattern, "(?s:.)")))?)
        } else {
            Kind::BorderPattern(pattern_units(pattern))
        };
        Ok(Self { kind, finder, required, required_words: Vec::new() })
    }

    /// Matches a regular expression of the language.
    pub(crate) fn regex(source: &str, regex: Regex) -> Result<Self, String> {
        let required = required_of_regex(source);
        let finder = longest(&required).map(|part| find_part(part)).transpose()?;
        Ok(Self { kind: Kind::Matches(regex), finder, required, required_words: Vec::new() })
    }

    /// Parts that every fitting text has, folded.
    pub(crate) fn required(&self) -> &[String] {
        &self.required
    }

    /// Whole words that every fitting text has, folded.
    pub(crate) fn required_words(&self) -> &[String] {
        &self.required_words
    }

    /// Whether a text fits if and only if it has the one required part.
    pub(crate) fn is_contains(&self) -> bool {
        matches!(self.kind, Kind::Contains)
    }

    /// Whether the words of a text decide.
    pub(crate) fn phrase(&self) -> Option<&[String]> {
        match &self.kind {
            Kind::Words(words) => Some(words),
            _ => None,
        }
    }

    /// Whether one whole word of a text decides, by a pattern.
    pub(crate) fn is_word_pattern(&self) -> bool {
        matches!(self.kind, Kind::WordPattern(_))
    }

    /// Whether a text fits.
    pub(crate) fn fits(&self, text: &str) -> bool {
        match &self.kind {
            Kind::Contains => self.may_fit(text.as_bytes()),
            Kind::Words(words) => has_words(text, words),
            _ if !self.may_fit(text.as_bytes()) => false,
            Kind::WordPattern(regex) => crate::query::value::words(text).any(|word| regex.is_match(word.as_bytes())),
            Kind::BorderPattern(units) => fits_between_borders(text, units),
            Kind::Matches(regex) => regex.is_match(text.as_bytes()),
        }
    }

    fn may_fit(&self, text: &[u8]) -> bool {
        self.finder.as_ref().is_none_or(|finder| finder.is_match(text))
    }

    /// The texts that fit. Looks for the required part in the whole buffer, then at the texts it is in.
    pub(crate) fn scan(&self, texts: &Texts) -> Bitmap {
        let len = u32::try_from(texts.len()).expect("a column has fewer than 2^32 entries");
        let mut fitting = Bitmap::none(len);
        let Some(finder) = &self.finder else {
            return Bitmap::from_fn(len, |index| self.fits(text_of(texts, index as usize)));
        };
        let (mut at, mut index) = (0, 0);
        while let Some(found) = finder.find_at(&texts.bytes, at) {
            index = text_at(&texts.ends, index, found.start());
            let end = texts.ends[index] as usize;
            if found.end() > end {
                // The last bytes of one text and the first of the next.
                at = found.start() + 1;
                continue;
            }
            if self.is_contains() || self.fits(text_of(texts, index)) {
                fitting.insert(index as u32);
            }
            at = end;
        }
        fitting
    }
}

fn text_of(texts: &Texts, index: usize) -> &str {
    std::str::from_utf8(texts.get(index)).expect("the texts of a column are UTF-8")
}

/// The text that holds byte `at`: the first from `from` that ends behind it.
fn text_at(ends: &[u32], from: usize, at: usize) -> usize {
    let rest = &ends[from..];
    let near = rest.iter().take(NEAR).take_while(|&&end| end as usize <= at).count();
    if near < NEAR { from + near } else { from + rest.partition_point(|&end| end as usize <= at) }
}

/// How many texts are looked at one by one before a binary search.
const NEAR: usize = 8;

/// Whether `text` has `words`, which are folded, side by side.
pub(crate) fn has_words(text: &str, words: &[String]) -> bool {
    let Some((first, rest)) = words.split_first() else { return true };
    let mut at = 0;
    while let Some((start, end)) = word_from(text, at) {
        if equals_folded(&text[start..end], first) && words_follow(text, end, rest) {
            return true;
        }
        at = end;
    }
    false
}

fn words_follow(text: &str, mut at: usize, words: &[String]) -> bool {
    words.iter().all(|wanted| match word_from(text, at) {
        Some((start, end)) => {
            at = end;
            equals_folded(&text[start..end], wanted)
        }
        None => false,
    })
}

/// Where the next word at or behind byte `at`, a border, begins and ends.
fn word_from(text: &str, at: usize) -> Option<(usize, usize)> {
    let start = at + find_char(&text[at..], true)?;
    let end = find_char(&text[start..], false).map_or(text.len(), |length| start + length);
    Some((start, end))
}

/// Where the first word character is, or the first other one; with a short way for ASCII.
fn find_char(text: &str, of_word: bool) -> Option<usize> {
    let is_word_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = text.bytes().position(|byte| !byte.is_ascii() || is_word_byte(byte) == of_word)?;
    if text.as_bytes()[first].is_ascii() {
        return Some(first);
    }
    text[first..].find(|c| is_word_char(c) == of_word).map(|more| first + more)
}

/// Whether `text`, folded, is `folded`.
pub(crate) fn equals_folded(text: &str, folded: &str) -> bool {
    if text.is_ascii() {
        return text.len() == folded.len() && text.eq_ignore_ascii_case(folded);
    }
    text.chars().map(fold_char).eq(folded.chars())
}

/// Whether `units` fit some part of `text` that begins and ends at a border: a position that is not
/// between two word characters. Wildcards stand for anything but blanks.
fn fits_between_borders(text: &str, units: &[Unit]) -> bool {
    let mut reached = vec![false; units.len() + 1];
    let mut next = vec![false; units.len() + 1];
    let mut before = None;
    let mut chars = text.chars();
    loop {
        let c = chars.clone().next();
        let border = !(before.is_some_and(is_word_char) && c.is_some_and(is_word_char));
        reached[0] |= border;
        pass_many(units, &mut reached);
        if border && reached[units.len()] {
            return true;
        }
        let Some(c) = chars.next() else { return false };
        next.fill(false);
        for (at, unit) in units.iter().enumerate() {
            match unit {
                _ if !reached[at] => {}
                Unit::Char(wanted) => next[at + 1] |= fold_char(c) == *wanted,
                Unit::One => next[at + 1] |= !c.is_whitespace(),
                Unit::Many => next[at] |= !c.is_whitespace(),
            }
        }
        std::mem::swap(&mut reached, &mut next);
        before = Some(c);
    }
}

/// A `*` may stand for nothing.
fn pass_many(units: &[Unit], reached: &mut [bool]) {
    for (at, unit) in units.iter().enumerate() {
        if matches!(unit, Unit::Many) && reached[at] {
            reached[at + 1] = true;
        }
    }
}

fn pattern_units(pattern: &Pattern) -> Vec<Unit> {
    let mut units = Vec::new();
    for piece in &pattern.pieces {
        match piece {
            Piece::Text(text) => units.extend(text.chars().map(|c| Unit::Char(fold_char(c)))),
            Piece::One => units.push(Unit::One),
            Piece::Many => units.push(Unit::Many),
        }
    }
    units
}

fn pattern_source(pattern: &Pattern, any: &str) -> String {
    let mut source = String::new();
    for piece in &pattern.pieces {
        match piece {
            Piece::Text(text) => source.push_str(&regex::escape(text)),
            Piece::One => source.push_str(any),
            Piece::Many => {
                source.push_str(any);
                source.push('*');
            }
        }
    }
    source
}

fn pattern_parts(pattern: &Pattern) -> Vec<String> {
    let texts = pattern.pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(fold(text).into_owned()),
        _ => None,
    });
    texts.collect()
}

fn longest(parts: &[String]) -> Option<&String> {
    parts.iter().filter(|part| part.len() >= PART_BYTES_MIN).max_by_key(|part| part.len())
}

/// Shorter parts occur in nearly every text: looking for them first costs more than it saves.
const PART_BYTES_MIN: usize = 2;

fn find_part(part: &str) -> Result<Regex, String> {
    build(&regex::escape(part))
}

fn build(source: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(source).case_insensitive(true).size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|_| "the pattern is too long".to_owned())
}

/// Bytes of one compiled pattern at most.
const PATTERN_BYTES_MAX: usize = 16 << 20;

/// Texts that every match of a regular expression holds, folded; the longest of them are the most use.
/// Knows nothing of an expression that has no such text.
fn required_of_regex(source: &str) -> Vec<String> {
    let parser = regex_syntax::ParserBuilder::new().case_insensitive(true).utf8(false).build().parse(source);
    let Ok(hir) = parser else { return Vec::new() };
    let mut runs = Runs::default();
    runs.walk(&hir);
    runs.flush();
    runs.done.retain(|run| run.len() >= PART_BYTES_MIN);
    runs.done
}

/// Collects the runs of characters that are certain.
#[derive(Default)]
struct Runs {
    open: String,
    done: Vec<String>,
}

impl Runs {
    fn walk(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
                Ok(text) => self.open.extend(text.chars().map(fold_char)),
                Err(_) => self.flush(),
            },
            HirKind::Class(class) => match one_folded(class) {
                Some(c) => self.open.push(c),
                None => self.flush(),
            },
            HirKind::Capture(capture) => self.walk(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.walk(part)),
            HirKind::Repetition(repetition) => {
                self.flush();
                if repetition.min > 0 {
                    self.walk(&repetition.sub);
                    self.flush();
                }
            }
            HirKind::Alternation(_) => self.flush(),
        }
    }

    fn flush(&mut self) {
        if !self.open.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
        }
    }
}

/// The one character that all members of a class fold to.
fn one_folded(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else { return None };
    let members: u32 = class.iter().map(|range| u32::from(range.end()) - u32::from(range.start()) + 1).sum();
    if members > CLASS_MEMBERS_MAX {
        return None;
    }
    let mut folded = class.iter().flat_map(|range| range.start()..=range.end()).map(fold_char);
    let first = folded.next()?;
    folded.all(|c| c == first).then_some(first)
}

/// No more characters than this fold to one.
const CLASS_MEMBERS_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[&str]) -> Texts {
        let mut texts = Texts::default();
        all.iter().for_each(|text| texts.push(text.as_bytes()));
        texts
    }

    /// Checks each text by itself and all of them in one buffer.
    fn check(test: &TextTest, all: &[&str], fitting: &[&str]) {
        let alone: Vec<&str> = all.iter().copied().filter(|text| test.fits(text)).collect();
        assert_eq!(alone, fitting);
        let scanned: Vec<&str> = test.scan(&texts(all)).iter().map(|index| all[index as usize]).collect();
        assert_eq!(scanned, fitting);
    }

    #[test]
    fn a_part_is_found_in_any_case_and_never_across_two_texts() {
        let test = TextTest::contains("Disk").unwrap();
        check(
            &test,
            &["di", "sk", "", "xDISKx", "di", "", "skdisk", "dis\u{212a}", "dis"],
            &["xDISKx", "skdisk", "dis\u{212a}"],
        );
        let aa = TextTest::contains("aa").unwrap();
        check(&aa, &["a", "aa", "a", "aaa", "", "a"], &["aa", "aaa"]);
    }

    #[test]
    fn rule_4_words_stand_side_by_side_whatever_stands_between() {
        let test = TextTest::words(&Words::new("disk full").unwrap()).unwrap();
        let all =
            ["disk full", "full disk", "disk is full", "DISK--Full!", "disks full", "disk full_", "disk disk full"];
        check(&test, &all, &["disk full", "DISK--Full!", "disk disk full"]);
    }

    fn pattern(text: &str) -> Pattern {
        let mut pieces: Vec<Piece> = Vec::new();
        for c in text.chars() {
            match (c, pieces.last_mut()) {
                ('*', _) => pieces.push(Piece::Many),
                ('?', _) => pieces.push(Piece::One),
                (c, Some(Piece::Text(text))) => text.push(c),
                (c, _) => pieces.push(Piece::Text(c.into())),
            }
        }
        Pattern { pieces }
    }

    #[test]
    fn a_whole_pattern_fits_from_end_to_end() {
        let all = ["/api/v1", "/API/", "x/api/", "/api", "/api/\n"];
        check(&TextTest::whole(&pattern("/api/*")).unwrap(), &all, &["/api/v1", "/API/", "/api/\n"]);
        check(&TextTest::whole(&pattern("*api*")).unwrap(), &all, &all);
        check(&TextTest::whole(&pattern("?api")).unwrap(), &all, &["/api"]);
    }

    #[test]
    fn rule_4_a_bare_pattern_fits_whole_words() {
        let all = ["task completed", "incomplete", "compl", "uncompl eted"];
        check(&TextTest::word_pattern(&pattern("compl*")).unwrap(), &all, &["task completed", "compl"]);
        let all = ["GET /api/v1 200", "x/api/v1", "/apis/v1", "see /api/ now"];
        check(
            &TextTest::word_pattern(&pattern("/api/*")).unwrap(),
            &all,
            &["GET /api/v1 200", "x/api/v1", "see /api/ now"],
        );
    }

    #[test]
    fn what_a_regex_requires_is_in_all_that_it_matches() {
        for (source, runs) in [
            (r"took \d+ms", vec!["took ", "ms"]),
            (r"(foo|bar)baz", vec!["baz"]),
            (r"abc?d", vec!["ab"]),
            (r"(?-i)Disk", vec!["disk"]),
            (r"^err.*full$", vec!["err", "full"]),
            (r"x*", vec![]),
            (r"(?:conn)+ed", vec!["conn", "ed"]),
        ] {
            assert_eq!(required_of_regex(source), runs, "{source}");
        }
    }
}
