//! Which words of a text vary by their look alone: numbers, addresses, ids.

/// Calls `variable` with start and end of each word of `text` that looks like a variable. With `quoted`,
/// what stands between two quotation marks is one word, and a variable.
pub(super) fn for_each_variable(text: &[u8], quoted: bool, mut variable: impl FnMut(usize, usize)) {
    let mut at = 0;
    while at < text.len() {
        if quoted
            && text[at] == b'"'
            && let Some(len) = memchr::memchr(b'"', &text[at + 1..])
        {
            if len > 0 {
                variable(at + 1, at + 1 + len);
            }
            at += len + 2;
            continue;
        }
        let start = at;
        let mut kinds = 0;
        while at < text.len() {
            let kind = KINDS[usize::from(text[at])];
            if kind == 0 {
                break;
            }
            kinds |= kind;
            at += 1;
        }
        if at == start {
            at += 1;
            continue;
        }
        let rest = &text[start..];
        if may_be_uuid(rest, at - start) && is_uuid(rest) {
            at = start + UUID_BYTES;
        } else if kinds & DIGIT == 0 {
            continue;
        } else if has_hex_mark(rest) {
            variable(start + HEX_MARK_BYTES, at);
            continue;
        } else if kinds == DIGIT && text.get(at) == Some(&b'.') && !follows_number(text, start) {
            at = start + number_len(rest, at - start);
        }
        variable(start, at);
    }
}

/// Whether no word reaches into this part of a text or out of it.
pub(super) fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let word_at = |at: usize| text.get(at).is_some_and(|&byte| is_word_byte(byte));
    let crosses = |at: usize| at > 0 && word_at(at - 1) && word_at(at);
    !crosses(start) && !crosses(end)
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
    matches!(digits, [_] | [b'1'..=b'9', _] | [b'1', _, _] | [b'2', b'0'..=b'4', _] | [b'2', b'5', b'0'..=b'5'])
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

fn has_hex_mark(rest: &[u8]) -> bool {
    matches!(rest, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit())
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

    fn variables(text: &str) -> Vec<&str> {
        let mut variables = Vec::new();
        for_each_variable(text.as_bytes(), false, |start, end| variables.push(&text[start..end]));
        variables
    }

    #[test]
    fn what_is_quoted_is_one_variable_if_asked_for() {
        let mut variables = Vec::new();
        let text = "1.2.3.4 \"GET /a b\" 200 \"\" \"open";
        for_each_variable(text.as_bytes(), true, |start, end| variables.push(&text[start..end]));
        assert_eq!(variables, ["1.2.3.4", "GET /a b", "200"]);
    }

    #[test]
    fn numbers_addresses_and_ids_are_one_variable_each() {
        assert_eq!(variables("from 10.0.0.1:80"), ["10.0.0.1", "80"]);
        assert_eq!(variables("took 1.25ms"), ["1.25"]);
        assert_eq!(variables("at 0xdeadbeef."), ["deadbeef"]);
        let uuid = "abcdefab-abcd-abcd-abcd-abcdefabcdef";
        assert_eq!(variables(&format!("id={uuid}!")), [uuid]);
        assert_eq!(variables("blk_-12 naïve u7"), ["12", "u7"]);
    }

    #[test]
    fn dates_and_times_are_taken_apart() {
        assert_eq!(variables("2026-11-19-00.00.02.439"), ["2026", "11", "19", "00", "00", "02", "439"]);
        assert_eq!(variables("2026.11.19 12:30:05.25"), ["2026", "11", "19", "12", "30", "05", "25"]);
    }
}
