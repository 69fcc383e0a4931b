//! Looks at everything that a server has.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::http::Http;
use super::{Found, History, Home, Wrong};

/// What a look at a server gave.
pub enum Look<T> {
    /// A whole answer.
    Shown(T),
    /// None, and why.
    Silent(String),
}

/// Everything that a server shows.
///
/// # Errors
/// If an answer that ended properly cannot be read.
pub async fn everything_on(client: &mut Http, limit: Duration) -> Result<Look<Vec<Found>>, String> {
    let answer = match client.ask(Method::GET, "/api/export", Bytes::new(), limit).await {
        Ok(answer) if answer.status == 200 => answer,
        Ok(answer) => {
            return Ok(Look::Silent(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body))));
        }
        Err(why) => return Ok(Look::Silent(format!("{why:?}"))),
    };
    let lines = answer.body.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let read = |line: &[u8]| found(&serde_json::from_slice(line).map_err(|error| format!("an export: {error}"))?);
    lines.map(read).collect::<Result<_, _>>().map(Look::Shown)
}

/// Looks at everything and judges it.
///
/// # Errors
/// What is wrong with it.
pub async fn judge_node(
    client: &mut Http,
    node: &str,
    history: &History,
    home: Home,
    limit: Duration,
) -> Result<Look<()>, Wrong> {
    let expected = history.expectation(node, home);
    match everything_on(client, limit).await.map_err(Wrong::Never)? {
        Look::Shown(found) => history.judge(&expected, &found).map(Look::Shown),
        Look::Silent(why) => Ok(Look::Silent(why)),
    }
}

/// The hits of an answer.
///
/// # Errors
/// If they are none.
pub(super) fn hits(hits: &Value) -> Result<Vec<Found>, String> {
    hits.as_array().ok_or_else(|| format!("no list of hits: {hits}"))?.iter().map(found).collect()
}

fn found(hit: &Value) -> Result<Found, String> {
    let text = |name: &str| hit[name].as_str().map(str::to_owned).ok_or_else(|| format!("no `{name}`: {hit}"));
    Ok(Found { id: text("id")?, index: text("index")?, raw: text("raw")? })
}
