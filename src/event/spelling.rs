//! How a value's text is written in the line: text to bytes and back.

use super::Spelling;

impl Spelling {
    /// All spellings, in the order in which they are tried for the bytes of a JSON string.
    pub const ALL: [Self; 6] =
        [Self::Bare, Self::Json, Self::JsonSlash, Self::JsonAscii, Self::JsonAsciiSlash, Self::JsonHtml];

    /// The spelling stored as `code`, if there is one.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Adds the bytes that `text` is written as. Quotes around it are not part of them.
    pub fn write(self, text: &str, bytes: &mut Vec<u8>) {
        self.pieces(text, |piece| {
            bytes.extend_from_slice(piece);
            true
        });
    }

    /// Whether `text` in this spelling is exactly `bytes`. Costs no memory.
    pub fn gives(self, text: &str, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        let fits = self.pieces(text, |piece| match rest.strip_prefix(piece) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        });
        fits && rest.is_empty()
    }

    /// The first spelling of a JSON string that makes `bytes` of `text`.
    pub fn of_string(text: &str, bytes: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().skip(1).find(|spelling| spelling.gives(text, bytes))
    }

    /// Hands the bytes out piece by piece until `take` has enough; says whether it took all.
    fn pieces(self, text: &str, mut take: impl FnMut(&[u8]) -> bool) -> bool {
        if self == Self::Bare {
            return take(text.as_bytes());
        }
        let bytes = text.as_bytes();
        let mut from = 0;
        let mut at = 0;
        while at < bytes.len() {
            if self.is_plain(bytes[at]) {
                at += 1;
                continue;
            }
            let c = text[at..].chars().next().expect("a special byte begins a character");
            let mut escape = Escape::default();
            if !self.escape(c, &mut escape) {
                at += c.len_utf8();
                continue;
            }
            if !take(&bytes[from..at]) || !take(escape.as_bytes()) {
                return false;
            }
            at += c.len_utf8();
            from = at;
        }
        take(&bytes[from..])
    }

    /// Whether a byte surely stands for itself. The bytes inside a character are never asked about
    /// in the spellings that escape some beyond ASCII.
    fn is_plain(self, byte: u8) -> bool {
        match byte {
            0..0x20 | b'"' | b'\\' => false,
            b'/' => !matches!(self, Self::JsonSlash | Self::JsonAsciiSlash),
            b'<' | b'>' | b'&' => self != Self::JsonHtml,
            0x80.. => matches!(self, Self::Json | Self::JsonSlash),
            _ => true,
        }
    }

    /// Writes the escape of a character that is not plain; false if it stands for itself after all.
    fn escape(self, c: char, escape: &mut Escape) -> bool {
        match c {
            '"' => escape.short(b'"'),
            '\\' => escape.short(b'\\'),
            '/' => escape.short(b'/'),
            '\u{8}' => escape.short(b'b'),
            '\u{c}' => escape.short(b'f'),
            '\n' => escape.short(b'n'),
            '\r' => escape.short(b'r'),
            '\t' => escape.short(b't'),
            '\u{80}'.. if self == Self::JsonHtml && !matches!(c, '\u{2028}' | '\u{2029}') => return false,
            _ => c.encode_utf16(&mut [0; 2]).iter().for_each(|&unit| escape.unit(unit)),
        }
        true
    }
}

/// The escape of one character: at most two UTF-16 units.
#[derive(Default)]
struct Escape {
    bytes: [u8; 12],
    len: usize,
}

impl Escape {
    fn short(&mut self, letter: u8) {
        self.push(b'\\');
        self.push(letter);
    }

    fn unit(&mut self, unit: u16) {
        self.push(b'\\');
        self.push(b'u');
        for shift in [12, 8, 4, 0] {
            self.push(b"0123456789abcdef"[usize::from(unit >> shift & 0xf)]);
        }
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What a JSON string says.
pub(crate) struct Decoded {
    /// Its text; U+FFFD stands for what is no Unicode.
    pub(crate) text: String,
    /// Whether nothing had to be replaced.
    pub(crate) exact: bool,
}

/// Decodes the bytes between the quotes of a JSON string whose escapes are known to be well formed.
pub(crate) fn unescape(bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded { text: String::with_capacity(bytes.len()), exact: true };
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        decoded.push_bytes(&rest[..at]);
        rest = decoded.push_escape(&rest[at + 1..]);
    }
    decoded.push_bytes(rest);
    decoded
}

impl Decoded {
    fn push_bytes(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            Err(_) => {
                self.exact = false;
                self.text.push_str(&String::from_utf8_lossy(bytes));
            }
        }
    }

    /// Decodes the escape whose backslash was just passed; returns what follows it.
    fn push_escape<'a>(&mut self, after: &'a [u8]) -> &'a [u8] {
        let Some((&letter, mut rest)) = after.split_first() else { return after };
        let c = match letter {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (unit, after_unit) = hex_unit(rest);
                let (c, after) = join_surrogates(unit, after_unit);
                rest = after;
                c.unwrap_or_else(|| {
                    self.exact = false;
                    char::REPLACEMENT_CHARACTER
                })
            }
            other => char::from(other),
        };
        self.text.push(c);
        rest
    }
}

/// The character that begins with UTF-16 unit `unit`, and what follows it; `None` for half a pair.
fn join_surrogates(unit: u16, rest: &[u8]) -> (Option<char>, &[u8]) {
    if let Some(low) = rest.strip_prefix(b"\\u") {
        let (low, after) = hex_unit(low);
        if (0xd800..0xdc00).contains(&unit) && (0xdc00..0xe000).contains(&low) {
            let c = 0x1_0000 + ((u32::from(unit) - 0xd800) << 10) + (u32::from(low) - 0xdc00);
            return (char::from_u32(c), after);
        }
    }
    (char::from_u32(u32::from(unit)), rest)
}

fn hex_unit(bytes: &[u8]) -> (u16, &[u8]) {
    let Some((digits, rest)) = bytes.split_at_checked(4) else { return (0, &[]) };
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u16;
    (digits.iter().fold(0, |unit, &byte| unit << 4 | digit(byte)), rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(spelling: Spelling, text: &str) -> String {
        let mut bytes = Vec::new();
        spelling.write(text, &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_spelling_escapes_what_it_says() {
        let text = "a\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f}é\u{2028}<😀>&";
        for (spelling, bytes) in [
            (Spelling::Bare, text),
            (Spelling::Json, "a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\u{7f}é\u{2028}<😀>&"),
            (Spelling::JsonSlash, "a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\u{7f}é\u{2028}<😀>&"),
            (Spelling::JsonAscii, "a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\u{7f}\\u00e9\\u2028<\\ud83d\\ude00>&"),
            (Spelling::JsonAsciiSlash, "a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\u{7f}\\u00e9\\u2028<\\ud83d\\ude00>&"),
            (Spelling::JsonHtml, "a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\u{7f}é\\u2028\\u003c😀\\u003e\\u0026"),
        ] {
            assert_eq!(written(spelling, text), bytes, "{spelling:?}");
            assert!(spelling.gives(text, bytes.as_bytes()), "{spelling:?}");
            assert!(!spelling.gives(text, &bytes.as_bytes()[..bytes.len() - 1]), "{spelling:?}");
            assert_eq!(Spelling::from_code(spelling as u8), Some(spelling));
        }
        assert_eq!(Spelling::from_code(6), None);
    }

    #[test]
    fn odd_escapes_have_no_spelling() {
        for (bytes, spelling) in [
            ("plain é", Some(Spelling::Json)),
            (r"a\/b", Some(Spelling::JsonSlash)),
            (r"\u00e9", Some(Spelling::JsonAscii)),
            (r"\u00e9\/", Some(Spelling::JsonAsciiSlash)),
            (r"\u003ci\u003e", Some(Spelling::JsonHtml)),
            (r"\u00E9", None),
            (r"\u0041", None),
            (r"\/ and /", None),
        ] {
            let decoded = unescape(bytes.as_bytes());
            assert!(decoded.exact);
            assert_eq!(Spelling::of_string(&decoded.text, bytes.as_bytes()), spelling, "{bytes}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_not_exact() {
        for (bytes, text) in [
            (r"\ud83d", "\u{fffd}"),
            (r"\ude00x", "\u{fffd}x"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        ] {
            let decoded = unescape(bytes.as_bytes());
            assert_eq!((decoded.text.as_str(), decoded.exact), (text, false), "{bytes}");
        }
        assert!(unescape(r"\ud83d\ude00".as_bytes()).exact);
    }

    proptest! {
        #[test]
        fn what_a_spelling_writes_is_json_that_reads_back(text in any::<String>()) {
            for spelling in Spelling::ALL.into_iter().skip(1) {
                let bytes = written(spelling, &text);
                let oracle: String = serde_json::from_str(&format!("\"{bytes}\"")).unwrap();
                prop_assert_eq!(&oracle, &text);
                let decoded = unescape(bytes.as_bytes());
                prop_assert!(decoded.exact);
                prop_assert_eq!(&decoded.text, &text);
                prop_assert!(spelling.gives(&text, bytes.as_bytes()));
                prop_assert!(Spelling::of_string(&text, bytes.as_bytes()).is_some());
            }
            let compact = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(Spelling::of_string(&text, &compact.as_bytes()[1..compact.len() - 1]), Some(Spelling::Json));
        }
    }
}
