//! `helios serve`

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::settings::{Notice, Settings};
use super::{Failure, crypto, output};
use crate::api::Secure;
use crate::api::access::Door;
use crate::cluster::{ClusterSettings, StoreAddress, open_untested};
use crate::control::Place;
use crate::crypto::key_file::Keeper;
use crate::crypto::{Random, Register, Report, tls};
use crate::engine;
use crate::host::Host;
use crate::host::real::ServiceManager;
use crate::host_select;
use crate::node::{Membership, Node, NodeSettings};
use crate::query::QueryLimits;

/// What `helios serve` was asked to do, checked.
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) notices: Vec<Notice>,
    pub(super) door: Door,
}

impl Plan {
    /// # Errors
    /// If the server may not listen where the settings say.
    pub(super) fn new(settings: Settings, notices: Vec<Notice>) -> Result<Self, Failure> {
        let hosts = settings.allowed_hosts.clone();
        let door = Door::new(settings.listen(), settings.insecure_no_auth, hosts)
            .map_err(|refusal| Failure::new(refusal.to_string()))?;
        Ok(Self { settings, notices, door })
    }
}

/// Serves until a signal says stop, then drains and flushes.
pub(super) async fn run(host: Host, plan: Plan, report: Report) -> Result<(), Failure> {
    let Plan { settings, notices, door } = plan;
    for notice in &notices {
        warn!("{notice}");
    }
    let mut signals = Signals::new()?;
    let manager = ServiceManager::starting(&host);
    let mut hangup = Signals::hangup()?;
    let register = Register::new(Random::new(), report);
    let secure = secure(&host, &settings, &register).await?;
    let membership = host_select! {
        membership = membership(&host, &settings, &register) => membership?,
        name = signals.next() => return Err(Failure::new(format!("stopped by {name} before the shared store answered"))),
    };
    audit(&register)?;
    let node = host_select! {
        started = Node::start(host.clone(), node_settings(&settings, door, membership, secure, register)) => {
            started.map_err(|error| Failure::new(error.to_string()))?
        }
        name = signals.next() => return Err(Failure::new(format!("stopped by {name} before the log was read"))),
    };
    let greeting = greeting(node.addr(), node.secure_addr(), &settings);
    output::say(&greeting);
    manager.ready(&greeting);
    let name = loop {
        host_select! {
            name = signals.next() => break name,
            _ = hangup.recv() => node.reload_tls().await,
        }
    };
    manager.stopping();
    info!(signal = name, "stopping: requests that run may end, events are flushed");
    node.stop().await;
    info!("everything is flushed, good bye");
    Ok(())
}

/// Certificate and key for the port for TLS, if there is to be one.
async fn secure(host: &Host, settings: &Settings, register: &Register) -> Result<Option<Secure>, Failure> {
    let (Some(listen), Some(cert), Some(key)) = (settings.listen_secure(), &settings.tls_cert, &settings.tls_key)
    else {
        return Ok(None);
    };
    let pair = tls::Pair { cert: cert.clone(), key: key.clone() };
    let opened = tls::Server::open(host, pair, Arc::clone(register.incoming())).await;
    let tls = Arc::new(opened.map_err(|error| Failure::new(error.to_string()))?);
    register.note_server(&tls);
    Ok(Some(Secure { listen, tls }))
}

/// Says once on what cryptography this server stands, and refuses one that a FIPS build may not stand on.
fn audit(register: &Register) -> Result<(), Failure> {
    let report = register.report();
    crypto::gate(&report)?;
    info!(
        build = report.build,
        module = report.module,
        certificate = report.certificate,
        profile = report.profile,
        approved_mode = report.approved_mode,
        self_tests = report.self_tests,
        tls_on_module = report.tls.fips,
        every_part_on_module = report.every_part_on_module,
        "cryptography at the start"
    );
    Ok(())
}

fn greeting(addr: SocketAddr, secure: Option<SocketAddr>, settings: &Settings) -> String {
    let secure = secure.map(|addr| format!(" and https://{addr}")).unwrap_or_default();
    let data_dir = settings.data_dir.display();
    let open = match addr.ip().is_loopback() {
        true => "",
        false => "\nANYBODY who reaches this port can read and write everything (--insecure-no-auth)",
    };
    format!("HeliosLogs {} on http://{addr}{secure}, data in {data_dir}{open}", env!("CARGO_PKG_VERSION"))
}

/// The shared store that the settings name, opened and tested.
async fn membership(host: &Host, settings: &Settings, register: &Register) -> Result<Option<Membership>, Failure> {
    let Some(address) = &settings.shared_store else { return Ok(None) };
    let address = StoreAddress::parse(address).map_err(|why| Failure::new(format!("--shared-store: {why}")))?;
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let life = format!("{:016x}", host.entropy.fork("store").next_u64());
    let store = open_untested(host, &address, &variables, &life, register).await;
    let third = sync_step(settings);
    let cluster = ClusterSettings {
        sync_interval: third,
        compact_interval: Duration::from_secs(settings.block_compact_secs),
        sweep_interval: Duration::from_secs(settings.retention_sweep_secs),
        cache_bytes: settings.shared_cache_mb.map(|mib| mib << 20),
        ..ClusterSettings::default()
    };
    Ok(Some(Membership {
        store: store.map_err(|error| Failure::new(error.to_string()))?,
        store_name: address.to_string(),
        control: Place {
            root: CONTROL_FOLDER.to_owned(),
            key_path: settings.control_key_path.clone(),
            key_keeper: keeper(&settings.control_key_path),
            data_directory: settings.data_dir.clone(),
            encryption: settings.control_encryption,
            register: register.clone(),
            cache_ttl: Duration::from_secs(settings.control_cache_ttl_secs),
        },
        settings: cluster,
    }))
}

/// Whether a file is in the folder of what the service manager hands to this process.
fn keeper(path: &Path) -> Keeper {
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(folder) if path.parent() == Some(Path::new(&folder)) => Keeper::ServiceManager,
        _ => Keeper::User,
    }
}

/// A third of the time until other nodes see an event: it waits for a flush, to be sent, and to be looked for.
fn sync_step(settings: &Settings) -> Duration {
    Duration::from_secs(settings.block_sync_secs) / 3
}

fn node_settings(
    settings: &Settings,
    door: Door,
    cluster: Option<Membership>,
    secure: Option<Secure>,
    register: Register,
) -> NodeSettings {
    NodeSettings {
        data_dir: settings.data_dir.clone(),
        listen: settings.listen(),
        door,
        engine: engine_settings(settings),
        queries: query_limits(settings),
        line_bytes_max: usize::try_from(settings.max_line_bytes).unwrap_or(usize::MAX),
        connections_max: u32::try_from(settings.max_connections).unwrap_or(u32::MAX),
        secure,
        register,
        cluster,
    }
}

/// The engine's knobs from the settings table.
fn engine_settings(settings: &Settings) -> engine::Settings {
    let defaults = engine::Settings::default();
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let flush_secs = Duration::from_secs(settings.block_flush_secs);
    let flush_age_max = match settings.shared_store {
        None => defaults.flush_age_max.max(flush_secs),
        // However small: other nodes wait for it.
        Some(_) => sync_step(settings),
    };
    engine::Settings {
        queue_events: settings.block_queue_cap,
        queue_bytes: settings.ingest_queue_mb << 20,
        flush_rows: settings.block_flush_rows,
        flush_age: flush_secs,
        flush_age_max,
        flush_concurrency: size(settings.block_flush_concurrency),
        block_target_bytes: settings.block_target_mb << 20,
        compact_min_bytes: settings.block_min_compact_mb << 20,
        compact_small_blocks_max: size(settings.block_max_small_blocks),
        compact_interval: Duration::from_secs(settings.block_compact_secs),
        retention_days: settings.retention_default_days.map(|days| u32::try_from(days).unwrap_or(u32::MAX)),
        retention_interval: Duration::from_secs(settings.retention_sweep_secs),
        ..defaults
    }
}

fn query_limits(settings: &Settings) -> QueryLimits {
    QueryLimits { cache_bytes: settings.query_cache_mb << 20, memory_bytes: settings.query_memory_mb << 20 }
}

/// Where the control plane is in the shared store.
const CONTROL_FOLDER: &str = "_control";

/// The signals that stop a server.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The signal that makes a server read its certificate again.
    fn hangup() -> std::io::Result<tokio::signal::unix::Signal> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
    }

    /// Waits for one and names it.
    async fn next(&mut self) -> &'static str {
        host_select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
