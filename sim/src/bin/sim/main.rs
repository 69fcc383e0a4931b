//! `sim`: runs whole servers, their network and their clients in virtual time, and says what was wrong.
//!
//! Exit codes: 0 if every run was right, 1 if one was not, 2 for a command that makes no sense.

// The runner is a program on a real machine: it starts processes, reads the clock and prints.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]

mod args;
mod batch;
mod child;
mod junit;
mod meta;
mod shrink;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;
use sim::run::{Tally, run};
use sim::trace::Trace;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    match command(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(usage) => {
            eprintln!("error: {usage}");
            ExitCode::from(2)
        }
    }
}

/// Whether every run was right.
fn command(args: &Args) -> Result<bool, String> {
    if args.list {
        for scenario in sim::scenario::Scenario::all() {
            println!("{:10} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    if args.child {
        return child::run_and_tell(args);
    }
    match (args.meta, args.shrink, args.seed) {
        (true, _, Some(seed)) => meta::compare(args, &[seed]),
        (true, _, None) => meta::compare(args, &args.seeds()?.collect::<Vec<_>>()),
        (_, true, Some(seed)) => shrink::shrink(args, seed),
        (_, true, None) => Err("--shrink needs --seed".to_owned()),
        (_, _, Some(seed)) => replay(args, seed),
        _ => batch::run(args),
    }
}

/// One run, in this process, with what happens on stderr or in a file.
fn replay(args: &Args, seed: u64) -> Result<bool, String> {
    let plan = args.plan(seed)?;
    let (writer, level): (Box<dyn Write + Send>, _) = match args.trace.as_deref() {
        None => (Box::new(std::io::stderr()), LevelFilter::INFO),
        Some("-") => (Box::new(BufWriter::new(std::io::stderr())), LevelFilter::TRACE),
        Some(path) => {
            let file = File::create(path).map_err(|error| format!("{path}: {error}"))?;
            (Box::new(BufWriter::new(file)), LevelFilter::TRACE)
        }
    };
    let subscriber = tracing_subscriber::registry().with(level).with(Trace::to(writer));
    let report = tracing::subscriber::with_default(subscriber, || run(&plan));
    let mut tally = Tally::default();
    tally.add(seed, &report);
    print!("{}", tally.text());
    println!("digest {:016x}", report.digest);
    match &report.failure {
        None => Ok(true),
        Some(failure) => {
            println!("seed {seed} failed: {failure}\n{}", args.replay_command(seed));
            Ok(false)
        }
    }
}
