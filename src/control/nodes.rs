//! Which nodes live: each writes a document of its own every few seconds, and looks at those of the others.
//!
//! Whether a document is fresh is judged by the clock of whoever looks: from when this node first saw that
//! generation. No two clocks are compared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Map, Value};

use super::lease::{LEASE_TTL, Seen};
use super::{Control, ControlError, Document, Swap};
use crate::host::Clock;

/// A node's view of all nodes.
pub struct Roster {
    control: Arc<Control>,
    clock: Arc<dyn Clock>,
    node: String,
    seen: Mutex<BTreeMap<String, Seen>>,
    own: Mutex<Own>,
}

/// What this life knows of the document of its own node.
#[derive(Default)]
pub(super) struct Own {
    /// The last document that it wrote or came upon.
    pub(super) last: Option<Arc<Document>>,
    /// Generations of another life that came after this life's first beat.
    rivals: u32,
}

/// How a beat ended.
#[derive(Debug, Eq, PartialEq)]
#[must_use]
pub enum Beat {
    /// The others can see it.
    Alive,
    /// Nobody can tell; the next one will.
    Unknown,
    /// Another process writes under this node's name: two nodes run on copies of one data directory.
    Conflict {
        /// The life of the other one.
        life: String,
    },
    /// Another process writes under this very life: a virtual machine was put back to an earlier state, or copied, while
    /// it ran. A process that is started anew has another life.
    Cloned,
}

/// A node as its document says.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name.
    pub node: String,
    /// The life of the process that wrote last.
    pub life: String,
    /// What else it says of itself.
    pub about: Map<String, Value>,
    /// Whether it was heard of within the time that a lease lasts.
    pub alive: bool,
}

impl Roster {
    /// The roster of the node called `node`, an id that stays with its data directory.
    pub fn new(control: Arc<Control>, clock: Arc<dyn Clock>, node: &str) -> Self {
        Self { control, clock, node: node.to_owned(), seen: Mutex::default(), own: Mutex::default() }
    }

    /// Says that this node lives, and what `about` says of it. To be called every
    /// [`super::lease::LEASE_RENEW`]. Costs one create, one get and one list.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn beat(&self, about: &Map<String, Value>) -> Result<Beat, ControlError> {
        self.write(about, false).await
    }

    /// Says that this node goes, so that the others need not wait. Best effort.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn leave(&self) -> Result<(), ControlError> {
        self.write(&Map::new(), true).await.map(drop)
    }

    async fn write(&self, about: &Map<String, Value>, gone: bool) -> Result<Beat, ControlError> {
        let name = format!("{FOLDER}/{}", self.node);
        // A document of this life with such a number was made by nobody whom this process knows.
        let begun = self.control.commits_begun();
        let is_of_a_copy = |document: &Document| document.number_of(self.control.life()).is_some_and(|it| it >= begun);
        let last = self.lock_own().last.clone();
        let current = match last {
            Some(last) => Some(last),
            // The first beat of a life takes over from whoever was before it.
            None => self.control.read_now(&name).await?,
        };
        if current.as_deref().is_some_and(is_of_a_copy) {
            return Ok(Beat::Cloned);
        }
        let mut content = about.clone();
        content.insert("life".into(), Value::from(self.control.life()));
        content.insert("gone".into(), Value::from(gone));
        match self.control.swap(&name, current.as_deref(), content).await? {
            Swap::Done(document) => {
                self.lock_own().last = Some(document);
                Ok(Beat::Alive)
            }
            Swap::Lost(newer) if is_of_a_copy(&newer) => Ok(Beat::Cloned),
            Swap::Lost(newer) => Ok(self.lost(newer)),
            Swap::Unknown(error) => {
                tracing::debug!(%error, "nobody can tell whether a sign of life was seen");
                self.lock_own().last = None;
                Ok(Beat::Unknown)
            }
        }
    }

    /// Somebody else wrote: this life itself, by a request that came late; the life before it, likewise; or a
    /// process that lives at the same time, which will do it again.
    fn lost(&self, newer: Arc<Document>) -> Beat {
        let life = text(&newer, "life");
        let mut own = self.lock_own();
        let began = own.last.is_some();
        own.last = Some(newer);
        if life == self.control.life() || !began {
            return Beat::Unknown;
        }
        own.rivals += 1;
        if own.rivals >= RIVALS { Beat::Conflict { life } } else { Beat::Unknown }
    }

    /// All nodes that ever were, by name, and whether they live. Costs one list, and one get a node that beat.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn nodes(&self) -> Result<Vec<Node>, ControlError> {
        let documents = self.control.read_folder(FOLDER).await?;
        let now = self.clock.monotonic();
        let mut seen = self.lock_seen();
        let nodes = documents.into_iter().map(|(node, document)| {
            let fresh = Seen::look(&mut seen, &node, document.generation, now) < LEASE_TTL;
            let gone = document.content.get("gone").and_then(Value::as_bool).unwrap_or(false);
            let life = text(&document, "life");
            Node { node, life, about: document.content.clone(), alive: fresh && !gone }
        });
        Ok(nodes.collect())
    }

    fn lock_seen(&self) -> MutexGuard<'_, BTreeMap<String, Seen>> {
        self.seen.lock().expect("nothing panics under the lock of the nodes")
    }

    pub(super) fn lock_own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().expect("nothing panics under the lock of the own document")
    }
}

impl Seen {
    /// Notes that `name` is at `generation`, and gives how long ago this node first saw that.
    pub(super) fn look(seen: &mut BTreeMap<String, Self>, name: &str, generation: u64, now: Duration) -> Duration {
        match seen.get(name) {
            Some(known) if known.generation == generation => now.saturating_sub(known.since),
            _ => {
                seen.insert(name.to_owned(), Self { generation, since: now });
                Duration::ZERO
            }
        }
    }
}

fn text(document: &Document, field: &str) -> String {
    document.content.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Where the documents of the nodes are.
const FOLDER: &str = "nodes";

/// So many documents of another life say that it lives. One may be a request of the life before that came late.
const RIVALS: u32 = 2;
