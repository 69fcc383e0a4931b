//! Leases: who tries. Which of those who tried succeeded is decided by the chain that they write to: two
//! holders at once waste work, and break nothing.
//!
//! A lease is a document that its holder renews. Another may take it once it has seen the same generation for
//! as long as the lease lasts, by its own clock; the holder stops earlier, since its time began when it sent
//! the request and the other's when it saw the answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Control, ControlError, Document, Swap};
use crate::host::{Clock, Host, Task};
use crate::sync::{Latest, latest};

/// How long a lease lasts that is not renewed.
pub const LEASE_TTL: Duration = Duration::from_secs(15);

/// How often its holder renews it.
pub const LEASE_RENEW: Duration = Duration::from_secs(5);

const _: () = assert!(LEASE_RENEW.as_secs() * 3 <= LEASE_TTL.as_secs(), "two lost renewals must not lose a lease");

/// A generation, and when this node first saw it.
pub(super) struct Seen {
    pub(super) generation: u64,
    /// Monotonic time of this node.
    pub(super) since: Duration,
}

/// The leases of one life of a node.
pub struct Leases {
    control: Arc<Control>,
    clock: Arc<dyn Clock>,
    seen: Mutex<BTreeMap<String, Seen>>,
}

/// What a lease's document says.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Grant {
    /// The life that holds it.
    holder: String,
    /// Grows each time that it changes hands.
    term: u64,
    /// Whether its holder gave it back.
    #[serde(default)]
    released: bool,
    /// The run that it was taken for, if it is one for runs.
    #[serde(default)]
    run: u64,
}

/// A lease in hand.
#[derive(Debug)]
pub struct Held {
    name: String,
    document: Arc<Document>,
    term: u64,
    until: Duration,
}

/// How taking a lease ended.
#[derive(Debug)]
#[must_use]
pub enum Acquire {
    /// It is ours.
    Held(Held),
    /// Another life has it.
    Busy {
        /// Which.
        holder: String,
        /// How long until it may be taken, unless it is renewed.
        wait: Duration,
    },
    /// Nobody can tell. Try again: if it is ours, that will be seen.
    Unknown,
}

/// How renewing a lease ended.
#[derive(Debug)]
#[must_use]
pub enum Renewal {
    /// It is still ours.
    Kept(Held),
    /// Another life has it now.
    Gone,
    /// Nobody can tell. It stays ours as long as it was.
    Unknown(Held),
}

/// Whether a run is ours.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Run {
    /// It is: do it.
    Mine,
    /// Another life does it or did it, or a later one.
    Taken,
    /// Nobody can tell: leave it to the next run.
    Unknown,
}

impl Leases {
    /// The leases in a control plane, held in the name of its life.
    pub fn new(control: Arc<Control>, clock: Arc<dyn Clock>) -> Self {
        Self { control, clock, seen: Mutex::default() }
    }

    /// Takes the lease if nobody has it, if it was given back, or if its holder was silent for as long as it
    /// lasts. Costs one list and, if it may be taken, one create, one get and one list.
    ///
    /// # Errors
    /// If the store could not be asked, or the document can't be read.
    pub async fn acquire(&self, name: &str) -> Result<Acquire, ControlError> {
        let current = self.control.read_now(&document_of(name)).await?;
        let grant = current.as_deref().map_or_else(Grant::default, Grant::of);
        if let Some(document) = &current
            && let Some(wait) = self.wait(name, document, &grant)
        {
            return Ok(Acquire::Busy { holder: grant.holder, wait });
        }
        let next = Grant { holder: self.control.life().to_owned(), term: grant.term + 1, released: false, run: 0 };
        Ok(match self.write(name, current.as_deref(), &next).await? {
            (Swap::Done(document), until) => {
                Acquire::Held(Held { name: name.to_owned(), document, term: next.term, until })
            }
            (Swap::Lost(document), _) => Acquire::Busy { holder: Grant::of(&document).holder, wait: LEASE_TTL },
            (Swap::Unknown(_), _) => Acquire::Unknown,
        })
    }

    /// Renews a lease that is held. Costs one create, one get and one list.
    ///
    /// # Errors
    /// Never gives the lease up: a store that can't be asked is [`Renewal::Unknown`].
    pub async fn renew(&self, mut held: Held) -> Renewal {
        let grant = Grant { holder: self.control.life().to_owned(), term: held.term, released: false, run: 0 };
        // A second try if the first meets an own renewal whose answer had been lost.
        for _ in 0..2 {
            match self.write(&held.name, Some(&held.document), &grant).await {
                Ok((Swap::Done(document), until)) => return Renewal::Kept(Held { document, until, ..held }),
                Ok((Swap::Lost(newer), _)) if Grant::of(&newer) == grant => held.document = newer,
                Ok((Swap::Lost(_), _)) => return Renewal::Gone,
                Ok((Swap::Unknown(_), _)) | Err(_) => return Renewal::Unknown(held),
            }
        }
        Renewal::Unknown(held)
    }

    /// Gives a lease back, so that others need not wait. Best effort.
    ///
    /// # Errors
    /// If the store could not be asked: then it lapses.
    pub async fn release(&self, held: Held) -> Result<(), ControlError> {
        let holder = self.control.life().to_owned();
        let grant = Grant { holder, term: held.term, released: true, run: 0 };
        self.write(&held.name, Some(&held.document), &grant).await.map(drop)
    }

    /// Takes one run of a source or a monitor: `run` grows from run to run, for instance the time at which it
    /// is due. Nothing is renewed: if who took it dies, the next run is the next chance. Costs one list, and one
    /// create, one get and one list if nobody has taken it.
    ///
    /// # Errors
    /// If the store could not be asked, or the document can't be read.
    pub async fn take_run(&self, name: &str, run: u64) -> Result<Run, ControlError> {
        let document = format!("{RUNS}/{name}");
        let current = self.control.read_now(&document).await?;
        let grant = current.as_deref().map_or_else(Grant::default, Grant::of);
        if current.is_some() && grant.run >= run {
            let mine = grant.run == run && grant.holder == self.control.life();
            return Ok(if mine { Run::Mine } else { Run::Taken });
        }
        let next = Grant { holder: self.control.life().to_owned(), term: grant.term + 1, released: false, run };
        let swap = self.control.swap(&document, current.as_deref(), next.content(current.as_deref()));
        Ok(match swap.await? {
            Swap::Done(_) => Run::Mine,
            Swap::Lost(_) => Run::Taken,
            Swap::Unknown(_) => Run::Unknown,
        })
    }

    /// How long another holder's lease is to be respected; `None` if it may be taken.
    fn wait(&self, name: &str, document: &Document, grant: &Grant) -> Option<Duration> {
        if grant.released || grant.holder == self.control.life() {
            return None;
        }
        let age = Seen::look(&mut self.lock(), name, document.generation, self.clock.monotonic());
        LEASE_TTL.checked_sub(age).filter(|wait| !wait.is_zero())
    }

    /// Writes the lease, and gives the time until which it holds if that was done.
    async fn write(
        &self,
        name: &str,
        current: Option<&Document>,
        grant: &Grant,
    ) -> Result<(Swap, Duration), ControlError> {
        // ORDER: before the request is sent, which is before anybody can see it.
        let until = self.clock.monotonic() + LEASE_TTL;
        let swap = self.control.swap(&document_of(name), current, grant.content(current)).await?;
        Ok((swap, until))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().expect("nothing panics under the lock of the leases")
    }
}

impl Held {
    /// Until when it holds, in this node's monotonic time. A hint: whoever stalls may believe it longer.
    pub fn until(&self) -> Duration {
        self.until
    }

    /// Grows each time that the lease changes hands.
    pub fn term(&self) -> u64 {
        self.term
    }
}

impl Grant {
    /// What a document says. One that says something else is a lease that nobody holds.
    fn of(document: &Document) -> Self {
        document.parse().unwrap_or_default()
    }

    /// The content of a document that says this, with what others put into it.
    fn content(&self, before: Option<&Document>) -> Map<String, Value> {
        let mut content = before.map(|before| before.content.clone()).unwrap_or_default();
        if let Ok(Value::Object(fields)) = serde_json::to_value(self) {
            content.extend(fields);
        }
        content
    }
}

fn document_of(name: &str) -> String {
    format!("{LEASES}/{name}")
}

/// Whether this node leads, as its campaign keeps saying.
#[derive(Clone)]
pub struct Leadership {
    until: Latest<Duration>,
    clock: Arc<dyn Clock>,
}

impl Leadership {
    /// Whether the lease is held now.
    pub fn leads(&self) -> bool {
        self.clock.monotonic() < self.until.get()
    }

    /// Waits until the campaign has something new to say. `false` once it has ended.
    pub async fn changed(&mut self) -> bool {
        self.until.changed().await
    }
}

/// Keeps trying for the lease `name` and renews it while it is held. Ends when it is cancelled: the lease then
/// lapses.
pub fn campaign(host: &Host, leases: Arc<Leases>, name: &'static str) -> (Leadership, Task) {
    let (says, until) = latest(Duration::ZERO);
    let clock = Arc::clone(&host.clock);
    let leadership = Leadership { until, clock: Arc::clone(&clock) };
    let task = host.tasks.spawn(
        "campaign",
        Box::pin(async move {
            let mut held = None;
            loop {
                held = step(&leases, name, held.take()).await;
                says.tell(held.as_ref().map_or(Duration::ZERO, Held::until));
                clock.sleep(LEASE_RENEW).await;
            }
        }),
    );
    (leadership, task)
}

async fn step(leases: &Leases, name: &str, held: Option<Held>) -> Option<Held> {
    let Some(held) = held else {
        return match leases.acquire(name).await {
            Ok(Acquire::Held(held)) => {
                tracing::info!(lease = name, term = held.term(), "this node leads now");
                Some(held)
            }
            Ok(Acquire::Busy { .. } | Acquire::Unknown) => None,
            Err(error) => {
                tracing::warn!(lease = name, %error, "a lease could not be asked for");
                None
            }
        };
    };
    match leases.renew(held).await {
        Renewal::Kept(held) => Some(held),
        Renewal::Unknown(held) if leases.clock.monotonic() < held.until() => Some(held),
        Renewal::Unknown(_) | Renewal::Gone => {
            tracing::info!(lease = name, "this node leads no more");
            None
        }
    }
}

/// Where leases are.
const LEASES: &str = "leases";

/// Where the leases of runs are.
const RUNS: &str = "runs";
