//! From a request's texts to what can be run.

use std::sync::Arc;

use super::error::{BadQuery, QueryError};
use super::language::{ParseError, Query, parse_with_hints};
use super::memory::Budget;
use super::pipeline::{Chain, StageContext, Step};
use super::request::{Access, Scope};
use super::scan::filter::Filter;
use super::stages::{Sort, Stage};
use crate::engine::Snapshot;

/// A query, ready to run.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) filter: Filter,
    /// Says all that the filter depends on.
    pub(crate) filter_key: Arc<str>,
    /// Stages that carry events.
    pub(crate) events: Vec<Stage>,
    /// The first stage that makes a table, and what follows it.
    pub(crate) table: Vec<Stage>,
    /// What is probably not meant so.
    pub(crate) warnings: Vec<String>,
}

/// Reads a query and the parameter `sort`, which is one more stage.
pub(crate) fn prepare(query: &str, sort: Option<&str>) -> Result<Prepared, QueryError> {
    let parsed = parse_with_hints(query).map_err(|error| bad_query("q", query, error))?;
    let Query { filter, mut stages } = parsed.query;
    if let Some(sort) = sort.filter(|sort| !sort.trim().is_empty()) {
        let stage = Sort::from_parameter(sort).map_err(|error| bad_query("sort", sort, error))?;
        stages.push(Stage::Sort(stage));
    }
    let filter_key = Arc::from(format!("{filter:?}"));
    let filter = Filter::new(&filter).map_err(|message| BadQuery::parameter("q", message))?;
    let reducing = stages.iter().position(Stage::reduces).unwrap_or(stages.len());
    let table = stages.split_off(reducing);
    let warnings = parsed.hints.into_iter().map(|hint| hint.message).collect();
    Ok(Prepared { filter, filter_key, events: stages, table, warnings })
}

/// A parser's error as the answer shows it.
pub(crate) fn bad_query(parameter: &'static str, text: &str, error: ParseError) -> QueryError {
    let ParseError { column, length, message, hint, fix } = error;
    let fixed = fix.map(|fix| {
        let before = text.chars().take(column.saturating_sub(1) as usize);
        let after = text.chars().skip((column.saturating_sub(1) + length) as usize);
        before.chain(fix.chars()).chain(after).collect()
    });
    BadQuery { parameter, message, column: Some(column), width: length, hint, fixed }.into()
}

impl Prepared {
    /// Refuses stages that make a table, for requests that are about events.
    pub(crate) fn only_events(&self, what: &str) -> Result<(), QueryError> {
        match self.table.first() {
            None => Ok(()),
            Some(stage) => {
                let name = stage.help().name;
                let message = format!("`{name}` makes a table, and {what} is about events");
                Err(BadQuery::parameter("q", message).with_hint(format!("leave out `| {name} …`")).into())
            }
        }
    }
}

/// The stages that carry events, ready to run.
pub(crate) fn chain_of(stages: &[Stage], context: &StageContext) -> Result<Chain, QueryError> {
    let mut operators = Vec::with_capacity(stages.len());
    for stage in stages {
        match stage.start(context)? {
            Step::Rows(operator) => operators.push(operator),
            Step::Reduce(_) => panic!("a stage that makes a table is no part of a chain"),
        }
    }
    Ok(Chain::new(operators))
}

/// What a stage may know.
pub(crate) fn stage_context(scope: &Scope, zone: Option<&str>, now: i64, budget: &Budget) -> StageContext {
    StageContext {
        now,
        range: (scope.start, scope.end),
        zone: zone.map(str::to_owned),
        budget: budget.clone(),
        columns: None,
        keep: false,
        extremes: None,
    }
}

/// Rule 20: names of indexes that do not exist. They are no error, but said. And what damage has taken.
pub(crate) fn warnings_of(snapshot: &Snapshot, scope: &Scope, access: &Access) -> (Vec<String>, bool) {
    let mut warnings = Vec::new();
    for name in scope.indexes.iter().filter(|name| !name.contains(['*', '?'])) {
        let one = Scope { indexes: vec![name.clone()], ..scope.clone() };
        let exists =
            snapshot.partitions.iter().any(|partition| one.names(&partition.key) && access.allows(&partition.key));
        if !exists {
            warnings.push(format!("there is no index `{name}` (yet)"));
        }
    }
    let mut partial = false;
    let asked =
        snapshot.partitions.iter().filter(|partition| scope.names(&partition.key) && access.allows(&partition.key));
    for partition in asked {
        for lost in &partition.lost {
            partial = true;
            warnings.push(format!("damage has taken events of {}: {}", partition.key, lost.why));
        }
    }
    if !snapshot.lost.is_empty() {
        partial = true;
        warnings.push("damage has taken events whose partition is not known; `helios verify` says more".to_owned());
    }
    (warnings, partial)
}
