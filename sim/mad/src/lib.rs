//! A second simulator. The first one (`sim`) draws faults of the disk at every call; this one runs whole servers with
//! their clients over a simulated network, and nodes that share a store, and draws before each step which of the tasks
//! that can run does.
//!
//! **Promise.** The same seed and the same code take the same course ([`Outcome::digest`] says so). The engine, the
//! routes and the control plane are those of the product, unchanged: they see a [`helios::host::Host`] of madsim's.
//!
//! **Boundary.** A workspace of its own: madsim replaces functions of libc, and no other simulator may stand in the same
//! binary. What both simulators need (disk, entropy, the judgement) is `sim`'s own source, built once more here.

#![allow(missing_docs, reason = "parts of `sim` are built here under other names")]

mod clock;
pub mod cluster;
pub mod control;
mod cpu;
#[path = "../../src/disk/mod.rs"]
pub mod disk;
#[path = "../../src/entropy.rs"]
mod entropy;
mod host;
#[path = "../../src/rng.rs"]
mod rng;
pub mod server;
mod world;

use std::time::Duration;

pub use entropy::SeededEntropy;
pub use rng::Rng;

/// What decides how a run goes.
#[derive(Clone, Copy, Debug)]
pub struct Seeds {
    /// The order of tasks, and how long messages take.
    pub schedule: u64,
    /// Everything else: what is sent, what goes wrong and when, the fate of what was not synced.
    pub workload: u64,
}

impl Seeds {
    /// Both from one number.
    pub fn both(seed: u64) -> Self {
        Self { schedule: seed, workload: seed }
    }
}

/// Runs `main` on madsim, on a thread of its own: what a thread keeps from one run must not reach the next.
///
/// # Errors
/// What `main` found wrong, or the panic of any task.
pub fn simulate<T: Send + 'static, F: Future<Output = Result<T, String>> + 'static>(
    schedule: u64,
    network: Network,
    main: impl FnOnce() -> F + Send + 'static,
) -> Result<T, String> {
    let run = move || {
        let mut config = madsim::Config::default();
        config.net.send_latency = match network {
            Network::Uneven => Duration::from_micros(50)..Duration::from_millis(5),
            Network::Even => Duration::from_millis(1)..Duration::from_nanos(1_000_001),
        };
        let mut runtime = madsim::runtime::Runtime::with_seed_and_config(schedule, config);
        runtime.set_time_limit(VIRTUAL_TIME_MAX);
        runtime.block_on(main())
    };
    #[allow(clippy::disallowed_methods, reason = "the thread is outside of the simulation")]
    let thread = std::thread::spawn(run);
    thread.join().unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into())).unwrap_or_else(|| "a panic".into()))
    })
}

/// How long messages take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Network {
    /// A time that is drawn for each.
    Uneven,
    /// All the same: then nothing but the order of tasks differs from schedule to schedule.
    Even,
}

/// A run that is not over by then waits for what never comes.
const VIRTUAL_TIME_MAX: Duration = Duration::from_secs(3_600);
