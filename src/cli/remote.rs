//! What all commands do that ask a server.

use super::Failure;
use super::args::{RangeArgs, ServerArgs};
use super::client::Client;
use crate::host::Host;

/// A client of the server that the arguments or `HELIOS_URL` name.
pub(super) fn client(host: Host, server: &ServerArgs) -> Result<Client, Failure> {
    let from_variable = std::env::var("HELIOS_URL").ok();
    let url = server.url.clone().or(from_variable).unwrap_or_else(|| DEFAULT_URL.to_owned());
    Ok(Client::new(host, &url)?)
}

/// Parameters of a request, collected from arguments.
#[derive(Default)]
pub(super) struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    pub(super) fn new(query: &[String], server: &ServerArgs) -> Self {
        Self::default().with("q", query.join(" ")).with("env", server.env.clone())
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<Option<String>>) -> Self {
        if let Some(value) = value.into().filter(|value| !value.is_empty()) {
            self.0.push((name, value));
        }
        self
    }

    pub(super) fn range(self, range: &RangeArgs) -> Self {
        self.with("index", range.index.clone())
            .with("start", range.start.clone().or_else(|| since(range)))
            .with("end", range.end.clone())
            .with("sort", range.sort.clone())
            .with("tz", range.tz.clone())
    }

    pub(super) fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// `--since 1h` as a start.
pub(super) fn since(range: &RangeArgs) -> Option<String> {
    range.since.as_ref().map(|since| format!("-{}", since.trim_start_matches('-')))
}

const DEFAULT_URL: &str = "http://127.0.0.1:7300";
