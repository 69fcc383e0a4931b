//! A subject of a few lines, right or with a known bug: it shows that the judgement finds what it should.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use helios::event::{EventId, Origin, Sequence};
use helios::host::{DiskFile, Host};

use super::model::day_of;
use super::{Answer, Campaign, Found, RETENTION_DAYS, Sent, Subject, Tally, Trouble, campaign};
use crate::DiskFault;

/// One log file per life; a record is a line of JSON with a check digit.
struct Toy {
    host: Host,
    root: PathBuf,
    origin: Origin,
    log: Arc<dyn DiskFile>,
    /// What is durable, and the last sequence; `None` once a call has failed: nothing is written any more.
    state: tokio::sync::Mutex<State>,
    bug: Bug,
}

struct State {
    events: Vec<Found>,
    sequence: u64,
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    None,
    AckBeforeSync,
    NoFolderSync,
    NoRootSync,
    OriginUsedAgain,
    NoCheck,
    SyncAgainAfterFailure,
}

impl Subject for Toy {
    type Settings = Bug;

    async fn start(host: &Host, root: &Path, bug: &Bug) -> Result<Self, String> {
        Self::open(host, root, *bug).await.map_err(|error| error.to_string())
    }

    async fn ingest(&self, batch: &[Sent]) -> Answer {
        let mut state = self.state.lock().await;
        if state.failed && self.bug != Bug::SyncAgainAfterFailure {
            return Answer::Refused;
        }
        let (mut ids, mut events) = (Vec::new(), Vec::new());
        for Sent { index, time_ns, raw } in batch {
            state.sequence += 1;
            let id = EventId { origin: self.origin, sequence: Sequence(state.sequence) };
            let body = format!("{id} {index} {time_ns} {raw}");
            let record = format!("{:016x} {body}\n", crate::rng::hash(body.as_bytes()));
            if self.log.append(Bytes::from(record)).await.is_err() {
                state.failed = true;
                return Answer::Unknown;
            }
            let index = (*index).to_owned();
            events.push(Found { id, index, day: day_of(*time_ns), time_ns: *time_ns, raw: raw.clone().into() });
            ids.push(Some(id));
        }
        if self.bug != Bug::AckBeforeSync && self.log.sync().await.is_err() {
            state.failed = true;
            let again = self.bug == Bug::SyncAgainAfterFailure && self.log.sync().await.is_ok();
            if !again {
                return Answer::Unknown;
            }
        }
        state.events.extend(events);
        Answer::Acknowledged(ids)
    }

    async fn flush(&self) -> Result<(), String> {
        Ok(())
    }

    async fn compact(&self) -> Result<(), String> {
        Ok(())
    }

    async fn retain(&self) -> Result<(), String> {
        let first_day = day_of(self.host.clock.wall().0) - i32::try_from(RETENTION_DAYS).expect("few days");
        // Forgets and remembers: a durable note of what is gone.
        let note = self.root.join(format!("{first_day}.gone"));
        let noted = async {
            match self.host.disk.create_new(&note).await {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            self.host.disk.sync_dir(&self.root).await
        };
        noted.await.map_err(|error| error.to_string())?;
        self.state.lock().await.events.retain(|event| event.day >= first_day);
        Ok(())
    }

    async fn events(&self) -> Result<Vec<Found>, String> {
        Ok(self.state.lock().await.events.clone())
    }

    async fn stop(&self) -> Result<(), String> {
        Ok(())
    }

    async fn verify(_host: &Host, _root: &Path, _bug: &Bug) -> Result<(), String> {
        Ok(())
    }
}

impl Toy {
    async fn open(host: &Host, root: &Path, bug: Bug) -> std::io::Result<Self> {
        let parent = root.parent().expect("the root is no file system's");
        for folder in [parent, root] {
            host.disk.create_dir(folder).await?;
        }
        if bug != Bug::NoRootSync {
            host.disk.sync_dir(parent).await?;
            host.disk.sync_dir(Path::new("/")).await?;
        }
        let (mut events, mut first_day, mut lives) = (Vec::new(), i32::MIN, 0);
        for entry in host.disk.list(root).await? {
            if let Some(day) = entry.name.strip_suffix(".gone") {
                first_day = first_day.max(day.parse().expect("a note names its day"));
                continue;
            }
            lives += 1;
            let file = host.disk.open(&root.join(&entry.name)).await?;
            let bytes = file.read_at(0, usize::try_from(entry.len).expect("small")).await?;
            // What a killed process left in the page cache is not durable before this.
            file.sync().await?;
            let records = bytes.split(|&byte| byte == b'\n');
            events.extend(records.map_while(|record| parse(record, bug)));
        }
        events.retain(|event| event.day >= first_day);
        let random = host.entropy.fork("origin").next_u64();
        let origin = Origin(if bug == Bug::OriginUsedAgain { 1 } else { random });
        let name = root.join(format!("{lives:03}-{random:016x}.log"));
        let log = host.disk.create_new(&name).await?;
        if bug != Bug::NoFolderSync {
            host.disk.sync_dir(root).await?;
        }
        let state = tokio::sync::Mutex::new(State { events, sequence: 0, failed: false });
        Ok(Self { host: host.clone(), root: root.to_owned(), origin, log, state, bug })
    }
}

fn parse(record: &[u8], bug: Bug) -> Option<Found> {
    let record = std::str::from_utf8(record).ok()?;
    let (check, body) = record.split_once(' ')?;
    if bug != Bug::NoCheck && check != format!("{:016x}", crate::rng::hash(body.as_bytes())) {
        return None;
    }
    let mut parts = body.splitn(4, ' ');
    let (id, index, time) = (parts.next()?.parse().ok()?, parts.next()?.to_owned(), parts.next()?);
    let time_ns = time.parse().ok()?;
    Some(Found { id, index, day: day_of(time_ns), time_ns, raw: parts.next()?.as_bytes().to_vec() })
}

fn tally(trouble: Trouble, bug: Bug) -> Tally {
    let plan =
        Campaign { first_seed: 1, runs_min: 2_000, calls_per_seed: None, trouble, threads: 1, settings: |_| bug };
    campaign::<Toy>(&plan)
}

#[test]
fn a_right_subject_passes_every_cut() {
    let tally = tally(Trouble::PowerCut, Bug::None);
    assert_eq!(tally.failures, []);
    assert_eq!((tally.hit, tally.runs), (tally.calls, tally.calls + tally.seeds));
    assert!(tally.acknowledged > tally.runs, "{tally:?}");
}

#[test]
fn a_right_subject_passes_every_failed_call() {
    for fault in [DiskFault::Io, DiskFault::NoSpace] {
        let tally = tally(Trouble::Fault(fault), Bug::None);
        assert_eq!(tally.failures, []);
        assert_eq!(tally.hit, tally.calls);
    }
}

#[test]
fn each_known_bug_is_found() {
    let cut = Trouble::PowerCut;
    for (bug, trouble) in [
        (Bug::AckBeforeSync, cut),
        (Bug::NoFolderSync, cut),
        (Bug::NoRootSync, cut),
        (Bug::OriginUsedAgain, cut),
        (Bug::NoCheck, cut),
        (Bug::SyncAgainAfterFailure, Trouble::Fault(DiskFault::Io)),
    ] {
        let tally = tally(trouble, bug);
        assert!(!tally.failures.is_empty(), "{bug:?} passed {} runs", tally.runs);
    }
}
