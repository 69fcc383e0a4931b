//! `helios demo`, the sending and writing of what [`super::demo`] makes up.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a command writes the files that its user names"
)]

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};

use super::args::DemoArgs;
use super::client::ClientError;
use super::demo::{self, Set};
use super::{Failure, output, remote};
use crate::host::Host;

pub(super) async fn run(host: Host, args: DemoArgs) -> Result<(), Failure> {
    match (&args.out, &args.expect) {
        (Some(out), Some(expect)) => write(&host, &args, out, expect),
        _ => send(host, &args).await,
    }
}

fn write(host: &Host, args: &DemoArgs, out: &Path, expect: &Path) -> Result<(), Failure> {
    let create = |path: &Path| {
        let made = File::create_new(path);
        made.map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())))
    };
    let (mut lines, mut answers) = (BufWriter::new(create(out)?), BufWriter::new(create(expect)?));
    let day = match &args.day {
        Some(text) => {
            demo::parse_day(text).ok_or_else(|| Failure::new(format!("`{text}` is no day: write 2026-01-31")))?
        }
        None => host.clock.wall().0.div_euclid(DAY_NS),
    };
    let set = Set::of_days(args.bytes, args.seed, day);
    let written = demo::write_set(set, &mut lines, &mut answers)?;
    output::say(&format!("{written} lines in {}, their answers in {}", out.display(), expect.display()));
    Ok(())
}

async fn send(host: Host, args: &DemoArgs) -> Result<(), Failure> {
    let now_ms = host.clock.wall().0.div_euclid(1_000_000);
    let mut client = remote::client(host, &args.server)?;
    let mut set = Set::until(args.bytes, args.seed, now_ms);
    let params = [("index", args.index.as_str()), ("env", args.server.env.as_str())];
    let style = ProgressStyle::with_template("{bar:32} {bytes}/{total_bytes}").expect("the template is right");
    let bar = ProgressBar::new(args.bytes).with_style(style);
    let mut batch = Vec::new();
    while set.next_batch(&mut batch, SEND_BYTES) {
        let body = axum::body::Bytes::from(std::mem::take(&mut batch));
        bar.inc(body.len() as u64);
        loop {
            match client.post("/api/ingest", &params, HeaderMap::new(), body.clone()).await {
                Ok(_) => break,
                // A piece is one record of the log: it was kept whole or not at all.
                Err(ClientError::Refused { status: StatusCode::TOO_MANY_REQUESTS, retry_after_secs, .. }) => {
                    client.pause(Duration::from_secs(retry_after_secs.unwrap_or(1))).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    bar.finish_and_clear();
    output::say(&format!(
        "{} events sent to http://{}. Something went wrong in the last hours: find out what.\n  \
         helios search 'level:error | stats count by service'",
        set.lines(),
        client.authority()
    ));
    Ok(())
}

const DAY_NS: i64 = 86_400_000_000_000;
/// Bytes sent at a time: well below a record of the log.
const SEND_BYTES: usize = 1 << 20;
