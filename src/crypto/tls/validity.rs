//! From when until when a certificate is good: the two dates of its own bytes, and nothing else of it.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::host::UnixNanos;

/// The dates of a certificate. Both are still good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first moment.
    pub from: UnixNanos,
    /// The last one.
    pub until: UnixNanos,
}

/// How a moment stands to a [`Validity`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lasting {
    /// It is good, and will be for some time.
    Good,
    /// It is good, but for less than [`SOON_DAYS`].
    EndsSoon,
    /// Clients refuse it: its time has not come.
    NotYet,
    /// Clients refuse it: its time is over.
    Over,
}

impl Validity {
    /// The dates of a certificate in DER; `None` if there are none that can be read.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = take(certificate, SEQUENCE)?;
        let (mut signed, _) = take(certificate, SEQUENCE)?;
        if signed.first() == Some(&VERSION) {
            signed = take(signed, VERSION)?.1;
        }
        for before in [INTEGER, SEQUENCE, SEQUENCE] {
            signed = take(signed, before)?.1;
        }
        let (dates, _) = take(signed, SEQUENCE)?;
        let (from, rest) = time(dates)?;
        let (until, _) = time(rest)?;
        Some(Self { from, until })
    }

    /// How `now` stands to it.
    pub fn at(&self, now: UnixNanos) -> Lasting {
        if now < self.from {
            Lasting::NotYet
        } else if now > self.until {
            Lasting::Over
        } else if self.until.0.saturating_sub(now.0) < SOON_DAYS * DAY_NS {
            Lasting::EndsSoon
        } else {
            Lasting::Good
        }
    }
}

/// The content of the element at the start, which must be of kind `tag`, and what comes after it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut len = usize::from(first);
    if first & LONG != 0 {
        let digits = usize::from(first & !LONG);
        if !(1..=LEN_BYTES_MAX).contains(&digits) {
            return None;
        }
        let (long, after) = rest.split_at_checked(digits)?;
        len = long.iter().fold(0, |len, byte| (len << 8) | usize::from(*byte));
        rest = after;
    }
    if found == tag { rest.split_at_checked(len) } else { None }
}

/// A time in UTC to the second, as RFC 5280 wants them, and what comes after it.
fn time(bytes: &[u8]) -> Option<(UnixNanos, &[u8])> {
    let (text, rest) = take(bytes, UTC_TIME).or_else(|| take(bytes, GENERALIZED_TIME))?;
    let digits = std::str::from_utf8(text.strip_suffix(b"Z")?).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, fields) = match digits.len() {
        12 => {
            let (short, fields) = digits.split_at(2);
            let short: i16 = short.parse().ok()?;
            (if short < 50 { 2_000 + short } else { 1_900 + short }, fields)
        }
        14 => {
            let (year, fields) = digits.split_at(4);
            (year.parse().ok()?, fields)
        }
        _ => return None,
    };
    let field = |at: usize| fields[at..at + 2].parse::<i8>().ok();
    let civil = DateTime::new(year, field(0)?, field(2)?, field(4)?, field(6)?, field(8)?, 0).ok()?;
    // A certificate without an end says 9999; the clock counts to 2262.
    let ns = if year < CLOCK_YEAR_END { Offset::UTC.to_timestamp(civil).ok()?.as_nanosecond() } else { i128::MAX };
    let ns = i64::try_from(ns.clamp(i128::from(i64::MIN), i128::from(i64::MAX))).ok()?;
    Some((UnixNanos(ns), rest))
}

/// A certificate that ends within this many days is warned of.
pub const SOON_DAYS: i64 = 14;
/// The first year that does not end within [`UnixNanos`].
const CLOCK_YEAR_END: i16 = 2_262;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
/// Of the first byte of a length: more bytes follow.
const LONG: u8 = 0x80;
/// A certificate is shorter than 16 MiB.
const LEN_BYTES_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = content.len();
        let mut bytes = vec![tag];
        match u8::try_from(len) {
            Ok(len) if len < LONG => bytes.push(len),
            _ => bytes.extend([LONG | 2, u8::try_from(len >> 8).unwrap(), (len & 0xff) as u8]),
        }
        bytes.extend(content);
        bytes
    }

    fn certificate(has_version: bool, from: (u8, &str), until: (u8, &str)) -> Vec<u8> {
        let mut signed = if has_version { element(VERSION, &element(INTEGER, &[2])) } else { Vec::new() };
        signed.extend(element(INTEGER, &[1; 20]));
        signed.extend(element(SEQUENCE, &[]));
        signed.extend(element(SEQUENCE, &[0x31; 300]));
        let dates = [element(from.0, from.1.as_bytes()), element(until.0, until.1.as_bytes())].concat();
        signed.extend(element(SEQUENCE, &dates));
        signed.extend([0; 40]);
        element(SEQUENCE, &[element(SEQUENCE, &signed), vec![1; 80]].concat())
    }

    fn seconds(validity: Validity) -> [i64; 2] {
        [validity.from.0 / 1_000_000_000, validity.until.0 / 1_000_000_000]
    }

    const UTC: (u8, &str) = (UTC_TIME, "260102030405Z");

    #[test]
    fn both_kinds_of_time_are_read_with_a_version_and_without() {
        for has_version in [true, false] {
            let read = |until| Validity::of(&certificate(has_version, UTC, until)).unwrap();
            assert_eq!(seconds(read((UTC_TIME, "491231235959Z"))), [1_767_323_045, 2_524_607_999]);
            assert_eq!(seconds(read((GENERALIZED_TIME, "20500101000000Z"))), [1_767_323_045, 2_524_608_000]);
            assert_eq!(read((GENERALIZED_TIME, "99991231235959Z")).until, UnixNanos(i64::MAX));
            assert_eq!(seconds(read((UTC_TIME, "500101000000Z")))[1], -631_152_000, "1950");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_dates() {
        for text in ["", "Z", "260102030405", "261302030405Z", "26010203040Z", "+60102030405Z", "2601020304 5Z"] {
            assert_eq!(Validity::of(&certificate(true, UTC, (UTC_TIME, text))), None, "{text}");
        }
        assert_eq!(Validity::of(&certificate(true, UTC, (INTEGER, UTC.1))), None);
        let good = certificate(true, UTC, UTC);
        let needed = good.len() - 120;
        for len in 0..needed {
            assert_eq!(Validity::of(&good[..len]), None, "cut to {len}");
        }
        for at in 0..good.len() {
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = byte;
                // Whatever it says: it does not panic.
                let _ = Validity::of(&bytes);
            }
        }
    }

    #[test]
    fn the_first_and_the_last_moment_are_good() {
        let day = |days: i64| UnixNanos(days * DAY_NS);
        let validity = Validity { from: day(100), until: day(200) };
        assert_eq!(validity.at(UnixNanos(day(100).0 - 1)), Lasting::NotYet);
        assert_eq!(validity.at(day(100)), Lasting::Good);
        assert_eq!(validity.at(day(200 - SOON_DAYS)), Lasting::Good);
        assert_eq!(validity.at(UnixNanos(day(200 - SOON_DAYS).0 + 1)), Lasting::EndsSoon);
        assert_eq!(validity.at(day(200)), Lasting::EndsSoon);
        assert_eq!(validity.at(UnixNanos(day(200).0 + 1)), Lasting::Over);
    }
}
