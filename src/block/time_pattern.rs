//! Times as they stand inside longer texts: numbers that say a part of a time, with what stands between.

use super::column::write_padded;
use super::time_form::{Civil, civil};

/// A number that a time gives: always the same digits for the same time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum TimePart {
    /// `2026`
    Year = 0,
    /// `26`
    YearOfCentury = 1,
    /// `01` to `12`
    Month = 2,
    /// `01` to `31`
    Date = 3,
    /// `1` to `31`
    DateBare = 4,
    /// `00` to `23`
    Hour = 5,
    /// `0` to `23`
    HourBare = 6,
    /// `00` to `59`
    Minute = 7,
    /// `00` to `59`
    Second = 8,
    /// `000` to `999`
    Millisecond = 9,
    /// Six digits.
    Microsecond = 10,
    /// Nine digits.
    Nanosecond = 11,
    /// `20261119`
    Day = 12,
    /// `261119`
    DayOfCentury = 13,
    /// `235959`
    TimeOfDay = 14,
    /// Seconds since 1970.
    UnixSeconds = 15,
    /// Milliseconds since 1970.
    UnixMilliseconds = 16,
}

/// A piece of a [`TimePattern`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TimePiece {
    /// Text that stands as it is.
    Literal(String),
    /// A part of the time.
    Part(TimePart),
}

/// How a time is written inside a text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TimePattern(pub Vec<TimePiece>);

impl TimePattern {
    /// What stands between the parts.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            TimePiece::Literal(text) => Some(text.as_str()),
            TimePiece::Part(_) => None,
        })
    }

    /// Whether it writes all times with as many digits.
    pub(crate) fn has_one_length(&self) -> bool {
        use TimePart::{DateBare, HourBare, UnixMilliseconds, UnixSeconds};
        let varies =
            |piece: &TimePiece| matches!(piece, TimePiece::Part(DateBare | HourBare | UnixSeconds | UnixMilliseconds));
        !self.0.iter().any(varies)
    }

    /// Adds the text of a time, nanoseconds since 1970, to `out`.
    pub fn write(&self, time: i64, out: &mut Vec<u8>) {
        let civil = civil(time);
        for piece in &self.0 {
            match piece {
                TimePiece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                TimePiece::Part(part) => part.write(time, &civil, out),
            }
        }
    }
}

impl TimePart {
    /// All parts, in the order of their codes.
    pub(super) const ALL: [Self; 17] = [
        Self::Year,
        Self::YearOfCentury,
        Self::Month,
        Self::Date,
        Self::DateBare,
        Self::Hour,
        Self::HourBare,
        Self::Minute,
        Self::Second,
        Self::Millisecond,
        Self::Microsecond,
        Self::Nanosecond,
        Self::Day,
        Self::DayOfCentury,
        Self::TimeOfDay,
        Self::UnixSeconds,
        Self::UnixMilliseconds,
    ];

    /// The part that each of these texts is of its time, if there is one.
    pub(super) fn of<'a>(
        texts: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        times: &[(i64, Civil)],
    ) -> Option<Self> {
        debug_assert_eq!(texts.len(), times.len());
        let mut out = Vec::new();
        let mut says = |part: Self, text: &[u8], (time, civil): &(i64, Civil)| {
            out.clear();
            part.write(*time, civil, &mut out);
            out == text
        };
        let mut parts = Self::ALL.into_iter();
        parts.find(|&part| texts.clone().zip(times).all(|(text, time)| says(part, text, time)))
    }

    fn write(self, time: i64, civil: &Civil, out: &mut Vec<u8>) {
        let year = civil.year as u64;
        let day = civil.month * 100 + civil.date;
        let of_day = civil.seconds / 3600 * 10_000 + civil.seconds / 60 % 60 * 100 + civil.seconds % 60;
        let (value, digits) = match self {
            Self::Year => (year, 4),
            Self::YearOfCentury => (year % 100, 2),
            Self::Month => (civil.month, 2),
            Self::Date => (civil.date, 2),
            Self::DateBare => (civil.date, 0),
            Self::Hour => (civil.seconds / 3600, 2),
            Self::HourBare => (civil.seconds / 3600, 0),
            Self::Minute => (civil.seconds / 60 % 60, 2),
            Self::Second => (civil.seconds % 60, 2),
            Self::Millisecond => (civil.nanos / 1_000_000, 3),
            Self::Microsecond => (civil.nanos / 1_000, 6),
            Self::Nanosecond => (civil.nanos, 9),
            Self::Day => (year.wrapping_mul(10_000).wrapping_add(day), 8),
            Self::DayOfCentury => (year % 100 * 10_000 + day, 6),
            Self::TimeOfDay => (of_day, 6),
            Self::UnixSeconds => (time.div_euclid(1_000_000_000) as u64, 0),
            Self::UnixMilliseconds => (time.div_euclid(1_000_000) as u64, 0),
        };
        write_padded(value, digits, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_found_by_its_texts_and_written_as_a_calendar_writes_it() {
        let formats = [
            "%Y", "%y", "%m", "%d", "%-d", "%H", "%-H", "%M", "%S", "%3f", "%6f", "%9f", "%Y%m%d", "%y%m%d", "%H%M%S",
            "%s",
        ];
        let times: Vec<i64> = (0..4000).map(|i| 1_763_510_400_123_456_789 + i * 9_999_777_123_456).collect();
        let known: Vec<(i64, Civil)> = times.iter().map(|&time| (time, civil(time))).collect();
        for (format, part) in formats.iter().zip(TimePart::ALL) {
            let text = |time: &i64| {
                let time = jiff::Timestamp::from_nanosecond(i128::from(*time)).unwrap();
                time.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
            };
            let texts: Vec<String> = times.iter().map(text).collect();
            assert_eq!(TimePart::of(texts.iter().map(|text| text.as_bytes()), &known), Some(part), "{format}");
        }
        let late: Vec<String> = times.iter().map(|time| (time / 1_000_000_000 + 1).to_string()).collect();
        assert_eq!(TimePart::of(late.iter().map(|text| text.as_bytes()), &known), None);
    }

    #[test]
    fn the_codes_are_those_of_the_format() {
        assert!(TimePart::ALL.iter().enumerate().all(|(code, &part)| part as usize == code));
    }
}
