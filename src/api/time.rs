//! Times in parameters.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit, Zoned, ZonedRound};

use crate::host::UnixNanos;

/// Reads a time parameter: RFC 3339 (without an offset: in `zone`), a number of seconds, milliseconds,
/// microseconds or nanoseconds since 1970 by its magnitude, or relative to `now`: `now`, `-15m`,
/// `now-1d@d`, `-1mon@mon`.
///
/// # Errors
/// What would be right.
pub fn read(text: &str, now: UnixNanos, zone: &TimeZone) -> Result<UnixNanos, String> {
    let text = text.trim();
    let read = if text.starts_with(['-', '+', '@']) || text.starts_with("now") {
        relative(text, now, zone)
    } else if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        epoch(text)
    } else {
        calendar(text, zone)
    };
    read.ok_or_else(|| TAKES.to_owned())
}

fn calendar(text: &str, zone: &TimeZone) -> Option<UnixNanos> {
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok()?.timestamp(),
    };
    nanos(time)
}

/// The same magnitudes as for events: below 1e11 seconds, 1e14 ms, 1e17 µs, else ns.
fn epoch(text: &str) -> Option<UnixNanos> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: i128 = whole.parse().ok()?;
    let unit: i128 = match number {
        ..100_000_000_000 => 1_000_000_000,
        ..100_000_000_000_000 => 1_000_000,
        ..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    if fraction.contains('.') || fraction.len() > FRACTION_DIGITS_MAX {
        return None;
    }
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let total = number.checked_mul(unit)?.checked_add(part * unit / scale)?;
    i64::try_from(total).ok().map(UnixNanos)
}

fn relative(text: &str, now: UnixNanos, zone: &TimeZone) -> Option<UnixNanos> {
    let start = Timestamp::from_nanosecond(i128::from(now.0)).ok()?.to_zoned(zone.clone());
    let (steps, snap) = match text.split_once('@') {
        Some((steps, snap)) => (steps, Some(snap)),
        None => (text, None),
    };
    let mut time = start;
    let mut rest = steps.strip_prefix("now").unwrap_or(steps);
    while !rest.is_empty() {
        let (moved, after) = step(&time, rest)?;
        (time, rest) = (moved, after);
    }
    if let Some(snap) = snap {
        time = snapped(&time, snap)?;
    }
    nanos(time.timestamp())
}

/// One `-15m` at the front of `text`; returns what follows it too.
fn step<'a>(time: &Zoned, text: &'a str) -> Option<(Zoned, &'a str)> {
    let sign = match text.as_bytes().first()? {
        b'-' => -1,
        b'+' => 1,
        _ => return None,
    };
    let digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
    let letters = text[1 + digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
    let number: i64 = text[1..=digits].parse().ok()?;
    let (unit, rest) = text[1 + digits..].split_at(letters);
    let number = sign * number;
    let span = match unit {
        "ms" => Span::new().try_milliseconds(number),
        "s" => Span::new().try_seconds(number),
        "m" => Span::new().try_minutes(number),
        "h" => Span::new().try_hours(number),
        "d" => Span::new().try_days(number),
        "w" => Span::new().try_weeks(number),
        "mon" => Span::new().try_months(number),
        "y" => Span::new().try_years(number),
        _ => return None,
    };
    Some((time.checked_add(span.ok()?).ok()?, rest))
}

/// The start of the second, minute, hour, day, week (Monday), month or year.
fn snapped(time: &Zoned, unit: &str) -> Option<Zoned> {
    let floor = |unit| time.round(ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Floor)).ok();
    let day = || time.start_of_day().ok();
    match unit {
        "s" => floor(Unit::Second),
        "m" => floor(Unit::Minute),
        "h" => floor(Unit::Hour),
        "d" => day(),
        "w" => {
            let since_monday = i64::from(time.weekday().to_monday_zero_offset());
            day()?.checked_sub(Span::new().try_days(since_monday).ok()?).ok()
        }
        "mon" => time.first_of_month().ok()?.start_of_day().ok(),
        "y" => time.first_of_year().ok()?.start_of_day().ok(),
        _ => None,
    }
}

fn nanos(time: Timestamp) -> Option<UnixNanos> {
    i64::try_from(time.as_nanosecond()).ok().map(UnixNanos)
}

/// Digits after the point of a number of seconds.
const FRACTION_DIGITS_MAX: usize = 18;
const TAKES: &str = "must be a time from 1678 to 2261: RFC 3339 (2026-06-14T10:00:00Z), a number of seconds, \
                     milliseconds or nanoseconds since 1970, or relative to now (now, -15m, -1d@d)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::time::format_rfc3339;

    fn rfc3339(time: UnixNanos) -> String {
        format_rfc3339(time.0)
    }

    /// 2026-06-14T10:20:30.5Z, a Sunday.
    const NOW: UnixNanos = UnixNanos(1_781_432_430_500_000_000);

    fn check(text: &str, expected: &str) {
        let read = read(text, NOW, &TimeZone::UTC).map(rfc3339);
        assert_eq!(read.as_deref().unwrap_or("error"), expected, "{text}");
    }

    #[test]
    fn absolute_times_are_read_in_every_form() {
        assert_eq!(rfc3339(NOW), "2026-06-14T10:20:30.5Z");
        check("2026-06-14T10:00:00+02:00", "2026-06-14T08:00:00Z");
        check("2026-06-14T10:00:00.123456789Z", "2026-06-14T10:00:00.123456789Z");
        check("2026-06-14T10:00:00", "2026-06-14T10:00:00Z");
        check("2026-06-14 10:00:00", "2026-06-14T10:00:00Z");
        check("2026-06-14", "2026-06-14T00:00:00Z");
        check("0", "1970-01-01T00:00:00Z");
        check("1781432430", "2026-06-14T10:20:30Z");
        check("1781432430.25", "2026-06-14T10:20:30.25Z");
        check("1781432430500", "2026-06-14T10:20:30.5Z");
        check("1781432430500000000", "2026-06-14T10:20:30.5Z");
    }

    #[test]
    fn relative_times_move_and_snap() {
        check("now", "2026-06-14T10:20:30.5Z");
        check("-15m", "2026-06-14T10:05:30.5Z");
        check("now-1h30m", "error");
        check("-1h-30m", "2026-06-14T08:50:30.5Z");
        check("+1d", "2026-06-15T10:20:30.5Z");
        check("-1d@d", "2026-06-13T00:00:00Z");
        check("@h", "2026-06-14T10:00:00Z");
        check("@w", "2026-06-08T00:00:00Z");
        check("-1mon@mon", "2026-05-01T00:00:00Z");
        check("@y", "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_day_begins_at_midnight_of_its_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(read("@d", NOW, &berlin).map(rfc3339).unwrap(), "2026-06-13T22:00:00Z");
        assert_eq!(read("2026-06-14T10:00:00", NOW, &berlin).map(rfc3339).unwrap(), "2026-06-14T08:00:00Z");
    }

    #[test]
    fn what_is_no_time_or_out_of_range_is_an_error() {
        for text in [
            "",
            "yesterday",
            "-15",
            "-m",
            "-5x",
            "1.2.3",
            "@q",
            "now@",
            "0001-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
            "99999999999999999999999",
            "-99999999999999999999d",
            "-9999999999y",
            "-é",
            "now5",
        ] {
            check(text, "error");
        }
    }
}
