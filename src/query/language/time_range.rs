//! Times in parameters: absolute, or relative to a now that the caller passes in.
//!
//! - Absolute: whatever events' times may be written like: RFC 3339, a date, seconds, milli-, micro-
//!   or nanoseconds by magnitude.
//! - Relative: `now`, then any number of shifts (`-15m`, `+1d`) and snaps (`@h`, `@d`), from left to
//!   right; `now` may be left out. Days, weeks and snaps follow the calendar of the zone.

use std::ops::Range;

use jiff::tz::TimeZone;
use jiff::{RoundMode, Span, Timestamp, Unit, Zoned, ZonedRound};

use super::error::ParseError;
use super::parser::Parser;
use crate::query::value::read_time;

/// A time that can't be read. Fix the parameter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TimeError {
    /// It is written like no time.
    #[error(
        "`{0}` is no time: write RFC 3339 (2026-06-14T10:00:00Z), seconds since 1970, or relative: now, -15m, -1d@d"
    )]
    Unreadable(String),
    /// It is outside of what event times can be.
    #[error("`{0}` is outside of the years 1678 to 2261")]
    OutOfRange(String),
    /// There is no such zone.
    #[error("there is no time zone `{0}`: write an IANA name such as Europe/Berlin, or UTC")]
    Zone(String),
}

/// Reads a time parameter.
///
/// # Errors
/// It is no time, or one that no event can have.
pub fn read_parameter(text: &str, now: i64, zone: &TimeZone) -> Result<i64, TimeError> {
    let trimmed = text.trim();
    if let Some(steps) = relative_steps(trimmed) {
        return relative(steps, now, zone).ok_or_else(|| TimeError::OutOfRange(text.to_owned()));
    }
    // `-15` is a shift that lacks its unit rather than a time before 1970.
    let absolute = read_time(trimmed).filter(|_| !trimmed.starts_with('-'));
    absolute.ok_or_else(|| TimeError::Unreadable(text.to_owned()))
}

/// Reads a zone's name.
///
/// # Errors
/// There is no such zone.
pub fn read_zone(name: &str) -> Result<TimeZone, TimeError> {
    let known = TimeZone::get(name).ok().filter(|_| !name.is_empty());
    known.ok_or_else(|| TimeError::Zone(name.to_owned()))
}

/// Takes a zone's name in a stage.
pub(crate) fn zone_name(parser: &mut Parser<'_>) -> Result<String, ParseError> {
    let (name, range): (String, Range<usize>) = parser.plain_word();
    match read_zone(&name) {
        Ok(_) => Ok(name),
        Err(_) => Err(parser
            .lexer
            .error(range, format!("there is no time zone `{name}`"))
            .hint("an IANA name such as `Europe/Berlin`, or `UTC`")),
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Shift(i64, Length),
    Snap(Length),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Length {
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
    Weeks,
}

/// `None`: this is not written like a relative time. A number alone is none: it is an epoch.
fn relative_steps(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix("now").unwrap_or(text);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let mut chars = rest.chars();
        let mark = chars.next()?;
        let after = chars.as_str();
        rest = match mark {
            '@' => {
                let (length, after) = unit(after)?;
                steps.push(Step::Snap(length));
                after
            }
            '+' | '-' => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let count: i64 = after[..digits].parse().ok()?;
                let (length, after) = unit(&after[digits..])?;
                steps.push(Step::Shift(if mark == '-' { -count } else { count }, length));
                after
            }
            _ => return None,
        };
    }
    (!steps.is_empty() || text == "now").then_some(steps)
}

/// The unit at the start, and what follows it.
fn unit(text: &str) -> Option<(Length, &str)> {
    let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (name, rest) = text.split_at(letters);
    Some((UNITS.iter().find(|(known, _)| *known == name)?.1, rest))
}

/// `None`: outside of what 64 bits hold.
fn relative(steps: Vec<Step>, now: i64, zone: &TimeZone) -> Option<i64> {
    let mut time = Timestamp::from_nanosecond(now.into()).ok()?.to_zoned(zone.clone());
    for step in steps {
        time = match step {
            Step::Shift(count, length) => time.checked_add(span(count, length)?).ok()?,
            Step::Snap(length) => snap(&time, length)?,
        };
    }
    i64::try_from(time.timestamp().as_nanosecond()).ok()
}

fn span(count: i64, length: Length) -> Option<Span> {
    let span = Span::new();
    match length {
        Length::Milliseconds => span.try_milliseconds(count),
        Length::Seconds => span.try_seconds(count),
        Length::Minutes => span.try_minutes(count),
        Length::Hours => span.try_hours(count),
        Length::Days => span.try_days(count),
        Length::Weeks => span.try_weeks(count),
    }
    .ok()
}

/// The start of the unit that the time is in; weeks begin on Monday.
fn snap(time: &Zoned, length: Length) -> Option<Zoned> {
    let unit = match length {
        Length::Days => return time.start_of_day().ok(),
        Length::Weeks => {
            let since_monday = i64::from(time.weekday().to_monday_zero_offset());
            return time.checked_sub(Span::new().days(since_monday)).ok()?.start_of_day().ok();
        }
        Length::Milliseconds => Unit::Millisecond,
        Length::Seconds => Unit::Second,
        Length::Minutes => Unit::Minute,
        Length::Hours => Unit::Hour,
    };
    time.round(ZonedRound::new().smallest(unit).mode(RoundMode::Floor)).ok()
}

const UNITS: [(&str, Length); 6] = [
    ("ms", Length::Milliseconds),
    ("s", Length::Seconds),
    ("m", Length::Minutes),
    ("h", Length::Hours),
    ("d", Length::Days),
    ("w", Length::Weeks),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::value::print_time;

    /// A Wednesday.
    const NOW: &str = "2026-06-17T10:11:12.345Z";

    #[track_caller]
    fn check(zone: &str, parameter: &str, expected: &str) {
        let now = read_time(NOW).unwrap();
        let time = read_parameter(parameter, now, &read_zone(zone).unwrap()).unwrap();
        assert_eq!(print_time(time), expected, "{parameter}");
    }

    #[test]
    fn relative_times_shift_and_snap_from_left_to_right() {
        for (parameter, expected) in [
            ("now", NOW),
            (" now ", NOW),
            ("-15m", "2026-06-17T09:56:12.345Z"),
            ("now-500ms", "2026-06-17T10:11:11.845Z"),
            ("+1h", "2026-06-17T11:11:12.345Z"),
            ("-1d@d", "2026-06-16T00:00:00Z"),
            ("@d", "2026-06-17T00:00:00Z"),
            ("@w", "2026-06-15T00:00:00Z"),
            ("@h-5m", "2026-06-17T09:55:00Z"),
            ("-2w@d+8h", "2026-06-03T08:00:00Z"),
            ("now@m", "2026-06-17T10:11:00Z"),
        ] {
            check("UTC", parameter, expected);
        }
    }

    #[test]
    fn rule_17_a_day_is_the_zones_day_across_a_change_of_clocks() {
        check("Europe/Berlin", "@d", "2026-06-16T22:00:00Z");
        let after_change = read_time("2026-03-29T12:00:00Z").unwrap();
        let berlin = read_zone("Europe/Berlin").unwrap();
        let time = |text| print_time(read_parameter(text, after_change, &berlin).unwrap());
        assert_eq!(time("@d"), "2026-03-28T23:00:00Z");
        assert_eq!(time("-1d"), "2026-03-28T13:00:00Z");
        assert_eq!(time("-24h"), "2026-03-28T12:00:00Z");
        assert_eq!(read_zone("Mars/Olympus"), Err(TimeError::Zone("Mars/Olympus".into())));
    }

    #[test]
    fn absolute_times_are_rfc_3339_or_epochs_by_magnitude() {
        for (parameter, expected) in [
            ("2026-06-14T12:00:00+02:00", "2026-06-14T10:00:00Z"),
            ("2026-06-14", "2026-06-14T00:00:00Z"),
            ("1781431200", "2026-06-14T10:00:00Z"),
            ("1781431200.5", "2026-06-14T10:00:00.500Z"),
            ("1781431200000", "2026-06-14T10:00:00Z"),
            ("1781431200000000000", "2026-06-14T10:00:00Z"),
        ] {
            check("Europe/Berlin", parameter, expected);
        }
    }

    #[test]
    fn anything_else_is_an_error_that_names_it() {
        for wrong in [
            "",
            "yesterday",
            "-15",
            "-m",
            "-15x",
            "@",
            "now now",
            "-1d@",
            "--1d",
            "nowhere",
            "-15m ago",
            "ü",
            "-ü",
            "@ü",
        ] {
            let outcome = read_parameter(wrong, 0, &TimeZone::UTC);
            assert_eq!(outcome, Err(TimeError::Unreadable(wrong.into())), "{wrong}");
        }
        for far in ["-9223372036854775807d", "-500000d", "+999999999w"] {
            assert_eq!(read_parameter(far, 0, &TimeZone::UTC), Err(TimeError::OutOfRange(far.into())), "{far}");
        }
    }
}
