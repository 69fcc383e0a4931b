//! Rows picked from several groups become one group, column by column.

use std::sync::Arc;

use super::column_builder::{ColumnBuilder, pays};
use super::shape::{NewPart, ShapeHead, ShapeInterner, head_of};
use super::{Column, RowGroup, Texts, Values};
use crate::event::{PathId, PathTable};
use hashbrown::HashTable;

/// The group of these rows in this order. A pick is an index in `inputs` and a row of that group;
/// none comes twice.
pub(super) fn gather(inputs: &[Arc<RowGroup>], picks: &[(u32, u32)]) -> RowGroup {
    let rows = picks.len() as u32;
    let mut paths = PathMaps::new(inputs, picks);
    let (shapes, shape_of_row, verbatim) = gather_shapes(inputs, picks, &paths);
    let columns = gather_columns(inputs, picks, &paths);
    let (origins, origin_codes) = gather_origins(inputs, picks);
    let mut group = RowGroup {
        rows,
        sorted: false,
        times: picks.iter().map(|&(input, row)| inputs[input as usize].times[row as usize]).collect(),
        origins,
        origin_codes,
        sequences: picks.iter().map(|&(input, row)| inputs[input as usize].sequences[row as usize]).collect(),
        shapes: Arc::new(shapes),
        shape_of_row,
        verbatim,
        paths: Arc::new(std::mem::take(&mut paths.table)),
        columns,
    };
    group.sorted = group.is_sorted();
    group
}

/// What the inputs' paths are called in the output.
struct PathMaps {
    table: PathTable,
    /// For each input that is picked from, the new id of each of its paths that has a column.
    maps: Vec<Option<Vec<PathId>>>,
}

impl PathMaps {
    fn new(inputs: &[Arc<RowGroup>], picks: &[(u32, u32)]) -> Self {
        let mut used = vec![false; inputs.len()];
        picks.iter().for_each(|&(input, _)| used[input as usize] = true);
        let mut table = PathTable::new();
        let mut map_of = |group: &RowGroup| {
            let ids = group.columns.iter().enumerate().map(|(id, column)| match column {
                Some(_) => table.intern(group.paths.name(PathId(id as u32))),
                None => PathId(NONE),
            });
            ids.collect()
        };
        let maps = inputs.iter().zip(used).map(|(group, used)| used.then(|| map_of(group))).collect();
        Self { table, maps }
    }

    fn of(&self, input: usize, path: PathId) -> PathId {
        let map = self.maps[input].as_ref().expect("only inputs that are picked from are asked about");
        map[path.0 as usize]
    }
}

fn gather_origins(inputs: &[Arc<RowGroup>], picks: &[(u32, u32)]) -> (Vec<crate::event::Origin>, Option<Vec<u32>>) {
    let mut origins = Vec::new();
    let codes: Vec<u32> = picks
        .iter()
        .map(|&(input, row)| {
            let origin = inputs[input as usize].origin(row);
            let known = origins.iter().rposition(|&other| other == origin);
            known.unwrap_or_else(|| {
                origins.push(origin);
                origins.len() - 1
            }) as u32
        })
        .collect();
    let several = origins.len() > 1;
    (origins, several.then_some(codes))
}

fn gather_shapes(
    inputs: &[Arc<RowGroup>],
    picks: &[(u32, u32)],
    paths: &PathMaps,
) -> (super::ShapeTable, Vec<u32>, Texts) {
    let mut shapes = ShapeInterner::default();
    let mut maps: Vec<Vec<u32>> = inputs.iter().map(|group| vec![NONE; group.shapes.shapes.len()]).collect();
    let ranks: Vec<_> = inputs.iter().map(|group| verbatim_ranks(group)).collect();
    let mut verbatim = Texts::default();
    let mut shape_of_row = Vec::with_capacity(picks.len());
    for &(input, row) in picks {
        let (input, row) = (input as usize, row as usize);
        let group = &inputs[input];
        let number = group.shape_of_row[row];
        let shape = &group.shapes.shapes[number as usize];
        if shape.verbatim {
            verbatim.push(group.verbatim.get(ranks[input][row] as usize));
        }
        let known = &mut maps[input][number as usize];
        if *known == NONE {
            let to = |path: PathId| paths.of(input, path);
            let head = head_of(shape);
            let head = ShapeHead { message: head.message.map(to), source: head.source.map(to), ..head };
            let parts = group.shapes.parts_of(shape).map(|part| match part {
                NewPart::Slot(path, spelling) => NewPart::Slot(to(path), spelling),
                literal @ NewPart::Literal(_) => literal,
            });
            *known = shapes.intern(head, parts, None);
        }
        shape_of_row.push(*known);
    }
    (shapes.finish(), shape_of_row, verbatim)
}

/// For each row how many verbatim rows come before it; empty if there are none at all.
fn verbatim_ranks(group: &RowGroup) -> Vec<u32> {
    if group.verbatim.is_empty() {
        return Vec::new();
    }
    let mut rank = 0;
    let ranks = group.shape_of_row.iter().map(|&shape| {
        let own = rank;
        rank += u32::from(group.shapes.shapes[shape as usize].verbatim);
        own
    });
    ranks.collect()
}

fn gather_columns(inputs: &[Arc<RowGroup>], picks: &[(u32, u32)], paths: &PathMaps) -> Vec<Option<Arc<Column>>> {
    let mut sources: Vec<Vec<(u32, &Column)>> = vec![Vec::new(); paths.table.len()];
    for (input, map) in paths.maps.iter().enumerate() {
        let Some(map) = map else { continue };
        for (column, path) in inputs[input].columns.iter().zip(map) {
            let Some(column) = column else { continue };
            sources[path.0 as usize].push((input as u32, column));
        }
    }
    let used = paths.maps.iter().filter(|map| map.is_some()).count();
    let places = Places::new(inputs, picks);
    let columns = sources.into_iter().map(|sources| {
        let on_every_row = sources.len() == used && sources.iter().all(|(_, column)| column.rows.is_none());
        let values =
            if on_every_row { places.every_row(&sources, picks) } else { places.of_values(&sources, picks.len()) };
        gather_column(&sources, &values, picks.len() as u32).map(Arc::new)
    });
    columns.collect()
}

/// One value of a column to come.
#[derive(Clone, Copy)]
struct Place {
    row: u32,
    /// Index in the column's sources.
    source: u32,
    /// Index of the value in that source.
    value: u32,
}

/// Where each input's rows go.
struct Places {
    /// For each input the new row of each of its rows, or [`NONE`]; empty if none is picked.
    rows: Vec<Vec<u32>>,
}

impl Places {
    fn new(inputs: &[Arc<RowGroup>], picks: &[(u32, u32)]) -> Self {
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); inputs.len()];
        for (to, &(input, row)) in picks.iter().enumerate() {
            let own = &mut rows[input as usize];
            if own.is_empty() {
                own.resize(inputs[input as usize].rows as usize, NONE);
            }
            own[row as usize] = to as u32;
        }
        Self { rows }
    }

    /// The values of sources that have one value in every row.
    fn every_row(&self, sources: &[(u32, &Column)], picks: &[(u32, u32)]) -> Vec<Place> {
        let mut source_of = vec![0; self.rows.len()];
        for (source, &(input, _)) in sources.iter().enumerate() {
            source_of[input as usize] = source as u32;
        }
        let place = |(to, &(input, row)): (usize, &(u32, u32))| Place {
            row: to as u32,
            source: source_of[input as usize],
            value: row,
        };
        picks.iter().enumerate().map(place).collect()
    }

    fn of_values(&self, sources: &[(u32, &Column)], row_count: usize) -> Vec<Place> {
        let mut values = Vec::with_capacity(sources.iter().map(|(_, column)| column.len()).sum());
        for (source, &(input, column)) in sources.iter().enumerate() {
            let rows = &self.rows[input as usize];
            values.extend((0..column.len()).filter_map(|value| {
                let row = rows[column.row_of(value) as usize];
                (row != NONE).then_some(Place { row, source: source as u32, value: value as u32 })
            }));
        }
        in_row_order(values, row_count)
    }
}

/// Puts values into the order of their rows; those of one row keep theirs.
fn in_row_order(values: Vec<Place>, row_count: usize) -> Vec<Place> {
    let mut values = values;
    if values.is_sorted_by_key(|place| place.row) {
        return values;
    }
    if values.len() < row_count / 8 {
        values.sort_by_key(|place| place.row);
        return values;
    }
    // Where the values of each row begin, and, once some are placed, where its next goes.
    let mut next = vec![0u32; row_count + 1];
    values.iter().for_each(|place| next[place.row as usize + 1] += 1);
    for row in 0..row_count {
        next[row + 1] += next[row];
    }
    let mut ordered = vec![Place { row: 0, source: 0, value: 0 }; values.len()];
    for place in values {
        let at = &mut next[place.row as usize];
        ordered[*at as usize] = place;
        *at += 1;
    }
    ordered
}

fn gather_column(sources: &[(u32, &Column)], places: &[Place], rows: u32) -> Option<Column> {
    if places.is_empty() {
        return None;
    }
    let texts = matches!(sources[0].1.values, Values::Texts(_));
    let alike = !texts && sources.iter().all(|(_, column)| same_form(&sources[0].1.values, &column.values));
    if alike && let Some((codes, values)) = gather_typed(sources, places) {
        return Some(Column { rows: rows_of(places, rows), codes, values });
    }
    if sources.iter().all(|(_, column)| column.codes.is_none()) {
        return Some(gather_plain(sources, places, rows));
    }
    let mut builder = ColumnBuilder::default();
    let mut known: Vec<Vec<u32>> = vec![Vec::new(); sources.len()];
    let mut scratch = Vec::new();
    for place in places {
        let column = sources[place.source as usize].1;
        let entry = column.entry_of(place.value as usize);
        if column.codes.is_none() || !builder.has_dictionary() {
            builder.push(place.row, column.values.text_bytes(entry, &mut scratch));
            continue;
        }
        let known = &mut known[place.source as usize];
        if known.is_empty() {
            known.resize(column.values.len(), NONE);
        }
        if known[entry] == NONE {
            known[entry] = builder.code_of(column.values.text_bytes(entry, &mut scratch));
        }
        builder.push_code(place.row, known[entry]);
    }
    builder.finish(rows)
}

/// The column of sources none of which has a dictionary: all of them together would not either.
fn gather_plain(sources: &[(u32, &Column)], places: &[Place], rows: u32) -> Column {
    let mut scratch = Vec::new();
    let mut texts = Texts { bytes: Vec::new(), ends: Vec::with_capacity(places.len()) };
    let lengths = sources.iter().map(|(_, column)| match &column.values {
        Values::Texts(texts) => texts.bytes.len(),
        _ => 0,
    });
    texts.bytes.reserve(lengths.sum());
    for place in places {
        let values = &sources[place.source as usize].1.values;
        texts.push(values.text_bytes(place.value as usize, &mut scratch));
    }
    Column { rows: rows_of(places, rows), codes: None, values: Values::Texts(texts) }
}

/// The rows of a column's values; `None` where each row of the group has one.
fn rows_of(places: &[Place], rows: u32) -> Option<Arc<[u32]>> {
    let every_row = places.len() == rows as usize && places.iter().zip(0..).all(|(place, row)| place.row == row);
    (!every_row).then(|| places.iter().map(|place| place.row).collect())
}

/// Whether the entries of both can stand in one [`Values`].
fn same_form(left: &Values, right: &Values) -> bool {
    match (left, right) {
        (Values::Texts(_), Values::Texts(_))
        | (Values::Integers(_), Values::Integers(_))
        | (Values::Ipv4(_), Values::Ipv4(_)) => true,
        (Values::Decimals { scale, .. }, Values::Decimals { scale: own, .. }) => scale == own,
        (
            Values::Hex { width, upper, hyphens, .. },
            Values::Hex { width: own, upper: own_upper, hyphens: own_hyphens, .. },
        ) => width == own && upper == own_upper && hyphens == own_hyphens,
        (Values::Times { form, .. }, Values::Times { form: own, .. }) => form == own,
        (
            Values::Affixed { prefix, digits, suffix, .. },
            Values::Affixed { prefix: own_prefix, digits: own_digits, suffix: own_suffix, .. },
        ) => prefix == own_prefix && digits == own_digits && suffix == own_suffix,
        _ => false,
    }
}

/// Codes and values of sources of one typed form; `None` where only the texts can be gathered.
fn gather_typed(sources: &[(u32, &Column)], places: &[Place]) -> Option<(Option<Vec<u32>>, Values)> {
    let form = &sources[0].1.values;
    let coded = sources.iter().all(|(_, column)| column.codes.is_some());
    let entries = places.iter().map(|place| {
        let column = sources[place.source as usize].1;
        (&column.values, column.entry_of(place.value as usize))
    });
    if let Values::Hex { width, upper, hyphens, .. } = form {
        if coded {
            return None;
        }
        let (width, upper, hyphens) = (*width, *upper, *hyphens);
        let mut all = Vec::with_capacity(places.len() * usize::from(width));
        for (values, entry) in entries {
            let Values::Hex { bytes, .. } = values else { unreachable!("all sources have one form") };
            let start = entry * usize::from(width);
            all.extend_from_slice(&bytes[start..start + usize::from(width)]);
        }
        return Some((None, Values::Hex { bytes: all, width, upper, hyphens }));
    }
    let numbers: Vec<u64> = entries.map(|(values, entry)| number(values, entry)).collect();
    if coded && let Some((codes, distinct)) = dictionary_of(&numbers) {
        return Some((Some(codes), with_numbers(form, distinct)));
    }
    Some((None, with_numbers(form, numbers)))
}

/// An entry of a form that keeps one number an entry, as its bits.
pub(super) fn number(values: &Values, entry: usize) -> u64 {
    match values {
        Values::Integers(values) | Values::Decimals { values, .. } | Values::Times { values, .. } => {
            values[entry] as u64
        }
        Values::Ipv4(values) => u64::from(values[entry]),
        Values::Affixed { values, .. } => values[entry],
        Values::Texts(_) | Values::Hex { .. } | Values::Templated(_) | Values::TimeTexts { .. } => {
            unreachable!("asked of forms with numbers only")
        }
    }
}

/// Entries of the same form as `form` from the bits of their numbers.
pub(super) fn with_numbers(form: &Values, numbers: Vec<u64>) -> Values {
    let signed = |numbers: Vec<u64>| numbers.into_iter().map(|number| number as i64).collect();
    match form {
        Values::Integers(_) => Values::Integers(signed(numbers)),
        Values::Decimals { scale, .. } => Values::Decimals { values: signed(numbers), scale: *scale },
        Values::Times { form, .. } => Values::Times { values: signed(numbers), form: *form },
        Values::Ipv4(_) => Values::Ipv4(numbers.into_iter().map(|number| number as u32).collect()),
        Values::Affixed { prefix, digits, suffix, .. } => {
            Values::Affixed { prefix: prefix.clone(), values: numbers, digits: *digits, suffix: suffix.clone() }
        }
        Values::Texts(_) | Values::Hex { .. } | Values::Templated(_) | Values::TimeTexts { .. } => {
            unreachable!("asked of forms with numbers only")
        }
    }
}

/// Codes and distinct numbers in order of first sight, if a dictionary pays.
pub(super) fn dictionary_of(numbers: &[u64]) -> Option<(Vec<u32>, Vec<u64>)> {
    let mut index: HashTable<u32> = HashTable::new();
    let mut distinct: Vec<u64> = Vec::new();
    let mut codes = Vec::with_capacity(numbers.len());
    let hash = |number: u64| number.wrapping_mul(MIX).rotate_left(32).wrapping_mul(MIX);
    for (i, &number) in numbers.iter().enumerate() {
        let found = index.find(hash(number), |&code| distinct[code as usize] == number).copied();
        let code = found.unwrap_or_else(|| {
            let code = distinct.len() as u32;
            distinct.push(number);
            index.insert_unique(hash(number), code, |&other| hash(distinct[other as usize]));
            code
        });
        codes.push(code);
        if i >= TRIAL_VALUES && i.is_power_of_two() && !pays(distinct.len(), i) {
            return None;
        }
    }
    pays(distinct.len(), numbers.len()).then_some((codes, distinct))
}

/// No row, shape or path.
const NONE: u32 = u32::MAX;
/// Values after which a dictionary of numbers is first judged.
const TRIAL_VALUES: usize = 512;
/// An odd number with bits all over.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
