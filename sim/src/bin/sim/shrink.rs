//! Looks for a shorter run with fewer faults that fails as well.
//!
//! Each fault draws from a stream of its own, so that leaving one out moves no other.

use std::collections::BTreeSet;

use sim::trouble::schedule;

use crate::args::Args;
use crate::child::run_seed;

/// Shrinks a seed that fails and prints the command of what is left. Always false: a seed that fails has failed.
pub(crate) fn shrink(args: &Args, seed: u64) -> Result<bool, String> {
    let plan = args.plan(seed)?;
    let mut best = Candidate {
        args: args.clone(),
        horizon_ms: u64::try_from(plan.horizon().as_millis()).unwrap_or(u64::MAX),
        faults: schedule(seed, &plan.scenario.faults, plan.horizon())
            .iter()
            .map(|fault| fault.index)
            .filter(|index| plan.keeps(*index))
            .collect(),
        runs: 0,
    };
    let Some(failure) = best.fails(seed, best.horizon_ms, &best.faults.clone()) else {
        println!("seed {seed} does not fail");
        return Ok(true);
    };
    println!("seed {seed} fails: {failure}");
    println!("{} s with {} faults", best.horizon_ms / 1_000, best.faults.len());
    best.shorten(seed);
    best.thin_out(seed);
    best.shorten(seed);
    println!("{:.1} s with {} faults, after {} runs", best.horizon_ms as f64 / 1e3, best.faults.len(), best.runs);
    let kept = schedule(seed, &plan.scenario.faults, plan.horizon());
    kept.iter().filter(|fault| best.faults.contains(&fault.index)).for_each(|fault| println!("  {fault}"));
    let left = best.arguments(best.horizon_ms, &best.faults);
    println!("{}", left.replay_command(seed));
    Ok(false)
}

struct Candidate {
    args: Args,
    horizon_ms: u64,
    faults: BTreeSet<usize>,
    runs: u64,
}

impl Candidate {
    fn arguments(&self, horizon_ms: u64, faults: &BTreeSet<usize>) -> Args {
        Args { horizon_ms: Some(horizon_ms), only: Some(faults.clone()), without: Vec::new(), ..self.args.clone() }
    }

    fn fails(&mut self, seed: u64, horizon_ms: u64, faults: &BTreeSet<usize>) -> Option<String> {
        self.runs += 1;
        run_seed(&self.arguments(horizon_ms, faults), seed, |_| {}).failure
    }

    /// Halves the time for as long as that fails, then looks between.
    fn shorten(&mut self, seed: u64) {
        let mut too_short = 0;
        while self.horizon_ms - too_short > HORIZON_STEP_MS {
            let middle = too_short + (self.horizon_ms - too_short) / 2;
            let faults = self.faults.clone();
            if self.fails(seed, middle, &faults).is_some() {
                self.horizon_ms = middle;
            } else {
                too_short = middle;
            }
        }
    }

    /// Leaves out halves, quarters, and at last single faults, as long as what is left fails.
    fn thin_out(&mut self, seed: u64) {
        let mut size = self.faults.len().div_ceil(2);
        while size > 0 {
            let list: Vec<usize> = self.faults.iter().copied().collect();
            for part in list.chunks(size) {
                let rest: BTreeSet<usize> = self.faults.iter().copied().filter(|index| !part.contains(index)).collect();
                if rest.len() < self.faults.len() && self.fails(seed, self.horizon_ms, &rest).is_some() {
                    self.faults = rest;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }
}

/// Below this a horizon is short enough.
const HORIZON_STEP_MS: u64 = 500;
