//! The integration tests, as one binary.

// Tests stand outside the server: they look at its files and start it as a process.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod http_server;
mod server;
mod tidy;
