//! The service manager that started the process, if one did: systemd's protocol, which others speak too.
//!
//! **Promise.** The manager learns when the process serves, that it is alive, and when it stops; a start or a stop
//! that takes long is given time as long as the process is alive. Sockets that the manager holds are served
//! instead of new ones. Without a manager nothing of this costs or says anything.
//!
//! Described in `sd_notify(3)`, `sd_watchdog_enabled(3)` and `sd_listen_fds(3)`.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "host::real is where sockets are opened")]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::host::Host;

/// TCP sockets that wait for connections and were handed down by the service manager.
#[derive(Debug, Default)]
pub struct HandedDown(Vec<(SocketAddr, TcpListener)>);

impl HandedDown {
    /// Takes what was handed down to this process; the second time there is nothing.
    ///
    /// # Errors
    /// If there is a socket that cannot be served: of another kind than TCP.
    pub fn take() -> io::Result<Self> {
        let mut given = ListenFd::from_env();
        let mut sockets = Vec::with_capacity(given.len());
        for index in 0..given.len() {
            let refused = |error| io::Error::other(format!("socket {index} of the service manager: {error}"));
            let Some(socket) = given.take_tcp_listener(index).map_err(refused)? else { continue };
            sockets.push((socket.local_addr().map_err(refused)?, socket));
        }
        Ok(Self(sockets))
    }

    /// Where the first of them listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.first().map(|(address, _)| *address)
    }

    /// Takes out the one that listens on `address`.
    pub(super) fn take_one(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let index = self.0.iter().position(|(own, _)| *own == address)?;
        Some(self.0.remove(index).1)
    }
}

/// Tells the service manager how the process stands.
pub struct ServiceManager {
    /// A start or a stop is under way.
    is_between: Arc<AtomicBool>,
}

impl ServiceManager {
    /// Begins to give signs of life, if a service manager waits for them: what it is told is sent before this
    /// returns, the signs by a task.
    pub fn starting(host: &Host) -> Self {
        let is_between = Arc::new(AtomicBool::new(true));
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Self { is_between };
        }
        tell(&[NotifyState::Status("starting: reading the log")]);
        let watchdog = sd_notify::watchdog_enabled();
        // Twice in the time after which the manager takes the process for dead.
        let pause = watchdog.map_or(SIGNS_EVERY, |wait| (wait / 2).min(SIGNS_EVERY));
        let (clock, between) = (Arc::clone(&host.clock), Arc::clone(&is_between));
        let signs = async move {
            loop {
                if watchdog.is_some() {
                    tell(&[NotifyState::Watchdog]);
                }
                if between.load(Ordering::Relaxed) {
                    tell(&[NotifyState::ExtendTimeoutUsec(EXTENSION_US)]);
                }
                clock.sleep(pause).await;
            }
        };
        host.tasks.spawn("signs of life", Box::pin(signs));
        Self { is_between }
    }

    /// Says that requests are served now.
    pub fn ready(&self, status: &str) {
        self.is_between.store(false, Ordering::Relaxed);
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// Says that the process is about to end.
    pub fn stopping(&self) {
        self.is_between.store(true, Ordering::Relaxed);
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping: events are flushed")]);
    }
}

fn tell(states: &[NotifyState<'_>]) {
    // Who does not listen can't be helped: it will take the process for dead, and say so.
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager was not reached");
    }
}

/// Longest pause between two signs of life.
const SIGNS_EVERY: Duration = Duration::from_secs(10);

/// By how much a sign of life extends a start or a stop, in microseconds: three times the pause between two.
const EXTENSION_US: u32 = 30_000_000;
