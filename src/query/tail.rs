//! Live tail: which of the events that just arrived a query wants.

use std::sync::Arc;

use super::answer::Hit;
use super::error::{BadQuery, QueryError};
use super::memory::Budget;
use super::pipeline::{Flow, StageContext};
use super::prepare::{Prepared, chain_of, prepare, stage_context};
use super::record::Record;
use super::request::{Access, Cancel, Scope};
use super::rows::{RowKey, hits_of};
use super::scan::eval::{Memory, rows_that_fit};
use super::scan::filter::Filter;
use super::scan::view::View;
use super::stages::Stage;
use crate::block::RowGroup;
use crate::event::PartitionKey;
use crate::host::UnixNanos;

/// Memory that the events of one batch may take as hits.
const BATCH_BYTES_MAX: u64 = 1 << 30;

/// A query made ready for live tail.
pub struct LiveFilter {
    filter: Filter,
    stages: Vec<Stage>,
    stage_context: StageContext,
    scope: Scope,
    access: Access,
}

impl LiveFilter {
    /// Reads the query. Stages that look at one event at a time are allowed.
    ///
    /// # Errors
    /// `BadQuery`, also for a stage that needs all events.
    pub fn new(query: &str, scope: Scope, access: Access, now: UnixNanos) -> Result<Self, QueryError> {
        let prepared = prepare(query, None)?;
        prepared.only_events("live tail")?;
        let stage_context = stage_context(&scope, None, now.0, &Budget::new(BATCH_BYTES_MAX));
        for stage in &prepared.events {
            if !chain_of(std::slice::from_ref(stage), &stage_context)?.is_row_by_row() {
                let name = stage.help().name;
                let message = format!("`{name}` needs all events, and live tail sees one at a time");
                return Err(BadQuery::parameter("q", message).with_hint(format!("leave out `| {name} …`")).into());
            }
        }
        let Prepared { filter, events: stages, .. } = prepared;
        Ok(Self { filter, stages, stage_context, scope, access })
    }

    /// The events of a batch that the query wants, in the order in which they came.
    pub fn hits(&self, key: &PartitionKey, group: &Arc<RowGroup>) -> Vec<Hit> {
        if !self.scope.names(key) || !self.access.allows(key) {
            return Vec::new();
        }
        // A batch that is too large to be shown is not shown; the events are there for a search.
        self.try_hits(key, group).unwrap_or_default()
    }

    fn try_hits(&self, key: &PartitionKey, group: &Arc<RowGroup>) -> Option<Vec<Hit>> {
        let view = View::Memory(Arc::clone(group));
        let filter = self.filter.in_partition(key);
        let rows = rows_that_fit(&filter, &self.scope, &view, &mut Memory::new(&filter), &Cancel::default()).ok()?;
        let keys: Vec<(RowKey, u32)> = rows.iter().map(|row| (group.key(row), row)).collect();
        let hits = hits_of(&view, key, &keys, &Budget::new(BATCH_BYTES_MAX)).ok()?;
        if self.stages.is_empty() {
            return Some(hits);
        }
        let mut chain = chain_of(&self.stages, &self.stage_context).ok()?;
        let mut shown = Vec::with_capacity(hits.len());
        for mut hit in hits {
            let mut record = None;
            chain
                .push(Record::of_hit(&hit, (0, 0)), &mut |out| {
                    record = Some(out);
                    Ok(Flow::More)
                })
                .ok()?;
            if let Some(record) = record {
                record.into_hit(&mut hit);
                shown.push(hit);
            }
        }
        Some(shown)
    }
}
