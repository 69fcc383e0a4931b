//! What a line is, and what a blank one.
//!
//! **This is part of the log's format.** The sequence of an event is counted in non-blank lines when it
//! is taken and again when the log is replayed: lines that were split or counted otherwise would get
//! the verdicts of their neighbours.

/// A line of a body.
pub(super) struct Sent<'a> {
    /// Its bytes without the `\n`; a `\r` stays.
    pub(super) raw: &'a [u8],
    /// Where it begins in the body.
    pub(super) start: usize,
    /// How many lines are before it.
    pub(super) index: u64,
}

impl Sent<'_> {
    /// Whether it is no event and has no number: nothing but blanks, tabs and carriage returns.
    pub(super) fn is_blank(&self) -> bool {
        self.raw.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
    }
}

/// The lines of a body. The last may lack its `\n`; behind a last `\n` there is none.
pub(super) fn split_lines(body: &[u8]) -> impl Iterator<Item = Sent<'_>> {
    let mut start = 0;
    (0..).map_while(move |index| {
        if start == body.len() {
            return None;
        }
        let end = memchr::memchr(b'\n', &body[start..]).map_or(body.len(), |at| start + at);
        let sent = Sent { raw: &body[start..end], start, index };
        start = (end + 1).min(body.len());
        Some(sent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_line_feeds_and_a_last_one_begins_no_other() {
        for (body, lines) in [
            ("", vec![]),
            ("\n", vec![(0, "", true)]),
            ("a", vec![(0, "a", false)]),
            ("a\r\n \t\r\n\nb", vec![(0, "a\r", false), (3, " \t\r", true), (7, "", true), (8, "b", false)]),
            ("a\n\n", vec![(0, "a", false), (2, "", true)]),
            ("\u{b}\n\0", vec![(0, "\u{b}", false), (2, "\0", false)]),
        ] {
            let found: Vec<_> = split_lines(body.as_bytes())
                .map(|sent| (sent.start, std::str::from_utf8(sent.raw).unwrap(), sent.is_blank()))
                .collect();
            assert_eq!(found, lines, "{body:?}");
            assert!(split_lines(body.as_bytes()).map(|sent| sent.index).eq(0..lines.len() as u64));
        }
    }
}
