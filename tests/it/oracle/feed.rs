//! The generated events as an engine holds them: parsed by the real parser, in row groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use helios::block::{GroupBuilder, RowGroup, RowMeta};
use helios::engine::{PartitionView, Snapshot};
use helios::event::{Line, LineKind, LineParser, Origin, PartitionKey, Sequence};

use super::Event;

/// All events in heads, in groups of at most `group_rows`, in their order here.
pub(crate) fn snapshot(events: &[Event], group_rows: usize) -> Snapshot {
    let mut partitions: BTreeMap<PartitionKey, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let (env, index) = (Arc::from(event.env.as_str()), Arc::from(event.index.as_str()));
        partitions.entry(PartitionKey::of(&env, &index, event.timestamp)).or_default().push(event);
    }
    let view = |(key, events): (PartitionKey, Vec<&Event>)| {
        let head = events.chunks(group_rows).map(|events| Arc::new(group(events))).collect();
        Arc::new(PartitionView { key, blocks: Vec::new(), head, lost: Vec::new() })
    };
    Snapshot { partitions: partitions.into_iter().map(view).collect(), ..Snapshot::default() }
}

/// One row group of events.
pub(crate) fn group(events: &[&Event]) -> RowGroup {
    let mut parser = LineParser::new();
    let mut builder = GroupBuilder::new();
    for event in events {
        let mut line = Line::default();
        parser.parse(kind(event), &event.raw, 0, &mut line).expect("generated lines are events");
        assert_eq!(line.timestamp, Some(event.timestamp), "{}", String::from_utf8_lossy(&event.raw));
        builder.push(
            &line,
            RowMeta {
                time: event.timestamp,
                origin: Origin(event.origin),
                sequence: Sequence(event.sequence),
                time_is_arrival: false,
                source: None,
            },
        );
    }
    builder.finish(parser.into_paths())
}

pub(crate) fn kind(event: &Event) -> LineKind {
    if event.raw.starts_with(b"{") { LineKind::Json } else { LineKind::Text }
}

#[test]
fn the_parser_reads_what_the_generator_wrote() {
    let hidden = ["timestamp", "message", "source"];
    for event in super::generate::events(&mut super::generate::Rng::new(5), 500) {
        let mut parser = LineParser::new();
        let mut line = Line::default();
        parser.parse(kind(&event), &event.raw, 0, &mut line).unwrap();
        let text = |index: Option<u32>| index.map(|index| line.fields[index as usize].text.to_string());
        assert_eq!(text(line.message).unwrap_or_default(), event.message);
        assert_eq!(text(line.source), event.source);
        let shown = String::from_utf8_lossy(&event.raw);
        let read = line
            .fields
            .iter()
            .map(|field| (super::cell::fold(parser.paths().name(field.path)), field.text.to_string()));
        let read: Vec<_> = read.filter(|(name, _)| !hidden.contains(&name.as_str())).collect();
        let written = event
            .fields
            .iter()
            .flat_map(|(name, values)| values.iter().map(|value| (super::cell::fold(name), value.clone())));
        assert_eq!(read, written.collect::<Vec<_>>(), "{shown}");
    }
}
