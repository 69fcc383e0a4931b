//! Days and times of day as text, both ways.

use jiff::civil::Date;

use super::text::padded;

/// Writes times, and remembers the last day's text: neighbours in a log nearly always share it.
pub(super) struct Calendar {
    day: i64,
    text: String,
}

impl Calendar {
    pub(super) fn new() -> Self {
        Self { day: 0, text: EPOCH.to_string() }
    }

    /// Appends a time as `2026-01-31T23:59:59.999Z`. Within the years 0 to 9999.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, unix_ms: i64) {
        let day = unix_ms.div_euclid(DAY_MS);
        if day != self.day {
            self.day = day;
            self.text = date_of(day).to_string();
        }
        let in_day = unix_ms.rem_euclid(DAY_MS) as u64;
        out.extend_from_slice(self.text.as_bytes());
        for (before, value, width) in [
            (b'T', in_day / 3_600_000, 2),
            (b':', in_day / 60_000 % 60, 2),
            (b':', in_day / 1_000 % 60, 2),
            (b'.', in_day % 1_000, 3),
        ] {
            out.push(before);
            padded(out, value, width);
        }
        out.push(b'Z');
    }
}

/// The day since 1970 that `2026-01-31` names; none if there is no such day.
pub(super) fn parse_day(text: &str) -> Option<i64> {
    let date: Date = text.parse().ok()?;
    (date.to_string() == text).then(|| i64::from((date - EPOCH).get_days()))
}

fn date_of(day: i64) -> Date {
    EPOCH.saturating_add(jiff::Span::new().days(day))
}

/// Milliseconds of a day. Days are UTC, so every one has as many.
pub(super) const DAY_MS: i64 = 86_400_000;

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_so_that_they_read_back() {
        let mut calendar = Calendar::new();
        let scattered = (0..4_000).map(|n| n * 37_123_456_789 % 4_102_444_800_000);
        for unix_ms in scattered.chain([0, 951_782_399_999, 951_782_400_000]) {
            let mut out = Vec::new();
            calendar.write(&mut out, unix_ms);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.len(), 24);
            assert_eq!(text.parse::<jiff::Timestamp>().unwrap().as_millisecond(), unix_ms, "{text}");
            assert_eq!(parse_day(&text[..10]), Some(unix_ms.div_euclid(DAY_MS)));
        }
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused() {
        for text in ["2026-02-29", "2026-13-01", "20260101", "yesterday", "2026-1-1", ""] {
            assert_eq!(parse_day(text), None, "{text}");
        }
    }
}
