//! The order in which the store made the generations of a document is the order in which its changes happened,
//! if there is one at all. So it need not be searched for: each operation has its place in it, and the only
//! question is whether the places agree with who asked after whom. O(n log n).

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Answer, Call, Moment, Operation, State};

/// Judges a history by `order`, the generations of the document from 1 on as the store made them first.
///
/// # Errors
/// Why no order of the operations gives these answers.
pub fn check(operations: &[Operation], order: &[State]) -> Result<(), String> {
    let order = Order::new(order)?;
    order.every_change_was_asked_for(operations)?;
    let mut placed = Vec::new();
    for operation in operations {
        let place = order.place(operation).map_err(|why| format!("{operation:?}: {why}"))?;
        placed.extend(place.map(|place| (place, operation)));
    }
    agrees_with_time(placed)
}

/// One node never goes back: whoever asks it again sees what it said before, or something later. This holds for
/// what comes from its cache too.
///
/// # Errors
/// Which answer went back.
pub fn check_sessions(operations: &[Operation]) -> Result<(), String> {
    let mut nodes: BTreeMap<usize, Vec<(u64, &Operation)>> = BTreeMap::new();
    for operation in operations {
        if let Answer::Saw(state) | Answer::Done(state) | Answer::Lost(state) = operation.answer {
            nodes.entry(operation.node).or_default().push((state.generation, operation));
        }
    }
    nodes.into_values().try_for_each(|placed| sweep(placed, |operation| operation.asked))
}

/// Whether whoever asked after another one's answer has no earlier place.
fn agrees_with_time(placed: Vec<(u64, &Operation)>) -> Result<(), String> {
    sweep(placed, |operation| operation.since)
}

fn sweep(mut placed: Vec<(u64, &Operation)>, begin: impl Fn(&Operation) -> Moment) -> Result<(), String> {
    let mut by_end = placed.clone();
    placed.sort_by_key(|(_, operation)| begin(operation));
    by_end.sort_by_key(|(_, operation)| operation.ended);
    let mut ended = by_end.into_iter().peekable();
    let mut furthest: Option<(u64, &Operation)> = None;
    for (place, operation) in placed {
        while let Some((before, earlier)) = ended.next_if(|(_, earlier)| earlier.ended < begin(operation)) {
            if furthest.is_none_or(|(furthest, _)| furthest < before) {
                furthest = Some((before, earlier));
            }
        }
        if let Some((furthest, earlier)) = furthest
            && place < furthest
        {
            return Err(format!("{operation:?} says what was before {earlier:?}, which had ended when it began"));
        }
    }
    Ok(())
}

/// The store's own order.
struct Order<'a> {
    /// By generation, less one.
    states: &'a [State],
    generation_of: BTreeMap<u64, u64>,
}

impl<'a> Order<'a> {
    fn new(states: &'a [State]) -> Result<Self, String> {
        let mut generation_of = BTreeMap::new();
        for (state, generation) in states.iter().zip(1..) {
            if state.generation != generation {
                return Err(format!("{state:?} was made as generation {generation}"));
            }
            if let Some(first) = generation_of.insert(state.token, generation) {
                return Err(format!("change {} is generation {first} and {generation}", state.token));
            }
        }
        Ok(Self { states, generation_of })
    }

    fn every_change_was_asked_for(&self, operations: &[Operation]) -> Result<(), String> {
        let asked: BTreeSet<u64> = operations.iter().filter_map(|operation| operation.call.token()).collect();
        match self.generation_of.keys().find(|token| !asked.contains(token)) {
            Some(token) => Err(format!("nobody asked for change {token}")),
            None => Ok(()),
        }
    }

    fn at(&self, generation: u64) -> Option<State> {
        match generation.checked_sub(1) {
            None => Some(State::default()),
            Some(index) => self.states.get(usize::try_from(index).ok()?).copied(),
        }
    }

    /// Where an operation happened: a change as generation g at 2g, a look at what it made at 2g + 1. `None` for
    /// what did not happen.
    fn place(&self, operation: &Operation) -> Result<Option<u64>, String> {
        let made = operation.call.token().and_then(|token| self.generation_of.get(&token).copied());
        match (operation.answer, made) {
            (Answer::Refused, None) | (Answer::Unknown, None) => Ok(None),
            (Answer::Refused | Answer::Lost(_) | Answer::Saw(_), Some(generation)) => {
                Err(format!("it changed nothing, and is generation {generation}"))
            }
            (Answer::Done(state), None) => Err(format!("the store never made {state:?}")),
            (Answer::Done(state), Some(generation)) if self.at(generation) != Some(state) => {
                Err(format!("generation {generation} is {:?}", self.at(generation)))
            }
            (Answer::Done(_) | Answer::Unknown, Some(generation)) => {
                self.follows(&operation.call, generation)?;
                Ok(Some(2 * generation))
            }
            (Answer::Saw(state) | Answer::Lost(state), None) => {
                if self.at(state.generation) != Some(state) {
                    return Err(format!("that never was: {:?} was", self.at(state.generation)));
                }
                if let Call::Swap { expected, .. } = operation.call
                    && expected == state
                {
                    return Err("it was what the change expected".into());
                }
                Ok(Some(2 * state.generation + 1))
            }
        }
    }

    /// Whether a change made of the generation before it what it should.
    fn follows(&self, call: &Call, generation: u64) -> Result<(), String> {
        let before = self.at(generation - 1).unwrap_or_default();
        let made = self.at(generation).unwrap_or_default();
        let right = match *call {
            Call::Read => false,
            Call::Swap { expected, number, .. } => expected == before && made.number == number,
            Call::Add { .. } => made.number == before.number + 1,
        };
        if right { Ok(()) } else { Err(format!("it made {made:?} of {before:?}")) }
    }
}
