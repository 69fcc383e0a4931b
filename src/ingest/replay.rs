//! Reading the log's records again when the server starts.

use super::groups::{Groups, Row};
use super::lines::split_lines;
use super::record::RecordOptions;
use crate::engine::log::LogRecord;
use crate::engine::{NewGroup, RecordReader, VerdictRun};
use crate::event::partition::DAY_NS;
use crate::event::{Line, LineKind, LineParser, PartitionKey};

/// Reads records as this version reads lines, without judging them anew: what was accepted stays an
/// event of its partition, what was refused stays refused, and every line keeps its number.
pub struct Replay;

impl RecordReader for Replay {
    fn read(&self, record: &LogRecord) -> Vec<NewGroup> {
        let LogRecord { partitions, verdicts, options, body, .. } = record;
        // Options of another version: the lines are then read as what most lines are.
        let options = RecordOptions::decode(options).unwrap_or_default();
        let mut parser = LineParser::new();
        let mut groups = Groups::default();
        let mut line = Line::default();
        let events = split_lines(body).filter(|sent| !sent.is_blank()).zip(places(verdicts)).enumerate();
        for (sequence, (sent, place)) in events {
            let place = place.map(usize::from).and_then(|place| Some((place, partitions.get(place)?)));
            let Some((partition, key)) = place else { continue };
            read_line(&mut parser, &options, sent.raw, &mut line);
            let (time, time_is_arrival) = time_within(key, line.timestamp, options.arrival_ns);
            let row = Row { sequence: sequence as u64, time, time_is_arrival, source: options.source.as_deref() };
            groups.push(partition, &parser, &mut line, row);
        }
        drop(line);
        groups.finish(parser.into_paths(), partitions.len())
    }
}

/// The partition of each line, in order.
fn places(verdicts: &[VerdictRun]) -> impl Iterator<Item = Option<u16>> {
    verdicts.iter().flat_map(|run| std::iter::repeat_n(run.partition, run.count as usize))
}

/// A line that was accepted once is an event, even if it could not be read any more: then it is text.
fn read_line<'a>(parser: &mut LineParser, options: &RecordOptions, raw: &'a [u8], line: &mut Line<'a>) {
    if parser.parse(options.format.kind(), raw, options.arrival_ns, line).is_err() {
        let text = parser.parse(LineKind::Text, raw, options.arrival_ns, line);
        text.expect("a record of the log is shorter than 4 GiB, and a shorter text is always an event");
    }
}

/// The time of an event of partition `key`, and whether it is not the line's own. A time that is read
/// better now than it was must not take the event out of the day that it was put into.
fn time_within(key: &PartitionKey, read: Option<i64>, arrival_ns: i64) -> (i64, bool) {
    let within = |time_ns: &i64| time_ns.div_euclid(DAY_NS) == i64::from(key.day);
    match (read.filter(within), Some(arrival_ns).filter(within)) {
        (Some(time), _) => (time, false),
        (None, Some(arrival)) => (arrival, true),
        (None, None) => (i64::from(key.day).saturating_mul(DAY_NS), true),
    }
}
