//! Machines in one network, over turmoil: the `Host` family on which whole servers are simulated.
//!
//! **Promise.** One thread, virtual time, one seed: the same seed makes the same calls with the same bytes in the
//! same order ([`crate::Digest`] says so), in any process. A [`Machine`] keeps its disk and its place in the network
//! over lives; what a life gets is a [`helios::host::Host`].
//!
//! **Boundary.** Knows nothing of what runs on the machines. turmoil moves bytes and time; the disk is the one of
//! [`crate::disk`], because turmoil's own cannot tear, reorder or lie.

mod clock;
mod cpu;
mod machine;
mod net;
mod network;
mod tasks;

pub use machine::{Life, Machine, Make};
pub use net::Names;
pub use network::{Fleet, Setup, now};
