//! Any bytes as a request, for fuzzers: everything is done with them that a server does, and what has
//! to hold whatever they are is asserted.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::lines::split_lines;
use super::{Asked, BodyReader, Format, Piece, Replay, Report, Request, Target, read_lines};
use crate::block::{Column, RowGroup};
use crate::engine::log::LogRecord;
use crate::engine::{NewGroup, NewRecord, RecordReader};

/// Takes `bytes` as a body of JSON lines and as one of text lines. The first byte draws how it is cut
/// into chunks.
///
/// # Panics
/// If a line is lost, doubled or changed, a count is wrong, or a replay gives other events.
pub fn fuzz_ndjson(bytes: &[u8]) {
    let Some((&draw, body)) = bytes.split_first() else { return };
    for (format, index) in [(Format::Json, "fuzz-{{level}}"), (Format::Text, "fuzz")] {
        let asked = Asked { index: Some(index), source: Some("fuzzer"), ..Asked::default() };
        let target = Target::of(asked, |_| true).expect("these are good names");
        let mut request = Request::new(target, ARRIVAL_NS, Arc::new(|_| None));
        request.format = format;
        request.line_bytes_max = LINE_BYTES_MAX;
        check_body(&request, body, usize::from(draw) + 1);
    }
}

/// When the requests come: 2026-06-14.
const ARRIVAL_NS: i64 = 1_781_432_100_000_000_000;
/// Small, so that fuzzers find lines that are too long.
const LINE_BYTES_MAX: usize = 512;

fn check_body(request: &Request, body: &[u8], chunk: usize) {
    let mut reader = BodyReader::new(None, request.line_bytes_max).expect("no encoding is known");
    let mut report = Report::default();
    let mut take_all = |reader: &mut BodyReader| {
        while let Some(piece) = reader.next_piece().expect("a body without encoding can be read") {
            match piece {
                Piece::TooLong { line } => report.refuse_too_long(line, request.line_bytes_max),
                Piece::Lines(lines) => {
                    let mut lines = Some(lines);
                    while let Some(next) = lines.take() {
                        let reading = read_lines(request, next);
                        reading.record.iter().for_each(check_record);
                        report.add(reading.report);
                        lines = reading.rest;
                    }
                }
            }
        }
    };
    for chunk in body.chunks(chunk) {
        reader.feed(Bytes::copy_from_slice(chunk)).expect("a short body can be taken");
        take_all(&mut reader);
    }
    reader.end();
    take_all(&mut reader);
    let lines = split_lines(body).count() as u64;
    assert_eq!(report.accepted + report.refused + report.blank, lines, "each line is counted once");
    if request.format == Format::Text {
        let refused = split_lines(body).filter(|line| line.raw.len() > request.line_bytes_max).count() as u64;
        let blank =
            split_lines(body).filter(|line| line.is_blank() && line.raw.len() <= request.line_bytes_max).count() as u64;
        assert!(report.refused <= refused && report.blank >= blank, "text is refused only for its length");
    }
}

/// Each accepted line is there once, byte for byte, now and after a replay.
fn check_record(record: &NewRecord) {
    let NewRecord { body, options, partitions, verdicts, groups } = record;
    let (partitions, verdicts, options, body) = (partitions.clone(), verdicts.clone(), options.clone(), body.clone());
    let logged = LogRecord { first: 1, partitions, verdicts, options, body };
    let expected = accepted_lines(&logged);
    assert_eq!(raw_lines(groups), expected, "raw is given back");
    let replayed = Replay.read(&logged);
    assert_eq!(raw_lines(&replayed), expected, "raw is given back after a replay");
    for (group, again) in groups.iter().zip(&replayed) {
        group.rows.check();
        assert_eq!(group.rows.times, again.rows.times);
        assert_eq!(columns(&group.rows), columns(&again.rows), "values are the same after a replay");
        assert_eq!(group.raw_bytes, again.raw_bytes);
    }
}

/// Number, partition and bytes of each line that is an event.
fn accepted_lines(record: &LogRecord) -> Vec<(u64, usize, Vec<u8>)> {
    let mut places = record.verdicts.iter().flat_map(|run| std::iter::repeat_n(run.partition, run.count as usize));
    let lines = split_lines(&record.body).filter(|line| !line.is_blank());
    let accepted = (0..).zip(lines).filter_map(|(sequence, line)| {
        let place = places.next().expect("each line has a verdict")?;
        Some((sequence, usize::from(place), line.raw.to_vec()))
    });
    let accepted = accepted.collect();
    assert_eq!(places.next(), None, "each verdict has a line");
    accepted
}

/// The columns by name. Tables may differ: the first reading has seen the refused lines' names as well.
fn columns(group: &RowGroup) -> BTreeMap<&str, &Column> {
    let named = group.paths.iter().filter_map(|(path, _)| Some((group.paths.folded(path), &**group.column(path)?)));
    named.collect()
}

fn raw_lines(groups: &[NewGroup]) -> Vec<(u64, usize, Vec<u8>)> {
    let mut lines = Vec::new();
    for (partition, group) in groups.iter().enumerate() {
        for row in 0..group.rows.rows {
            let mut raw = Vec::new();
            group.rows.raw(row, &mut raw);
            lines.push((group.rows.sequences[row as usize], partition, raw));
        }
    }
    lines.sort_unstable();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bodies to begin with: what the mutator makes of them stays near what the code distinguishes.
    const CORPUS: &[&[u8]] = &[
        b"7{\"ts\":\"2026-06-14T10:15:00Z\",\"level\":\"INFO\",\"msg\":\"a\",\"n\":1.50,\"ok\":true}\r\n{\"level\":null}\n",
        b"9{\"a\":{\"b\":[1,{\"c\":\"\\u00e9\\n\\/\"},[]],\"A\":{}},\"a\":2,\"a\":2}\n\n {\"a\" : \"\\ud83d\\ude00\" , \"b\":\"\\uD83D\"}",
        b"\x01{\"time\":1718360100123,\"_helios_source\":\"x\",\"_time_source\":[1,2],\"_fields_dropped\":9}\n[1]\ntrue\n{}\n",
        b"\xff{\"k\xff\":\"\xc3\x28\",\"level\":\"../x\"}\n{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}\n\xef\xbb\xbf{\"a\":-0.0e+5}\n",
        b"0Jun 14 10:15:00 host app[1]: x\n10.0.0.1 - - [14/Jun/2026:10:15:00 +0000] \"GET / HTTP/1.1\" 200 5\n\0\n\r\n",
    ];

    /// A small generator of its own, so that a failing number can be run again for ever.
    struct Mutator(u64);

    impl Mutator {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % bound.max(1)
        }

        fn mutate(&mut self, body: &mut Vec<u8>) {
            const TOKENS: &[&[u8]] = &[
                b"{", b"}", b"[", b"]", b"\"", b"\\", b":", b",", b"\n", b"\\u", b"null", b"1e9", b"\xff", b"\0",
                b"level",
            ];
            let at = self.below(body.len() + 1);
            match self.below(6) {
                0 if at < body.len() => body[at] = self.below(256) as u8,
                1 if at < body.len() => drop(body.remove(at)),
                2 => drop(body.splice(at..at, TOKENS[self.below(TOKENS.len())].iter().copied())),
                3 => body.truncate(at),
                4 => {
                    let end = at + self.below(body.len() - at + 1);
                    let copy = body[at..end].to_vec();
                    let to = self.below(body.len() + 1);
                    body.splice(to..to, copy);
                }
                _ => {
                    let other = CORPUS[self.below(CORPUS.len())];
                    let from = self.below(other.len());
                    body.splice(at..at, other[from..].iter().copied());
                }
            }
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "samples of real logs are files")]
    fn real_logs_come_back_byte_for_byte() {
        let Ok(shared) = std::env::var("HELIOS_SHARED") else {
            println!("skipped: HELIOS_SHARED names no folder with real logs");
            return;
        };
        let mut files = 0;
        for entry in std::fs::read_dir(std::path::Path::new(&shared).join("data")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "zst") {
                continue;
            }
            let body = zstd::decode_all(std::fs::File::open(&path).unwrap()).unwrap();
            for format in [Format::Json, Format::Text] {
                let target = Target::of(Asked { index: Some("{{service}}"), ..Asked::default() }, |_| true).unwrap();
                let mut request = Request::new(target, ARRIVAL_NS, Arc::new(|_| None));
                request.format = format;
                check_body(&request, &body, 60_000);
            }
            files += 1;
        }
        assert!(files > 10);
    }

    #[test]
    fn mutated_bodies_lose_no_line_and_change_none() {
        for seed in 0..3_000 {
            let mut mutator = Mutator(seed);
            let mut body = CORPUS[mutator.below(CORPUS.len())].to_vec();
            for _ in 0..=mutator.below(8) {
                mutator.mutate(&mut body);
            }
            let failed = std::panic::catch_unwind(|| fuzz_ndjson(&body)).is_err();
            assert!(!failed, "seed {seed}: {}", body.escape_ascii());
        }
    }
}
