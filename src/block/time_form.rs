//! Times as text, in the forms that give the exact bytes back.

use super::column::{TimeForm, write_padded};

/// Adds the text of a time, nanoseconds since 1970, in `form` to `out`.
pub(super) fn write(time: i64, form: TimeForm, out: &mut Vec<u8>) {
    let Civil { year, month, date, seconds, nanos } = civil(time);
    write_padded(year as u64, 4, out);
    out.push(b'-');
    write_padded(month, 2, out);
    out.push(b'-');
    write_padded(date, 2, out);
    out.push(form.separator);
    write_padded(seconds / 3600, 2, out);
    out.push(b':');
    write_padded(seconds / 60 % 60, 2, out);
    out.push(b':');
    write_padded(seconds % 60, 2, out);
    if form.fraction > 0 {
        out.push(form.point);
        let unit = 10u64.pow(9 - u32::from(form.fraction));
        write_padded(nanos / unit, form.fraction, out);
    }
    if form.zulu {
        out.push(b'Z');
    }
}

/// A time as a calendar and a clock show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: u64,
    pub(super) date: u64,
    /// Seconds of the day.
    pub(super) seconds: u64,
    /// Nanoseconds of the second.
    pub(super) nanos: u64,
}

/// Calendar and clock, in UTC, of a time in nanoseconds since 1970.
pub(super) fn civil(time: i64) -> Civil {
    let (year, month, date) = civil_of_day(time.div_euclid(NANOS_PER_DAY));
    let nanos = time.rem_euclid(NANOS_PER_DAY) as u64;
    Civil { year, month, date, seconds: nanos / NANOS_PER_SECOND, nanos: nanos % NANOS_PER_SECOND }
}

/// Reads a time whose text [`write()`] gives back exactly.
pub(super) fn read(text: &[u8]) -> Option<(i64, TimeForm)> {
    let (zulu, text) = match text.strip_suffix(b"Z") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (head, tail) = text.split_at_checked(SECONDS_LEN)?;
    let separator = head[10];
    let fits = head[4] == b'-' && head[7] == b'-' && matches!(separator, b'T' | b' ') && head[13] == b':';
    if !fits || head[16] != b':' {
        return None;
    }
    let (year, month, date) = (number(&head[0..4])?, number(&head[5..7])?, number(&head[8..10])?);
    let (hour, minute, second) = (number(&head[11..13])?, number(&head[14..16])?, number(&head[17..19])?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&date) && hour < 24 && minute < 60 && second < 60;
    if !in_range {
        return None;
    }
    let (point, fraction, nanos) = match tail.split_first() {
        None => (b'.', 0, 0),
        Some((&point @ (b'.' | b','), digits)) if (1..=9).contains(&digits.len()) => {
            (point, digits.len() as u8, number(digits)? * 10u64.pow(9 - digits.len() as u32))
        }
        Some(_) => return None,
    };
    let day = day_of_civil(year as i64, month as i64, date as i64);
    if civil_of_day(day) != (year as i64, month, date) {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second;
    let time = day.checked_mul(NANOS_PER_DAY)?.checked_add((seconds * NANOS_PER_SECOND + nanos) as i64)?;
    Some((time, TimeForm { separator, point, fraction, zulu }))
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, &b| b.is_ascii_digit().then(|| value * 10 + u64::from(b - b'0')))
}

/// Year, month and day of a day counted from 1970, in the Gregorian calendar: years are counted from
/// March, so that a leap day ends one, in cycles of 400.
fn civil_of_day(day: i64) -> (i64, u64, u64) {
    let shifted = day + DAYS_TO_1970;
    let cycle = shifted.div_euclid(DAYS_PER_CYCLE);
    let of_cycle = shifted.rem_euclid(DAYS_PER_CYCLE);
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (cycle * 400 + year + i64::from(month <= 2), month as u64, date as u64)
}

fn day_of_civil(year: i64, month: i64, date: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let cycle = year.div_euclid(400);
    let of_cycle = year.rem_euclid(400);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * march_month + 2) / 5 + date - 1;
    cycle * DAYS_PER_CYCLE + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - DAYS_TO_1970
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND as i64;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// Days in 400 years.
const DAYS_PER_CYCLE: i64 = 146_097;
/// Length of `2026-11-19T00:00:00`.
const SECONDS_LEN: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) {
        let (time, form) = read(text.as_bytes()).unwrap_or_else(|| panic!("{text} is a time"));
        let mut out = Vec::new();
        write(time, form, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
        let date_time: jiff::civil::DateTime = text.trim_end_matches('Z').replace(',', ".").parse().unwrap();
        let expected = date_time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_nanosecond();
        assert_eq!(i128::from(time), expected, "{text}");
    }

    #[test]
    fn times_are_read_as_an_independent_calendar_reads_them_and_written_back() {
        check("1970-01-01T00:00:00Z");
        check("2026-11-19T00:00:00.039Z");
        check("2024-02-29 23:59:59,999999999");
        check("1999-12-31 23:59:59");
        for day in (-100_000..100_000).step_by(37) {
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            if (1680..2260).contains(&date.year()) {
                check(&format!("{date}T01:02:03.5Z"));
            }
        }
    }

    #[test]
    fn what_is_not_given_back_exactly_is_no_time() {
        for text in ["", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-01-01T24:00:00Z", "2023-01-01T00:00:60Z"]
            .into_iter()
            .chain([
                "2023-01-01t00:00:00Z",
                "2023-01-01T00:00:00.Z",
                "2023-01-01T00:00:00+00:00",
                "9999-01-01T00:00:00Z",
            ])
        {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
