//! What clients sent and were told, and whether what is found agrees with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::rng::{hash, mix};

/// What became of an event, as far as its client knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// Found exactly once from now on.
    Acknowledged,
    /// Never found.
    Refused,
    /// Found at most once.
    Unknown,
}

/// Every line that was ever sent.
#[derive(Default)]
pub(super) struct Ledger(Mutex<State>);

#[derive(Default)]
struct State {
    lines: BTreeMap<String, Fate>,
    searches: usize,
    digest: u64,
}

impl Ledger {
    /// Lines go out: from now on they may turn up.
    pub(super) fn sent(&self, lines: &[String]) {
        let mut state = self.lock();
        for line in lines {
            assert!(state.lines.insert(line.clone(), Fate::Unknown).is_none(), "no two lines of a run are alike");
        }
    }

    /// An answer came.
    pub(super) fn told(&self, lines: &[String], fate: Fate) {
        let mut state = self.lock();
        for line in lines {
            state.lines.insert(line.clone(), fate);
            state.digest = mix(state.digest.rotate_left(7) ^ hash(line.as_bytes()) ^ fate as u64);
        }
    }

    /// A search was answered that had to find `lines`, which were acknowledged before it began.
    pub(super) fn searched(&self, lines: &[String], found: &[String]) -> Result<(), String> {
        self.lock().searches += 1;
        for line in lines {
            let times = found.iter().filter(|other| *other == line).count();
            if times != 1 {
                return Err(format!("acknowledged and found {times} times right afterwards: {line}"));
            }
        }
        Ok(())
    }

    /// Judges all that a server finds once nothing is under way.
    pub(super) fn judge(&self, found: &[String]) -> Result<(), String> {
        let state = self.lock();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for line in found {
            *times.entry(line).or_default() += 1;
        }
        for (line, times) in &times {
            match state.lines.get(*line) {
                None => return Err(format!("found and never sent: {line}")),
                Some(Fate::Refused) => return Err(format!("refused and found: {line}")),
                Some(_) if *times > 1 => return Err(format!("found {times} times: {line}")),
                Some(_) => {}
            }
        }
        let lost =
            state.lines.iter().find(|(line, fate)| **fate == Fate::Acknowledged && !times.contains_key(&***line));
        lost.map_or(Ok(()), |(line, _)| Err(format!("acknowledged and lost: {line}")))
    }

    /// Acknowledged, unknown and refused lines.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let state = self.lock();
        let count = |fate| state.lines.values().filter(|other| **other == fate).count();
        (count(Fate::Acknowledged), count(Fate::Unknown), count(Fate::Refused))
    }

    pub(super) fn searches(&self) -> usize {
        self.lock().searches
    }

    pub(super) fn digest(&self) -> u64 {
        self.lock().digest
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under the lock of the ledger")
    }
}
