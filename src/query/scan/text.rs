//! Tests of texts: on one text, or on all texts of a buffer at once.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::bitmap::Bitmap;
use super::needle::{Ask, Needle, Plain, begins_folded, ends_folded};
use super::templates::{self, Place};
use super::value_test::{may_hold_all, render};
use crate::block::{Texts, Values};
use crate::query::language::{Pattern, Piece, Words};
use crate::query::value::{fold, fold_char, is_word_char};

/// A test of a text, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct TextTest {
    kind: Kind,
    /// Find the parts that every fitting text has and that are not too short, the longest first.
    needles: Vec<Needle>,
    /// The parts that every fitting text has, folded: what filters are asked for.
    required: Vec<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Has the first of the needles at this place.
    Part(Place),
    /// Has these folded words side by side.
    Words(Vec<String>),
    /// A word of the text fits.
    WordPattern(Regex),
    /// Fits between two borders.
    BorderPattern(Vec<Unit>),
    /// Matches; a whole pattern is anchored. `anywhere`: a text fits if some part of it does.
    Matches { regex: Regex, anywhere: bool },
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
        Self::part_at(part, Place::ANYWHERE)
    }

    /// Has this at a place, any case.
    fn part_at(part: &str, place: Place) -> Result<Self, String> {
        let needle = Needle::new(part)?;
        let required = vec![needle.folded().to_owned()];
        Ok(Self { kind: Kind::Part(place), needles: vec![needle], required })
    }

    /// Has these words side by side.
    pub(crate) fn words(words: &Words) -> Result<Self, String> {
        let words = words.words.clone();
        let longest = words.iter().max_by_key(|word| word.len()).ok_or("a phrase needs a word")?;
        let mut needles = needles_of(&words)?;
        if needles.is_empty() {
            needles.push(Needle::new(longest)?);
        }
        Ok(Self { needles, required: words.clone(), kind: Kind::Words(words) })
    }

    /// Fits as a whole.
    pub(crate) fn whole(pattern: &Pattern) -> Result<Self, String> {
        match pattern.pieces.as_slice() {
            [Piece::Many, Piece::Text(part), Piece::Many] => return Self::contains(part),
            [Piece::Text(part), Piece::Many] => return Self::part_at(part, Place { at_start: true, at_end: false }),
            [Piece::Many, Piece::Text(part)] => return Self::part_at(part, Place { at_start: false, at_end: true }),
            _ => {}
        }
        let regex = build(&format!(r"\A{}\z", pattern_source(pattern, "(?s:.)")))?;
        Self::with_parts(Kind::Matches { regex, anywhere: false }, pattern_parts(pattern))
    }

    /// A bare pattern: fits a whole word, or text between borders if it holds other characters.
    pub(crate) fn word_pattern(pattern: &Pattern) -> Result<Self, String> {
        let kind = if pattern.words_only() {
            Kind::WordPattern(build(&format!(r"\A{}\z", pattern_source(pattern, "(?s:.)")))?)
        } else {
            Kind::BorderPattern(pattern_units(pattern))
        };
        Self::with_parts(kind, pattern_parts(pattern))
    }

    /// Matches a regular expression of the language.
    pub(crate) fn regex(source: &str, regex: Regex) -> Result<Self, String> {
        let (required, anywhere) = known_of_regex(source);
        Self::with_parts(Kind::Matches { regex, anywhere }, required)
    }

    fn with_parts(kind: Kind, required: Vec<String>) -> Result<Self, String> {
        Ok(Self { kind, needles: needles_of(&required)?, required })
    }

    /// Parts that every fitting text has, folded.
    pub(crate) fn required(&self) -> &[String] {
        &self.required
    }

    /// Whether a text fits if and only if it has the one required part.
    pub(crate) fn is_contains(&self) -> bool {
        matches!(self.kind, Kind::Part(Place::ANYWHERE))
    }

    /// The part that decides, and where it must stand.
    pub(super) fn part(&self) -> Option<(&Needle, Place)> {
        match self.kind {
            Kind::Part(place) => Some((&self.needles[0], place)),
            _ => None,
        }
    }

    /// Parts that every fitting text has, the longest first; those that are too short to help are left
    /// out.
    pub(super) fn needles(&self) -> &[Needle] {
        &self.needles
    }

    /// Whether a text fits if some part of it does.
    pub(super) fn fits_anywhere(&self) -> bool {
        matches!(self.kind, Kind::Part(Place::ANYWHERE) | Kind::Matches { anywhere: true, .. })
    }

    /// Whether a text fits if some part of it does that begins and ends at borders of words, or where
    /// the text does.
    pub(super) fn fits_between_borders(&self) -> bool {
        matches!(self.kind, Kind::Words(_) | Kind::WordPattern(_) | Kind::BorderPattern(_))
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
            Kind::Part(place) => {
                let (at_start, at_end) = (place.at_start, place.at_end);
                let part = self.needles[0].folded();
                match (at_start, at_end) {
                    (true, true) => equals_folded(text, part),
                    (true, false) => begins_folded(text.as_bytes(), part),
                    (false, true) => ends_folded(text.as_bytes(), part),
                    (false, false) => self.may_fit(text.as_bytes()),
                }
            }
            Kind::Words(words) => has_words(text, words),
            _ if !self.may_fit(text.as_bytes()) => false,
            Kind::WordPattern(regex) => crate::query::value::words(text).any(|word| regex.is_match(word.as_bytes())),
            Kind::BorderPattern(units) => fits_between_borders(text, units),
            Kind::Matches { regex, .. } => regex.is_match(text.as_bytes()),
        }
    }

    fn may_fit(&self, text: &[u8]) -> bool {
        self.needles.first().is_none_or(|needle| needle.is_in(text))
    }

    /// The entries that fit.
    pub(crate) fn entries(&self, values: &Values) -> Bitmap {
        match values {
            Values::Texts(texts) => self.scan(texts),
            Values::Templated(texts) => templates::scan(self, texts),
            _ if !may_hold_all(values, &self.required) => Bitmap::none(values.len() as u32),
            _ if !self.needles.iter().all(|needle| Plain::Values(values).may_fit(Ask::Holds(needle))) => {
                Bitmap::none(values.len() as u32)
            }
            _ => self.entries_typed(values).unwrap_or_else(|| self.scan(&render(values))),
        }
    }

    /// The entries that fit, where the typed form answers without making text.
    fn entries_typed(&self, values: &Values) -> Option<Bitmap> {
        let (needle, place) = self.part()?;
        let found = match values {
            Values::Affixed { prefix, values, digits, suffix } => {
                templates::find_affixed((prefix, values, *digits, suffix), needle, place)?
            }
            _ => Plain::Values(values).fitting(match (place.at_start, place.at_end) {
                (true, true) => Ask::Is(needle.folded()),
                (true, false) => Ask::Begins(needle.folded()),
                (false, true) => Ask::Ends(needle.folded()),
                (false, false) => Ask::Holds(needle),
            }),
        };
        Some(found.into_set(values.len() as u32))
    }

    /// The texts that fit. Looks for the required part in the whole buffer, then at the texts it is in.
    pub(crate) fn scan(&self, texts: &Texts) -> Bitmap {
        let len = u32::try_from(texts.len()).expect("a column has fewer than 2^32 entries");
        let Some(needle) = self.needles.first() else {
            return Bitmap::from_fn(len, |index| self.fits(text_of(texts, index as usize)));
        };
        if self.is_contains() {
            return needle.scan(texts);
        }
        let mut fitting = Bitmap::none(len);
        needle.each_text(texts, |index| {
            if self.fits(text_of(texts, index as usize)) {
                fitting.insert(index);
            }
        });
        fitting
    }
}

fn text_of(texts: &Texts, index: usize) -> &str {
    std::str::from_utf8(texts.get(index)).expect("the texts of a column are UTF-8")
}

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

fn needles_of(parts: &[String]) -> Result<Vec<Needle>, String> {
    let mut parts: Vec<&String> = parts.iter().filter(|part| part.len() >= PART_BYTES_MIN).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts.dedup();
    parts.into_iter().map(|part| Needle::new(part)).collect()
}

/// Shorter parts occur in nearly every text: looking for them first costs more than it saves.
const PART_BYTES_MIN: usize = 2;

pub(super) fn find_part(part: &str) -> Result<Regex, String> {
    build(&regex::escape(part))
}

fn build(source: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(source).case_insensitive(true).size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|_| "the pattern is too long".to_owned())
}

/// Bytes of one compiled pattern at most.
const PATTERN_BYTES_MAX: usize = 16 << 20;

/// Texts that every match of a regular expression holds, folded, and whether a text matches if some part
/// of it does. Knows nothing of an expression that has no such text.
fn known_of_regex(source: &str) -> (Vec<String>, bool) {
    let parser = regex_syntax::ParserBuilder::new().case_insensitive(true).utf8(false).build().parse(source);
    let Ok(hir) = parser else { return (Vec::new(), false) };
    let mut runs = Runs::default();
    runs.walk(&hir);
    runs.flush();
    runs.done.retain(|run| run.len() >= PART_BYTES_MIN);
    (runs.done, hir.properties().look_set().is_empty())
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
            assert_eq!(known_of_regex(source).0, runs, "{source}");
        }
    }
}
