//! Small columns as nothing but their texts, many of them one after the other in one compressed chunk.
//!
//! Where a group has many fields of few values, forms, codes and checksums of their own cost more than
//! they save, and what one column has in common with the next is lost. A text that the column had before
//! is one byte: how many others came since. Stored line by line, the same texts would take more, since a
//! field's values resemble each other more than they resemble their neighbours in the line.

use std::sync::Arc;

use super::column_builder::ColumnBuilder;
use super::encoding::presence::{self, RowsByShape};
use super::encoding::{ChunkIn, ChunkOut, Pack};
use super::error::damaged;
use super::footer::{ColumnInfo, POOL_BYTES_MAX};
use super::{BlockError, Column, Texts, Values};

/// Columns' values, one column after the other.
#[derive(Default)]
pub(super) struct PlainTexts {
    /// Of each value 0, or where its text stands among those of its column that were used last, from 1.
    pub(super) ranks: Vec<u8>,
    /// The texts of the values of rank 0, each with its end.
    pub(super) texts: Vec<u8>,
}

impl PlainTexts {
    /// A column's values; `None` if their texts are longer than [`COLUMN_BYTES_MAX`].
    pub(super) fn of(column: &Column) -> Option<Self> {
        let mut own = Self::default();
        let mut bytes_left = COLUMN_BYTES_MAX;
        let mut recent: Vec<(u32, Vec<u8>)> = Vec::new();
        let mut scratch = Vec::new();
        for value in 0..column.len() {
            let entry = column.entry_of(value);
            let text = column.values.text_bytes(entry, &mut scratch);
            bytes_left = bytes_left.checked_sub(text.len() + 1)?;
            let same_entry = |&(known, _): &(u32, Vec<u8>)| column.codes.is_some() && known == entry as u32;
            let place = match recent.iter().position(same_entry) {
                None if column.codes.is_none() => recent.iter().position(|(_, known)| known == text),
                found => found,
            };
            match place {
                Some(place) => recent[..=place].rotate_right(1),
                None => {
                    own.texts.extend_from_slice(text);
                    own.texts.push(END);
                    recent.truncate(RECENT_MAX - 1);
                    recent.insert(0, (entry as u32, text.to_vec()));
                }
            }
            own.ranks.push(place.map_or(0, |place| place as u8 + 1));
        }
        Some(own)
    }

    pub(super) fn len(&self) -> usize {
        self.ranks.len() + self.texts.len()
    }

    /// Which columns lie side by side: those of digits, of some digits, of other texts. What is alike
    /// compresses better together.
    pub(super) fn kind(&self) -> u8 {
        let digits = self.texts.iter().filter(|byte| byte.is_ascii_digit()).count();
        match self.texts.len() {
            len if 2 * digits > len => 0,
            len if 4 * digits > len => 1,
            _ => 2,
        }
    }

    /// Puts another column behind.
    pub(super) fn append(&mut self, column: &Self) {
        self.ranks.extend_from_slice(&column.ranks);
        self.texts.extend_from_slice(&column.texts);
    }

    pub(super) fn put(&self, out: &mut ChunkOut<'_>, pack: Pack) {
        out.stream(&self.ranks, pack);
        out.stream(&self.texts, pack);
    }
}

/// The texts of columns as they are read.
#[derive(Debug)]
pub(super) struct TextPool {
    ranks: Vec<u8>,
    texts: Vec<u8>,
    /// Where the text that is next stands at value 0, at value [`MARK_VALUES`], and so on.
    marks: Vec<u32>,
}

impl TextPool {
    pub(super) fn open(mut chunk: ChunkIn<'_>) -> Result<Self, BlockError> {
        let (ranks, texts) = (chunk.stream()?.into_owned(), chunk.stream()?.into_owned());
        chunk.end()?;
        if ranks.len().max(texts.len()) > POOL_BYTES_MAX as usize {
            return damaged("a pool is too large");
        }
        let mut marks = Vec::with_capacity(ranks.len() / MARK_VALUES + 1);
        let mut rest = Rest(&texts);
        for values in ranks.chunks(MARK_VALUES) {
            marks.push((texts.len() - rest.0.len()) as u32);
            for _ in values.iter().filter(|&&rank| rank == 0) {
                rest.next()?;
            }
        }
        if rest.0.is_empty() { Ok(Self { ranks, texts, marks }) } else { damaged(WRONG_TEXTS) }
    }

    /// The ranks of a column, and the texts from its first on.
    fn column(&self, info: &ColumnInfo) -> Result<(&[u8], Rest<'_>), BlockError> {
        let start = info.chunk.pooled.expect("asked of pooled columns only").start as usize;
        let Some(ranks) = self.ranks.get(start..start + info.values as usize) else {
            return damaged("a column lies outside its pool");
        };
        let Some(&mark) = self.marks.get(start / MARK_VALUES) else { return damaged("a column has no values") };
        let mut rest = Rest(&self.texts[mark as usize..]);
        for _ in self.ranks[start - start % MARK_VALUES..start].iter().filter(|&&rank| rank == 0) {
            rest.next()?;
        }
        Ok((ranks, rest))
    }

    /// How many bytes there are of a column, and of all.
    pub(super) fn share_of(&self, info: &ColumnInfo) -> Result<(usize, usize), BlockError> {
        let (ranks, mut rest) = self.column(info)?;
        let before = rest.0.len();
        for _ in ranks.iter().filter(|&&rank| rank == 0) {
            rest.next()?;
        }
        Ok((ranks.len() + before - rest.0.len(), self.ranks.len() + self.texts.len()))
    }
}

/// Texts that are not read yet.
#[derive(Clone, Copy)]
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn next(&mut self) -> Result<&'a [u8], BlockError> {
        let Some(len) = memchr::memchr(END, self.0) else { return damaged(WRONG_TEXTS) };
        let (text, after) = self.0.split_at(len);
        self.0 = &after[1..];
        Ok(text)
    }
}

/// Reads a column back, of all rows or of those that are wanted. Costs no more than the group's rows and
/// [`COLUMN_BYTES_MAX`].
pub(super) fn get(
    pool: &TextPool,
    rows: u32,
    info: &ColumnInfo,
    shapes: Option<&RowsByShape<'_>>,
    wanted: Option<&[u32]>,
) -> Result<Column, BlockError> {
    if info.needs_shapes && shapes.is_none() {
        return damaged("a column needs shapes that were not read");
    }
    let (ranks, mut rest) = pool.column(info)?;
    let row_of = presence::known(rows, info.path, shapes, ranks.len() as u64)?;
    if row_of.is_empty() || row_of.len() != ranks.len() {
        return damaged("a column has a wrong number of values");
    }
    let is_wanted = |row: u32| wanted.is_none_or(|wanted| wanted.binary_search(&row).is_ok());
    let mut builder = ColumnBuilder::default();
    let mut recent: Vec<&[u8]> = Vec::new();
    let mut bytes_left = COLUMN_BYTES_MAX;
    for (&row, &rank) in row_of.iter().zip(ranks) {
        match usize::from(rank) {
            0 => {
                recent.truncate(RECENT_MAX - 1);
                recent.insert(0, rest.next()?);
            }
            rank if rank <= recent.len() => recent[..rank].rotate_right(1),
            _ => return damaged("a text repeats one that was not there"),
        }
        let text = recent[0];
        match bytes_left.checked_sub(text.len() + 1) {
            Some(left) => bytes_left = left,
            None => return damaged("the texts of a column are too long"),
        }
        if is_wanted(row) {
            if std::str::from_utf8(text).is_err() {
                return damaged("a text is not UTF-8");
            }
            builder.push(row, text);
        }
    }
    // Of some rows the rows are always spelled out.
    let column = builder.finish(if wanted.is_some() { u32::MAX } else { rows });
    let none = || Column { rows: Some(Arc::default()), codes: None, values: Values::Texts(Texts::default()) };
    Ok(column.unwrap_or_else(none))
}

const WRONG_TEXTS: &str = "texts are missing or left over";
/// Ends each text: no UTF-8 has this byte.
const END: u8 = 0xff;
/// How many texts that were used last can be repeated. The format says it; each value costs as many steps.
const RECENT_MAX: usize = 64;
/// Length of the texts of all values of a column, ends included, in bytes. The format says it: a text that
/// is repeated costs a byte in the pool, and its length again when it is read.
pub(super) const COLUMN_BYTES_MAX: usize = 1 << 20;
/// So many values are passed over at most to find a column's first.
const MARK_VALUES: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::footer::{ChunkRef, Pooled};
    use super::super::reader::decode_group_of;
    use super::super::testing::{Made, Rng, group_of, seen};
    use super::super::{BlockWriter, Footer, WriterOptions, fuzz};
    use super::*;
    use crate::event::{PathId, Spelling};

    fn column_of(texts: &[&str]) -> Column {
        let mut builder = ColumnBuilder::default();
        texts.iter().zip(0..).for_each(|(text, row)| builder.push(row, text.as_bytes()));
        builder.finish(texts.len() as u32).unwrap()
    }

    fn pool_of(texts: &PlainTexts) -> Result<TextPool, BlockError> {
        let mut out = ChunkOut::new(None);
        texts.put(&mut out, Pack::Shared);
        TextPool::open(ChunkIn::new(&out.head, &out.body))
    }

    /// What the values from `start` on say, as the only column of a group.
    fn read(texts: &PlainTexts, start: u32, values: u32) -> Result<Column, BlockError> {
        let pooled = Some(Pooled { start, len: values, head_len: 0 });
        let chunk = ChunkRef { offset: 0, len: 0, head_len: 0, checksum: 0, pooled };
        let info = ColumnInfo { values, ..ColumnInfo::plain(PathId(0), chunk) };
        get(&pool_of(texts)?, values, &info, None, None)
    }

    #[test]
    fn a_text_that_the_column_had_before_is_one_byte_whether_it_has_a_dictionary_or_not() {
        let same = PlainTexts::of(&column_of(&["ab", "ab", "c", "ab", "c", "c"])).unwrap();
        assert_eq!(same.ranks, [0, 1, 0, 2, 2, 1]);
        assert_eq!(same.texts, b"ab\xffc\xff");
        let mostly_different = PlainTexts::of(&column_of(&["a", "b", "c", "a"])).unwrap();
        assert_eq!(mostly_different.ranks, [0, 0, 0, 3]);
        assert_eq!(mostly_different.texts, b"a\xffb\xffc\xff");
    }

    #[test]
    fn a_text_is_said_again_where_more_than_64_others_came_since() {
        for (others, ranks_end) in [(63, 64), (64, 0)] {
            let own: Vec<String> = (0..=others).chain([0]).map(|n| n.to_string()).collect();
            let texts = PlainTexts::of(&column_of(&own.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
            assert_eq!(texts.ranks.last(), Some(&ranks_end));
            let read = read(&texts, 0, others + 2).unwrap();
            assert_eq!(read.text(others as usize + 1, &mut Vec::new()), "0");
        }
    }

    #[test]
    fn each_column_of_a_pool_begins_where_the_one_before_ends() {
        let mut rng = Rng(79);
        let columns: Vec<Column> = (0..200)
            .map(|_| {
                let texts: Vec<String> = (0..1 + rng.below(90)).map(|_| rng.below(40).to_string()).collect();
                column_of(&texts.iter().map(String::as_str).collect::<Vec<_>>())
            })
            .collect();
        let mut pool = PlainTexts::default();
        columns.iter().for_each(|column| pool.append(&PlainTexts::of(column).unwrap()));
        let mut start = 0;
        for column in &columns {
            assert_eq!(&read(&pool, start, column.len() as u32).unwrap(), column);
            start += column.len() as u32;
        }
        assert!(read(&pool, start, 1).is_err());
        assert!(read(&pool, start, 0).is_err());
    }

    #[test]
    fn texts_that_are_left_over_missing_or_not_there_to_be_repeated_are_damage() {
        let of = |ranks: &[u8], texts: &[u8]| PlainTexts { ranks: ranks.to_vec(), texts: texts.to_vec() };
        assert!(read(&of(&[0, 1], b"a\xff"), 0, 2).is_ok());
        assert!(pool_of(&of(&[0, 1], b"a\xffb\xff")).is_err());
        assert!(pool_of(&of(&[0, 1], b"a\xffb")).is_err());
        assert!(pool_of(&of(&[0, 0], b"a\xff")).is_err());
        assert!(read(&of(&[0, 2], b"a\xff"), 0, 2).is_err());
        assert!(read(&of(&[0, 255], b"a\xff"), 0, 2).is_err());
        // What another column said is not there either.
        assert!(read(&of(&[0, 1], b"a\xff"), 1, 1).is_err());
        assert!(read(&of(&[0], b"\xc3\xff"), 0, 1).is_err());
    }

    #[test]
    fn a_column_that_repeats_a_long_text_too_often_is_damage_and_is_not_written() {
        let long = "x".repeat(COLUMN_BYTES_MAX / 4);
        let texts = |count: usize| {
            let mut ranks = vec![1; count];
            ranks[0] = 0;
            PlainTexts { ranks, texts: [long.as_bytes(), &[END]].concat() }
        };
        assert!(read(&texts(3), 0, 3).is_ok());
        assert!(read(&texts(4), 0, 4).is_err());
        assert!(PlainTexts::of(&column_of(&[long.as_str(); 3])).is_some());
        assert!(PlainTexts::of(&column_of(&[long.as_str(); 4])).is_none());
    }

    #[test]
    fn columns_of_digits_lie_before_those_of_letters() {
        let line = |n: u64| {
            let made = Made::default().literal(b"{\"a\":\"").value("a", "letters", Spelling::Json);
            made.literal(b"\",\"b\":").value("b", &n.to_string(), Spelling::Bare).literal(b"}")
        };
        let block = block_of(&(10..30).map(line).collect::<Vec<_>>());
        let footer = Footer::of_block(&block).unwrap();
        let start = |name: &str| {
            let column = footer.groups[0].column(footer.paths.get(name).unwrap()).unwrap();
            column.chunk.pooled.unwrap().start
        };
        assert_eq!((start("a"), start("b")), (20, 0));
    }

    /// Lines with one of many fields, or several values of it.
    fn wide_lines(rng: &mut Rng, count: usize) -> Vec<Made> {
        let line = |rng: &mut Rng| {
            let mut made = Made::default().literal(b"{");
            for _ in 0..1 + rng.below(4) {
                let key = format!("field{}", rng.below(300));
                made = made.literal(format!("\"{key}\":[").as_bytes());
                for _ in 0..1 + rng.below(3) {
                    let text = rng.pick(&["", "a", "ünï", "two\nlines", "17", "200", "10.0.0.1"]);
                    made = made.literal(b"\"").value(&key, text, Spelling::Json).literal(b"\",");
                }
                made = made.literal(b"null],");
            }
            made.literal(b"\"end\":0}")
        };
        (0..count).map(|_| line(rng)).collect()
    }

    fn block_of(lines: &[Made]) -> Vec<u8> {
        let mut writer = BlockWriter::new(WriterOptions::STANDARD);
        writer.push_group(&group_of(lines, 1, 1));
        writer.finish().0
    }

    #[test]
    fn columns_of_few_values_come_back_from_what_they_share() {
        let mut rng = Rng(67);
        for rows in [1, 7, 300, 3000] {
            let lines = wide_lines(&mut rng, rows);
            let block = block_of(&lines);
            let footer = Footer::of_block(&block).unwrap();
            assert!(footer.groups[0].columns.iter().any(|column| column.plain));
            let decoded = decode_group_of(&footer, 0, &block).unwrap();
            decoded.check();
            assert_eq!(seen(&decoded), seen(&group_of(&lines, 1, 1)));
        }
    }

    #[test]
    fn a_field_of_few_values_costs_a_few_bytes() {
        let few = (0..2000).map(|row| {
            let key = format!("field{}", row % 1000);
            Made::default()
                .literal(format!("{{\"{key}\":\"").as_bytes())
                .value(&key, "same", Spelling::Json)
                .literal(b"\"}")
        });
        let few: Vec<Made> = few.collect();
        let len = block_of(&few).len();
        assert!(len < 1000 * 10, "{len} bytes for 1,000 fields");
    }

    #[test]
    fn a_pool_that_lies_gives_an_error_and_no_panic() {
        super::super::error::CHECKSUMS_IGNORED.set(true);
        let mut rng = Rng(73);
        for _ in 0..300 {
            let mut block = block_of(&wide_lines(&mut rng, 20));
            for _ in 0..1 + rng.below(2) {
                let at = rng.below(block.len() as u64) as usize;
                block[at] = if rng.below(2) == 0 { END } else { rng.next() as u8 };
            }
            let _ = fuzz::fuzz_block(&block);
        }
        super::super::error::CHECKSUMS_IGNORED.set(false);
    }
}
