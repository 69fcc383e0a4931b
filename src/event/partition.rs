//! The unit of storage and of retention: one index of one environment on one UTC day.

use std::fmt;
use std::sync::Arc;

use super::time::{civil_from_days, days_from_civil};

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
