//! The events around one: of the same index and the same source, by time.

use std::collections::BTreeSet;

use futures_util::StreamExt;

use super::QueryContext;
use super::answer::{ContextAnswer, Hit};
use super::error::QueryError;
use super::language::{Expr, FieldName, FieldTest, Predicate};
use super::memory::Budget;
use super::prepare::{stage_context, warnings_of};
use super::request::{ContextRequest, Scope};
use super::rows::{RowKey, keys_of};
use super::run::{Found, Search, matches_of_group};
use super::scan::filter::Filter;
use super::scan::view::View;
use super::source::{Place, Source, footer_of};
use crate::block::footer::OriginRange;
use crate::engine::{BlockId, Snapshot};
use crate::event::EventId;

/// Width of the first window of time that is looked at for neighbours; each next one is wider.
const WINDOW_NS: i64 = 60_000_000_000;

/// How much wider.
const WINDOW_GROWTH: i64 = 16;

/// Finds the event and its neighbours.
pub(crate) async fn context(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &ContextRequest,
) -> Result<ContextAnswer, QueryError> {
    let scope = Scope { env: request.env.clone(), ..Scope::default() };
    let event = find(context, snapshot, &scope, request.id).await?;
    let neighbours = Expr::And(vec![same("index", Some(&event.index)), same("source", event.source.as_deref())]);
    let filter = Filter::new(&neighbours).expect("texts are no patterns");
    let key = (event.timestamp, event.id);
    let before = beside(context, snapshot, &scope, &filter, key, request.before as usize, false).await?;
    let after = beside(context, snapshot, &scope, &filter, key, request.after as usize, true).await?;
    let (warnings, _) = warnings_of(snapshot, &scope, &context.access);
    Ok(ContextAnswer { before, event, after, warnings })
}

fn same(member: &str, value: Option<&str>) -> Expr {
    let test = |test| Expr::Test(Predicate::Field { field: FieldName::new(member), test });
    match value {
        Some(value) => test(FieldTest::Equals(value.to_owned())),
        None => Expr::Not(Box::new(test(FieldTest::Present))),
    }
}

async fn find(context: &QueryContext, snapshot: &Snapshot, scope: &Scope, id: EventId) -> Result<Hit, QueryError> {
    let test = FieldTest::Equals(id.to_string());
    let wanted = Expr::Test(Predicate::Field { field: FieldName::new("id"), test });
    let filter = Filter::new(&wanted).expect("an id is no pattern");
    let mut source = Source::open_once(context, snapshot, scope, &filter).await?;
    // A partition's watermarks say which one of its blocks has it, if it is in that partition at all.
    let blocks: BTreeSet<BlockId> =
        snapshot.partitions.iter().filter_map(|partition| partition.block_of(id)).map(|block| block.entry.id).collect();
    let holds = |range: &OriginRange| {
        range.origin == id.origin && (range.sequence_min..=range.sequence_max).contains(&id.sequence.0)
    };
    let mut tasks = Vec::new();
    for task in std::mem::take(&mut source.tasks) {
        let may_have_it = match &task.place {
            Place::Memory(_) => true,
            Place::Stored { block, .. } if !blocks.contains(&block.entry.id) => false,
            Place::Stored { block, group } => {
                footer_of(block).await?.groups.get(*group).is_none_or(|info| info.origins.iter().any(holds))
            }
        };
        if may_have_it {
            tasks.push(task);
        }
    }
    source.tasks = tasks;
    let found = all_matches(&source).await?;
    let search = search_over(context, scope);
    let mut hits = search.hits(&source, &found[..found.len().min(1)], None).await?;
    hits.pop().ok_or_else(|| QueryError::NoSuchEvent { id: id.to_string() })
}

/// The nearest neighbours on one side, oldest first.
async fn beside(
    context: &QueryContext,
    snapshot: &Snapshot,
    scope: &Scope,
    filter: &Filter,
    key: RowKey,
    wanted: usize,
    newer: bool,
) -> Result<Vec<Hit>, QueryError> {
    if wanted == 0 {
        return Ok(Vec::new());
    }
    let mut width = WINDOW_NS;
    loop {
        // The last window has no far end at all, or an event near 1970 would never see how far 1678 is.
        let reach = Some(width).filter(|width| *width < i64::MAX);
        let (start, end) = match newer {
            true => (Some(key.0), reach.and_then(|reach| key.0.checked_add(reach))),
            false => (reach.and_then(|reach| key.0.checked_sub(reach)), key.0.checked_add(1)),
        };
        let everything = width == i64::MAX || if newer { end.is_none() } else { start.is_none() };
        let window = Scope { start, end, ..scope.clone() };
        let source = Source::open_once(context, snapshot, &window, filter).await?;
        let mut found = all_matches(&source).await?;
        found.retain(|(own, _)| if newer { *own > key } else { *own < key });
        if found.len() >= wanted || everything {
            found.sort_unstable();
            if newer {
                found.truncate(wanted);
            } else {
                found.drain(..found.len().saturating_sub(wanted));
            }
            return search_over(context, &window).hits(&source, &found, None).await;
        }
        width = width.saturating_mul(WINDOW_GROWTH);
    }
}

async fn all_matches(source: &Source) -> Result<Vec<Found>, QueryError> {
    let mut found = Vec::new();
    let mut groups = std::pin::pin!(source.each(|index, task| {
        let mut matches = matches_of_group(task, source);
        move |view: &View| {
            let rows = matches(view)?;
            let keys = keys_of(view, &rows)?;
            Ok(keys.into_iter().map(|(key, row)| (key, (index as u32, row))).collect::<Vec<Found>>())
        }
    }));
    while let Some(keys) = groups.next().await {
        found.extend(keys?);
    }
    Ok(found)
}

fn search_over<'a>(context: &'a QueryContext, scope: &Scope) -> Search<'a> {
    let budget = Budget::new(context.shared.limits.memory_bytes);
    let stages = stage_context(scope, None, 0, &budget);
    Search::new(context, Source::empty(context), budget, stages)
}
