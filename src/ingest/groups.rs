//! The events of one record, partition by partition.

use hashbrown::HashMap;

use crate::block::{GroupBuilder, RowMeta};
use crate::engine::NewGroup;
use crate::event::{Line, LineParser, Origin, PathId, PathTable, Sequence};

/// A line's place in its record, and its time.
pub(super) struct Row<'s> {
    /// How many lines with a verdict are before it.
    pub(super) sequence: u64,
    /// Event time, nanoseconds since 1970.
    pub(super) time: i64,
    /// Whether that is when the request came, for want of another.
    pub(super) time_is_arrival: bool,
    /// The source of lines that name none.
    pub(super) source: Option<&'s str>,
}

/// Builds a row group for each partition of a record.
///
/// The first partition's group takes over the parser's table of paths: most records have no other
/// partition. Others get tables of their own, so that a thousand partitions with a thousand paths each
/// do not cost a million columns.
#[derive(Default)]
pub(super) struct Groups {
    first: Group,
    others: Vec<(Group, OwnPaths)>,
}

#[derive(Default)]
struct Group {
    builder: GroupBuilder,
    raw_bytes: u64,
}

/// A table of paths, and its ids by those of the parser.
#[derive(Default)]
struct OwnPaths {
    table: PathTable,
    ids: HashMap<u32, PathId, foldhash::fast::FixedState>,
}

impl Groups {
    /// Adds an event to a partition. The ids of its fields may be changed.
    pub(super) fn push(&mut self, partition: usize, parser: &LineParser, line: &mut Line<'_>, row: Row<'_>) {
        match partition.checked_sub(1) {
            None => self.first.push(line, row),
            Some(other) => {
                if other >= self.others.len() {
                    self.others.resize_with(other + 1, Default::default);
                }
                let (group, own) = &mut self.others[other];
                for field in &mut line.fields {
                    let id = field.path;
                    field.path = *own.ids.entry(id.0).or_insert_with(|| own.table.intern(parser.paths().name(id)));
                }
                group.push(line, row);
            }
        }
    }

    /// The groups of all `partitions`, those without events included. `paths` is the parser's table.
    pub(super) fn finish(mut self, paths: PathTable, partitions: usize) -> Vec<NewGroup> {
        self.others.resize_with(partitions.saturating_sub(1).max(self.others.len()), Default::default);
        let others = self.others.into_iter().map(|(group, own)| group.finish(own.table));
        std::iter::once(self.first.finish(paths)).chain(others).take(partitions).collect()
    }
}

impl Group {
    fn push(&mut self, line: &Line<'_>, row: Row<'_>) {
        let Row { sequence, time, time_is_arrival, source } = row;
        // The engine knows origin and first sequence when it logs the record, and sets both then.
        let (origin, sequence) = (Origin::default(), Sequence(sequence));
        self.builder.push(line, RowMeta { time, origin, sequence, time_is_arrival, source });
        self.raw_bytes += line.raw.len() as u64;
    }

    fn finish(self, paths: PathTable) -> NewGroup {
        NewGroup { rows: self.builder.finish(paths), raw_bytes: self.raw_bytes }
    }
}
