//! HeliosLogs: a log search server that loses nothing.
//!
//! The rooms and the arrows between them are described in `ARCHITECTURE.md`; `tests/it/tidy.rs` holds
//! them. Start at [`engine`] for how an event becomes durable and at [`query`] for how it is found.

pub mod api;
pub mod block;
pub mod chain;
pub mod cli;
pub mod cluster;
pub mod control;
pub mod crypto;
pub mod engine;
pub mod event;
pub mod host;
pub mod ingest;
pub mod node;
pub mod query;
pub mod sync;
