//! Buckets of time.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Buckets of one width, aligned to the epoch in UTC. With a zone, buckets of more than an hour follow
/// its clock, shorter ones its offset.
#[derive(Clone, Debug)]
pub(crate) struct Buckets {
    width_ns: i64,
    /// `None`: UTC.
    zone: Option<TimeZone>,
    /// Says all that the buckets depend on.
    name: Arc<str>,
}

/// Buckets of one answer at most.
pub(crate) const BUCKETS_MAX: usize = 50_000;

const SECOND_NS: i64 = 1_000_000_000;
const HOUR_NS: i64 = 3_600 * SECOND_NS;

impl Buckets {
    pub(crate) fn new(width_ns: i64, named: Option<&str>) -> Result<Self, String> {
        let zone = match named {
            None => None,
            Some("UTC") => None,
            Some(name) => Some(TimeZone::get(name).map_err(|_| format!("there is no time zone `{name}`"))?),
        };
        let name = format!("{width_ns} {}", if zone.is_some() { named.unwrap_or("UTC") } else { "UTC" });
        Ok(Self { width_ns: width_ns.max(1), zone, name: name.into() })
    }

    /// Says which buckets these are.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The bucket that holds a time: its start, and its end, which is the start of another one.
    pub(crate) fn bounds(&self, time: i64) -> (i64, i64) {
        let Some(zone) = &self.zone else {
            let start = floor(time, self.width_ns);
            return (start, start.saturating_add(self.width_ns));
        };
        let offset = offset_ns(zone, time);
        let local = time.saturating_add(offset);
        let start = floor(local, self.width_ns);
        if self.width_ns <= HOUR_NS {
            let start = start.saturating_sub(offset);
            return (start, start.saturating_add(self.width_ns));
        }
        let (first, end) = (instant(zone, start), instant(zone, start.saturating_add(self.width_ns)));
        // A clock that is put forward or back inside a bucket may leave the time beside its bounds.
        (first.min(time), if end > time { end } else { time.saturating_add(1) })
    }

    /// The starts of all buckets that hold some time from `first` to `last`, both inclusive; `None`
    /// if there are more than [`BUCKETS_MAX`].
    pub(crate) fn starts(&self, first: i64, last: i64) -> Option<Vec<i64>> {
        let mut starts = Vec::new();
        let mut at = first;
        loop {
            let (start, end) = self.bounds(at);
            starts.push(start);
            if starts.len() > BUCKETS_MAX {
                return None;
            }
            if end > last || end <= at {
                return Some(starts);
            }
            at = end;
        }
    }
}

fn floor(time: i64, width: i64) -> i64 {
    time.div_euclid(width).checked_mul(width).unwrap_or(i64::MIN)
}

fn offset_ns(zone: &TimeZone, time: i64) -> i64 {
    let time = Timestamp::from_nanosecond(i128::from(time)).expect("64-bit nanoseconds are within the calendar");
    i64::from(zone.to_offset(time).seconds()) * SECOND_NS
}

/// When a clock of the zone shows what UTC shows at `local`.
fn instant(zone: &TimeZone, local: i64) -> i64 {
    let shown = Timestamp::from_nanosecond(i128::from(local)).expect("64-bit nanoseconds are within the calendar");
    let civil: DateTime = TimeZone::UTC.to_datetime(shown);
    let instant = zone.to_ambiguous_timestamp(civil).compatible();
    instant.ok().and_then(|instant| i64::try_from(instant.as_nanosecond()).ok()).unwrap_or(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> i64 {
        i64::try_from(text.parse::<Timestamp>().unwrap().as_nanosecond()).unwrap()
    }

    #[test]
    fn rule_14_buckets_are_aligned_to_the_epoch_in_utc_or_the_zone() {
        let days = Buckets::new(24 * HOUR_NS, None).unwrap();
        assert_eq!(days.bounds(time("2026-06-14T23:00:00Z")).0, time("2026-06-14T00:00:00Z"));
        let berlin = Buckets::new(24 * HOUR_NS, Some("Europe/Berlin")).unwrap();
        assert_eq!(
            berlin.bounds(time("2026-06-14T23:00:00Z")),
            (time("2026-06-14T22:00:00Z"), time("2026-06-15T22:00:00Z"))
        );
        assert_eq!(Buckets::new(7, None).unwrap().bounds(-1), (-7, 0));
    }

    #[test]
    fn days_are_as_long_as_the_clock_makes_them() {
        let berlin = Buckets::new(24 * HOUR_NS, Some("Europe/Berlin")).unwrap();
        let starts = berlin.starts(time("2026-03-28T12:00:00Z"), time("2026-03-30T12:00:00Z")).unwrap();
        assert_eq!(starts, ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"].map(time));
        let hours = Buckets::new(HOUR_NS, Some("Europe/Berlin")).unwrap();
        for day in ["2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z"] {
            let starts = hours.starts(time(day) - 3 * HOUR_NS, time(day) + 6 * HOUR_NS).unwrap();
            assert!(starts.is_sorted_by(|a, b| a < b), "{starts:?}");
        }
    }
}
