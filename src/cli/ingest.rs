//! `helios ingest`
//!
//! **Promise.** The command says exactly which lines the server has acknowledged. Where it cannot know
//! (the connection broke before the answer) it sends the piece again and says that its lines may be
//! stored twice.

use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use memchr::memchr_iter;
use serde_json::Value;

use super::args::{IngestArgs, LineFormat};
use super::client::{Client, ClientError};
use super::lines::{self, Piece, Pieces};
use super::{EXIT_IN_PART, Failure, output, remote};
use crate::host::Host;

pub(super) async fn run(host: Host, args: IngestArgs) -> Result<(), Failure> {
    let mut client = remote::client(host, &args.server)?;
    let mut total = Tally::default();
    let bar = bar(&args);
    for path in &args.files {
        let sent = File::open(path, &args)?.send(&mut client, &args, &bar, &mut total).await;
        if let Err(failure) = sent {
            bar.abandon();
            output::say(&total.summary());
            return Err(failure);
        }
    }
    bar.finish_and_clear();
    output::say(&total.summary());
    if total.refused > 0 {
        let message = format!("{} lines were refused; the first reasons are above", total.refused);
        return Err(Failure::with_code(EXIT_IN_PART, message));
    }
    Ok(())
}

/// What the server has said so far.
#[derive(Default)]
struct Tally {
    ingested: u64,
    refused: u64,
    blank: u64,
    maybe_twice: u64,
    shown: u64,
}

/// One file on its way.
struct File<'a> {
    path: &'a Path,
    pieces: Pieces,
    endpoint: &'static str,
    params: Vec<(&'static str, String)>,
}

impl<'a> File<'a> {
    fn open(path: &'a Path, args: &IngestArgs) -> Result<Self, Failure> {
        let unreadable = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
        let mut pieces = Pieces::open(path).map_err(unreadable)?;
        let json = match args.format {
            LineFormat::Json => true,
            LineFormat::Text => false,
            LineFormat::Auto => pieces.peek().map_err(unreadable)?.trim_ascii_start().starts_with(b"{"),
        };
        let mut params = vec![("env", args.server.env.clone())];
        params.extend(args.index.clone().map(|index| ("index", index)));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "-");
        // JSON events mostly say themselves where they come from; a line of text cannot.
        params.extend(args.source.clone().or(name.filter(|_| !json)).map(|source| ("source", source)));
        if !json {
            params.push(("format", "text".to_owned()));
        }
        let endpoint = if json { "/api/ingest" } else { "/api/ingest/raw" };
        Ok(Self { path, pieces, endpoint, params })
    }

    async fn send(
        mut self,
        client: &mut Client,
        args: &IngestArgs,
        bar: &ProgressBar,
        total: &mut Tally,
    ) -> Result<(), Failure> {
        let before = bar.position();
        let unreadable = |error| Failure::new(format!("cannot read on in {}: {error}", self.path.display()));
        while let Some(piece) = self.pieces.next().map_err(unreadable)? {
            send_piece(client, &self.params, self.endpoint, self.path, &piece, args.patience, (bar, total)).await?;
            bar.set_position(before + piece.read_bytes);
        }
        Ok(())
    }
}

/// Sends a piece until it is acknowledged or the patience is at its end.
async fn send_piece(
    client: &mut Client,
    params: &[(&'static str, String)],
    endpoint: &str,
    path: &Path,
    piece: &Piece,
    patience_secs: u64,
    (bar, total): (&ProgressBar, &mut Tally),
) -> Result<(), Failure> {
    let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut rest = piece.bytes.clone();
    let mut first_line = piece.first_line;
    let mut waited_secs = 0;
    loop {
        let error = match client.post(endpoint, &params, HeaderMap::new(), rest.clone()).await {
            Ok(answer) => {
                bar.suspend(|| total.take(&answer, path, first_line));
                return Ok(());
            }
            Err(error) => error,
        };
        let step = Step::after(&error);
        if let Step::Again { stored_lines, unknown, .. } = &step {
            total.ingested += stored_lines.0;
            rest = without_lines(&rest, stored_lines.1);
            first_line += stored_lines.1;
            total.maybe_twice += if *unknown { piece.first_line + piece.lines - first_line } else { 0 };
        }
        match step {
            Step::Again { wait_secs, .. } if waited_secs + wait_secs <= patience_secs => {
                bar.set_message(format!("waiting: {error}"));
                client.pause(Duration::from_secs(wait_secs)).await;
                waited_secs += wait_secs;
                bar.set_message("");
            }
            _ => {
                let failure = Failure::from(error);
                let place = format!("{}: lines before {first_line} are stored, the others are not", path.display());
                return Err(Failure::with_code(failure.code, format!("{place}: {failure}")));
            }
        }
    }
}

/// What to do about an error.
enum Step {
    /// Send what is left again after a while.
    Again {
        wait_secs: u64,
        /// Events that were stored, and lines that need not be sent again.
        stored_lines: (u64, u64),
        /// Whether the server may have stored what is sent again.
        unknown: bool,
    },
    GiveUp,
}

impl Step {
    fn after(error: &ClientError) -> Self {
        match error {
            ClientError::NoServer { .. } => Self::Again { wait_secs: 2, stored_lines: (0, 0), unknown: false },
            ClientError::Broken { .. } => Self::Again { wait_secs: 2, stored_lines: (0, 0), unknown: true },
            ClientError::Refused { status, body, retry_after_secs, .. } => {
                let again = matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
                let number = |name: &str| body.get(name).and_then(Value::as_u64).unwrap_or(0);
                let lines_done = number("first_unread_line").saturating_sub(1);
                let unknown = body.get("ingested").is_some_and(Value::is_null);
                let wait_secs = retry_after_secs.unwrap_or(2).max(1);
                match again {
                    true => Self::Again { wait_secs, stored_lines: (number("ingested"), lines_done), unknown },
                    false => Self::GiveUp,
                }
            }
            ClientError::BadUrl { .. } => Self::GiveUp,
        }
    }
}

impl Tally {
    fn take(&mut self, answer: &Value, path: &Path, first_line: u64) {
        let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.ingested += number("ingested");
        self.refused += number("errors");
        self.blank += number("blank");
        for detail in answer["error_details"].as_array().into_iter().flatten() {
            self.shown += 1;
            if self.shown <= REASONS_SHOWN_MAX {
                let line = first_line + detail["line"].as_u64().unwrap_or(1) - 1;
                let reason = output::visible(detail["reason"].as_str().unwrap_or("refused"));
                output::say(&format!("{}:{line}: {reason}", path.display()));
            }
        }
        for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            output::say(&format!("helios: {warning}"));
        }
    }

    fn summary(&self) -> String {
        let mut line = format!("{} events stored", self.ingested);
        for (count, what) in [(self.refused, "lines refused"), (self.blank, "blank lines")] {
            if count > 0 {
                line.push_str(&format!(", {count} {what}"));
            }
        }
        if self.maybe_twice > 0 {
            line.push_str(&format!(
                "; the connection broke: up to {} lines were sent again and may be stored twice",
                self.maybe_twice
            ));
        }
        line
    }
}

fn without_lines(bytes: &Bytes, lines: u64) -> Bytes {
    let Some(last) = lines.checked_sub(1).and_then(|last| usize::try_from(last).ok()) else { return bytes.clone() };
    memchr_iter(b'\n', bytes).nth(last).map_or_else(Bytes::new, |end| bytes.slice(end + 1..))
}

fn bar(args: &IngestArgs) -> ProgressBar {
    let sizes: Option<u64> = args.files.iter().map(|path| lines::stored_bytes(path)).sum();
    let target = ProgressDrawTarget::stderr();
    let bar = ProgressBar::with_draw_target(sizes, target);
    let template = match sizes {
        Some(_) => "{bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}",
        None => "{spinner} {bytes} {bytes_per_sec} {msg}",
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is right"))
}

/// Reasons of refused lines that are shown.
const REASONS_SHOWN_MAX: u64 = 20;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: StatusCode, body: Value) -> ClientError {
        ClientError::Refused { status, message: String::new(), body, retry_after_secs: Some(3) }
    }

    #[test]
    fn what_was_stored_is_not_sent_again() {
        let body = json!({"error": {"code": "busy"}, "ingested": 2, "first_unread_line": 4});
        match Step::after(&refused(StatusCode::TOO_MANY_REQUESTS, body)) {
            Step::Again { wait_secs: 3, stored_lines: (2, 3), unknown: false } => {}
            _ => panic!("a busy server is asked again from the first unread line"),
        }
        assert_eq!(without_lines(&Bytes::from_static(b"a\nb\n\nc\nd"), 3), "c\nd");
        assert_eq!(without_lines(&Bytes::from_static(b"a\nb"), 0), "a\nb");
        assert_eq!(without_lines(&Bytes::from_static(b"a\nb"), 2), "");
    }

    #[test]
    fn a_request_that_is_wrong_is_not_sent_again() {
        assert!(matches!(Step::after(&refused(StatusCode::BAD_REQUEST, json!({}))), Step::GiveUp));
        assert!(matches!(Step::after(&refused(StatusCode::PAYLOAD_TOO_LARGE, json!({}))), Step::GiveUp));
    }

    #[test]
    fn an_unknown_outcome_is_counted_as_such() {
        let body = json!({"error": {"code": "unknown"}, "ingested": null});
        assert!(matches!(
            Step::after(&refused(StatusCode::SERVICE_UNAVAILABLE, body)),
            Step::Again { unknown: true, .. }
        ));
    }
}
