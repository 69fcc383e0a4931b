//! A power cut: what of the un-synced reached the disk.

use super::storage::{FileNode, Node, Storage};
use crate::rng::Rng;

/// What a disk loses at most at once: one sector.
const SECTOR_BYTES: usize = 512;

/// How much of the un-synced survives a power cut, drawn once per cut: the extremes find other bugs than
/// the middle.
#[derive(Clone, Copy)]
enum Mood {
    LosesAll,
    KeepsAll,
    DrawsEach,
}

impl Mood {
    fn draw(rng: &mut Rng) -> Self {
        rng.pick(&[Self::LosesAll, Self::KeepsAll, Self::DrawsEach, Self::DrawsEach, Self::DrawsEach])
    }

    fn keeps(self, rng: &mut Rng) -> bool {
        match self {
            Self::LosesAll => false,
            Self::KeepsAll => true,
            Self::DrawsEach => rng.percent(50),
        }
    }
}

impl Storage {
    /// The power goes off. Each change of a name that its folder's sync did not cover is kept or undone by
    /// itself, a rename as a whole. Each append that its file's sync did not cover is dropped, kept, torn
    /// at any byte, ends in garbage or misses a sector; what is missing before something kept reads as
    /// zeros. What was synced stays. Locks are let go.
    pub fn power_cut(&mut self, seed: u64) {
        let mut rng = Rng::labelled(seed, "power cut");
        let names = Mood::draw(&mut rng);
        let mut changes: Vec<_> = std::mem::take(&mut self.unsynced_names).into_values().flatten().collect();
        changes.sort_unstable_by_key(|change| change.number);
        for change in changes {
            if names.keeps(&mut rng) {
                self.make_durable(change);
            }
        }
        let contents = Mood::draw(&mut rng);
        for node in &mut self.nodes {
            match node {
                Node::Dir(dir) => dir.names.clone_from(&dir.durable),
                Node::File(file) => cut_file(file, contents, &mut rng),
            }
        }
        self.locks.clear();
        self.recount();
    }

    /// The process is killed and the machine runs on: everything that was written stays, synced or not.
    /// Names that a failed sync of their folder let go of are open again: the next process may sync them.
    /// (A file system whose journal failed would refuse that process; one that lies for ever could be
    /// served by no rule.) Bytes that a failed sync let go of stay lost.
    pub fn process_killed(&mut self) {
        self.locks.clear();
        for change in self.unsynced_names.values_mut().flatten() {
            change.lost = false;
        }
    }
}

fn cut_file(file: &mut FileNode, mood: Mood, rng: &mut Rng) {
    let unsynced = std::mem::take(&mut file.unsynced);
    if unsynced.is_empty() {
        return;
    }
    let mut kept_len = file.synced_len;
    let mut position = 0;
    for unsynced in unsynced {
        let range = unsynced.range;
        if position < range.start {
            kept_len = kept_len.max(range.start);
        }
        position = range.end;
        let start = range.start;
        let bytes = &mut file.bytes[range];
        let kept = if unsynced.lost { None } else { cut_append(bytes, mood, rng) };
        match kept {
            Some(len) => kept_len = kept_len.max(start + len),
            None => bytes.fill(0),
        }
    }
    if position < file.bytes.len() {
        kept_len = file.bytes.len();
    }
    file.bytes.truncate(kept_len);
    file.synced_len = kept_len;
}

/// Decides over one append and returns how long it is now; `None` if nothing of it is left.
fn cut_append(bytes: &mut [u8], mood: Mood, rng: &mut Rng) -> Option<usize> {
    match mood {
        Mood::LosesAll => return None,
        Mood::KeepsAll => return Some(bytes.len()),
        Mood::DrawsEach => {}
    }
    let at = rng.index(bytes.len() + 1);
    match rng.in_range(0..10) {
        0..3 => None,
        3..6 => Some(bytes.len()),
        6..8 => {
            // Torn. If something behind it survives, the rest reads as zeros.
            bytes[at..].fill(0);
            Some(at)
        }
        8 => {
            // The length reached the disk and the rest did not: what was there before shows.
            if rng.percent(50) {
                bytes[at..].fill(0);
            } else {
                rng.fill(&mut bytes[at..]);
            }
            Some(bytes.len())
        }
        _ => {
            let sector = at / SECTOR_BYTES * SECTOR_BYTES;
            let end = bytes.len().min(sector + SECTOR_BYTES);
            bytes[sector.min(end)..end].fill(0);
            Some(bytes.len())
        }
    }
}
