//! The program `helios`: logging, the real machine, the command.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use helios::cli::{Arguments, Ready, log_to_stderr};
use helios::crypto::Random;
use helios::host::real;

fn main() -> ExitCode {
    let ready = match Ready::new(Arguments::parse().command) {
        Ok(ready) => ready,
        Err(failure) => return failure.report(),
    };
    log_to_stderr(ready.log_filter());
    match run(ready) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(%error, "the operating system gave no threads or no event loop");
            ExitCode::FAILURE
        }
    }
}

fn run(mut ready: Ready) -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("helios").build()?;
    let host = real::host_with_sockets(Arc::new(Random::new()), ready.cpu_workers(), ready.take_sockets())?;
    Ok(runtime.block_on(ready.run(host)))
}
