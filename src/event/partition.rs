//! The unit of storage and of retention: one index of one environment on one UTC day.

use std::fmt;
use std::sync::Arc;

/// Nanoseconds in a day.
pub const DAY_NS: i64 = 86_400_000_000_000;

/// Names a partition. Orders by environment, index, day.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PartitionKey {
    /// The environment.
    pub env: Arc<str>,
    /// The index.
    pub index: Arc<str>,
    /// Days since 1970-01-01, by the event's own time in UTC.
    pub day: i32,
}

impl PartitionKey {
    /// The partition of an event of this time.
    pub fn of(env: &Arc<str>, index: &Arc<str>, time_ns: i64) -> Self {
        let day = i32::try_from(time_ns.div_euclid(DAY_NS)).expect("i64 nanoseconds span 213,504 days");
        Self { env: Arc::clone(env), index: Arc::clone(index), day }
    }

    /// The day as `yyyy-mm-dd`: the name of its folder.
    pub fn day_name(&self) -> String {
        let (year, month, day) = civil_from_days(i64::from(self.day));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// Reads a folder name back; `None` unless it is exactly what [`PartitionKey::day_name`] writes.
    pub fn parse_day(name: &str) -> Option<i32> {
        let bytes = name.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |range: std::ops::Range<usize>| -> Option<i64> {
            let digits = name.get(range)?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let days = days_from_civil(year, month, day);
        (civil_from_days(days) == (year, month, day)).then(|| i32::try_from(days).ok())?
    }
}

/// As the answers to clients show it: `index/day`.
impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.day_name())
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date of a day; the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(time_ns: i64) -> PartitionKey {
        PartitionKey::of(&Arc::from("default"), &Arc::from("app"), time_ns)
    }

    #[test]
    fn an_event_belongs_to_the_utc_day_of_its_time_also_before_1970() {
        assert_eq!(key(0).to_string(), "app/1970-01-01");
        assert_eq!(key(-1).to_string(), "app/1969-12-31");
        assert_eq!(key(1_781_395_199_999_999_999).to_string(), "app/2026-06-13");
        assert_eq!(key(1_781_395_200_000_000_000).to_string(), "app/2026-06-14");
    }

    #[test]
    fn a_day_name_reads_back_and_nothing_else_does() {
        for day in (-106_752..=106_751).step_by(97) {
            let name = PartitionKey { day, ..key(0) }.day_name();
            assert_eq!(PartitionKey::parse_day(&name), Some(day), "{name}");
        }
        for wrong in ["", "2026-6-14", "2026-02-30", "2026-13-01", "2026-00-10", "+026-01-01", "2026-01-0x", "manifest"]
        {
            assert_eq!(PartitionKey::parse_day(wrong), None, "{wrong:?}");
        }
    }
}
