//! An object store that speaks S3, as a machine in the fleet: real HTTP, reached by the real client.
//!
//! **Promise.** In order, it does what a store must (`chain::conformance` runs against it): a create with
//! `If-None-Match: *` wins once, a listing shows what was created before it began, sorted by name. Out of order
//! ([`Faults`]) it fails as stores do: before or after the change, without a word, slowly, hours late. It never lies
//! about what it did, unless a [`Lie`] asks for it. It keeps the order in which objects were made and deleted.
//!
//! **Boundary.** Signatures are there and not checked: no secret is at stake. No buckets but one, no multipart.

mod bucket;
mod client;
mod list;
mod server;

pub use bucket::{Bucket, Change, Counters, Faults, Lie, Made};
pub use client::{client, settings};
pub use server::{PORT, serve};
