//! How fast lines are parsed, and read into records: `parse_speed FILE [json|text]`.
//!
//! Prints megabytes of lines a second of one thread, the best of five runs.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement reads a file and the clock")]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use helios::event::{Line, LineKind, LineParser};
use helios::ingest::{Asked, Format, LineReader, Piece, Request, Target, read_lines};

/// 2026-06-14T10:15:00Z.
const ARRIVAL_NS: i64 = 1_781_432_100_000_000_000;
const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: parse_speed FILE [json|text]")?;
    let format = if args.next().as_deref() == Some("text") { Format::Text } else { Format::Json };
    let body = std::fs::read(file)?;
    let pieces = cut(&body);
    report("parse", body.len(), || parse(&pieces, format.kind()));
    let target = Target::of(Asked::default(), |_| true)?;
    let mut request = Request::new(target, ARRIVAL_NS, Arc::new(|_| None));
    request.format = format;
    report("read into records", body.len(), || records(&request, &pieces));
    Ok(())
}

fn report(what: &str, bytes: usize, mut work: impl FnMut() -> u64) {
    let mut best = f64::MAX;
    let mut count = 0;
    for _ in 0..RUNS {
        let start = Instant::now();
        count = work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{what}: {:.0} MB/s, {count} values or events", bytes as f64 / 1e6 / best);
}

fn cut(mut body: &[u8]) -> Vec<helios::ingest::Lines> {
    let mut reader = LineReader::new(1 << 20);
    let mut pieces = Vec::new();
    while let Some(piece) = reader.take(&mut body).or_else(|| reader.end()) {
        if let Piece::Lines(lines) = piece {
            pieces.push(lines);
        }
    }
    pieces
}

fn parse(pieces: &[helios::ingest::Lines], kind: LineKind) -> u64 {
    let mut values = 0;
    for piece in pieces {
        let mut parser = LineParser::new();
        let body: &Bytes = &piece.body;
        let mut line = Line::default();
        for raw in body.split(|&byte| byte == b'\n') {
            if parser.parse(kind, raw, ARRIVAL_NS, &mut line).is_ok() {
                values += line.fields.len() as u64;
            }
        }
    }
    values
}

fn records(request: &Request, pieces: &[helios::ingest::Lines]) -> u64 {
    pieces.iter().map(|piece| read_lines(request, piece.clone()).report.accepted).sum()
}
