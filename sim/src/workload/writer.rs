//! A writer: sends batches, remembers what it was told, and looks at once for what was acknowledged.

use std::time::Duration;

use bytes::Bytes;
use helios::host::Host;
use http::Method;
use serde_json::Value;

use super::http::{Http, NoAnswer};
use super::reader::{hits, judge_node};
use super::{Fate, History, Home, Lines, Stop, Wrong};
use crate::rng::Rng;

/// What a writer does.
#[derive(Clone)]
pub struct WriterPlan {
    /// Its name: no two of a run are alike.
    pub name: String,
    /// The servers that it may write to.
    pub nodes: Vec<String>,
    /// Where they listen.
    pub port: u16,
    /// Pause between two requests, at least and at most.
    pub pause_ms: [u64; 2],
    /// Lines of a batch at most.
    pub lines_max: u64,
    /// Indexes.
    pub indexes: u64,
    /// Days over which events are spread.
    pub days: u64,
    /// Whose lines a server must show while faults last.
    pub home: Home,
}

/// A writer at work.
struct Writer {
    plan: WriterPlan,
    host: Host,
    history: History,
    rng: Rng,
    number: u64,
    clients: Vec<Http>,
}

/// Writes and looks until it is over.
pub async fn write(host: Host, plan: WriterPlan, history: History, stop: Stop, rng: Rng) {
    let clients = plan.nodes.iter().map(|node| Http::new(&host, node, plan.port)).collect();
    let mut writer = Writer { plan, host, history, rng, number: 0, clients };
    while !stop.is_over() {
        let [least, most] = writer.plan.pause_ms;
        let pause = writer.rng.in_range(least..most + 1);
        writer.host.clock.sleep(Duration::from_millis(pause)).await;
        let node = writer.rng.index(writer.plan.nodes.len());
        let done = if writer.rng.percent(EVERYTHING_PERCENT) {
            let (name, home) = (writer.plan.nodes[node].clone(), writer.plan.home);
            let look = judge_node(&mut writer.clients[node], &name, &writer.history, home, LIMIT).await;
            look.map(|_| ()).map_err(Wrong::text)
        } else {
            writer.batch(node).await
        };
        if let Err(violation) = done {
            writer.history.violated(violation);
            return;
        }
    }
}

impl Writer {
    /// Sends a batch, and mostly looks for one of its lines if it was acknowledged.
    async fn batch(&mut self, node: usize) -> Result<(), String> {
        let lines = self.draw(node);
        self.history.sent(&lines);
        let mut body = lines.raws.join("\n");
        body.push('\n');
        let target = format!("/api/ingest?index={}", lines.index);
        let asked = self.clients[node].ask(Method::POST, &target, Bytes::from(body), LIMIT).await;
        let fates = match asked {
            Ok(answer) => {
                fates(answer.status, &answer.body, lines.raws.len()).map_err(|why| format!("{}: {why}", lines.node))?
            }
            Err(NoAnswer::NotSent(_)) => vec![Fate::Refused; lines.raws.len()],
            Err(NoAnswer::Unknown(_)) => vec![Fate::Unknown; lines.raws.len()],
        };
        for (raw, fate) in lines.raws.iter().zip(&fates) {
            self.history.answered(raw, *fate);
        }
        let acknowledged: Vec<_> = lines
            .raws
            .iter()
            .zip(&fates)
            .filter(|(_, fate)| **fate == Fate::Acknowledged)
            .map(|(raw, _)| raw)
            .collect();
        if acknowledged.is_empty() || !self.rng.percent(LOOK_PERCENT) {
            return Ok(());
        }
        let raw = acknowledged[self.rng.index(acknowledged.len())].clone();
        self.look(node, &lines.index, &raw).await
    }

    /// Looks for a line that this server has just acknowledged. No answer is no judgement: it may have crashed.
    async fn look(&mut self, node: usize, index: &str, raw: &str) -> Result<(), String> {
        let id = raw.split('"').nth(3).unwrap_or_default();
        let target = format!("/api/search?q=uid%3A{id}&index={index}&limit=100");
        let Ok(answer) = self.clients[node].ask(Method::GET, &target, Bytes::new(), LIMIT).await else {
            return Ok(());
        };
        if answer.status != 200 {
            return Ok(());
        }
        let said: Value = serde_json::from_slice(&answer.body).map_err(|error| format!("{target}: {error}"))?;
        if said["partial"] == Value::Bool(true) {
            return Ok(());
        }
        self.history.judge_hit(&self.plan.nodes[node], raw, &hits(&said["hits"])?)
    }

    fn draw(&mut self, node: usize) -> Lines {
        let count = self.rng.in_range(1..self.plan.lines_max + 1);
        let index = format!("app{}", self.rng.in_range(0..self.plan.indexes));
        let raws = (0..count).map(|_| self.line()).collect();
        Lines { index, node: self.plan.nodes[node].clone(), raws }
    }

    /// A line that no other is like: mostly an event, now and then one that must be refused.
    fn line(&mut self) -> String {
        self.number += 1;
        let uid = format!("{}n{}", self.plan.name, self.number);
        let back_ms = self.rng.in_range(0..self.plan.days * 86_400_000);
        let time_ms = self.host.clock.wall().0 / 1_000_000 - i64::try_from(back_ms).unwrap_or(0);
        let (level, text) = (self.rng.pick(LEVELS), self.rng.pick(TEXTS));
        let size = self.rng.in_range(0..1_000);
        if self.rng.percent(BROKEN_PERCENT) {
            return format!(r#"{{"uid":"{uid}","broken":"#);
        }
        format!(r#"{{"uid":"{uid}","ts":{time_ms},"level":"{level}","msg":"{text}","size":{size}}}"#)
    }
}

/// What an answer says of each line of a batch.
///
/// # Errors
/// If it says nothing that a client could understand.
fn fates(status: u16, body: &[u8], lines: usize) -> Result<Vec<Fate>, String> {
    let said: Value = serde_json::from_slice(body).map_err(|error| format!("{status} with no JSON: {error}"))?;
    if status == 200 {
        let mut fates = vec![Fate::Acknowledged; lines];
        for line in said["error_details"].as_array().into_iter().flatten() {
            let number = line["line"].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
            *fates.get_mut(number.wrapping_sub(1)).ok_or_else(|| format!("{number} is no line: {said}"))? =
                Fate::Refused;
        }
        let acknowledged = fates.iter().filter(|fate| **fate == Fate::Acknowledged).count() as u64;
        let counted = said["ingested"].as_u64() == Some(acknowledged);
        return if counted { Ok(fates) } else { Err(format!("{lines} lines and the answer {said}")) };
    }
    let stored = &said["ingested"];
    match (status, stored.as_u64(), said["first_unread_line"].as_u64()) {
        // A batch this small is one record: kept whole or not at all.
        (_, Some(0), Some(_)) => Ok(vec![Fate::Refused; lines]),
        (400..=499 | 503, None, None) if stored.is_null() && said["error"]["code"] != "unknown" => {
            Ok(vec![Fate::Refused; lines])
        }
        (500, ..) => Err(format!("500: {said}")),
        _ => Ok(vec![Fate::Unknown; lines]),
    }
}

/// How long a client waits.
const LIMIT: Duration = Duration::from_secs(30);
/// How often a writer looks at everything instead of writing.
const EVERYTHING_PERCENT: u64 = 2;
/// How often it looks at once for what was acknowledged.
const LOOK_PERCENT: u64 = 30;
/// How often a line is none.
const BROKEN_PERCENT: u64 = 3;
const LEVELS: &[&str] = &["info", "warn", "error"];
/// Texts that pass through escapes and more than one byte a letter.
const TEXTS: &[&str] = &["disk full", "caf\\u00e9 \\\"quoted\\\"", "naïve ☃ \\\\ tab\\t", "", "GET /a/b?c=d 200 12ms"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_became_of_each_line() {
        let of = |status, text: &str| fates(status, text.as_bytes(), 2);
        let all = |fate| Ok(vec![fate; 2]);
        assert_eq!(of(200, r#"{"ingested":2,"error_details":[]}"#), all(Fate::Acknowledged));
        let one = of(200, r#"{"ingested":1,"error_details":[{"line":2}]}"#);
        assert_eq!(one, Ok(vec![Fate::Acknowledged, Fate::Refused]));
        assert!(of(200, r#"{"ingested":1,"error_details":[]}"#).is_err());
        assert_eq!(of(503, r#"{"ingested":0,"first_unread_line":1,"error":{"code":"disk_full"}}"#), all(Fate::Refused));
        assert_eq!(
            of(503, r#"{"ingested":null,"first_unread_line":1,"error":{"code":"unknown"}}"#),
            all(Fate::Unknown)
        );
        assert_eq!(of(429, r#"{"error":{"code":"busy"}}"#), all(Fate::Refused));
        assert!(of(500, r#"{"error":{"code":"internal"}}"#).is_err());
    }
}
