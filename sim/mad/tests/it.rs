//! Many seeds of all scenarios, each replayable: `HELIOS_MAD_SEED=n cargo test NAME -- --nocapture`.
//!
//! | variable | meaning |
//! |---|---|
//! | `HELIOS_MAD_SEEDS` | seeds of the servers; a fifth as many of the control plane, a twentieth of clusters: they take longer |
//! | `HELIOS_MAD_SEED` | the only seed |

// All of this is test code, helpers too.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::ops::Range;

use helios::engine::Mutant;
use mad::server::{Outcome, Run, run};
use mad::{Network, Seeds, cluster, control};

/// Seeds of a campaign unless the environment asks for more.
const SEEDS: u64 = 100;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seeds(share: u64) -> Range<u64> {
    match variable("HELIOS_MAD_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..(variable("HELIOS_MAD_SEEDS").unwrap_or(SEEDS) / share).max(1),
    }
}

fn sound(seeds: Seeds) -> Run {
    Run { seeds, network: Network::Uneven, mutant: None }
}

fn replay(test: &str, seed: u64) -> String {
    format!("HELIOS_MAD_SEED={seed} cargo test {test} -- --nocapture")
}

#[test]
fn every_acknowledged_event_is_found_once_at_once_and_after_kills_cuts_and_stops() {
    let test = "every_acknowledged_event";
    let (mut sum, mut orders, mut runs) = (Outcome::default(), BTreeSet::new(), 0);
    for seed in seeds(1) {
        let outcome = run(sound(Seeds::both(seed))).unwrap_or_else(|why| panic!("{why}\n{}", replay(test, seed)));
        orders.insert(outcome.order);
        runs += 1;
        sum.acknowledged += outcome.acknowledged;
        sum.unknown += outcome.unknown;
        sum.refused += outcome.refused;
        sum.searches += outcome.searches;
        sum.lives += outcome.lives;
        sum.cuts += outcome.cuts;
        sum.kills += outcome.kills;
        sum.stops += outcome.stops;
        sum.clogs += outcome.clogs;
        sum.blocks += outcome.blocks;
        sum.seconds += outcome.seconds;
    }
    println!("{test}: {runs} seeds, {} different orders, {sum:?}", orders.len());
    assert_eq!(orders.len(), runs, "two seeds took the same course");
    if runs > 10 {
        assert!(sum.acknowledged > 100 && sum.searches > 50 && sum.blocks > 0, "too little happened");
        assert!(sum.cuts > 0 && sum.kills > 0 && sum.stops > 0 && sum.clogs > 0 && sum.unknown > 0, "too little fails");
    }
}

#[test]
fn no_change_is_lost_no_run_given_twice_and_one_leads_in_the_end() {
    let test = "no_change_is_lost";
    let (mut sum, mut digests, mut runs) = (control::Outcome::default(), BTreeSet::new(), 0);
    for seed in seeds(5) {
        let outcome = control::run(Seeds::both(seed)).unwrap_or_else(|why| panic!("{why}\n{}", replay(test, seed)));
        digests.insert(outcome.digest);
        runs += 1;
        sum.done += outcome.done;
        sum.unknown += outcome.unknown;
        sum.turned_out_done += outcome.turned_out_done;
        sum.terms += outcome.terms;
        sum.runs += outcome.runs;
        sum.lives += outcome.lives;
        sum.faults += outcome.faults;
        sum.seconds += outcome.seconds;
    }
    println!("{test}: {runs} seeds, {} different courses, {sum:?}", digests.len());
    if runs > 10 {
        assert!(
            sum.done > 1_000 && sum.unknown > sum.turned_out_done && sum.turned_out_done > 0,
            "too little happened"
        );
        assert!(sum.terms > 100 && sum.runs > 100 && sum.faults > 100, "too little happened");
    }
}

fn cluster(seeds: Seeds) -> cluster::Run {
    cluster::Run { seeds, mutant: None }
}

#[test]
fn every_node_of_a_cluster_comes_to_have_what_any_of_them_acknowledged() {
    let test = "every_node_of_a_cluster";
    let (mut sum, mut orders, mut runs) = (cluster::Outcome::default(), BTreeSet::new(), 0);
    for seed in seeds(20) {
        let run_of = cluster(Seeds::both(seed));
        let outcome = cluster::run(run_of).unwrap_or_else(|why| panic!("{why}\n{}", replay(test, seed)));
        orders.insert(outcome.order);
        runs += 1;
        sum.nodes += outcome.nodes;
        sum.acknowledged += outcome.acknowledged;
        sum.looks += outcome.looks;
        sum.kills += outcome.kills;
        sum.cuts += outcome.cuts;
        sum.pauses += outcome.pauses;
        sum.lives += outcome.lives;
        sum.faults += outcome.faults;
        sum.straddles += outcome.straddles;
        sum.seconds += outcome.seconds;
    }
    println!("{test}: {runs} seeds, {} different orders, {sum:?}", orders.len());
    assert_eq!(orders.len(), runs, "two seeds took the same course");
    if runs > 4 {
        assert!(sum.acknowledged > 1_000 && sum.looks > 20 && sum.straddles > 0, "too little happened");
        assert!(sum.kills > 0 && sum.cuts > 0 && sum.pauses > 0 && sum.faults > 100, "too little fails");
    }
}

#[test]
fn the_same_seed_takes_the_same_course() {
    for seed in seeds(20) {
        let (first, second) = (run(sound(Seeds::both(seed))).unwrap(), run(sound(Seeds::both(seed))).unwrap());
        assert_eq!((first.digest, first.order), (second.digest, second.order), "seed {seed}: {first:?} {second:?}");
        let digest = || control::run(Seeds::both(seed)).unwrap().digest;
        assert_eq!(digest(), digest(), "seed {seed} of the control plane");
    }
    for seed in seeds(100) {
        let digest = || cluster::run(cluster(Seeds::both(seed))).unwrap().digest;
        assert_eq!(digest(), digest(), "seed {seed} of a cluster");
    }
}

/// The workload, its faults, and how long messages take are the same: only the order of tasks differs.
#[test]
fn one_workload_is_run_in_many_orders() {
    let mut orders = BTreeSet::new();
    let schedules = seeds(4);
    let count = schedules.end - schedules.start;
    for schedule in schedules {
        let run_of = Run { network: Network::Even, ..sound(Seeds { schedule, workload: 7 }) };
        orders.insert(run(run_of).unwrap_or_else(|why| panic!("schedule {schedule}: {why}")).order);
    }
    println!("one workload, {count} schedules: {} different orders", orders.len());
    assert!(orders.len() as u64 * 10 >= count * 9, "{} orders of {count} schedules", orders.len());
}

#[test]
fn an_engine_that_forgets_a_step_is_caught() {
    for mutant in [Mutant::LogSync, Mutant::SegmentRemoval] {
        let caught = (0..MUTANT_SEEDS_MAX).find_map(|seed| {
            let run_of = Run { mutant: Some(mutant), ..sound(Seeds::both(seed)) };
            run(run_of).err().map(|why| (seed, why))
        });
        let (seed, why) = caught.unwrap_or_else(|| panic!("{mutant:?} is not noticed"));
        println!("{mutant:?} is noticed after {} seeds: {why}", seed + 1);
    }
}

#[test]
fn a_cluster_that_shares_wrongly_is_caught() {
    for mutant in [Mutant::AdoptUncut, Mutant::UploadNotFromFront] {
        let caught = (0..MUTANT_SEEDS_MAX).find_map(|seed| {
            let run_of = cluster::Run { mutant: Some(mutant), ..cluster(Seeds::both(seed)) };
            cluster::run(run_of).err().map(|why| (seed, why))
        });
        let (seed, why) = caught.unwrap_or_else(|| panic!("{mutant:?} is not noticed"));
        println!("{mutant:?} is noticed after {} seeds: {why}", seed + 1);
    }
}

/// Seeds within which a deliberate bug must be noticed.
const MUTANT_SEEDS_MAX: u64 = 100;
