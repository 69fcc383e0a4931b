//! The port for TLS: the same routes behind a handshake, and a certificate that is replaced while it serves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::crypto::lasting;
use super::server::{Common, accept_loop};
use crate::crypto::tls::{self, Reload};
use crate::host::{Host, Listener, Stream, Task};
use crate::host_select;
use crate::sync::Flag;

/// A port that serves TLS.
pub(super) struct SecurePort {
    addr: SocketAddr,
    tls: Arc<tls::Server>,
    accepting: Task,
    watching: Task,
}

impl SecurePort {
    pub(super) fn start(common: Common, listener: Box<dyn Listener>, addr: SocketAddr, tls: Arc<tls::Server>) -> Self {
        let tasks = Arc::clone(&common.host.tasks);
        let watch = watch(common.host.clone(), Arc::clone(&tls), common.stopping.clone());
        let watching = tasks.spawn("tls files", Box::pin(watch));
        let accept = accept_loop(common, listener, Some(Arc::clone(&tls)));
        let accepting = tasks.spawn("https accept", Box::pin(accept));
        info!(%addr, certificate = %tls.shown().fingerprint, "listening for TLS");
        Self { addr, tls, accepting, watching }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) async fn reload(&self, host: &Host) {
        match self.tls.reload(&host.disk, host.clock.wall()).await {
            Ok(()) => taken(&self.tls),
            Err(error) => refused(&error.to_string()),
        }
    }

    pub(super) async fn stop(self) {
        self.accepting.join().await;
        self.watching.join().await;
    }
}

/// Takes a new pair once its files have settled, and warns of one that clients refuse or soon will.
async fn watch(host: Host, tls: Arc<tls::Server>, stopping: Flag) {
    let (mut said, mut warned) = (None, None);
    loop {
        let lasting = tls.shown().validity.and_then(|validity| lasting(validity, host.clock.wall()));
        if lasting != warned {
            if let Some(text) = &lasting {
                warn!(certificate = %tls.shown().fingerprint, "{text}");
            }
            warned = lasting;
        }
        host_select! {
            () = stopping.raised() => return,
            () = host.clock.sleep(TLS_FILES_INTERVAL) => {}
        }
        match tls.look(&host.disk, host.clock.wall()).await {
            Ok(Reload::Taken) => {
                taken(&tls);
                said = None;
            }
            Ok(Reload::Same | Reload::Changing) => {}
            Err(error) => {
                // A file that stays away would fill the log.
                let error = error.to_string();
                if said.as_ref() != Some(&error) {
                    refused(&error);
                    said = Some(error);
                }
            }
        }
    }
}

fn taken(tls: &tls::Server) {
    info!(certificate = %tls.shown().fingerprint, "the TLS certificate was read again and is in use");
}

fn refused(error: &str) {
    warn!(error, "a new TLS certificate is not taken: the old one stays in use");
}

/// Makes a connection secure, within [`HANDSHAKE_TIME_MAX`]; `None` if it could not be, or the server stops.
pub(super) async fn handshake(
    host: &Host,
    tls: &tls::Server,
    stream: Box<dyn Stream>,
    peer: SocketAddr,
    stopping: &Flag,
) -> Option<Box<dyn Stream>> {
    host_select! {
        accepted = tls.accept(stream) => match accepted {
            Ok(stream) => return Some(stream),
            Err(error) => debug!(%peer, %error, "a TLS handshake failed"),
        },
        () = stopping.raised() => tls.gave_up(),
        () = host.clock.sleep(HANDSHAKE_TIME_MAX) => {
            tls.gave_up();
            debug!(%peer, "a TLS handshake did not end in time");
        }
    }
    None
}

/// Time between two looks at the files of certificate and key. A change is taken at the second look after it.
const TLS_FILES_INTERVAL: Duration = Duration::from_secs(10);

/// Longest time for a handshake: one that never ends would hold a connection.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
