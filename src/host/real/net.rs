//! TCP sockets of the operating system.
#![allow(clippy::disallowed_methods, reason = "host::real is where sockets are opened")]

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};

use super::HandedDown;
use crate::host::{BoxFuture, Listener, Net, Stream};

/// The machine's network. Small writes go out at once (`TCP_NODELAY`). Who listens where a socket was handed down
/// gets that one.
#[derive(Default)]
pub struct RealNet {
    handed_down: Mutex<HandedDown>,
}

impl RealNet {
    /// A network in which these sockets wait for connections already.
    pub fn new(handed_down: HandedDown) -> Self {
        Self { handed_down: Mutex::new(handed_down) }
    }
}

impl Net for RealNet {
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        let handed_down = self.handed_down.lock().unwrap_or_else(PoisonError::into_inner).take_one(addr);
        Box::pin(async move {
            let listener = match handed_down {
                Some(socket) => {
                    socket.set_nonblocking(true)?;
                    TcpListener::from_std(socket)?
                }
                None => TcpListener::bind(addr).await?,
            };
            Ok(Box::new(RealListener(listener)) as Box<dyn Listener>)
        })
    }

    fn connect(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(prompt(TcpStream::connect(addr).await?)) })
    }

    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })
    }
}

struct RealListener(TcpListener);

impl Listener for RealListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((prompt(stream), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn prompt(stream: TcpStream) -> Box<dyn Stream> {
    // Fails only if the peer is gone already: the first read or write says so.
    let _ = stream.set_nodelay(true);
    Box::new(stream)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_cross_a_connection() {
        let net = RealNet::default();
        let listener = net.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        assert_ne!(addr.port(), 0);
        let (client, server) = tokio::join!(net.connect(addr), listener.accept());
        let (mut client, (mut server, _peer)) = (client.unwrap(), server.unwrap());
        client.write_all(b"hello").await.unwrap();
        drop(client);
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"hello");
    }
}
