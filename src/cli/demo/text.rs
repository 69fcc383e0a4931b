//! Message templates and the small writers that fill them.
//!
//! A template is text with places to fill: `{d1000}` a number below 1000, `{s1000}` the same with small
//! numbers far more likely, `{x8}` eight hexadecimal digits, `{ip}`, `{eur}` an amount of money, `{dish}`
//! what somebody searches for, `{took}` milliseconds of which few are above 999. Text is written as it
//! stands in JSON, so a quotation mark is `\"` in it.

use super::dice::Dice;

/// A template that was read once and is filled many times.
pub(super) struct Template(Vec<Piece>);

enum Piece {
    Text(&'static str),
    Number(u64),
    Skewed(u64),
    Hex(u64),
    Ip,
    Money,
    Dish,
    Took,
}

impl Template {
    /// Reads a template of this room's own tables.
    pub(super) fn new(mut text: &'static str) -> Self {
        let mut pieces = Vec::new();
        while let Some((before, rest)) = text.split_once('{') {
            let (place, after) = rest.split_once('}').expect("a place to fill ends with a brace");
            pieces.push(Piece::Text(before));
            pieces.push(Piece::new(place));
            text = after;
        }
        pieces.push(Piece::Text(text));
        Self(pieces)
    }

    /// Appends the text with fresh values. True if it says that something took a second or longer.
    pub(super) fn fill(&self, dice: &mut Dice, out: &mut Vec<u8>) -> bool {
        let mut slow = false;
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Number(bound) => number(out, dice.below(*bound)),
                Piece::Skewed(bound) => number(out, dice.skewed(*bound)),
                Piece::Hex(digits) => hex(out, dice.roll(), *digits),
                Piece::Ip => ip(out, dice.roll()),
                Piece::Money => decimal(out, 199 + dice.skewed(40_000), 2),
                Piece::Dish => out.extend_from_slice(DISHES[dice.skewed(DISHES.len() as u64) as usize].as_bytes()),
                Piece::Took => {
                    let took = 1 + dice.skewed(1_600);
                    slow |= took >= SLOW_MS;
                    number(out, took);
                }
            }
        }
        slow
    }
}

impl Piece {
    fn new(place: &str) -> Self {
        let bound = |digits: &str| digits.parse().expect("a bound is a number");
        match place {
            "ip" => Self::Ip,
            "eur" => Self::Money,
            "dish" => Self::Dish,
            "took" => Self::Took,
            _ if place.starts_with('d') => Self::Number(bound(&place[1..])),
            _ if place.starts_with('s') => Self::Skewed(bound(&place[1..])),
            _ if place.starts_with('x') => Self::Hex(bound(&place[1..])),
            _ => panic!("no such place: {place}"),
        }
    }
}

/// Appends `value` as it is printed.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `value` with zeros before it up to `width` digits.
pub(super) fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut rest = value;
    for digit in out[start..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// Appends `value / 10^places` with exactly that many places.
pub(super) fn decimal(out: &mut Vec<u8>, value: u64, places: u32) {
    let unit = 10_u64.pow(places);
    number(out, value / unit);
    out.push(b'.');
    padded(out, value % unit, places as usize);
}

/// Appends the lowest `digits` hexadecimal digits of `value`, at most 16.
pub(super) fn hex(out: &mut Vec<u8>, value: u64, digits: u64) {
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * place)) as usize & 15]);
    }
}

fn ip(out: &mut Vec<u8>, roll: u64) {
    out.extend_from_slice(b"10.");
    number(out, roll % 8);
    out.push(b'.');
    number(out, (roll >> 8) % 256);
    out.push(b'.');
    number(out, (roll >> 16) % 254 + 1);
}

/// Milliseconds from which on the expected answers call a statement slow: four digits.
pub(super) const SLOW_MS: u64 = 1_000;

const DISHES: &[&str] = &[
    "espresso cups",
    "rye bread",
    "crème brûlée set",
    "garden hose",
    "wool socks",
    "smörgås board",
    "bike lamp",
    "notebook a5",
    "green tea 茶",
    "tool box",
    "rain jacket",
    "chess clock",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_they_are_printed() {
        assert_eq!(written(|out| number(out, 0)), "0");
        assert_eq!(written(|out| number(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|out| padded(out, 42, 5)), "00042");
        assert_eq!(written(|out| decimal(out, 1_205, 2)), "12.05");
        assert_eq!(written(|out| decimal(out, 7, 1)), "0.7");
        assert_eq!(written(|out| hex(out, 0xabc_0123, 5)), "c0123");
    }

    #[test]
    fn a_template_fills_every_place_and_says_when_it_is_slow() {
        let template = Template::new("a {d1} b {x2} c {took} d {ip} e");
        let mut dice = Dice::new(3);
        let mut slow = 0;
        for _ in 0..1_000 {
            let mut out = Vec::new();
            let said = template.fill(&mut dice, &mut out);
            let text = String::from_utf8(out).unwrap();
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!((words.len(), words[1], words[3].len()), (9, "0", 2), "{text}");
            assert_eq!(said, words[5].len() >= 4, "{text}");
            slow += usize::from(said);
        }
        assert!((50..300).contains(&slow), "{slow}");
    }
}
