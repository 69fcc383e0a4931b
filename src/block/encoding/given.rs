//! Codes given another column's codes: where a service tells the pod, or a source the template, the codes
//! of each service or source by themselves take less than all together.

use super::values::ValueRows;
use super::{ChunkIn, ChunkOut, Wanted, ints};
use crate::block::error::damaged;
use crate::block::wire::put_varint;
use crate::block::{BlockError, Column};

/// What is known of the row of each code.
#[derive(Clone, Debug)]
pub(in crate::block) struct Given {
    /// Which of the columns that are referred to tells.
    pub(in crate::block) refer: u32,
    /// What it says of each code's row: see [`classes`].
    pub(in crate::block) classes: Vec<u32>,
}

/// The entry that the column, which has a dictionary, says first in each of these rows, ascending; its
/// number of entries where it says nothing. `None` if it has no dictionary.
pub(in crate::block) fn classes(column: &Column, rows: impl Iterator<Item = u32>) -> Option<Vec<u32>> {
    let codes = column.codes.as_ref()?;
    let absent = column.values.len() as u32;
    let mut at = 0;
    let class = |row: u32| match &column.rows {
        None => codes.get(row as usize).copied().unwrap_or(absent),
        Some(own) => {
            while own.get(at).is_some_and(|&own| own < row) {
                at += 1;
            }
            if own.get(at) == Some(&row) { codes[at] } else { absent }
        }
    };
    Some(rows.map(class).collect())
}

/// Adds codes.
pub(in crate::block) fn put(out: &mut ChunkOut<'_>, codes: &[u32], given: Option<&Given>) {
    let Some(Given { refer, classes }) = given else { return ints::put_codes(out, codes) };
    out.head.push(GIVEN);
    put_varint(&mut out.head, u64::from(*refer));
    let mut own = vec![u32::MAX; codes.iter().max().map_or(0, |&max| max as usize + 1)];
    for codes in by_class(codes, classes) {
        let mut entries: Vec<u32> = Vec::new();
        for &code in &codes {
            if own[code as usize] == u32::MAX {
                own[code as usize] = 0;
                entries.push(code);
            }
        }
        entries.sort_unstable();
        (0..).zip(&entries).for_each(|(at, &entry)| own[entry as usize] = at);
        put_varint(&mut out.head, entries.len() as u64);
        let numbers: Vec<u64> = entries.iter().map(|&entry| u64::from(entry)).collect();
        ints::put(out, &numbers);
        if entries.len() > 1 {
            ints::put_codes(out, &codes.iter().map(|&code| own[code as usize]).collect::<Vec<_>>());
        }
        entries.iter().for_each(|&entry| own[entry as usize] = u32::MAX);
    }
}

/// The codes of each class that occurs, by class.
fn by_class(codes: &[u32], classes: &[u32]) -> Vec<Vec<u32>> {
    let count = classes.iter().max().map_or(0, |&max| max as usize + 1);
    let mut parts = vec![Vec::new(); count];
    codes.iter().zip(classes).for_each(|(&code, &class)| parts[class as usize].push(code));
    parts.retain(|part| !part.is_empty());
    parts
}

/// Reads codes, all below `bound`: of `count`, those that `rows` wants.
pub(in crate::block) fn get(
    chunk: &mut ChunkIn<'_>,
    count: usize,
    bound: u64,
    rows: &ValueRows<'_>,
) -> Result<Vec<u32>, BlockError> {
    if chunk.head.0.first() != Some(&GIVEN) {
        return ints::get_codes_of(chunk, count, bound, rows.wanted);
    }
    chunk.head.byte()?;
    let refer = chunk.head.at_most(u64::from(u32::MAX))? as usize;
    // Of the others only the rows that are shown may have been read.
    if refer + 1 != rows.columns.len() {
        return damaged("codes are told by another column than the last that is referred to");
    }
    let teller = &rows.columns[refer];
    let known = match rows.row_of {
        Some(own) => classes(teller, own.iter().copied()),
        None => classes(teller, 0..count as u32),
    };
    let Some(classes) = known.filter(|classes| classes.len() == count) else {
        return damaged("codes need a column that has no dictionary");
    };
    get_classes(chunk, &classes, teller.values.len() + 1, bound, rows.wanted)
}

/// Reads the codes of each class by themselves, and puts them where they belong.
fn get_classes(
    chunk: &mut ChunkIn<'_>,
    classes: &[u32],
    class_count: usize,
    bound: u64,
    wanted: Wanted<'_>,
) -> Result<Vec<u32>, BlockError> {
    let mut counts = vec![0u32; class_count];
    // Of each class, which of its codes are wanted, unless all are.
    let mut items: Vec<Vec<u32>> = vec![Vec::new(); if wanted.items().is_some() { class_count } else { 0 }];
    let mut next_wanted = wanted.items().unwrap_or_default().iter().copied().peekable();
    for (at, &class) in (0..).zip(classes) {
        if next_wanted.next_if_eq(&at).is_some() {
            items[class as usize].push(counts[class as usize]);
        }
        counts[class as usize] += 1;
    }
    let mut parts: Vec<std::vec::IntoIter<u32>> = Vec::with_capacity(class_count);
    for (class, &count) in counts.iter().enumerate() {
        let wanted = items.get(class).map_or(Wanted::ALL, |items| Wanted::only(items));
        let part = if count == 0 { Vec::new() } else { get_part(chunk, count as usize, bound, wanted)? };
        parts.push(part.into_iter());
    }
    let next = |class: u32| parts[class as usize].next().expect("as many were read as were counted");
    Ok(match wanted.items() {
        None => classes.iter().copied().map(next).collect(),
        Some(items) => items.iter().map(|&item| classes[item as usize]).map(next).collect(),
    })
}

fn get_part(chunk: &mut ChunkIn<'_>, count: usize, bound: u64, wanted: Wanted<'_>) -> Result<Vec<u32>, BlockError> {
    let entries = chunk.head.at_most(count as u64)? as usize;
    let entries = ints::get_codes(chunk, entries, bound)?;
    match entries.as_slice() {
        [] => damaged("codes are missing"),
        [only] => Ok(vec![*only; wanted.count_of(count)]),
        _ => {
            let codes = ints::get_codes_of(chunk, count, entries.len() as u64, wanted)?;
            Ok(codes.into_iter().map(|code| entries[code as usize]).collect())
        }
    }
}

/// Stands where numbers have their encoding.
const GIVEN: u8 = 4;
