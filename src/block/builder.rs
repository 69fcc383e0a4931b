//! Parsed lines become a row group.

use std::sync::Arc;

use super::column_builder::ColumnBuilder;
use super::group::{FIELDS_DROPPED_FIELD, SOURCE_FIELD, TIME_SOURCE_FIELD};
use super::shape::{NewPart, ShapeHead, ShapeInterner};
use super::{RowGroup, Texts};
use crate::event::{Field, Line, Origin, PathId, PathTable, Sequence};

/// What a row has beside its line.
#[derive(Clone, Copy, Debug)]
pub struct RowMeta<'a> {
    /// Event time, nanoseconds since 1970.
    pub time: i64,
    /// The life that logs the event.
    pub origin: Origin,
    /// Its number in that life.
    pub sequence: Sequence,
    /// Whether `time` is the time of arrival for want of a readable one: said in `_time_source`.
    pub time_is_arrival: bool,
    /// The source that the request gives to lines which name none.
    pub source: Option<&'a str>,
}

/// Builds a [`RowGroup`] line by line. Costs memory in proportion to the lines; panics if the lines
/// of one group take 4 GiB or more.
#[derive(Default)]
pub struct GroupBuilder {
    times: Vec<i64>,
    origins: Vec<Origin>,
    origin_codes: Vec<u32>,
    sequences: Vec<u64>,
    shapes: ShapeInterner,
    shape_of_row: Vec<u32>,
    /// For each shape the one that came after it last time.
    shape_after: Vec<u32>,
    /// The shape of each [`Line::form`], without and with a given source; [`NONE`] where it is not known.
    shapes_of_form: Vec<[u32; 2]>,
    verbatim: Texts,
    columns: Vec<ColumnBuilder>,
    time_source: ColumnBuilder,
    fields_dropped: ColumnBuilder,
    source: ColumnBuilder,
}

impl GroupBuilder {
    /// A builder without rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many rows it has.
    pub fn rows(&self) -> u32 {
        self.times.len() as u32
    }

    /// Adds a line. The ids of its paths are those of the table that [`GroupBuilder::finish`] gets.
    pub fn push(&mut self, line: &Line<'_>, meta: RowMeta<'_>) {
        let row = self.rows();
        self.push_meta(meta);
        for field in &line.fields {
            let path = field.path.0 as usize;
            if path >= self.columns.len() {
                self.columns.resize_with(path + 1, ColumnBuilder::default);
            }
            self.columns[path].push(row, field.text.as_bytes());
        }
        if meta.time_is_arrival {
            self.time_source.push(row, b"arrival");
        }
        if line.fields_dropped > 0 {
            self.fields_dropped.push(row, line.fields_dropped.to_string().as_bytes());
        }
        let given_source = meta.source.filter(|_| line.source.is_none());
        if let Some(source) = given_source {
            self.source.push(row, source.as_bytes());
        }
        self.push_shape(line, given_source.is_some());
    }

    /// The group of all lines. `paths` is the table that gave the lines their path ids; the names of
    /// the synthetic fields are added to it where they are needed.
    pub fn finish(self, mut paths: PathTable) -> RowGroup {
        let rows = self.rows();
        let mut shapes = self.shapes.finish();
        let mut columns: Vec<_> = self.columns.into_iter().map(|column| column.finish(rows).map(Arc::new)).collect();
        let synthetic = [
            (TIME_SOURCE_FIELD, self.time_source),
            (FIELDS_DROPPED_FIELD, self.fields_dropped),
            (SOURCE_FIELD, self.source),
        ];
        for (name, builder) in synthetic {
            let Some(column) = builder.finish(rows) else { continue };
            let path = paths.intern(name);
            columns.resize(columns.len().max(paths.len()), None);
            let slot = &mut columns[path.0 as usize];
            // A line may hold a field of that very name.
            *slot = Some(Arc::new(match slot.take() {
                Some(own) => join(&own, &column, rows),
                None => column,
            }));
            if name == SOURCE_FIELD {
                let given = shapes.shapes.iter_mut().filter(|shape| shape.source == Some(GIVEN_SOURCE));
                given.for_each(|shape| shape.source = Some(path));
            }
        }
        columns.resize(paths.len(), None);
        let one_origin = self.origins.len() < 2;
        let mut group = RowGroup {
            rows,
            sorted: false,
            times: self.times,
            origins: self.origins,
            origin_codes: (!one_origin).then_some(self.origin_codes),
            sequences: self.sequences,
            shapes: Arc::new(shapes),
            shape_of_row: self.shape_of_row,
            verbatim: self.verbatim,
            paths: Arc::new(paths),
            columns,
        };
        group.sorted = group.is_sorted();
        group
    }

    fn push_meta(&mut self, meta: RowMeta<'_>) {
        self.times.push(meta.time);
        self.sequences.push(meta.sequence.0);
        let code = match self.origins.iter().position(|&origin| origin == meta.origin) {
            Some(code) => code,
            None => {
                self.origins.push(meta.origin);
                self.origins.len() - 1
            }
        };
        self.origin_codes.push(code as u32);
    }

    fn push_shape(&mut self, line: &Line<'_>, source_given: bool) {
        let Some(form) = line.form else {
            let shape = self.shape_of(line, source_given);
            self.shape_of_row.push(shape);
            return;
        };
        let form = form as usize;
        if form >= self.shapes_of_form.len() {
            self.shapes_of_form.resize(form + 1, [NONE; 2]);
        }
        let mut shape = self.shapes_of_form[form][usize::from(source_given)];
        if shape == NONE {
            shape = self.shape_of(line, source_given);
            self.shapes_of_form[form][usize::from(source_given)] = shape;
        }
        self.shape_of_row.push(shape);
    }

    /// The shape of a line, found by what it is made of.
    fn shape_of(&mut self, line: &Line<'_>, source_given: bool) -> u32 {
        // With fields left out, their values would be literals: a shape for each line.
        let verbatim = line.fields_dropped > 0 || line.fields.iter().any(|field| field.spelling.is_none());
        let path_of = |index: Option<u32>| index.map(|index| line.fields[index as usize].path);
        let head = ShapeHead {
            kind: line.kind,
            verbatim,
            message: path_of(line.message),
            source: if source_given { Some(GIVEN_SOURCE) } else { path_of(line.source) },
        };
        let before = self.shape_of_row.last().copied();
        let likely = before.map(|before| self.shape_after[before as usize]);
        let shape = if verbatim {
            self.verbatim.push(line.raw);
            self.shapes.intern(head, std::iter::empty(), likely)
        } else {
            self.shapes.intern(head, parts(line.raw, &line.fields), likely)
        };
        if shape as usize == self.shape_after.len() {
            self.shape_after.push(shape);
        }
        if let Some(before) = before {
            self.shape_after[before as usize] = shape;
        }
        shape
    }
}

/// The line's bytes as an alternation of literals and slots, without empty literals.
fn parts<'a>(raw: &'a [u8], fields: &'a [Field<'a>]) -> impl Iterator<Item = NewPart<'a>> + Clone {
    let literal = |start: u32, end: u32| {
        let bytes = &raw[start as usize..end as usize];
        (!bytes.is_empty()).then_some(NewPart::Literal(bytes))
    };
    let starts = std::iter::once(0).chain(fields.iter().map(|field| field.end));
    let slots = starts.zip(fields).flat_map(move |(start, field)| {
        let spelling = field.spelling.expect("lines without a spelling are verbatim");
        literal(start, field.start).into_iter().chain([NewPart::Slot(field.path, spelling)])
    });
    let end = fields.last().map_or(0, |field| field.end);
    slots.chain(literal(end, raw.len() as u32))
}

/// One column with the values of both; in a row that has several, those of `first` come first.
fn join(first: &super::Column, second: &super::Column, rows: u32) -> super::Column {
    let mut joined = ColumnBuilder::default();
    let mut scratch = Vec::new();
    let mut next = 0;
    for i in 0..first.len() {
        while next < second.len() && second.row_of(next) < first.row_of(i) {
            joined.push(second.row_of(next), second.text(next, &mut scratch).as_bytes());
            next += 1;
        }
        joined.push(first.row_of(i), first.text(i, &mut scratch).as_bytes());
    }
    for i in next..second.len() {
        joined.push(second.row_of(i), second.text(i, &mut scratch).as_bytes());
    }
    joined.finish(rows).expect("both have values")
}

/// Stands for [`SOURCE_FIELD`]'s path until the path table is there.
const GIVEN_SOURCE: PathId = PathId(u32::MAX);
/// No shape.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, Rng, group_of, random_lines, seen};
    use crate::event::Spelling;

    #[test]
    fn every_line_comes_back_byte_for_byte_in_any_order() {
        let mut rng = Rng(7);
        for count in [0, 1, 2, 50, 3000] {
            let lines = random_lines(&mut rng, count);
            let group = group_of(&lines, 1, 1);
            for (made, seen) in lines.iter().zip(seen(&group)) {
                assert_eq!(String::from_utf8_lossy(&made.raw), String::from_utf8_lossy(&seen.2));
            }
            let mut cursor = super::super::RawCursor::new(&group);
            for _ in 0..count {
                let row = rng.below(count as u64) as u32;
                for _ in 0..2 {
                    let mut raw = Vec::new();
                    cursor.write(row, &mut raw);
                    assert_eq!(raw, lines[row as usize].raw);
                }
            }
        }
    }

    #[test]
    fn values_of_a_row_stand_in_order_with_synthetic_ones_last() {
        let mut line = Made::default().literal(b"{\"x\":").value("x", "1", Spelling::Bare);
        line = line.literal(b",\"X\":").value("X", "0", Spelling::Bare);
        line = line.literal(b",\"_time_source\":\"").value("_time_source", "mine", Spelling::Json).literal(b"\"}");
        line.arrival = true;
        line.source = Some("here".into());
        let group = group_of(&[line], 1, 1);
        let fields = &seen(&group)[0].3;
        let text = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            fields[..],
            [
                ("_helios_source".to_owned(), text(&["here"])),
                ("_time_source".to_owned(), text(&["mine", "arrival"])),
                ("x".to_owned(), text(&["1", "0"])),
            ]
        );
        assert_eq!(group.shapes.shapes[0].source, group.paths.get("_helios_source"));
    }

    #[test]
    fn lines_alike_but_for_their_values_share_a_shape() {
        let line = |a: &str| Made::default().literal(b"{\"a\":\"").value("a", a, Spelling::Json).literal(b"\"}");
        let group = group_of(&[line("1"), line("2"), Made::default().literal(b"{}"), line("3")], 1, 1);
        assert_eq!(group.shape_of_row, [0, 0, 1, 0]);
    }

    #[test]
    fn a_dictionary_is_kept_only_where_values_repeat() {
        let line = |i: u64| {
            let made = Made::default().value("few", &(i % 10).to_string(), Spelling::Bare).literal(b" ");
            made.value("many", &i.to_string(), Spelling::Bare)
        };
        let lines: Vec<_> = (0..2000).map(line).collect();
        let group = group_of(&lines, 1, 1);
        let column = |name: &str| group.column(group.paths.get(name).unwrap()).unwrap().clone();
        assert_eq!(column("few").values.len(), 10);
        assert_eq!(column("many").codes, None);
    }
}
