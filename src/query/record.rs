//! One row on its way through a pipeline.

use std::borrow::Cow;
use std::sync::Arc;

use super::aggregate::accumulator::At;
use super::answer::FieldValue;
use super::language::{FieldName, Row};
use super::value::{Value, fold};

/// An event with the fields that the pipeline asks for, or a row of a table.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Whether it is a row of a table: then each cell has one value, found by its name as typed.
    pub(crate) table: bool,
    /// Where it stands.
    pub(crate) at: At,
    /// Of an event: which one, as the runner numbers groups and their rows.
    pub(crate) place: (u32, u32),
    /// The fields, in order.
    pub(crate) cells: Vec<Cell>,
}

/// A field of a record.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) name: Arc<FieldName>,
    pub(crate) values: Vec<Value>,
    /// How it was sent, as long as no stage has changed it.
    pub(crate) sent: Option<FieldValue>,
}

impl Record {
    /// The cell of a field.
    pub(crate) fn find(&self, name: &FieldName) -> Option<usize> {
        let exact = || self.cells.iter().position(|cell| cell.name.typed() == name.typed());
        let column = if self.table { exact() } else { None };
        column.or_else(|| self.cells.iter().position(|cell| same_name(self.table, &cell.name, name)))
    }

    /// What a table shows of a field: its first value, or null.
    pub(crate) fn first(&self, name: &FieldName) -> Value {
        let values = self.find(name).map(|index| self.cells[index].values.iter());
        values.and_then(|mut values| values.find(|value| !value.is_null()).cloned()).unwrap_or(Value::Null)
    }

    /// All values of a field; none if it is absent or null.
    pub(crate) fn values(&self, name: &FieldName) -> Vec<Value> {
        self.field(name).iter().filter(|value| !value.is_null()).cloned().collect()
    }

    /// Puts these values in place of all that the field has.
    pub(crate) fn set(&mut self, name: &FieldName, values: Vec<Value>) {
        match self.find(name) {
            Some(index) if values.is_empty() && !self.table => drop(self.cells.remove(index)),
            Some(index) => {
                self.cells[index].values = values;
                self.cells[index].sent = None;
            }
            None if values.is_empty() && !self.table => {}
            None => self.cells.push(Cell { name: Arc::new(name.clone()), values, sent: None }),
        }
    }

    /// Bytes that it holds, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        let of_value = |value: &Value| size_of::<Value>() + value_bytes(value);
        let of_cell = |cell: &Cell| size_of::<Cell>() + cell.values.iter().map(of_value).sum::<usize>();
        size_of::<Self>() + self.cells.iter().map(of_cell).sum::<usize>()
    }
}

impl Row for Record {
    fn field(&self, name: &FieldName) -> Cow<'_, [Value]> {
        let Some(index) = self.find(name) else {
            return if self.table { Cow::Owned(vec![Value::Null]) } else { Cow::Borrowed(&[]) };
        };
        match self.cells[index].values.as_slice() {
            [] if self.table => Cow::Owned(vec![Value::Null]),
            [Value::List(items)] => Cow::Borrowed(items),
            values => Cow::Borrowed(values),
        }
    }
}

/// Whether two names mean one field. The columns of a table are found by their names as typed.
pub(crate) fn same_name(table: bool, a: &FieldName, b: &FieldName) -> bool {
    if table { fold(a.typed()) == fold(b.typed()) } else { a.member() == b.member() && a.folded() == b.folded() }
}

/// The place of a table's column: the first of exactly this name, else the first of it in any case.
pub(crate) fn column_of(columns: &[FieldName], name: &FieldName) -> Option<usize> {
    let exact = columns.iter().position(|own| own.typed() == name.typed());
    exact.or_else(|| columns.iter().position(|own| same_name(true, own, name)))
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.iter().map(|item| size_of::<Value>() + value_bytes(item)).sum(),
        _ => 0,
    }
}
