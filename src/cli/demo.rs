//! `helios demo`: made-up but lifelike events of a small shop, with a story in them to be found.
//!
//! Without a file the last six hours of the shop go to a running server. With `--out` and `--expect` a set of
//! any size is written, together with the exact answers to the queries that `bench/ask.py` asks.

mod calendar;
mod dice;
mod set;
mod shop;
mod story;
mod tally;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use clap::Args;
use serde_json::Value;
use set::Set;

use super::args::ServerArgs;
use super::client::{Client, ClientError};
use super::{Failure, output, remote};
use crate::host::Host;

/// `helios demo`
#[derive(Args, Debug)]
pub struct DemoArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub server: ServerArgs,
    /// The index that the events go to
    #[arg(long, default_value = "shop")]
    pub index: String,
    /// At least so many bytes of events [default: 8 MiB for a server]
    #[arg(long)]
    pub bytes: Option<u64>,
    /// The same seed makes the same events
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write a set to this file instead: one JSON object a line, three UTC days
    #[arg(long, value_name = "FILE", requires_all = ["expect", "bytes"], conflicts_with_all = ["url", "index"])]
    pub out: Option<PathBuf>,
    /// Write the exact answers to queries over the set to this file, as JSON
    #[arg(long, value_name = "FILE", requires = "out")]
    pub expect: Option<PathBuf>,
    /// The last day of the set, as 2026-01-31 [default: today]
    #[arg(long, value_name = "DAY", requires = "out", value_parser = day)]
    pub end: Option<i64>,
}

/// Shown below the help of the command.
pub(super) const EXAMPLES: &str = "\
Examples:
  helios demo                                     six hours of a shop, up to now, to the server
  helios search 'level:error | stats count by service' --since 6h
  helios demo --bytes 1073741824 --seed 42 --out set.ndjson --expect set.json
                                                  1 GiB and its exact answers, for bench/ask.py";

pub(super) async fn run(host: Host, args: DemoArgs) -> Result<(), Failure> {
    let now_ms = host.clock.wall().0.div_euclid(1_000_000);
    match (&args.out, &args.expect) {
        (Some(out), Some(expect)) => {
            let end_day = args.end.unwrap_or(now_ms.div_euclid(calendar::DAY_MS));
            let set = Set::of_days(args.bytes.unwrap_or(RECENT_BYTES), args.seed, end_day);
            let lines = write_files(set, out, expect)?;
            output::say(&format!("{lines} events in {}, their answers in {}", out.display(), expect.display()));
            Ok(())
        }
        _ => send(host, &args, now_ms).await,
    }
}

/// The first `bytes` of events, about, of a set of three days up to 2026-01-31: what is measured in benches.
pub fn sample(bytes: u64, seed: u64) -> Vec<u8> {
    let mut set = Set::of_days(bytes, seed, SAMPLE_END_DAY);
    let mut lines = Vec::new();
    while set.next_batch(&mut lines, BATCH_BYTES) {}
    lines
}

/// Sends a recent set to the server and says what to look for.
async fn send(host: Host, args: &DemoArgs, now_ms: i64) -> Result<(), Failure> {
    let mut client = remote::client(host, &args.server)?;
    let mut set = Set::until(args.bytes.unwrap_or(RECENT_BYTES), args.seed, now_ms);
    let mut stored = 0;
    loop {
        let mut batch = Vec::with_capacity(BATCH_BYTES + BATCH_BYTES_ROOM);
        if !set.next_batch(&mut batch, BATCH_BYTES) {
            break;
        }
        stored += send_batch(&mut client, args, Bytes::from(batch)).await?;
    }
    if stored != set.lines() {
        return Err(Failure::new(format!("the server stored {stored} of {} events", set.lines())));
    }
    output::say(&format!(
        "{stored} events of the last six hours are in the index {}. Something went wrong in that shop; try:\n\n{LEADS}",
        args.index
    ));
    Ok(())
}

/// Sends a batch until the server takes it, and returns how many events it stored.
async fn send_batch(client: &mut Client, args: &DemoArgs, batch: Bytes) -> Result<u64, Failure> {
    let params = [("env", args.server.env.as_str()), ("index", args.index.as_str())];
    let mut asked = 0;
    loop {
        let error = match client.post("/api/ingest", &params, HeaderMap::new(), batch.clone()).await {
            Ok(answer) => return Ok(answer.get("ingested").and_then(Value::as_u64).unwrap_or(0)),
            Err(error) => error,
        };
        asked += 1;
        match wait_secs(&error) {
            Some(secs) if asked < ASKED_MAX => client.pause(Duration::from_secs(secs)).await,
            _ => return Err(error.into()),
        }
    }
}

/// How long to wait before a batch of which nothing was stored is sent again; none if it must not be.
fn wait_secs(error: &ClientError) -> Option<u64> {
    let ClientError::Refused { status, body, retry_after_secs, .. } = error else { return None };
    let busy = matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let nothing_stored = body.get("ingested").is_none_or(|ingested| *ingested == 0);
    (busy && nothing_stored).then(|| retry_after_secs.unwrap_or(1).max(1))
}

#[allow(clippy::disallowed_methods, reason = "a set is written on a user's terminal, where no server runs")]
fn write_files(set: Set, out: &Path, expect: &Path) -> Result<u64, Failure> {
    let create = |path: &Path| {
        std::fs::File::create(path).map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
    };
    let (mut out, mut expect) = (create(out)?, create(expect)?);
    Ok(write_set(set, &mut out, &mut expect)?)
}

/// Writes a whole set to `out` and its answers, as JSON, to `expect`. Holds one batch in memory.
fn write_set(mut set: Set, out: &mut dyn Write, expect: &mut dyn Write) -> io::Result<u64> {
    let mut batch = Vec::with_capacity(BATCH_BYTES + BATCH_BYTES_ROOM);
    while set.next_batch(&mut batch, BATCH_BYTES) {
        out.write_all(&batch)?;
        batch.clear();
    }
    out.flush()?;
    let mut answers = serde_json::to_vec_pretty(&set.answers())?;
    answers.push(b'\n');
    expect.write_all(&answers)?;
    expect.flush()?;
    Ok(set.lines())
}

/// The day since 1970 that a text like `2026-01-31` names.
fn day(text: &str) -> Result<i64, String> {
    calendar::parse_day(text).ok_or_else(|| "a day is written like 2026-01-31".to_owned())
}

/// Where a newcomer may begin.
const LEADS: &str = "  \
helios search 'level:error | stats count by service' --since 6h
  helios search '* | timechart span=10m count, p95(latency_ms)' --since 6h
  helios search 'service:deployer' --since 6h";

/// 2026-01-31, in days since 1970.
const SAMPLE_END_DAY: i64 = 20_484;
/// Bytes that are sent or written at a time.
const BATCH_BYTES: usize = 1 << 20;
/// A batch ends with a whole request of the shop, so it may be longer than asked for, by less than this.
const BATCH_BYTES_ROOM: usize = 4 << 10;
/// Bytes for a server, unless said otherwise: enough for a story, loaded in a moment.
const RECENT_BYTES: u64 = 8 << 20;
/// Times that a busy server is asked to take the same batch.
const ASKED_MAX: u32 = 60;
