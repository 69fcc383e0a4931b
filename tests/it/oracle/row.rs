//! What the stages work on: events first, then the rows of a table.

use helios::query::language::{FieldName, Member};

use super::Event;
use super::cell::{Cell, fold};

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The event's time and id; of a table's row nothing.
    pub(crate) event: Option<(i64, u64, u64)>,
    /// The hit's own members; of a table's row none.
    pub(crate) members: Vec<(Member, Cell)>,
    /// Body fields, or the table's columns, with their values.
    pub(crate) fields: Vec<(String, Vec<Cell>)>,
}

impl Row {
    pub(crate) fn of_event(event: &Event) -> Self {
        let members = vec![
            (Member::Timestamp, Cell::Time(event.timestamp)),
            (Member::Message, Cell::text(&event.message)),
            (Member::Source, event.source.as_deref().map_or(Cell::Null, Cell::text)),
            (Member::Env, Cell::text(&event.env)),
            (Member::Index, Cell::text(&event.index)),
            (Member::Id, Cell::Text(event.id())),
            (Member::Raw, Cell::Text(String::from_utf8_lossy(&event.raw).into_owned())),
        ];
        let texts = |values: &[String]| values.iter().map(|value| Cell::text(value)).collect();
        let fields = event.fields.iter().map(|(name, values)| (name.clone(), texts(values))).collect();
        Self { event: Some((event.timestamp, event.origin, event.sequence)), members, fields }
    }

    pub(crate) fn of_table(cells: impl IntoIterator<Item = (String, Cell)>) -> Self {
        let fields = cells.into_iter().map(|(name, cell)| (name, vec![cell])).collect();
        Self { event: None, members: Vec::new(), fields }
    }

    /// All values of a field, in order. Rule 7: null is no value.
    pub(crate) fn values(&self, name: &FieldName) -> Vec<Cell> {
        let cells: Vec<Cell> = match (self.event, name.member()) {
            (Some(_), Some(member)) => {
                self.members.iter().filter(|(own, _)| *own == member).map(|(_, cell)| cell.clone()).collect()
            }
            (Some(_), None) => {
                let named = self.fields.iter().filter(|(own, _)| fold(own) == name.folded());
                named.flat_map(|(_, cells)| cells.clone()).collect()
            }
            (None, _) => self.column(name).map_or_else(Vec::new, |place| self.fields[place].1.clone()),
        };
        cells.into_iter().filter(|cell| !cell.is_null()).collect()
    }

    /// The place of a table's column: the first of exactly this name, else the first of it folded.
    fn column(&self, name: &FieldName) -> Option<usize> {
        let exact = self.fields.iter().position(|(own, _)| own == name.typed());
        exact.or_else(|| self.fields.iter().position(|(own, _)| fold(own) == fold(name.typed())))
    }

    /// As [`Row::values`], a list's items each as one.
    pub(crate) fn items(&self, name: &FieldName) -> Vec<Cell> {
        let items = self.values(name).into_iter().flat_map(|cell| match cell {
            Cell::List(items) => items,
            single => vec![single],
        });
        items.collect()
    }

    /// The first value, or null: what a table shows.
    pub(crate) fn first(&self, name: &FieldName) -> Cell {
        self.values(name).first().cloned().unwrap_or(Cell::Null)
    }

    /// Replaces all values of a field. A row of a table keeps a cell, null if there is no value.
    pub(crate) fn set(&mut self, name: &FieldName, values: Vec<Cell>) {
        if let (Some(_), Some(member)) = (self.event, name.member()) {
            let cell = values.first().cloned().unwrap_or(Cell::Null);
            self.members.iter_mut().filter(|(own, _)| *own == member).for_each(|(_, own)| *own = cell.clone());
            return;
        }
        if self.event.is_none() {
            let values = if values.is_empty() { vec![Cell::Null] } else { values };
            match self.column(name) {
                Some(place) => self.fields[place].1 = values,
                None => self.fields.push((name.typed().to_owned(), values)),
            }
            return;
        }
        // The first spelling is shown, and stands for all of them.
        match self.fields.iter().position(|(own, _)| fold(own) == name.folded()) {
            Some(first) => {
                self.fields[first].1 = values;
                let mut rest = self.fields.split_off(first + 1);
                rest.retain(|(own, _)| fold(own) != name.folded());
                self.fields.extend(rest);
            }
            None => self.fields.push((shown(name), values)),
        }
    }

    /// Takes an event's body field away.
    pub(crate) fn remove(&mut self, name: &FieldName) {
        self.fields.retain(|(own, _)| fold(own) != name.folded());
    }
}

/// How a body field is shown: `fields.` only leads past a reserved name.
pub(crate) fn shown(name: &FieldName) -> String {
    if fold(name.typed()) == name.folded() { name.typed().to_owned() } else { name.folded().to_owned() }
}
