//! The commands of `helios`.
//!
//! **Promise.** Every command says what it will do in `--help`, with examples; its errors are one line
//! that says what to do; its exit code is documented. Output is a table on a terminal, NDJSON in a pipe.
//! Text from logs never reaches a terminal as control characters.
//!
//! **Boundary.** The last room: it may use all others, and nothing uses it.

mod args;
mod block;
mod bundle;
pub mod client;
mod crypto;
pub mod demo;
mod export;
mod ingest;
mod lines;
mod logging;
mod offline;
mod output;
mod remote;
mod search;
mod serve;
pub mod settings;
mod show_settings;
mod store;
mod tail;
mod verify;

use std::fmt;
use std::process::ExitCode;

pub use args::{Arguments, Command};
use args::{FipsCommand, KeyCommand};
use client::ClientError;
pub use logging::log_to_stderr;

use crate::api::error::chain;
use crate::host::Host;
use crate::host::real::HandedDown;

/// A command that is ready to run.
pub struct Ready {
    command: Command,
    serve: Option<serve::Plan>,
    handed_down: HandedDown,
}

impl Ready {
    /// Reads what the command needs before there is a host.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn new(command: Command) -> Result<Self, Failure> {
        let mut handed_down = HandedDown::default();
        let serve = match &command {
            Command::Serve(args) => {
                let (mut settings, _, notices) = show_settings::load(args)?;
                handed_down = HandedDown::take()?;
                if let Some(address) = handed_down.address() {
                    (settings.host, settings.port) = (address.ip(), address.port());
                }
                Some(serve::Plan::new(settings, notices)?)
            }
            _ => None,
        };
        Ok(Self { command, serve, handed_down })
    }

    /// The sockets that the service manager handed to `helios serve`; the second time none.
    pub fn take_sockets(&mut self) -> HandedDown {
        std::mem::take(&mut self.handed_down)
    }

    /// Threads for work that burns CPU.
    pub fn cpu_workers(&self) -> usize {
        let asked = self.serve.as_ref().and_then(|plan| plan.settings.query_threads);
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        asked.map_or_else(cores, |threads| usize::try_from(threads).unwrap_or(usize::MAX))
    }

    /// Which messages go to standard error.
    pub fn log_filter(&self) -> &str {
        self.serve.as_ref().map_or("warn", |plan| &plan.settings.log)
    }

    /// Runs the command to its end and returns the code to exit with. Says on standard error what went
    /// wrong.
    pub async fn run(self, host: Host) -> ExitCode {
        let report = match (!self.command.may_run_unchecked()).then(crypto::checked).transpose() {
            Ok(report) => report,
            Err(failure) => return failure.report(),
        };
        let done = match (self.command, self.serve) {
            (Command::Serve(_), Some(plan)) => serve::run(host, plan, report.expect("it is no exception")).await,
            (Command::Serve(_), None) => unreachable!("a plan was made for it"),
            (Command::Demo(args), _) => demo::run(host, args).await,
            (Command::Search(args), _) => search::run(host, args).await,
            (Command::Tail(args), _) => tail::run(host, args).await,
            (Command::Ingest(args), _) => ingest::run(host, args).await,
            (Command::Export(args), _) => export::run(host, args).await,
            (Command::Verify(args), _) => verify::run(host, args).await,
            (Command::Store(command), _) => store::run(host, command).await,
            (Command::Block(command), _) => block::run(&command),
            (Command::Bundle(command), _) => bundle::run(&command),
            (Command::Fips(FipsCommand::Status { json }), _) => crypto::status(json),
            (Command::Key(KeyCommand::New { path }), _) => crypto::new_key(&host, &path).await,
            (Command::Settings(args), _) => show_settings::run(&args),
            (Command::Completions { shell }, _) => args::completions(shell),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(),
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

impl Failure {
    /// Says it on standard error, in one line, and gives the code to exit with.
    pub fn report(&self) -> ExitCode {
        output::say(&format!("helios: {self}"));
        ExitCode::from(self.code)
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
/// The cryptography is not as it must be. `EX_CONFIG` of sysexits, which systemd is told not to start again after.
const EXIT_CRYPTO: u8 = 78;
/// It was done, but not for everything: some lines were refused.
const EXIT_IN_PART: u8 = 4;
