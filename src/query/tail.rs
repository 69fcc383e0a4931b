//! Live tail: which of the events that just arrived a query wants.

use super::answer::Hit;
use super::error::QueryError;
use super::request::{Access, Scope};
use crate::block::RowGroup;
use crate::event::PartitionKey;
use crate::host::UnixNanos;

/// A query made ready for live tail.
pub struct LiveFilter {}

impl LiveFilter {
    /// Reads the query. Stages that look at one event at a time are allowed.
    ///
    /// # Errors
    /// `BadQuery`, also for a stage that needs all events.
    pub fn new(_query: &str, _scope: Scope, _access: Access, _now: UnixNanos) -> Result<Self, QueryError> {
        Ok(Self {})
    }

    /// The events of a batch that the query wants, in the order in which they came.
    pub fn hits(&self, _key: &PartitionKey, _group: &RowGroup) -> Vec<Hit> {
        Vec::new()
    }
}
