//! What a chain needs of a store, and errors that answer "did it happen?".

use bytes::Bytes;

use crate::host::BoxFuture;

/// Any error, boxed.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a store call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store refused. Nothing was written; the same bytes may be sent again.
    #[error("the store refused `{key}`: {source}")]
    Definite {
        /// Which object.
        key: String,
        /// What it said.
        source: BoxError,
    },
    /// No answer. The object may exist, and may not last: read back before anything else.
    #[error("what became of `{key}` is unknown: {source}")]
    Unknown {
        /// Which object.
        key: String,
        /// What it said.
        source: BoxError,
    },
}

impl StoreError {
    pub(crate) fn definite(key: &str, source: impl Into<BoxError>) -> Self {
        Self::Definite { key: key.to_owned(), source: source.into() }
    }

    pub(crate) fn unknown(key: &str, source: impl Into<BoxError>) -> Self {
        Self::Unknown { key: key.to_owned(), source: source.into() }
    }
}

/// How a create ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Create {
    /// The object is there, whole and durable.
    Created,
    /// Another object has that name.
    Exists,
}

/// A store of small immutable objects. Keys are paths with `/`.
pub trait Store: Send + Sync {
    /// Creates `key` unless it exists. Readers see the whole body or nothing.
    fn create<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<Create, StoreError>>;

    /// The object's body; `None` if there is none.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;

    /// The names of the objects in a folder, sorted: all that were created before the call began.
    fn list<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Deletes the object; fine if there is none.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;
}
