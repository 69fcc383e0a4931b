//! How runs went.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How one run went.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Report {
    /// The first thing that was wrong.
    pub failure: Option<String>,
    /// Of every byte in the network and every call to a disk, in their order.
    pub digest: u64,
    /// Virtual time.
    pub simulated: Duration,
    /// Processor time.
    pub cpu: Duration,
    /// Servers.
    pub nodes: u64,
    /// Lines by fate: acknowledged, refused, unknown.
    pub lines: [u64; 3],
    /// Faults that came, by kind.
    pub faults: BTreeMap<String, u64>,
    /// How often each thing was checked.
    pub checks: BTreeMap<String, u64>,
    /// What the object store was asked and did wrong.
    pub store: BTreeMap<String, u64>,
    /// How often the product passed places that a good set of runs passes. Filled by servers that count them.
    pub coverage: BTreeMap<String, u64>,
}

/// All runs of a batch together.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    runs: u64,
    sum: Report,
    server_seconds: f64,
    /// Seeds that failed, and why.
    pub failures: Vec<(u64, String)>,
}

impl Tally {
    /// Adds a run.
    pub fn add(&mut self, seed: u64, report: &Report) {
        self.runs += 1;
        self.server_seconds += report.simulated.as_secs_f64() * report.nodes as f64;
        self.sum.simulated += report.simulated;
        self.sum.cpu += report.cpu;
        for (sum, count) in self.sum.lines.iter_mut().zip(report.lines) {
            *sum += count;
        }
        add(&mut self.sum.faults, &report.faults);
        add(&mut self.sum.checks, &report.checks);
        add(&mut self.sum.store, &report.store);
        add(&mut self.sum.coverage, &report.coverage);
        if let Some(failure) = &report.failure {
            self.failures.push((seed, failure.clone()));
        }
    }

    /// Runs so far.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// The figures, for people.
    pub fn text(&self) -> String {
        let (simulated, cpu) = (self.sum.simulated.as_secs_f64(), self.sum.cpu.as_secs_f64());
        let per_cpu = if cpu > 0.0 { simulated / cpu } else { 0.0 };
        let [acknowledged, refused, unknown] = self.sum.lines;
        let mut text = format!(
            "{} runs, {} failed\n{simulated:.0} simulated seconds in {cpu:.1} CPU seconds: {per_cpu:.0} a CPU second; \
             {:.1} server hours\nlines: {acknowledged} acknowledged, {refused} refused, {unknown} without an answer\n",
            self.runs,
            self.failures.len(),
            self.server_seconds / 3_600.0,
        );
        for (title, counts) in [
            ("faults", &self.sum.faults),
            ("checks", &self.sum.checks),
            ("object store", &self.sum.store),
            ("coverage", &self.sum.coverage),
        ] {
            if !counts.is_empty() {
                text.push_str(title);
                text.push_str(":\n");
                counts.iter().for_each(|(name, count)| text.push_str(&format!("  {count:>9}  {name}\n")));
            }
        }
        text
    }
}

fn add(sum: &mut BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) {
    for (name, count) in counts {
        *sum.entry(name.clone()).or_default() += count;
    }
}
