//! Holds the house's own rules: which room may use which, how long a file and a function may grow, what must
//! be documented, and what must not stand in any file. A rule that no robot checks decays.
//!
//! Each check is a function over sources that gives back what it found wrong, so that known-bad inputs test
//! the check itself.

mod checks;
mod graph;
mod source;

use std::fs;

use checks::Limits;
use source::{root, rust_files, tracked_files};

#[test]
fn rooms_use_only_the_rooms_below_them() {
    expect_none(checks::arrows(&rust_files(), ARROWS));
}

#[test]
fn files_and_functions_stay_short() {
    expect_none(checks::lengths(&rust_files(), &LIMITS));
}

#[test]
fn the_number_of_exceptions_to_the_ban_list_is_fixed() {
    expect_none(checks::exceptions(&rust_files(), BAN_EXCEPTIONS));
}

#[test]
fn nothing_is_ignored_left_open_or_slept_through() {
    expect_none(checks::refused_words(&rust_files()));
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let mut found = Vec::new();
    for path in tracked_files() {
        let bytes = fs::read(root().join(&path)).expect("a tracked file can be read");
        found.extend(checks::places(&path, &String::from_utf8_lossy(&bytes)));
    }
    expect_none(found);
}

#[test]
fn the_documents_know_the_rooms_the_invariants_and_each_other() {
    let sources = rust_files();
    let architecture = read("ARCHITECTURE.md");
    expect_none(checks::unnamed_rooms(&sources, &architecture));
    expect_none(checks::invariants(&sources, &architecture));
    expect_none(checks::unnamed_documents(&tracked_files(), &read("README.md")));
}

#[test]
fn every_setting_is_documented() {
    let documentation = read("docs/settings.md");
    let variables = helios::cli::settings::TABLE.iter().map(|setting| setting.variable());
    expect_none(checks::settings(&variables.collect::<Vec<_>>(), &documentation));
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn expect_none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Which room may use which: the table of `ARCHITECTURE.md`. `host`, `event` and `crypto` are open to every
/// room below them, but `block` stays pure and uses `event` alone.
const ARROWS: &[(&str, &[&str])] = &[
    ("host", &[]),
    ("event", &[]),
    ("sync", &[]),
    ("crypto", &["host"]),
    ("chain", &["host", "crypto", "event"]),
    ("control", &["host", "crypto", "event", "sync", "chain"]),
    ("block", &["event"]),
    ("engine", &["host", "crypto", "event", "sync", "chain", "block"]),
    ("query", &["host", "crypto", "event", "block", "engine"]),
    // Ingest hands the engine rows that are columns already: they are built where they were parsed.
    ("ingest", &["host", "crypto", "event", "block", "engine"]),
    ("cluster", &["host", "crypto", "event", "sync", "chain", "control", "engine"]),
    ("api", &["host", "crypto", "event", "sync", "chain", "control", "block", "engine", "cluster", "query", "ingest"]),
    ("node", &["host", "crypto", "event", "chain", "control", "block", "engine", "cluster", "query", "ingest", "api"]),
    (
        "cli",
        &[
            "host", "crypto", "event", "chain", "control", "block", "engine", "cluster", "query", "ingest", "api",
            "node",
        ],
    ),
];

const LIMITS: Limits = Limits {
    file_lines_max: 800,
    function_lines_max: 70,
    long_files: &[],
    long_functions: &[("examples/block_size.rs::main", 121)],
};

/// The `allow`s of the ban list in `clippy.toml`, by file. Outside `host` and the code that only ever runs on
/// a developer's or a user's own terminal there should be none; a new one needs a reason beside it.
const BAN_EXCEPTIONS: &[(&str, usize)] = &[
    ("build.rs", 1),
    ("examples/block_size.rs", 1),
    ("examples/parse_speed.rs", 1),
    ("sim/mad/src/lib.rs", 1),
    ("sim/src/bin/sim/main.rs", 1),
    ("sim/src/fleet/clock.rs", 1),
    ("sim/src/fleet/tasks.rs", 1),
    ("sim/src/leaks.rs", 2),
    ("sim/src/powercut/campaign.rs", 1),
    ("sim/tests/it/cluster.rs", 1),
    ("sim/tests/it/runs.rs", 1),
    ("src/block/tests.rs", 2),
    ("src/cli/block.rs", 1),
    ("src/cli/client.rs", 1),
    ("src/cli/demo.rs", 1),
    ("src/cli/export.rs", 1),
    ("src/cli/lines.rs", 1),
    ("src/cli/logging.rs", 1),
    ("src/cli/show_settings.rs", 1),
    ("src/event/json/tests.rs", 1),
    ("src/host/real/clock.rs", 1),
    ("src/host/real/cpu.rs", 1),
    ("src/host/real/disk.rs", 1),
    ("src/host/real/net.rs", 1),
    ("src/host/real/service.rs", 1),
    ("src/host/real/pool.rs", 1),
    ("src/host/real/tasks.rs", 1),
    ("src/ingest/fuzz.rs", 1),
    ("tests/it/main.rs", 1),
];
