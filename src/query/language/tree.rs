//! What a query says, as a tree. Texts are kept as typed, with escapes and quotes resolved; whoever
//! matches folds them.

use std::net::IpAddr;

use crate::query::stages::Stage;
use crate::query::value;

/// A whole query: which events, and what is done with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Which events enter the pipeline.
    pub filter: Expr,
    /// The stages, in order.
    pub stages: Vec<Stage>,
}

/// A boolean expression over one event.
///
/// **Invariants.** T1 `And` and `Or` have at least two members and none of their own kind. T2 `All`
/// stands alone or below `Not`, `And`, `Or` only where it was typed as `*`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Every event.
    All,
    /// All of these hold.
    And(Vec<Expr>),
    /// At least one of these holds.
    Or(Vec<Expr>),
    /// This does not hold. Negates the whole: also true where the field is absent.
    Not(Box<Expr>),
    /// One test.
    Test(Predicate),
}

/// One test of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// A substring, any case, of `raw` or of any field's decoded text. Never empty.
    Term(String),
    /// These words side by side, in one field's text or in `raw`.
    Words(Words),
    /// Fits text between two borders, in one field's text or in `raw`. See [`Pattern::words_only`].
    WordPattern(Pattern),
    /// Matches somewhere in one field's text or in `raw`; any case unless it says otherwise.
    Regex(String),
    /// A test of one field. `index:` is one of these ([`Member::Index`]), anywhere in the tree.
    Field {
        /// The field, or a member of the hit.
        field: FieldName,
        /// Holds if any value of the field fits.
        test: FieldTest,
    },
}

/// What a value must fit.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldTest {
    /// The whole value equals this: as numbers if both are, else folded. `f:v`, `f:=v`, `f:"v w"`;
    /// on `message` and `raw` only `f:=v`.
    Equals(String),
    /// These words side by side. Only on `message` and `raw`.
    Words(Words),
    /// The value contains this, any case. Only on `message` and `raw`, from a text without a word.
    Contains(String),
    /// The whole value fits the pattern; here `*` and `?` stand for any characters.
    Pattern(Pattern),
    /// Matches somewhere in the value; any case unless it says otherwise.
    Regex(String),
    /// Lies between two bounds, each compared by `value::compare_in_range`. Not both are open.
    Range {
        /// Lower bound.
        low: Bound,
        /// Upper bound.
        high: Bound,
    },
    /// Is an IP address in this network.
    Cidr(Cidr),
    /// There is a value (`""` is one).
    Present,
}

/// One end of a range, as typed: read as number, IP address, time or text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bound {
    /// No bound.
    Open,
    /// The bound itself fits.
    Inclusive(String),
    /// The bound itself does not fit.
    Exclusive(String),
}

/// The words of a quoted text: maximal runs of letters, digits and `_`. At least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Words {
    /// The text between the quotes, for showing.
    pub text: String,
    /// Its words, folded.
    pub words: Vec<String>,
}

/// A text with wildcards.
///
/// **Invariants.** At least one piece is a wildcard and one is not `Many`; no two texts and no two
/// `Many` stand side by side; no text is empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// This text, any case.
    Text(String),
    /// `?`: one character.
    One,
    /// `*`: any number of characters.
    Many,
}

/// A network of IP addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cidr {
    /// An address in it, as typed.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

/// A field as a query names it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FieldName {
    typed: String,
    folded: String,
    member: Option<Member>,
}

/// The hit's own members: reserved names that are no body paths.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Member {
    /// Event time.
    Timestamp,
    /// The message that the mapping found; the empty string if none.
    Message,
    /// The source that the mapping found.
    Source,
    /// The environment.
    Env,
    /// The index.
    Index,
    /// The event's id.
    Id,
    /// The bytes as sent.
    Raw,
}

/// A length of time as typed: `5m`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// How many units; at least 1.
    pub count: u64,
    /// The unit.
    pub unit: SpanUnit,
}

/// The units of spans.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpanUnit {
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `m`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
}

impl FieldName {
    /// Reads a name as typed. `fields.` before a reserved name means the body path of that name.
    pub fn new(typed: impl Into<String>) -> Self {
        let typed = typed.into();
        let folded = value::fold(&typed).into_owned();
        if let Some(member) = Member::named(&folded) {
            return Self { typed, folded, member: Some(member) };
        }
        match folded.strip_prefix(FIELDS_PREFIX) {
            Some(path) if Member::named(path).is_some() => Self { folded: path.to_owned(), typed, member: None },
            _ => Self { typed, folded, member: None },
        }
    }

    /// The name as typed: what a column is called.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The body path, folded, without `fields.`; of a member: its name.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Which member of the hit this is. `None`: a body path.
    pub fn member(&self) -> Option<Member> {
        self.member
    }
}

impl Member {
    /// All members.
    pub const ALL: [Self; 7] =
        [Self::Timestamp, Self::Message, Self::Source, Self::Env, Self::Index, Self::Id, Self::Raw];

    /// Its reserved name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::Message => "message",
            Self::Source => "source",
            Self::Env => "env",
            Self::Index => "index",
            Self::Id => "id",
            Self::Raw => "raw",
        }
    }

    /// The member of this folded name.
    pub fn named(folded: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|member| member.name() == folded)
    }
}

impl Words {
    /// The words of a text; `None` if it has none.
    pub fn new(text: &str) -> Option<Self> {
        let words: Vec<String> = value::words(text).map(|word| value::fold(word).into_owned()).collect();
        (!words.is_empty()).then(|| Self { text: text.to_owned(), words })
    }
}

impl Pattern {
    /// Whether all its characters are word characters. Such a pattern is matched against whole words,
    /// and its wildcards stand for word characters. Any other is matched between borders (positions
    /// that are not between two word characters), and its wildcards stand for anything but blanks.
    pub fn words_only(&self) -> bool {
        self.pieces.iter().all(|piece| match piece {
            Piece::Text(text) => text.chars().all(value::is_word_char),
            Piece::One | Piece::Many => true,
        })
    }
}

impl Span {
    /// Its length in nanoseconds; days have 24 hours. `None` beyond 292 years.
    pub fn nanos(self) -> Option<i64> {
        i64::try_from(self.count).ok()?.checked_mul(self.unit.nanos())
    }
}

impl SpanUnit {
    /// All units.
    pub const ALL: [Self; 5] = [Self::Milliseconds, Self::Seconds, Self::Minutes, Self::Hours, Self::Days];

    /// How it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "m",
            Self::Hours => "h",
            Self::Days => "d",
        }
    }

    /// Its length in nanoseconds.
    pub fn nanos(self) -> i64 {
        match self {
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
            Self::Days => 86_400_000_000_000,
        }
    }
}

/// Stands before a reserved name to mean the body path of that name.
const FIELDS_PREFIX: &str = "fields.";

impl Cidr {
    /// Reads `address/prefix`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|_| digits)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then_some(Self { address, prefix })
    }

    /// Whether an address is in the network. An IPv4 address written as `::ffff:a.b.c.d` counts as one.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let prefix = if self.address.is_ipv4() { self.prefix } else { self.prefix.saturating_sub(96) };
                same_bits(network.to_bits().into(), address.to_bits().into(), 32, prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_bits(network.to_bits(), address.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }
}

/// Whether the first `prefix` of `width` bits are the same.
fn same_bits(a: u128, b: u128, width: u32, prefix: u8) -> bool {
    let ignored = width.saturating_sub(u32::from(prefix));
    (a ^ b).checked_shr(ignored).unwrap_or(0) == 0
}
