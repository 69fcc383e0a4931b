//! The connection of a [`Storage`] to a running machine: counting, latency, faults, the cut.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use helios::host::{BoxFuture, Clock, DirEntry, Disk, DiskFile, DiskLock};

use super::storage::{NodeId, Storage};
use super::{DiskFault, FaultPlan};
use crate::rng::{Rng, hash};
use crate::world::Power;

/// A disk in use. Clones are the same disk: two processes on one machine.
#[derive(Clone)]
pub struct SimDisk(Arc<Device>);

struct Device {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
    power: Arc<Power>,
}

struct State {
    storage: Storage,
    plan: FaultPlan,
    rng: Rng,
    /// Calls of 100 that take time; drawn per life, so that some disks are instant.
    slow_percent: u64,
    calls: u64,
    trace: Vec<String>,
}

/// A call, for the digest and the trace.
#[derive(Clone, Copy)]
struct Call<'a> {
    name: &'static str,
    kind: Kind,
    path: &'a Path,
    /// What the path alone does not say: appended bytes, the second path.
    detail: &'a [u8],
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// Changes nothing.
    Read,
    /// Needs room.
    Grow,
    /// Changes something and needs no room.
    Change,
    Sync,
}

impl SimDisk {
    pub(crate) fn new(storage: Storage, plan: FaultPlan, clock: Arc<dyn Clock>, power: Arc<Power>, seed: u64) -> Self {
        let mut rng = Rng::labelled(seed, "disk");
        let slow_percent = rng.pick(&[0, 10, 50, 90]);
        let state = State { storage, plan, rng, slow_percent, calls: 0, trace: Vec::new() };
        Self(Arc::new(Device { state: Mutex::new(state), clock, power }))
    }

    /// Calls that took effect so far in this life, or would have but for a fault.
    pub fn calls(&self) -> u64 {
        self.0.lock().calls
    }

    /// A line per call, if the plan asked for it.
    pub fn trace(&self) -> Vec<String> {
        self.0.lock().trace.clone()
    }

    /// Changes the storage under the running machine: its capacity, rot.
    pub fn with_storage<T>(&self, change: impl FnOnce(&mut Storage) -> T) -> T {
        change(&mut self.0.lock().storage)
    }

    /// Replaces what goes wrong from now on; calls are counted on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.0.lock().plan = plan;
    }

    /// Whether the power went off at a call that the plan named.
    pub fn is_cut(&self) -> bool {
        self.0.power.is_cut()
    }

    /// Takes the storage out of the machine, for the next life. Drop the world first: what still holds
    /// this disk finds it empty.
    pub fn unmount(&self) -> Storage {
        let mut storage = std::mem::take(&mut self.0.lock().storage);
        storage.process_killed();
        storage
    }

    /// A call from its start to its answer. It takes effect after one delay and answers after another: who
    /// drops it in between does not know whether it happened.
    async fn call<T>(
        &self,
        call: Call<'_>,
        effect: impl FnOnce(&mut State, Option<DiskFault>) -> io::Result<T>,
    ) -> io::Result<T> {
        let (before, after) = self.0.lock().draw_delays(call.kind);
        self.delay(before).await;
        let Some(answer) = self.take_effect(call, effect) else {
            // The power is off: nobody ever hears of this call again.
            return std::future::pending().await;
        };
        self.delay(after).await;
        answer
    }

    async fn delay(&self, delay_us: u64) {
        if delay_us > 0 {
            self.0.clock.sleep(Duration::from_micros(delay_us)).await;
        }
    }

    fn take_effect<T>(
        &self,
        call: Call<'_>,
        effect: impl FnOnce(&mut State, Option<DiskFault>) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        if self.0.power.is_cut() {
            return None;
        }
        let mut state = self.0.lock();
        state.calls += 1;
        let fault = state.plan.fault_of(state.calls).filter(|fault| fault.hits(call.kind));
        if state.plan.cut_at == Some(state.calls) {
            self.0.power.cut();
            if state.rng.percent(50) {
                let _ = effect(&mut state, fault);
            }
            state.note(&self.0.power, call, "the power goes off");
            return None;
        }
        let answer = effect(&mut state, fault);
        let outcome = answer.as_ref().map_or_else(|error| error.kind().to_string(), |_| "ok".into());
        state.note(&self.0.power, call, &outcome);
        Some(answer)
    }
}

impl Device {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics under the disk's lock")
    }
}

impl State {
    fn draw_delays(&mut self, kind: Kind) -> (u64, u64) {
        let mut draw = |us_max: u64| if self.rng.percent(self.slow_percent) { self.rng.in_range(1..us_max) } else { 0 };
        match kind {
            Kind::Sync => (draw(3000), draw(300)),
            Kind::Read | Kind::Grow | Kind::Change => (draw(100), draw(100)),
        }
    }

    fn note(&mut self, power: &Power, call: Call<'_>, outcome: &str) {
        power.note(hash(call.name.as_bytes()) ^ hash(call.path.as_os_str().as_encoded_bytes()).rotate_left(1));
        power.note(hash(call.detail) ^ hash(outcome.as_bytes()).rotate_left(1));
        tracing::trace!(target: "sim::disk", call = call.name, path = %call.path.display(), bytes = call.detail.len(), outcome);
        if self.plan.trace {
            let (calls, name, path, bytes) = (self.calls, call.name, call.path.display(), call.detail.len());
            self.trace.push(format!("{calls:5} {name:12} {path} +{bytes}: {outcome}"));
        }
    }

    /// A change of names that fails with `EIO` happened or not.
    fn change(
        &mut self,
        fault: Option<DiskFault>,
        change: impl FnOnce(&mut Storage) -> io::Result<()>,
    ) -> io::Result<()> {
        match fault {
            None => change(&mut self.storage),
            Some(fault) => {
                if fault == DiskFault::Io && self.rng.percent(50) {
                    let _ = change(&mut self.storage);
                }
                Err(fault.error())
            }
        }
    }
}

impl DiskFault {
    fn hits(self, kind: Kind) -> bool {
        match self {
            Self::NoSpace => kind == Kind::Grow,
            Self::Io => true,
        }
    }

    fn error(self) -> io::Error {
        match self {
            Self::NoSpace => io::ErrorKind::StorageFull.into(),
            // EIO has no kind of its own.
            Self::Io => io::Error::from_raw_os_error(5),
        }
    }

    fn refuse(fault: Option<Self>) -> io::Result<()> {
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }
}

impl<'a> Call<'a> {
    fn new(name: &'static str, kind: Kind, path: &'a Path) -> Self {
        Self { name, kind, path, detail: &[] }
    }

    fn and(self, detail: &'a [u8]) -> Self {
        Self { detail, ..self }
    }
}

impl Disk for SimDisk {
    fn create_new<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        Box::pin(async move {
            let create = |state: &mut State, fault| {
                let mut node = None;
                state.change(fault, |storage| storage.create_new(path).map(|created| node = Some(created)))?;
                Ok(node)
            };
            let node = self.call(Call::new("create_new", Kind::Grow, path), create).await?;
            Ok(self.file(path, node.expect("a creation that did not fail made a file")))
        })
    }

    fn open<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Arc<dyn DiskFile>>> {
        Box::pin(async move {
            let open = |state: &mut State, fault| {
                DiskFault::refuse(fault)?;
                state.storage.open(path)
            };
            let node = self.call(Call::new("open", Kind::Read, path), open).await?;
            Ok(self.file(path, node))
        })
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let call = Call::new("rename", Kind::Change, from).and(to.as_os_str().as_encoded_bytes());
        Box::pin(self.call(call, move |state, fault| state.change(fault, |storage| storage.rename(from, to))))
    }

    fn link<'a>(&'a self, existing: &'a Path, new: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let call = Call::new("link", Kind::Grow, existing).and(new.as_os_str().as_encoded_bytes());
        Box::pin(self.call(call, move |state, fault| state.change(fault, |storage| storage.link(existing, new))))
    }

    fn remove_file<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let call = Call::new("remove_file", Kind::Change, path);
        Box::pin(self.call(call, move |state, fault| state.change(fault, |storage| storage.remove_file(path))))
    }

    fn remove_dir<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let call = Call::new("remove_dir", Kind::Change, path);
        Box::pin(self.call(call, move |state, fault| state.change(fault, |storage| storage.remove_dir(path))))
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let call = Call::new("create_dir", Kind::Grow, path);
        Box::pin(self.call(call, move |state, fault| state.change(fault, |storage| storage.create_dir(path))))
    }

    fn list<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<Vec<DirEntry>>> {
        let list = move |state: &mut State, fault| {
            DiskFault::refuse(fault)?;
            state.storage.list(dir)
        };
        Box::pin(self.call(Call::new("list", Kind::Read, dir), list))
    }

    fn sync_dir<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<()>> {
        let sync = move |state: &mut State, fault: Option<DiskFault>| match fault {
            None => state.storage.sync_dir(dir),
            Some(fault) => {
                state.storage.fail_sync_dir(dir);
                Err(fault.error())
            }
        };
        Box::pin(self.call(Call::new("sync_dir", Kind::Sync, dir), sync))
    }

    fn free_bytes<'a>(&'a self, dir: &'a Path) -> BoxFuture<'a, io::Result<u64>> {
        let ask = move |state: &mut State, fault| {
            DiskFault::refuse(fault)?;
            state.storage.list(dir)?;
            Ok(state.storage.free_bytes())
        };
        Box::pin(self.call(Call::new("free_bytes", Kind::Read, dir), ask))
    }

    fn lock<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, io::Result<Box<dyn DiskLock>>> {
        Box::pin(async move {
            let lock = |state: &mut State, fault| {
                DiskFault::refuse(fault)?;
                state.storage.lock(path)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
            };
            let (node, holder) = self.call(Call::new("lock", Kind::Grow, path), lock).await?;
            Ok(Box::new(SimLock { disk: self.clone(), node, holder }) as Box<dyn DiskLock>)
        })
    }
}

impl SimDisk {
    fn file(&self, path: &Path, node: NodeId) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), path: path.into(), node })
    }
}

struct SimLock {
    disk: SimDisk,
    node: NodeId,
    holder: u64,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.0.lock().storage.unlock(self.node, self.holder);
    }
}

struct SimFile {
    disk: SimDisk,
    /// The name that it was opened by, for digest and trace.
    path: Box<Path>,
    node: NodeId,
}

impl DiskFile for SimFile {
    fn append(&self, bytes: Bytes) -> BoxFuture<'_, io::Result<u64>> {
        Box::pin(async move {
            let append = |state: &mut State, fault: Option<DiskFault>| {
                let Some(fault) = fault else { return state.storage.append(self.node, &bytes) };
                let written = state.rng.index(bytes.len() + 1);
                let _ = state.storage.append(self.node, &bytes[..written]);
                Err(fault.error())
            };
            self.disk.call(Call::new("append", Kind::Grow, &self.path).and(&bytes), append).await
        })
    }

    fn read_at(&self, offset: u64, len: usize) -> BoxFuture<'_, io::Result<Bytes>> {
        let read = move |state: &mut State, fault| {
            DiskFault::refuse(fault)?;
            let bytes = &state.storage.file(self.node)?.bytes;
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let range = start..start.saturating_add(len);
            let found = bytes.get(range).ok_or(io::ErrorKind::UnexpectedEof)?;
            Ok(Bytes::copy_from_slice(found))
        };
        Box::pin(self.disk.call(Call::new("read_at", Kind::Read, &self.path), read))
    }

    fn len(&self) -> BoxFuture<'_, io::Result<u64>> {
        let ask = move |state: &mut State, fault| {
            DiskFault::refuse(fault)?;
            Ok(state.storage.file(self.node)?.bytes.len() as u64)
        };
        Box::pin(self.disk.call(Call::new("len", Kind::Read, &self.path), ask))
    }

    fn sync(&self) -> BoxFuture<'_, io::Result<()>> {
        let sync = move |state: &mut State, fault: Option<DiskFault>| {
            let Some(fault) = fault else { return state.storage.sync(self.node) };
            let State { storage, rng, .. } = state;
            storage.fail_sync(self.node, || rng.percent(25));
            Err(fault.error())
        };
        Box::pin(self.disk.call(Call::new("sync", Kind::Sync, &self.path), sync))
    }

    fn preallocate(&self, bytes: u64) -> BoxFuture<'_, io::Result<()>> {
        let reserve = move |state: &mut State, fault| {
            DiskFault::refuse(fault)?;
            if state.storage.free_bytes() < bytes { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        };
        Box::pin(self.disk.call(Call::new("preallocate", Kind::Grow, &self.path), reserve))
    }
}
