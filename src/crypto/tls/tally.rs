//! What was negotiated, counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::CommonState;

/// What a connection speaks.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Negotiated {
    /// The version of the protocol.
    pub version: &'static str,
    /// The suite.
    pub suite: &'static str,
    /// The group of the key exchange; `resumed` where there was none.
    pub group: &'static str,
}

/// Counts of connections since the start of the process.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: BTreeMap<Negotiated, u64>,
    refused: u64,
}

impl Negotiated {
    fn of(connection: &CommonState) -> Self {
        let version = connection.protocol_version().and_then(|version| version.as_str());
        let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        let group = connection.negotiated_key_exchange_group().map(|group| group.name().as_str());
        Self {
            version: version.unwrap_or("unknown"),
            suite: suite.unwrap_or("unknown"),
            group: group.map_or("resumed", |name| name.unwrap_or("unknown")),
        }
    }
}

impl Tally {
    /// Counts a connection whose handshake is done.
    pub(super) fn done(&self, connection: &CommonState) {
        *self.lock().done.entry(Negotiated::of(connection)).or_default() += 1;
    }

    /// Counts a handshake that failed or did not end.
    pub(super) fn refused(&self) {
        self.lock().refused += 1;
    }

    /// The counts of what was negotiated, and how many handshakes failed.
    pub fn counts(&self) -> (Vec<(Negotiated, u64)>, u64) {
        let counts = self.lock();
        (counts.done.iter().map(|(what, count)| (*what, *count)).collect(), counts.refused)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Each change is one addition: there is nothing half done to see.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
