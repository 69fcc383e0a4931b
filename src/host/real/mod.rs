//! The real machine: tokio's runtime, the operating system's files and sockets, threads.
//!
//! **Promise.** No call of [`crate::host::Disk`] and no job of [`crate::host::CpuPool`] ever runs on a
//! thread of the async runtime: a slow `fdatasync` delays nobody who does not wait for it.
//!
//! **Boundary.** These modules are where the ban list of `clippy.toml` is lifted. They hold no logic of
//! the product.

mod clock;
mod cpu;
mod disk;
mod net;
mod pool;
mod service;
mod tasks;

use std::io;
use std::sync::Arc;

use super::{CpuPool, Entropy, Host};

pub use clock::RealClock;
pub use cpu::RealCpu;
pub use disk::RealDisk;
pub use net::RealNet;
pub use service::{HandedDown, ServiceManager};
pub use tasks::RealTasks;

/// The machine that this process runs on, with `workers` threads for CPU-bound work. Its tasks, timers
/// and sockets belong to the tokio runtime in which they are first used.
///
/// # Errors
/// If the operating system refuses to start a thread.
pub fn host(entropy: Arc<dyn Entropy>, workers: usize) -> io::Result<Host> {
    host_with_sockets(entropy, workers, HandedDown::default())
}

/// As [`host`], with the sockets that the process was handed.
///
/// # Errors
/// As [`host`].
pub fn host_with_sockets(entropy: Arc<dyn Entropy>, workers: usize, handed_down: HandedDown) -> io::Result<Host> {
    Ok(Host {
        clock: Arc::new(RealClock::new()),
        disk: Arc::new(RealDisk::new()?),
        remote_disk: Arc::new(RealDisk::remote()?),
        net: Arc::new(RealNet::new(handed_down)),
        entropy,
        tasks: Arc::new(RealTasks),
        cpu: CpuPool::new(Arc::new(RealCpu::new(workers)?)),
    })
}
