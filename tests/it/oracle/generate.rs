//! Events and queries to ask, from a seed. Small vocabularies, so that queries find something; odd
//! spellings of everything, so that what they find is not obvious.

use super::Event;
use super::cell::print_time;

/// A small deterministic generator of numbers (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// True once in `count` times.
    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

/// Where the generated events' times begin: 2026-06-14T10:00:00Z.
pub(crate) const FIRST_TIME: i64 = 1_781_431_200_000_000_000;
/// How long they go on: one hour.
pub(crate) const RANGE: i64 = 3_600_000_000_000;

const INDEXES: &[&str] = &["app-web", "app-db", "audit"];
const MESSAGES: &[&str] = &[
    "Upstream call failed",
    "upstream CALL succeeded",
    "request completed in 12 ms",
    "GET /api/v1/cart 500",
    "get /API/v2/cart?id=7 200",
    "disk full: /dev/sda1",
    "full disk",
    "user \"Anna\" logged in",
    "Straße gesperrt",
    "STRASSE frei, STRAẞE zu",
    "naïve café\tvisited",
    "日本 語 error",
    "timed-out after 10:30:15",
    "x=50;y=60",
    "a\\b\nsecond line",
    "",
    "error_code err errors",
    "\u{212a}elvin 😀 done",
];
const LEVELS: &[&str] = &["error", "ERROR", "Error", "warn", "info", "debug"];
const SERVICES: &[&str] = &[
    "cart",
    "Checkout",
    "checkout",
    "search-api",
    "db",
    "auth",
    "mail",
    "queue",
    "proxy",
    "cron",
    "geo",
    "img",
    "ß",
    "SS",
];
const PATHS: &[&str] = &["/api/v1/cart", "/api/v2/cart", "/API/", "/health", "/api/v1/users/7", "/"];
const ADDRESSES: &[&str] =
    &["10.0.0.9", "10.0.0.10", "10.1.2.3", "192.168.0.1", "::1", "fd00::9", "not-an-ip", "10.0.0"];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "5",
    "12",
    "500",
    "500.0",
    "5e2",
    "502",
    "-1",
    "-0.5",
    "0.1",
    "0.2",
    "1500",
    "9007199254740993",
    "9007199254740992",
    "1e30",
    "3.25",
];
/// At the limit of what is a number and beyond it. Only a field of its own has them: what they add up to
/// is not exact.
const BIG: &[&str] = &[
    "12345678901234567890123456789012345678",
    "12345678901234567890123456789012345679",
    "123456789012345678901234567890123456789",
];
const TAGS: &[&str] = &["red", "Red", "blue", "green", "500", ""];
const DATES: &[&str] =
    &["2026-06-14T10:00:00Z", "2026-06-14T12:30:00+02:00", "2026-06-14 10:15:00", "2026-06-15", "soon"];

/// `count` events of one origin and of two, in the order of their sequences, not of their times.
pub(crate) fn events(rng: &mut Rng, count: usize) -> Vec<Event> {
    (0..count)
        .map(|number| {
            let (origin, sequence) = (1 + u64::from(rng.one_in(4)), number as u64 + 1);
            // Few distinct times, so that ties occur.
            let step = if rng.one_in(2) { RANGE / 60 } else { 1_000_000 };
            let timestamp = FIRST_TIME + rng.below((RANGE / step) as usize) as i64 * step;
            event(rng, timestamp, origin, sequence)
        })
        .collect()
}

fn event(rng: &mut Rng, timestamp: i64, origin: u64, sequence: u64) -> Event {
    let index = rng.pick(INDEXES).to_owned();
    let env = "default".to_owned();
    if rng.one_in(8) {
        let message = format!("{} {}", print_time(timestamp), rng.pick(MESSAGES).replace('\n', " "));
        let raw = message.clone().into_bytes();
        return Event { timestamp, origin, sequence, env, index, raw, message, source: None, fields: Vec::new() };
    }
    let mut line = Line { json: Vec::new(), fields: Vec::new(), ascii: rng.one_in(4), blanks: rng.one_in(4) };
    match rng.below(3) {
        0 => line.json.push(format!("\"ts\":{}", timestamp / 1_000_000)),
        1 => line.json.push(format!("\"ts\":\"{}\"", print_time(timestamp))),
        _ => line.json.push(format!("\"timestamp\":\"{}\"", print_time(timestamp))),
    }
    let mut timestamp = timestamp;
    if line.json[0].starts_with("\"ts\"") {
        let text = line.json[0]["\"ts\":".len()..].trim_matches('"').to_owned();
        if !text.contains('T') {
            timestamp = timestamp / 1_000_000 * 1_000_000;
        }
        line.fields.push(("ts".to_owned(), vec![text]));
    }
    let mut message = String::new();
    if !rng.one_in(6) {
        message = rng.pick(MESSAGES).to_owned();
        let key = if rng.one_in(2) { "message" } else { "msg" };
        line.member(key, &message.clone());
        if key == "msg" {
            line.fields.push(("msg".to_owned(), vec![message.clone()]));
        }
    }
    let mut source = None;
    if rng.one_in(3) {
        source = Some(format!("host-{}", rng.below(3)));
        line.member("source", source.as_deref().unwrap());
    }
    for _ in 0..rng.below(8) {
        body_field(rng, &mut line);
    }
    let blank = if line.blanks { " " } else { "" };
    let raw = format!("{{{blank}{}{blank}}}", line.json.join(&format!(",{blank}"))).into_bytes();
    Event { timestamp, origin, sequence, env, index, raw, message, source, fields: line.fields }
}

/// A JSON line in the making.
struct Line {
    json: Vec<String>,
    fields: Vec<(String, Vec<String>)>,
    /// Whether all beyond ASCII is escaped.
    ascii: bool,
    blanks: bool,
}

impl Line {
    fn member(&mut self, key: &str, text: &str) {
        let value = self.quoted(text);
        self.json.push(format!("\"{key}\":{value}"));
    }

    fn field(&mut self, key: &str, text: &str) {
        self.member(key, text);
        self.fields.push((key.to_owned(), vec![text.to_owned()]));
    }

    fn bare(&mut self, key: &str, text: &str) {
        self.json.push(format!("\"{key}\":{text}"));
        self.fields.push((key.to_owned(), vec![text.to_owned()]));
    }

    fn quoted(&self, text: &str) -> String {
        let mut json = String::from("\"");
        for c in text.chars() {
            match c {
                '"' => json.push_str("\\\""),
                '\\' => json.push_str("\\\\"),
                '\n' => json.push_str("\\n"),
                '\t' => json.push_str("\\t"),
                c if self.ascii && !c.is_ascii() => {
                    c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| json.push_str(&format!("\\u{unit:04x}")));
                }
                c => json.push(c),
            }
        }
        json + "\""
    }
}

/// One more key. A key may come again: then its field has several values.
fn body_field(rng: &mut Rng, line: &mut Line) {
    match rng.below(14) {
        0 | 1 => line.field("level", rng.pick(LEVELS)),
        2 => line.field("Level", rng.pick(LEVELS)),
        3 | 4 => line.field("service", rng.pick(SERVICES)),
        5 => line.bare("status", rng.pick(&["200", "500", "500.0", "502", "404", "5e2"])),
        6 => line.field("status", rng.pick(NUMBERS)),
        7 | 8 => line.bare("latency_ms", rng.pick(NUMBERS)),
        9 => line.field("ip", rng.pick(ADDRESSES)),
        10 => {
            let path = rng.pick(PATHS);
            let value = line.quoted(path);
            line.json.push(format!("\"http\":{{\"path\":{value},\"ok\":true,\"none\":null,\"no\":{{}}}}"));
            line.fields.push(("http.path".to_owned(), vec![path.to_owned()]));
            line.fields.push(("http.ok".to_owned(), vec!["true".to_owned()]));
        }
        11 if rng.one_in(3) => line.bare("big", rng.pick(BIG)),
        11 => {
            let tags: Vec<String> = (0..rng.below(4)).map(|_| rng.pick(TAGS).to_owned()).collect();
            let values: Vec<String> = tags.iter().map(|tag| line.quoted(tag)).collect();
            line.json.push(format!("\"tags\":[{}]", values.join(",")));
            if !tags.is_empty() {
                line.fields.push(("tags".to_owned(), tags));
            }
        }
        12 => line.field("index", rng.pick(&["body", "app-web", "7"])),
        _ => line.field("date", rng.pick(DATES)),
    }
}

const FIELDS: &[&str] = &[
    "level",
    "LEVEL",
    "service",
    "status",
    "latency_ms",
    "ip",
    "http.path",
    "http.ok",
    "tags",
    "fields.index",
    "date",
    "msg",
    "absent",
    "big",
];
const MEMBERS: &[&str] = &["message", "raw", "source", "index", "env"];
const NUMERIC: &[&str] = &["status", "latency_ms", "tags", "latency_ms", "status", "level", "absent"];

/// A query as text: a filter and up to three stages.
pub(crate) fn query(rng: &mut Rng) -> String {
    let mut text = filter(rng, 0);
    let mut reduced = None;
    for _ in 0..rng.below(4) {
        text.push_str(" | ");
        text.push_str(&stage(rng, &mut reduced));
    }
    text
}

/// An expression alone.
pub(crate) fn filter(rng: &mut Rng, depth: usize) -> String {
    let inner = |rng: &mut Rng| filter(rng, depth + 1);
    match rng.below(if depth < 3 { 12 } else { 7 }) {
        7 | 8 => format!("({} {})", inner(rng), inner(rng)),
        9 => format!("({} OR {})", inner(rng), inner(rng)),
        10 => format!("{} AND {} OR {}", inner(rng), inner(rng), inner(rng)),
        11 => format!("{}({})", rng.pick(&["NOT ", "-"]), inner(rng)),
        0 => "*".to_owned(),
        1 => bare(rng),
        2 if rng.one_in(2) => {
            format!("index:{}", rng.pick(&["app-*", "audit", "APP-WEB", "(app-db audit)", ">app-e", "/^app/"]))
        }
        _ => field_test(rng),
    }
}

fn bare(rng: &mut Rng) -> String {
    let word = |rng: &mut Rng| {
        rng.pick(&[
            "error",
            "ERR",
            "call",
            "Upstream",
            "straße",
            "STRASSE",
            "café",
            "日本",
            "kelvin",
            "anna",
            "cart",
            "500",
            "level",
            "disk",
            "10",
            "x",
            "😀",
            "u00e9",
            "error_code",
            "n",
        ])
    };
    match rng.below(6) {
        0 | 1 => word(rng).to_owned(),
        2 => format!("\"{}\"", word(rng)),
        3 => rng
            .pick(&[
                "\"upstream call\"",
                "\"call failed\"",
                "\"disk full\"",
                "\"level error\"",
                "\"10 30\"",
                "\"a b\"",
                "\"---\"",
                "\":\"",
                "\"\\\"\"",
                "\"v1 cart\"",
            ])
            .to_owned(),
        4 => rng
            .pick(&[
                "err*", "*ed", "c?ll", "*rr*", "/api/*", "*/cart*", "app*", "?", "5*", "x=5*", "ca*r*t", "str*e",
                "*\\\"*", "10?0*", "日*",
            ])
            .to_owned(),
        _ => rng
            .pick(&[
                "/err(or)?s?/",
                "/^get/",
                "/(?-i)Upstream/",
                "/v\\d\\/cart/",
                "/stra.e/",
                "/\\d{3}$/",
                "/a b|disk/",
                "/[^ -~]/",
            ])
            .to_owned(),
    }
}

fn field_test(rng: &mut Rng) -> String {
    if rng.one_in(6) {
        let time = print_time(FIRST_TIME + rng.below(60) as i64 * (RANGE / 60));
        return match rng.below(3) {
            0 => format!("timestamp:>={time}"),
            1 => format!("timestamp:[* TO \"{time}\"]"),
            _ => format!("timestamp:\"{time}\""),
        };
    }
    let field = if rng.one_in(3) { rng.pick(MEMBERS) } else { rng.pick(FIELDS) };
    let minus = if rng.one_in(6) { "-" } else { "" };
    format!("{minus}{field}:{}", test(rng, 0))
}

fn test(rng: &mut Rng, depth: usize) -> String {
    let text = |rng: &mut Rng| {
        let words: &[&[&str]] = &[LEVELS, SERVICES, PATHS, ADDRESSES, NUMBERS, BIG, TAGS, DATES, MESSAGES, INDEXES];
        let words = words[rng.below(words.len())];
        let text = rng.pick(words);
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    };
    match rng.below(if depth == 0 { 12 } else { 10 }) {
        0..=2 => text(rng),
        3 => format!("={}", text(rng)),
        4 => format!("{}{}", rng.pick(&[">", ">=", "<", "<="]), text(rng)),
        5 => format!("{}{}", rng.pick(&[">", ">=", "<", "<="]), rng.pick(NUMBERS)),
        6 => format!("[{} TO {}]", text(rng), rng.pick(&["*", "600", "\"z\"", "10.0.0.10"])),
        7 => rng.pick(&["*", "e*", "*o*", "/api/*", "?????", "5*0", "*\\\\*", "*e"]).to_owned(),
        8 => rng.pick(&["/^e/", "/o$/", "/\\d+/", "/(?-i)^E/", "/./", "/api/"]).to_owned(),
        9 => rng.pick(&["10.0.0.0/8", "10.0.0.8/30", "0.0.0.0/0", "fd00::/8", "::/0", "10.0.0.9/32"]).to_owned(),
        10 => format!("!={}", text(rng)),
        _ => format!("({} {} {})", test(rng, 1), rng.pick(&["", "OR", "AND", "NOT"]), test(rng, 1)),
    }
}

/// One more stage. `reduced` has the columns of the table once there is one.
fn stage(rng: &mut Rng, reduced: &mut Option<Vec<String>>) -> String {
    let known = reduced.clone();
    let mut field = |rng: &mut Rng| match &known {
        Some(columns) => format!("`{}`", columns[rng.below(columns.len())]),
        None if rng.one_in(8) => rng.pick(&["timestamp", "message", "source", "index"]).to_owned(),
        None => rng.pick(FIELDS).to_owned(),
    };
    match rng.below(14) {
        0..=2 => {
            let mut by: Vec<String> = Vec::new();
            for _ in 0..rng.below(3) {
                let name = field(rng);
                if !by.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                    by.push(name);
                }
            }
            let aggregates = aggregates(rng, reduced.as_deref());
            let names = by.iter().map(|name| name.trim_matches('`').to_owned());
            // Later stages leave the inexact columns alone: where they tie, rounding would decide.
            let exact = aggregates.iter().map(|(_, name)| name).filter(|name| !name.starts_with("inexact"));
            *reduced = Some(names.chain(exact.cloned()).collect());
            let by = if by.is_empty() { String::new() } else { format!(" by {}", by.join(", ")) };
            format!("stats {}{by}", joined(&aggregates))
        }
        3 if reduced.is_none() => {
            let aggregates = aggregates(rng, None);
            let span = rng.pick(&[
                "",
                "span=5m ",
                "span=1h ",
                "span=90s ",
                "tz=Europe/Berlin span=6h ",
                "tz=Asia/Kolkata span=30m ",
                "span=1d ",
            ]);
            let by = if rng.one_in(2) { format!(" by {}", field(rng)) } else { String::new() };
            *reduced = Some(vec!["time".to_owned()]);
            format!("timechart {span}{}{by}", joined(&aggregates))
        }
        4 | 5 if !known.as_ref().is_some_and(|columns| columns.iter().any(|name| name == "count")) => {
            let name = field(rng);
            *reduced = Some(vec![name.trim_matches('`').to_owned(), "count".to_owned(), "percent".to_owned()]);
            format!("{} {}{name}", rng.pick(&["top", "rare"]), rng.pick(&["", "1 ", "3 "]))
        }
        6 => format!("sort {}{}, {}{}", rng.pick(&["", "-"]), field(rng), rng.pick(&["", "-"]), field(rng)),
        7 => format!("{} {}", rng.pick(&["head", "tail"]), 1 + rng.below(40)),
        8 => format!("where {}", condition(rng, &mut field)),
        9 => format!("dedup {}{}", rng.pick(&["", "2 "]), field(rng)),
        10 => format!("eval made = {}", computed(rng, &mut field)),
        11 => format!("bin {} span={} as bucket", field(rng), rng.pick(&["100", "0.3", "5m", "1d", "7"])),
        12 => format!("fillnull value={} {}", rng.pick(&["0", "\"n/a\"", "\"\""]), field(rng)),
        _ => {
            let (from, to) = (field(rng), if rng.one_in(2) { "renamed".to_owned() } else { field(rng) });
            match (rng.below(3), reduced.is_some()) {
                // Of a table this could take the columns away that later stages name.
                (0, false) => format!("fields {}{from}, http.*", rng.pick(&["", "- "])),
                (1, false) if !to.contains("timestamp") && !["message", "source", "index"].contains(&to.as_str()) => {
                    format!("rename {from} as {to}")
                }
                _ => format!("sort {from}"),
            }
        }
    }
}

fn joined(aggregates: &[(String, String)]) -> String {
    aggregates.iter().map(|(text, name)| format!("{text} as {name}")).collect::<Vec<_>>().join(", ")
}

/// Aggregations and the names of their columns.
fn aggregates(rng: &mut Rng, columns: Option<&[String]>) -> Vec<(String, String)> {
    let field = |rng: &mut Rng, numeric: bool| match columns {
        Some(columns) => format!("`{}`", columns[rng.below(columns.len())]),
        None if numeric => rng.pick(NUMERIC).to_owned(),
        None => rng.pick(FIELDS).to_owned(),
    };
    let mut made = Vec::new();
    for number in 0..1 + rng.below(3) {
        let mut aggregate = match rng.below(if number == 0 { 17 } else { 19 }) {
            0..=2 => "count".to_owned(),
            3 => format!("count({})", field(rng, false)),
            4 => format!("sum({})", field(rng, true)),
            5 => format!("avg({})", field(rng, true)),
            6 => format!("min({})", field(rng, true)),
            7 => format!("max({})", field(rng, true)),
            8 => format!("p{}({})", rng.pick(&["0", "50", "95", "99.9", "100", "33.3"]), field(rng, true)),
            9 => format!("median({})", field(rng, true)),
            10 if columns.is_none() => format!("{}({})", rng.pick(&["earliest", "latest"]), field(rng, false)),
            11 if columns.is_none() => rng.pick(&["earliest", "latest"]).to_owned(),
            12 => format!("dc({})", field(rng, false)),
            13 => format!("{}({})", rng.pick(&["first", "last"]), field(rng, false)),
            14 => format!("{}({})", rng.pick(&["values", "list"]), field(rng, false)),
            15 => format!("mode({})", field(rng, false)),
            16 => "rate".to_owned(),
            17 => format!("stdev({})", field(rng, true)),
            18 => format!("var({})", field(rng, true)),
            _ => "count".to_owned(),
        };
        if columns.is_none() && rng.one_in(5) {
            aggregate.push_str(&format!(" if {}", condition(rng, &mut |rng| rng.pick(FIELDS).to_owned())));
        }
        // The first one orders the table, so it is exact.
        let inexact = aggregate.starts_with("stdev") || aggregate.starts_with("var");
        // No name comes twice, whatever stage made it.
        let unique = rng.below(1_000_000_000);
        let name = if inexact { format!("inexact{unique}") } else { format!("a{unique}") };
        made.push((aggregate, name));
    }
    made
}

fn condition(rng: &mut Rng, field: &mut impl FnMut(&mut Rng) -> String) -> String {
    let name = field(rng);
    match rng.below(10) {
        0 | 1 => format!(
            "{name} {} {}",
            rng.pick(&["==", "!=", "<", "<=", ">", ">="]),
            rng.pick(&["500", "\"error\"", "0.1", "\"10.0.0.10\"", "true"])
        ),
        2 => format!("{name} in (\"ERROR\", 500, \"red\")"),
        3 => format!("not isnull({name})"),
        4 => format!("{name} =~ \"^[a-e]\""),
        5 => format!("contains({name}, \"AR\") or startswith({name}, \"/api\")"),
        6 => format!("len({name}) > 4 and not endswith({name}, \"r\")"),
        7 => format!("{name} * 2 >= {name} + 1"),
        8 => format!("cidrmatch(\"10.0.0.0/8\", {name})"),
        _ => format!("lower({name}) == {}", field(rng)),
    }
}

fn computed(rng: &mut Rng, field: &mut impl FnMut(&mut Rng) -> String) -> String {
    let name = field(rng);
    match rng.below(12) {
        0 => format!("{name} + 1"),
        1 => format!("{name} / 7"),
        2 => format!("{name} % 3 * -2"),
        3 => format!("{name} . \"-\" . {}", field(rng)),
        4 => format!("if({}, \"yes\", {name})", condition(rng, field)),
        5 => format!("coalesce({name}, {}, \"none\")", field(rng)),
        6 => format!("case(isnull({name}), \"absent\", {name} == \"\", \"empty\", \"there\")"),
        7 => format!("round({name}, 1)"),
        8 => format!("substr({name}, 2, 3)"),
        9 => format!("split({name}, \"/\", -1)"),
        10 => format!("max(abs({name}), floor({name}), 3)"),
        _ => format!("replace(upper({name}), \"(e)(r)\", \"$2$1\")"),
    }
}

/// A scalar expression over an event's fields.
pub(crate) fn expression(rng: &mut Rng) -> String {
    let mut field = |rng: &mut Rng| {
        if rng.one_in(6) { rng.pick(&["timestamp", "message", "source", "index"]) } else { rng.pick(FIELDS) }.to_owned()
    };
    match rng.below(3) {
        0 => condition(rng, &mut field),
        1 => format!(
            "{} and not ({} or {})",
            condition(rng, &mut field),
            condition(rng, &mut field),
            condition(rng, &mut field)
        ),
        _ => computed(rng, &mut field),
    }
}
