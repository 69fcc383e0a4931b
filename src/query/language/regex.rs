//! Regular expressions as queries write them: any case unless they say otherwise, linear time.

use regex::bytes::{Regex, RegexBuilder};

/// Bytes of one compiled regular expression, and of what its matching may cache. A larger one is
/// refused: `(a{1000}){1000}` would eat the machine.
pub const REGEX_BYTES_MAX: usize = 4 << 20;

/// Compiles a regular expression over text or raw bytes. It matches anywhere in a text, folds case
/// (`(?-i)` switches that off), and `.` stands for a whole character.
///
/// # Errors
/// One line that says what is wrong with it.
pub fn compile(source: &str) -> Result<Regex, String> {
    RegexBuilder::new(source)
        .case_insensitive(true)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| one_line(&error))
}

/// The last line of a message that may show the pattern first.
pub(crate) fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim().trim_start_matches("error: ").to_owned()
}
