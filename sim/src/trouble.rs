//! What goes wrong in a run, drawn before it begins.
//!
//! Each fault draws from a stream of its own, so that one can be left out without moving any other: that is what
//! makes a failing run shrink.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::rng::Rng;
use crate::scenario::Faults;

/// A kind of fault.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// `kill -9`; started again later.
    Crash,
    /// The power goes off, and on again later.
    PowerCut,
    /// The power goes off at one of the next disk calls.
    PowerCutAtACall,
    /// The server is told to end, and started again.
    Stop,
    /// A server and one client machine do not reach each other.
    CutFromClients,
    /// A machine and the object store do not reach each other.
    CutFromStore,
    /// What the store, or else a server, sends does not arrive; what is sent to it does.
    CutOneWay,
    /// What is sent between two machines arrives later, in a burst.
    Hold,
    /// A link is slow.
    SlowLink,
    /// A calendar jumps, by minutes or by days.
    ClockJump,
    /// A machine stands still, as a paused virtual machine does.
    Stall,
    /// A disk has hardly any room left.
    DiskFull,
    /// Some disk calls fail.
    DiskErrors,
    /// The object store fails before and after what it is asked, hangs, is slow, gives pages of one.
    StoreTrouble,
    /// Some changes reach the object store minutes or hours after their client gave up.
    StoreLate,
}

/// One fault of a run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Its place among the faults of its seed.
    pub index: usize,
    /// When it begins.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What it is.
    pub kind: FaultKind,
    /// Draws which machines it hits, and how hard.
    pub draw: u64,
}

/// The faults of a seed that begin before `horizon`. With a shorter horizon there are fewer, and those the same.
pub fn schedule(seed: u64, faults: &Faults, horizon: Duration) -> Vec<Fault> {
    let total: u64 = faults.weights.values().sum();
    let mut schedule = Vec::new();
    let mut at = FIRST_AFTER;
    if total == 0 {
        return schedule;
    }
    loop {
        let index = schedule.len();
        let mut rng = Rng::labelled(seed.wrapping_add((index as u64) << 32), "fault");
        at += between(&mut rng, faults.pause_ms);
        if at >= horizon {
            return schedule;
        }
        let kind = pick(&mut rng, &faults.weights, total);
        let lasts = between(&mut rng, faults.last_ms);
        schedule.push(Fault { index, at, lasts, kind, draw: rng.next_u64() });
    }
}

fn between(rng: &mut Rng, [least, most]: [u64; 2]) -> Duration {
    Duration::from_millis(rng.in_range(least..most + 1))
}

fn pick(rng: &mut Rng, weights: &BTreeMap<FaultKind, u64>, total: u64) -> FaultKind {
    let mut drawn = rng.in_range(0..total);
    for (&kind, &weight) in weights {
        match drawn.checked_sub(weight) {
            Some(rest) => drawn = rest,
            None => return kind,
        }
    }
    unreachable!("the draw is below the sum of all weights")
}

impl FaultKind {
    /// Its name, as a scenario writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::PowerCut => "power-cut",
            Self::PowerCutAtACall => "power-cut-at-a-call",
            Self::Stop => "stop",
            Self::CutFromClients => "cut-from-clients",
            Self::CutFromStore => "cut-from-store",
            Self::CutOneWay => "cut-one-way",
            Self::Hold => "hold",
            Self::SlowLink => "slow-link",
            Self::ClockJump => "clock-jump",
            Self::Stall => "stall",
            Self::DiskFull => "disk-full",
            Self::DiskErrors => "disk-errors",
            Self::StoreTrouble => "store-trouble",
            Self::StoreLate => "store-late",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, at, lasts, kind, .. } = self;
        write!(f, "#{index} {} at {:.2} s for {:.2} s", kind.name(), at.as_secs_f64(), lasts.as_secs_f64())
    }
}

/// Servers get to start before anything goes wrong.
const FIRST_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_shorter_horizon_gives_the_first_of_the_same_faults() {
        let faults = Scenario::named("storm").unwrap().faults;
        let long = schedule(7, &faults, Duration::from_secs(120));
        let short = schedule(7, &faults, Duration::from_secs(30));
        assert!(short.len() > 3 && long.len() > short.len());
        assert_eq!(short[..], long[..short.len()]);
        assert_ne!(schedule(8, &faults, Duration::from_secs(30)), short);
    }

    #[test]
    fn every_kind_with_a_weight_is_drawn_and_no_other() {
        let faults = Scenario::named("storm").unwrap().faults;
        let drawn: std::collections::BTreeSet<FaultKind> = (0..20)
            .flat_map(|seed| schedule(seed, &faults, Duration::from_secs(120)))
            .map(|fault| fault.kind)
            .collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), faults.weights.keys().copied().collect::<Vec<_>>());
        let calm = Scenario::named("calm").unwrap().faults;
        assert_eq!(schedule(1, &calm, Duration::from_secs(120)), []);
    }
}
