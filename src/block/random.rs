//! Random values of every form, for tests of what is asked of them.

use super::column::TimeForm;
use super::time_pattern::{TimePart, TimePattern, TimePiece};
use super::{Slot, Template, Templated, Texts, Values};

/// A seeded generator (xorshift64*).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % n as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn text(&mut self, pieces_max: usize) -> String {
        let many = self.below(pieces_max + 1);
        (0..many).map(|_| self.pick(WORDS)).collect()
    }
}

/// What texts are made of: much that begins or ends like something else.
pub(crate) const WORDS: &[&str] = &[
    "a",
    "A",
    "ab",
    "aa",
    "abc",
    "Disk",
    "dis\u{212a}",
    "ß",
    "ẞ",
    "Σς",
    "日本",
    "\u{17f}et",
    "Ⱥ",
    "12",
    "1",
    "0",
    "00",
    "500",
    "-",
    ".",
    ":",
    " ",
    " ",
    " ",
    "_",
    "/",
    "\"",
    "\n",
    "=",
    "e",
    "10.0.0.1",
    "dead",
    "BEEF",
    "u",
    "t",
    "z",
    "took ",
    "ms",
];

const NUMBERS: &[i64] = &[0, 1, 5, 7, 10, 11, 12, 100, 101, 500, 1212, 11_111, 120_012, -1, -12, i64::MAX, i64::MIN];

/// Values of any form but templates.
pub(crate) fn random_values(rng: &mut Rng, count: usize) -> Values {
    let positive = |rng: &mut Rng, below: u64| rng.pick(NUMBERS).unsigned_abs() % below;
    match rng.below(10) {
        0 => Values::Integers((0..count).map(|_| rng.pick(NUMBERS)).collect()),
        1 => Values::Decimals { values: (0..count).map(|_| rng.pick(NUMBERS)).collect(), scale: 2 },
        2 => {
            let hyphens = rng.below(3) == 0;
            let width = if hyphens { 16 } else { 1 + rng.below(3) as u16 };
            let bytes = (0..count * usize::from(width)).map(|_| rng.pick(&[0x11, 0x1a, 0xa1, 0xaa, 0xde, 0xad, 0]));
            Values::Hex { bytes: bytes.collect(), width, upper: rng.below(2) == 0, hyphens }
        }
        3 => Values::Ipv4((0..count).map(|_| rng.pick(&[0x0a00_0001, 0x0a00_000a, 0x0101_0101])).collect()),
        4 | 5 => {
            let digits = rng.pick(&[0, 0, 1, 3, 6, 19]);
            let below = if digits == 0 { u64::MAX } else { 10u64.pow(u32::from(digits)) };
            Values::Affixed {
                prefix: rng.text(1),
                values: (0..count).map(|_| positive(rng, below)).collect(),
                digits,
                suffix: rng.text(1),
            }
        }
        6 => {
            let form = TimeForm { separator: rng.pick(b"T "), point: b',', fraction: 3, zulu: rng.below(2) == 0 };
            let times = [1_781_395_200_123_000_000, 0, 86_400_000_000_000];
            Values::Times { values: (0..count).map(|_| rng.pick(&times)).collect(), form }
        }
        7 => {
            let parts = TimePart::ALL;
            let mut pieces = vec![TimePiece::Literal(rng.text(1)), TimePiece::Part(rng.pick(&parts))];
            pieces.extend([TimePiece::Literal(rng.text(1)), TimePiece::Part(rng.pick(&parts))]);
            let times = [1_781_395_200_123_000_000, 0, 86_400_000_000_000, 1_781_395_211_000_000_000];
            Values::TimeTexts { times: (0..count).map(|_| rng.pick(&times)).collect(), pattern: TimePattern(pieces) }
        }
        _ => {
            let mut texts = Texts::default();
            (0..count).for_each(|_| texts.push(rng.text(3).as_bytes()));
            Values::Texts(texts)
        }
    }
}

fn random_slot(rng: &mut Rng, entries: usize) -> Slot {
    if rng.below(2) == 0 {
        return Slot { codes: None, values: random_values(rng, entries) };
    }
    let distinct = 1 + rng.below(4);
    let values = random_values(rng, distinct);
    Slot { codes: Some((0..entries).map(|_| rng.below(distinct) as u32).collect()), values }
}

/// Up to 30 texts of up to 4 templates, with slots of every form.
pub(crate) fn random_texts(rng: &mut Rng) -> Templated {
    let mut texts = Templated { templates: vec![Template::default(); 1 + rng.below(4)], ..Templated::default() };
    for entry in 0..1 + rng.below(30) as u32 {
        let number = rng.below(texts.templates.len());
        let template = &mut texts.templates[number];
        texts.template_of.push(number as u32);
        texts.rank.push(template.entries.len() as u32);
        template.entries.push(entry);
    }
    for template in &mut texts.templates {
        for _ in 0..rng.below(4) {
            template.literals.push(rng.text(3).as_bytes());
            template.slots.push(random_slot(rng, template.entries.len()));
        }
        template.literals.push(rng.text(3).as_bytes());
    }
    texts.check();
    texts
}
