//! The stages, one after the other, each by its definition.

use std::collections::BTreeMap;

use helios::query::language::{Aggregate, FieldName, Pattern, Piece, Span};
use helios::query::stages::bin::Width;
use helios::query::stages::fields::FieldSelector;
use helios::query::stages::timechart::SERIES_MAX;
use helios::query::stages::{Bin, Fields, Fillnull, Sort, Stage, Timechart};

use super::aggregate::{Context, aggregate, distinct};
use super::cell::{Cell, fold, group_order, sort_order};
use super::number::Num;
use super::row::Row;
use super::{Answer, Output, Request, scalar};

pub(crate) fn run(rows: Vec<Row>, stages: &[Stage], request: &Request) -> Answer {
    let (mut rows, mut columns, mut total) = (rows, None, None);
    for stage in stages {
        if stage.reduces() && columns.is_none() {
            total = Some(rows.len());
        }
        match stage {
            Stage::Stats(stats) => {
                let made = stats_table(&rows, &stats.aggregates, &stats.by, context(request));
                (columns, rows) = (Some(made.0), made.1);
            }
            Stage::Timechart(chart) => {
                let made = timechart(&rows, chart, request);
                (columns, rows) = (Some(made.0), made.1);
            }
            Stage::Top(top) => {
                let made = frequent(&rows, &top.field, top.count, true);
                (columns, rows) = (Some(made.0), made.1);
            }
            Stage::Rare(rare) => {
                let made = frequent(&rows, &rare.field, rare.count, false);
                (columns, rows) = (Some(made.0), made.1);
            }
            Stage::Sort(sort) => sort_rows(&mut rows, sort),
            Stage::Head(head) => rows.truncate(usize::try_from(head.count).unwrap_or(usize::MAX)),
            Stage::Tail(tail) => {
                let gone = (rows.len() as u64).saturating_sub(tail.count);
                rows.drain(..gone as usize);
            }
            Stage::Where(stage) => rows.retain(|row| scalar::is_true(&stage.condition, row, request.now)),
            Stage::Fields(fields) => choose_fields(&mut rows, &mut columns, fields),
            Stage::Rename(rename) => {
                for (old, new) in &rename.pairs {
                    rename_field(&mut rows, &mut columns, old, new);
                }
            }
            Stage::Eval(eval) => {
                for (field, expr) in &eval.assignments {
                    add_column(&mut columns, field);
                    for row in &mut rows {
                        let value = scalar::value(expr, row, request.now);
                        put(row, field, if value.is_null() { Vec::new() } else { vec![value] });
                    }
                }
            }
            Stage::Dedup(dedup) => {
                let mut seen: Vec<(Vec<Vec<Option<String>>>, u64)> = Vec::new();
                rows.retain(|row| {
                    let texts = |field| row.items(field).iter().map(Cell::to_text).collect();
                    let key: Vec<Vec<Option<String>>> = dedup.fields.iter().map(texts).collect();
                    match seen.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, count)) => {
                            *count += 1;
                            *count <= dedup.count
                        }
                        None => {
                            seen.push((key, 1));
                            true
                        }
                    }
                });
            }
            Stage::Bin(bin) => {
                let target = bin.target.as_ref().unwrap_or(&bin.field);
                add_column(&mut columns, target);
                for row in &mut rows {
                    let values = row.items(&bin.field).iter().filter_map(|cell| binned(cell, bin)).collect();
                    put(row, target, values);
                }
            }
            Stage::Fillnull(fill) => fillnull(&mut rows, &mut columns, fill),
        }
    }
    let total = total.unwrap_or(rows.len());
    let Some(columns) = columns else { return Answer { total, output: Output::Hits(rows) } };
    let cell = |(row, place): (&Row, usize)| row.fields[place].1.first().cloned().unwrap_or(Cell::Null);
    let cells = |row: &Row| {
        assert_eq!(row.fields.len(), columns.len(), "a row has a cell for each column");
        (0..columns.len()).map(|place| cell((row, place))).collect()
    };
    let rows = rows.iter().map(cells).collect();
    Answer { total, output: Output::Table { columns, rows } }
}

/// Rule 13: `rate` is per second of the searched range, which without an end ends now.
fn context(request: &Request) -> Context {
    let range = request.start.map(|start| request.end.unwrap_or(request.now) - start).filter(|range| *range > 0);
    Context { now: request.now, range }
}

type Table = (Vec<String>, Vec<Row>);

/// Rule 12: for each combination of distinct values of `by`, the rows that have it.
fn groups<'a>(rows: &'a [Row], by: &[FieldName]) -> Vec<(Vec<Cell>, Vec<&'a Row>)> {
    let mut groups: Vec<(Vec<Cell>, Vec<&Row>)> = Vec::new();
    let mut index: BTreeMap<Vec<Option<String>>, usize> = BTreeMap::new();
    for row in rows {
        let mut keys: Vec<Vec<Cell>> = vec![Vec::new()];
        for field in by {
            let mut values = distinct(&row.items(field));
            if values.is_empty() {
                values.push(Cell::Null);
            }
            keys = keys
                .iter()
                .flat_map(|key| values.iter().map(|value| [key.clone(), vec![value.clone()]].concat()))
                .collect();
        }
        for key in keys {
            let texts: Vec<Option<String>> = key.iter().map(Cell::to_text).collect();
            let group = *index.entry(texts).or_insert_with(|| {
                groups.push((key, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(row);
        }
    }
    groups
}

fn stats_table(rows: &[Row], aggregates: &[Aggregate], by: &[FieldName], context: Context) -> Table {
    let names = by.iter().map(|field| field.typed().to_owned());
    let columns: Vec<String> = names.chain(aggregates.iter().map(|aggregate| aggregate.name.clone())).collect();
    let mut groups = groups(rows, by);
    if by.is_empty() && groups.is_empty() {
        groups.push((Vec::new(), Vec::new()));
    }
    let row = |(key, rows): &(Vec<Cell>, Vec<&Row>)| {
        let cells = aggregates.iter().map(|wanted| aggregate(wanted, rows, context));
        key.iter().cloned().chain(cells).collect::<Vec<Cell>>()
    };
    let mut table: Vec<Vec<Cell>> = groups.iter().map(row).collect();
    let first = by.len();
    // Rule 14: by the first aggregate descending, then the `by` values.
    table.sort_by(|a, b| {
        let descending = match (a[first].is_null(), b[first].is_null()) {
            (false, false) => sort_order(&b[first], &a[first]),
            (a_null, b_null) => a_null.cmp(&b_null),
        };
        let keys = a[..first].iter().zip(&b[..first]).map(|(a, b)| group_order(a, b));
        keys.fold(descending, std::cmp::Ordering::then)
    });
    let row = |cells: Vec<Cell>| Row::of_table(columns.iter().cloned().zip(cells));
    let rows = table.into_iter().map(row).collect();
    (columns, rows)
}

fn frequent(rows: &[Row], field: &FieldName, count: u32, most: bool) -> Table {
    let mut groups = groups(rows, std::slice::from_ref(field));
    groups.sort_by(|(a_key, a_rows), (b_key, b_rows)| {
        let ascending = a_rows.len().cmp(&b_rows.len());
        let by_count = if most { ascending.reverse() } else { ascending };
        by_count.then_with(|| group_order(&a_key[0], &b_key[0]))
    });
    groups.truncate(count as usize);
    let columns = vec![field.typed().to_owned(), "count".to_owned(), "percent".to_owned()];
    let row = |(key, members): (Vec<Cell>, Vec<&Row>)| {
        let percent = Num::int(members.len() as i64 * 100).div(&Num::int(rows.len() as i64)).unwrap().round(4);
        let cells = [key[0].clone(), Cell::count(members.len()), Cell::Number(percent)];
        Row::of_table(columns.iter().cloned().zip(cells))
    };
    let rows = groups.into_iter().map(row).collect();
    (columns.clone(), rows)
}

fn timechart(rows: &[Row], chart: &Timechart, request: &Request) -> Table {
    let time = |row: &Row| row.event.expect("timechart is the first reducing stage").0;
    let first = request.start.or_else(|| rows.iter().map(time).min());
    let last = request.end.map(|end| end - 1).or_else(|| rows.iter().map(time).max());
    let range = first.zip(last).filter(|(first, last)| first <= last);
    let span =
        chart.span.unwrap_or_else(|| Timechart::automatic_span(range.map_or(0, |(first, last)| last - first + 1)));
    let zone = chart.zone.as_ref().or(request.zone.as_ref());
    let bucket = |time| bucket_start(time, span, zone);

    let series = chart.by.as_ref().map(|field| series(rows, field));
    let mut columns = vec!["time".to_owned()];
    match &series {
        None => columns.extend(chart.aggregates.iter().map(|aggregate| aggregate.name.clone())),
        Some(series) => {
            for (name, _) in series {
                columns.extend(chart.aggregates.iter().map(|aggregate| match chart.aggregates.len() {
                    1 => name.clone(),
                    _ => format!("{}: {name}", aggregate.name),
                }));
            }
        }
    }
    let mut table = Vec::new();
    let mut next = range.map(|(first, _)| bucket(first));
    while let Some(start) = next.filter(|start| range.is_some_and(|(_, last)| *start <= last)) {
        let end = next_bucket(start, span, zone);
        let inside: Vec<&Row> = rows.iter().filter(|row| bucket(time(row)) == start).collect();
        let context = Context { now: request.now, range: Some(end - start) };
        let cells = |rows: &[&Row]| {
            chart.aggregates.iter().map(|wanted| aggregate(wanted, rows, context)).collect::<Vec<Cell>>()
        };
        let mut row = vec![Cell::Time(start)];
        match &series {
            None => row.extend(cells(&inside)),
            Some(series) => {
                for (_, belongs) in series {
                    let members: Vec<&Row> = inside.iter().filter(|row| belongs(row)).copied().collect();
                    row.extend(cells(&members));
                }
            }
        }
        table.push(row);
        next = Some(end);
    }
    let rows = table.into_iter().map(|cells| Row::of_table(columns.iter().cloned().zip(cells))).collect();
    (columns, rows)
}

type Series<'a> = (String, Box<dyn Fn(&Row) -> bool + 'a>);

/// Rule 14: one column per value, the ten largest and `other`.
fn series<'a>(rows: &[Row], field: &'a FieldName) -> Vec<Series<'a>> {
    let mut groups: Vec<(Cell, usize)> =
        groups(rows, std::slice::from_ref(field)).into_iter().map(|(key, rows)| (key[0].clone(), rows.len())).collect();
    groups.sort_by(|(a, a_rows), (b, b_rows)| b_rows.cmp(a_rows).then_with(|| group_order(a, b)));
    let has = move |row: &Row, value: &Cell| match row.items(field) {
        values if values.is_empty() => value.is_null(),
        values => values.iter().any(|own| own.to_text() == value.to_text()),
    };
    let others: Vec<Cell> = groups.iter().skip(SERIES_MAX).map(|(value, _)| value.clone()).collect();
    let mut series: Vec<Series<'a>> = Vec::new();
    for (value, _) in groups.into_iter().take(SERIES_MAX) {
        let name = value.to_text().unwrap_or_else(|| "null".to_owned());
        series.push((name, Box::new(move |row| has(row, &value))));
    }
    if !others.is_empty() {
        series.push(("other".to_owned(), Box::new(move |row| others.iter().any(|value| has(row, value)))));
    }
    series
}

const HOUR: i64 = 3_600_000_000_000;

/// The start of the bucket that a time is in.
fn bucket_start(time: i64, span: Span, zone: Option<&String>) -> i64 {
    let length = span.nanos().unwrap();
    let offset = offset(time, zone);
    let local = (time + offset).div_euclid(length) * length;
    if length <= HOUR { local - offset } else { from_local(local, zone) }
}

fn next_bucket(start: i64, span: Span, zone: Option<&String>) -> i64 {
    let length = span.nanos().unwrap();
    if length <= HOUR {
        return start + length;
    }
    let local = (start + offset(start, zone)).div_euclid(length) * length;
    // A change of clocks may have skipped the bucket's own start.
    (1..).map(|ahead| from_local(local + ahead * length, zone)).find(|next| *next > start).unwrap()
}

fn zone_of(zone: Option<&String>) -> jiff::tz::TimeZone {
    zone.map_or(jiff::tz::TimeZone::UTC, |name| jiff::tz::TimeZone::get(name).unwrap())
}

/// Nanoseconds that the zone's clock is ahead of UTC.
fn offset(time: i64, zone: Option<&String>) -> i64 {
    let time = jiff::Timestamp::from_nanosecond(time.into()).unwrap();
    i64::from(zone_of(zone).to_offset(time).seconds()) * 1_000_000_000
}

/// The time at which the zone's clock shows what UTC's shows at `local`.
fn from_local(local: i64, zone: Option<&String>) -> i64 {
    let shown = jiff::Timestamp::from_nanosecond(local.into()).unwrap().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let time = shown.to_zoned(zone_of(zone)).unwrap().timestamp();
    i64::try_from(time.as_nanosecond()).unwrap()
}

/// Rule 15: stable, null last either way.
fn sort_rows(rows: &mut [Row], sort: &Sort) {
    rows.sort_by(|a, b| {
        let mut order = std::cmp::Ordering::Equal;
        for key in &sort.keys {
            let (a, b) = (a.first(&key.field), b.first(&key.field));
            order = order.then(match (a.is_null(), b.is_null()) {
                (false, false) if key.descending => sort_order(&b, &a),
                (false, false) => sort_order(&a, &b),
                (a_null, b_null) => a_null.cmp(&b_null),
            });
        }
        order
    });
}

fn choose_fields(rows: &mut [Row], columns: &mut Option<Vec<String>>, stage: &Fields) {
    let Some(columns) = columns else {
        for row in rows {
            // Rule 1: a reserved name is a member of the hit, and those stay.
            let body = |name: &&FieldSelector| !matches!(name, FieldSelector::Name(name) if name.member().is_some());
            let keys = stage.names.iter().filter(body).map(|name| selector(name, |name| name.folded().to_owned()));
            let keys: Vec<Selector> = keys.collect();
            row.fields.retain(|(name, _)| keys.iter().any(|key| key(name)) != stage.remove);
        }
        return;
    };
    let by_typed = |name: &FieldName| fold(name.typed());
    let keys: Vec<Selector> = stage.names.iter().map(|name| selector(name, by_typed)).collect();
    let all = 0..columns.len();
    let places: Vec<usize> = if stage.remove {
        all.filter(|&place| !keys.iter().any(|key| key(&columns[place]))).collect()
    } else {
        let chosen = keys.iter().flat_map(|key| all.clone().filter(|&place| key(&columns[place])));
        chosen.fold(Vec::new(), |kept, place| if kept.contains(&place) { kept } else { [kept, vec![place]].concat() })
    };
    *columns = places.iter().map(|&place| columns[place].clone()).collect();
    for row in rows {
        row.fields = places.iter().map(|&place| row.fields[place].clone()).collect();
    }
}

type Selector = Box<dyn Fn(&str) -> bool>;

fn selector(selector: &FieldSelector, key: impl Fn(&FieldName) -> String) -> Selector {
    match selector {
        FieldSelector::Name(name) => {
            let key = key(name);
            Box::new(move |column| fold(column) == key)
        }
        FieldSelector::Pattern(pattern) => {
            let regex = regex::Regex::new(&pattern_regex(pattern)).unwrap();
            Box::new(move |column| regex.is_match(&fold(column)))
        }
    }
}

fn pattern_regex(pattern: &Pattern) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => regex::escape(&fold(text)),
        Piece::One => ".".to_owned(),
        Piece::Many => ".*".to_owned(),
    };
    format!("(?s)^{}$", pattern.pieces.iter().map(piece).collect::<String>())
}

fn rename_field(rows: &mut [Row], columns: &mut Option<Vec<String>>, old: &FieldName, new: &FieldName) {
    let Some(columns) = columns else {
        for row in rows {
            rename_event_field(row, old, new);
        }
        return;
    };
    let exact = columns.iter().position(|column| column == old.typed());
    let folded = || columns.iter().position(|column| fold(column) == fold(old.typed()));
    let Some(place) = exact.or_else(folded) else { return };
    let stays = |(index, column): (usize, &String)| index == place || fold(column) != fold(new.typed());
    let places: Vec<usize> = (0..columns.len()).filter(|&index| stays((index, &columns[index]))).collect();
    columns[place] = new.typed().to_owned();
    *columns = places.iter().map(|&index| columns[index].clone()).collect();
    for row in rows {
        row.fields[place].0 = new.typed().to_owned();
        row.fields = places.iter().map(|&index| row.fields[index].clone()).collect();
    }
}

fn rename_event_field(row: &mut Row, old: &FieldName, new: &FieldName) {
    let values = row.values(old);
    if values.is_empty() || old.member().is_some() && old.member() == new.member() {
        return;
    }
    if old.member().is_none() {
        row.remove(old);
    }
    if new.member().is_none() {
        row.remove(new);
    }
    row.set(new, values);
}

/// A new column of a table is the last one.
fn add_column(columns: &mut Option<Vec<String>>, field: &FieldName) {
    if let Some(columns) = columns
        && !columns.iter().any(|column| fold(column) == fold(field.typed()))
    {
        columns.push(field.typed().to_owned());
    }
}

/// Sets a field; an event's is gone without values, several values of a table's cell are a list.
fn put(row: &mut Row, field: &FieldName, values: Vec<Cell>) {
    let flat: Vec<Cell> = values
        .into_iter()
        .flat_map(|cell| match cell {
            Cell::List(items) => items,
            single => vec![single],
        })
        .collect();
    match (row.event, flat.len()) {
        (None, 2..) => row.set(field, vec![Cell::List(flat)]),
        (Some(_), 0) if field.member().is_none() => row.remove(field),
        _ => row.set(field, flat),
    }
}

fn binned(cell: &Cell, bin: &Bin) -> Option<Cell> {
    match &bin.width {
        Width::Time(span) => {
            let length = span.nanos().unwrap();
            Some(Cell::Time(cell.time()?.div_euclid(length) * length))
        }
        Width::Number(width) => {
            let width = Num::parse(&width.to_string()).unwrap();
            let value = cell.number()?;
            let rest = value.rem(&width)?;
            let rest = if rest.compare(&Num::zero()).is_lt() { rest.add(&width) } else { rest };
            Some(Cell::Number(value.sub(&rest)))
        }
    }
}

fn fillnull(rows: &mut [Row], columns: &mut Option<Vec<String>>, stage: &Fillnull) {
    let value = Num::parse(&stage.value).map_or_else(|| Cell::text(&stage.value), Cell::Number);
    let mut fields = stage.fields.clone();
    if let (Some(columns), true) = (&columns, fields.is_empty()) {
        fields = columns.iter().map(FieldName::new).collect();
    }
    for field in &fields {
        add_column(columns, field);
        for row in rows.iter_mut() {
            if row.values(field).is_empty() {
                row.set(field, vec![value.clone()]);
            }
        }
    }
}
