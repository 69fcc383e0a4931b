//! Times against an independent calendar.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

/// 2026-06-14T10:15:00Z.
const ARRIVAL: i64 = 1_781_432_100 * SECOND_NS;

fn oracle(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_nanosecond().try_into().unwrap()
}

fn check(text: &str, rfc3339: &str) {
    assert_eq!(parse_time(text, ARRIVAL), Some(oracle(rfc3339)), "{text:?}");
}

#[test]
fn the_common_form_is_read_at_once() {
    for text in ["2026-06-14T10:15:00Z", "2026-06-14T10:15:00.123Z", "2024-02-29T23:59:59.123456789Z"] {
        assert_eq!(common_form(text.as_bytes()), Some(oracle(text)), "{text}");
    }
}

#[test]
fn every_form_of_a_time_is_read_exactly() {
    for (text, rfc3339) in [
        ("2026-06-14T10:15:00Z", "2026-06-14T10:15:00Z"),
        ("2026-06-14t10:15:00z", "2026-06-14T10:15:00Z"),
        ("2026-06-14T10:15:00.123456789Z", "2026-06-14T10:15:00.123456789Z"),
        ("2026-06-14T10:15:00.12345678999Z", "2026-06-14T10:15:00.123456789Z"),
        ("2026-06-14T10:15:00", "2026-06-14T10:15:00Z"),
        ("2026-06-14T10:15", "2026-06-14T10:15:00Z"),
        ("2026-06-14T10:15+02:00", "2026-06-14T08:15:00Z"),
        ("2026-06-14T10:15:00,5-0330", "2026-06-14T13:45:00.5Z"),
        ("2026-06-14T10:15:00+02", "2026-06-14T08:15:00Z"),
        ("2026-06-14 10:15:00.250", "2026-06-14T10:15:00.25Z"),
        ("2026-06-14 10:15:00,250", "2026-06-14T10:15:00.25Z"),
        ("2026-06-14 10:15:00 UTC", "2026-06-14T10:15:00Z"),
        ("  2026-06-14 10:15:00Z ", "2026-06-14T10:15:00Z"),
        ("20260614T101500Z", "2026-06-14T10:15:00Z"),
        ("20260614T101500.5+0100", "2026-06-14T09:15:00.5Z"),
        ("2026-06-14", "2026-06-14T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2024-02-29T00:00:00+14:00", "2024-02-28T10:00:00Z"),
        ("14/Jun/2026:10:15:00 +0200", "2026-06-14T08:15:00Z"),
        ("[14/Jun/2026:10:15:00 -0700]", "2026-06-14T17:15:00Z"),
        ("14/jun/2026:10:15:00", "2026-06-14T10:15:00Z"),
        ("Jun 14 10:15:00", "2026-06-14T10:15:00Z"),
        ("Jun  4 10:15:00.125", "2026-06-04T10:15:00.125Z"),
        ("Jun 4 10:15:00", "2026-06-04T10:15:00Z"),
        ("Jun 14 2019 10:15:00", "2019-06-14T10:15:00Z"),
        ("Sun Dec 04 04:47:44 2005", "2005-12-04T04:47:44Z"),
        ("1781432100", "2026-06-14T10:15:00Z"),
        ("1781432100.123456789", "2026-06-14T10:15:00.123456789Z"),
        ("1781432100123", "2026-06-14T10:15:00.123Z"),
        ("1781432100123.25", "2026-06-14T10:15:00.12325Z"),
        ("1781432100123456", "2026-06-14T10:15:00.123456Z"),
        ("1781432100123456789", "2026-06-14T10:15:00.123456789Z"),
        ("1.7814321e9", "2026-06-14T10:15:00Z"),
        ("17814321000000000000e-10", "2026-06-14T10:15:00Z"),
        ("0", "1970-01-01T00:00:00Z"),
        ("-1.5", "1969-12-31T23:59:58.5Z"),
        ("-0.0000000001", "1969-12-31T23:59:59.999999999Z"),
        ("1e-400", "1970-01-01T00:00:00Z"),
        ("99999999999", "5138-11-16T09:46:39Z"),
        ("100000000000", "1973-03-03T09:46:40Z"),
        ("99999999999999", "5138-11-16T09:46:39.999Z"),
        ("100000000000000", "1973-03-03T09:46:40Z"),
        ("99999999999999999", "5138-11-16T09:46:39.999999Z"),
        ("100000000000000000", "1973-03-03T09:46:40Z"),
    ] {
        if rfc3339.starts_with("5138") {
            assert_eq!(parse_time(text, ARRIVAL), None, "{text:?}");
        } else {
            check(text, rfc3339);
        }
    }
}

#[test]
fn what_is_no_time_or_outside_1678_to_2261_is_none() {
    let many_digits = "9".repeat(400);
    for text in [
        "",
        "-",
        ".5",
        "5.",
        "1e",
        "1e5x",
        "0x10",
        "NaN",
        "12:30:00",
        "yesterday",
        "2026-02-29",
        "2026-13-01",
        "2026-06-31T00:00:00Z",
        "2026-06-14T24:00:00Z",
        "2026-06-14T10:60:00Z",
        "2026-06-14T10:15:61Z",
        "2026-06-14T10:15:00+24:00",
        "2026-06-14T10:15:00Zx",
        "2026-06-14T",
        "2026-6-14T10:15:00Z",
        "Jun 31 10:15:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1677-12-31T23:59:59Z",
        "2262-01-01T00:00:00Z",
        "1678-01-01T00:00:00+00:01",
        "1e400",
        &many_digits,
        &format!("-{many_digits}.5"),
    ] {
        assert_eq!(parse_time(text, ARRIVAL), None, "{text:?}");
    }
    check("1678-01-01T00:00:00Z", "1678-01-01T00:00:00Z");
    check("2261-12-31T23:59:59.999999999Z", "2261-12-31T23:59:59.999999999Z");
    assert_eq!(TIME_MIN_NS, oracle("1678-01-01T00:00:00Z"));
    assert_eq!(TIME_MAX_NS, oracle("2261-12-31T23:59:59.999999999Z"));
}

#[test]
fn a_time_without_a_year_takes_the_one_nearest_to_arrival() {
    for (text, arrival, expected) in [
        ("Dec 31 23:59:59", "2026-01-01T00:00:05Z", "2025-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2025-12-31T23:59:58Z", "2026-01-01T00:00:01Z"),
        ("Jul 20 00:00:00", "2026-01-10T00:00:00Z", "2025-07-20T00:00:00Z"),
        ("Jul  1 00:00:00", "2026-01-10T00:00:00Z", "2026-07-01T00:00:00Z"),
        ("Feb 29 12:00:00", "2026-06-01T00:00:00Z", "2028-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "2025-06-01T00:00:00Z", "2024-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "2101-01-01T00:00:00Z", "2104-02-29T12:00:00Z"),
    ] {
        assert_eq!(parse_time(text, oracle(arrival)), Some(oracle(expected)), "{text} at {arrival}");
    }
}

#[test]
fn a_text_line_has_the_first_time_in_its_first_64_bytes() {
    for (line, expected) in [
        ("2026-06-14 10:15:00,123 INFO [main] started", Some("2026-06-14T10:15:00.123Z")),
        ("[2026-06-14T10:15:00.123+0200][0.5s] GC(0) Pause", Some("2026-06-14T08:15:00.123Z")),
        ("10.0.0.1 - - [14/Jun/2026:10:15:00 +0000] \"GET / HTTP/1.1\" 200 5", Some("2026-06-14T10:15:00Z")),
        ("<34>Jun 14 10:15:00 host su: failed", Some("2026-06-14T10:15:00Z")),
        ("<165>1 2026-06-14T10:15:00.003Z host app - -", Some("2026-06-14T10:15:00.003Z")),
        ("[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init()", Some("2005-12-04T04:47:44Z")),
        ("Jun 14 10:15:00 2005 is the host", Some("2026-06-14T10:15:00Z")),
        ("1781432100.250 310 10.0.0.1 TCP_MISS/200", Some("2026-06-14T10:15:00.25Z")),
        ("[1781432100123] x", Some("2026-06-14T10:15:00.123Z")),
        ("404 not found", None),
        ("user 1781432100 logged in", None),
        ("1781432100x", None),
        ("0000000000 y", None),
        ("report for 2026-06-14 is ready", None),
        ("version 2026-06-14T99:15:00Z, then 2026-06-14T10:15:00Z", Some("2026-06-14T10:15:00Z")),
        ("x2026-06-14T10:15:00Z", None),
        ("", None),
    ] {
        assert_eq!(find_time_in_text(line.as_bytes(), ARRIVAL), expected.map(oracle), "{line:?}");
    }
    let time = "2026-06-14T10:15:00Z";
    for (blanks, found) in [(44, true), (45, false), (64, false), (500, false)] {
        let line = " ".repeat(blanks) + time;
        assert_eq!(find_time_in_text(line.as_bytes(), ARRIVAL).is_some(), found, "{blanks}");
    }
    let invalid = b"\xff\xfe 2026-06-14T10:15:00Z \xff";
    assert_eq!(find_time_in_text(invalid, ARRIVAL), Some(oracle(time)));
}

#[test]
fn times_are_shown_with_as_many_digits_as_they_need() {
    for (ns, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (1_000_000, "1970-01-01T00:00:00.001Z"),
        (1_020_000, "1970-01-01T00:00:00.001020Z"),
        (500_000_000, "1970-01-01T00:00:00.500Z"),
        (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
    ] {
        assert_eq!(format_rfc3339(ns), text);
    }
}

proptest! {
    #[test]
    fn shown_times_read_back_and_agree_with_another_calendar(ns in TIME_MIN_NS..=TIME_MAX_NS, cut in 0..4u32) {
        let unit = [1, 1_000, 1_000_000, SECOND_NS][cut as usize];
        let ns = (ns / unit * unit).max(TIME_MIN_NS);
        let text = format_rfc3339(ns);
        prop_assert_eq!(oracle(&text), ns);
        prop_assert_eq!(parse_time(&text, 0), Some(ns));
        prop_assert_eq!(find_time_in_text(text.as_bytes(), 0), Some(ns));
        prop_assert_eq!(parse_time(&text.replace('T', " ").replace('Z', ""), 0), Some(ns));
    }

    #[test]
    fn offsets_and_dates_agree_with_another_calendar(
        year in 1600..2300i64, month in 0..14i64, day in 0..33i64, hour in 0..25i64, minute in 0..61i64,
        offset in -1439..1440i64,
    ) {
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
        let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:07{sign}{hours:02}:{minutes:02}");
        let expected = text.parse::<Timestamp>().ok().map(|time| time.as_nanosecond());
        let expected = expected.and_then(|ns| i64::try_from(ns).ok());
        let expected = expected.filter(|ns| (TIME_MIN_NS..=TIME_MAX_NS).contains(ns));
        prop_assert_eq!(parse_time(&text, 0), expected);
    }

    #[test]
    fn civil_dates_and_days_are_inverse(day in -1_000_000..1_000_000i64) {
        let (year, month, date) = civil_from_days(day);
        prop_assert_eq!(days_from_civil(year, month, date), day);
    }

    #[test]
    fn the_common_form_reads_as_every_form_does(
        text in "[12][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?Z",
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![Just(b'Z'), Just(b' '), Just(b'/'), b'0'..=b'9', 0u8..0x80],
    ) {
        let mut odd = text.clone().into_bytes();
        odd[at.index(text.len())] = byte;
        for text in [text, String::from_utf8(odd).unwrap()] {
            if let Some(time) = common_form(text.as_bytes()) {
                prop_assert_eq!(any_form(&text, ARRIVAL), Some(time));
            }
        }
    }

    #[test]
    fn no_bytes_make_time_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), arrival in any::<i64>()) {
        find_time_in_text(&bytes, arrival);
        parse_time(&String::from_utf8_lossy(&bytes), arrival);
    }

    #[test]
    fn nothing_that_resembles_a_time_panics(text in "[-+0-9eE.:,TZ /\\[\\]JunSet]{0,40}", arrival in any::<i64>()) {
        find_time_in_text(text.as_bytes(), arrival);
        parse_time(&text, arrival);
    }
}
