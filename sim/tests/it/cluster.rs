//! Clusters on a simulated machine, over a store that fails.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use helios::engine::{Mutant, Mutation};
use sim::cluster::{Focus, Outcome, Plan, busy_hour, quiet_hour, run};

use crate::variable;

/// Seeds of clusters. `HELIOS_SIM_CLUSTERS` asks for another number, of which those are run for which
/// `HELIOS_SIM_SECONDS` are enough, `HELIOS_SIM_SEED` for another first one;
/// `HELIOS_SIM_LOG=debug` shows what happens. `HELIOS_SIM_FOCUSED` asks for so many seeds of each kind of run that looks
/// for one kind of bug, without one. `HELIOS_SIM_MUTANTS` says how many deliberate bugs are tried,
/// `HELIOS_SIM_MUTANT` which one.
const SEEDS: u64 = 10;

/// What [`SEEDS`] or more must have seen: else they show nothing about it.
const SEEN: &[&str] = &["blocks condemned", "edits re-applied", "merges", "pages swept", "straddles cut", "uploads"];

/// Threads that run seeds.
const THREADS: usize = 2;

fn plan(seed: u64) -> Plan {
    let (mutation, focus) = (Mutation::default(), Focus::Everything);
    Plan { seed, faulty: Duration::from_secs(120), mutation, nodes: None, focus }
}

/// Runs seeds on all threads; gives what was seen, by name, and the first failure.
#[allow(clippy::disallowed_methods, reason = "each thread runs worlds of its own")]
fn campaign(
    first: u64,
    seeds: u64,
    plan: impl Fn(u64) -> Plan + Sync + std::panic::RefUnwindSafe,
) -> (Sum, Option<(u64, String)>) {
    let next = AtomicU64::new(first);
    let (begun, budget) = (Instant::now(), variable("HELIOS_SIM_SECONDS").map_or(Duration::MAX, Duration::from_secs));
    let total = Mutex::new((Sum::default(), None::<(u64, String)>));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds || begun.elapsed() > budget || total.lock().unwrap().1.is_some() {
                        return;
                    }
                    // What an assertion of the product notices is noticed.
                    let result = std::panic::catch_unwind(|| run(&plan(seed)));
                    let mut total = total.lock().unwrap();
                    match result.unwrap_or_else(|_| Err("an assertion failed".into())) {
                        Ok(outcome) => add(&mut total.0, outcome),
                        Err(why) => drop(total.1.get_or_insert((seed, why))),
                    }
                }
            });
        }
    });
    total.into_inner().unwrap()
}

/// Of all seeds.
#[derive(Default)]
struct Sum {
    seeds: u64,
    acknowledged: usize,
    virtual_time: Duration,
    /// The most that a seed needed.
    polls: u64,
    coverage: BTreeMap<String, u64>,
}

fn add(total: &mut Sum, outcome: Outcome) {
    total.seeds += 1;
    total.acknowledged += outcome.acknowledged;
    total.virtual_time += outcome.virtual_time;
    total.polls = total.polls.max(outcome.polls);
    for (name, times) in outcome.coverage {
        *total.coverage.entry(name).or_default() += times;
    }
}

/// Seeds that failed once, and why.
const FOUND: &[(u64, &str)] = &[
    (1, "the days of a leader whose calendar had jumped before it came to lead were retired"),
    (8, "hints were lost: an unreadable page, a feed that went before anybody had read it"),
    (69, "a ghost below the floor was taken for another history"),
    (72, "blocks of a partition without a chain were never swept"),
    (156, "entries that were gone between two that were there were not missed"),
    (341, "a commit whose writer was gone before it had an answer was found by one node and told to none"),
    (1044, "the walk for which a new history asks was not made again where the store had refused it"),
    (1974, "a commit that was under way when the store was put back became the head of the new history"),
    (3374, "a gap was seen where an `upto` reached beyond what had been in a block"),
    (3740, "a sweeper whose disk failed while it adopted what it had committed did not try again"),
    (3770, "a disk's failure that was still on its way when all was healed stopped a node that nobody restarted"),
    (4108, "a sweeper whose disk failed while it adopted what it had committed did not try again"),
    (5530, "a commit that was under way when the store was put back became the head of the new history"),
    (6717, "a chain that was begun behind the back of a new history took its events with it"),
    (7197, "a folder whose sync had failed was built on by the next adoption of the same life"),
    (7414, "a wait that timed out left a generation on the disk that its process did not know"),
    (7517, "nobody looked for a sweeper's commit of which no answer had come"),
    (7862, "a chain that was begun behind the back of a new history took its events with it"),
    (8968, "a chain that was begun behind the back of a new history took its events with it"),
];

/// Shows what happens, if it is asked for.
fn log() {
    if let Some(filter) = variable::<String>("HELIOS_SIM_LOG") {
        let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(filter);
        // Whoever comes first.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).without_time().try_init();
    }
}

#[test]
fn clusters_that_failed_once_pass() {
    for &(seed, once) in FOUND {
        if let Err(why) = run(&plan(seed)) {
            panic!("seed {seed} ({once}): {why}");
        }
    }
}

#[test]
fn every_acknowledged_event_comes_to_every_node_exactly_once() {
    log();
    let first = variable("HELIOS_SIM_SEED").unwrap_or(1);
    let seeds = variable("HELIOS_SIM_CLUSTERS").unwrap_or(SEEDS);
    let (total, failure) = campaign(first, seeds, plan);
    let Sum { seeds, acknowledged, virtual_time, polls, coverage } = &total;
    println!("{seeds} seeds, {acknowledged} lines acknowledged in {virtual_time:?} of virtual time");
    println!("at most {polls} polls a seed");
    coverage.iter().for_each(|(name, times)| println!("{times:>9}  {name}"));
    if let Some((seed, why)) = failure {
        panic!(
            "{why}\nHELIOS_SIM_SEED={seed} HELIOS_SIM_CLUSTERS=1 cargo test -p sim --test it every_acknowledged_event_comes -- --nocapture"
        );
    }
    for name in SEEN.iter().filter(|_| *seeds >= SEEDS) {
        assert!(coverage.get(*name).is_some_and(|times| *times > 0), "no seed has seen any {name}");
    }
}

/// Requests of a node in an hour in which nothing happens: signs of life, leases, looks at the feeds.
const QUIET_REQUESTS_MAX: u64 = 10_000;

#[test]
fn what_a_quiet_cluster_asks_of_its_store_does_not_grow_with_its_partitions() {
    for partitions in variable("HELIOS_SIM_PARTITIONS").map_or(vec![1, 100], |partitions| vec![partitions]) {
        let requests = quiet_hour(3, partitions).unwrap();
        println!("{partitions} partitions, three nodes, one hour: {requests:?}");
        assert!(requests.total() / 3 <= QUIET_REQUESTS_MAX, "{requests:?}");
    }
}

/// Bytes up and down for each byte that comes in at a trickle: some 18 and 38 when this was written.
const MOVED_MAX: f64 = 100.0;

#[test]
fn what_a_trickle_of_events_moves_is_bounded() {
    let bytes_per_s = variable("HELIOS_SIM_BYTES_PER_S").unwrap_or(300);
    let moved = busy_hour(3, bytes_per_s).unwrap();
    let per_byte = |bytes: u64| bytes as f64 / moved.raw_bytes as f64;
    let (up, down) = (per_byte(moved.requests.bytes_up), per_byte(moved.requests.bytes_down));
    println!("{bytes_per_s} B/s at each of three nodes: {} bytes came in, {:?}", moved.raw_bytes, moved.requests);
    println!("for each byte {up:.2} up and {down:.2} down");
    assert!(up + down < MOVED_MAX, "{up} up and {down} down");
}

/// Seeds within which every deliberate bug must be noticed.
const MUTANT_SEEDS_MAX: u64 = 100;

#[test]
fn every_deliberate_bug_of_a_cluster_is_noticed() {
    log();
    // In a debug build a few are enough to see that it works; CI asks for all of them.
    let wanted = variable("HELIOS_SIM_MUTANTS").unwrap_or(4);
    let only = variable::<String>("HELIOS_SIM_MUTANT");
    let mut survivors = Vec::new();
    let asked = |mutant: &&Mutant| only.as_ref().is_none_or(|only| *only == format!("{mutant:?}"));
    for &mutant in Mutant::CLUSTER.iter().filter(asked).take(wanted) {
        let noticed = seeds_until_noticed(mutant);
        match &noticed {
            Some((seeds, why)) => {
                println!("{mutant:?} | {:?} | {seeds} | {}", focus_of(mutant), why.lines().next().unwrap_or_default())
            }
            None => survivors.push(mutant),
        }
    }
    assert!(survivors.is_empty(), "nobody noticed {survivors:?} in {MUTANT_SEEDS_MAX} seeds each");
}

/// What notices a deliberate bug notices none where there is none.
#[test]
fn runs_that_look_for_one_kind_of_bug_pass_without_it() {
    log();
    let (first, seeds) = (variable("HELIOS_SIM_SEED").unwrap_or(1), variable("HELIOS_SIM_FOCUSED").unwrap_or(3));
    let focuses = [Focus::Retention, Focus::Sweeping, Focus::Pages, Focus::Ghosts, Focus::Rollbacks, Focus::Clones];
    for focus in focuses {
        let (total, failure) = campaign(first, seeds, |seed| Plan { focus, ..plan(seed) });
        if let Some((seed, why)) = failure {
            panic!("{focus:?}, seed {seed}: {why}");
        }
        if focus == Focus::Clones {
            let renumbered = total.coverage.get("events renumbered").copied().unwrap_or(0);
            println!("{seeds} seeds with machines that are put back: {renumbered} events got new numbers");
            assert!(renumbered > 0, "{:?}", total.coverage);
        }
        assert_eq!(total.seeds, seeds);
        let swept = total.coverage["pages swept"];
        let lost = total.coverage.get("fault: store lost").copied().unwrap_or(0);
        println!("{focus:?}: {swept} pages swept, {} heads read again, {lost} stores lost", total.coverage[REREAD]);
        assert!(swept > 0 || focus != Focus::Pages, "no page was swept");
    }
}

const REREAD: &str = "heads read again for a page that was gone";

fn seeds_until_noticed(mutant: Mutant) -> Option<(u64, String)> {
    let planted = |seed| Plan { mutation: Mutation::of(mutant), focus: focus_of(mutant), ..plan(seed) };
    campaign(variable("HELIOS_SIM_SEED").unwrap_or(1), MUTANT_SEEDS_MAX, planted).1
}

/// The runs in which a deliberate bug shows most.
fn focus_of(mutant: Mutant) -> Focus {
    match mutant {
        Mutant::SweepTrustsClock | Mutant::WatermarksReset | Mutant::SharedChainDeleted => Focus::Retention,
        Mutant::ReuploadSameId | Mutant::CondemnedTaken | Mutant::NoHeadBeforeCreate | Mutant::LeaseIsFence => {
            Focus::Sweeping
        }
        Mutant::PageSweptUnfenced | Mutant::PageNamedAgain => Focus::Pages,
        Mutant::DoneOnCreate | Mutant::SettleByName | Mutant::ActOnOwnCommit => Focus::Ghosts,
        Mutant::RollbackAdopted => Focus::Rollbacks,
        Mutant::TailUnvouched | Mutant::CloneGoesOn => Focus::Clones,
        _ => Focus::Everything,
    }
}
