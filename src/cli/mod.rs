//! The commands of `helios`.
//!
//! **Promise.** Every command says what it will do in `--help`, with examples; its errors are one line
//! that says what to do; its exit code is documented. Output is a table on a terminal, NDJSON in a pipe.
//! Text from logs never reaches a terminal as control characters.
//!
//! **Boundary.** The last room: it may use all others, and nothing uses it.

mod args;
pub mod client;
pub mod demo;
mod export;
mod ingest;
mod lines;
mod output;
mod remote;
mod search;
pub mod settings;
mod show_settings;
mod tail;

use std::fmt;
use std::process::ExitCode;

pub use args::{Arguments, Command};
use client::ClientError;

use crate::api::error::chain;
use crate::host::Host;

/// Runs a command to its end and returns the code to exit with. Says on standard error what went wrong.
pub async fn run(command: Command, host: Host) -> ExitCode {
    let done = match command {
        Command::Search(args) => search::run(host, args).await,
        Command::Tail(args) => tail::run(host, args).await,
        Command::Ingest(args) => ingest::run(host, args).await,
        Command::Export(args) => export::run(host, args).await,
        Command::Demo(args) => demo::run(host, args).await,
        Command::Settings(args) => show_settings::run(&args),
        Command::Completions { shell } => args::completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::say(&format!("helios: {failure}"));
            ExitCode::from(failure.code)
        }
    }
}

/// Why a command did not do all that it was asked to.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { code: EXIT_FAILED, message: message.into() }
    }

    fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let code = match error {
            ClientError::NoServer { .. } | ClientError::Broken { .. } => EXIT_NO_SERVER,
            ClientError::BadUrl { .. } | ClientError::Refused { .. } => EXIT_FAILED,
        };
        Self::with_code(code, chain(&error))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// The command could not do what it was asked to.
const EXIT_FAILED: u8 = 1;
/// No server answers, or the connection to it broke.
const EXIT_NO_SERVER: u8 = 3;
/// It was done, but not for everything: some lines were refused.
const EXIT_IN_PART: u8 = 4;
