//! Lets faults begin and end.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fleet::Fleet;
use crate::rng::Rng;
use crate::s3::{Bucket, Faults};
use crate::trouble::{Fault, FaultKind};
use crate::{DiskFault, FaultPlan};

/// The faults of a run, and what has to be undone.
pub(super) struct Driver {
    waiting: Vec<Fault>,
    lasting: Vec<(Duration, Undo)>,
    nodes: Vec<String>,
    clients: Vec<String>,
    bucket: Option<Bucket>,
    /// Faults that came, by kind.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Servers that are meant to be off, until when.
    down: BTreeMap<String, Duration>,
    /// Servers on which disk calls failed: what they say of damage is true.
    pub(super) hurt: Vec<String>,
    /// Servers whose power goes at a disk call to come, with the seed of what survives.
    waiting_cuts: BTreeMap<String, u64>,
}

/// The end of a fault.
enum Undo {
    Mend(String, String),
    MendBoth(String, String),
    Release(String, String),
    Latency(String, String),
    Store,
    Room(String),
    /// The disk works again. A server that met its errors is started anew: some of them only a restart heals.
    Disk(String),
}

impl Driver {
    pub(super) fn new(faults: Vec<Fault>, nodes: Vec<String>, clients: Vec<String>, bucket: Option<Bucket>) -> Self {
        Self {
            waiting: faults,
            lasting: Vec::new(),
            nodes,
            clients,
            bucket,
            counts: BTreeMap::new(),
            down: BTreeMap::new(),
            hurt: Vec::new(),
            waiting_cuts: BTreeMap::new(),
        }
    }

    /// Before each tick: ends what is over, begins what is due, and starts servers that are down without a reason.
    pub(super) fn advance(&mut self, fleet: &mut Fleet) {
        let now = fleet.elapsed();
        let over: Vec<Undo> = self.lasting.extract_if(.., |(until, _)| *until <= now).map(|(_, undo)| undo).collect();
        over.into_iter().for_each(|undo| self.undo(fleet, undo));
        while self.waiting.first().is_some_and(|fault| fault.at <= now) {
            let fault = self.waiting.remove(0);
            tracing::info!(target: "sim::fault", %fault, "begins");
            self.begin(fleet, &fault);
        }
        self.look_after(fleet, now);
    }

    /// Ends everything.
    pub(super) fn heal(&mut self, fleet: &mut Fleet) {
        self.waiting.clear();
        self.waiting_cuts.clear();
        let undone: Vec<Undo> = self.lasting.drain(..).map(|(_, undo)| undo).collect();
        undone.into_iter().for_each(|undo| self.undo(fleet, undo));
        for node in &self.nodes {
            fleet.get(node).stall_until(Duration::ZERO);
            if let Some(life) = fleet.get(node).life() {
                life.disk.set_plan(FaultPlan::none());
            }
        }
        self.down.clear();
    }

    /// A server is off until `until`.
    fn is_off(&mut self, node: &str, until: Duration) {
        let down = self.down.entry(node.to_owned()).or_default();
        *down = (*down).max(until);
    }

    fn look_after(&mut self, fleet: &mut Fleet, now: Duration) {
        for node in self.nodes.clone() {
            let cut = fleet.get(&node).life().is_some_and(|life| life.disk.is_cut());
            if cut {
                let seed = self.waiting_cuts.remove(&node).unwrap_or(0);
                fleet.power_cut(&node, seed);
                self.is_off(&node, now + Duration::from_millis(500));
            }
            if fleet.is_up(&node) {
                continue;
            }
            if fleet.get(&node).life().is_some() {
                // It ended by itself: stopped in order, or it did not start. A supervisor waits a little.
                fleet.crash(&node);
                self.is_off(&node, now + RESTART_AFTER);
            }
            if self.down.get(&node).is_none_or(|until| *until <= now) {
                self.down.remove(&node);
                fleet.start(&node);
            }
        }
    }

    fn begin(&mut self, fleet: &mut Fleet, fault: &Fault) {
        let mut rng = Rng::new(fault.draw);
        let until = fault.at + fault.lasts;
        let node = self.nodes[rng.index(self.nodes.len())].clone();
        let client = self.clients[rng.index(self.clients.len())].clone();
        let who = if rng.percent(50) { node.clone() } else { client.clone() };
        let came = match fault.kind {
            FaultKind::Crash | FaultKind::PowerCut if !fleet.is_up(&node) => false,
            FaultKind::Crash => {
                fleet.crash(&node);
                self.is_off(&node, until);
                true
            }
            FaultKind::PowerCut => {
                fleet.power_cut(&node, rng.next_u64());
                self.is_off(&node, until);
                true
            }
            FaultKind::PowerCutAtACall | FaultKind::DiskErrors | FaultKind::DiskFull | FaultKind::Stop => {
                self.begin_on(fleet, fault, &node, &mut rng)
            }
            FaultKind::CutFromClients => self.cut(fleet, until, &node, &client),
            FaultKind::CutFromStore => self.bucket.is_some() && self.cut(fleet, until, &who, STORE),
            FaultKind::CutOneWay | FaultKind::Hold | FaultKind::SlowLink => {
                let (a, b) =
                    if self.bucket.is_some() && rng.percent(60) { (STORE.to_owned(), who) } else { (node, client) };
                self.begin_between(fleet, fault, a, b)
            }
            FaultKind::ClockJump => {
                let by_ms = rng.in_range(0..2 * JUMP_MS_MAX);
                let by_ms = i64::try_from(by_ms).unwrap_or(0) - i64::try_from(JUMP_MS_MAX).unwrap_or(0);
                fleet.get(&node).jump_wall(by_ms * 1_000_000);
                true
            }
            FaultKind::Stall => {
                fleet.get(&node).stall_until(until);
                true
            }
            FaultKind::StoreTrouble | FaultKind::StoreLate => self.begin_at_store(fault, until, &mut rng),
        };
        if came {
            *self.counts.entry(fault.kind.name()).or_default() += 1;
        }
    }

    fn cut(&mut self, fleet: &mut Fleet, until: Duration, a: &str, b: &str) -> bool {
        fleet.cut_both(a, b);
        self.lasting.push((until, Undo::MendBoth(a.to_owned(), b.to_owned())));
        true
    }

    fn begin_between(&mut self, fleet: &mut Fleet, fault: &Fault, a: String, b: String) -> bool {
        let undo = match fault.kind {
            FaultKind::CutOneWay => {
                fleet.cut(&a, &b);
                Undo::Mend(a, b)
            }
            FaultKind::Hold => {
                fleet.hold(&a, &b);
                Undo::Release(a, b)
            }
            _ => {
                fleet.set_latency(&a, &b, SLOW);
                Undo::Latency(a, b)
            }
        };
        self.lasting.push((fault.at + fault.lasts, undo));
        true
    }

    /// What hits a server that runs.
    fn begin_on(&mut self, fleet: &mut Fleet, fault: &Fault, node: &str, rng: &mut Rng) -> bool {
        let Some(life) = fleet.get(node).life().filter(|_| fleet.is_up(node)) else { return false };
        let (calls, until) = (life.disk.calls(), fault.at + fault.lasts);
        match fault.kind {
            FaultKind::Stop => life.stop.notify_one(),
            FaultKind::PowerCutAtACall => {
                self.waiting_cuts.insert(node.to_owned(), rng.next_u64());
                life.disk.set_plan(FaultPlan::cut_at(calls + rng.in_range(1..60)));
            }
            FaultKind::DiskErrors => {
                let first = calls + rng.in_range(1..40);
                let plan = FaultPlan::fault(first..first + rng.pick(&[1, 1, 3, 30]), DiskFault::Io);
                life.disk.set_plan(plan);
                self.hurt.push(node.to_owned());
                self.lasting.push((until, Undo::Disk(node.to_owned())));
            }
            _ => {
                let spare = rng.pick(&[0, 500, 5_000]);
                life.disk.with_storage(|storage| storage.set_capacity(storage.used_bytes() + spare));
                self.lasting.push((until, Undo::Room(node.to_owned())));
            }
        }
        true
    }

    fn begin_at_store(&mut self, fault: &Fault, until: Duration, rng: &mut Rng) -> bool {
        let Some(bucket) = &self.bucket else { return false };
        let faults = match fault.kind {
            FaultKind::StoreLate => Faults { late: 300, late_ms_max: LATE_MS_MAX, ..Faults::default() },
            _ => Faults {
                refuse: rng.pick(&[0, 200, 500]),
                fail_after: rng.pick(&[0, 50, 300]),
                hang_after: rng.pick(&[0, 50]),
                conflict: rng.pick(&[0, 100]),
                slow_ms_max: rng.pick(&[0, 500, 5_000]),
                page_objects_max: rng.pick(&[0, 1]),
                ..Faults::default()
            },
        };
        bucket.set_faults(faults);
        self.lasting.push((until, Undo::Store));
        true
    }

    fn undo(&mut self, fleet: &mut Fleet, undo: Undo) {
        match undo {
            Undo::Mend(from, to) => fleet.mend(&from, &to),
            Undo::MendBoth(a, b) => fleet.mend_both(&a, &b),
            Undo::Release(a, b) => fleet.release(&a, &b),
            Undo::Latency(a, b) => {
                let usual = fleet.usual_latency();
                fleet.set_latency(&a, &b, usual);
            }
            Undo::Store => {
                if let Some(bucket) = &self.bucket {
                    bucket.set_faults(Faults::default());
                }
            }
            Undo::Room(node) => fleet.get(&node).with_storage(|storage| storage.set_capacity(u64::MAX)),
            Undo::Disk(node) => {
                if let Some(life) = fleet.get(&node).life() {
                    life.disk.set_plan(FaultPlan::none());
                    fleet.crash(&node);
                }
            }
        }
    }
}

/// The object store's machine.
pub(super) const STORE: &str = "s3";
/// How long a supervisor waits before it starts a server again that ended.
const RESTART_AFTER: Duration = Duration::from_secs(1);
/// How far a calendar jumps at most: less than a day, so that no event falls out of the days that are looked at.
const JUMP_MS_MAX: u64 = 2 * 3_600_000;
/// A message on a slow link.
const SLOW: Duration = Duration::from_millis(900);
/// How late a request reaches the store at most.
const LATE_MS_MAX: u64 = 600_000;
