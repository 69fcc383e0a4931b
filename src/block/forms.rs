//! In what form each column of a group is stored: typed, as templates, repeating what other columns say,
//! or given what they say.

use std::borrow::Cow;

use super::encoding::given::{self, Given};
use super::encoding::{ChunkOut, Compressor, ints, values};
use super::split::{References, Rows, Split, split};
use super::{Column, RowGroup, Values};
use crate::event::PathId;

/// A column in the form in which it is stored.
pub(super) struct Chosen<'g> {
    pub(super) path: PathId,
    pub(super) column: Cow<'g, Column>,
    /// Variables of its templates that are not stored.
    pub(super) references: References,
    /// What tells its codes.
    pub(super) given: Option<Given>,
    /// The columns that reading it needs.
    pub(super) refers: Vec<PathId>,
    /// Whether it tells other columns' codes by its own.
    pub(super) tells: bool,
}

/// The forms of all columns.
pub(super) fn choose<'g>(
    group: &RowGroup,
    columns: Vec<(PathId, &'g Column)>,
    compressor: &mut Compressor,
) -> Vec<Chosen<'g>> {
    let mut chosen: Vec<Chosen<'g>> = columns.into_iter().map(|(path, column)| typed(path, column)).collect();
    take_apart(group, &mut chosen);
    condition(&mut chosen, compressor);
    chosen
}

fn typed(path: PathId, column: &Column) -> Chosen<'_> {
    let column = match values::choose(column.codes.as_deref(), &column.values) {
        Some(stored) => Cow::Owned(Column { rows: column.rows.clone(), codes: stored.codes, values: stored.values }),
        None => Cow::Borrowed(column),
    };
    Chosen { path, column, references: References::new(), given: None, refers: Vec::new(), tells: false }
}

/// Takes texts apart into templates. Their variables may repeat what columns say that are not texts of
/// many values themselves.
fn take_apart(group: &RowGroup, chosen: &mut [Chosen<'_>]) {
    let others =
        chosen.iter().filter(|own| own.column.codes.is_some() || !matches!(own.column.values, Values::Texts(_)));
    let others = of_most_values(others.map(|own| (own.path, &*own.column)).collect(), REPEATED_COLUMNS_MAX);
    let split: Vec<Option<Split>> = chosen.iter().map(|own| split_column(group, &own.column, &others)).collect();
    for (own, split) in chosen.iter_mut().zip(split) {
        let Some(Split { texts, references, refers }) = split else { continue };
        let (rows, codes) = (own.column.rows.clone(), own.column.codes.clone());
        own.column = Cow::Owned(Column { rows, codes, values: Values::Templated(texts) });
        (own.references, own.refers) = (references, refers);
    }
}

/// At most `most` columns, those of most values, in the order in which they stand.
fn of_most_values(mut columns: Vec<(PathId, &Column)>, most: usize) -> Vec<(PathId, &Column)> {
    if columns.len() > most {
        columns.sort_by_key(|(_, column)| std::cmp::Reverse(column.len()));
        columns.truncate(most);
        columns.sort_by_key(|&(path, _)| path);
    }
    columns
}

/// The column's texts taken apart, if that promises something.
fn split_column(group: &RowGroup, column: &Column, others: &[(PathId, &Column)]) -> Option<Split> {
    let Values::Texts(texts) = &column.values else { return None };
    if column.codes.is_some() {
        // An entry of a dictionary is not of one row.
        return split(texts, &Rows::default());
    }
    let times: Vec<i64> = (0..column.len()).map(|value| group.times[column.row_of(value) as usize]).collect();
    split(texts, &Rows { times: Some(&times), row_of: column.rows.as_deref(), columns: others })
}

/// Finds for codes the column that tells most of them. What tells is never told itself, so that reading
/// a column takes at most those that it names.
fn condition(chosen: &mut [Chosen<'_>], compressor: &mut Compressor) {
    let mut tells: Vec<bool> =
        (0..chosen.len()).map(|at| chosen.iter().any(|own| own.refers.contains(&chosen[at].path))).collect();
    let mut tried = vec![0; chosen.len()];
    for (_, target, teller) in promises(chosen) {
        let is_settled = tried[target] == TRIALS_MAX || tells[target] || chosen[target].given.is_some();
        // A teller that was told something itself refers to what told it.
        if is_settled || !chosen[teller].refers.is_empty() {
            continue;
        }
        tried[target] += 1;
        let codes = codes_of(&chosen[target].column).expect("it was promised something");
        let rows = (0..codes.len()).map(|value| chosen[target].column.row_of(value));
        let classes = given::classes(&chosen[teller].column, rows).expect("it promised something");
        let given = Given { refer: chosen[target].refers.len() as u32, classes };
        if stored_len(compressor, |out| given::put(out, codes, Some(&given)))
            < stored_len(compressor, |out| ints::put_codes(out, codes))
        {
            let teller_path = chosen[teller].path;
            chosen[target].given = Some(given);
            chosen[target].refers.push(teller_path);
            tells[teller] = true;
            chosen[teller].tells = true;
        }
    }
}

/// Which column may tell which codes, and how many bits that saves, about: the largest saving first, as
/// (bits, target, teller). A look at each pair of thousands of columns would take minutes.
fn promises(chosen: &[Chosen<'_>]) -> Vec<(u64, usize, usize)> {
    let largest = |is_one: fn(&Column) -> bool, most: usize| {
        let mut numbers: Vec<usize> = (0..chosen.len()).filter(|&at| is_one(&chosen[at].column)).collect();
        numbers.sort_by_key(|&number| std::cmp::Reverse(chosen[number].column.len()));
        numbers.truncate(most);
        numbers
    };
    let tellers = largest(is_teller, TELLERS_MAX);
    let is_small = chosen.iter().all(|own| own.column.len() <= SMALL_GROUP_CODES);
    let least = if is_small { SAVING_BYTES_MIN_SMALL } else { SAVING_BYTES_MIN };
    let mut promises = Vec::new();
    for target in largest(|column| codes_of(column).is_some(), TARGETS_MAX) {
        let column = &*chosen[target].column;
        let codes = codes_of(column).expect("only such are targets");
        for &teller in tellers.iter().filter(|&&teller| teller != target) {
            let told_by = &*chosen[teller].column;
            if told_by.values.len() < codes_entries(column) {
                let saving = saving_bits(column, codes, told_by);
                if saving > 8 * least {
                    promises.push((saving, target, teller));
                }
            }
        }
    }
    promises.sort_unstable_by(|left, right| right.cmp(left));
    promises
}

/// The codes that may be told: of entries, or of templates.
fn codes_of(column: &Column) -> Option<&[u32]> {
    if matches!(column.values, Values::Times { .. }) {
        // What repeats the rows' times is stored without codes.
        return None;
    }
    let codes = match (&column.codes, &column.values) {
        (Some(codes), _) => codes,
        (None, Values::Templated(texts)) => &texts.template_of,
        _ => return None,
    };
    (codes.len() >= TOLD_CODES_MIN).then_some(codes)
}

/// Whether reading the column back gives few entries and their codes.
fn is_teller(column: &Column) -> bool {
    let has_few = (2..=TELLER_ENTRIES_MAX).contains(&column.values.len());
    has_few && column.codes.is_some() && codes_of(column).is_some()
}

fn codes_entries(column: &Column) -> usize {
    match (&column.codes, &column.values) {
        (None, Values::Templated(texts)) => texts.templates.len(),
        _ => column.values.len(),
    }
}

/// How many bits fewer the codes take, about, if the teller's are known: by the entropy of a sample of
/// pairs, against that of pairs which do not belong together. What a small sample hides, it hides in both.
fn saving_bits(target: &Column, codes: &[u32], teller: &Column) -> u64 {
    let class = |value: usize| {
        let own = teller.values_of_row(target.row_of(value));
        if own.is_empty() { teller.values.len() as u32 } else { teller.entry_of(own.start) as u32 }
    };
    let values = (0..codes.len()).step_by(codes.len().div_ceil(SAMPLE_CODES));
    let (codes_seen, classes): (Vec<u32>, Vec<u32>) = values.map(|value| (codes[value], class(value))).unzip();
    let others = classes.iter().cycle().skip(1);
    let apart = entropy(codes_seen.iter().zip(others));
    let together = entropy(codes_seen.iter().zip(&classes));
    ((apart - together).max(0.0) * codes.len() as f64) as u64
}

/// Bits a pair.
fn entropy<'a>(pairs: impl Iterator<Item = (&'a u32, &'a u32)>) -> f64 {
    let mut pairs: Vec<(u32, u32)> = pairs.map(|(&code, &class)| (code, class)).collect();
    pairs.sort_unstable();
    let count = pairs.len() as f64;
    let runs = pairs.chunk_by(|left, right| left == right).map(|run| run.len() as f64);
    runs.map(|len| len / count * (count / len).log2()).sum()
}

fn stored_len(compressor: &mut Compressor, put: impl FnOnce(&mut ChunkOut<'_>)) -> usize {
    let mut out = ChunkOut::new(Some(compressor));
    put(&mut out);
    out.head.len() + out.body.len()
}

/// Columns whose values are looked for in texts: each text is compared with each of them, and a group may have
/// thousands, most of them of a few values.
const REPEATED_COLUMNS_MAX: usize = 512;
/// Fewer codes are not worth a look at other columns.
const TOLD_CODES_MIN: usize = 256;
/// A column with more entries would need more heads than it saves.
const TELLER_ENTRIES_MAX: usize = 256;
/// Columns that are asked, and columns whose codes may be told: those of most values.
const TELLERS_MAX: usize = 16;
const TARGETS_MAX: usize = 32;
/// Columns that are tried for one.
const TRIALS_MAX: usize = 3;
/// Codes of which entropies are estimated.
const SAMPLE_CODES: usize = 1024;
/// A smaller saving is not worth reading two columns for one, in bytes.
const SAVING_BYTES_MIN: u64 = 2048;
/// The same where no column has more codes than this: reading another one costs little there.
const SAVING_BYTES_MIN_SMALL: u64 = 64;
const SMALL_GROUP_CODES: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::super::Texts;
    use super::*;

    #[test]
    fn texts_are_compared_with_the_columns_of_most_values_in_their_order() {
        let column = |values: u32| {
            let mut texts = Texts::default();
            (0..values).for_each(|_| texts.push(b"x"));
            Column { rows: Some((0..values).collect()), codes: None, values: Values::Texts(texts) }
        };
        let columns: Vec<Column> = [5, 1, 9, 7, 5].map(column).into();
        let all = || (0..).map(PathId).zip(&columns).collect::<Vec<_>>();
        let kept = |most| of_most_values(all(), most).iter().map(|(path, _)| path.0).collect::<Vec<_>>();
        assert_eq!(kept(3), [0, 2, 3]);
        assert_eq!(kept(5), [0, 1, 2, 3, 4]);
    }
}
