//! Where the server's own messages go.
//!
//! **Promise.** People on a terminal get text with times, the journal of systemd gets lines with its own marks of
//! severity and without times, which it keeps itself, and every other collector gets JSON. Nothing is ever
//! written anywhere but to standard error.

use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Sends messages that `filter` lets pass to standard error.
pub fn log_to_stderr(filter: &str) {
    let filter = EnvFilter::builder().parse_lossy(filter);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter);
    if io::stderr().is_terminal() {
        subscriber.with_writer(io::stderr).with_target(false).init();
    } else if is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref(), stderr_is()) {
        subscriber.with_writer(Journal).without_time().with_level(false).with_ansi(false).init();
    } else {
        subscriber.with_writer(io::stderr).json().flatten_event(true).init();
    }
}

/// Device and inode of standard error.
#[allow(clippy::disallowed_methods, reason = "a question about this process, before there is a host")]
fn stderr_is() -> Option<(u64, u64)> {
    let file = std::fs::metadata("/proc/self/fd/2").ok()?;
    Some((file.dev(), file.ino()))
}

/// Whether `JOURNAL_STREAM` names what standard error is. It is inherited, so alone it says nothing: see
/// `systemd.exec(5)`.
fn is_journal(named: Option<&str>, stderr: Option<(u64, u64)>) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    let named = named.and_then(|named| named.split_once(':'));
    let named = named.and_then(|(device, inode)| number(device).zip(number(inode)));
    named.is_some() && named == stderr
}

/// Lines with the severity as the journal and the kernel write it: `<4>` and the like, see `sd-daemon(3)`.
struct Journal;

impl<'a> MakeWriter<'a> for Journal {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { severity: severity(Level::INFO), out: io::stderr() }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line {
        Line { severity: severity(*of.level()), out: io::stderr() }
    }
}

/// One message.
struct Line<W = io::Stderr> {
    severity: &'static str,
    out: W,
}

impl<W: Write> Write for Line<W> {
    /// Takes a whole message. A line break within would begin a message of its own, without a severity.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(message);
        let marked = text.trim_end().replace('\n', &format!("\n{}", self.severity));
        self.out.write_all(format!("{}{marked}\n", self.severity).as_bytes())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_error_is_the_journal_only_if_the_variable_names_it() {
        assert!(is_journal(Some("8:1234"), Some((8, 1234))));
        for (named, stderr) in [
            (Some("8:1234"), Some((8, 1235))),
            (Some("9:1234"), Some((8, 1234))),
            (Some("8:1234"), None),
            (Some("text"), Some((8, 1234))),
            (Some(""), None),
            (None, Some((8, 1234))),
            (None, None),
        ] {
            assert!(!is_journal(named, stderr), "{named:?} {stderr:?}");
        }
    }

    #[test]
    fn every_line_of_a_message_has_its_severity() {
        let mut line = Line { severity: severity(Level::WARN), out: Vec::new() };
        line.write_all(b"first\nsecond\n").unwrap();
        assert_eq!(line.out, b"<4>first\n<4>second\n");
    }
}
