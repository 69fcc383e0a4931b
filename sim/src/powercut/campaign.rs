//! Every cut point of as many workloads as a number of runs takes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::script::Outcome;
use super::{Failure, Run, Subject, run};

/// What to run.
pub struct Campaign<F> {
    /// The first workload.
    pub first_seed: u64,
    /// Runs at least; workloads are added until there are as many cut points.
    pub runs_min: usize,
    /// Threads. Worlds share nothing, so each runs its own.
    pub threads: usize,
    /// Settings for a seed.
    pub settings: F,
}

/// What was run.
#[derive(Debug, Default)]
pub struct Tally {
    /// Workloads.
    pub seeds: usize,
    /// Disk calls in all workloads together: the cut points.
    pub calls: usize,
    /// Calls at which the power really went off.
    pub cut: usize,
    /// Runs, those that were never cut included.
    pub runs: usize,
    /// Lines acknowledged in all runs.
    pub acknowledged: usize,
    /// Runs that failed: seed, cut, why. The smallest first.
    pub failures: Vec<(u64, Option<u64>, String)>,
}

/// Runs each workload once without a cut, which counts its disk calls, and then once per call. Stops
/// early at the first failures.
pub fn campaign<S: Subject>(plan: &Campaign<impl Fn(u64) -> S::Settings + Sync>) -> Tally {
    let mut tally = Tally::default();
    let mut cuts: Vec<(u64, u64)> = Vec::new();
    let mut seed = plan.first_seed;
    while cuts.len() < plan.runs_min && tally.failures.is_empty() {
        let outcome = guarded::<S>(seed, None, &plan.settings);
        tally.count(seed, None, &outcome);
        if let Ok(outcome) = outcome {
            cuts.extend((1..=outcome.calls).map(|call| (seed, call)));
        }
        tally.seeds += 1;
        seed += 1;
    }
    tally.calls = cuts.len();
    let (next, shared) = (AtomicUsize::new(0), Mutex::new(tally));
    let work = || {
        while let Some(&(seed, cut)) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = guarded::<S>(seed, Some(cut), &plan.settings);
            let mut tally = shared.lock().expect("counting does not panic");
            tally.count(seed, Some(cut), &outcome);
            if !tally.failures.is_empty() {
                return;
            }
        }
    };
    in_threads(plan.threads, work);
    let mut tally = shared.into_inner().expect("counting does not panic");
    tally.failures.sort();
    tally
}

#[allow(clippy::disallowed_methods, reason = "worlds share nothing: each thread runs its own")]
fn in_threads(threads: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(&work);
        }
        work();
    });
}

/// One run in which a panic is a failure too.
fn guarded<S: Subject>(
    seed: u64,
    cut: Option<u64>,
    settings: &impl Fn(u64) -> S::Settings,
) -> Result<Outcome, Failure> {
    let plan = Run { seed, cut, settings: settings(seed), trace: false };
    catch_unwind(AssertUnwindSafe(|| run::<S>(&plan))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Failure { what: format!("panic: {}", text.unwrap_or_default()), trace: Vec::new() })
    })
}

impl Tally {
    fn count(&mut self, seed: u64, cut: Option<u64>, outcome: &Result<Outcome, Failure>) {
        self.runs += 1;
        match outcome {
            Ok(outcome) => {
                self.acknowledged += outcome.acknowledged;
                self.cut += usize::from(outcome.was_cut);
                if cut.is_some() && !outcome.was_cut {
                    self.failures.push((seed, cut, "this call was never made: the run is not deterministic".into()));
                }
            }
            Err(failure) => self.failures.push((seed, cut, failure.what.clone())),
        }
    }
}
