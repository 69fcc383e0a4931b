//! Who tries first: for each piece of work every node ranks all live nodes the same way, without asking.

use std::time::Duration;

use crate::crypto;

/// The place of `node` among `live` nodes for the work called `name`: 0 tries first. `None` if it is not live.
/// When a node comes or goes, only the work that it had or gets moves.
pub fn place_of<'a>(live: impl IntoIterator<Item = &'a str>, node: &str, name: &str) -> Option<usize> {
    let own = weight(node, name);
    let (mut better, mut is_live) = (0, false);
    for other in live {
        is_live |= other == node;
        better += usize::from(other != node && (weight(other, name), other) > (own, node));
    }
    is_live.then_some(better)
}

/// How long a node at this place waits before it tries, so that those before it can.
pub fn head_start(place: usize) -> Duration {
    HEAD_START * u32::try_from(place).unwrap_or(u32::MAX).min(PLACES_MAX)
}

fn weight(node: &str, name: &str) -> [u8; crypto::SHA256_BYTES] {
    // No node's name holds the byte between the two.
    crypto::sha256(format!("{node}\0{name}").as_bytes())
}

/// What each place waits longer: a create and its settling.
const HEAD_START: Duration = Duration::from_secs(2);

/// From this place on all wait the same.
const PLACES_MAX: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 4] = ["a", "b", "c", "d"];

    #[test]
    fn every_place_is_taken_once_and_the_first_ones_are_shared_out() {
        let mut first = [0; 4];
        for work in 0..400 {
            let name = format!("work-{work}");
            let mut places: Vec<_> = NODES.iter().map(|node| place_of(NODES, node, &name).unwrap()).collect();
            first[places.iter().position(|place| *place == 0).unwrap()] += 1;
            places.sort_unstable();
            assert_eq!(places, [0, 1, 2, 3]);
        }
        assert!(first.iter().all(|count| (60..140).contains(count)), "{first:?}");
    }

    #[test]
    fn only_the_work_of_a_node_that_goes_moves() {
        for work in 0..100 {
            let name = format!("work-{work}");
            let first = |nodes: &[&'static str]| {
                *nodes.iter().find(|node| place_of(nodes.iter().copied(), node, &name) == Some(0)).unwrap()
            };
            let (before, after) = (first(&NODES), first(&NODES[..3]));
            assert!(before == after || before == "d");
        }
        assert_eq!(place_of(NODES, "e", "work"), None);
    }
}
