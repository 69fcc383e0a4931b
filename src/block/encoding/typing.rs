//! Finds the form in which texts are kept: the tightest that gives each of them back exactly.

use crate::block::{Texts, Values, time_form};

/// The texts in a typed form; `None` if there is none that gives all of them back.
pub(in crate::block) fn typed(texts: &Texts) -> Option<Values> {
    let first = (!texts.is_empty()).then(|| texts.get(0))?;
    match first {
        [] => None,
        [b'0'..=b'9' | b'-', ..] => times(texts)
            .or_else(|| integers(texts))
            .or_else(|| decimals(texts, first))
            .or_else(|| ipv4(texts))
            .or_else(|| hex(texts, first.len()))
            .or_else(|| affixed(texts)),
        _ => hex(texts, first.len()).or_else(|| affixed(texts)),
    }
}

fn times(texts: &Texts) -> Option<Values> {
    let (_, form) = time_form::read(texts.get(0))?;
    let values = texts.iter().map(|text| time_form::read(text).filter(|(_, own)| *own == form).map(|(time, _)| time));
    Some(Values::Times { values: values.collect::<Option<_>>()?, form })
}

fn integers(texts: &Texts) -> Option<Values> {
    texts.iter().map(integer).collect::<Option<_>>().map(Values::Integers)
}

fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let value = canonical(digits)?;
    match negative {
        true if value > 0 => i64::try_from(value).ok().map(|value| -value),
        true => None,
        false => i64::try_from(value).ok(),
    }
}

/// A number as `u64` prints it.
fn canonical(digits: &[u8]) -> Option<u64> {
    match digits {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => number(digits),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > DIGITS_MAX {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &b| b.is_ascii_digit().then(|| value * 10 + u64::from(b - b'0')))
}

fn decimals(texts: &Texts, first: &[u8]) -> Option<Values> {
    let point = first.iter().position(|&b| b == b'.')?;
    let scale = u8::try_from(first.len() - point - 1).ok().filter(|scale| (1..=18).contains(scale))?;
    let values = texts.iter().map(|text| decimal(text, usize::from(scale))).collect::<Option<_>>()?;
    Some(Values::Decimals { values, scale })
}

fn decimal(text: &[u8], scale: usize) -> Option<i64> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (whole, rest) = text.split_at_checked(text.len().checked_sub(scale + 1)?)?;
    let fraction = rest.strip_prefix(b".")?;
    let unit = 10i64.pow(scale as u32);
    let whole = i64::try_from(canonical(whole)?).ok()?;
    let value = whole.checked_mul(unit)?.checked_add(number(fraction)? as i64)?;
    match negative {
        true if value == 0 => None,
        true => Some(-value),
        false => Some(value),
    }
}

fn ipv4(texts: &Texts) -> Option<Values> {
    texts.iter().map(address).collect::<Option<_>>().map(Values::Ipv4)
}

fn address(text: &[u8]) -> Option<u32> {
    let mut parts = text.split(|&b| b == b'.');
    let mut address = 0u32;
    for _ in 0..4 {
        let part = canonical(parts.next()?)?;
        address = address << 8 | u32::try_from(part).ok().filter(|&part| part < 256)?;
    }
    parts.next().is_none().then_some(address)
}

fn hex(texts: &Texts, len: usize) -> Option<Values> {
    if len == UUID_LEN && texts.get(0)[8] == b'-' {
        return uuid(texts);
    }
    let width = u16::try_from(len / 2).ok().filter(|_| len.is_multiple_of(2) && len >= HEX_DIGITS_MIN)?;
    if texts.bytes.len() != len * texts.len() {
        return None;
    }
    let upper = texts.bytes.iter().find(|b| !b.is_ascii_digit()).is_some_and(u8::is_ascii_uppercase);
    let mut bytes = Vec::with_capacity(texts.bytes.len() / 2);
    for text in texts.iter() {
        if text.len() != len {
            return None;
        }
        for pair in text.chunks_exact(2) {
            bytes.push(hex_digit(pair[0], upper)? << 4 | hex_digit(pair[1], upper)?);
        }
    }
    Some(Values::Hex { bytes, width, upper, hyphens: false })
}

fn uuid(texts: &Texts) -> Option<Values> {
    let mut bare = Texts::default();
    for text in texts.iter() {
        let hyphens = text.len() == UUID_LEN && UUID_HYPHENS_AT.iter().all(|&at| text[at] == b'-');
        if !hyphens {
            return None;
        }
        let digits: Vec<u8> = text.iter().copied().filter(|&byte| byte != b'-').collect();
        bare.push(&digits);
    }
    match hex(&bare, 32)? {
        Values::Hex { bytes, width: 16, upper, .. } => Some(Values::Hex { bytes, width: 16, upper, hyphens: true }),
        _ => None,
    }
}

fn hex_digit(digit: u8, upper: bool) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' if !upper => Some(digit - b'a' + 10),
        b'A'..=b'F' if upper => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn affixed(texts: &Texts) -> Option<Values> {
    let first = texts.get(0);
    let (mut prefix, mut suffix) = (first.len(), first.len());
    for text in texts.iter() {
        prefix = first.iter().zip(text).take(prefix).take_while(|(a, b)| a == b).count();
        suffix = first.iter().rev().zip(text.iter().rev()).take(suffix).take_while(|(a, b)| a == b).count();
        if prefix == 0 && suffix == 0 {
            break;
        }
    }
    // What is alike by chance belongs to the number.
    prefix -= first[..prefix].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    suffix = suffix.min(first.len() - prefix);
    suffix -= first[first.len() - suffix..].iter().take_while(|b| b.is_ascii_digit()).count();
    let digits = |text: &[u8]| text.len().checked_sub(prefix + suffix);
    let width = digits(first)?;
    let padded = texts.iter().all(|text| digits(text) == Some(width)) && width > 0;
    let parse = |text: &[u8]| {
        let middle = text.get(prefix..text.len().checked_sub(suffix)?)?;
        if padded { number(middle) } else { canonical(middle) }
    };
    let values = texts.iter().map(parse).collect::<Option<_>>()?;
    let affix = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Some(Values::Affixed {
        prefix: affix(&first[..prefix])?,
        values,
        digits: if padded { width as u8 } else { 0 },
        suffix: affix(&first[first.len() - suffix..])?,
    })
}

/// The largest number of digits of which every number fits into 64 bits.
const DIGITS_MAX: usize = 19;
/// Length of a UUID, and where its hyphens stand.
const UUID_LEN: usize = 36;
const UUID_HYPHENS_AT: [usize; 4] = [8, 13, 18, 23];
/// Shorter hexadecimal text gains nothing as bytes.
const HEX_DIGITS_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::testing::Rng;

    fn texts(all: &[&str]) -> Texts {
        let mut texts = Texts::default();
        all.iter().for_each(|text| texts.push(text.as_bytes()));
        texts
    }

    /// Whatever form is found gives every text back.
    fn check(all: &[&str]) -> Option<Values> {
        let values = typed(&texts(all))?;
        let mut scratch = Vec::new();
        for (i, &text) in all.iter().enumerate() {
            assert_eq!(values.text(i, &mut scratch), text, "{values:?}");
        }
        Some(values)
    }

    #[test]
    fn forms_are_found_where_they_give_the_text_back() {
        assert!(matches!(check(&["1", "-5", "0", "9223372036854775807"]), Some(Values::Integers(_))));
        assert!(matches!(check(&["1.50", "-0.25", "0.00"]), Some(Values::Decimals { scale: 2, .. })));
        assert!(matches!(check(&["10.0.0.1", "255.255.255.255"]), Some(Values::Ipv4(_))));
        assert!(matches!(check(&["fe5f34ca", "0123abcd"]), Some(Values::Hex { width: 4, upper: false, .. })));
        assert!(matches!(check(&["FE5F34CA", "01234567"]), Some(Values::Hex { width: 4, upper: true, .. })));
        let uuids = &["0fb07ee6-4f4f-4e0a-9b0d-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff"];
        assert!(matches!(check(uuids), Some(Values::Hex { width: 16, upper: false, hyphens: true, .. })));
        assert!(matches!(check(&["00", "07", "59"]), Some(Values::Affixed { digits: 2, .. })));
        assert!(matches!(check(&["1", "9223372036854775808"]), Some(Values::Affixed { digits: 0, .. })));
        assert!(matches!(check(&["u000022", "u151753"]), Some(Values::Affixed { digits: 6, .. })));
        assert!(matches!(check(&["12ms", "5ms", "0ms"]), Some(Values::Affixed { digits: 0, .. })));
        assert!(matches!(check(&["2026-11-19T00:00:00.039Z"]), Some(Values::Times { .. })));
    }

    #[test]
    fn no_form_is_found_where_none_gives_the_text_back() {
        for all in [
            &["1", "-0"][..],
            &["1", "+1"],
            &["1.0", "-0.0"],
            &["1.0", "1.00"],
            &["1", "1e3"],
            &["10.0.0.1", "10.0.0.01"],
            &["abcdefgh", "01234567"],
            &["fe5f34cA", "0123abcd"],
            &["a", "b"],
            &["", "1"],
            &["1", ""],
            &["u1", "u01"],
            &["1", "99223372036854775808"],
            &["0fb07ee6-4f4f-4e0a-9b0d-000000000001", "ffffffff-ffff-ffff-ffff-fffffffffff-"],
            &["0fb07ee6-4f4f-4e0a-9b0d-000000000001", "ffffffffffffffffffffffffffffffffffff"],
        ] {
            assert_eq!(check(all), None, "{all:?}");
        }
    }

    #[test]
    fn random_texts_of_telling_characters_come_back() {
        let mut rng = Rng(5);
        for _ in 0..20_000 {
            let all: Vec<String> = (0..1 + rng.below(3))
                .map(|_| (0..rng.below(6)).map(|_| rng.pick(&['0', '1', '9', '.', '-', 'a', 'F', 'é'])).collect())
                .collect();
            check(&all.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
