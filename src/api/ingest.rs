//! `POST /api/ingest` and `/api/ingest/raw`.
//!
//! **Promise.** What the answer calls ingested is durable and searchable. A body is read and logged in
//! records of whole lines, strictly in order: a record is handed to the log only after the one before it
//! was acknowledged, so that if one fails, nothing behind it was kept and the answer can say from which
//! line on to send again. Memory is bounded by two records a request, counted in the engine's queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use futures_util::future::{self, OptionFuture};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::call::{Call, json as answer, unknown_env};
use super::params::bad;
use super::{ApiError, App};
use crate::cluster::Waited;
use crate::engine::{Admission, AppendError, NewRecord};
use crate::event::PartitionKey;
use crate::host::Cost;
use crate::host_select;
use crate::ingest::{
    Asked, BodyReader, DecodeError, Format, Lines, Piece, Reading, Report, Request, Target, TargetError, read_lines,
};

pub(super) async fn ndjson(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    take(call, body, Format::Json).await
}

pub(super) async fn raw(call: Call, body: Body) -> Result<Response<Body>, ApiError> {
    take(call, body, Format::Text).await
}

async fn take(call: Call, body: Body, format: Format) -> Result<Response<Body>, ApiError> {
    let target = target(&call)?;
    let encoding = call.header(header::CONTENT_ENCODING.as_str()).filter(|encoding| *encoding != "identity");
    let line_bytes_max = call.app.line_bytes_max;
    let mut reader = BodyReader::new(encoding, line_bytes_max).map_err(undecodable)?;
    let expected_bytes = expected_bytes(&call, encoding.is_some());
    reader.expect(expected_bytes);
    let engine = call.app.engine.clone();
    let refusal = Arc::new(move |key: &PartitionKey| engine.refusal(key));
    let intake = Intake {
        expected_bytes,
        on_pool: encoding.is_some(),
        ended: false,
        first_unread_line: 1,
        reader: Some(reader),
        carried: Report::default(),
        rest: None,
        request: Arc::new(Request { target, format, arrival_ns: call.now.0, line_bytes_max, refusal }),
        app: call.app.clone(),
        body,
    };
    let mut warnings = call.params.warnings.clone();
    let (report, shared) = match (call.params.choice("ack"), call.app.cluster.clone()) {
        ("shared", Some(seat)) => {
            let (report, wanted) = intake.run(true).await?;
            let waited = match seat.cluster() {
                Some(cluster) => cluster.wait_shared(&wanted, call.app.engine.origin(), SHARED_WAIT_MAX).await,
                None => Waited::TimedOut,
            };
            if waited == Waited::TimedOut {
                let why =
                    "the shared store was not reached in time: the events are on this node's disk and will be sent";
                warnings.push(why.to_owned());
            }
            (report, waited == Waited::Shared)
        }
        (ack, _) => {
            if ack == "shared" {
                let message = "there is no shared store: start the server with --shared-store, or leave `ack` out";
                return Err(bad("ack", message));
            }
            (intake.run(false).await?.0, false)
        }
    };
    if call.header("x-helios-batch-id").is_some() {
        warnings.push("X-Helios-Batch-Id is not used by this version: what is sent twice is stored twice".to_owned());
    }
    answer(&accepted(&report, shared, &warnings))
}

fn accepted(report: &Report, shared: bool, warnings: &[String]) -> Value {
    let Report { accepted, refused, blank, errors, partitions } = report;
    let details: Vec<Value> = errors.iter().map(|error| json!({"line": error.line, "reason": error.reason})).collect();
    json!({
        "ingested": accepted,
        "errors": refused,
        "error_details": details,
        "blank": blank,
        "partitions": partitions.iter().map(PartitionKey::to_string).collect::<Vec<_>>(),
        "write_errors": [],
        "throttled": false,
        "durability": if shared { "shared" } else { "local" },
        "warnings": warnings,
    })
}

/// A body on its way into the log.
struct Intake {
    app: App,
    body: Body,
    /// `None` only while the pool has it.
    reader: Option<BodyReader>,
    /// Whether the reader was told that the body has ended.
    ended: bool,
    /// Whether decoding is worth a job of the pool.
    on_pool: bool,
    request: Arc<Request>,
    /// Bytes that are still likely to come, decoded.
    expected_bytes: u64,
    /// Lines that did not fit into the record before.
    rest: Option<Lines>,
    /// What became of lines that are in no record.
    carried: Report,
    first_unread_line: u64,
}

/// A record that was read and has room in the queue.
struct Ready {
    record: NewRecord,
    report: Report,
    admission: Admission,
    first_line: u64,
}

impl Intake {
    /// Reads and appends everything. The next record is read while the one before is being synced.
    ///
    /// With `remember`, gives the last event of each partition, for who waits until they are shared.
    async fn run(mut self, remember: bool) -> Result<(Report, Vec<(PartitionKey, u64)>), ApiError> {
        let mut last: BTreeMap<PartitionKey, u64> = BTreeMap::new();
        let mut total = Report::default();
        let mut appending: Option<Ready> = None;
        loop {
            let engine = self.app.engine.clone();
            let append = appending.take().map(|ready| async move {
                let lines = if remember { ready.record.last_lines() } else { Vec::new() };
                let appended = engine.append(ready.record, ready.admission).await;
                (appended, lines, ready.report, ready.first_line)
            });
            let (appended, next) = future::join(OptionFuture::from(append), self.next_record()).await;
            if let Some((appended, lines, report, first_line)) = appended {
                match appended {
                    Ok(receipt) => {
                        // Numbers grow: the last one of a partition stands for all before it.
                        last.extend(lines.into_iter().map(|(key, line)| (key, receipt.first_sequence + line)));
                        total.add(report);
                    }
                    Err(error) => return Err(not_kept(&error, total.accepted, first_line)),
                }
            }
            match next {
                Ok(Some(ready)) => appending = Some(ready),
                Ok(None) => break,
                Err(error) => return Err(with_progress(error, total.accepted, self.first_unread_line)),
            }
        }
        total.add(self.carried);
        Ok((total, last.into_iter().collect()))
    }

    /// The next record with an event in it; `None` at the end of the body.
    async fn next_record(&mut self) -> Result<Option<Ready>, ApiError> {
        loop {
            let (lines, admission) = match self.rest.take() {
                Some(lines) => {
                    let admission = self.app.engine.admit(lines.body.len() as u64).await;
                    (lines, admission.map_err(|error| refused(&error))?)
                }
                None => match self.next_lines().await? {
                    Some(next) => next,
                    None => return Ok(None),
                },
            };
            let first_line = lines.first_line;
            let reading = self.read(lines).await;
            self.first_unread_line = match &reading.rest {
                Some(rest) => rest.first_line,
                None => self.reader.as_ref().map_or(first_line, BodyReader::first_unread_line),
            };
            self.rest = reading.rest;
            self.carried.add(reading.report);
            if let Some(record) = reading.record {
                let report = std::mem::take(&mut self.carried);
                return Ok(Some(Ready { record, report, admission, first_line }));
            }
        }
    }

    fn read(&mut self, lines: Lines) -> impl Future<Output = Reading> + use<> {
        let (request, host) = (self.request.clone(), self.app.host.clone());
        let cost = Cost::bytes(lines.body.len() as u64);
        async move { host.cpu.run(cost, move || read_lines(&request, lines)).await }
    }

    /// Whole lines for one record, with room in the queue that was got before they were read.
    async fn next_lines(&mut self) -> Result<Option<(Lines, Admission)>, ApiError> {
        let room = self.expected_bytes.clamp(1, RECORD_BYTES);
        let admission = self.app.engine.admit(room).await.map_err(|error| refused(&error))?;
        let deadline = self.app.host.clock.monotonic() + Duration::from_secs(RECORD_SECS_MAX);
        loop {
            match self.next_piece().await? {
                Some(Piece::Lines(lines)) => {
                    self.expected_bytes = self.expected_bytes.saturating_sub(lines.body.len() as u64);
                    return Ok(Some((lines, admission)));
                }
                Some(Piece::TooLong { line }) => self.carried.refuse_too_long(line, self.request.line_bytes_max),
                None if !self.feed(deadline).await? => return Ok(None),
                None => {}
            }
        }
    }

    async fn next_piece(&mut self) -> Result<Option<Piece>, ApiError> {
        let mut reader = self.reader.take().expect("the reader came back from the job before");
        let piece = if self.on_pool {
            let job = move || {
                let piece = reader.next_piece();
                (reader, piece)
            };
            let (reader, piece) = self.app.host.cpu.run(Cost::bytes(DECODE_COST_BYTES), job).await;
            self.reader = Some(reader);
            piece
        } else {
            let piece = reader.next_piece();
            self.reader = Some(reader);
            piece
        };
        piece.map_err(undecodable)
    }

    /// Gives the reader more of the body. False if it already had the end.
    async fn feed(&mut self, deadline: Duration) -> Result<bool, ApiError> {
        if self.ended {
            return Ok(false);
        }
        let reader = self.reader.as_mut().expect("the reader came back from the job before");
        let left = deadline.saturating_sub(self.app.host.clock.monotonic());
        let frame = host_select! {
            frame = self.body.frame() => frame,
            () = self.app.host.clock.sleep(left.min(Duration::from_secs(STALL_SECS_MAX))) => {
                return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "slow_body", "the body came too slowly"));
            }
        };
        match frame {
            None => {
                reader.end();
                self.ended = true;
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    reader.feed(data).map_err(undecodable)?;
                }
            }
            Some(Err(error)) => {
                return Err(ApiError::bad_request("body_cut", "the body ended before it was complete").inside(error));
            }
        }
        Ok(true)
    }
}

fn target(call: &Call) -> Result<Target, ApiError> {
    let asked = Asked {
        env: call.params.text("env"),
        index: call.params.given("index"),
        source: call.params.text("source"),
        env_header: call.header("x-helios-env"),
        index_header: call.header("x-helios-index"),
    };
    Target::of(asked, |env| call.app.has_env(env)).map_err(|error| match error {
        TargetError::UnknownEnv(_) => unknown_env(),
        TargetError::Index { .. } => ApiError::bad_request("bad_index", error.to_string()).detail("parameter", "index"),
        TargetError::Source => bad("source", &error.to_string()),
    })
}

/// How much room the first record will need: what the head of the request says, or a whole record.
fn expected_bytes(call: &Call, is_encoded: bool) -> u64 {
    let length = call.header(header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    let factor = if is_encoded { LIKELY_RATIO } else { 1 };
    length.map_or(RECORD_BYTES, |length| length.saturating_mul(factor))
}

fn undecodable(error: DecodeError) -> ApiError {
    let (status, code) = match error {
        DecodeError::Unknown(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_encoding"),
        DecodeError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        DecodeError::Corrupt { .. } | DecodeError::Truncated { .. } => (StatusCode::BAD_REQUEST, "bad_encoding"),
    };
    ApiError::new(status, code, error.to_string())
}

/// What the sender is told when the engine takes nothing.
fn refused(error: &AppendError) -> ApiError {
    let unavailable = |code, message: &str| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
    match error {
        AppendError::Busy { retry_after_s } => {
            let message = "the queue is full: send the rest again after the delay";
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry_after(*retry_after_s)
        }
        AppendError::Full(_) => unavailable("disk_full", "the disk is full: send the rest again when there is room")
            .retry_after(DISK_FULL_RETRY_SECS),
        AppendError::Failed(_) => unavailable("log_failed", "the log could not be written: send the rest again")
            .retry_after(LOG_FAILED_RETRY_SECS),
        AppendError::Stopping => ApiError::stopping(),
        AppendError::Stopped(_) => unavailable("stopped", "the server cannot write until it is restarted"),
        AppendError::Unknown(_) => {
            unavailable("unknown", "it is unknown whether the lines from first_unread_line on were kept in part")
        }
    }
    .inside(error)
}

/// The same, for a record that was read: what came before it is kept.
fn not_kept(error: &AppendError, ingested: u64, first_line: u64) -> ApiError {
    let refused = with_progress(refused(error), ingested, first_line);
    match error {
        // The one case in which the server cannot know how many events it holds.
        AppendError::Unknown(_) => refused.beside("ingested", Value::Null),
        _ => refused,
    }
}

fn with_progress(error: ApiError, ingested: u64, first_unread_line: u64) -> ApiError {
    error.beside("ingested", ingested).beside("first_unread_line", first_unread_line)
}

/// How long a request waits for the shared store.
const SHARED_WAIT_MAX: Duration = Duration::from_secs(60);
/// Room that one record of the log takes in the queue.
const RECORD_BYTES: u64 = crate::ingest::reader::RECORD_BYTES_MAX as u64;
/// How many times larger an encoded body is likely to be when decoded.
const LIKELY_RATIO: u64 = 20;
/// What one step of decoding touches.
const DECODE_COST_BYTES: u64 = 2 << 20;
/// Longest time in which nothing of a body comes.
const STALL_SECS_MAX: u64 = 30;
/// Longest time for one record to come: it holds room in the queue meanwhile.
const RECORD_SECS_MAX: u64 = 120;
/// When a disk is likely to have room again.
const DISK_FULL_RETRY_SECS: u32 = 10;
/// When a log that failed to be written may work again.
const LOG_FAILED_RETRY_SECS: u32 = 1;
