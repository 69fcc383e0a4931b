//! A scenario: topology, workload and faults, as a small TOML file. What it gives as a range, a seed draws.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::trouble::FaultKind;

/// What is run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, which is that of its file.
    pub name: String,
    /// What it looks at, in a sentence.
    pub about: String,
    /// The machines.
    pub topology: Topology,
    /// What clients do.
    pub workload: Workload,
    /// What goes wrong.
    pub faults: Faults,
}

/// The machines of a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Servers, at least and at most.
    pub nodes: [u64; 2],
    /// Whether there is an object store beside them.
    #[serde(default)]
    pub store: bool,
    /// Whether the servers share it: then each comes to have what all of them took.
    #[serde(default)]
    pub cluster: bool,
    /// Virtual time between two looks at the network; one is drawn.
    pub tick_ms: Vec<u64>,
    /// The longest that a message is under way in good times; one is drawn.
    pub latency_ms: Vec<u64>,
}

/// What clients do in a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Virtual time until everything heals.
    pub seconds: u64,
    /// Client machines, at least and at most.
    pub clients: [u64; 2],
    /// Writers on each of them.
    pub writers: [u64; 2],
    /// Pause of a writer between two requests, at least and at most.
    pub pause_ms: [u64; 2],
    /// Lines of a batch at most. More than 20 would be refused without the number of each.
    pub lines_max: u64,
    /// Indexes.
    pub indexes: u64,
    /// Days over which events are spread.
    pub days: u64,
    /// Clients that commit to chains in the object store.
    #[serde(default)]
    pub chain_writers: u64,
}

/// What goes wrong in a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Time from one fault to the next, at least and at most.
    pub pause_ms: [u64; 2],
    /// How long one lasts, at least and at most.
    pub last_ms: [u64; 2],
    /// How often each kind is drawn, against the others.
    pub weights: BTreeMap<FaultKind, u64>,
}

impl Scenario {
    /// Reads a scenario's text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let scenario: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let ranges = [
            ("nodes", scenario.topology.nodes),
            ("clients", scenario.workload.clients),
            ("writers", scenario.workload.writers),
            ("workload.pause_ms", scenario.workload.pause_ms),
            ("faults.pause_ms", scenario.faults.pause_ms),
            ("last_ms", scenario.faults.last_ms),
        ];
        if let Some((name, [least, most])) = ranges.into_iter().find(|(_, [least, most])| least > most) {
            return Err(format!("`{name}` from {least} to {most} is no range"));
        }
        let lines_max = scenario.workload.lines_max;
        if !(1..=LINES_MAX).contains(&lines_max) {
            return Err(format!("`lines_max` is from 1 to {LINES_MAX}"));
        }
        if scenario.topology.tick_ms.is_empty() || scenario.topology.latency_ms.is_empty() {
            return Err("`tick_ms` and `latency_ms` name at least one value".to_owned());
        }
        if scenario.topology.nodes[0] == 0 || scenario.workload.indexes == 0 || scenario.workload.days == 0 {
            return Err("there is at least one node, one index and one day".to_owned());
        }
        Ok(scenario)
    }

    /// One of those that come with the program.
    pub fn named(name: &str) -> Option<Self> {
        let text = TEXTS.iter().find(|text| Self::parse(text).is_ok_and(|scenario| scenario.name == name))?;
        Self::parse(text).ok()
    }

    /// Those that come with the program.
    ///
    /// # Panics
    /// If one of them cannot be read.
    pub fn all() -> Vec<Self> {
        TEXTS.iter().map(|text| Self::parse(text).expect("a scenario of our own can be read")).collect()
    }
}

const TEXTS: &[&str] = &[
    include_str!("../scenarios/calm.toml"),
    include_str!("../scenarios/storm.toml"),
    include_str!("../scenarios/power.toml"),
    include_str!("../scenarios/store.toml"),
    include_str!("../scenarios/cluster.toml"),
    include_str!("../scenarios/day.toml"),
    include_str!("../scenarios/cluster-day.toml"),
];

/// An answer names the first 20 lines that it refused.
const LINES_MAX: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenarios_that_come_along_are_sound_and_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = Scenario::all().into_iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), TEXTS.len());
        for name in names {
            assert_eq!(Scenario::named(&name).unwrap().name, name);
        }
        assert!(Scenario::named("nobody").is_none());
    }

    #[test]
    fn a_scenario_that_makes_no_sense_says_why() {
        let text = TEXTS[0].replace("nodes = [1, 3]", "nodes = [3, 1]");
        assert!(Scenario::parse(&text).unwrap_err().contains("`nodes` from 3 to 1"));
        assert!(Scenario::parse(&format!("{}\n[more]\n", TEXTS[0])).is_err());
    }
}
