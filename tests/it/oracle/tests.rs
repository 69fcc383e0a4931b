//! The oracle against the examples of the language's definition, and against the pieces that the
//! house shares for comparing values.

use std::borrow::Cow;

use helios::event::{Field, Line, LineKind, LineParser};
use helios::query::language::{Expr, FieldName, FieldTest, Predicate, Program, Words, parse};
use helios::query::matching::{Matcher, holds_words};
use helios::query::stages::Stage;
use helios::query::value::{self, Value};

use super::cell::{self, Cell};
use super::generate::{self, Rng};
use super::{Answer, Event, Output, Request, Row, answer, filter, scalar};

/// An event of JSON texts without escapes: keys and values as they stand.
fn event(sequence: u64, pairs: &[(&str, &str)]) -> Event {
    let json: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\":\"{value}\"")).collect();
    let value = |wanted: &str| pairs.iter().find(|(key, _)| *key == wanted).map(|(_, value)| (*value).to_owned());
    let fields = pairs.iter().filter(|(key, _)| !["message", "source", "timestamp"].contains(key));
    Event {
        timestamp: sequence as i64 * 1_000_000_000,
        origin: 0x2a,
        sequence,
        env: "default".into(),
        index: value("index").unwrap_or_else(|| "app-web".into()),
        raw: format!("{{{}}}", json.join(",")).into_bytes(),
        message: value("message").unwrap_or_default(),
        source: value("source"),
        fields: fields.map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect(),
    }
}

fn run(events: &[Event], query: &str) -> Answer {
    answer(events, &parse(query).unwrap_or_else(|error| panic!("{}", error.render(query))), &Request::default())
}

/// Which of some messages a filter finds, by position.
#[track_caller]
fn check_filter(query: &str, messages: &[&str], found: &[usize]) {
    let events: Vec<Event> = messages.iter().map(|message| event(1, &[("message", message)])).collect();
    check_found(query, &events, found);
}

#[track_caller]
fn check_found(query: &str, events: &[Event], found: &[usize]) {
    let filter = parse(query).unwrap_or_else(|error| panic!("{}", error.render(query))).filter;
    let holds: Vec<usize> = (0..events.len()).filter(|&index| filter::holds(&filter, &events[index])).collect();
    assert_eq!(holds, found, "{query}");
}

/// The table of a query, cell by cell as text.
#[track_caller]
fn check_table(query: &str, events: &[Event], columns: &[&str], rows: &[&[&str]]) {
    let Output::Table { columns: own_columns, rows: own_rows } = run(events, query).output else { panic!("a table") };
    assert_eq!(own_columns, columns, "{query}");
    let shown = |cell: &Cell| cell.to_text().unwrap_or_else(|| "null".to_owned());
    let own_rows: Vec<Vec<String>> = own_rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    assert_eq!(own_rows, rows, "{query}");
}

fn hits(answer: &Answer) -> Vec<u64> {
    let Output::Hits(rows) = &answer.output else { panic!("hits") };
    rows.iter().map(|row| row.event.unwrap().2).collect()
}

#[test]
fn rule_1_reserved_names_are_members_and_mapped_keys_stay_fields() {
    let events = [event(1, &[("index", "body"), ("msg", "hello there"), ("message", "other words")])];
    let events = [Event { index: "app-web".into(), ..events[0].clone() }];
    check_found("index:app-web", &events, &[0]);
    check_found("index:body", &events, &[]);
    check_found("fields.index:body", &events, &[0]);
    check_found("msg:\"hello there\"", &events, &[0]);
    check_found("msg:hello", &events, &[]);
    check_found("message:words", &events, &[0]);
    check_found("id:000000000000002a-1", &events, &[0]);
}

#[test]
fn rule_2_case_folds_simply_and_is_kept_in_groups() {
    check_filter("STRASSE", &["strasse", "Straße"], &[0]);
    check_filter("STRAẞE", &["straße"], &[0]);
    check_filter("/(?-i)Err/", &["err", "Err"], &[1]);
    let events = [event(1, &[("a", "X")]), event(2, &[("A", "x")]), event(3, &[("a", "x")])];
    check_table("* | stats count by a", &events, &["a", "count"], &[&["x", "2"], &["X", "1"]]);
    check_found("a:X", &events, &[0, 1, 2]);
}

#[test]
fn rule_3_a_term_is_a_substring_of_raw_or_of_a_decoded_text() {
    let mut quoted = event(1, &[("level", "error")]);
    quoted.raw = br#"{"user":"say \"hi\""}"#.to_vec();
    quoted.fields = vec![("user".into(), vec!["say \"hi\"".into()])];
    let events = [quoted];
    for (query, found) in
        [("\\\"user\\\"\\:", true), ("say\\ \\\"hi", true), ("\\\\\\\"hi", true), ("rr", false), ("USER", true)]
    {
        check_found(query, &events, if found { &[0] } else { &[] });
    }
}

#[test]
fn rule_4_quoted_words_and_patterns() {
    check_filter("\"disk full\"", &["disk full", "full disk", "disk is full", "DISK: full!"], &[0, 3]);
    check_filter("\"err\"", &["an err", "error"], &[0]);
    check_filter("compl*", &["completed", "incomplete"], &[0]);
    check_filter("*ed", &["completed", "education"], &[0]);
    check_filter("/api/*", &["GET /api/v1", "/api"], &[0]);
}

#[test]
fn rule_5_values_are_whole_but_for_message_and_raw() {
    let events = [event(1, &[("message", "call timed out"), ("path", "/api/v1"), ("status", "500.0")])];
    for (query, found) in [
        ("message:timed", true),
        ("message:\"timed out\"", true),
        ("message:=timed", false),
        ("message:=\"CALL timed out\"", true),
        ("message:time", false),
        ("message:*timed*", true),
        ("message:*timed", false),
        ("path:/api/*", true),
        ("path:api", false),
        ("status:5e2", true),
        ("absent:!=x", true),
        ("status:!=500", false),
    ] {
        check_found(query, &events, if found { &[0] } else { &[] });
    }
}

#[test]
fn rule_6_ranges_are_exact() {
    let value = |value: &str| event(1, &[("f", value)]);
    let events = ["500", "5e2", "9007199254740993", "fast", "10.0.0.9", "2026-06-14"].map(value);
    check_found("f:[500 TO 500.0]", &events, &[0, 1]);
    check_found("f:>9007199254740992", &events, &[2]);
    check_found("f:<0", &events, &[]);
    check_found("f:<10.0.0.10", &events, &[4]);
    check_found("f:[2026-06-13T23:00:00Z TO 2026-06-14T02:00:00+02:00]", &events, &[5]);
    check_found("f:10.0.0.0/8", &events, &[4]);
    check_found("f:[e TO *]", &events, &[3]);
}

#[test]
fn rule_7_any_value_fits_and_not_negates_the_whole() {
    let mut tagged = event(1, &[]);
    tagged.fields = vec![("tags".into(), vec!["red".into(), "blue".into()]), ("empty".into(), vec![String::new()])];
    let events = [tagged];
    for (query, found) in [
        ("tags:blue", true),
        ("NOT tags:blue", false),
        ("tags:!=green", true),
        ("empty:*", true),
        ("absent:*", false),
        ("tags:(red AND blue)", true),
    ] {
        check_found(query, &events, if found { &[0] } else { &[] });
    }
}

#[test]
fn rule_11_and_15_hits_are_newest_first_and_total_counts_what_leaves() {
    let events = [event(2, &[("a", "1")]), event(3, &[("a", "2")]), event(1, &[("a", "10")])];
    assert_eq!(hits(&run(&events, "*")), [3, 2, 1]);
    assert_eq!(hits(&run(&events, "* | sort -a")), [1, 3, 2]);
    assert_eq!(hits(&run(&events, "* | tail 1")), [1]);
    assert_eq!(run(&events, "* | head 2").total, 2);
    assert_eq!(run(&events, "* | where a > 1 | stats count").total, 2);
}

#[test]
fn rule_12_an_event_is_in_a_group_for_each_value_or_in_null() {
    let mut tagged = event(1, &[("x", "1")]);
    tagged.fields.push(("tag".into(), vec!["red".into(), "blue".into(), "red".into()]));
    let events = [tagged, event(2, &[("x", "2")])];
    check_table(
        "* | stats count, sum(x) by tag",
        &events,
        &["tag", "count", "sum(x)"],
        &[&["blue", "1", "1"], &["red", "1", "1"], &["null", "1", "2"]],
    );
    check_table("* | top 1 tag", &events, &["tag", "count", "percent"], &[&["blue", "1", "50"]]);
}

#[test]
fn rule_13_aggregates_skip_what_is_no_number_and_are_null_over_nothing() {
    let events = ["1", "2.5", "fast", "10", "4"].map(|value| event(1, &[("f", value)]));
    check_table(
        "* | stats count(f), sum(f), avg(f), min(f), max(f), median(f), p95(f), dc(f), var(f)",
        &events,
        &["count(f)", "sum(f)", "avg(f)", "min(f)", "max(f)", "median(f)", "p95(f)", "dc(f)", "var(f)"],
        &[&["5", "17.5", "4.375", "1", "10", "2.5", "10", "5", "15.5625"]],
    );
    check_table(
        "nothing | stats count, dc(f), sum(f), avg(f), p50(f), stdev(f), first(f), values(f), mode(f), earliest, rate",
        &events,
        &[
            "count",
            "dc(f)",
            "sum(f)",
            "avg(f)",
            "p50(f)",
            "stdev(f)",
            "first(f)",
            "values(f)",
            "mode(f)",
            "earliest",
            "rate",
        ],
        &[&["0", "0", "null", "null", "null", "null", "null", "null", "null", "null", "null"]],
    );
    check_table("* | stats count if f > 2 as n", &events, &["n"], &[&["3"]]);
    let ties = ["b", "a", "b", "a", "c"].map(|value| event(1, &[("f", value)]));
    check_table("* | stats mode(f), values(f)", &ties, &["mode(f)", "values(f)"], &[&["a", "a, b, c"]]);
}

#[test]
fn rule_14_tables_have_their_order_and_timechart_its_empty_buckets() {
    let at = |seconds: i64, service: &str| Event { timestamp: seconds * 1_000_000_000, ..event(1, &[("s", service)]) };
    let events = [at(30, "a"), at(61, "b"), at(200, "a")];
    check_table(
        "* | timechart span=1m count",
        &events,
        &["time", "count"],
        &[
            &["1970-01-01T00:00:00Z", "1"],
            &["1970-01-01T00:01:00Z", "1"],
            &["1970-01-01T00:02:00Z", "0"],
            &["1970-01-01T00:03:00Z", "1"],
        ],
    );
    check_table(
        "* | timechart span=1d tz=Europe/Berlin count by s",
        &events,
        &["time", "a", "b"],
        &[&["1969-12-31T23:00:00Z", "2", "1"]],
    );
    let many: Vec<Event> = (0..12).map(|number| at(number, &format!("s{number:02}"))).collect();
    let Output::Table { columns, rows } = run(&many, "* | timechart span=1h count by s").output else {
        panic!("a table")
    };
    assert_eq!(columns.len(), 12);
    assert_eq!((columns[1].as_str(), columns[11].as_str()), ("s00", "other"));
    assert_eq!(rows[0][11], Cell::count(2));
    check_table(
        "* | stats count by s",
        &[at(1, "10"), at(2, "9"), at(3, "x"), at(4, "x")],
        &["s", "count"],
        &[&["x", "2"], &["9", "1"], &["10", "1"]],
    );
}

#[test]
fn a_day_of_a_changing_clock_is_one_bucket() {
    let at = |text: &str| Event { timestamp: value::read_time(text).unwrap(), ..event(1, &[]) };
    let events = [
        at("2026-03-28T22:30:00Z"),
        at("2026-03-28T23:30:00Z"),
        at("2026-03-29T21:30:00Z"),
        at("2026-03-29T22:30:00Z"),
    ];
    check_table(
        "* | timechart span=1d tz=Europe/Berlin count",
        &events,
        &["time", "count"],
        &[&["2026-03-27T23:00:00Z", "1"], &["2026-03-28T23:00:00Z", "2"], &["2026-03-29T22:00:00Z", "1"]],
    );
}

#[test]
fn stages_shape_events_and_tables() {
    let events = [event(1, &[("a", "1"), ("b", "x")]), event(2, &[("a", "2")]), event(3, &[("a", "2"), ("b", "y")])];
    assert_eq!(hits(&run(&events, "* | dedup a")), [3, 1]);
    assert_eq!(hits(&run(&events, "* | dedup 2 a | tail 2")), [2, 1]);
    check_table(
        "* | fillnull value=none b | stats count by b",
        &events,
        &["b", "count"],
        &[&["none", "1"], &["x", "1"], &["y", "1"]],
    );
    check_table(
        "* | eval c = a * 10 | rename c as d | stats sum(d), count(c)",
        &events,
        &["sum(d)", "count(c)"],
        &[&["50", "0"]],
    );
    check_table(
        "* | bin a span=2 as low | stats count by low",
        &events,
        &["low", "count"],
        &[&["2", "2"], &["0", "1"]],
    );
    check_table(
        "* | stats count, max(a) as m by b | fields m, b | rename m as n | sort n | head 1",
        &events,
        &["n", "b"],
        &[&["1", "x"]],
    );
    check_table(
        "* | stats count by b | fields - count | eval z = b . \"!\"",
        &events,
        &["b", "z"],
        &[&["x", "x!"], &["y", "y!"], &["null", "null"]],
    );
    let Output::Hits(rows) = run(&events, "* | fields - b").output else { panic!("hits") };
    assert!(rows.iter().all(|row| row.fields.iter().all(|(name, _)| name == "a") && row.members.len() == 7));
}

#[test]
fn every_generated_query_parses_prints_back_and_has_an_answer() {
    let mut rng = Rng::new(1);
    let (mut with_rows, mut tables) = (0, 0);
    let events = generate::events(&mut rng, 60);
    for _ in 0..1_500 {
        let text = generate::query(&mut rng);
        let query = parse(&text).unwrap_or_else(|error| panic!("{}", error.render(&text)));
        let printed = query.to_string();
        assert_eq!(parse(&printed).unwrap_or_else(|error| panic!("{}", error.render(&printed))), query, "{text}");
        let request = Request {
            start: Some(generate::FIRST_TIME),
            now: generate::FIRST_TIME + generate::RANGE,
            ..Request::default()
        };
        let answer = answer(&events, &query, &request);
        with_rows += usize::from(answer.total > 0);
        tables += usize::from(matches!(answer.output, Output::Table { .. }));
    }
    assert!(with_rows > 700 && tables > 300, "the queries find something: {with_rows}, {tables}");
}

#[test]
fn the_examples_of_the_documentation_parse() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/query-language.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (mut before, mut parsed) = ("", 0);
    for line in document.lines() {
        before = match line {
            "## Expressions" => "",
            "## Stages" => "* | ",
            _ => before,
        };
        let Some((first, _)) = line.strip_prefix("| `").and_then(|row| row.split_once(" | ")) else { continue };
        for example in first.trim_end_matches('`').split("`, `") {
            let query = format!("{before}{example}");
            parse(&query).unwrap_or_else(|error| panic!("{}", error.render(&query)));
            parsed += 1;
        }
    }
    assert!(parsed > 30, "the tables have examples: {parsed}");
}

#[test]
fn the_parser_reads_what_the_generator_wrote() {
    let hidden = ["timestamp", "message", "source"];
    for event in generate::events(&mut Rng::new(2), 500) {
        let mut parser = LineParser::new();
        let mut line = Line::default();
        let kind = if event.raw.starts_with(b"{") { LineKind::Json } else { LineKind::Text };
        parser.parse(kind, &event.raw, 0, &mut line).unwrap();
        let text = |index: Option<u32>| index.map(|index| line.fields[index as usize].text.to_string());
        assert_eq!(line.timestamp, Some(event.timestamp));
        assert_eq!(text(line.message).unwrap_or_default(), event.message);
        assert_eq!(text(line.source), event.source);
        let pair = |field: &Field<'_>| (cell::fold(parser.paths().name(field.path)), field.text.to_string());
        let read = line.fields.iter().map(pair).filter(|(name, _)| !hidden.contains(&name.as_str()));
        let pairs = |(name, values): &(String, Vec<String>)| {
            let name = cell::fold(name);
            values.iter().map(|value| (name.clone(), value.clone())).collect::<Vec<_>>()
        };
        let written = event.fields.iter().flat_map(pairs);
        assert_eq!(read.collect::<Vec<_>>(), written.collect::<Vec<_>>(), "{}", String::from_utf8_lossy(&event.raw));
    }
}

/// The shared matching of one test, as an engine without any index would use it.
fn shared_fits(test: &FieldTest, text: &str) -> Option<bool> {
    use helios::query::language::Bound;
    let operand = |text: &str| value::Operand::new(text);
    let folded = value::fold(text);
    Some(match test {
        FieldTest::Equals(asked) => operand(asked).equals(text),
        FieldTest::Words(Words { words, .. }) => holds_words(&folded, words),
        FieldTest::Contains(part) => folded.contains(value::fold(part).as_ref()),
        FieldTest::Pattern(pattern) => Matcher::whole(pattern).fits(&folded),
        FieldTest::Regex(source) => filter::regex(source, text),
        FieldTest::Cidr(cidr) => value::read_address(text).is_some_and(|address| cidr.contains(address)),
        FieldTest::Present => true,
        FieldTest::Range { low, high } => {
            let above = match low {
                Bound::Open => true,
                Bound::Inclusive(bound) => operand(bound).order_of(text).is_some_and(|order| order.is_ge()),
                Bound::Exclusive(bound) => operand(bound).order_of(text).is_some_and(|order| order.is_gt()),
            };
            let below = match high {
                Bound::Open => true,
                Bound::Inclusive(bound) => operand(bound).order_of(text).is_some_and(|order| order.is_le()),
                Bound::Exclusive(bound) => operand(bound).order_of(text).is_some_and(|order| order.is_lt()),
            };
            above && below
        }
    })
}

fn shared_holds(expr: &Expr, event: &Event) -> bool {
    let texts = || {
        let mut texts = vec![String::from_utf8(event.raw.clone()).unwrap(), event.message.clone()];
        texts.extend(event.source.clone());
        texts.extend(event.fields.iter().flat_map(|(_, values)| values.clone()));
        texts
    };
    let row = Row::of_event(event);
    match expr {
        Expr::All => true,
        Expr::And(members) => members.iter().all(|member| shared_holds(member, event)),
        Expr::Or(members) => members.iter().any(|member| shared_holds(member, event)),
        Expr::Not(inner) => !shared_holds(inner, event),
        Expr::Test(Predicate::Term(term)) => shared_any(&texts(), &FieldTest::Contains(term.clone())),
        Expr::Test(Predicate::Words(words)) => shared_any(&texts(), &FieldTest::Words(words.clone())),
        Expr::Test(Predicate::Regex(source)) => shared_any(&texts(), &FieldTest::Regex(source.clone())),
        Expr::Test(Predicate::WordPattern(pattern)) => {
            let matcher = Matcher::inside(pattern);
            texts().iter().any(|text| matcher.fits(&value::fold(text)))
        }
        Expr::Test(Predicate::Field { field, test }) if field.folded() == "timestamp" => {
            use helios::query::language::Bound;
            let order = |bound: &str| value::Operand::new(bound).order_of_time(event.timestamp);
            match test {
                FieldTest::Equals(asked) => value::Operand::new(asked).equals_time(event.timestamp),
                FieldTest::Range { low: Bound::Inclusive(bound), .. } => order(bound).is_ge(),
                FieldTest::Range { high: Bound::Inclusive(bound), .. } => order(bound).is_le(),
                other => panic!("{other:?} is not generated for timestamp"),
            }
        }
        Expr::Test(Predicate::Field { field, test }) => {
            let texts: Vec<String> = row.values(field).iter().filter_map(Cell::to_text).collect();
            shared_any(&texts, test)
        }
    }
}

fn shared_any(texts: &[String], test: &FieldTest) -> bool {
    texts.iter().any(|text| shared_fits(test, text).unwrap())
}

#[test]
fn the_shared_matching_finds_what_the_oracle_finds() {
    let mut rng = Rng::new(3);
    let mut found = 0;
    for _ in 0..150 {
        let events = generate::events(&mut rng, 20);
        for _ in 0..20 {
            let text = generate::filter(&mut rng, 0);
            let expr = parse(&text).unwrap_or_else(|error| panic!("{}", error.render(&text))).filter;
            for event in &events {
                let expected = filter::holds(&expr, event);
                found += usize::from(expected);
                assert_eq!(shared_holds(&expr, event), expected, "{text} on {}", String::from_utf8_lossy(&event.raw));
            }
        }
    }
    assert!(found > 5_000, "the filters find something: {found}");
}

/// An event's row as the shared evaluation sees it.
struct Shared<'a>(&'a Row);

impl helios::query::language::Row for Shared<'_> {
    fn field(&self, name: &FieldName) -> Cow<'_, [Value]> {
        let value = |cell: Cell| match cell {
            Cell::Text(text) => Value::Text(text),
            Cell::Time(time) => Value::Time(time),
            other => panic!("{other:?} is no value of an event"),
        };
        self.0.values(name).into_iter().map(value).collect()
    }
}

#[test]
fn the_shared_scalar_expressions_say_what_the_oracle_says() {
    let mut rng = Rng::new(4);
    let mut not_null = 0;
    for _ in 0..300 {
        let events = generate::events(&mut rng, 10);
        for _ in 0..10 {
            let text = generate::expression(&mut rng);
            let query = parse(&format!("* | eval x = {text}")).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let [Stage::Eval(eval)] = query.stages.as_slice() else { panic!("one stage") };
            let expr = &eval.assignments[0].1;
            let program = Program::new(expr, generate::FIRST_TIME);
            for event in &events {
                let row = Row::of_event(event);
                let expected = scalar::value(expr, &row, generate::FIRST_TIME);
                not_null += usize::from(!expected.is_null());
                let value = program.value(&Shared(&row));
                assert!(
                    expected.agrees(&value),
                    "{text}: {value:?} instead of {expected:?} on {}",
                    String::from_utf8_lossy(&event.raw)
                );
                assert_eq!(program.holds(&Shared(&row)), scalar::is_true(expr, &row, generate::FIRST_TIME), "{text}");
            }
        }
    }
    assert!(not_null > 5_000, "the expressions say something: {not_null}");
}
