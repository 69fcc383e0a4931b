//! The power goes off at every disk call.

use helios::engine::Settings;
use sim::DiskFault;
use sim::powercut::{EngineSubject, Trouble, drawn_settings, run};

use crate::check;

/// One workload's disk calls and more. CI asks for 10,000.
const RUNS: usize = 300;

#[test]
fn every_cut_leaves_what_was_acknowledged_exactly_once() {
    check("every_cut", Trouble::PowerCut, RUNS, None);
}

#[test]
fn cuts_drawn_from_many_workloads_leave_what_was_acknowledged_exactly_once() {
    check("cuts_drawn", Trouble::PowerCut, RUNS, Some(20));
}

/// Runs that failed once: seed, call, trouble.
const FOUND: &[(u64, u64, Trouble)] = &[
    // A log segment was removed while its header was on its way.
    (4_000, 440, Trouble::PowerCut),
    (6_007, 1_377, Trouble::PowerCut),
    (5_011, 304, Trouble::Fault(DiskFault::NoSpace)),
    // Verify took what a crash had left below the floor for a gap.
    (2_002, 209, Trouble::Fault(DiskFault::Io)),
];

#[test]
fn runs_that_failed_once_pass() {
    for &(seed, call, trouble) in FOUND {
        let plan = trouble.run_at::<Settings>(seed, Some(call), drawn_settings(seed));
        if let Err(failure) = run::<EngineSubject>(&plan) {
            panic!("seed {seed}, call {call}, {trouble:?}: {}", failure.what);
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_calls_and_gives_the_same_answers() {
    let digest = |seed| {
        let plan = Trouble::PowerCut.run_at::<Settings>(seed, Some(100), drawn_settings(seed));
        run::<EngineSubject>(&plan).map(|outcome| outcome.digest).unwrap_or_else(|failure| panic!("{failure:?}"))
    };
    for seed in 1..6 {
        assert_eq!(digest(seed), digest(seed), "seed {seed}");
    }
}
