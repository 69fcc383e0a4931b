//! Keeps count while a set is written, so that its exact answers are known without asking any server.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use memchr::memmem::Finder;
use serde::Serialize;

use super::shop::{CHECKOUT, INFO, LEVELS, SERVICES};
use super::story::Story;

/// What the tally has to know of a line.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) unix_ms: i64,
    pub(super) level: Option<usize>,
    pub(super) service: Option<usize>,
    pub(super) path: Option<usize>,
    pub(super) status: u64,
    /// Tenths of milliseconds.
    pub(super) latency: u64,
    pub(super) user: Option<usize>,
    /// The message says that something took a second or longer.
    pub(super) slow: bool,
    pub(super) needle: bool,
    pub(super) phrase: bool,
}

/// The counts so far.
pub(super) struct Tally {
    lines: u64,
    bytes: u64,
    needle: u64,
    phrase: u64,
    slow: u64,
    substring: u64,
    levels: Vec<u64>,
    services: Vec<u64>,
    paths: Vec<u64>,
    users: Vec<bool>,
    /// Latencies of answers from 500 on, by service.
    failing: Vec<Vec<u32>>,
    first_bucket: i64,
    timeline: Vec<u64>,
    window_ms: (i64, i64),
    window: Latest,
    latest_info: Latest,
    traces: Vec<Trace>,
    finder: Finder<'static>,
}

impl Tally {
    pub(super) fn new(story: &Story, paths: usize, users: usize) -> Self {
        let first_bucket = story.start_ms.div_euclid(BUCKET_MS);
        let buckets = (story.end_ms - 1).div_euclid(BUCKET_MS) - first_bucket + 1;
        Self {
            lines: 0,
            bytes: 0,
            needle: 0,
            phrase: 0,
            slow: 0,
            substring: 0,
            levels: vec![0; LEVELS.len()],
            services: vec![0; SERVICES.len()],
            paths: vec![0; paths],
            users: vec![false; users],
            failing: vec![Vec::new(); SERVICES.len()],
            first_bucket,
            timeline: vec![0; buckets as usize],
            window_ms: (story.release_ms, story.release_ms + WINDOW_MS),
            window: Latest::new(WINDOW_TIMES),
            latest_info: Latest::new(LATEST_TIMES),
            traces: Vec::new(),
            finder: Finder::new(SUBSTRING),
        }
    }

    /// Counts a line, which is given without its line end.
    pub(super) fn count(&mut self, facts: &Facts, line: &[u8]) {
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
        self.needle += u64::from(facts.needle);
        self.phrase += u64::from(facts.phrase);
        self.slow += u64::from(facts.slow);
        self.substring += u64::from(self.finder.find(line).is_some());
        self.timeline[(facts.unix_ms.div_euclid(BUCKET_MS) - self.first_bucket) as usize] += 1;
        if let Some(level) = facts.level {
            self.levels[level] += 1;
            if level == INFO {
                self.latest_info.offer(facts.unix_ms);
            }
        }
        if let Some(service) = facts.service {
            self.services[service] += 1;
            if facts.status >= 500 {
                self.failing[service].push(u32::try_from(facts.latency).unwrap_or(u32::MAX));
            }
            if service == CHECKOUT && (self.window_ms.0..self.window_ms.1).contains(&facts.unix_ms) {
                self.window.offer(facts.unix_ms);
            }
        }
        if let Some(path) = facts.path {
            self.paths[path] += 1;
        }
        if let Some(user) = facts.user {
            self.users[user] = true;
        }
    }

    pub(super) fn note_trace(&mut self, id: String, lines: usize) {
        self.traces.push(Trace { id, lines });
    }

    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Everything that is known of the set, ready to be written as JSON.
    pub(super) fn answers(&self, story: &Story, seed: u64, paths: &[String]) -> Answers {
        let named = |names: &[&'static str], counts: &[u64]| {
            names.iter().copied().zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect()
        };
        Answers {
            seed,
            bytes: self.bytes,
            lines: self.lines,
            start_ms: story.start_ms,
            end_ms: story.end_ms,
            needle: Count { query: NEEDLE.to_owned(), count: self.needle },
            phrase: Count { query: format!("\"{PHRASE}\""), count: self.phrase },
            substring: Count { query: SUBSTRING.to_owned(), count: self.substring },
            slow: Count { query: SLOW_QUERY.to_owned(), count: self.slow },
            levels: named(LEVELS, &self.levels),
            services: named(SERVICES, &self.services),
            lines_without_service: self.lines - self.services.iter().sum::<u64>(),
            p95_latency_ms_from_500: self.percentiles(),
            timeline: Timeline { span: "10m", start_ms: self.first_bucket * BUCKET_MS, counts: self.timeline.clone() },
            top_paths: top(paths, &self.paths),
            distinct_users: self.users.iter().filter(|seen| **seen).count(),
            traces: self.traces.clone(),
            window: Window {
                query: format!("service:{}", SERVICES[CHECKOUT]),
                start_ms: self.window_ms.0,
                end_ms: self.window_ms.1,
                times_ms: self.window.times(),
            },
            latest: Window {
                query: format!("level:{}", LEVELS[INFO]),
                start_ms: story.start_ms,
                end_ms: story.end_ms,
                times_ms: self.latest_info.times(),
            },
        }
    }

    /// The value at position ⌈0.95·n⌉, counted from 1, in milliseconds.
    fn percentiles(&self) -> BTreeMap<&'static str, f64> {
        let of = |latencies: &Vec<u32>| {
            let mut sorted = latencies.clone();
            sorted.sort_unstable();
            let rank = (95 * sorted.len()).div_ceil(100);
            Some(f64::from(*sorted.get(rank.checked_sub(1)?)?) / 10.0)
        };
        SERVICES.iter().zip(&self.failing).filter_map(|(name, latencies)| Some((*name, of(latencies)?))).collect()
    }
}

/// The most frequent paths; among equals, the smaller text first.
fn top(paths: &[String], counts: &[u64]) -> Vec<(String, u64)> {
    let mut all: Vec<_> = paths.iter().zip(counts.iter().copied()).filter(|(_, count)| *count > 0).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    all.into_iter().take(TOP_PATHS).map(|(path, count)| (path.clone(), count)).collect()
}

/// The latest times of all that were offered.
struct Latest {
    keep: usize,
    heap: BinaryHeap<Reverse<i64>>,
}

impl Latest {
    fn new(keep: usize) -> Self {
        Self { keep, heap: BinaryHeap::with_capacity(keep + 1) }
    }

    fn offer(&mut self, unix_ms: i64) {
        if self.heap.len() == self.keep && self.heap.peek().is_some_and(|oldest| unix_ms <= oldest.0) {
            return;
        }
        self.heap.push(Reverse(unix_ms));
        if self.heap.len() > self.keep {
            self.heap.pop();
        }
    }

    /// Latest first.
    fn times(&self) -> Vec<i64> {
        let mut times: Vec<i64> = self.heap.iter().map(|time| time.0).collect();
        times.sort_unstable_by_key(|time| Reverse(*time));
        times
    }
}

/// The exact answers of a set: what `--expect` writes. Times are milliseconds since 1970.
#[derive(Serialize)]
pub(crate) struct Answers {
    seed: u64,
    bytes: u64,
    lines: u64,
    start_ms: i64,
    end_ms: i64,
    needle: Count,
    phrase: Count,
    substring: Count,
    slow: Count,
    levels: BTreeMap<&'static str, u64>,
    services: BTreeMap<&'static str, u64>,
    lines_without_service: u64,
    p95_latency_ms_from_500: BTreeMap<&'static str, f64>,
    timeline: Timeline,
    top_paths: Vec<(String, u64)>,
    distinct_users: usize,
    traces: Vec<Trace>,
    window: Window,
    latest: Window,
}

#[derive(Serialize)]
struct Count {
    query: String,
    count: u64,
}

#[derive(Serialize)]
struct Timeline {
    span: &'static str,
    start_ms: i64,
    counts: Vec<u64>,
}

#[derive(Clone, Serialize)]
struct Trace {
    id: String,
    lines: usize,
}

#[derive(Serialize)]
struct Window {
    query: String,
    start_ms: i64,
    end_ms: i64,
    times_ms: Vec<i64>,
}

/// A word that a few lines of a set carry and no template holds.
pub(super) const NEEDLE: &str = "kestrel9041x";
/// Common words in an order that few lines have.
pub(super) const PHRASE: &str = "lease renewal was refused by the quorum";
/// It stands inside words only.
const SUBSTRING: &str = "ompactio";
const SLOW_QUERY: &str = "message:/took [0-9]{4,} ms/";
const BUCKET_MS: i64 = 600_000;
const WINDOW_MS: i64 = 900_000;
const WINDOW_TIMES: usize = 100;
const LATEST_TIMES: usize = 200;
const TOP_PATHS: usize = 10;
