//! How the parts of a stored group come into memory: from the cache, or decoded from what was read.
//!
//! The work on a group says which parts it misses. Those that the cache has are taken, the others are
//! read by [`super::source`], decoded here, and kept. Of columns of which a query shows a few rows only
//! these are decoded, the first time; who asks twice is likely to ask again, and finds them whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::QueryShared;
use super::cache::Chunk;
use super::error::QueryError;
use super::explain::Counters;
use super::scan::eval::Stop;
use super::scan::view::{StoredView, View};
use super::source::{Place, corrupt};
use crate::block::{BlockError, ChunkKey, Context, OpenPools};
use crate::engine::StoredBlock;

/// A group's work between two loads.
pub(super) struct Job<W> {
    pub(super) view: View,
    work: W,
    /// The rows that the work asks about, ascending; `None`: any.
    rows: Option<Vec<u32>>,
    /// What was fetched and waits to be decoded.
    pub(super) pending: Vec<(Part, Bytes)>,
}

/// A part to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) key: ChunkKey,
    /// Whether all of it is decoded, not just the rows that the work asks about.
    whole: bool,
}

pub(super) enum Step<T> {
    Done(T),
    /// These parts have to be fetched.
    Read(Vec<Part>),
}

impl<W> Job<W> {
    pub(super) fn new(view: View, rows: Option<Vec<u32>>, work: W) -> Self {
        Self { view, work, rows, pending: Vec::new() }
    }

    pub(super) fn step<T>(
        &mut self,
        shared: &QueryShared,
        place: &Place,
        since: u64,
        counters: &Counters,
    ) -> Result<Step<T>, QueryError>
    where
        W: FnMut(&View) -> Result<T, Stop>,
    {
        let clock = &shared.host.clock;
        let started = clock.monotonic();
        counters.parts_read.fetch_add(self.pending.len() as u64, Ordering::Relaxed);
        if let Place::Stored { block, group } = place {
            self.decode(shared, block, *group, since).map_err(|error| corrupt(block, &error))?;
        }
        let decoded = clock.monotonic();
        counters.decode.add(decoded.saturating_sub(started));
        let outcome = self.work(shared, place, counters);
        counters.work.add(clock.monotonic().saturating_sub(decoded));
        outcome
    }

    fn work<T>(&mut self, shared: &QueryShared, place: &Place, counters: &Counters) -> Result<Step<T>, QueryError>
    where
        W: FnMut(&View) -> Result<T, Stop>,
    {
        loop {
            let missing = match (self.work)(&self.view) {
                Ok(answer) => return Ok(Step::Done(answer)),
                Err(Stop::Cancelled) => return Err(QueryError::Cancelled),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Damaged(error)) => match place {
                    Place::Stored { block, .. } => return Err(corrupt(block, &error)),
                    Place::Memory(_) => panic!("rows that this process read itself are whole: {error}"),
                },
                Err(Stop::Missing(missing)) => missing,
            };
            let unread = self.take_cached(shared, place, missing, counters);
            if !unread.is_empty() {
                return Ok(Step::Read(unread));
            }
        }
    }

    /// Takes what the cache has, of the missing parts and of those that they need; gives back what has to
    /// be read, each part behind those that it needs.
    fn take_cached(
        &mut self,
        shared: &QueryShared,
        place: &Place,
        missing: Vec<ChunkKey>,
        counters: &Counters,
    ) -> Vec<Part> {
        let (Place::Stored { block, group }, View::Stored(stored)) = (place, &mut self.view) else {
            panic!("nothing is missing of a group that is in memory");
        };
        let footer = Arc::clone(&stored.footer);
        let mut unread: BTreeMap<ChunkKey, bool> = BTreeMap::new();
        let mut wanted: Vec<(ChunkKey, bool)> = missing.into_iter().map(|key| (key, false)).collect();
        while let Some((key, whole)) = wanted.pop() {
            if let Some(known) = unread.get_mut(&key) {
                *known |= whole;
                continue;
            }
            if stored.is_loaded(key, whole) {
                continue;
            }
            let id = (block.entry.id, *group as u32, key);
            if let Some(chunk) = shared.cache.get(&id) {
                counters.parts_cached.fetch_add(1, Ordering::Relaxed);
                stored.insert(key, chunk, true);
                continue;
            }
            let is_column = matches!(key, ChunkKey::Column(_));
            let whole = whole || !is_column || self.rows.is_none() || shared.cache.is_asked_again(id);
            let needs = footer.needs(*group, key);
            // The last column may tell codes, and does so by its value in each row.
            let last = needs.len().saturating_sub(1);
            wanted.extend(needs.iter().enumerate().map(|(at, &need)| (need, whole || at == last)));
            unread.insert(key, whole);
        }
        let repeats = |key: &ChunkKey| match key {
            ChunkKey::Column(path) => footer.groups[*group].column(*path).is_some_and(|own| !own.refers.is_empty()),
            _ => false,
        };
        let mut parts: Vec<Part> = unread.into_iter().map(|(key, whole)| Part { key, whole }).collect();
        // Columns need other parts, and those that repeat others these.
        parts.sort_by_key(|part| (matches!(part.key, ChunkKey::Column(_)), repeats(&part.key)));
        parts
    }

    fn decode(
        &mut self,
        shared: &QueryShared,
        block: &StoredBlock,
        group: usize,
        since: u64,
    ) -> Result<(), BlockError> {
        let View::Stored(stored) = &mut self.view else { return Ok(()) };
        let mut pending = std::mem::take(&mut self.pending).into_iter().peekable();
        let keep = |stored: &mut StoredView, part: Part, chunk: Chunk| {
            if part.whole {
                shared.cache.put((block.entry.id, group as u32, part.key), chunk.clone(), since);
            }
            stored.insert(part.key, chunk, part.whole);
        };
        while let Some((part, bytes)) = pending.next_if(|(part, _)| !matches!(part.key, ChunkKey::Column(_))) {
            let chunk = decode_part(stored, part.key, &bytes)?;
            keep(stored, part, chunk);
        }
        let footer = Arc::clone(&stored.footer);
        let shapes = match stored.loaded(ChunkKey::Shapes) {
            Some(Chunk::Shapes(shapes)) => Some(Arc::clone(shapes)),
            _ => None,
        };
        let (mut by_shape, pools) = (None, OpenPools::default());
        for (part, bytes) in pending {
            if by_shape.is_none() {
                by_shape = shapes.as_ref().map(|shapes| footer.rows_by_shape(shapes));
            }
            let rows = self.rows.as_deref().filter(|_| !part.whole);
            let context = Context { shapes: by_shape.as_ref(), rows, pools: Some(&pools), ..Context::default() };
            let column = decode_column(stored, part.key, &bytes, context)?;
            keep(stored, part, column);
        }
        Ok(())
    }
}

fn decode_part(view: &StoredView, key: ChunkKey, bytes: &[u8]) -> Result<Chunk, BlockError> {
    let (footer, group) = (&view.footer, view.group);
    Ok(match key {
        ChunkKey::Times => Chunk::Times(Arc::new(footer.decode_times(group, bytes)?)),
        ChunkKey::Ids => Chunk::Ids(Arc::new(footer.decode_ids(group, bytes)?)),
        ChunkKey::Shapes => Chunk::Shapes(Arc::new(footer.decode_shapes(group, bytes)?)),
        ChunkKey::Verbatim => Chunk::Verbatim(Arc::new(footer.decode_verbatim(group, bytes)?)),
        ChunkKey::Filter(_) => {
            let chunk = footer.groups[group].chunk(key).expect("only parts that exist are decoded");
            Chunk::Filter(Arc::new(footer.decode_filter(&chunk, bytes)?))
        }
        ChunkKey::Column(_) => panic!("columns are decoded with what they need"),
    })
}

fn decode_column(view: &StoredView, key: ChunkKey, bytes: &[u8], context: Context<'_>) -> Result<Chunk, BlockError> {
    let ChunkKey::Column(path) = key else { panic!("other parts stand before the columns") };
    let times = match view.loaded(ChunkKey::Times) {
        Some(Chunk::Times(times)) => Some(times.as_slice()),
        _ => None,
    };
    let info = view.footer.groups[view.group].column(path).expect("only parts that exist are decoded");
    let referred = info.refers.iter().filter_map(|&path| match view.loaded(ChunkKey::Column(path)) {
        Some(Chunk::Column(column)) => Some(Arc::clone(column)),
        _ => None,
    });
    let columns = &referred.collect::<Vec<_>>();
    let column = view.footer.decode_column(view.group, path, bytes, Context { times, columns, ..context })?;
    Ok(Chunk::Column(Arc::new(column)))
}
