//! One run in a process of its own, and how its parent starts and reads it.
//!
//! One seed a process, because some things count over a whole process (tokio's numbers of tasks) or are made once in
//! it: the second run in a process is not the first run of another.

use std::process::{Command, Stdio};
use std::time::Duration;

use sim::Digest;
use sim::run::{Report, run};
use sim::trace::Trace;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

use crate::args::Args;

/// Runs the seed and prints its report for the parent.
pub(crate) fn run_and_tell(args: &Args) -> Result<bool, String> {
    let plan = args.plan(args.seed.ok_or("--child needs --seed")?)?;
    std::thread::spawn(|| {
        std::thread::sleep(RUN_TIME_MAX);
        eprintln!("no end after {RUN_TIME_MAX:?}");
        std::process::exit(3);
    });
    let mut report = if args.events {
        let events = Digest::default();
        let subscriber = tracing_subscriber::registry().with(Trace::digested(events.clone()).with_filter(looked_at()));
        let mut report = tracing::subscriber::with_default(subscriber, || run(&plan));
        report.digest ^= events.value().rotate_left(1);
        report
    } else {
        run(&plan)
    };
    if let Some(failure) = &mut report.failure {
        *failure = failure.replace('\n', " ");
    }
    println!("{}", serde_json::to_string(&report).map_err(|error| error.to_string())?);
    Ok(report.failure.is_none())
}

/// The traced events that are compared: all of our own, and of libraries those that are not about single bytes, which
/// the digest of the network has anyway.
fn looked_at() -> Targets {
    let own = ["helios", "sim"].map(|target| (target, LevelFilter::TRACE));
    Targets::new().with_default(LevelFilter::DEBUG).with_targets(own)
}

/// Runs `seed` in a process of its own.
pub(crate) fn run_seed(args: &Args, seed: u64, change: impl FnOnce(&mut Command)) -> Report {
    let failed = |failure: String| Report { failure: Some(failure), ..Report::default() };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return failed(format!("this program does not know its own file: {error}")),
    };
    let mut command = Command::new(program);
    command.arg("--child").args(args.of_one_run(seed)).stdin(Stdio::null());
    change(&mut command);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return failed(format!("a process could not be started: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    match said.lines().last().and_then(|line| serde_json::from_str(line).ok()) {
        Some(report) => report,
        None => {
            let errors = String::from_utf8_lossy(&output.stderr);
            let errors: Vec<&str> = errors.lines().take(LINES_SHOWN).collect();
            failed(format!("the process ended ({}): {}", output.status, errors.join(" | ")))
        }
    }
}

/// A run is seconds; one that takes this long goes in circles.
const RUN_TIME_MAX: Duration = Duration::from_secs(900);
const LINES_SHOWN: usize = 6;
