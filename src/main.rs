//! The program `helios`: logging, the real machine, the command.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use helios::cli::{Arguments, Ready};
use helios::crypto::Random;
use helios::host::real;
use tracing_subscriber::EnvFilter;

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

fn run(ready: Ready) -> io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("helios").build()?;
    let host = real::host(Arc::new(Random::new()), ready.cpu_workers())?;
    Ok(runtime.block_on(ready.run(host)))
}

/// For people on a terminal, JSON for collectors elsewhere.
fn log_to_stderr(filter: &str) {
    let filter = EnvFilter::builder().parse_lossy(filter);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if io::stderr().is_terminal() {
        subscriber.with_target(false).init();
    } else {
        subscriber.json().flatten_event(true).init();
    }
}
