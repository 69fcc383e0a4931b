//! One line as parsed: the bytes as sent, and where each value lies in them.

use std::borrow::Cow;

use super::PathId;

/// What a line was read as. Decides how its fields are read again from `raw`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum LineKind {
    /// One JSON object.
    #[default]
    Json = 0,
    /// Plain text: the whole line is the message.
    Text = 1,
}

/// How a value's text is written in `raw`, so that the bytes can be made again from the text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Spelling {
    /// The bytes are the text: numbers, `true`, `false`, plain text, objects too deep to be split.
    Bare = 0,
    /// JSON string with the fewest escapes: `\" \\ \b \f \n \r \t`, other controls as `\u00xx` in
    /// lower case, everything else as itself.
    Json = 1,
    /// As `Json`, and `/` as `\/`.
    JsonSlash = 2,
    /// As `Json`, and all outside ASCII as `\uxxxx` in lower case (surrogate pairs above U+FFFF).
    JsonAscii = 3,
    /// As `JsonAscii`, and `/` as `\/`.
    JsonAsciiSlash = 4,
    /// As `Json`, and `<`, `>`, `&`, U+2028 and U+2029 as `\u003c` and so on (Go's encoder).
    JsonHtml = 5,
}

/// One value of a line. Arrays give one field per element, in order.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// Which field it is a value of.
    pub path: PathId,
    /// Where its bytes lie in [`Line::raw`], without the quotes of a JSON string.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
    /// What it says, decoded.
    pub text: Cow<'a, str>,
    /// How the bytes are made from the text. `None`: no spelling gives them back; the line must be
    /// kept as it was sent.
    pub spelling: Option<Spelling>,
}

/// A parsed line.
///
/// **Invariant.** Fields come in the order of their bytes and do not overlap, so `raw` is an
/// alternation of literal bytes and values.
#[derive(Clone, Debug, Default)]
pub struct Line<'a> {
    /// The bytes between two `\n`, as sent.
    pub raw: &'a [u8],
    /// What it was read as.
    pub kind: LineKind,
    /// Its values in the order of their bytes. null, `{}` and `[]` give none.
    pub fields: Vec<Field<'a>>,
    /// Event time in nanoseconds since 1970; `None` if no mapped key held a readable time.
    pub timestamp: Option<i64>,
    /// Index in `fields` of the value that is the message.
    pub message: Option<u32>,
    /// Index in `fields` of the value that is the source.
    pub source: Option<u32>,
    /// Lines of one parser with equal numbers here have equal bytes around values of equal fields in equal
    /// spellings, and the same of these are message and source. `None`: nobody has looked.
    pub form: Option<u32>,
    /// Fields beyond the limit, which are kept in `raw` only.
    pub fields_dropped: u32,
}

impl<'a> Line<'a> {
    /// Makes it a line without values, whose memory is used again for the next.
    pub fn clear(&mut self, kind: LineKind, raw: &'a [u8]) {
        self.fields.clear();
        let fields = std::mem::take(&mut self.fields);
        *self = Self { raw, kind, fields, ..Self::default() };
    }
}
