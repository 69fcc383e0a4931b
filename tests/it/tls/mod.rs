//! TLS against another implementation: what must be accepted is, what must be refused is, on the way in and on the way
//! out. The other side is the program `openssl`; without it these tests fail.

mod authority;
mod client;
mod groups;
mod pair;
mod server;

pub(crate) use authority::{Authority, EC};
