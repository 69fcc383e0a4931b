//! The host that the product sees: madsim's tasks, network and time, `sim`'s disk and entropy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use helios::host::{BoxFuture, CpuPool, Host, Listener, Net, Stream, Task, TaskControl, Tasks};
use madsim::net::{TcpListener, TcpStream};
use madsim::task::JoinHandle;

use crate::clock::SimClock;
use crate::cpu::SimCpu;
use crate::disk::SimDisk;
use crate::entropy::SeededEntropy;

/// Virtual workers of a node's CPU pool.
const WORKERS: usize = 2;

/// What a process gets on the node that runs it. `life` seeds its entropy.
pub(crate) fn host(disk: &SimDisk, life: u64) -> Host {
    let clock = SimClock::current();
    Host {
        clock: Arc::new(clock.clone()),
        disk: Arc::new(disk.clone()),
        remote_disk: Arc::new(disk.clone()),
        net: Arc::new(MadNet),
        entropy: Arc::new(SeededEntropy::new(life)),
        tasks: Arc::new(MadTasks),
        cpu: CpuPool::new(Arc::new(SimCpu::new(clock, WORKERS))),
    }
}

/// Tasks of the node that spawns them. They go with it.
struct MadTasks;

impl Tasks for MadTasks {
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        Task::new(Box::new(MadTask(madsim::task::Builder::new().name(name).spawn(future))))
    }
}

struct MadTask(JoinHandle<()>);

impl TaskControl for MadTask {
    fn cancel(&self) {
        self.0.abort();
    }

    fn join(self: Box<Self>) -> BoxFuture<'static, bool> {
        Box::pin(async move {
            // Cancelled, or done: a task that panics ends the whole run.
            let _ = self.0.await;
            true
        })
    }
}

/// The simulated network. Names are addresses.
struct MadNet;

impl Net for MadNet {
    fn listen(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Listener>>> {
        Box::pin(async move { Ok(Box::new(MadListener(TcpListener::bind(addr).await?)) as Box<dyn Listener>) })
    }

    fn connect(&self, addr: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(TcpStream::connect(addr).await?) as Box<dyn Stream>) })
    }

    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let ip: IpAddr = name.parse().map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
            Ok(vec![SocketAddr::new(ip, port)])
        })
    }
}

struct MadListener(TcpListener);

impl Listener for MadListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((Box::new(stream) as Box<dyn Stream>, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
