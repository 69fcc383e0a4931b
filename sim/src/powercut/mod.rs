//! Lives that end in a power cut, and the judgement over what came back.
//!
//! **Promise.** A run is (seed, cut): the seed draws the workload and the fate of each un-synced write,
//! the cut is the number of the disk call at which the power goes off. [`run`] says whether everything
//! that was acknowledged came back exactly once; [`campaign`] runs every cut point of as many workloads
//! as it takes, and counts both.
//!
//! **Boundary.** Knows the engine through [`Subject`] only, so that the judgement is tested on small
//! subjects with known bugs.

mod campaign;
pub(crate) mod engine;
pub(crate) mod model;
mod script;
#[cfg(test)]
mod toy;

pub use campaign::{Campaign, Tally, Trouble, campaign};
pub use engine::{EngineSubject, drawn_settings};
pub use model::{Fate, Model};
pub use script::{Failure, Outcome, Run, run};

use std::future::Future;
use std::path::Path;

use helios::event::EventId;
use helios::host::Host;

/// Where the data directory of every simulated machine is.
pub const ROOT: &str = "/srv/helios";

/// Days before today that are kept.
pub const RETENTION_DAYS: u32 = 2;

/// What is tested: a server's engine, as its clients see it.
pub trait Subject: Send + Sync + Sized + 'static {
    /// What a run may vary: sizes, intervals, a deliberate bug.
    type Settings: Clone + Send + Sync;

    /// Starts on the data directory `root`, whatever an earlier life left there.
    fn start(host: &Host, root: &Path, settings: &Self::Settings) -> impl Future<Output = Result<Self, String>> + Send;

    /// Sends one batch and waits for the answer.
    fn ingest(&self, batch: &[Sent]) -> impl Future<Output = Answer> + Send;

    /// Puts everything that is only in log and memory into blocks.
    fn flush(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Merges blocks where the settings ask for it.
    fn compact(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Removes the days that lie more than [`RETENTION_DAYS`] back.
    fn retain(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Every event that a search without a filter finds now.
    fn events(&self) -> impl Future<Output = Result<Vec<Found>, String>> + Send;

    /// Ends in order.
    fn stop(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Checks every stored byte of a directory on which nothing runs.
    fn verify(host: &Host, root: &Path, settings: &Self::Settings) -> impl Future<Output = Result<(), String>> + Send;
}

/// A line as a client sends it.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The index that it is meant for.
    pub index: &'static str,
    /// Its time, nanoseconds since 1970.
    pub time_ns: i64,
    /// Its bytes; no two lines of a run are alike.
    pub raw: String,
}

/// What a client was told about its batch.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Each line's id, or that this line was refused. Durable and searchable.
    Acknowledged(Vec<Option<EventId>>),
    /// Nothing of it was taken.
    Refused,
    /// No answer that says anything.
    Unknown,
}

/// An event as a search shows it.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its id.
    pub id: EventId,
    /// The index in which it was found.
    pub index: String,
    /// The day of the partition in which it was found, since 1970-01-01.
    pub day: i32,
    /// Its time, nanoseconds since 1970.
    pub time_ns: i64,
    /// Its bytes.
    pub raw: Vec<u8>,
}
