//! Lines to a record of the log: each line judged, the events of each partition side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::groups::{Groups, Row};
use super::lines::split_lines;
use super::reader::{LINE_BYTES_MAX_DEFAULT, Lines};
use super::report::Report;
use super::targeting::Target;
use crate::engine::{NewRecord, RECORD_PARTITIONS_MAX, VerdictRun};
use crate::event::{Line, LineKind, LineParser, PartitionKey};

/// Most events of one record. Bounds what a record of very short lines costs in memory: an event costs
/// some 40 bytes even if its line has two.
pub const RECORD_EVENTS_MAX: u64 = 1 << 17;

/// What the lines of a request are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// Each line is a message.
    Text,
}

impl Format {
    /// How such a line is read.
    pub fn kind(self) -> LineKind {
        match self {
            Self::Json => LineKind::Json,
            Self::Text => LineKind::Text,
        }
    }
}

/// What is kept beside the lines to read them again. Where they go is kept line by line and is not in
/// here: reading them again cannot decide it anew.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct RecordOptions {
    /// What the lines are.
    pub format: Format,
    /// When the request came, nanoseconds since 1970: the time of lines without one.
    pub arrival_ns: i64,
    /// The source of lines that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl RecordOptions {
    /// As the log keeps them.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("plain members can be written as JSON").into()
    }

    /// Reads them from the log; `None` if this version does not understand them.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Says why events of a partition are refused, if they are: past its retention.
pub type Refusal = dyn Fn(&PartitionKey) -> Option<String> + Send + Sync;

/// What all lines of a request have in common.
#[derive(Clone)]
pub struct Request {
    /// Where they go.
    pub target: Target,
    /// What they are.
    pub format: Format,
    /// When they came, nanoseconds since 1970.
    pub arrival_ns: i64,
    /// Longest line in bytes without its `\n`.
    pub line_bytes_max: usize,
    /// Which partitions take no events.
    pub refusal: Arc<Refusal>,
}

impl Request {
    /// A request of JSON lines with nothing special to it.
    pub fn new(target: Target, arrival_ns: i64, refusal: Arc<Refusal>) -> Self {
        Self { target, format: Format::Json, arrival_ns, line_bytes_max: LINE_BYTES_MAX_DEFAULT, refusal }
    }
}

/// What became of some lines.
pub struct Reading {
    /// What the log is to keep; `None` if no line is an event.
    pub record: Option<NewRecord>,
    /// Which lines are events and which are not. The events are durable only once the record is.
    pub report: Report,
    /// The lines behind, if these are more events or go to more partitions than one record holds.
    pub rest: Option<Lines>,
}

/// Reads some whole lines of a request. Pure work of the CPU; costs memory in proportion to the lines.
pub fn read_lines(request: &Request, lines: Lines) -> Reading {
    let mut judge = Judge::new(request);
    let mut line = Line::default();
    let mut rest = None;
    for sent in split_lines(&lines.body) {
        let number = lines.first_line + sent.index;
        if sent.is_blank() {
            judge.report.blank += 1;
            continue;
        }
        match judge.line(sent.raw, &mut line) {
            Ok(()) => {}
            Err(Verdict::Refused(reason)) => {
                push_verdict(&mut judge.verdicts, None);
                judge.report.refuse(number, reason);
            }
            Err(Verdict::NoRoom) => {
                rest = Some(Lines { body: lines.body.slice(sent.start..), first_line: number });
                break;
            }
        }
    }
    drop(line);
    let kept = rest.as_ref().map_or(lines.body.len(), |rest: &Lines| lines.body.len() - rest.body.len());
    let (record, report) = judge.finish(lines.body.slice(..kept));
    Reading { record, report, rest }
}

/// Why a line is not in the record.
enum Verdict {
    /// It is no event, and never will be.
    Refused(String),
    /// The record has no room for it, or for its partition.
    NoRoom,
}

/// Reads lines and decides where each goes.
struct Judge<'q> {
    request: &'q Request,
    parser: LineParser,
    places: Places,
    verdicts: Vec<VerdictRun>,
    groups: Groups,
    report: Report,
    /// Lines judged, refused ones included: what the next one is numbered.
    candidates: u64,
}

impl<'q> Judge<'q> {
    fn new(request: &'q Request) -> Self {
        Self {
            request,
            parser: LineParser::new(),
            places: Places::new(&request.target),
            verdicts: Vec::new(),
            groups: Groups::default(),
            report: Report::default(),
            candidates: 0,
        }
    }

    fn line<'a>(&mut self, raw: &'a [u8], line: &mut Line<'a>) -> Result<(), Verdict> {
        if self.report.accepted == RECORD_EVENTS_MAX {
            return Err(Verdict::NoRoom);
        }
        let partition = self.place(raw, line);
        if matches!(partition, Err(Verdict::NoRoom)) {
            return Err(Verdict::NoRoom);
        }
        let sequence = self.candidates;
        self.candidates += 1;
        let partition = partition?;
        push_verdict(&mut self.verdicts, Some(partition));
        let time_is_arrival = line.timestamp.is_none();
        let time = line.timestamp.unwrap_or(self.request.arrival_ns);
        let source = self.request.target.source.as_deref();
        let row = Row { sequence, time, time_is_arrival, source };
        self.groups.push(usize::from(partition), &self.parser, line, row);
        self.report.accepted += 1;
        Ok(())
    }

    fn place<'a>(&mut self, raw: &'a [u8], line: &mut Line<'a>) -> Result<u16, Verdict> {
        let Request { format, arrival_ns, line_bytes_max, .. } = *self.request;
        if raw.len() > line_bytes_max {
            return Err(Verdict::Refused(Report::too_long_reason(line_bytes_max)));
        }
        let parsed = self.parser.parse(format.kind(), raw, arrival_ns, line);
        parsed.map_err(|error| Verdict::Refused(error.to_string()))?;
        self.places.of(self.request, &self.parser, line)
    }

    fn finish(self, body: Bytes) -> (Option<NewRecord>, Report) {
        let Self { request, parser, places, verdicts, groups, mut report, .. } = self;
        if report.accepted == 0 {
            return (None, report);
        }
        report.partitions.extend(places.partitions.iter().cloned());
        let Request { target, format, arrival_ns, .. } = request;
        let options = RecordOptions { format: *format, arrival_ns: *arrival_ns, source: target.source.clone() };
        let groups = groups.finish(parser.into_paths(), places.partitions.len());
        let record = NewRecord { body, options: options.encode(), partitions: places.partitions, verdicts, groups };
        (Some(record), report)
    }
}

fn push_verdict(verdicts: &mut Vec<VerdictRun>, partition: Option<u16>) {
    match verdicts.last_mut() {
        Some(run) if run.partition == partition => run.count += 1,
        _ => verdicts.push(VerdictRun { partition, count: 1 }),
    }
}

/// The partitions of one record.
struct Places {
    env: Arc<str>,
    partitions: Vec<PartitionKey>,
    /// What was decided for each index and day so far.
    decided: BTreeMap<(Arc<str>, i32), Result<u16, String>>,
    /// The one that the last line went to: the next most often goes there too.
    last: Option<((Arc<str>, i32), u16)>,
    /// The index of the last line; and scratch for that of this one.
    index: Arc<str>,
    name: String,
}

impl Places {
    fn new(target: &Target) -> Self {
        let env = Arc::from(target.env.as_str());
        let index = Arc::from(target.index.fixed().unwrap_or(""));
        Self { env, partitions: Vec::new(), decided: BTreeMap::new(), last: None, index, name: String::new() }
    }

    fn of(&mut self, request: &Request, parser: &LineParser, line: &Line<'_>) -> Result<u16, Verdict> {
        let target = &request.target;
        if target.index.fixed().is_none() {
            let filled = target.index.fill(parser, line, target.source.as_deref(), &mut self.name);
            filled.map_err(|what| Verdict::Refused(format!("`{}` cannot be an index: {what}", self.name)))?;
            if *self.name != *self.index {
                self.index = Arc::from(self.name.as_str());
            }
        }
        let key = PartitionKey::of(&self.env, &self.index, line.timestamp.unwrap_or(request.arrival_ns));
        if let Some(((index, day), partition)) = &self.last
            && *day == key.day
            && *index == key.index
        {
            return Ok(*partition);
        }
        let place = (Arc::clone(&key.index), key.day);
        let partition = match self.decided.get(&place) {
            Some(decided) => decided.clone().map_err(Verdict::Refused)?,
            None => self.decide(request, key)?,
        };
        self.last = Some((place, partition));
        Ok(partition)
    }

    fn decide(&mut self, request: &Request, key: PartitionKey) -> Result<u16, Verdict> {
        let place = (Arc::clone(&key.index), key.day);
        let refusal = (request.refusal)(&key);
        if refusal.is_none() && self.partitions.len() == RECORD_PARTITIONS_MAX {
            return Err(Verdict::NoRoom);
        }
        let decided = match refusal {
            Some(reason) => Err(reason),
            None => {
                self.partitions.push(key);
                Ok((self.partitions.len() - 1) as u16)
            }
        };
        self.decided.insert(place, decided.clone());
        decided.map_err(Verdict::Refused)
    }
}

const _: () = assert!(RECORD_PARTITIONS_MAX <= u16::MAX as usize, "verdicts name partitions in 16 bits");

#[cfg(test)]
mod tests;
