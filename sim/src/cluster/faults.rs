//! What goes wrong in a run, one thing after the other.

use std::sync::Arc;
use std::time::Duration;

use helios::chain::memory::Faults;
use helios::cluster::Begin;
use helios::engine::Memory;

use super::node::Node;
use super::{Focus, Run, judge, lock, rollback};
use crate::disk::{DiskFault, FaultPlan, Storage};
use crate::rng::Rng;

/// A disk as it was when its process was not running.
type Backup = (usize, Storage);

/// A machine as it was while its process was running.
struct Moment {
    number: usize,
    disk: Storage,
    memory: Memory,
}

/// Breaks things until the run stops.
pub(super) async fn drive(run: Arc<Run>) {
    let mut rng = Rng::labelled(run.plan.seed, "faults");
    let weights = Weights::draw(&mut rng, run.plan.focus);
    let mut driver =
        Driver { run, rng, backups: Vec::new(), moments: Vec::new(), stores: Vec::new(), rolled_back: false };
    while !driver.run.is_stopping() {
        let pause = Duration::from_millis(driver.rng.in_range(300..6_000));
        driver.run.host.clock.sleep(pause).await;
        let number = driver.rng.index(driver.run.nodes.len());
        if driver.rng.percent(20) {
            driver.stores.push(driver.run.store.backup());
        }
        if driver.run.plan.focus == Focus::Clones {
            driver.remember();
        }
        let kind = weights.pick(&mut driver.rng);
        // What the store lost is on disks only, and shared blocks there are not synced.
        let at_risk = matches!(kind, Kind::PowerCut | Kind::Wipe | Kind::Restore | Kind::Rollback);
        if !(driver.rolled_back && at_risk) {
            driver.begin(kind, number).await;
        }
    }
}

struct Driver {
    run: Arc<Run>,
    rng: Rng,
    /// Disks as they were, and whose.
    backups: Vec<Backup>,
    /// Machines as they were.
    moments: Vec<Moment>,
    /// The store as it was.
    stores: Vec<rollback::Backup>,
    rolled_back: bool,
}

impl Driver {
    async fn begin(&mut self, kind: Kind, number: usize) {
        let run = Arc::clone(&self.run);
        let node = Arc::clone(&run.nodes[number]);
        let Self { rng, backups, .. } = self;
        match kind {
            Kind::Rollback => self.roll_back().await,
            Kind::Kill => restart(&run, &node, rng, None, Some((number, backups))).await,
            Kind::PowerCut => {
                let seed = rng.next_u64();
                restart(&run, &node, rng, Some(seed), Some((number, backups))).await;
            }
            Kind::Stop => {
                run.collect_coverage(&node);
                node.stop().await;
                revive(&run, &node, rng).await;
            }
            Kind::Cable => {
                run.saw("fault: cable cut");
                node.cable.cut(Duration::from_millis(rng.in_range(100..30_000)));
            }
            Kind::Store => {
                run.saw("fault: store");
                let faults = if rng.percent(40) { Faults::default() } else { run.plan.focus.store_faults(rng) };
                run.store.set_faults(faults);
            }
            Kind::Pause => pause(&run, &node, rng),
            Kind::WallJump => {
                run.saw("fault: wall jump");
                let by = rng.pick(&[-3_600, 3_600, 86_400, 400 * 86_400, -40]);
                node.clock.jump(by * 1_000_000_000);
                run.host.clock.sleep(Duration::from_millis(rng.in_range(100..10_000))).await;
                node.clock.jump(-by * 1_000_000_000);
            }
            Kind::Disk => {
                run.saw("fault: disk");
                let from = node.disk.calls() + rng.in_range(1..20);
                let fault = rng.pick(&[DiskFault::Io, DiskFault::NoSpace]);
                node.disk.set_plan(FaultPlan::fault(from..from + rng.in_range(1..4), fault));
            }
            Kind::Wipe => {
                run.saw("fault: wipe");
                replace_disk(&run, &node, Storage::new()).await;
                revive(&run, &node, rng).await;
            }
            Kind::Restore => {
                let Some(at) = backups.iter().rposition(|(of, _)| *of == number) else { return };
                run.saw("fault: disk restored");
                let (_, storage) = backups.remove(at);
                replace_disk(&run, &node, storage).await;
                revive(&run, &node, rng).await;
            }
            Kind::PutBack => self.put_back(number).await,
        }
    }

    /// Remembers one machine as it is.
    fn remember(&mut self) {
        let number = self.rng.index(self.run.nodes.len());
        let node = &self.run.nodes[number];
        if let Some(life) = node.life() {
            let disk = node.disk.with_storage(|storage| storage.clone());
            self.moments.push(Moment { number, disk, memory: life.engine.memory() });
        }
    }

    /// A machine goes on from an earlier moment: its disk and its process know nothing of what came later.
    async fn put_back(&mut self, number: usize) {
        let Some(at) = self.moments.iter().rposition(|moment| moment.number == number) else { return };
        let (run, node) = (Arc::clone(&self.run), Arc::clone(&self.run.nodes[number]));
        run.saw("fault: machine put back while it ran");
        let Moment { disk, memory, .. } = self.moments.remove(at);
        replace_disk(&run, &node, disk).await;
        start(&run, &node, Some(memory)).await;
    }

    /// The store is put back, and an operator looks after it.
    async fn roll_back(&mut self) {
        let Self { run, rng, stores, rolled_back, .. } = self;
        if run.retention || stores.is_empty() || run.plan.focus == Focus::Clones {
            return;
        }
        *rolled_back = true;
        if let Err(why) = rollback::roll_back(run, rng, stores).await {
            run.fail(why);
        }
        while !run.is_stopping() && rollback::adopt(run, Begin::Write).await.is_err() {
            run.host.clock.sleep(Duration::from_secs(1)).await;
        }
    }
}

/// A process stands still for a while.
fn pause(run: &Arc<Run>, node: &Node, rng: &mut Rng) {
    let Some(switch) = node.life().map(|life| life.switch) else { return };
    run.saw("fault: process stands still");
    switch.pause(true);
    let clock = Arc::clone(&run.host.clock);
    let still = Duration::from_millis(rng.in_range(500..60_000));
    let resume = async move {
        clock.sleep(still).await;
        switch.pause(false);
    };
    run.host.tasks.spawn("resume", Box::pin(resume));
}

/// What can go wrong.
#[derive(Clone, Copy)]
enum Kind {
    Kill,
    PowerCut,
    Stop,
    Cable,
    Store,
    WallJump,
    Disk,
    Wipe,
    Restore,
    Rollback,
    Pause,
    PutBack,
}

/// Each run has some kinds, and those more or less often.
struct Weights(Vec<Kind>);

impl Weights {
    fn draw(rng: &mut Rng, focus: Focus) -> Self {
        let all = [
            Kind::Kill,
            Kind::PowerCut,
            Kind::Stop,
            Kind::Cable,
            Kind::Store,
            Kind::WallJump,
            Kind::Disk,
            Kind::Wipe,
            Kind::Restore,
            Kind::Rollback,
            Kind::Pause,
        ];
        let mut kinds = Vec::new();
        for kind in all {
            let times = match kind {
                Kind::Pause if matches!(focus, Focus::Sweeping | Focus::Pages | Focus::Ghosts) => 8,
                Kind::WallJump if focus == Focus::Retention => 8,
                Kind::Rollback if focus == Focus::Rollbacks => 16,
                Kind::Pause => rng.pick(&[0, 1, 2, 4, 8]),
                _ => rng.pick(&[0, 0, 1, 1, 2, 4]),
            };
            kinds.extend(std::iter::repeat_n(kind, times));
        }
        if focus == Focus::Clones {
            kinds.extend([Kind::PutBack; 8]);
        }
        if kinds.is_empty() {
            kinds.push(Kind::Kill);
        }
        Self(kinds)
    }

    fn pick(&self, rng: &mut Rng) -> Kind {
        self.0[rng.index(self.0.len())]
    }
}

async fn restart(
    run: &Arc<Run>,
    node: &Arc<Node>,
    rng: &mut Rng,
    power: Option<u64>,
    backups: Option<(usize, &mut Vec<Backup>)>,
) {
    run.saw(if power.is_some() { "fault: power cut" } else { "fault: kill" });
    run.collect_coverage(node);
    node.kill(power).await;
    if let Some((number, backups)) = backups
        && rng.percent(30)
    {
        backups.push((number, node.disk.with_storage(|storage| storage.clone())));
    }
    revive(run, node, rng).await;
}

/// Starts the node after a while.
async fn revive(run: &Arc<Run>, node: &Arc<Node>, rng: &mut Rng) {
    run.host.clock.sleep(Duration::from_millis(rng.in_range(0..8_000))).await;
    start(run, node, None).await;
}

/// Starts the node; with a memory, that process goes on. A start that fails is tried again at the next occasion, or when
/// all is healed.
async fn start(run: &Run, node: &Node, memory: Option<Memory>) {
    node.disk.set_plan(FaultPlan::none());
    if node.start_as(memory).await.is_err() {
        run.saw("start refused");
        node.kill(None).await;
    }
}

/// Another disk takes the place of the node's. What only that disk had may be lost from now on.
async fn replace_disk(run: &Arc<Run>, node: &Arc<Node>, storage: Storage) {
    run.collect_coverage(node);
    node.kill(None).await;
    let shared = judge::shared_marks(run);
    let lines = judge::shared_lines(run);
    let own = lock(&run.on).remove(node.name).unwrap_or_default();
    let safe = lock(&run.safe).clone();
    let mut model = lock(&run.model);
    let ids: Vec<_> = model.acknowledged_ids().map(|(raw, id)| (raw.to_owned(), id)).collect();
    for (raw, id) in ids.into_iter().filter(|(raw, _)| own.contains(raw) && !safe.contains(raw)) {
        let is_shared = model
            .place(&raw)
            .and_then(|place| shared.get(&place))
            .is_some_and(|marks| marks.get(id.origin) >= id.sequence.0);
        // Of two events with one number a watermark cannot say which it means.
        let is_shared = lines.as_ref().map_or(is_shared, |lines| lines.contains(&raw));
        if !is_shared {
            model.excuse(&raw);
        }
    }
    drop(model);
    node.disk.with_storage(|disk| *disk = storage);
    node.disk.with_storage(Storage::process_killed);
}
