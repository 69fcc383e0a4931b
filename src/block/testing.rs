//! Lines for this room's tests: made from pieces, so that what `raw` must be is known without a parser.

use std::borrow::Cow;

use super::{GroupBuilder, RowGroup, RowMeta};
use crate::event::{Field, Line, LineKind, Origin, PathTable, Sequence, Spelling};

/// A seeded generator (xorshift64*).
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 11) % n
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// A line to be: its bytes, and its fields with their bytes' range, text and spelling.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    pub(super) raw: Vec<u8>,
    pub(super) fields: Vec<(String, u32, u32, String, Option<Spelling>)>,
    pub(super) text_line: bool,
    pub(super) time: i64,
    pub(super) arrival: bool,
    pub(super) source: Option<String>,
    pub(super) dropped: u32,
}

impl Made {
    pub(super) fn literal(mut self, bytes: &[u8]) -> Self {
        self.raw.extend_from_slice(bytes);
        self
    }

    pub(super) fn value(mut self, path: &str, text: &str, spelling: Spelling) -> Self {
        let start = self.raw.len() as u32;
        spelling.write(text, &mut self.raw);
        self.fields.push((path.to_owned(), start, self.raw.len() as u32, text.to_owned(), Some(spelling)));
        self
    }

    /// A value whose bytes no spelling gives back.
    pub(super) fn odd_value(mut self, path: &str, text: &str, bytes: &[u8]) -> Self {
        let start = self.raw.len() as u32;
        self.raw.extend_from_slice(bytes);
        self.fields.push((path.to_owned(), start, self.raw.len() as u32, text.to_owned(), None));
        self
    }

    pub(super) fn at(mut self, time: i64) -> Self {
        self.time = time;
        self
    }

    pub(super) fn push(&self, builder: &mut GroupBuilder, paths: &mut PathTable, id: (u64, u64)) {
        let fields: Vec<Field<'_>> = self
            .fields
            .iter()
            .map(|(path, start, end, text, spelling)| Field {
                path: paths.intern(path),
                start: *start,
                end: *end,
                text: Cow::Borrowed(text),
                spelling: *spelling,
            })
            .collect();
        let first = |name: &str| self.fields.iter().position(|field| field.0 == name).map(|at| at as u32);
        let line = Line {
            raw: &self.raw,
            kind: if self.text_line { LineKind::Text } else { LineKind::Json },
            fields,
            timestamp: None,
            message: first("message"),
            source: first("source"),
            form: None,
            fields_dropped: self.dropped,
        };
        let meta = RowMeta {
            time: self.time,
            origin: Origin(id.0),
            sequence: Sequence(id.1),
            time_is_arrival: self.arrival,
            source: self.source.as_deref(),
        };
        builder.push(&line, meta);
    }
}

/// A group of these lines, numbered from `first` in origin `origin`; its invariants hold.
pub(super) fn group_of(lines: &[Made], origin: u64, first: u64) -> RowGroup {
    let mut builder = GroupBuilder::new();
    let mut paths = PathTable::new();
    for (i, line) in lines.iter().enumerate() {
        line.push(&mut builder, &mut paths, (origin, first + i as u64));
    }
    let group = builder.finish(paths);
    group.check();
    group
}

/// What an event is to whoever asks: raw and all values by folded path.
pub(super) type Seen = (i64, String, Vec<u8>, Vec<(String, Vec<String>)>);

/// All events of a group, independent of how it keeps them.
pub(super) fn seen(group: &RowGroup) -> Vec<Seen> {
    let mut cursor = super::RawCursor::new(group);
    let mut scratch = Vec::new();
    let events = (0..group.rows).map(|row| {
        let mut raw = Vec::new();
        cursor.write(row, &mut raw);
        let mut fields: Vec<_> = Vec::new();
        for (path, _) in group.paths.iter() {
            let Some(column) = group.column(path) else { continue };
            let range = column.values_of_row(row);
            if !range.is_empty() {
                let texts = range.map(|i| column.text(i, &mut scratch).to_owned()).collect();
                fields.push((group.paths.folded(path).to_owned(), texts));
            }
        }
        fields.sort();
        (group.times[row as usize], group.id(row).to_string(), raw, fields)
    });
    events.collect()
}

/// Lines of many kinds: wide and narrow JSON, blanks, key orders, escapes, number spellings, arrays,
/// duplicate keys, text lines, CR, what is not UTF-8.
pub(super) fn random_lines(rng: &mut Rng, count: usize) -> Vec<Made> {
    (0..count).map(|i| random_line(rng, i as i64)).collect()
}

fn random_line(rng: &mut Rng, i: i64) -> Made {
    let time = 1_700_000_000_000_000_000 + i * 1_000_000 + rng.below(50_000_000) as i64;
    let mut line = match rng.below(20) {
        0 => odd_line(rng),
        1..8 => {
            let text = words(rng);
            let ending: &[u8] = if rng.below(3) == 0 { b"\r" } else { b"" };
            let mut made = Made { text_line: true, ..Made::default() };
            made = made.value("message", &text, Spelling::Bare).literal(ending);
            made
        }
        8..14 => app_line(rng, time),
        _ => wild_line(rng),
    };
    line.arrival = rng.below(10) == 0;
    if rng.below(8) == 0 {
        line.source = Some(format!("given-{}", rng.below(3)));
    }
    line.at(time)
}

fn app_line(rng: &mut Rng, time: i64) -> Made {
    let stamp = jiff::Timestamp::from_nanosecond(i128::from(time / 1_000_000 * 1_000_000)).unwrap();
    let stamp = format!("{:.3}", stamp);
    let value = |made: Made, key: &str, path: &str, text: &str| {
        made.literal(format!("\"{key}\":\"").as_bytes()).value(path, text, Spelling::Json).literal(b"\",")
    };
    let mut made = Made::default().literal(b"{");
    made = value(made, "timestamp", "timestamp", &stamp);
    made = value(made, "level", "level", rng.pick(&["info", "warn", "ERROR"]));
    made = value(made, "trace_id", "trace_id", &format!("{:016x}{:016x}", rng.next(), rng.next()));
    made = value(made, "user", "user", &format!("u{:06}", rng.below(5000)));
    made = value(made, "ip", "ip", &format!("10.{}.{}.{}", rng.below(256), rng.below(256), rng.below(256)));
    made = value(made, "message", "message", &words(rng));
    made = made.literal(b"\"bytes\":").value("bytes", &rng.below(1_000_000).to_string(), Spelling::Bare);
    let latency = format!("{}.{:03}", rng.below(500), rng.below(1000));
    made.literal(b",\"latency\":").value("latency", &latency, Spelling::Bare).literal(b"}")
}

fn wild_line(rng: &mut Rng) -> Made {
    let mut made = Made::default().literal(if rng.below(2) == 0 { b"{ " } else { b"{" });
    let texts = [
        "",
        "a",
        "1.0",
        "1e3",
        "-0",
        "007",
        "grün",
        "tab\there",
        "quote\"s\\",
        "\u{2028}<x>",
        "ſKelvin K",
        "255.0.0.1",
    ];
    let spellings =
        [Spelling::Json, Spelling::JsonAscii, Spelling::JsonSlash, Spelling::JsonHtml, Spelling::JsonAsciiSlash];
    for _ in 0..rng.below(6) {
        let key = rng.pick(&["a", "b.c", "B.C", "source", "d", "dup", "dup", "_time_source", "_helios_source"]);
        made = made.literal(format!("\"{key}\" :\"").as_bytes());
        made = made.value(key, rng.pick(&texts), rng.pick(&spellings)).literal(b"\" , ");
    }
    if rng.below(2) == 0 {
        made = made.literal(b"\"list\":[");
        for _ in 0..rng.below(4) {
            made = made.value("list", &rng.below(9).to_string(), Spelling::Bare).literal(b",");
        }
        made = made.literal(b"null],");
    }
    made.literal(b"\"end\":null}")
}

fn odd_line(rng: &mut Rng) -> Made {
    let mut made = Made::default().literal(b"{\"message\":\"");
    made = made.odd_value("message", "caf\u{fffd}", b"caf\xff").literal(b"\",\"n\":");
    made = made.value("n", &rng.below(100).to_string(), Spelling::Bare).literal(b"}");
    made.dropped = rng.below(2) as u32 * 7;
    made
}

fn words(rng: &mut Rng) -> String {
    let all = ["error", "disk", "full", "on", "/dev/sda1", "user=root", "10.0.0.1", "Straße", "\"quoted\"", "retry"];
    let mut text = String::new();
    for _ in 0..rng.below(9) {
        text.push_str(rng.pick(&all));
        text.push(' ');
    }
    text + &rng.below(100_000).to_string()
}
