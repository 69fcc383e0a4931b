//! TLS, in and out, by rustls on the module.
//!
//! **Promise.** TLS 1.3 and 1.2 with AES-GCM, over P-256, P-384 or X25519 with ML-KEM, and with an extended master
//! secret: nothing else is spoken, in a FIPS build and in any other ([`policy`]). What was negotiated is counted.
//!
//! **Boundary.** Certificates of servers are checked against the roots that the caller gives, and against nothing else.
//! rustls calls the module itself: that each connection stands on it is asked of rustls, not of the service indicator.

mod client;
mod pair;
pub mod policy;
mod server;
mod tally;
mod validity;

pub use client::Client;
pub use pair::{Pair, PairError};
pub use server::{Reload, Server};
pub use tally::{Negotiated, Tally};
pub use validity::{Lasting, SOON_DAYS, Validity};
