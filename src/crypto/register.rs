//! What of cryptography a running server uses: its keys, its listener, what was negotiated.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use super::tls::{Server, Tally, Validity};
use super::{Parts, Random, Report, SealingKey, Standing, tls};
use crate::host::UnixNanos;

/// A list of what is in use, as one cheap handle. It keeps nothing alive and decides nothing.
#[derive(Clone, Debug, Default)]
pub struct Register(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    report: OnceLock<Report>,
    incoming: Arc<Tally>,
    outgoing: Arc<Tally>,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    random: Option<Random>,
    sealing: Vec<Weak<SealingKey>>,
    clients: Vec<tls::Client>,
    server: Option<Arc<Server>>,
    listeners: Vec<(SocketAddr, bool)>,
}

/// A key in use. Nothing of it is secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyInUse {
    /// What it is for.
    pub purpose: &'static str,
    /// Names it.
    pub id: String,
    /// What it is used with.
    pub algorithm: &'static str,
    /// When it was made, or since when it is in use where nobody knows.
    pub since: Option<UnixNanos>,
    /// Whether `since` is when it was made.
    pub is_age: bool,
    /// Of a certificate: from when until when it is good.
    pub validity: Option<Validity>,
    /// How often it has sealed in this life of the process, and how often it may.
    pub seals: Option<(u64, u64)>,
}

impl Register {
    /// The register of a server whose random bytes come from the module, and what was said of the module at its start.
    pub fn new(random: Random, report: Report) -> Self {
        let register = Self::default();
        register.used().random = Some(random);
        register.0.report.get_or_init(|| report);
        register
    }

    /// The module as it was at the start, with what has been noted since.
    pub fn report(&self) -> Report {
        self.0.report.get_or_init(Report::new).clone().with_parts(self.standing())
    }

    /// Counts connections that come in.
    pub fn incoming(&self) -> &Arc<Tally> {
        &self.0.incoming
    }

    /// Counts connections that go out.
    pub fn outgoing(&self) -> &Arc<Tally> {
        &self.0.outgoing
    }

    /// Notes a key that seals documents.
    pub fn note_sealing(&self, key: &Arc<SealingKey>) {
        let mut used = self.used();
        used.sealing.retain(|key| key.strong_count() > 0);
        used.sealing.push(Arc::downgrade(key));
    }

    /// Notes a client, and lets it count here.
    pub fn note_client(&self, client: tls::Client) -> tls::Client {
        let client = client.counting(Arc::clone(&self.0.outgoing));
        self.used().clients.push(client.clone());
        client
    }

    /// Notes the listener.
    pub fn note_server(&self, server: &Arc<Server>) {
        self.used().server = Some(Arc::clone(server));
    }

    /// Notes an address that is listened on, and whether it takes TLS alone.
    pub fn note_listener(&self, addr: SocketAddr, is_secure: bool) {
        self.used().listeners.push((addr, is_secure));
    }

    /// The addresses that are listened on, and whether each takes TLS alone.
    pub fn listeners(&self) -> Vec<(SocketAddr, bool)> {
        self.used().listeners.clone()
    }

    /// What stands behind all that is in use.
    pub fn standing(&self) -> Standing {
        let used = self.used();
        let Used { random, sealing, clients, server, listeners: _ } = &*used;
        let sealing: Vec<Arc<SealingKey>> = sealing.iter().filter_map(Weak::upgrade).collect();
        let random = random.as_ref();
        Parts { random, sealing: &sealing, clients, server: server.as_deref() }.standing()
    }

    /// The keys in use.
    pub fn keys(&self) -> Vec<KeyInUse> {
        let used = self.used();
        let sealing = used.sealing.iter().filter_map(Weak::upgrade).map(|key| KeyInUse {
            purpose: "seals control documents",
            id: key.id().to_owned(),
            algorithm: "AES-256-GCM",
            since: key.made(),
            is_age: key.made().is_some(),
            validity: None,
            seals: Some((key.seals(), super::SEALS_MAX)),
        });
        let listener = used.server.iter().map(|server| {
            let shown = server.shown();
            KeyInUse {
                purpose: "TLS listener",
                id: shown.fingerprint,
                algorithm: shown.algorithm,
                since: Some(shown.since),
                is_age: false,
                validity: shown.validity,
                seals: None,
            }
        });
        sealing.chain(listener).collect()
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Each change is one assignment or one push: there is nothing half done to see.
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
