//! Clients of control documents and leases on a simulated machine, over a store that loses, delays and refuses.
//!
//! **Promise.** A run follows from its seed. [`documents::run`] gives the history of each document, judged twice:
//! by the order in which the store made its generations ([`witness`]), and, if it is small, by a search that knows
//! nothing of that order ([`search`]). [`leases::run`] judges what is claimed of leases: that a term has one
//! holder, that a quiet cluster comes to one leader and stays there, that a dead one is replaced, that a run is
//! taken once.
//!
//! **Boundary.** Knows the control plane through what a node calls; the store's order is read from what
//! [`helios::chain::memory::MemoryStore`] remembers.

pub(crate) mod cluster;
pub mod documents;
pub mod history;
pub mod leases;
pub mod search;
pub mod witness;
