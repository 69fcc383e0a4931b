//! Codes given another column's codes: where a service tells the pod, or a source the template, the codes
//! of each service or source by themselves take less than all together.

use super::values::ValueRows;
use super::{ChunkIn, ChunkOut, ints};
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

/// Reads `count` codes, all below `bound`.
pub(in crate::block) fn get(
    chunk: &mut ChunkIn<'_>,
    count: usize,
    bound: u64,
    rows: &ValueRows<'_>,
) -> Result<Vec<u32>, BlockError> {
    if chunk.head.0.first() != Some(&GIVEN) {
        return ints::get_codes(chunk, count, bound);
    }
    chunk.head.byte()?;
    let refer = chunk.head.at_most(u64::from(u32::MAX))? as usize;
    let Some(column) = rows.columns.get(refer) else {
        return damaged("codes need a column though the footer denies it");
    };
    let known = match rows.row_of {
        Some(own) => classes(column, own.iter().copied()),
        None => classes(column, 0..count as u32),
    };
    let Some(classes) = known.filter(|classes| classes.len() == count) else {
        return damaged("codes need a column that has no dictionary");
    };
    let mut counts = vec![0usize; column.values.len() + 1];
    classes.iter().for_each(|&class| counts[class as usize] += 1);
    let mut parts: Vec<std::vec::IntoIter<u32>> = Vec::with_capacity(counts.len());
    for count in counts {
        let part = if count == 0 { Vec::new() } else { get_part(chunk, count, bound)? };
        parts.push(part.into_iter());
    }
    let next = |&class: &u32| parts[class as usize].next().expect("as many were read as were counted");
    Ok(classes.iter().map(next).collect())
}

fn get_part(chunk: &mut ChunkIn<'_>, count: usize, bound: u64) -> Result<Vec<u32>, BlockError> {
    let entries = chunk.head.at_most(count as u64)? as usize;
    let entries = ints::get_codes(chunk, entries, bound)?;
    match entries.as_slice() {
        [] => damaged("codes are missing"),
        [only] => Ok(vec![*only; count]),
        _ => {
            let codes = ints::get_codes(chunk, count, entries.len() as u64)?;
            Ok(codes.into_iter().map(|code| entries[code as usize]).collect())
        }
    }
}

/// Stands where numbers have their encoding.
const GIVEN: u8 = 4;
