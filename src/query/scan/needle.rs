//! A folded part of a text, and which values hold it, begin or end with it, or are it.
//!
//! Typed values answer by their form: which characters it can have, and by arithmetic where that is
//! exact. Texts are made of them only where neither decides.

use memchr::memmem;
use regex::bytes::Regex;

use super::bitmap::Bitmap;
use super::text::find_part;
use super::value_test::{read_hex, render, value_may_hold};
use crate::block::{Texts, Values};
use crate::query::value::fold_char;

/// A part to look for.
#[derive(Clone, Debug)]
pub(super) struct Needle {
    folded: String,
    finder: Regex,
}

/// What a value is asked. All texts are folded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask<'a> {
    /// Holds it.
    Holds(&'a Needle),
    /// Begins with it.
    Begins(&'a str),
    /// Ends with it.
    Ends(&'a str),
    /// Is it.
    Is(&'a str),
}

/// Which of some entries fit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// None of them.
    No,
    /// All of them.
    All,
    /// These.
    Some(Bitmap),
}

impl Found {
    pub(super) fn some(entries: Bitmap) -> Self {
        if entries.is_empty() { Self::No } else { Self::Some(entries) }
    }

    /// The entries, of so many.
    pub(super) fn into_set(self, len: u32) -> Bitmap {
        match self {
            Self::No => Bitmap::none(len),
            Self::All => Bitmap::all(len),
            Self::Some(entries) => entries,
        }
    }

    pub(super) fn or(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) | (_, Self::No) => {}
            (Self::Some(own), Self::Some(other)) => own.or(&other),
            (_, other) => *self = other,
        }
    }

    pub(super) fn and(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::No, _) | (_, Self::All) => {}
            (Self::Some(own), Self::Some(other)) => {
                own.and(&other);
                if own.is_empty() {
                    *self = Self::No;
                }
            }
            (_, other) => *self = other,
        }
    }
}

impl Needle {
    /// A part that stands anywhere, any case. In the error's place a sentence: it is too long.
    pub(super) fn new(part: &str) -> Result<Self, String> {
        Ok(Self { folded: crate::query::value::fold(part).into_owned(), finder: find_part(part)? })
    }

    pub(super) fn folded(&self) -> &str {
        &self.folded
    }

    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.finder.is_match(text)
    }

    /// Whether a text of so few bytes cannot hold it: folding makes no text longer by more than a half.
    pub(super) fn is_longer_than(&self, bytes: usize) -> bool {
        2 * self.folded.len() > 3 * bytes
    }

    /// Whether it is in one of these texts.
    pub(super) fn is_in_some(&self, texts: &Texts) -> bool {
        let mut at = 0;
        while let Some(place) = self.finder.find_at(&texts.bytes, at) {
            let index = text_at(&texts.ends, 0, place.start());
            if place.end() <= texts.ends[index] as usize {
                return true;
            }
            at = place.start() + 1;
        }
        false
    }

    /// The texts that it is in. Looks through the whole buffer at once.
    pub(super) fn scan(&self, texts: &Texts) -> Bitmap {
        let mut fitting = Bitmap::none(texts.len() as u32);
        self.each_text(texts, |index| fitting.insert(index));
        fitting
    }

    /// Calls `found` for each text that it is in, in order.
    pub(super) fn each_text(&self, texts: &Texts, mut found: impl FnMut(u32)) {
        let (mut at, mut index) = (0, 0);
        while let Some(place) = self.finder.find_at(&texts.bytes, at) {
            index = text_at(&texts.ends, index, place.start());
            let end = texts.ends[index] as usize;
            if place.end() > end {
                // The last bytes of one text and the first of the next.
                at = place.start() + 1;
                continue;
            }
            found(index as u32);
            at = end;
        }
    }
}

/// The text that holds byte `at`: the first from `from` that ends behind it.
fn text_at(ends: &[u32], from: usize, at: usize) -> usize {
    let rest = &ends[from..];
    let near = rest.iter().take(NEAR).take_while(|&&end| end as usize <= at).count();
    if near < NEAR { from + near } else { from + rest.partition_point(|&end| end as usize <= at) }
}

/// How many texts are looked at one by one before a binary search.
const NEAR: usize = 8;

/// Values without their affixes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plain<'a> {
    /// Values that are not affixed.
    Values(&'a Values),
    /// Whole numbers with so many digits at least.
    Digits(&'a [u64], u8),
}

impl Plain<'_> {
    fn len(&self) -> u32 {
        match self {
            Self::Values(values) => values.len() as u32,
            Self::Digits(values, _) => values.len() as u32,
        }
    }

    /// Whether some value could fit, going by the form alone.
    pub(super) fn may_fit(&self, ask: Ask<'_>) -> bool {
        let part = ask.part();
        match self {
            Self::Values(Values::Texts(_)) => true,
            _ if part.is_empty() => !matches!(ask, Ask::Is(_)),
            Self::Digits(..) => part.len() <= DIGITS_MAX && part.bytes().all(|byte| byte.is_ascii_digit()),
            Self::Values(Values::Integers(_)) => {
                let digits = part.strip_prefix('-').unwrap_or(part);
                part.len() <= NUMBER_BYTES_MAX && digits.bytes().all(|byte| byte.is_ascii_digit())
            }
            Self::Values(Values::Hex { width, .. }) => {
                let fits = match ask {
                    Ask::Is(_) => part.len() == 2 * usize::from(*width),
                    _ => part.len() <= 2 * usize::from(*width),
                };
                fits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            Self::Values(values) => part.chars().all(|c| value_may_hold(values, c)),
        }
    }

    /// The values that fit.
    pub(super) fn fitting(&self, ask: Ask<'_>) -> Found {
        if !self.may_fit(ask) {
            return Found::No;
        }
        if ask.part().is_empty() && !matches!(ask, Ask::Is(_)) {
            return Found::All;
        }
        Found::some(match (self, ask) {
            (Self::Values(Values::Texts(texts)), Ask::Holds(needle)) => needle.scan(texts),
            (Self::Values(Values::Texts(texts)), _) => {
                let text = |index| std::str::from_utf8(texts.get(index)).expect("the texts of a column are UTF-8");
                Bitmap::from_fn(self.len(), |index| ask.fits(text(index as usize)))
            }
            (Self::Digits(values, digits), _) => return fitting_digits(values, *digits, ask),
            (Self::Values(Values::Integers(values)), Ask::Is(part)) => {
                let Some(wanted) = integer(part) else { return Found::No };
                which(values, |&value| value == wanted)
            }
            (Self::Values(Values::Integers(values)), _) => fitting_integers(values, ask),
            (Self::Values(Values::Hex { bytes, width, .. }), _) => {
                return fitting_hex(bytes, usize::from(*width), ask);
            }
            (Self::Values(values), Ask::Holds(needle)) => needle.scan(&render(values)),
            (Self::Values(values), _) => {
                let mut text = Vec::new();
                Bitmap::from_fn(self.len(), |index| ask.fits(values.text(index as usize, &mut text)))
            }
        })
    }
}

impl Ask<'_> {
    fn part(&self) -> &str {
        match self {
            Self::Holds(needle) => needle.folded(),
            Self::Begins(part) | Self::Ends(part) | Self::Is(part) => part,
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Holds(needle) => needle.is_in(text.as_bytes()),
            Self::Begins(part) => strip_folded(text, part).is_some(),
            Self::Ends(part) => ends_folded(text, part),
            Self::Is(part) => super::text::equals_folded(text, part),
        }
    }

    /// As [`Ask::fits`], for digits.
    fn fits_digits(&self, text: &[u8]) -> bool {
        match self {
            Self::Holds(needle) => memmem::find(text, needle.folded().as_bytes()).is_some(),
            Self::Begins(part) => text.starts_with(part.as_bytes()),
            Self::Ends(part) => text.ends_with(part.as_bytes()),
            Self::Is(part) => text == part.as_bytes(),
        }
    }
}

/// What is left of a text behind a folded part that it begins with.
pub(super) fn strip_folded<'t>(text: &'t str, part: &str) -> Option<&'t str> {
    let front = text.as_bytes().get(..part.len());
    if let Some(front) = front.filter(|front| front.is_ascii()) {
        return front.eq_ignore_ascii_case(part.as_bytes()).then(|| &text[part.len()..]);
    }
    let mut chars = text.chars();
    part.chars().all(|wanted| chars.next().map(fold_char) == Some(wanted)).then(|| chars.as_str())
}

/// Whether a text ends with a folded part.
pub(super) fn ends_folded(text: &str, part: &str) -> bool {
    let back = text.len().checked_sub(part.len()).map(|start| &text.as_bytes()[start..]);
    if let Some(back) = back.filter(|back| back.is_ascii()) {
        return back.eq_ignore_ascii_case(part.as_bytes());
    }
    let mut chars = text.chars().rev();
    part.chars().rev().all(|wanted| chars.next().map(fold_char) == Some(wanted))
}

fn which<T>(values: &[T], mut test: impl FnMut(&T) -> bool) -> Bitmap {
    Bitmap::from_fn(values.len() as u32, |index| test(&values[index as usize]))
}

/// The number that `i64` prints as this.
fn integer(part: &str) -> Option<i64> {
    let digits = part.strip_prefix('-').unwrap_or(part);
    let canonical = digits == part || digits != "0";
    let canonical = canonical && (digits == "0" || !digits.starts_with('0'));
    part.parse().ok().filter(|_| canonical)
}

fn fitting_digits(values: &[u64], width: u8, ask: Ask<'_>) -> Found {
    let (part, width) = (ask.part(), usize::from(width));
    let unit = |digits: usize| 10u64.checked_pow(digits as u32);
    let fixed = width > 0 && unit(width).is_none_or(|unit| values.iter().all(|&value| value < unit));
    if fixed && (part.len() > width || matches!(ask, Ask::Is(_)) && part.len() < width) {
        return Found::No;
    }
    let wanted: Option<u64> = part.parse().ok();
    let fitting = match (ask, wanted) {
        (_, None) if fixed || matches!(ask, Ask::Is(_)) => return Found::No,
        (_, Some(wanted)) if fixed && part.len() == width => which(values, |&value| value == wanted),
        (Ask::Is(_), Some(wanted)) if width == 0 => {
            if part.len() > 1 && part.starts_with('0') {
                return Found::No;
            }
            which(values, |&value| value == wanted)
        }
        (Ask::Begins(_), Some(wanted)) if fixed => {
            let below = unit(width - part.len()).expect("fewer digits than a number has");
            which(values, |&value| value / below == wanted)
        }
        (Ask::Ends(_), Some(wanted)) if fixed => {
            let unit = unit(part.len()).expect("fewer digits than a number has");
            which(values, |&value| value % unit == wanted)
        }
        _ => {
            let mut buffer = [0; NUMBER_BYTES_MAX];
            which(values, |&value| ask.fits_digits(print(false, value, width, &mut buffer)))
        }
    };
    Found::some(fitting)
}

fn fitting_integers(values: &[i64], ask: Ask<'_>) -> Bitmap {
    let mut buffer = [0; NUMBER_BYTES_MAX];
    let digits = ask.part().trim_start_matches('-').len() as u32;
    // Numbers with fewer digits cannot hold the part.
    let least = if digits < 2 { 0 } else { 10u64.saturating_pow(digits - 1) };
    let part = ask.part().as_bytes();
    let finder = memmem::Finder::new(part);
    which(values, |&value| {
        let magnitude = value.unsigned_abs();
        if magnitude < least {
            return false;
        }
        let text = print(value < 0, magnitude, 0, &mut buffer);
        match ask {
            Ask::Holds(_) => finder.find(text).is_some(),
            _ => ask.fits_digits(text),
        }
    })
}

/// Writes a number with at least `width` digits at the end of `buffer`; gives what was written.
fn print(negative: bool, mut value: u64, width: usize, buffer: &mut [u8; NUMBER_BYTES_MAX]) -> &[u8] {
    let mut at = NUMBER_BYTES_MAX;
    let least = NUMBER_BYTES_MAX - width.clamp(1, DIGITS_MAX);
    while value > 0 || at > least {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    if negative {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

/// Digits of the largest number of 64 bits.
const DIGITS_MAX: usize = 20;
/// Bytes of the longest number, with its sign.
const NUMBER_BYTES_MAX: usize = DIGITS_MAX + 1;

fn fitting_hex(bytes: &[u8], width: usize, ask: Ask<'_>) -> Found {
    let len = (bytes.len() / width) as u32;
    let entry = |index: u32| &bytes[index as usize * width..][..width];
    let part = ask.part();
    Found::some(match ask {
        _ if part.len() == 2 * width => {
            let Some(wanted) = read_hex(part) else { return Found::No };
            Bitmap::from_fn(len, |index| *entry(index) == *wanted)
        }
        Ask::Is(_) => return Found::No,
        Ask::Begins(_) => Bitmap::from_fn(len, |index| holds_nibbles(entry(index), 0, part)),
        Ask::Ends(_) => Bitmap::from_fn(len, |index| holds_nibbles(entry(index), 2 * width - part.len(), part)),
        Ask::Holds(_) if part.len() >= HEX_SEARCH_DIGITS_MIN => holding_hex(bytes, width, part),
        Ask::Holds(_) => {
            let last = 2 * width - part.len();
            Bitmap::from_fn(len, |index| (0..=last).any(|at| holds_nibbles(entry(index), at, part)))
        }
    })
}

/// Fewer digits have no whole byte in each of their two places within bytes.
const HEX_SEARCH_DIGITS_MIN: usize = 4;

/// The entries that hold these digits: looks for the whole bytes among them, where the first digit
/// begins a byte and where it ends one.
fn holding_hex(bytes: &[u8], width: usize, part: &str) -> Bitmap {
    let mut fitting = Bitmap::none((bytes.len() / width) as u32);
    for skipped in 0..2 {
        let pairs = (part.len() - skipped) / 2;
        let Some(whole) = read_hex(&part[skipped..skipped + 2 * pairs]) else { break };
        let finder = memmem::Finder::new(&whole);
        let mut from = 0;
        while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)).map(|at| from + at) {
            // Places may overlap: the next one may begin at the next byte.
            from = at + 1;
            let (index, digit) = (at / width, 2 * (at % width));
            let Some(start) = digit.checked_sub(skipped) else { continue };
            let entry = &bytes[index * width..][..width];
            if start + part.len() <= 2 * width && holds_nibbles(entry, start, part) {
                fitting.insert(index as u32);
            }
        }
    }
    fitting
}

/// Whether the digits of an entry from `at` on are these.
fn holds_nibbles(entry: &[u8], at: usize, part: &str) -> bool {
    part.bytes().zip(at..).all(|(digit, at)| {
        let nibble = entry[at / 2] >> (4 * (1 - at % 2)) & 15;
        char::from(digit).to_digit(16) == Some(u32::from(nibble))
    })
}
