//! Where the words of a text begin and end, and which of them vary by their look alone.
//!
//! A word's end depends only on the text and on where the word begins, so a text is taken apart again
//! the same way by whoever knows where its variables begin.

/// Walks over the words of `text`: calls `word` with start, end and whether the word looks like a
/// variable. What lies between words is never part of one.
pub(super) fn for_each_word(text: &[u8], mut word: impl FnMut(usize, usize, bool)) {
    let mut at = 0;
    while at < text.len() {
        if !is_word_byte(text[at]) {
            at += 1;
            continue;
        }
        if has_hex_mark(text, at) {
            word(at, at + HEX_MARK_BYTES, false);
            at += HEX_MARK_BYTES;
            let end = word_end(text, at);
            word(at, end, true);
            at = end;
            continue;
        }
        let (end, varies) = word_at(text, at);
        word(at, end, varies);
        at = end;
    }
}

/// Where the word that begins at `at` ends.
pub(super) fn word_end(text: &[u8], at: usize) -> usize {
    if has_hex_mark(text, at) { at + HEX_MARK_BYTES } else { word_at(text, at).0 }
}

/// End of the word at `at`, and whether it holds a digit.
fn word_at(text: &[u8], at: usize) -> (usize, bool) {
    let rest = &text[at..];
    let mut kinds = 0;
    let len = rest.iter().position(|&byte| {
        let kind = KINDS[usize::from(byte)];
        kinds |= kind;
        kind == 0
    });
    let len = len.unwrap_or(rest.len());
    if kinds & DIGIT == 0 && !may_be_uuid(rest, len) {
        return (at + len, false);
    }
    if may_be_uuid(rest, len) && is_uuid(rest) {
        return (at + UUID_BYTES, true);
    }
    if kinds == DIGIT && rest.get(len) == Some(&b'.') && !follows_number(text, at) {
        return (at + number_len(rest, len), true);
    }
    (at + len, kinds & DIGIT != 0)
}

/// Whether a number or a date goes on here: what looks like a decimal is then a part of something longer.
fn follows_number(text: &[u8], at: usize) -> bool {
    at >= 2 && matches!(text[at - 1], b'.' | b'-' | b':') && text[at - 2].is_ascii_digit()
}

/// Length of the decimal or the address whose first digits are `len` long; `len` if it is neither.
fn number_len(rest: &[u8], len: usize) -> usize {
    let mut groups = 1;
    let mut end = len;
    let mut address = is_octet(&rest[..len]);
    while rest.get(end) == Some(&b'.') {
        let digits = rest[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            break;
        }
        address &= is_octet(&rest[end + 1..end + 1 + digits]);
        groups += 1;
        end += 1 + digits;
        if groups > 4 {
            break;
        }
    }
    match groups {
        2 => end,
        4 if address => end,
        _ => len,
    }
}

fn is_octet(digits: &[u8]) -> bool {
    match digits {
        [_] => true,
        [b'1'..=b'9', _] => true,
        [b'1', _, _] => true,
        [b'2', b'0'..=b'4', _] | [b'2', b'5', b'0'..=b'5'] => true,
        _ => false,
    }
}

fn may_be_uuid(rest: &[u8], len: usize) -> bool {
    len == 8 && rest.len() >= UUID_BYTES && rest[8] == b'-'
}

fn is_uuid(rest: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    rest[..UUID_BYTES].iter().enumerate().all(fits) && !rest.get(UUID_BYTES).is_some_and(|&byte| is_word_byte(byte))
}

fn has_hex_mark(text: &[u8], at: usize) -> bool {
    text[at] == b'0'
        && text.get(at + 1).is_some_and(|byte| byte | 0x20 == b'x')
        && text.get(at + 2).is_some_and(u8::is_ascii_hexdigit)
}

fn is_word_byte(byte: u8) -> bool {
    KINDS[usize::from(byte)] != 0
}

/// Length of a UUID's text, in bytes.
const UUID_BYTES: usize = 36;
/// `0x`
const HEX_MARK_BYTES: usize = 2;

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
/// Of each byte, whether it is part of words. What is beyond ASCII is, so that no character is cut.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        kinds[byte] = if b.is_ascii_digit() {
            DIGIT
        } else if b.is_ascii_alphabetic() || !b.is_ascii() {
            LETTER
        } else {
            0
        };
        byte += 1;
    }
    kinds
};

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(&str, bool)> {
        let mut words = Vec::new();
        for_each_word(text.as_bytes(), |start, end, varies| words.push((&text[start..end], varies)));
        words
    }

    #[test]
    fn numbers_addresses_and_ids_are_one_word_each() {
        assert_eq!(words("from 10.0.0.1:80"), [("from", false), ("10.0.0.1", true), ("80", true)]);
        assert_eq!(words("took 1.25ms"), [("took", false), ("1.25", true), ("ms", false)]);
        assert_eq!(words("at 0xdeadbeef."), [("at", false), ("0x", false), ("deadbeef", true)]);
        let uuid = "abcdefab-abcd-abcd-abcd-abcdefabcdef";
        assert_eq!(words(&format!("id={uuid}!")), [("id", false), (uuid, true)]);
        assert_eq!(words("blk_-12 naïve"), [("blk", false), ("12", true), ("naïve", false)]);
    }

    #[test]
    fn dates_and_times_are_taken_apart() {
        let numbers = |text| words(text).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        assert_eq!(numbers("2026-11-19-00.00.02.439"), ["2026", "11", "19", "00", "00", "02", "439"]);
        assert_eq!(numbers("2026.11.19 12:30:05.25"), ["2026", "11", "19", "12", "30", "05", "25"]);
    }

    #[test]
    fn a_word_ends_in_the_same_place_whoever_asks() {
        let mut rng = super::super::super::testing::Rng(3);
        for _ in 0..20_000 {
            let text: String =
                (0..rng.below(24)).map(|_| rng.pick(&['0', '2', 'x', 'a', 'f', '.', '-', ' ', 'é'])).collect();
            for_each_word(text.as_bytes(), |start, end, _| {
                assert_eq!(word_end(text.as_bytes(), start), end, "{text:?}");
            });
        }
    }
}
