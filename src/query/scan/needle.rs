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
    /// Where in it the byte is that is likely the rarest; `None` if it is not ASCII.
    rarest: Option<usize>,
    /// Bytes that stand somewhere in it but at its start, and somewhere but at its end.
    after_start: [bool; 256],
    before_end: [bool; 256],
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
        let folded = crate::query::value::fold(part).into_owned();
        let (mut after_start, mut before_end) = ([false; 256], [false; 256]);
        folded.bytes().skip(1).for_each(|byte| after_start[usize::from(byte)] = true);
        folded.bytes().rev().skip(1).for_each(|byte| before_end[usize::from(byte)] = true);
        let rarity = |byte: u8| COMMON_BYTES.iter().position(|&common| common == byte).unwrap_or(COMMON_BYTES.len());
        let rarest = (0..folded.len()).max_by_key(|&at| rarity(folded.as_bytes()[at])).filter(|_| folded.is_ascii());
        Ok(Self { finder: find_part(part)?, folded, rarest, after_start, before_end })
    }

    pub(super) fn folded(&self) -> &str {
        &self.folded
    }

    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        match self.rarest {
            Some(rarest) if text.len() <= SHORT_BYTES_MAX && text.is_ascii() => {
                self.find_short(text, rarest, 0).is_some()
            }
            _ => self.finder.is_match(text),
        }
    }

    /// Whether the part could go on, behind its start, with this byte of a text; or end with it before its
    /// end.
    pub(super) fn may_go_on_with(&self, byte: u8) -> bool {
        !byte.is_ascii() || self.after_start[usize::from(byte.to_ascii_lowercase())]
    }

    /// As [`Needle::may_go_on_with`], for what stands before a border.
    pub(super) fn may_come_with(&self, byte: u8) -> bool {
        !byte.is_ascii() || self.before_end[usize::from(byte.to_ascii_lowercase())]
    }

    /// Where the part begins in a short ASCII text, at or behind `from`: a search that costs little to
    /// begin.
    fn find_short(&self, text: &[u8], rarest: usize, from: usize) -> Option<usize> {
        let part = self.folded.as_bytes();
        let rare = part[rarest];
        let mut at = from + rarest;
        while let Some(rest) = text.get(at..) {
            at += memchr::memchr2(rare, rare.to_ascii_uppercase(), rest)?;
            let start = at - rarest;
            if text.get(start..start + part.len())?.eq_ignore_ascii_case(part) {
                return Some(start);
            }
            at += 1;
        }
        None
    }

    /// Where the part is in a text, at or behind `from`.
    fn find_at(&self, text: &[u8], from: usize) -> Option<std::ops::Range<usize>> {
        match self.rarest {
            Some(rarest) if text.len() <= SHORT_BYTES_MAX && text.is_ascii() => {
                self.find_short(text, rarest, from).map(|start| start..start + self.folded.len())
            }
            _ => self.finder.find_at(text, from).map(|place| place.range()),
        }
    }

    /// Whether a text of so few bytes cannot hold it: folding makes no text longer by more than a half.
    pub(super) fn is_longer_than(&self, bytes: usize) -> bool {
        2 * self.folded.len() > 3 * bytes
    }

    /// Whether it is in one of these texts.
    pub(super) fn is_in_some(&self, texts: &Texts) -> bool {
        let mut at = 0;
        while let Some(place) = self.find_at(&texts.bytes, at) {
            let index = text_at(&texts.ends, 0, place.start);
            if place.end <= texts.ends[index] as usize {
                return true;
            }
            at = place.start + 1;
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
        while let Some(place) = self.find_at(&texts.bytes, at) {
            index = text_at(&texts.ends, index, place.start);
            let end = texts.ends[index] as usize;
            if place.end > end {
                // The last bytes of one text and the first of the next.
                at = place.start + 1;
                continue;
            }
            found(index as u32);
            at = end;
        }
    }
}

/// Bytes of log texts, the most common first: no more than a guess at what is rare.
const COMMON_BYTES: &[u8] = b" e0taoinrs1lc2d/p3.m4u5-6h78g9bf:=wyv_k,\"xjqz";
/// Texts up to this are searched without the machinery that pays on long ones, in bytes.
const SHORT_BYTES_MAX: usize = 512;

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
            Self::Values(Values::Hex { width, hyphens: false, .. }) => {
                let fits = match ask {
                    Ask::Is(_) => part.len() == 2 * usize::from(*width),
                    _ => part.len() <= 2 * usize::from(*width),
                };
                fits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            Self::Values(values) => {
                part.chars().all(|c| value_may_hold(values, c)) && layout_may_fit(values, ask).unwrap_or(true)
            }
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
                Bitmap::from_fn(self.len(), |index| ask.fits(texts.get(index as usize)))
            }
            (Self::Digits(values, digits), _) => return fitting_digits(values, *digits, ask),
            (Self::Values(Values::Integers(values)), Ask::Is(part)) => {
                let Some(wanted) = integer(part) else { return Found::No };
                which(values, |&value| value == wanted)
            }
            (Self::Values(Values::Integers(values)), _) => fitting_integers(values, ask),
            (Self::Values(Values::Hex { bytes, width, hyphens: false, .. }), _) => {
                return fitting_hex(bytes, usize::from(*width), ask);
            }
            (Self::Values(values @ Values::Hex { bytes, width, .. }), _) => {
                fitting_uuids(values, bytes, usize::from(*width), ask)
            }
            (Self::Values(values @ Values::Ipv4(own)), Ask::Holds(needle)) => match inner_bytes(needle.folded()) {
                Some(inner) => {
                    let mut text = Vec::new();
                    let mut fits = |at: usize| needle.is_in(values.text_bytes(at, &mut text));
                    Bitmap::from_fn(self.len(), |at| (own[at as usize] >> 8) as u16 == inner && fits(at as usize))
                }
                None => needle.scan(&render(values)),
            },
            (Self::Values(values), Ask::Holds(needle)) => needle.scan(&render(values)),
            (Self::Values(values), _) => {
                let mut text = Vec::new();
                Bitmap::from_fn(self.len(), |index| ask.fits(values.text_bytes(index as usize, &mut text)))
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

    fn fits(&self, text: &[u8]) -> bool {
        match self {
            Self::Holds(needle) => needle.is_in(text),
            Self::Begins(part) => begins_folded(text, part),
            Self::Ends(part) => ends_folded(text, part),
            Self::Is(part) => is_folded(text, part),
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

/// Whether a text begins with a folded part.
pub(super) fn begins_folded(text: &[u8], part: &str) -> bool {
    match text.get(..part.len()).filter(|front| front.is_ascii()) {
        Some(front) => front.eq_ignore_ascii_case(part.as_bytes()),
        None if text.is_ascii() => false,
        None => {
            let mut chars = utf8(text).chars();
            part.chars().all(|wanted| chars.next().map(fold_char) == Some(wanted))
        }
    }
}

/// Whether a text ends with a folded part.
pub(super) fn ends_folded(text: &[u8], part: &str) -> bool {
    let back = text.len().checked_sub(part.len()).map(|start| &text[start..]);
    match back.filter(|back| back.is_ascii()) {
        Some(back) => back.eq_ignore_ascii_case(part.as_bytes()),
        None if text.is_ascii() => false,
        None => {
            let mut chars = utf8(text).chars().rev();
            part.chars().rev().all(|wanted| chars.next().map(fold_char) == Some(wanted))
        }
    }
}

/// Whether a text is a folded part.
fn is_folded(text: &[u8], part: &str) -> bool {
    if text.is_ascii() {
        return text.eq_ignore_ascii_case(part.as_bytes());
    }
    utf8(text).chars().map(fold_char).eq(part.chars())
}

pub(super) fn utf8(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("the texts of a column are UTF-8")
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

/// Whether values could fit, going by where their digits stand. `None`: that is not known.
fn layout_may_fit(values: &Values, ask: Ask<'_>) -> Option<bool> {
    let part = ask.part();
    let digits_max = || part.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    match values {
        Values::Ipv4(_) => Some(digits_max() <= 3 && part.matches('.').count() <= 3),
        Values::Decimals { scale, .. } => {
            let (whole, fraction) = part.split_once('.').unwrap_or((part, ""));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            Some(
                fraction.len() <= usize::from(*scale)
                    && digits(fraction)
                    && digits(whole.strip_prefix('-').unwrap_or(whole)),
            )
        }
        Values::Times { .. } => has_layout(values, ask),
        Values::TimeTexts { pattern, .. } if pattern.has_one_length() => has_layout(values, ask),
        _ => None,
    }
}

/// As [`layout_may_fit`], of values that all have their digits at the same places.
fn has_layout(values: &Values, ask: Ask<'_>) -> Option<bool> {
    let without_digits =
        |text: &str| -> String { text.chars().map(|c| if c.is_ascii_digit() { '0' } else { fold_char(c) }).collect() };
    if values.is_empty() {
        return None;
    }
    let (layout, part) = (without_digits(values.text(0, &mut Vec::new())), without_digits(ask.part()));
    Some(match ask {
        Ask::Holds(_) => layout.contains(&part),
        Ask::Begins(_) => layout.starts_with(&part),
        Ask::Ends(_) => layout.ends_with(&part),
        Ask::Is(_) => layout == part,
    })
}

/// The two bytes in the middle of every IPv4 address that holds a part with three points; `None` if the
/// part has fewer, or no address holds it.
fn inner_bytes(part: &str) -> Option<u16> {
    let mut octets = part.split('.').skip(1);
    let (second, third, _) = (octets.next()?, octets.next()?, octets.next()?);
    Some(u16::from_be_bytes([second.parse().ok()?, third.parse().ok()?]))
}

/// As [`fitting_hex`], of values with hyphens: those that hold the digits are looked at as text.
fn fitting_uuids(values: &Values, bytes: &[u8], width: usize, ask: Ask<'_>) -> Bitmap {
    let digits: String = ask.part().chars().filter(|&c| c != '-').collect();
    let mut text = Vec::new();
    let mut fits = |index: u32| ask.fits(values.text_bytes(index as usize, &mut text));
    let len = values.len() as u32;
    if digits.len() < HEX_SEARCH_DIGITS_MIN {
        return Bitmap::from_fn(len, fits);
    }
    let mut fitting = Bitmap::none(len);
    if digits.len() <= 2 * width {
        let candidates = holding_hex(bytes, width, &digits);
        candidates.iter().filter(|&index| fits(index)).for_each(|index| fitting.insert(index));
    }
    fitting
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
