//! Appending to the log: one writer, one group of records at a time.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tracing::{info, warn};

use super::format::{Frames, HEADER_BYTES, Header, LogRecord, SegmentId};
use crate::engine::mutant::Mutant;
use crate::engine::settings::Settings;
use crate::event::Origin;
use crate::host::{DiskFile, Host};

/// The segments that exist, oldest first. An ordinal orders them over all lives on this disk.
#[derive(Default)]
pub(crate) struct Segments {
    next_ordinal: u64,
    live: VecDeque<LiveSegment>,
    /// The one that is written to.
    active: Option<u64>,
}

/// A segment that is still on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LiveSegment {
    pub(crate) ordinal: u64,
    pub(crate) id: SegmentId,
    pub(crate) bytes: u64,
}

/// Why a group of records was not made durable.
#[derive(Debug)]
pub(crate) enum LogFailure {
    /// Nothing of it was written: it will never be read back.
    Refused(io::Error),
    /// It may be read back by the next life, or not.
    Unknown(io::Error),
    /// The folder could not be synced: nothing is written until the next start.
    Stopped(io::Error),
}

/// The one writer of this life's segments.
pub(crate) struct LogWriter {
    host: Host,
    dir: PathBuf,
    settings: Settings,
    origin: Origin,
    next_sequence: u64,
    next_number: u64,
    /// Where the last segment ends that the next header must name.
    prior: (u64, u64),
    current: Option<Current>,
    segments: Arc<Mutex<Segments>>,
    stopped: bool,
}

struct Current {
    id: SegmentId,
    ordinal: u64,
    file: Arc<dyn DiskFile>,
    /// Length of the file; all of it durable between two groups.
    len: u64,
}

impl Segments {
    /// Adds a segment at the young end and returns its ordinal.
    pub(crate) fn add(&mut self, id: SegmentId, bytes: u64) -> u64 {
        self.next_ordinal += 1;
        self.live.push_back(LiveSegment { ordinal: self.next_ordinal, id, bytes });
        self.next_ordinal
    }

    fn grow(&mut self, ordinal: u64, bytes: u64) {
        if let Some(segment) = self.live.iter_mut().rfind(|segment| segment.ordinal == ordinal) {
            segment.bytes = bytes;
        }
    }

    /// Takes out the segments that are older than all of `ordinal`.
    pub(crate) fn take_below(&mut self, ordinal: u64) -> Vec<LiveSegment> {
        let count = self.live.iter().take_while(|segment| segment.ordinal < ordinal).count();
        self.live.drain(..count).collect()
    }

    /// Puts segments back that could not be removed.
    pub(crate) fn put_back(&mut self, segments: &[LiveSegment]) {
        for segment in segments.iter().rev() {
            self.live.push_front(*segment);
        }
    }

    /// Bytes in all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.live.iter().map(|segment| segment.bytes).sum()
    }

    /// The number of the last segment of a life; 0 if there is none.
    #[cfg(feature = "mutants")]
    pub(crate) fn last_number(&self, origin: Origin) -> u64 {
        let of_life = self.live.iter().filter(|segment| segment.id.origin == origin);
        of_life.map(|segment| segment.id.number).max().unwrap_or(0)
    }

    /// The ordinal of the segment that is written to.
    pub(crate) fn active(&self) -> Option<u64> {
        self.active
    }
}

impl LogWriter {
    pub(crate) fn new(
        host: Host,
        dir: PathBuf,
        settings: Settings,
        origin: Origin,
        segments: Arc<Mutex<Segments>>,
    ) -> Self {
        Self {
            host,
            dir,
            settings,
            origin,
            next_sequence: 1,
            next_number: 1,
            prior: (0, 0),
            current: None,
            segments,
            stopped: false,
        }
    }

    /// Goes on with these numbers of the next candidate and the next segment.
    #[cfg(feature = "mutants")]
    pub(crate) fn go_on(&mut self, next_sequence: u64, next_number: u64) {
        (self.next_sequence, self.next_number) = (next_sequence, next_number);
    }

    /// Numbers the records, and makes them durable with one sync. Returns the ordinal of the segment
    /// that holds them.
    ///
    /// # Errors
    /// See [`LogFailure`]. The numbers of a failed group are never given again.
    pub(crate) async fn append(&mut self, records: &mut [LogRecord]) -> Result<u64, LogFailure> {
        if self.stopped {
            return Err(LogFailure::Stopped(io::Error::other("the log's folder could not be synced")));
        }
        for record in records.iter_mut() {
            record.first = self.next_sequence;
            self.next_sequence += record.candidates();
        }
        let first_try = self.append_once(records).await;
        let Err(Attempt::Uncertain(error)) = first_try else {
            return first_try.map_err(|attempt| match attempt {
                Attempt::Refused(error) => LogFailure::Refused(error),
                Attempt::Stopped(error) => LogFailure::Stopped(error),
                Attempt::Uncertain(error) => LogFailure::Unknown(error),
            });
        };
        warn!(%error, "log segment failed; writing its last records again to a new one");
        // L3: only the header of a new segment can say that what is in the old one does not count.
        self.append_once(records).await.map_err(|attempt| match attempt {
            Attempt::Stopped(error) => {
                self.stopped = true;
                LogFailure::Unknown(error)
            }
            Attempt::Refused(error) | Attempt::Uncertain(error) => LogFailure::Unknown(error),
        })
    }

    async fn append_once(&mut self, records: &[LogRecord]) -> Result<u64, Attempt> {
        if self.current.as_ref().is_some_and(|current| current.len >= self.settings.segment_bytes) {
            self.close();
        }
        if self.current.is_none() {
            self.begin_segment().await?;
        }
        let current = self.current.as_mut().expect("a segment was just begun");
        let mut frames = Frames::default();
        for record in records {
            record.encode(current.id, current.len + frames.len(), current.len, &mut frames);
        }
        let len = current.len + frames.len();
        let written = Self::write(current, frames, &self.settings).await;
        if let Err(error) = written {
            // The page cache may show what the disk does not have: this segment ends where it was durable.
            self.close();
            return Err(Attempt::Uncertain(error));
        }
        current.len = len;
        self.segments.lock().expect("no panic while held").grow(current.ordinal, len);
        Ok(current.ordinal)
    }

    async fn write(current: &Current, frames: Frames, settings: &Settings) -> io::Result<()> {
        let at = current.file.append_pieces(frames.into_pieces()).await?;
        assert_eq!(at, current.len, "only this writer appends to a segment");
        if settings.mutation.is(Mutant::LogSync) {
            return Ok(());
        }
        // DURABLE: everything in the segment, before anyone is answered.
        match current.file.sync().await {
            Err(_) if settings.mutation.is(Mutant::LogRetrySync) => current.file.sync().await,
            outcome => outcome,
        }
    }

    /// Ends the current segment where it is durable; the next append begins another.
    pub(crate) fn close(&mut self) {
        if let Some(current) = self.current.take() {
            self.prior = (current.id.number, current.len);
            self.segments.lock().expect("no panic while held").active = None;
        }
    }

    /// Makes the next segment; its header and its name are durable when this returns.
    async fn begin_segment(&mut self) -> Result<(), Attempt> {
        let id = SegmentId { origin: self.origin, number: self.next_number };
        self.next_number += 1;
        let path = self.dir.join(id.to_string());
        let file = self.host.disk.create_new(&path).await.map_err(Attempt::Refused)?;
        let ordinal = self.register(id);
        self.reserve_room(&file).await;
        let header = Header { id, prior: self.prior }.encode();
        file.append(Bytes::from(header)).await.map_err(Attempt::Refused)?;
        // No test can tell whether this sync is made, as the first group's covers the header too. It is made
        // so that a disk which cannot sync is found out while refusing is still certain.
        file.sync().await.map_err(Attempt::Refused)?;
        if !self.settings.mutation.is(Mutant::LogFolderSync)
            && let Err(error) = self.host.disk.sync_dir(&self.dir).await
        {
            // Asking again would read the page cache and prove nothing.
            self.stopped = true;
            return Err(Attempt::Stopped(error));
        }
        self.current = Some(Current { id, ordinal, file, len: HEADER_BYTES });
        Ok(())
    }
}

impl LogWriter {
    /// Makes the segment known, so that it is removed one day even if it is given up.
    ///
    /// ORDER: in the same moment it becomes the one that is written to. A flush that ends while the header
    /// is on its way would otherwise find every head empty and remove it.
    fn register(&self, id: SegmentId) -> u64 {
        let mut segments = self.segments.lock().expect("no panic while held");
        let ordinal = segments.add(id, HEADER_BYTES);
        segments.active = Some(ordinal);
        ordinal
    }

    /// Reserves the segment's room, unless that would take what little a nearly full disk has left.
    async fn reserve_room(&self, file: &Arc<dyn DiskFile>) {
        let plenty = self.settings.reserve_bytes.saturating_add(4 * self.settings.segment_bytes);
        if self.host.disk.free_bytes(&self.dir).await.is_ok_and(|free| free >= plenty)
            && let Err(error) = file.preallocate(self.settings.segment_bytes).await
        {
            info!(%error, "could not reserve room for a log segment");
        }
    }
}

/// How one try to append failed.
enum Attempt {
    /// Before any record was written.
    Refused(io::Error),
    /// Records may be in the segment.
    Uncertain(io::Error),
    /// A folder could not be synced.
    Stopped(io::Error),
}
