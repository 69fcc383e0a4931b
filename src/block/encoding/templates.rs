//! Texts as templates with variables: the templates, which text has which, and each variable as a column
//! of its own.

use super::values::{Others, ValueRows};
use super::{ChunkIn, ChunkOut, Pack, Wanted, given, values};
use crate::block::error::damaged;
use crate::block::wire::{put_bytes, put_varint};
use crate::block::{BlockError, Column, Slot, Template, Templated, Texts, TimePart, TimePattern, TimePiece, Values};

/// Adds texts. Their count is known to the reader from elsewhere. What `others` names is not stored,
/// nor are times: they are those of the rows.
pub(in crate::block) fn put(out: &mut ChunkOut<'_>, texts: &Templated, others: Others<'_>) {
    let mut nested = out.nested();
    put_varint(&mut nested.head, texts.templates.len() as u64);
    let mut literals = Vec::new();
    for template in &texts.templates {
        put_varint(&mut nested.head, template.slots.len() as u64);
        for literal in template.literals.iter() {
            put_varint(&mut nested.head, literal.len() as u64);
        }
        literals.extend_from_slice(&template.literals.bytes);
    }
    given::put(&mut nested, &texts.template_of, others.given);
    for (number, template) in (0..).zip(&texts.templates) {
        for (at, slot) in (0..).zip(&template.slots) {
            let reference = others.references.and_then(|references| references.get(&(number, at)));
            put_slot(&mut nested, slot, reference);
        }
    }
    let (head, body, pools) = nested.into_parts();
    out.stream(&literals, Pack::Text);
    out.stream(&head, Pack::Text);
    out.stream(&pools.numbers, Pack::Raw);
    out.stream(&pools.texts, Pack::Text);
    out.body.extend_from_slice(&body);
}

fn put_slot(out: &mut ChunkOut<'_>, slot: &Slot, reference: Option<&u32>) {
    match (&slot.values, reference) {
        (_, Some(&column)) => {
            out.head.push(REFERENCE);
            put_varint(&mut out.head, u64::from(column));
        }
        (Values::TimeTexts { pattern, .. }, None) => {
            out.head.push(ROW_TIMES);
            put_varint(&mut out.head, pattern.0.len() as u64);
            for piece in &pattern.0 {
                match piece {
                    TimePiece::Part(part) => out.head.push(*part as u8),
                    TimePiece::Literal(text) => {
                        out.head.push(LITERAL);
                        put_bytes(&mut out.head, text.as_bytes());
                    }
                }
            }
        }
        (values, None) => {
            out.head.push(OWN);
            values::put(out, slot.codes.as_deref(), values, Others::default());
        }
    }
}

/// Reads texts: of `count`, those that `rows` wants. All templates are there, even those of no such text.
pub(in crate::block) fn get(
    chunk: &mut ChunkIn<'_>,
    count: usize,
    rows: &ValueRows<'_>,
) -> Result<Templated, BlockError> {
    let literals = chunk.stream()?;
    let head = chunk.stream()?;
    let numbers = chunk.stream()?;
    let pooled = chunk.stream()?;
    let mut nested = chunk.nested(&head, &numbers, &pooled);
    let mut templates = get_templates(&mut nested, &literals)?;
    // Which of its template's texts one is takes a look at all texts before it.
    let all = ValueRows { wanted: Wanted::ALL, ..*rows };
    let template_of = given::get(&mut nested, count, templates.len() as u64, &all)?;
    let mut numbers = Numbers::new(&template_of, templates.len());
    let some = rows.wanted.items().map(|items| numbers.only(&template_of, items));
    let mut left = Left { values: SLOT_VALUES_MAX, bytes: SLOT_BYTES_MAX };
    for (at, (template, slots)) in templates.iter_mut().enumerate() {
        let texts = match &some {
            None => SlotTexts { count: numbers.entries[at].len(), wanted: Wanted::ALL, entries: &numbers.entries[at] },
            Some(some) => SlotTexts {
                count: numbers.entries[at].len(),
                wanted: Wanted::only(&some[at].ranks),
                entries: &some[at].entries,
            },
        };
        for _ in 0..*slots {
            template.slots.push(get_slot(&mut nested, texts, rows, &mut left)?);
        }
    }
    let end = nested.end_nested()?;
    chunk.resume(end);
    let template_of = rows.wanted.of(template_of);
    if some.is_some() {
        numbers = Numbers::new(&template_of, templates.len());
    }
    let templates = templates.into_iter().zip(numbers.entries);
    let templates = templates.map(|((template, _), entries)| Template { entries, ..template }).collect();
    Ok(Templated { templates, template_of, rank: numbers.rank })
}

/// The texts of each template, and which of them each text is.
struct Numbers {
    entries: Vec<Vec<u32>>,
    rank: Vec<u32>,
}

/// Some texts of one template.
#[derive(Clone, Default)]
struct TemplateTexts {
    entries: Vec<u32>,
    ranks: Vec<u32>,
}

impl Numbers {
    fn new(template_of: &[u32], templates: usize) -> Self {
        let mut entries = vec![Vec::new(); templates];
        let mut rank = Vec::with_capacity(template_of.len());
        for (entry, &template) in (0..).zip(template_of) {
            let own = &mut entries[template as usize];
            rank.push(own.len() as u32);
            own.push(entry);
        }
        Self { entries, rank }
    }

    /// Of each template those among `items`.
    fn only(&self, template_of: &[u32], items: &[u32]) -> Vec<TemplateTexts> {
        let mut some = vec![TemplateTexts::default(); self.entries.len()];
        for &item in items {
            let own = &mut some[template_of[item as usize] as usize];
            own.entries.push(item);
            own.ranks.push(self.rank[item as usize]);
        }
        some
    }
}

/// The texts whose variables are read.
#[derive(Clone, Copy)]
struct SlotTexts<'a> {
    /// How many texts the template has.
    count: usize,
    /// Which of these are read.
    wanted: Wanted<'a>,
    /// Their numbers in the column.
    entries: &'a [u32],
}

/// What the variables of one column may still take.
struct Left {
    values: usize,
    bytes: usize,
}

/// The templates, without their slots, and how many each has.
fn get_templates(chunk: &mut ChunkIn<'_>, mut literals: &[u8]) -> Result<Vec<(Template, usize)>, BlockError> {
    let count = chunk.head.at_most(TEMPLATES_MAX as u64)?;
    let mut left = SLOTS_MAX as u64;
    let mut templates = Vec::new();
    for _ in 0..count {
        let slots = chunk.head.at_most(left)? as usize;
        left -= slots as u64;
        let mut own = Texts::default();
        for _ in 0..=slots {
            let len = chunk.head.at_most(literals.len() as u64)? as usize;
            let (literal, rest) = literals.split_at(len);
            if std::str::from_utf8(literal).is_err() {
                return damaged("a template is not UTF-8");
            }
            own.push(literal);
            literals = rest;
        }
        templates.push((Template { literals: own, ..Template::default() }, slots));
    }
    if literals.is_empty() { Ok(templates) } else { damaged("templates are left over") }
}

fn get_slot(
    chunk: &mut ChunkIn<'_>,
    texts: SlotTexts<'_>,
    rows: &ValueRows<'_>,
    left: &mut Left,
) -> Result<Slot, BlockError> {
    let Some(rest) = left.values.checked_sub(texts.count.max(1)) else {
        return damaged("there are too many variables");
    };
    left.values = rest;
    let slot = read_slot(chunk, texts, rows, left.bytes)?;
    let Some(rest) = left.bytes.checked_sub(slot.values.memory_bytes()) else {
        return damaged("variables are too long");
    };
    left.bytes = rest;
    Ok(slot)
}

fn read_slot(
    chunk: &mut ChunkIn<'_>,
    texts: SlotTexts<'_>,
    rows: &ValueRows<'_>,
    bytes_max: usize,
) -> Result<Slot, BlockError> {
    let SlotTexts { count, wanted, entries } = texts;
    match chunk.head.byte()? {
        OWN => values::get_plain(chunk, count, wanted).map(|own| Slot { codes: own.codes, values: own.values }),
        ROW_TIMES => {
            let pattern = get_pattern(chunk)?;
            let Some(times) = rows.times else { return damaged("templates need times though the footer denies it") };
            let times = entries.iter().map(|&entry| times[rows.row_of(entry) as usize]).collect();
            Ok(Slot { codes: None, values: Values::TimeTexts { times, pattern } })
        }
        REFERENCE => {
            let column = chunk.head.at_most(u64::from(u32::MAX))? as usize;
            let Some(column) = rows.columns.get(column) else {
                return damaged("templates need a column though the footer denies it");
            };
            repeated(column, entries, rows, bytes_max)
        }
        _ => damaged("a variable has an unknown source"),
    }
}

fn get_pattern(chunk: &mut ChunkIn<'_>) -> Result<TimePattern, BlockError> {
    let count = chunk.head.at_most(PIECES_MAX as u64)?;
    let mut pieces = Vec::new();
    for _ in 0..count {
        let code = chunk.head.byte()?;
        pieces.push(match TimePart::ALL.get(usize::from(code)) {
            Some(&part) => TimePiece::Part(part),
            None if code == LITERAL => TimePiece::Literal(chunk.head.text()?.to_owned()),
            None => return damaged("a time has an unknown part"),
        });
    }
    Ok(TimePattern(pieces))
}

/// What the column says in the rows of these entries, one value in each.
fn repeated(column: &Column, entries: &[u32], rows: &ValueRows<'_>, bytes_max: usize) -> Result<Slot, BlockError> {
    let pick = |entries: &[u32]| match column.values.pick(entries, bytes_max) {
        Some(values) => Ok(values),
        None => damaged("variables are too long"),
    };
    let mut picked = Vec::with_capacity(entries.len());
    for &entry in entries {
        let own = column.values_of_row(rows.row_of(entry));
        if own.len() != 1 {
            return damaged("a row lacks the value that its text repeats");
        }
        picked.push(column.entry_of(own.start) as u32);
    }
    if column.codes.is_none() {
        return Ok(Slot { codes: None, values: pick(&picked)? });
    }
    let mut distinct = picked.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let code = |entry| distinct.binary_search(entry).expect("it is one of them") as u32;
    let codes = picked.iter().map(code).collect();
    Ok(Slot { codes: Some(codes), values: pick(&distinct)? })
}

impl ValueRows<'_> {
    fn row_of(&self, entry: u32) -> u32 {
        self.row_of.map_or(entry, |rows| rows[entry as usize])
    }
}

/// Where a variable's values come from: they stand here, are the times of the rows, or those of a column.
const OWN: u8 = 0;
const ROW_TIMES: u8 = 1;
const REFERENCE: u8 = 2;
/// Behind the codes of the parts of a time.
const LITERAL: u8 = 255;
/// Values of all variables of one column. Bounds what a hostile block can make the reader allocate, since
/// a constant takes no bytes.
pub(in crate::block) const SLOT_VALUES_MAX: usize = 1 << 26;
/// Bytes of all variables of one column in memory, for the same reason.
const SLOT_BYTES_MAX: usize = 1 << 30;
/// Templates of one column, and their variables.
pub(in crate::block) const TEMPLATES_MAX: usize = 8193;
pub(in crate::block) const SLOTS_MAX: usize = 1 << 20;
/// Pieces of one time.
pub(in crate::block) const PIECES_MAX: usize = 64;
