//! Asks a filter of a row group: which rows fit.

use super::bitmap::Bitmap;
use super::cost::cheapest_first;
use super::filter::{Filter, Leaf, Node};
use super::raw::{Verdict, asks_for_escapes, has_byte, has_lettered_escape, verdict};
use super::templates::values_with_bytes;
use super::text::TextTest;
use super::value_test::ValueTest;
use super::view::{Missing, View};
use crate::block::column::Column;
use crate::block::{BlockError, RawCursor, Shape, ShapePart};
use crate::event::{EventId, PathId, Spelling};
use crate::query::error::QueryError;
use crate::query::language::Member;
use crate::query::request::{Cancel, Scope};
use crate::query::value::print_time;

/// Why a group has no answer yet.
#[derive(Debug)]
pub(crate) enum Stop {
    /// These parts have to be loaded; then ask again, with the same memory.
    Missing(Missing),
    /// Somebody cancelled the query.
    Cancelled,
    /// Parts of the group do not belong together, though each has its checksum.
    Damaged(BlockError),
    /// It went wrong for good.
    Failed(QueryError),
}

impl From<BlockError> for Stop {
    fn from(error: BlockError) -> Self {
        Self::Damaged(error)
    }
}

impl From<QueryError> for Stop {
    fn from(error: QueryError) -> Self {
        Self::Failed(error)
    }
}

impl From<Missing> for Stop {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

/// Answers of leaves that are known already, so that asking again after a load costs little.
pub(crate) struct Memory {
    leaves: Vec<Option<Bitmap>>,
}

impl Memory {
    pub(crate) fn new(filter: &Filter) -> Self {
        Self { leaves: vec![None; filter.leaves()] }
    }
}

/// The rows of a group that fit, within the scope's times.
pub(crate) fn rows_that_fit(
    filter: &Filter,
    scope: &Scope,
    view: &View,
    memory: &mut Memory,
    cancel: &Cancel,
) -> Result<Bitmap, Stop> {
    let mask = rows_in_time(scope, view)?;
    if mask.is_empty() {
        return Ok(mask);
    }
    let mut evaluator = Evaluator { filter, view, memory, cancel };
    evaluator.node(filter.root(), mask)
}

/// The rows whose time the scope asks for.
pub(crate) fn rows_in_time(scope: &Scope, view: &View) -> Result<Bitmap, Missing> {
    let rows = view.rows();
    if view.time_range().is_some_and(|(first, last)| scope.holds(first) && scope.holds(last)) {
        return Ok(Bitmap::all(rows));
    }
    if scope.start.is_none() && scope.end.is_none() {
        return Ok(Bitmap::all(rows));
    }
    let times = view.times()?;
    if view.sorted() {
        let start = scope.start.map_or(0, |start| times.partition_point(|&time| time < start));
        let end = scope.end.map_or(times.len(), |end| times.partition_point(|&time| time < end));
        return Ok(Bitmap::from_range(rows, start as u32..end.max(start) as u32));
    }
    Ok(Bitmap::from_fn(rows, |row| scope.holds(times[row as usize])))
}

struct Evaluator<'a> {
    filter: &'a Filter,
    view: &'a View,
    memory: &'a mut Memory,
    cancel: &'a Cancel,
}

impl Evaluator<'_> {
    /// The rows of `mask` that fit. Members are asked in the same order each time: an answer that is
    /// remembered is that for the rows that were left.
    fn node(&mut self, node: &Node, mask: Bitmap) -> Result<Bitmap, Stop> {
        match node {
            Node::Const(true) => Ok(mask),
            Node::Const(false) => Ok(Bitmap::none(mask.len())),
            Node::Leaf(number) => self.leaf(*number, mask),
            Node::Not(inner) => {
                let mut rest = mask.clone();
                rest.and_not(&self.node(inner, mask)?);
                Ok(rest)
            }
            Node::And(members) => {
                let mut left = mask;
                for member in cheapest_first(members, self.filter, self.view) {
                    if left.is_empty() {
                        break;
                    }
                    left = self.node(member, left)?;
                }
                Ok(left)
            }
            Node::Or(members) => {
                let mut fitting = Bitmap::none(mask.len());
                let mut rest = mask;
                for member in cheapest_first(members, self.filter, self.view) {
                    if rest.is_empty() {
                        break;
                    }
                    let found = self.node(member, rest.clone())?;
                    rest.and_not(&found);
                    fitting.or(&found);
                }
                Ok(fitting)
            }
        }
    }

    fn leaf(&mut self, number: u32, mask: Bitmap) -> Result<Bitmap, Stop> {
        if let Some(known) = &self.memory.leaves[number as usize] {
            return Ok(known.clone());
        }
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let fitting = match self.filter.leaf(number) {
            Leaf::Any(test) => self.any(test, &mask)?,
            Leaf::Path(field, test) => self.path(field.folded(), test, mask)?,
            Leaf::Member(member, test) => self.member(*member, test, mask)?,
        };
        self.memory.leaves[number as usize] = Some(fitting.clone());
        Ok(fitting)
    }

    /// Rows of `mask` that have a value of a path that fits.
    fn path(&self, folded: &str, test: &ValueTest, mask: Bitmap) -> Result<Bitmap, Stop> {
        let none = Bitmap::none(mask.len());
        let Some(path) = self.view.paths().get(folded) else { return Ok(none) };
        if !self.view.has(path) || !self.view.may_fit(path, test)? {
            return Ok(none);
        }
        let Some(column) = self.view.column(path)? else { return Ok(none) };
        if let (ValueTest::Present, None) = (test, &column.rows) {
            return Ok(mask);
        }
        let mut fitting = rows_of_entries(column, &test.entries(&column.values), mask.len());
        fitting.and(&mask);
        Ok(fitting)
    }

    fn member(&mut self, member: Member, test: &ValueTest, mask: Bitmap) -> Result<Bitmap, Stop> {
        match member {
            Member::Timestamp => {
                let times = self.view.times()?;
                let mut fitting = mask;
                let misfits = Bitmap::from_fn(fitting.len(), |row| {
                    fitting.contains(row) && !test.fits_time(times[row as usize], &mut print_time)
                });
                fitting.and_not(&misfits);
                Ok(fitting)
            }
            Member::Message | Member::Source => self.mapped(member, test, mask),
            Member::Id => self.id(test, mask),
            Member::Raw => self.raw(test, mask),
            Member::Env | Member::Index => panic!("tests of env and index are answered for the whole partition"),
        }
    }

    /// Rows whose message or source fits: the first value in the row of the path that its shape names.
    fn mapped(&self, member: Member, test: &ValueTest, mask: Bitmap) -> Result<Bitmap, Stop> {
        let shapes = self.view.shapes();
        let named: Vec<Option<PathId>> = shapes
            .shapes
            .iter()
            .map(|shape| if member == Member::Message { shape.message } else { shape.source })
            .collect();
        let mut paths: Vec<PathId> = named.iter().flatten().copied().collect();
        paths.sort_unstable();
        paths.dedup();
        // No message is the empty text; no source is absent.
        let fits_none = member == Member::Message && test.fits("");
        let mut fitting = Bitmap::none(mask.len());
        for path in paths {
            if !self.view.has(path) || !self.view.may_fit(path, test)? {
                continue;
            }
            let Some(column) = self.view.column(path)? else { continue };
            let entries = test.entries(&column.values);
            let everywhere = named.iter().all(|own| *own == Some(path));
            let shape_of_row = if everywhere { &[] } else { self.view.shape_of_row()? };
            insert_first_values(column, &entries, &mut fitting, |row| {
                everywhere || named[shape_of_row[row as usize] as usize] == Some(path)
            });
        }
        if fits_none && named.contains(&None) {
            let shape_of_row = self.view.shape_of_row()?;
            fitting.or(&Bitmap::from_fn(mask.len(), |row| named[shape_of_row[row as usize] as usize].is_none()));
        }
        fitting.and(&mask);
        Ok(fitting)
    }

    fn id(&self, test: &ValueTest, mask: Bitmap) -> Result<Bitmap, Stop> {
        let ids = self.view.ids()?;
        if let ValueTest::Equals(operand) = test
            && let Ok(id) = operand.folded.parse::<EventId>()
        {
            return Ok(Bitmap::from_fn(mask.len(), |row| {
                ids.sequences[row as usize] == id.sequence.0 && mask.contains(row) && ids.id(row) == id
            }));
        }
        Ok(Bitmap::from_fn(mask.len(), |row| mask.contains(row) && test.fits(&ids.id(row).to_string())))
    }

    /// Rows whose line as sent fits.
    fn raw(&mut self, test: &ValueTest, mask: Bitmap) -> Result<Bitmap, Stop> {
        let mut candidates = mask;
        if let ValueTest::Text(test) = test {
            candidates = self.narrow(test, candidates)?;
        }
        self.lines_that_fit(&candidates, |line| test.fits(line))
    }

    /// Rows of `mask` that have what fits in any field's text or in raw.
    fn any(&mut self, test: &TextTest, mask: &Bitmap) -> Result<Bitmap, Stop> {
        let mut fitting = self.any_column(test)?;
        fitting.and(mask);
        let mut rest = mask.clone();
        rest.and_not(&fitting);
        if rest.is_empty() {
            return Ok(fitting);
        }
        let (every, candidates) = self.raw_candidates(test, &rest)?;
        fitting.or(&every);
        let mut candidates = candidates;
        candidates.and_not(&every);
        if !test.is_contains() && candidates.count() > NARROW_ROWS_MIN {
            candidates = self.narrow(test, candidates)?;
        }
        if !candidates.is_empty() {
            fitting.or(&self.lines_that_fit(&candidates, |line| test.fits(line))?);
        }
        Ok(fitting)
    }

    /// Rows of which some field's text fits.
    fn any_column(&self, test: &TextTest) -> Result<Bitmap, Stop> {
        let mut fitting = Bitmap::none(self.view.rows());
        let mut missing = Vec::new();
        for path in self.view.present() {
            let column = match self.view.may_fit_text(path, test) {
                Ok(false) => continue,
                Ok(true) => self.view.column(path),
                Err(filter) => Err(filter),
            };
            match column {
                Ok(None) => {}
                Ok(Some(column)) => {
                    if self.cancel.is_cancelled() {
                        return Err(Stop::Cancelled);
                    }
                    let entries = test.entries(&column.values);
                    if !entries.is_empty() {
                        fitting.or(&rows_of_entries(column, &entries, fitting.len()));
                    }
                }
                Err(parts) => missing.extend(parts),
            }
        }
        if missing.is_empty() { Ok(fitting) } else { Err(missing.into()) }
    }

    /// Rows of `rest` that fit by their shape alone, and rows whose lines have to be looked at.
    fn raw_candidates(&self, test: &TextTest, rest: &Bitmap) -> Result<(Bitmap, Bitmap), Stop> {
        let table = self.view.shapes();
        let verbatim = self.view.has_verbatim();
        // A missing message is the empty text.
        let fits_empty = test.fits("");
        let judge = |shape: &Shape| match shape {
            Shape { message: None, .. } if fits_empty => Verdict::Every,
            Shape { verbatim: true, .. } if !verbatim => Verdict::No,
            _ => verdict(test, table, shape),
        };
        let verdicts: Vec<Verdict> = table.shapes.iter().map(judge).collect();
        let (mut every, mut maybe) = (Bitmap::none(rest.len()), Bitmap::none(rest.len()));
        if verdicts.iter().any(|verdict| *verdict != Verdict::No) {
            let shape_of_row = self.view.shape_of_row()?;
            for row in rest.iter() {
                match verdicts[shape_of_row[row as usize] as usize] {
                    Verdict::No => {}
                    Verdict::Every => every.insert(row),
                    Verdict::Maybe => maybe.insert(row),
                }
            }
        }
        let mut escaped = self.rows_with_escapes(test)?;
        escaped.and(rest);
        maybe.or(&escaped);
        Ok((every, maybe))
    }

    /// Rows with a value whose raw form may hold what its text does not: letters of an escape, or any
    /// escape if the test could ask for one.
    fn rows_with_escapes(&self, test: &TextTest) -> Result<Bitmap, Stop> {
        let all = asks_for_escapes(test);
        let mut rows = Bitmap::none(self.view.rows());
        let mut spellings: Vec<(PathId, Spelling)> = Vec::new();
        for shape in &self.view.shapes().shapes {
            for part in &shape.parts {
                if let ShapePart::Slot(path, spelling) = part
                    && *spelling != Spelling::Bare
                    && !spellings.contains(&(*path, *spelling))
                {
                    spellings.push((*path, *spelling));
                }
            }
        }
        let mut missing = Vec::new();
        for (path, spelling) in spellings {
            let column = match self.view.may_fit_text(path, test) {
                Ok(false) => continue,
                Ok(true) => self.view.column(path),
                Err(filter) => Err(filter),
            };
            let column = match column {
                Ok(Some(column)) => column,
                Ok(None) => continue,
                Err(parts) => {
                    missing.extend(parts);
                    continue;
                }
            };
            let escaped = |text: &[u8]| {
                has_lettered_escape(text, spelling) || all && has_byte(text, |byte| matches!(byte, b'"' | b'\\' | b'/'))
            };
            let entries = values_with_bytes(&column.values, &escaped);
            rows.or(&rows_of_entries(column, &entries, rows.len()));
        }
        if missing.is_empty() { Ok(rows) } else { Err(missing.into()) }
    }

    /// Rows of `candidates` that have each part that a fitting text must have, somewhere.
    fn narrow(&mut self, test: &TextTest, candidates: Bitmap) -> Result<Bitmap, Stop> {
        let mut left = candidates;
        for part in test.required() {
            if left.is_empty() {
                break;
            }
            let part = TextTest::contains(part).expect("a part of a pattern that was compiled compiles");
            left = self.any(&part, &left)?;
        }
        Ok(left)
    }

    /// Rows of `candidates` whose line as sent fits. What is no UTF-8 is read as U+FFFD.
    fn lines_that_fit(&self, candidates: &Bitmap, fits: impl Fn(&str) -> bool) -> Result<Bitmap, Stop> {
        let mut fitting = Bitmap::none(candidates.len());
        if candidates.is_empty() {
            return Ok(fitting);
        }
        let group = self.view.for_raw(candidates)?;
        let mut cursor = RawCursor::new(&group);
        let mut line = Vec::new();
        for (count, row) in candidates.iter().enumerate() {
            if count % ROWS_PER_LOOK == 0 && self.cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            line.clear();
            cursor.try_write(row, &mut line)?;
            if fits(&String::from_utf8_lossy(&line)) {
                fitting.insert(row);
            }
        }
        Ok(fitting)
    }
}

/// Fewer candidates than this are looked at one by one without another thought.
const NARROW_ROWS_MIN: u64 = 512;

/// How many lines are put together between two looks whether the query was cancelled.
const ROWS_PER_LOOK: usize = 1024;

/// The rows that have one of these entries.
pub(crate) fn rows_of_entries(column: &Column, entries: &Bitmap, rows: u32) -> Bitmap {
    let mut fitting = Bitmap::none(rows);
    if entries.is_empty() {
        return fitting;
    }
    match (&column.rows, &column.codes) {
        (None, None) => return entries.clone(),
        (None, Some(codes)) => return Bitmap::from_fn(rows, |row| entries.contains(codes[row as usize])),
        (Some(own), Some(codes)) => {
            for (row, code) in own.iter().zip(codes) {
                if entries.contains(*code) {
                    fitting.insert(*row);
                }
            }
        }
        (Some(own), None) => entries.iter().for_each(|entry| fitting.insert(own[entry as usize])),
    }
    fitting
}

/// Adds the rows whose first value is one of these entries.
fn insert_first_values(column: &Column, entries: &Bitmap, fitting: &mut Bitmap, mut wanted: impl FnMut(u32) -> bool) {
    if entries.is_empty() {
        return;
    }
    for value in 0..column.len() {
        if !entries.contains(column.entry_of(value) as u32) {
            continue;
        }
        let row = column.row_of(value);
        let first = value == 0 || column.row_of(value - 1) != row;
        if first && wanted(row) {
            fitting.insert(row);
        }
    }
}
