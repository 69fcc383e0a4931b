//! Each durability step left out is noticed.

use helios::engine::{Mutant, Mutation, Settings};
use sim::DiskFault;
use sim::powercut::{Campaign, EngineSubject, Trouble, campaign, drawn_settings};

use crate::{THREADS, variable};

/// Runs within which each mutant must be noticed.
const RUNS_MAX: usize = 4_000;

/// Runs between two looks.
const RUNS_STEP: usize = 100;

/// Disk calls tried of each workload.
const CALLS_PER_SEED: usize = 10;

#[test]
fn each_step_left_out_is_noticed() {
    // Runs that fail are what is wanted here: their panics are no news.
    std::panic::set_hook(Box::new(|_| {}));
    let only: Option<String> = variable("HELIOS_SIM_MUTANT");
    let mut survivors = Vec::new();
    for &mutant in Mutant::ALL {
        if only.as_ref().is_some_and(|only| *only != format!("{mutant:?}")) {
            continue;
        }
        match runs_until_noticed(mutant) {
            Some((runs, why)) => println!("{mutant:?}: noticed within {runs} runs: {:.90}", why),
            None => survivors.push(mutant),
        }
    }
    let _ = std::panic::take_hook();
    assert!(survivors.is_empty(), "nobody noticed {survivors:?} in {RUNS_MAX} runs each");
}

fn runs_until_noticed(mutant: Mutant) -> Option<(usize, String)> {
    let settings = |seed| Settings { mutation: Mutation::of(mutant), ..drawn_settings(seed) };
    let mut runs = 0;
    let mut first_seed = 1;
    while runs < RUNS_MAX {
        for trouble in troubles(mutant) {
            let plan = Campaign {
                first_seed,
                runs_min: RUNS_STEP,
                calls_per_seed: Some(CALLS_PER_SEED),
                trouble: *trouble,
                threads: THREADS,
                settings,
            };
            let tally = campaign::<EngineSubject>(&plan);
            runs += tally.runs;
            if let Some((.., why)) = tally.failures.into_iter().next() {
                return Some((runs, why));
            }
        }
        first_seed += (RUNS_STEP / CALLS_PER_SEED) as u64;
    }
    None
}

/// What brings the step to light that the mutant leaves out.
fn troubles(mutant: Mutant) -> &'static [Trouble] {
    match mutant {
        Mutant::LogRetrySync => &[Trouble::Fault(DiskFault::Io)],
        _ => &[Trouble::PowerCut],
    }
}
