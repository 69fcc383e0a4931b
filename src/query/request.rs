//! What can be asked, and of whose partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::{BadQuery, QueryError};
use crate::event::{EventId, PartitionKey};
use crate::host::UnixNanos;

/// Most hits that one search returns; more is what an export is for.
pub const HITS_MAX: u32 = 10_000;

/// Hits of a search that names no limit.
pub const HITS_DEFAULT: u32 = 100;

/// Which events a request is about, beside its query.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Scope {
    /// The environment.
    pub env: String,
    /// Names of indexes, with `*` and `?`. Empty: all. They are ANDed with the query.
    pub indexes: Vec<String>,
    /// Earliest event time, nanoseconds since 1970, inclusive.
    pub start: Option<i64>,
    /// Latest event time, exclusive.
    pub end: Option<i64>,
}

/// A search: hits, a count, or a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SearchRequest {
    /// The query as typed.
    pub query: String,
    /// Which events.
    pub scope: Scope,
    /// Most hits to return, at most [`HITS_MAX`]; 0 gives the count alone.
    pub limit: u32,
    /// Where to go on: a cursor that an earlier answer of the same query gave.
    pub cursor: Option<String>,
    /// Order of the hits: `-f,g`. `None`: newest first.
    pub sort: Option<String>,
    /// Whether `total` is wanted.
    pub count: CountMode,
    /// IANA zone in which days begin; `None`: UTC.
    pub zone: Option<String>,
    /// Whether the answer's `stats` say in detail what was done.
    pub explain: bool,
    /// What `now` means.
    pub now: UnixNanos,
}

/// Whether all matches are counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CountMode {
    /// `total` is exact.
    #[default]
    Exact,
    /// The search stops as soon as it has its hits.
    None,
}

/// Counts over time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HistogramRequest {
    /// The query; stages that carry events are allowed.
    pub query: String,
    /// Which events.
    pub scope: Scope,
    /// Width of a bucket as typed (`5m`); `None`: sized to the range.
    pub interval: Option<String>,
    /// Splits each bucket by this field's values.
    pub by: Option<String>,
    /// IANA zone in which buckets are aligned; `None`: UTC.
    pub zone: Option<String>,
    /// What `now` means.
    pub now: UnixNanos,
}

/// The most frequent values of fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AggregateRequest {
    /// The query; stages that carry events are allowed.
    pub query: String,
    /// Which events.
    pub scope: Scope,
    /// The fields, at least one.
    pub fields: Vec<String>,
    /// How many values of each field.
    pub size: u32,
    /// What `now` means.
    pub now: UnixNanos,
}

/// Which fields there are, and what is in them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DiscoverRequest {
    /// The query; stages that carry events are allowed.
    pub query: String,
    /// Which events.
    pub scope: Scope,
    /// Look at about this many of the newest matches only, and say so. `None`: at all.
    pub sample: Option<u64>,
    /// How many top values of each field.
    pub top: u32,
    /// What `now` means.
    pub now: UnixNanos,
}

/// The events around one, of the same index and source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ContextRequest {
    /// The environment.
    pub env: String,
    /// The event in the middle.
    pub id: EventId,
    /// How many older ones.
    pub before: u32,
    /// How many newer ones.
    pub after: u32,
}

/// All matches, without a cap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExportRequest {
    /// The query.
    pub query: String,
    /// Which events.
    pub scope: Scope,
    /// Order of the hits; `None`: newest first, in bounded memory.
    pub sort: Option<String>,
    /// IANA zone in which days begin; `None`: UTC.
    pub zone: Option<String>,
    /// What `now` means.
    pub now: UnixNanos,
}

/// Which partitions a principal may read. Every read path asks it where partitions are listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Access {
    /// Everything.
    All,
    /// What one of these grants; an empty list grants nothing.
    Grants(Vec<Grant>),
}

/// One environment and the indexes in it that may be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The environment, or `*`.
    pub env: String,
    /// Names of indexes, with `*` and `?`.
    pub indexes: Vec<String>,
}

impl Access {
    /// Whether a partition may be read.
    pub fn allows(&self, key: &PartitionKey) -> bool {
        self.allows_index(&key.env, &key.index)
    }

    /// Whether an index of an environment may be read.
    pub fn allows_index(&self, env: &str, index: &str) -> bool {
        match self {
            Self::All => true,
            Self::Grants(grants) => grants.iter().any(|grant| grant.allows(env, index)),
        }
    }
}

impl Grant {
    fn allows(&self, env: &str, index: &str) -> bool {
        (self.env == "*" || self.env == env) && self.indexes.iter().any(|pattern| fits_pattern(pattern, index))
    }
}

impl Scope {
    /// Whether a partition is asked for, by environment and index.
    pub fn names(&self, key: &PartitionKey) -> bool {
        *key.env == *self.env
            && (self.indexes.is_empty() || self.indexes.iter().any(|pattern| fits_pattern(pattern, &key.index)))
    }

    /// Whether a time is asked for.
    pub fn holds(&self, time_ns: i64) -> bool {
        self.start.is_none_or(|start| start <= time_ns) && self.end.is_none_or(|end| time_ns < end)
    }

    /// The first and the last time that may be asked for.
    pub(crate) fn window(&self) -> (i64, i64) {
        (self.start.unwrap_or(i64::MIN), self.end.map_or(i64::MAX, |end| end.saturating_sub(1)))
    }

    /// Whether any time from `first` to `last`, both inclusive, may be asked for.
    pub fn overlaps(&self, first: i64, last: i64) -> bool {
        self.start.is_none_or(|start| start <= last) && self.end.is_none_or(|end| first < end)
    }
}

impl SearchRequest {
    /// A search with nothing but a query: all time, newest first.
    pub fn new(env: impl Into<String>, query: impl Into<String>, now: UnixNanos) -> Self {
        Self {
            query: query.into(),
            scope: Scope { env: env.into(), ..Scope::default() },
            limit: HITS_DEFAULT,
            cursor: None,
            sort: None,
            count: CountMode::Exact,
            zone: None,
            explain: false,
            now,
        }
    }

    /// # Errors
    /// `BadQuery` if the limit is above [`HITS_MAX`].
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.limit > HITS_MAX {
            let message = format!("limit is {}, and at most {HITS_MAX} hits fit in one answer", self.limit);
            let hint = "use /api/export (`helios export`) for more: it streams and has no cap";
            return Err(BadQuery::parameter("limit", message).with_hint(hint).into());
        }
        Ok(())
    }
}

/// Whether a whole name fits a pattern of `*`, `?` and characters that stand for themselves in any
/// case. Costs at most pattern × name.
pub fn fits_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (super::value::fold(pattern), super::value::fold(name));
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Stops a query from outside. All clones are one switch; it never goes back.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    own: Arc<AtomicBool>,
    outer: Option<Arc<AtomicBool>>,
}

impl Cancel {
    /// Stops the query: its work ends at the next look, within milliseconds.
    pub fn cancel(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    /// Whether somebody stopped it.
    pub fn is_cancelled(&self) -> bool {
        let outer = self.outer.as_ref().is_some_and(|outer| outer.load(Ordering::Relaxed));
        outer || self.own.load(Ordering::Relaxed)
    }

    /// # Errors
    /// `Cancelled` once somebody stopped it.
    pub fn check(&self) -> Result<(), QueryError> {
        if self.is_cancelled() { Err(QueryError::Cancelled) } else { Ok(()) }
    }

    /// A switch for a part of the query, which this one stops too.
    pub(crate) fn part(&self) -> Self {
        Self { own: Arc::default(), outer: Some(Arc::clone(&self.own)) }
    }
}

/// Stops a query when it is dropped: put it into the future that waits for the answer, so that a
/// closed connection ends the work on the CPU pool too.
#[derive(Debug)]
pub struct CancelOnDrop(pub Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_the_whole_name_in_any_case() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("app-*", "APP-web", true),
            ("app-*", "app", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*b*", "abcb", true),
            ("*b*b*", "abc", false),
            ("", "", true),
            ("", "a", false),
            ("a**", "a", true),
        ] {
            assert_eq!(fits_pattern(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn an_empty_list_of_grants_grants_nothing() {
        assert!(!Access::Grants(vec![]).allows_index("default", "app"));
        let grant = Grant { env: "default".into(), indexes: vec!["app-*".into()] };
        let access = Access::Grants(vec![grant]);
        assert!(access.allows_index("default", "app-web"));
        assert!(!access.allows_index("default", "db"));
        assert!(!access.allows_index("other", "app-web"));
    }

    #[test]
    fn start_is_inclusive_and_end_is_exclusive() {
        let scope = Scope { start: Some(10), end: Some(20), ..Scope::default() };
        assert_eq!([9, 10, 19, 20].map(|t| scope.holds(t)), [false, true, true, false]);
        assert!(scope.overlaps(19, 30) && scope.overlaps(0, 10));
        assert!(!scope.overlaps(20, 30) && !scope.overlaps(0, 9));
    }
}
