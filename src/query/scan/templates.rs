//! Tests on texts that are stored as templates with variables.
//!
//! A part of a text lies within a literal, within a variable's value, or across borders between them.
//! Where it may lie across is known from the literals alone, together with what the variables there
//! would have to begin with, end with or be: so no text is put together to look for a part. Other tests
//! take the texts that have their required parts, and put those together.

use std::cmp::Ordering;

use super::bitmap::Bitmap;
use super::needle::{Ask, Found, Needle, Plain, begins_folded, ends_folded, utf8};
use super::text::TextTest;
use crate::block::{Template, Templated, Values};
use crate::query::value::{fold_char, is_word_char};

/// Where in a text a part must stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// It begins the text.
    pub(super) at_start: bool,
    /// It ends the text.
    pub(super) at_end: bool,
}

impl Place {
    pub(super) const ANYWHERE: Self = Self { at_start: false, at_end: false };
    pub(super) const WHOLE: Self = Self { at_start: true, at_end: true };
}

/// The texts that fit.
pub(super) fn scan(test: &TextTest, texts: &Templated) -> Bitmap {
    let mut pieces = Vec::new();
    each_template(texts, |template| match test.part() {
        Some((needle, Place::ANYWHERE)) if needle.is_in_some(&template.literals) => Found::All,
        Some((needle, place)) => {
            let fits = |text: &str| test.fits(text);
            take_pieces(template, &mut pieces);
            find(&pieces, needle, place).unwrap_or_else(|_| verify(template, Found::All, fits))
        }
        None => fitting(test, template, &mut pieces),
    })
}

/// The texts that are this one, folded.
pub(super) fn equal(needle: &Needle, texts: &Templated) -> Bitmap {
    let mut pieces = Vec::new();
    each_template(texts, |template| {
        take_pieces(template, &mut pieces);
        find(&pieces, needle, Place::WHOLE)
            .unwrap_or_else(|_| verify(template, Found::All, |text| super::text::equals_folded(text, needle.folded())))
    })
}

/// The texts that fit, of the templates whose literals have no characters but `may_have`.
pub(super) fn fitting_of(texts: &Templated, may_have: impl Fn(u8) -> bool, fits: impl Fn(&str) -> bool) -> Bitmap {
    each_template(texts, |template| {
        if template.literals.bytes.iter().all(|&byte| may_have(byte)) {
            verify(template, Found::All, &fits)
        } else {
            Found::No
        }
    })
}

/// The texts of affixed values that hold a part at a place. `None`: not known without making them.
pub(super) fn find_affixed<'a>(
    (prefix, values, digits, suffix): (&'a str, &'a [u64], u8, &'a str),
    needle: &Needle,
    place: Place,
) -> Option<Found> {
    let gap = Gap { codes: None, plain: Plain::Digits(values, digits) };
    let affix = |affix: &'a str| (!affix.is_empty()).then_some(Piece::Affix(affix.as_bytes()));
    let pieces: Vec<Piece<'a>> = affix(prefix).into_iter().chain([Piece::Gap(gap)]).chain(affix(suffix)).collect();
    find(&pieces, needle, place).ok()
}

/// The entries of which a literal or the text of a variable has what `has` looks for in single bytes.
fn with_bytes(texts: &Templated, has: &dyn Fn(&[u8]) -> bool) -> Bitmap {
    each_template(texts, |template| {
        if has(&template.literals.bytes) {
            return Found::All;
        }
        let mut found = Found::No;
        for slot in &template.slots {
            let own = values_with_bytes(&slot.values, has);
            if !own.is_empty() {
                found.or(Found::some(by_rank(slot.codes.as_deref(), own)));
            }
        }
        found
    })
}

/// The entries whose text has what `has` looks for in single bytes: characters beyond those of numbers,
/// addresses and times.
pub(super) fn values_with_bytes(values: &Values, has: &dyn Fn(&[u8]) -> bool) -> Bitmap {
    let len = values.len() as u32;
    match values {
        Values::Texts(texts) if has(&texts.bytes) => Bitmap::from_fn(len, |entry| has(texts.get(entry as usize))),
        Values::Affixed { prefix, suffix, .. } if has(prefix.as_bytes()) || has(suffix.as_bytes()) => Bitmap::all(len),
        Values::Templated(texts) => with_bytes(texts, has),
        Values::TimeTexts { pattern, .. } if pattern.literals().any(|literal| has(literal.as_bytes())) => {
            Bitmap::all(len)
        }
        _ => Bitmap::none(len),
    }
}

fn each_template<'a>(texts: &'a Templated, mut found: impl FnMut(&'a Template) -> Found) -> Bitmap {
    let mut fitting = Bitmap::none(texts.len() as u32);
    for template in &texts.templates {
        if template.entries.is_empty() {
            continue;
        }
        match found(template) {
            Found::No => {}
            Found::All => template.entries.iter().for_each(|&entry| fitting.insert(entry)),
            Found::Some(ranks) => ranks.iter().for_each(|rank| fitting.insert(template.entries[rank as usize])),
        }
    }
    fitting
}

/// The ranks that fit a test of which more than a part is to be known.
fn fitting<'a>(test: &TextTest, template: &'a Template, pieces: &mut Vec<Piece<'a>>) -> Found {
    let mut candidates = Found::All;
    pieces.clear();
    for needle in test.needles().iter().filter(|needle| !needle.is_in_some(&template.literals)) {
        if pieces.is_empty() {
            take_pieces(template, pieces);
        }
        if let Ok(found) = find(pieces, needle, Place::ANYWHERE) {
            candidates.and(found);
        }
        if candidates == Found::No {
            return Found::No;
        }
    }
    if candidates == Found::All && literals_decide(test, template) {
        return Found::All;
    }
    verify(template, candidates, |text| test.fits(text))
}

/// Whether every text of a template fits since one of its literals does, wherever it stands.
fn literals_decide(test: &TextTest, template: &Template) -> bool {
    (0..template.literals.len()).any(|at| {
        let literal = utf8(template.literals.get(at));
        if test.fits_anywhere() {
            return test.fits(literal);
        }
        test.fits_between_borders() && {
            let literal = if at > 0 { literal.trim_start_matches(is_word_char) } else { literal };
            let last = at + 1 == template.literals.len();
            let literal = if last { literal } else { literal.trim_end_matches(is_word_char) };
            !literal.is_empty() && test.fits(literal)
        }
    })
}

/// The candidates that fit, put together one by one.
fn verify(template: &Template, candidates: Found, fits: impl Fn(&str) -> bool) -> Found {
    let mut text = Vec::new();
    let mut fits = |rank: u32| {
        text.clear();
        template.write_text(rank as usize, &mut text);
        fits(utf8(&text))
    };
    let len = template.entries.len() as u32;
    match candidates {
        Found::No => Found::No,
        // Without variables all texts are the same.
        Found::All if template.slots.is_empty() => {
            if fits(0) {
                Found::All
            } else {
                Found::No
            }
        }
        Found::All => Found::some(Bitmap::from_fn(len, fits)),
        Found::Some(candidates) => {
            let mut fitting = Bitmap::none(len);
            candidates.iter().filter(|&rank| fits(rank)).for_each(|rank| fitting.insert(rank));
            Found::some(fitting)
        }
    }
}

/// What stands in a text one after the other.
#[derive(Clone, Copy)]
enum Piece<'a> {
    /// A literal of the template.
    Literal(&'a [u8]),
    /// What stands around each number of a variable.
    Affix(&'a [u8]),
    Gap(Gap<'a>),
}

#[derive(Clone, Copy)]
struct Gap<'a> {
    codes: Option<&'a [u32]>,
    plain: Plain<'a>,
}

impl Gap<'_> {
    fn fitting(&self, ask: Ask<'_>) -> Found {
        match (self.plain.fitting(ask), self.codes) {
            (Found::Some(values), Some(codes)) => Found::some(by_rank(Some(codes), values)),
            (found, _) => found,
        }
    }
}

fn by_rank(codes: Option<&[u32]>, values: Bitmap) -> Bitmap {
    match codes {
        Some(codes) => Bitmap::from_fn(codes.len() as u32, |rank| values.contains(codes[rank as usize])),
        None => values,
    }
}

/// Puts a template's pieces into `pieces`; empty ones are left out.
fn take_pieces<'a>(template: &'a Template, pieces: &mut Vec<Piece<'a>>) {
    fn push<'a>(pieces: &mut Vec<Piece<'a>>, text: &'a [u8], piece: fn(&'a [u8]) -> Piece<'a>) {
        if !text.is_empty() {
            pieces.push(piece(text));
        }
    }
    pieces.clear();
    for (at, slot) in template.slots.iter().enumerate() {
        push(pieces, template.literals.get(at), Piece::Literal);
        let codes = slot.codes.as_deref();
        match &slot.values {
            Values::Affixed { prefix, values, digits, suffix } => {
                push(pieces, prefix.as_bytes(), Piece::Affix);
                pieces.push(Piece::Gap(Gap { codes, plain: Plain::Digits(values, *digits) }));
                push(pieces, suffix.as_bytes(), Piece::Affix);
            }
            values => pieces.push(Piece::Gap(Gap { codes, plain: Plain::Values(values) })),
        }
    }
    push(pieces, template.literals.get(template.slots.len()), Piece::Literal);
}

/// There are too many ways in which a part may lie across the pieces.
struct TooMany;

/// The ranks whose text holds a part at a place. A part that may stand anywhere is in none of the
/// template's literals.
fn find(pieces: &[Piece<'_>], needle: &Needle, place: Place) -> Result<Found, TooMany> {
    let mut search = Search { pieces, part: needle.folded(), place, asks: Vec::new(), ways: Vec::new(), steps: 0 };
    if place.at_start {
        search.walk(0, 0)?;
    } else {
        search.start_anywhere(needle)?;
    }
    let mut ways = search.ways;
    // Few questions first; one without any is an answer.
    ways.sort_by_key(Vec::len);
    let mut found = Found::No;
    for way in &ways {
        let mut own = Found::All;
        for (at, ask) in way {
            if own == Found::No {
                break;
            }
            if let Piece::Gap(gap) = &pieces[*at] {
                own.and(gap.fitting(*ask));
            }
        }
        found.or(own);
        if found == Found::All {
            break;
        }
    }
    Ok(found)
}

/// Finds all ways in which a part may lie on pieces: what is asked of which gaps in each.
struct Search<'a> {
    pieces: &'a [Piece<'a>],
    part: &'a str,
    place: Place,
    /// What was asked on the way so far.
    asks: Vec<(usize, Ask<'a>)>,
    ways: Vec<Vec<(usize, Ask<'a>)>>,
    steps: usize,
}

/// Steps of one search. Few templates need more than a few; what repeats itself could need very many.
const STEPS_MAX: usize = 2000;
/// Ways that are worth to be asked one after the other.
const WAYS_MAX: usize = 32;

impl<'a> Search<'a> {
    /// The part may begin in any piece.
    fn start_anywhere(&mut self, needle: &'a Needle) -> Result<(), TooMany> {
        let (part, at_end) = (self.part, self.place.at_end);
        if part.is_empty() && !at_end {
            return self.record();
        }
        for at in 0..self.pieces.len() {
            if let Piece::Affix(affix) = self.pieces[at]
                && !at_end
                && !needle.is_longer_than(affix.len())
                && needle.is_in(affix)
            {
                return self.record();
            }
            if let Piece::Gap(gap) = self.pieces[at]
                && !at_end
                && gap.plain.may_fit(Ask::Holds(needle))
            {
                self.asks.push((at, Ask::Holds(needle)));
                self.record()?;
                self.asks.pop();
            }
            if at_end || self.may_cross(at, needle) {
                self.cross(at)?;
            }
        }
        Ok(())
    }

    /// Whether the part may begin in piece `at` and go on behind it, going by the bytes at that border.
    fn may_cross(&self, at: usize, needle: &Needle) -> bool {
        let behind = match self.pieces.get(at + 1) {
            Some(Piece::Literal(text) | Piece::Affix(text)) => needle.may_go_on_with(text[0]),
            Some(Piece::Gap(_)) => true,
            None => false,
        };
        behind
            && match self.pieces[at] {
                Piece::Literal(text) | Piece::Affix(text) => needle.may_come_with(text[text.len() - 1]),
                Piece::Gap(_) => true,
            }
    }

    /// The part begins in piece `at` and goes on behind it, or ends the text with it.
    fn cross(&mut self, at: usize) -> Result<(), TooMany> {
        let (part, at_end) = (self.part, self.place.at_end);
        for cut in cuts(part).filter(|&cut| cut > 0 && (at_end || cut < part.len())) {
            match self.pieces[at] {
                Piece::Literal(text) | Piece::Affix(text) => {
                    if self.may_go_on(at + 1, cut) && ends_folded(text, &part[..cut]) {
                        self.walk(at + 1, cut)?;
                    }
                }
                Piece::Gap(_) => self.ask(at, Ask::Ends(&part[..cut]), cut)?,
            }
        }
        Ok(())
    }

    /// From `part[from..]` on, which begins where piece `at` does.
    fn walk(&mut self, at: usize, from: usize) -> Result<(), TooMany> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(TooMany);
        }
        let rest = &self.part[from..];
        if rest.is_empty() && !self.place.at_end {
            return self.record();
        }
        match self.pieces.get(at) {
            None if rest.is_empty() => self.record(),
            None => Ok(()),
            Some(Piece::Literal(text) | Piece::Affix(text)) => match eat(text, rest) {
                Eaten::No => Ok(()),
                Eaten::All(len) => self.walk(at + 1, from + len),
                Eaten::Within if self.place.at_end => Ok(()),
                Eaten::Within => self.record(),
            },
            Some(Piece::Gap(gap)) => {
                if !self.place.at_end && gap.plain.may_fit(Ask::Begins(rest)) {
                    self.asks.push((at, Ask::Begins(rest)));
                    self.record()?;
                    self.asks.pop();
                }
                // What is the whole rest begins with it.
                let at_end = self.place.at_end;
                for cut in cuts(rest).filter(|&cut| at_end || cut < rest.len()) {
                    self.ask(at, Ask::Is(&rest[..cut]), from + cut)?;
                }
                Ok(())
            }
        }
    }

    /// Goes on behind the gap `at` with `part[from..]`, if the gap can be as asked.
    fn ask(&mut self, at: usize, ask: Ask<'a>, from: usize) -> Result<(), TooMany> {
        let Piece::Gap(gap) = &self.pieces[at] else { unreachable!("only gaps are asked") };
        if self.may_go_on(at + 1, from) && gap.plain.may_fit(ask) {
            self.asks.push((at, ask));
            self.walk(at + 1, from)?;
            self.asks.pop();
        }
        Ok(())
    }

    /// Whether `part[from..]` may begin where piece `at` does, going by its first character.
    fn may_go_on(&self, at: usize, from: usize) -> bool {
        match (self.pieces.get(at), self.part.as_bytes().get(from)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(Piece::Gap(_)), _) => true,
            (Some(Piece::Literal(text) | Piece::Affix(text)), Some(wanted)) => {
                !text[0].is_ascii() || text[0].to_ascii_lowercase() == *wanted
            }
        }
    }

    fn record(&mut self) -> Result<(), TooMany> {
        if self.ways.len() == WAYS_MAX {
            return Err(TooMany);
        }
        self.ways.push(self.asks.clone());
        Ok(())
    }
}

/// How a literal and the rest of a part agree.
enum Eaten {
    /// They do not.
    No,
    /// The rest ends within the literal.
    Within,
    /// The whole literal is so many bytes of the rest.
    All(usize),
}

fn eat(literal: &[u8], rest: &str) -> Eaten {
    if literal.is_ascii() {
        return match literal.len().cmp(&rest.len()) {
            Ordering::Greater if begins_folded(literal, rest) => Eaten::Within,
            Ordering::Greater => Eaten::No,
            _ if literal.eq_ignore_ascii_case(&rest.as_bytes()[..literal.len()]) => Eaten::All(literal.len()),
            _ => Eaten::No,
        };
    }
    let mut left = rest.chars();
    for c in utf8(literal).chars() {
        match left.next() {
            None => return Eaten::Within,
            Some(wanted) if wanted != fold_char(c) => return Eaten::No,
            Some(_) => {}
        }
    }
    Eaten::All(rest.len() - left.as_str().len())
}

/// Where a part can be cut: before each character and at its end.
fn cuts(part: &str) -> impl Iterator<Item = usize> + use<'_> {
    part.char_indices().map(|(at, _)| at).chain([part.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::random::{Rng, WORDS, random_texts, random_values};
    use crate::block::{Slot, Texts};
    use crate::query::language::{Bound, Cidr, FieldTest, Pattern, Piece as PatternPiece, Words, regex};
    use crate::query::scan::value_test::{ValueTest, render};
    use crate::query::value::{Operand, fold};

    /// A part of one of the texts, perhaps in another case, perhaps changed.
    fn random_part(rng: &mut Rng, texts: &[String]) -> String {
        let chars: Vec<char> = texts[rng.below(texts.len())].chars().collect();
        let start = rng.below(chars.len() + 1);
        let len = 1 + rng.below(8).min(chars.len() - start);
        let mut part: String = chars[start..(start + len).min(chars.len())].iter().collect();
        match rng.below(8) {
            0 => part = part.to_uppercase(),
            1 => part.push_str(rng.pick(WORDS)),
            2 => part = chars.iter().collect(),
            _ => {}
        }
        if part.is_empty() { rng.pick(WORDS).to_owned() } else { part }
    }

    fn random_pattern(rng: &mut Rng, texts: &[String]) -> Pattern {
        let mut pieces = Vec::new();
        for _ in 0..1 + rng.below(3) {
            if rng.below(3) > 0 {
                pieces.push(rng.pick(&[PatternPiece::Many, PatternPiece::Many, PatternPiece::One].each_ref()).clone());
            }
            pieces.push(PatternPiece::Text(random_part(rng, texts)));
        }
        if rng.below(2) == 0 {
            pieces.push(PatternPiece::Many);
        }
        Pattern { pieces }
    }

    fn random_regex(rng: &mut Rng, texts: &[String]) -> String {
        let mut source = String::new();
        for _ in 0..1 + rng.below(3) {
            source.push_str(&::regex::escape(&random_part(rng, texts)));
            source.push_str(rng.pick(&["", "", r"\d+", ".*", "[a-z]?", r"\b", "$", "^", "(a|b)", "{2}"]));
        }
        source
    }

    fn bound(rng: &mut Rng, texts: &[String]) -> Bound {
        match rng.below(3) {
            0 => Bound::Open,
            1 => Bound::Inclusive(random_part(rng, texts)),
            _ => Bound::Exclusive(random_part(rng, texts)),
        }
    }

    fn strings(values: &Values) -> Vec<String> {
        let mut scratch = Vec::new();
        (0..values.len()).map(|entry| values.text(entry, &mut scratch).to_owned()).collect()
    }

    #[track_caller]
    fn check(found: &Bitmap, texts: &[String], what: &str, fits: impl Fn(&str) -> bool) {
        let wanted = Bitmap::from_fn(texts.len() as u32, |entry| fits(&texts[entry as usize]));
        let found: Vec<&String> = found.iter().map(|entry| &texts[entry as usize]).collect();
        let wanted: Vec<&String> = wanted.iter().map(|entry| &texts[entry as usize]).collect();
        assert_eq!(found, wanted, "{what} in {texts:?}");
    }

    fn check_text_tests(rng: &mut Rng, values: &Values, texts: &[String]) {
        let part = random_part(rng, texts);
        let contains = TextTest::contains(&part).unwrap();
        check(&contains.entries(values), texts, &part, |text| fold(text).contains(fold(&part).as_ref()));
        let at = |pieces| TextTest::whole(&Pattern { pieces }).unwrap();
        let (many, text) = (PatternPiece::Many, PatternPiece::Text(part.clone()));
        let begins = at(vec![text.clone(), many.clone()]);
        check(&begins.entries(values), texts, &part, |text| fold(text).starts_with(fold(&part).as_ref()));
        let ends = at(vec![many, text]);
        check(&ends.entries(values), texts, &part, |text| fold(text).ends_with(fold(&part).as_ref()));
        if let Some(words) = Words::new(&random_part(rng, texts)) {
            let test = TextTest::words(&words).unwrap();
            check(&test.entries(values), texts, &format!("{words:?}"), |text| {
                crate::query::matching::holds_words(&fold(text), &words.words)
            });
        }
        let pattern = random_pattern(rng, texts);
        let whole = crate::query::matching::Matcher::whole(&pattern);
        let test = TextTest::whole(&pattern).unwrap();
        check(&test.entries(values), texts, &format!("whole {pattern:?}"), |text| whole.fits(&fold(text)));
        let inside = crate::query::matching::Matcher::inside(&pattern);
        let test = TextTest::word_pattern(&pattern).unwrap();
        check(&test.entries(values), texts, &format!("inside {pattern:?}"), |text| inside.fits(&fold(text)));
        let source = random_regex(rng, texts);
        if let Ok(regex) = regex::compile(&source) {
            let test = TextTest::regex(&source, regex.clone()).unwrap();
            check(&test.entries(values), texts, &source, |text| regex.is_match(text.as_bytes()));
        }
    }

    fn check_value_tests(rng: &mut Rng, values: &Values, texts: &[String]) {
        let text = if rng.below(2) == 0 { texts[rng.below(texts.len())].clone() } else { random_part(rng, texts) };
        let operand = Operand::new(&text);
        let test = ValueTest::new(&FieldTest::Equals(text.clone())).unwrap();
        check(&test.entries(values), texts, &format!("={text}"), |text| operand.equals(text));
        let cidr = Cidr { address: "10.0.0.0".parse().unwrap(), prefix: 8 };
        let (low, high) = (bound(rng, texts), bound(rng, texts));
        for test in [FieldTest::Cidr(cidr), FieldTest::Range { low, high }, FieldTest::Present] {
            let ready = ValueTest::new(&test).unwrap();
            check(&ready.entries(values), texts, &format!("{test:?}"), |text| ready.fits(text));
        }
    }

    #[test]
    fn templates_give_the_answers_of_the_texts_they_stand_for() {
        let mut rng = Rng(0x5eed_0001);
        for _ in 0..300 {
            let templated = Values::Templated(random_texts(&mut rng));
            let texts = strings(&templated);
            for _ in 0..6 {
                check_text_tests(&mut rng, &templated, &texts);
                check_value_tests(&mut rng, &templated, &texts);
            }
            let has = |text: &[u8]| text.iter().any(|byte| matches!(byte, b'"' | b'\n') || *byte >= 0x80);
            check(&values_with_bytes(&templated, &has), &texts, "special bytes", |text| has(text.as_bytes()));
        }
    }

    #[test]
    fn every_form_gives_the_answers_of_the_texts_it_stands_for() {
        let mut rng = Rng(0x5eed_0002);
        for _ in 0..300 {
            let count = 1 + rng.below(20);
            let values = random_values(&mut rng, count);
            let texts = strings(&values);
            for _ in 0..6 {
                check_text_tests(&mut rng, &values, &texts);
                check_text_tests(&mut rng, &Values::Texts(render(&values)), &texts);
            }
        }
    }

    fn texts_of(template: &str, slot: Values) -> Templated {
        let entries = slot.len() as u32;
        let (front, back) = template.split_once('@').unwrap();
        let mut literals = Texts::default();
        literals.push(front.as_bytes());
        literals.push(back.as_bytes());
        let slots = vec![Slot { codes: None, values: slot }];
        let template = Template { literals, slots, entries: (0..entries).collect() };
        Templated { templates: vec![template], template_of: vec![0; entries as usize], rank: (0..entries).collect() }
    }

    /// What is asked of which pieces to find a part.
    fn ways(texts: &Templated, part: &str) -> Vec<String> {
        let (needle, template) = (Needle::new(part).unwrap(), &texts.templates[0]);
        if needle.is_in_some(&template.literals) {
            return vec![String::new()];
        }
        let mut pieces = Vec::new();
        take_pieces(template, &mut pieces);
        let mut search = Search {
            pieces: &pieces,
            part: needle.folded(),
            place: Place::ANYWHERE,
            asks: vec![],
            ways: vec![],
            steps: 0,
        };
        assert!(search.start_anywhere(&needle).is_ok());
        let show = |ask: &Ask<'_>| match ask {
            Ask::Holds(needle) => format!("holds {}", needle.folded()),
            Ask::Begins(part) => format!("begins {part}"),
            Ask::Ends(part) => format!("ends {part}"),
            Ask::Is(part) => format!("is {part}"),
        };
        search.ways.iter().map(|way| way.iter().map(|(_, ask)| show(ask)).collect::<Vec<_>>().join("+")).collect()
    }

    #[test]
    fn only_what_can_be_is_asked_of_variables() {
        let texts = texts_of("took @ms in all", Values::Integers(vec![1, 15, 151]));
        assert_eq!(ways(&texts, "in al"), [""]);
        assert!(ways(&texts, "deploy").is_empty());
        assert_eq!(ways(&texts, "15"), ["holds 15"]);
        assert_eq!(ways(&texts, "ok 15"), ["begins 15"]);
        assert_eq!(ways(&texts, "k 15ms"), ["is 15"]);
        assert_eq!(ways(&texts, "5ms"), ["ends 5"]);
    }

    #[test]
    fn a_part_that_repeats_itself_in_templates_that_do_is_still_found() {
        let mut texts = texts_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@a", {
            let mut slot = Texts::default();
            slot.push(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
            slot.push(b"b");
            Values::Texts(slot)
        });
        texts.check();
        let template = &mut texts.templates[0];
        for _ in 0..3 {
            template.slots.push(template.slots[0].clone());
            template.literals.push(b"");
        }
        let test = TextTest::contains(&"a".repeat(150)).unwrap();
        assert_eq!(test.entries(&Values::Templated(texts)).iter().collect::<Vec<_>>(), [0]);
    }
}
