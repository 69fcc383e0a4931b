//! Where a search goes on: after the row of this key, in the default order.

use xxhash_rust::xxh3::xxh3_64;

use super::error::{BadQuery, QueryError};
use super::request::SearchRequest;
use super::rows::RowKey;
use crate::event::{EventId, Sequence};

/// The text of a cursor.
pub(crate) fn write(request: &SearchRequest, (time, id): RowKey) -> String {
    format!("{:016x}.{time}.{id}", hash_of(request))
}

/// The key in the request's cursor, if it has one.
pub(crate) fn read(request: &SearchRequest) -> Result<Option<RowKey>, QueryError> {
    let Some(text) = &request.cursor else { return Ok(None) };
    let bad = |message: &str| {
        let hint = "send the cursor of the answer before, with the same query, or none";
        QueryError::from(BadQuery::parameter("cursor", message).with_hint(hint))
    };
    let mut parts = text.splitn(3, '.');
    let (Some(hash), Some(time), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(bad("this is no cursor"));
    };
    if hash != format!("{:016x}", hash_of(request)) {
        return Err(bad("the cursor belongs to another query"));
    }
    let time: i64 = time.parse().map_err(|_| bad("this is no cursor"))?;
    let id: EventId = id.parse().map_err(|()| bad("this is no cursor"))?;
    Ok(Some((time, EventId { sequence: Sequence(id.sequence.0), ..id })))
}

/// What makes a search the same one. The range is left out: a relative one moves with each page.
fn hash_of(request: &SearchRequest) -> u64 {
    let SearchRequest { query, scope, sort, .. } = request;
    let mut text = String::new();
    for part in [query.as_str(), &scope.env, sort.as_deref().unwrap_or_default()] {
        text.push_str(part);
        text.push('\0');
    }
    for index in &scope.indexes {
        text.push_str(index);
        text.push('\0');
    }
    xxh3_64(text.as_bytes())
}
