//! Stream sockets of one machine, over turmoil's TCP. Every byte goes into the digest.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use helios::host::{BoxFuture, Listener, Net, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use super::clock::true_sleep;
use crate::digest::Digest;
use crate::rng::Rng;

/// The names of all machines: any other is nobody's. (turmoil would give an address to each that is asked for.)
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<BTreeSet<String>>>);

impl Names {
    /// Adds one.
    pub fn add(&self, name: &str) {
        self.0.lock().expect("nothing panics while it is held").insert(name.to_owned());
    }

    fn has(&self, name: &str) -> bool {
        self.0.lock().expect("nothing panics while it is held").contains(name)
    }
}

#[derive(Clone)]
pub(super) struct FleetNet {
    pub(super) names: Names,
    pub(super) digest: Digest,
    /// The longest write that goes out in one piece.
    pub(super) write_bytes_max: usize,
    pub(super) streams: Arc<AtomicU64>,
    pub(super) rng: Arc<Mutex<Rng>>,
}

impl FleetNet {
    fn cable(&self, stream: TcpStream) -> Box<dyn Stream> {
        let id = self.streams.fetch_add(1, Ordering::Relaxed);
        let (digest, write_bytes_max) = (self.digest.clone(), self.write_bytes_max);
        Box::new(Cable { stream, id, digest, write_bytes_max })
    }
}

impl Net for FleetNet {
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, addr.port())).await?;
            Ok(Box::new(FleetListener { listener, net: self.clone() }) as Box<dyn Listener>)
        })
    }

    fn connect(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            match TcpStream::connect(addr).await {
                Ok(stream) => Ok(self.cable(stream)),
                Err(error) => {
                    // turmoil refuses at once what a cut swallows. A machine that is cut off says nothing for long.
                    let wait = self.rng.lock().expect("drawing does not panic").pick(&[0, 0, 100, REFUSAL_MS_MAX]);
                    true_sleep(Duration::from_millis(wait)).await;
                    Err(error)
                }
            }
        })
    }

    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            if !self.names.has(name) {
                return Err(io::Error::new(io::ErrorKind::NotFound, format!("nobody is called {name}")));
            }
            Ok(vec![SocketAddr::new(turmoil::lookup(name), port)])
        })
    }
}

struct FleetListener {
    listener: TcpListener,
    net: FleetNet,
}

impl Listener for FleetListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await?;
            Ok((self.net.cable(stream), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One end of a connection.
struct Cable {
    stream: TcpStream,
    id: u64,
    digest: Digest,
    write_bytes_max: usize,
}

impl Cable {
    fn note(&self, what: &'static str, bytes: &[u8]) {
        self.digest.note_bytes(self.id << 1 | u64::from(what == "read"), bytes);
        tracing::trace!(target: "sim::net", stream = self.id, what, bytes = %bytes.escape_ascii());
    }
}

impl AsyncRead for Cable {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, into);
        if polled.is_ready() {
            self.note("read", &into.filled()[before..]);
        }
        polled
    }
}

impl AsyncWrite for Cable {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(self.write_bytes_max)];
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.note("write", &bytes[..*written]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How long an address may stay silent before turmoil's refusal is passed on.
const REFUSAL_MS_MAX: u64 = 3_000;
