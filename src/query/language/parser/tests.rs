use super::*;
use crate::query::language::tree::{Pattern, Piece};

/// Checks what a filter is read as, in the tree's own canonical print, and that the print reads back.
#[track_caller]
fn check(text: &str, printed: &str) {
    let query = parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
    assert_eq!(query.to_string(), printed);
    assert_eq!(parse(printed).unwrap_or_else(|error| panic!("{}", error.render(printed))), query);
}

#[track_caller]
fn test_of(text: &str) -> FieldTest {
    match parse(text).unwrap().filter {
        Expr::Test(Predicate::Field { test, .. }) => test,
        other => panic!("{text} is {other:?}"),
    }
}

#[track_caller]
fn check_error(text: &str, rendered: &str) {
    let error = parse(text).expect_err("this is no query");
    assert_eq!(error.render(text), rendered.trim_start_matches('\n'));
}

fn words(text: &str) -> Words {
    Words::new(text).unwrap()
}

#[test]
fn nothing_and_a_star_are_every_event() {
    for text in ["", "  ", "*", " ** "] {
        assert_eq!(parse(text).unwrap(), Query { filter: Expr::All, stages: Vec::new() }, "{text:?}");
    }
    assert_eq!(parse("| head 5").unwrap(), parse("* | head 5").unwrap());
}

#[test]
fn rule_3_and_4_bare_terms_quotes_and_patterns() {
    let filter = |text| match parse(text).unwrap().filter {
        Expr::Test(predicate) => predicate,
        other => panic!("{text} is {other:?}"),
    };
    assert_eq!(filter("error"), Predicate::Term("error".into()));
    assert_eq!(filter(r#""upstream call failed""#), Predicate::Words(words("upstream call failed")));
    assert_eq!(words("Upstream-CALL  failed!").words, ["upstream", "call", "failed"]);
    assert_eq!(filter(r#""***""#), Predicate::Term("***".into()));
    let text = |text: &str| Piece::Text(text.into());
    assert_eq!(filter("compl*"), Predicate::WordPattern(Pattern { pieces: vec![text("compl"), Piece::Many] }));
    assert_eq!(
        filter("com?le**ted"),
        Predicate::WordPattern(Pattern { pieces: vec![text("com"), Piece::One, text("le"), Piece::Many, text("ted")] })
    );
    assert_eq!(filter("compl\\*"), Predicate::Term("compl*".into()));
    assert_eq!(filter("two\\ words"), Predicate::Term("two words".into()));
    assert_eq!(filter("a\\:b"), Predicate::Term("a:b".into()));
    assert_eq!(filter("-"), Predicate::Term("-".into()));
}

#[test]
fn rule_5_what_a_colon_asks() {
    assert_eq!(test_of("level:error"), FieldTest::Equals("error".into()));
    assert_eq!(test_of(r#"service:"two words""#), FieldTest::Equals("two words".into()));
    assert_eq!(test_of("level:\"\""), FieldTest::Equals("".into()));
    assert_eq!(test_of("level:=\"\""), FieldTest::Equals("".into()));
    assert_eq!(test_of("message:timed-out"), FieldTest::Words(words("timed-out")));
    assert_eq!(test_of(r#"raw:"v w""#), FieldTest::Words(words("v w")));
    assert_eq!(test_of("Message:=timeout"), FieldTest::Equals("timeout".into()));
    assert_eq!(
        test_of("message:*x*"),
        FieldTest::Pattern(Pattern { pieces: vec![Piece::Many, Piece::Text("x".into()), Piece::Many] })
    );
    assert_eq!(test_of("message:!!"), FieldTest::Contains("!!".into()));
    assert_eq!(test_of("f:*"), FieldTest::Present);
    assert_eq!(test_of("fields.message:a-b"), FieldTest::Equals("a-b".into()));
    check("f:!=v", "NOT f:v");
    check("NOT f:*", "NOT f:*");
}

#[test]
fn rule_1_reserved_names_are_members_and_fields_reaches_past_them() {
    let name = |text: &str| FieldName::new(text);
    assert_eq!(name("Index").member(), Some(Member::Index));
    assert_eq!(name("fields.index").member(), None);
    assert_eq!(name("fields.INDEX").folded(), "index");
    assert_eq!(name("fields.level").folded(), "fields.level");
    assert_eq!(name("HTTP.Status").folded(), "http.status");
    assert_eq!(name("HTTP.Status").typed(), "HTTP.Status");
    assert_eq!(name("ts").member(), None);
}

#[test]
fn rule_6_ranges_and_networks() {
    let inclusive = |text: &str| Bound::Inclusive(text.into());
    let exclusive = |text: &str| Bound::Exclusive(text.into());
    let range = |low, high| FieldTest::Range { low, high };
    assert_eq!(test_of("latency_ms:>1000"), range(exclusive("1000"), Bound::Open));
    assert_eq!(test_of("latency_ms:>=1000"), range(inclusive("1000"), Bound::Open));
    assert_eq!(test_of("latency_ms:<-1.5"), range(Bound::Open, exclusive("-1.5")));
    assert_eq!(test_of("latency_ms:<=5e2"), range(Bound::Open, inclusive("5e2")));
    assert_eq!(test_of("f:[a TO b]"), range(inclusive("a"), inclusive("b")));
    assert_eq!(test_of(r#"f:[ "a b" TO * ]"#), range(inclusive("a b"), Bound::Open));
    assert_eq!(test_of("f:{1 TO 2]"), range(exclusive("1"), inclusive("2")));
    assert_eq!(test_of("f:[* TO *]"), FieldTest::Present);
    assert_eq!(test_of("ip:10.0.0.0/8"), FieldTest::Cidr(Cidr::parse("10.0.0.0/8").unwrap()));
    assert_eq!(test_of("ip:fd00::/8"), FieldTest::Cidr(Cidr::parse("fd00::/8").unwrap()));
    assert_eq!(test_of(r#"ip:"10.0.0.0/8""#), FieldTest::Equals("10.0.0.0/8".into()));
    assert_eq!(test_of("ip:10.0.0.0/33"), FieldTest::Equals("10.0.0.0/33".into()));
    assert_eq!(test_of("timestamp:>=2026-06-14T10:00:00Z"), range(inclusive("2026-06-14T10:00:00Z"), Bound::Open));
    let network = Cidr::parse("10.0.0.0/8").unwrap();
    assert!(network.contains("10.255.0.1".parse().unwrap()));
    assert!(network.contains("::ffff:10.0.0.1".parse().unwrap()));
    assert!(!network.contains("11.0.0.1".parse().unwrap()));
    assert!(!network.contains("::1".parse().unwrap()));
    assert!(Cidr::parse("0.0.0.0/0").unwrap().contains("255.1.2.3".parse().unwrap()));
}

#[test]
fn rule_8_a_regex_ends_at_the_first_slash_without_a_backslash() {
    assert_eq!(parse("/a b/").unwrap().filter, Expr::Test(Predicate::Regex("a b".into())));
    assert_eq!(test_of(r"msg:/time(d )?out\/x/"), FieldTest::Regex(r"time(d )?out\/x".into()));
    assert_eq!(test_of("path:/api/"), FieldTest::Regex("api".into()));
    assert_eq!(test_of("path:/api/v1/cart"), FieldTest::Equals("/api/v1/cart".into()));
    assert_eq!(test_of("path:/api"), FieldTest::Equals("/api".into()));
    assert_eq!(test_of(r#"path:"/api/""#), FieldTest::Equals("/api/".into()));
    assert_eq!(
        test_of("path:/api/*"),
        FieldTest::Pattern(Pattern { pieces: vec![Piece::Text("/api/".into()), Piece::Many] })
    );
    check("/api/v1", r"\/api/v1");
    check("(/a/)|head 1", "/a/ | head 1");
    check("path:(/a/ /b/c)", r#"path:/a/ OR path:"/b/c""#);
}

#[test]
fn rule_9_and_binds_tighter_than_or_and_not_tightest() {
    check("a OR b c", "a OR (b AND c)");
    check("a b c", "a AND b AND c");
    check("a AND b OR NOT c d", "(a AND b) OR (NOT c AND d)");
    check("(a OR b) c", "(a OR b) AND c");
    check("((a))", "a");
    check("(a b) (c d)", "a AND b AND c AND d");
    check("-a -(b c)", "NOT a AND NOT (b AND c)");
    check("NOT NOT a", "NOT NOT a");
    check("foo-bar", "foo-bar");
    check(r"\-a", r"\-a");
    check(r#""AND""#, r#""AND""#);
    check(r"\AND or", r"\AND AND or");
    check("status:(500 502 503)", "status:500 OR status:502 OR status:503");
    check("t:(-5 >10)", "t:-5 OR t:>10");
    check("t:(-x y AND z)", "NOT t:x OR (t:y AND t:z)");
    check(
        r#"t:("a b" c* /d/ 10.0.0.0/8 [1 TO 2] *)"#,
        r#"t:"a b" OR t:c* OR t:/d/ OR t:10.0.0.0/8 OR t:[1 TO 2] OR t:*"#,
    );
    check(r#""level":"error""#, "level:error");
    check(r#""my field":x"#, r"my\ field:x");
    check("state:OR", "state:OR");
}

#[test]
fn rule_10_index_is_an_ordinary_predicate() {
    check("index:app-* OR NOT index:(web db)", "index:app-* OR NOT (index:web OR index:db)");
    check("fields.index:5", "fields.index:5");
}

#[test]
fn every_stage_prints_as_it_is_read() {
    for (text, printed) in [
        ("stats count", "stats count"),
        ("STATS count, sum(x) as total by a, b.c", "stats count, sum(x) as total by a, b.c"),
        ("stats count by a b", "stats count by a, b"),
        ("stats count(*) mean(x)", "stats count as `count(*)`, avg(x) as `mean(x)`"),
        ("stats median(x), p99.90(x)", "stats p50(x) as `median(x)`, p99.9(x) as `p99.90(x)`"),
        ("stats earliest, latest(level), rate", "stats earliest, latest(level), rate"),
        (r#"stats count if level=="error" as errors by f"#, r#"stats count if level == "error" as errors by f"#),
        ("stats dc(`odd name`), values(x)", "stats dc(`odd name`), values(x)"),
        ("timechart count", "timechart count"),
        ("timechart span=5m p95(x), count by service", "timechart span=5m p95(x), count by service"),
        ("timechart tz=Europe/Berlin span=1d count", "timechart span=1d tz=Europe/Berlin count"),
        ("top path", "top 10 path"),
        ("top 5 path", "top 5 path"),
        ("rare limit=3 path", "rare 3 path"),
        ("sort -count, service", "sort -count, service"),
        ("sort - count desc, a asc, b desc", "sort count, a, -b"),
        ("sort -p95(latency_ms)", "sort -`p95(latency_ms)`"),
        ("head", "head 10"),
        ("tail 3", "tail 3"),
        ("where a > 5 and not b", "where (a > 5) and (not b)"),
        ("fields a, b.c", "fields a, b.c"),
        ("fields - a http.* `x y`", "fields - a, http.*, `x y`"),
        ("rename a as b, c as `by`", "rename a as b, c as `by`"),
        ("eval a=b+1, c=a . \"x\"", "eval a = b + 1, c = a . \"x\""),
        ("dedup host, service", "dedup 1 host, service"),
        ("dedup 2 host", "dedup 2 host"),
        ("bin timestamp span=5m as t", "bin timestamp span=5m as t"),
        ("bin span=0.5 x", "bin x span=0.5"),
        ("fillnull value=\"n/a\" a b", "fillnull value=\"n/a\" a, b"),
        ("stats count by a | fillnull", "stats count by a | fillnull value=\"0\""),
    ] {
        check(&format!("* | {text}"), &format!("* | {printed}"));
    }
}

#[test]
fn scalar_expressions_bind_as_documented() {
    for (text, printed) in [
        ("a or b and not c == 1 + 2 * -x", "a or (b and (not (c == (1 + (2 * (-x))))))"),
        ("a - b - c", "(a - b) - c"),
        ("a.b . c", "a.b . c"),
        ("\"a\".\"b\".c+1", "(\"a\" . \"b\") . (c + 1)"),
        ("status in (500, 502) or x not in (\"a\")", "(status in (500, 502)) or (not (x in (\"a\")))"),
        ("lower(host) =~ \"web\\d+\"", "lower(host) =~ \"web\\\\d+\""),
        ("`odd name` == null and TRUE", "(`odd name` == null) and true"),
        ("if(isnull(a), 1.50, case(b, 2, 3))", "if(isnull(a), 1.5, case(b, 2, 3))"),
        ("(((a)))", "a"),
        ("a>=-1", "a >= (-1)"),
        ("@timestamp < now()", "@timestamp < now()"),
    ] {
        check(&format!("* | where {text}"), &format!("* | where {printed}"));
    }
}

#[test]
fn a_column_named_like_a_call_is_a_field_after_its_stage() {
    check("* | stats max(x) by f | where max(x) > 5", "* | stats max(x) by f | where `max(x)` > 5");
    check("* | where max(x, 1) > 5", "* | where max(x, 1) > 5");
    check("* | stats max(x) | where max(x, 1) > 5", "* | stats max(x) | where max(x, 1) > 5");
}

#[test]
fn errors_show_the_column_and_a_likely_fix() {
    check_error(
        "a) b",
        "
a) b
 ^ this `)` closes nothing
hint: remove it, or write `\\)`",
    );
    check_error(
        "x (a OR b",
        "
x (a OR b
  ^ this `(` is never closed
hint: add a `)`, or write `\\(` for the character itself",
    );
    check_error(
        "\"never",
        "
\"never
^ this quote is never closed
hint: add a closing `\"`, or write `\\\"` for the character itself",
    );
    check_error(
        "a | stast count",
        "
a | stast count
    ^^^^^ there is no stage `stast`
hint: did you mean `stats`?",
    );
    check_error(
        "a | stats cuont by x",
        "
a | stats cuont by x
          ^^^^^ there is no aggregation `cuont`
hint: did you mean `count`?",
    );
    check_error(
        "* | where lowr(a) == 1",
        "
* | where lowr(a) == 1
          ^^^^ there is no function `lowr`
hint: did you mean `lower`?",
    );
    check_error(
        "* | where level:error",
        "
* | where level:error
          ^^^^^^^^^^^ `field:value` belongs before the first `|`
hint: here it is written `level == \"error\"`",
    );
    check_error(
        "* | where status:500 and x",
        "
* | where status:500 and x
          ^^^^^^^^^^ `field:value` belongs before the first `|`
hint: here it is written `status == 500`",
    );
    check_error(
        "* | where a = 1",
        "
* | where a = 1
            ^ `=` is no operator
hint: write `==`",
    );
    check_error(
        "level=\"error\"",
        "
level=\"error\"
      ^ a quote can't begin inside a term
hint: a field is asked with a colon: `level:\"…\"`",
    );
    check_error(
        "level: error",
        "
level: error
^^^^^^ a value must follow the colon, without a blank
hint: write `level:value`, or `\"level:\"` to find the text itself",
    );
    check_error(
        "a OR",
        "
a OR
    ^ a term is missing here
hint: `AND`, `OR` and `NOT` need a term beside them; in quotes they are words",
    );
    check_error(
        "AND a",
        "
AND a
^^^ a term is missing before `AND`
hint: to search for the word itself write `\"AND\"`",
    );
    check_error(
        "f:[1 to 2]",
        "
f:[1 to 2]
     ^^ a range is written `[low TO high]`
hint: `TO` in capitals stands between the bounds; `*` leaves one open",
    );
    check_error(
        "* | head 5 6",
        "
* | head 5 6
           ^ `6` is not understood here
hint: `head` is written `head [<count>]`",
    );
    check_error(
        "* | fillnull",
        "
* | fillnull
            ^ events have no fixed columns: name the fields to fill
hint: `fillnull value=0 bytes, latency_ms`",
    );
    check_error(
        "/(/",
        "
/(/
^^^ this is no regular expression: unclosed group
hint: a text with slashes is quoted: \"/…/\"",
    );
    check_error(
        "a |",
        "
a |
   ^ the name of a stage must follow `|`
hint: one of stats, timechart, top, rare, sort, head, tail, where, fields, rename, eval, dedup, bin, fillnull",
    );
}

#[test]
fn rule_9_an_unquoted_time_or_address_parses_and_the_hint_says_quote_it() {
    let parsed = parse_with_hints("x 10:30:15").unwrap();
    assert_eq!(parsed.query, parse(r#"x 10:"30:15""#).unwrap());
    assert_eq!((parsed.hints[0].column, parsed.hints[0].length), (3, 8));
    assert!(parsed.hints[0].message.ends_with("quote it: \"10:30:15\""), "{}", parsed.hints[0].message);
    let parsed = parse_with_hints("http://x/y").unwrap();
    assert!(parsed.hints[0].message.ends_with("quote it: \"http://x/y\""), "{}", parsed.hints[0].message);
    assert_eq!(parse_with_hints("level:error").unwrap().hints, Vec::new());
    assert_eq!(parse_with_hints("* | where a == null").unwrap().hints.len(), 1);
}

#[test]
fn length_nesting_stages_and_chains_are_bounded() {
    let deep = |n: usize| format!("{}a{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&deep(64)).is_ok());
    assert!(parse(&deep(65)).unwrap_err().message.contains("nested"));
    assert!(parse(&"(".repeat(60_000)).is_err());
    assert!(parse(&"-".repeat(60_000)).is_err());
    assert!(parse(&"NOT ".repeat(10_000)).is_err());
    assert!(parse(&format!("* | where {}", "not ".repeat(10_000))).is_err());
    assert!(parse(&format!("* | where {}1", "-".repeat(10_000))).is_err());
    assert!(parse(&format!("* | where a{}", "+a".repeat(513))).unwrap_err().message.contains("512"));
    assert!(parse(&"(a OR -".repeat(32)).is_err());
    assert!(parse(&"a".repeat(QUERY_BYTES_MAX)).is_ok());
    assert!(parse(&"a".repeat(QUERY_BYTES_MAX + 1)).is_err());
    assert!(parse(&"| head ".repeat(STAGES_MAX)).is_ok());
    assert!(parse(&"| head ".repeat(STAGES_MAX + 1)).is_err());
    assert!(parse("/(a{1000}){1000}/").unwrap_err().message.contains("regular expression"));
}

#[test]
fn the_deepest_tree_is_printed_computed_and_dropped_on_a_threads_stack() {
    struct Nothing;
    impl crate::query::language::Row for Nothing {
        fn field(&self, _: &FieldName) -> std::borrow::Cow<'_, [crate::query::value::Value]> {
            std::borrow::Cow::Owned(Vec::new())
        }
    }
    let deepest = |inner: &str| format!("* | where {}a{}{}", "abs(-".repeat(31), inner.repeat(512), ")".repeat(31));
    // A test's thread has the stack of a server's: 2 MiB.
    for inner in [" + a", " or a", " . a", " * a"] {
        let query = parse(&deepest(inner)).unwrap();
        let [Stage::Where(stage)] = query.stages.as_slice() else { panic!("one stage") };
        assert!(crate::query::language::Program::new(&stage.condition, 0).value(&Nothing).is_null());
        assert!(!format!("{query} {query:?}").is_empty());
        drop(query.clone());
    }
}

/// Pieces that queries are made of, well and badly.
const PIECES: &[&str] = &[
    "a",
    "error",
    "level",
    ":",
    "\"",
    "\"a b\"",
    "\\",
    "(",
    ")",
    "|",
    "| ",
    "*",
    "?",
    "/",
    "/x/",
    "-",
    " ",
    " ",
    "AND",
    "OR",
    " NOT ",
    "[1 TO 2]",
    "{",
    "]",
    " TO ",
    ">",
    "<=",
    "!=",
    "=",
    "10.0.0.0/8",
    "stats ",
    "count",
    "by ",
    "as ",
    "if ",
    "p95(x)",
    "sum(",
    "where ",
    "eval x=",
    "timechart span=5m ",
    "top 5 ",
    "sort -",
    "head ",
    "fields - ",
    "rename ",
    "dedup ",
    "bin ",
    "fillnull value=",
    "in (",
    ",",
    "+",
    ".",
    "1.5",
    "5e2",
    "`odd`",
    "=~",
    "==",
    "null",
    "lower(",
    "ß",
    "İ",
    "\u{301}",
    "\n",
    "\t",
    "日本",
    "\u{0}",
    "fields.index",
    "message:",
    "index:",
];

#[test]
fn no_text_makes_the_parser_panic_and_what_is_printed_reads_back() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..60_000 {
        let mut bytes: Vec<u8> = Vec::new();
        for _ in 0..next(12) {
            bytes.extend(PIECES[next(PIECES.len())].bytes());
        }
        if !bytes.is_empty() && next(4) == 0 {
            let at = next(bytes.len());
            bytes[at] = next(256) as u8;
        }
        fuzz_query(&bytes);
    }
}
