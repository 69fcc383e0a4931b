//! One machine: a scheduler of one thread that draws which task runs next.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use helios::host::{BoxFuture, CpuPool, Host, Task, TaskControl, Tasks};
use tokio::sync::oneshot;

use crate::clock::SimClock;
use crate::cpu::SimCpu;
use crate::digest::Digest;
use crate::disk::{FaultPlan, SimDisk, Storage};
use crate::entropy::SeededEntropy;
use crate::net::NoNet;
use crate::rng::{Rng, mix};

/// Polls in one world, if nothing else is said.
const POLLS_MAX: u64 = 20_000_000;

/// Virtual time in one world. Beyond it something waits for what never comes.
const VIRTUAL_TIME_MAX: Duration = Duration::from_secs(400 * 86_400);

/// Virtual workers of the CPU pool.
const WORKERS: usize = 2;

/// How a run ended.
#[derive(Debug, Eq, PartialEq)]
pub enum Ended<T> {
    /// The main future was done.
    Done(T),
    /// The power went off.
    Cut,
    /// Nothing can ever happen again, or too much did. Says which.
    Stuck(&'static str),
}

/// A machine from power on to power off. Dropping it ends the process on it at once: every task goes
/// where it stands.
pub struct World {
    shared: Arc<Shared>,
}

struct Shared {
    seed: u64,
    clock: SimClock,
    power: Arc<Power>,
    ready: Arc<Ready>,
    tasks: Mutex<TaskTable>,
    schedule: Mutex<Schedule>,
}

/// Whether the machine still runs, and the digest of what happened on it.
#[derive(Default)]
pub(crate) struct Power {
    cut: AtomicBool,
    digest: Digest,
}

struct Schedule {
    rng: Rng,
    polls: u64,
    polls_max: u64,
}

#[derive(Default)]
struct TaskTable {
    slots: Vec<Option<Slot>>,
    panicked: Vec<&'static str>,
    closed: bool,
}

struct Slot {
    name: &'static str,
    /// `None` while it is polled.
    future: Option<BoxFuture<'static, ()>>,
    waker: Arc<TaskWaker>,
    ended: oneshot::Sender<bool>,
    cancelled: Arc<AtomicBool>,
}

impl World {
    /// A machine that was just switched on. What follows from `seed`: the order of tasks, the disk's
    /// latencies, the entropy.
    pub fn new(seed: u64) -> Self {
        let schedule = Schedule { rng: Rng::labelled(seed, "schedule"), polls: 0, polls_max: POLLS_MAX };
        Self {
            shared: Arc::new(Shared {
                seed,
                clock: SimClock::new(),
                power: Arc::default(),
                ready: Arc::default(),
                tasks: Mutex::default(),
                schedule: Mutex::new(schedule),
            }),
        }
    }

    /// Connects a disk to this machine.
    pub fn mount(&self, storage: Storage, plan: FaultPlan) -> SimDisk {
        SimDisk::new(storage, plan, Arc::new(self.shared.clock.clone()), self.shared.power.clone(), self.shared.seed)
    }

    /// What a process on this machine gets.
    pub fn host(&self, disk: &SimDisk) -> Host {
        let clock = self.shared.clock.clone();
        Host {
            clock: Arc::new(clock.clone()),
            disk: Arc::new(disk.clone()),
            remote_disk: Arc::new(disk.clone()),
            net: Arc::new(NoNet),
            entropy: Arc::new(SeededEntropy::new(mix(self.shared.seed ^ 0x656e_7472_6f70_7921))),
            tasks: Arc::new(SimTasks { shared: Arc::downgrade(&self.shared) }),
            cpu: CpuPool::new(Arc::new(SimCpu::new(Arc::new(clock), WORKERS))),
        }
    }

    /// Moves the calendar, forwards or back, and nothing else.
    pub fn jump_wall(&self, by_ns: i64) {
        self.shared.clock.jump_wall(by_ns);
    }

    /// Runs the machine until `main` is done or the power goes off. Background tasks stay for the next
    /// run.
    ///
    /// # Panics
    /// If `main` does.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> Ended<T> {
        let mut main = pin!(main);
        let main_waker = TaskWaker::shared(MAIN, &self.shared.ready);
        let waker = Waker::from(main_waker.clone());
        main_waker.wake_by_ref();
        loop {
            if self.shared.power.is_cut() {
                return Ended::Cut;
            }
            match self.shared.next_ready() {
                Some(MAIN) => {
                    main_waker.queued.store(false, Ordering::Relaxed);
                    if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return Ended::Done(value);
                    }
                }
                Some(index) => self.shared.poll_task(index),
                None if !self.shared.clock.advance() => return Ended::Stuck("every task waits and no timer runs"),
                None if self.shared.clock.now_ns() > VIRTUAL_TIME_MAX.as_nanos() as u64 => {
                    return Ended::Stuck("no end after a year of virtual time");
                }
                None => {}
            }
            let schedule = self.shared.lock_schedule();
            if schedule.polls > schedule.polls_max {
                return Ended::Stuck("too many polls: tasks wake each other in circles");
            }
        }
    }

    /// The names of tasks that panicked.
    pub fn panicked_tasks(&self) -> Vec<&'static str> {
        self.shared.lock_tasks().panicked.clone()
    }

    /// How often a task was polled so far.
    pub fn polls(&self) -> u64 {
        self.shared.lock_schedule().polls
    }

    /// From now on a world that needs more polls than this is taken to run in circles.
    pub fn limit_polls(&self, polls: u64) {
        self.shared.lock_schedule().polls_max = polls;
    }

    /// A digest of everything that happened: which task ran when, every call to the disk with its bytes
    /// and its answer. Equal for equal seeds.
    pub fn digest(&self) -> u64 {
        self.shared.power.digest.value()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shared.lock_tasks().closed = true;
        // One at a time and outside of the lock: a task's end may wake, cancel or spawn others.
        loop {
            let slot = self.shared.lock_tasks().slots.pop();
            let Some(slot) = slot else { break };
            drop(slot);
        }
    }
}

impl Power {
    /// A machine whose facts go into a digest that others add to, too.
    pub(crate) fn of(digest: Digest) -> Self {
        Self { cut: AtomicBool::new(false), digest }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Adds one fact to the digest of the run.
    pub(crate) fn note(&self, fact: u64) {
        self.digest.note(fact);
    }
}

impl Shared {
    /// Draws one of the tasks that can run.
    fn next_ready(&self) -> Option<usize> {
        let mut ready = self.ready.lock();
        if ready.is_empty() {
            return None;
        }
        let mut schedule = self.lock_schedule();
        schedule.polls += 1;
        let drawn = schedule.rng.index(ready.len());
        let index = ready.swap_remove(drawn);
        self.power.note(index as u64);
        Some(index)
    }

    fn poll_task(&self, index: usize) {
        let Some((mut future, waker, cancelled)) = self.take_future(index) else { return };
        waker.queued.store(false, Ordering::Relaxed);
        let waker = Waker::from(waker);
        let polled = if cancelled.load(Ordering::Relaxed) {
            Ok(Poll::Ready(()))
        } else {
            catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut Context::from_waker(&waker))))
        };
        if let Ok(Poll::Pending) = polled {
            self.put_back(index, future);
            return;
        }
        // Dropped before the end is told: who joins finds everything that the task held let go.
        drop(future);
        let slot = self.lock_tasks().slots.get_mut(index).and_then(Option::take);
        let Some(slot) = slot else { return };
        if polled.is_err() {
            self.lock_tasks().panicked.push(slot.name);
        }
        // Nobody may wait for the end.
        let _ = slot.ended.send(polled.is_ok());
    }

    #[allow(clippy::type_complexity, reason = "the parts of a slot, named where they are taken apart")]
    fn take_future(&self, index: usize) -> Option<(BoxFuture<'static, ()>, Arc<TaskWaker>, Arc<AtomicBool>)> {
        let mut tasks = self.lock_tasks();
        let slot = tasks.slots.get_mut(index)?.as_mut()?;
        Some((slot.future.take()?, slot.waker.clone(), slot.cancelled.clone()))
    }

    fn put_back(&self, index: usize, future: BoxFuture<'static, ()>) {
        if let Some(Some(slot)) = self.lock_tasks().slots.get_mut(index) {
            slot.future = Some(future);
        }
    }

    fn lock_tasks(&self) -> MutexGuard<'_, TaskTable> {
        self.tasks.lock().expect("nothing panics under the lock of the tasks")
    }

    fn lock_schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().expect("nothing panics under the lock of the schedule")
    }
}

/// The main future's place among the tasks.
const MAIN: usize = usize::MAX;

/// Tasks that were woken and not polled since.
#[derive(Default)]
struct Ready(Mutex<Vec<usize>>);

impl Ready {
    fn lock(&self) -> MutexGuard<'_, Vec<usize>> {
        self.0.lock().expect("nothing panics under the lock of the ready tasks")
    }
}

struct TaskWaker {
    index: usize,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl TaskWaker {
    fn shared(index: usize, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { index, queued: AtomicBool::new(false), ready: ready.clone() })
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.ready.lock().push(self.index);
        }
    }
}

/// Holds the world weakly: a host that outlives its machine spawns nothing.
struct SimTasks {
    shared: std::sync::Weak<Shared>,
}

impl Tasks for SimTasks {
    fn spawn(&self, name: &'static str, future: BoxFuture<'static, ()>) -> Task {
        let (ended, has_ended) = oneshot::channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        let Some(shared) = self.shared.upgrade() else {
            return Task::new(Box::new(SimTask { cancelled, waker: None, has_ended }));
        };
        let mut tasks = shared.lock_tasks();
        let waker = TaskWaker::shared(tasks.slots.len(), &shared.ready);
        let slot = Slot { name, future: Some(future), waker: waker.clone(), ended, cancelled: cancelled.clone() };
        // On a machine that is going down the task is dropped unrun, outside of the lock.
        let unrun = if tasks.closed {
            Some(slot)
        } else {
            tasks.slots.push(Some(slot));
            None
        };
        drop(tasks);
        drop(unrun);
        waker.wake_by_ref();
        Task::new(Box::new(SimTask { cancelled, waker: Some(waker), has_ended }))
    }
}

struct SimTask {
    cancelled: Arc<AtomicBool>,
    waker: Option<Arc<TaskWaker>>,
    has_ended: oneshot::Receiver<bool>,
}

impl TaskControl for SimTask {
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn join(self: Box<Self>) -> BoxFuture<'static, bool> {
        // The sender goes without a word only with the world: no panic.
        Box::pin(async move { self.has_ended.await.unwrap_or(true) })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn host(world: &World) -> Host {
        world.host(&world.mount(Storage::new(), FaultPlan::none()))
    }

    /// The order in which ten tasks ran that could all run at once.
    fn order(seed: u64) -> (Vec<u32>, u64) {
        let world = World::new(seed);
        let host = host(&world);
        let order = Arc::new(Mutex::new(Vec::new()));
        let main = async {
            let spawn = |i: u32| {
                let order = order.clone();
                host.tasks.spawn("test", Box::pin(async move { order.lock().unwrap().push(i) }))
            };
            let tasks: Vec<Task> = (0..10).map(spawn).collect();
            for task in tasks {
                assert!(task.join().await);
            }
        };
        assert_eq!(world.run(main), Ended::Done(()));
        let order = order.lock().unwrap().clone();
        (order, world.digest())
    }

    #[test]
    fn a_seed_decides_the_order_of_tasks() {
        assert_eq!(order(1), order(1));
        let distinct: std::collections::BTreeSet<_> = (0..100).map(|seed| order(seed).0).collect();
        assert!(distinct.len() > 95, "{} orders of 100", distinct.len());
    }

    #[test]
    fn time_jumps_to_the_next_timer() {
        let world = World::new(1);
        let host = host(&world);
        let main = async {
            host.clock.sleep(Duration::from_secs(3600)).await;
            host.clock.monotonic()
        };
        assert_eq!(world.run(main), Ended::Done(Duration::from_secs(3600)));
    }

    #[test]
    fn the_calendar_jumps_without_moving_the_monotonic_clock() {
        let world = World::new(1);
        let host = host(&world);
        let (wall, monotonic) = (host.clock.wall(), host.clock.monotonic());
        world.jump_wall(-5);
        assert_eq!(host.clock.wall().0, wall.0 - 5);
        assert_eq!(host.clock.monotonic(), monotonic);
    }

    #[test]
    fn a_wait_for_nothing_is_told_as_stuck() {
        let world = World::new(1);
        assert!(matches!(world.run(std::future::pending::<()>()), Ended::Stuck(_)));
    }

    #[test]
    fn a_panic_in_a_task_ends_that_task_only() {
        let world = World::new(1);
        let host = host(&world);
        let task = host.tasks.spawn("breaks", Box::pin(async { panic!("on purpose") }));
        assert_eq!(world.run(task.join()), Ended::Done(false));
        assert_eq!(world.panicked_tasks(), ["breaks"]);
    }

    #[test]
    fn a_cancelled_task_and_a_dropped_world_let_go_of_what_tasks_hold() {
        let world = World::new(1);
        let host = host(&world);
        let held = Arc::new(());
        let hold = |held: Arc<()>| async move {
            std::future::pending::<()>().await;
            drop(held);
        };
        let task = host.tasks.spawn("cancelled", Box::pin(hold(held.clone())));
        host.tasks.spawn("left", Box::pin(hold(held.clone())));
        let end = async {
            task.cancel();
            task.join().await
        };
        assert_eq!(world.run(end), Ended::Done(true));
        assert_eq!(Arc::strong_count(&held), 2);
        drop(world);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[test]
    fn work_for_the_cpu_takes_virtual_time() {
        use helios::host::Cost;
        let world = World::new(1);
        let host = host(&world);
        let main = async {
            let seven = host.cpu.run(Cost::bytes(500_000), || 7).await;
            (seven, host.clock.monotonic() >= Duration::from_millis(1))
        };
        assert_eq!(world.run(main), Ended::Done((7, true)));
    }
}
