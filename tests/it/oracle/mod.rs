//! The naive evaluator: what a query's answer is, by definition, over plain events in memory.
//!
//! It shares the parser's tree with the engine and nothing else: its own folding, matching,
//! arithmetic, grouping and order, all written for being right at first sight and not for speed.
//!
//! A property test makes events with [`generate::events`] and queries with [`generate::query`], feeds
//! both to the engine and to [`answer`], and compares with [`Answer`]'s parts and [`Cell::agrees`].

// Whatever is missing here is a failed test.
#![allow(clippy::unwrap_used)]

use helios::query::language::Query;
use helios::query::stages::{Sort, Stage};

pub(crate) mod aggregate;
pub(crate) mod cell;
pub(crate) mod filter;
pub(crate) mod generate;
pub(crate) mod number;
pub(crate) mod pipeline;
pub(crate) mod row;
pub(crate) mod scalar;

mod tests;

pub(crate) use cell::Cell;
pub(crate) use row::Row;

/// One event as it was sent, and what parsing it must have found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Nanoseconds since 1970.
    pub(crate) timestamp: i64,
    pub(crate) origin: u64,
    pub(crate) sequence: u64,
    pub(crate) env: String,
    pub(crate) index: String,
    /// The line.
    pub(crate) raw: Vec<u8>,
    /// The empty string if the line has none.
    pub(crate) message: String,
    pub(crate) source: Option<String>,
    /// Body fields but `timestamp`, `message`, `source`, with their values, in order.
    pub(crate) fields: Vec<(String, Vec<String>)>,
}

impl Event {
    pub(crate) fn id(&self) -> String {
        format!("{:016x}-{}", self.origin, self.sequence)
    }
}

/// What is asked beside the query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// First time that is searched.
    pub(crate) start: Option<i64>,
    /// First time that is not.
    pub(crate) end: Option<i64>,
    /// Whole names or patterns with `*`; empty: every index.
    pub(crate) indexes: Vec<String>,
    /// The zone of day buckets; `None`: UTC.
    pub(crate) zone: Option<String>,
    pub(crate) sort: Option<Sort>,
    pub(crate) now: i64,
}

/// What comes out.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Rule 11: events that leave the pipeline, or that reach its first reducing stage.
    pub(crate) total: usize,
    pub(crate) output: Output,
}

/// Hits or a table.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// All hits, in order.
    Hits(Vec<Row>),
    Table {
        columns: Vec<String>,
        rows: Vec<Vec<Cell>>,
    },
}

/// The answer to `query` over `events`.
pub(crate) fn answer(events: &[Event], query: &Query, request: &Request) -> Answer {
    let mut chosen: Vec<&Event> = events.iter().filter(|event| searched(event, query, request)).collect();
    // Rule 15: time, origin, sequence, all descending.
    chosen.sort_by_key(|event| std::cmp::Reverse((event.timestamp, event.origin, event.sequence)));
    let mut stages = query.stages.clone();
    stages.extend(request.sort.clone().map(Stage::Sort));
    pipeline::run(chosen.into_iter().map(Row::of_event).collect(), &stages, request)
}

fn searched(event: &Event, query: &Query, request: &Request) -> bool {
    // Rule 17: the start is inclusive, the end exclusive.
    let in_range = request.start.is_none_or(|start| event.timestamp >= start)
        && request.end.is_none_or(|end| event.timestamp < end);
    let in_index = request.indexes.is_empty() || request.indexes.iter().any(|name| index_fits(name, &event.index));
    in_range && in_index && filter::holds(&query.filter, event)
}

/// Whether an index has this name, in which `*` stands for anything.
fn index_fits(pattern: &str, index: &str) -> bool {
    let source: Vec<String> = pattern.split('*').map(regex::escape).collect();
    regex::Regex::new(&format!("(?i)^{}$", source.join(".*"))).unwrap().is_match(index)
}
