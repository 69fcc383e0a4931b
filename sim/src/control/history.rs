//! What clients asked of one document and what they were told, in the order of virtual time.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use helios::control::Document;
use helios::host::Clock;
use serde_json::{Map, Value};

/// A point of a history: virtual nanoseconds and, among those of one nanosecond, which was noted first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment {
    ns: u64,
    order: u64,
}

impl Moment {
    /// Later than everything.
    pub const NEVER: Self = Self { ns: u64::MAX, order: u64::MAX };

    /// A point for histories that are written by hand.
    pub fn at(ns: u64) -> Self {
        Self { ns, order: 0 }
    }

    fn earlier(self, by: Duration) -> Self {
        if by.is_zero() {
            return self;
        }
        Self { ns: self.ns.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)), order: 0 }
    }
}

/// What a document is: nothing (0, 0, 0), or what the change `token` made of it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct State {
    /// Its generation, from 1.
    pub generation: u64,
    /// The change that made it; no two changes have the same.
    pub token: u64,
    /// Counts up with each [`Call::Add`].
    pub number: u64,
}

impl State {
    /// What a document says; the default if there is none.
    pub fn of(document: Option<&Document>) -> Self {
        let field = |document: &Document, name| document.content.get(name).and_then(Value::as_u64).unwrap_or(0);
        document.map_or_else(Self::default, |document| Self {
            generation: document.generation,
            token: field(document, "token"),
            number: field(document, "number"),
        })
    }

    /// The content that says this.
    pub fn content(token: u64, number: u64) -> Map<String, Value> {
        Map::from_iter([("token".to_owned(), Value::from(token)), ("number".to_owned(), Value::from(number))])
    }
}

/// What was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// What is it?
    Read,
    /// Make it this, if it still is what `expected` says.
    Swap {
        /// What the client had read.
        expected: State,
        /// Of this change.
        token: u64,
        /// What it is to say.
        number: u64,
    },
    /// Add one to the number, whatever it is.
    Add {
        /// Of this change.
        token: u64,
    },
}

impl Call {
    /// The token of a change.
    pub fn token(&self) -> Option<u64> {
        match *self {
            Self::Read => None,
            Self::Swap { token, .. } | Self::Add { token } => Some(token),
        }
    }
}

/// What the client was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It is this.
    Saw(State),
    /// The change was made, and this is what it made.
    Done(State),
    /// The change was not made and never will be: it is this instead.
    Lost(State),
    /// Nobody can tell. Also if the client waits no longer.
    Unknown,
    /// Nothing was changed, and nothing said.
    Refused,
}

/// One call and its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Operation {
    /// Which node was asked.
    pub node: usize,
    /// What.
    pub call: Call,
    /// And what it said.
    pub answer: Answer,
    /// When the call was made.
    pub asked: Moment,
    /// From when on what it says must have held: before `asked` for what may come from a cache.
    pub since: Moment,
    /// When the answer came; [`Moment::NEVER`] if the change may still be made.
    pub ended: Moment,
}

/// Notes down one document's history. Clones share it.
#[derive(Clone)]
pub struct Recorder {
    clock: Arc<dyn Clock>,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Default)]
struct Notes {
    moments: u64,
    operations: Vec<Operation>,
}

impl Recorder {
    /// An empty history in the time of `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, notes: Arc::default() }
    }

    /// Notes a call to `node` whose answer may be as old as `age`. Gives its number for [`Recorder::end`].
    pub fn begin(&self, node: usize, call: Call, age: Duration) -> usize {
        let asked = self.now();
        let since = asked.earlier(age);
        let operation = Operation { node, call, answer: Answer::Unknown, asked, since, ended: Moment::NEVER };
        let mut notes = self.lock();
        notes.operations.push(operation);
        notes.operations.len() - 1
    }

    /// Notes the answer to a call.
    pub fn end(&self, number: usize, answer: Answer) {
        let now = self.now();
        let mut notes = self.lock();
        let operation = &mut notes.operations[number];
        operation.answer = answer;
        operation.ended = if answer == Answer::Unknown { Moment::NEVER } else { now };
    }

    /// What was noted so far.
    pub fn history(&self) -> Vec<Operation> {
        self.lock().operations.clone()
    }

    fn now(&self) -> Moment {
        let ns = u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX);
        let mut notes = self.lock();
        notes.moments += 1;
        Moment { ns, order: notes.moments }
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().expect("nothing panics under the lock of the notes")
    }
}
