//! What clients do over HTTP, what they were told, and whether what is found agrees with it.
//!
//! **Boundary.** Knows the servers by their routes only; the commits to chains in the store are made by the
//! product's own client of it.

mod chains;
mod history;
mod http;
mod reader;
mod writer;

pub use chains::{Chains, commit_to_chains};
pub use history::{Expectation, Fate, Found, History, Home, Lines, Wrong};
pub use http::{Answer, Http, NoAnswer};
pub use reader::{Look, everything_on, judge_node};
pub use writer::{WriterPlan, write};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says when the workload is over.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// It is over.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
