//! The checks themselves. Each gives back one line for every breach.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, is_word};

/// How long files and functions may be, and which older ones may be longer.
pub(super) struct Limits {
    pub(super) file_lines_max: usize,
    pub(super) function_lines_max: usize,
    /// Path and the lines it may have. It only shrinks.
    pub(super) long_files: &'static [(&'static str, usize)],
    /// `path::function` and the lines it may have. It only shrinks.
    pub(super) long_functions: &'static [(&'static str, usize)],
}

/// Every use of a room that the table does not allow.
pub(super) fn arrows(sources: &[Source], table: &[(&str, &[&str])]) -> Vec<String> {
    let allowed: BTreeMap<_, _> = table.iter().copied().collect();
    let mut found = Vec::new();
    for source in sources {
        let Some(room) = source.room() else { continue };
        let Some(may_use) = allowed.get(room) else {
            found.push(format!("{}: the room `{room}` is not in the table of arrows", source.path));
            continue;
        };
        for (at, used) in rooms_used(source) {
            if used != room && !may_use.contains(&used.as_str()) {
                found.push(format!("{}:{}: `{room}` may not use `{used}`", source.path, source.line_of(at)));
            }
        }
        for (at, supers) in super_chains(source) {
            let depth = source.path.trim_end_matches("/mod.rs").matches('/').count();
            let inline = usize::from(at >= source.tests_begin() && !source.is_test_file());
            if supers >= depth + inline {
                found.push(format!("{}:{}: `super` leaves the room", source.path, source.line_of(at)));
            }
        }
    }
    found
}

/// The first names after each `crate::`, also of `use crate::{a::…, b}`.
fn rooms_used(source: &Source) -> Vec<(usize, String)> {
    let code = &source.code;
    let mut used = Vec::new();
    for (at, key) in code.match_indices("crate::") {
        if at > 0 && is_word(code.as_bytes()[at - 1]) {
            continue;
        }
        let rest = &code[at + key.len()..];
        let names = match rest.strip_prefix('{') {
            Some(list) => first_names(list),
            None => vec![leading_word(rest)],
        };
        for name in names {
            // A macro is reached at the root of the crate; its name begins with its room's.
            let name = if name == "host_select" { "host".to_owned() } else { name };
            used.push((at, name));
        }
    }
    used
}

/// The first name of each entry of a `use` list that was opened just before `list`.
fn first_names(list: &str) -> Vec<String> {
    let (mut names, mut depth, mut at_start) = (Vec::new(), 0, true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && (c.is_alphabetic() || c == '_') => {
                names.push(leading_word(&list[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn leading_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Where `super::super::…` stands and how many there are in a row.
fn super_chains(source: &Source) -> Vec<(usize, usize)> {
    let code = &source.code;
    let mut chains = Vec::new();
    let mut end = 0;
    for (at, key) in code.match_indices("super::") {
        if at < end {
            continue;
        }
        let mut count = 0;
        end = at;
        while code[end..].starts_with(key) {
            count += 1;
            end += key.len();
        }
        chains.push((at, count));
    }
    chains
}

/// Files and functions over their limits, and allowances that are no longer needed.
pub(super) fn lengths(sources: &[Source], limits: &Limits) -> Vec<String> {
    let mut found = Vec::new();
    let (mut files, mut functions) = (BTreeMap::new(), BTreeMap::new());
    for source in sources {
        let lines = if source.is_test_file() { source.text.lines().count() } else { source.production_lines() };
        if lines > limits.file_lines_max {
            files.insert(source.path.clone(), lines);
        }
        let tests = source.tests_begin();
        for function in source.functions().into_iter().filter(|f| f.at < tests && !source.is_test_file()) {
            if function.lines > limits.function_lines_max {
                functions.insert(format!("{}::{}", source.path, function.name), function.lines);
            }
        }
    }
    allowances("file", &files, limits.long_files, limits.file_lines_max, &mut found);
    allowances("function", &functions, limits.long_functions, limits.function_lines_max, &mut found);
    found
}

fn allowances(
    what: &str,
    long: &BTreeMap<String, usize>,
    allowed: &[(&str, usize)],
    max: usize,
    found: &mut Vec<String>,
) {
    for (name, lines) in long {
        match allowed.iter().find(|(known, _)| known == name) {
            None => found.push(format!("{name}: a {what} of {lines} lines; at most {max}")),
            Some((_, at_most)) if lines > at_most => {
                found.push(format!("{name}: grew to {lines} lines; its allowance is {at_most} and only shrinks"));
            }
            Some((_, at_most)) if lines < at_most => {
                found.push(format!("{name}: shrank to {lines} lines; lower its allowance from {at_most}"));
            }
            Some(_) => {}
        }
    }
    for (name, _) in allowed {
        if !long.contains_key(*name) {
            found.push(format!("{name}: needs no allowance any more; take it off the list"));
        }
    }
}

/// `allow`s of clippy's ban list, against the numbers that were agreed.
pub(super) fn exceptions(sources: &[Source], agreed: &[(&str, usize)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources {
        let count = attributes(&source.code).filter(|attribute| attribute.contains("clippy::disallowed_")).count();
        let want = agreed.iter().find(|(path, _)| *path == source.path).map_or(0, |(_, count)| *count);
        seen.insert(source.path.as_str());
        if count != want {
            found.push(format!("{}: {count} exceptions to the ban list, {want} were agreed", source.path));
        }
    }
    for (path, _) in agreed {
        if !seen.contains(path) {
            found.push(format!("{path}: agreed exceptions of a file that is gone"));
        }
    }
    found
}

/// The texts between `#[` or `#![` and `]`.
fn attributes(code: &str) -> impl Iterator<Item = &str> {
    code.split('#').filter_map(|rest| {
        let inner = rest.strip_prefix('!').unwrap_or(rest).strip_prefix('[')?;
        Some(&inner[..inner.find(']')?])
    })
}

/// Ignored tests, open ends, glob re-exports, and sleeps in tests.
pub(super) fn refused_words(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let mut refuse = |at: usize, why: &str| found.push(format!("{}:{}: {why}", source.path, source.line_of(at)));
        for (words, homes, why) in REFUSED {
            for (at, _) in source.code.match_indices(words) {
                let begins = at == 0 || !is_word(source.code.as_bytes()[at - 1]);
                if begins && !homes.contains(&source.path.as_str()) {
                    refuse(at, why);
                }
            }
        }
        let tests = source.tests_begin();
        for words in SLEEPS {
            for (at, _) in source.code[tests..].match_indices(words) {
                refuse(tests + at, "a test that sleeps is slow or flaky: wait for what it waits for");
            }
        }
        for (at, _) in source.code.match_indices("pub use ") {
            let line = &source.code[at..at + source.code[at..].find(';').unwrap_or(0)];
            if line.ends_with("::*") {
                refuse(at, "a glob re-export hides what a room offers");
            }
        }
    }
    found
}

/// What is refused, the files that may have it, and why.
const REFUSED: &[(&str, &[&str], &str)] = &[
    ("#[ignore", &[], "an ignored test checks nothing"),
    ("todo!(", &[], "an open end"),
    ("unimplemented!(", &[], "an open end"),
    ("dbg!(", &[], "a leftover of debugging"),
    ("select!", &["src/host/select.rs"], "draws its order at random: use crate::host_select!"),
    // A simulation is a thread, and what it answers to libc must not depend on other threads.
    (
        "thread_local!",
        &["src/block/error.rs", "sim/src/leaks.rs"],
        "depends on which thread runs a task: pass it along",
    ),
];

const SLEEPS: &[&str] = &["thread::sleep(", "time::sleep(", "sleep_ms("];

/// Invariants without a check or without a line in the catalogue, and ids given twice.
///
/// They are stated in doc comments as `**Invariants.** M1 … . M2 … .`, and catalogued in a row `| M1 |` of
/// ARCHITECTURE.md. One is checked where a text literal names it (the message of an assertion), or by a
/// function that the last column of its row names.
pub(super) fn invariants(sources: &[Source], architecture: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut stated: BTreeMap<String, &str> = BTreeMap::new();
    for source in sources {
        for id in stated_invariants(source) {
            if let Some(other) = stated.insert(id.clone(), &source.path) {
                found.push(format!("{}: {id} is the id of an invariant of {other} already", source.path));
            }
        }
    }
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| is_invariant_id(word)).map(str::to_owned).collect()
    };
    let checked: BTreeSet<String> = sources.iter().flat_map(|s| &s.literals).flat_map(|text| words(text)).collect();
    let functions: BTreeSet<String> = sources.iter().flat_map(Source::functions).map(|f| f.name).collect();
    let catalogued: BTreeMap<String, &str> = architecture
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .flat_map(|row| words(row.split(" |").next().unwrap_or_default()).into_iter().map(move |id| (id, row)))
        .collect();
    let checker = |row: &str| row.trim_end_matches(" |").rsplit('`').nth(1).map(str::to_owned);
    for (id, path) in &stated {
        match catalogued.get(id) {
            None => found.push(format!("{path}: {id} is missing in the catalogue of ARCHITECTURE.md")),
            Some(row) if !checked.contains(id) && !checker(row).is_some_and(|name| functions.contains(&name)) => {
                found.push(format!("{path}: no assertion names {id}, and its row names no test that exists"));
            }
            Some(_) => {}
        }
    }
    for id in catalogued.keys().filter(|id| !stated.contains_key(*id)) {
        found.push(format!("ARCHITECTURE.md: {id} is stated nowhere in the code"));
    }
    found
}

fn stated_invariants(source: &Source) -> Vec<String> {
    let (mut ids, mut inside, mut sentence_begins) = (Vec::new(), false, false);
    for line in source.comment_lines() {
        if line.starts_with("**Invariants.**") {
            (inside, sentence_begins) = (true, true);
        } else if line.is_empty() {
            inside = false;
        }
        for word in line.split_whitespace().filter(|_| inside) {
            if sentence_begins && is_invariant_id(word) {
                ids.push(word.to_owned());
            }
            sentence_begins = word.trim_end_matches(')').ends_with(['.', ':', ';']) || word == "**Invariants.**";
        }
    }
    ids
}

/// One or two capitals and one or two digits.
fn is_invariant_id(word: &str) -> bool {
    let letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = word.len() - letters;
    (1..=2).contains(&letters) && (1..=2).contains(&digits) && word.bytes().skip(letters).all(|b| b.is_ascii_digit())
}

/// Rooms that ARCHITECTURE.md does not name.
pub(super) fn unnamed_rooms(sources: &[Source], architecture: &str) -> Vec<String> {
    let rooms: BTreeSet<_> = sources.iter().filter_map(Source::room).collect();
    let named = |room: &&&str| architecture.contains(&format!("`{room}`"));
    rooms.iter().filter(|room| !named(room)).map(|room| format!("ARCHITECTURE.md does not name `{room}`")).collect()
}

/// Variables of settings against those that the documentation names.
pub(super) fn settings(declared: &[String], documentation: &str) -> Vec<String> {
    let documented: BTreeSet<_> = variables(documentation).collect();
    let missing = declared.iter().filter(|name| !documented.contains(*name));
    let stale = documented.iter().filter(|name| !declared.contains(name) && *name != CONFIG_VARIABLE);
    missing
        .map(|name| format!("{name} is not in docs/settings.md"))
        .chain(stale.map(|name| format!("{name} is in docs/settings.md but no setting")))
        .collect()
}

/// Names the file with settings, and is none itself.
const CONFIG_VARIABLE: &str = "HELIOS_CONFIG";

fn variables(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
        .filter(|word| word.strip_prefix("HELIOS_").is_some_and(|rest| !rest.is_empty()))
        .map(str::to_owned)
}

/// Documents at the top that the README does not lead to.
pub(super) fn unnamed_documents(files: &[String], readme: &str) -> Vec<String> {
    files
        .iter()
        .filter(|path| path.ends_with(".md") && *path != "README.md")
        .filter(|path| !path.contains('/') || path.starts_with("docs/"))
        .filter(|path| !readme.contains(path.as_str()))
        .map(|path| format!("README.md does not lead to {path}"))
        .collect()
}

/// Paths of a machine and hosts of a registry. `Cargo.lock` may name its source, and nothing else.
pub(super) fn places(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let is_lock = path.ends_with("Cargo.lock") || path.ends_with("Cargo.exact.lock");
        if is_lock && line.starts_with("source = ") {
            continue;
        }
        for word in PLACES {
            if line.contains(word) {
                found.push(format!("{path}:{}: names `{word}`", number + 1));
            }
        }
        if path.ends_with("package-lock.json") && line.trim_start().starts_with("\"resolved\"") {
            found.push(format!("{path}:{}: a lock file that says where a package came from", number + 1));
        }
    }
    found
}

// Put together here, so that this file does not name them either.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/home/", "runner"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("files.", "pythonhosted.org"),
    concat!("deb.", "debian.org"),
];

mod known_bad {
    use super::*;

    fn check(path: &str, text: &str, table: &[(&str, &[&str])]) -> usize {
        arrows(&[Source::new(path, text)], table).len()
    }

    #[test]
    fn an_arrow_upwards_is_found_in_every_form() {
        let table: &[(&str, &[&str])] = &[("event", &[]), ("block", &["event"]), ("api", &["block", "event"])];
        assert_eq!(check("src/block/a.rs", "use crate::event::Line;", table), 0);
        assert_eq!(check("src/block/a.rs", "use crate::block::Line;", table), 0);
        assert_eq!(check("src/block/a.rs", "// crate::api is above\nlet _ = \"crate::api\";", table), 0);
        assert_eq!(check("src/block/a.rs", "use crate::api::Route;", table), 1);
        assert_eq!(check("src/block/a.rs", "fn a() { crate::api::run(); }", table), 1);
        assert_eq!(check("src/block/a.rs", "use crate::{event::{Line, api}, api::{Route, Other}};", table), 1);
        assert_eq!(check("src/block/a.rs", "use crate::{\n    api,\n    event::Line,\n};", table), 1);
        assert_eq!(check("src/event.rs", "#[cfg(test)]\nmod tests {\n    use crate::block::A;\n}", table), 1);
        assert_eq!(check("src/stray/a.rs", "", table), 1, "a room that the table does not know");
    }

    #[test]
    fn super_cannot_leave_a_room() {
        let table: &[(&str, &[&str])] = &[("block", &[])];
        assert_eq!(check("src/block/read.rs", "use super::write;", table), 0);
        assert_eq!(check("src/block/read.rs", "use super::super::api;", table), 1);
        assert_eq!(check("src/block/mod.rs", "use super::api;", table), 1);
        assert_eq!(check("src/block/mod.rs", "#[cfg(test)]\nmod tests {\n use super::a;\n}", table), 0);
        assert_eq!(check("src/block/read.rs", "#[cfg(test)]\nmod tests {\n use super::super::write;\n}", table), 0);
    }

    const SMALL: Limits = Limits {
        file_lines_max: 6,
        function_lines_max: 3,
        long_files: &[],
        long_functions: &[("src/a/b.rs::long", 4)],
    };

    #[test]
    fn a_long_file_and_a_long_function_are_found_and_tests_do_not_count() {
        let long = "fn long() {\n\n\n}\n";
        assert_eq!(lengths(&[Source::new("src/a/b.rs", long)], &SMALL), [""; 0]);
        assert_eq!(lengths(&[Source::new("src/a/b.rs", "fn long() {\n\n\n\n}\n")], &SMALL).len(), 1, "it grew");
        assert_eq!(lengths(&[Source::new("src/a/b.rs", "fn long() {\n}\n")], &SMALL).len(), 1, "an idle allowance");
        let both = format!("{long}\nfn other() {{\n\n\n}}\n");
        assert_eq!(lengths(&[Source::new("src/a/b.rs", &both)], &SMALL).len(), 2, "the file and `other`");
        let tests = format!("{long}#[cfg(test)]\nmod tests {{\n    fn t() {{\n\n\n\n\n    }}\n}}\n");
        assert_eq!(lengths(&[Source::new("src/a/b.rs", &tests)], &SMALL), [""; 0]);
    }

    #[test]
    fn a_new_exception_to_the_ban_list_is_found() {
        let one = "#[allow(clippy::disallowed_methods, reason = \"x\")]\nfn a() {}\n";
        assert_eq!(exceptions(&[Source::new("src/a.rs", one)], &[("src/a.rs", 1)]), [""; 0]);
        assert_eq!(exceptions(&[Source::new("src/a.rs", one)], &[]).len(), 1);
        assert_eq!(exceptions(&[Source::new("src/a.rs", "")], &[("src/a.rs", 1)]).len(), 1);
        assert_eq!(exceptions(&[], &[("src/a.rs", 1)]).len(), 1);
        for inner in
            ["#![expect(clippy::disallowed_types)]\n", "#![cfg_attr(test, allow(clippy::disallowed_macros))]\n"]
        {
            assert_eq!(exceptions(&[Source::new("src/a.rs", inner)], &[]).len(), 1);
        }
    }

    #[test]
    fn refused_words_are_found_in_code_only() {
        let check = |text: &str| refused_words(&[Source::new("src/a/b.rs", text)]).len();
        assert_eq!(check("// todo!()\nlet a = \"#[ignore]\";"), 0);
        assert_eq!(check("#[test]\n#[ignore]\nfn a() {}"), 1);
        assert_eq!(check("fn a() { todo!() }"), 1);
        assert_eq!(check("fn a() { tokio::select! { _ = b => {} } }"), 1);
        assert_eq!(check("fn a() { crate::host_select! { _ = b => {} } }"), 0);
        assert_eq!(check("pub use inner::*;"), 1);
        assert_eq!(check("pub use inner::A;\nfn a(x: u8) -> u8 { x * 2 }"), 0);
        assert_eq!(check("fn a() { thread::sleep(b) }"), 0, "outside tests clippy's ban list speaks");
        assert_eq!(check("#[cfg(test)]\nmod tests {\n fn a() { std::thread::sleep(b) }\n}"), 1);
    }

    #[test]
    fn machine_paths_and_registries_are_found() {
        assert_eq!(places("a.md", &format!("see {}x", PLACES[0])).len(), 1);
        assert_eq!(places("a.md", "see src/host").len(), 0);
        let source = format!("source = \"registry+https://{}/x\"", PLACES[5]);
        assert_eq!(places("Cargo.lock", &source).len(), 0);
        assert_eq!(places("a.toml", &source).len(), 1);
        assert_eq!(places("web/package-lock.json", "  \"resolved\": \"x\",").len(), 1);
    }

    #[test]
    fn an_invariant_needs_an_assertion_and_a_row_of_the_catalogue() {
        let good = "/// X.\n///\n/// **Invariants.** M1 steps by one. M2 never falls,\n/// says W3 too.\n///\n/// M9 no.\nfn a() { assert!(b, \"M1\"); assert!(c, \"M2: {d}\"); }";
        let catalogue = "text M7\n| M1 | x |\n| M2 | y |\n";
        let check = |text: &str, catalogue: &str| invariants(&[Source::new("src/a/b.rs", text)], catalogue).len();
        assert_eq!(check(good, catalogue), 0);
        assert_eq!(check(&good.replace("\"M1\"", "\"x\""), catalogue), 1, "nothing asserts M1");
        assert_eq!(check(good, "| M1 | x |\n"), 1, "M2 is not catalogued");
        let unasserted = good.replace("\"M1\"", "\"x\"");
        assert_eq!(check(&unasserted, &catalogue.replace("x |", "x | `a` |")), 0, "the row names a function");
        assert_eq!(check(&unasserted, &catalogue.replace("x |", "x | `gone` |")), 1, "that function is gone");
        assert_eq!(check(good, &format!("{catalogue}| M3 | z |\n")), 1, "M3 is stated nowhere");
        let twice = [Source::new("src/a/b.rs", good), Source::new("src/a/c.rs", good)];
        assert_eq!(invariants(&twice, catalogue).len(), 2, "both ids are given twice");
    }

    #[test]
    fn an_undocumented_setting_and_an_unnamed_document_are_found() {
        let table = ["HELIOS_PORT".to_owned()];
        assert_eq!(settings(&table, "`HELIOS_PORT`"), [""; 0]);
        assert_eq!(settings(&table, "nothing").len(), 1);
        assert_eq!(settings(&table, "HELIOS_PORT and HELIOS_GONE").len(), 1);
        let files = ["README.md", "A.md", "docs/b.md", "src/block/FORMAT.md"].map(str::to_owned);
        assert_eq!(unnamed_documents(&files, "see A.md and docs/b.md"), [""; 0]);
        assert_eq!(unnamed_documents(&files, "see A.md").len(), 1);
        assert_eq!(unnamed_rooms(&[Source::new("src/host/mod.rs", "")], "`host` is").len(), 0);
        assert_eq!(unnamed_rooms(&[Source::new("src/host/mod.rs", "")], "host is").len(), 1);
    }
}
