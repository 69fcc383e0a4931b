//! Every setting of the server, in one table.
//!
//! **Promise.** A row of `settings!` is all there is to a setting: its flag (`--block-flush-rows`),
//! its variable (`HELIOS_BLOCK_FLUSH_ROWS`), its key in `helios.toml` (`block_flush_rows`), its default,
//! what values it takes, its unit, and its line in `docs/settings.md` all come from there. A flag wins over
//! a variable, a variable over the file, the file over the default. A value that is not valid stops the
//! start: it never falls through to the next source.
//!
//! **Boundary.** Pure: variables and the file's text are handed in by the caller.

mod flags;
mod kind;
mod load;
mod markdown;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;

pub use flags::SettingFlags;
pub use kind::Kind;
pub use load::{Chosen, Notice, SettingsError, Source};
pub use markdown::markdown;

/// One row of the table.
#[derive(Debug)]
pub struct Setting {
    /// The key in the file; flag and variable are made from it.
    pub name: &'static str,
    /// The default as a user would write it; `None`: nothing.
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub kind: Kind,
    /// Whether this version reads it.
    pub usage: Usage,
    doc: &'static str,
}

/// Whether this version reads a setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Usage {
    /// It does.
    Now,
    /// It does not yet: setting it gives a warning that says so and names what is missing.
    Later(&'static str),
}

impl Setting {
    /// The command line flag, with its dashes.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("HELIOS_{}", self.name.to_ascii_uppercase())
    }

    /// What it does, one paragraph.
    pub fn doc(&self) -> &'static str {
        self.doc.trim()
    }
}

macro_rules! settings {
    ($( #[doc = $doc:literal] $name:ident: $type:ty = $default:expr, $kind:expr, $usage:expr; )+) => {
        /// The value of every setting.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $( #[doc = $doc] pub $name: $type, )+
        }

        /// Every setting, in the order in which they are documented.
        pub static TABLE: &[Setting] = &[
            $( Setting { name: stringify!($name), default: $default, kind: $kind, usage: $usage, doc: $doc }, )+
        ];

        impl Settings {
            fn read(chosen: &Chosen) -> Result<Self, SettingsError> {
                Ok(Self { $( $name: chosen.read(stringify!($name))?, )+ })
            }
        }
    };
}

use Usage::{Later, Now};

settings! {
    #[doc = " Folder that holds the log, the blocks and the manifests. It is made if it does not exist; one process at a time may use it."]
    data_dir: PathBuf = Some("./data"), Kind::Path, Now;
    #[doc = " Address to listen on. Beyond loopback it needs `--insecure-no-auth`, since this version has no login."]
    host: IpAddr = Some("127.0.0.1"), Kind::Address, Now;
    #[doc = " TCP port to listen on; 0 takes a free one and prints it."]
    port: u16 = Some("7300"), Kind::whole(0, 65_535, ""), Now;
    #[doc = " Names under which browsers may reach a server on loopback, separated by commas, beside `localhost`, `127.0.0.1` and `[::1]`. Other names are refused, so that a foreign web page cannot rebind its own name to this machine."]
    allowed_hosts: Vec<String> = None, Kind::List, Now;
    #[doc = " Listens beyond loopback although everybody who reaches the port can read and write everything."]
    insecure_no_auth: bool = Some("off"), Kind::Switch, Now;
    #[doc = " Which of the server's own messages go to standard error: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,helios::engine=debug`."]
    log: String = Some("info"), Kind::Text, Now;
    #[doc = " Open connections at the same time; more wait until one closes."]
    max_connections: u64 = Some("1024"), Kind::whole(1, 1_000_000, "connections"), Now;
    #[doc = " Longest line that is taken as an event; a longer one is reported as that line's error."]
    max_line_bytes: u64 = Some("1048576"), Kind::whole(1_024, 8_388_608, "bytes"), Now;
    #[doc = " Bytes of requests that may wait for the log at the same time; more are answered with 429."]
    ingest_queue_mb: u64 = Some("64"), Kind::whole(8, 65_536, "MiB"), Now;
    #[doc = " Events of requests that may wait for the log at the same time; more are answered with 429."]
    block_queue_cap: u64 = Some("100000"), Kind::whole(1, 1_000_000_000, "events"), Now;
    #[doc = " Size up to which compaction merges blocks."]
    block_target_mb: u64 = Some("64"), Kind::whole(1, 1_024, "MiB"), Now;
    #[doc = " Blocks below this size are merged with their neighbours."]
    block_min_compact_mb: u64 = Some("5"), Kind::whole(0, 1_024, "MiB"), Now;
    #[doc = " Small blocks that a partition may have before they are merged whatever their size."]
    block_max_small_blocks: u64 = Some("100"), Kind::whole(2, 10_000, "blocks"), Now;
    #[doc = " Longest wait before the compactor looks again; a flush that makes a partition worth compacting wakes it at once."]
    block_compact_secs: u64 = Some("30"), Kind::whole(1, 86_400, "s"), Now;
    #[doc = " Events in a partition's head that make it a block."]
    block_flush_rows: u64 = Some("131072"), Kind::whole(1, 10_000_000, "events"), Now;
    #[doc = " Age of a head's oldest event that makes it a block. A small head may wait longer: the log protects it."]
    block_flush_secs: u64 = Some("5"), Kind::whole(1, 86_400, "s"), Now;
    #[doc = " Heads that are made into blocks at the same time."]
    block_flush_concurrency: u64 = Some("2"), Kind::whole(1, 64, "flushes"), Now;
    #[doc = " How text in blocks is compressed."]
    block_compression: String = Some("zstd"), Kind::Choice(&["zstd"]), Now;
    #[doc = " Time between two retention sweeps."]
    retention_sweep_secs: u64 = Some("3600"), Kind::whole(1, 31_536_000, "s"), Now;
    #[doc = " Days after which a partition is dropped, counted from the end of its day; `forever` keeps everything."]
    retention_default_days: Option<u64> = Some("forever"), Kind::WholeOr { least: 1, most: 36_500, unit: "days", word: "forever" }, Now;
    #[doc = " Threads that parse, scan and compress; `cores` takes as many as the machine has."]
    query_threads: Option<u64> = Some("cores"), Kind::WholeOr { least: 1, most: 1_024, unit: "threads", word: "cores" }, Now;
    #[doc = " Memory that one query may hold; one that needs more ends with an error that says so."]
    query_memory_mb: u64 = Some("256"), Kind::whole(1, 1_048_576, "MiB"), Now;
    #[doc = " Memory for partial results and decoded columns that queries share."]
    query_cache_mb: u64 = Some("512"), Kind::whole(0, 1_048_576, "MiB"), Now;
    #[doc = " Partitions that one aggregation may read; a query over more ends with an error that says so."]
    agg_max_partitions: u64 = Some("10000"), Kind::whole(1, 10_000_000, "partitions"), Later("an aggregation is bounded by query_memory_mb alone");
    #[doc = " Folder or `s3://bucket/prefix` that several nodes share. All of them need the same key file (`control_key_path`). How a bucket is reached say the usual `AWS_` variables."]
    shared_store: Option<String> = None, Kind::Text, Now;
    #[doc = " Longest time until other nodes see an event."]
    block_sync_secs: u64 = Some("10"), Kind::whole(1, 86_400, "s"), Now;
    #[doc = " Bytes of shared blocks that are kept on this node's disk, the youngest first; older ones are read from the shared store when they are asked for. `all` keeps everything."]
    shared_cache_mb: Option<u64> = Some("all"), Kind::WholeOr { least: 0, most: 1_073_741_824, unit: "MiB", word: "all" }, Now;
    #[doc = " Life of a login."]
    auth_token_ttl_hours: u64 = Some("168"), Kind::whole(1, 8_760, "hours"), Later("there is no login yet");
    #[doc = " File that holds the key of the control plane's documents, outside the data directory; made on the first start. All nodes of a cluster need the same one."]
    control_key_path: PathBuf = Some("./secret-control.json"), Kind::Path, Now;
    #[doc = " File that holds the key that signs logins."]
    jwt_secret_path: PathBuf = Some("./secret-jwt.json"), Kind::Path, Later("there is no login yet");
    #[doc = " Whether the control plane's documents are encrypted. There are some with a shared store only, so far."]
    control_encryption: bool = Some("on"), Kind::Switch, Now;
    #[doc = " How long a document of the control plane is remembered."]
    control_cache_ttl_secs: u64 = Some("10"), Kind::whole(0, 86_400, "s"), Now;
    #[doc = " User id of the first administrator."]
    admin_user: String = Some("admin"), Kind::Text, Later("there is no login yet");
    #[doc = " Password of the first administrator."]
    admin_password: Option<String> = None, Kind::Secret, Later("there is no login yet");
    #[doc = " E-mail address of the first administrator; `<user>@localhost` if none is given."]
    admin_email: Option<String> = None, Kind::Text, Later("there is no login yet");
    #[doc = " Sets the administrator's password anew at this start."]
    admin_reset: bool = Some("off"), Kind::Switch, Later("there is no login yet");
    #[doc = " Port for syslog over UDP and TCP."]
    syslog_port: Option<u16> = None, Kind::whole(1, 65_535, ""), Later("syslog is not received yet");
    #[doc = " TCP port that serves the same over TLS 1.3 and 1.2, beside `port` and on the same address; 0 takes a free one and prints it. Needs `tls_cert` and `tls_key`."]
    ssl_port: Option<u16> = None, Kind::whole(0, 65_535, ""), Now;
    #[doc = " File with the certificate chain for `ssl_port`, PEM, the server's own certificate first. Read again when it changes, and on SIGHUP."]
    tls_cert: Option<PathBuf> = None, Kind::Path, Now;
    #[doc = " File with the private key of the certificate, PEM and not encrypted: RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519. Nobody but its owner and its group may read it."]
    tls_key: Option<PathBuf> = None, Kind::Path, Now;
}

impl Settings {
    /// What holds between settings, which no single row can say.
    fn check(&self) -> Result<(), SettingsError> {
        if self.block_min_compact_mb > self.block_target_mb {
            return Err(SettingsError::Conflict {
                message: format!(
                    "block_min_compact_mb ({}) is above block_target_mb ({}): compaction would never end",
                    self.block_min_compact_mb, self.block_target_mb
                ),
            });
        }
        let pair = [("tls_cert", self.tls_cert.is_some()), ("tls_key", self.tls_key.is_some())];
        for (name, is_given) in pair {
            let message = match (self.ssl_port.is_some(), is_given) {
                (true, false) => format!("ssl_port needs tls_cert and tls_key, and {name} is not given"),
                (false, true) => format!("{name} is given, but no ssl_port: nothing would use it"),
                _ => continue,
            };
            return Err(SettingsError::Conflict { message });
        }
        Ok(())
    }

    /// The address to listen on for TLS.
    pub fn listen_secure(&self) -> Option<std::net::SocketAddr> {
        Some(std::net::SocketAddr::new(self.host, self.ssl_port?))
    }

    /// The address to listen on.
    pub fn listen(&self) -> std::net::SocketAddr {
        std::net::SocketAddr::new(self.host, self.port)
    }
}
