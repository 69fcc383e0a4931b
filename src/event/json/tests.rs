//! The walker against another JSON reader.

use proptest::prelude::*;
use serde_json::Value;

use super::super::{LineKind, LineParser};
use super::*;
use crate::event::Line;

fn parse<'a>(parser: &mut LineParser, raw: &'a [u8]) -> Result<Line<'a>, LineError> {
    let mut line = Line::default();
    parser.parse(LineKind::Json, raw, 0, &mut line)?;
    check_line(&line);
    Ok(line)
}

/// What holds for every line: fields ascend, lie inside, and their spelling gives the bytes back.
fn check_line(line: &Line<'_>) {
    let mut end = 0;
    for field in &line.fields {
        assert!(end <= field.start && field.start <= field.end, "fields overlap in {line:?}");
        end = field.end;
        let bytes = &line.raw[field.start as usize..field.end as usize];
        if let Some(spelling) = field.spelling {
            let mut written = Vec::new();
            spelling.write(&field.text, &mut written);
            assert_eq!(written, bytes, "{spelling:?} of {:?}", field.text);
        }
    }
    assert!(end as usize <= line.raw.len());
    assert!(line.fields.len() <= FIELDS_MAX);
}

/// Path, text and spelling of each field.
fn fields(raw: &str) -> Vec<(String, String, Option<Spelling>)> {
    let mut parser = LineParser::new();
    let line = parse(&mut parser, raw.as_bytes()).unwrap_or_else(|error| panic!("{raw}: {error}"));
    let path = |field: &Field<'_>| parser.paths().name(field.path).to_owned();
    line.fields.iter().map(|field| (path(field), field.text.to_string(), field.spelling)).collect()
}

fn check(raw: &str, expected: &[(&str, &str)]) {
    let found = fields(raw);
    let found: Vec<_> = found.iter().map(|(path, text, _)| (path.as_str(), text.as_str())).collect();
    assert_eq!(found, expected, "{raw}");
}

#[test]
fn objects_give_dotted_paths_and_arrays_several_values() {
    check("{}", &[]);
    check(r#" { "a" : 1 , "b" : "x" } "#, &[("a", "1"), ("b", "x")]);
    check(r#"{"a":{"b":{"c":true}},"d.e":false}"#, &[("a.b.c", "true"), ("d.e", "false")]);
    check(r#"{"a":[1,"x",[2,[3]],{"b":4}]}"#, &[("a", "1"), ("a", "x"), ("a", "2"), ("a", "3"), ("a.b", "4")]);
    check(r#"{"a":null,"b":{},"c":[],"d":[null,{}],"e":"" }"#, &[("e", "")]);
    check(r#"{"a":1,"A":2,"a":3}"#, &[("a", "1"), ("a", "2"), ("a", "3")]);
    check(r#"{"\u0061\"b":1,"":2,"x":{"":3}}"#, &[("a\"b", "1"), ("", "2"), ("x.", "3")]);
    check("\u{feff}{\"a\":1}", &[("a", "1")]);
    check("{\"a\":-1.50e+03}\r", &[("a", "-1.50e+03")]);
}

#[test]
fn quoted_and_bare_values_are_told_apart_by_their_spelling() {
    let spellings: Vec<_> = fields(r#"{"a":1,"b":"1","c":true,"d":"\/","e":"\u00E9"}"#)
        .into_iter()
        .map(|(_, text, spelling)| (text, spelling))
        .collect();
    let expected = [
        ("1", Some(Spelling::Bare)),
        ("1", Some(Spelling::Json)),
        ("true", Some(Spelling::Bare)),
        ("/", Some(Spelling::JsonSlash)),
        ("é", None),
    ];
    assert_eq!(spellings, expected.map(|(text, spelling)| (text.to_owned(), spelling)));
}

#[test]
fn errors_say_what_and_where() {
    for (raw, message) in [
        ("[1]", "an array: each line must be one JSON object"),
        ("\"x\"", "a string: each line must be one JSON object"),
        ("17", "a number: each line must be one JSON object"),
        ("true", "a bare word: each line must be one JSON object"),
        ("hello", "not valid JSON: expected `{` at column 1"),
        ("{\"a\":1", "not valid JSON: expected `,` or `}` at column 7"),
        ("{\"a\" 1}", "not valid JSON: expected `:` at column 6"),
        ("{\"a\":01}", "not valid JSON: expected `,` or `}` at column 7"),
        ("{\"a\":1.}", "not valid JSON: expected a digit after the point at column 8"),
        ("{\"a\":nul}", "not valid JSON: expected `true`, `false` or `null` at column 6"),
        ("{\"a\":\"x\ty\"}", "not valid JSON: a control character that is not escaped at column 8"),
        ("{\"a\":\"x\0y\"}", "not valid JSON: a control character that is not escaped at column 8"),
        ("{\"a\":\"\\x\"}", "not valid JSON: an escape that JSON does not have at column 7"),
        ("{\"a\":\"\\u12g4\"}", "not valid JSON: expected four hex digits after `\\u` at column 7"),
        ("{\"a\":\"xyz", "not valid JSON: a string that does not end at column 10"),
        ("{\"a\":1}{\"b\":2}", "not valid JSON: something follows the object at column 8"),
        ("{\"a\":1,}", "not valid JSON: expected a key in double quotes at column 8"),
    ] {
        let mut parser = LineParser::new();
        assert_eq!(parse(&mut parser, raw.as_bytes()).unwrap_err().to_string(), message, "{raw}");
    }
}

#[test]
fn bytes_that_are_no_utf_8_and_half_surrogates_are_shown_replaced_and_have_no_spelling() {
    let mut parser = LineParser::new();
    let raw = b"{\"a\":\"x\xffy\",\"b\":\"plain\",\"k\xfe\":1,\"c\":\"\\ud800\"}";
    let line = parse(&mut parser, raw).unwrap();
    let found: Vec<_> = line.fields.iter().map(|field| (&*field.text, field.spelling)).collect();
    let expected =
        [("x\u{fffd}y", None), ("plain", Some(Spelling::Json)), ("1", Some(Spelling::Bare)), ("\u{fffd}", None)];
    assert_eq!(found, expected);
    assert!(parser.paths().get("k\u{fffd}").is_some());
}

#[test]
fn what_lies_deeper_than_16_levels_is_kept_as_text() {
    let nested = |depth: usize, inner: &str| format!("{}{inner}{}", "{\"k\":".repeat(depth), "}".repeat(depth));
    let path = |depth: usize| vec!["k"; depth].join(".");
    assert_eq!(fields(&nested(16, "7")), [(path(16), "7".into(), Some(Spelling::Bare))]);
    assert_eq!(fields(&nested(17, "7")), [(path(16), "{\"k\":7}".into(), Some(Spelling::Bare))]);
    assert_eq!(
        fields(&nested(16, "[ 1, {\"a\":[]} ]")),
        [(path(16), "[ 1, {\"a\":[]} ]".into(), Some(Spelling::Bare))]
    );
    assert_eq!(fields(&nested(16, "{ }")), []);
    for wrong in ["{\"a\"}", "[1,]", "[1}", "{\"a\":[1}]", "[01]", "[\"\\q\"]", "{,}", "[", "[1 2]"] {
        let mut parser = LineParser::new();
        assert!(parse(&mut parser, nested(16, wrong).as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn nesting_of_ten_thousand_and_of_a_million_is_one_text_or_one_error() {
    for depth in [10_000, 1_000_000] {
        let mut parser = LineParser::new();
        let raw = format!("{{\"a\":{}1{},\"b\":2}}", "[".repeat(depth), "]".repeat(depth));
        let line = parse(&mut parser, raw.as_bytes()).unwrap();
        assert_eq!(line.fields.len(), 2);
        assert_eq!(line.fields[0].text.len(), 2 * (depth - 15) + 1);
        assert_eq!(line.fields[1].text, "2");
        let open = format!("{{\"a\":{}", "[".repeat(depth));
        assert!(parse(&mut parser, open.as_bytes()).is_err());
    }
}

#[test]
fn fields_beyond_2000_are_counted_and_the_line_is_still_checked() {
    let members: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let raw = format!("{{{}}}", members.join(","));
    let mut parser = LineParser::new();
    let line = parse(&mut parser, raw.as_bytes()).unwrap();
    assert_eq!((line.fields.len(), line.fields_dropped), (2_000, 98_000));
    assert_eq!(parser.paths().len(), 2_000);
    let broken = format!("{{{},}}", members.join(","));
    assert!(parse(&mut parser, broken.as_bytes()).is_err());
}

#[test]
fn numbers_of_400_digits_stay_as_they_are() {
    let digits = "7".repeat(400);
    check(&format!("{{\"n\":-{digits}.{digits}e-{digits}}}"), &[("n", &format!("-{digits}.{digits}e-{digits}"))]);
}

#[test]
fn a_path_longer_than_its_bound_is_counted_not_named() {
    let key = "k".repeat(600);
    let mut parser = LineParser::new();
    let raw = format!("{{\"{key}\":{{\"{key}\":1,\"b\":2}},\"{key}{key}\":{{\"c\":3}}}}");
    let line = parse(&mut parser, raw.as_bytes()).unwrap();
    assert_eq!((line.fields.len(), line.fields_dropped), (1, 2));
}

#[test]
fn what_was_read_before_changes_no_line() {
    let lines = [
        r#"{"a":1,"b":{"c":2,"d":3},"e":4}"#,
        r#"{"a":1,"b":{"c":2,"dd":3},"e":4}"#,
        r#"{"b":{"b":{"b":1}},"a":{"a":[{"a":1,"b":2},{"a":1,"b":2}]}}"#,
        r#"{"a\u0062":1,"ab":2,"a":{"b":3},"a.b":4}"#,
        r#"{"":{"":1},"a":null}"#,
        r#"{"a":{"#,
        r#"{"b":{"c":2},"c":2,"e":{"a":1}}"#,
    ];
    let mut shared = LineParser::new();
    for _ in 0..3 {
        for raw in lines {
            let Ok(line) = parse(&mut shared, raw.as_bytes()) else { continue };
            let path = |field: &Field<'_>| shared.paths().folded(field.path).to_owned();
            let found: Vec<_> = line.fields.iter().map(|f| (path(f), f.text.to_string(), f.spelling)).collect();
            assert_eq!(found, fields(raw), "{raw}");
        }
    }
}

/// The fields that `value` must give, by the other reader.
fn expect_fields(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Bool(yes) => found.push((path.to_owned(), yes.to_string())),
        Value::Number(number) => found.push((path.to_owned(), number.to_string())),
        Value::String(text) => found.push((path.to_owned(), text.clone())),
        Value::Array(values) => values.iter().for_each(|value| expect_fields(value, path, found)),
        Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                expect_fields(value, &path, found);
            }
        }
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,10}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-c\"é\\\\]{1,2}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-dA-D]{1,3}", any_value(), 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// A byte that JSON has a meaning for, or any.
fn likely_byte() -> impl Strategy<Value = u8> {
    let of = |bytes: &'static [u8]| prop::sample::select(bytes);
    prop_oneof![3 => of(b"\"\\{}[],:.-+eE"), 3 => of(b"0123456789"), 1 => of(b" \t\r\ntfn"), 1 => any::<u8>()]
}

/// All that a line is read as.
fn seen(line: &Line<'_>, parser: &LineParser) -> impl PartialEq + std::fmt::Debug {
    let field = |field: &Field<'_>| {
        (parser.paths().folded(field.path).to_owned(), field.start, field.end, field.text.to_string(), field.spelling)
    };
    let fields: Vec<_> = line.fields.iter().map(field).collect();
    (fields, line.timestamp, line.message, line.source, line.fields_dropped)
}

proptest! {
    #[test]
    fn values_are_those_that_another_reader_finds(values in proptest::collection::vec(any_object(), 1..4), pretty in any::<bool>()) {
        let mut parser = LineParser::new();
        for value in values {
            let raw = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let mut expected = Vec::new();
            expect_fields(&value, "", &mut expected);
            let line = parse(&mut parser, raw.as_bytes()).unwrap();
            let folded = crate::event::fold::fold;
            let found: Vec<_> =
                line.fields.iter().map(|f| (parser.paths().folded(f.path).to_owned(), f.text.to_string())).collect();
            let expected: Vec<_> = expected.iter().map(|(p, t)| (folded(p).into_owned(), t.clone())).collect();
            prop_assert_eq!(found, expected);
            prop_assert!(line.fields.iter().all(|field| field.spelling.is_some()));
        }
    }

    #[test]
    fn lines_are_refused_exactly_when_another_reader_refuses_them(value in any_object(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut raw = serde_json::to_vec(&value).unwrap();
        let at = at.index(raw.len());
        raw[at] = byte;
        let mut parser = LineParser::new();
        let ours = parse(&mut parser, &raw).is_ok();
        // Bytes that are no UTF-8, half surrogates and numbers of any size are ours to allow; else the grammar
        // is the same.
        let lossy = String::from_utf8_lossy(&raw);
        let theirs = serde_json::from_str::<serde_json::Map<String, Value>>(&lossy);
        let kindness = theirs.as_ref().is_err_and(|error| {
            ["surrogate", "hex escape", "out of range"].iter().any(|what| error.to_string().contains(what))
        });
        if !kindness {
            prop_assert_eq!(ours, theirs.is_ok(), "{}", lossy);
        }
    }

    #[test]
    fn a_line_like_lines_before_reads_as_if_it_came_first(
        values in proptest::collection::vec(any_object(), 1..4),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), likely_byte()), 1..12),
    ) {
        let mut lines: Vec<Vec<u8>> = values.iter().map(|value| value.to_string().into_bytes()).collect();
        for (which, at, byte) in mutations {
            let mut line = lines[which.index(lines.len())].clone();
            let at = at.index(line.len());
            line[at] = byte;
            lines.push(line);
        }
        let mut shared = LineParser::new();
        // Twice, so that every line is also read when its form is known.
        for raw in lines.iter().chain(&lines) {
            let mut fresh = LineParser::new();
            match (parse(&mut shared, raw), parse(&mut fresh, raw)) {
                (Err(left), Err(right)) => prop_assert_eq!(left, right),
                (Ok(left), Ok(right)) => prop_assert_eq!(seen(&left, &shared), seen(&right, &fresh)),
                _ => prop_assert!(false, "read otherwise: {}", String::from_utf8_lossy(raw)),
            }
        }
    }

    #[test]
    fn no_bytes_make_the_walker_panic(bytes in proptest::collection::vec(prop_oneof![Just(b'{'), Just(b'"'), Just(b'\\'), Just(b'u'), Just(b':'), Just(b'['), Just(b','), Just(b'd'), Just(b'}'), any::<u8>()], 0..60)) {
        let mut parser = LineParser::new();
        let _ = parse(&mut parser, &bytes);
        let mut object = b"{\"a\":".to_vec();
        object.extend_from_slice(&bytes);
        let _ = parse(&mut parser, &object);
    }

    #[test]
    fn plain_bytes_end_where_a_slow_search_says(bytes in proptest::collection::vec(prop_oneof![4 => any::<u8>(), 6 => b'a'..=b'z', 1 => Just(b'"'), 1 => Just(0x1fu8), 1 => Just(b'!'), 1 => Just(0x80u8)], 0..40)) {
        let slow = bytes.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(bytes.len());
        prop_assert_eq!(plain_bytes(&bytes), slow);
    }
}

#[test]
fn the_public_grammar_cases_are_accepted_and_refused_as_they_say() {
    let Ok(shared) = std::env::var("HELIOS_SHARED") else {
        println!("skipped: HELIOS_SHARED names no folder with test vectors");
        return;
    };
    let folder = std::path::Path::new(&shared).join("data/vectors/json/test_parsing");
    let mut cases = 0;
    #[allow(clippy::disallowed_methods, reason = "test vectors are files")]
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let document = std::fs::read(&path).unwrap();
        // As the value of a key every document is a test of the grammar, not only the objects.
        let raw = [b"{\"k\":".as_slice(), &document, b"}"].concat();
        let mut parser = LineParser::new();
        let verdict = parse(&mut parser, &raw);
        match name.as_bytes()[0] {
            b'y' => assert!(verdict.is_ok(), "{name}: {verdict:?}"),
            b'n' => assert!(verdict.is_err(), "{name}: accepted"),
            _ => {}
        }
        let _ = parse(&mut parser, &document);
        cases += 1;
    }
    assert!(cases > 300);
}
