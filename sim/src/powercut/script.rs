//! One run: lives of drawn steps, a power cut, recoveries, and the judgement after each.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::event::partition::DAY_NS;
use helios::host::{Host, Task};

use super::model::day_of;
use super::{Answer, Model, RETENTION_DAYS, ROOT, Sent, Subject};
use crate::{DiskFault, Ended, FaultPlan, Rng, Storage, World};

/// Lives in a workload; the power goes off in the last one at the latest.
const LIVES: u64 = 2;

/// Steps of one life.
const STEPS_MAX: u64 = 6;

/// Recoveries that are cut again before one is let be.
const RECUTS_MAX: u64 = 3;

/// Disk calls within which a recovery is cut again.
const RECUT_CALLS_MAX: u64 = 120;

/// Virtual time between two steps, at most.
const PAUSE_MAX_MS: u64 = 2_000;

/// One run: everything that decides how it goes.
#[derive(Clone)]
pub struct Run<S> {
    /// Draws workload, schedule, latencies and the fate of what was not synced.
    pub seed: u64,
    /// The disk call, counted over all lives, at which the power goes off; `None` for never.
    pub cut: Option<u64>,
    /// Disk calls, counted over all lives, that fail.
    pub fault: Option<(Range<u64>, DiskFault)>,
    /// What the subject is started with.
    pub settings: S,
    /// Whether to keep a line per disk call.
    pub trace: bool,
}

/// Why a run failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong.
    pub what: String,
    /// The disk calls of all lives, if they were kept.
    pub trace: Vec<String>,
}

/// How a run went.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Disk calls of the workload, until the cut or in all.
    pub calls: u64,
    /// Whether the power went off where it should.
    pub was_cut: bool,
    /// Lines that were acknowledged.
    pub acknowledged: usize,
    /// Digest of the workload's lives.
    pub digest: u64,
}

/// Runs the workload of `run.seed` until its end or the cut, then recovers and judges.
///
/// # Errors
/// The first thing that is wrong.
pub fn run<S: Subject>(run: &Run<S::Settings>) -> Result<Outcome, Failure> {
    let mut machine = Machine::<S> {
        run,
        model: Arc::default(),
        storage: Storage::new(),
        calls: 0,
        digest: 0,
        lives: 0,
        lines: Rng::labelled(run.seed, "lines"),
        wall_ahead_ns: 0,
        trace: Vec::new(),
    };
    let mut was_cut = false;
    for life in 0..LIVES {
        was_cut = machine.live(run.plan_after(machine.calls), Script::draw(run.seed, life))?;
        if was_cut {
            break;
        }
    }
    let (calls, digest) = (machine.calls, machine.digest);
    machine.recover(was_cut)?;
    let acknowledged = machine.model.lock().expect("no judgement panics").acknowledged();
    Ok(Outcome { calls, was_cut, acknowledged, digest })
}

impl<S> Run<S> {
    /// What goes wrong in a life before which there were so many calls.
    fn plan_after(&self, calls: u64) -> FaultPlan {
        let faults = self
            .fault
            .iter()
            .map(|(range, fault)| (range.start.saturating_sub(calls).max(1)..range.end.saturating_sub(calls), *fault));
        let cut_at = self.cut.and_then(|cut| cut.checked_sub(calls));
        FaultPlan { cut_at, faults: faults.collect(), trace: self.trace }
    }
}

/// What happens in one life.
struct Script {
    steps: Vec<Step>,
    end: End,
}

#[derive(Clone, Copy)]
enum Step {
    /// So many clients send so many batches one after the other, while so many searches run.
    Ingest {
        clients: u64,
        batches: u64,
        lines_max: u64,
        searches: u64,
    },
    Flush,
    Compact,
    /// So many days pass and fall out of retention.
    Retain {
        days: i32,
    },
    Pause {
        ms: u64,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Stopped in order.
    Stopped,
    /// Killed; the machine runs on.
    Killed,
}

impl Script {
    fn draw(seed: u64, life: u64) -> Self {
        let mut rng = Rng::labelled(seed.wrapping_add(life << 48), "script");
        let ingest = |rng: &mut Rng| Step::Ingest {
            clients: rng.in_range(1..4),
            batches: rng.in_range(1..4),
            lines_max: rng.pick(&[1, 3, 10]),
            searches: rng.in_range(0..3),
        };
        let mut steps = vec![ingest(&mut rng)];
        for _ in 0..rng.in_range(2..STEPS_MAX) {
            steps.push(match rng.in_range(0..10) {
                0..4 => ingest(&mut rng),
                4..6 => Step::Flush,
                6..8 => Step::Compact,
                8 => Step::Retain { days: i32::try_from(rng.in_range(0..2)).expect("small") },
                _ => Step::Pause { ms: rng.in_range(1..PAUSE_MAX_MS) },
            });
        }
        let end = if rng.percent(50) { End::Stopped } else { End::Killed };
        Self { steps, end }
    }

    /// What a recovered machine must still be able to do.
    fn after_recovery() -> Self {
        let ingest = Step::Ingest { clients: 2, batches: 1, lines_max: 3, searches: 1 };
        Self { steps: vec![ingest, Step::Flush, ingest, Step::Compact], end: End::Stopped }
    }

    fn nothing() -> Self {
        Self { steps: Vec::new(), end: End::Stopped }
    }
}

/// A machine over all its lives.
struct Machine<'r, S: Subject> {
    run: &'r Run<S::Settings>,
    model: Arc<Mutex<Model>>,
    storage: Storage,
    calls: u64,
    digest: u64,
    lives: u64,
    lines: Rng,
    /// What the calendar shows more than at the first start: it goes on from life to life.
    wall_ahead_ns: i64,
    trace: Vec<String>,
}

impl<S: Subject> Machine<'_, S> {
    /// One life from power on to its end. True if that was the power cut of `plan`; the storage is then
    /// what survived.
    fn live(&mut self, plan: FaultPlan, script: Script) -> Result<bool, Failure> {
        self.lives += 1;
        let world = World::new(Rng::labelled(self.run.seed, "world").next_u64() ^ self.lives);
        let faulty = plan.faults.iter().any(|(calls, _)| !calls.is_empty());
        let plan = FaultPlan { trace: self.run.trace, ..plan };
        let disk = world.mount(std::mem::take(&mut self.storage), plan);
        let host = world.host(&disk);
        let wall_start_ns = host.clock.wall().0;
        world.jump_wall(self.wall_ahead_ns);
        let ended = {
            let life =
                Life::<S> { world: &world, host: &host, settings: &self.run.settings, model: &self.model, faulty };
            world.run(life.run(&script, &mut self.lines))
        };
        let panicked = world.panicked_tasks();
        self.wall_ahead_ns = host.clock.wall().0 - wall_start_ns;
        self.calls += disk.calls();
        self.digest = self.digest.rotate_left(9) ^ world.digest();
        if self.run.trace {
            self.trace.push(format!("life {}", self.lives));
            self.trace.extend(disk.trace());
        }
        drop(host);
        drop(world);
        self.storage = disk.unmount();
        let fail = |what: String| Err(Failure { what, trace: self.trace.clone() });
        if let Some(task) = panicked.first() {
            return fail(format!("the task {task} panicked"));
        }
        match ended {
            Ended::Done(Ok(())) => Ok(false),
            Ended::Done(Err(what)) => fail(what),
            Ended::Stuck(why) => fail(format!("stuck: {why}")),
            Ended::Cut => Ok(true),
        }
    }

    /// Brings the machine back, with the power going off again now and then, until it stands; then lets
    /// it work, and looks once more after a restart.
    fn recover(&mut self, was_cut: bool) -> Result<(), Failure> {
        let mut rng = Rng::labelled(self.run.seed ^ self.run.cut.unwrap_or(0).rotate_left(32), "fate");
        if was_cut || self.run.fault.is_some() {
            self.lose_power(&mut rng);
            for _ in 0..RECUTS_MAX {
                if rng.percent(60) {
                    break;
                }
                let plan = FaultPlan::cut_at(rng.in_range(1..RECUT_CALLS_MAX));
                if !self.live(plan, Script::after_recovery())? {
                    break;
                }
                self.lose_power(&mut rng);
            }
        }
        self.live(FaultPlan::none(), Script::after_recovery())?;
        self.verify()?;
        self.live(FaultPlan::none(), Script::nothing())?;
        Ok(())
    }

    /// Most cuts take the machine; some only the process, so that what its page cache holds is found by
    /// the next life and taken from it by a later cut.
    fn lose_power(&mut self, rng: &mut Rng) {
        if rng.percent(85) {
            self.storage.power_cut(rng.next_u64());
        }
    }

    fn verify(&mut self) -> Result<(), Failure> {
        let world = World::new(self.run.seed);
        let disk = world.mount(std::mem::take(&mut self.storage), FaultPlan::none());
        let host = world.host(&disk);
        let verified = world.run(S::verify(&host, Path::new(ROOT), &self.run.settings));
        drop(host);
        drop(world);
        self.storage = disk.unmount();
        match verified {
            Ended::Done(Ok(())) => Ok(()),
            other => Err(Failure { what: format!("verify: {other:?}"), trace: self.trace.clone() }),
        }
    }
}

/// One life of the subject.
struct Life<'w, S: Subject> {
    world: &'w World,
    host: &'w Host,
    settings: &'w S::Settings,
    model: &'w Arc<Mutex<Model>>,
    /// Calls fail in this life: it may refuse to do things. What it shows must be right all the same.
    faulty: bool,
}

impl<S: Subject> Life<'_, S> {
    async fn run(&self, script: &Script, lines: &mut Rng) -> Result<(), String> {
        let subject = match S::start(self.host, Path::new(ROOT), self.settings).await {
            Ok(subject) => Arc::new(subject),
            Err(error) => return self.tolerate(Err(format!("does not start: {error}"))),
        };
        self.search(&subject).await?;
        for step in &script.steps {
            self.step(&subject, *step, lines).await?;
            self.search(&subject).await?;
        }
        if script.end == End::Stopped {
            self.tolerate(subject.stop().await.map_err(|error| format!("does not stop: {error}")))?;
        }
        Ok(())
    }

    /// What fails while calls fail is no failure of the run.
    fn tolerate(&self, result: Result<(), String>) -> Result<(), String> {
        if self.faulty { Ok(()) } else { result }
    }

    /// A search for everything, and its judgement.
    async fn search(&self, subject: &Arc<S>) -> Result<(), String> {
        let expected = lock(self.model).expectation();
        match subject.events().await {
            Ok(found) => lock(self.model).judge(&expected, &found),
            Err(error) => self.tolerate(Err(format!("search: {error}"))),
        }
    }

    async fn step(&self, subject: &Arc<S>, step: Step, lines: &mut Rng) -> Result<(), String> {
        match step {
            Step::Ingest { clients, batches, lines_max, searches } => {
                let clients: Vec<_> = (0..clients)
                    .map(|_| (0..batches).map(|_| self.draw_batch(lines, lines_max)).collect())
                    .map(|batches| self.client(subject, batches))
                    .collect();
                for _ in 0..searches {
                    self.host.clock.sleep(Duration::from_micros(lines.in_range(0..2_000))).await;
                    self.search(subject).await?;
                }
                for client in clients {
                    // A client fails with the whole run: by a panic that names what is wrong.
                    client.join().await;
                }
                Ok(())
            }
            Step::Flush => self.tolerate(subject.flush().await.map_err(|error| format!("flush: {error}"))),
            Step::Compact => self.tolerate(subject.compact().await.map_err(|error| format!("compact: {error}"))),
            Step::Retain { days } => self.retain(subject, days).await,
            Step::Pause { ms } => {
                self.host.clock.sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
        }
    }

    fn client(&self, subject: &Arc<S>, batches: Vec<Vec<Sent>>) -> Task {
        let (subject, model) = (subject.clone(), self.model.clone());
        let send = async move {
            for batch in batches {
                lock(&model).sent(&batch);
                let answer: Answer = subject.ingest(&batch).await;
                if let Err(wrong) = lock(&model).answered(&batch, &answer) {
                    panic!("{wrong}");
                }
            }
        };
        self.host.tasks.spawn("client", Box::pin(send))
    }

    /// Lines for two indexes over the last days; some are older than what is kept.
    fn draw_batch(&self, rng: &mut Rng, lines_max: u64) -> Vec<Sent> {
        let now_ns = self.host.clock.wall().0;
        let line = |rng: &mut Rng| {
            let time_ns = now_ns
                - rng.pick(&[0, 0, 0, 0, 1, 1, 2, 3]) * DAY_NS
                - i64::try_from(rng.in_range(0..1_000_000)).expect("small");
            let (unique, padding) = (rng.next_u64(), "x".repeat(rng.index(40)));
            let raw =
                format!(r#"{{"time":{time_ns},"n":"{unique:016x}","level":"info","message":"request {padding}"}}"#);
            Sent { index: rng.pick(&["app", "web"]), time_ns, raw }
        };
        (0..rng.in_range(1..lines_max + 1)).map(|_| line(rng)).collect()
    }

    async fn retain(&self, subject: &Arc<S>, days: i32) -> Result<(), String> {
        self.world.jump_wall(i64::from(days) * DAY_NS);
        let first_day = day_of(self.host.clock.wall().0) - i32::try_from(RETENTION_DAYS).expect("few days");
        lock(self.model).retention_begins(first_day);
        match subject.retain().await {
            // A part of it may have failed without a word.
            Ok(()) if self.faulty => {}
            Ok(()) => lock(self.model).retention_done(first_day),
            Err(error) => self.tolerate(Err(format!("retain: {error}")))?,
        }
        Ok(())
    }
}

fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().expect("no judgement panics")
}
