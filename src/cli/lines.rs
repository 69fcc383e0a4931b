//! Log files as pieces of whole lines.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a command reads the files that its user names"
)]

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use axum::body::Bytes;
use flate2::read::MultiGzDecoder;
use memchr::{memchr_iter, memrchr};

/// Whole lines of a file.
#[derive(Debug)]
pub(super) struct Piece {
    /// The lines, with their `\n` (the file's last line may lack it).
    pub(super) bytes: Bytes,
    /// Number of its first line in the file, from 1.
    pub(super) first_line: u64,
    /// How many lines it has.
    pub(super) lines: u64,
    /// Bytes of the file as stored that were read so far.
    pub(super) read_bytes: u64,
}

/// Cuts a stream into pieces.
pub(super) struct Pieces {
    reader: Box<dyn Read + Send>,
    stored: Counter,
    rest: Vec<u8>,
    next_line: u64,
    ended: bool,
}

impl Pieces {
    /// Opens a file, decompressed by the end of its name; `-` is standard input.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let stored = Counter::default();
        let reader: Box<dyn Read + Send> = if path.as_os_str() == "-" {
            Box::new(stored.clone().watch(io::stdin()))
        } else {
            let file = stored.clone().watch(File::open(path)?);
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("gz") => Box::new(MultiGzDecoder::new(file)),
                Some("zst") => Box::new(zstd::stream::read::Decoder::new(file)?),
                _ => Box::new(file),
            }
        };
        Ok(Self { reader, stored, rest: Vec::new(), next_line: 1, ended: false })
    }

    /// The next lines, about [`PIECE_BYTES`] of them; `None` at the end. Waits for no more than one
    /// read brings, so that lines of a pipe are sent as they come.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        loop {
            if self.ended {
                let rest = std::mem::take(&mut self.rest);
                return Ok((!rest.is_empty()).then(|| self.piece(rest)));
            }
            let whole = memrchr(b'\n', &self.rest).map_or(0, |last| last + 1);
            if whole > 0 {
                let after = self.rest.split_off(whole);
                let lines = std::mem::replace(&mut self.rest, after);
                return Ok(Some(self.piece(lines)));
            }
            self.fill()?;
        }
    }

    /// The beginning of the file, to see what it is.
    pub(super) fn peek(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() && !self.ended {
            self.fill()?;
        }
        Ok(&self.rest)
    }

    fn fill(&mut self) -> io::Result<()> {
        let had = self.rest.len();
        self.rest.resize(had + PIECE_BYTES, 0);
        let read = loop {
            match self.reader.read(&mut self.rest[had..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.rest.truncate(had + read.as_ref().map_or(0, |read| *read));
        self.ended = read? == 0;
        Ok(())
    }

    fn piece(&mut self, bytes: Vec<u8>) -> Piece {
        let ends = memchr_iter(b'\n', &bytes).count() as u64;
        let lines = ends + u64::from(bytes.last().is_some_and(|last| *last != b'\n'));
        let first_line = self.next_line;
        self.next_line += lines;
        Piece { bytes: bytes.into(), first_line, lines, read_bytes: self.stored.bytes() }
    }
}

/// Length of a file as stored; `None` where there is none to know.
pub(super) fn stored_bytes(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|data| data.len())
}

/// Counts what was read of a file, below the decompression.
#[derive(Clone, Default)]
struct Counter(std::sync::Arc<std::sync::atomic::AtomicU64>);

struct Watched<R> {
    reader: R,
    counter: Counter,
}

impl Counter {
    fn watch<R: Read>(self, reader: R) -> Watched<R> {
        Watched { reader, counter: self }
    }

    fn bytes(&self) -> u64 {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.counter.0.fetch_add(read as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(read)
    }
}

/// Bytes that are read at once. A piece is as many of them as end with a line.
const PIECE_BYTES: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pieces(path: &Path) -> (Vec<u8>, Vec<(u64, u64)>) {
        let mut pieces = Pieces::open(path).unwrap();
        let (mut all, mut lines) = (Vec::new(), Vec::new());
        while let Some(piece) = pieces.next().unwrap() {
            all.extend_from_slice(&piece.bytes);
            lines.push((piece.first_line, piece.lines));
        }
        (all, lines)
    }

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        File::create(&path).unwrap().write_all(bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn no_byte_is_lost_and_lines_are_numbered_across_pieces() {
        let text: Vec<u8> = (0..200_000).flat_map(|n| format!("line {n} of the file\r\n").into_bytes()).collect();
        let (_folder, path) = written("a.log", &text[..text.len() - 1]);
        let (all, lines) = pieces(&path);
        assert_eq!(all, text[..text.len() - 1]);
        assert!(lines.len() > 1);
        let mut expected = 1;
        for (first, count) in lines {
            assert_eq!(first, expected);
            expected += count;
        }
        assert_eq!(expected, 200_001);
    }

    #[test]
    fn a_line_longer_than_a_piece_stays_whole() {
        let mut text = vec![b'x'; 3 * PIECE_BYTES];
        text.push(b'\n');
        let (_folder, path) = written("a.log", &text);
        assert_eq!(pieces(&path), (text, vec![(1, 1)]));
    }

    #[test]
    fn compressed_files_are_read_by_the_end_of_their_name() {
        let text = b"one\ntwo\n";
        let (_folder, path) = written("a.zst", &zstd::encode_all(&text[..], 3).unwrap());
        assert_eq!(pieces(&path).0, text);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        // Two members, as log rotation with append leaves them.
        let member = gzip.finish().unwrap();
        let (_folder, path) = written("a.gz", &[member.clone(), member].concat());
        assert_eq!(pieces(&path).0, b"one\ntwo\none\ntwo\n");
    }

    #[test]
    fn an_empty_file_has_no_piece() {
        let (_folder, path) = written("a.log", b"");
        assert_eq!(pieces(&path), (vec![], vec![]));
    }
}
