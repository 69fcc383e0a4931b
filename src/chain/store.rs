//! What chains and blocks need of a store, and errors that answer "did it happen?".

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::Requests;
use crate::host::{BoxFuture, UnixNanos};

/// Any error, boxed.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A store of immutable objects. Keys are relative paths with `/` between parts of letters, digits and `._=-`.
///
/// Every name is given once: `create` takes a name that others may want, `put` one that nobody else has.
/// So an object that was read is never another one later, except after it was deleted.
///
/// No call is cancel-safe: after a drop it may still happen.
pub trait Store: Send + Sync {
    /// Creates `key` unless it exists. Readers see the whole body or nothing.
    ///
    /// Never sent twice by the store itself: what became of it is for the caller to settle by looking.
    fn create<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<Create, StoreError>>;

    /// Writes `key`, a name that nobody else uses: it is drawn at random, or the digest of `body`. The object
    /// is whole and durable when this returns. May be called again with the same bytes.
    fn put<'a>(&'a self, key: &'a str, body: Bytes) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The object's body; `None` if there is none.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;

    /// Exactly the bytes of `range`, which must not be empty; `None` if there is no such object. A range that
    /// does not lie within the object is an error.
    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;

    /// How many bytes the object has; `None` if there is none.
    fn size<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<u64>, StoreError>>;

    /// The first objects below `folder`, at any depth, whose names come after `after` in the order of bytes.
    /// Shows every object whose creation was over before the call began; of those that come or go meanwhile
    /// each as it happens. Costs one request.
    fn list<'a>(&'a self, folder: &'a str, after: &'a str) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Deletes the object; fine if there is none.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Makes names that were seen in `folder` durable, whoever created them. An object store's always are.
    /// Whoever is about to destroy something because of an object that another process made calls this first.
    fn harden<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Names of what creates left that never ended, of which no listing shows anything: in a folder the temporaries of
    /// processes that were killed. Also those that are being made right now.
    fn remnants(&self) -> BoxFuture<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Removes what [`Store::remnants`] named; fine if it is gone. A create that was still going on ends with an error.
    fn remove_remnant<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// What it was asked so far, in this life of the process. Costs a few loads.
    fn requests(&self) -> Requests;

    /// The store's own calendar, as of its last answer; `None` if it states none. A hint that nothing's safety
    /// rests on: a node whose calendar disagrees retires nothing.
    fn date(&self) -> Option<StoreDate> {
        None
    }
}

/// What a store said the time was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreDate {
    /// Its calendar.
    pub wall: UnixNanos,
    /// Monotonic time of this node when the answer came.
    pub at: Duration,
}

impl dyn Store + '_ {
    /// All objects below `folder` whose names come after `after`. Costs a request per page.
    ///
    /// # Errors
    /// If the store could not be asked.
    pub async fn list_all(&self, folder: &str, after: &str) -> Result<Vec<Object>, StoreError> {
        let mut page = self.list(folder, after).await?;
        let mut objects = std::mem::take(&mut page.objects);
        while page.more {
            let Some(last) = objects.last().map(|object| object.name.clone()) else { break };
            page = self.list(folder, &last).await?;
            objects.append(&mut page.objects);
        }
        Ok(objects)
    }
}

/// How a create ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Create {
    /// The object is there, whole and durable.
    Created,
    /// An object has that name: another's, or one of an earlier try.
    Exists,
}

/// A part of a listing, ascending by name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// What it shows.
    pub objects: Vec<Object>,
    /// Whether there may be more, after the last name.
    pub more: bool,
}

/// An object as a listing names it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Object {
    /// The rest of the key after `<folder>/`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// Why a store call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store refused, or could not be asked. Nothing was written; the same call may be made again.
    #[error("the store refused `{key}`: {source}")]
    Definite {
        /// Which object.
        key: String,
        /// What it said.
        source: BoxError,
    },
    /// No answer. It may have happened, may not last, and may even happen later: look before anything else.
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

/// Whether a key is one that every store takes as it is: parts of letters, digits and `._-=`, none of them
/// empty, `.` or `..`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=".contains(&byte);
    let part_is_good = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain);
    if key.len() <= KEY_BYTES_MAX && key.split('/').all(part_is_good) {
        return Ok(());
    }
    Err(StoreError::definite(key, "this is no name for an object: letters, digits and ._-= in parts between /"))
}

/// Whether the range can be asked for.
///
/// # Errors
/// If it is empty, or longer than any object.
pub(crate) fn check_range(key: &str, range: &Range<u64>) -> Result<(), StoreError> {
    if range.start < range.end && range.end - range.start <= OBJECT_BYTES_MAX {
        return Ok(());
    }
    Err(StoreError::definite(key, format!("{}..{} is no range of an object's bytes", range.start, range.end)))
}

/// The page that a sorted set of names gives.
pub(crate) fn page_of(mut objects: Vec<Object>, objects_max: usize) -> Page {
    debug_assert!(
        objects.is_sorted() && objects.iter().map(|o| &o.name).collect::<BTreeSet<_>>().len() == objects.len()
    );
    let more = objects.len() > objects_max;
    objects.truncate(objects_max);
    Page { objects, more }
}

/// No object is larger than this. A manifest of 100,000 blocks is about 25 MB, a block about 64 MB.
pub const OBJECT_BYTES_MAX: u64 = 1 << 30;

/// What S3 allows, less room for a prefix.
const KEY_BYTES_MAX: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_nowhere_else() {
        for good in ["a", "default/web/2026-01-31/manifest/00000000000000000001.json", "_control/x-y_z.json"] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a b", "a\\b", "ä", "a\0", &"a".repeat(801)] {
            assert!(check_key(bad).is_err(), "{bad}");
        }
    }
}
