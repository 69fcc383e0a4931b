//! The command line: what can be said, and its help.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::settings::SettingFlags;
use super::{Failure, output};

/// A log search server that loses nothing.
#[derive(Debug, Parser)]
#[command(name = "helios", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `helios` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a server
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ConfigArgs),
    /// Search events, on a server or straight on a data directory
    #[command(after_help = SEARCH_EXAMPLES)]
    Search(SearchArgs),
    /// Show matching events as they arrive
    #[command(after_help = "Example:\n  helios tail 'level:error'")]
    Tail(TailArgs),
    /// Send log files to a server
    #[command(after_help = INGEST_EXAMPLES)]
    Ingest(IngestArgs),
    /// Write all matches to standard output or a file, without a cap
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(ExportArgs),
    /// Make up the logs of a small shop, with a story to be found in them
    #[command(after_help = super::demo::EXAMPLES)]
    Demo(super::demo::DemoArgs),
    /// Check a data directory offline, or a shared store: every chain, every checksum
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Repair what several nodes share
    #[command(subcommand)]
    Store(StoreCommand),
    /// Look into a block file
    #[command(subcommand)]
    Block(BlockCommand),
    /// Check an offline upgrade bundle before anything of it is used
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// The cryptographic module that this binary is built on
    #[command(subcommand)]
    Fips(FipsCommand),
    /// The key of the control plane's documents
    #[command(subcommand)]
    Key(KeyCommand),
    /// Show every setting, its value and where it comes from
    #[command(after_help = "Example:\n  HELIOS_PORT=7400 helios settings --config helios.toml")]
    Settings(SettingsArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  helios completions bash > /etc/bash_completion.d/helios")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Where the server is.
#[derive(Args, Clone, Debug)]
pub struct ServerArgs {
    /// The server [default: http://127.0.0.1:7300] [HELIOS_URL]
    #[arg(long)]
    pub url: Option<String>,
    /// The environment
    #[arg(long, default_value = "default")]
    pub env: String,
}

/// Which events.
#[derive(Args, Clone, Debug)]
pub struct RangeArgs {
    /// Indexes, separated by commas, with * and ?
    #[arg(long)]
    pub index: Option<String>,
    /// How far back: 15m, 1h, 7d
    #[arg(long, conflicts_with = "start")]
    pub since: Option<String>,
    /// Earliest time, inclusive: RFC 3339, epoch, or relative (-15m, -1d@d)
    #[arg(long, allow_hyphen_values = true)]
    pub start: Option<String>,
    /// Latest time, exclusive
    #[arg(long, allow_hyphen_values = true)]
    pub end: Option<String>,
    /// Order of the hits: -latency_ms,service
    #[arg(long, allow_hyphen_values = true)]
    pub sort: Option<String>,
    /// Time zone in which days begin
    #[arg(long)]
    pub tz: Option<String>,
}

/// How answers are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// One JSON object a line
    Ndjson,
    /// Comma-separated values with a head line
    Csv,
}

/// `helios search`
#[derive(Args, Debug)]
pub struct SearchArgs {
    /// The query; several words are joined by blanks
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub server: ServerArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    /// Most hits
    #[arg(long, default_value_t = 100)]
    pub limit: u32,
    /// How to write the answer [default: table on a terminal, ndjson in a pipe]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Search this data directory itself; no server may be using it
    #[arg(long, conflicts_with = "url")]
    pub data_dir: Option<PathBuf>,
    /// Say what was left out and why, what was read, and where the time went
    #[arg(long)]
    pub explain: bool,
}

/// `helios tail`
#[derive(Args, Debug)]
pub struct TailArgs {
    /// The query; several words are joined by blanks
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub server: ServerArgs,
    /// Indexes, separated by commas, with * and ?
    #[arg(long)]
    pub index: Option<String>,
    /// How to write events [default: table on a terminal, ndjson in a pipe]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
}

/// What a file's lines are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LineFormat {
    /// JSON if the first line is an object, else text
    Auto,
    /// One JSON object a line
    Json,
    /// A line is a message
    Text,
}

/// `helios ingest`
#[derive(Args, Debug)]
pub struct IngestArgs {
    /// Files, plain or compressed (.gz, .zst); `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub server: ServerArgs,
    /// The index, or a template such as app-{{service}}
    #[arg(long)]
    pub index: Option<String>,
    /// The source of events that name none; the file's name for text
    #[arg(long)]
    pub source: Option<String>,
    /// What the lines are
    #[arg(long, value_enum, default_value_t = LineFormat::Auto)]
    pub format: LineFormat,
    /// How long to wait for a server that is busy, full or away before giving up, in seconds
    #[arg(long, default_value_t = 60)]
    pub patience: u64,
}

/// `helios export`
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The query; several words are joined by blanks
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub server: ServerArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub range: RangeArgs,
    /// How to write events
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    pub format: Format,
    /// Columns of the CSV: timestamp,level,message
    #[arg(long)]
    pub fields: Option<String>,
    /// Write to this new file instead of standard output
    #[arg(long, short)]
    pub output: Option<PathBuf>,
}

/// `helios verify`
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The data directory; no server may be using it
    #[arg(long, default_value = "./data")]
    pub data_dir: PathBuf,
    /// Check this shared store instead; nodes may be using it
    #[arg(long, value_name = "PATH or s3://BUCKET/PREFIX", conflicts_with = "data_dir")]
    pub shared_store: Option<String>,
}

/// `helios store`
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// After a rollback, or a copy in no order: make what the store has now the new history
    #[command(after_help = ADOPT_EXAMPLES)]
    Adopt {
        /// The shared store
        #[arg(long, value_name = "PATH or s3://BUCKET/PREFIX")]
        shared_store: String,
        /// Do it; without, it is only said what would be done
        #[arg(long)]
        yes: bool,
        /// Also give up events that neither the store nor any node has: without, a node whose old blocks are nowhere
        /// waits for another one that has them
        #[arg(long)]
        accept_loss: bool,
        /// This store takes the place of another one that is lost, and may be empty: nodes that have shared with that
        /// one, whose number they tell, take this one for it and send what they have
        #[arg(long, value_name = "NUMBER", value_parser = crate::cluster::parse_store_id)]
        replaces: Option<String>,
    },
    /// Before a store is used: does it do all that nodes need of one?
    #[command(after_help = STORE_TEST_EXAMPLES)]
    Test {
        /// The shared store
        #[arg(long, value_name = "PATH or s3://BUCKET/PREFIX")]
        shared_store: String,
        /// Another way to the same store, as a second mount of it: each call takes the other way
        #[arg(long, value_name = "PATH or s3://BUCKET/PREFIX")]
        and: Vec<String>,
    },
}

impl Command {
    /// Whether it uses no cryptography, or shows how it is: a FIPS build that is not as it must be does nothing else.
    pub(super) fn may_run_unchecked(&self) -> bool {
        matches!(self, Self::Fips(_) | Self::Settings(_) | Self::Completions { .. })
    }
}

/// `helios fips`
#[derive(Debug, Subcommand)]
pub enum FipsCommand {
    /// Show the module, its version and certificate, and whether it is in its approved mode
    #[command(after_help = FIPS_EXAMPLES)]
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// `helios key`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a new key, drawn by the cryptographic module; a file that is there is never replaced
    #[command(
        after_help = "Example:\n  helios key new /etc/helios/control.json\n\nOnly its owner can read it. Keep a copy elsewhere: what it seals cannot be read without it."
    )]
    New {
        /// The key's file, outside of the data directory
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
}

/// `helios block`
#[derive(Debug, Subcommand)]
pub enum BlockCommand {
    /// Show where each byte of a block goes, and the ratio of each column
    #[command(after_help = "Example:\n  helios block inspect data/default/app/2026-06-14/blocks/0123….hb")]
    Inspect {
        /// The block's file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How to write it [default: table on a terminal, ndjson in a pipe]
        #[arg(long, value_enum)]
        format: Option<Format>,
    },
}

/// `helios bundle`
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Check that a bundle is what the holder of a key signed: nothing changed, missing or added
    #[command(after_help = BUNDLE_EXAMPLES)]
    Verify {
        /// The bundle, a plain tar file; it is read once and nothing is unpacked
        #[arg(value_name = "BUNDLE")]
        bundle: PathBuf,
        /// The public key to check by: PEM (`BEGIN PUBLIC KEY`), ECDSA on P-256 or P-384
        #[arg(long, value_name = "PUB.pem")]
        key: PathBuf,
        /// Say it as one JSON object, also if the bundle is refused
        #[arg(long)]
        json: bool,
    },
}

/// `helios settings`
#[derive(Args, Debug)]
pub struct SettingsArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub config: ConfigArgs,
    /// Print the documentation instead
    #[arg(long, hide = true)]
    pub markdown: bool,
}

/// The settings, from wherever they come.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// A TOML file with settings [HELIOS_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub flags: SettingFlags,
}

/// Prints the completion script.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "helios", &mut script);
    Ok(output::write(&script)?)
}

const EXAMPLES: &str = "\
Examples:
  helios serve                                             start a server on http://127.0.0.1:7300
  helios ingest app.ndjson access.log.gz                   send files to it
  helios search 'level:error | stats count by service'     ask it
  helios tail 'level:error'                                follow what arrives

Exit codes:
  0  done
  1  failed; standard error says why and what to do
  2  the command line is wrong
  3  no server answers, or the connection broke
  4  done in part: some lines were refused, or something is damaged
  78 a FIPS build whose cryptography is not as it must be: it does not start";

const SERVE_EXAMPLES: &str = "\
Examples:
  helios serve                                   on http://127.0.0.1:7300, data in ./data
  helios serve --data-dir /var/lib/helios --port 7400
  HELIOS_RETENTION_DEFAULT_DAYS=30 helios serve --config helios.toml

Each flag has a variable (HELIOS_...) and a key in the file; a flag wins over a variable, a variable over the file.
SIGTERM and Ctrl-C let running requests end and flush everything.";

const SEARCH_EXAMPLES: &str = "\
Examples:
  helios search 'level:error service:checkout' --since 1h
  helios search '* | stats count, p95(latency_ms) by service'
  helios search 'status:>=500' --start 2026-06-14T10:00:00Z --end 2026-06-14T11:00:00Z --format csv
  helios search 'timeout' --data-dir ./data      no server needed";

const VERIFY_EXAMPLES: &str = "\
Examples:
  helios verify --data-dir ./data
  helios verify --shared-store /mnt/helios
  helios verify --shared-store s3://bucket/prefix      with the AWS_... variables of the nodes

Nothing is changed.";

const BUNDLE_EXAMPLES: &str = "\
Examples:
  helios bundle verify helios-1.2.0-upgrade.tar --key helios-release.pem
  helios bundle verify helios-1.2.0-upgrade.tar --key helios-release.pem --json

The answer is worth as much as the key: get it by another way than the bundle, and compare the
fingerprint that is printed with the one that was published. The same by hand:
  openssl pkey -pubin -in helios-release.pem -outform der | sha256sum

A bundle begins with manifest.json, which lists the path, length and SHA-256 digest of each file,
and manifest.sig, an ECDSA signature over it; then come exactly these files. It is refused if the
signature is not of this key, a file is changed, missing, there twice or not listed, a path leads
elsewhere, a member is a link or anything but a plain file, the tar file ends early, its format is
newer than this program, or it is larger than a release can be.

Exit codes:
  0  verified: every file is as signed
  1  the bundle or the key could not be read
  2  the command line is wrong
  4  refused: use nothing of the bundle";

const ADOPT_EXAMPLES: &str = "\
Examples:
  helios store adopt --shared-store /mnt/helios        say what would be done
  helios store adopt --shared-store /mnt/helios --yes  do it
  helios store adopt --shared-store /mnt/helios --yes --accept-loss
                                                       only if a node says `missing`, and no node has what is missing
  helios store adopt --shared-store s3://new --yes --replaces 5a1f0c22b7e94d30
                                                       the old store is gone: nodes fill this one

Of each partition the newest generation holds that is complete. Nodes then bring back by themselves, once each,
what they still have beyond it; keep their data directories. Nodes may run.";

const STORE_TEST_EXAMPLES: &str = "\
Examples:
  helios store test --shared-store s3://logs/helios    with the AWS_... variables of the nodes
  helios store test --shared-store /mnt/helios
  helios store test --shared-store /mnt/helios --and /mnt/helios-again
                                                       two mounts: also what only shows between two clients
                                                       (NFS: mount the second one with nosharecache)

It writes some 3 MiB below conformance/ in the store, and removes them. Nodes may run.

Exit codes:
  0  every check is met
  1  the store could not be reached
  4  a check is not met, or broke off: let no nodes share this store before every one is met";

const FIPS_EXAMPLES: &str = "\
Examples:
  helios fips status
  helios fips status --json

Exit code 0 only if this is a FIPS build and everything is as it must be; else 78.
What a running server uses: GET /api/admin/crypto";

const INGEST_EXAMPLES: &str = "\
Examples:
  helios ingest app.ndjson
  helios ingest --index nginx /var/log/nginx/access.log*.gz
  journalctl -o json -f | helios ingest --index journal -

A file is sent in pieces of whole lines. When the server is busy or away, it is asked again until --patience
runs out; then the command says which lines are stored.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  helios export 'level:error' --since 7d > errors.ndjson
  helios export '*' --format csv --fields timestamp,service,message -o events.csv";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Arguments::command().debug_assert();
    }
}
