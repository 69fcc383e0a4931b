//! Tests of the whole, as one binary: the house's own rules, the oracle, and the real server, started in
//! this process on a free port with a folder of its own.

// Tests stand outside the server: they look at its files and start it as a process.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
// All of this is test code, helpers too.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod cli;
mod demo;
mod engine;
mod fuzz;
mod http_cancel;
mod http_cluster;
mod http_hostile;
mod http_ingest;
mod http_openapi;
mod http_reads;
mod http_server;
mod object_store;
mod oracle;
mod query_oracle;
mod query_reads;
mod query_results;
mod server;
mod service_manager;
mod shared_store;
mod tidy;
