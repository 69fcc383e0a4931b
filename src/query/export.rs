//! All matches in order, without a cap and in bounded memory.

use std::sync::Arc;

use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::QueryContext;
use super::answer::ExportPart;
use super::error::QueryError;
use super::memory::Budget;
use super::pipeline::{Flow, fields_read};
use super::prepare::{chain_of, prepare, stage_context, warnings_of};
use super::record::Record;
use super::request::ExportRequest;
use super::rows::{Projection, hit_bytes};
use super::run::{Found, Search, key_of, records_in_order};
use super::source::Source;
use super::stages::Stage;
use crate::engine::Snapshot;

/// Events that are put together and sent at a time.
const PART_ROWS: usize = 500;

/// Sends everything to `parts`.
pub(crate) async fn export(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &ExportRequest,
    parts: &mpsc::Sender<ExportPart>,
) -> Result<(), QueryError> {
    let prepared = prepare(&request.query, request.sort.as_deref())?;
    let budget = Budget::new(context.shared.limits.memory_bytes);
    let source = Source::open(context, snapshot, &request.scope, &prepared).await?;
    let stages = stage_context(&request.scope, request.zone.as_deref(), request.now.0, &budget);
    let (mut warnings, partial) = warnings_of(snapshot, &request.scope, &context.access);
    warnings.extend(prepared.warnings.iter().cloned());
    let mut search = Search::new(context, source, budget, stages);
    if prepared.table.is_empty() {
        events(&mut search, &prepared.events, parts).await?;
    } else {
        let answer = search.table(&prepared).await?;
        warnings.extend(answer.warnings);
        let table = answer.table.unwrap_or_default();
        parts.send(ExportPart::Table(table)).await.map_err(|_| QueryError::Cancelled)?;
    }
    parts.send(ExportPart::Done { partial, warnings }).await.map_err(|_| QueryError::Cancelled)
}

async fn events(search: &mut Search<'_>, stages: &[Stage], parts: &mpsc::Sender<ExportPart>) -> Result<(), QueryError> {
    let source = std::mem::replace(&mut search.source, Source::empty(search.context));
    let mut chain = chain_of(stages, &search.stage_context)?;
    let projection = Arc::new(Projection::new(fields_read(stages)));
    let mut batches = std::pin::pin!(records_in_order(search.budget.clone(), &source, projection));
    let mut waiting: Vec<Found> = Vec::new();
    let mut flow = Flow::More;
    while flow == Flow::More {
        let Some(batch) = batches.next().await else { break };
        for record in batch? {
            flow = chain.push(record, &mut |record| Ok(wait(&mut waiting, &record)))?;
            if flow == Flow::Enough {
                break;
            }
        }
        send(search, &source, stages, &mut waiting, parts).await?;
    }
    chain.finish(&mut |record| Ok(wait(&mut waiting, &record)))?;
    send(search, &source, stages, &mut waiting, parts).await
}

fn wait(waiting: &mut Vec<Found>, record: &Record) -> Flow {
    waiting.push((key_of(record), record.place));
    Flow::More
}

async fn send(
    search: &Search<'_>,
    source: &Source,
    stages: &[Stage],
    waiting: &mut Vec<Found>,
    parts: &mpsc::Sender<ExportPart>,
) -> Result<(), QueryError> {
    let mapping = (!stages.is_empty()).then_some(stages);
    for found in waiting.chunks(PART_ROWS) {
        let hits = search.hits(source, found, mapping).await?;
        let held = hits.iter().map(|hit| hit_bytes(&hit.raw)).sum();
        parts.send(ExportPart::Hits(hits)).await.map_err(|_| QueryError::Cancelled)?;
        search.budget.give_back(held);
    }
    waiting.clear();
    Ok(())
}
