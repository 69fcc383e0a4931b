//! Tests of the whole: the real server, started in this process on a free port with a folder of its own.

mod http_server;
mod server;
