//! How stages run: rows are handed from one to the next, and no stage holds more than it must.

use super::aggregate::reduce::Reduction;
use super::error::QueryError;
use super::language::FieldName;
use super::memory::Budget;
use super::record::Record;
use super::stages::Stage;

/// What a stage may know when it starts.
#[derive(Clone, Debug)]
pub(crate) struct StageContext {
    /// What `now()` says, nanoseconds since 1970.
    pub(crate) now: i64,
    /// The searched range.
    pub(crate) range: (Option<i64>, Option<i64>),
    /// The request's zone.
    pub(crate) zone: Option<String>,
    /// What the query may hold.
    pub(crate) budget: Budget,
    /// The columns that come in, if they are a table's.
    pub(crate) columns: Option<Vec<FieldName>>,
    /// Whether sums must remember their numbers.
    pub(crate) keep: bool,
    /// The automatic width of buckets: times of the first and the last match, where they are needed.
    pub(crate) extremes: Option<(i64, i64)>,
}

/// A stage that is ready to run.
pub(crate) enum Step {
    /// Rows in, rows out.
    Rows(Box<dyn Operator>),
    /// Rows in, a table out.
    Reduce(Box<Reduction>),
}

/// How a stage runs.
pub(crate) trait StageRun {
    /// Makes it ready.
    fn start(&self, context: &StageContext) -> Result<Step, QueryError>;

    /// The fields that it reads.
    fn reads(&self) -> Vec<FieldName>;
}

/// Whether a stage wants more rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flow {
    /// It does.
    More,
    /// Whatever comes, nothing will change.
    Enough,
}

/// Takes the rows that a stage lets out.
pub(crate) type Next<'a> = dyn FnMut(Record) -> Result<Flow, QueryError> + 'a;

/// A stage at work.
pub(crate) trait Operator: Send {
    /// Takes a row in and hands on what comes of it.
    fn push(&mut self, row: Record, next: &mut Next<'_>) -> Result<Flow, QueryError>;

    /// Hands on what was held back; called once, after the last row.
    fn finish(&mut self, next: &mut Next<'_>) -> Result<(), QueryError> {
        let _ = next;
        Ok(())
    }

    /// The columns that go out, from those that come in.
    fn columns(&self, columns: &mut Vec<FieldName>) {
        let _ = columns;
    }

    /// Whether each row becomes one row, whatever the others are.
    fn is_mapping(&self) -> bool {
        false
    }

    /// Whether what becomes of a row does not depend on the others.
    fn is_row_by_row(&self) -> bool {
        self.is_mapping()
    }

    /// Whether it may let rows through as they come.
    fn is_streaming(&self) -> bool {
        true
    }

    /// Tells it that only the first `rows` of what it lets out are wanted; of the others only the
    /// number matters, see [`Operator::unsent`].
    fn limit(&mut self, rows: usize) {
        let _ = rows;
    }

    /// How many rows it would have let out but for the limit.
    fn unsent(&self) -> u64 {
        0
    }
}

/// A run of stages up to a reducing one.
pub(crate) struct Chain {
    operators: Vec<Box<dyn Operator>>,
}

impl Chain {
    pub(crate) fn new(operators: Vec<Box<dyn Operator>>) -> Self {
        Self { operators }
    }

    /// Hands a row in.
    pub(crate) fn push(&mut self, row: Record, sink: &mut Next<'_>) -> Result<Flow, QueryError> {
        feed(&mut self.operators, row, sink)
    }

    /// Ends the run: what stages hold back comes out.
    pub(crate) fn finish(&mut self, sink: &mut Next<'_>) -> Result<(), QueryError> {
        for index in 0..self.operators.len() {
            let (front, rest) = self.operators.split_at_mut(index + 1);
            front[index].finish(&mut |row| feed(rest, row, sink))?;
        }
        Ok(())
    }

    pub(crate) fn columns(&self, mut columns: Vec<FieldName>) -> Vec<FieldName> {
        self.operators.iter().for_each(|operator| operator.columns(&mut columns));
        columns
    }

    /// Whether rows leave as they come, and what leaves early is final.
    pub(crate) fn is_streaming(&self) -> bool {
        self.operators.iter().all(|operator| operator.is_streaming())
    }

    /// Whether what becomes of a row does not depend on the others.
    pub(crate) fn is_row_by_row(&self) -> bool {
        self.operators.iter().all(|operator| operator.is_row_by_row())
    }

    /// Applies the stages that map each row by itself.
    pub(crate) fn map(&mut self, row: Record) -> Result<Record, QueryError> {
        let mut current = Some(row);
        for operator in self.operators.iter_mut().filter(|operator| operator.is_mapping()) {
            let row = current.take().expect("a mapping hands on one row for each");
            operator.push(row, &mut |row| {
                current = Some(row);
                Ok(Flow::More)
            })?;
        }
        Ok(current.expect("a mapping hands on one row for each"))
    }

    /// Lets the last stage that holds rows back know how many are wanted.
    pub(crate) fn limit(&mut self, rows: usize) {
        for operator in self.operators.iter_mut().rev() {
            if !operator.is_mapping() {
                operator.limit(rows);
                return;
            }
        }
    }

    pub(crate) fn unsent(&self) -> u64 {
        self.operators.iter().map(|operator| operator.unsent()).sum()
    }
}

fn feed(operators: &mut [Box<dyn Operator>], row: Record, sink: &mut Next<'_>) -> Result<Flow, QueryError> {
    match operators.split_first_mut() {
        None => sink(row),
        Some((first, rest)) => first.push(row, &mut |row| feed(rest, row, sink)),
    }
}

/// The fields that stages read, up to the first reducing one.
pub(crate) fn fields_read(stages: &[Stage]) -> Vec<FieldName> {
    let mut fields: Vec<FieldName> = Vec::new();
    for stage in stages {
        for field in stage.reads() {
            if !fields.iter().any(|own| own.member() == field.member() && own.folded() == field.folded()) {
                fields.push(field);
            }
        }
        if stage.reduces() {
            break;
        }
    }
    fields
}
