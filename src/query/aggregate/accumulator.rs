//! One aggregate over one group of rows. All but the order of `first`, `last` and `list` is a matter
//! of the set of values: parts may be merged in any order.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::distinct::Distinct;
use super::numbers::Numbers;
use super::texts::TextSet;
use crate::query::decimal::Decimal;
use crate::query::language::Function;
use crate::query::value::{Number, Value, sort_order};

/// Most items that `values` and `list` show.
pub(crate) const ITEMS_MAX: usize = 1_000;

/// A place in an order: smaller is earlier.
pub(crate) type Place = (i64, u64, u64);

/// Where the row of a value stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// In the pipeline.
    pub(crate) order: Place,
    /// In time: event time, origin, sequence. Rows of a table have none.
    pub(crate) time: Option<Place>,
}

/// An aggregate in the making.
#[derive(Clone, Debug)]
pub(crate) enum Accumulator {
    /// `count`, `rate`.
    Count(u64),
    /// `sum`, `avg`.
    Sum(Sum),
    /// `min`.
    Min(Option<Number>),
    /// `max`.
    Max(Option<Number>),
    /// `pN`.
    Ranks(Numbers),
    /// `earliest`, `first`: the value of the smallest place.
    Front(Option<(Place, Value)>),
    /// `latest`, `last`: the value of the largest place.
    Back(Option<(Place, Value)>),
    /// `dc`.
    Distinct(Distinct),
    /// `stdev`, `var`.
    Moments(Moments),
    /// `values`: by order, then text.
    Values(BTreeMap<Sortable, ()>, bool),
    /// `list`: by place and number in the row.
    List(BTreeMap<(Place, u32), Value>, bool),
    /// `mode`.
    Mode(Mode),
}

/// What must be said about an outcome.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Remarks {
    /// Sums went beyond 128 bits: the whole has to be computed again with `keep`.
    pub(crate) overflow: bool,
    /// A sum is a floating point number.
    pub(crate) float: bool,
    /// A distinct count is an estimate.
    pub(crate) estimate: bool,
    /// Items were left out.
    pub(crate) cut: bool,
}

impl Accumulator {
    /// Nothing yet. `keep`: sums remember their numbers, so that they can be added in order.
    pub(crate) fn new(function: &Function, keep: bool) -> Self {
        match function {
            Function::Count | Function::Rate => Self::Count(0),
            Function::Sum | Function::Avg => Self::Sum(Sum::new(keep)),
            Function::Min => Self::Min(None),
            Function::Max => Self::Max(None),
            Function::Percentile(_) => Self::Ranks(Numbers::default()),
            Function::Earliest | Function::First => Self::Front(None),
            Function::Latest | Function::Last => Self::Back(None),
            Function::DistinctCount => Self::Distinct(Distinct::default()),
            Function::StandardDeviation | Function::Variance => Self::Moments(Moments::new(keep)),
            Function::Values => Self::Values(BTreeMap::new(), false),
            Function::List => Self::List(BTreeMap::new(), false),
            Function::Mode => Self::Mode(Mode::default()),
        }
    }

    /// Adds `count` events or values of which only the number matters.
    pub(crate) fn add_count(&mut self, count: u64) {
        match self {
            Self::Count(own) => *own += count,
            other => panic!("{other:?} needs values"),
        }
    }

    /// Adds a number; all but numbers is skipped by whoever calls.
    pub(crate) fn add_number(&mut self, number: Number, at: At) {
        match self {
            Self::Sum(sum) => sum.add(number, at),
            Self::Min(least) if least.is_none_or(|least| number.compare(least).is_lt()) => *least = Some(number),
            Self::Max(most) if most.is_none_or(|most| number.compare(most).is_gt()) => *most = Some(number),
            Self::Min(_) | Self::Max(_) => {}
            Self::Ranks(numbers) => numbers.push(number),
            Self::Moments(moments) => moments.add(number, at),
            other => panic!("{other:?} is not about numbers"),
        }
    }

    /// Adds a value, the `index`th of its row; null is none.
    pub(crate) fn add(&mut self, function: &Function, value: &Value, index: u32, at: At) {
        if value.is_null() {
            return;
        }
        match self {
            Self::Count(count) => *count += 1,
            Self::Sum(_) | Self::Min(_) | Self::Max(_) | Self::Ranks(_) | Self::Moments(_) => {
                if let Some(number) = value.to_number() {
                    self.add_number(number, at);
                }
            }
            Self::Front(_) | Self::Back(_) => {
                if let Some(place) = place_of(function, at) {
                    self.add_edge(function, place, || value.clone());
                }
            }
            Self::Distinct(set) => set.insert(text_of(value).as_bytes()),
            Self::Mode(mode) => mode.add(value),
            Self::Values(items, cut) => {
                items.insert(Sortable(value.clone()), ());
                if items.len() > ITEMS_MAX {
                    items.pop_last();
                    *cut = true;
                }
            }
            Self::List(items, cut) => {
                items.insert((at.order, index), value.clone());
                if items.len() > ITEMS_MAX {
                    items.pop_last();
                    *cut = true;
                }
            }
        }
    }

    /// Adds the value at a place, if it is the one to keep. Of several values of one row `last` keeps
    /// the last, the others the first.
    pub(crate) fn add_edge(&mut self, function: &Function, place: Place, value: impl FnOnce() -> Value) {
        match self {
            Self::Front(kept) if kept.as_ref().is_none_or(|(own, _)| place < *own) => *kept = Some((place, value())),
            Self::Back(kept) => {
                let later = |own: Place| match function {
                    Function::Last => place >= own,
                    _ => place > own,
                };
                if kept.as_ref().is_none_or(|(own, _)| later(*own)) {
                    *kept = Some((place, value()));
                }
            }
            _ => {}
        }
    }

    /// Takes in another part of the same group.
    pub(crate) fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Count(own), Self::Count(other)) => *own += other,
            (Self::Sum(own), Self::Sum(other)) => own.merge(other),
            (Self::Min(own), Self::Min(other)) => *own = pick(*own, other, Ordering::Less),
            (Self::Max(own), Self::Max(other)) => *own = pick(*own, other, Ordering::Greater),
            (Self::Ranks(own), Self::Ranks(other)) => own.merge(other),
            (Self::Front(own), Self::Front(other)) => {
                if let Some((place, value)) = other
                    && own.as_ref().is_none_or(|(own, _)| place < *own)
                {
                    *own = Some((place, value));
                }
            }
            (Self::Back(own), Self::Back(other)) => {
                if let Some((place, value)) = other
                    && own.as_ref().is_none_or(|(own, _)| place > *own)
                {
                    *own = Some((place, value));
                }
            }
            (Self::Distinct(own), Self::Distinct(other)) => own.merge(other),
            (Self::Moments(own), Self::Moments(other)) => own.merge(other),
            (Self::Values(own, cut), Self::Values(other, other_cut)) => {
                own.extend(other);
                *cut |= other_cut | (own.len() > ITEMS_MAX);
                while own.len() > ITEMS_MAX {
                    own.pop_last();
                }
            }
            (Self::List(own, cut), Self::List(other, other_cut)) => {
                own.extend(other);
                *cut |= other_cut | (own.len() > ITEMS_MAX);
                while own.len() > ITEMS_MAX {
                    own.pop_last();
                }
            }
            (Self::Mode(own), Self::Mode(other)) => own.merge(other),
            (own, other) => panic!("parts of different aggregates: {own:?} and {other:?}"),
        }
    }

    /// The outcome. `seconds`: how long the bucket or the searched range is, for `rate`.
    pub(crate) fn finish(&mut self, function: &Function, seconds: Option<Decimal>, remarks: &mut Remarks) -> Value {
        match self {
            Self::Count(count) if *function == Function::Rate => rate(*count, seconds),
            Self::Count(count) => Value::Number(Decimal::from(*count)),
            Self::Sum(sum) => sum.finish(*function == Function::Avg, remarks),
            Self::Min(number) | Self::Max(number) => number.map_or(Value::Null, Value::from),
            Self::Ranks(numbers) => match function {
                Function::Percentile(percent) => numbers.percentile(*percent),
                other => panic!("{other:?} has no ranks"),
            },
            Self::Front(kept) | Self::Back(kept) => kept.as_ref().map_or(Value::Null, |(_, value)| value.clone()),
            Self::Distinct(set) => {
                let (count, exact) = set.count();
                remarks.estimate |= !exact;
                Value::Number(Decimal::from(count))
            }
            Self::Moments(moments) => moments.finish(*function == Function::StandardDeviation, remarks),
            Self::Values(items, cut) => {
                remarks.cut |= *cut;
                if items.is_empty() {
                    Value::Null
                } else {
                    Value::List(items.keys().map(|item| item.0.clone()).collect())
                }
            }
            Self::List(items, cut) => {
                remarks.cut |= *cut;
                if items.is_empty() { Value::Null } else { Value::List(items.values().cloned().collect()) }
            }
            Self::Mode(mode) => mode.finish(),
        }
    }

    /// Bytes that it holds beside itself, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Ranks(numbers) => numbers.memory_bytes(),
            Self::Distinct(set) => set.memory_bytes(),
            Self::Mode(mode) => mode.counts.memory_bytes(),
            Self::Values(items, _) => items.len() * ITEM_BYTES,
            Self::List(items, _) => items.len() * ITEM_BYTES,
            Self::Sum(Sum { kept: Some(kept), .. })
            | Self::Moments(Moments { sum: Sum { kept: Some(kept), .. }, .. }) => {
                kept.capacity() * size_of::<(Place, Number)>()
            }
            _ => 0,
        }
    }
}

/// Bytes of one item of `values` and `list`, about.
const ITEM_BYTES: usize = 160;

/// Where a value stands for the functions that keep the one at an end.
pub(crate) fn place_of(function: &Function, at: At) -> Option<Place> {
    match function {
        Function::Earliest | Function::Latest => at.time,
        _ => Some(at.order),
    }
}

fn text_of(value: &Value) -> String {
    value.to_text().unwrap_or_default()
}

fn pick(a: Option<Number>, b: Option<Number>, side: Ordering) -> Option<Number> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.compare(a) == side { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Over nothing null.
fn rate(count: u64, seconds: Option<Decimal>) -> Value {
    let seconds = seconds.filter(|_| count > 0);
    let count = Decimal::from(count);
    seconds.and_then(|seconds| count.checked_div(seconds)).map_or(Value::Null, Value::Number)
}

/// An exact sum of decimals, and what is needed when it is not possible.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    count: u64,
    /// `None` once it went beyond 128 bits or met a number that is not exact.
    exact: Option<Decimal>,
    /// All numbers with their places in time, if they are kept.
    kept: Option<Vec<(Place, Number)>>,
}

impl Sum {
    fn new(keep: bool) -> Self {
        Self { count: 0, exact: Some(Decimal::ZERO), kept: keep.then(Vec::new) }
    }

    fn add(&mut self, number: Number, at: At) {
        self.count += 1;
        if let Some(kept) = &mut self.kept {
            kept.push((at.time.unwrap_or(at.order), number));
            return;
        }
        self.exact = match number {
            Number::Exact(number) => self.exact.and_then(|sum| sum.checked_add(number)),
            Number::Float(_) => None,
        };
    }

    /// Adds `count` numbers of this exact sum.
    pub(crate) fn add_sum(&mut self, count: u64, sum: Option<Decimal>) {
        self.count += count;
        self.exact = match (self.exact, sum) {
            (Some(own), Some(sum)) => own.checked_add(sum),
            _ => None,
        };
    }

    pub(crate) fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    fn merge(&mut self, other: Self) {
        if let (Some(own), Some(kept)) = (&mut self.kept, other.kept) {
            own.extend(kept);
            self.count += other.count;
            return;
        }
        self.add_sum(other.count, other.exact);
    }

    /// The sum of what is kept: exact, or in the order of time as floating point numbers.
    fn total(&mut self, remarks: &mut Remarks) -> Option<Number> {
        let Some(kept) = &mut self.kept else {
            remarks.overflow |= self.exact.is_none();
            return self.exact.map(Number::Exact);
        };
        kept.sort_by_key(|(place, _)| *place);
        let exact = kept.iter().try_fold(Decimal::ZERO, |sum, (_, number)| match number {
            Number::Exact(number) => sum.checked_add(*number),
            Number::Float(_) => None,
        });
        if let Some(exact) = exact {
            return Some(Number::Exact(exact));
        }
        remarks.float = true;
        Some(Number::Float(kept.iter().map(|(_, number)| number.to_f64()).sum()))
    }

    fn finish(&mut self, mean: bool, remarks: &mut Remarks) -> Value {
        if self.count == 0 {
            return Value::Null;
        }
        match self.total(remarks) {
            None => Value::Null,
            Some(total) if !mean => total.into(),
            Some(Number::Exact(total)) => match total.checked_div(Decimal::from(self.count)) {
                Some(mean) => Value::Number(mean),
                None => Value::float(total.to_f64() / self.count as f64),
            },
            Some(Number::Float(total)) => Value::float(total / self.count as f64),
        }
    }
}

/// Sums of numbers and of their squares.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    sum: Sum,
    squares: Option<Decimal>,
}

impl Moments {
    fn new(keep: bool) -> Self {
        Self { sum: Sum::new(keep), squares: Some(Decimal::ZERO) }
    }

    fn add(&mut self, number: Number, at: At) {
        self.sum.add(number, at);
        self.squares = match number {
            Number::Exact(number) => self.squares.and_then(|squares| squares.checked_add(number.checked_mul(number)?)),
            Number::Float(_) => None,
        };
    }

    fn merge(&mut self, other: Self) {
        self.sum.merge(other.sum);
        self.squares = match (self.squares, other.squares) {
            (Some(own), Some(other)) => own.checked_add(other),
            _ => None,
        };
    }

    fn finish(&mut self, root: bool, remarks: &mut Remarks) -> Value {
        if self.sum.count < 2 {
            return Value::Null;
        }
        let variance = match self.exact_variance() {
            Some(variance) => variance.to_f64(),
            None => match self.variance_of_kept() {
                Some(variance) => variance,
                None => {
                    remarks.overflow = true;
                    return Value::Null;
                }
            },
        };
        Value::float(if root { variance.sqrt() } else { variance })
    }

    /// (n·Σx² − (Σx)²) / (n·(n−1)), which rounds once.
    fn exact_variance(&self) -> Option<Decimal> {
        if self.sum.keeps() {
            return None;
        }
        let count = Decimal::from(self.sum.count);
        let sum = self.sum.exact?;
        let spread = count.checked_mul(self.squares?)?.checked_sub(sum.checked_mul(sum)?)?;
        spread.checked_div(count.checked_mul(Decimal::from(self.sum.count - 1))?)
    }

    fn variance_of_kept(&mut self) -> Option<f64> {
        let count = self.sum.count as f64;
        let kept = self.sum.kept.as_mut()?;
        kept.sort_by_key(|(place, _)| *place);
        let mean = kept.iter().map(|(_, number)| number.to_f64()).sum::<f64>() / count;
        let spread: f64 = kept.iter().map(|(_, number)| (number.to_f64() - mean).powi(2)).sum();
        Some(spread / (count - 1.0))
    }
}

/// Texts and how often each came.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextCounts {
    texts: TextSet,
    counts: Vec<u64>,
}

impl TextCounts {
    pub(crate) fn add(&mut self, text: &[u8], count: u64) {
        let number = self.texts.intern(text) as usize;
        if number == self.counts.len() {
            self.counts.push(0);
        }
        self.counts[number] += count;
    }

    pub(crate) fn has(&self, text: &[u8]) -> bool {
        self.texts.find(text).is_some()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (text, count) in other.iter() {
            self.add(text, count);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.texts.iter().map(|(_, text)| text).zip(self.counts.iter().copied())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.texts.memory_bytes() + self.counts.capacity() * 8
    }
}

/// The most frequent value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mode {
    counts: TextCounts,
    /// Values that are no texts, by what they read like.
    typed: BTreeMap<String, Value>,
}

impl Mode {
    fn add(&mut self, value: &Value) {
        let text = text_of(value);
        self.counts.add(text.as_bytes(), 1);
        if !matches!(value, Value::Text(_)) {
            self.typed.entry(text).or_insert_with(|| value.clone());
        }
    }

    pub(crate) fn add_text(&mut self, text: &[u8], count: u64) {
        self.counts.add(text, count);
    }

    fn merge(&mut self, other: Self) {
        self.counts.merge(&other.counts);
        for (text, value) in other.typed {
            self.typed.entry(text).or_insert(value);
        }
    }

    /// Of several the smallest.
    fn finish(&self) -> Value {
        let most = self.counts.counts.iter().copied().max();
        let candidates = self.counts.iter().filter(|(_, count)| Some(*count) == most).map(|(text, _)| {
            let typed = std::str::from_utf8(text).ok().and_then(|text| self.typed.get(text));
            typed.cloned().unwrap_or_else(|| value_of(text))
        });
        candidates.map(Sortable).min().map_or(Value::Null, |smallest| smallest.0)
    }
}

/// A text of a column as a value.
pub(crate) fn value_of(text: &[u8]) -> Value {
    Value::Text(String::from_utf8_lossy(text).into_owned())
}

/// A value with a total order: that of `sort`, then of the text as sent.
#[derive(Clone, Debug)]
pub(crate) struct Sortable(pub(crate) Value);

impl Ord for Sortable {
    fn cmp(&self, other: &Self) -> Ordering {
        sort_order(&self.0, &other.0).then_with(|| self.0.to_text().cmp(&other.0.to_text()))
    }
}

impl PartialOrd for Sortable {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sortable {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sortable {}
