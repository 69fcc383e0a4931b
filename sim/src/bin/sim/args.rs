//! The command line.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use clap::Parser;
use helios::engine::Mutant;
use sim::run::Plan;
use sim::scenario::Scenario;

/// Runs whole servers, their network and their clients in virtual time, each run from one seed, and says what was
/// wrong. Every run has a process of its own.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    /// A scenario's name (see --list) or its file.
    #[arg(long, default_value = "storm")]
    pub(crate) scenario: String,
    /// Lists the scenarios that come along.
    #[arg(long)]
    pub(crate) list: bool,
    /// Runs this seed alone and says what happens.
    #[arg(long, conflicts_with = "seeds")]
    pub(crate) seed: Option<u64>,
    /// Runs these seeds, as in 1..100 (without the last).
    #[arg(long, value_parser = parse_range)]
    pub(crate) seeds: Option<Range<u64>>,
    /// Runs seeds for this long, as in 90s, 10m or 2h; from the first of --seeds, or 1.
    #[arg(long, value_parser = parse_duration)]
    pub(crate) time_budget: Option<Duration>,
    /// Runs at the same time.
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,
    /// With --seed: everything that happens goes to this file, `-` for stderr: every byte in the network, every call
    /// to a disk.
    #[arg(long)]
    pub(crate) trace: Option<String>,
    /// With --seed: looks for a shorter run with fewer faults that fails as well.
    #[arg(long)]
    pub(crate) shrink: bool,
    /// Runs each seed in two processes with other environments, and compares what happened.
    #[arg(long)]
    pub(crate) meta: bool,
    /// Leaves these faults out.
    #[arg(long, value_delimiter = ',')]
    pub(crate) without: Vec<usize>,
    /// Leaves all faults out but these; empty for all.
    #[arg(long, value_parser = parse_list)]
    pub(crate) only: Option<BTreeSet<usize>>,
    /// Virtual time until everything heals, in milliseconds.
    #[arg(long)]
    pub(crate) horizon_ms: Option<u64>,
    /// Plants a bug in every server, as in LogSync.
    #[arg(long)]
    pub(crate) mutant: Option<String>,
    /// Writes the outcome of each seed as JUnit XML.
    #[arg(long)]
    pub(crate) junit: Option<String>,
    /// One run for another process, which reads the report from stdout.
    #[arg(long, hide = true)]
    pub(crate) child: bool,
    /// Digests every traced event too.
    #[arg(long, hide = true)]
    pub(crate) events: bool,
}

impl Args {
    /// The run of a seed.
    ///
    /// # Errors
    /// If there is no such scenario or mutant.
    pub(crate) fn plan(&self, seed: u64) -> Result<Plan, String> {
        let scenario = match Scenario::named(&self.scenario) {
            Some(scenario) => scenario,
            None => {
                let text = std::fs::read_to_string(&self.scenario)
                    .map_err(|error| format!("no scenario `{}`, and no file: {error}", self.scenario))?;
                Scenario::parse(&text).map_err(|error| format!("{}: {error}", self.scenario))?
            }
        };
        let named = |name: &String| {
            let all = || Mutant::ALL.iter().chain(Mutant::CLUSTER);
            let known = all().find(|mutant| format!("{mutant:?}") == *name);
            known.copied().ok_or_else(|| format!("no mutant `{name}`: there are {:?}", all().collect::<Vec<_>>()))
        };
        Ok(Plan {
            scenario,
            seed,
            without: self.without.iter().copied().collect(),
            only: self.only.clone(),
            horizon: self.horizon_ms.map(Duration::from_millis),
            mutant: self.mutant.as_ref().map(named).transpose()?,
        })
    }

    /// The seeds of a batch; without an end if only a time says how many.
    pub(crate) fn seeds(&self) -> Result<Range<u64>, String> {
        match (&self.seeds, self.time_budget) {
            (Some(seeds), None) => Ok(seeds.clone()),
            (Some(seeds), Some(_)) => Ok(seeds.start..u64::MAX),
            (None, Some(_)) => Ok(1..u64::MAX),
            (None, None) => Err("give --seed, --seeds or --time-budget".to_owned()),
        }
    }

    /// What a process is given that runs `seed` as these arguments say.
    pub(crate) fn of_one_run(&self, seed: u64) -> Vec<String> {
        let mut arguments = vec!["--scenario".to_owned(), self.scenario.clone(), "--seed".to_owned(), seed.to_string()];
        let mut give = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if let Some(horizon_ms) = self.horizon_ms {
            give("--horizon-ms", horizon_ms.to_string());
        }
        if !self.without.is_empty() {
            give("--without", comma(self.without.iter()));
        }
        if let Some(only) = &self.only {
            give("--only", comma(only.iter()));
        }
        if let Some(mutant) = &self.mutant {
            give("--mutant", mutant.clone());
        }
        arguments
    }

    /// The one command that runs `seed` again.
    pub(crate) fn replay_command(&self, seed: u64) -> String {
        format!("cargo run --release -p sim -- {}", self.of_one_run(seed).join(" ").replace("--only  ", "--only '' "))
    }
}

fn comma<'a>(numbers: impl Iterator<Item = &'a usize>) -> String {
    numbers.map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("give a range as in 1..100")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("`{text}`: {error}"));
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err("the range is empty".to_owned()) } else { Ok(range) }
}

fn parse_list(text: &str) -> Result<BTreeSet<usize>, String> {
    let numbers = text.split(',').filter(|text| !text.is_empty());
    numbers.map(|text| text.parse().map_err(|error| format!("`{text}`: {error}"))).collect()
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let number: u64 = digits.parse().map_err(|error| format!("`{text}`: {error}"))?;
    match &text[digits.len()..] {
        "s" | "" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(60 * number)),
        "h" => Ok(Duration::from_secs(3_600 * number)),
        unit => Err(format!("`{unit}` is no unit: give s, m or h")),
    }
}
