//! Every cut point of as many workloads as a number of runs takes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::script::Outcome;
use super::{Failure, Run, Subject, run};
use crate::{DiskFault, Rng};

/// What to run.
pub struct Campaign<F> {
    /// The first workload.
    pub first_seed: u64,
    /// Runs at least; workloads are added until there are as many cut points.
    pub runs_min: usize,
    /// Disk calls tried of each workload, drawn; `None`: every one.
    pub calls_per_seed: Option<usize>,
    /// What happens at each disk call in turn.
    pub trouble: Trouble,
    /// Threads. Worlds share nothing, so each runs its own.
    pub threads: usize,
    /// Settings for a seed.
    pub settings: F,
}

/// What happens at one disk call of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// The power goes off.
    PowerCut,
    /// The call fails, by a draw some after it too; and by a draw the power goes off a little later.
    Fault(DiskFault),
}

/// What was run.
#[derive(Debug, Default)]
pub struct Tally {
    /// Workloads.
    pub seeds: usize,
    /// Disk calls at which trouble was due: all of the workloads, or those that were drawn.
    pub calls: usize,
    /// Calls at which the trouble really came.
    pub hit: usize,
    /// Runs, those without trouble included.
    pub runs: usize,
    /// Lines acknowledged in all runs.
    pub acknowledged: usize,
    /// Runs that failed: seed, call, why. The smallest first.
    pub failures: Vec<(u64, Option<u64>, String)>,
}

/// Runs each workload once without trouble, which counts its disk calls, and then once for each call
/// that is tried. Stops at the first failures.
pub fn campaign<S: Subject>(plan: &Campaign<impl Fn(u64) -> S::Settings + Sync>) -> Tally {
    let mut tally = Tally::default();
    let mut cuts: Vec<(u64, u64)> = Vec::new();
    let mut seed = plan.first_seed;
    while cuts.len() < plan.runs_min && tally.failures.is_empty() {
        let outcome = guarded::<S>(plan, seed, None);
        tally.count(seed, None, &outcome);
        if let Ok(outcome) = outcome {
            let mut rng = Rng::labelled(seed, "sample");
            match plan.calls_per_seed {
                None => cuts.extend((1..=outcome.calls).map(|call| (seed, call))),
                Some(count) => cuts.extend((0..count).map(|_| (seed, rng.in_range(1..outcome.calls + 1)))),
            }
        }
        tally.seeds += 1;
        seed += 1;
    }
    tally.calls = cuts.len();
    let (next, shared) = (AtomicUsize::new(0), Mutex::new(tally));
    let work = || {
        while let Some(&(seed, call)) = cuts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = guarded::<S>(plan, seed, Some(call));
            let mut tally = shared.lock().expect("counting does not panic");
            tally.count(seed, Some(call), &outcome);
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
    campaign: &Campaign<impl Fn(u64) -> S::Settings>,
    seed: u64,
    call: Option<u64>,
) -> Result<Outcome, Failure> {
    let plan = campaign.trouble.run_at(seed, call, (campaign.settings)(seed));
    catch_unwind(AssertUnwindSafe(|| run::<S>(&plan))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Failure { what: format!("panic: {}", text.unwrap_or_default()), trace: Vec::new() })
    })
}

impl Trouble {
    /// The run of `seed` in which this happens at `call`.
    pub fn run_at<S>(self, seed: u64, call: Option<u64>, settings: S) -> Run<S> {
        let untroubled = Run { seed, cut: None, fault: None, settings, trace: false };
        let Some(call) = call else { return untroubled };
        match self {
            Self::PowerCut => Run { cut: Some(call), ..untroubled },
            Self::Fault(fault) => {
                let mut rng = Rng::labelled(seed ^ call.rotate_left(32), "trouble");
                let calls = rng.pick(&[1, 1, 1, 2, 5, 30]);
                let cut = rng.percent(50).then(|| call + rng.in_range(1..60));
                Run { cut, fault: Some((call..call + calls, fault)), ..untroubled }
            }
        }
    }
}

impl Tally {
    fn count(&mut self, seed: u64, call: Option<u64>, outcome: &Result<Outcome, Failure>) {
        self.runs += 1;
        match outcome {
            Ok(outcome) => {
                self.acknowledged += outcome.acknowledged;
                let hit = call.is_some_and(|call| outcome.calls >= call);
                self.hit += usize::from(hit);
                if call.is_some() && !hit {
                    self.failures.push((seed, call, "this call was never made: the run is not deterministic".into()));
                }
            }
            Err(failure) => self.failures.push((seed, call, failure.what.clone())),
        }
    }
}
