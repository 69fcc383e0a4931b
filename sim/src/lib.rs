//! A machine that exists in memory only: its clock, its scheduler, its disk and its chance follow one
//! seed, so that a failure found once can be run again.
//!
//! **Promise.** The same seed and the same code make the same calls in the same order with the same
//! answers ([`World::digest`] says so). Nothing waits: an hour of virtual time costs what happens in it.
//!
//! **Boundary.** No thread, no file, no clock of the real machine. A world runs on the thread that calls
//! [`World::run`]; worlds share nothing, so that a test may run one per thread.

mod clock;
pub mod cluster;
pub mod control;
mod cpu;
mod digest;
pub mod disk;
mod entropy;
pub mod fleet;
pub mod leaks;
mod net;
pub mod powercut;
mod rng;
pub mod run;
pub mod s3;
pub mod scenario;
pub mod trace;
pub mod trouble;
pub mod workload;
mod world;

/// A third of a simulation's time goes by in an allocator. No run depends on addresses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use digest::Digest;
pub use disk::{DiskFault, FaultPlan, SimDisk, Storage};
pub use entropy::SeededEntropy;
pub use rng::Rng;
pub use world::{Ended, World};
