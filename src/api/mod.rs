//! HTTP: routes, JSON shapes, status codes, the embedded page.
//!
//! **Promise.** Every answer is JSON of a documented shape; every error carries a stable code, a message
//! for the caller and the request's id, and keeps inside matters inside. One table declares each route
//! with its parameters and answer: the router and the OpenAPI document are both made from it. No read
//! happens without the [`access`] that the request was granted. A caller who hangs up ends the work.
//!
//! **Boundary.** Knows nothing of files or blocks; asks `engine`, `query` and `ingest`.

pub mod access;
mod admin;
mod app;
mod call;
mod cluster;
mod complete;
mod crypto;
pub mod csv;
mod ending;
pub mod error;
mod export;
mod ingest;
mod metrics;
mod nearest;
pub mod openapi;
mod page;
pub mod params;
mod place;
mod reads;
pub mod routes;
mod schema;
mod search_stream;
mod secure;
mod server;
mod sse;
mod status;
mod stream;
mod tail;

pub use app::{App, AppParts};
pub use error::ApiError;
pub use nearest::nearest;
pub use server::{ListenError, Secure, Server, announce};
