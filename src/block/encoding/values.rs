//! The values of a column: a form, and a dictionary where one is smaller.

use std::sync::Arc;

use super::given::{self, Given};
use super::ints::{ordered, signed};
use super::{ChunkIn, ChunkOut, Pack, Wanted, ints, templates, texts, typing};
use crate::block::column::TimeForm;
use crate::block::error::damaged;
use crate::block::gather::{dictionary_of, number, with_numbers};
use crate::block::split::References;
use crate::block::wire::{put_bytes, put_varint};
use crate::block::{BlockError, Column, Values};

/// Codes and entries as they are stored.
pub(in crate::block) struct Stored {
    /// The entry of each value; `None`: value `i` says entry `i`.
    pub(in crate::block) codes: Option<Vec<u32>>,
    pub(in crate::block) values: Values,
}

impl Stored {
    pub(in crate::block) fn new(codes: Option<Vec<u32>>, values: Values) -> Self {
        Self { codes, values }
    }
}

/// Chooses the form in which values are stored. `None`: as they are.
pub(in crate::block) fn choose(codes: Option<&[u32]>, values: &Values) -> Option<Stored> {
    let typed = match values {
        Values::Texts(texts) => typing::typed(texts),
        _ => None,
    };
    let form = typed.as_ref().unwrap_or(values);
    if matches!(form, Values::Texts(_) | Values::Templated(_) | Values::Hex { .. }) {
        return typed.map(|values| Stored::new(codes.map(<[u32]>::to_vec), values));
    }
    let entries = form.len();
    match codes {
        Some(codes) if !is_worth_a_dictionary(form, entries, plain_bits(form, codes.len()), codes.len()) => {
            let numbers = codes.iter().map(|&code| number(form, code as usize)).collect();
            Some(Stored::new(None, with_numbers(form, numbers)))
        }
        Some(codes) => typed.map(|values| Stored::new(Some(codes.to_vec()), values)),
        None => {
            let numbers: Vec<u64> = (0..entries).map(|i| number(form, i)).collect();
            let dictionary = dictionary_of(&numbers)
                .map(|(codes, distinct)| Stored::new(Some(codes), with_numbers(form, distinct)))
                .filter(|own| is_worth_a_dictionary(&own.values, own.values.len(), plain_bits(form, entries), entries));
            dictionary.or_else(|| typed.map(|values| Stored::new(None, values)))
        }
    }
}

/// A dictionary may cost a little: groups and searches are answered by its few entries.
fn is_worth_a_dictionary(form: &Values, entries: usize, plain_bits: u64, count: usize) -> bool {
    dictionary_bits(form, entries, count) <= plain_bits + plain_bits / 8
}

/// Bits of `count` numbers of this form, each as wide as the widest.
fn plain_bits(form: &Values, count: usize) -> u64 {
    let keys = (0..form.len()).map(|i| key(form, i));
    let (min, max) = keys.fold((u64::MAX, 0), |(min, max), key| (min.min(key), max.max(key)));
    count as u64 * u64::from(64 - max.saturating_sub(min).leading_zeros())
}

fn dictionary_bits(form: &Values, entries: usize, count: usize) -> u64 {
    let code_bits = u64::from(usize::BITS - entries.saturating_sub(1).leading_zeros());
    plain_bits(form, entries) + count as u64 * code_bits
}

/// A number of this form so that order is kept.
fn key(form: &Values, i: usize) -> u64 {
    let bits = number(form, i);
    if is_signed(form) { ordered(bits as i64) } else { bits }
}

fn is_signed(form: &Values) -> bool {
    matches!(form, Values::Integers(_) | Values::Decimals { .. } | Values::Times { .. })
}

/// What other columns say of the values.
#[derive(Clone, Copy, Default)]
pub(in crate::block) struct Others<'a> {
    /// Variables of templates that are not stored; none where this is left out.
    pub(in crate::block) references: Option<&'a References>,
    /// What tells the codes.
    pub(in crate::block) given: Option<&'a Given>,
}

/// Adds codes and values.
pub(in crate::block) fn put(out: &mut ChunkOut<'_>, codes: Option<&[u32]>, values: &Values, others: Others<'_>) {
    match codes {
        None => {
            out.head.push(PLAIN);
            put_varint(&mut out.head, values.len() as u64);
            put_values(out, values, others);
        }
        Some(codes) => {
            out.head.push(DICTIONARY);
            put_varint(&mut out.head, codes.len() as u64);
            put_varint(&mut out.head, values.len() as u64);
            put_values(out, values, Others::default());
            given::put(out, codes, others.given);
        }
    }
}

/// Adds that each value is the time of its row, in this form.
pub(in crate::block) fn put_row_times(out: &mut ChunkOut<'_>, count: usize, form: TimeForm) {
    out.head.push(PLAIN);
    put_varint(&mut out.head, count as u64);
    out.head.push(ROW_TIMES);
    put_form(&mut out.head, form);
}

fn put_values(out: &mut ChunkOut<'_>, values: &Values, others: Others<'_>) {
    match values {
        Values::Texts(own) => {
            out.head.push(TEXTS);
            texts::put(out, own);
            return;
        }
        Values::Integers(_) => out.head.push(INTEGERS),
        Values::Decimals { scale, .. } => out.head.extend([DECIMALS, *scale]),
        Values::Hex { bytes, width, upper, hyphens } => {
            out.head.extend([HEX, u8::from(*upper) | u8::from(*hyphens) << 1]);
            put_varint(&mut out.head, u64::from(*width));
            out.stream(bytes, Pack::Numbers);
            return;
        }
        Values::Ipv4(_) => out.head.push(IPV4),
        Values::Affixed { prefix, digits, suffix, .. } => {
            out.head.extend([AFFIXED, *digits]);
            put_bytes(&mut out.head, prefix.as_bytes());
            put_bytes(&mut out.head, suffix.as_bytes());
        }
        Values::Times { form, .. } => {
            out.head.push(TIMES);
            put_form(&mut out.head, *form);
        }
        Values::Templated(own) => {
            out.head.push(TEMPLATED);
            templates::put(out, own, others);
            return;
        }
        Values::TimeTexts { .. } => unreachable!("only a template's variables have this form"),
    }
    let keys: Vec<u64> = (0..values.len()).map(|i| key(values, i)).collect();
    ints::put(out, &keys);
}

fn put_form(head: &mut Vec<u8>, form: TimeForm) {
    head.extend([form.separator, form.point, form.fraction, u8::from(form.zulu)]);
}

/// Which values are read, and what templates may need of their rows.
#[derive(Clone, Copy, Default)]
pub(in crate::block) struct ValueRows<'a> {
    /// Which of the values are read.
    pub(in crate::block) wanted: Wanted<'a>,
    /// The row of each value; `None`: value `i` is of row `i`.
    pub(in crate::block) row_of: Option<&'a [u32]>,
    /// The time of each row, if the column needs it.
    pub(in crate::block) times: Option<&'a [i64]>,
    /// The columns that the column needs: the last as a whole, of the others those of the wanted rows.
    pub(in crate::block) columns: &'a [Arc<Column>],
}

/// What was read of a column's values.
pub(in crate::block) enum Got {
    /// Codes and values.
    Stored(Stored),
    /// Each value is the time of its row.
    RowTimes(TimeForm),
}

/// Reads codes and values; there must be `count` values.
pub(in crate::block) fn get(chunk: &mut ChunkIn<'_>, count: usize, rows: &ValueRows<'_>) -> Result<Got, BlockError> {
    let layout = chunk.head.byte()?;
    if chunk.head.at_most(count as u64)? as usize != count {
        return damaged("a column has a wrong number of values");
    }
    match layout {
        PLAIN if chunk.head.0.first() == Some(&ROW_TIMES) => {
            chunk.head.byte()?;
            Ok(Got::RowTimes(get_form(chunk)?))
        }
        PLAIN => Ok(Got::Stored(Stored::new(None, get_values(chunk, count, rows)?))),
        DICTIONARY => {
            let entries = chunk.head.at_most(count as u64)? as usize;
            // An entry is not of one row.
            let all = ValueRows { wanted: rows.wanted.all_or_none(), ..ValueRows::default() };
            let values = get_values(chunk, entries, &all)?;
            let codes = given::get(chunk, count, entries as u64, rows)?;
            Ok(Got::Stored(Stored::new(Some(codes), values)))
        }
        _ => damaged("values have an unknown layout"),
    }
}

/// Bytes of the chunk that a dictionary's entries take. Reads no further than them.
pub(in crate::block) fn entry_bytes(chunk: &mut ChunkIn<'_>, count_max: u64) -> Result<usize, BlockError> {
    if chunk.head.byte()? != DICTIONARY {
        return Ok(0);
    }
    let count = chunk.head.at_most(count_max)?;
    let entries = chunk.head.at_most(count)? as usize;
    let before = chunk.left();
    get_values(chunk, entries, &ValueRows::default())?;
    Ok(before - chunk.left())
}

/// Reads codes and values that are neither row times nor templates.
pub(in crate::block) fn get_plain(
    chunk: &mut ChunkIn<'_>,
    count: usize,
    wanted: Wanted<'_>,
) -> Result<Stored, BlockError> {
    match get(chunk, count, &ValueRows { wanted, ..ValueRows::default() })? {
        Got::Stored(stored) => Ok(stored),
        Got::RowTimes(_) => damaged("values have an impossible form"),
    }
}

fn get_values(chunk: &mut ChunkIn<'_>, count: usize, rows: &ValueRows<'_>) -> Result<Values, BlockError> {
    let form = chunk.head.byte()?;
    let form = match form {
        TEXTS => return texts::get_of(chunk, count, rows.wanted).map(Values::Texts),
        TEMPLATED if !chunk.is_nested() => return templates::get(chunk, count, rows).map(Values::Templated),
        HEX => return get_hex(chunk, count, rows.wanted),
        INTEGERS => Values::Integers(Vec::new()),
        DECIMALS => match chunk.head.byte()? {
            scale @ 1..=18 => Values::Decimals { values: Vec::new(), scale },
            _ => return damaged("decimals have an impossible scale"),
        },
        IPV4 => Values::Ipv4(Vec::new()),
        AFFIXED => get_affixes(chunk)?,
        TIMES => Values::Times { values: Vec::new(), form: get_form(chunk)? },
        _ => return damaged("values have an unknown form"),
    };
    let mut keys = ints::get_of(chunk, count, rows.wanted)?;
    if is_signed(&form) {
        keys.iter_mut().for_each(|key| *key = signed(*key) as u64);
    }
    check_keys(&form, &keys)?;
    Ok(with_numbers(&form, keys))
}

fn get_hex(chunk: &mut ChunkIn<'_>, count: usize, wanted: Wanted<'_>) -> Result<Values, BlockError> {
    let flags = chunk.head.at_most(3)? as u8;
    let (upper, hyphens) = (flags & 1 != 0, flags & 2 != 0);
    let width = chunk.head.at_most(u64::from(u16::MAX))? as u16;
    let size = usize::from(width);
    let bytes = match chunk.stream_if(!wanted.is_none())? {
        Some(bytes) if bytes.len() != count.saturating_mul(size) => {
            return damaged("hexadecimal values have a wrong length");
        }
        Some(bytes) => match wanted.items() {
            None => bytes.into_owned(),
            Some(items) => items.iter().flat_map(|&item| &bytes[item as usize * size..][..size]).copied().collect(),
        },
        None => Vec::new(),
    };
    if width == 0 || (hyphens && width != 16) {
        return damaged("hexadecimal values have a wrong length");
    }
    Ok(Values::Hex { bytes, width, upper, hyphens })
}

fn get_affixes(chunk: &mut ChunkIn<'_>) -> Result<Values, BlockError> {
    let digits = chunk.head.byte()?;
    if digits > 19 {
        return damaged("numbers in text have an impossible width");
    }
    let (prefix, suffix) = (chunk.head.text()?.to_owned(), chunk.head.text()?.to_owned());
    Ok(Values::Affixed { prefix, values: Vec::new(), digits, suffix })
}

/// What the writing of a text relies on.
fn check_keys(form: &Values, keys: &[u64]) -> Result<(), BlockError> {
    let fits = match form {
        Values::Ipv4(_) => keys.iter().all(|&key| key <= u64::from(u32::MAX)),
        Values::Affixed { digits: digits @ 1.., .. } => {
            let behind = 10u64.pow(u32::from(*digits));
            keys.iter().all(|&key| key < behind)
        }
        _ => true,
    };
    if fits { Ok(()) } else { damaged("a value does not fit its form") }
}

fn get_form(chunk: &mut ChunkIn<'_>) -> Result<TimeForm, BlockError> {
    let [separator, point, fraction, zulu] = chunk.head.array()?;
    let fits = matches!(separator, b'T' | b' ') && matches!(point, b'.' | b',') && fraction <= 9 && zulu <= 1;
    if !fits {
        return damaged("times have an unknown form");
    }
    Ok(TimeForm { separator, point, fraction, zulu: zulu == 1 })
}

const PLAIN: u8 = 0;
const DICTIONARY: u8 = 1;

const TEXTS: u8 = 0;
const INTEGERS: u8 = 1;
const DECIMALS: u8 = 2;
const HEX: u8 = 3;
const IPV4: u8 = 4;
const AFFIXED: u8 = 5;
const TIMES: u8 = 6;
const ROW_TIMES: u8 = 7;
const TEMPLATED: u8 = 8;
