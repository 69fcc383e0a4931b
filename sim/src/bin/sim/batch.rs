//! Many seeds, some at the same time, each in a process of its own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sim::run::Tally;

use crate::args::Args;
use crate::child::run_seed;
use crate::junit;

/// Runs the seeds that are asked for, and reports. Whether all were right.
pub(crate) fn run(args: &Args) -> Result<bool, String> {
    let seeds = args.seeds()?;
    args.plan(seeds.start)?;
    let (started, next) = (Instant::now(), AtomicU64::new(seeds.start));
    let in_time = || args.time_budget.is_none_or(|budget| started.elapsed() < budget);
    let results = Mutex::new((Tally::default(), Vec::new()));
    let work = || {
        while in_time() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            let report = run_seed(args, seed, |_| {});
            if let Some(failure) = &report.failure {
                println!("seed {seed} failed: {failure}\n  {}", args.replay_command(seed));
            }
            let mut results = results.lock().expect("no run panics here");
            results.0.add(seed, &report);
            results.1.push((seed, report));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let (tally, mut reports) = results.into_inner().expect("no run panics here");
    reports.sort_by_key(|(seed, _)| *seed);
    print!("{}", tally.text());
    println!("{:.1} seconds on the clock", started.elapsed().as_secs_f64());
    if let Some(path) = &args.junit {
        let xml = junit::xml(&args.scenario, &reports);
        std::fs::write(path, xml).map_err(|error| format!("{path}: {error}"))?;
    }
    if let Some((seed, _)) = tally.failures.iter().min() {
        println!("to run the first that failed again:\n  {}", args.replay_command(*seed));
    }
    Ok(tally.failures.is_empty() && tally.runs() > 0)
}
