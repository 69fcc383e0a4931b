//! What the sender is told about its lines.

use std::collections::BTreeSet;

use crate::event::PartitionKey;

/// Refused lines that are named; further ones are counted.
pub const ERRORS_NAMED_MAX: usize = 20;

/// A line that is no event.
#[derive(Clone, Debug, PartialEq)]
pub struct LineProblem {
    /// Its number in the body, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Counts of lines, and the first problems.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Lines that are events.
    pub accepted: u64,
    /// Lines that are none.
    pub refused: u64,
    /// Lines with nothing in them, which are in no other count.
    pub blank: u64,
    /// The first of the refused lines.
    pub errors: Vec<LineProblem>,
    /// Where the events went.
    pub partitions: BTreeSet<PartitionKey>,
}

impl Report {
    /// Adds what became of later lines.
    pub fn add(&mut self, later: Self) {
        let Self { accepted, refused, blank, errors, partitions } = later;
        self.accepted += accepted;
        self.refused += refused;
        self.blank += blank;
        let room = ERRORS_NAMED_MAX - self.errors.len();
        self.errors.extend(errors.into_iter().take(room));
        self.partitions.extend(partitions);
    }

    /// Counts a line that is no event.
    pub fn refuse(&mut self, line: u64, reason: String) {
        self.refused += 1;
        if self.errors.len() < ERRORS_NAMED_MAX {
            self.errors.push(LineProblem { line, reason });
        }
    }

    /// Counts a line that was passed over by the reader.
    pub fn refuse_too_long(&mut self, line: u64, line_bytes_max: usize) {
        self.refuse(line, Self::too_long_reason(line_bytes_max));
    }

    pub(super) fn too_long_reason(line_bytes_max: usize) -> String {
        format!("the line is longer than {line_bytes_max} bytes")
    }
}
