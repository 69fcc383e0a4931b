//! What a handler gets of a request: who asks, the parameters, the time.

use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::access::{self, Principal};
use super::params::{Params, bad};
use super::routes::Operation;
use super::server::RequestId;
use super::{ApiError, App};
use crate::host::UnixNanos;
use crate::query::language::time_range::{read_parameter, read_zone};
use crate::query::{Access, Cancel, CancelOnDrop, QueryContext, Scope};

/// One admitted request. Nothing gets one past the door: it is made from the principal that
/// [`access::Door::admit`] left in the request.
pub(super) struct Call {
    pub(super) app: App,
    pub(super) principal: Principal,
    pub(super) params: Params,
    pub(super) headers: HeaderMap,
    pub(super) request_id: String,
    pub(super) now: UnixNanos,
}

impl<S: Send + Sync> FromRequestParts<S> for Call
where
    App: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let app = App::from_ref(state);
        let found = |what: &str| ApiError::internal(format!("a request reached its handler without {what}"));
        let principal = *parts.extensions.get::<Principal>().ok_or_else(|| found("principal"))?;
        let operation = *parts.extensions.get::<&'static Operation>().ok_or_else(|| found("route"))?;
        let RequestId(request_id) = parts.extensions.get::<RequestId>().ok_or_else(|| found("id"))?.clone();
        let params = Params::read(operation.params, parts.uri.query().unwrap_or_default())?;
        let now = app.host.clock.wall();
        Ok(Self { principal, params, headers: parts.headers.clone(), request_id, now, app })
    }
}

impl Call {
    /// What the caller may read.
    pub(super) fn access(&self) -> Access {
        access::of(self.principal)
    }

    /// A query's context, and what stops the query when the caller hangs up: hold it as long as the
    /// answer is wanted.
    pub(super) fn query_context(&self) -> (QueryContext, CancelOnDrop) {
        let cancel = Cancel::default();
        let context = QueryContext { shared: self.app.queries.clone(), access: self.access(), cancel: cancel.clone() };
        (context, CancelOnDrop(cancel))
    }

    /// A header's text; `None` if it is not there or not visible ASCII.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn query(&self) -> String {
        self.params.text("q").unwrap_or_default().to_owned()
    }

    /// The environment that is asked for.
    ///
    /// # Errors
    /// 400 if it does not exist.
    pub(super) fn env(&self) -> Result<String, ApiError> {
        let env = self.params.text("env").unwrap_or(DEFAULT_ENV);
        if !self.app.has_env(env) {
            return Err(unknown_env());
        }
        Ok(env.to_owned())
    }

    /// Environment, indexes and range.
    ///
    /// # Errors
    /// 400 for an unknown environment or a time that is none.
    pub(super) fn scope(&self, zone: &TimeZone) -> Result<Scope, ApiError> {
        let scope = Scope {
            env: self.env()?,
            indexes: self.params.list("index"),
            start: self.time("start", zone)?,
            end: self.time("end", zone)?,
        };
        Ok(scope)
    }

    /// The time zone that is asked for, by its name and as rules.
    ///
    /// # Errors
    /// 400 if there is no such zone.
    pub(super) fn zone(&self) -> Result<(Option<String>, TimeZone), ApiError> {
        match self.params.text("tz") {
            None => Ok((None, TimeZone::UTC)),
            Some(name) => match read_zone(name) {
                Ok(zone) => Ok((Some(name.to_owned()), zone)),
                Err(error) => Err(bad("tz", &format!("cannot be used: {error}"))),
            },
        }
    }

    fn time(&self, name: &str, zone: &TimeZone) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.params.text(name) else { return Ok(None) };
        let read = read_parameter(text, self.now.0, zone);
        read.map(Some).map_err(|error| bad(name, &format!("cannot be used: {error}")))
    }
}

/// 400: there is no such environment.
pub(super) fn unknown_env() -> ApiError {
    ApiError::bad_request("unknown_env", "there is no such environment: GET /api/envs lists them")
        .detail("parameter", "env")
}

/// A JSON answer that nobody may keep.
pub(super) fn json(answer: &impl Serialize) -> Result<Response<Body>, ApiError> {
    let body = serde_json::to_vec(answer).map_err(ApiError::internal)?;
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The environment of requests that name none.
pub(super) const DEFAULT_ENV: &str = "default";
