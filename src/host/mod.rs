//! The outside world as traits: clock, disk, network, entropy, tasks and the CPU pool.
//!
//! **Promise.** Every room below gets a [`Host`] and reaches time, files, sockets, randomness and
//! threads through nothing else, so that the same code runs on a real machine ([`real`]) and inside a
//! simulation that decides every one of those things by a seed.
//!
//! **Boundary.** This is the only room that touches std or tokio time, files, sockets, randomness or
//! threads; `clippy.toml` refuses them everywhere else. It names no crate of cryptography.

mod clock;
mod cpu;
mod disk;
mod entropy;
mod net;
pub mod real;
mod select;
mod tasks;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use clock::{Clock, UnixNanos};
pub use cpu::{Cost, Cpu, CpuPool};
pub use disk::{DirEntry, Disk, DiskFile, DiskLock, NotSynced};
pub use entropy::Entropy;
pub use net::{Listener, Net, Stream};
pub use tasks::{Task, TaskControl, Tasks};

/// A future that is boxed because it crosses a `dyn` seam. Nothing that runs once a row does.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything the outside world offers, as one cheap handle.
#[derive(Clone)]
pub struct Host {
    /// Monotonic and wall time, and sleeping.
    pub clock: Arc<dyn Clock>,
    /// Files and folders.
    pub disk: Arc<dyn Disk>,
    /// The same paths, for folders that may lie on another machine: a call that hangs there holds up no call of `disk`,
    /// and ends with [`std::io::ErrorKind::TimedOut`] after a while. Then it may still happen.
    pub remote_disk: Arc<dyn Disk>,
    /// Listening and connecting.
    pub net: Arc<dyn Net>,
    /// Random bytes. Fork it before drawing, so that a new draw in one place shifts no other.
    pub entropy: Arc<dyn Entropy>,
    /// Background tasks.
    pub tasks: Arc<dyn Tasks>,
    /// Work that burns CPU for longer than a millisecond.
    pub cpu: CpuPool,
}
