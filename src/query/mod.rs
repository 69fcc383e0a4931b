//! From query text to answer.
//!
//! **Promise.** An answer is exact, or says in its warnings where it is not. A query never panics,
//! whatever its text; its memory is bounded and its work can be cancelled.
//!
//! **Boundary.** `language` turns text into a tree and knows nothing of storage; `value`, `decimal` and `matching` say when
//! two values are equal and which comes first, for everybody alike; each file of `stages` is one
//! pipeline stage.

mod aggregate;
pub mod answer;
mod around;
mod cache;
mod counts;
mod cursor;
pub mod decimal;
mod discover;
pub mod error;
pub mod explain;
mod export;
mod gather;
pub mod language;
mod load;
pub mod matching;
mod memory;
mod pipeline;
mod prepare;
mod record;
pub mod request;
mod results;
mod rows;
mod run;
mod scan;
mod source;
pub mod stages;
mod table;
pub mod tail;
pub mod value;

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::engine::Snapshot;
use crate::host::Host;

pub use answer::{
    AggregateAnswer, ContextAnswer, DiscoverAnswer, ExportPart, HistogramAnswer, Hit, Progress, SearchAnswer,
    SearchEvent, Table,
};
pub use error::{BadQuery, QueryError};
pub use explain::Explain;
pub use request::{
    Access, AggregateRequest, Cancel, CancelOnDrop, ContextRequest, CountMode, DiscoverRequest, ExportRequest, Grant,
    HistogramRequest, Scope, SearchRequest,
};
pub use tail::LiveFilter;

/// What all queries of a process share. Make one at start.
pub struct QueryShared {
    host: Host,
    limits: QueryLimits,
    cache: cache::ChunkCache,
    results: results::ResultCache,
    events: cache::EventCache,
}

/// What queries may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueryLimits {
    /// Memory for what is kept for the next query, in bytes: for decoded columns, for what plans found
    /// out about groups of rows, and for events as they were shown.
    pub cache_bytes: u64,
    /// Memory that one query may hold for its answer, in bytes.
    pub memory_bytes: u64,
}

/// One query's view of the world.
#[derive(Clone)]
pub struct QueryContext {
    /// What all queries share.
    pub shared: Arc<QueryShared>,
    /// What may be read.
    pub access: Access,
    /// Stops the query.
    pub cancel: Cancel,
}

impl QueryShared {
    /// Makes it.
    pub fn new(host: Host, limits: QueryLimits) -> Self {
        let results_bytes = limits.cache_bytes / RESULTS_SHARE;
        let events_bytes = limits.cache_bytes / EVENTS_SHARE;
        let cache = cache::ChunkCache::new(limits.cache_bytes - results_bytes - events_bytes);
        let events = cache::EventCache::new(events_bytes);
        Self { host, limits, cache, results: results::ResultCache::new(results_bytes), events }
    }

    /// Memory that decoded columns, kept outcomes and kept events take at the moment, in bytes.
    pub fn cache_used_bytes(&self) -> u64 {
        self.cache.used_bytes() + self.results.used_bytes() + self.events.used_bytes()
    }
}

/// One part in so many of the memory for the next query is for outcomes. They are small beside the columns
/// that they come from, and worth more.
const RESULTS_SHARE: u64 = 4;

/// And one in so many for events: some ten thousand of them in the memory that is asked for by default.
const EVENTS_SHARE: u64 = 32;

impl QueryContext {
    /// The same with a switch of its own, which goes off when the guard is dropped: so the work of a
    /// future that nobody waits for any more ends on the CPU pool too.
    fn guarded(&self) -> (Self, CancelOnDrop) {
        let cancel = self.cancel.part();
        (Self { cancel: cancel.clone(), ..self.clone() }, CancelOnDrop(cancel))
    }
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { cache_bytes: 512 << 20, memory_bytes: 256 << 20 }
    }
}

/// Answers a search.
///
/// # Cancel safety
/// A drop ends the work on the CPU pool too.
pub async fn search(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &SearchRequest,
) -> Result<SearchAnswer, QueryError> {
    let (context, _guard) = context.guarded();
    run::search(&context, snapshot, request, None).await
}

/// Answers a search piece by piece: progress, the hits as soon as they are final, the rest. Ends with
/// `Cancelled` when nobody receives any more.
pub async fn search_stream(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &SearchRequest,
    events: mpsc::Sender<SearchEvent>,
) -> Result<(), QueryError> {
    let (context, _guard) = context.guarded();
    let answer = run::search(&context, snapshot, request, Some(&events)).await?;
    events.send(SearchEvent::Done(Box::new(answer))).await.map_err(|_| QueryError::Cancelled)
}

/// Counts over time.
pub async fn histogram(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &HistogramRequest,
) -> Result<HistogramAnswer, QueryError> {
    let (context, _guard) = context.guarded();
    counts::histogram(&context, snapshot, request).await
}

/// The most frequent values of fields.
pub async fn aggregate(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &AggregateRequest,
) -> Result<AggregateAnswer, QueryError> {
    let (context, _guard) = context.guarded();
    counts::aggregate(&context, snapshot, request).await
}

/// Which fields there are, and what is in them.
pub async fn discover_fields(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &DiscoverRequest,
) -> Result<DiscoverAnswer, QueryError> {
    let (context, _guard) = context.guarded();
    discover::discover(&context, snapshot, request).await
}

/// The events around one.
pub async fn context(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &ContextRequest,
) -> Result<ContextAnswer, QueryError> {
    let (context, _guard) = context.guarded();
    around::context(&context, snapshot, request).await
}

/// Sends all matches in order, in bounded memory. Ends with `Cancelled` when nobody receives any more.
pub async fn export(
    context: &QueryContext,
    snapshot: &Snapshot,
    request: &ExportRequest,
    parts: mpsc::Sender<ExportPart>,
) -> Result<(), QueryError> {
    let (context, _guard) = context.guarded();
    export::export(&context, snapshot, request, &parts).await
}
