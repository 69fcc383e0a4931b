//! What of cryptography this server uses.

use axum::body::Body;
use axum::http::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::ApiError;
use super::call::{Call, json as answer};
use crate::crypto::register::KeyInUse;
use crate::crypto::tls::{Lasting, Tally, Validity};
use crate::crypto::{Register, Report};
use crate::event::time::{SECOND_NS, format_rfc3339};
use crate::host::UnixNanos;

#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    report: Report,
    listeners: Vec<Value>,
    connections: Value,
    keys: Vec<Value>,
    warnings: Vec<String>,
}

pub(super) async fn crypto(call: Call) -> Result<Response<Body>, ApiError> {
    let register: &Register = &call.app.register;
    let now = call.app.host.clock.wall();
    let keys = register.keys();
    let mut warnings = call.params.warnings;
    warnings.extend(keys.iter().filter_map(|key| lasting(key.validity?, now)));
    let listeners = register.listeners().into_iter().map(|(addr, tls)| json!({"addr": addr.to_string(), "tls": tls}));
    answer(&Answer {
        report: register.report(),
        listeners: listeners.collect(),
        connections: json!({
            "incoming": counts(register.incoming()),
            "outgoing": counts(register.outgoing()),
        }),
        keys: keys.iter().map(|key| shown(key, now)).collect(),
        warnings,
    })
}

/// What is to be said of a certificate that clients refuse, or soon will.
pub(super) fn lasting(validity: Validity, now: UnixNanos) -> Option<String> {
    let (from, until) = (format_rfc3339(validity.from.0), format_rfc3339(validity.until.0));
    match validity.at(now) {
        Lasting::Good => None,
        Lasting::EndsSoon => Some(format!(
            "the TLS certificate ends at {until}: put a new one in its place before then; it is taken without a restart"
        )),
        Lasting::NotYet => Some(format!(
            "the TLS certificate is good from {from} on, and clients refuse it until then: check the clock of this machine, or put another one in its place"
        )),
        Lasting::Over => Some(format!(
            "the TLS certificate ended at {until}, and clients refuse it: put a new one in its place; it is taken without a restart"
        )),
    }
}

fn counts(tally: &Tally) -> Value {
    let (done, refused) = tally.counts();
    let done: Vec<Value> = done
        .iter()
        .map(|(what, count)| {
            json!({"version": what.version, "suite": what.suite, "group": what.group, "connections": count})
        })
        .collect();
    json!({"negotiated": done, "refused": refused})
}

fn shown(key: &KeyInUse, now: UnixNanos) -> Value {
    let age = |since: UnixNanos| now.0.saturating_sub(since.0).max(0) / SECOND_NS;
    json!({
        "purpose": key.purpose,
        "id": key.id,
        "algorithm": key.algorithm,
        "since": key.since.map(|since| format_rfc3339(since.0)),
        "since_is": if key.is_age { "made" } else { "in_use" },
        "age_s": key.since.map(age),
        "not_before": key.validity.map(|validity| format_rfc3339(validity.from.0)),
        "not_after": key.validity.map(|validity| format_rfc3339(validity.until.0)),
        "seals": key.seals.map(|(seals, _)| seals),
        "seals_max": key.seals.map(|(_, most)| most),
    })
}
