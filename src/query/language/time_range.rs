//! Times in parameters: absolute, or relative to now.

use super::error::ParseError;
use super::parser::Parser;

/// An IANA zone's name, checked.
pub(crate) fn zone_name(parser: &mut Parser<'_>) -> Result<String, ParseError> {
    let (name, range) = parser.plain_word();
    match jiff::tz::TimeZone::get(&name) {
        Ok(_) => Ok(name),
        Err(_) => Err(parser
            .lexer
            .error(range, format!("there is no time zone `{name}`"))
            .hint("an IANA name such as `Europe/Berlin`, or `UTC`")),
    }
}
