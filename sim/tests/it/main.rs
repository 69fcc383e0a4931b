//! The engine on a simulated machine: power cuts, failing calls, deliberate bugs. Control documents and leases
//! over a store that fails.
//!
//! | variable | meaning |
//! |---|---|
//! | `HELIOS_SIM_RUNS` | runs at least with a power cut at every call, and a tenth of that in each other campaign, and as many seeds of documents and of leases; the default is what `cargo test` has time for |
//! | `HELIOS_SIM_SEED` | the first seed; with `HELIOS_SIM_CALL` the only one, with a line per disk call |
//! | `HELIOS_SIM_CALL` | replays the run of that seed in which this disk call is hit |

// All of this is test code, helpers too.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod cluster;
mod control;
mod faults;
mod fleet;
mod mutants;
mod power_cut;
mod runs;
mod s3;

use std::str::FromStr;

use helios::engine::Settings;
use sim::powercut::{Campaign, EngineSubject, Tally, Trouble, campaign, drawn_settings, run};

/// Threads of a campaign.
const THREADS: usize = 2;

/// Runs a campaign on the engine, or the one run that the environment asks for.
///
/// # Panics
/// If a run fails: names the command that replays it.
fn check(test: &str, trouble: Trouble, runs_min: usize, calls_per_seed: Option<usize>) -> Tally {
    let first_seed = variable("HELIOS_SIM_SEED").unwrap_or(1);
    if let Some(call) = variable("HELIOS_SIM_CALL") {
        replay(trouble, first_seed, call);
        return Tally::default();
    }
    let asked = variable("HELIOS_SIM_RUNS").map(|runs: usize| if calls_per_seed.is_some() { runs / 10 } else { runs });
    let runs_min = asked.unwrap_or(runs_min);
    let plan = Campaign { first_seed, runs_min, calls_per_seed, trouble, threads: THREADS, settings: drawn_settings };
    let tally = campaign::<EngineSubject>(&plan);
    println!(
        "{test}: {} runs of {} workloads, {} disk calls, {} of them hit, {} lines acknowledged",
        tally.runs, tally.seeds, tally.calls, tally.hit, tally.acknowledged
    );
    if let Some((seed, call, why)) = tally.failures.first() {
        let call = call.map_or("0".into(), |call| call.to_string());
        panic!(
            "{why}\nHELIOS_SIM_SEED={seed} HELIOS_SIM_CALL={call} cargo test -p sim --test it {test} -- --nocapture"
        );
    }
    assert_eq!(tally.hit, tally.calls, "a disk call was never hit");
    tally
}

fn replay(trouble: Trouble, seed: u64, call: u64) {
    let call = Some(call).filter(|&call| call > 0);
    let mut plan = trouble.run_at(seed, call, drawn_settings(seed));
    plan.trace = true;
    match run::<EngineSubject>(&plan) {
        Ok(outcome) => println!("passed: {outcome:?}"),
        Err(failure) => {
            failure.trace.iter().for_each(|line| println!("{line}"));
            panic!("cut {:?} fault {:?}: {}", plan.cut, plan.fault, failure.what);
        }
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Settings with everything as small as it gets, for tests that want much to happen.
fn busy_settings() -> Settings {
    Settings {
        segment_bytes: 1_000,
        flush_rows: 3,
        compact_small_blocks_max: 1,
        manifest_page_blocks: 1,
        ..drawn_settings(1)
    }
}
