//! A client: writes batches, and looks for each right after it was acknowledged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use helios::cli::client::{Client as Http, ClientError};
use helios::host::Host;
use helios::host_select;
use serde_json::Value;

use super::ledger::{Fate, Ledger};
use super::{LISTEN, diskless};
use crate::clock::WALL_START_NS;
use crate::rng::{Rng, mix};

pub(super) struct Client {
    number: u64,
    host: Host,
    http: Http,
    rng: Rng,
    ledger: Arc<Ledger>,
}

impl Client {
    /// A client on the node that calls this.
    pub(super) fn new(number: u64, workload: u64, ledger: Arc<Ledger>) -> Self {
        let host = diskless(mix(workload ^ number));
        let http = connect(&host);
        Self { number, host, http, rng: Rng::labelled(workload ^ number, "client"), ledger }
    }

    /// Writes all its batches.
    ///
    /// # Errors
    /// If a search did not find what it had to.
    pub(super) async fn run(mut self) -> Result<(), String> {
        for batch in 0..self.rng.in_range(BATCHES_MIN..BATCHES_MAX) {
            let index = self.rng.pick(&["app", "web"]);
            let lines = self.draw_lines(batch);
            self.ledger.sent(&lines);
            let fate = self.ingest(index, &lines).await;
            self.ledger.told(&lines, fate);
            if fate == Fate::Acknowledged {
                self.look_for(&lines, batch).await?;
            }
            self.host.clock.sleep(Duration::from_millis(self.rng.in_range(1..150))).await;
        }
        Ok(())
    }

    fn draw_lines(&mut self, batch: u64) -> Vec<String> {
        let (number, count) = (self.number, self.rng.in_range(1..6));
        let line = |line| {
            let seconds = WALL_START_NS / 1_000_000_000 - i64::try_from(self.rng.in_range(0..100_000)).unwrap_or(0);
            let noise = self.rng.next_u64();
            format!(
                r#"{{"time":{seconds},"batch":"c{number}b{batch}","n":"c{number}b{batch}l{line}","message":"{noise:x}"}}"#
            )
        };
        (0..count).map(line).collect()
    }

    async fn ingest(&mut self, index: &str, lines: &[String]) -> Fate {
        let body = Bytes::from(lines.join("\n"));
        let params = [("index", index)];
        let posted = self.http.post("/api/ingest", &params, Default::default(), body);
        let answer = host_select! {
            answer = posted => answer,
            () = self.host.clock.sleep(PATIENCE) => {
                self.http = connect(&self.host);
                return Fate::Unknown;
            }
        };
        match answer {
            Ok(answer) if answer["ingested"] == lines.len() => Fate::Acknowledged,
            Ok(answer) => panic!("a sound batch is taken whole or not at all: {answer}"),
            Err(ClientError::NoServer { .. }) => Fate::Refused,
            Err(ClientError::Refused { status, .. }) if matches!(status.as_u16(), 429 | 503) => Fate::Refused,
            Err(_) => Fate::Unknown,
        }
    }

    /// Finds the lines of a batch that was acknowledged, if the server answers.
    async fn look_for(&mut self, lines: &[String], batch: u64) -> Result<(), String> {
        let query = format!("batch:c{}b{batch}", self.number);
        let params = [("q", query.as_str()), ("limit", "100")];
        let found = host_select! {
            found = self.http.get_json("/api/search", &params) => found,
            () = self.host.clock.sleep(PATIENCE) => {
                self.http = connect(&self.host);
                return Ok(());
            }
        };
        match found {
            Ok(found) => self.ledger.searched(lines, &raws(&found["hits"])),
            Err(ClientError::Refused { status, message, .. }) if status.as_u16() != 503 => {
                Err(format!("a search was refused: {message}"))
            }
            Err(_) => Ok(()),
        }
    }

    /// All that a server has, once one answers.
    ///
    /// # Errors
    /// If none does, or it answers a part.
    pub(super) async fn everything(&mut self) -> Result<Vec<String>, String> {
        let mut why = String::new();
        for _ in 0..TRIES_MAX {
            let exported = host_select! {
                exported = export(&mut self.http) => exported,
                () = self.host.clock.sleep(PATIENCE) => Err("no answer".into()),
            };
            match exported {
                Ok(text) => {
                    let parsed = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
                    return Ok(raws(&Value::Array(parsed.map_err(|error| error.to_string())?)));
                }
                Err(error) => why = error,
            }
            self.http = connect(&self.host);
            self.host.clock.sleep(Duration::from_millis(100)).await;
        }
        Err(format!("no server answers although nothing goes wrong: {why}"))
    }
}

async fn export(http: &mut Http) -> Result<String, String> {
    let response = http.get("/api/export", &[]).await.map_err(|error| format!("{error:?}"))?;
    let body = http.whole(response).await.map_err(|error| format!("an export broke off: {error}"))?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn connect(host: &Host) -> Http {
    Http::new(host.clone(), &format!("http://{LISTEN}")).expect("an address")
}

fn raws(hits: &Value) -> Vec<String> {
    let hits = hits.as_array().into_iter().flatten();
    hits.filter_map(|hit| hit["raw"].as_str().map(str::to_owned)).collect()
}

/// Batches of one client.
const BATCHES_MIN: u64 = 4;
/// See [`BATCHES_MIN`].
const BATCHES_MAX: u64 = 12;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a quiet server is asked.
const TRIES_MAX: u64 = 50;
