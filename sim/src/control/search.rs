//! The second method: searches for an order of the operations that gives their answers, and knows nothing of the
//! store or of generations (after Wing and Gong, with Lowe's memory of what was tried). Exponential in what is
//! concurrent: for small histories.

use std::collections::BTreeSet;

use super::history::{Answer, Call, Moment, Operation};

/// Whether some order of the operations, in which whoever asked after another one's answer comes after it, gives
/// these answers. `None` if the history is too large to tell.
pub fn linearisable(operations: &[Operation]) -> Option<bool> {
    let told: Vec<&Operation> = operations.iter().filter(|operation| may_happen(operation)).collect();
    if told.len() > OPERATIONS_MAX {
        return None;
    }
    let must = told.iter().enumerate().filter(|(_, operation)| operation.ended < Moment::NEVER);
    let must = must.fold(0, |mask: u64, (index, _)| mask | 1 << index);
    Search { told, must, seen: BTreeSet::new() }.run()
}

/// What was refused did not happen, and a look without an answer says nothing.
fn may_happen(operation: &Operation) -> bool {
    match operation.answer {
        Answer::Refused => false,
        Answer::Unknown => operation.call != Call::Read,
        Answer::Saw(_) | Answer::Done(_) | Answer::Lost(_) => true,
    }
}

/// What the document says: by which change, and the number.
type Value = (u64, u64);

struct Search<'a> {
    told: Vec<&'a Operation>,
    /// The operations that an order must hold; the others may be left out.
    must: u64,
    /// What was tried: which operations came first, in whatever order, and what the document said then.
    seen: BTreeSet<(u64, Value)>,
}

impl Search<'_> {
    fn run(&mut self) -> Option<bool> {
        let mut waiting: Vec<(u64, Value)> = vec![(0, (0, 0))];
        while let Some((done, value)) = waiting.pop() {
            if done & self.must == self.must {
                return Some(true);
            }
            if !self.seen.insert((done, value)) {
                continue;
            }
            if self.seen.len() > STATES_MAX {
                return None;
            }
            waiting.extend(self.next(done, value));
        }
        Some(false)
    }

    fn next(&self, done: u64, value: Value) -> Vec<(u64, Value)> {
        let left = || self.told.iter().enumerate().filter(move |(index, _)| done & (1 << index) == 0);
        let first_end = left().map(|(_, operation)| operation.ended).min().unwrap_or(Moment::NEVER);
        // Whoever began after another one's end cannot come before it.
        let may_come = left().filter(|(_, operation)| operation.since <= first_end);
        may_come.filter_map(|(index, operation)| Some((done | 1 << index, step(operation, value)?))).collect()
    }
}

/// What the document says after the operation; `None` if it could not have happened here.
fn step(operation: &Operation, value: Value) -> Option<Value> {
    let (token, number) = value;
    match (operation.call, operation.answer) {
        (Call::Read, Answer::Saw(state)) => ((state.token, state.number) == value).then_some(value),
        (Call::Swap { expected, .. }, Answer::Lost(state)) => {
            let differs = (expected.token, expected.number) != value;
            (differs && (state.token, state.number) == value).then_some(value)
        }
        (Call::Swap { expected, token: new, number: becomes }, Answer::Done(_) | Answer::Unknown) => {
            (expected.token == token).then_some((new, becomes))
        }
        (Call::Add { token: new }, Answer::Done(state)) => (state.number == number + 1).then_some((new, number + 1)),
        (Call::Add { token: new }, Answer::Unknown) => Some((new, number + 1)),
        _ => None,
    }
}

/// Operations that a mask has room for.
const OPERATIONS_MAX: usize = 64;

/// States after which the search gives up.
const STATES_MAX: usize = 200_000;
