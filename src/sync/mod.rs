//! Concurrency made by hand: the few small things that tasks and threads share and that no library has as we need
//! them.
//!
//! **Promise.** Waiters are woken in the order in which they came, so that a simulation with the same seed takes the
//! same course. A wait may be given up at any time, and nobody waits for what has happened already. Every order in
//! which threads can meet here is tried by the models in `sim/models`, on this code.
//!
//! **Boundary.** Knows nothing of what it holds or of who runs it, and uses no room. Its parts name no lock but those
//! below. `sim/models` builds this room with the feature `loom`, and then they are loom's.

mod check;
mod flag;
mod latest;
mod published;
mod queue;
mod reclaim;
mod waiters;

#[cfg(feature = "loom")]
use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(feature = "loom"))]
use std::sync::{Arc, Mutex, MutexGuard};

#[cfg(feature = "loom")]
pub use check::Check;
pub use flag::{Flag, Raised};
pub use latest::{Latest, Teller, latest};
pub use published::Published;
pub use queue::{Outlet, Put, Queue, queue};
pub use reclaim::{Handle, Reclaim};

/// Takes a lock under which nothing panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic while held")
}
