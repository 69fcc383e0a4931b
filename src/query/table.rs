//! Searches that end in a table.

use std::sync::{Arc, Mutex};

use super::aggregate::accumulator::At;
use super::aggregate::columns;
use super::aggregate::merged::Merged;
use super::aggregate::reduce::{Groups, Reduction, Rows, ordinal};
use super::answer::{Chart, SearchAnswer, Series, Table};
use super::error::QueryError;
use super::gather::{Gathered, Plan};
use super::language::FieldName;
use super::pipeline::{Flow, Step, fields_read};
use super::prepare::{Prepared, chain_of};
use super::record::{Cell, Record};
use super::rows::{Projection, keys_of};
use super::run::{Search, matches_of_group};
use super::scan::view::View;
use super::source::{Source, Task};
use super::stages::Stage;
use super::value::Value;

impl Search<'_> {
    /// Matches through a pipeline that makes a table.
    pub(crate) async fn table(&mut self, prepared: &Prepared) -> Result<SearchAnswer, QueryError> {
        let (reducing, rest) = prepared.table.split_first().expect("a table comes from a stage");
        let source = std::mem::replace(&mut self.source, Source::empty(self.context));
        if needs_extremes(reducing, self.stage_context.range) {
            self.stage_context.extremes = self.extremes(&source, &prepared.events).await?;
        }
        let (mut rows, total) = self.reduced(&source, prepared, reducing).await?;
        if rows.overflow {
            self.stage_context.keep = true;
            rows = self.reduced(&source, prepared, reducing).await?.0;
            self.stage_context.keep = false;
        }
        self.source = source;
        let mut is_chart = matches!(reducing, Stage::Timechart(_));
        let mut left = rest;
        while let Some(next) = left.iter().position(Stage::reduces) {
            is_chart = false;
            rows = self.through(rows, &left[..next])?;
            rows = self.reduced_again(rows, &left[next])?;
            left = &left[next + 1..];
        }
        rows = self.through(rows, left)?;
        let Rows { columns, rows, warnings, .. } = rows;
        let table = Table { columns: columns.iter().map(|name| name.typed().to_owned()).collect(), rows };
        let chart = chart_of(&table, is_chart);
        Ok(SearchAnswer { total: Some(total), table: Some(table), chart, warnings, ..SearchAnswer::default() })
    }

    async fn reduced(
        &mut self,
        source: &Source,
        prepared: &Prepared,
        reducing: &Stage,
    ) -> Result<(Rows, u64), QueryError> {
        let reduction = self.reduction(reducing, wanted_rows(&prepared.table))?;
        let row_by_row = chain_of(&prepared.events, &self.stage_context)?.is_row_by_row();
        let stages: Vec<Stage> = prepared.events.iter().chain([reducing]).cloned().collect();
        let plan = Plan::new(self, prepared, reducing, &reduction);
        let gathered = if prepared.events.is_empty() && columns::is_columnar(&reduction) {
            self.columnwise(source, &reduction, plan).await?
        } else if row_by_row {
            self.in_any_order(source, &prepared.events, &stages, &reduction, plan).await?
        } else {
            let groups = self.in_order(source, &prepared.events, &stages, &reduction).await?;
            let total = groups.arrived();
            let merged = Arc::new(Merged::of(groups));
            return Ok((merged.finish(&reduction, &self.budget)?, total));
        };
        Ok(gathered.into_parts())
    }

    fn reduction(&self, stage: &Stage, wanted: usize) -> Result<Arc<Reduction>, QueryError> {
        match stage.start(&self.stage_context)? {
            Step::Reduce(reduction) => Ok(Arc::new(Reduction { wanted, ..*reduction })),
            Step::Rows(_) => panic!("only stages that make a table are asked to"),
        }
    }

    /// Straight from columns; groups with rows of several values row by row.
    async fn columnwise(
        &mut self,
        source: &Source,
        reduction: &Arc<Reduction>,
        plan: Option<Plan>,
    ) -> Result<Gathered, QueryError> {
        let fields =
            reduction.by.iter().chain(reduction.aggregates.iter().filter_map(|measure| measure.field.as_ref()));
        let projection = Arc::new(Projection::new(fields.cloned().collect()));
        let budget = self.budget.clone();
        let make = |index: usize, task: &Arc<Task>| {
            let mut matches = matches_of_group(task, source);
            let (projection, partition) = (Arc::clone(&projection), Arc::clone(&task.partition));
            let (budget, reduction) = (budget.clone(), Arc::clone(reduction));
            move |view: &View| {
                let rows = matches(view)?;
                let mut part = Groups::new(Arc::clone(&reduction), budget.clone());
                if !columns::feed(&mut part, view, &rows)? {
                    let keys = keys_of(view, &rows)?;
                    for record in projection.records(view, &partition.key, &keys, index as u32, &budget)? {
                        part.add_row(&record, record.at)?;
                    }
                }
                Ok((part, rows.count()))
            }
        };
        self.gather(source, reduction, plan, make).await
    }

    /// Each group of rows by itself, then all together: for stages that look at one row at a time.
    async fn in_any_order(
        &mut self,
        source: &Source,
        events: &[Stage],
        stages: &[Stage],
        reduction: &Arc<Reduction>,
        plan: Option<Plan>,
    ) -> Result<Gathered, QueryError> {
        let projection = Arc::new(Projection::new(fields_read(stages)));
        let budget = self.budget.clone();
        let mut chains = Vec::with_capacity(source.tasks.len());
        for _ in &source.tasks {
            chains.push(Mutex::new(Some(chain_of(events, &self.stage_context)?)));
        }
        let make = |index: usize, task: &Arc<Task>| {
            let mut matches = matches_of_group(task, source);
            let (projection, partition) = (Arc::clone(&projection), Arc::clone(&task.partition));
            let (budget, reduction) = (budget.clone(), Arc::clone(reduction));
            let chain = chains[index].lock().expect("nothing panics while it holds this lock").take();
            let mut chain = chain.expect("each group is worked on once");
            move |view: &View| {
                let rows = matches(view)?;
                let keys = keys_of(view, &rows)?;
                let mut part = Groups::new(Arc::clone(&reduction), budget.clone());
                for keys in keys.chunks(RECORDS_AT_A_TIME) {
                    let records = projection.records(view, &partition.key, keys, index as u32, &budget)?;
                    for record in records {
                        chain.push(record, &mut |record| {
                            part.add_row(&record, record.at)?;
                            Ok(Flow::More)
                        })?;
                    }
                }
                Ok((part, rows.count()))
            }
        };
        self.gather(source, reduction, plan, make).await
    }

    /// All rows one after the other, newest first: for stages that depend on the order.
    async fn in_order(
        &mut self,
        source: &Source,
        events: &[Stage],
        stages: &[Stage],
        reduction: &Arc<Reduction>,
    ) -> Result<Groups, QueryError> {
        let mut chain = chain_of(events, &self.stage_context)?;
        let mut groups = Groups::new(Arc::clone(reduction), self.budget.clone());
        let mut number = 0;
        self.feed(source, stages, &mut chain, &mut |record| {
            let at = At { order: ordinal(number), ..record.at };
            number += 1;
            groups.add_row(&record, at)?;
            Ok(Flow::More)
        })
        .await?;
        groups.settle()?;
        Ok(groups)
    }

    /// Earliest and latest time of what leaves the stages before a chart.
    async fn extremes(&mut self, source: &Source, events: &[Stage]) -> Result<Option<(i64, i64)>, QueryError> {
        let mut chain = chain_of(events, &self.stage_context)?;
        let mut extremes: Option<(i64, i64)> = None;
        self.feed(source, events, &mut chain, &mut |record| {
            if let Some((time, ..)) = record.at.time {
                let (first, last) = extremes.unwrap_or((time, time));
                extremes = Some((first.min(time), last.max(time)));
            }
            Ok(Flow::More)
        })
        .await?;
        Ok(extremes)
    }

    /// A table through stages that keep it one.
    fn through(&self, rows: Rows, stages: &[Stage]) -> Result<Rows, QueryError> {
        let Rows { mut columns, rows, warnings, overflow } = rows;
        let mut rows = rows;
        for (number, stage) in stages.iter().enumerate() {
            let mut context = self.stage_context.clone();
            context.columns = Some(columns.clone());
            let mut chain = chain_of(std::slice::from_ref(stage), &context)?;
            if let Some(Stage::Head(next)) = stages.get(number + 1) {
                chain.limit(usize::try_from(next.count).unwrap_or(usize::MAX));
            }
            let after = chain.columns(columns.clone());
            let mut out = Vec::new();
            let mut sink = |record: Record| {
                out.push(row_of(record, &after));
                Ok(Flow::More)
            };
            let names = names_of(&columns);
            for (number, row) in rows.into_iter().enumerate() {
                if chain.push(record_of(&names, row, number as u64), &mut sink)? == Flow::Enough {
                    break;
                }
            }
            chain.finish(&mut sink)?;
            (columns, rows) = (after, out);
        }
        Ok(Rows { columns, rows, warnings, overflow })
    }

    /// A table through another stage that makes one.
    fn reduced_again(&self, rows: Rows, stage: &Stage) -> Result<Rows, QueryError> {
        let once = |keep: bool| {
            let mut context = self.stage_context.clone();
            context.keep = keep;
            let Step::Reduce(reduction) = stage.start(&context)? else {
                panic!("only stages that make a table are asked to");
            };
            let reduction: Arc<Reduction> = Arc::from(reduction);
            let mut groups = Groups::new(Arc::clone(&reduction), self.budget.clone());
            let names = names_of(&rows.columns);
            for (number, row) in rows.rows.iter().enumerate() {
                let record = record_of(&names, row.clone(), number as u64);
                groups.add_row(&record, record.at)?;
            }
            Arc::new(Merged::of(groups)).finish(&reduction, &self.budget)
        };
        let mut reduced = once(false)?;
        if reduced.overflow {
            reduced = once(true)?;
        }
        let mut warnings = rows.warnings.clone();
        warnings.append(&mut reduced.warnings);
        Ok(Rows { warnings, ..reduced })
    }
}

/// Records that are made of one group at a time: bounds what they hold.
const RECORDS_AT_A_TIME: usize = 8192;

fn needs_extremes(stage: &Stage, range: (Option<i64>, Option<i64>)) -> bool {
    matches!(stage, Stage::Timechart(chart) if chart.span.is_none()) && (range.0.is_none() || range.1.is_none())
}

/// How many rows of its table the stages behind the first one look at. `stats` gives the rows with the
/// largest first aggregate first: to sort by that changes nothing.
fn wanted_rows(table: &[Stage]) -> usize {
    let Some((Stage::Stats(stats), mut rest)) = table.split_first() else { return usize::MAX };
    let first = stats.aggregates.first().map(|aggregate| aggregate.name.as_str());
    while let Some((Stage::Sort(sort), behind)) = rest.split_first() {
        match sort.keys.as_slice() {
            [key] if key.descending && Some(key.field.typed()) == first => rest = behind,
            _ => break,
        }
    }
    match rest.first() {
        Some(Stage::Head(head)) => usize::try_from(head.count).unwrap_or(usize::MAX),
        _ => usize::MAX,
    }
}

fn names_of(columns: &[FieldName]) -> Vec<Arc<FieldName>> {
    columns.iter().map(|name| Arc::new(name.clone())).collect()
}

fn record_of(columns: &[Arc<FieldName>], row: Vec<Value>, number: u64) -> Record {
    let cells =
        columns.iter().zip(row).map(|(name, value)| Cell { name: Arc::clone(name), values: vec![value], sent: None });
    Record { table: true, at: At { order: ordinal(number), time: None }, place: (0, 0), cells: cells.collect() }
}

/// The cells of a record, which stages keep in the order of the columns.
fn row_of(record: Record, columns: &[FieldName]) -> Vec<Value> {
    assert_eq!(record.cells.len(), columns.len(), "a row has a cell for each column");
    let value = |cell: Cell| {
        let mut values = cell.values;
        if values.len() > 1 { Value::List(values) } else { values.pop().unwrap_or(Value::Null) }
    };
    record.cells.into_iter().map(value).collect()
}

/// The table as series: of a chart over time as it is; else, where the first column names and the
/// others measure, as bars.
fn chart_of(table: &Table, over_time: bool) -> Option<Chart> {
    if !over_time || table.columns.first().map(String::as_str) != Some("time") {
        return None;
    }
    let series = table.columns.iter().enumerate().skip(1).map(|(index, name)| Series {
        name: name.clone(),
        points: table.rows.iter().map(|row| (row[0].clone(), row[index].clone())).collect(),
    });
    Some(Chart { kind: "time", x: "time".to_owned(), series: series.collect() })
}
