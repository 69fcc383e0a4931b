//! Control documents and leases on a simulated machine, over a store that fails.

use std::collections::BTreeMap;

use sim::Rng;
use sim::control::documents::{History, Judged, Plan, Planted, Size, run};
use sim::control::history::{Answer, Call, Moment, Operation, State};
use sim::control::{leases, search, witness};

use crate::variable;

/// Seeds of histories. `HELIOS_SIM_RUNS` asks for a tenth of itself.
const SEEDS: u64 = 150;

/// Seeds within which what is planted must be seen.
const PLANTED_SEEDS_MAX: u64 = 60;

fn seeds(default: u64) -> std::ops::Range<u64> {
    let first = variable("HELIOS_SIM_SEED").unwrap_or(1);
    first..first + variable("HELIOS_SIM_RUNS").map_or(default, |runs: u64| runs / 10).max(1)
}

fn plan(seed: u64, size: Size) -> Plan {
    Plan { seed, size, planted: Planted::Nothing }
}

fn pass(seed: u64, judged: &Judged, test: &str) {
    if let Some(why) = judged.failure() {
        panic!("{why}\nHELIOS_SIM_SEED={seed} HELIOS_SIM_RUNS=10 cargo test -p sim --test it {test} -- --nocapture");
    }
}

#[test]
fn small_histories_of_documents_are_linearisable_by_both_methods() {
    let (mut searched, mut too_large, mut operations, mut unknown) = (0, 0, 0, 0);
    for seed in seeds(SEEDS * 4) {
        let judged = run(plan(seed, Size::Small));
        pass(seed, &judged, "small_histories");
        let found = judged.histories.iter().filter(|history| history.search.is_some()).count();
        searched += found;
        too_large += judged.histories.len() - found;
        operations += judged.operations;
        unknown += judged.unknown;
    }
    println!("{searched} histories searched, {too_large} too large, {operations} operations, {unknown} unknown");
    assert!(searched > too_large * 20, "the search gives up too often");
    assert!(unknown > 0);
}

#[test]
fn large_histories_of_documents_are_linearisable_by_the_stores_order() {
    let (mut totals, mut ghosts, mut late) = ([0; 4], 0, 0);
    for seed in seeds(SEEDS) {
        let judged = run(plan(seed, Size::Large));
        pass(seed, &judged, "large_histories");
        let counts = [judged.operations, judged.generations, judged.unknown, judged.lost];
        totals.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        ghosts += judged.faults.ghosts;
        late += judged.faults.delivered_late;
    }
    let [operations, generations, unknown, lost] = totals;
    println!(
        "{operations} operations, {generations} generations, {unknown} unknown, {lost} lost, {late} late, {ghosts} ghosts"
    );
    assert!([unknown, lost].iter().all(|&count| count > 0), "the runs are too tame");
    assert!(late > 0 && ghosts > 0, "nothing was made late, or made again");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 1..6 {
        let [first, second] = [0; 2].map(|_| run(plan(seed, Size::Large)));
        assert_eq!(first.digest, second.digest, "seed {seed}");
        let operations = |judged: &Judged| judged.histories.iter().map(|h| h.operations.clone()).collect::<Vec<_>>();
        assert_eq!(operations(&first), operations(&second), "seed {seed}");
        assert_eq!(leases::run(seed), leases::run(seed), "seed {seed}");
    }
}

#[test]
fn both_methods_see_planted_stale_reads_and_lost_updates() {
    for planted in [Planted::StaleLists, Planted::LostUpdates, Planted::CacheForFresh] {
        let (mut by_witness, mut by_search) = (None, None);
        for seed in 1..=PLANTED_SEEDS_MAX {
            for history in &run(Plan { seed, size: Size::Small, planted }).histories {
                by_witness = by_witness.or_else(|| history.witness.clone().err().map(|why| (seed, why)));
                by_search = by_search.or_else(|| (history.search == Some(false)).then_some(seed));
                // An order that the store shows is an order: who finds none cannot be right then.
                let agree = history.witness.is_err() || history.search != Some(false);
                assert!(agree, "{planted:?}, seed {seed}: the search finds no order, and the store shows one");
            }
        }
        println!("{planted:?}: seen by the witness {by_witness:?}, by the search in seed {by_search:?}");
        assert!(by_witness.is_some() && by_search.is_some(), "{planted:?} was not seen");
    }
}

/// Changes one answer of a true history to what was true at another time, or to what never was.
fn falsified(history: &History, rng: &mut Rng) -> Option<Vec<Operation>> {
    let mut operations = history.operations.clone();
    let index = rng.index(operations.len().max(1));
    let other = history.order.get(rng.index(history.order.len().max(1))).copied().unwrap_or_default();
    let answer = match (operations.get(index)?.answer, rng.percent(80)) {
        (Answer::Saw(_), true) => Answer::Saw(other),
        (Answer::Saw(_), false) => Answer::Saw(State { token: 999_999, ..other }),
        (Answer::Lost(state), true) => Answer::Done(State { generation: state.generation + 1, ..state }),
        (Answer::Done(_), true) => Answer::Lost(other),
        (Answer::Done(_), false) => Answer::Refused,
        _ => return None,
    };
    operations[index].answer = answer;
    Some(operations)
}

#[test]
fn both_methods_say_the_same_of_histories_with_one_false_answer() {
    let mut rng = Rng::new(11);
    let mut said: BTreeMap<(bool, bool), u64> = BTreeMap::new();
    for seed in seeds(SEEDS) {
        for history in run(plan(seed, Size::Small)).histories {
            for _ in 0..8 {
                let Some(operations) = falsified(&history, &mut rng) else { continue };
                let Some(by_search) = search::linearisable(&operations) else { continue };
                let by_witness = witness::check(&operations, &history.order);
                *said.entry((by_witness.is_ok(), by_search)).or_default() += 1;
                // A change that nobody saw may be denied: only the store knows that it was made.
                let denied = by_witness.as_ref().is_err_and(|why| why.contains("changed nothing"));
                let same = by_witness.is_ok() == by_search || denied;
                assert!(same, "seed {seed}: {by_witness:?}, and the search says {by_search}: {operations:?}");
            }
        }
    }
    println!("(witness, search) accept: {said:?}");
    assert!(said.get(&(false, false)).is_some_and(|&both| both > 100), "{said:?}");
    assert!(said.contains_key(&(true, true)), "some false answers are possible ones");
}

fn operation(node: usize, call: Call, answer: Answer, began: u64, ended: u64) -> Operation {
    let (asked, ended) = (Moment::at(began), Moment::at(ended));
    Operation { node, call, answer, asked, since: asked, ended }
}

#[test]
fn the_judges_know_the_textbook_cases() {
    let one = State { generation: 1, token: 1, number: 1 };
    let two = State { generation: 2, token: 2, number: 2 };
    let none = State::default();
    let (order, add) = ([one, two], |token| Call::Add { token });
    let first = operation(0, add(1), Answer::Done(one), 0, 10);
    let second = operation(1, add(2), Answer::Done(two), 20, 30);
    let unanswered = Operation { answer: Answer::Unknown, ended: Moment::NEVER, ..second };
    let read = |state, began, ended| operation(2, Call::Read, Answer::Saw(state), began, ended);
    let cached = |state, since| Operation { since: Moment::at(since), ..read(state, 40, 50) };
    let swap = |expected| Call::Swap { expected, token: 2, number: 2 };
    for (operations, right, what) in [
        (vec![first, second, read(two, 40, 50)], true, "in turn"),
        (vec![first, second, read(one, 40, 50)], false, "a stale read"),
        (vec![first, second, cached(one, 25)], true, "no older than a cache may be"),
        (vec![first, second, cached(one, 35)], false, "older than that"),
        (vec![first, second, read(one, 25, 50)], true, "at the same time"),
        (vec![first, second, read(two, 5, 15)], false, "from the future"),
        (vec![first, second, read(two, 21, 25), read(one, 26, 40)], false, "back again"),
        (vec![first, unanswered, read(one, 40, 50), read(two, 60, 70)], true, "made after nobody waited"),
        (vec![first, unanswered, read(two, 40, 50), read(one, 60, 70)], false, "undone again"),
        (vec![first, operation(1, add(2), Answer::Done(one), 20, 30), read(one, 40, 50)], false, "a lost update"),
        (vec![first, operation(1, swap(one), Answer::Done(two), 20, 30)], true, "a swap"),
        (vec![first, operation(1, swap(none), Answer::Done(two), 20, 30)], false, "a swap of what was no more"),
    ] {
        let by_witness = witness::check(&operations, &order);
        assert_eq!(by_witness.is_ok(), right, "{what}: {by_witness:?}");
        assert_eq!(search::linearisable(&operations), Some(right), "{what}");
    }
}

#[test]
fn leases_come_to_one_leader_replace_the_dead_and_give_a_run_once() {
    let (mut terms, mut replaced, mut two_leaders, mut runs, mut seconds, mut vacant_ms) = (0, 0, 0, 0, 0, 0);
    for seed in seeds(SEEDS / 2) {
        match leases::run(seed) {
            Ok(outcome) => {
                terms += outcome.terms;
                replaced += outcome.replaced;
                two_leaders += outcome.two_leaders;
                runs += outcome.runs;
                seconds += outcome.seconds;
                vacant_ms = vacant_ms.max(outcome.vacant_ms_max);
            }
            Err(why) => panic!(
                "{why}\nHELIOS_SIM_SEED={seed} HELIOS_SIM_RUNS=10 cargo test -p sim --test it leases_come -- --nocapture"
            ),
        }
    }
    println!(
        "{terms} terms, {replaced} dead leaders replaced within {vacant_ms} ms, {runs} runs, {two_leaders} looks with two leaders, {seconds} s"
    );
    assert!(replaced > 0 && terms > replaced && runs > 0);
}
