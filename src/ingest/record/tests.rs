//! Whole requests: which lines are events, where they go, and that they are the same after a replay.

use super::*;
use crate::block::RowGroup;
use crate::engine::log::LogRecord;
use crate::engine::{NewGroup, RecordReader};
use crate::event::time::parse_time;
use crate::ingest::{Asked, Replay};

/// 2026-06-14T10:15:00Z.
const ARRIVAL: i64 = 1_781_432_100_000_000_000;

fn target(index: &str, source: Option<&str>) -> Target {
    Target::of(Asked { index: Some(index), source, ..Asked::default() }, |env| env == "default").unwrap()
}

fn nothing_refused(_: &PartitionKey) -> Option<String> {
    None
}

fn request(index: &str) -> Request {
    Request::new(target(index, None), ARRIVAL, Arc::new(nothing_refused))
}

fn read(request: &Request, body: &[u8]) -> Reading {
    read_lines(request, Lines { body: Bytes::copy_from_slice(body), first_line: 1 })
}

/// The record as the log gives it back.
fn logged(record: &NewRecord) -> LogRecord {
    let NewRecord { body, options, partitions, verdicts, .. } = record;
    let (partitions, verdicts) = (partitions.clone(), verdicts.clone());
    LogRecord { first: 1, partitions, verdicts, options: options.clone(), body: body.clone() }
}

/// One event in words: partition, number, time, raw, and all values.
type Told = (String, u64, i64, Vec<u8>, Vec<(String, String)>);

fn tell(partitions: &[PartitionKey], groups: &[NewGroup]) -> Vec<Told> {
    assert_eq!(partitions.len(), groups.len());
    let mut told = Vec::new();
    for (key, group) in partitions.iter().zip(groups) {
        group.rows.check();
        let mut bytes = 0;
        for row in 0..group.rows.rows {
            let mut raw = Vec::new();
            group.rows.raw(row, &mut raw);
            bytes += raw.len() as u64;
            let sequence = group.rows.sequences[row as usize];
            told.push((key.to_string(), sequence, group.rows.times[row as usize], raw, values(&group.rows, row)));
        }
        assert_eq!(bytes, group.raw_bytes);
    }
    told.sort_by_key(|event| event.1);
    told
}

fn values(group: &RowGroup, row: u32) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, name) in group.paths.iter() {
        let Some(column) = group.column(path) else { continue };
        for i in column.values_of_row(row) {
            found.push((name.to_owned(), column.text(i, &mut Vec::new()).to_owned()));
        }
    }
    found
}

fn told(reading: &Reading) -> Vec<Told> {
    reading.record.as_ref().map_or(Vec::new(), |record| tell(&record.partitions, &record.groups))
}

#[test]
fn every_line_is_an_event_an_error_or_blank_and_keeps_its_number() {
    let body =
        b"{\"ts\":\"2026-06-14T01:00:00Z\",\"a\":1}\r\n\n[1]\n{\"a\":\n \t\r\n{\"ts\":1781300000,\"a\":2}\n{\"a\":3}";
    let reading = read(&request("App"), body);
    let events: Vec<_> = told(&reading).into_iter().map(|(p, n, time, raw, _)| (p, n, time, raw)).collect();
    let hour = parse_time("2026-06-14T01:00:00Z", 0).unwrap();
    assert_eq!(
        events,
        [
            ("app/2026-06-14".into(), 0, hour, b"{\"ts\":\"2026-06-14T01:00:00Z\",\"a\":1}\r".to_vec()),
            ("app/2026-06-12".into(), 3, 1_781_300_000_000_000_000, b"{\"ts\":1781300000,\"a\":2}".to_vec()),
            ("app/2026-06-14".into(), 4, ARRIVAL, b"{\"a\":3}".to_vec()),
        ]
    );
    let Report { accepted, refused, blank, errors, partitions } = reading.report;
    assert_eq!((accepted, refused, blank), (3, 2, 2));
    let errors: Vec<_> = errors.iter().map(|error| (error.line, error.reason.as_str())).collect();
    assert_eq!(errors[0], (3, "an array: each line must be one JSON object"));
    assert_eq!(errors[1], (4, "not valid JSON: expected a value at column 6"));
    let partitions: Vec<_> = partitions.iter().map(ToString::to_string).collect();
    assert_eq!(partitions, ["app/2026-06-12", "app/2026-06-14"]);
    let run = |partition, count| VerdictRun { partition, count };
    let verdicts = reading.record.unwrap().verdicts;
    assert_eq!(verdicts, [run(Some(0), 1), run(None, 2), run(Some(1), 1), run(Some(0), 1)]);
}

#[test]
fn arrival_and_the_given_source_are_said() {
    let mut request = request("app");
    request.target.source = Some("web-1".into());
    let reading = read(&request, b"{\"ts\":\"soon\"}\n{\"source\":\"own\",\"ts\":5}\n");
    let told = told(&reading);
    let says = |event: usize, name: &str, value: &str| told[event].4.contains(&(name.to_owned(), value.to_owned()));
    assert!(says(0, "_time_source", "arrival") && says(0, "_helios_source", "web-1"));
    assert!(!told[1].4.iter().any(|(name, _)| name == "_time_source" || name == "_helios_source"));
    assert_eq!((told[0].2, told[1].2), (ARRIVAL, 5_000_000_000));
}

#[test]
fn a_template_sends_each_event_to_its_index() {
    let body = b"{\"s\":\"A\"}\n{\"s\":\"b\"}\n{}\n{\"S\":\"a\",\"x\":1}\n{\"s\":\"../etc\",\"y\":2}\n";
    let reading = read(&request("app-{{s}}"), body);
    let events: Vec<_> = told(&reading).into_iter().map(|event| (event.1, event.0)).collect();
    let place = |index: &str| format!("app-{index}/2026-06-14");
    assert_eq!(
        events,
        [(0, place("a")), (1, place("b")), (2, place("unknown")), (3, place("a")), (4, place("..-etc"))]
    );
    let climbing = read(&request("{{s}}"), body);
    assert_eq!((climbing.report.accepted, climbing.report.refused), (4, 1));
    assert_eq!(climbing.report.errors[0].reason, "`..-etc` cannot be an index: a name must not begin with `.`");
}

#[test]
fn events_past_their_retention_are_refused_with_the_reason() {
    let old = |key: &PartitionKey| (key.day < 20_000).then(|| format!("{key} is past its retention"));
    let request = Request::new(target("app", None), ARRIVAL, Arc::new(old));
    let reading = read(&request, b"{\"ts\":1}\n{\"ts\":1781432100}\n{\"ts\":2}\n");
    assert_eq!((reading.report.accepted, reading.report.refused), (1, 2));
    assert_eq!(reading.report.errors[1].reason, "app/1970-01-01 is past its retention");
    assert_eq!(reading.report.partitions.len(), 1);
    assert_eq!(told(&reading)[0].1, 1);
}

#[test]
fn lines_that_are_too_long_are_refused_and_only_20_problems_are_named() {
    let mut request = request("app");
    request.line_bytes_max = 10;
    let reading = read(&request, &b"{\"a\":\"too long\"}\n{\"a\":1}\n".repeat(30));
    assert_eq!((reading.report.accepted, reading.report.refused, reading.report.errors.len()), (30, 30, 20));
    assert_eq!(reading.report.errors[19].line, 39);
    assert_eq!(reading.report.errors[0].reason, "the line is longer than 10 bytes");
    let mut sum = reading.report.clone();
    sum.add(reading.report);
    assert_eq!((sum.accepted, sum.refused, sum.errors.len()), (60, 60, 20));
}

#[test]
fn nothing_but_refused_lines_make_no_record() {
    let reading = read(&request("app"), b"x\n\n[]\n");
    assert!(reading.record.is_none());
    assert_eq!((reading.report.accepted, reading.report.refused, reading.report.blank), (0, 2, 1));
}

#[test]
fn more_partitions_than_a_record_holds_are_left_for_the_next() {
    let body: String = (0..2_500).map(|day| format!("{{\"ts\":{}}}\n\n", day * 86_400)).collect();
    let mut lines = Some(Lines { body: body.into(), first_line: 101 });
    let mut seen = Vec::new();
    while let Some(next) = lines.take() {
        let first_line = next.first_line;
        let reading = read_lines(&request("app"), next);
        let partitions = reading.record.as_ref().unwrap().partitions.len();
        assert_eq!(partitions as u64, reading.report.accepted);
        assert_eq!(partitions as u64, reading.report.blank);
        let body_lines = split_lines(&reading.record.unwrap().body).count();
        assert_eq!(body_lines, partitions * 2);
        seen.push((first_line, partitions));
        lines = reading.rest;
    }
    assert_eq!(seen, [(101, 1_000), (2_101, 1_000), (4_101, 500)]);
}

#[test]
fn more_events_than_a_record_holds_are_left_for_the_next() {
    let mut lines = Some(Lines { body: "{}\nx\n".repeat(300_000).into(), first_line: 1 });
    let mut seen = Vec::new();
    while let Some(next) = lines.take() {
        let first_line = next.first_line;
        let reading = read_lines(&request("app"), next);
        seen.push((first_line, reading.report.accepted, reading.report.refused));
        lines = reading.rest;
    }
    // The refused line behind the last event of a record is the next record's.
    assert_eq!(seen, [(1, 131_072, 131_071), (262_144, 131_072, 131_072), (524_288, 37_856, 37_857)]);
}

#[test]
fn text_lines_are_messages_with_their_own_times() {
    let mut request = request("app");
    request.format = Format::Text;
    let reading = read(&request, b"2026-06-13 10:00:00 up\r\n{\"ts\":5}\nJun 14 10:14:00 host x: y\xff\n");
    let events: Vec<_> = told(&reading).into_iter().map(|event| (event.0, event.2, event.3)).collect();
    let time = |text| parse_time(text, 0).unwrap();
    assert_eq!(
        events,
        [
            ("app/2026-06-13".into(), time("2026-06-13T10:00:00Z"), b"2026-06-13 10:00:00 up\r".to_vec()),
            ("app/2026-06-14".into(), ARRIVAL, b"{\"ts\":5}".to_vec()),
            ("app/2026-06-14".into(), time("2026-06-14T10:14:00Z"), b"Jun 14 10:14:00 host x: y\xff".to_vec()),
        ]
    );
}

#[test]
fn a_replayed_record_has_the_same_events() {
    let body = b"{\"ts\":1781432100,\"s\":\"a\",\"m\":{\"k\":[1,2]}}\nwrong\n\n{\"s\":\"b\",\"q\":\"\\u00e9\"}\n{\"s\":\"c\\u00E9\"}\n{\"s\":\"a\",\"other\":1}\n";
    let mut request = request("app-{{s}}");
    request.target.source = Some("given".into());
    let record = read(&request, body).record.unwrap();
    let replayed = Replay.read(&logged(&record));
    assert_eq!(tell(&record.partitions, &replayed), tell(&record.partitions, &record.groups));
}

#[test]
fn replay_follows_the_stored_verdicts_and_never_its_own() {
    let record = read(&request("app"), b"{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{\"a\":4}\n").record.unwrap();
    let mut other = logged(&record);
    let key = |index: &str, day| PartitionKey { env: "default".into(), index: index.into(), day };
    // As an older version may have judged: refused what is an event now, accepted what is none, another
    // index and day than now.
    other.body = Bytes::from_static(b"{\"a\":1}\nno longer an event\n{\"ts\":1781432100}\n{\"ts\":1781432100}\n");
    other.partitions = vec![key("x", 20_618), key("y", 1)];
    other.verdicts =
        [(None, 1), (Some(0), 2), (Some(1), 1)].map(|(partition, count)| VerdictRun { partition, count }).to_vec();
    let told = tell(&other.partitions, &Replay.read(&other));
    let events: Vec<_> = told.iter().map(|event| (event.0.as_str(), event.1, event.2, &*event.3)).collect();
    assert_eq!(
        events,
        [
            ("x/2026-06-14", 1, ARRIVAL, b"no longer an event".as_slice()),
            ("x/2026-06-14", 2, ARRIVAL, b"{\"ts\":1781432100}"),
            ("y/1970-01-02", 3, 86_400_000_000_000, b"{\"ts\":1781432100}"),
        ]
    );
    assert!(told[2].4.contains(&("_time_source".into(), "arrival".into())));
}

#[test]
fn a_record_whose_verdicts_or_options_do_not_fit_harms_nothing() {
    let record = read(&request("app"), b"{\"a\":1}\n{\"a\":2}\n").record.unwrap();
    for verdicts in [vec![], vec![VerdictRun { partition: Some(9), count: u32::MAX }]] {
        let broken = LogRecord { verdicts, ..logged(&record) };
        assert!(tell(&broken.partitions, &Replay.read(&broken)).is_empty());
    }
    let foreign = LogRecord { options: Bytes::from_static(b"\xff"), ..logged(&record) };
    assert_eq!(Replay.read(&foreign)[0].rows.rows, 2);
    let options = RecordOptions { format: Format::Text, arrival_ns: -5, source: Some("s".into()) };
    assert_eq!(RecordOptions::decode(&options.encode()), Some(options));
    assert_eq!(RecordOptions::decode(br#"{"format":"json","arrival_ns":1,"new":2}"#).unwrap().arrival_ns, 1);
}

#[test]
fn hostile_lines_become_events_or_errors_and_harm_no_neighbour() {
    let digits = "8".repeat(400);
    let members: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let nested = |open: &str, close: &str| format!("{{\"d\":{}1{}}}", open.repeat(10_000), close.repeat(10_000));
    /// A line, and the value that one of its fields must have; none: it must be refused.
    type Hostile = (Vec<u8>, Option<(&'static str, String)>);
    let hostile: Vec<Hostile> = vec![
        (format!("{{{}}}", members.join(",")).into(), Some(("_fields_dropped", "98000".into()))),
        (nested("[", "]").into(), Some(("d", format!("{}1{}", "[".repeat(9_985), "]".repeat(9_985))))),
        (nested("{\"d\":", "}").into(), Some(("_time_source", "arrival".into()))),
        (nested("[", "").into(), None),
        (b"{\"a\":\"\xff\xc0\x80\"}".to_vec(), Some(("a", "\u{fffd}\u{fffd}\u{fffd}".into()))),
        (b"{\"a\":\"\xff\"".to_vec(), None),
        (b"\0".to_vec(), None),
        (b"{\"a\":\"\0\"}".to_vec(), None),
        (b"{\"a\":\"\\u0000\"}".to_vec(), Some(("a", "\0".into()))),
        (b"{\"a\":1,\"a\":2,\"A\":3}".to_vec(), Some(("a", "3".into()))),
        (format!("{{\"n\":{digits}.{digits}e{digits}}}").into(), Some(("n", format!("{digits}.{digits}e{digits}")))),
        (format!("{{\"ts\":{digits}}}").into(), Some(("_time_source", "arrival".into()))),
        (b"{\"ts\":\"0001-01-01T00:00:00Z\"}".to_vec(), Some(("_time_source", "arrival".into()))),
        (b"{\"ts\":\"9999-12-31T23:59:59Z\"}".to_vec(), Some(("_time_source", "arrival".into()))),
        (b"{\"a\":\"\\ud83d\",\"b\":\"\\ude00x\"}".to_vec(), Some(("b", "\u{fffd}x".into()))),
        (b"{\"\":{\"\":1}}".to_vec(), Some((".", "1".into()))),
        (b"{\"index\":\"../x\",\"env\":\"%2e%2e\"}".to_vec(), Some(("index", "../x".into()))),
        (vec![b'x'; 3 << 20], None),
    ];
    for (line, value) in hostile {
        let shown: String = line.escape_ascii().take(60).map(char::from).collect();
        let body = [b"{\"before\":1}\n", line.as_slice(), b"\n{\"after\":2}\n"].concat();
        let mut request = request("app");
        request.line_bytes_max = 2 << 20;
        let reading = read(&request, &body);
        let events = told(&reading);
        let raws: Vec<_> = events.iter().map(|event| event.3.as_slice()).collect();
        match value {
            None => {
                assert_eq!((reading.report.refused, reading.report.errors[0].line), (1, 2), "{shown}");
                assert!(reading.report.errors[0].reason.len() < 200, "{shown}");
                assert_eq!(raws, [b"{\"before\":1}".as_slice(), b"{\"after\":2}"], "{shown}");
            }
            Some((name, text)) => {
                assert!(raws == [b"{\"before\":1}".as_slice(), line.as_slice(), b"{\"after\":2}"], "{shown}");
                assert!(events[1].4.contains(&(name.to_owned(), text)), "{shown}");
            }
        }
        let Some(record) = &reading.record else { panic!("the neighbours are events") };
        assert!(tell(&record.partitions, &Replay.read(&logged(record))) == events, "{shown}");
    }
}
