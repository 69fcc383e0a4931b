//! A set against an oracle that reads its lines with a JSON library and counts afresh.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

fn written(bytes: u64, seed: u64) -> (Vec<Value>, Value, Vec<u8>) {
    let (mut out, mut expect) = (Vec::new(), Vec::new());
    let lines = write_set(Set::of_days(bytes, seed, day("2026-03-01").unwrap()), &mut out, &mut expect).unwrap();
    let text = std::str::from_utf8(&out).unwrap();
    assert!(text.ends_with("}\n"));
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len() as u64, lines);
    (events, serde_json::from_slice(&expect).unwrap(), out)
}

fn text<'a>(event: &'a Value, names: &[&str]) -> &'a str {
    names.iter().find_map(|name| event[*name].as_str()).unwrap_or("")
}

fn message(event: &Value) -> &str {
    text(event, &["msg", "message"])
}

fn time_ms(event: &Value) -> i64 {
    text(event, &["ts", "timestamp"]).parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn counts(events: &[Value], of: impl Fn(&Value) -> Option<String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for key in events.iter().filter_map(of) {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

fn latest(events: &[Value], keep: usize, of: impl Fn(&Value, i64) -> bool) -> Vec<i64> {
    let mut times: Vec<i64> =
        events.iter().map(|e| (e, time_ms(e))).filter(|(e, t)| of(e, *t)).map(|(_, t)| t).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.truncate(keep);
    times
}

#[test]
fn the_answers_are_those_of_a_recount() {
    let (events, answers, out) = written(6 << 20, 5);
    assert_eq!(answers["lines"], events.len());
    assert_eq!(answers["bytes"], out.len());
    for (name, word) in [("needle", tally::NEEDLE), ("phrase", tally::PHRASE), ("substring", "ompactio")] {
        let count = events.iter().filter(|e| message(e).contains(word)).count();
        assert_eq!(answers[name]["count"], count, "{name}");
        assert!(count > 0, "{name}");
        let anywhere = String::from_utf8_lossy(&out).to_lowercase().matches(word).count();
        assert_eq!(anywhere, count, "{name} must stand nowhere else, in no case, and once a line");
    }
    let slow = regex::Regex::new("took [0-9]{4,} ms").unwrap();
    assert_eq!(answers["slow"]["count"], events.iter().filter(|e| slow.is_match(message(e))).count());
    let level = counts(&events, |e| e["level"].as_str().map(str::to_owned));
    assert_eq!(answers["levels"], serde_json::to_value(&level).unwrap());
    let service = counts(&events, |e| e["service"].as_str().map(str::to_owned));
    assert_eq!(answers["services"], serde_json::to_value(&service).unwrap());
    assert_eq!(answers["lines_without_service"], events.iter().filter(|e| e["service"].is_null()).count());
    let users: BTreeSet<&str> = events.iter().filter_map(|e| e["user"].as_str()).collect();
    assert_eq!(answers["distinct_users"], users.len());
    let path = counts(&events, |e| e["http"]["path"].as_str().map(str::to_owned));
    let mut paths: Vec<_> = path.into_iter().collect();
    paths.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    paths.truncate(10);
    assert_eq!(answers["top_paths"], serde_json::to_value(&paths).unwrap());
}

#[test]
fn percentiles_times_and_traces_are_those_of_a_recount() {
    let (events, answers, _) = written(6 << 20, 9);
    let mut failing: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for event in events.iter().filter(|e| e["http"]["status"].as_u64().is_some_and(|status| status >= 500)) {
        let service = event["service"].as_str().unwrap();
        failing.entry(service).or_default().push(event["latency_ms"].as_f64().unwrap());
    }
    let expected = answers["p95_latency_ms_from_500"].as_object().unwrap();
    assert_eq!(expected.keys().collect::<Vec<_>>(), failing.keys().collect::<Vec<_>>());
    assert!(failing.len() >= 6, "{failing:?}");
    for (service, values) in &mut failing {
        values.sort_by(f64::total_cmp);
        let rank = (0.95 * values.len() as f64).ceil() as usize;
        assert_eq!(expected[*service].as_f64(), Some(values[rank - 1]), "{service}");
    }
    let (start, counted) =
        (answers["timeline"]["start_ms"].as_i64().unwrap(), answers["timeline"]["counts"].as_array().unwrap());
    assert_eq!(counted.len(), 3 * 24 * 6);
    let buckets = counts(&events, |e| Some(((time_ms(e) - start) / 600_000).to_string()));
    for (bucket, count) in counted.iter().enumerate() {
        assert_eq!(count.as_u64(), Some(buckets.get(&bucket.to_string()).copied().unwrap_or(0)), "bucket {bucket}");
    }
    let window = &answers["window"];
    let range = window["start_ms"].as_i64().unwrap()..window["end_ms"].as_i64().unwrap();
    let times = latest(&events, 100, |e, time| e["service"] == "checkout" && range.contains(&time));
    assert_eq!(window["times_ms"], serde_json::to_value(times).unwrap());
    let times = latest(&events, 200, |e, _| e["level"] == "info");
    assert_eq!(answers["latest"]["times_ms"], serde_json::to_value(times).unwrap());
    let traces = answers["traces"].as_array().unwrap();
    assert_eq!(traces.len(), 8);
    for trace in traces {
        assert_eq!(trace["lines"], events.iter().filter(|e| e["trace_id"] == trace["id"]).count());
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let (_, _, first) = written(300_000, 1);
    let (_, _, again) = written(300_000, 1);
    let (_, _, other) = written(300_000, 2);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!((300_000..304_096).contains(&first.len()), "{}", first.len());
}

#[test]
fn the_story_can_be_found_in_a_recent_set() {
    let now_ms = 1_790_000_000_123;
    let (mut out, mut expect) = (Vec::new(), Vec::new());
    write_set(Set::until(4 << 20, 3, now_ms), &mut out, &mut expect).unwrap();
    let events: Vec<Value> =
        std::str::from_utf8(&out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().all(|e| (now_ms - 6 * 3_600_000..now_ms).contains(&time_ms(e))));
    assert_eq!(events.iter().filter(|e| message(e).contains("HARBOR-4127")).count(), 2);
    let told: Vec<i64> =
        events.iter().filter(|e| story::SCENES.iter().any(|s| s.message == message(e))).map(time_ms).collect();
    assert_eq!(told.len(), story::SCENES.len());
    let errors = |version: &str| {
        let of: Vec<_> = events.iter().filter(|e| e["service"] == "checkout" && e["version"] == version).collect();
        of.iter().filter(|e| e["level"] == "error").count() * 100 / of.len()
    };
    assert!(errors("4.19.0") > 20 && errors("4.18.2") < 10, "{} {}", errors("4.19.0"), errors("4.18.2"));
}
