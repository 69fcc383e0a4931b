//! What a caller is told when something did not work.
//!
//! The outside message says what to do; the inside reason goes to the log, once, with the request's id.

use std::error::Error;
use std::fmt;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

/// An answer other than success.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Map<String, Value>,
    beside: Map<String, Value>,
    retry_after_secs: Option<u32>,
    inside: Option<String>,
}

impl ApiError {
    /// An error with a stable `code` that programs may rely on and a message for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            message: message.into(),
            details: Map::new(),
            beside: Map::new(),
            retry_after_secs: None,
            inside: None,
        }))
    }

    /// The request is wrong; sending it again will not help.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Something broke here. The caller gets the request's id, the log the reason.
    pub fn internal(inside: impl fmt::Display) -> Self {
        let message = "the server failed; its log says why under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).inside(inside)
    }

    /// The server is shutting down.
    pub fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is stopping: send the request again later")
            .retry_after(STOPPING_RETRY_SECS)
    }

    /// Adds a member to the `error` object: `column`, `hint` and the like.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a member beside the `error` object: what was done nevertheless.
    #[must_use]
    pub fn beside(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.beside.insert(name.to_owned(), value.into());
        self
    }

    /// Says after how many seconds the same request may work.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after_secs = Some(seconds);
        self
    }

    /// Keeps what only the log is told.
    #[must_use]
    pub fn inside(mut self, reason: impl fmt::Display) -> Self {
        self.0.inside = Some(reason.to_string());
        self
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What only the log is told.
    pub fn inside_reason(&self) -> Option<&str> {
        self.0.inside.as_deref()
    }

    /// The JSON body, with the request's id.
    pub fn body(&self, request_id: &str) -> Value {
        let Inner { code, message, details, beside, .. } = &*self.0;
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(code));
        error.insert("message".to_owned(), json!(message));
        error.insert("request_id".to_owned(), json!(request_id));
        error.extend(details.clone());
        let mut body = beside.clone();
        body.insert("error".to_owned(), Value::Object(error));
        Value::Object(body)
    }

    /// The whole answer.
    pub fn answer(&self, request_id: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body(request_id).to_string()));
        *response.status_mut() = self.0.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.0.retry_after_secs {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The request's id is not known where an error is made: the error travels in the answer's extensions,
/// and the server fills in the body.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.status;
        response.extensions_mut().insert(self);
        response
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for ApiError {}

/// An error and all its causes, in one line, for the log.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

/// Seconds after which a stopping server is likely to be back.
const STOPPING_RETRY_SECS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_reason_stays_inside() {
        let error = ApiError::internal("/var/lib/helios/_log/1: permission denied");
        assert!(!error.body("r1").to_string().contains("/var/lib"));
        assert_eq!(error.inside_reason(), Some("/var/lib/helios/_log/1: permission denied"));
    }

    #[test]
    fn details_stand_in_the_error_and_the_rest_beside_it() {
        let error = ApiError::bad_request("query", "wrong").detail("column", 3).beside("ingested", 7);
        assert_eq!(
            error.body("r1"),
            json!({"error": {"code": "query", "message": "wrong", "request_id": "r1", "column": 3}, "ingested": 7})
        );
    }
}
