//! Texts as templates with variables: the templates, which text has which, and each variable as a column
//! of its own.

use super::{ChunkIn, ChunkOut, Pack, ints, values};
use crate::block::error::damaged;
use crate::block::wire::put_varint;
use crate::block::{BlockError, Slot, Template, Templated, Texts};

/// Adds texts. Their count is known to the reader from elsewhere.
pub(in crate::block) fn put(out: &mut ChunkOut<'_>, texts: &Templated) {
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
    ints::put_codes(&mut nested, &texts.template_of);
    for slot in texts.templates.iter().flat_map(|template| &template.slots) {
        values::put(&mut nested, slot.codes.as_deref(), &slot.values);
    }
    let (head, body, pools) = nested.into_parts();
    out.stream(&literals, Pack::Text);
    out.stream(&head, Pack::Text);
    out.stream(&pools.numbers, Pack::Raw);
    out.stream(&pools.texts, Pack::Text);
    out.body.extend_from_slice(&body);
}

/// Reads `count` texts.
pub(in crate::block) fn get(chunk: &mut ChunkIn<'_>, count: usize) -> Result<Templated, BlockError> {
    let literals = chunk.stream()?;
    let head = chunk.stream()?;
    let numbers = chunk.stream()?;
    let pooled = chunk.stream()?;
    let mut nested = chunk.nested(&head, &numbers, &pooled);
    let mut templates = get_templates(&mut nested, &literals)?;
    let template_of = ints::get_codes(&mut nested, count, templates.len() as u64)?;
    let mut rank = Vec::with_capacity(count);
    for (entry, &template) in (0..).zip(&template_of) {
        let entries = &mut templates[template as usize].0.entries;
        rank.push(entries.len() as u32);
        entries.push(entry);
    }
    let mut left = SLOT_VALUES_MAX;
    let mut got = Vec::with_capacity(templates.len());
    for (mut template, slots) in templates {
        for _ in 0..slots {
            let Some(rest) = left.checked_sub(template.entries.len()) else { return damaged("too many variables") };
            left = rest;
            template.slots.push(get_slot(&mut nested, template.entries.len())?);
        }
        got.push(template);
    }
    let left = nested.end_nested()?;
    chunk.resume(left);
    Ok(Templated { templates: got, template_of, rank })
}

/// The templates, without their slots, and how many each has.
fn get_templates(chunk: &mut ChunkIn<'_>, mut literals: &[u8]) -> Result<Vec<(Template, usize)>, BlockError> {
    let count = chunk.head.count()?;
    let mut templates = Vec::new();
    for _ in 0..count {
        let slots = chunk.head.count()?;
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

fn get_slot(chunk: &mut ChunkIn<'_>, count: usize) -> Result<Slot, BlockError> {
    match values::get_plain(chunk, count as u64)? {
        stored if stored.len() == count => Ok(Slot { codes: stored.codes, values: stored.values }),
        _ => damaged("a variable has a wrong number of values"),
    }
}

/// Values of all variables of one column. Bounds what a hostile block can make the reader allocate, since
/// a constant takes no bytes.
const SLOT_VALUES_MAX: usize = 1 << 26;
