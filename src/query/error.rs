//! Why a query has no answer.

use std::io;

/// Why a query has no answer. Its text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The query or a parameter says nothing that can be answered. Change it.
    #[error("{0}")]
    BadQuery(BadQuery),
    /// The answer needs more memory than one query may use. Narrow it down.
    #[error(
        "the query needs more than its {limit_bytes} bytes of memory for {what}; narrow it down or raise the limit"
    )]
    TooMuchMemory {
        /// What the memory was for.
        what: &'static str,
        /// What one query may use.
        limit_bytes: u64,
    },
    /// Somebody cancelled the query, or nobody waits for its answer.
    #[error("the query was cancelled")]
    Cancelled,
    /// Stored bytes failed a check. The operator runs `helios verify`; nothing is answered in part.
    #[error("block {block} is damaged: {what}; run `helios verify`")]
    Corrupt {
        /// Which block.
        block: String,
        /// What is wrong with it.
        what: String,
    },
    /// The disk could not be read. Ask again.
    #[error("block {block} cannot be read: {source}")]
    Unreadable {
        /// Which block.
        block: String,
        /// What the disk said.
        source: io::Error,
    },
    /// The event that the request names does not exist, or may not be seen.
    #[error("there is no event {id}")]
    NoSuchEvent {
        /// The id that was asked for.
        id: String,
    },
}

/// What is wrong with a query or a parameter.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct BadQuery {
    /// The parameter that is wrong: `q`, `sort`, `cursor`, `limit`, …
    pub parameter: &'static str,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Column of the first character that is wrong, from 1, in characters.
    pub column: Option<u32>,
    /// How many characters are wrong; at least 1 where there is a column.
    pub width: u32,
    /// A likely fix.
    pub hint: Option<String>,
    /// The query that the fix would give, where one is known.
    pub fixed: Option<String>,
}

impl BadQuery {
    /// A parameter that is wrong as a whole.
    pub fn parameter(parameter: &'static str, message: impl Into<String>) -> Self {
        Self { parameter, message: message.into(), column: None, width: 0, hint: None, fixed: None }
    }

    /// The same with a likely fix.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<BadQuery> for QueryError {
    fn from(bad: BadQuery) -> Self {
        Self::BadQuery(bad)
    }
}
